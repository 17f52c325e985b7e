"""GET /admin/experiments, as operators see it."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from app.application.use_cases.list_experiments import Channel, Experiment, ExperimentOverview, Kind, Outcome

Item = TypeVar("Item", bound=BaseModel)
_END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


class ComparisonItem(BaseModel):
    """A variant against the control in one metric. The interval holds at every look."""

    metric: str
    unit: str = Field(description="What the means are of: `user`, `1,000 posts` or `1,000 pages`")
    window_days: int = Field(ge=1, description="Days from the first page of a user that count")
    variant: str
    control: float
    other: float
    difference: float
    low: float | None = Field(description="Null with too few users or actions")
    high: float | None
    outcome: Outcome = Field(description="For the users: more hidden posts are `worse`")
    verdict: str


class DayItem(BaseModel):
    """The primary metric per user on one day, with a 95 % interval of this day alone."""

    day: date
    variant: str
    control: float
    other: float
    difference: float
    low: float | None
    high: float | None


class RateItem(BaseModel):
    """Events of the primary metric per 1,000 posts that were shown."""

    name: str = Field(
        description="A position (`1` is the first of a page, `20` is all from there on), or a reason"
    )
    variant: str
    control: float
    other: float
    control_shown: int
    other_shown: int


class ReadOutItem(BaseModel):
    """What an experiment shows so far."""

    window_days: int
    users: dict[str, int] = Field(description="By variant: those who were shown a page")
    complete_users: dict[str, int] = Field(description="By variant: those whose window has ended")
    mixed_users: int
    sample_ratio_p_value: float
    lost_users: bool = Field(
        description="The numbers of users contradict the shares: do not use the other figures"
    )
    primary: list[ComparisonItem]
    guardrails: list[ComparisonItem] = Field(description="Each over the first day and over the window")
    days: list[DayItem]
    positions: list[RateItem]
    reasons: list[RateItem]


class PreferenceItem(BaseModel):
    """An interleaving so far: which ranking's posts users prefer. All figures are of users whose window has ended."""

    window_days: int
    metric: str
    control: str
    variant: str
    users: int = Field(description="Those who were shown a page")
    complete_users: int = Field(description="Those whose window has ended")
    pages: int = Field(description="Pages that they were shown in the window")
    control_events: int = Field(description="Events of the metric with posts that the control drafted")
    variant_events: int
    preference: float = Field(
        description="Mean over users of the events of the variant minus those of the control"
    )
    low: float | None = Field(description="Of an interval that holds at every look. Null with too few users")
    high: float | None
    verdict: str


class VariantItem(BaseModel):
    """One ranking of an experiment."""

    name: str
    share: float
    is_control: bool
    ranking: dict[str, Any] = Field(description="The options that differ")
    model: str | None = Field(None, description="The version that ranks; null for the one that is served")
    channel: Channel | None = Field(None, description="The channel whose newest version ranks instead")


class StopItem(BaseModel):
    """A variant that a guardrail stopped."""

    variant: str
    metric: str
    reason: str
    stopped_at: AwareDatetime


class ExperimentItem(BaseModel):
    """An experiment of EXPERIMENTS_FILE."""

    name: str
    kind: Kind = Field(description="An A/B test has a `read_out`, an interleaving a `preference`")
    enabled: bool
    start: AwareDatetime
    end: AwareDatetime
    primary_metric: str
    guardrails: list[str]
    window_days: int
    planned_users: int
    held_back: float
    variants: list[VariantItem]
    stops: list[StopItem]
    read_at: AwareDatetime | None = Field(description="Time of the read-out; null before the first one")
    read_out: ReadOutItem | None
    preference: PreferenceItem | None = None


class ExperimentsResponse(BaseModel):
    """All experiments of EXPERIMENTS_FILE."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "experiments": [
                        {
                            "name": "more_exploration",
                            "kind": "ab_test",
                            "enabled": True,
                            "start": "2026-12-01T00:00:00Z",
                            "end": "2026-12-29T00:00:00Z",
                            "primary_metric": "like",
                            "guardrails": ["hide_post"],
                            "window_days": 7,
                            "planned_users": 16658,
                            "held_back": 0.1,
                            "variants": [
                                {"name": "control", "share": 0.45, "is_control": True, "ranking": {}},
                                {
                                    "name": "more",
                                    "share": 0.45,
                                    "is_control": False,
                                    "ranking": {"exploration_share": 0.1},
                                },
                            ],
                            "stops": [],
                            "read_at": None,
                            "read_out": None,
                        }
                    ]
                }
            ]
        }
    )

    experiments: list[ExperimentItem]

    @classmethod
    def of(cls, overviews: Sequence[ExperimentOverview]) -> "ExperimentsResponse":
        """The response for the experiments."""
        return cls(experiments=[_item(one) for one in overviews])


def _item(overview: ExperimentOverview) -> ExperimentItem:
    one = overview.experiment
    read_out, preferred = _read_out(overview, ReadOutItem), _read_out(overview, PreferenceItem)
    return ExperimentItem(
        name=one.name,
        kind=one.kind,
        enabled=one.enabled,
        start=_time(one.start),
        end=_time(one.end),
        primary_metric=one.primary_metric,
        guardrails=list(one.guardrails),
        window_days=one.window_days,
        planned_users=one.planned_users,
        held_back=one.held_back,
        variants=_variants(one),
        stops=[
            StopItem(variant=stop.variant, metric=stop.metric, reason=stop.reason, stopped_at=stop.stopped_at)
            for stop in overview.stops
        ],
        read_at=None if read_out is None and preferred is None else overview.read_at,
        read_out=read_out,
        preference=preferred,
    )


def _variants(experiment: Experiment) -> list[VariantItem]:
    return [
        VariantItem(
            name=variant.name,
            share=variant.share,
            is_control=variant is experiment.control,
            ranking=dict(variant.options),
            model=variant.model,
            channel=variant.channel,
        )
        for variant in experiment.variants
    ]


def _read_out(overview: ExperimentOverview, item: type[Item]) -> Item | None:
    """The read-out; None for one of the other kind, or of another version of the service that lacks fields."""
    if overview.read_out is None:
        return None
    try:
        return item.model_validate(overview.read_out)
    except ValidationError:
        return None


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(min(seconds, _END_OF_TIME), UTC)
