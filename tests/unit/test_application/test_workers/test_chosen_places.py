"""The worker that counts at which places of their pages users choose posts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

from app.application.workers.chosen_places import ChosenPlaces
from app.domain.errors import StorageUnavailable
from app.domain.repositories.impression_repository import ImpressionRepository
from tests.support.storage_under_test import NOON

Places = Mapping[str, Mapping[int, int]]


@dataclass
class Impressions:
    """The part of an ImpressionRepository that the worker reads; None is an outage."""

    answers: list[Places | None]
    asked: list[datetime | None] = field(default_factory=list)

    def chosen_places(self, since: datetime | None) -> tuple[Places, datetime]:
        self.asked.append(since)
        answer = self.answers.pop(0)
        if answer is None:
            raise StorageUnavailable("away")
        return answer, NOON + len(self.asked) * timedelta(minutes=1)


def places_after(*answers: Places | None) -> tuple[Places, list[datetime | None]]:
    impressions = Impressions(list(answers))
    worker = ChosenPlaces(cast(ImpressionRepository, impressions))
    for _ in answers:
        worker.run()
    return worker.counts, impressions.asked


def test_the_events_of_all_reads_add_up() -> None:
    counts, asked = places_after({}, {"v1": {1: 2, 4: 1}}, {"v1": {1: 1}, "v2": {3: 1}})

    assert counts == {"v1": {1: 3, 4: 1}, "v2": {3: 1}}
    assert asked == [None, NOON + timedelta(minutes=1), NOON + timedelta(minutes=2)]


def test_a_read_that_fails_is_repeated_from_the_same_time() -> None:
    counts, asked = places_after({}, None, {"v1": {1: 1}})

    assert counts == {"v1": {1: 1}}
    assert asked[1] == asked[2]


def test_twenty_versions_are_kept_those_without_recent_choices_go_first() -> None:
    versions = [f"v{number}" for number in range(25)]

    counts, _ = places_after({}, *({version: {1: 1}, "v0": {2: 1}} for version in versions))

    assert set(counts) == {"v0", *versions[-19:]}
