"""The evaluation as a command: figures, dump, and one clear line for what it cannot do."""

import json

import numpy as np
import pytest

from data.generate_fake_data import main as generate
from tests.support.feed_writing import VIEW, write_rows
from training import evaluate
from training.evaluate import main
from training.evaluation.replay_workers import LocalEngine
from training.spark import requirements


@pytest.fixture(scope="module")
def feed(tmp_path_factory):
    path = tmp_path_factory.mktemp("feed") / "feed.json"
    assert (
        generate(
            [
                "--users",
                "40",
                "--posts",
                "120",
                "--interactions",
                "1500",
                "--seed",
                "5",
                "--output",
                str(path),
            ]
        )
        == 0
    )
    return path


RANKERS = ["--rankers", "newest,trending_1d,owner_formula"]


def test_the_figures_for_a_program_are_those_of_the_dump(feed, tmp_path, capsys):
    dump = tmp_path / "dump.ndjson"
    capsys.readouterr()

    code = main(
        ["--interactions", str(feed), *RANKERS, "--max-requests", "30", "--json", "--dump", str(dump)]
    )

    printed = json.loads(capsys.readouterr().out)
    lines = [json.loads(line) for line in dump.read_text().splitlines()]
    assert code == 0
    assert printed["requests"] == 30 < printed["possible"]
    assert set(printed["rankers"]) == {"newest", "trending_1d", "owner_formula"}
    for name, row in printed["rankers"].items():
        ranks = np.array([line["rank"] for line in lines if line["ranker"] == name])
        ndcg = np.where(ranks <= 10, 1 / np.log2(ranks + 1), 0.0)
        assert row["ndcg@10"]["mean"] == pytest.approx(ndcg.mean())
        assert row["hit@10"]["mean"] == pytest.approx((ranks <= 10).mean())
        assert row["mrr"]["mean"] == pytest.approx((1 / ranks).mean())
        assert row["ndcg@10"]["low"] <= row["ndcg@10"]["mean"] <= row["ndcg@10"]["high"]


def test_every_ranker_is_asked_the_same_requests_in_ids_of_the_file(feed, tmp_path):
    dump = tmp_path / "dump.ndjson"
    main(["--interactions", str(feed), *RANKERS, "--max-requests", "25", "--dump", str(dump)])

    lines = [json.loads(line) for line in dump.read_text().splitlines()]

    document = json.loads(feed.read_text())
    posts = {post["id"] for post in document["posts"]}
    users = {user["id"] for user in document["users"]}
    asked = {}
    for line in lines:
        assert set(line) == {"ranker", "user_id", "at", "target", "rank", "ranked"}
        assert line["user_id"] in users
        assert {line["target"], *line["ranked"]} <= posts
        asked.setdefault(line["ranker"], []).append((line["user_id"], line["target"], line["at"]))
    assert len(asked) == 3
    assert len({tuple(requests) for requests in asked.values()}) == 1


def test_a_person_gets_a_table_with_the_best_ranker_first(feed, capsys):
    assert main(["--interactions", str(feed), *RANKERS, "--max-requests", "40"]) == 0

    rows = [line.split("│") for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    ndcg = [float(row[2].split()[0]) for row in rows]
    assert sorted(ndcg, reverse=True) == ndcg
    assert {row[1].strip() for row in rows} == {"newest", "trending_1d", "owner_formula"}


def test_the_owners_table_is_another_protocol(feed, capsys):
    assert main(["--interactions", str(feed), "--protocol", "owner", "--rankers", "popular", "--json"]) == 0

    printed = json.loads(capsys.readouterr().out)
    assert set(printed["rankers"]["popular"]) == {"precision@5", "recall@5", "ndcg@5"}


def test_posts_parquet_beside_the_interactions_is_read_unasked(feed, tmp_path, capsys):
    document = json.loads(feed.read_text())
    write_rows(tmp_path / "interactions.parquet", document["interactions"])
    alone = _possible(["--interactions", str(tmp_path / "interactions.parquet")], capsys)
    write_rows(tmp_path / "posts.parquet", document["posts"])

    beside = _possible(["--interactions", str(tmp_path / "interactions.parquet")], capsys)

    named = [
        "--interactions",
        str(tmp_path / "interactions.parquet"),
        "--posts",
        str(tmp_path / "posts.parquet"),
    ]
    assert beside == _possible(named, capsys)
    assert beside != alone  # own posts are known now, and posts are older than their first event


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rankers", "best"], "'best' is no ranker"),
        (["--rankers", ","], "has no ranker"),
        (["--targets", "bookmark"], "'bookmark' is no interaction type"),
        (["--max-requests", "0"], "whole number of at least 1"),
        (["--refit-every", "soon"], "'soon' is not a duration"),
        (["--refit-every", "0h"], "not a duration"),
        (["--test-from", "someday"], "is not a time"),
        (["--test-from", "2999-01-01"], "no request to evaluate"),
        (["--protocol", "owner", "--dump", "x.ndjson"], "--dump: requires --protocol prequential"),
        (["--protocol", "owner", "--rankers", "learned"], "has no learned ranker"),
        (["--protocol", "owner", "--against", "newest"], "--against: requires --protocol prequential"),
        (["--against", "order.sql"], "No such file or directory; give a file with a SELECT"),
        (["--dump", "/nowhere/dump.ndjson"], "its folder does not exist"),
        (["--interactions", "/nowhere/feed.csv"], "no such file"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_2(feed, capsys, arguments, message):
    code = _exit_code(["--interactions", str(feed), *arguments])

    out, err = capsys.readouterr()
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert out == ""


def test_posts_without_interactions_make_no_feed(feed, capsys):
    assert _exit_code(["--posts", str(feed)]) == 2
    assert "needs --interactions" in capsys.readouterr().err


def test_a_bad_row_is_named_and_no_dump_is_left(tmp_path, capsys):
    bad = write_rows(tmp_path / "feed.csv", [VIEW, VIEW | {"created_at": "yesterday"}])
    dump = tmp_path / "dump.ndjson"

    assert _exit_code(["--interactions", str(bad), "--dump", str(dump)]) == 2

    err = capsys.readouterr().err
    assert "feed.csv" in err
    assert "created_at" in err
    assert err.count("\n") == 1
    assert not dump.exists()


def test_an_empty_feed_is_said_to_be_empty(tmp_path, capsys):
    empty = tmp_path / "feed.csv"
    empty.write_text("user_id,post_id,interaction_type,created_at\n")

    assert _exit_code(["--interactions", str(empty)]) == 2
    assert "no interactions" in capsys.readouterr().err


def test_events_of_other_names_are_mapped(tmp_path, capsys):
    rows = [
        VIEW
        | {
            "user_id": f"u{i % 3}",
            "post_id": f"p{i % 5}",
            "interaction_type": "BOOKMARK",
            "created_at": 1e9 + i,
        }
        for i in range(30)
    ]
    path = write_rows(tmp_path / "feed.ndjson", rows)

    code = _exit_code(
        [
            "--interactions",
            str(path),
            "--event-map",
            "BOOKMARK=like",
            "--rankers",
            "newest",
            "--test-from",
            "1000000000",
        ]
    )

    assert code == 0
    assert _exit_code(["--interactions", str(path)]) == 2


def _possible(arguments: list[str], capsys) -> int:
    capsys.readouterr()
    assert main([*arguments, "--rankers", "newest", "--max-requests", "1", "--json"]) == 0
    return json.loads(capsys.readouterr().out)["possible"]


def _exit_code(arguments: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)


def test_a_killed_worker_is_one_line_and_exit_code_2(feed, monkeypatch, capsys):
    monkeypatch.setenv("TRAINING_WORKERS", "2")

    def killed(*_, engine, **__):
        assert engine == LocalEngine(2)
        raise ChildProcessError("a worker process of the replay ended early")

    monkeypatch.setattr(evaluate, "replay_rankers", killed)

    assert main(["--interactions", str(feed), *RANKERS]) == 2

    assert capsys.readouterr().err == "training.evaluate: a worker process of the replay ended early\n"


def test_spark_without_pyspark_is_one_line_and_exit_code_2(feed, monkeypatch, capsys):
    monkeypatch.setenv("TRAINING_ENGINE", "spark")
    monkeypatch.setattr(requirements, "find_spec", lambda _name: None)

    assert main(["--interactions", str(feed), *RANKERS]) == 2

    assert capsys.readouterr().err == (
        "training.evaluate: TRAINING_ENGINE=spark: pyspark is not installed; install requirements-spark.lock, or set "
        "TRAINING_ENGINE=local\n"
    )
