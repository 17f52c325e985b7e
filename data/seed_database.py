"""Load a generated feed, moved in time so that it ends now: `python -m data.seed_database --help`.

Without `--input`, `data/fake_interactions.json` is loaded; if this file does not exist, a demo feed. A quarter of the
posts of the demo feed get a picture, also those that are already stored.
"""

import sys
import time
from collections.abc import Sequence

import numpy as np

from app.shared.command_line import OneLineParser, existing_file
from app.shared.progress import progress_bars
from data.command_line import run_command
from data.demo_pictures import add_pictures
from data.feed_files.reader import FeedFile, read_feed
from data.generate_fake_data import DEFAULT_OUTPUT, DEMO
from data.loading import feed_database, summary
from data.synthetic.feed import make_feed_with_pages

_PROG = "python -m data.seed_database"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = OneLineParser(
        prog=_PROG, description="Load a generated feed, moved in time so that it ends now."
    )
    parser.add_argument(
        "--input",
        type=existing_file,
        default=DEFAULT_OUTPUT if DEFAULT_OUTPUT.is_file() else None,
        metavar="PATH",
        help=f"file of generate_fake_data (default: {DEFAULT_OUTPUT}, or a demo feed if it does not exist)",
    )
    parser.add_argument("--if-empty", action="store_true", help="load only if the database has no post")
    args = parser.parse_args(argv)

    def seed() -> None:
        """Load the file or the demo feed, and print what was added and skipped."""
        with feed_database() as database:
            if args.if_empty and not database.is_empty():
                print("the database already contains a feed")
                return
            with progress_bars() as progress:
                feed = demo_feed() if args.input is None else read_feed(args.input)
                counts = database.load(feed, shift_last_event_to=time.time(), progress=progress)
            pictures = add_pictures(database, feed.dataset.posts) if args.input is None else 0
        print(f"{args.input or 'demo feed'}: {summary(counts, feed.skipped_rows)}")
        if pictures:
            print(f"demo feed: {pictures} pictures added")

    return run_command(_PROG, seed)


def demo_feed() -> FeedFile:
    """300 users, 1,500 posts and 20,000 interactions, always the same."""
    dataset = make_feed_with_pages(DEMO)
    return FeedFile(dataset, has_event_id=np.zeros(len(dataset.events), np.bool_))


if __name__ == "__main__":
    sys.exit(main())
