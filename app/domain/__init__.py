"""The business of ranking a feed: entities, ports and in-memory feed state. Standard library and numpy only."""
