"""Opening the registry that the settings name."""

from app.infrastructure.config.settings import Settings
from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.signing import model_keys


def open_registry(settings: Settings, *, publishes: bool = False) -> FileModelRegistry:
    """The registry of MODELS_DIR, for a command.

    Publishing takes the private key. Other commands hold it where it is set; where only trusted keys are, as
    beside a service, they verify with these and make no key. Raises ConfigurationError.
    """
    key = settings.model_signing_key.get_secret_value() if settings.model_signing_key else None
    keys = model_keys(
        key,
        settings.model_trusted_keys,
        settings.keys_dir,
        signs=publishes or key is not None or not settings.model_trusted_keys,
    )
    return FileModelRegistry(settings.models_dir, keys, size_limit_bytes=settings.model_size_limit_bytes)
