"""A response that needs the database: for requests that are answered from memory if possible."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unfinished(Generic[T]):
    """Both functions return the response.

    complete         waits for the database; raises StorageUnavailable
    without_storage  answers with what memory has, as degraded
    """

    complete: Callable[[], T]
    without_storage: Callable[[], T]
