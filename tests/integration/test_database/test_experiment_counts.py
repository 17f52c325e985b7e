"""The table experiment_user_day: what users of an experiment were shown and did, counted where it is stored."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from app.domain.entities import Impression, Reason
from app.domain.entities.control import Control
from app.domain.entities.interaction import Interaction, InteractionType
from app.domain.entities.model_record import ModelRecord
from app.domain.experiments.experiment import Experiment
from app.domain.experiments.probation import probation_config, probation_of
from app.domain.ids import post_uuid, user_uuid
from app.infrastructure.database.control_repository_impl import SqlControlRepository
from app.infrastructure.database.experiment_counts import SqlExperimentCounts
from app.infrastructure.database.impression_repository_impl import EXPERIMENT_DAYS, SqlImpressionRepository
from app.infrastructure.database.interaction_repository_impl import SqlInteractionRepository
from tests.support.storage_under_test import SqlTables, a_post, a_user

TODAY = datetime.now(UTC).replace(hour=12)
DAY = timedelta(days=1)
OTHER = {"order": "other"}
Counts = dict[tuple[str, str, int, str], int]


@pytest.fixture(autouse=True)
def feed(tables: SqlTables) -> None:
    tables.add_users(a_user("anna"), a_user("bert"))
    tables.add_posts(*(a_post(name, "bert", at=TODAY - 100 * DAY) for name in ("first", "second")))


def show(
    engine: Engine,
    user: str,
    variants: Mapping[str, str],
    *,
    days_ago: int = 0,
    posts: int = 2,
    **fields: Any,
) -> None:
    page = Impression(
        "r", user_uuid(user), TODAY - days_ago * DAY, "ranked", "v1", list(range(1, posts + 1)),
        [Reason.RECENT] * posts, variants=variants, **fields,
    )  # fmt: skip
    SqlImpressionRepository(engine, budget_seconds=20).save([page])


def track(engine: Engine, user: str, kind: InteractionType = "like", *, days_ago: int = 0) -> None:
    event = Interaction(user_uuid(user), post_uuid("first"), kind, TODAY - days_ago * DAY)
    SqlInteractionRepository(engine, budget_seconds=20).record([event])


def counts(engine: Engine, user: str = "anna") -> Counts:
    """By experiment, variant, days ago and metric; what happens after midnight counts as of TODAY."""
    query = (
        "SELECT experiment, variant, greatest(%s - day, 0), metric, count "
        "FROM experiment_user_day WHERE user_id = %s"
    )
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(query, (TODAY.date(), str(user_uuid(user)))).all()
    return {(experiment, variant, days, metric): count for experiment, variant, days, metric, count in rows}


def test_pages_and_their_posts_are_counted_by_user_variant_and_day(engine: Engine) -> None:
    show(engine, "anna", OTHER, days_ago=1)
    show(engine, "anna", {**OTHER, "second": "control"}, posts=3)
    show(engine, "anna", OTHER)
    show(engine, "bert", {})

    assert counts(engine) == {
        ("order", "other", 1, "page"): 1,
        ("order", "other", 1, "post"): 2,
        ("order", "other", 0, "page"): 2,
        ("order", "other", 0, "post"): 5,
        ("second", "control", 0, "page"): 1,
        ("second", "control", 0, "post"): 3,
    }
    assert counts(engine, "bert") == {}


def test_pages_that_are_degraded_or_slow_or_on_which_the_variant_failed_are_counted(engine: Engine) -> None:
    show(engine, "anna", OTHER, degraded=True, slow=True)
    show(engine, "anna", OTHER, slow=True)
    show(engine, "anna", OTHER)
    show(engine, "anna", {}, failed_variants={**OTHER, "second": "control"})

    assert counts(engine) == {
        ("order", "other", 0, "page"): 4,
        ("order", "other", 0, "post"): 8,
        ("order", "other", 0, "degraded_page"): 2,
        ("order", "other", 0, "slow_page"): 2,
        ("second", "control", 0, "page"): 1,
        ("second", "control", 0, "post"): 2,
        ("second", "control", 0, "degraded_page"): 1,
    }


def test_events_and_controls_count_from_the_first_page_on(engine: Engine) -> None:
    track(engine, "anna", days_ago=3)
    show(engine, "anna", OTHER, days_ago=2)
    track(engine, "anna", days_ago=3)  # it arrives later
    track(engine, "anna", days_ago=1)
    track(engine, "anna", "share", days_ago=1)
    track(engine, "anna", "share", days_ago=1)
    controls = SqlControlRepository(engine, budget_seconds=20)
    hide = Control(user_uuid("anna"), "hide_post", post_id=post_uuid("first"))
    controls.record(hide, undo=False, event_id=None)
    track(engine, "bert")

    found = {key[2:]: count for key, count in counts(engine).items() if key[3] not in ("page", "post")}

    assert found == {(1, "like"): 1, (1, "share"): 2, (0, "hide_post"): 1}
    assert counts(engine, "bert") == {}


def test_what_a_user_does_before_the_first_page_is_stored_counts_once(engine: Engine) -> None:
    controls = SqlControlRepository(engine, budget_seconds=20)
    hide = Control(user_uuid("anna"), "hide_post", post_id=post_uuid("first"))
    track(engine, "anna", days_ago=3)
    for _ in range(2):
        track(engine, "anna", days_ago=1)
    track(engine, "anna", "share", days_ago=1)
    controls.record(hide, undo=False, event_id=None)
    controls.record(hide, undo=True, event_id=None)
    track(engine, "bert")

    for days_ago in (2, 0, 2):
        show(engine, "anna", OTHER, days_ago=days_ago)
    track(engine, "anna", days_ago=1)

    found = {key[2:]: count for key, count in counts(engine).items() if key[3] != "post"}
    assert found == {(2, "page"): 2, (0, "page"): 1, (1, "like"): 3, (1, "share"): 1, (0, "hide_post"): 1}
    assert counts(engine, "bert") == {}


def test_first_pages_that_are_stored_at_the_same_time_count_an_event_once(engine: Engine) -> None:
    track(engine, "anna")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: show(engine, "anna", OTHER, days_ago=1), range(8)))

    assert counts(engine)[("order", "other", 1, "page")] == 8
    assert counts(engine)[("order", "other", 0, "like")] == 1


def test_events_after_ninety_days_do_not_count(engine: Engine, tables: SqlTables) -> None:
    show(engine, "anna", OTHER)
    tables.run("UPDATE experiment_user_day SET day = day - 90")

    track(engine, "anna")

    assert "like" not in {key[3] for key in counts(engine)}


def test_an_event_that_is_not_committed_is_not_counted(engine: Engine) -> None:
    show(engine, "anna", OTHER)
    with engine.connect() as connection:
        connection.exec_driver_sql(
            "INSERT INTO user_interaction (user_id, post_id, interaction_type) VALUES (%s, %s, 'like')",
            (str(user_uuid("anna")), str(post_uuid("first"))),
        )
        connection.rollback()

    assert "like" not in {key[3] for key in counts(engine)}


def test_concurrent_events_of_the_same_users_are_all_counted(engine: Engine) -> None:
    for user in ("anna", "bert"):
        show(engine, user, OTHER)
    repository = SqlInteractionRepository(engine, budget_seconds=20)
    events = [Interaction(user_uuid(user), post_uuid("first"), "view", TODAY) for user in ("anna", "bert")]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(repository.record, [events, events[::-1]] * 10))

    assert counts(engine)[("order", "other", 0, "view")] == 20
    assert counts(engine, "bert")[("order", "other", 0, "view")] == 20


def test_counts_of_deleted_users_and_of_years_ago_are_removed(engine: Engine, tables: SqlTables) -> None:
    for user in ("anna", "bert"):
        show(engine, user, OTHER)
    tables.run(
        f"UPDATE experiment_user_day SET day = day - {EXPERIMENT_DAYS + 1} WHERE user_id = %s",
        str(user_uuid("bert")),
    )
    SqlImpressionRepository(engine, budget_seconds=20).maintain(30)
    tables.run("DELETE FROM {users} WHERE external_id = 'anna'")

    assert counts(engine) == counts(engine, "bert") == {}


def a_probation(version: str = "v7") -> Experiment:
    until = probation_config("v6", TODAY + timedelta(hours=4), ["like", "share"])
    record = ModelRecord(version, "m.pkl", TODAY.isoformat(), "active", "7" * 64, 1, {}, {"probation": until})
    probation = probation_of(record)
    assert probation is not None
    return probation


def test_what_users_of_a_probation_chose_is_read_by_variant(engine: Engine) -> None:
    show(engine, "anna", {"probation-v7": "new"})
    show(engine, "bert", {"probation-v7": "old"}, posts=3)
    for kind in ("like", "like", "share", "click"):
        track(engine, "bert", kind)

    found = SqlExperimentCounts(engine, budget_seconds=20).of_probation(a_probation(), ["like", "share"])

    by_variant = dict(zip(found.variants.tolist(), zip(found.posts, found.choices, strict=True), strict=True))
    assert by_variant == {"new": (2, 0), "old": (3, 3)}


def test_an_event_counts_for_the_newest_probation_of_the_user_alone(engine: Engine) -> None:
    show(engine, "anna", {"probation-v9": "old", **OTHER})
    show(engine, "anna", {"probation-v10": "new"})
    track(engine, "anna")
    controls = SqlControlRepository(engine, budget_seconds=20)
    hide = Control(user_uuid("anna"), "hide_post", post_id=post_uuid("first"))
    controls.record(hide, undo=False, event_id=None)

    found = {key[:2]: count for key, count in counts(engine).items() if key[3] in ("like", "hide_post")}

    assert found == {("order", "other"): 1, ("probation-v10", "new"): 1}


def test_events_two_days_after_the_pages_of_a_probation_do_not_count(
    engine: Engine, tables: SqlTables
) -> None:
    show(engine, "anna", {"probation-v7": "new"})
    tables.run("UPDATE experiment_user_day SET day = day - 2")

    track(engine, "anna")

    assert "like" not in {key[3] for key in counts(engine)}


def test_counts_of_probations_are_kept_for_two_weeks(engine: Engine, tables: SqlTables) -> None:
    show(engine, "anna", {"probation-v7": "new", **OTHER})
    tables.run("UPDATE experiment_user_day SET day = day - 15")

    SqlImpressionRepository(engine, budget_seconds=20).maintain(30)

    assert {key[0] for key in counts(engine)} == {"order"}
