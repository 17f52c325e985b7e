"""Opens the files of a feed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from data.feed_files.csv_files import read_csv
from data.feed_files.file_tables import FileTable, joined_tables, read_parquet
from data.feed_files.headers import header_as_read
from data.feed_files.json_files import object_table, read_json, read_ndjson
from data.feed_files.options import ReadOptions
from data.schemas import ROWS, FeedFileError, FileKind

_READERS: Final = {
    ".csv": read_csv,
    ".tsv": read_csv,
    ".ndjson": read_ndjson,
    ".jsonl": read_ndjson,
    ".parquet": read_parquet,
}
_ARCHIVES: Final = (".zip", ".tar", ".tgz", ".7z", ".bz2", ".xz", ".zst", ".lz4", ".rar")
_WORKBOOKS: Final = (".xlsx", ".xls", ".ods")


def sibling(interactions: Path, kind: FileKind) -> Path:
    """The Parquet file of another kind beside the interactions: `feed.parquet` -> `feed.posts.parquet`."""
    return interactions.with_name(f"{interactions.stem}.{kind}.parquet")


def open_files(paths: Mapping[FileKind, Path | None], options: ReadOptions) -> dict[FileKind, FileTable]:
    """The table of each kind, empty for a kind without a file. Raises FeedFileError and OSError.

    `paths` contains at least one path. Kinds without a path are read from the same JSON document as the interactions,
    or from the files beside their Parquet file (`sibling`).
    """
    given = {kind: path for kind, path in paths.items() if path is not None}
    first = given.get("interactions")
    if first is not None and suffix_of(first) == ".parquet" and len(given) == 1:
        siblings = {kind: sibling(first, kind) for kind in ROWS}
        given |= {kind: path for kind, path in siblings.items() if path.is_file()}
    document = read_json(first) if first is not None and suffix_of(first) == ".json" else None
    if isinstance(document, dict):
        given = {kind: first for kind in document if first is not None} | given
    tables = {}
    for kind, path in given.items():
        rows = (
            document.pop(kind, None) if isinstance(document, dict) and path == first else None
        )  # frees the memory
        tables[kind] = _open(path, kind, options, rows).without_placeholders()
    _check_names(tables, options)
    empty = {kind: FileTable(next(iter(given.values())), kind, {}, 0, lambda _rows: []) for kind in ROWS}
    return empty | tables


def suffix_of(path: Path) -> str:
    """The suffix that gives the format of a file, in lower case, without `.gz`."""
    return (path.with_suffix("") if path.suffix.lower() == ".gz" else path).suffix.lower()


def _open(path: Path, kind: FileKind, options: ReadOptions, objects: object = None) -> FileTable:
    """The table of a file, or of a folder of files; `objects` are its rows if it is a JSON document already read."""
    if path.is_dir():
        return _open_folder(path, kind, options)
    suffix = suffix_of(path)
    if suffix == ".json":
        return _open_json(path, kind, options, objects)
    if suffix == ".parquet" and path.suffix.lower() == ".gz":
        raise FeedFileError(path, "is a compressed Parquet file: unpack it")
    if suffix in _READERS:
        return _READERS[suffix](path, kind, options)
    if suffix in _ARCHIVES:
        raise FeedFileError(path, "is an archive: unpack it")
    if suffix in _WORKBOOKS:
        raise FeedFileError(path, "is a workbook: save the table as CSV")
    problem = f"has the unknown suffix {suffix!r}" if suffix else "has no suffix"
    known = ", ".join([*_READERS, ".json"])
    raise FeedFileError(path, f"{problem}: the format is known by one of {known}, each also with .gz")


def _open_json(path: Path, kind: FileKind, options: ReadOptions, objects: object) -> FileTable:
    if objects is None:
        document = read_json(path)
        objects = document.get(kind) if isinstance(document, dict) else document
    if not isinstance(objects, list):
        raise FeedFileError(path, f"has no list {kind!r}")
    return object_table(path, kind, iter(objects), lambda rows: [f"{kind}[{row}]" for row in rows], options)


def _open_folder(folder: Path, kind: FileKind, options: ReadOptions) -> FileTable:
    """The rows of all files of a folder in the order of their names, except names that begin with `.` or `_`."""
    paths = sorted(path for path in folder.iterdir() if path.is_file() and path.name[0] not in "._")
    if not paths:
        raise FeedFileError(folder, "contains no file")
    if len(suffixes := sorted({suffix_of(path) for path in paths})) > 1:
        raise FeedFileError(folder, f"contains files of several formats: {', '.join(suffixes)}")
    return joined_tables(folder, [_open(path, kind, options) for path in paths])


def _check_names(tables: Mapping[FileKind, FileTable], options: ReadOptions) -> None:
    """Raise FeedFileError for a name of `options.columns` that no file has."""
    headers = [table.header for table in tables.values() if table.header is not None]
    given = {name.strip().casefold() for header in headers for name in header.given}
    for column, name in options.columns.items():
        with_column = [header for header in headers if column in ROWS[header.kind].model_fields]
        if with_column and name and name.casefold() not in given:
            read = header_as_read(with_column[0].given)
            raise FeedFileError(
                with_column[0].path, f"has no column {name!r}, which --columns names ({read})"
            )
