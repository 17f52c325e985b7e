"""Compares the service's ranking with other recommenders, on the same feed by the same protocol."""
