"""EXPERIMENTS_FILE: what it may say, and one clear message for each mistake."""

from pathlib import Path

import pytest

from app.bootstrap import create_app
from app.domain.experiments.experiment import OwnMetric, Variant
from app.infrastructure.config.experiments_file import ExperimentsFile, read_experiments
from app.infrastructure.config.settings import Settings
from app.shared.exceptions import ConfigurationError

GOOD = """
[[experiment]]
name = "more_exploration"
salt = "2026-12 exploration"
start = 2026-12-01T00:00:00Z
end = 2026-12-29T00:00:00Z
primary_metric = "like"
guardrails = ["hide_post", "report_post"]
held_back = 0.1

[[experiment.variant]]
name = "control"
share = 0.45

[[experiment.variant]]
name = "more"
share = 0.45
ranking = { exploration_share = 0.1 }
"""
SECOND = GOOD.replace('"more_exploration"', '"other"').replace("2026-12 exploration", "other salt")


INTERLEAVING = """
[[experiment]]
name = "shorter_trends"
kind = "interleaving"
salt = "2026-12 trends"
start = 2026-12-01T00:00:00Z
end = 2026-12-15T00:00:00Z
primary_metric = "like"
held_back = 0.2

[[experiment.variant]]
name = "control"

[[experiment.variant]]
name = "shorter"
ranking = { trending_half_life_hours = 6.0 }
"""


def written(folder: Path, content: str) -> Path:
    path = folder / "experiments.toml"
    path.write_text(content)
    return path


def test_a_file_gives_its_experiments(tmp_path: Path) -> None:
    [one] = read_experiments(written(tmp_path, GOOD))

    assert (one.name, one.held_back, one.window_days, one.enabled) == ("more_exploration", 0.1, 7, True)
    assert one.end - one.start == 28 * 86_400
    assert list(one.variants) == [
        Variant("control", 0.45, {}),
        Variant("more", 0.45, {"exploration_share": 0.1}),
    ]


def test_an_interleaving_has_two_variants_without_shares(tmp_path: Path) -> None:
    [one] = read_experiments(written(tmp_path, INTERLEAVING))

    assert one.kind == "interleaving"
    assert one.interleaved_variant == Variant("shorter", 0.4, {"trending_half_life_hours": 6.0})
    assert one.names == ["control", "shorter", "interleaved"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("interleaving", "interleave", "kind: Input should be 'ab_test' or 'interleaving'"),
        (
            'name = "shorter"',
            'name = "shorter"\nshare = 0.5',
            "'shorter': share: both rankings are in each list",
        ),
        ('name = "shorter"', 'name = "interleaved"', "has the name 'interleaved'; take another one"),
        (
            "trending_half_life_hours = 6.0",
            "exploration_share = 0.1",
            "is a rule of pages, which both rankings",
        ),
        ('"like"', '"like"\nguardrails = ["hide_post"]', "guardrails: no user has one ranking alone"),
        (
            '[[experiment.variant]]\nname = "control"',
            (
                '[[experiment.variant]]\nname = "x"\nranking = { candidates = 50 }\n'
                '[[experiment.variant]]\nname = "control"'
            ),
            "an interleaving has two variants, not 3; remove the others",
        ),
    ],
)
def test_a_mistake_in_an_interleaving_is_one_line_as_well(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read_experiments(written(tmp_path, INTERLEAVING.replace(old, new, 1)))


METRIC, VARIANT = '[[experiment.metric]]\nname = "depth"\n', "[[experiment.variant]]"
QUERY = "sql = 'SELECT user_id, day, value FROM depth;'\n"


def test_a_metric_is_one_query_without_its_semicolon(tmp_path: Path) -> None:
    [experiment] = read_experiments(written(tmp_path, GOOD + METRIC + QUERY))

    assert experiment.own_metrics == (OwnMetric("depth", "SELECT user_id, day, value FROM depth"),)


def test_a_variant_may_rank_with_a_channel(tmp_path: Path) -> None:
    [one] = read_experiments(
        written(tmp_path, GOOD.replace("ranking = { exploration_share = 0.1 }", 'channel = "full"'))
    )

    assert one.variants[1] == Variant("more", 0.45, {}, channel="full")
    assert one.control.name == "control"


@pytest.mark.parametrize("content", ["", "# none at the moment\n"])
def test_an_empty_file_has_no_experiment(tmp_path: Path, content: str) -> None:
    assert read_experiments(written(tmp_path, content)) == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[[experiment]]", "[[experiment", "is not TOML: "),
        ("[[experiment]]", "[[experiments]]\n[[experiment]]", "experiments: begin each experiment with"),
        ('salt = "2026-12 exploration"\n', "", "experiment 'more_exploration': salt: is missing; add it"),
        ('name = "more_exploration"', 'name = "Two Words"', "name: String should match pattern"),
        ("2026-12-01T00:00:00Z", "2026-12-01T00:00:00", "start: Input should have timezone info"),
        ("2026-12-01T00:00:00Z", "2027-12-01T00:00:00Z", "start is not before end; correct one of them"),
        ('"like"', '"love"', "primary_metric: Input should be 'view'"),
        ('"report_post"', '"p99"', "guardrails.2: Input should be 'hide_post'"),
        ("held_back = 0.1", "held_back = 0.2", "add up to 1.1; make that 1"),
        ("held_back = 0.1", "hold_back = 0.1", "hold_back: is not a known field; remove it"),
        ('name = "control"', 'name = "more"', "two variants have the same name; rename one"),
        ("ranking = {", "ranking = { candidates_ = 1,", "variant.2: ranking.candidates_: is no option"),
        (
            "= 0.1 }",
            "= 0.9 }",
            "exploration_share: Input should be less than or equal to 0.5; correct the value",
        ),
        (
            "ranking = { exploration_share = 0.1 }",
            "",
            "exactly one variant, the control, must change nothing",
        ),
        ("share = 0.45\nr", "share = nan\nr", "variant.2.share: "),
        ("ranking = {", 'channel = "newest"\nranking = {', "variant.2.channel: Input should be 'full' or"),
        (
            "ranking = {",
            'channel = "full"\nmodel = "v7"\nranking = {',
            "variant.2: model and channel both name what ranks; remove one",
        ),
        ("share = 0.45\nr", "r", "variant 'more': share is missing; add it"),
        (
            "[[experiment.variant]]",
            f"{METRIC}sql = 'DELETE FROM posts'\n{VARIANT}",
            "metric.1: sql: is not one query",
        ),
        (
            "[[experiment.variant]]",
            f"{METRIC}sql = 'SELECT 1; DROP'\n{VARIANT}",
            "metric.1: sql: is not one query",
        ),
        ("[[experiment.variant]]", f"{METRIC}\n{VARIANT}", "metric.1.sql: is missing; add it"),
        (
            "[[experiment.variant]]",
            f"{2 * (METRIC + QUERY)}{VARIANT}",
            "two metrics have the same name; rename one",
        ),
    ],
)
def test_a_mistake_is_one_line_with_place_problem_and_remedy(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = written(tmp_path, GOOD.replace(old, new, 1))

    with pytest.raises(ConfigurationError) as raised:
        read_experiments(path)

    assert str(raised.value).startswith(f"{path}: ")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (GOOD, "two experiments have the name 'more_exploration'; rename one"),
        (SECOND, "'more_exploration' and 'other' both change exploration_share"),
        (SECOND.replace("other salt", "2026-12 exploration"), "have the same salt"),
        (
            SECOND.replace("ranking = {", 'model = "v7"\nranking = {').replace(
                "exploration_share = 0.1", "candidates = 50"
            )
            + SECOND.replace("other", "third")
            .replace("ranking = {", 'channel = "full"\nranking = {')
            .replace("exploration_share = 0.1", "interest_factor = 0.5"),
            "'other' and 'third' both change the model",
        ),
        (
            INTERLEAVING
            + INTERLEAVING.replace("shorter_trends", "candidates")
            .replace("2026-12 trends", "2026-12 candidates")
            .replace("trending_half_life_hours = 6.0", "candidates = 50"),
            "'shorter_trends' and 'candidates' both interleave lists",
        ),
    ],
)
def test_experiments_that_cannot_run_together_are_rejected(tmp_path: Path, second: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read_experiments(written(tmp_path, GOOD + second))


def test_an_experiment_that_is_switched_off_collides_with_none(tmp_path: Path) -> None:
    off = SECOND.replace("held_back", "enabled = false\nheld_back")

    assert [one.enabled for one in read_experiments(written(tmp_path, GOOD + off))] == [True, False]


def test_the_combinations_of_variants_are_bounded(tmp_path: Path) -> None:
    options = (
        "candidates = 50",
        "interest_factor = 0.5",
        "exploration_share = 0.1",
        "impression_sink_factor = 0.1",
    )
    options = (*options, "author_repeat_factor = 1.0")
    files = [
        GOOD.replace("more_exploration", f"e{number}")
        .replace("2026-12 exploration", f"salt {number}")
        .replace("exploration_share = 0.1", option)
        for number, option in enumerate(options)
    ]

    assert len(read_experiments(written(tmp_path, "".join(files[:4])))) == 4
    with pytest.raises(ConfigurationError, match="32 combinations of variants, at most 16"):
        read_experiments(written(tmp_path, "".join(files)))


def test_a_bad_file_stops_the_start_and_a_later_one_is_a_problem_for_the_log(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    source = ExperimentsFile(path)
    before = source.fingerprint()
    path.unlink()

    with pytest.raises(
        ConfigurationError, match=r"EXPERIMENTS_FILE: .*: No such file or directory; set the path"
    ):
        create_app(Settings(_env_file=None, experiments_file=path, keys_dir=tmp_path))  # type: ignore[call-arg]
    assert source.fingerprint() != before
    with pytest.raises(ValueError, match="No such file"):
        source.read()
    assert len(source.experiments) == 1
