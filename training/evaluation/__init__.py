"""Measuring how well rankers would have served a feed."""
