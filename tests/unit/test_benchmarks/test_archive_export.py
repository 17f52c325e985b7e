"""The archive on which training is measured is a valid export, and always the same one."""

from pathlib import Path

from benchmarks.archive_export import ArchiveSize, write_archive
from data.log_export.reader import read_export

SIZE = ArchiveSize(events=6_000, users=300, posts=200, events_per_day=1_000)


def test_an_archive_has_its_size_and_the_same_bytes_again(tmp_path: Path):
    write_archive(tmp_path / "first", SIZE)
    write_archive(tmp_path / "second", SIZE)

    feed = read_export(tmp_path / "first", 10_000).dataset

    assert (len(feed.users), len(feed.posts), len(feed.events)) == (300, 200, 6_000)
    files = {
        path.relative_to(tmp_path / "first"): path.read_bytes() for path in (tmp_path / "first").rglob("*.*")
    }
    assert len([path for path in files if "interactions" in path.parts]) == 6
    assert files == {path: (tmp_path / "second" / path).read_bytes() for path in files}


def test_a_window_of_an_archive_has_its_share_of_the_events(tmp_path: Path):
    write_archive(tmp_path / "archive", SIZE)

    feed = read_export(tmp_path / "archive", 2).dataset

    assert 1_900 < len(feed.events) < 2_100
    assert len(feed.users) < 300
