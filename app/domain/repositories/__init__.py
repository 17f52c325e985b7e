"""Ports to what is stored: each asks the domain's question and names its errors."""
