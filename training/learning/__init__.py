"""Samples training examples and fits the choice model."""
