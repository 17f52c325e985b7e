"""Adopts the tables of a team: reads its schema, proposes a mapping, and writes the views over it."""
