"""training.experiment plan and report over PostgreSQL, as a person or a program calls them."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine

from app.infrastructure.database.connection import create_feed_engine
from training import experiment

TODAY = datetime(2026, 12, 22, 9, tzinfo=UTC)
FILE = """
[[experiment]]
name = "order"
salt = "first"
start = 2026-12-01T00:00:00Z
end = 2026-12-29T00:00:00Z
primary_metric = "like"
guardrails = ["hide_post"]

[[experiment.variant]]
name = "control"
share = 0.5

[[experiment.variant]]
name = "other"
share = 0.5
ranking = { exploration_share = 0.1 }
"""
# Users 1 to 1200 were shown a page on one of ten days and liked something before. Those with an even number have the
# variant `other` and like more.
FILLED = """
INSERT INTO users (id, external_id, created_at)
SELECT uuid_of(n), 'u' || n, '2026-01-01' FROM generate_series(0, 1200) AS n;
INSERT INTO posts (id, external_id, author_id, content, created_at)
VALUES (uuid_of(9999), 'post', uuid_of(0), 'a post', '2026-01-02');
SELECT feed_impression_partition(day::date) FROM generate_series('2026-11-20'::date, '2026-12-21', '1 day') AS day;
INSERT INTO user_interaction (user_id, post_id, interaction_type, occurred_at, created_at)
SELECT uuid_of(n), uuid_of(9999), 'like', '2026-11-30 10:00Z', '2026-11-30 10:00Z'
FROM generate_series(1, 1200) AS n, generate_series(1, n %% 4) AS times;
INSERT INTO impression (user_id, time, request_id, mode, posts, sources, variants)
SELECT uuid_of(n), '2026-12-01 09:00Z'::timestamptz + n / 2 %% 10 * interval '1 day', 'r', 'ranked', '{1,2,3,4}',
    'tttt', CASE WHEN n <= 1200 THEN jsonb_build_object('order', CASE n %% 2 WHEN 0 THEN 'other' ELSE 'control' END) END
FROM generate_series(1, 1200) AS n;
INSERT INTO user_interaction (user_id, post_id, interaction_type, occurred_at, created_at)
SELECT uuid_of(n), uuid_of(9999), 'like',
    '2026-12-01 12:00Z'::timestamptz + (n / 2 %% 10 + late.days) * interval '1 day', now()
FROM generate_series(1, 1200) AS n, (VALUES (0), (6), (7)) AS late (days),
    generate_series(1, n %% 4 + n %% 3 + CASE n %% 2 WHEN 0 THEN 3 ELSE 0 END) AS times;
"""
UUID_OF = "CREATE FUNCTION uuid_of(n integer) RETURNS uuid LANGUAGE sql RETURN lpad(to_hex(n), 32, '0')::uuid"


@pytest.fixture
def file(own_database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file of experiments of a service with an empty database."""
    path = tmp_path / "experiments.toml"
    path.write_text(FILE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", own_database_url)
    monkeypatch.setenv("EXPERIMENTS_FILE", str(path))
    monkeypatch.setenv("FEED_NOW", TODAY.isoformat())
    return path


@pytest.fixture
def engine(file: Path, own_database_url: str) -> Engine:
    engine = create_feed_engine(own_database_url, connect_seconds=10)
    with engine.begin() as connection:
        connection.exec_driver_sql(UUID_OF)
        for statement in FILLED.split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement, ())
    return engine


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert experiment.main(arguments) == 0
    return capsys.readouterr().out


def test_a_report_compares_the_variants_in_the_windows_of_their_users(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    found: dict[str, Any] = json.loads(printed(capsys, "report", "order", "--json"))
    engine.dispose()

    numbers = np.arange(1, 1201)
    # of three days with likes, the last is after the window
    likes = 2 * (numbers % 4 + numbers % 3 + 3 * (numbers % 2 == 0))
    means = [likes[numbers % 2 == odd].mean() for odd in (1, 0)]
    assert found["users"] == found["complete_users"] == {"control": 600, "other": 600}
    [primary] = found["primary"]
    # the adjustment for what users did before leaves the mean of all users
    assert primary["control"] + primary["other"] == pytest.approx(sum(means), abs=1e-6)
    assert primary["verdict"] == "better than the control"
    assert [one["control"] for one in found["guardrails"]] == [0.0, 0.0]
    assert (found["mixed_users"], found["lost_users"]) == (0, False)


def test_a_report_and_a_plan_can_be_read(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    report = printed(capsys, "report", "order")
    plan = printed(capsys, "plan", "order", "--effect", "10")
    engine.dispose()

    assert "control 600 (600), other 600 (600)" in report
    assert "better than the control" in report
    assert plan.startswith("like per user in 7 days: ")
    assert "write planned_users = " in plan


def test_a_report_names_what_was_stopped_and_why(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO experiment_stop VALUES ('order', 'first', 'other', 'hide_post', 'the figures', "
            "'2026-12-12 10:00Z'), ('order', 'a salt of before', 'other', 'hide_post', 'old', '2026-12-01')"
        )

    report = printed(capsys, "report", "order")
    found = json.loads(printed(capsys, "report", "order", "--json"))
    engine.dispose()

    assert "other was stopped at 2026-12-12 10:00 UTC, and its figures are those of that time" in report
    assert "    the figures\n" in report
    assert [one["reason"] for one in found["stops"]] == ["the figures"]


@pytest.mark.parametrize("command", ["report", "plan"])
def test_an_empty_database_is_no_traceback(
    file: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert file.exists()
    code = experiment.main([command, "order"])

    captured = capsys.readouterr()
    if command == "report":
        assert (code, "each variant needs 200 users" in " ".join(captured.out.split())) == (0, True)
    else:
        assert (code, captured.err.count("\n")) == (2, 1)
        assert "plan once there are some" in captured.err


def test_a_name_that_is_not_in_the_file_is_one_line_with_those_that_are(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert experiment.main(["report", "another"]) == 2
    assert (
        capsys.readouterr().err == f"training.experiment: {file}: has no experiment 'another'; it has order\n"
    )

    monkeypatch.delenv("EXPERIMENTS_FILE")
    assert experiment.main(["report", "order"]) == 2
    assert "EXPERIMENTS_FILE: is not set" in capsys.readouterr().err


def test_users_with_several_variants_are_in_no_figure(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO experiment_user_day SELECT user_id, experiment, 'control', day + 1, metric, count "
            "FROM experiment_user_day WHERE user_id = uuid_of(2) AND metric = 'page'"
        )
    engine.dispose()

    found = json.loads(printed(capsys, "report", "order", "--json"))

    assert (found["users"], found["mixed_users"]) == ({"control": 600, "other": 599}, 1)


INTERLEAVING = """
[[experiment]]
name = "trends"
kind = "interleaving"
salt = "third"
start = 2026-12-01T00:00:00Z
end = 2026-12-15T00:00:00Z
primary_metric = "like"
window_days = 3
[[experiment.variant]]
name = "control"
[[experiment.variant]]
name = "shorter"
ranking = { trending_half_life_hours = 6.0 }
"""
# Users 1 to 300 have two pages of three posts a day after the other, and like the first post of the control and the
# second one of the variant; each second user likes that of the variant again after the window.
INTERLEAVED = """
INSERT INTO posts (id, external_id, author_id, content, created_at)
SELECT uuid_of(9000 + n), 'drafted ' || n, uuid_of(0), 'a post', '2026-01-02' FROM generate_series(1, 3) AS n;
INSERT INTO impression (user_id, time, request_id, mode, posts, sources, variants, team)
SELECT uuid_of(n), '2026-12-02 09:00Z'::timestamptz + day * interval '1 day', 'page ' || day, 'ranked',
    (SELECT array_agg(seq ORDER BY external_id) FROM posts WHERE external_id LIKE 'drafted %%'), 'ttt',
    '{"trends": "interleaved"}', '{0,1,-1}' FROM generate_series(1, 300) AS n, generate_series(0, 1) AS day;
INSERT INTO user_interaction (user_id, post_id, interaction_type, occurred_at, created_at, request_id)
SELECT uuid_of(n), uuid_of(9000 + post), kind, '2026-12-02 10:00Z'::timestamptz + day * interval '1 day', now(), page
FROM generate_series(1, 300) AS n, (VALUES
    (1, 0, 'page 0', 'like', 1), (2, 0, 'page 0', 'like', 1), (2, 1, 'page 1', 'like', 1), (2, 1, 'page 1', 'view', 1),
    (3, 1, 'page 1', 'like', 1), (2, 1, NULL, 'like', 1), (2, 3, 'page 1', 'like', 2)
) AS did (post, day, page, kind, users) WHERE n %% users = 0;
"""


def test_a_report_of_an_interleaving_joins_events_with_the_places_of_their_page(
    engine: Engine, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(FILE + INTERLEAVING)
    with engine.begin() as connection:
        for statement in filter(str.strip, INTERLEAVED.split(";\n")):
            connection.exec_driver_sql(statement, ())
    engine.dispose()

    found = json.loads(printed(capsys, "report", "trends", "--json"))
    report = printed(capsys, "report", "trends")

    assert (found["users"], found["complete_users"], found["pages"]) == (300, 300, 600)
    assert (found["control_events"], found["variant_events"], found["preference"]) == (300, 600, 1.0)
    assert "like: 600 with posts of shorter, 300 with posts of control, difference per user +1.000" in report
    assert report.endswith("    users prefer shorter\n")

    monkeypatch.setenv("IMPRESSION_DAYS", "15")
    assert experiment.main(["report", "trends", "--json"]) == 0
    captured = capsys.readouterr()
    assert "users whose first page is older than 2026-12-07 are in no figure" in captured.err
    assert json.loads(captured.out)["users"] == 0


def test_an_interleaving_has_no_plan(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(INTERLEAVING)

    assert experiment.main(["plan", "trends"]) == 2
    assert "'trends' is an interleaving, for which there is no plan" in capsys.readouterr().err


def with_metric(file: Path, sql: str) -> None:
    """Add a metric of the team to the experiment."""
    metric = f'[[experiment.metric]]\nname = "depth"\nsql = """{sql}"""\n'
    file.write_text(FILE + metric)


def test_a_metric_of_the_team_is_compared_in_the_windows_of_the_users(
    engine: Engine, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_metric(
        file,
        "SELECT user_id, occurred_at::date AS day, count(*) AS value FROM user_interaction "
        "WHERE interaction_type LIKE 'lik%' GROUP BY 1, 2",
    )

    found = json.loads(printed(capsys, "report", "order", "--json"))
    report = printed(capsys, "report", "order")
    engine.dispose()

    [own], [primary] = found["own_metrics"], found["primary"]
    assert (own["metric"], own["verdict"], own["outcome"]) == ("depth", "higher than the control", "unknown")
    # the same events as the primary metric counts; the adjustment leaves the mean of all users
    assert own["control"] + own["other"] == pytest.approx(primary["control"] + primary["other"])
    assert "depth per user in 7 days: other " in report


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("SELECT id AS user_id, created_at AS day FROM users", 'column "value" does not exist'),
        (
            "SELECT id AS user_id, '2026-12-10' AS day, 'NaN'::float8 AS value FROM users",
            "is no finite number",
        ),
        (
            "WITH gone AS (DELETE FROM users RETURNING id) SELECT id, now(), 1 FROM gone",
            "WITH clause containing",
        ),
        ("SELECT nextval('a'), 1, 2", "relation"),
    ],
)
def test_a_query_that_cannot_be_used_is_one_line_with_the_metric(
    file: Path, engine: Engine, sql: str, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with_metric(file, sql)
    engine.dispose()

    assert experiment.main(["report", "order"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("training.experiment: experiment 'order': metric 'depth': ")
    assert (problem in error, error.count("\n")) == (True, 1)


def test_a_report_draws_the_effects(
    engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.dispose()
    plot = tmp_path / "effects.svg"
    printed(capsys, "report", "order", "--plot", str(plot))

    assert plot.read_text().count("<svg") == 1
    with pytest.raises(SystemExit, match="2"):
        experiment.main(["report", "order", "--plot", "effects.txt"])
    assert experiment.main(["report", "order", "--plot", str(tmp_path / "missing" / "effects.svg")]) == 2
    assert capsys.readouterr().err.count("\n") == 2


def test_an_export_has_the_exposures_and_the_counts(
    engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.dispose()
    folder = tmp_path / "export"
    assert printed(capsys, "export", "order", "--output", str(folder)).startswith(
        f"{folder}: 1,200 exposures and "
    )

    exposures = pq.read_table(folder / "exposures.parquet").to_pylist()
    counts = pq.read_table(folder / "counts.parquet").to_pylist()
    assert len(exposures) == 1200
    assert exposures[0] == {
        "user_id": "00000000-0000-0000-0000-000000000001",
        "variant": "control",
        "first_day": date(2026, 12, 1),
        "pages": 1,
    }
    assert {one["metric"] for one in counts} == {"page", "post", "like"}
    assert experiment.main(["export", "order", "--output", str(folder)]) == 2
    assert "has an export; use another folder" in capsys.readouterr().err


def test_an_export_of_nobody_writes_nothing(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert file.exists()
    assert experiment.main(["export", "order", "--output", str(tmp_path / "export")]) == 2
    assert "no user was shown a page of 'order'" in capsys.readouterr().err
    assert list((tmp_path / "export").iterdir()) == []
