"""Words that programs write for a value that is missing."""

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

_OF_DATABASES: Final = (r"\N", "NULL", "Null", "null", "<NULL>", "<null>", "(NULL)", "(null)", "[null]")
_OF_LANGUAGES: Final = ("None", "NONE", "NaN", "NAN", "nan", "NaT", "NA", "<NA>", "nil", "undefined")
_OF_TABLE_PROGRAMS: Final = ("N/A", "n/a", "#N/A", "#REF!", "#VALUE!", "#NULL!", "#NAME?", "#DIV/0!", "#NUM!")
_OF_FORUMS: Final = ("[deleted]", "[removed]")
PLACEHOLDERS: Final = frozenset((*_OF_DATABASES, *_OF_LANGUAGES, *_OF_TABLE_PROGRAMS, *_OF_FORUMS))
MISSING_VALUE: Final = "stands for a missing value"
_WORDS: Final = pa.array(sorted(PLACEHOLDERS), pa.large_string())


def without_placeholders(column: Any) -> tuple[Any, int]:
    """(a column of large_string with null for each placeholder, how many there were)."""
    found = pc.is_in(column, _WORDS)
    count = pc.sum(found).as_py() or 0
    return (pc.if_else(found, pa.scalar(None, pa.large_string()), column) if count else column), count
