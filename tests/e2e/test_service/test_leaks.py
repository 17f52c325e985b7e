"""No response of any endpoint names a post that the caller may not see."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid5

import psycopg2
import pytest
from psycopg2.extras import execute_values

from app.domain.ids import post_uuid, user_uuid
from tests.support.postgres import TestServer
from tests.support.service_process import Service, running

AUDIENCES = ("chess", "choir", "staff")
UUID_PATTERN = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
SECRET = uuid5(UUID(int=0), "text of private posts").hex


@dataclass(frozen=True)
class StoredPost:
    name: str
    author: str
    visibility: str
    audience: str | None
    sensitive: bool
    language: str | None
    age: timedelta


@dataclass
class Feed:
    """A random feed with readers, and the rule that says who may see which post, in plain Python."""

    url: str
    n_posts: int
    n_readers: int
    random: Random = field(default_factory=lambda: Random(7))

    def __post_init__(self) -> None:
        random = self.random
        self.authors = [f"author{number}" for number in range(12)]
        self.readers = [f"reader{number}" for number in range(self.n_readers)]
        self.hermits = set(random.sample(self.authors, 3))  # not discoverable
        self.members = {
            (name, audience) for name in self.readers for audience in AUDIENCES if random.random() < 0.4
        }
        self.follows = {
            (name, author) for name in self.readers for author in self.authors if random.random() < 0.3
        }
        self.shows_sensitive = {name for name in self.readers if random.random() < 0.5}
        self.languages = {name: random.choice([[], ["en"], ["en", "de"]]) for name in self.readers}
        self.posts = [self.a_post(number) for number in range(self.n_posts)]

    def a_post(self, number: int) -> StoredPost:
        random = self.random
        return StoredPost(
            name=f"post{number}",
            author=random.choice(self.authors),
            visibility=(visibility := random.choice(["public", "followers", "members"])),
            audience=random.choice(AUDIENCES) if visibility == "members" else None,
            sensitive=random.random() < 0.2,
            language=random.choice([None, "en", "de"]),
            age=timedelta(minutes=1 + random.randrange(60 * 24 * 30)),
        )

    def may_read(self, reader: str, post: StoredPost) -> bool:
        """Whether the reader may act on the post."""
        if post.visibility == "followers":
            return (reader, post.author) in self.follows
        return post.visibility == "public" or (reader, post.audience) in self.members

    def belongs_in_feed(self, reader: str, post: StoredPost) -> bool:
        """Whether the reader's feed may contain the post."""
        languages = self.languages.get(reader, [])
        return (
            self.may_read(reader, post)
            and (post.author not in self.hermits or (reader, post.author) in self.follows)
            and (not post.sensitive or reader in self.shows_sensitive)
            and (not languages or post.language is None or post.language in languages)
        )

    def store(self) -> None:
        """Write the feed by SQL. Members like each post of their audience, so its likes point to it."""
        now = datetime.now(UTC)
        ages = self.random.choices(range(60 * 24), k=len(self.posts))
        likes = [
            (str(user_uuid(reader)), str(post_uuid(post.name)), "like", now - timedelta(minutes=age))
            for post, age in zip(self.posts, ages, strict=True)
            for reader in self.random.sample(self.readers, 2)
            if self.may_read(reader, post) and self.random.random() < 0.3
        ]
        self.liked = {(user, post) for user, post, *_ in likes}
        people = [*self.authors, *self.readers]
        with psycopg2.connect(self.url) as connection, connection.cursor() as cursor:
            execute_values(
                cursor,
                "INSERT INTO users (id, external_id, discoverable, languages, show_sensitive) VALUES %s",
                [
                    (
                        str(user_uuid(n)),
                        n,
                        n not in self.hermits,
                        self.languages.get(n, []),
                        n in self.shows_sensitive,
                    )
                    for n in people
                ],
            )
            execute_values(cursor, POSTS, [self.row(post, now) for post in self.posts])
            execute_values(
                cursor,
                "INSERT INTO memberships (user_id, audience_id) VALUES %s",
                [(str(user_uuid(reader)), audience) for reader, audience in self.members],
            )
            execute_values(
                cursor,
                "INSERT INTO follows (follower_id, followee_id) VALUES %s",
                [(str(user_uuid(reader)), str(user_uuid(author))) for reader, author in self.follows],
            )
            execute_values(
                cursor,
                "INSERT INTO user_interaction (user_id, post_id, interaction_type, created_at) VALUES %s",
                likes,
            )
        connection.close()

    @staticmethod
    def row(post: StoredPost, now: datetime) -> tuple[Any, ...]:
        given = (post.name, str(user_uuid(post.author)), SECRET, now - post.age)
        return (
            str(post_uuid(post.name)),
            *given,
            post.visibility,
            post.audience,
            post.sensitive,
            post.language,
        )

    def run(self, statement: str, *values: Any) -> None:
        with psycopg2.connect(self.url) as connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
        connection.close()


POSTS = (
    "INSERT INTO posts (id, external_id, author_id, content, created_at, visibility, audience_id, sensitive, language) "
    "VALUES %s"
)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((240, 5), id="short"),
        pytest.param((10_000, 30), id="long", marks=pytest.mark.slow),
    ],
)
def feed(request: pytest.FixtureRequest, postgres: TestServer) -> Iterator[Feed]:
    with postgres.database() as url:
        made = Feed(url, *request.param)
        made.store()
        yield made


@pytest.fixture(scope="module")
def reading(feed: Feed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("leaks"), DATABASE_URL=feed.url) as service:
        yield service


@dataclass
class Listed:
    """What all pages of a list contain.

    found  ids of the posts
    named  (post, user) ids of the evidence that names a user
    text   everything else that the responses say about their posts
    """

    found: set[str] = field(default_factory=set)
    named: set[tuple[str, str]] = field(default_factory=set)
    text: str = ""

    def add(self, post: dict[str, Any]) -> None:
        self.found.add(post["post_id"])
        user = post.get("evidence", {}).pop("user_id", None)
        if user is not None:
            self.named.add((post["post_id"], user))
        self.text += str(post)


def whole_list(service: Service, user: str, mode: str) -> Listed:
    context = {"mode": mode, "explain": True, "exclude_seen": False}
    listed, cursor = Listed(), None
    while True:
        page = service.generate(user, limit=200, cursor=cursor, context=context)
        for post in page["recommendations"]:
            listed.add(post)
        cursor = page["metadata"]["next_cursor"]
        if cursor is None:
            return listed


def test_no_response_names_a_post_that_the_caller_may_not_see(feed: Feed, reading: Service) -> None:
    for reader in [*feed.readers, "nobody"]:
        allowed = {str(post_uuid(post.name)) for post in feed.posts if feed.belongs_in_feed(reader, post)}
        by_followed = [post for post in feed.posts if (reader, post.author) in feed.follows]
        followed = {str(post_uuid(post.name)) for post in by_followed}
        may_be_named = {
            (str(post_uuid(post.name)), str(user_uuid(post.author)))
            for post in by_followed
            if post.author not in feed.hermits
        }
        for mode, expected in (("ranked", allowed), ("newest", allowed), ("following", allowed & followed)):
            listed = whole_list(reading, reader, mode)
            assert listed.found == expected, (reader, mode)
            assert set(UUID_PATTERN.findall(listed.text)) <= allowed, (reader, mode)
            assert SECRET not in listed.text
            assert listed.named == {pair for pair in may_be_named if pair[0] in expected}, (reader, mode)


def test_only_posts_that_the_caller_may_see_are_ranked(feed: Feed, reading: Service) -> None:
    for reader in [*feed.readers, "nobody"]:
        allowed = {str(post_uuid(post.name)) for post in feed.posts if feed.belongs_in_feed(reader, post)}
        names, found = [*(post.name for post in feed.posts), "no-such-post"], set[str]()
        for start in range(0, len(names), 500):
            body = {"user_id": reader, "post_ids": names[start : start + 500]}
            answer = reading.client.post("/recommendations/rank", json=body).json()
            found |= {post["post_id"] for post in answer["recommendations"]}
            omitted = answer["metadata"]["omitted"]
            assert len(answer["recommendations"]) + omitted == len(body["post_ids"])
        assert found == allowed, reader


def test_only_posts_that_the_caller_may_see_are_similar(feed: Feed, reading: Service) -> None:
    for reader in [*feed.readers[:5], "nobody", None]:
        allowed = {
            str(post_uuid(post.name)) for post in feed.posts if feed.belongs_in_feed(reader or "nobody", post)
        }
        for post in feed.random.sample(feed.posts, 12):
            asked = {"limit": 100} if reader is None else {"limit": 100, "user_id": reader}
            answer = reading.client.get(f"/posts/{post.name}/similar", params=asked)
            assert answer.status_code == (200 if str(post_uuid(post.name)) in allowed else 404), (
                reader,
                post,
            )
            assert set(UUID_PATTERN.findall(answer.text)) <= allowed | {answer.headers["x-request-id"]}
            assert SECRET not in answer.text


def test_a_batch_shows_each_caller_what_they_may_see(feed: Feed, reading: Service) -> None:
    readers = [*feed.readers, "nobody"]
    answer = reading.client.post("/recommendations/batch", json={"user_ids": readers, "limit": 200})
    for reader, page in zip(readers, answer.json()["pages"], strict=True):
        allowed = {str(post_uuid(post.name)) for post in feed.posts if feed.belongs_in_feed(reader, post)}
        followed = {str(user_uuid(author)) for name, author in feed.follows if name == reader}
        listed = Listed()
        for post in page["recommendations"]:
            listed.add(post)
        assert listed.found, reader
        assert set(UUID_PATTERN.findall(listed.text)) <= allowed, reader
        assert {user for _, user in listed.named} <= followed, reader


def test_only_authors_whom_the_caller_may_meet_are_suggested(feed: Feed, reading: Service) -> None:
    for reader in [*feed.readers, "nobody"]:
        shown = {post.author for post in feed.posts if feed.belongs_in_feed(reader, post)}
        followed = {author for name, author in feed.follows if name == reader}
        answer = reading.client.get(f"/users/{reader}/suggested-follows", params={"limit": 100})
        names = [user["external_id"] for user in answer.json()["users"]]
        assert set(names) <= shown - followed - feed.hermits, reader
        assert names, reader


@pytest.mark.parametrize("action", ["track", "retract", "hide_post", "batch"])
def test_a_post_that_the_caller_may_not_see_is_unknown_to_every_action(
    feed: Feed, reading: Service, action: str
) -> None:
    def answer(reader: str, post: str) -> tuple[int, str]:
        event = {"user_id": reader, "post_id": post, "interaction_type": "like"}
        path, body = {
            "track": ("/interactions/track", event),
            "batch": ("/interactions/batch", {"interactions": [event]}),
            "retract": ("/interactions/retract", event),
            "hide_post": ("/feedback", {"user_id": reader, "post_id": post, "action": "hide_post"}),
        }[action]
        response = reading.client.post(path, json=body)
        return response.status_code, re.sub(r'"request_id":"[^"]*"', "", response.text).replace(
            post, "<post>"
        )

    hidden = [(r, post) for r in feed.readers for post in feed.posts if not feed.may_read(r, post)]
    for reader, post in feed.random.sample(hidden, min(len(hidden), 2 * feed.n_posts // 10)):
        assert answer(reader, post.name) == answer(reader, "no-such-post"), (reader, post)
        assert answer(reader, post.name)[0] == 404


def test_new_posts_that_the_caller_may_not_see_are_not_counted(feed: Feed, reading: Service) -> None:
    reader = feed.readers[0]
    first = reading.generate(reader, limit=1)["metadata"]["next_cursor"]
    new = [replace(feed.a_post(len(feed.posts) + number), age=timedelta(0)) for number in range(40)]
    with psycopg2.connect(feed.url) as connection, connection.cursor() as database:
        execute_values(database, POSTS, [feed.row(post, datetime.now(UTC)) for post in new])
    connection.close()
    feed.posts += new
    expected = sum(feed.belongs_in_feed(reader, post) for post in new)

    def count() -> int:
        body = {"user_id": reader, "cursor": first}
        return int(reading.client.post("/recommendations/updates", json=body).json()["new"])

    reading.until(lambda: count() == expected, seconds=10)
    assert count() == expected


def test_who_leaves_an_audience_sees_none_of_its_posts_within_a_second(feed: Feed, reading: Service) -> None:
    reader, audience = next(iter(sorted(feed.members)))
    gone = {
        str(post_uuid(post.name))
        for post in feed.posts
        if post.audience == audience and feed.belongs_in_feed(reader, post)
    }
    before = whole_list(reading, reader, "newest").found
    feed.run(
        "DELETE FROM memberships WHERE user_id = %s AND audience_id = %s", str(user_uuid(reader)), audience
    )

    feed.members.discard((reader, audience))

    assert gone <= before
    reading.until(lambda: not gone & whole_list(reading, reader, "newest").found, seconds=5)
    assert whole_list(reading, reader, "ranked").found == before - gone
