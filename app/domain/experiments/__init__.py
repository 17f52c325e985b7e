"""Experiments: which users get which variant of the ranking."""
