"""Measures rankers on a replayed feed, and decides about publication."""
