"""Write a realistic synthetic feed: `python -m data.generate_fake_data --help`.

The same arguments give the same bytes. `--output feed.json` holds users, posts, follows, interactions, controls,
memberships and impressions (pages) in one document, one record on each line. `--output feed.parquet`, for large feeds,
holds the interactions; the other records are in `feed.users.parquet`, `feed.posts.parquet` and so on beside it, where
readers find them.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from app.domain.entities import INTERACTION_TYPES
from app.domain.entities.control import Control
from app.domain.feed.dataset import EventColumns, FeedDataset, PostColumns, UserColumns
from app.shared.atomic_file import write_atomically
from app.shared.command_line import OneLineParser, fail, positive, whole_number
from app.shared.progress import progress_bars
from data.feed_arguments import timestamp
from data.feed_files.open_files import sibling
from data.schemas import FileKind
from data.synthetic.behaviour import SCENARIOS
from data.synthetic.feed import FeedSize, make_feed_with_pages

DEFAULT_OUTPUT: Final = Path("data/fake_interactions.json")
DEFAULT_UNTIL: Final = datetime(2026, 1, 31, tzinfo=UTC)
DEMO: Final = FeedSize(
    users=300, posts=1500, interactions=20_000, seed=7, until=int(DEFAULT_UNTIL.timestamp() * 1000)
)
_PROG: Final = "python -m data.generate_fake_data"
_BATCH_ROWS: Final = 200_000
_MAX_ROWS: Final = 100_000_000  # of each kind; most machines run out of memory earlier


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    args = _parser().parse_args(argv)
    if args.output.suffix not in (".json", ".parquet"):
        return fail(_PROG, f"--output {args.output}: must end in .json or .parquet")
    until = int(args.until.timestamp() * 1000)
    if until - args.days * 86_400_000 < 0:
        return fail(_PROG, f"--until {args.until.isoformat()}: {args.days:g} days before it lie before 1970")
    size = FeedSize(
        args.users, args.posts, args.interactions, args.seed, until, args.days, args.life_hours, args.scenario
    )
    with progress_bars() as progress:
        try:
            progress("making", 0, None)
            feed = make_feed_with_pages(size)
            progress("making", args.interactions, args.interactions)
            write_feed(feed, args.output)
            progress("writing", args.interactions, args.interactions)
        except MemoryError:
            return fail(_PROG, "a feed of this size does not fit into memory")
        except OSError as error:
            return fail(_PROG, f"{args.output}: cannot be written: {error.strerror or error}")
    print(
        f"{args.output}: {args.users:,} users, {args.posts:,} posts, {len(feed.follows):,} follows, "
        f"{len(feed.events):,} interactions, {len(feed.controls):,} controls, "
        f"{len(feed.pages):,} impressions"
    )
    return 0


def write_feed(feed: FeedDataset, output: Path) -> None:
    """Write a feed as JSON or Parquet, by the suffix of `output`. A file appears complete or not at all."""
    output.parent.mkdir(parents=True, exist_ok=True)
    tables = _tables(feed)
    if output.suffix == ".json":
        write_atomically(output, _json(tables))
        return
    # The interactions come last: a reader that finds them finds the other files too.
    for kind, table in tables.items():
        content = pa.BufferOutputStream()
        pq.write_table(table, content, compression="zstd", row_group_size=1 << 20)
        write_atomically(output if kind == "interactions" else sibling(output, kind), [content.getvalue()])


def _json(tables: dict[FileKind, Any]) -> Iterator[bytes]:
    """One document with a list for each table, one record on each line."""
    yield b"{"
    for number, (kind, table) in enumerate(tables.items()):
        yield b'%b\n"%b": [' % (b"," if number else b"", kind.encode())
        separator = b"\n"
        rows = table
        for column, field in enumerate(table.schema):
            if pa.types.is_timestamp(field.type):
                text = pc.strftime(table[field.name], "%Y-%m-%dT%H:%M:%SZ")
                rows = rows.set_column(column, field.name, text)
        for batch in rows.to_batches(max_chunksize=_BATCH_ROWS):
            for row in batch.to_pylist():
                if row.get("metadata") is not None:
                    row["metadata"] = orjson.Fragment(row["metadata"])
                yield separator + orjson.dumps(
                    {name: value for name, value in row.items() if value is not None}
                )
                separator = b",\n"
        yield b"\n]"
    yield b"\n}\n"


def _tables(feed: FeedDataset) -> dict[FileKind, Any]:
    """The Arrow tables of the feed."""
    users, posts, follows, events = feed.users, feed.posts, feed.follows, feed.events
    ids = zip((*users.key, *posts.key), (*users.external_id, *posts.external_id), strict=True)
    id_of = {UUID(bytes=key.tobytes()): external_id for key, external_id in ids}
    columns: dict[FileKind, dict[str, Any]] = {
        "users": {
            "id": users.external_id,
            "username": users.username,
            "follower_count": users.follower_count,
            "created_at": _times(users.created_us),
            "discoverable": users.discoverable,
            "personalised": users.personalised,
            "languages": pa.array(users.languages, pa.list_(pa.string())),
            "show_sensitive": users.show_sensitive,
        },
        "posts": {
            "id": posts.external_id,
            "author_id": _ids(users, posts.author),
            "content": posts.text,
            "created_at": _times(posts.created_us),
            "like_count": posts.like_count,
            "comment_count": posts.comment_count,
            "tags": pa.array(posts.tags, pa.list_(pa.string())),
            "visibility": posts.visibility,
            "audience_id": pa.array(posts.audience_id, pa.string()),
            "language": pa.array(posts.language, pa.string()),
            "sensitive": posts.sensitive,
            **{
                name: pa.array([one and id_of[one] for one in getattr(posts, name)], pa.string())
                for name in ("reply_to", "root_id", "repost_of")
            },
        },
        "follows": {
            "follower_id": _ids(users, follows.follower),
            "followee_id": _ids(users, follows.followee),
            "created_at": _times(follows.since_us),
        },
        "interactions": {
            "user_id": _ids(users, events.user),
            "post_id": _ids(posts, events.post),
            "interaction_type": pa.array(INTERACTION_TYPES).take(pa.array(events.kind)),
            "created_at": _times(events.time_us),
            "metadata": _metadata(events),
        },
        "controls": _control_columns(feed.controls, id_of),
        "memberships": {
            "user_id": _ids(users, feed.memberships.user),
            "audience_id": pa.array(feed.memberships.audience_id, pa.string()),
        },
        "impressions": _page_columns(feed),
    }
    return {kind: pa.table(values) for kind, values in columns.items()}


def _control_columns(controls: Sequence[Control], id_of: Mapping[UUID, str]) -> dict[str, Any]:
    return {
        "user_id": [id_of[one.user_id] for one in controls],
        "action": pa.array([one.action for one in controls], pa.string()),
        "post_id": pa.array([one.post_id and id_of[one.post_id] for one in controls], pa.string()),
        "author_id": pa.array([one.author_id and id_of[one.author_id] for one in controls], pa.string()),
        "tag": pa.array([one.tag for one in controls], pa.string()),
        "word": pa.array([one.word for one in controls], pa.string()),
        "created_at": pa.array([one.created_at for one in controls], pa.timestamp("ms", "UTC")),
        "until": pa.array([one.until for one in controls], pa.timestamp("ms", "UTC")),
    }


def _page_columns(feed: FeedDataset) -> dict[str, Any]:
    pages = feed.pages
    page = np.arange(len(pages)).repeat(pages.length)

    def lists(places: NDArray[np.bool_]) -> Any:
        """The ids of the posts of each page in these places, a mask (n_places,)."""
        end = np.cumsum(np.bincount(page[places], minlength=len(pages)))
        return pa.ListArray.from_arrays(pa.array([0, *end], pa.int32()), _ids(feed.posts, pages.post[places]))

    return {
        "user_id": _ids(feed.users, pages.user),
        "request_id": pa.array(pages.request_id or [], pa.string()),
        "created_at": _times(pages.time_us),
        "posts": lists(np.ones(len(page), np.bool_)),
        "seen": lists(pages.seen),
    }


def _ids(owner: UserColumns | PostColumns, rows: NDArray[np.int32]) -> Any:
    return pa.array(owner.external_id, pa.string()).take(pa.array(rows))


def _metadata(events: EventColumns) -> Any:
    """JSON objects as text, null for an empty one."""
    if events.metadata is None:
        return pa.nulls(len(events), pa.string())
    return pa.array(events.metadata, pa.string(), mask=events.metadata == "{}")


def _times(time_us: NDArray[np.int64] | None) -> Any:
    return pa.array(time_us).cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("ms", "UTC"))


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog=_PROG, description="Write a realistic synthetic feed.")
    how_many, default = "how many (default: %(default)s)", "(default: %(default)s)"
    add = parser.add_argument
    add("--users", type=whole_number(2, _MAX_ROWS), default=100, help=how_many)
    add("--posts", type=whole_number(1, _MAX_ROWS), default=500, help=how_many)
    add("--interactions", type=whole_number(0, _MAX_ROWS), default=5000, help=how_many)
    add("--output", type=Path, default=DEFAULT_OUTPUT, help=f".json or .parquet {default}")
    add("--seed", type=whole_number(0), default=DEMO.seed, help=f"random seed {default}")
    add("--until", type=timestamp, default=DEFAULT_UNTIL, help=f"end of the feed {default}")
    add("--days", type=positive, default=DEMO.days, help="length of the feed in days (default: %(default)g)")
    median = "median age of a post when a user sees it, in scenarios with age (default: %(default)g)"
    add("--life-hours", type=positive, default=DEMO.post_half_life_hours, help=median)
    scenario = f"scenario: what decides which posts users see, one factor or a mixture {default}"
    add("--world", dest="scenario", choices=sorted(SCENARIOS), default=DEMO.scenario, help=scenario)
    return parser


if __name__ == "__main__":
    sys.exit(main())
