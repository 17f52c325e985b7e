"""The settings' defaults are the domain's, and each option has its bounds."""

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


def test_each_option_has_bounds_that_its_default_keeps():
    for bounds, defaults in ((RANKING_BOUNDS, RankingOptions()), (FORMULA_BOUNDS, FormulaWeights())):
        assert list(bounds) == [field.name for field in fields(defaults)]
        for name, adapter in bounds.items():
            assert adapter.validate_python(getattr(defaults, name)) == getattr(defaults, name)


@pytest.mark.parametrize(
    ("name", "beyond"), [("neighbours", 0), ("author_repeat_floor", 1.5), ("candidates", 1)]
)
def test_a_value_beyond_its_bounds_is_refused(name, beyond):
    with pytest.raises(ValidationError):
        RANKING_BOUNDS[name].validate_python(beyond)
