"""Ranking: which posts a user sees, and in which order. Standard library and numpy only."""
