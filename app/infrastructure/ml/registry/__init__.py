"""Signed artefacts of trained models, and the folder that holds them."""
