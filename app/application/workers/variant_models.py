"""The models that variants of experiments name: versions of the registry beside the one that is served."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import structlog

from app.domain.errors import DomainError, InvalidArtifact
from app.domain.experiments.experiment import Experiment
from app.domain.ranking.model_interface import ModelSource, PublishedModel, RankingModel

log = structlog.get_logger()


@dataclass(eq=False)
class VariantModels:
    """Loads the versions that variants name. One that cannot be loaded is tried again when the registry changes."""

    source: ModelSource
    loaded: Mapping[str, PublishedModel] = field(default_factory=dict, init=False)
    _tried: object = field(default=None, init=False)

    def load(self, experiments: Iterable[Experiment]) -> bool:
        """Load what the enabled experiments need and drop the rest; return whether something changed."""
        enabled = [one for one in experiments if one.enabled]
        wanted = {variant.model for one in enabled for variant in one.running_variants if variant.model}
        attempt = self.source.fingerprint() if wanted else None, frozenset(wanted)
        if attempt == self._tried:
            return False
        self._tried = attempt
        loaded = {version: model for version, model in self.loaded.items() if version in wanted}
        for version in sorted(wanted - set(loaded)):
            try:
                loaded[version] = self.source.fetch_version(version)
                log.info("experiment.model_loaded", version=version)
            except DomainError as error:
                log.warning("experiment.model_not_loaded", version=version, cause=str(error))
        is_changed = set(loaded) != set(self.loaded)
        self.loaded = loaded
        return is_changed


def variant_model(
    version: str, loaded: Mapping[str, PublishedModel], served: PublishedModel | None
) -> RankingModel:
    """The model of a version, which ranks the state of the served one. Raises InvalidArtifact."""
    if version not in loaded:
        raise InvalidArtifact(
            f"{version} is not loaded; the log line experiment.model_not_loaded has the reason"
        )
    model = loaded[version].model
    if served is None or model.text_space_id != served.model.text_space_id:
        name = "no model" if served is None else served.record.version
        raise InvalidArtifact(
            f"{version} has another text space than {name}, which is served, and so other inputs; train it with "
            "`training.train --for-experiment`"
        )
    options, served_options = model.options, served.model.options
    if (options.counting, options.lists) != (served_options.counting, served_options.lists):
        raise InvalidArtifact(
            f"{version} counts events in another way than {served.record.version}, which is served; train it with the "
            "same settings"
        )
    return model
