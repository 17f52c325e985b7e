"""Users scroll tens of thousands of posts deep in a feed of which memory holds a part.

The feed is made in SQL: posts one minute apart, some of them not for everyone, and readers who have seen, hidden and
muted some. The service starts with the newest posts and evicts most of them. Then the others are added to the database
with the triggers off, as if the service had evicted them as well. Every page is checked against the
tables: no post may be repeated, seen, hidden, the reader's own, or of somebody who does not show it to them.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
from sqlalchemy import Engine

from app.application.cursor import CursorCodec
from app.application.dto import Mode, RecommendationRequest, RecommendationResponse
from app.application.use_cases.returning_user import ReturningUser
from app.application.use_cases.unfinished_page import UnfinishedPage
from app.application.workers.poll_intervals import PollIntervals
from app.bootstrap import build_use_cases, build_workers
from app.domain.feed.live_posts import LivePostLimits
from app.domain.ranking.assembly import NoObserver
from app.domain.ranking.options import RankingOptions
from app.infrastructure.clock import SystemClock
from app.infrastructure.config.settings import Settings
from app.infrastructure.database.connection import create_feed_engine, deadline
from app.infrastructure.database.storage import open_storage
from app.infrastructure.ml.model_source import RegistryModelSource
from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.signing import model_keys
from app.shared.command_line import OneLineParser, whole_number
from benchmarks.run import run_with_own_database

Recommend = Callable[[RecommendationRequest], RecommendationResponse | UnfinishedPage | ReturningUser]
LIMIT: Final = 50
_MODES: Final[Sequence[Mode]] = ("ranked", "newest", "following")
_RETRIES: Final = 20  # of a page while the database is too slow
_PREPARATION_SECONDS: Final = 1800.0
_TIME_LIMIT_SECONDS: Final = 3600.0  # of each command

_USERS = """
    INSERT INTO users (external_id, created_at)
    SELECT 'user_' || k, now() - interval '400 days' FROM generate_series(0, %(users)s - 1) k;
    INSERT INTO follows (follower_id, followee_id)
    SELECT f.id, a.id FROM generate_series(0, %(users)s - 1) k, generate_series(1, 30) n
    JOIN users a ON true JOIN users f ON true
    WHERE f.external_id = 'user_' || k AND a.external_id = 'user_' || (k + 7 * n) %% %(users)s
    ON CONFLICT DO NOTHING;
    INSERT INTO memberships SELECT id, 'club' FROM users WHERE external_id LIKE '%%5'
"""
_POSTS = """
    WITH authors AS (SELECT array_agg(id ORDER BY external_id) AS ids FROM users)
    INSERT INTO posts (external_id, author_id, content, tags, created_at, visible, visibility, audience_id, sensitive)
    SELECT 'post_' || k, ids[1 + (k::bigint * 7919) %% %(users)s], 'words of post ' || k, ARRAY['tag_' || k %% 50],
        now() - k * interval '1 minute', k %% 97 > 0,
        CASE WHEN k %% 89 = 0 THEN 'followers' WHEN k %% 83 = 0 THEN 'members' ELSE 'public' END,
        CASE WHEN k %% 83 = 0 THEN 'club' END, k %% 79 = 0
    FROM authors, generate_series(%(first)s, %(last)s) k
"""
_EVENTS = """
    WITH recent AS (SELECT array_agg(id ORDER BY seq) AS ids FROM posts WHERE seq <= least(%(posts)s, 20000))
    INSERT INTO user_interaction (user_id, post_id, interaction_type, created_at, occurred_at)
    SELECT u.id, ids[1 + (n * n * 31 + hashtext(u.external_id)::bigint %% 1000 + 1000) %% cardinality(ids)],
        CASE n %% 3 WHEN 0 THEN 'like' ELSE 'view' END, at, at
    FROM recent, users u, generate_series(1, 40) n, LATERAL (SELECT now() - n * interval '3 hours' AS at) t
"""
_READERS = """
    INSERT INTO user_interaction (user_id, post_id, interaction_type, created_at, occurred_at)
    SELECT u.id, p.id, 'view', p.created_at + interval '30 seconds', p.created_at + interval '30 seconds'
    FROM users u JOIN posts p ON (p.seq + u.seq) %% 11 = 0 AND p.seq <= %(last)s
    WHERE u.external_id = ANY(%(readers)s);
    INSERT INTO user_feedback (user_id, action, post_id)
    SELECT u.id, 'hide_post', p.id
    FROM users u JOIN posts p ON (p.seq + u.seq) %% 101 = 0 AND p.seq <= %(last)s
    WHERE u.external_id = ANY(%(readers)s);
    INSERT INTO user_feedback (user_id, action, author_id)
    SELECT u.id, 'mute_author', a.id FROM users u JOIN users a ON (a.seq + u.seq) %% (%(users)s / 3) = 1
    WHERE u.external_id = ANY(%(readers)s) AND a.id <> u.id;
    INSERT INTO user_feedback (user_id, action, author_id)
    SELECT a.id, 'block_author', u.id FROM users u JOIN users a ON (a.seq + u.seq) %% (%(users)s / 3) = 2
    WHERE u.external_id = ANY(%(readers)s) AND a.id <> u.id;
    INSERT INTO user_feedback (user_id, action, tag)
    SELECT id, 'mute_tag', 'tag_' || seq %% 50 FROM users WHERE external_id = ANY(%(readers)s)
"""
# Written out from the tables, without the function that the service uses.
_FORBIDDEN = """
    SELECT id::text FROM posts WHERE NOT visible OR sensitive OR author_id = %(id)s
        OR 'tag_' || %(seq)s %% 50 = ANY(tags)
        OR visibility = 'followers' AND author_id NOT IN (SELECT followee_id FROM follows WHERE follower_id = %(id)s)
        OR visibility = 'members' AND %(id)s NOT IN (SELECT user_id FROM memberships)
        OR id IN (SELECT post_id FROM user_interaction WHERE user_id = %(id)s)
        OR id IN (SELECT post_id FROM user_feedback WHERE user_id = %(id)s AND action = 'hide_post')
        OR author_id IN (SELECT author_id FROM user_feedback WHERE user_id = %(id)s AND action = 'mute_author')
        OR author_id IN (SELECT user_id FROM user_feedback WHERE author_id = %(id)s AND action = 'block_author')
"""
"""The subqueries do not depend on the post, so that PostgreSQL runs each of them once."""


@dataclass(frozen=True, slots=True)
class Size:
    """Of the feed and the scrolls. `depth` is the number of posts that each reader reads."""

    users: int = 2000
    posts: int = 1_000_000
    live_posts: int = 10_000
    readers: int = 10
    depth: int = 20_000

    @property
    def recent(self) -> int:
        """Number of the newest posts, which are there when the service starts. Readers know no others."""
        return min(self.posts, max(2 * self.live_posts, 3 * self.depth // 2))

    @property
    def names(self) -> list[str]:
        """External ids of the readers."""
        return [f"user_{number}" for number in range(self.readers)]


@dataclass(slots=True)
class Scroll:
    """What readers got in one mode. `cpu_ms` is the processor time of each page."""

    posts: int = 0
    repeated: int = 0
    forbidden: int = 0
    retries: int = 0
    abandoned: int = 0  # lists that did not go on, because the database was too slow
    longest_cursor: int = 0
    cpu_ms: list[float] = field(default_factory=list)

    def figures(self) -> Mapping[str, Any]:
        """All of it, with quantiles of the processor time."""
        p50, p95, largest = np.quantile(self.cpu_ms, [0.5, 0.95, 1]).round(2).tolist()
        counts = {name: value for name, value in asdict(self).items() if name != "cpu_ms"}
        return {"pages": len(self.cpu_ms), **counts, "cpu_ms": {"p50": p50, "p95": p95, "largest": largest}}


def fill(engine: Engine, size: Size, *, first: int, last: int) -> None:
    """Add posts `first` to `last`, the newest being the first one, and with post 1 the users and what they did."""
    values = {**asdict(size), "first": first, "last": last, "readers": size.names}
    with engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        if first == 1:
            connection.exec_driver_sql(_USERS, values)
        connection.exec_driver_sql(_POSTS, values)
        if first == 1:
            connection.exec_driver_sql(_EVENTS, values)
            connection.exec_driver_sql(_READERS, values)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")


def forbidden_posts(engine: Engine, size: Size) -> dict[str, set[str]]:
    """Reader -> ids of the posts that they must not get."""
    with engine.connect() as connection:
        users = connection.exec_driver_sql(
            "SELECT external_id, id, seq FROM users WHERE external_id = ANY(%s)", (list(size.names),)
        )
        return {
            reader: set(connection.exec_driver_sql(_FORBIDDEN, {"id": id_, "seq": seq}).scalars())
            for reader, id_, seq in users.all()
        }


def scroll(recommend: Recommend, forbidden: Mapping[str, set[str]], size: Size, mode: Mode) -> Scroll:
    """Let every reader scroll to `size.depth`, or to the end. `forbidden` is as in `forbidden_posts`."""
    found = Scroll()
    for reader in size.names:
        shown: set[str] = set()
        cursor: str | None = None
        while len(shown) < size.depth:
            page = _page(recommend, RecommendationRequest(reader, LIMIT, cursor=cursor, mode=mode), found)
            found.posts += len(page.post_ids)
            found.repeated += len(page.post_ids) - len(set(page.post_ids) - shown)
            found.forbidden += len(forbidden[reader].intersection(page.post_ids))
            shown.update(page.post_ids)
            cursor = page.next_cursor
            if cursor is None:
                break
            found.longest_cursor = max(found.longest_cursor, len(cursor))
    return found


def _page(recommend: Recommend, request: RecommendationRequest, found: Scroll) -> RecommendationResponse:
    for _ in range(_RETRIES):
        began = time.thread_time()
        in_memory = recommend(request)
        page = in_memory if isinstance(in_memory, RecommendationResponse) else in_memory.complete()
        found.cpu_ms.append((time.thread_time() - began) * 1000)
        if not (page.degraded and page.exhausted):
            break
        found.retries += 1
    else:
        found.abandoned += 1
    return page


def measure(url: str, size: Size, models: Path, keys: Path) -> dict[str, Any]:
    """The figures of each mode. Adds the posts after the recent ones when the service has started."""
    settings = Settings(database_url=url, pool_wait_ms=5000, _env_file=None)
    clock, cursors = SystemClock(), CursorCodec([os.urandom(16)], timedelta(hours=24))
    registry = FileModelRegistry(models, model_keys(None, (), keys, signs=False), 2**30)
    with ExitStack() as stack:
        storage = open_storage(settings, stack)
        workers = build_workers(
            storage,
            RegistryModelSource(registry),
            RankingOptions(),
            NoObserver(),
            PollIntervals(),
            live_posts=LivePostLimits(size.live_posts, min(size.live_posts, 1000), 0),
        )
        services = build_use_cases(
            workers, storage, clock, clock, cursors, None, None, lambda *_: None, settings
        )
        assert workers.follower is not None
        assert workers.evictor is not None
        workers.follower.poll_log()
        workers.watcher.check_for_new_model()
        workers.evictor.run()
        engine = create_feed_engine(url, connect_seconds=5)
        stack.callback(engine.dispose)
        with deadline(_PREPARATION_SECONDS):
            if size.recent < size.posts:
                fill(engine, size, first=size.recent + 1, last=size.posts)
            forbidden = forbidden_posts(engine, size)
        results: dict[str, Any] = {
            "feed": asdict(size),
            "posts_in_memory": len(workers.feed.state.post_rows),
            "model": workers.feed.ranker.ranking,
        }
        for mode in _MODES:
            print(f"benchmarks.deep_scroll: scrolling, mode {mode}", file=sys.stderr)
            results[mode] = scroll(services.recommend, forbidden, size, mode).figures()
    return results


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns its exit code, 1 if a post was shown that must not be, or a list did not go on."""
    parser = OneLineParser(prog="benchmarks.deep_scroll", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    for name, default in asdict(Size()).items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=whole_number(10), default=default, help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print the figures for a program")
    args = vars(parser.parse_args(argv))
    as_json = args.pop("json")
    size = Size(**args)
    with run_with_own_database("benchmarks.deep_scroll", _TIME_LIMIT_SECONDS) as run, ExitStack() as stack:
        run.command("alembic", "upgrade", "head")
        engine = create_feed_engine(run.url, connect_seconds=5)
        stack.callback(engine.dispose)
        fill(engine, size, first=1, last=size.recent)
        print("benchmarks.deep_scroll: training", file=sys.stderr)
        run.command("training.train", "--learn-from", "500")
        results = measure(run.url, size, run.folder / "models", run.folder / "keys")
    print(json.dumps(results, indent=2) if as_json else table(results))
    faults = ("repeated", "forbidden", "abandoned")
    return int(any(results[mode][fault] for mode in _MODES for fault in faults))


def table(results: Mapping[str, Any]) -> str:
    """The figures for a person."""
    names = ("pages", "posts", "repeated", "forbidden", "retries", "abandoned", "longest_cursor")
    lines = [
        f"{results['feed']}, {results['posts_in_memory']:,} in memory, ranked by {results['model']}",
        f"{'mode':<12}" + "".join(f"{name:>16}" for name in names) + f"{'CPU ms p50, p95':>20}",
    ]
    for mode in _MODES:
        figures = results[mode]
        cpu = figures["cpu_ms"]
        counts = "".join(f"{figures[name]:>16,}" for name in names)
        lines.append(f"{mode:<12}{counts}{cpu['p50']:>14.1f}{cpu['p95']:>6.1f}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
