"""Let simulated people visit a running service: `python -m data.simulate_visits --help`.

Each person is new, declares two tags, reads one page from the top and likes or hides what they see. They like posts
with their tags, so a ranking that follows declared interests is better for them. This is for trying experiments out.
"""

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from time import monotonic, sleep
from typing import Any, Final
from urllib.parse import quote, urlsplit

import numpy as np

from app.infrastructure.config.settings import read_settings
from app.infrastructure.database.cli_connection import cli_engine
from app.infrastructure.database.default_schema import feed_schema
from app.shared.command_line import OneLineParser, whole_number
from app.shared.exceptions import ConfigurationError
from app.shared.progress import progress_bars
from data.command_line import run_command

_PROG: Final = "python -m data.simulate_visits"
_TIMEOUT_SECONDS: Final = 10.0
PAGE_POSTS: Final = 20
AT_ONCE: Final = 50
"""People who read at the same time."""
READ_SECONDS: Final = 1.0
"""Time to read a page. It is stored meanwhile, and what a person does before is not counted in an experiment."""
READS_ON: Final = 0.9
"""Probability that a person who read a post reads the next one."""
LIKES: Final = {True: 0.25, False: 0.03}
"""Probability that a person likes a post that they read, by whether it has one of their tags."""
HIDES: Final = {True: 0.001, False: 0.01}
"""The same for hiding it."""


class Service:
    """A running service, over one connection that stays open."""

    def __init__(self, url: str, key: str | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigurationError(f"--url: {url!r} is no address; use one such as http://localhost:8000")
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=_TIMEOUT_SECONDS)
        self._url, self._path = url, parts.path.rstrip("/")
        self._headers = {"Content-Type": "application/json"} | ({"X-API-Key": key} if key else {})

    def send(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        """The response as JSON. Raises ConfigurationError for any other than a success."""
        try:
            self._connection.request(method, self._path + path, json.dumps(body), self._headers)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, HTTPException) as error:
            raise ConfigurationError(
                f"{self._url} does not respond: {str(error) or type(error).__name__}; is the service running?"
            ) from None
        if response.status >= 300:
            raise ConfigurationError(f"{method} {path}: status {response.status}: {_detail(content)}")
        return json.loads(content)


@dataclass(frozen=True, slots=True)
class Visit:
    """A person who reads a page. `opened` is in monotonic seconds."""

    user: str
    tags: set[str]
    page: Mapping[str, Any]
    opened: float


def begin_visit(
    service: Service, user: str, tags_of: Mapping[str, Sequence[str]], rng: np.random.Generator
) -> Visit:
    """A new person declares two tags and opens a page. `tags_of` are those of posts, by UUID."""
    every = [tag for tags in tags_of.values() for tag in tags]
    own = {every[place] for place in rng.integers(len(every), size=2)}
    service.send("PUT", f"/users/{quote(user, safe='')}", {"tags": sorted(own)})
    page = service.send("POST", "/recommendations/generate", {"user_id": user, "limit": PAGE_POSTS})
    return Visit(user, own, page, monotonic())


def end_visit(
    service: Service, visit: Visit, tags_of: Mapping[str, Sequence[str]], rng: np.random.Generator
) -> Counter[str]:
    """The person reads the page, likes and hides: counts of what they were shown and did."""
    sleep(max(visit.opened + READ_SECONDS - monotonic(), 0.0))
    user, page = visit.user, visit.page
    request_id = page["metadata"]["request_id"]
    events, hidden = [], []
    for post in page["recommendations"]:
        post_id = post["post_id"]
        is_own = not visit.tags.isdisjoint(tags_of.get(post_id, ()))
        event = {"user_id": user, "post_id": post_id, "request_id": request_id}
        events.append(event | {"interaction_type": "view"})
        if rng.random() < LIKES[is_own]:
            events.append(event | {"interaction_type": "like"})
        elif rng.random() < HIDES[is_own]:
            hidden.append(post_id)
        if rng.random() > READS_ON:
            break
    if events:
        service.send("POST", "/interactions/batch", {"interactions": events})
    for post_id in hidden:
        service.send("POST", "/feedback", {"user_id": user, "action": "hide_post", "post_id": post_id})
    likes = sum(one["interaction_type"] == "like" for one in events)
    return Counter(shown=len(page["recommendations"]), likes=likes, hides=len(hidden))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = OneLineParser(
        prog=_PROG, description="Let new people visit a running service, read a page, and like or hide posts."
    )
    parser.add_argument(
        "--url", default="http://localhost:8000", help="of the service (default: %(default)s)"
    )
    parser.add_argument(
        "--key", help="a key with the scopes feed, track and manage, if the service needs one"
    )
    parser.add_argument(
        "--people", type=whole_number(1, 1_000_000), default=1000, help="number of visits (default: 1000)"
    )
    parser.add_argument(
        "--prefix",
        default="visitor",
        help="of the users' ids; another one makes other people (default: visitor)",
    )
    parser.add_argument(
        "--seed", type=whole_number(0), default=0, help="seed of all random numbers (default: 0)"
    )
    args = parser.parse_args(argv)

    def simulate() -> None:
        service = Service(args.url, args.key)
        tags_of = read_tags()
        if not any(tags_of.values()):
            raise ConfigurationError(
                "no post has a tag; load the demo feed with python -m data.seed_database"
            )
        rng, total = np.random.default_rng(args.seed), Counter[str]()
        with progress_bars() as progress:
            for begun in range(0, args.people, AT_ONCE):
                numbers = range(begun, min(begun + AT_ONCE, args.people))
                visits = [begin_visit(service, f"{args.prefix}-{one}", tags_of, rng) for one in numbers]
                for number, visit in zip(numbers, visits, strict=True):
                    total += end_visit(service, visit, tags_of, rng)
                    progress("visits", number + 1, args.people)
        print(
            f"{args.people:,} visits: {total['shown']:,} posts shown, {total['likes']:,} likes, "
            f"{total['hides']:,} posts hidden"
        )

    return run_command(_PROG, simulate)


def read_tags() -> Mapping[str, Sequence[str]]:
    """The tags of the posts in the database of the settings, by UUID."""
    settings = read_settings()
    with cli_engine(settings) as engine, engine.connect() as connection:
        schema = feed_schema(engine, settings.db_schema)
        query = f"SELECT id::text AS id, tags FROM {schema['feed_posts']} WHERE tags IS NOT NULL ORDER BY id"  # noqa: S608  a quoted name
        return {row.id: row.tags for row in connection.exec_driver_sql(query)}


def _detail(content: bytes) -> str:
    try:
        return str(json.loads(content)["detail"])
    except (ValueError, KeyError, TypeError):
        return content[:200].decode(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
