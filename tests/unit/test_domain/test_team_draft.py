"""Team-draft interleaving: fair teams, each post once, and the same draft on every replica."""

from uuid import UUID

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.domain.experiments.team_draft import (
    CONTROL_TEAM,
    NO_TEAM,
    VARIANT_TEAM,
    Draft,
    draft_key,
    team_draft,
)

RANKING = st.lists(st.integers(0, 30), unique=True, max_size=25)
KEY = st.binary(max_size=16)


def posts(draft: Draft, control: list[int], variant: list[int]) -> list[int]:
    pairs = zip(draft.is_variants.tolist(), draft.positions.tolist(), strict=True)
    return [(variant if is_variants else control)[position] for is_variants, position in pairs]


@given(control=RANKING, variant=RANKING, places=st.integers(0, 40), key=KEY)
def test_a_draft_has_each_post_of_both_rankings_once(
    control: list[int], variant: list[int], places: int, key: bytes
) -> None:
    found = posts(team_draft(control, variant, places, key), control, variant)

    assert len(found) == len(set(found)) == min(places, len({*control, *variant}))
    assert set(found) <= {*control, *variant}


@given(control=RANKING, variant=RANKING, places=st.integers(0, 40), key=KEY)
def test_the_teams_have_equally_many_places_in_every_first_part_of_a_draft(
    control: list[int], variant: list[int], places: int, key: bytes
) -> None:
    teams = team_draft(control, variant, places, key).teams

    lead = np.cumsum((teams == VARIANT_TEAM).astype(int) - (teams == CONTROL_TEAM))
    assert (np.abs(lead) <= 1).all()


@given(control=RANKING, variant=RANKING, places=st.integers(0, 40), key=KEY)
def test_each_team_drafts_the_best_post_that_is_left(
    control: list[int], variant: list[int], places: int, key: bytes
) -> None:
    draft = team_draft(control, variant, places, key)

    found, rankings = posts(draft, control, variant), {CONTROL_TEAM: control, VARIANT_TEAM: variant}
    for place, team in enumerate(draft.teams.tolist()):
        if team != NO_TEAM:
            left = [post for post in rankings[team] if post not in found[:place]]
            assert found[place] == left[0]


def test_after_the_end_of_a_ranking_the_rest_of_the_other_one_has_no_team() -> None:
    draft = team_draft([1], [1, 2, 3, 4], 10, b"")

    assert sorted(posts(draft, [1], [1, 2, 3, 4])) == [1, 2, 3, 4]
    assert draft.teams.tolist().count(CONTROL_TEAM) == 1
    assert draft.teams.tolist().count(VARIANT_TEAM) <= 2
    assert draft.teams[-1] == NO_TEAM


@given(ranking=RANKING, user=st.uuids(), started=st.integers(-(2**50), 2**50), shown=st.integers(0, 2000))
def test_a_draft_depends_on_the_salt_the_list_and_the_page_alone(
    ranking: list[int], user: UUID, started: int, shown: int
) -> None:
    first, again = (
        team_draft(ranking, ranking[::-1], 20, draft_key("salt", user, started, shown)) for _ in range(2)
    )

    assert first.teams.tolist() == again.teams.tolist()
    assert first.positions.tolist() == again.positions.tolist()


def test_the_order_of_the_teams_differs_between_pages_and_is_balanced() -> None:
    ranking = list(range(20))
    firsts = [
        team_draft(ranking, ranking, 20, draft_key("salt", UUID(int=user), 0, shown)).teams.item(0)
        for user in range(200)
        for shown in range(0, 100, 20)
    ]

    assert 440 < sum(firsts) < 560


def test_what_a_draft_draws_stays_the_same_in_later_versions() -> None:
    key = draft_key("2026 order", UUID(int=7), 1_764_547_200_000_000, 20)

    assert team_draft(range(12), range(12), 12, key).teams.tolist() == [1, 0, 1, 0, 0, 1, 1, 0, 1, 0, 1, 0]
