"""Lists of posts by SQL of a team: the order that their feed has now, at the time of each request of a replay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.infrastructure.config.settings import Settings
from app.infrastructure.database.cli_connection import cli_engine
from app.infrastructure.database.past_query import PastQuery, open_past_query
from app.shared.command_line import preview
from app.shared.progress import Progress
from training.replay.replay import Replay


@dataclass(frozen=True, slots=True, eq=False)
class SqlOrders:
    """The lists of a replay's requests.

    by_event  event row of the request -> post rows of the replayed state, best first
    n_short   how many lists have fewer than ten posts
    """

    by_event: Mapping[int, NDArray[np.intp]]
    n_short: int


def read_orders(
    settings: Settings, query: PastQuery, replay: Replay, requests: NDArray[np.intp], progress: Progress
) -> SqlOrders:
    """Run the query for each request, on views that end at its time.

    Raises ConfigurationError as `open_past_query` does, and if no list contains a post; and the errors of `cli_engine`.
    """
    dataset, events, rows = replay.dataset, replay.dataset.events, _PostRows(replay)
    by_event: dict[int, NDArray[np.intp]] = {}
    with (
        cli_engine(settings) as engine,
        open_past_query(engine, query, dataset, lambda done, n: progress("copy", done, n)) as run,
    ):
        for event in requests.tolist():
            user = int(events.user[event])
            ids = run(
                int(events.time_us[event]), dataset.users.external_id[user], bytes(dataset.users.key[user])
            )
            by_event[event] = rows.of(ids)
            progress("their order", len(by_event), len(requests))
    if rows.unknown is not None and not rows.n_known:
        raise query.error(f"its first column must hold ids of posts, not {preview(rows.unknown)}")
    return SqlOrders(by_event, sum(len(listed) < 10 for listed in by_event.values()))


class _PostRows:
    """Finds posts by id, and remembers an unknown one."""

    def __init__(self, replay: Replay) -> None:
        posts, rows = replay.dataset.posts, replay.timeline.post_row.tolist()
        self._rows = {str(UUID(bytes=key)): row for key, row in zip(posts.key.tolist(), rows, strict=True)}
        self._rows |= zip(posts.external_id, rows, strict=True)
        self.n_known = 0
        self.unknown: str | None = None

    def of(self, ids: Sequence[str | None]) -> NDArray[np.intp]:
        """Rows of the replayed state, without NULL and ids of no post."""
        found = []
        for given in ids:
            if given is None:
                continue
            if given in self._rows:
                found.append(self._rows[given])
            else:
                self.unknown = given
        self.n_known += len(found)
        return np.array(found, np.intp)
