"""Command-line arguments that select a feed."""

import argparse
from datetime import datetime
from pathlib import Path

from app.domain.entities import INTERACTION_TYPES
from app.shared.command_line import existing_file, preview
from data.feed_files.open_files import sibling
from data.times import parse_time


def timestamp(text: str) -> datetime:
    """An argument type: a time as in feed files."""
    try:
        return parse_time(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{preview(text)} {error}") from None


def event_map(text: str) -> dict[str, str]:
    """An argument type: `VIEW=view,BOOKMARK=like` maps names in a file to interaction types."""
    mapped: dict[str, str] = {}
    for pair in text.split(","):
        given, equals, kind = (part.strip() for part in pair.partition("="))
        if not equals or not given or kind not in INTERACTION_TYPES:
            allowed = ", ".join(INTERACTION_TYPES)
            raise argparse.ArgumentTypeError(f"{preview(pair)} is not NAME=TYPE with one of {allowed}")
        if mapped.get(given, kind) != kind:
            raise argparse.ArgumentTypeError(f"{preview(given)} is mapped to {mapped[given]} and to {kind}")
        mapped[given] = kind
    return mapped


def add_feed_arguments(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """The files of a feed. Unless they are required, the database is read without --interactions."""
    optional = "; default: the database. Default of --posts: posts.parquet beside the interactions"
    files = "files (CSV, NDJSON, JSON or Parquet)"
    group = parser.add_argument_group("feed", files if required else files + optional)
    columns = {
        "interactions": "user_id, post_id, interaction_type, created_at, [event_id, metadata]",
        "posts": "id, [author_id, content, created_at, visible, like_count, comment_count, tags, visibility, "
        "audience_id, language, sensitive, reply_to, root_id, repost_of]",
        "users": "id, [username, follower_count, created_at, discoverable, personalised, languages, show_sensitive]",
        "follows": "follower_id, followee_id, [created_at]",
        "controls": "user_id, action, one of post_id, author_id, tag and word, [created_at, until]",
        "memberships": "user_id, audience_id",
        "impressions": "pages: user_id, request_id, created_at, posts, [seen]",
    }
    for kind, names in columns.items():
        is_required = required and kind == "interactions"
        group.add_argument(f"--{kind}", type=existing_file, required=is_required, metavar="PATH", help=names)
    example = "map other names of events, as in VIEW=view,BOOKMARK=like"
    group.add_argument("--event-map", type=event_map, default={}, metavar="NAME=TYPE,...", help=example)


def check_feed_arguments(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """End with an error if a file or --event-map is given without --interactions."""
    for name in ("posts", "users", "follows", "controls", "memberships", "impressions", "event_map"):
        if getattr(args, name) and args.interactions is None:
            parser.error(f"argument --{name.replace('_', '-')}: needs --interactions")


def posts_beside(args: argparse.Namespace) -> Path | None:
    """The default of --posts: posts.parquet in the folder of the interactions, if it exists."""
    interactions: Path = args.interactions
    alone = not any((args.users, args.follows, args.controls, args.memberships, args.impressions))
    if interactions.suffix.lower() == ".json" or (alone and sibling(interactions, "posts").is_file()):
        return None  # the feed contains its posts
    beside = interactions.with_name("posts.parquet")
    return beside if beside.is_file() and beside != interactions else None
