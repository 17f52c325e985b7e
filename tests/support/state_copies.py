"""Copies of a feed state, through its arrays."""

from typing import Any

import numpy as np

from app.domain.feed.array_tree import ArrayTree, Concatenated
from app.domain.feed.state import FeedState
from app.domain.feed.state_arrays import state_from_arrays, state_to_arrays


def saved_arrays(state: FeedState) -> dict[str, Any]:
    """The arrays of a state, which share nothing with it."""
    return copied({**state_to_arrays(state), "impressions": state.impressions.array_tree()})


def copied(tree: ArrayTree) -> dict[str, Any]:
    return {name: _copied(one) for name, one in tree.items()}


def _copied(one: Any) -> Any:
    if isinstance(one, Concatenated):
        return np.concatenate([np.empty(one.shape, one.dtype), *one.arrays])
    if isinstance(one, np.ndarray):
        return one.copy()
    return copied(one) if isinstance(one, dict) else _copied(one())


def copy_of(state: FeedState) -> FeedState:
    return state_from_arrays(saved_arrays(state), state.counting)
