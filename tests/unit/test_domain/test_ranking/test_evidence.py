"""The evidence of a post is the strongest claimed fact that is true; nobody is named whom the user does not follow."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import orjson
import pytest

from app.domain.entities import Evidence, EvidenceKind, User
from app.domain.entities.control import Control, ControlAction
from app.domain.feed.event_counting import CountingRule
from app.domain.feed.time_units import DAY, HOUR
from app.domain.ids import user_uuid
from app.domain.ranking import user_features
from app.domain.ranking.assembly import NoObserver, ranking_pipeline
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.evidence import (
    MAX_BYTES,
    NEW_SECONDS,
    TRENDING_SECONDS,
    find_evidence,
    followed_author,
)
from app.domain.ranking.options import RankingOptions
from app.domain.services.ranking_context import RankingContext
from app.domain.services.scorer_interface import CLAIMED_KINDS, strengths_of
from app.presentation.api.routers.recommendations import evidence_fields
from tests.support.feeds import COMMENT, LIKE, SHARE, VIEW, Feed, Post, generated, uuid_of, whole_state

NOW = 100 * DAY
READER, AUTHOR, *PEOPLE = range(10)
OLD, YESTERDAY = NOW - 30 * DAY, NOW - DAY
STRONG = (LIKE, COMMENT, SHARE)
Event = tuple[int, int, int, float]


@dataclass(frozen=True)
class ReadFeed:
    """What the reader asks of a feed, and the rows of its posts."""

    context: RankingContext
    rows: np.ndarray

    def evidence(self, *claims: EvidenceKind, post: int = 0) -> Evidence | None:
        """The evidence of a post whose scorer gives strengths to `claims` (default: all kinds), strongest first."""
        strengths = {kind: 1.0 / (1 + place) for place, kind in enumerate(claims or CLAIMED_KINDS)}
        [evidence] = find_evidence(self.context, self.rows[[post]], strengths_of(strengths, 1))
        return evidence


def a_feed(
    posts: Sequence[Post],
    events: Sequence[Event] = (),
    *,
    followed: Sequence[int] = (),
    controls: Sequence[tuple[ControlAction, int]] = (),
    known: bool = True,
) -> ReadFeed:
    history = Feed(10, posts, events, [(READER, one, 0.0) for one in followed])
    state, timeline = whole_state(history.dataset())
    reader = user_uuid(f"user {READER}")
    stored = [Control(reader, action, author_id=user_uuid(f"user {author}")) for action, author in controls]
    state.set_controls(reader.bytes, stored, 1)
    context = RankingContext(state, int(timeline.user_row[READER]) if known else -1, NOW)
    return ReadFeed(context, timeline.post_row)


def reactions(*users: int, post: int = 0, kind: int = LIKE, at: float = YESTERDAY) -> list[Event]:
    return [(user, post, kind, at) for user in users]


def test_a_followed_author_comes_before_every_claim():
    feed = a_feed([Post(NOW, AUTHOR)], reactions(*PEOPLE), followed=[AUTHOR])

    author = str(user_uuid(f"user {AUTHOR}"))
    assert feed.evidence(EvidenceKind.NEW) == Evidence(EvidenceKind.FOLLOWED_AUTHOR, user_id=author)


def test_a_followed_author_who_is_not_discoverable_is_not_named():
    feed = a_feed([Post(NOW, AUTHOR)], followed=[AUTHOR])
    feed.context.state.set_users([User(user_uuid(f"user {AUTHOR}"), f"user {AUTHOR}", discoverable=False)])

    assert feed.evidence() == Evidence(EvidenceKind.FOLLOWED_AUTHOR)


@pytest.mark.parametrize(
    ("created", "evidence"),
    [
        (NOW, Evidence(EvidenceKind.NEW)),
        (NOW - NEW_SECONDS, Evidence(EvidenceKind.NEW)),
        (NOW - NEW_SECONDS - 1, None),
    ],
)
def test_a_post_is_new_for_a_day(created: float, evidence: Evidence | None):
    assert a_feed([Post(created, AUTHOR)]).evidence() == evidence


@pytest.mark.parametrize(
    ("events", "count"),
    [
        (reactions(*PEOPLE[:3]), 3),
        (reactions(*PEOPLE[:3], kind=SHARE) + reactions(*PEOPLE[:4], kind=COMMENT), 4),
        (reactions(*PEOPLE[:2]), None),
        (reactions(*PEOPLE[:2]) + reactions(PEOPLE[0], kind=SHARE), None),  # two people
        (reactions(*PEOPLE[:2]) + reactions(READER), None),
        (reactions(*PEOPLE, kind=VIEW), None),
        (reactions(*PEOPLE, at=NOW - TRENDING_SECONDS), None),
    ],
)
def test_a_post_is_trending_if_three_people_reacted_within_a_week(events: list[Event], count: int | None):
    evidence = a_feed([Post(OLD, AUTHOR)], events).evidence(EvidenceKind.TRENDING)

    assert evidence == (None if count is None else Evidence(EvidenceKind.TRENDING, count=count))


def test_a_kind_of_event_may_have_no_weight():
    feed = a_feed([Post(OLD, AUTHOR)], reactions(*PEOPLE))
    feed.context.state.counting = CountingRule(kind_weights=(1.0, 1.0, 0.0, 1.0, 1.0))

    assert feed.evidence() == Evidence(EvidenceKind.TRENDING, count=len(PEOPLE))


def test_reactions_of_people_whom_the_user_muted_or_blocked_do_not_count():
    muted, blocked, *others = PEOPLE[:4]
    events = reactions(muted, blocked, *others)
    feed = a_feed([Post(OLD, AUTHOR)], events, controls=[("mute_author", muted), ("block_author", blocked)])

    assert feed.evidence() is None
    assert a_feed([Post(OLD, AUTHOR)], events).evidence() is not None


def test_similar_users_count_if_they_liked_the_post():
    shared = [event for post in (1, 2) for event in reactions(READER, *PEOPLE[:5], post=post)]
    likes = reactions(*PEOPLE[:3], *PEOPLE[6:8]) + reactions(*PEOPLE[3:5], kind=VIEW)
    posts = [Post(OLD, AUTHOR) for _ in range(3)]

    evidence = a_feed(posts, shared + likes).evidence(EvidenceKind.SIMILAR_USERS)

    assert evidence == Evidence(EvidenceKind.SIMILAR_USERS, count=3)


@pytest.mark.parametrize(("created", "kind"), [(OLD, "read_author"), (NOW, "new_from_read_author")])
def test_an_author_is_read_after_three_events_and_is_not_named(created: float, kind: str):
    posts = [Post(created, AUTHOR), *(Post(OLD, AUTHOR) for _ in range(3))]
    events = [(READER, post, VIEW, YESTERDAY) for post in (1, 2, 3)]

    assert a_feed(posts, events).evidence() == Evidence(EvidenceKind(kind))
    assert a_feed(posts, events[:2]).evidence(EvidenceKind.READ_AUTHOR) is None


def test_a_tag_is_that_of_three_events_of_the_user():
    posts = [Post(OLD, AUTHOR, tags=("sea", "salt")), *(Post(OLD, -1, tags=("sea",)) for _ in range(3))]
    events = [(READER, post, VIEW, YESTERDAY) for post in (1, 2, 3)]

    assert a_feed(posts, events).evidence() == Evidence(EvidenceKind.TAG, tag="sea")
    assert a_feed(posts, events[:2]).evidence() is None


@pytest.mark.parametrize(
    ("tag", "fits"), [("x" * 57, True), ("x" * 58, False), ("ж" * 28, True), ('"' * 29, False)]
)
def test_no_evidence_is_longer_than_its_limit(tag: str, fits: bool):
    posts = [Post(OLD, -1, tags=(tag,)) for _ in range(4)]
    evidence = a_feed(posts, [(READER, post, VIEW, YESTERDAY) for post in (1, 2, 3)]).evidence()

    assert (evidence is not None) == fits
    assert evidence is None or len(orjson.dumps(evidence_fields(evidence))) <= MAX_BYTES


def test_what_is_not_true_makes_way_for_the_next_claim():
    feed = a_feed([Post(NOW, -1)])

    assert feed.evidence(EvidenceKind.TRENDING, EvidenceKind.NEW) == Evidence(EvidenceKind.NEW)
    assert feed.evidence(EvidenceKind.TRENDING) is None


def test_an_unknown_user_gets_evidence_without_a_history():
    feed = a_feed([Post(OLD, AUTHOR), Post(NOW)], reactions(*PEOPLE), known=False)

    assert feed.evidence() == Evidence(EvidenceKind.TRENDING, count=len(PEOPLE))
    assert feed.evidence(post=1) == Evidence(EvidenceKind.NEW)


def test_what_does_not_raise_the_score_is_no_evidence():
    feed = a_feed([Post(NOW, -1), Post(NOW, -1), Post(NOW, -1)])
    strengths = strengths_of({EvidenceKind.NEW: np.array([0.1, 0.0, -1.0])}, 3)

    assert find_evidence(feed.context, feed.rows, strengths) == [Evidence(EvidenceKind.NEW), None, None]


def test_a_post_that_is_not_in_memory_names_a_followed_author_only():
    feed = a_feed([Post(NOW, AUTHOR)], followed=[AUTHOR])
    authors = [user_uuid(f"user {AUTHOR}"), user_uuid(f"user {PEOPLE[0]}"), user_uuid("somebody"), None]

    evidence = followed_author(feed.context.state, feed.context.user, authors)

    assert evidence == [Evidence(EvidenceKind.FOLLOWED_AUTHOR, user_id=str(authors[0])), None, None, None]
    assert followed_author(feed.context.state, -1, authors) == [None] * 4


@pytest.mark.parametrize("scorer", ["learned", "formula"])
def test_the_evidence_of_60_pages_of_a_generated_feed_is_true(scorer: str):
    feed = generated(users=120, posts=500, interactions=9000)
    state, timeline = whole_state(feed)
    now = float(state.created[: state.n_posts].max())
    weights = np.random.default_rng(4).normal(size=len(user_features.names()))
    untrained = ChoiceModel.untrained(user_features.names())
    model = None if scorer == "formula" else ChoiceModel(**{**vars(untrained), "linear": weights})
    pipeline = ranking_pipeline(RankingOptions(), None, model, NoObserver())
    truth = Truth(feed, now)
    shown = defaultdict(int)

    for user in range(60):
        context = RankingContext(state, int(timeline.user_row[user]), now)
        page = pipeline.page(context, pipeline.rank(context), 20)
        for row, evidence in zip(
            page.rows.tolist(), find_evidence(context, page.rows, page.strengths), strict=True
        ):
            post = int(np.flatnonzero(timeline.post_row == row)[0])
            truth.check(user, post, evidence)
            shown[None if evidence is None else evidence.kind] += 1

    assert sum(shown.values()) == 60 * 20
    assert shown[EvidenceKind.FOLLOWED_AUTHOR] > 20
    assert len(shown) >= 4


class Truth:
    """Checks evidence against the rows of a feed, in plain Python."""

    def __init__(self, feed, now: float) -> None:
        self.feed, self.now = feed, now
        self.follows = set(zip(feed.follows.follower.tolist(), feed.follows.followee.tolist(), strict=True))
        self.events = list(
            zip(
                feed.events.user.tolist(),
                feed.events.post.tolist(),
                feed.events.kind.tolist(),
                feed.events.time.tolist(),
                strict=True,
            )
        )

    def check(self, user: int, post: int, evidence: Evidence | None) -> None:
        posts, kind = self.feed.posts, evidence and evidence.kind
        author, age = int(posts.author[post]), self.now - posts.created[post]
        assert (kind is EvidenceKind.FOLLOWED_AUTHOR) == ((user, author) in self.follows)
        if evidence is None:
            return
        assert len(orjson.dumps(evidence_fields(evidence))) <= MAX_BYTES
        if evidence.user_id is not None:
            assert evidence.user_id == str(uuid_of(self.feed.users.key[author]))
        if kind in (EvidenceKind.NEW, EvidenceKind.NEW_FROM_READ_AUTHOR):
            assert 0 <= age <= 24 * HOUR
        if kind in (EvidenceKind.READ_AUTHOR, EvidenceKind.NEW_FROM_READ_AUTHOR):
            assert sum(posts.author[p] == author for u, p, *_ in self.events if u == user) >= 3
        if kind is EvidenceKind.TAG:
            assert evidence.tag == posts.tags[post][0]
            assert sum(evidence.tag in posts.tags[p][:1] for u, p, *_ in self.events if u == user) >= 3
        if kind is EvidenceKind.TRENDING:
            recent = {u for u, p, k, t in self.events if p == post and k in STRONG and t > self.now - 7 * DAY}
            assert evidence.count is not None
            assert 3 <= evidence.count <= len(recent - {user})
        if kind is EvidenceKind.SIMILAR_USERS:
            assert evidence.count is not None
            assert (
                3
                <= evidence.count
                <= len({u for u, p, k, _ in self.events if p == post and k == LIKE} - {user})
            )
