"""Command-line arguments that select a feed."""

import argparse
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from app.domain.entities import INTERACTION_TYPES
from app.shared.command_line import preview
from app.shared.exceptions import ConfigurationError
from data.feed_files.bad_rows import BadRowFile
from data.feed_files.open_files import sibling, suffix_of
from data.feed_files.options import DROP, ReadOptions
from data.feed_files.presets import PRESETS
from data.feed_files.reader import FeedFile, read_feed
from data.log_export.manifest import ExportError, is_export
from data.schemas import ROWS
from data.times import parse_time


def timestamp(text: str) -> datetime:
    """An argument type: a time as in feed files."""
    try:
        return parse_time(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{preview(text)} {error}") from None


def file_or_folder(text: str) -> Path:
    """An argument type: a file, or a folder of files, that exists."""
    path = Path(text)
    if not path.exists():
        raise argparse.ArgumentTypeError(f"{path}: no such file")
    return path


def event_map(text: str) -> dict[str, str]:
    """An argument type: `VIEW=view,BOOKMARK=like` maps names in a file to interaction types; `X=` drops X."""
    mapped: dict[str, str] = {}
    for pair in text.split(","):
        given, equals, kind = (part.strip() for part in pair.partition("="))
        if not equals or not given or kind not in (*INTERACTION_TYPES, DROP):
            allowed = ", ".join(INTERACTION_TYPES)
            raise argparse.ArgumentTypeError(f"{preview(pair)} is not NAME=TYPE with one of {allowed}")
        if mapped.get(given, kind) != kind:
            first, other = (kind or "nothing" for kind in (mapped[given], kind))
            raise argparse.ArgumentTypeError(f"{preview(given)} is mapped to {first} and to {other}")
        mapped[given] = kind
    return mapped


def column_names(text: str) -> dict[str, str]:
    """An argument type: `user_id=UserId,post_id=ItemId` names columns of the feed in the files."""
    names: dict[str, str] = {}
    known = {column for row in ROWS.values() for column in row.model_fields}
    for pair in text.split(","):
        column, equals, name = (part.strip() for part in pair.partition("="))
        if not equals or column not in known:
            raise argparse.ArgumentTypeError(
                f"{preview(pair)} is not COLUMN=NAME with one of {', '.join(sorted(known))}"
            )
        if names.get(column, name) != name:
            raise argparse.ArgumentTypeError(
                f"{column} is named {preview(names[column])} and {preview(name)}"
            )
        names[column] = name
    return names


FEED_FILES: Final = {
    "interactions": "user_id, post_id, interaction_type, created_at, [event_id, metadata]",
    "posts": "id, [author_id, content, created_at, visible, hidden, like_count, comment_count, tags, visibility, "
    "audience_id, language, sensitive, reply_to, root_id, repost_of, embedding]",
    "users": "id, [username, follower_count, created_at, discoverable, personalised, languages, show_sensitive]",
    "follows": "follower_id, followee_id, [created_at]",
    "controls": "user_id, action, one of post_id, author_id, tag and word, [created_at, until]",
    "memberships": "user_id, audience_id",
    "impressions": "pages: user_id, request_id, created_at, posts, [seen]",
}
"""Kind of file -> its columns, optional ones in brackets."""
DEFAULT_FEED: Final = "; default: the database. Default of --posts: posts.parquet beside the interactions"
"""What commands that also read the database do without --interactions."""


def add_feed_arguments(parser: argparse.ArgumentParser, *, default: str = "") -> None:
    """The files of a feed, and how they are read. `default` says what is read without them."""
    description = f"files (CSV, TSV, NDJSON, JSON or Parquet, also with .gz; or a folder of them){default}"
    group = parser.add_argument_group("feed", description)
    for kind, names in FEED_FILES.items():
        group.add_argument(f"--{kind}", type=file_or_folder, metavar="PATH", help=names)
    add = group.add_argument
    example = "map other names of events, as in VIEW=view,BOOKMARK=like; X= drops the rows of X"
    add("--event-map", type=event_map, default={}, metavar="NAME=TYPE,...", help=example)
    example = "names of columns in the files, as in user_id=UserId,post_id=ItemId; tags= reads no tags"
    add("--columns", type=column_names, default={}, metavar="COLUMN=NAME,...", help=example)
    add(
        "--type",
        choices=INTERACTION_TYPES,
        help="the type of all interactions, for a file without a column for it",
    )
    add(
        "--created-at",
        type=timestamp,
        metavar="TIME",
        help="the time of all interactions, for a file without a column for it, and of posts without any time",
    )
    sources = "; ".join(f"{name}: {preset.source}" for name, preset in PRESETS.items())
    add("--preset", choices=PRESETS, help=f"names of columns and events in the format of {sources}")
    add(
        "--skip-bad-rows",
        type=Path,
        metavar="FILE",
        help="write bad rows to this CSV file and read the others",
    )


def check_feed_arguments(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """End with an error if a file or an option for files is given without --interactions."""
    for name in (*FEED_FILES, "event_map", "columns", "type", "created_at", "skip_bad_rows", "preset"):
        if getattr(args, name) and args.interactions is None:
            parser.error(f"argument --{name.replace('_', '-')}: needs --interactions")


def read_feed_of(args: argparse.Namespace, posts: Path | None) -> FeedFile:
    """The feed of the arguments. Raises the errors of `read_feed`."""
    if args.interactions is not None and is_export(args.interactions):
        raise ExportError(
            args.interactions, "is an export of the log, which only the commands of training read"
        )
    options = ReadOptions(
        args.columns, args.event_map, args.type, args.created_at, preset=PRESETS.get(args.preset)
    )
    paths = (args.interactions, posts, args.users, args.follows)
    others = {kind: getattr(args, kind) for kind in ("controls", "memberships", "impressions")}
    if args.skip_bad_rows is None:
        return read_feed(*paths, options, **others)
    if args.skip_bad_rows in (*paths, *others.values()):
        raise ConfigurationError(f"{args.skip_bad_rows}: is read, so --skip-bad-rows must be another file")
    with BadRowFile(args.skip_bad_rows) as bad_rows:
        feed = read_feed(*paths, replace(options, bad_rows=bad_rows), **others)
    note = f"skipped {bad_rows.count:,} bad rows; {bad_rows.path} lists them"
    return replace(feed, notes=(*feed.notes, note)) if bad_rows.count else feed


def posts_beside(args: argparse.Namespace) -> Path | None:
    """The default of --posts: posts.parquet in the folder of the interactions, if it exists."""
    interactions: Path = args.interactions
    alone = not any((args.users, args.follows, args.controls, args.memberships, args.impressions))
    if suffix_of(interactions) == ".json" or (alone and sibling(interactions, "posts").is_file()):
        return None  # the feed contains its posts
    beside = interactions.with_name("posts.parquet")
    return beside if beside.is_file() and beside != interactions else None
