"""While a change holds the lock of the feed, it writes few entries of lists, and no array grows."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import ModuleType
from typing import Any
from unittest.mock import patch

import pytest

from app.application.workers import event_updates
from app.domain.entities import Interaction
from app.domain.feed import decayed_counters, ragged, row_checksums, slices, sorted_rows, state, visibility
from app.domain.feed.list_limits import ListLimits
from app.domain.feed.ragged import RaggedArray, grow
from app.domain.ids import post_uuid, user_uuid
from tests.support.small_service import FEW_CANDIDATES, SmallService

LISTS = ListLimits(events_per_user=8, users_per_post=6)
USERS, POSTS = 24, 16
ENTRIES, EVENTS = 60, 5  # of a step
LIST_ENTRIES = LISTS.events_per_user + 1 + LISTS.users_per_post
# recording an event writes it to two lists, which are then cut; a late one also puts them in order
MOST_ENTRIES = max(ENTRIES, EVENTS * (2 + LIST_ENTRIES))
MOST_LATE_ENTRIES = MOST_ENTRIES + EVENTS * (LIST_ENTRIES + 1)
Change = Callable[[SmallService], object]


@dataclass
class Steps:
    """The entries of lists that each step wrote, and the arrays that grew during a step."""

    entries: list[int] = field(default_factory=list)
    grown: list[tuple[ModuleType, int]] = field(default_factory=list)
    in_step: bool = False

    @contextmanager
    def counted(self, service: SmallService) -> Iterator[None]:
        """Count the steps of the changes in this context."""
        with ExitStack() as patches:
            for module in (decayed_counters, ragged, row_checksums, sorted_rows, state, visibility):
                patches.enter_context(patch.object(module, "grow", self._noting_growth(module)))
            for name, n_rows in (("append", 1), ("replace", 1), ("replace_rows", 2)):
                written = self._noting_entries(getattr(RaggedArray, name), n_rows)
                patches.enter_context(patch.object(RaggedArray, name, written))
            patches.enter_context(patch.object(service.feed.lock, "writing", self._noted))
            yield

    @contextmanager
    def _noted(self, _writer: str) -> Iterator[None]:
        self.entries.append(0)
        self.in_step = True
        try:
            yield
        finally:
            self.in_step = False

    def _noting_growth(self, module: ModuleType) -> Callable[..., Any]:
        def noted(array: Any, size: int, fill: Any = 0) -> Any:
            if self.in_step and size > array.shape[-1]:
                self.grown.append((module, size))
            return grow(array, size, fill)

        return noted

    def _noting_entries(self, write: Callable[..., None], n_arguments: int) -> Callable[..., None]:
        def noted(lists: RaggedArray, *given: Any) -> None:
            if self.in_step:
                self.entries[-1] += len(given[n_arguments])
            write(lists, *given)

        return noted


def a_busy_service() -> SmallService:
    """All lists of its users and posts are longer than those in memory."""
    service = SmallService(options=replace(FEW_CANDIDATES, lists=LISTS))
    service.add_users("author", *(f"user{number}" for number in range(USERS)))
    for number in range(POSTS):
        service.add_post(f"p{number}", "author", content="a text of some words", tags=("tag",))
    service.catch_up()
    engage_all(service)
    return service


def record(service: SmallService, pairs: Sequence[tuple[int, int]], age: timedelta = timedelta(0)) -> None:
    """Store an event of each pair of a user and a post, which the service reads in one batch."""
    service.pass_time(4000)
    at = service.clock.at - age
    events = [
        Interaction(user_uuid(f"user{user}"), post_uuid(f"p{post}"), "like", at) for user, post in pairs
    ]
    service.storage.interactions.record(events)
    service.catch_up()


def engage_all(service: SmallService, age: timedelta = timedelta(0)) -> None:
    record(service, [(user, post) for user in range(USERS) for post in range(POSTS)], age)


def retract_some(service: SmallService) -> None:
    """Take back events of some users, whose lists are then read again."""
    service.tables.remove_events(service.tables.events[-4 * POSTS :])


def engage_new_users(service: SmallService) -> None:
    service.add_users(*(f"user{number}" for number in range(USERS, 4 * USERS)))
    record(service, [(number, 0) for number in range(USERS, 4 * USERS)])


def add_posts(service: SmallService) -> None:
    service.add_users(*(f"writer{number}" for number in range(100)))
    for number in range(100):
        service.add_post(f"new{number}", f"writer{number}", content="a text of some words", tags=("tag",))


def hide_and_show(service: SmallService) -> None:
    """As a view does: the posts keep their numbers."""
    posts = list(service.tables.posts.values())
    for post in posts:
        service.tables.remove_post(post.id)
    service.catch_up()
    for post in posts:
        service.tables.posts[post.id] = post
    service.tables.add_posts(*posts)


def change_authors(service: SmallService) -> None:
    for number in range(POSTS):
        service.add_post(f"p{number}", f"user{number}", content="another text", tags=("tag",))


CHANGES: dict[str, Change] = {
    "events": engage_all,
    "late events": lambda service: engage_all(service, timedelta(hours=1)),
    "events of new users": engage_new_users,
    "retractions": retract_some,
    "users": lambda service: service.add_users(*(f"new{number}" for number in range(100))),
    "posts": add_posts,
    "other authors": change_authors,
    "removed posts": lambda service: [service.remove_post(f"p{number}") for number in range(POSTS)],
    "posts that are hidden and shown": hide_and_show,
    "removed user": lambda service: service.tables.remove_user(user_uuid("user3")),
    "follows": lambda service: [service.follow("user0", f"user{number}") for number in range(1, USERS)],
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_step_writes_few_entries_and_grows_no_array(change: str) -> None:
    service, steps = a_busy_service(), Steps()

    with (
        patch.object(slices, "ENTRIES_PER_STEP", ENTRIES),
        patch.object(event_updates, "_EVENTS_PER_STEP", EVENTS),
        steps.counted(service),
    ):
        CHANGES[change](service)
        service.catch_up()

    assert steps.entries
    assert max(steps.entries) <= (MOST_LATE_ENTRIES if change == "late events" else MOST_ENTRIES)
    assert steps.grown == []
