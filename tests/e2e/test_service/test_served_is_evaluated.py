"""If the evaluation says so, that is what the endpoint serves."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from psycopg2.extensions import set_wait_callback

from app.bootstrap import create_app
from app.domain.entities import INTERACTION_TYPES
from app.domain.ranking.options import RankingOptions
from app.infrastructure.config.settings import Settings
from app.infrastructure.database.bulk_load import load_feed
from app.infrastructure.database.connection import create_feed_engine
from app.infrastructure.database.feed_log_impl import SqlFeedLog
from app.infrastructure.database.schema import SchemaName
from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.signing import model_keys
from data.feed_files.reader import read_feed
from data.generate_fake_data import write_feed
from data.loading import complete
from data.synthetic.feed import FeedSize, make_feed
from tests.support.http_server import served
from training.evaluation.prequential import replay_rankers
from training.evaluation.rankers import rank
from training.learning.model_selection import LearningOptions
from training.replay.replay import Replay
from training.training_run import fit_served_model

_FORUM = Path(os.environ.get("FEED_DATASETS", "../shared/datasets")) / "forum"
_ALL_KINDS = frozenset(range(len(INTERACTION_TYPES)))


@pytest.fixture(autouse=True)
def _copy_is_possible_again() -> Iterator[None]:
    """The service makes its whole process keep deadlines, which rules COPY out."""
    yield
    set_wait_callback(None)


@pytest.mark.slow
def test_the_list_over_http_is_the_list_that_was_evaluated(tmp_path: Path, own_database_url: str) -> None:
    size = FeedSize(users=250, posts=1500, interactions=15_000, seed=1, until=1_767_225_600_000)
    write_feed(make_feed(size), tmp_path / "feed.parquet")
    posts = pq.read_table(
        tmp_path / "feed.posts.parquet"
    )  # the evaluation ranks as if every post were public
    settings = ["visibility", "audience_id", "language", "sensitive"]
    pq.write_table(posts.drop_columns(settings), tmp_path / "feed.posts.parquet")

    _compare(tmp_path / "feed.parquet", tmp_path / "feed.posts.parquet", 200, tmp_path, own_database_url)


@pytest.mark.slow
@pytest.mark.skipif(not _FORUM.is_dir(), reason=f"the development feed is not at {_FORUM} (FEED_DATASETS)")
def test_so_it_is_on_the_development_feed(tmp_path: Path, own_database_url: str) -> None:
    _compare(_FORUM / "interactions.parquet", _FORUM / "posts.parquet", 1500, tmp_path, own_database_url)


def _compare(interactions: Path, posts: Path, learn_from: int, folder: Path, url: str) -> None:
    whole = read_feed(interactions, posts, None, None).dataset
    options, learning = RankingOptions(whole_catalogue=300), LearningOptions(requests=learn_from)
    cut = float(whole.events.time[int(0.8 * len(whole.events))])
    past = Replay(whole, options, targets=_ALL_KINDS, test_from=cut)
    model = replay_rankers(past, ["served"], learning, max_requests=1).fits[0].model
    _publish_the_past(interactions, posts, cut, folder, url, options, model)
    replay = Replay(whole, options, targets=_ALL_KINDS, test_from=cut)
    settings = Settings(
        database_url=url,
        models_dir=folder / "models",
        keys_dir=folder / "keys",
        snapshot_interval_seconds=0,
        feed_now=datetime.fromtimestamp(cut, UTC),
        _env_file=None,
    )

    differing = []
    with served(create_app(settings)) as client:
        asking = [int(user) for user in dict.fromkeys(whole.events.user[::-7].tolist())][:200]
        for user in asking:
            expected_rows = rank("served", options, replay.request_for(user, 0, cut), model).top
            expected = [replay.timeline.state.post_id(row) for row in expected_rows]
            answer = client.post(
                "/recommendations/generate", json={"user_id": whole.users.external_id[user]}
            ).json()
            if [one["post_id"] for one in answer["recommendations"]] != expected:
                differing.append(user)

    assert len(asking) == 200
    assert not differing


def _publish_the_past(
    interactions: Path,
    posts: Path,
    cut: float,
    folder: Path,
    url: str,
    options: RankingOptions,
    model: object,
) -> None:
    """Only what was there before the cut goes into the database and the model."""
    moment = datetime.fromtimestamp(cut, UTC)
    events, texts = pq.read_table(interactions), pq.read_table(posts)
    before = events.filter(pc.less(events["created_at"].cast(pa.timestamp("us", "UTC")), moment))
    there = pc.less(texts["created_at"].cast(pa.timestamp("us", "UTC")), moment)
    known = pc.is_in(texts["id"], before["post_id"].combine_chunks())
    pq.write_table(before, folder / "past.parquet")
    pq.write_table(texts.filter(pc.or_(there, known)), folder / "past_posts.parquet")
    feed = read_feed(folder / "past.parquet", folder / "past_posts.parquet", None, None)
    engine = create_feed_engine(url, connect_seconds=10)
    load_feed(engine, complete(feed), SchemaName())
    past = SqlFeedLog(engine).read_all()
    engine.dispose()
    keys = model_keys(None, [], folder / "keys", signs=True)
    FileModelRegistry(folder / "models", keys).publish(
        fit_served_model(past, options, model, {}).to_artifact(),  # type: ignore[arg-type]
        metrics={},
        config={},
        created_at=datetime.now(UTC).isoformat(),
    )
