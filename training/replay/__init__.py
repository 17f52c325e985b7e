"""Replaying a feed request by request."""
