"""Names in the database: the schema of the service, and the tables in it."""

import re

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")

OWNER_MARK = "made by the feed recommendation service"
"""Comment on every table that the migrations created. A table without it is another team's and is never altered."""


class SchemaName:
    """A valid schema name. `str()` returns it quoted; `[table]` returns the quoted, qualified name of a table in it.

    Every statement qualifies its tables, because a transaction-pooling proxy does not keep a `search_path`.
    """

    __slots__ = ("plain",)

    def __init__(self, plain: str = "public") -> None:
        """Raises ValueError unless `plain` has 1 to 63 letters, digits and underscores and starts with no digit."""
        if not _IDENTIFIER.fullmatch(plain):
            raise ValueError(f"DB_SCHEMA must be letters, digits and underscores (at most 63), got {plain!r}")
        self.plain = plain

    def __str__(self) -> str:
        return f'"{self.plain}"'

    def __getitem__(self, table: str) -> str:
        return f'"{self.plain}"."{table}"'

    def __repr__(self) -> str:
        return f"SchemaName({self.plain!r})"


PUBLIC_SCHEMA = SchemaName()
"""The default of DB_SCHEMA."""
