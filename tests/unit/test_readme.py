"""The README, the pages in docs/ and the decision records agree with the code."""

import importlib
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.application.use_cases.get_health_status import HealthStatus, Reconciliation
from app.domain.feed.time_units import HOUR
from app.domain.feed.timeline import FeedTimeline
from app.domain.ranking import filters, sources, user_features
from app.domain.ranking.options import RankingOptions
from app.domain.services.ranking_context import RankingContext
from app.infrastructure.clock import SystemClock
from app.infrastructure.config.settings import Settings
from app.infrastructure.database.embedded import CHECKOUT
from app.presentation.api.admission import AdmissionControl
from app.presentation.api.call_limits import CallLimits
from app.presentation.api.routers.health import StateCollector
from app.presentation.api.server_guard import ServerGuard, ServerLimits
from app.presentation.schemas.entity_schema import PostBody, StoredResponse
from app.presentation.schemas.interaction_schema import TrackRequest
from app.presentation.schemas.recommendation_schema import (
    GenerateRequest,
    GenerateResponse,
    UpdatesRequest,
    UpdatesResponse,
)
from app.presentation.schemas.user_data_schema import ErasureResponse
from app.shared.api_key_file import ApiKeyFile
from app.shared.log_output import standard_output
from app.shared.monitoring import Metrics
from tests.support.feeds import generated
from tests.unit.test_project.interfaces import web_settings
from training.evaluation.rankers import RANKERS
from training.learning.model_selection import LearningOptions

ADRS = sorted((CHECKOUT / "docs/adr").glob("*.md"))
PAGES = [
    *(CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((CHECKOUT / "docs").glob("*.md")),
]
FOR_USERS = [document for document in PAGES if document.name != "CONTRIBUTING.md"]
DOCUMENTS = [*PAGES, CHECKOUT / "CHANGELOG.md", *ADRS]
LINKING = [*DOCUMENTS, CHECKOUT / "web/README.md", CHECKOUT / "packages/feed-client/README.md"]
MAX_README_LINES = 250
MAX_LINE_LENGTH = 120

OTHER_VARIABLES = {"PROMETHEUS_MULTIPROC_DIR", "TEST_DATABASE_URL", "OTEL_RESOURCE_ATTRIBUTES"}
"""Variables that a library or the tests read, and no class of settings."""


def page(name: str) -> str:
    return (CHECKOUT / name).read_text()


def prose(text: str) -> str:
    """A document without its fenced blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE)


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [content for tag, content in fenced if tag == language]


def commands(text: str) -> Iterator[list[str]]:
    """Each command of the shell blocks as words. Continued lines are joined, comments are skipped."""
    for block in blocks(text, "sh"):
        command = ""
        for line in block.replace("\\\n", " ").splitlines():
            command += line
            if command.count("'") % 2:  # a quoted text goes on in the next line
                continue
            if words := shlex.split(command, comments=True):
                yield words
            command = ""


def all_commands() -> list[list[str]]:
    return [words for document in FOR_USERS for words in commands(document.read_text())]


def python_commands() -> list[list[str]]:
    """Module and arguments of each distinct `uv run python -m` in a shell block or in the text."""
    in_text = [
        shlex.split(one)
        for document in FOR_USERS
        for one in re.findall(r"`(uv run python -m [^`]+)`", prose(document.read_text()))
    ]
    found = [words[4:] for words in [*all_commands(), *in_text] if words[:4] == ["uv", "run", "python", "-m"]]
    return [list(words) for words in dict.fromkeys(map(tuple, found))]


def table_after(text: str, heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without the head of the table."""
    lines = text[text.index(f"{heading}\n") :].splitlines()
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


# -- form ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", LINKING, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_every_relative_link_and_anchor_has_a_target(document: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", prose(document.read_text())):
        target = "".join(target)
        if re.match(r"[a-z]+:", target):
            continue
        name, _, fragment = target.partition("#")
        path = document.parent / name if name else document
        headings = re.findall(r"^#+ (.+)$", prose(path.read_text()), re.MULTILINE) if fragment else []
        if not path.exists() or (fragment and fragment not in map(anchor_of, headings)):
            broken.append(target)

    assert broken == []


def test_every_page_is_linked_from_the_readme() -> None:
    linked = set(re.findall(r"\]\(([\w./-]+)\)", page("README.md")))

    pages = {str(path.relative_to(CHECKOUT)) for path in PAGES} - {"README.md"}

    assert pages - linked == set()


def test_the_readme_is_short() -> None:
    assert len(page("README.md").splitlines()) <= MAX_README_LINES


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_line_of_a_document_is_too_long(document: Path) -> None:
    lines = document.read_text().splitlines()

    assert [line for line in lines if len(line) > MAX_LINE_LENGTH] == []


@pytest.mark.parametrize("path", ADRS, ids=lambda path: path.name[:4])
def test_a_decision_record_has_context_decision_consequences_and_alternatives(path: Path) -> None:
    text = path.read_text()

    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)

    assert text.startswith(f"# {path.name[:4]} ")
    assert headings[:2] + headings[-2:] == ["Context", "Decision", "Consequences", "Rejected"]
    assert re.match(r"# .+ (Accepted|Superseded by \d{4}), \d{4}-\d\d-\d\d$", text.splitlines()[0])


def test_decision_records_are_numbered_without_gaps() -> None:
    numbers = [path.name[:4] for path in ADRS]

    assert numbers == [f"{n:04}" for n in range(1, len(numbers) + 1)]


# -- names -----------------------------------------------------------------------------------------------------------


def test_the_settings_table_has_the_defaults_of_the_settings() -> None:
    example = dict(re.findall(r"^([A-Z_]+)=(.*)$", page(".env.example"), re.MULTILINE))

    documented = {
        name: "" if default == "unset" else default
        for name, default, _ in table_after(page("docs/operations.md"), "## Configuration")
    }

    assert documented == {name: example.get(name) for name in documented}


@pytest.mark.parametrize("document", [*PAGES, *ADRS], ids=lambda path: path.name)
def test_every_variable_that_a_document_names_exists(document: Path) -> None:
    known = {name.upper() for name in Settings.model_fields} | web_settings().keys() | OTHER_VARIABLES

    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`", prose(document.read_text())))

    assert named - known == set()


def test_the_endpoints_of_the_api_page_are_those_of_the_interface() -> None:
    paths = json.loads(page("openapi.json"))["paths"]

    documented = {row[0] for row in table_after(page("docs/api.md"), "# HTTP API")}

    assert documented == {f"{method.upper()} {path}" for path, item in paths.items() for method in item}


def test_the_operations_page_names_every_metric_and_no_other(tmp_path: Path) -> None:
    key_file = tmp_path / "keys"
    key_file.write_text(f"{'0' * 64} name feed")
    metrics = Metrics()
    health = HealthStatus(
        ready=True,
        model_version="v1",
        tail_lag_seconds=0,
        reconciliation=Reconciliation(
            complete_change_capture=True, age_seconds=1.0, interval_seconds=60.0, differences={"posts": 0}
        ),
        status="healthy",
        timestamp=SystemClock().now(),
        model_age_seconds=1.0,
        snapshot_age_seconds=1.0,
        snapshot_seconds=1.0,
        snapshot_bytes=1,
    )
    metrics.states.register(StateCollector(lambda: health))
    metrics.states.register(standard_output())
    metrics.states.register(AdmissionControl(1.0))
    metrics.states.register(CallLimits())
    metrics.states.register(ServerGuard(ServerLimits()))
    metrics.states.register(ApiKeyFile(key_file, {}))

    rendered = set(re.findall(r"^# TYPE (\w+)", metrics.render().decode(), re.MULTILINE))
    text = page("docs/operations.md")
    in_the_table = {name for row in table_after(text, "## Metrics") for name in re.findall(r"ml_\w+", row[0])}

    assert in_the_table == rendered


def test_every_file_that_a_document_names_exists() -> None:
    path_in_text = re.compile(
        r"`((?:app|web|packages|deploy|scripts|training|data|tests|docs|benchmarks)/[\w./-]*)`"
    )

    named = {path for document in DOCUMENTS for path in path_in_text.findall(document.read_text())}

    assert not {path for path in named if not (CHECKOUT / path).exists()}


def test_the_architecture_page_describes_every_package() -> None:
    folders = {
        init.parent.relative_to(CHECKOUT)
        for root in ("app", "data", "training")
        for init in (CHECKOUT / root).rglob("__init__.py")
    }
    described = set(re.findall(r"`([\w/]+)/`", page("docs/architecture.md")))

    assert {str(folder) for folder in folders if 1 < len(folder.parts) <= 3} <= described


def test_every_ranker_is_defined_in_the_protocol() -> None:
    rows = table_after(page("docs/evaluation-protocol.md"), "## Rankers")
    first_cells = " ".join(row[0] for row in rows)
    names = [name if name[0] != "_" else f"trending{name}" for name in re.findall(r"\w+", first_cells)]

    in_the_readme = " ".join(row[0] for row in table_after(page("README.md"), "## Results"))
    measured = {name for name in re.findall(r"[a-z_0-9]+", in_the_readme) if name in RANKERS}

    assert sorted(names) == sorted(RANKERS)
    assert {"served", "learned", "formula", "owner_formula", "random"} <= measured


# -- commands --------------------------------------------------------------------------------------------------------


def test_scripts_and_npm_scripts_that_a_document_runs_exist() -> None:
    of_the_web = json.loads(page("web/package.json"))["scripts"]
    in_text = " ".join(prose(document.read_text()) for document in PAGES)

    for words in all_commands():
        if words[0].startswith("./"):
            assert (CHECKOUT / words[0]).stat().st_mode & 0o111, words[0]
    for script in re.findall(r"`(\./scripts/[\w.]+)", in_text):
        assert (CHECKOUT / script).stat().st_mode & 0o111, script
    for script in re.findall(r"npm run --workspace @feed/web ([\w:]+)", in_text):
        assert script in of_the_web


@pytest.mark.parametrize("words", python_commands(), ids=" ".join)
def test_a_python_command_of_a_document_exists_with_its_arguments(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    if words[0] == "alembic":
        assert words[1:] == ["upgrade", "head"]
        return
    command = importlib.import_module(words[0]).main
    sub = [words[1]] if words[0] == "training.registry" else []
    options = [word for word in words[1:] if word.startswith("--")]

    with pytest.raises(SystemExit) as ended:
        command([*sub, "--help"])

    help_text = capsys.readouterr().out
    assert ended.value.code == 0
    assert [option for option in options if option not in help_text] == []


def test_requests_and_responses_of_the_documents_have_the_shape_of_the_interface() -> None:
    sent = {}
    for words in [*commands(page("README.md")), *commands(page("docs/api.md"))]:
        if words[0] == "curl":
            url = next(word for word in words if word.startswith("http"))
            sent[url.removeprefix("http://localhost:8000")] = words[words.index("-d") + 1]
    [response] = blocks(page("README.md"), "json")
    updates, stored, erased, tracked = blocks(page("docs/api.md"), "json")

    request = GenerateRequest.model_validate_json(sent["/recommendations/generate"])
    UpdatesRequest.model_validate_json(sent["/recommendations/updates"])
    UpdatesResponse.model_validate_json(updates)
    PostBody.model_validate_json(sent["/posts/post_9"])
    StoredResponse.model_validate_json(stored)
    ErasureResponse.model_validate_json(erased)
    TrackRequest.model_validate_json(sent["/interactions/track"])
    answer = GenerateResponse.model_validate_json(response)

    assert answer.user_id == request.user_id
    assert len(answer.recommendations) == answer.metadata.total == request.limit
    assert json.loads(tracked) == {"status": "tracked"}


# -- figures and examples --------------------------------------------------------------------------------------------


def test_figures_about_the_code_are_those_of_the_code() -> None:
    text = " ".join(page("docs/architecture.md").split())
    options = RankingOptions()

    assert f"over {len(user_features.names())} inputs" in text
    assert f"a hidden layer of {LearningOptions().units[0]} ReLU units" in text
    assert f"gives {options.exploration_share * 100:g} % of the places" in text
    assert (
        f"by {options.author_repeat_factor:g} and of further posts by {options.author_repeat_floor:g}" in text
    )


def example(containing: str) -> str:
    return next(block for block in blocks(page("docs/extending.md"), "python") if containing in block)


def feed_and_rows() -> tuple[Any, Any]:
    state = FeedTimeline(generated(), replay=False).apply_all()
    return state, np.arange(state.n_posts)


def test_the_example_feature_can_be_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_features.FEATURES, "features", list(user_features.FEATURES.features))
    before = len(user_features.names())

    exec(example("@feature"), vars(user_features) | {"np": np})

    state, rows = feed_and_rows()
    now = float(state.created[rows].max()) + 1
    user = next(user for user in range(state.n_users) if len(state.events_by_user.row(user)[0]))
    inputs = user_features.matrix(RankingContext(state, user, now), rows)
    author = state.author[state.events_by_user.row(user)[0][-1]]
    assert inputs.shape == (before + 1, len(rows))
    np.testing.assert_array_equal(inputs[-1], (state.author[rows] == author) & (author >= 0))
    assert not user_features.matrix(RankingContext(state, -1, now), rows)[-1].any()


def test_the_example_source_can_be_added() -> None:
    names: dict[str, Any] = dict(vars(sources))
    exec(example("class Unanswered"), names)

    state, rows = feed_and_rows()
    unanswered = rows[state.engagements[rows] == 0]
    found = names["Unanswered"](limit=5, window=len(rows))(RankingContext(state, -1, np.inf))

    assert len(unanswered)
    assert set(found) <= set(unanswered)
    assert len(found) == min(5, len(unanswered))
    assert (np.diff(state.created[found]) <= 0).all()


def test_the_example_filter_can_be_added() -> None:
    names: dict[str, Any] = dict(vars(sources)) | dict(vars(filters))
    exec(example("class Moderated"), names)

    state, rows = feed_and_rows()
    now = float(np.median(state.created[rows])) + HOUR
    allowed = names["Moderated"](seconds=HOUR)(RankingContext(state, -1, now), rows)

    assert 0 < allowed.sum() < len(rows)
    np.testing.assert_array_equal(allowed, now - state.created[rows] >= HOUR)


def test_the_example_scorer_can_be_added() -> None:
    names: dict[str, Any] = {}
    exec(example("class GravityScorer"), names)

    state, rows = feed_and_rows()
    now = float(state.created[rows].max()) + HOUR
    scored = names["GravityScorer"]()(RankingContext(state, -1, now), rows)

    assert scored.values.max() == 1.0
    assert scored.values.min() == 0.0
    assert len(scored.grounds(rows[:3]).reasons) == len(scored.explanations(rows[:3])) == 3
