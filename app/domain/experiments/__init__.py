"""Experiments: which users get which variant of the ranking, and what that shows."""
