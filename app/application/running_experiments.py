"""The experiments that run, and the pipelines of their variants."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import product
from typing import Any, Final
from uuid import UUID

import structlog

from app.domain.errors import InvalidArtifact, UnknownVariant
from app.domain.experiments.experiment import INTERLEAVED, Experiment
from app.domain.ranking.pipeline import FeedPipeline

log = structlog.get_logger()

Variants = Mapping[str, str]
"""Names of variants by the names of their experiments."""
NO_VARIANTS: Final[Variants] = {}
VARIANT_ID_BYTES: Final = 4

_Pairs = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True, eq=False)
class Rankings:
    """What ranks a list.

    rival  the ranking that is interleaved with `pipeline`, that of the control; None in other lists
    salt   of the experiment that interleaves them
    """

    pipeline: FeedPipeline
    rival: FeedPipeline | None = None
    salt: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class RunningExperiments:
    """The enabled experiments, each a layer: a user has one variant of each.

    configured   all experiments, also those that are not enabled
    experiments  in the order of the file
    pipelines    by the variants that change something; a pipeline that cannot be built is missing
    models       the versions that rank in those pipelines
    """

    configured: Sequence[Experiment] = ()
    experiments: Sequence[Experiment] = ()
    pipelines: Mapping[_Pairs, FeedPipeline] = field(default_factory=dict)
    models: Mapping[_Pairs, str] = field(default_factory=dict)
    _by_id: Mapping[bytes, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def build(
        cls,
        experiments: Sequence[Experiment],
        pipeline_with: Callable[[Mapping[str, Any], str | None], tuple[FeedPipeline, str | None]],
    ) -> "RunningExperiments":
        """One pipeline for each combination of variants.

        `pipeline_with` builds that with some other options, of the version or channel that is named. It also returns
        the version that ranks; None without a model.
        """
        enabled = [experiment for experiment in experiments if experiment.enabled]
        pipelines: dict[_Pairs, FeedPipeline] = {}
        models: dict[_Pairs, str] = {}
        for variants in product(*(experiment.running_variants for experiment in enabled)):
            chosen = [pair for pair in zip(enabled, variants, strict=True) if not pair[1].changes_nothing]
            pairs = frozenset((experiment.name, variant.name) for experiment, variant in chosen)
            if not pairs or pairs in pipelines:
                continue
            options = {name: value for _, variant in chosen for name, value in variant.options.items()}
            named = next((variant.named_model for _, variant in chosen if variant.named_model), None)
            try:
                pipelines[pairs], version = pipeline_with(options, named)
            except InvalidArtifact as error:
                log.warning("experiment.variant_not_built", variants=dict(pairs), cause=str(error))
                continue
            except Exception:  # the served ranking must not fail because of a variant
                log.exception("experiment.variant_not_built", variants=dict(pairs))
                continue
            if version is not None:
                models[pairs] = version
        by_id = {_id_of(one.name, name): (one.name, name) for one in enabled for name in one.names}
        return cls(experiments, enabled, pipelines, models, by_id)

    def assigned(self, user: UUID, now: float) -> Variants:
        """The variants of a user in a list that starts at `now` (seconds)."""
        variants = {}
        for experiment in self.experiments:
            if experiment.has_new_lists_at(now) and (name := experiment.name_of(user)) is not None:
                variants[experiment.name] = name
        return variants

    def still_running(self, variants: Variants) -> Variants:
        """Those of the variants of an earlier page that can still be served."""
        return self.of_ids(self.ids(variants))

    def ids(self, variants: Variants) -> bytes:
        """The variants in VARIANT_ID_BYTES each, for a cursor. Those that do not run have none."""
        return b"".join(_id_of(*pair) for pair in variants.items() if self._runs(*pair))

    def of_ids(self, ids: bytes) -> Variants:
        """The variants with these ids, without those that do not run."""
        given = (ids[start : start + VARIANT_ID_BYTES] for start in range(0, len(ids), VARIANT_ID_BYTES))
        return dict(self._by_id[one] for one in given if one in self._by_id)

    def checked(self, variants: Variants) -> Variants:
        """The same variants. Raises UnknownVariant for one that does not run."""
        for name, variant in variants.items():
            if not self._runs(name, variant):
                raise UnknownVariant(f"no enabled experiment {name!r} has a variant {variant!r} that runs")
        return variants

    def rankings(self, variants: Variants, control: FeedPipeline) -> Rankings | None:
        """What ranks lists with variants that run; None if a pipeline of them could not be built.

        `control` ranks if they change nothing. An interleaved list also has the ranking of the variant.
        """
        pipeline = self._pipeline(variants, control)
        if pipeline is None:
            return None
        for experiment in self.experiments:
            variant = experiment.interleaved_variant
            if variant is not None and variants.get(experiment.name) == INTERLEAVED:
                rival = self._pipeline({**variants, experiment.name: variant.name}, control)
                return None if rival is None else Rankings(pipeline, rival, experiment.salt)
        return Rankings(pipeline)

    def model_version(self, variants: Variants) -> str | None:
        """The version that ranks lists with these variants; None if they change nothing."""
        return self.models.get(self._changing(variants)) if self.models and variants else None

    def _pipeline(self, variants: Variants, control: FeedPipeline) -> FeedPipeline | None:
        pairs = self._changing(variants)
        return self.pipelines.get(pairs) if pairs else control

    def _changing(self, variants: Variants) -> _Pairs:
        """Those of the variants that run and change something."""
        return frozenset(
            (experiment.name, variant.name)
            for experiment in self.experiments
            if (variant := experiment.running_variant(variants.get(experiment.name, ""))) is not None
            if not variant.changes_nothing
        )

    def _runs(self, experiment: str, name: str) -> bool:
        return (experiment, name) in self._by_id.values()


NO_EXPERIMENTS: Final = RunningExperiments()


def _id_of(experiment: str, name: str) -> bytes:
    return blake2b(f"{experiment}/{name}".encode(), digest_size=VARIANT_ID_BYTES).digest()
