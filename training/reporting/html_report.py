"""Writes an evaluation as one HTML page without external resources."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Final

import numpy as np

from app.domain.entities import INTERACTION_TYPES
from training.evaluation.against import OrderComparison
from training.evaluation.metrics import ndcg_of_rank
from training.evaluation.pipeline_diagnostics import PipelineSummary
from training.evaluation.prequential import ReplayResult
from training.evaluation.summary import SEGMENTS, RankerSummary
from training.replay.replay import Replay
from training.reporting import plots
from training.reporting.console import (
    SOURCE_COLUMNS,
    interval,
    source_cells,
    summary_cells,
)

_MAX_LINES: Final = 5  # rankers in a line plot
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


def report(
    replay: Replay,
    result: ReplayResult,
    table: Mapping[str, RankerSummary],
    pipeline: PipelineSummary,
    comparison: OrderComparison | None = None,
) -> str:
    """The page as HTML, with its tables and plots."""
    parts = [
        _introduction(replay, result),
        *([_comparison(comparison)] if comparison else []),
        _section("Rankers", _ranker_table(table, result), plots.ranker_comparison(table)),
        *_by_request(replay, result, table),
        *_pipeline_sections(pipeline),
    ]
    if result.fits:
        last = result.fits[-1]
        text = f"The model was fitted {len(result.fits)} times. The last fit has this shape: {last.variant}."
        parts.append(_section("Weights of the learned model", _text(text), plots.feature_weights(last.model)))
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>Evaluation of the feed</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>\n'
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _introduction(replay: Replay, result: ReplayResult) -> str:
    """The title of the page, and a paragraph about how the evaluation was made."""
    since = datetime.fromtimestamp(replay.test_from, UTC).isoformat(timespec="minutes")
    target_types = ", ".join(INTERACTION_TYPES[kind] for kind in sorted(replay.targets))
    feed = replay.dataset
    text = (
        f"The replay ranked {len(result.requests):,} requests from {since} on. For each request, every ranker knew "
        f"only earlier events and ranked all existing posts. The metrics use the rank of the post that the user chose "
        f"({target_types}). The feed has {len(feed.users):,} users, {len(feed.posts):,} posts and {len(feed.events):,} "
        f"interactions. Intervals are 95 %, by bootstrap over users."
    )
    return f"<h1>Evaluation of the feed</h1>{_text(text)}"


def _comparison(comparison: OrderComparison) -> str:
    """The order that the feed has now, `served`, and the differences of their metrics."""
    rows = [
        [f"theirs ({comparison.order})", *map(interval, comparison.theirs.values())],
        ["ours (served)", *map(interval, comparison.ours.values())],
        ["ours - theirs", *(interval(one, "+.3f") for one in comparison.difference.values())],
    ]
    table = _table(["ranking", *comparison.difference], rows)
    plot = plots.differences(comparison.difference)
    return _section("Against the present order", _text(comparison.verdict), table, plot)


def _ranker_table(table: Mapping[str, RankerSummary], result: ReplayResult) -> str:
    counts = next(iter(table.values())).segments
    header = ["ranker", "NDCG@10", "hit@10", "MRR"]
    header += [f"NDCG@10 {name} (n={counts[name].n})" for name in SEGMENTS]
    header += ["coverage", "novelty", "Gini", "authors", "ms"]
    rows = []
    for name, row in sorted(table.items(), key=lambda item: -item[1].accuracy["ndcg@10"].mean):
        milliseconds = result.seconds[name] / max(len(result.requests), 1) * 1000
        rows.append([name, *summary_cells(row), f"{milliseconds:.1f}"])
    return _table(header, rows)


def _by_request(replay: Replay, result: ReplayResult, table: Mapping[str, RankerSummary]) -> list[str]:
    best = sorted(table, key=lambda name: -table[name].accuracy["ndcg@10"].mean)[:_MAX_LINES]
    ndcg = {name: ndcg_of_rank(result.ranks[name]) for name in best}
    hour = replay.events.time[result.requests] // 3600 % 24
    sections = []
    for title, values, edges, labels, axis in (
        (
            "By the user's history",
            result.history_length,
            _HISTORY,
            _HISTORY_LABELS,
            "events before the request",
        ),
        ("By the age of the chosen post", result.post_age, _AGES, _AGE_LABELS, "age"),
        ("By hour", hour, range(24), [str(number) for number in range(24)], "hour of the day, UTC"),
    ):
        bins = np.searchsorted(np.asarray(edges, np.float64), values, side="right") - 1
        sections.append(_section(title, plots.by_bins(ndcg, bins, labels, axis)))
    return sections


def _pipeline_sections(pipeline: PipelineSummary) -> list[str]:
    sections = []
    if bins := pipeline.reliability():
        cells = []
        for one in bins:
            ratio = "-" if one.ratio is None else f"{one.ratio:.2f}"
            cells.append([f"{one.predicted:.5f}", f"{one.observed:.5f}", ratio, f"{one.n:,}"])
        text = "The first 50 posts of each served page, in tenths by predicted probability of being chosen."
        table = _table(["predicted", "chosen", "ratio", "posts"], cells)
        sections.append(_section("Calibration", _text(text), table, plots.reliability(bins)))
    if sources := pipeline.sources():
        text = (
            f"Over {pipeline.requests:,} requests: the share of the chosen posts that each source nominated, the share "
            "that only this source nominated, the mean number of nominated posts, and the time of the source by itself."
        )
        table = _table(SOURCE_COLUMNS, [[name, *source_cells(row)] for name, row in sources.items()])
        sections.append(_section("Sources", _text(text), table, plots.source_recall(sources)))
    return sections


def _section(title: str, *parts: str) -> str:
    return f"<h2>{escape(title)}</h2>\n" + "\n".join(parts)


def _text(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
