"""An experiment: variants of the ranking, each for a share of the users."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, Final, Literal
from uuid import UUID

from app.domain.entities.model_record import Channel
from app.domain.experiments.stop import Stop

VARIED_OPTIONS: Final = frozenset(
    {
        "trending_half_life_hours",
        "author_repeat_factor",
        "author_repeat_floor",
        "exploration_share",
        "not_interested_factor",
        "not_interested_days",
        "impression_sink_factor",
        "impression_sink_hours",
        "interest_factor",
        "whole_catalogue",
        "candidates",
        "trending_source_half_lives_hours",
        "exclude_sources",
    }
)
"""The fields of RankingOptions that a variant may change. Others shape the feed in memory, which all variants share."""


PAGE_RULE_OPTIONS: Final = frozenset({"author_repeat_factor", "author_repeat_floor", "exploration_share"})
"""Those of VARIED_OPTIONS that the page selector reads. It makes pages of an interleaved list, not of each ranking."""
Kind = Literal["ab_test", "interleaving"]
"""Each user has one variant, or the lists of all users are interleaved from the rankings of two variants."""
INTERLEAVED: Final = "interleaved"
"""What a list of an interleaving experiment has instead of a variant."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One ranking of an experiment; the control changes nothing.

    options  RankingOptions that differ
    model    the version that ranks
    channel  the channel whose newest version ranks; without either, the served version ranks
    """

    name: str
    share: float
    options: Mapping[str, Any]
    model: str | None = None
    channel: Channel | None = None

    @property
    def named_model(self) -> str | None:
        """The version or the channel that ranks; None for the served version."""
        return self.model or self.channel

    @property
    def changes_nothing(self) -> bool:
        """True for the control."""
        return not self.options and self.named_model is None


@dataclass(frozen=True, slots=True)
class OwnMetric:
    """A metric of the team. `sql` is a query that returns `user_id`, `day` and `value`; values are summed by user."""

    name: str
    sql: str


@dataclass(frozen=True, slots=True)
class Experiment:
    """Variants with shares of the users; a further share is held back and gets the ranking without the experiment.

    salt            with another one, users are assigned again
    variants        exactly one, the control, changes nothing; the shares add up to 1 together with `held_back`
    start, end      seconds; new lists have the variants from `start` until `end`
    primary_metric  the name of the metric that decides
    guardrails      names of the metrics that must not get worse
    planned_users   at so many users of two variants, intervals are narrowest
    window_days     days from the first exposure of a user whose events count
    enabled         False switches the experiment off at once
    kind            an interleaving has two variants; their shares together are those of its users
    own_metrics     what the team measures beside them
    stopped         variants that a guardrail stopped; their users have the ranking without the experiment
    """

    name: str
    salt: str
    variants: Sequence[Variant]
    held_back: float
    start: float
    end: float
    primary_metric: str
    guardrails: Sequence[str]
    planned_users: int
    window_days: int
    enabled: bool
    kind: Kind = "ab_test"
    own_metrics: Sequence[OwnMetric] = ()
    stopped: frozenset[str] = frozenset()

    @property
    def control(self) -> Variant:
        """The variant that changes nothing."""
        return next(variant for variant in self.variants if variant.changes_nothing)

    @property
    def changes_model(self) -> bool:
        """Whether a variant names what ranks, a version or a channel."""
        return any(variant.named_model for variant in self.variants)

    @property
    def interleaved_variant(self) -> Variant | None:
        """The variant whose ranking is interleaved with that of the control; None in an A/B test."""
        if self.kind != "interleaving":
            return None
        return next(variant for variant in self.variants if variant is not self.control)

    @property
    def names(self) -> Sequence[str]:
        """What a list can have of this experiment: a variant, or INTERLEAVED."""
        names = [variant.name for variant in self.running_variants]
        return names if self.kind == "ab_test" else [*names, INTERLEAVED]

    @property
    def running_variants(self) -> Sequence[Variant]:
        """The variants that were not stopped."""
        return [variant for variant in self.variants if variant.name not in self.stopped]

    def running_variant(self, name: str) -> Variant | None:
        """The variant of this name; None if there is none, or it was stopped."""
        if name in self.stopped:
            return None
        return next((variant for variant in self.variants if variant.name == name), None)

    def variant_of(self, user: UUID) -> Variant | None:
        """The variant of a user, on every replica the same; None for a user who is held back.

        Users of a stopped variant stay its users: they never get another variant.
        """
        position = hash_position(self.salt, user)
        for variant in self.variants:
            position -= variant.share
            if position < 0:
                return variant
        # without users who are held back, rounding may leave the last position over
        return None if self.held_back else self.variants[-1]

    def name_of(self, user: UUID) -> str | None:
        """What the new lists of a user have: one of `names`; None for a user without a variant that runs."""
        variant = self.variant_of(user)
        if variant is None or variant.name in self.stopped:
            return None
        return variant.name if self.kind == "ab_test" else INTERLEAVED

    def has_stop(self, stop: Stop) -> bool:
        """Whether the stop is of a variant of this experiment. With another salt, the experiment begins again."""
        return (stop.experiment, stop.salt) == (self.name, self.salt) and stop.variant != self.control.name

    def with_stops(self, stops: Iterable[Stop]) -> "Experiment":
        """The experiment without the variants that these stops concern."""
        return replace(self, stopped=frozenset(stop.variant for stop in stops if self.has_stop(stop)))

    def has_new_lists_at(self, now: float) -> bool:
        """Whether lists that start at `now` (seconds) have the variants."""
        return self.enabled and self.start <= now < self.end


def hash_position(salt: str, user: UUID) -> float:
    """A position in [0, 1) that depends on the salt and the user alone. Positions of two salts are independent."""
    digest = blake2b(salt.encode() + user.bytes, digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53
