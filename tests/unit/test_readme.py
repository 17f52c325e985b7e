"""What the documents say, held against the code they speak of."""

import importlib
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.application.use_cases.get_health_status import HealthStatus, ServiceState
from app.domain.feed.chronicle import Chronicle
from app.domain.services.ranking_context import RankingContext
from app.infrastructure.clock import SystemClock
from app.infrastructure.config.settings import Settings
from app.infrastructure.database.embedded import CHECKOUT
from app.infrastructure.ml import features, sources
from app.infrastructure.ml.post_features import POST_FEATURES
from app.infrastructure.ml.ranking import RankingOptions
from app.presentation.api.routers.health import StateCollector
from app.presentation.schemas.interaction_schema import TrackRequest
from app.presentation.schemas.recommendation_schema import GenerateRequest, GenerateResponse
from app.shared.monitoring import Metrics
from tests.feeds import generated
from training.acceptance import ENOUGH_REQUESTS
from training.learn import LearningOptions
from training.rankers import RANKERS

README = (CHECKOUT / "README.md").read_text()
ADRS = sorted((CHECKOUT / "docs/adr").glob("*.md"))
DOCUMENTS = [CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + ADRS
PROSE = re.sub(r"```.*?```", "", README, flags=re.DOTALL)


def blocks(language: str) -> list[str]:
    """The README's fenced blocks of a language."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    return [text for tongue, text in fenced if tongue == language]


def commands() -> Iterator[list[str]]:
    """Every command of the README's shell blocks, in words; continued lines joined, remarks left out."""
    for block in blocks("sh"):
        for line in block.replace("\\\n", " ").splitlines():
            if words := shlex.split(line, comments=True):
                yield words


def python_commands() -> list[list[str]]:
    """Module and arguments of each `python -m`."""
    prose = [shlex.split(one) for one in re.findall(r"`(uv run python -m [^`]+)`", PROSE)]
    return [words[4:] for words in [*commands(), *prose] if words[:4] == ["uv", "run", "python", "-m"]]


def table_after(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, less its head."""
    lines = README[README.index(f"\n{heading}") :].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
    return rows


def anchor_of(heading: str) -> str:
    kept = re.sub(r"[^\w\- ]", "", heading.replace("`", "").strip().lower())
    return kept.replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_place_of_ours_leads_somewhere(document: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", document.read_text()):
        target = "".join(target)
        if re.match(r"[a-z]+:", target):
            continue
        name, _, fragment = target.partition("#")
        path = document.parent / name if name else document
        headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE) if fragment else []
        if not path.exists() or (fragment and fragment not in map(anchor_of, headings)):
            broken.append(target)

    assert broken == []


@pytest.mark.parametrize("path", ADRS, ids=lambda path: path.name[:4])
def test_a_decision_says_what_was_decided_why_and_what_was_not(path: Path) -> None:
    text = path.read_text()

    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)

    assert text.startswith(f"# {path.name[:4]} ")
    assert headings[:2] + headings[-2:] == ["Context", "Decision", "Consequences", "Rejected"]
    assert re.match(r"# .+ (Accepted|Superseded by \d{4}), \d{4}-\d\d-\d\d$", text.splitlines()[0])


def test_no_two_decisions_have_one_number() -> None:
    numbers = [path.name[:4] for path in ADRS]

    assert numbers == [f"{n:04}" for n in range(1, len(numbers) + 1)]


def test_the_settings_of_the_readme_are_settings_with_those_defaults() -> None:
    example = dict(re.findall(r"^([A-Z_]+)=(.*)$", (CHECKOUT / ".env.example").read_text(), re.MULTILINE))

    told = {
        name: "" if default == "unset" else default for name, default, _ in table_after("## Configuration")
    }

    assert told == {name: example.get(name) for name in told}


def test_every_variable_that_the_readme_names_is_read_somewhere() -> None:
    web = (CHECKOUT / "web/lib/platform/config.ts").read_text()
    known = {name.upper() for name in Settings.model_fields} | set(re.findall(r'env\["(\w+)"\]', web))

    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", PROSE))

    assert named
    assert named - known == set()


def test_the_endpoints_of_the_readme_are_those_of_the_interface() -> None:
    paths = json.loads((CHECKOUT / "openapi.json").read_text())["paths"]

    told = {row[0] for row in table_after("## HTTP")}

    assert told == {f"{method.upper()} {path}" for path, item in paths.items() for method in item}


def test_every_metric_is_in_the_readme_and_no_other() -> None:
    metrics = Metrics()
    state = ServiceState(
        ready=True, model_version="v1", model_created_at=SystemClock().now(), tail_lag_seconds=0
    )
    metrics.add(StateCollector(lambda: HealthStatus("healthy", SystemClock().now(), 1.0, state)))

    rendered = set(re.findall(r"^# TYPE (\w+)", metrics.render().decode(), re.MULTILINE))
    listed = README[README.index("**Metrics.**") : README.index("Recording rules")]

    assert set(re.findall(r"`(ml_\w+)", listed)) == rendered
    assert set(re.findall(r"`(ml_\w+)", PROSE)) == rendered


def test_the_layout_is_the_tree() -> None:
    tree = next(block for block in blocks("") if block.startswith("app/"))
    parents: list[str] = []
    told = []
    for line in tree.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        parents[depth:] = [line.split()[0]]
        told.append("".join(parents))

    assert [path for path in told if not (CHECKOUT / path).exists()] == []
    layers = {f"app/{path.name}/" for path in (CHECKOUT / "app").iterdir() if (path / "__init__.py").exists()}
    assert layers <= set(told)


def test_every_file_that_the_documents_name_is_there() -> None:
    whole = re.compile(r"`((?:app|web|packages|deploy|scripts|training|data|tests|docs)/[\w./-]*)`")

    # decision records name the files of the target layout, which are not all there yet
    now = [document for document in DOCUMENTS if document not in ADRS]
    named = {path for document in now for path in whole.findall(document.read_text())}

    made_by_commands = {"data/fake_interactions.json"}
    assert [path for path in sorted(named - made_by_commands) if not (CHECKOUT / path).exists()] == []


def test_scripts_and_npm_scripts_that_the_readme_runs_are_there() -> None:
    of_the_root = json.loads((CHECKOUT / "package.json").read_text())["scripts"]
    of_the_web = json.loads((CHECKOUT / "web/package.json").read_text())["scripts"]

    for words in commands():
        if words[0].startswith("./"):
            assert (CHECKOUT / words[0]).stat().st_mode & 0o111, words[0]
        if words[:3] == ["npm", "run", "--workspace"]:
            assert words[4] in of_the_web
    assert set(re.findall(r"npm run (ml:\w+)", PROSE)) <= set(of_the_root)


@pytest.mark.parametrize("words", python_commands(), ids=" ".join)
def test_a_command_of_the_readme_exists_with_its_arguments(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    if words[0] == "alembic":
        assert words[1:] == ["upgrade", "head"]
        return
    command = importlib.import_module(words[0]).main
    sub = [words[1]] if words[0] == "training.registry" else []

    with pytest.raises(SystemExit) as ended:
        command([*sub, "--help"])

    help_text = capsys.readouterr().out
    assert ended.value.code == 0
    assert [word for word in words[1:] if word.startswith("--") and word not in help_text] == []


def test_requests_and_answers_of_the_readme_are_of_the_interfaces_shape() -> None:
    sent = {}
    for words in commands():
        if words[0] == "curl":
            url = next(word for word in words if word.startswith("http"))
            sent[url.removeprefix("http://localhost:8000")] = words[words.index("-d") + 1]
    answers = [json.loads(block) for block in blocks("json")]

    asked = GenerateRequest.model_validate_json(sent["/recommendations/generate"])
    TrackRequest.model_validate_json(sent["/interactions/track"])
    answer = GenerateResponse.model_validate_json(json.dumps(answers[0]))

    assert answer.user_id == asked.user_id
    assert len(answer.recommendations) == answer.metadata.total == asked.limit
    assert answers[1] == {"status": "tracked"}


def test_figures_about_the_code_are_the_codes() -> None:
    text = " ".join(PROSE.split())

    assert f"{len(features.names())} inputs in {len(features.FEATURES) + len(POST_FEATURES)} features" in text
    assert f"a layer of {LearningOptions().units[0]} rectified units" in text
    assert f"fewer than {ENOUGH_REQUESTS} held-out requests" in text
    assert f"{RankingOptions().exploration_share:.0%}".replace("%", " % of its places") in text
    assert ("all fifteen run" in text) == (len(RANKERS) == 15)
    named = {name for row in table_after("## What it measures") for name in re.findall(r"\w+`?", row[0])[:1]}
    assert {name.strip("`") for name in named} <= set(RANKERS)


def example(containing: str) -> str:
    return next(block for block in blocks("python") if containing in block)


def test_the_readmes_feature_is_one_that_could_be_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "FEATURES", list(features.FEATURES))
    before = len(features.names())

    exec(example("@feature"), vars(features) | {"np": np})

    state = Chronicle(generated(), replay=False).finish()
    rows = np.arange(state.n_posts)
    now = float(state.created[rows].max()) + 1
    users = [user for user in range(state.n_users) if len(state.histories.row(user)[0])]
    inputs = features.matrix(RankingContext(state, users[0], now), rows)
    met = state.author[state.histories.row(users[0])[0][-1]]
    assert inputs.shape == (before + 1, len(rows))
    np.testing.assert_array_equal(inputs[-1], (state.author[rows] == met) & (met >= 0))
    assert not features.matrix(RankingContext(state, -1, now), rows)[-1].any()


def test_the_readmes_source_is_one_that_could_be_added() -> None:
    names: dict[str, Any] = dict(vars(sources))
    exec(example("class Unanswered"), names)

    state = Chronicle(generated(), replay=False).finish()
    rows = np.arange(state.n_posts)
    unanswered = rows[state.engagements[rows] == 0]
    found = names["Unanswered"](limit=5, window=len(rows))(RankingContext(state, -1, np.inf))

    assert len(unanswered)
    assert set(found) <= set(unanswered)
    assert len(found) == min(5, len(unanswered))
    assert (np.diff(state.created[found]) <= 0).all()
