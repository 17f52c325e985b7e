"""The models that variants of experiments name, by version or by channel, beside the one that is served."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import structlog

from app.domain.entities.model_record import CHANNELS, Channel
from app.domain.errors import DomainError, InvalidArtifact, UnknownVersion
from app.domain.experiments.experiment import Experiment
from app.domain.ranking.model_interface import ModelSource, PublishedModel

log = structlog.get_logger()


@dataclass(eq=False)
class VariantModels:
    """Loads the versions that variants name, and those of the channels.

    One that cannot be loaded is tried again when the registry or the served version changes.

    loaded  by the names of versions and channels
    """

    source: ModelSource
    loaded: Mapping[str, PublishedModel] = field(default_factory=dict, init=False)
    _tried: object = field(default=None, init=False)

    def load(self, experiments: Iterable[Experiment], served: PublishedModel | None) -> bool:
        """Load what the enabled experiments need and drop the rest; return whether something changed."""
        enabled = [one for one in experiments if one.enabled]
        wanted = {
            name for one in enabled for variant in one.running_variants if (name := variant.named_model)
        }
        attempt = None
        if wanted:
            attempt = self.source.fingerprint(), wanted, None if served is None else served.record.identity
        if attempt == self._tried:
            return False
        self._tried = attempt
        before, loaded = self.loaded, {}
        for name in sorted(wanted):
            try:
                loaded[name] = self._load(name, served)
            except DomainError as error:
                log.warning("experiment.model_not_loaded", model=name, cause=str(error))
                if name in before:
                    loaded[name] = before[name]
        self.loaded = loaded
        return loaded != before

    def _load(self, name: str, served: PublishedModel | None) -> PublishedModel:
        known = self.loaded.get(name)
        found = self._of_channel(name, known, served) if name in CHANNELS else known
        if found is None:
            found = self.source.fetch_version(name)
        if found is not known:
            log.info("experiment.model_loaded", model=name, version=found.record.version)
        return found

    def _of_channel(
        self, channel: Channel, known: PublishedModel | None, served: PublishedModel | None
    ) -> PublishedModel:
        if served is None:
            raise UnknownVersion(f"channel {channel!r}: no model is served; run training.train")
        record = self.source.channel_record(channel, served.record)
        for model in (known, served):
            if model is not None and model.record.identity == record.identity:
                return model
        return self.source.fetch(record)


def variant_model(
    name: str, loaded: Mapping[str, PublishedModel], served: PublishedModel | None
) -> PublishedModel:
    """The model of a version or channel, which ranks the state of the served one. Raises InvalidArtifact."""
    found = loaded.get(name)
    if name in CHANNELS and served is not None and _awaits_channel(name, found, served):
        return served
    if found is None:
        raise InvalidArtifact(
            f"{name} is not loaded; the log line experiment.model_not_loaded has the reason"
        )
    version, model = found.record.version, found.model
    if served is None or model.text_space_id != served.model.text_space_id:
        other = "no model" if served is None else served.record.version
        raise InvalidArtifact(
            f"{version} has another text space than {other}, which is served, and so other inputs; train it with "
            "`training.train --for-experiment`"
        )
    options, served_options = model.options, served.model.options
    if (options.counting, options.lists) != (served_options.counting, served_options.lists):
        raise InvalidArtifact(
            f"{version} counts events in another way than {served.record.version}, which is served; train it with the "
            "same settings"
        )
    return found


def _awaits_channel(name: str, found: PublishedModel | None, served: PublishedModel) -> bool:
    """Whether the served model is of the channel, or begins it, until the version of the channel is loaded.

    It is if the one that was loaded has another base: then another full training is served since.
    """
    if found is None or found.record.text_space_sha256 == served.record.text_space_sha256:
        return False
    return name == "continuous" or served.record.channel == name
