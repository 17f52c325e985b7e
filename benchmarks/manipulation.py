"""How far accounts can move the feeds of others: `python -m benchmarks.manipulation`.

The active model of MODELS_DIR ranks the feed of the database for uninvolved users: before an attack on one post, after
it, and after the same accounts behaved as honest users would. Each attack must give the lists of its honest reference,
post by post and score by score. The last rows show what many accounts with one event of each type reach, which is what
as many people would reach. Exit 1 if a list differs.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from app.domain.entities import INTERACTION_TYPES
from app.domain.feed.dataset import EventColumns
from app.domain.feed.event_counting import CountingRule
from app.domain.feed.state import FeedState
from app.domain.feed.time_units import DAY, HOUR
from app.domain.ranking.assembly import NoObserver
from app.domain.ranking.model_interface import RankingModel
from app.domain.services.ranking_context import RankingContext
from app.infrastructure.config.settings import read_settings
from app.infrastructure.ml.model_loader import ServedModel
from app.infrastructure.ml.registry.open_registry import open_registry
from app.shared.command_line import OneLineParser, fail, whole_number
from benchmarks.served_state import served_state
from data.command_line import run_command
from training.feed_source import read_database

_PROG: Final = "benchmarks.manipulation"
KINDS = len(INTERACTION_TYPES)
_BATCH = 500  # events of one call of POST /interactions/batch


@dataclass(frozen=True, slots=True)
class Result:
    """One attack. The ranks are medians over the uninvolved users; `same_lists` compares posts and scores."""

    attack: str
    accounts: int
    events: int
    rank_before: float
    rank_after: float
    rank_of_reference: float
    same_lists: bool


Seconds = NDArray[np.float64]
Lists = list[tuple[NDArray[np.intp], NDArray[np.float64]]]


class Arena:
    """The attacked feed: a post, uninvolved users, and the time of the attack."""

    def __init__(self, model: RankingModel, state: FeedState, uninvolved: int, seed: int) -> None:
        self.model, self._state = model, state
        random = np.random.default_rng(seed)
        self.start = float(state.last_engaged[: state.n_posts].max(initial=0.0)) + 1.0
        known = np.flatnonzero(state.events_by_user.lengths(np.arange(state.n_users)))
        self.users = random.choice(known, min(uninvolved, len(known)), replace=False)
        foreign = np.flatnonzero(~np.isin(state.author[: state.n_posts], self.users))
        unseen = foreign[~np.isin(foreign, np.concatenate([state.seen_posts(user) for user in self.users]))]
        before = self.lists(_none(), self.start)
        ranks = np.array([self.rank(before, int(post)) for post in unseen[:200]])
        self.post = int(unseen[:200][np.argsort(ranks)[len(ranks) // 2]])  # a post of a middle rank
        self.author = int(state.author[self.post])

    def lists(self, events: EventColumns, now: float, accounts: Sequence[int] | None = None) -> Lists:
        """The ranked lists of the uninvolved users at `now`, after events of new accounts or of given user rows."""
        state = deepcopy(self._state)
        rows = np.array(accounts if accounts is not None else [], np.int32)
        if accounts is None:
            count = int(events.user.max(initial=-1)) + 1
            rows = np.arange(state.n_users, state.n_users + count, dtype=np.int32)
            state.add_users([b"puppet" + account.to_bytes(10) for account in range(count)])
        for start in range(0, len(events), _BATCH):
            batch = events[start : start + _BATCH]
            batch = batch[np.argsort(batch.time_us, kind="stable")]
            post = np.full(len(batch), self.post, np.int32)
            state.record(replace(batch, user=rows[batch.user], post=post))
        pipeline = self.model.pipeline(state, NoObserver())
        ranked = [pipeline.rank(RankingContext(state, int(user), now)) for user in self.users]
        return [(one.rows, one.values) for one in ranked]

    def rank(self, lists: Lists, post: int | None = None) -> float:
        """The median rank of a post, one more than the length of a list without it."""
        post = self.post if post is None else post
        found = [np.flatnonzero(rows == post) for rows, _ in lists]
        return median(
            float(at[0]) + 1 if len(at) else len(rows) + 1.0
            for at, (rows, _) in zip(found, lists, strict=True)
        )

    def compare(
        self,
        attack: str,
        events: EventColumns,
        reference: EventColumns,
        now: float,
        accounts: Sequence[int] | None = None,
    ) -> Result:
        """The lists after `events` beside those after `reference`."""
        before, after, honest = (self.lists(one, now, accounts) for one in (_none(), events, reference))
        same = all(
            np.array_equal(rows, honest_rows) and np.array_equal(values, honest_values)
            for (rows, values), (honest_rows, honest_values) in zip(after, honest, strict=True)
        )
        n_accounts = int(events.user.max(initial=-1)) + 1
        return Result(
            attack,
            n_accounts,
            len(events),
            self.rank(before),
            self.rank(after),
            self.rank(honest),
            same,
        )


def events_on_the_post(
    account: NDArray[np.integer], kind: NDArray[np.integer], occurred: Seconds, received: Seconds
) -> EventColumns:
    """Events in order of receipt. `account` (n,) takes the place of user rows; the post is set by the arena."""
    return EventColumns(
        user=account.astype(np.int32),
        post=np.zeros(len(account), np.int32),
        kind=kind.astype(np.uint8),
        time_us=np.round(occurred * 1e6).astype(np.int64),
        seq=np.arange(len(account)),
        received_us=np.round(received * 1e6).astype(np.int64),
    )


def _none() -> EventColumns:
    return events_on_the_post(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0))


def burst(accounts: int, events: int, start: float, random: np.random.Generator) -> EventColumns:
    """`events` of each account in one minute, of any kind, backdated over 7 days."""
    total = accounts * events
    received = start + np.sort(random.uniform(0, 60, total))
    occurred = received - random.uniform(0, 7 * DAY, total)
    account = random.permutation(np.repeat(np.arange(accounts), events))
    return events_on_the_post(account, random.integers(0, KINDS, total), occurred, received)


def week(events: int, start: float, random: np.random.Generator) -> EventColumns:
    """`events` of one account of any kind, spread over a week."""
    received = start + np.sort(random.uniform(0, 7 * DAY, events))
    return events_on_the_post(
        np.zeros(events, np.int64), random.integers(0, KINDS, events), received, received
    )


def one_of_each_kind(accounts: int, start: float, kinds: int = KINDS) -> EventColumns:
    """One event of each kind by each account, a second apart."""
    total = accounts * kinds
    received = start + np.arange(total) / max(total, 1) * 60
    return events_on_the_post(np.arange(total) // kinds, np.arange(total) % kinds, received, received)


def honest_part(events: EventColumns, rule: CountingRule) -> EventColumns:
    """What honest users would have sent: the first event of each window, up to the limit."""
    earlier: dict[tuple[int, int], list[float]] = {}
    kept = []
    for place, key in enumerate(zip(events.user.tolist(), events.kind.tolist(), strict=True)):
        received = float(events.received[place])
        if rule.allows(received, earlier.setdefault(key, [])):
            earlier[key].append(received)
            kept.append(place)
    return events[np.array(kept, np.intp)]


def measure(
    model: RankingModel,
    state: FeedState,
    rule: CountingRule,
    *,
    uninvolved: int = 25,
    seed: int = 0,
    events: int = 10_000,
) -> list[Result]:
    """All attacks on one post of a feed."""
    arena = Arena(model, state, uninvolved, seed)
    start, soon, later = arena.start, arena.start + HOUR, arena.start + 8 * DAY
    attacks: list[tuple[str, Callable[[np.random.Generator], EventColumns], float]] = [
        ("one account, at once, backdated over 7 days", lambda r: burst(1, events, start, r), soon),
        ("one account, over a week", lambda r: week(events, start, r), later),
        ("20 accounts x 50 events", lambda r: burst(20, 50, start, r), soon),
    ]
    results = []
    for name, attack, now in attacks:
        sent = attack(np.random.default_rng(seed))
        results.append(arena.compare(name, sent, honest_part(sent, rule), now))
    if arena.author >= 0:
        sent = burst(1, 100, start, np.random.default_rng(seed))
        results.append(arena.compare("the author on the own post", sent, _none(), soon, [arena.author]))
    for accounts in (20, 100, 500):
        sent = one_of_each_kind(accounts, start)
        results.append(arena.compare(f"{accounts} new accounts, one event of each type", sent, sent, soon))
    return results


def main(argv: Sequence[str] | None = None) -> int:
    """Run all attacks; returns the exit code."""
    parser = OneLineParser(prog=_PROG, description=__doc__)
    parser.add_argument("--users", type=whole_number(1), default=25, help="uninvolved users (default: 25)")
    parser.add_argument("--events", type=whole_number(1), default=10_000, help="events of one account")
    parser.add_argument("--seed", type=int, default=0, help="seed of the attacks (default: 0)")
    parser.add_argument("--json", action="store_true", help="print the figures for a program")
    args = parser.parse_args(argv)
    return run_command(_PROG, lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    registry = open_registry(read_settings())
    record = registry.active()
    if record is None:
        return fail(_PROG, "no model is active; run python -m training.train first")
    model = ServedModel.from_artifact(registry.load(record.version))
    state = served_state(read_database(read_settings()), model)
    results = measure(
        model, state, model.options.counting, uninvolved=args.users, seed=args.seed, events=args.events
    )
    if args.json:
        print(json.dumps([asdict(one) for one in results]))
    else:
        table = Table("attack", "events", "rank before", "after", "honest", "same lists")
        for one in results:
            ranks = (f"{rank:g}" for rank in (one.rank_before, one.rank_after, one.rank_of_reference))
            table.add_row(one.attack, f"{one.events:,}", *ranks, "yes" if one.same_lists else "NO")
        Console().print(table)
    return 0 if all(one.same_lists for one in results) else 1


if __name__ == "__main__":
    sys.exit(main())
