"""No name, comment, message or document uses a word that the project has replaced.

A word is compared with the parts of snake_case and CamelCase names as well as with prose. So `told` is found in
`test_the_user_is_told`, in `wasTold` and in "the user is told". Upper and lower case are the same.
"""

import io
import os
import re
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from tests.unit.test_project.interfaces import expected, recorded

ROOT: Final = Path(__file__).parents[3]
THIS: Final = "tests/unit/test_project/test_vocabulary.py"

WORDS: Final[Mapping[str, str]] = {
    "anew": "again, or uncached",
    "answer stands": "the cached response is returned",
    "barred": "excluded",
    "besides": "also, or except",
    "chronicle": "timeline",
    "chronicles": "timelines",
    "hand over": "pass, or drain",
    "handed over": "passed",
    "hands over": "passes",
    "he": "they, or the user",
    "heat": "decayed counters",
    "heated": "decayed counters",
    "him": "them, or the user",
    "himself": "themselves, or the same user",
    "his": "their",
    "hottest": "top k, or strongest",
    "keeper": "supervisor, follower or watcher",
    "left out": "skipped, omitted or excluded",
    "lesson": "training example",
    "lessons": "training examples",
    "newcomer": "cold-start user, or new user",
    "newcomers": "cold-start users, or new users",
    "nobody asks": "nothing reads it, or unused",
    "offer": "return, or candidate set",
    "offered": "returned, or recommended",
    "offers": "returns, or candidate sets",
    "pace": "half-life, or poll interval",
    "paces": "half-lives, or poll intervals",
    "rectified": "ReLU",
    "second process": "replay worker",
    "standing": "popularity",
    "stands behind": "follows",
    "stands beside": "is next to",
    "stands there": "exists",
    "stranger": "unknown user",
    "strangers": "unknown users",
    "sweep": "purge",
    "sweeps": "purges",
    "swept": "purged",
    "tallies": "group sums",
    "tally": "group sums",
    "taste": "affinity, or interests",
    "tastes": "affinities, or interests",
    "tell": "report, return or pass",
    "telling": "reporting, returning or passing",
    "tells": "reports, returns or passes",
    "told": "reported, returned or passed",
    "topical": "by topic",
    "untold": "unreported, or reconciler",
    "who asks": "the user, or the request",
    "whoever": "the user, or a user who",
    "whole read": "full read",
    "world": "scenario",
    "worlds": "scenarios",
}
"""Retired words and phrases, in names and in prose."""

NAME_PARTS: Final[Mapping[str, str]] = {
    "accounts for": "can_resume_from",
    "circle": "community",
    "feed marks": "feed_checksums",
    "heaviest": "max_weight",
    "met": "seen",
    "refusal": "rejection",
    "refuse": "reject, or fail",
    "refused": "rejected",
    "refuses": "rejects",
    "view marks": "view_checksums",
    "whole feed": "feed_snapshot, or full_feed",
}
"""Retired as parts of names. In prose these words are plain English."""

NAMES: Final[Mapping[str, str]] = {
    "BoundedMemory": "TtlCache",
    "FeedAnswer": "RecommendationResponse",
    "FeedHistory": "FeedDataset",
    "FeedRequest": "RecommendationRequest",
    "FeedWriter": "StateUpdater",
    "ListKeeping": "ListCachePolicy",
    "MovedBefore": "ShiftConflict",
    "PositionLost": "PositionExpired",
    "RaggedRows": "RaggedArray",
    "RememberedShift": "TimeShift",
    "RequestSpans": "TracingMiddleware",
    "SmallCatalogue": "WholeCatalogue",
    "StateReader": "ServiceStatusReader",
    "Unstorable": "UnstorableText",
    "command_database": "cli_connection",
    "first_contacts": "first_interactions",
    "owner_table": "holdout_metrics",
    "pipeline_watch": "pipeline_diagnostics",
    "snapshot_start": "snapshot_recovery",
}
"""Retired names, compared as they are written."""


@dataclass(frozen=True)
class Exemption:
    """A retired word that stays, within `text`, in the files whose path begins with `path`."""

    path: str
    text: str
    reason: str


_INPUT: Final = "the name of a model input, a key of the artefact"
_KEY: Final = "a key of the artefact"
_TABLE: Final = "a table or a function of the database schema"
_FLAG: Final = "a command, a flag or a JSON field"
_SCENARIO: Final = "a value of `--world`"
_PUBLISHED: Final = "a published migration is not edited"

EXEMPTIONS: Final = (
    Exemption("app/infrastructure/ml/earlier_format.py", '"heat"', _KEY),
    Exemption("app/infrastructure/ml/earlier_format.py", '"strong_heat"', _KEY),
    Exemption("app/infrastructure/ml/earlier_format.py", '"author_heat"', _KEY),
    Exemption("tests/unit/test_training/test_artefact_size.py", '"heat"', _KEY),
    Exemption("tests/unit/test_training/test_artefact_size.py", '"strong_heat"', _KEY),
    Exemption("tests/unit/test_training/test_artefact_size.py", '"author_heat"', _KEY),
    Exemption("app/domain/ranking/post_features.py", '"heat {_label', _INPUT),
    Exemption("app/domain/ranking/post_features.py", '"strong heat {_label', _INPUT),
    Exemption("app/domain/ranking/post_features.py", '"heat in topic"', _INPUT),
    Exemption("app/domain/ranking/user_features.py", '"heat x newcomer"', _INPUT),
    Exemption("app/domain/ranking/user_features.py", '"heat against habit"', _INPUT),
    Exemption("app/domain/ranking/user_features.py", '"heat 6h"', _INPUT),
    Exemption("app/domain/ranking/learned_scorer.py", '"heat 1h"', _INPUT),
    Exemption("app/domain/ranking/learned_scorer.py", '"heat 1d"', _INPUT),
    Exemption("training/learning/model_selection.py", '"heat 1h"', _INPUT),
    Exemption("training/learning/model_selection.py", '"heat 1d"', _INPUT),
    Exemption("training/learning/model_selection.py", '"heat 7d"', _INPUT),
    Exemption("tests/unit/test_domain/test_ranking/", '"heat 1h"', _INPUT),
    Exemption("app/domain/ranking/sources.py", '"followed_tastes"', "the name of a source in reports"),
    Exemption("app/infrastructure/database/feed_log_impl.py", "feed_change_swept", _TABLE),
    Exemption("app/infrastructure/database/feed_log_impl.py", "feed_change_sweep", _TABLE),
    Exemption("app/infrastructure/database/migrations/env.py", "feed_change_swept", _TABLE),
    Exemption("app/infrastructure/database/user_tables.py", "feed_change_swept", _TABLE),
    Exemption(
        "app/infrastructure/database/migrations/versions/0013_user_data.py", "feed_change_swept", _TABLE
    ),
    Exemption(
        "app/infrastructure/database/migrations/versions/0013_user_data.py", "feed_change_sweep", _TABLE
    ),
    Exemption("app/infrastructure/database/migrations/versions/0013_user_data.py", "swept", _PUBLISHED),
    Exemption("app/infrastructure/database/migrations/versions/0013_user_data.py", "SWEEP", _PUBLISHED),
    Exemption("app/infrastructure/database/migrations/versions/0002_swept_outbox.py", "swept", _PUBLISHED),
    Exemption("app/infrastructure/database/migrations/versions/0002_swept_outbox.py", "SWEPT", _PUBLISHED),
    Exemption("app/infrastructure/database/migrations/versions/0002_swept_outbox.py", "sweep", _PUBLISHED),
    Exemption("app/infrastructure/database/migrations/versions/0002_swept_outbox.py", "SWEEP", _PUBLISHED),
    Exemption("tests/integration/test_database/", "feed_change_swept", _TABLE),
    Exemption("deploy/sql/least_privilege_role.sql", "feed_change_swept", _TABLE),
    Exemption("deploy/sql/least_privilege_role.sql", "feed_change_sweep", _TABLE),
    Exemption("docs/adr/0015-exact-start-from-a-snapshot.md", "`feed_change_swept`", _TABLE),
    Exemption(
        "app/infrastructure/ml/registry/restricted_pickle.py", "stream.tell()", "a method of Python's files"
    ),
    Exemption("CHANGELOG.md", "--world changing", _FLAG),
    Exemption("docs/evaluation-protocol.md", "--world changing", _FLAG),
    Exemption("docs/evaluation-protocol.md", "--world recency", _FLAG),
    Exemption("benchmarks/worlds.py", "benchmarks/worlds.py", _FLAG),
    Exemption("benchmarks/worlds.py", "benchmarks.worlds", _FLAG),
    Exemption("benchmarks/worlds.py", '"--worlds"', _FLAG),
    Exemption("benchmarks/worlds.py", '"world":', _FLAG),
    Exemption("tests/integration/test_benchmarks.py", "benchmarks.worlds", _FLAG),
    Exemption("tests/integration/test_benchmarks.py", '"--worlds"', _FLAG),
    Exemption("tests/integration/test_benchmarks.py", '["worlds",', _FLAG),
    Exemption("tests/integration/test_benchmarks.py", 'row["world"]', _FLAG),
    Exemption("tests/integration/test_benchmarks.py", '"taste,utopia"', _SCENARIO),
    Exemption("tests/integration/test_readme_commands.py", '"benchmarks.worlds"', _FLAG),
    Exemption("docs/evaluation-protocol.md", "benchmarks.worlds", _FLAG),
    Exemption("CHANGELOG.md", "`benchmarks.worlds`", _FLAG),
    Exemption("data/generate_fake_data.py", '"--world"', _FLAG),
    Exemption("tests/unit/test_data/test_synthetic/test_feed.py", "--world", _FLAG),
    Exemption("tests/unit/test_data/test_synthetic/test_feed.py", '"taste"', _SCENARIO),
    Exemption("data/synthetic/behaviour.py", '"taste"', _SCENARIO),
    Exemption("docs/performance.md", "--scenario taste", _SCENARIO),
    Exemption("docs/embeddings.md", "| `taste` |", _SCENARIO),
    Exemption("tests/unit/test_training/test_deep/test_fits.py", 'scenario="taste"', _SCENARIO),
    Exemption("tests/integration/test_training/test_quality_band.py", '"taste"', _SCENARIO),
    Exemption("tests/support/quality_band.py", '"taste"', _SCENARIO),
    Exemption("web/components/reasons.ts", "people with your taste", "what the page says to its readers"),
    Exemption("web/tests/", "people with your taste", "what the page says to its readers"),
)


# -- the files ---------------------------------------------------------------------------------------------------

_CODE: Final = ("app", "data", "training", "benchmarks", "scripts", "tests", "web", "packages")
_FOLDERS: Final = (*_CODE, "docs", "deploy", "notebooks", ".github")
_SUFFIXES: Final = (".py", ".md", ".ts", ".tsx", ".sh", ".css", ".sql", ".yml", ".ipynb")
_AT_THE_ROOT: Final = ("*.md", "*.yml", ".env.example", "pyproject.toml", "Dockerfile")
_NOT_OURS: Final = {"node_modules", "__pycache__", ".next", "dist", "build"}
_GENERATED: Final = {
    "packages/feed-client/src/openapi.ts",
    "web/lib/platform/database-types.ts",
    "web/next-env.d.ts",
}


def files(root: Path) -> Iterator[str]:
    """Paths, from the root, of the files that are read for their words."""
    yield from sorted(path.name for pattern in _AT_THE_ROOT for path in root.glob(pattern))
    for top in _FOLDERS:
        for folder, below, names in os.walk(root / top):
            below[:] = sorted(set(below) - _NOT_OURS)
            paths = [(Path(folder) / name).relative_to(root).as_posix() for name in sorted(names)]
            yield from (p for p in paths if p.endswith(_SUFFIXES) and p not in _GENERATED | {THIS})


def text_of(root: Path, path: str) -> str:
    """The path on a line of its own and the text; of the changelog, only what is not released yet."""
    text = (root / path).read_text()
    if path == "CHANGELOG.md":
        text = re.split(r"^## \[\d", text, maxsplit=1, flags=re.MULTILINE)[0]
    return f"{path}\n{text}"


# -- the words ---------------------------------------------------------------------------------------------------

_PART: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_IN_PROSE: Final = re.compile(
    r"[\s_#*/>|`-]*"
)  # between two words of a phrase: also line ends and comment signs
_IN_NAMES: Final = re.compile(r"_*")
_NOT_A_NAME: Final = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`""", re.DOTALL
)
_NAME: Final = re.compile(r"\w+")

Span = tuple[int, int]


def find_phrases(
    text: str, phrases: Mapping[str, str], between: re.Pattern[str]
) -> Iterator[tuple[Span, str]]:
    """Where a phrase is in the text, its words divided by what `between` matches."""
    by_first_word: dict[str, list[tuple[str, list[str]]]] = {}
    for phrase in phrases:
        by_first_word.setdefault(phrase.split()[0], []).append((phrase, phrase.split()))
    parts = list(_PART.finditer(text))
    words = [part[0].lower() for part in parts]
    for i, word in enumerate(words):
        for phrase, wanted in by_first_word.get(word, ()):
            found = parts[i : i + len(wanted)]
            if words[i : i + len(wanted)] == wanted and all(
                between.fullmatch(text, a.end(), b.start()) for a, b in pairwise(found)
            ):
                yield (found[0].start(), found[-1].end()), phrase


def names_in(path: str, text: str) -> Iterator[Span]:
    """Where the names of a program are; those in its comments and strings are prose."""
    first = text.index("\n") + 1  # behind the line of the path
    if path.endswith(".py"):
        line_starts = [first, *(match.end() for match in re.compile("\n").finditer(text, first))]
        for token in tokenize.generate_tokens(io.StringIO(text[first:]).readline):
            if token.type == tokenize.NAME:
                start = line_starts[token.start[0] - 1] + token.start[1]
                yield start, start + len(token.string)
    elif path.endswith((".ts", ".tsx")):
        code = _NOT_A_NAME.sub(lambda prose: re.sub(r"\w", " ", prose[0]), text)
        yield from (match.span() for match in _NAME.finditer(code, first))


def occurrences(path: str, text: str) -> Iterator[tuple[Span, str, str]]:
    """Where the text has a retired word, the word, and its replacement."""
    for span, phrase in find_phrases(text, WORDS, _IN_PROSE):
        yield span, phrase, WORDS[phrase]
    if any(find_phrases(text, NAME_PARTS, _IN_NAMES)):
        for start, end in names_in(path, text):
            for (a, b), phrase in find_phrases(text[start:end], NAME_PARTS, _IN_NAMES):
                yield (start + a, start + b), phrase, NAME_PARTS[phrase]
    for match in re.finditer(rf"\b(?:{'|'.join(NAMES)})\b", text):
        yield match.span(), match[0], NAMES[match[0]]


# -- what may stay -----------------------------------------------------------------------------------------------

_VARIABLES: Final = expected(recorded(), "variables").keys()
_WHOLE_NAME: Final = re.compile(r"\w+")


def is_variable(text: str, span: Span) -> bool:
    """True if the word is part of the name of an environment variable, or of the setting of that name."""
    return any(
        match[0].upper() in _VARIABLES and match.start() <= span[0] and span[1] <= match.end()
        for match in _WHOLE_NAME.finditer(text, max(span[0] - 60, 0), span[1] + 60)
    )


def covers(exemption: Exemption, path: str, text: str, span: Span) -> bool:
    """True if the word is within the text that the exemption names."""
    return path.startswith(exemption.path) and (
        text.find(exemption.text, max(span[1] - len(exemption.text), 0), span[0] + len(exemption.text)) >= 0
    )


@dataclass(frozen=True)
class Report:
    """What a search found: one line for each problem, and the exemptions that were needed."""

    problems: list[str]
    used: set[Exemption]


def search(root: Path) -> Report:
    """Look for retired words in all files below the root."""
    problems, used = [], set()
    for path in files(root):
        text = text_of(root, path)
        for span, word, replacement in sorted(occurrences(path, text)):
            exempt = [one for one in EXEMPTIONS if covers(one, path, text, span)]
            used.update(exempt)
            if not exempt and not is_variable(text, span):
                line = text.count("\n", 0, span[0])
                place = f"{path}:{line}" if line else f"{path} (its name)"
                problems.append(f"{place}: {word!r}: write {replacement}")
    return Report(problems, used)


@pytest.fixture(scope="module")
def report() -> Report:
    return search(ROOT)


def test_no_file_uses_a_retired_word(report: Report) -> None:
    assert not report.problems, f"{len(report.problems)} retired words:\n" + "\n".join(report.problems)


def test_every_exemption_is_needed(report: Report) -> None:
    assert set(EXEMPTIONS) - report.used == set()


# -- the search finds what it is for -----------------------------------------------------------------------------


def test_each_retired_word_is_found_in_names_and_in_prose() -> None:
    every_word = [*WORDS, *NAME_PARTS, *NAMES]
    code = "app/planted.py\n" + "".join(
        f"of_{word.replace(' ', '_')}_1 = 1\n" for word in [*WORDS, *NAME_PARTS]
    )
    code += "".join(f"{name} = 1\n" for name in NAMES)
    prose = "docs/planted.md\n" + "".join(
        f"## {word.capitalize().replace(' ', chr(10))}.\n" for word in WORDS
    )

    in_names = [word for _, word, _ in occurrences("app/planted.py", code)]
    in_prose = [word for _, word, _ in occurrences("docs/planted.md", prose)]

    assert sorted(in_names) == sorted(every_word)
    assert sorted(in_prose) == sorted(WORDS)


PLANTED: Final[Mapping[str, Sequence[tuple[str, Sequence[str]]]]] = {
    "app/planted.py": [
        ('"""What the users have been told, and who', ["told", "who asks"]),
        ('asks for it."""', []),
        ("# a word in a comment, left", ["left out"]),
        ("# out at the end of a line", []),
        ("wasTold = the_heat = 1", ["told", "heat"]),
        ("met = 'in prose, a condition is met'", ["met"]),
        ("raise ValueError(f'{wasTold}: a stranger')", ["told", "stranger"]),
        ("FeedAnswer = WholeFeed = FeedAnswers = 1", ["FeedAnswer", "whole feed"]),
    ],
    "tests/unit/test_planted.py": [("def test_that_the_user_is_told_so(): ...", ["told"])],
    "notebooks/planted.ipynb": [('  "the rankers are told\\n",', ["told"])],
    "deploy/planted.sql": [("-- whoever reads it", ["whoever"])],
    "docker-compose.yml": [("# anew", ["anew"])],
    "scripts/planted.sh": [("echo 'the feed is read anew'", ["anew"])],
    "web/components/planted.tsx": [
        ("/* a newcomer */", ["newcomer"]),
        ("const metAllowed = 1; // told, and met", ["met", "told"]),
        ('const text = "posts of strangers, met before";', ["strangers"]),
        ("const page = <p>The user tells</p>;", ["tells"]),
    ],
    "docs/planted.md": [("A whole", ["whole read"]), ("read of the feed, which left. Out it goes.", [])],
    ".env.example": [
        ("ANSWER_STANDS_SECONDS=10", []),
        ("# an answer stands for some time", ["answer stands"]),
    ],
    "CHANGELOG.md": [("## [Unreleased]", []), ("- told", ["told"]), ("## [0.1.0]", []), ("- told", [])],
    "web/node_modules/planted/index.ts": [("const told = 1;", [])],
    "packages/feed-client/src/openapi.ts": [("const told = 1;", [])],
}
"""File to its lines, each with the words that are reported there."""


def test_planted_words_are_reported_with_file_line_and_replacement(tmp_path: Path) -> None:
    for path, lines in PLANTED.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("".join(f"{line}\n" for line, _ in lines))
    (tmp_path / "training").mkdir()
    (tmp_path / "training/chronicle.py").touch()

    found = search(tmp_path).problems

    replacements = {**WORDS, **NAME_PARTS, **NAMES}
    expected_lines = [
        f"{path}:{number}: {word!r}: write {replacements[word]}"
        for path, lines in PLANTED.items()
        for number, (_, words) in enumerate(lines, start=1)
        for word in words
    ]
    expected_lines.append("training/chronicle.py (its name): 'chronicle': write timeline")
    assert sorted(found) == sorted(expected_lines)


def test_an_exemption_covers_its_own_text_only() -> None:
    exemption = Exemption("app/state.py", '"heat"', "a key")
    text = 'app/state.py\nsaved["heat"] = heat\n'
    key, name = (match.span() for match in re.finditer("heat", text))

    assert covers(exemption, "app/state.py", text, key)
    assert not covers(exemption, "app/state.py", text, name)
    assert not covers(exemption, "app/other.py", text, key)
