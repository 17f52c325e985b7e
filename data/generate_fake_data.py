"""Write a realistic synthetic feed: `python -m data.generate_fake_data --help`.

The same arguments give the same bytes. `--output feed.json` holds users, posts, follows and interactions in one
document, one record on each line. `--output feed.parquet`, for large feeds, holds the interactions; the other records
are in `feed.users.parquet`, `feed.posts.parquet` and `feed.follows.parquet` beside it, where readers find them.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from app.domain.entities import INTERACTION_TYPES
from app.domain.feed.dataset import FeedDataset, PostColumns, UserColumns
from app.shared.command_line import OneLineParser, fail, positive, whole_number
from app.shared.progress import progress_bars
from data.feed_arguments import timestamp
from data.feed_files.open_files import sibling
from data.schemas import FileKind
from data.synthetic.behaviour import SCENARIOS
from data.synthetic.feed import FeedSize, make_feed

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
    with progress_bars() as bars:
        making = bars.add_task("making", total=None)
        try:
            feed = make_feed(size)
        except MemoryError:
            return fail(_PROG, "a feed of this size does not fit into memory")
        bars.update(making, total=size.interactions, completed=size.interactions)
        writing = bars.add_task("writing", total=None)
        try:
            write_feed(feed, args.output)
        except OSError as error:
            return fail(_PROG, f"{args.output}: cannot be written: {error.strerror or error}")
        bars.update(writing, total=size.interactions, completed=size.interactions)
    print(
        f"{args.output}: {args.users:,} users, {args.posts:,} posts, {len(feed.follows):,} follows, "
        f"{len(feed.events):,} interactions"
    )
    return 0


def write_feed(feed: FeedDataset, output: Path) -> None:
    """Write a feed as JSON or Parquet, by the suffix of `output`. A file appears complete or not at all."""
    output.parent.mkdir(parents=True, exist_ok=True)
    tables = {
        "users": _users(feed),
        "posts": _posts(feed),
        "follows": _follows(feed),
        "interactions": _interactions(feed),
    }
    if output.suffix == ".json":
        with _atomic(output) as temporary:
            _write_json(tables, temporary)
        return
    # The interactions come last: a reader that finds them finds the other files too.
    kinds: tuple[FileKind, ...] = ("users", "posts", "follows", "interactions")
    for kind in kinds:
        with _atomic(output if kind == "interactions" else sibling(output, kind)) as temporary:
            pq.write_table(tables[kind], temporary, compression="zstd", row_group_size=1 << 20)


@contextmanager
def _atomic(path: Path) -> Iterator[Path]:
    """A temporary path that replaces `path` when the block ends without an error."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _write_json(tables: dict[str, Any], path: Path) -> None:
    with path.open("wb") as out:
        out.write(b"{")
        for place, (name, table) in enumerate(tables.items()):
            out.write(b'%b\n"%b": [' % (b"," if place else b"", name.encode()))
            first = True
            for batch in table.to_batches(max_chunksize=_BATCH_ROWS):
                index = batch.schema.get_field_index("created_at")
                iso = np.datetime_as_string(batch.column(index).to_numpy(zero_copy_only=False), unit="ms")
                times = pa.array(np.char.add(iso, "Z").tolist(), pa.string())
                for row in batch.set_column(index, "created_at", times).to_pylist():
                    out.write((b"\n" if first else b",\n") + orjson.dumps(row))
                    first = False
            out.write(b"\n]")
        out.write(b"\n}\n")


def _users(feed: FeedDataset) -> Any:
    return pa.table(
        {
            "id": feed.users.external_id,
            "username": feed.users.username,
            "follower_count": feed.users.follower_count,
            "created_at": _times(feed.users.created_us),
        }
    )


def _posts(feed: FeedDataset) -> Any:
    posts = feed.posts
    return pa.table(
        {
            "id": posts.external_id,
            "author_id": _ids(feed.users, posts.author),
            "content": posts.text,
            "created_at": _times(posts.created_us),
            "like_count": posts.like_count,
            "comment_count": posts.comment_count,
            "tags": pa.array(posts.tags, pa.list_(pa.string())),
        }
    )


def _follows(feed: FeedDataset) -> Any:
    return pa.table(
        {
            "follower_id": _ids(feed.users, feed.follows.follower),
            "followee_id": _ids(feed.users, feed.follows.followee),
            "created_at": _times(feed.follows.since_us),
        }
    )


def _interactions(feed: FeedDataset) -> Any:
    return pa.table(
        {
            "user_id": _ids(feed.users, feed.events.user),
            "post_id": _ids(feed.posts, feed.events.post),
            "interaction_type": pa.array(INTERACTION_TYPES).take(pa.array(feed.events.kind)),
            "created_at": _times(feed.events.time_us),
        }
    )


def _ids(owner: UserColumns | PostColumns, rows: NDArray[np.int32]) -> Any:
    return pa.array(owner.external_id, pa.string()).take(pa.array(rows))


def _times(time_us: NDArray[np.int64] | None) -> Any:
    return pa.array(time_us).cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("ms", "UTC"))


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog=_PROG, description="Write a realistic synthetic feed.")
    parser.add_argument(
        "--users", type=whole_number(2, _MAX_ROWS), default=100, help="how many (default: %(default)s)"
    )
    parser.add_argument(
        "--posts", type=whole_number(1, _MAX_ROWS), default=500, help="how many (default: %(default)s)"
    )
    parser.add_argument(
        "--interactions",
        type=whole_number(0, _MAX_ROWS),
        default=5000,
        help="how many (default: %(default)s)",
    )
    parser.add_argument(
        "--output", type=Path, default=DEFAULT_OUTPUT, help=".json or .parquet (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=whole_number(0), default=DEMO.seed, help="random seed (default: %(default)s)"
    )
    parser.add_argument(
        "--until", type=timestamp, default=DEFAULT_UNTIL, help="end of the feed (default: %(default)s)"
    )
    parser.add_argument(
        "--days", type=positive, default=DEMO.days, help="length of the feed in days (default: %(default)g)"
    )
    parser.add_argument(
        "--life-hours",
        type=positive,
        default=DEMO.post_half_life_hours,
        help="median age of a post when a user sees it, in scenarios with age (default: %(default)g)",
    )
    parser.add_argument(
        "--world",
        dest="scenario",
        choices=sorted(SCENARIOS),
        default=DEMO.scenario,
        help="scenario: what decides which posts users see, one factor or a mixture (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
