"""Replays a feed request by request."""
