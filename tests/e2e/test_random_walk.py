"""Random steps over real HTTP and PostgreSQL, compared with a simple model: what users may see is what a feed shows."""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.entities import INTERACTION_TYPES
from app.domain.feed.live_posts import DEFAULT_LIMITS, LivePostLimits
from app.domain.ids import post_uuid, user_uuid
from app.domain.ranking.model_interface import PublishedModel
from app.infrastructure.database.connection import create_feed_engine
from app.infrastructure.database.schema import SchemaName
from tests.support.fake_use_cases import FixedClock
from tests.support.feed_model import AUTHOR_ACTIONS, POST_ACTIONS, FeedModel, ModelPost, ModelUser
from tests.support.postgres import TestServer
from tests.support.replicas import Replica
from tests.support.storage_under_test import SqlTables

USERS = ("ann", "bea", "cem", "dan", "eva", "fay")
MODES = ("ranked", "newest", "following")
TAGS = ("news", "art", "sport")
AUDIENCES = ("club", "team")
WORDS = ("apple", "river", "stone", "cloud", "lamp")
MAX_POSTS = 80
SHORT_SEED = 2
FEW_LIVE_POSTS = LivePostLimits(newest=8, strongest=2, engaged_days=0)
CURSOR_LIFE = timedelta(hours=24)


@dataclass
class OpenList:
    """A list that a user pages through.

    oldest  creation time of the oldest post shown; None before the first post
    """

    user: str
    mode: str
    exclude_seen: bool
    started_at: datetime
    cursor: str
    issued_at: datetime
    shown: set[str] = field(default_factory=set)
    oldest: datetime | None = None


class Walk:
    """Makes one random step after the other. Each step checks the responses against the model."""

    def __init__(
        self, server: TestServer, url: str, seed: int, live_posts: LivePostLimits = DEFAULT_LIMITS
    ) -> None:
        """With few `live_posts`, the database lists older ones by its own clock, which must not be behind."""
        self.random = random.Random(seed)
        self.server, self.url = server, url
        self.evicts = live_posts is not DEFAULT_LIMITS
        self.clock = FixedClock(datetime.now(UTC) - (timedelta(days=1) if self.evicts else timedelta(0)))
        self.tables = SqlTables(create_feed_engine(url, connect_seconds=10, pool_size=1), SchemaName())
        self.model = FeedModel({name: ModelUser() for name in USERS})
        self.lists: list[OpenList] = []
        self.published: PublishedModel | None = None
        self.is_away = False
        self.added_posts = 0
        self.log: list[str] = []
        for name in USERS:
            self.tables.run(
                "INSERT INTO {users} (id, external_id) VALUES (%s, %s)", str(user_uuid(name)), name
            )
        for _ in range(MAX_POSTS // 2):
            self.add_post()
        self.replicas = [Replica(url, self.clock, live_posts) for _ in range(2)]
        self.behind: set[Replica] = set()

    def close(self) -> None:
        for replica in self.replicas:
            replica.close()
        if self.is_away:
            self.server.set_reachable(self.url, reachable=True)
        self.tables.engine.dispose()

    def run(self, steps: int) -> Counter[str]:
        """Make random steps, of each kind one at least, and return how often each kind was made."""
        weights = {
            self.next_page: 40,
            self.new_list: 14,
            self.offset_pages: 2,
            self.count_updates: 6,
            self.track: 14,
            self.retract: 6,
            self.control: 10,
            self.undo: 6,
            self.change_follow: 6,
            self.mistake: 2,
            self.add_post: 5,
            self.change_post: 3,
            self.delete_post: 2,
            self.change_user: 2,
            self.change_membership: 4,
            self.read_log: 3,
            self.restart: 0.6,
            self.train: 0.3,
            self.lose_database: 0.6,
            self.find_database: 3,
            **({self.evict: 6} if self.evicts else {}),
        }
        by_sql = {self.add_post, self.change_post, self.delete_post, self.restart, self.train}
        by_sql |= {self.change_user, self.change_membership}
        plan = [*weights, *self.random.choices(list(weights), list(weights.values()), k=steps - len(weights))]
        self.random.shuffle(plan)
        made: Counter[str] = Counter()
        for step in plan:
            self.clock.at += timedelta(seconds=self.random.choice((0, 0, 1, 15)))
            if not (self.is_away and step in by_sql):
                made[step.__name__] += 1
                step()
        return made

    # -- feeds ---------------------------------------------------------------------------------------------------

    def new_list(self) -> None:
        user, mode = self.random.choice(USERS), self.random.choice(MODES)
        exclude_seen = self.random.random() < 0.8
        self._page(OpenList(user, mode, exclude_seen, self.clock.at, "", self.clock.at))

    def next_page(self) -> None:
        if self.lists:
            self._page(self.random.choice(self.lists))

    def _page(self, feed: OpenList) -> None:
        limit = self.random.randint(1, 8)
        excluded = self.random.sample(sorted(self.model.posts), 2) if self.random.random() < 0.2 else []
        body: dict[str, Any] = {"user_id": feed.user, "limit": limit, "exclude_ids": excluded}
        body["context"] = {
            "mode": feed.mode,
            "exclude_seen": feed.exclude_seen,
            "explain": self.random.random() < 0.2,
        }
        if feed.cursor:
            body["cursor"] = feed.cursor
        if feed.cursor and self.clock.at - feed.issued_at > CURSOR_LIFE:
            self._expect("POST", "/recommendations/generate", body, 410)
            self.lists.remove(feed)
            return
        answer = self._expect("POST", "/recommendations/generate", body, 200)
        page, metadata = self._names(answer), answer["metadata"]
        eligible = self._eligible(feed) - feed.shown - set(excluded)
        assert len(set(page)) == len(page), "a page repeats a post"
        assert set(page) <= eligible, f"not eligible: {set(page) - eligible}"
        if not (self.evicts and self.is_away):
            left = self._still_listed(feed, eligible, is_by_time=metadata["time_ordered"])
            assert len(page) >= min(limit, len(left)), f"not full: {limit}, {left - set(page)} are left"
        if feed.mode == "ranked" and max(self.model.threads(page).values(), default=0) > 1:
            threads = self.model.threads(eligible)
            is_whole = not (self.evicts and self.is_away)
            assert not is_whole or len(threads) < limit, (
                f"repeats a thread, others are left: {page}, {threads}"
            )
        assert metadata["degraded"] == (self.is_away or self.published is None)
        scores = [post["score"] for post in answer["recommendations"]]
        assert scores == sorted(scores, reverse=True)
        feed.shown |= set(page)
        feed.oldest = min(
            [self.model.posts[name].created for name in page] + ([feed.oldest] if feed.oldest else []),
            default=None,
        )
        feed.cursor, feed.issued_at = metadata["next_cursor"], self.clock.at
        is_open = feed in self.lists
        if feed.cursor is None:
            assert metadata["exhausted"]
            assert len(page) < limit
            if is_open:
                self.lists.remove(feed)
        elif not is_open:
            self.lists = [*self.lists[-7:], feed]

    def offset_pages(self) -> None:
        """Pages by offset are of one replica. They repeat nothing and show only eligible posts, but may be short."""
        replica = self.random.choice(self.replicas)
        user, mode = self.random.choice(USERS), self.random.choice(MODES)
        feed = OpenList(user, mode, True, self.clock.at, "", self.clock.at)
        for offset in (0, 4):
            body = {"user_id": user, "limit": 4, "offset": offset, "context": {"mode": mode}}
            page = self._names(self._expect("POST", "/recommendations/generate", body, 200, replica=replica))
            assert set(page) <= self._eligible(feed) - feed.shown
            feed.shown |= set(page)
            self.random.choice((self.track, self.control, self.change_follow))()

    def count_updates(self) -> None:
        if not self.lists:
            return
        feed = self.random.choice(self.lists)
        body = {"user_id": feed.user, "cursor": feed.cursor}
        if self.clock.at - feed.issued_at > CURSOR_LIFE:
            self._expect("POST", "/recommendations/updates", body, 410)
            return
        unseen = self.model.eligible(feed.user, self.clock.at, mode=feed.mode) - feed.shown
        new = {name for name in unseen if self.model.posts[name].created > feed.started_at}
        answer = self._expect("POST", "/recommendations/updates", body, 200)
        if not self.evicts:  # memory counts, which has the newest posts
            assert answer == {"new": len(new), "capped": False}

    # -- what users do -------------------------------------------------------------------------------------------

    def track(self) -> None:
        user, post, kind = self._user_post_and_kind()
        body = {"user_id": user, "post_id": post, "interaction_type": kind}
        if self._write("POST", "/interactions/track", body, exists=self.model.may_read(user, post)):
            self.model.events.setdefault((user, post), Counter())[kind] += 1

    def retract(self) -> None:
        user, post, kind = self._user_post_and_kind()
        if self.model.events and self.random.random() < 0.8:
            user, post = self.random.choice(sorted(self.model.events))
            kind = self.random.choice(sorted(self.model.events[user, post]))
        body = {"user_id": user, "post_id": post, "interaction_type": kind}
        answer = self._write("POST", "/interactions/retract", body, exists=self.model.may_read(user, post))
        if answer:
            assert answer["removed"] == self.model.events.get((user, post), Counter()).pop(kind, 0)
            if not self.model.has_seen(user, post):
                self.model.events.pop((user, post), None)

    def control(self) -> None:
        user, other = self.random.sample(USERS, 2)
        action, target = self.random.choice(
            [
                (self.random.choice(POST_ACTIONS), self.random.choice(sorted(self.model.posts))),
                (self.random.choice(POST_ACTIONS), self.random.choice(sorted(self.model.posts))),
                (self.random.choice(AUTHOR_ACTIONS), other),
                ("mute_tag", self.random.choice(TAGS)),
                ("mute_word", self.random.choice(WORDS)),
            ]
        )
        until = None
        if self.random.random() < 0.3 and not self.evicts:
            until = self.clock.at + timedelta(seconds=self.random.randint(1, 300))
        if self._give_feedback(user, action, target, until=until and until.isoformat()):
            self.model.controls[user, action, target] = until

    def undo(self) -> None:
        if self.model.controls:
            key = self.random.choice(sorted(self.model.controls))
            if self._give_feedback(*key, undo=True):
                del self.model.controls[key]

    def _give_feedback(self, user: str, action: str, target: str, **more: Any) -> bool:
        fields = {**dict.fromkeys(AUTHOR_ACTIONS, "author_id"), "mute_tag": "tag", "mute_word": "word"}
        body = {"user_id": user, "action": action, fields.get(action, "post_id"): target, **more}
        exists = action not in POST_ACTIONS or self.model.may_read(user, target)
        return bool(self._write("POST", "/feedback", body, exists=exists))

    def change_follow(self) -> None:
        follower, followee = self.random.sample(USERS, 2)
        method = self.random.choice(("PUT", "PUT", "DELETE"))
        if self._write(method, f"/users/{follower}/follows/{followee}", None):
            change = self.model.follows.add if method == "PUT" else self.model.follows.discard
            change((follower, followee))

    def mistake(self) -> None:
        """What is wrong is rejected, whether the database is away or not, and changes nothing."""
        event = {"user_id": "ann", "post_id": "no such post", "interaction_type": "like"}
        method, path, body, status = self.random.choice(
            [
                ("PUT", "/users/ann/follows/ann", None, 422),
                ("PUT", "/users/ann/follows/nobody", None, 503 if self.is_away else 404),
                ("POST", "/interactions/track", event, 503 if self.is_away else 404),
                ("POST", "/recommendations/updates", {"user_id": "ann", "cursor": "x"}, 400),
                ("POST", "/recommendations/generate", {"user_id": "ann", "limit": 0}, 422),
            ]
        )
        self._expect(method, path, body, status)

    # -- what happens in the database ----------------------------------------------------------------------------

    def add_post(self) -> None:
        if len(self.model.posts) >= MAX_POSTS:
            return
        name = f"p{self.added_posts}"
        self.added_posts += 1
        post = ModelPost(
            author=self.random.choice((*USERS, None)),
            created=self.clock.at - timedelta(seconds=self.random.choice((0, 0, 100, 90_000, -60))),
            tags=tuple(self.random.sample(TAGS, self.random.randint(0, 2))),
            words=tuple(self.random.sample(WORDS, self.random.randint(0, 2))),
            visibility=self.random.choice(("public", "public", "public", "followers", "members")),
            language=self.random.choice((None, None, "de", "en")),
            sensitive=self.random.random() < 0.1,
        )
        if self.model.posts and self.random.random() < 0.3:
            post.root = self.random.choice(sorted(self.model.posts))
        if post.visibility == "members":
            post.audience = self.random.choice(AUDIENCES)
        self.model.posts[name] = post
        self._store(name, post)

    def change_post(self) -> None:
        name = self.random.choice(sorted(self.model.posts))
        post = self.model.posts[name]
        post.visible = self.random.random() < 0.7
        post.words = tuple(self.random.sample(WORDS, 1))
        post.visibility, post.audience = self.random.choice(
            [("public", None), ("public", None), ("followers", None), ("members", AUDIENCES[0])]
        )
        post.sensitive = self.random.random() < 0.1
        self._store(name, post)

    def _store(self, name: str, post: ModelPost) -> None:
        self._run_sql(
            "INSERT INTO {posts} AS p (id, external_id, author_id, content, tags, visible, created_at, visibility, "
            "audience_id, language, sensitive, root_id) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
            "ON CONFLICT (id) DO UPDATE SET content = excluded.content, visible = excluded.visible, "
            "visibility = excluded.visibility, audience_id = excluded.audience_id, sensitive = excluded.sensitive",
            str(post_uuid(name)),
            name,
            None if post.author is None else str(user_uuid(post.author)),
            " ".join(post.words),
            list(post.tags),
            post.visible,
            post.created,
            post.visibility,
            post.audience,
            post.language,
            post.sensitive,
            None if post.root is None else str(post_uuid(post.root)),
        )

    def delete_post(self) -> None:
        if len(self.model.posts) > 20:
            name = self.random.choice(sorted(self.model.posts))
            self.model.remove_post(name)
            self._run_sql("DELETE FROM {posts} WHERE id = %s", str(post_uuid(name)))

    def change_user(self) -> None:
        name = self.random.choice(USERS)
        user = self.model.users[name]
        user.discoverable, user.show_sensitive = (self.random.random() < share for share in (0.8, 0.5))
        user.languages = self.random.choice(((), (), ("de",), ("de", "en")))
        self._run_sql(
            "UPDATE {users} SET discoverable = %s, show_sensitive = %s, languages = %s WHERE id = %s",
            user.discoverable,
            user.show_sensitive,
            list(user.languages),
            str(user_uuid(name)),
        )

    def change_membership(self) -> None:
        name, audience = self.random.choice(USERS), self.random.choice(AUDIENCES)
        audiences = self.model.users[name].audiences
        if audience in audiences:
            audiences.remove(audience)
            statement = "DELETE FROM {memberships} WHERE user_id = %s AND audience_id = %s"
        else:
            audiences.add(audience)
            statement = "INSERT INTO {memberships} VALUES (%s, %s)"
        self._run_sql(statement, str(user_uuid(name)), audience)

    def _run_sql(self, statement: str, *values: object) -> None:
        self.tables.run(statement, *values)
        self.behind = set(getattr(self, "replicas", ()))

    # -- what happens to the processes ---------------------------------------------------------------------------

    def read_log(self) -> None:
        self._catch_up(self.random.choice(self.replicas))

    def evict(self) -> None:
        self.random.choice(self.replicas).service.evict()

    def restart(self) -> None:
        replica = self.random.choice(self.replicas)
        replica.restart(self.published)
        self.behind.discard(replica)

    def train(self) -> None:
        self.published = self.replicas[0].service.train(learned=self.random.random() < 0.5)
        for replica in self.replicas:
            replica.service.publish(self.published)

    def lose_database(self) -> None:
        if not self.is_away:
            for replica in list(self.behind):
                self._catch_up(replica)
            self.server.set_reachable(self.url, reachable=False)
            self.is_away = True
            for replica in self.replicas:
                self._catch_up(replica)

    def find_database(self) -> None:
        if self.is_away:
            self.server.set_reachable(self.url, reachable=True)
            self.is_away = False
            for replica in self.replicas:
                self._catch_up(replica)

    # -- calls ---------------------------------------------------------------------------------------------------

    def _eligible(self, feed: OpenList) -> set[str]:
        return self.model.eligible(
            feed.user,
            self.clock.at,
            mode=feed.mode,
            exclude_seen=feed.exclude_seen,
            created_until=None if feed.mode == "ranked" else feed.started_at,
        )

    def _still_listed(self, feed: OpenList, eligible: set[str], *, is_by_time: bool) -> set[str]:
        """The posts that a page must have. A list that goes on by time omits what became visible behind it."""
        if not is_by_time or feed.oldest is None:
            return eligible
        return {name for name in eligible if self.model.posts[name].created < feed.oldest}

    def _user_post_and_kind(self) -> tuple[str, str, str]:
        post = self.random.choice(sorted(self.model.posts))
        return self.random.choice(USERS), post, self.random.choice(INTERACTION_TYPES)

    def _write(self, method: str, path: str, body: Any, *, exists: bool = True) -> Any:
        """The response to a write; None if the database is away, or if the post of the write does not exist."""
        if self.is_away or not exists:
            self._expect(method, path, body, 503 if self.is_away else 404)
            return None
        return self._expect(method, path, body, 202, writes=True)

    def _expect(
        self,
        method: str,
        path: str,
        body: Any,
        status: int,
        *,
        writes: bool = False,
        replica: Replica | None = None,
    ) -> Any:
        """Call a replica, any by default, after it has read the log."""
        replica = replica or self.random.choice(self.replicas)
        if replica in self.behind and not self.is_away:
            self._catch_up(replica)
        answer = replica.call(method, path, body)
        self.log.append(f"{self.replicas.index(replica)} {method} {path} {body} {answer.status_code}")
        assert answer.status_code == status, answer.text
        if writes:
            self.behind |= set(self.replicas) - {replica}
        return answer.json()

    def _catch_up(self, replica: Replica) -> None:
        replica.service.catch_up()
        self.behind.discard(replica)

    @staticmethod
    def _names(answer: Any) -> list[str]:
        return [post["external_id"] for post in answer["recommendations"]]


def walk(
    server: TestServer, url: str, seed: int, steps: int, live_posts: LivePostLimits = DEFAULT_LIMITS
) -> Counter[str]:
    one = Walk(server, url, seed, live_posts)
    try:
        return one.run(steps)
    except AssertionError:
        print(f"seed {seed}", *one.log[-30:], sep="\n")
        raise
    finally:
        one.close()


def test_a_random_walk_shows_what_users_may_see(postgres: TestServer, own_database_url: str) -> None:
    made = walk(postgres, own_database_url, seed=SHORT_SEED, steps=150)

    assert len(made) >= 15, "most kinds of steps"


def test_a_random_walk_does_so_too_when_most_posts_are_in_the_database_only(
    postgres: TestServer, own_database_url: str
) -> None:
    made = walk(postgres, own_database_url, seed=SHORT_SEED, steps=100, live_posts=FEW_LIVE_POSTS)

    assert made["evict"]


@pytest.mark.slow
def test_a_long_random_walk_does_so_too_when_most_posts_are_in_the_database_only(
    postgres: TestServer, own_database_url: str
) -> None:
    made = walk(postgres, own_database_url, seed=1, steps=5_000, live_posts=FEW_LIVE_POSTS)

    assert min(made.values()) > 10


@pytest.mark.slow
def test_a_long_random_walk_shows_what_users_may_see(postgres: TestServer, own_database_url: str) -> None:
    made = walk(postgres, own_database_url, seed=1, steps=10_000)

    assert min(made.values()) > 10
