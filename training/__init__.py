"""Trains, evaluates and publishes models."""

import app  # noqa: F401  (reports a missing locked environment)
