"""The benchmarks run from end to end; what they measure is nobody's test."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from app.infrastructure.database.embedded import CHECKOUT
from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.signing import model_keys
from tests.support.registries import publish

SMALL = {
    "users": 200,
    "posts": 600,
    "interactions": 20_000,  # as few as let a blend be learned: it is published whatever the feed of the hour
    "learn-from": 400,
    "connections": 3,
    "rounds": 1,
    "archive-posts": "300,500",
    "events-per-second": 30,
    "posts-per-second": 20,
}
SHORT = {"seconds": 0.3, "rankings": 10, "time-limit": 550}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_benchmark_measures_a_small_feed_from_loading_to_ranking() -> None:
    words = [word for name, value in (SMALL | SHORT).items() for word in (f"--{name}", str(value))]

    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.serving", "--json", *words],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["source"] == "personalized"
    assert all(0 < ratio < 5 for ratio in figures["ratios"].values())
    uncached = {"uncached", "uncached, 300 old posts", "uncached, 500 old posts"}
    live = {f"{one}, {arrivals}" for one in uncached for arrivals in ("30 events/s", "20 posts/s")}
    [loads] = figures["rounds"]
    assert {"uncached, formula", "as shipped, 100 users", "constant"} | uncached | live <= set(loads)
    for name, load in loads.items():
        assert load["requests"] >= 3
        assert load["cpu_ms_per_request"] > 0
        assert (load["arrived"] > 0) == (name in live)
    assert {"learned", "formula", "formula, an event before each", "formula, a post before each"} <= set(
        figures["ranking"]
    )
    for name in ("training_seconds", "start_to_first_answer_seconds", "load_seconds"):
        assert figures[name] > 0


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_small_scenario_is_generated_replayed_and_compared() -> None:
    size = ["--users", "150", "--posts", "400", "--interactions", "8000", "--max-requests", "100"]

    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "benchmarks.worlds",
            "--worlds",
            "popularity",
            "--lives",
            "3",
            "--json",
            *size,
        ],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    [row] = json.loads(done.stdout)
    assert (row["world"], row["life_hours"], row["requests"]) == ("popularity", 3.0, 100)
    best = row["ndcg@10"][row["best"]]
    assert row["learned/best"]["gain"] == pytest.approx(row["ndcg@10"]["learned"] / best - 1)


@pytest.mark.parametrize(
    "words",
    [
        ["serving", "--users", "0"],
        ["serving", "--seconds", "-1"],
        ["serving", "--rounds", "x"],
        ["serving", "--archive-posts", "0"],
        ["serving", "--events-per-second", "1,-1"],
        ["serving", "--no-such"],
        ["worlds", "--worlds", "taste,utopia"],
        ["worlds", "--lives", "0"],
    ],
)
def test_a_bad_size_is_one_line_and_exit_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    command = import_module(f"benchmarks.{words[0]}")

    with pytest.raises(SystemExit) as left:
        command.main(words[1:])

    output = capsys.readouterr()
    assert (left.value.code, output.out, output.err.count("\n")) == (2, "", 1)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_service_follows_events_of_another_program_at_a_low_rate() -> None:
    size = ["--users", "50", "--posts", "40", "--interactions", "500"]

    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.ingest", "--json", "--rates", "1000", "--minutes", "0.1", *size],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    [figures] = json.loads(done.stdout)
    assert figures["stored_per_second"] > 0
    assert 0 < figures["lag_p50"] <= figures["lag_max"] < 60


@pytest.mark.parametrize("name", ["ranking", "manipulation"])
def test_without_a_model_or_a_database_a_benchmark_of_the_model_is_one_line_and_exit_2(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = import_module(f"benchmarks.{name}")
    monkeypatch.setenv("MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("KEYS_DIR", str(tmp_path / "keys"))
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")

    assert command.main([]) == 2
    without_model = capsys.readouterr()
    registry = FileModelRegistry(tmp_path / "models", model_keys(None, [], tmp_path / "keys", signs=True))
    publish(registry)
    monkeypatch.setattr(command.ServedModel, "from_artifact", lambda _: None)
    assert command.main([]) == 2
    without_database = capsys.readouterr()

    assert without_model.err.startswith(f"benchmarks.{name}: no model is active; run")
    assert without_database.err.startswith(f"benchmarks.{name}: the database at 127.0.0.1:1 is not available")
    assert [one.err.count("\n") for one in (without_model, without_database)] == [1, 1]
