"""Reads artefacts of the previous format, which contain the whole feed that the model was trained on."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from app.domain.feed.state import HALF_LIVES
from app.domain.feed.time_units import DAY
from app.domain.feed.trending_posts import MAX_TRENDING_POSTS, TrendingPosts
from app.domain.feed.visibility import PUBLIC


def in_present_format(artifact: Mapping[str, Any]) -> dict[str, Any]:
    """The artefact with the trending posts of its feed in place of the feed. Raises KeyError for a missing part."""
    feed = artifact["snapshot"]
    columns = feed["columns"]
    sizes = {
        "users": feed["n_users"],
        "posts": len(feed["post_ids"]),
        "interactions": int(columns["engagements"].sum()),
    }
    return {**artifact, "trending": asdict(_trending(feed)), "sizes": sizes}


def _trending(feed: Mapping[str, Any]) -> TrendingPosts:
    """The posts that everybody may see: those with the largest counts, then the newest; see TrendingPosts.of."""
    columns, visibility = feed["columns"], feed["visibility"]
    counts = {name: feed["heat"][name]["level"] for name in ("heat", "strong_heat", "author_heat")}
    posts, author = visibility["posts"], columns["author"]
    is_public = columns["visible"] & (posts["visibility"] == PUBLIC) & ~posts["sensitive"]
    is_public &= (author < 0) | visibility["discoverable"][author]
    rows = np.flatnonzero(is_public)
    by_count = np.lexsort((columns["created"][rows], counts["heat"][HALF_LIVES.index(DAY), rows]))
    rows = rows[by_count[-MAX_TRENDING_POSTS:]]
    rows = rows[np.argsort(columns["created"][rows], kind="stable")]
    author_rows, author = np.unique(author[rows], return_inverse=True)
    n_unknown = int((author_rows < 0).sum())
    author_rows = author_rows[n_unknown:]
    key_of = {row: key for key, row in feed["user_keys"]}
    topic_of = {number: topic for topic, number in feed["topic_ids"].items()}
    return TrendingPosts(
        ids=[feed["post_ids"][row] for row in rows.tolist()],
        external_ids=[feed["external_ids"][row] for row in rows.tolist()],
        author_keys=[key_of.get(row, row.to_bytes(16)) for row in author_rows.tolist()],
        author=(author.reshape(-1) - n_unknown).astype(np.int32),
        topics=[topic_of.get(number) for number in columns["topic"][rows].tolist()],
        created=columns["created"][rows],
        seq=columns["seq"][rows],
        vectors=columns["text"][rows],
        engagements=columns["engagements"][rows],
        last_engaged=columns["last_engaged"][rows],
        log2_counts=counts["heat"][:, rows],
        strong_log2_counts=counts["strong_heat"][:, rows],
        author_log2_counts=counts["author_heat"][:, author_rows],
    )
