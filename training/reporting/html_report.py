"""The evaluation as one page that needs nothing else."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import INTERACTION_TYPES
from app.shared.atomic_file import write_atomically
from training.evaluation.metrics import ndcg_of_rank
from training.evaluation.pipeline_diagnostics import PipelineSummary
from training.evaluation.prequential import ReplayResult
from training.evaluation.summary import SEGMENTS, RankerSummary
from training.replay.replay import Replay
from training.reporting import plots
from training.reporting.console import interval

_COMPARED: Final = 5  # rankers in a plot of lines
_HISTORY: Final = (0, 1, 2, 5, 10, 30, 100)
_HISTORY_LABELS: Final = ("none", "1", "2-4", "5-9", "10-29", "30-99", "100+")
_AGES: Final = (0, 600, 3600, 3 * 3600, 6 * 3600, 86_400, 3 * 86_400, 7 * 86_400, 30 * 86_400)
_AGE_LABELS: Final = ("<10 min", "<1 h", "<3 h", "<6 h", "<1 d", "<3 d", "<7 d", "<30 d", "older")
_STYLE: Final = """
body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#1d2733}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .6rem;text-align:right;border-bottom:1px solid #e3e7ec;white-space:nowrap}
th:first-child,td:first-child{text-align:left}
svg{max-width:100%;height:auto}
.wide{overflow-x:auto}
p{color:#4a5866}
"""


def write_report(
    path: Path,
    replay: Replay,
    result: ReplayResult,
    table: Mapping[str, RankerSummary],
    pipeline: PipelineSummary | None = None,
) -> None:
    """Write the page, whole or not at all. Raises OSError."""
    write_atomically(path, [report(replay, result, table, pipeline).encode()])


def report(
    replay: Replay,
    result: ReplayResult,
    table: Mapping[str, RankerSummary],
    pipeline: PipelineSummary | None = None,
) -> str:
    """The page: tables and plots, all inside."""
    parts = [
        _heading(replay, result),
        _section("Rankers", _ranker_table(table, result), plots.ranker_comparison(table)),
        *_by_request(replay, result, table),
    ]
    if pipeline is not None:
        parts += _pipeline_sections(pipeline)
    if result.fits:
        learned = result.fits[-1]
        times = f"Learned {len(result.fits)} times"
        told = f"{times}; the last time {learned.variant}."
        parts.append(
            _section("What the learned scorer looks at", _text(told), plots.feature_weights(learned.model))
        )
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>Evaluation of the feed</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>\n'
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _heading(replay: Replay, result: ReplayResult) -> str:
    since = datetime.fromtimestamp(replay.test_from, UTC).isoformat(timespec="minutes")
    kinds = ", ".join(INTERACTION_TYPES[kind] for kind in sorted(replay.targets))
    history = replay.dataset
    told = (
        f"{len(result.requests):,} requests from {since} on, replayed one by one: each ranker saw what had happened "
        f"strictly before, ranked every post there was, and was judged by the place of the one that the user chose "
        f"({kinds}). The feed has {len(history.users):,} users, {len(history.posts):,} posts and "
        f"{len(history.events):,} interactions. Intervals are 95 %, by bootstrap over users."
    )
    return f"<h1>Evaluation of the feed</h1>{_text(told)}"


def _ranker_table(table: Mapping[str, RankerSummary], result: ReplayResult) -> str:
    counts = next(iter(table.values())).segments
    header = ["ranker", "NDCG@10", "hit@10", "MRR"]
    header += [f"NDCG@10 {name} (n={counts[name].n})" for name in SEGMENTS]
    header += ["coverage", "novelty", "Gini", "authors", "ms"]
    rows = []
    for name, row in sorted(table.items(), key=lambda one: -one[1].accuracy["ndcg@10"].mean):
        segments = [f"{row.segments[one].mean:.3f}" if row.segments[one].n else "-" for one in SEGMENTS]
        milliseconds = result.seconds[name] / max(len(result.requests), 1) * 1000
        rows.append(
            [
                name,
                *(interval(one) for one in row.accuracy.values()),
                *segments,
                f"{row.coverage:.3f}",
                f"{row.novelty:.1f}",
                f"{row.gini:.3f}",
                f"{row.author_diversity:.2f}",
                f"{milliseconds:.1f}",
            ]
        )
    return _table(header, rows)


def _by_request(replay: Replay, result: ReplayResult, table: Mapping[str, RankerSummary]) -> list[str]:
    best = sorted(table, key=lambda name: -table[name].accuracy["ndcg@10"].mean)[:_COMPARED]
    ndcg = {name: ndcg_of_rank(result.ranks[name]) for name in best}
    hour = (replay.events.time[result.requests] // 3600 % 24).astype(np.intp)
    return [
        _section(
            "By the user's history",
            plots.by_bins(
                ndcg, _bins(result.history_length, _HISTORY), _HISTORY_LABELS, "events before the request"
            ),
        ),
        _section(
            "By the age of the chosen post",
            plots.by_bins(ndcg, _bins(result.post_age, _AGES), _AGE_LABELS, "age"),
        ),
        _section(
            "By hour", plots.by_bins(ndcg, hour, [str(one) for one in range(24)], "hour of the day, UTC")
        ),
    ]


def _pipeline_sections(pipeline: PipelineSummary) -> list[str]:
    sections = []
    parts = pipeline.reliability()
    if parts:
        rows = [
            [
                f"{one.predicted:.5f}",
                f"{one.observed:.5f}",
                "-" if one.ratio is None else f"{one.ratio:.2f}",
                f"{one.n:,}",
            ]
            for one in parts
        ]
        told = "The first 50 posts of each served page, in tenths by their probability of being the one that is chosen."
        sections.append(
            _section(
                "Do the probabilities hold?",
                _text(told),
                _table(["predicted", "chosen", "ratio", "posts"], rows),
                plots.reliability(parts),
            )
        )
    found = pipeline.sources()
    if found:
        rows = [
            [
                name,
                f"{one.recall:.3f}",
                f"{one.alone:.3f}",
                f"{one.nominated:,.0f}",
                f"{one.milliseconds:.2f}",
            ]
            for name, one in found.items()
        ]
        told = f"What each source names of what users chose ({pipeline.requests:,} requests), and its cost by itself."
        header = ["source", "recall", "alone", "posts", "ms"]
        sections.append(_section("Sources", _text(told), _table(header, rows), plots.source_recall(found)))
    return sections


def _bins(values: NDArray[Any], edges: Sequence[float]) -> NDArray[np.intp]:
    return np.searchsorted(np.asarray(edges, np.float64), values, side="right") - 1


def _section(title: str, *parts: str) -> str:
    return f"<h2>{escape(title)}</h2>\n" + "\n".join(parts)


def _text(told: str) -> str:
    return f"<p>{escape(told)}</p>"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(one)}</th>" for one in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
