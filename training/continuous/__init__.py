"""Continuous training: weights that follow the newest choices, between two full trainings."""
