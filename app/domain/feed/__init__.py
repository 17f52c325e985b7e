"""The feed in memory: columns of a history, and the live state that ranking reads."""
