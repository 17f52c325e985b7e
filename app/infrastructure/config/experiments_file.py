"""EXPERIMENTS_FILE: the experiments in TOML, read again while the service runs."""

import os
import tomllib
from collections.abc import Mapping, Sequence
from itertools import combinations
from math import isclose, prod
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.domain.entities import InteractionType
from app.domain.entities.control import ControlAction
from app.domain.entities.model_record import Channel
from app.domain.experiments.experiment import (
    INTERLEAVED,
    PAGE_RULE_OPTIONS,
    VARIED_OPTIONS,
    Experiment,
    Kind,
    OwnMetric,
    Variant,
)
from app.domain.experiments.probation import PREFIX as PROBATION_PREFIX
from app.domain.experiments.user_counts import DEGRADED_PAGES, SLOW_PAGES
from app.infrastructure.config.ranking_settings import RANKING_BOUNDS
from app.infrastructure.config.setting_types import Fraction
from app.shared.exceptions import ConfigurationError

MAX_COMBINATIONS: Final = 16
"""Combinations of variants of the enabled experiments: each has a pipeline in memory."""
_MAX_BYTES: Final = 1024**2
_MAX_VARIANTS: Final = 10
_Guardrail = Literal[ControlAction, "degraded_page", "slow_page"]
_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]


class _VariantTable(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: _Name
    share: Fraction = 0.0
    ranking: dict[str, Any] = Field(default_factory=dict)
    model: Annotated[str, Field(pattern=r"^v[0-9]{1,9}$")] | None = None
    channel: Channel | None = None

    def variant(self, share: float) -> Variant:
        """The variant of the table."""
        return Variant(self.name, share, self.ranking, self.model, self.channel)

    @model_validator(mode="after")
    def _check_ranking(self) -> "_VariantTable":
        if self.model is not None and self.channel is not None:
            raise ValueError("model and channel both name what ranks; remove one")
        for option, value in self.ranking.items():
            if option not in VARIED_OPTIONS:
                raise ValueError(
                    f"ranking.{option}: is no option that a variant may change; "
                    f"use some of {', '.join(sorted(VARIED_OPTIONS))}"
                )
            try:
                self.ranking[option] = RANKING_BOUNDS[option].validate_python(value)
            except ValidationError as error:
                raise ValueError(f"ranking.{option}: {_first(error)[1]}; correct the value") from None
        return self


class _MetricTable(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: _Name
    sql: Annotated[str, Field(min_length=1, max_length=10_000)]

    @model_validator(mode="after")
    def _check_query(self) -> "_MetricTable":
        query = self.sql.strip().removesuffix(";").rstrip()
        if ";" in query or not query[:6].lower().startswith(("select", "with")):
            raise ValueError("sql: is not one query; begin with SELECT or WITH, without a semicolon inside")
        self.sql = query
        return self


class _ExperimentTable(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: _Name
    kind: Kind = "ab_test"
    salt: Annotated[str, Field(min_length=1, max_length=64)]
    start: AwareDatetime
    end: AwareDatetime
    primary_metric: InteractionType
    guardrails: list[_Guardrail] = Field(default=[DEGRADED_PAGES, SLOW_PAGES])
    planned_users: Annotated[int, Field(ge=100, le=1_000_000_000)] = 10_000
    window_days: Annotated[int, Field(ge=1, le=90)] = 7
    held_back: Fraction = 0.0
    enabled: bool = True
    metric: Annotated[list[_MetricTable], Field(max_length=20)] = Field(default=[])
    variant: Annotated[list[_VariantTable], Field(min_length=2, max_length=_MAX_VARIANTS)]

    @model_validator(mode="after")
    def _check_together(self) -> "_ExperimentTable":
        if self.name.startswith(PROBATION_PREFIX):
            raise ValueError(
                f"name: {PROBATION_PREFIX}... is of promotions by training.follow; take another one"
            )
        names = [one.name for one in self.variant]
        if len(set(names)) < len(names):
            raise ValueError("two variants have the same name; rename one")
        if sum(one.variant(0.0).changes_nothing for one in self.variant) != 1:
            raise ValueError(
                "exactly one variant, the control, must change nothing; leave out `ranking`, `model` and "
                "`channel` of one variant"
            )
        if self.kind == "interleaving":
            self._check_interleaving()
        else:
            self._check_shares()
        metrics = [one.name for one in self.metric]
        if len(set(metrics)) < len(metrics):
            raise ValueError("two metrics have the same name; rename one")
        if self.start >= self.end:
            raise ValueError("start is not before end; correct one of them")
        return self

    def _check_shares(self) -> None:
        if without := next((one.name for one in self.variant if "share" not in one.model_fields_set), None):
            raise ValueError(f"variant {without!r}: share is missing; add it")
        total = sum(one.share for one in self.variant) + self.held_back
        if not isclose(total, 1.0, abs_tol=1e-9):
            raise ValueError(f"the shares of the variants and held_back add up to {total:g}; make that 1")

    def _check_interleaving(self) -> None:
        if len(self.variant) != 2:
            raise ValueError(f"an interleaving has two variants, not {len(self.variant)}; remove the others")
        for one in self.variant:
            if "share" in one.model_fields_set:
                raise ValueError(
                    f"variant {one.name!r}: share: both rankings are in each list; leave it out, and set held_back"
                )
            if one.name == INTERLEAVED:
                raise ValueError(
                    f"a variant of an interleaving has the name {INTERLEAVED!r}; take another one"
                )
            if both := sorted(PAGE_RULE_OPTIONS & set(one.ranking)):
                raise ValueError(
                    f"ranking.{both[0]}: is a rule of pages, which both rankings share; compare it in an A/B test"
                )
        if "guardrails" in self.model_fields_set and self.guardrails:
            raise ValueError(
                "guardrails: no user has one ranking alone; leave them out, or make it an A/B test"
            )

    def experiment(self) -> Experiment:
        """The experiment of the table."""
        return Experiment(
            self.name,
            self.salt,
            [one.variant(self._share(one)) for one in self.variant],
            self.held_back,
            self.start.timestamp(),
            self.end.timestamp(),
            self.primary_metric,
            self.guardrails if self.kind == "ab_test" else [],
            self.planned_users,
            self.window_days,
            self.enabled,
            self.kind,
            tuple(OwnMetric(one.name, one.sql) for one in self.metric),
        )

    def _share(self, variant: _VariantTable) -> float:
        return variant.share if self.kind == "ab_test" else (1 - self.held_back) / 2


class ExperimentsFile:
    """The experiments of the file: those of its last good version."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigurationError if the file cannot be used."""
        self._path = path
        self.experiments = read_experiments(path)

    def fingerprint(self) -> object:
        """A value that changes with the file; None while there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def read(self) -> Sequence[Experiment]:
        """The present experiments. Raises ValueError; then those of before stay."""
        try:
            self.experiments = read_experiments(self._path)
        except ConfigurationError as error:
            raise ValueError(str(error)) from None
        return self.experiments


def read_experiments(path: Path) -> Sequence[Experiment]:
    """The experiments of a file. Raises ConfigurationError with place, problem and remedy."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(
            f"EXPERIMENTS_FILE: {path}: {os.strerror(error.errno or 0)}; set the path of a file that can be read"
        ) from None
    if len(content) > _MAX_BYTES:
        raise ConfigurationError(f"{path}: the file is larger than {_MAX_BYTES} bytes; is it the right one?")
    try:
        tables = tomllib.loads(content.decode())
    except ValueError as error:  # also UnicodeDecodeError
        raise ConfigurationError(f"{path}: is not TOML: {error}; correct this place") from None
    return _experiments(tables, path)


def _experiments(tables: Mapping[str, Any], path: Path) -> Sequence[Experiment]:
    unknown = next((name for name in tables if name != "experiment"), None)
    listed = tables.get("experiment", [])
    if unknown is not None or not isinstance(listed, list):
        raise ConfigurationError(
            f"{path}: {unknown or 'experiment'}: begin each experiment with [[experiment]]"
        )
    found = []
    for number, table in enumerate(listed, 1):
        try:
            found.append(_ExperimentTable.model_validate(table).experiment())
        except ValidationError as error:
            place, problem = _first(error)
            name = table.get("name") if isinstance(table, dict) else None
            named = f"experiment {name!r}" if isinstance(name, str) else f"[[experiment]] number {number}"
            raise ConfigurationError(f"{path}: {named[:80]}: {place}{problem}") from None
    try:
        _check_layers(found)
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}") from None
    return tuple(found)


def _check_layers(experiments: Sequence[Experiment]) -> None:
    """Raise ValueError if the experiments cannot run at the same time."""
    names = [one.name for one in experiments]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"two experiments have the name {twice!r}; rename one")
    enabled = [one for one in experiments if one.enabled]
    for one, other in combinations(enabled, 2):
        if one.salt == other.salt:
            raise ValueError(
                f"experiments {one.name!r} and {other.name!r} have the same salt, so they would assign users alike; "
                "change one"
            )
        if both := sorted(_changed_by(one) & _changed_by(other)):
            raise ValueError(
                f"experiments {one.name!r} and {other.name!r} both change {both[0]}; set `enabled = false` in one"
            )
    interleaved = [one.name for one in enabled if one.kind == "interleaving"]
    if len(interleaved) > 1:
        raise ValueError(
            f"experiments {interleaved[0]!r} and {interleaved[1]!r} both interleave lists, which have two teams; set "
            "`enabled = false` in one"
        )
    combined = prod(len(one.variants) for one in enabled)
    if combined > MAX_COMBINATIONS:
        raise ValueError(
            f"the enabled experiments have {combined} combinations of variants, at most {MAX_COMBINATIONS} are "
            "possible; set `enabled = false` in one"
        )


def _changed_by(experiment: Experiment) -> frozenset[str]:
    options = (option for variant in experiment.variants for option in variant.options)
    return frozenset(options) | {"the model" for variant in experiment.variants if variant.named_model}


def _first(error: ValidationError) -> tuple[str, str]:
    """The place of the first problem, ending with ": ", or empty; and the problem."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part + 1) if isinstance(part, int) else str(part) for part in first["loc"])
    problem = first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing":
        problem = "is missing; add it"
    elif first["type"] == "extra_forbidden":
        problem = "is not a known field; remove it"
    return (f"{place}: " if place else ""), problem
