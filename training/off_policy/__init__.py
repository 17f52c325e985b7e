"""Estimates of what a ranking would get, from pages that the service drew at random from another one."""
