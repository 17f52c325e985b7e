"""Generating a synthetic feed."""
