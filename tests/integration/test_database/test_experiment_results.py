"""Guardrails over PostgreSQL: what users do is counted, a reader stops a variant, and every replica obeys."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from app.application.workers.experiment_reader import ExperimentReader
from app.domain.entities import Impression, Reason
from app.domain.entities.interaction import Interaction
from app.domain.experiments.experiment import Experiment
from app.domain.experiments.read_out import read_out
from app.domain.experiments.stop import Stop
from app.domain.experiments.user_counts import DaySum, PlaceCount
from app.domain.ids import post_uuid, user_uuid
from app.infrastructure.database.experiment_counts import SqlExperimentCounts
from app.infrastructure.database.experiment_credits import SqlExperimentCredits
from app.infrastructure.database.experiment_results import SqlExperimentResults
from app.infrastructure.database.impression_repository_impl import SqlImpressionRepository
from app.infrastructure.database.interaction_repository_impl import SqlInteractionRepository
from tests.support.experiments import FakeExperiments, an_experiment, experiment_data
from tests.support.fake_use_cases import FixedClock
from tests.support.small_service import SmallService, in_memory_storage, service_with_posts
from tests.support.storage_under_test import SqlTables, a_post, a_user

START = datetime(2026, 12, 1, tzinfo=UTC)
TODAY = START + timedelta(days=2, hours=3)
EXPERIMENT = replace(an_experiment(), guardrails=("hide_post", "degraded_page"), planned_users=2000)
# 1200 users were shown ten pages of ten posts on the first day. Those of `other` hide more.
FILLED = """
INSERT INTO experiment_user_day (user_id, experiment, variant, day, metric, count)
SELECT md5(n::text)::uuid, 'order', CASE n %% 2 WHEN 0 THEN 'other' ELSE 'control' END, '2026-12-01', metric, count
FROM generate_series(1, 1200) AS n, LATERAL (VALUES
    ('page', 10), ('post', 100), ('hide_post', n / 2 %% 3 + CASE n %% 2 WHEN 0 THEN 1 ELSE 0 END)
) AS m (metric, count)
WHERE count > 0
"""


def a_replica(results: SqlExperimentResults, experiment: Experiment) -> SmallService:
    tables = service_with_posts().tables
    storage = replace(in_memory_storage(tables), experiment_results=results)
    service = SmallService(tables=tables, storage=storage, experiments=FakeExperiments([experiment]))
    service.catch_up()
    service.publish()
    service.check_experiments()
    return service


def user_of(variant: str) -> str:
    wanted = EXPERIMENT.running_variant(variant)
    return next(name for name in map(str, range(100)) if EXPERIMENT.variant_of(user_uuid(name)) == wanted)


def test_a_variant_with_a_worse_guardrail_is_stopped_on_every_replica_and_after_a_restart(
    engine: Engine, tables: SqlTables
) -> None:
    tables.run(FILLED)
    results = SqlExperimentResults(engine, budget_seconds=20)
    replicas = [a_replica(results, EXPERIMENT) for _ in range(2)]
    user = user_of("other")
    assert [one.page(user, limit=1).variants for one in replicas] == [{"order": "other"}] * 2

    counts = SqlExperimentCounts(engine, budget_seconds=20)
    reader = ExperimentReader(
        lambda: [EXPERIMENT], counts, SqlExperimentCredits(engine), results, FixedClock(TODAY), 3600
    )
    reader.run()
    for one in replicas:
        one.check_experiments()

    restarted = a_replica(results, EXPERIMENT)
    for one in (*replicas, restarted):
        assert one.page(user, limit=2).variants == {}
        assert one.page(user_of("control"), limit=2).variants == {"order": "control"}
    [stop] = results.stops()
    assert (stop.variant, stop.metric, stop.stopped_at) == ("other", "hide_post", TODAY)
    assert "hide_post per 1,000 posts in the first day: other 20.0" in stop.reason
    begun_again = a_replica(results, replace(EXPERIMENT, salt="another"))
    assert {"control", "other"} == {
        begun_again.page(str(number), limit=1).variants["order"] for number in range(20)
    }


def test_a_stop_is_stored_once_for_each_salt(engine: Engine) -> None:
    results = SqlExperimentResults(engine, budget_seconds=20)
    stop = Stop("order", "first", "other", "hide_post", "figures", TODAY)

    assert results.add_stop(stop)
    assert not results.add_stop(replace(stop, reason="later figures"))
    assert results.add_stop(replace(stop, salt="second"))
    assert [(one.salt, one.reason) for one in results.stops()] == [
        ("first", "figures"),
        ("second", "figures"),
    ]


def test_a_read_out_is_stored_in_place_of_the_one_before(engine: Engine) -> None:
    results = SqlExperimentResults(engine, budget_seconds=20)
    results.begin_read_out("order", 60)
    assert results.read_outs() == []
    for now in (TODAY, TODAY + timedelta(hours=1)):
        results.save_read_out(read_out(an_experiment(), experiment_data(), now.date()), now)

    [stored] = results.read_outs()

    assert (stored.experiment, stored.read_at) == ("order", TODAY + timedelta(hours=1))
    assert sum(stored.content["users"].values()) == 8000


def test_places_and_reasons_count_what_was_shown_and_the_events_there(
    engine: Engine, tables: SqlTables
) -> None:
    tables.add_users(*map(a_user, ("anna", "bert", "cay")))
    tables.add_posts(*(a_post(name, "bert", at=START - timedelta(days=9)) for name in ("first", "second")))
    impressions = SqlImpressionRepository(engine, budget_seconds=20)
    for user, variant in (("anna", "other"), ("cay", "control")):
        impressions.save(
            [
                Impression(
                    f"page of {user}", user_uuid(user), TODAY, "ranked", "v1", [2, 1],
                    [Reason.TRENDING, Reason.RECENT], variants={"order": variant},
                )
            ]
        )  # fmt: skip
    events = SqlInteractionRepository(engine, budget_seconds=20)
    for kind, request_id in (("like", "page of anna"), ("view", "page of anna"), ("share", None)):
        events.record(
            [Interaction(user_uuid("anna"), post_uuid("second"), kind, TODAY, request_id=request_id)]
        )

    data = SqlExperimentCounts(engine, budget_seconds=20).read(EXPERIMENT, TODAY)

    assert data.places == [
        PlaceCount("control", 1, "trending", 1, 0),
        PlaceCount("control", 2, "recent", 1, 0),
        PlaceCount("other", 1, "trending", 1, 1),
        PlaceCount("other", 2, "recent", 1, 0),
    ]
    assert data.sums == [DaySum(TODAY.date(), "other", 1, 1)]
    assert SqlExperimentCounts(engine, budget_seconds=20).read(
        EXPERIMENT, TODAY + timedelta(days=8)
    ).places == []  # fmt: skip


def test_one_replica_reads_an_experiment_out_in_an_interval(engine: Engine, tables: SqlTables) -> None:
    replicas = [SqlExperimentResults(engine, budget_seconds=20) for _ in range(2)]

    assert [one.begin_read_out("order", 60) for one in replicas] == [True, False]
    assert replicas[1].begin_read_out("second", 60)
    tables.run("UPDATE experiment_report SET begun_at = begun_at - interval '61 seconds'")
    assert [one.begin_read_out("order", 60) for one in replicas] == [True, False]
