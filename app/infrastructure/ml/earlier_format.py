"""Reads artefacts of the previous format, which contain the whole feed that the model was trained on."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from app.domain.feed.trending_posts import TRENDING_HALF_LIFE, TrendingPosts, number_authors, trending_rows
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
    public = np.flatnonzero(is_public)
    rows = trending_rows(public, counts["heat"][TRENDING_HALF_LIFE, public], columns["created"][public])
    author_rows, author = number_authors(author[rows])
    key_of = {row: key for key, row in feed["user_keys"]}
    topic_of = {number: topic for topic, number in feed["topic_ids"].items()}
    return TrendingPosts(
        ids=[feed["post_ids"][row] for row in rows.tolist()],
        external_ids=[feed["external_ids"][row] for row in rows.tolist()],
        author_keys=[key_of.get(row, row.to_bytes(16)) for row in author_rows.tolist()],
        author=author,
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
