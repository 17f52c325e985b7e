"""Names in the database: the schema of the service, and the tables in it."""

import re
from dataclasses import dataclass

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")

OWNER_MARK = "made by the feed recommendation service"
"""Comment on every table that the migrations created. A table without it is another team's and is never altered."""


@dataclass(frozen=True, slots=True)
class SchemaName:
    """A valid schema name. `str()` returns it quoted; `[table]` returns the quoted, qualified name of a table in it.

    `plain` has 1 to 63 letters, digits and underscores and starts with no digit, else ValueError is raised.
    Every statement qualifies its tables, because a transaction-pooling proxy does not keep a `search_path`.
    """

    plain: str = "public"

    def __post_init__(self) -> None:
        if not _IDENTIFIER.fullmatch(self.plain):
            raise ValueError(
                f"DB_SCHEMA must be letters, digits and underscores (at most 63), got {self.plain!r}"
            )

    def __str__(self) -> str:
        return f'"{self.plain}"'

    def __getitem__(self, table: str) -> str:
        return f'"{self.plain}"."{table}"'


PUBLIC_SCHEMA = SchemaName()
"""The default of DB_SCHEMA."""
