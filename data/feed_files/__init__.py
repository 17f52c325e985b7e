"""Reading a feed from files."""
