"""What can go wrong in the domain's own words. Adapters translate driver errors into these; the API renders them."""

from collections.abc import Sequence


class DomainError(Exception):
    """Base of every error a caller may expect."""


class InvalidId(DomainError):
    """An id that is not 1..128 printable characters."""


class InvalidCursor(DomainError):
    """A cursor that was tampered with, or that belongs to another user or mode."""


class ExpiredCursor(DomainError):
    """A cursor older than its life."""


class UnknownVariant(DomainError):
    """A variant of an experiment that does not run."""


class InvalidInteraction(DomainError):
    """An event with an invalid field: its time is out of range, or its metadata is too large."""


class EventTooOld(InvalidInteraction):
    """An event from before the time that is accepted."""


class ClockAhead(DomainError):
    """An event with a time in the future: the caller's clock is ahead.

    `retry_after_seconds` is the time until the event is accepted.
    """

    def __init__(self, message: str, retry_after_seconds: int = 1) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class UnknownUser(DomainError):
    """No such user."""


class ErasedUser(DomainError):
    """A user who was erased, and of whom no row may be stored again."""


class UnknownPost(DomainError):
    """No such post."""


class UnknownAuthor(DomainError):
    """No such user who could be muted or blocked."""


class InvalidControl(DomainError):
    """A control with a wrong target or time."""


class InvalidFollow(DomainError):
    """A user who follows themselves."""


class InvalidMerge(DomainError):
    """A user who is merged with themselves."""


class InvalidPost(DomainError):
    """A post that cannot be stored: it is given twice, is for members of no audience, or has an unusable embedding.

    `places` are all such posts of a call.
    """

    def __init__(self, message: str, places: Sequence[int] = (0,)) -> None:
        super().__init__(message)
        self.places = tuple(places)


class ManagedElsewhere(DomainError):
    """Data that another application stores, so that they must be changed there."""


class StorageUnavailable(DomainError):
    """The database did not answer within its budget."""


class PositionExpired(StorageUnavailable):
    """A position whose log is no longer kept: only reading the whole feed leads on."""


class NotActive(DomainError):
    """A version that another one has replaced as the active one."""


class ModelUnavailable(DomainError):
    """No model can be served: none published, or the published one failed verification."""


class InvalidArtifact(ModelUnavailable):
    """An artefact or registry entry that must not be loaded: wrong digest, signature, size, class or version."""


class UnknownVersion(DomainError):
    """The registry has no such version."""
