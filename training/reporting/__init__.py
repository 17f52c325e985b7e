"""Printing and writing what was measured."""
