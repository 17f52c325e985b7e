"""Writes the names, posts and comments of a synthetic feed: whole sentences about a topic, in English or German.

The phrases are in `phrases/en.toml` and `phrases/de.toml`. Each community has a sub-topic of its topic and a city. Each
user writes in the language of their first community.
"""

import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import orjson
from numpy.typing import NDArray

from app.domain.feed.dataset import EventColumns
from data.synthetic.behaviour import COMMENT
from data.synthetic.population import GERMAN, People, Posts

T = TypeVar("T")
LANGUAGES: Final = ("en", "de")
"""The languages of texts, as BCP 47 tags."""
_FOLDER: Final = Path(__file__).with_name("phrases")
_GERMAN_SHARE: Final = 0.2  # of the communities
_SUBTOPIC_TAG_SHARE: Final = 0.5
_CLOSING_SHARE: Final = 0.35
_FACTS_OF_POST: Final = (0, 1, 1, 1, 2, 2, 3)  # each with the same probability
_TRANSLITERATION: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


@dataclass(frozen=True, slots=True)
class Subtopic:
    """What posts about a sub-topic mention: noun phrases (`things`) and whole sentences (`facts`)."""

    tags: tuple[str, str]  # topic, sub-topic
    things: list[str]
    facts: list[str]


@dataclass(frozen=True, slots=True)
class Phrases:
    """The phrases of one language. `topics` lists the sub-topics of each topic, in one order for all languages."""

    when: list[str]
    cities: list[str]
    first_names: list[str]
    last_names: list[str]
    posts: list[str]
    closings: list[str]
    comments: list[str]
    comments_on_things: list[str]
    replies: list[str]
    topics: list[list[Subtopic]]


@cache
def phrases(language: str) -> Phrases:
    """The phrases of one of LANGUAGES."""
    content: dict[str, Any] = tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
    topics = [
        [Subtopic((topic, name), **texts) for name, texts in subtopics.items()]
        for topic, subtopics in content.pop("topics").items()
    ]
    return Phrases(**content, topics=topics)


class Writer:
    """Writes for the users of one feed; the same state of `rng` gives the same texts.

    language_of  (n_users,) positions in LANGUAGES
    """

    def __init__(self, rng: np.random.Generator, people: People, posts: Posts) -> None:
        self._rng, self._people, self._posts = rng, people, posts
        self._phrases = [phrases(language) for language in LANGUAGES]
        is_german = _are_german(people)
        self.language_of = is_german[people.communities[:, 0]].astype(np.int64)
        cities = [self._phrases[code].cities for code in is_german.astype(int).tolist()]
        self._cities = [
            _pick(names, u) for names, u in zip(cities, rng.random(len(cities)).tolist(), strict=True)
        ]

    def usernames(self) -> list[str]:
        """A first and a last name of the language of each user, as one handle; all differ."""
        taken: Counter[str] = Counter()
        names = []
        for code, (first, last) in zip(
            self.language_of.tolist(), self._draws(len(self.language_of), 2), strict=True
        ):
            known = self._phrases[code]
            name = f"{_pick(known.first_names, first)}_{_pick(known.last_names, last)}".lower()
            name = name.translate(_TRANSLITERATION)
            taken[name] += 1
            names.append(name if taken[name] == 1 else f"{name}_{taken[name]}")
        return names

    def post_texts(self, is_reply: NDArray[np.bool_]) -> list[str]:
        """A text for each post: a sentence about a thing, up to three facts, and maybe a closing sentence.

        A reply, by the mask (n_posts,), has the text of a comment about its sub-topic.
        """
        languages = self.language_of[self._posts.author].tolist()
        communities = self._posts.community.tolist()
        return [
            self._comment(code, community, (0.3 + 0.7 * draws[0], *draws[1:3]))
            if reply
            else self._post(code, community, draws)
            for code, community, draws, reply in zip(
                languages, communities, self._draws(len(languages), 7), is_reply.tolist(), strict=True
            )
        ]

    def _post(self, code: int, community: int, draws: Sequence[float]) -> str:
        known, subtopic = self._phrases[code], self._subtopic(code, community)
        start = int(draws[3] * len(subtopic.facts))
        facts = (2 * subtopic.facts)[start : start + _pick(_FACTS_OF_POST, draws[4])]
        sentence = _pick(known.posts, draws[0]).format(
            thing=_pick(subtopic.things, draws[1]),
            when=_pick(known.when, draws[2]),
            place=f"in {self._cities[community]}",
        )
        closing = [_pick(known.closings, draws[5])] if draws[6] < _CLOSING_SHARE else []
        return " ".join([sentence, *facts, *closing])

    def post_tags(self) -> list[tuple[str, ...]]:
        """The topic of each post, and the sub-topic of about half of them."""
        has_subtopic = self._rng.random(len(self._posts.author)) < _SUBTOPIC_TAG_SHARE
        return [
            self._subtopic(0, community).tags[: 1 + both]
            for community, both in zip(self._posts.community.tolist(), has_subtopic.tolist(), strict=True)
        ]

    def metadata(self, events: EventColumns) -> NDArray[np.object_] | None:
        """(n_events,) JSON objects as text: `text` of each comment; None if there is no comment."""
        comments = np.flatnonzero(events.kind == COMMENT)
        if not len(comments):
            return None
        languages = self.language_of[events.user[comments]].tolist()
        communities = self._posts.community[events.post[comments]].tolist()
        texts = np.full(len(events), "{}", np.object_)
        texts[comments] = [
            orjson.dumps({"text": self._comment(code, community, draws)}).decode()
            for code, community, draws in zip(
                languages, communities, self._draws(len(comments), 3), strict=True
            )
        ]
        return texts

    def _comment(self, code: int, community: int, draws: Sequence[float]) -> str:
        """A sentence that suits any post, one about a thing of the sub-topic, or a fact of it."""
        known, subtopic = self._phrases[code], self._subtopic(code, community)
        kind, opening, detail = draws
        if kind < 0.3:
            return _pick(known.comments, opening)
        if kind < 0.65:
            return _pick(known.comments_on_things, opening).format(thing=_pick(subtopic.things, detail))
        return f"{_pick(known.replies, opening)} {_pick(subtopic.facts, detail)}"

    def _subtopic(self, code: int, community: int) -> Subtopic:
        topics = self._phrases[code].topics
        number = int(self._people.subject_of[community])
        subtopics = topics[number % len(topics)]
        return subtopics[number // len(topics) % len(subtopics)]

    def _draws(self, rows: int, columns: int) -> list[list[float]]:
        draws: list[list[float]] = self._rng.random((rows, columns)).tolist()
        return draws


def _are_german(people: People) -> NDArray[np.bool_]:
    """(n_communities,) a fifth of the communities, those of the German region first."""
    elsewhere = people.region_of != GERMAN
    chosen = np.argsort(elsewhere, kind="stable")[: max(1, round(_GERMAN_SHARE * len(elsewhere)))]
    return np.isin(np.arange(len(elsewhere)), chosen)


def _pick(options: Sequence[T], uniform: float) -> T:
    return options[int(uniform * len(options))]
