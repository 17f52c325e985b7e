"""The settings have the defaults of the domain, and each option has bounds."""

from dataclasses import fields

import pytest
from pydantic import ValidationError

from app.domain.ranking.options import FormulaWeights, RankingOptions
from app.infrastructure.config.ranking_settings import FORMULA_BOUNDS, RANKING_BOUNDS, ranking_options
from app.infrastructure.config.settings import Settings


@pytest.fixture(autouse=True)
def no_environment(monkeypatch, tmp_path):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def test_the_default_settings_give_the_default_options():
    assert ranking_options(Settings()) == RankingOptions()


def test_each_option_has_bounds_and_its_default_is_within_them():
    for bounds, defaults in ((RANKING_BOUNDS, RankingOptions()), (FORMULA_BOUNDS, FormulaWeights())):
        assert list(bounds) == [field.name for field in fields(defaults)]
        for name, adapter in bounds.items():
            assert adapter.validate_python(getattr(defaults, name)) == getattr(defaults, name)


@pytest.mark.parametrize(
    ("name", "value"), [("neighbours", 0), ("author_repeat_floor", 1.5), ("candidates", 1)]
)
def test_a_value_outside_its_bounds_is_rejected(name, value):
    with pytest.raises(ValidationError):
        RANKING_BOUNDS[name].validate_python(value)


def test_a_setting_changes_its_option_and_no_other(monkeypatch):
    changed = {"NEIGHBOURS": "7", "RANKED_LIMIT": "8", "CANDIDATES": "90", "RECENCY_TAU_HOURS": "10"}
    for name, value in changed.items():
        monkeypatch.setenv(name, value)

    assert ranking_options(Settings()) == RankingOptions(
        formula=FormulaWeights(recency_tau_hours=10), neighbours=7, whole_catalogue=8, candidates=90
    )


def test_a_setting_has_the_bounds_of_its_option():
    of_option = {"whole_catalogue": "ranked_limit"}
    for name, adapter in RANKING_BOUNDS.items():
        field = Settings.model_fields.get(of_option.get(name, name))
        if field is not None:
            bounds = {key: value for key, value in adapter.json_schema().items() if key != "type"}
            schema = Settings.model_json_schema()["properties"][of_option.get(name, name)]
            assert bounds == {key: schema[key] for key in bounds}
            assert bounds
