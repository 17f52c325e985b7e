"""The rankings of a replay as NDJSON, for other programs to check."""

from collections.abc import Iterator
from pathlib import Path

import orjson

from app.shared.atomic_file import write_atomically
from training.evaluation.prequential import ReplayResult
from training.replay.replay import Replay


def write_dump(path: Path, replay: Replay, result: ReplayResult) -> None:
    """One line for each request and ranker, ids as they stand in the file; whole or not at all. Raises OSError.

    `{"ranker", "user_id", "at", "target", "rank", "ranked"}`: `at` in seconds since the epoch, `rank` from 1, `ranked`
    the first 50 posts.
    """
    write_atomically(path, _lines(replay, result))


def _lines(replay: Replay, result: ReplayResult) -> Iterator[bytes]:
    history = replay.dataset
    user_ids, post_ids = history.users.external_id, history.posts.external_id
    for at, event in enumerate(result.requests.tolist()):
        asked = {
            "user_id": user_ids[history.events.user[event]],
            "at": float(history.events.time[event]),
            "target": post_ids[history.events.post[event]],
        }
        for name, lists in result.lists.items():
            listed = lists[at][lists[at] >= 0]
            line = {
                "ranker": name,
                **asked,
                "rank": int(result.ranks[name][at]),
                "ranked": [post_ids[row] for row in replay.timeline.post_order[listed].tolist()],
            }
            yield orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
