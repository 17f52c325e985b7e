"""The export of the log: what it contains after each run, and how it ends if it cannot continue."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import psycopg2
import pytest

from app.domain.feed.dataset import FeedDataset
from app.domain.ids import post_uuid, user_uuid
from app.infrastructure.config.settings import read_settings
from app.infrastructure.database.connection import create_feed_engine
from app.infrastructure.database.feed_log_impl import SqlFeedLog
from data import export_log, import_feed
from data.generate_fake_data import main as generate
from data.log_export import manifest, writer
from data.log_export.manifest import read_manifest
from data.log_export.reader import read_export
from tests.support.feeds import uuid_of
from tests.support.postgres import settle
from training import evaluate, train
from training.feed_source import read_database, read_exported

OUT = Path("export")
LIKE = """
INSERT INTO user_interaction (user_id, post_id, interaction_type, event_id, created_at)
VALUES (%s, %s, 'like', %s, now() - make_interval(days => %s)) RETURNING seq
"""


class Database:
    """A database with two users and two posts, changed by plain SQL."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = create_feed_engine(url, connect_seconds=5, pool_size=4)
        self.sql(
            "INSERT INTO users (id, external_id) SELECT * FROM unnest(%s::uuid[], %s::text[])",
            ([str(user_uuid(name)) for name in ("anna", "bert")], ["anna", "bert"]),
        )
        self.sql(
            "INSERT INTO posts (id, external_id, author_id) SELECT *, %s FROM unnest(%s::uuid[], %s::text[])",
            (
                str(user_uuid("bert")),
                [str(post_uuid(name)) for name in ("first", "second")],
                ["first", "second"],
            ),
        )

    def sql(self, statement: str, parameters: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        with psycopg2.connect(self.url) as connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def like(self, event: int, *, days_ago: int = 0) -> int:
        [(seq,)] = self.sql(LIKE, like_values(event, days_ago))
        return int(str(seq))


def like_values(event: int, days_ago: int = 0) -> tuple[object, ...]:
    return str(user_uuid("anna")), str(post_uuid("first")), str(post_uuid(f"event {event}")), days_ago


@pytest.fixture
def database(own_database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Database]:
    monkeypatch.setenv("DATABASE_URL", own_database_url)
    monkeypatch.chdir(tmp_path)
    return Database(own_database_url)


def export(database: Database, *arguments: str, settled: bool = True) -> None:
    """Run the command. Transactions of other tests that are open hold back what it exports."""
    if settled:
        settle(database.engine)
    assert export_log.main(["--output", str(OUT), *arguments]) == 0


def seqs() -> list[int]:
    events = read_export(OUT, 1e4).dataset.events
    return sorted(events.seq.tolist())


def rows_of_files() -> list[tuple[str, int]]:
    return [(file.path, file.rows) for file in read_manifest(OUT).interactions]


def contents(feed: FeedDataset) -> dict[str, object]:
    """A feed without the order of its users and posts."""
    users, posts, events, pages = feed.users, feed.posts, feed.events, feed.pages
    user = [uuid_of(key) for key in users.key]
    post = [uuid_of(key) for key in posts.key]
    ids, flags = zip(user, users.external_id, users.created_us, strict=True), users.languages or []
    events_received = zip(events.kind, events.time_us, events.received_us, events.seq, strict=True)
    columns = ("external_id", "created_us", "visible", "seq", "text", "tags", "visibility", "audience_id")
    more = ("language", "sensitive", "root_id", "repost_of")
    return {
        "users": sorted((*row, languages) for row, languages in zip(ids, flags, strict=True)),
        "flags": sorted(zip(user, users.discoverable, users.personalised, users.show_sensitive, strict=True)),
        "posts": {
            key: (
                [getattr(posts, name)[row] for name in (*columns, *more)],
                user[author] if author >= 0 else None,
            )
            for row, (key, author) in enumerate(zip(post, posts.author, strict=True))
        },
        "follows": sorted(
            (user[a], user[b], since)
            for a, b, since in zip(
                feed.follows.follower, feed.follows.followee, feed.follows.since_us, strict=True
            )
        ),
        "events": [
            (user[a], post[b], *rest)
            for a, b, rest in zip(events.user, events.post, events_received, strict=True)
        ],
        "memberships": sorted(
            (user[row], audience)
            for row, audience in zip(feed.memberships.user, feed.memberships.audience_id, strict=True)
        ),
        "controls": sorted(map(repr, feed.controls)),
        "pages": [
            (user[row], pages.time_us[page], [post[one] for one in pages.post[pages.places(page)]])
            for page, row in enumerate(pages.user)
        ],
    }


@pytest.fixture(scope="module")
def exported(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The export of a generated feed, whose database is that of DATABASE_URL."""
    folder = tmp_path_factory.mktemp("generated")
    feed, out = folder / "feed.json", folder / "export"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DATABASE_URL", database_url)
        size = ["--users", "40", "--posts", "120", "--interactions", "1500"]
        assert generate([*size, "--output", str(feed)]) == 0
        assert import_feed.main(["--interactions", str(feed), "--shift-to-now"]) == 0
        settle(create_feed_engine(database_url, connect_seconds=5))
        assert export_log.main(["--output", str(out)]) == 0
        yield out


@pytest.mark.parametrize("days", [2160.0, 3.0])
def test_the_folder_contains_the_feed_of_the_database(exported: Path, days: float):
    settings = read_settings().model_copy(update={"training_window_days": days})

    of_database, of_folder = read_database(settings), read_exported(exported, settings)

    assert contents(of_folder.dataset) == contents(of_database.dataset)
    assert len(of_folder.dataset.pages) > 0
    assert sorted(map(repr, of_folder.controls)) == sorted(map(repr, of_database.controls))
    assert (len(of_folder.dataset.events) < 1500) == (days == 3.0)


@pytest.mark.slow
def test_the_evaluation_of_the_folder_is_that_of_the_database(exported: Path, tmp_path: Path):
    database, folder = tmp_path / "database", tmp_path / "folder"

    assert evaluate.main(["--dump", str(database)]) == 0
    assert evaluate.main(["--dump", str(folder), "--interactions", str(exported)]) == 0

    assert folder.read_bytes() == database.read_bytes()


@pytest.mark.slow
def test_training_publishes_the_model_of_an_export(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()

    code = train.main(["--interactions", str(exported), "--learn-from", "200"])

    out, err = capsys.readouterr()
    assert code in (0, 1), err  # the model of a feed this small may be rejected
    assert "v1" in out


def test_a_second_run_adds_what_is_new_to_further_files(database: Database):
    first = [database.like(1, days_ago=2), database.like(2)]
    export(database)
    written = {path: path.read_bytes() for path in OUT.rglob("day=*/*.parquet")}
    late = database.like(3, days_ago=2)

    export(database)

    today = datetime.now(UTC).date()
    of_two_days_ago = f"interactions/day={today - timedelta(days=2)}"
    assert seqs() == [*first, late]
    assert rows_of_files() == [
        (f"{of_two_days_ago}/run-000001.parquet", 1),
        (f"interactions/day={today}/run-000001.parquet", 1),
        (f"{of_two_days_ago}/run-000002.parquet", 1),
    ]
    assert {path: path.read_bytes() for path in written} == written


def test_an_event_that_is_committed_late_is_exported_by_the_next_run(database: Database):
    with psycopg2.connect(database.url) as connection, connection.cursor() as cursor:
        cursor.execute(LIKE, like_values(1))
        [open_seq] = cursor.fetchone() or [0]
        later = database.like(2)
        export(database, settled=False)
        before = seqs()
    export(database)

    assert before == []  # the number of the open transaction is lower
    assert seqs() == [open_seq, later]
    assert open_seq < later


def test_removed_and_updated_events_replace_those_of_earlier_runs(database: Database):
    removed, updated, kept = (database.like(number) for number in range(3))
    export(database)
    database.sql("DELETE FROM user_interaction WHERE seq = %s", (removed,))
    database.sql("UPDATE user_interaction SET interaction_type = 'share' WHERE seq = %s", (updated,))

    export(database)

    events = read_export(OUT, 1e4).dataset.events
    assert dict(zip(events.seq.tolist(), events.kind.tolist(), strict=True)) == {updated: 4, kept: 2}


@pytest.mark.parametrize("seed", range(2))
def test_runs_between_any_transactions_add_up_to_the_table(database: Database, seed: int):
    random = Random(seed)
    with ExitStack() as stack:
        connections = [stack.enter_context(closing(psycopg2.connect(database.url))) for _ in range(3)]
        for number in range(40):
            connection = random.choice(connections)
            with connection.cursor() as cursor:
                cursor.execute(LIKE, like_values(number, days_ago=random.randrange(3)))
                [(seq,)] = cursor.fetchall()
                other = random.randrange(seq) + 1
                # Only events that no open transaction holds are removed or updated.
                free = "WHERE seq IN (SELECT seq FROM user_interaction WHERE seq = %s FOR UPDATE SKIP LOCKED)"
                match random.randrange(3):
                    case 0:
                        cursor.execute(f"DELETE FROM user_interaction {free}", (other,))
                    case 1:
                        second = str(post_uuid("second"))
                        cursor.execute(f"UPDATE user_interaction SET post_id = %s {free}", (second, other))
            if random.random() < 0.5:
                random.choice([connection.commit, connection.commit, connection.rollback])()
            if random.random() < 0.2:
                export(database, settled=False)
        for connection in connections:
            connection.commit()
    export(database)

    feed = read_export(OUT, 1e4).dataset
    exported = {
        seq: uuid_of(feed.posts.key[post])
        for seq, post in zip(feed.events.seq.tolist(), feed.events.post, strict=True)
    }
    stored = database.sql("SELECT seq, post_id::text FROM user_interaction")
    assert {seq: str(post) for seq, post in exported.items()} == dict(stored)
    assert len(exported) == len(feed.events)


def test_an_interrupted_run_loses_nothing_and_repeats_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    first = database.like(1)
    export(database)
    second = database.like(2)
    with monkeypatch.context() as patched:
        patched.setattr(
            manifest.Manifest, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "disk full"))
        )
        assert export_log.main(["--output", str(OUT)]) == 2
    assert seqs() == [first]
    third = database.like(3)

    export(database)

    assert seqs() == [first, second, third]
    assert [rows for _, rows in rows_of_files()] == [1, 2]
    named = {OUT / file.path for file in read_manifest(OUT).files}
    assert {path for path in OUT.rglob("*.parquet") if "run-000001" not in path.name} <= named


def test_since_exports_later_numbers_only_in_each_run(database: Database):
    skipped, taken = database.like(1), database.like(2)
    export(database, "--since", str(skipped))
    later = database.like(3)
    export(database, "--since", str(skipped))

    assert seqs() == [taken, later]


def test_an_empty_database_gives_an_export_without_interactions(database: Database):
    export(database)

    feed = read_export(OUT, 1.0).dataset
    assert (len(feed.events), len(feed.users), len(feed.posts)) == (0, 2, 2)


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert export_log.main(["--output", str(OUT), *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err


def test_a_folder_that_cannot_be_continued_is_one_line_and_unchanged(
    database: Database, capsys: pytest.CaptureFixture[str]
):
    database.like(1)
    export(database)
    before = {path: path.read_bytes() for path in OUT.rglob("*") if path.is_file()}

    assert "was begun with --since 0, not 5; leave out --since" in error_of(capsys, "--since", "5")
    database.sql("TRUNCATE user_interaction")
    settle(database.engine)
    assert "truncated since the last export; export to a new folder" in error_of(capsys)
    text = (OUT / "manifest.json").read_text()
    (OUT / "manifest.json").write_text(text.replace('"source": "', '"source": "other'))
    assert "was exported from another database; export to a new folder" in error_of(capsys)
    (OUT / "manifest.json").write_text(text)
    with writer.FileLock(OUT / ".lock"):
        assert "another export writes to this folder" in error_of(capsys)
    assert {path: path.read_bytes() for path in OUT.rglob("*") if path.is_file()} == before


def test_a_folder_behind_a_purge_of_the_outbox_is_one_line(
    database: Database, capsys: pytest.CaptureFixture[str]
):
    seq = database.like(1)
    export(database)
    database.sql("DELETE FROM user_interaction WHERE seq = %s", (seq,))
    database.sql("UPDATE feed_change SET created_at = now() - interval '2 hours'")
    settle(database.engine)
    assert SqlFeedLog(database.engine).purge(timedelta(hours=1)) > 0

    assert "the outbox was purged of changes since the last export" in error_of(capsys)


def test_a_folder_that_cannot_be_written_is_one_line(
    database: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    OUT.write_text("a file")
    assert "export: cannot be written: File exists; use another folder" in error_of(capsys)
    OUT.unlink()
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")

    assert "the database at 127.0.0.1:1 is not available" in error_of(capsys)
    assert not OUT.exists()


def test_a_folder_with_other_files_is_not_touched(database: Database, capsys: pytest.CaptureFixture[str]):
    mine = OUT / "posts" / "mine.parquet"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")

    assert "contains mine.parquet and no manifest.json; export to a new folder" in error_of(capsys)
    assert [path for path in OUT.rglob("*") if path.is_file()] == [mine]
    assert mine.read_bytes() == b"mine"


@pytest.mark.parametrize("command", [evaluate.main, train.main])
def test_a_limit_of_memory_is_compared_with_the_manifest_alone(
    exported: Path, command: Callable[[list[str]], int], capsys: pytest.CaptureFixture[str]
):
    capsys.readouterr()

    assert command(["--interactions", str(exported), "--memory-limit", "1MiB"]) == 2

    err = capsys.readouterr().err
    assert "--memory-limit 0.000977 GiB: 1,500 interactions need about" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda path: path.unlink(), "is missing; export the log again"),
        (lambda path: path.write_bytes(path.read_bytes()[:-100]), "was changed after the export; export"),
        (lambda path: path.write_bytes(b""), "was changed after the export; export"),
    ],
)
def test_a_missing_or_damaged_file_is_one_line(
    database: Database, capsys: pytest.CaptureFixture[str], damage, problem: str
):
    database.like(1)
    export(database)
    damage(next(OUT.rglob("day=*/*.parquet")))
    capsys.readouterr()

    assert evaluate.main(["--interactions", str(OUT)]) == 2

    err = capsys.readouterr().err
    assert f"day={datetime.now(UTC).date()}/run-000001.parquet: {problem}" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("text", ["", "[]", '{"format": 2}'])
def test_a_damaged_manifest_is_one_line(database: Database, capsys: pytest.CaptureFixture[str], text: str):
    export(database)
    (OUT / "manifest.json").write_text(text)

    assert "manifest.json: " in error_of(capsys)


def test_other_commands_reject_the_folder(database: Database, capsys: pytest.CaptureFixture[str]):
    export(database)
    capsys.readouterr()

    assert import_feed.main(["--interactions", str(OUT)]) == 2

    assert "is an export of the log, which only the commands of training read" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        train.main(["--interactions", "."])
    assert "is not a folder of data.export_log" in capsys.readouterr().err
