"""Load a real feed into the database: `python -m data.import_feed --help`. Loading it again adds what is new."""

import sys
import time
from collections.abc import Sequence

from app.shared.command_line import OneLineParser
from app.shared.progress import progress_bars
from data.command_line import run_command
from data.feed_arguments import FEED_FILES, add_feed_arguments, read_feed_of
from data.loading import feed_database, summary

_PROG = "python -m data.import_feed"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = OneLineParser(
        prog=_PROG,
        description="Load a feed from CSV, NDJSON, JSON or Parquet files. Loading it again adds what is new.",
    )
    add_feed_arguments(parser)
    shift_help = "move all times so that the last interaction is now; later runs use the amount of the first"
    parser.add_argument("--shift-to-now", action="store_true", help=shift_help)
    update_help = "change stored users, posts, follows and memberships to what the files say"
    parser.add_argument("--update", action="store_true", help=update_help)
    args = parser.parse_args(argv)
    if args.update and args.skip_bad_rows and (args.follows or args.memberships):
        parser.error(
            "argument --update: a bad row would remove its follow or membership; leave out --skip-bad-rows"
        )
    paths = [path for kind in FEED_FILES if (path := getattr(args, kind)) is not None]
    if not paths:
        parser.error(f"no file is given: use one of {', '.join(f'--{kind}' for kind in FEED_FILES)}")

    def import_files() -> None:
        """Read the files, load them into the database, and print what was added and skipped."""
        with progress_bars() as progress:
            progress("reading", 0, None)
            feed = read_feed_of(args, args.posts)
            progress("reading", len(feed.dataset.events), len(feed.dataset.events))
            now = time.time() if args.shift_to_now else None
            with feed_database() as database:
                counts = database.load(feed, shift_last_event_to=now, progress=progress, update=args.update)
        print(f"read {', '.join(f'{rows:,} {kind}' for kind, rows in feed.rows.items()) or 'no rows'}")
        for note in feed.notes:
            print(note)
        print(f"{paths[0]}: {summary(counts, feed.skipped_rows, update=args.update)}")

    return run_command(_PROG, import_files)


if __name__ == "__main__":
    sys.exit(main())
