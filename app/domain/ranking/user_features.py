"""Inputs that tie a post to the user of the request, and the matrix of all inputs that the learned scorer reads."""

from collections.abc import Collection, Mapping
from functools import cached_property
from itertools import product
from typing import Final, TypedDict

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import EvidenceKind, Reason
from app.domain.feed.group_sums import GroupSums
from app.domain.feed.ragged import sum_by_row
from app.domain.feed.row_set import RowSet
from app.domain.feed.time_units import DAY, HOUR, MINUTE
from app.domain.ranking import neighbourhood
from app.domain.ranking.features import Block, FeatureSet
from app.domain.ranking.post_features import POST_FEATURES
from app.domain.ranking.post_table import post_inputs
from app.domain.ranking.sink import ignored_by_user
from app.domain.services.ranking_context import RankingContext

_MIN_SUPPORT = 1e-3  # added to the support of neighbours before its logarithm
_PROFILE_EVENTS = 50  # newest events of the user whose posts give the profiles of texts and embeddings
_PROFILE_DECAY = (0.9 ** np.arange(_PROFILE_EVENTS)[::-1]).astype(np.float32)  # the newest counts 1
_IGNORED_SECONDS = 30 * DAY  # impressions of this age have no effect on the time since the newest one
_AGE_EVENTS = 50  # newest events of the user whose posts give the usual age


class CandidateBatch:
    """The candidates of one request, with the values that several features need.

    `rows` (n,) are post rows; `posts` holds the inputs (n,) of these posts that are the same for every user, by name.
    """

    def __init__(
        self, context: RankingContext, rows: NDArray[np.intp], posts: Mapping[str, NDArray[np.float32]]
    ) -> None:
        self.context = context
        self.state = context.state
        self.rows = rows
        self.posts = posts

    @cached_property
    def topic(self) -> NDArray[np.intp]:
        """(n,) topics, -1 none."""
        return self.state.topic[self.rows].astype(np.intp)

    @cached_property
    def event_weights(self) -> NDArray[np.float64]:
        """(3, n_events) 0.5 ** (age / half-life) of the user's newest events, for half-lives of 30 d, 1 d and 1 h."""
        age = self.context.now - self.context.recent_events[1]
        weights: NDArray[np.float64] = np.exp2(-age / np.array([[30 * DAY], [DAY], [HOUR]]))
        return weights

    @cached_property
    def author_affinities(self) -> NDArray[np.float64]:
        """(3, n) how much the user engaged with each author.

        The user's events with posts of the author, decayed with half-lives of 30 d and 1 d; 1 for a followed author.
        """
        state, followed = self.state, self.context.followed
        posts = self.context.recent_events[0]
        weights = np.zeros((3, len(posts) + len(followed)))
        weights[:2, : len(posts)] = self.event_weights[:2]
        weights[2, len(posts) :] = 1.0
        users = GroupSums(np.concatenate([state.author[posts], followed]), weights, state.n_users)
        return users.for_rows(state.author[self.rows])

    @cached_property
    def newness(self) -> float:
        """1 / (1 + number of the user's events)."""
        return 1.0 / (1.0 + self.context.event_count)

    @cached_property
    def age_gap(self) -> Block:
        """(n,) log age of the posts minus the mean log age at which the user engaged with posts, times 1 - newness.

        0 for a user without events.
        """
        posts, times, _ = self.context.recent_events
        if not len(posts):
            return np.zeros(len(self.rows))
        created = self.state.created[posts[-_AGE_EVENTS:]]
        usual = np.log((times[-_AGE_EVENTS:] - created).clip(0) + MINUTE).mean()
        gap: Block = (self.posts["age"] - usual) * (1 - self.newness)
        return gap

    def zeros(self, inputs: int) -> Block:
        """(inputs, n) the block of a feature that does not apply."""
        return np.zeros((inputs, len(self.rows)))


FEATURES: FeatureSet[CandidateBatch] = FeatureSet()
feature = FEATURES.register
IMPRESSION_FEATURES: FeatureSet[CandidateBatch] = FeatureSet()
"""Inputs of models that were trained on a feed with pages."""
EMBEDDING_FEATURES: FeatureSet[CandidateBatch] = FeatureSet()
"""Inputs of models that were trained on a feed whose posts have embeddings."""


class OptionalInputs(TypedDict, total=False):
    """Which inputs a model reads beside those of every feed. The functions below take them as keywords."""

    impressions: bool
    embeddings: bool


def optional_inputs(given: tuple[str, ...]) -> OptionalInputs:
    """The optional inputs of a model with these names. Raises ValueError if no model of this version has them."""
    for optional in _OPTIONAL:
        if names(**optional) == given:
            return optional
    raise ValueError("the model was trained on other features than this version computes: train again")


def names_of(n_inputs: int) -> tuple[str, ...]:
    """The names of all inputs if there are so many: any choice of the optional ones has another number."""
    return next(found for optional in _OPTIONAL if len(found := names(**optional)) == n_inputs)


def _of_users(impressions: bool, embeddings: bool) -> list[FeatureSet[CandidateBatch]]:
    return [FEATURES] + [IMPRESSION_FEATURES] * impressions + [EMBEDDING_FEATURES] * embeddings


def names(*, impressions: bool = False, embeddings: bool = False) -> tuple[str, ...]:
    """The names of all inputs, in the order of `matrix`."""
    found = (one.names() for one in _of_users(impressions, embeddings))
    return sum(found, POST_FEATURES.names())


def reasons(*, impressions: bool = False, embeddings: bool = False) -> tuple[Reason | None, ...]:
    """The reason that each input declares, in the order of `matrix`."""
    found = (one.reasons() for one in _of_users(impressions, embeddings))
    return sum(found, POST_FEATURES.reasons())


def evidence(*, impressions: bool = False, embeddings: bool = False) -> tuple[EvidenceKind | None, ...]:
    """The evidence that each input declares, in the order of `matrix`."""
    found = (one.evidence() for one in _of_users(impressions, embeddings))
    return sum(found, POST_FEATURES.evidence())


def groups(*, impressions: bool = False, embeddings: bool = False) -> dict[str, tuple[str, ...]]:
    """The inputs of each feature, by the name of its function."""
    return POST_FEATURES.groups() | {
        name: inputs for one in _of_users(impressions, embeddings) for name, inputs in one.groups().items()
    }


def excluded(without: Collection[str], given: tuple[str, ...]) -> NDArray[np.bool_]:
    """(n_features,) true for the `given` inputs that `without` names, alone or by the name of their feature."""
    members = groups(impressions=True, embeddings=True)
    dropped = {name for group in members if group in without for name in members[group]}
    return np.array([name in without or name in dropped for name in given])


def matrix(
    context: RankingContext, rows: NDArray[np.intp], *, impressions: bool = False, embeddings: bool = False
) -> NDArray[np.float32]:
    """(n_features, n_rows) all inputs of the candidates, in the order of `names`."""
    posts = post_inputs(context.state, context.now, rows).T
    batch = CandidateBatch(context, rows, dict(zip(POST_FEATURES.names(), posts, strict=True)))
    blocks = [block for one in _of_users(impressions, embeddings) for block in one.blocks(batch)]
    return np.concatenate([posts, *blocks], dtype=np.float32)


_OPTIONAL: Final = tuple(
    OptionalInputs(impressions=impressions, embeddings=embeddings)
    for impressions, embeddings in product((False, True), repeat=2)
)


@feature("met", "met within 1h", "met within 1d", reason=None)
def seen_before(c: CandidateBatch) -> Block:
    """log(1 + the user's own events with the post), counted in full and decayed with half-lives of 1 h and 1 d."""
    posts = c.context.recent_events[0]
    if not RowSet(posts, c.state.n_posts).contains(c.rows).any():  # as if seen posts are excluded
        return c.zeros(3)
    weights = np.concatenate([np.ones((1, len(posts))), c.event_weights[:0:-1]])
    return np.log1p(GroupSums(posts, weights, c.state.n_posts).for_rows(c.rows))


@feature(
    "affinity author",
    "affinity author recent",
    reason=Reason.CONTENT_SIMILARITY,
    evidence=EvidenceKind.READ_AUTHOR,
)
def author_affinity(c: CandidateBatch) -> Block:
    """log(1 + the user's decayed events with posts of the author), half-lives of 30 d and 1 d."""
    return np.log1p(c.author_affinities[:2].astype(np.float32))


@feature("follows author", reason=Reason.FOLLOWING, evidence=EvidenceKind.FOLLOWED_AUTHOR)
def follows_author(c: CandidateBatch) -> Block:
    """1 if the user follows the author, else 0."""
    return (c.author_affinities[2:] > 0).astype(np.float32)


@feature("affinity topic", "topic share", reason=Reason.CONTENT_SIMILARITY, evidence=EvidenceKind.TAG)
def topic_affinity(c: CandidateBatch) -> Block:
    """log(1 + the user's decayed events with the topic), half-life 30 d, and the topic's share of all their events."""
    topics = c.state.topic[c.context.recent_events[0]] + 1
    decayed = sum_by_row(topics, c.event_weights[0], len(c.state.topic_ids) + 1)  # the first: without a topic
    share = decayed / (decayed.sum() or 1.0)
    decayed[0] = share[0] = 0.0
    columns = c.topic + 1
    return np.stack([np.log1p(decayed[columns].astype(np.float32)), share[columns]])


@feature(
    "user kNN 30d", "next posts", reason=Reason.COLLABORATIVE_FILTERING, evidence=EvidenceKind.SIMILAR_USERS
)
def knn_support(c: CandidateBatch) -> Block:
    """log(support + 0.001) - log(0.001) of two supports: by similar users, and by transitions between posts."""
    if not c.context.event_count:
        return c.zeros(2)
    by_users = neighbourhood.user_knn(c.context).for_rows(c.rows)
    by_transitions = neighbourhood.item_transitions(c.context).for_rows(c.rows)
    support = np.concatenate([by_users, by_transitions], dtype=np.float32)
    block: Block = np.log(support + np.float32(_MIN_SUPPORT)) - np.float32(np.log(_MIN_SUPPORT))
    return block


@feature("text like history", reason=Reason.CONTENT_SIMILARITY, evidence=EvidenceKind.TAG)
def text_similarity(c: CandidateBatch) -> Block:
    """Cosine of the post's text vector and the user's text profile: the decayed mean of the vectors of their posts."""
    posts, text = c.context.recent_events[0][-_PROFILE_EVENTS:], c.state.text
    if not len(posts) or not text.shape[1]:
        return c.zeros(1)
    profile = _PROFILE_DECAY[-len(posts) :] @ text.take(posts, axis=0)
    direction = profile / (np.sqrt(profile @ profile) + 1e-9)
    cosine: Block = np.vecdot(text.take(c.rows, axis=0), direction)  # as in `text_similarities`
    return cosine[None]


@feature("topic of last", reason=Reason.CONTENT_SIMILARITY, evidence=EvidenceKind.TAG)
def topic_of_last_event(c: CandidateBatch) -> Block:
    """0.5 ** (hours since the user's last event) for posts of the topic of that event, else 0."""
    posts, times, _ = c.context.recent_events
    if not len(posts):
        return c.zeros(1)
    same_topic = c.topic == c.state.topic[posts[-1]]
    decayed: Block = same_topic * np.exp2((times[-1] - c.context.now) / HOUR)
    return decayed[None]


@feature("heat x newcomer", reason=Reason.TRENDING, evidence=EvidenceKind.TRENDING)
def engagement_for_new_users(c: CandidateBatch) -> Block:
    """log(1 + decayed engagement) / (1 + number of the user's events), half-life 6 hours."""
    return (c.posts["heat 6h"] * c.newness)[None]


@feature("age against habit", "(age against habit)^2", reason=Reason.RECENT, evidence=EvidenceKind.NEW)
def usual_age_gap(c: CandidateBatch) -> Block:
    """Absolute value of `age_gap`, and its square / 10."""
    return np.stack([np.abs(c.age_gap), c.age_gap**2 / 10])


@feature("heat against habit", reason=Reason.TRENDING, evidence=EvidenceKind.TRENDING)
def engagement_by_age_gap(c: CandidateBatch) -> Block:
    """log(1 + decayed engagement) x `age_gap` / 3, half-life 6 hours."""
    return (c.posts["heat 6h"] * c.age_gap / 3)[None]


@IMPRESSION_FEATURES.register("ignored", "ignored on screen", "ignored recently", reason=None)
def ignored_before(c: CandidateBatch) -> Block:
    """Impressions of the post without any later event of the user; 0 for other posts.

    log(1 + their weights), 1 if they were on screen, and log(30 d / time since the newest), at least 0. Requests that
    do not lower ignored posts, and users without personalised ranking, have none.
    """
    if not c.context.sinks_shown or c.context.history_user < 0:
        return c.zeros(3)
    ignored = ignored_by_user(c.context)
    if not len(ignored.posts):
        return c.zeros(3)
    posts = RowSet(ignored.posts, c.state.n_posts)
    post, _ = posts.find(ignored.posts)
    count = np.bincount(post, ignored.weights, len(post))
    recency = np.zeros(len(post))
    np.maximum.at(recency, post, np.log(_IGNORED_SECONDS / ignored.ages))
    values = np.stack([np.log1p(count), np.full(len(post), ignored.seen), recency])
    place, is_ignored = posts.find(c.rows)
    block: Block = values.take(place, axis=1, mode="clip") * is_ignored
    return block


@EMBEDDING_FEATURES.register(
    "embedding like history", "embedding like last", reason=Reason.CONTENT_SIMILARITY
)
def embedding_similarity(c: CandidateBatch) -> Block:
    """Cosines of the post's embedding with the user's profile and with the embedding of the user's newest event.

    The profile is the decayed mean of the embeddings of the posts of the newest events, as that of texts.
    """
    posts, embeddings = c.context.recent_events[0][-_PROFILE_EVENTS:], c.state.embeddings
    if not len(posts) or not embeddings.shape[1]:
        return c.zeros(2)
    of_events = embeddings.take(posts, axis=0).astype(np.float32)
    profile = _PROFILE_DECAY[-len(posts) :] @ of_events
    directions = np.stack([profile / (np.sqrt(profile @ profile) + 1e-9), of_events[-1]])
    cosines: Block = np.vecdot(directions[:, None], embeddings.take(c.rows, axis=0).astype(np.float32))
    return cosines
