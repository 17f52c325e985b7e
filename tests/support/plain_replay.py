"""The protocol of the evaluation once more, event by event in plain Python: slow, and independent of the replay."""

import math
from collections import defaultdict
from dataclasses import dataclass
from uuid import UUID

from app.domain.feed.dataset import FeedDataset

HOUR, DAY = 3600.0, 86_400.0
WEIGHTS = (1, 2, 5, 7, 10)


@dataclass(frozen=True)
class Event:
    user: int
    post: int
    kind: int
    time: float


class PlainReplay:
    """Implements docs/evaluation-protocol.md over lists of events."""

    def __init__(
        self, history: FeedDataset, targets: frozenset[int], test_from: float, refit_every: float = DAY
    ):
        columns = history.events
        self.events = [
            Event(int(u), int(p), int(k), float(t))
            for u, p, k, t in zip(columns.user, columns.post, columns.kind, columns.time, strict=True)
        ]
        self.author = [int(a) for a in history.posts.author]
        self.exists = [float(t) for t in history.posts.created]
        for event in self.events:
            self.exists[event.post] = min(self.exists[event.post], event.time)
        self.targets, self.test_from, self.refit_every = targets, test_from, refit_every
        self.history = history

    def requests(self) -> list[int]:
        """Rows of the test part's requests."""
        seen, found = set(), []
        for row, event in enumerate(self.events):
            if event.kind not in self.targets or (event.user, event.post) in seen:
                continue
            seen.add((event.user, event.post))
            if (
                event.time >= self.test_from
                and self.author[event.post] != event.user
                and self.exists[event.post] < event.time
            ):
                found.append(row)
        return found

    def eligible(self, user: int, now: float) -> list[int]:
        """Posts that may be ranked for a user strictly before `now` is over."""
        chosen = {e.post for e in self.before(now) if e.user == user and e.kind in self.targets}
        return [
            post
            for post, since in enumerate(self.exists)
            if since < now
            and self.author[post] != user
            and post not in chosen
            and not self.hidden(user, post, now)
        ]

    def hidden(self, user: int, post: int, now: float) -> bool:
        """Whether a control that was set strictly before `now`, and has not ended, hides a post from a user."""
        posts, users = self.history.posts, self.history.users.key
        viewer = UUID(bytes=users[user].tobytes())
        author = UUID(bytes=users[self.author[post]].tobytes()) if self.author[post] >= 0 else None
        return any(
            (
                viewer == control.user_id
                and (
                    control.post_id == UUID(bytes=posts.key[post].tobytes())
                    or (control.author_id is not None and control.author_id == author)
                    or control.tag in posts.tags[post]
                    or (control.word is not None and control.word in posts.text[post])
                )
            )
            or (control.action == "block_author" and (control.user_id, control.author_id) == (author, viewer))
            for control in self.history.controls
            if control.created_at is not None
            and control.created_at.timestamp() < now
            and (control.until is None or now < control.until.timestamp())
        )

    def before(self, now: float) -> list[Event]:
        return [event for event in self.events if event.time < now]

    def scores(self, ranker: str, user: int, now: float) -> dict[int, float]:
        """Each existing post's score by one of the simple rankers; `tied`: equal users end its neighbours."""
        self.tied = False
        posts = [post for post, since in enumerate(self.exists) if since < now]
        past = self.before(now)
        n = defaultdict(int)
        for event in past:
            n[event.post] += 1
        if ranker == "random":
            return dict.fromkeys(posts, 0.0)
        if ranker == "newest":
            return {post: self.exists[post] for post in posts}
        if ranker == "popular":
            return {post: float(n[post]) for post in posts}
        if ranker.startswith("trending_"):
            half_life = {"1h": HOUR, "6h": 6 * HOUR, "1d": DAY, "3d": 3 * DAY, "7d": 7 * DAY}[ranker[9:]]
            decayed = defaultdict(float)
            for event in past:
                decayed[event.post] += 0.5 ** ((now - event.time) / half_life)
            return {post: decayed[post] for post in posts}
        if ranker == "hn_hot":
            return {
                post: max(n[post] - 1, 0) / ((now - self.exists[post]) / HOUR + 2) ** 1.8 for post in posts
            }
        if ranker == "owner_formula":
            return self._owner_formula(posts, n, user, now)
        return self._knn(posts, user, now, *{"owner_knn": (10, None), "decayed_knn": (200, DAY)}[ranker])

    def _owner_formula(self, posts, n, user, now):
        knn = self._knn(posts, user, now, 10, None)
        if max(knn.values(), default=0.0) <= 0:
            return self.scores("trending_7d", user, now)
        top, most = max(knn.values()), max(n.values())
        return {
            post: 0.7 * knn[post] / top
            + 0.2 * n[post] / most
            + 0.1 * math.exp(-(now - self.exists[post]) / HOUR / 24)
            for post in posts
        }

    def _knn(self, posts, user, now, k, half_life):
        refit = self.test_from + math.floor((now - self.test_from) / self.refit_every) * self.refit_every

        def rows(until, reference):
            found = defaultdict(lambda: defaultdict(float))
            for e in self.before(until):
                fade = 1.0 if half_life is None else 0.5 ** ((reference - e.time) / half_life)
                found[e.user][e.post] += WEIGHTS[e.kind] * fade
            return found

        trained, own = rows(refit, refit), rows(now, now)[user]
        columns = {post for row in trained.values() for post in row}
        own = {post: weight for post, weight in own.items() if post in columns}
        length = math.sqrt(sum(w * w for w in own.values()))
        similar = []
        for other, row in trained.items():
            if other == user or not length:
                continue
            product = sum(own.get(post, 0.0) * weight for post, weight in row.items())
            if product > 0:
                similar.append((product / length / math.sqrt(sum(w * w for w in row.values())), other))
        similar.sort(reverse=True)
        self.tied = len(similar) > k and math.isclose(similar[k - 1][0], similar[k][0], rel_tol=1e-9)
        score = dict.fromkeys(posts, 0.0)
        for similarity, other in similar[:k]:
            for post, weight in trained[other].items():
                score[post] += similarity * weight
        return score
