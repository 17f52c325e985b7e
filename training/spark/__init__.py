"""Replays on Apache Spark."""
