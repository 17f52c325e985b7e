"""Learning the choice model from what was chosen."""
