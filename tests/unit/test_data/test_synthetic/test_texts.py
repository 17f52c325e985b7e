"""The texts of a generated feed: whole sentences about the topic, in the language of the author."""

import re
from collections import defaultdict

import numpy as np
import orjson
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from app.domain.feed.dataset import FeedDataset
from data.synthetic.behaviour import COMMENT
from data.synthetic.texts import LANGUAGES, Phrases, phrases
from tests.support.feeds import generated

WORD = re.compile(r"[\w-]+")


@pytest.fixture(scope="module")
def feed() -> FeedDataset:
    return generated(users=600, posts=3000, interactions=10_000)


def known_words(known: Phrases) -> set[str]:
    """All words that texts of one language can contain."""
    subtopics = [subtopic for topic in known.topics for subtopic in topic]
    texts = [
        *known.when,
        *known.posts,
        *known.closings,
        *known.comments,
        *known.comments_on_things,
        *known.replies,
    ]
    texts += [text for subtopic in subtopics for text in (*subtopic.things, *subtopic.facts)]
    return {word for text in texts for word in WORD.findall(text)}


CITIES = {city for language in LANGUAGES for city in phrases(language).cities}
WORDS = {language: known_words(phrases(language)) | CITIES | {"in"} for language in LANGUAGES}


def languages(text: str) -> set[str]:
    """The languages that contain all words of a text."""
    return {language for language in LANGUAGES if WORDS[language].issuperset(WORD.findall(text))}


def comments(feed: FeedDataset) -> dict[int, str]:
    """The text of each comment, by row of the event."""
    rows = np.flatnonzero(feed.events.kind == COMMENT).tolist()
    assert feed.events.metadata is not None
    return {row: orjson.loads(feed.events.metadata[row])["text"] for row in rows}


def test_each_text_is_whole_sentences_of_known_words(feed: FeedDataset) -> None:
    texts = [*feed.posts.text, *comments(feed).values()]

    assert all(re.match(r"[A-ZÄÖÜ].*[.?!]$", text) and not re.search(r"[{}]|  ", text) for text in texts)
    assert all(languages(text) for text in texts)


def test_a_user_writes_in_one_language_and_a_minority_in_german(feed: FeedDataset) -> None:
    possible = defaultdict(lambda: set(LANGUAGES))
    for author, text in zip(feed.posts.author.tolist(), feed.posts.text, strict=True):
        possible[author] &= languages(text)
    for row, text in comments(feed).items():
        possible[int(feed.events.user[row])] &= languages(text)

    german = [language == {"de"} for language in possible.values()]
    assert all(len(language) == 1 for language in possible.values())
    assert 0.08 < np.mean(german) < 0.35


def test_most_posts_are_distinct(feed: FeedDataset) -> None:
    assert len(set(feed.posts.text)) > 0.9 * len(feed.posts)


def test_the_words_of_a_post_give_its_topic(feed: FeedDataset) -> None:
    """The nearest mean of TF-IDF vectors, fitted on the first half of the posts."""
    half = len(feed.posts) // 2
    topics = np.array([tags[0] for tags in feed.posts.tags])
    vectors = (
        TfidfVectorizer(sublinear_tf=True).fit(feed.posts.text[:half]).transform(feed.posts.text).toarray()
    )
    names = np.unique(topics)
    means = np.stack([vectors[:half][topics[:half] == name].mean(axis=0) for name in names])

    found = names[
        np.argmax(vectors[half:] @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T, axis=1)
    ]

    assert len(names) > 5
    assert np.mean(found == topics[half:]) >= 0.9


def test_comments_are_about_the_topic_of_the_post(feed: FeedDataset) -> None:
    """A comment mentions a thing or a fact of the post's topic, or suits posts of any topic."""
    topics = {topic[0].tags[0]: number for number, topic in enumerate(phrases("en").topics)}
    for row, text in comments(feed).items():
        topic = topics[feed.posts.tags[feed.events.post[row]][0]]
        known = [phrases(language) for language in LANGUAGES]
        subtopics = [subtopic for words in known for subtopic in words.topics[topic]]
        about = [part for subtopic in subtopics for part in (*subtopic.things, *subtopic.facts)]
        assert any(part in text for part in about) or text in {
            one for words in known for one in words.comments
        }


def test_usernames_are_distinct_first_and_last_names_of_the_language(feed: FeedDataset) -> None:
    names = feed.users.username
    assert names is not None

    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+_[a-z]+(_\d+)?", name or "") for name in names)


def test_both_languages_have_the_same_subtopics_and_as_many_phrases() -> None:
    english, german = (phrases(language) for language in LANGUAGES)
    pairs = [
        pair
        for topics in zip(english.topics, german.topics, strict=True)
        for pair in zip(*topics, strict=True)
    ]

    assert len(pairs) >= 20
    for one, other in pairs:
        assert one.tags == other.tags
        assert (len(set(one.things)), len(set(one.facts))) == (len(set(other.things)), len(set(other.facts)))
