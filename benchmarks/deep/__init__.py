"""Measures what neural models add to the service's ranking, on the same feed by the same protocol."""
