"""Store which posts of a page were on screen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from app.application.committed_change import apply_committed
from app.application.id_resolver import IdResolver
from app.domain.errors import UnknownUser
from app.domain.feed.shown_pages import ShownPage
from app.domain.repositories.impression_repository import ImpressionRepository, PostReach

__all__ = ["PostReach", "ReadReach", "ReportSeen", "SeenPosts"]


@dataclass(frozen=True, slots=True)
class SeenPosts:
    """What one page had on screen, as the caller sent it, with unresolved ids."""

    user_id: str
    request_id: str
    seen: Sequence[str]


@dataclass(eq=False)
class ReportSeen:
    """Commit which posts were on screen, then pass the pages to `apply`, which adds them to the feed state.

    flush  saves the pages of a response that wait in this process
    """

    repository: ImpressionRepository
    flush: Callable[[UUID, str], None]
    apply: Callable[[Sequence[ShownPage]], None]
    ids: IdResolver

    def __call__(self, report: SeenPosts) -> int:
        """Return after the commit how many posts of the response's stored pages are marked as seen.

        It is 0 for an unknown request id, or one of another user. Raises InvalidId, UnknownUser, StorageUnavailable.
        """
        user_id, post_ids = self.ids.user_id(report.user_id), list(map(self.ids.post_id, report.seen))
        self.flush(user_id, report.request_id)
        try:
            pages = self.repository.report_seen(user_id, report.request_id, post_ids)
        except UnknownUser as error:
            raise UnknownUser(report.user_id) from error
        apply_committed(self.apply, pages, "impressions.not_applied")
        return sum(int(page.seen.sum()) for page in pages)


@dataclass(eq=False)
class ReadReach:
    """How often the posts of an author were shown, seen and engaged with."""

    repository: ImpressionRepository
    ids: IdResolver

    def __call__(self, author_id: str) -> Sequence[PostReach]:
        """Newest post first. Raises InvalidId, UnknownUser, StorageUnavailable."""
        try:
            return self.repository.reach(self.ids.user_id(author_id))
        except UnknownUser as error:
            raise UnknownUser(author_id) from error
