"""Opens the files of a feed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data.feed_files.file_tables import FileTable, read_parquet
from data.feed_files.text_files import object_table, read_csv, read_json, read_ndjson
from data.schemas import ROWS, FeedFileError, FileKind


def sibling(interactions: Path, kind: FileKind) -> Path:
    """The Parquet file of another kind beside the interactions: `feed.parquet` -> `feed.posts.parquet`."""
    return interactions.with_name(f"{interactions.stem}.{kind}.parquet")


def open_files(paths: Mapping[FileKind, Path | None]) -> dict[FileKind, FileTable]:
    """The table of each kind, empty for a kind without a file. Raises FeedFileError and OSError.

    `paths` contains at least the interactions. Kinds without a path are read from the same JSON document, or from the
    files beside a Parquet file (`sibling`).
    """
    given = {kind: path for kind, path in paths.items() if path is not None}
    first = given["interactions"]
    if first.suffix.lower() == ".parquet" and len(given) == 1:
        siblings = {kind: sibling(first, kind) for kind in ROWS}
        given |= {kind: path for kind, path in siblings.items() if path.is_file()}
    documents = {path: read_json(path) for path in set(given.values()) if path.suffix.lower() == ".json"}
    given = dict.fromkeys(documents.get(first, ()), first) | given
    empty = {kind: FileTable(first, kind, {}, 0, str) for kind in ROWS}
    return empty | {kind: _open(path, kind, documents) for kind, path in given.items()}


def _open(path: Path, kind: FileKind, documents: Mapping[Path, dict[FileKind, Any]]) -> FileTable:
    match path.suffix.lower():
        case ".parquet":
            return read_parquet(path, kind)
        case ".csv":
            return read_csv(path, kind)
        case ".ndjson" | ".jsonl":
            return read_ndjson(path, kind)
        case ".json":
            objects = documents[path].pop(kind, None)  # so that the memory of the list is freed
            if not isinstance(objects, list):
                raise FeedFileError(path, f"has no list {kind!r}")
            return object_table(path, kind, iter(objects), lambda row: f"{kind}[{row}]")
        case other:
            problem = f"has the unknown suffix {other!r}" if other else "has no suffix"
            known = ".csv, .ndjson, .jsonl, .json, .parquet"
            raise FeedFileError(path, f"{problem}: the format is known by one of {known}")
