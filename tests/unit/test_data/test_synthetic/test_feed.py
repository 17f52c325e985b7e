"""The generator: the same arguments give the same bytes, and what comes out looks like a feed."""

import hashlib
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.entities import INTERACTION_TYPES
from app.domain.feed.dataset import FeedDataset
from data.feed_files.json_files import read_json
from data.feed_files.open_files import sibling
from data.feed_files.reader import read_feed
from data.generate_fake_data import DEFAULT_UNTIL, DEMO, main, write_feed
from data.loading import complete
from data.schemas import ROWS
from data.synthetic.behaviour import SCENARIOS
from data.synthetic.feed import FeedSize, make_feed, make_feed_with_pages
from tests.support.feeds import generated

UNTIL = DEFAULT_UNTIL.timestamp()
HOUR = 3600.0


def made(folder: Path, **wishes: object) -> FeedDataset:
    size = {
        "users": 300,
        "posts": 1500,
        "interactions": 20_000,
        "seed": 1,
        "until": int(UNTIL * 1000),
    } | wishes
    write_feed(make_feed(FeedSize(**size)), folder / "feed.parquet")  # type: ignore[arg-type]
    return read_feed(folder / "feed.parquet").dataset


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> FeedDataset:
    return made(tmp_path_factory.mktemp("mixed"))


def share_of_the_top(counts: np.ndarray, share: float) -> float:
    top = np.sort(counts)[::-1][: int(len(counts) * share)]
    return float(top.sum() / counts.sum())


@pytest.mark.parametrize("name", ["feed.json", "feed.parquet"])
def test_the_same_arguments_give_the_same_bytes_and_another_seed_others(tmp_path: Path, name: str) -> None:
    written = []
    for folder, seed in (("a", 5), ("b", 5), ("c", 6)):
        arguments = (
            f"--users 40 --posts 60 --interactions 700 --seed {seed} --output {tmp_path / folder / name}"
        )
        assert main(arguments.split()) == 0
        written.append({path.name: path.read_bytes() for path in sorted((tmp_path / folder).iterdir())})

    assert written[0] == written[1]
    assert written[0] != written[2]


def test_json_and_parquet_hold_the_same_feed_and_every_row_keeps_the_schema(tmp_path: Path) -> None:
    for name in ("feed.json", "feed.parquet"):
        main(f"--users 40 --posts 60 --interactions 700 --output {tmp_path / name}".split())

    document = read_json(tmp_path / "feed.json")
    one, other = read_feed(tmp_path / "feed.json"), read_feed(tmp_path / "feed.parquet")

    assert {
        kind: len(rows) for kind, rows in document.items() if kind in ("users", "posts", "interactions")
    } == {
        "users": 40,
        "posts": 60,
        "interactions": 700,
    }
    assert sibling(tmp_path / "feed.parquet", "follows").is_file()
    for kind in ROWS:
        for row in document[kind]:
            ROWS[kind].model_validate(row)
    assert list(complete(one).events.event_id) == list(complete(other).events.event_id)
    assert one.dataset.posts.tags == other.dataset.posts.tags
    assert one.dataset.posts.created.tolist() == other.dataset.posts.created.tolist()


def test_the_demo_has_300_users_1500_posts_and_20000_interactions() -> None:
    assert (DEMO.users, DEMO.posts, DEMO.interactions) == (300, 1500, 20_000)


@pytest.mark.parametrize("name", ["feed.json", "feed.parquet"])
def test_a_written_feed_reads_back_as_the_generated_dataset(tmp_path: Path, name: str) -> None:
    generated = make_feed_with_pages(replace(DEMO, users=40, posts=60, interactions=700))
    write_feed(generated, tmp_path / name)

    found = read_feed(tmp_path / name)

    assert not found.has_event_id.any()
    assert not found.skipped_rows
    assert found.dataset.controls == generated.controls
    for table in ("users", "posts", "follows", "events", "memberships", "pages"):
        there, here = getattr(found.dataset, table), getattr(generated, table)
        for column in fields(here):
            if (table, column.name) != ("events", "event_id"):
                read, made_column = getattr(there, column.name), getattr(here, column.name)
                same = read == made_column if isinstance(read, list | None) else (read == made_column).all()
                assert same, column.name


@pytest.mark.parametrize(
    ("scenario", "digest"),
    [
        ("mixed", "caf500f7905e1544"),
        ("popularity", "86b17b54dc6b25d3"),
        ("taste", "4c72d6dc7cb5759c"),
        ("recency", "e0e7c198512cdb20"),
        ("follows", "87d91e75f561c041"),
    ],
)
def test_the_events_of_a_seed_stay_the_same(scenario: str, digest: str) -> None:
    """Figures of generated feeds can be compared between versions."""
    feed = generated(scenario=scenario)
    follows, events = feed.follows, feed.events
    columns = (
        *(feed.users.created_us, feed.posts.author, feed.posts.created_us),
        *(follows.follower, follows.followee, follows.since_us),
        *(events.user, events.post, events.kind, events.time_us),
    )

    assert hashlib.sha256(b"".join(column.tobytes() for column in columns)).hexdigest()[:16] == digest


@given(
    st.integers(2, 60),
    st.integers(1, 60),
    st.integers(0, 900),
    st.sampled_from(sorted(SCENARIOS)),
    st.sampled_from([0.5, 24.0, 9000.0]),
)
def test_any_size_of_any_scenario_is_made_exactly_and_keeps_its_time(
    tmp_path_factory: pytest.TempPathFactory,
    users: int,
    posts: int,
    interactions: int,
    scenario: str,
    half_life_hours: float,
) -> None:
    feed = made(
        tmp_path_factory.mktemp("any"),
        users=users,
        posts=posts,
        interactions=interactions,
        scenario=scenario,
        post_half_life_hours=half_life_hours,
        days=10.0,
    )

    assert (len(feed.users), len(feed.posts), len(feed.events)) == (users, posts, interactions)
    assert (feed.events.time > feed.posts.created[feed.events.post]).all()
    assert (feed.events.time < UNTIL).all()
    assert (feed.posts.created >= UNTIL - 10 * 24 * HOUR).all()
    assert (feed.follows.follower != feed.follows.followee).all()
    assert (feed.follows.since <= UNTIL).all()


def test_a_few_users_and_posts_have_most_of_the_interactions(mixed: FeedDataset) -> None:
    by_user = np.bincount(mixed.events.user, minlength=300)
    by_post = np.bincount(mixed.events.post, minlength=1500)
    by_author = np.bincount(mixed.posts.author, minlength=300)

    assert share_of_the_top(by_user, 0.1) > 0.3
    assert share_of_the_top(by_post, 0.1) > 0.25
    assert share_of_the_top(by_author, 0.1) > 0.4
    assert share_of_the_top(np.bincount(mixed.follows.followee, minlength=300), 0.1) > 0.4


def test_each_step_of_the_funnel_is_rarer_than_the_one_before(mixed: FeedDataset) -> None:
    counts = np.bincount(mixed.events.kind, minlength=len(INTERACTION_TYPES))

    assert all(fewer < more for more, fewer in pairwise(counts.tolist()))
    assert counts.min() > 100


def test_all_that_a_visit_leads_to_carries_its_time(mixed: FeedDataset) -> None:
    """Otherwise a view just before a like would reveal to a replay which post is liked."""
    own = mixed.posts.author[mixed.events.post] == mixed.events.user  # answers come later
    visit = np.stack([mixed.events.user, mixed.events.post])[:, ~own]
    pairs = np.unique(visit, axis=1)
    moments = np.unique(np.vstack([visit, mixed.events.time[~own].view(np.int64)]), axis=1)

    assert pairs.shape[1] == moments.shape[1]


def test_nights_are_quiet(mixed: FeedDataset) -> None:
    hours = np.bincount((mixed.events.time // HOUR % 24).astype(int), minlength=24)

    assert hours[3:6].mean() < 0.4 * hours[17:21].mean()


def lift_of_similar_users(feed: FeedDataset) -> float:
    """Later similarity (cosine) of the tenth of user pairs with most earlier similarity, over that of the rest."""
    half = len(feed.events) // 2

    def chosen(events: slice) -> np.ndarray:
        matrix = np.zeros((len(feed.users), len(feed.posts)))
        matrix[feed.events.user[events], feed.events.post[events]] = 1
        return matrix

    earlier = chosen(slice(half))
    later = chosen(slice(half, None)) * (1 - earlier)
    busy = (earlier.sum(axis=1) > 5) & (later.sum(axis=1) > 5)
    pairs = np.triu_indices(int(busy.sum()), 1)
    before, after = (
        (rows @ rows.T / np.sqrt(np.outer(rows.sum(axis=1), rows.sum(axis=1))))[pairs]
        for rows in (earlier[busy], later[busy])
    )
    similar = before >= np.quantile(before, 0.9)
    return float(after[similar].mean() / after[~similar].mean())


def test_neighbours_by_earlier_choices_are_neighbours_by_later_ones(
    mixed: FeedDataset, tmp_path: Path
) -> None:
    assert lift_of_similar_users(mixed) > 1.6
    assert lift_of_similar_users(made(tmp_path, scenario="taste")) > 3
    assert 0.9 < lift_of_similar_users(made(tmp_path, scenario="popularity")) < 1.1


@pytest.mark.parametrize(("half_life_hours", "days"), [(2.0, 30.0), (48.0, 60.0), (9000.0, 3000.0)])
def test_posts_are_seen_at_the_half_life_that_was_asked_for(
    tmp_path: Path, half_life_hours: float, days: float
) -> None:
    feed = made(tmp_path, scenario="recency", posts=4000, post_half_life_hours=half_life_hours, days=days)

    age = (feed.events.time - feed.posts.created[feed.events.post]) / HOUR
    assert 0.5 * half_life_hours < np.median(age) < 2 * half_life_hours


def test_each_scenario_follows_its_own_rules(tmp_path_factory: pytest.TempPathFactory) -> None:
    followed_share, rank_of_age, spread = {}, {}, {}
    for scenario in SCENARIOS:
        feed = made(tmp_path_factory.mktemp(scenario), scenario=scenario)
        edges = set(zip(feed.follows.follower.tolist(), feed.follows.followee.tolist(), strict=True))
        author = feed.posts.author[feed.events.post]
        pairs = zip(feed.events.user.tolist(), author.tolist(), strict=True)
        followed_share[scenario] = np.mean([pair in edges for pair in pairs])
        newer = np.searchsorted(np.sort(feed.posts.created), feed.events.time) - feed.events.post
        rank_of_age[scenario] = np.median(newer)
        spread[scenario] = share_of_the_top(np.bincount(feed.events.post, minlength=1500), 0.02)

    assert followed_share["follows"] == 1.0
    assert max(share for scenario, share in followed_share.items() if scenario != "follows") < 0.6
    assert rank_of_age["recency"] < 0.25 * rank_of_age["taste"]
    assert max(spread, key=lambda scenario: spread[scenario]) == "popularity"
    assert spread["popularity"] > 2 * spread["recency"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--users one", "argument --users: 'one' is not a whole number of at least 2"),
        ("--posts 0", "argument --posts: '0' is not a whole number of at least 1"),
        ("--users 100000001", "argument --users: '100000001' is more than 100,000,000"),
        (f"--posts {'9' * 5000}", "is more than 100,000,000"),
        ("--interactions -1", "argument --interactions"),
        ("--until tomorrow", "argument --until: 'tomorrow' is not a time"),
        ("--until 1970-01-02", "30 days before it lie before 1970"),
        ("--days inf", "argument --days: 'inf' is not a number above 0"),
        ("--world flat", "argument --world: invalid choice: 'flat'"),
        ("--output feed.xlsx", "--output feed.xlsx: must end in .json or .parquet"),
        ("--output {file}/feed.json", "cannot be written"),
        ("--what", "unrecognized arguments: --what"),
    ],
)
def test_a_bad_argument_gives_one_line_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: str, said: str
) -> None:
    (tmp_path / "file").touch()

    try:
        code = main(arguments.format(file=tmp_path / "file").split())
    except SystemExit as left:
        code = left.code

    error = capsys.readouterr().err
    assert code == 2
    assert said in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
