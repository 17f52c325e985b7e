"""A model that must not serve is refused with the reason: unreadable, trained on nothing, worse than it may be."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.infrastructure.ml.model_loader import FORMAT
from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.registry_index import read_versions, write_versions
from app.infrastructure.ml.registry.signing import model_keys
from tests.support.small_service import SmallService
from training.validate_model import main

NOON = "2026-03-01T12:00:00+00:00"


def figure(mean: float | None, n: int = 700) -> dict[str, Any]:
    return {"ndcg@10": {"mean": mean, "low": mean, "high": mean, "n": n}}


def gain(value: float) -> dict[str, Any]:
    return {"gain": value, "low": value, "high": value, "n": 700}


GOOD: dict[str, Any] = {
    "prequential": {"random": figure(0.02), "formula": figure(0.3)},
    "against_random": gain(14.0),
}
FORMULA = {"algorithm": "collaborative_filtering"}


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileModelRegistry:
    monkeypatch.chdir(tmp_path)  # no .env of the checkout's
    for name in ("MODEL_SIGNING_KEY", "MODEL_TRUSTED_KEYS", "MODEL_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("KEYS_DIR", str(tmp_path / "keys"))
    return FileModelRegistry(tmp_path / "models", model_keys(None, [], tmp_path / "keys", signs=True))


@pytest.fixture
def publish(registry: FileModelRegistry) -> Callable[..., str]:
    def one(metrics: dict[str, Any] = GOOD, *, events: int = 5, status: Any = "active", **more: Any) -> str:
        service = SmallService()
        service.add_users("reader", "ann")
        for number in range(8):
            service.add_post(f"p{number}", "ann")
        for number in range(events):
            service.track("reader", f"p{number}", "like")
        artifact = service.train().model.to_artifact() | more.pop("changes", {})
        made = registry.publish(
            artifact, metrics=metrics, config=FORMULA, created_at=NOON, status=status, **more
        )
        return made.version

    return one


def test_a_sound_model_is_valid(publish: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    publish()

    assert main([]) == 0
    out = capsys.readouterr().out
    assert out == (
        "v1: valid (active); 2 users, 8 posts, 5 interactions; NDCG@10 0.3000, random 0.0200, 700 held-out requests\n"
    )
    assert main(["--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert (verdict["version"], verdict["valid"], verdict["reasons"]) == ("v1", True, [])
    assert (verdict["interactions"], verdict["metrics"]) == (5, GOOD)


@pytest.mark.parametrize(("high", "code"), [(0.1, 0), (0.0, 0), (-0.1, 1)])
def test_a_model_is_worse_than_random_where_the_same_requests_say_so(
    publish: Callable[..., str], high: float, code: int
) -> None:
    unlucky = {"mean": 0.007, "low": 0.002, "high": 0.014, "n": 206}
    lucky = {"mean": 0.02, "low": 0.008, "high": 0.035, "n": 206}
    paired = {"gain": -0.65, "low": -1.4, "high": high, "n": 206}
    figures = {"random": {"ndcg@10": lucky}, "formula": {"ndcg@10": unlucky}}
    publish({"prequential": figures, "against_random": paired})

    assert main([]) == code


def test_a_feed_without_a_held_out_request_makes_a_valid_model(
    publish: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    publish({"prequential": {"random": figure(None, 0), "formula": figure(None, 0)}})

    assert main([]) == 0
    assert "without a held-out request" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("published", "reason"),
    [
        ({"events": 0}, "it was trained on an empty feed: its matrix has no interaction"),
        ({"status": "rejected", "note": "it ranks 9.0% worse"}, "it was rejected: it ranks 9.0% worse"),
        (
            {"metrics": {**GOOD, "against_random": gain(-0.5)}},
            "it ranks worse than random: -50.0% (95 % interval -50.0% to -50.0%, 700 held-out requests)",
        ),
        (
            {"metrics": {**GOOD, "against_active": {"gain": -0.1, "low": -0.2, "high": 0.0, "n": 700}}},
            (
                "it ranks worse than the configuration of the active model: -10.0% "
                "(95 % interval -20.0% to +0.0%, 700 held-out requests)"
            ),
        ),
        ({"metrics": {}}, "its training recorded no held-out metrics"),
        ({"metrics": {"prequential": {"random": figure(0.2)}}}, "its training recorded no held-out metrics"),
        (
            {"changes": {"format": 99}},
            f"it cannot be read: the artefact has another format than {FORMAT}, which this service reads",
        ),
        (
            {"changes": {"trending": {}}},
            "it cannot be read: the artefact's part 'trending' is missing or not as training writes it",
        ),
    ],
)
def test_what_must_not_serve_is_rejected_with_the_reason_in_one_line(
    publish: Callable[..., str], capsys: pytest.CaptureFixture[str], published: dict[str, Any], reason: str
) -> None:
    publish(**published)

    assert main([]) == 1

    captured = capsys.readouterr()
    assert captured.err.startswith(f"training.validate_model: v1: {reason}")
    assert (captured.err.count("\n"), captured.out) == (1, "")
    assert main(["--json"]) == 1
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["valid"] is False
    assert verdict["reasons"][0].startswith(reason)


def test_a_gain_within_what_is_tolerated_is_no_objection(publish: Callable[..., str]) -> None:
    publish({**GOOD, "against_active": {"gain": -0.001, "low": -0.015, "high": 0.01, "n": 700}})

    assert main([]) == 0


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: path.unlink(), "it cannot be read: "),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "bytes instead of"),
        (lambda path: path.write_bytes(b"x" * path.stat().st_size), "the SHA-256 is not the registered one"),
    ],
)
def test_a_damaged_artefact_is_rejected(
    publish: Callable[..., str],
    registry: FileModelRegistry,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[Path], None],
    reason: str,
) -> None:
    damage(tmp_path / "models" / registry.record(publish()).filename)

    assert main([]) == 1
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


def test_the_newest_the_active_or_a_named_version_is_looked_at(
    publish: Callable[..., str], registry: FileModelRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    publish()
    publish(status="rejected", note="worse")

    codes = [main(words) for words in ([], ["--version", "active"], ["--version", "v1"], ["--version", "v2"])]

    assert codes == [1, 0, 0, 1]
    assert capsys.readouterr().out.count("v1: valid") == 2


@pytest.mark.parametrize("words", [["--version"], ["--no-such"], ["a-word"]])
def test_a_bad_argument_is_one_line_and_exit_2(
    registry: FileModelRegistry, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)

    assert left.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_without_a_registry_or_with_an_unknown_version_it_is_exit_2(
    registry: FileModelRegistry,
    publish: Callable[..., str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 2
    publish()
    assert main(["--version", "v9"]) == 2
    path = tmp_path / "models" / "registry.json"
    write_versions(path, read_versions(path).with_active("v1"))
    path.write_text("{")
    assert main([]) == 2

    errors = capsys.readouterr().err
    assert errors.count("\n") == 3
    assert "no model has been published" in errors
