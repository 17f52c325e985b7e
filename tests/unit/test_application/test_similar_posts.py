"""Posts with similar texts, of those that the viewer may see."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import UnknownPost
from app.domain.feed.live_posts import LivePostLimits
from app.domain.ranking.similar_posts import MAX_PART, most_similar_first
from tests.support.small_service import SmallService, names

WORDS = [f"word{number}" for number in range(120)]


def a_service(posts: int = 150, live_posts: LivePostLimits | None = None) -> SmallService:
    """Posts of random words, so that the model has a text space."""
    service = SmallService(live_posts=live_posts or LivePostLimits())
    service.add_users("reader", "ann", "ben", "cay")
    random = np.random.default_rng(4)
    for number in range(posts):
        content = " ".join(random.choice(WORDS, 12))
        service.add_post(
            f"p{number}", ("ann", "ben")[number % 2], age=number * timedelta(hours=1), content=content
        )
    service.catch_up()
    service.publish()
    return service


def similar(service: SmallService, post: str, user: str | None = "reader", limit: int = 10) -> list[str]:
    return names(service.use_cases.similar_posts(post, user, limit))


def exact_neighbours(service: SmallService, post: str, limit: int) -> list[str]:
    """By the vectors of all posts, one post at a time."""
    state = service.feed.state
    row = state.post_rows[service.feed.post_id(post).bytes]
    cosines = {
        other: float(state.text[other] @ state.text[row]) for other in range(state.n_posts) if other != row
    }
    best = sorted(
        (other for other, cosine in cosines.items() if cosine > 0), key=lambda other: -cosines[other]
    )
    return [str(state.external_ids[other]) for other in best[:limit]]


@pytest.mark.parametrize("limit", [1, 10, 100])
def test_the_most_similar_posts_are_the_exact_neighbours(limit: int) -> None:
    service = a_service()

    found = service.use_cases.similar_posts("p3", "reader", limit)

    assert names(found) == exact_neighbours(service, "p3", limit)
    assert found.scores == sorted(found.scores, reverse=True)
    assert all(0 < score <= 1 for score in found.scores)


def test_posts_that_the_viewer_may_not_or_does_not_want_to_see_are_passed_over() -> None:
    service = a_service()
    first = exact_neighbours(service, "p3", 149)
    text = service.tables.posts[service.feed.post_id("p3")].content
    for name, settings in (
        ("for members", {"visibility": "members", "audience_id": "club"}),
        ("sensitive", {"sensitive": True}),
        ("in french", {"language": "fr"}),
        ("invisible", {"visible": False}),
        ("tomorrow", {"age": -timedelta(days=1)}),
    ):
        service.add_post(name, "ann", content=text, **settings)
    service.add_post("by cay", "cay", content=text)
    service.add_post("repost", "ann", content=text, repost_of=service.feed.post_id("p3"))
    service.add_post("own", "reader", content=text)
    service.add_users("reader", languages=("en",))
    service.catch_up()
    service.feedback("cay", "block_author", "reader")
    service.feedback("reader", "hide_post", first[0])
    service.track("reader", first[1], "like")

    assert similar(service, "p3", limit=100) == first[1:101]
    assert similar(service, "p3", None, limit=2) == [
        "in french",
        "by cay",
    ]  # equal texts, in order of arrival


def test_a_post_that_the_viewer_may_not_see_is_unknown() -> None:
    service = a_service()
    service.add_post("for members", "ann", content="word1 word2", visibility="members", audience_id="club")
    service.add_post("own", "reader", content="word1 word2", visibility="followers")
    service.catch_up()
    service.feedback("reader", "hide_post", "p5")

    for post, user in (
        ("for members", "reader"),
        ("for members", None),
        ("p5", "reader"),
        ("no-such-post", "reader"),
    ):
        with pytest.raises(UnknownPost) as raised:
            similar(service, post, user)
        assert str(raised.value) == post
    assert similar(service, "own")
    assert similar(service, "p5", "ben")


def test_a_post_that_is_not_live_has_similar_live_posts() -> None:
    service = a_service(live_posts=LivePostLimits(newest=100, strongest=0, engaged_days=0))
    expected = [name for name in exact_neighbours(service, "p140", 149) if int(name[1:]) < 100]
    service.evict()

    assert similar(service, "p140") == expected[:10]

    service.feedback("reader", "mute_author", "ann")
    with pytest.raises(UnknownPost):
        similar(service, "p140")


def test_without_a_model_no_post_is_similar() -> None:
    service = SmallService()
    service.add_post("p0", content="word1")
    service.catch_up()

    assert similar(service, "p0") == []


@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 0.5, 1.0]), max_size=60), st.integers(1, 20))
def test_the_parts_of_a_search_are_all_positive_rows_in_order(values: list[float], first: int) -> None:
    parts = list(most_similar_first(np.array(values, np.float32), first))

    rows = [row for part in parts for row in part.tolist()]
    assert rows == sorted(
        (row for row, value in enumerate(values) if value > 0), key=lambda row: (-values[row], row)
    )
    assert all(0 < len(part) <= MAX_PART for part in parts)
