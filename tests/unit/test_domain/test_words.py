"""Words and tags as users mute them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.feed.post_words import PostWords
from app.domain.words import normal_phrase, normal_tag, split_words, tag_codes, word_codes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't panic, ANNA!", ["don", "t", "panic", "anna"]),
        ("Straße #Köln co-op", ["strasse", "köln", "co", "op"]),
        ("\ufb01ne \uff11\uff12", ["fine", "12"]),
        ("東京タワー today", [*"東京タワー", "today"]),
        ("pizza🍕🍕", ["pizza", "🍕", "🍕"]),
        ("हिन्दी में।", ["हिन्दी", "में"]),
        ("?! \t\n", []),
    ],
)
def test_a_text_has_whole_words_and_single_characters_of_scripts_without_spaces(
    text: str, words: list[str]
) -> None:
    assert split_words(text) == words


@pytest.mark.parametrize("tag", ["Art", "#art", " # ART", "\uff41\uff52\uff54"])
def test_spelling_of_a_tag_does_not_matter(tag: str) -> None:
    assert normal_tag(tag) == "art"


@given(st.text())
def test_a_phrase_in_normal_form_has_the_same_words(text: str) -> None:
    assert split_words(normal_phrase(text)) == split_words(text)


WORD = st.sampled_from(["a", "b", "ab", "京"])


@given(
    st.lists(st.lists(WORD, max_size=6), min_size=1, max_size=8),
    st.lists(st.lists(WORD, min_size=1, max_size=3)),
)
def test_a_post_has_a_phrase_if_its_words_follow_each_other_in_the_text(
    texts: list[list[str]], phrases: list[list[str]]
) -> None:
    posts = PostWords()
    posts.append(np.arange(len(texts)), [" ".join(text) for text in texts], [()] * len(texts))
    rows = np.arange(len(texts))[::-1]

    found = posts.with_any_phrase(rows, [word_codes(" ".join(phrase)) for phrase in phrases])

    def has(text: list[str], phrase: list[str]) -> bool:
        return any(text[i : i + len(phrase)] == phrase for i in range(len(text)))

    assert found.tolist() == [any(has(texts[row], phrase) for phrase in phrases) for row in rows]


def test_a_post_has_any_of_its_tags_and_none_of_those_it_lost() -> None:
    posts = PostWords()
    posts.append(np.arange(2), ["", ""], [("Art", "music"), ()])
    posts.replace(0, "", ("sport",))
    posts.replace(1, "", ("news", "Art"))

    assert posts.with_any_tag(np.arange(2), tag_codes(("art",))).tolist() == [False, True]
