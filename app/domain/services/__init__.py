"""Ports of ranking: each piece of the pipeline is a small object behind one of these."""
