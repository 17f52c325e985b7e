"""A simple model of a feed: who may see which post. It looks at one post after the other."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

POST_ACTIONS = ("hide_post", "not_interested", "report_post")
AUTHOR_ACTIONS = ("mute_author", "block_author")


@dataclass
class ModelPost:
    """A post in the database.

    words     its text
    audience  of a post with the visibility "members"
    root      the first post of its thread; None for a first post
    """

    author: str | None
    created: datetime
    tags: tuple[str, ...]
    words: tuple[str, ...]
    visibility: str = "public"
    audience: str | None = None
    language: str | None = None
    sensitive: bool = False
    root: str | None = None
    visible: bool = True


@dataclass
class ModelUser:
    """The settings of a user in the database, and the audiences that they are in."""

    discoverable: bool = True
    show_sensitive: bool = False
    languages: tuple[str, ...] = ()
    audiences: set[str] = field(default_factory=set)


@dataclass
class FeedModel:
    """What users did, by their names and those of posts.

    events    (user, post) -> number of events by type
    controls  (user, action, target) -> time at which it ends, or None
    """

    users: dict[str, ModelUser]
    posts: dict[str, ModelPost] = field(default_factory=dict)
    events: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    controls: dict[tuple[str, str, str], datetime | None] = field(default_factory=dict)
    follows: set[tuple[str, str]] = field(default_factory=set)

    def remove_post(self, name: str) -> None:
        """With its events, as the foreign keys do."""
        del self.posts[name]
        self.events = {pair: kinds for pair, kinds in self.events.items() if pair[1] != name}

    def may_read(self, user: str, name: str) -> bool:
        """Whether a post exists for a user. One that is not in their feed may still exist, such as a hidden one."""
        post = self.posts.get(name)
        if post is None:
            return False
        follows = (user, post.author) in self.follows
        is_member = post.audience in self.users[user].audiences
        rules = {"public": True, "followers": follows, "members": is_member}
        return post.author == user or rules[post.visibility]

    def threads(self, names: Iterable[str]) -> Counter[str]:
        """How many of the posts each thread has, by its first post."""
        return Counter(self.posts[name].root or name for name in names)

    def has_seen(self, user: str, post: str) -> bool:
        return bool(self.events.get((user, post), Counter()).total())

    def holds(self, user: str, action: str, target: str, now: datetime) -> bool:
        key = user, action, target
        until = self.controls.get(key)
        return key in self.controls and (until is None or now < until)

    def eligible(
        self,
        user: str,
        now: datetime,
        *,
        mode: str = "ranked",
        exclude_seen: bool = True,
        created_until: datetime | None = None,
    ) -> set[str]:
        """Names of the posts that a feed of the user may show."""
        rules: list[Callable[[str, ModelPost], bool]] = [
            lambda name, post: (
                post.visible and post.created <= (created_until or now) and post.created <= now
            ),
            lambda name, post: post.author != user,
            lambda name, post: not (exclude_seen and self.has_seen(user, name)),
            lambda name, post: mode != "following" or (user, post.author) in self.follows,
            lambda name, post: self.may_read(user, name) and self._suits(user, post),
            lambda name, post: not any(self.holds(user, action, name, now) for action in POST_ACTIONS),
            lambda name, post: not any(self.holds(user, "mute_tag", tag, now) for tag in post.tags),
            lambda name, post: not any(self.holds(user, "mute_word", word, now) for word in post.words),
            lambda name, post: post.author is None or not self._are_apart(user, post.author, now),
        ]
        return {name for name, post in self.posts.items() if all(allows(name, post) for allows in rules)}

    def _suits(self, user: str, post: ModelPost) -> bool:
        """By the settings of the user and of the author."""
        reader = self.users[user]
        found = (
            post.author is None or self.users[post.author].discoverable or (user, post.author) in self.follows
        )
        understood = post.language is None or not reader.languages or post.language in reader.languages
        return found and understood and (reader.show_sensitive or not post.sensitive)

    def _are_apart(self, user: str, author: str, now: datetime) -> bool:
        """True if the user mutes the author, or if one of them blocks the other."""
        return any(self.holds(user, action, author, now) for action in AUTHOR_ACTIONS) or self.holds(
            author, "block_author", user, now
        )
