"""The feed as ranking sees it: every post, engagement counter, user history and follow, as arrays in memory."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from typing import Any, Final, TypeVar, cast
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import User
from app.domain.entities.control import Control
from app.domain.feed.array_tree import key_array
from app.domain.feed.bounded_lists import (
    ENGAGEMENT_ORDER,
    EVENT_ORDER,
    append_in_order,
    cut,
    cut_events,
    lists_to_cut,
)
from app.domain.feed.changed_rows import ChangedRows
from app.domain.feed.controls import ControlEntry, FeedControls
from app.domain.feed.dataset import EventColumns
from app.domain.feed.decayed_counters import DecayedCounters
from app.domain.feed.embeddings import PostVectors
from app.domain.feed.event_counting import (
    DEFAULT_RULE,
    CountingRule,
    ReceivedEvents,
    newly_counted_events,
)
from app.domain.feed.external_ids import ExternalIds
from app.domain.feed.impressions import FeedImpressions
from app.domain.feed.interests import FeedInterests
from app.domain.feed.list_limits import DEFAULT_LIST_LIMITS, ListLimits, longest
from app.domain.feed.post_groups import PostGroups
from app.domain.feed.post_settings import PostSettings
from app.domain.feed.post_words import PostWords
from app.domain.feed.ragged import RaggedArray, grow
from app.domain.feed.row_checksums import USER_KINDS, RowChecksums
from app.domain.feed.slices import Writing, slices, slices_by_size
from app.domain.feed.sorted_rows import SortedRows
from app.domain.feed.time_position import TimePosition
from app.domain.feed.time_units import DAY, HOUR
from app.domain.feed.uuid_index import Keys, UuidIndex, uuid_texts
from app.domain.feed.visibility import FeedVisibility

HALF_LIVES = (HOUR, 6 * HOUR, DAY, 3 * DAY, 7 * DAY, 30 * DAY, 180 * DAY)
"""Of engagement with posts, seconds: a feed that lives for hours and one that lives for years both find theirs."""
STRONG_HALF_LIVES = (7 * DAY,)
"""Of likes, comments and shares alone, seconds."""
AUTHOR_HALF_LIVES = (DAY, 7 * DAY)
"""Of engagement with an author's posts, seconds."""

# arrays by post, and the value of a new post
_POST_ARRAYS: Final = {
    "created": 0,
    "author": 0,
    "topic": 0,
    "visible": False,
    "seq": 0,
    "engagements": 0,
    "last_engaged": -np.inf,
}
T = TypeVar("T")
TOP_K_SIZE = 400
NO_KEY: Final = bytes(16)
"""The key of a row without a post, and of a removed user."""
_USERS_PER_STEP: Final = 50
_FORGOTTEN_POSTS_PER_STEP: Final = 500
_STRONG = 2  # kinds from like on say more than a look


class FeedState:
    """A function of what was added to it, in order; it knows no clock and no database.

    Users and posts have rows, in order of arrival until evicted posts free theirs, which new posts get. Everything
    indexed by post has `n_posts` entries that count (the arrays are longer). Not thread-safe: the owner takes turns.
    Only events that count under `counting` leave a trace (see CountingRule); None counts every row, for reference
    rankers.

    free_rows      post rows of evicted posts, which no array or list refers to
    reuses         how often rows became free: rows that were read before may be of other posts since
    complete_from  (creation time, number) from which on the state has every post of the log; None: it has all
    """

    def __init__(
        self, counting: CountingRule | None = DEFAULT_RULE, limits: ListLimits = DEFAULT_LIST_LIMITS
    ) -> None:
        self.counting = counting
        self.limits = limits
        self.n_events = 0  # rows of the log, counted or not
        self.retractions = 0  # how often counted events were replaced
        self.n_users = 0
        self.n_posts = 0
        self.free_rows: list[int] = []
        self.reuses = 0
        self.complete_from: tuple[float, int] | None = None
        self.user_rows = UuidIndex()
        self.post_rows = UuidIndex()  # a row whose post was removed keeps its key until it is cleared
        self.external_ids: list[str | None] = []
        self.users_by_external_id = ExternalIds("user")
        self.posts_by_external_id = ExternalIds("post")
        self.topic_ids: dict[str, int] = {}
        self.topic_names: list[str] = []  # the inverse of `topic_ids`

        self.created = np.zeros(0)
        self.author = np.zeros(0, np.int32)  # user row, -1 unknown
        self.topic = np.zeros(0, np.int32)  # of the first tag, -1 none
        self.visible = np.zeros(0, np.bool_)  # false for deleted ones too
        self.seq = np.zeros(0, np.int64)
        self.posts_version = 0  # how often posts came or changed
        self.changed_posts = ChangedRows()  # posts that came, or whose content or engagement changed
        self._lasting: dict[object, Any] = {}
        self._of_all: dict[object, Any] = {}
        self.text = np.zeros((0, 0), np.float32)  # (n_posts, d) unit vectors, zero where a post has no text
        self.embeddings = np.zeros((0, 0), np.float16)  # (n_posts, k) as in PostVectors
        self._by_created = SortedRows(np.float64)
        self._by_seq = SortedRows(np.int64)

        self.engagements = np.zeros(0, np.int64)  # events of any kind, by post
        self.largest_engagement = 0  # of `engagements`
        self.last_engaged = np.zeros(0)  # time of the last event, -inf before the first
        self.post_counters = DecayedCounters(HALF_LIVES, top_k_size=TOP_K_SIZE)
        self.strong_counters = DecayedCounters(STRONG_HALF_LIVES)  # likes, comments and shares only
        self.author_counters = DecayedCounters(AUTHOR_HALF_LIVES)

        # by user: post, time, kind, time of receipt, number in the log
        self.events_by_user = RaggedArray(
            np.int32, np.float64, np.uint8, np.float64, np.int64, longest=longest(limits.events_per_user)
        )
        self.earlier_events = RaggedArray(
            np.int32, np.uint8
        )  # by user, of the events before these: post, kind
        # by user: counted events that no list has, in a slice of a replay; None: the lists have all
        self.omitted_events: NDArray[np.int64] | None = None
        # by post: user, time, kind
        self.users_by_post = RaggedArray(
            np.int32, np.float64, np.uint8, longest=longest(limits.users_per_post)
        )
        self.posts_by_author = RaggedArray(np.int32)  # by user: post
        self.follows = RaggedArray(np.int32)  # by user: followed user
        self.followers = np.zeros(0, np.int64)  # by user
        self.accounts_created = np.zeros(0)  # by user: seconds, -inf unknown
        self.requested = np.zeros(0)  # by user: time of the last request in seconds, -inf before the first
        self.is_away = np.zeros(0, np.bool_)  # by user: the events are in storage only (see `away_users`)
        self.controls = FeedControls()
        self.post_words = PostWords()
        self.impressions = FeedImpressions()
        self.visibility = FeedVisibility()
        self.interests = FeedInterests()
        self.groups = PostGroups()
        self.checksums: RowChecksums | None = None  # of the database rows in it; None if they are unknown

    def user_key(self, row: int) -> bytes:
        """The key (UUID bytes) of a user row, NO_KEY for a removed user."""
        return self.user_rows.key(row)

    def post_key(self, row: int) -> bytes:
        """The key (UUID bytes) of a post row, NO_KEY for a row without a post."""
        return self.post_rows.key(row)

    def post_id(self, row: int) -> str:
        """The UUID of a post row as text."""
        return self.post_ids(np.array([row]))[0]

    def post_ids(self, rows: NDArray[np.integer[Any]]) -> list[str]:
        """(n_rows,) UUIDs of post rows as text."""
        return uuid_texts(self.post_rows.by_row[rows])

    def memoised(self, key: object, compute: Callable[[], T], *, lasting: bool = False) -> T:
        """`compute()`, kept until the state changes: for what is the same for every user.

        `lasting`: it outlives every change, because it follows `changed_posts` and `posts_version` itself.
        """
        kept = self._lasting if lasting else self._of_all
        if key not in kept:
            kept[key] = compute()
        return cast(T, kept[key])

    def clear_memoised(self) -> None:
        """Forget what was memoised, which may refer to this state: without it, a state that is not used is freed."""
        self._lasting, self._of_all = {}, {}

    @property
    def by_created(self) -> NDArray[np.intp]:
        """(n,) post rows, oldest first, without removed posts; a view that the next change of a post may alter."""
        return self._by_created.rows

    @property
    def by_seq(self) -> NDArray[np.intp]:
        """(n,) post rows in order of their numbers, with removed posts; a view as `by_created`."""
        return self._by_seq.rows

    def creation_rank(self, times: NDArray[np.float64]) -> NDArray[np.intp]:
        """(n,) how many posts were created at each time or before."""
        return np.searchsorted(self._by_created.values, times, side="right")

    def sort_posts(self, by_created: NDArray[np.intp], every: NDArray[np.intp]) -> None:
        """Take over the posts of a snapshot: those that are known, oldest first, and `every` one by row."""
        self._by_created.add(by_created, self.created[by_created], self.seq)
        self._by_seq.add(every, self.seq[every])

    def published_count(self, now: float) -> int:
        """How many posts are out: created at `now` or before, the first so many of `by_created`."""
        return int(self._by_created.values.searchsorted(now, side="right"))

    def count_after(self, position: TimePosition) -> int:
        """How many posts are after `position` in the order of time, newest first: the first so many of `by_created`."""
        created, rows = self._by_created.values, self._by_created.rows
        first, last = (int(created.searchsorted(position.created, side)) for side in ("left", "right"))
        return first + int(self.seq[rows[first:last]].searchsorted(position.seq))

    def top_posts(self, index: int, count: int) -> NDArray[np.intp]:
        """The `count` posts with the largest decayed engagement for HALF_LIVES[index]; of equal ones the newest."""
        return self.post_counters.top_k(index, count, self.seq)

    @staticmethod
    def is_strong(kinds: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """True for likes, comments and shares."""
        return kinds >= _STRONG

    def events_replaced(self, posts: NDArray[np.intp]) -> None:
        """Note that counted events of posts were replaced: what was memoised and depends on events is invalid."""
        self.retractions += 1
        self.changed_posts.append(posts)
        self._changed(posts=False)

    def _changed(self, *, posts: bool) -> None:
        self._of_all = {}
        self.posts_version += posts

    # -- what arrives --------------------------------------------------------------------------------------------

    def add_users(self, keys: Iterable[bytes], writing: Writing = nullcontext) -> None:
        """Give each new key (UUID bytes) the next row, in short steps; known ones keep theirs."""
        unknown = list(dict.fromkeys(key for key in keys if key not in self.user_rows))
        if unknown:
            self.reserve(self.n_users + len(unknown), self.n_posts)
        for some in slices(unknown, _USERS_PER_STEP):
            with writing():
                self.append_users(key_array(some))

    def append_users(self, keys: Keys) -> None:
        """Give new `keys` (n,), none of which is known, the next rows."""
        rows = np.arange(self.n_users, self.n_users + len(keys))
        self.reserve(self.n_users + len(keys), self.n_posts)
        self.user_rows.add(keys, rows)
        self.n_users += len(keys)
        self.author_counters.ensure_rows(self.n_users)
        if self.checksums is not None:
            self.checksums.add("users", dict(zip(keys.tolist(), rows.tolist(), strict=True)))

    def reserve(self, users: int, posts: int) -> None:
        """Make room for so many users and posts. It changes nothing that rankings read, so they may run next to it."""
        for rows in (self.events_by_user, self.earlier_events, self.posts_by_author, self.follows):
            rows.ensure_rows(users)
        self.user_rows.reserve(users, len(self.user_rows) + users - self.n_users)
        self.post_rows.reserve(posts, len(self.post_rows) + posts - self.n_posts)
        self.author_counters.reserve(users)
        self.followers = grow(self.followers, users)
        self.accounts_created = grow(self.accounts_created, users, -np.inf)
        self.requested = grow(self.requested, users, -np.inf)
        self.is_away = grow(self.is_away, users)
        self.users_by_post.ensure_rows(posts)
        for name, fill in _POST_ARRAYS.items():
            setattr(self, name, grow(getattr(self, name), posts, fill))
        if len(self.text) < posts:
            self.text = _longer(self.text, len(self.created))
            self.embeddings = _longer(self.embeddings, len(self.created))
        for one in (self.post_counters, self.strong_counters, self._by_created, self._by_seq):
            one.reserve(posts)
        self.visibility.ensure_rows(users, posts)
        self.groups.ensure_rows(posts)
        self.post_words.ensure_rows(posts)
        if self.checksums is not None:
            self.checksums.reserve(users, posts)

    def reserve_events(self, events: EventColumns) -> None:
        """As `reserve`, for events that `record` gets next."""
        self.events_by_user.reserve(events.user.astype(np.intp))
        self.users_by_post.reserve(events.post.astype(np.intp))
        users, counts = np.unique(events.user.astype(np.intp), return_counts=True)
        self._reserve_cut(users, self.events_by_user.lengths(users) + counts)

    def _reserve_cut(self, users: NDArray[np.intp], lengths: NDArray[np.integer[Any]]) -> None:
        """As `reserve`, for the cut of the lists of distinct users, which will have such lengths before."""
        is_cut = lengths > longest(self.limits.events_per_user)
        users, lengths = users[is_cut], lengths[is_cut]
        lengths = self.earlier_events.lengths(users) + lengths - self.limits.events_per_user
        self.earlier_events.reserve_lengths(users, lengths)

    def add_posts(
        self,
        keys: Sequence[bytes],
        *,
        external_ids: Sequence[str | None],
        author: NDArray[np.int32],
        created: NDArray[np.float64],
        visible: NDArray[np.bool_],
        seq: NDArray[np.int64],
        texts: Sequence[str],
        tags: Sequence[Sequence[str]],
        vectors: PostVectors | None = None,
        settings: PostSettings | None = None,
    ) -> NDArray[np.intp]:
        """Append posts (all new; `author` as user rows) and return their rows.

        An external id is None if it is the UUID.
        `vectors` are those of the posts; None leaves them zero. Without `settings`, everybody may see them.
        """
        rows = self._rows_of_new_posts(external_ids)
        if self.checksums is not None:
            self.checksums.add("posts", dict(zip(keys, rows.tolist(), strict=True)))
        self.reserve(self.n_users, self.n_posts)
        self.post_rows.add(key_array(keys), rows)
        ids = self.post_ids(rows)
        self.posts_by_external_id.set(
            keys, [given or id_ for given, id_ in zip(external_ids, ids, strict=True)]
        )
        self.created[rows], self.author[rows], self.seq[rows] = created, author, seq
        self.visible[rows] = visible
        self._changed(posts=True)
        self.topic[rows] = [self._topic(of_post) for of_post in tags]
        self.post_words.append(rows, texts, tags)
        if settings is not None:
            self.visibility.set_posts(rows, settings)
            self.groups.set_posts(rows, keys, settings, self.post_rows.get)
        if vectors is not None:
            self.set_text(rows, vectors.text)
            self.set_embeddings(rows, vectors.embedding)
        self._by_created.add(rows, created, self.seq)
        self._by_seq.add(rows, seq)
        self.post_counters.ensure_rows(self.n_posts)
        self.strong_counters.ensure_rows(self.n_posts)
        known = author >= 0
        self.posts_by_author.append(author[known].astype(np.intp), rows[known].astype(np.int32))
        if self.complete_from is not None:
            self._sort_posts_of(np.unique(author[known]))
        self.changed_posts.append(rows)
        return rows

    def _sort_posts_of(self, authors: NDArray[np.int32]) -> None:
        """Sort the posts of authors by time: posts come back that are not their newest."""
        for author in authors.tolist():
            (posts,) = self.posts_by_author.row(author)
            self.posts_by_author.replace(author, posts[np.lexsort((self.seq[posts], self.created[posts]))])

    def _rows_of_new_posts(self, external_ids: Sequence[str | None]) -> NDArray[np.intp]:
        """Rows for posts with these external ids: free ones first, then those after all others."""
        n_free = min(len(self.free_rows), len(external_ids))
        free = [self.free_rows.pop() for _ in range(n_free)]
        for row, external_id in zip(free, external_ids, strict=False):
            self.external_ids[row] = external_id
        rows = np.array([*free, *range(self.n_posts, self.n_posts + len(external_ids) - n_free)], np.intp)
        self.n_posts += len(external_ids) - n_free
        self.external_ids.extend(external_ids[n_free:])
        return rows

    def set_text(self, rows: NDArray[np.intp], vectors: NDArray[np.float32]) -> None:
        """Place the (n_rows, d) text vectors of posts; another d than before drops the vectors of all others."""
        if self.text.shape[1] != vectors.shape[1]:
            self.text = np.zeros((len(self.created), vectors.shape[1]), np.float32)
        self.text[rows] = vectors

    def set_embeddings(self, rows: NDArray[np.intp], vectors: NDArray[np.float16]) -> None:
        """As `set_text` for the (n_rows, k) projected embeddings of posts."""
        if self.embeddings.shape[1] != vectors.shape[1]:
            self.embeddings = np.zeros((len(self.created), vectors.shape[1]), np.float16)
        self.embeddings[rows] = vectors

    def record(self, events: EventColumns, counted: NDArray[np.bool_] | None = None) -> None:
        """Apply events, given with rows of this state and in order of time.

        `counted` (n_events,) marks those that count, if the caller knows it (`counted_events`); None applies the rule
        here.
        """
        if counted is None:
            counted = self.newly_counted(events)
        self.append_to_lists(self.count(events, counted))

    def count(self, events: EventColumns, counted: NDArray[np.bool_]) -> EventColumns:
        """As `record`, but lists stay as they are. Returns the events that count."""
        self.n_events += len(events)
        if not counted.all():
            events = events[np.flatnonzero(counted)]
        if not len(events):
            return events
        self._changed(posts=False)
        users, posts = events.user.astype(np.intp), events.post.astype(np.intp)
        weights = self.event_weights(users, events.kind, events.time)
        self.post_counters.add(posts, events.time, weights)
        strong = self.is_strong(events.kind)
        self.strong_counters.add(posts[strong], events.time[strong], weights[strong])
        author = self.author[posts]
        others = (author >= 0) & (author != users)  # comments on own posts do not count
        self.author_counters.add(author[others].astype(np.intp), events.time[others], weights[others])
        np.add.at(self.engagements, posts, 1)
        self.largest_engagement = max(self.largest_engagement, int(self.engagements[posts].max()))
        self.changed_posts.append(posts)
        np.maximum.at(self.last_engaged, posts, events.time)
        return events

    def append_to_lists(self, events: EventColumns) -> None:
        """Add events that count to the lists by user and by post, and to no counter."""
        users, posts = events.user.astype(np.intp), events.post.astype(np.intp)
        of_users = events.post, events.time, events.kind, events.received, events.seq
        append_in_order(self.events_by_user, users, *of_users, order_by=EVENT_ORDER)
        of_posts = events.user, events.time, events.kind
        append_in_order(self.users_by_post, posts, *of_posts, order_by=ENGAGEMENT_ORDER)
        self.cut_lists(users, posts)

    def cut_lists(
        self, users: NDArray[np.intp], posts: NDArray[np.intp], writing: Writing = nullcontext
    ) -> None:
        """Keep the newest entries of the lists of users and posts (see ListLimits), in short steps."""
        limits = self.limits
        users = lists_to_cut(self.events_by_user, users, limits.events_per_user)
        posts = lists_to_cut(self.users_by_post, posts, limits.users_per_post)
        lengths = self.events_by_user.lengths(users)
        self._reserve_cut(users, lengths)
        for step in slices_by_size(lengths):
            with writing():
                cut_events(self.events_by_user, self.earlier_events, users[step], limits.events_per_user)
        for step in slices_by_size(self.users_by_post.lengths(posts)):
            with writing():
                cut(self.users_by_post, posts[step], limits.users_per_post)

    def growing_arrays(self) -> list[tuple[object, str]]:
        """The owner and the name of each array whose rows grow (see RaggedArray.compacted)."""
        names = ("events_by_user", "earlier_events", "users_by_post", "posts_by_author", "follows")
        return [*((self, name) for name in names), (self.post_words, "words"), (self.post_words, "tags")]

    def event_counts(self, users: NDArray[np.intp]) -> NDArray[np.int64]:
        """(n_users,) how many events of each of `users` count."""
        counts = self.events_by_user.lengths(users) + self.earlier_events.lengths(users)
        return counts if self.omitted_events is None else counts + self.omitted_events[users]

    def event_count(self, user: int) -> int:
        """How many events of a user row count."""
        return self.event_counts(np.array([user])).item()

    def newly_counted(self, events: EventColumns, known: ReceivedEvents | None = None) -> NDArray[np.bool_]:
        """(n_events,) true for the events that count after those of this state (see `newly_counted_events`)."""
        if self.counting is None:
            return np.ones(len(events), np.bool_)
        return newly_counted_events(self.counting, events, self.author, self.events_by_user, known)

    def event_weights(
        self, users: NDArray[np.intp], kinds: NDArray[np.uint8], times: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(n_events,) what events add to decayed counts (see CountingRule.weights)."""
        if self.counting is None:
            return np.ones(len(kinds))
        return self.counting.weights(kinds, times, self.accounts_created[users])

    @property
    def weighs_new_accounts(self) -> bool:
        """True if what an event adds depends on the age of its user's account."""
        return self.counting is not None and self.counting.new_account_weight != 1.0

    def has_counted(self, user: int, post: int, seq: int) -> bool:
        """True if the event with this number in the log, of a user row with a post row, counts in this state."""
        posts, *_, seqs = self.events_by_user.row(user)
        return bool(((seqs == seq) & (posts == post)).any())

    def follow(
        self, follower: NDArray[np.intp], followee: NDArray[np.intp], writing: Writing = nullcontext
    ) -> None:
        """Add edges between user rows, in one step; an edge that is there is left alone."""
        edges, first = np.unique(follower * self.n_users + followee, return_index=True)
        who = follower[first]  # in order, as the edges are
        who = who[np.flatnonzero(np.diff(who, prepend=-1))]
        of, (known,) = self.follows.gather(who, int(self.follows.lengths(who).max(initial=0)))
        there = np.sort(who[of] * self.n_users + known)
        place = np.searchsorted(there, edges)
        new = np.append(there, -1)[place] != edges
        new = np.sort(first[new])
        follower, followee = follower[new], followee[new]
        self.follows.reserve(follower)
        with writing():
            self._changed(posts=False)
            self.follows.append(follower, followee.astype(np.int32))
            np.add.at(self.followers, followee, 1)

    def unfollow(self, follower: int, followee: int) -> None:
        """Remove an edge; none there is no error."""
        if followee in self.follows.row(follower)[0]:
            self._changed(posts=False)
            self.follows.discard(follower, followee)
            self.followers[followee] -= 1

    def update_post(
        self,
        key: bytes,
        *,
        external_id: str | None,
        author: int,
        created: float,
        visible: bool,
        text: str,
        tags: Sequence[str],
        settings: PostSettings,
    ) -> None:
        """Bring a known post up to date; `settings` are those of this one post."""
        row = self.post_rows[key]
        self._changed(posts=True)
        self.external_ids[row] = external_id
        self.posts_by_external_id.set([key], [external_id or self.post_id(row)])
        if author != self.author[row]:
            self.changed_posts.append(self._posts_of(int(self.author[row])))
            self.posts_by_author.move(row, int(self.author[row]), author)
            self.author[row] = author
        if created != self.created[row]:
            self.created[row] = created
            self._by_created.change(row, created, self.seq)
        self.changed_posts.append(np.array([row]))
        self.visible[row] = visible
        self.topic[row] = self._topic(tags)
        self.post_words.replace(row, text, tags)
        self.visibility.set_posts(np.array([row]), settings)
        self.groups.set_posts(np.array([row]), [key], settings, self.post_rows.get)

    def set_users(self, users: Sequence[User]) -> None:
        """Make these the settings, audiences and interests of users. Unknown users and authors are added."""
        keys = [user.id.bytes for user in users]
        self.add_users([*keys, *(author.bytes for user in users for author in user.authors)])
        self.users_by_external_id.set(keys, [user.external_id for user in users])
        for user in users:
            row = self.user_rows[user.id.bytes]
            if user.discoverable != self.visibility.discoverable[row]:
                self._changed(posts=True)  # concerns every other user
            self.visibility.set_user(row, user)
            self.interests.set_user(row, user.tags, [self.user_rows[one.bytes] for one in user.authors])

    def set_controls(
        self, user: bytes, controls: Sequence[Control], seq: int, writing: Writing = nullcontext
    ) -> None:
        """Make these the controls of a user (UUID bytes), unless later ones (by `seq`) are known.

        Adds the user and the authors if they are unknown.
        """
        authors = [control.author_id.bytes for control in controls if control.author_id is not None]
        self.add_users([user, *authors], writing)
        entries = [ControlEntry.of(control, self.user_rows) for control in controls]
        with writing():
            self.controls.replace(self.user_rows[user], seq, entries)

    def remove_posts(self, keys: Iterable[bytes], writing: Writing = nullcontext) -> None:
        """Hide posts from every feed, in one step; unknown ones are no error.

        Their rows and numbers stay, because events refer to them, and a view may show a post again.
        """
        keys = list(keys)
        rows = self.post_rows.rows(key_array(keys)).astype(np.intp)
        rows = rows[rows >= 0]
        by_created = self._by_created.without(rows)
        with writing():
            for key in keys:
                self.posts_by_external_id.remove(key)
            self._hide(rows, by_created)

    def restore_post(self, key: bytes, row: int) -> None:
        """Know a post again that was removed. An update follows, which makes it visible."""
        self.post_rows.add(key_array([key]), np.array([row]))
        self._by_created.add(np.array([row]), self.created[row : row + 1], self.seq)
        authors = self.author[[row]]
        authors = authors[authors >= 0]
        self.posts_by_author.append(authors.astype(np.intp), np.full(len(authors), row, np.int32))
        self._sort_posts_of(authors)
        if self.checksums is not None:
            self.checksums.add("posts", {key: row})

    def forget_posts(self, rows: NDArray[np.intp], writing: Writing = nullcontext) -> None:
        """Make the posts `rows` unknown, in short steps. Their contents, and the lists of authors, stay."""
        by_created, by_seq = self._by_created.without(rows), self._by_seq.without(rows)
        with writing():
            self._by_created, self._by_seq = by_created, by_seq
            self.visible[rows] = False
            self.changed_posts.append(rows)
            self._changed(posts=True)
        for some in slices(rows.tolist(), _FORGOTTEN_POSTS_PER_STEP):
            with writing():
                self._forget_keys(np.array(some, np.intp))

    def _forget_keys(self, rows: NDArray[np.intp]) -> None:
        """Forget the keys of the posts `rows`; another post with the key has another row."""
        known = np.unique(rows[self.post_rows.rows(self.post_rows.by_row[rows]) == rows])
        keys = self.post_rows.by_row[known]
        self.post_rows.remove(keys)
        if self.checksums is not None and len(known):
            self.checksums.by_kind["posts"].assign(dict(zip(keys.tolist(), known.tolist(), strict=True)), 0)

    def _hide(self, rows: NDArray[np.intp], by_created: SortedRows) -> None:
        """Make the posts `rows` unknown; `by_created` has the others."""
        self._by_created = by_created
        self.visible[rows] = False
        for row, author in zip(rows.tolist(), self.author[rows].tolist(), strict=True):
            if author >= 0:
                self.posts_by_author.discard(author, row)
        self._forget_keys(rows)
        if len(rows):
            self.changed_posts.append(rows)
            self._changed(posts=True)

    def clear_posts(self, rows: NDArray[np.intp]) -> None:
        """Give the arrays by post the values of a row without a post."""
        self.post_rows.by_row[rows] = NO_KEY
        for row in rows.tolist():
            self.external_ids[row] = None
        for name, fill in _POST_ARRAYS.items():
            getattr(self, name)[rows] = fill
        self.author[rows] = self.topic[rows] = -1
        self.text[rows] = 0
        self.embeddings[rows] = 0
        self.visibility.clear_posts(rows)
        self.groups.clear_posts(rows)

    def remove_impressions(self, user: int) -> None:
        """Remove the impressions of a user row. Cached responses of the user are no longer valid."""
        self.impressions.remove(user)
        self.controls.changes[user] += 1

    def remove_user(self, key: bytes) -> None:
        """Remove the key, the follows, the controls and the settings of a user, who is unknown from now on.

        Their events and posts are removed before, as far as they are.
        """
        row = self.user_rows.pop(key)
        self.users_by_external_id.remove(key)
        if row is not None:
            (followees,) = self.follows.row(row)
            self._changed(posts=False)
            self.followers[followees] -= 1
            self.follows.replace(row, followees[:0])
            self.remove_impressions(row)
            self.controls.replace(row, self.controls.seq_of(row), ())
            # posts that stay are not shown to more people
            discoverable = bool(self.visibility.discoverable[row])
            self.visibility.set_user(row, User(UUID(bytes=key), "removed", discoverable=discoverable))
            self.interests.set_user(row, (), ())
            self.accounts_created[row] = -np.inf
            self.user_rows.by_row[row] = NO_KEY
            if self.checksums is not None:
                self.checksums.remove(USER_KINDS, key, row)

    def rows_of_seq(self, seq: NDArray[np.int64]) -> NDArray[np.intp]:
        """Rows of the posts with these numbers; unknown numbers are skipped."""
        order, known = self._by_seq.rows, self._by_seq.values
        place = np.searchsorted(known, seq, side="right") - 1  # of a post that came back, the later row
        there = place >= 0
        there[there] = known[place[there]] == seq[there]
        return order[place[there]]

    def seen_posts(self, user: int, kinds: frozenset[int] | None = None) -> NDArray[np.int32]:
        """Rows of the posts with an event of a user (-1: unknown), of some kinds; a post may occur twice."""
        if user < 0:
            return np.empty(0, np.int32)
        posts, _, kind, *_ = self.events_by_user.row(user)
        if self.earlier_events.length(user):
            earlier_posts, earlier_kind = self.earlier_events.row(user)
            posts, kind = np.concatenate([posts, earlier_posts]), np.concatenate([kind, earlier_kind])
        if kinds is None:
            return posts
        counts = np.zeros(256, np.bool_)
        counts[list(kinds)] = True
        seen: NDArray[np.int32] = posts[counts[kind]]
        return seen

    def _posts_of(self, author: int) -> NDArray[np.intp]:
        """Rows of the posts of an author, none of the author -1."""
        return self.posts_by_author.row(author)[0].astype(np.intp) if author >= 0 else np.empty(0, np.intp)

    def _topic(self, tags: Sequence[str]) -> int:
        """The number of the first tag, -1 without tags."""
        if not tags:
            return -1
        topic = self.topic_ids.setdefault(tags[0], len(self.topic_ids))
        if topic == len(self.topic_names):
            self.topic_names.append(tags[0])
        return topic


def _longer(vectors: NDArray[Any], rows: int) -> NDArray[Any]:
    """The vectors of posts, with zeros for further rows, so many in all."""
    longer = np.zeros((rows, vectors.shape[1]), vectors.dtype)
    longer[: len(vectors)] = vectors
    return longer
