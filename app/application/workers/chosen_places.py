"""Counts at which places of their pages users choose posts."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from app.domain.errors import StorageUnavailable
from app.domain.repositories.impression_repository import ImpressionRepository

READ_SECONDS: Final = 15.0
_MAX_VERSIONS: Final = 20


@dataclass(eq=False)
class ChosenPlaces:
    """Reads the events that were stored since, joined with the pages they came from.

    counts  version of the model -> place on the page, from 1 -> events at it; the versions that were chosen from last
    """

    impressions: ImpressionRepository
    _counts: dict[str, Counter[int]] = field(default_factory=dict, init=False)
    _until: datetime | None = field(default=None, init=False)

    @property
    def counts(self) -> Mapping[str, Mapping[int, int]]:
        return self._counts

    def run(self) -> None:
        """Count the events since the last call; the first call counts none. Nothing happens while the store is away."""
        try:
            chosen, self._until = self.impressions.chosen_places(self._until)
        except StorageUnavailable:  # the next call counts these events too
            return
        counts = dict(self._counts)  # replaced, because another thread reads it
        for version, by_place in chosen.items():
            counts[version] = counts.pop(version, Counter()) + Counter(by_place)
        self._counts = dict(list(counts.items())[-_MAX_VERSIONS:])
