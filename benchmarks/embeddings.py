"""What embeddings change: `python -m benchmarks.embeddings`.

Quality: the posts of a generated feed get the texts and tags of other posts, so that these say nothing, and an
embedding: the direction of their topic, and noise. The replay ranks the feed with and without the embeddings, on the
same requests. Cost: rankings with and without the inputs of embeddings take turns on one state of `--live-posts`, and
their processor time is compared.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from time import thread_time
from typing import Any, Final

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from app.domain.feed.dataset import FeedDataset
from app.domain.feed.embeddings import PROJECTED_DIMENSIONS, unit_embedding
from app.domain.feed.state import FeedState
from app.domain.ranking import user_features
from app.domain.ranking.assembly import NoObserver, ranking_pipeline
from app.domain.ranking.choice_model import ChoiceModel
from app.domain.ranking.options import RankingOptions
from app.domain.ranking.pipeline import FeedPipeline
from app.domain.services.ranking_context import RankingContext
from app.shared.command_line import OneLineParser, whole_number
from benchmarks.capacity import add_posts, add_users, record_events
from benchmarks.compared_feed import scenario_names
from data.generate_fake_data import DEFAULT_UNTIL
from data.synthetic.feed import FeedSize, make_feed
from training.evaluation.acceptance import compare
from training.evaluation.metrics import ndcg_of_rank
from training.evaluation.prequential import replay_rankers
from training.learning.model_selection import LearningOptions
from training.replay.replay import Replay

_DIMENSIONS: Final = 384
_NOISE: Final = 1.0  # its length, where that of the topic's direction is 1
_PAGE: Final = 50
_USERS: Final = 20_000


def with_embeddings(feed: FeedDataset, seed: int) -> FeedDataset:
    """The feed with embeddings that follow the first tags, and with the texts and tags of other posts."""
    random, posts = np.random.default_rng(seed), feed.posts
    topics, topic = np.unique([tags[0] if tags else "" for tags in posts.tags], return_inverse=True)
    scale = np.sqrt(_DIMENSIONS)
    directions = random.normal(size=(len(topics), _DIMENSIONS)) / scale
    vectors = directions[topic] + _NOISE * random.normal(size=(len(topic), _DIMENSIONS)) / scale
    order = random.permutation(len(topic)).tolist()
    changed = replace(
        posts,
        text=[posts.text[row] for row in order],
        tags=[posts.tags[row] for row in order],
        embedding=np.stack([unit_embedding(vector) for vector in vectors]),
    )
    return replace(feed, posts=changed)


def measure_quality(size: FeedSize, max_requests: int) -> dict[str, Any]:
    """NDCG@10 of the learned ranking with and without embeddings, and the relative gain with its interval."""
    feed = with_embeddings(make_feed(size), size.seed)
    without = replace(feed, posts=replace(feed.posts, embedding=None))
    replays = [Replay(one, RankingOptions()) for one in (feed, without)]
    with_ranks, ranks = (
        replay_rankers(one, ["learned"], LearningOptions(), max_requests=max_requests, selects_served=False)
        for one in replays
    )
    users = replays[0].events.user[ranks.requests]
    gain = compare(with_ranks.ranks["learned"], ranks.ranks["learned"], users)
    return {
        "scenario": size.scenario,
        "with": float(ndcg_of_rank(with_ranks.ranks["learned"]).mean()),
        "without": float(ndcg_of_rank(ranks.ranks["learned"]).mean()),
        **asdict(gain),
    }


def _pipeline(random: np.random.Generator, *, embeddings: bool) -> FeedPipeline:
    """The pipeline of a model with random weights and a hidden layer."""
    names, units = user_features.names(embeddings=embeddings), LearningOptions().units[0]
    model = replace(
        ChoiceModel.untrained(names),
        linear=random.normal(size=len(names)),
        hidden=random.normal(size=(len(names), units)),
        bias=random.normal(size=units),
        output=random.normal(size=units),
    )
    return ranking_pipeline(RankingOptions(), None, model, NoObserver())


def measure_cost(live_posts: int, rankings: int) -> dict[str, float]:
    """Median processor time of a ranking in milliseconds, and the bytes of the vectors in memory."""
    random, state = np.random.default_rng(1), FeedState()
    add_users(state, _USERS, random)
    add_posts(state, live_posts, random)
    record_events(state, _USERS, 10 * live_posts, random)
    vectors = random.normal(size=(state.n_posts, PROJECTED_DIMENSIONS)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    state.set_embeddings(np.arange(state.n_posts), vectors.astype(np.float16))
    pipelines = {name: _pipeline(random, embeddings=name == "with") for name in ("without", "with")}
    users = np.flatnonzero(state.events_by_user.lengths(np.arange(state.n_users)))
    now = float(state.last_engaged[: state.n_posts].max())
    times: dict[str, list[float]] = {name: [] for name in pipelines}
    for number in range(rankings):
        now += 0.01
        user = int(random.choice(users))
        for name in sorted(pipelines, reverse=bool(number % 2)):
            context = RankingContext(state, user, now)
            began = thread_time()
            pipelines[name].page(context, pipelines[name].rank(context), _PAGE)
            times[name].append(thread_time() - began)
    medians = {name: float(np.median(taken[rankings // 10 :])) * 1000 for name, taken in times.items()}
    return {
        **{f"{name}_cpu_p50_ms": median for name, median in medians.items()},
        "ratio": medians["with"] / medians["without"],
        "bytes": float(state.embeddings.nbytes),
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = OneLineParser(prog="python -m benchmarks.embeddings", description=__doc__)
    parser.add_argument("--scenarios", default="mixed", type=scenario_names)
    parser.add_argument("--users", type=whole_number(2), default=800)
    parser.add_argument("--posts", type=whole_number(1), default=3000)
    parser.add_argument("--interactions", type=whole_number(1), default=30_000)
    parser.add_argument("--seed", type=whole_number(0), default=1)
    parser.add_argument("--max-requests", type=whole_number(1), default=1000)
    parser.add_argument("--live-posts", type=whole_number(1), default=200_000)
    parser.add_argument("--rankings", type=whole_number(20), default=1000)
    args = parser.parse_args(argv)
    until = int(DEFAULT_UNTIL.timestamp() * 1000)
    with threadpool_limits(limits=1):
        for scenario in args.scenarios:
            size = FeedSize(args.users, args.posts, args.interactions, args.seed, until, scenario=scenario)
            print(json.dumps(measure_quality(size, args.max_requests)), flush=True)
        print(json.dumps(measure_cost(args.live_posts, args.rankings)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
