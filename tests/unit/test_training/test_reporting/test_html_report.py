"""The report holds what was measured, on one page that asks nobody for anything."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from app.domain.ranking.options import RankingOptions
from tests.support.feeds import generated
from training.evaluation.against import OrderComparison
from training.evaluation.metrics import Estimate
from training.evaluation.pipeline_diagnostics import PipelineDiagnostics, PipelineSummary
from training.evaluation.prequential import replay_rankers
from training.evaluation.summary import summarise
from training.learning.model_selection import LearningOptions
from training.replay.replay import Replay, target_kinds
from training.reporting.html_report import report

QUICK = LearningOptions(requests=250, candidates=20, ridges=(1e-3,), units=())


@pytest.fixture(scope="module")
def measured():
    history = generated(users=60, posts=200, interactions=4000)
    replay = Replay(history, RankingOptions(), targets=target_kinds(history))
    watch = PipelineDiagnostics(replay.options)
    rankers = ["newest", "learned", "served"]
    outcome = replay_rankers(replay, rankers, QUICK, max_requests=60, diagnose=watch, selects_served=False)
    return replay, outcome, summarise(replay, outcome), PipelineSummary(outcome.diagnoses)


class Page(HTMLParser):
    """Headings, table cells, and what is fetched from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.cells: list[str] = []
        self.fetched: list[str] = []
        self.plots = 0
        self._in = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self._in = tag
        self.plots += tag == "svg"
        wanted = ("src", "href", "xlink:href", "data")
        self.fetched += [value for name, value in attrs if name in wanted and not value.startswith("#")]

    def handle_data(self, data):
        if self._in in ("h1", "h2"):
            self.headings.append(data.strip())
        elif self._in == "td":
            self.cells.append(data)


def test_the_page_has_every_figure_and_plot_and_fetches_nothing(measured):
    text = report(*measured)

    page = Page(text)

    assert [one for one in page.headings if one] == [
        "Evaluation of the feed",
        "Rankers",
        "By the user's history",
        "By the age of the chosen post",
        "By hour",
        "Calibration",
        "Sources",
        "Weights of the learned model",
    ]
    assert page.plots == 7
    assert page.fetched == []
    assert not re.search(r"url\(\s*['\"]?http", text)
    for name, row in measured[2].items():
        assert name in page.cells
        assert any(cell.startswith(f"{row.accuracy['ndcg@10'].mean:.3f} [") for cell in page.cells)


@pytest.mark.slow
def test_the_same_figures_make_the_same_page(measured):
    assert report(*measured) == report(*measured)


def test_a_page_has_the_comparison_with_the_present_order_but_no_pipeline_and_no_model_without_them():
    history = generated(users=60, posts=200, interactions=4000)
    replay = Replay(history, RankingOptions(), targets=target_kinds(history))
    outcome = replay_rankers(replay, ["newest"], QUICK, max_requests=10)

    difference = {"ndcg@10": Estimate(0.0713, 0.052, 0.09, 10)}
    comparison = OrderComparison("order.sql", difference, difference, difference, "ours & theirs")

    text = report(replay, outcome, summarise(replay, outcome), PipelineSummary([]), comparison)

    page = Page(text)
    assert "Against the present order" in page.headings
    assert page.plots == 5
    assert {"theirs (order.sql)", "0.071 [0.052 0.090]", "+0.071 [+0.052 +0.090]"} <= set(page.cells)
    assert "<p>ours &amp; theirs</p>" in text
    assert "Sources" not in page.headings
    assert "Weights of the learned model" not in page.headings


def test_recall_counts_the_chosen_posts_of_a_source_and_unique_recall_those_of_no_other_source(measured):
    replay, outcome, _, pipeline = measured
    fresh = Replay(replay.dataset, replay.options, targets=replay.targets)
    named: dict[str, list[bool]] = {}

    def again(moment, model):
        from app.domain.ranking.assembly import NoObserver, ranking_pipeline

        both = [ranking_pipeline(fresh.options, moment.neighbour_models.served, None, NoObserver())]
        both += [ranking_pipeline(fresh.options, None, model, NoObserver())] if model else []
        found = {one.name: moment.target in one(moment.context) for pipe in both for one in pipe.sources}
        for name, hit in found.items():
            if name != "catalogue":
                named.setdefault(name, []).append(hit)

    replay_rankers(fresh, ["learned"], QUICK, max_requests=60, diagnose=again)

    by_source = pipeline.sources()
    together = np.sum(list(named.values()), axis=0)
    assert pipeline.requests == len(outcome.requests) == 60
    assert set(by_source) == {*named, "all"}
    assert by_source["all"].recall == pytest.approx((together > 0).mean())
    for name, hits in named.items():
        assert by_source[name].recall == pytest.approx(np.mean(hits))
        assert by_source[name].unique_recall == pytest.approx((np.array(hits) & (together == 1)).mean())


def test_reliability_parts_the_served_posts_in_tenths_by_probability(measured):
    _, outcome, _, pipeline = measured

    parts = pipeline.reliability()

    predicted = [part.predicted for part in parts]
    assert len(parts) == 10
    assert predicted == sorted(predicted)
    assert sum(part.n for part in parts) == 50 * len(outcome.requests)
    within = (outcome.ranks["served"] <= 50).sum()
    assert sum(part.observed * part.n for part in parts) == pytest.approx(within)
