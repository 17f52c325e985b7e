"""What fitting a neural model needs on this machine: the packages of requirements-deep.lock."""

from importlib.util import find_spec
from typing import Final

from app.shared.exceptions import ConfigurationError

_PACKAGES: Final = ("jax", "optax")


def check_requirements() -> None:
    """Raise ConfigurationError unless JAX and optax are installed."""
    missing = [package for package in _PACKAGES if find_spec(package) is None]
    if missing:
        raise ConfigurationError(
            f"neural models: {' and '.join(missing)} cannot be imported; install requirements-deep.lock in an "
            "environment of its own (docs/embeddings.md)"
        )
