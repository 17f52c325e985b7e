"""Opens the files of a feed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from data.feed_files.file_tables import FileTable, read_parquet
from data.feed_files.text_files import json_table, read_csv, read_json, read_ndjson
from data.schemas import ROWS, FeedFileError, FileKind

SUFFIXES: Final = (".csv", ".ndjson", ".jsonl", ".json", ".parquet")


def sibling(interactions: Path, kind: FileKind) -> Path:
    """The Parquet file of another kind beside the interactions: `feed.parquet` -> `feed.posts.parquet`."""
    return interactions.with_name(f"{interactions.stem}.{kind}.parquet")


def open_files(paths: Mapping[FileKind, Path]) -> dict[FileKind, FileTable]:
    """The tables of a feed by kind. Raises FeedFileError for a file that cannot be read.

    `paths` contains at least the interactions. Kinds without a path are read from the same JSON document, or from the
    files beside a Parquet file (`sibling`).
    """
    tables: dict[FileKind, FileTable] = {}
    first = paths["interactions"]
    beside = first.suffix.lower() == ".parquet" and set(paths) == {"interactions"}
    inside = read_json(first) if first.suffix.lower() == ".json" else {}
    for kind in ROWS:
        if kind in inside and (kind not in paths or paths[kind] == first):
            tables[kind] = json_table(first, kind, inside.pop(kind))
        elif kind in paths:
            tables[kind] = _open(paths[kind], kind)
        elif beside and sibling(first, kind).is_file():
            tables[kind] = _open(sibling(first, kind), kind)
    return tables


def _open(path: Path, kind: FileKind) -> FileTable:
    match path.suffix.lower():
        case ".parquet":
            return read_parquet(path, kind)
        case ".csv":
            return read_csv(path, kind)
        case ".ndjson" | ".jsonl":
            return read_ndjson(path, kind)
        case ".json":
            lists = read_json(path)
            if kind not in lists:
                raise FeedFileError(path, f"has no list {kind!r}")
            return json_table(path, kind, lists[kind])
        case other:
            problem = f"has the unknown suffix {other!r}" if other else "has no suffix"
            raise FeedFileError(path, f"{problem}: the format is known by one of {', '.join(SUFFIXES)}")
