"""The manifest of an export: which files belong to it, and up to where the log is exported."""

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.shared.atomic_file import write_atomically
from app.shared.exceptions import ConfigurationError

NAME: Final = "manifest.json"
Table = Literal["users", "posts", "follows", "memberships", "controls", "impressions"]
PATH_FORM: Final = (
    r"^(?:(?:users|posts|follows|memberships|controls|impressions|changed)"
    r"|interactions/day=\d{4}-\d\d-\d\d)/run-\d{6,}\.parquet$"
)
"""The paths of the files in the folder."""


class ExportError(ConfigurationError):
    """An export that cannot be read or continued. The message is one line: place, problem and remedy."""

    def __init__(self, place: Path, problem: str) -> None:
        super().__init__(f"{place}: {problem}")


_NO_DIGEST: Final = "0" * 64


class ExportedFile(BaseModel):
    """A file of the folder. A later run replaces tables, but never a file.

    newest_us  the newest time in a file of interactions, in microseconds since the Unix epoch; None elsewhere
    """

    model_config = ConfigDict(frozen=True)

    path: Annotated[str, Field(pattern=PATH_FORM)]
    run: Annotated[int, Field(ge=1)]
    rows: Annotated[int, Field(ge=0)]
    newest_us: int | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = _NO_DIGEST

    @classmethod
    def of_run(cls, name: str, run: int) -> "ExportedFile":
        """The file of a run in the folder `name`, before it is written."""
        return cls(path=f"{name}/run-{run:06}.parquet", run=run, rows=0)


class Manifest(BaseModel):
    """What the runs of an export have written.

    source        identity of the database, as in `LogPosition`
    since         interactions up to this number are not exported
    below_xid     every transaction below it is exported
    last_seq      the largest number of an exported interaction
    run           the number of the last run
    tables        the files of the last run: all users, posts and so on
    interactions  the files of all runs, one for each run and day of receipt
    changed       numbers of interactions that a run updated or removed: rows of earlier runs with them do not count
    """

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    source: str
    since: Annotated[int, Field(ge=0)]
    below_xid: Annotated[int, Field(ge=0)]
    last_seq: Annotated[int, Field(ge=0)]
    run: Annotated[int, Field(ge=1)]
    tables: dict[Table, ExportedFile]
    interactions: tuple[ExportedFile, ...]
    changed: tuple[ExportedFile, ...]

    @property
    def files(self) -> list[ExportedFile]:
        """All files of the export."""
        return [*self.tables.values(), *self.interactions, *self.changed]

    def write(self, folder: Path) -> None:
        """Make this the manifest of a folder: from then on, readers see the files of the run."""
        write_atomically(folder / NAME, [self.model_dump_json(indent=1, exclude_none=True).encode(), b"\n"])


def is_export(path: Path) -> bool:
    """Whether a path is a folder with a manifest."""
    return (path / NAME).is_file()


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder. Raises ExportError, and OSError if it cannot be read."""
    path = folder / NAME
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ExportError(
            path,
            f"{place + ': ' if place else ''}{first['msg']}; export the log again, to a new folder",
        ) from None
