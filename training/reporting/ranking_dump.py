"""Writes the rankings of a replay as NDJSON, so that other programs can check them."""

from collections.abc import Iterator
from pathlib import Path

import orjson

from app.shared.atomic_file import write_atomically
from training.evaluation.prequential import ReplayResult
from training.replay.replay import Replay


def write_dump(path: Path, replay: Replay, result: ReplayResult) -> None:
    """Write one line for each request and ranker, with the ids of the file. Raises OSError and then writes nothing.

    `{"ranker", "user_id", "at", "target", "rank", "ranked"}`: `at` in seconds since the epoch, `rank` from 1, `ranked`
    the first 50 posts.
    """
    write_atomically(path, _lines(replay, result))


def _lines(replay: Replay, result: ReplayResult) -> Iterator[bytes]:
    dataset = replay.dataset
    user_ids, post_ids = dataset.users.external_id, dataset.posts.external_id
    for number, event in enumerate(result.requests.tolist()):
        request = {
            "user_id": user_ids[dataset.events.user[event]],
            "at": float(dataset.events.time[event]),
            "target": post_ids[dataset.events.post[event]],
        }
        for name, lists in result.lists.items():
            rows = lists[number][lists[number] >= 0]
            line = {
                "ranker": name,
                **request,
                "rank": int(result.ranks[name][number]),
                "ranked": [post_ids[row] for row in replay.timeline.post_order[rows].tolist()],
            }
            yield orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
