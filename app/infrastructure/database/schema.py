"""Names inside the database: the schema the service lives in, quoted once, and names of tables in it."""

import re

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
DEFAULT_SCHEMA = "public"

OWNER_MARK = "made by the feed recommendation service"
"""Comment on every table the migrations made. A table without it belongs to somebody else and is never altered."""


class SchemaName:
    """A checked schema name; `str()` is its quoted form, `[table]` the qualified, quoted name of a table in it.

    Every statement names its tables in full, so no session needs a `search_path`, which a transaction-pooling
    proxy would not keep.
    """

    __slots__ = ("plain",)

    def __init__(self, plain: str = DEFAULT_SCHEMA) -> None:
        """Raises ValueError unless `plain` is 1..63 letters, digits and underscores, not starting with a digit."""
        if not _IDENTIFIER.fullmatch(plain):
            raise ValueError(f"DB_SCHEMA must be letters, digits and underscores (at most 63), got {plain!r}")
        self.plain = plain

    def __str__(self) -> str:
        return f'"{self.plain}"'

    def __getitem__(self, table: str) -> str:
        return f'"{self.plain}"."{table}"'

    def __repr__(self) -> str:
        return f"SchemaName({self.plain!r})"
