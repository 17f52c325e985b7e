"""Estimates what another ranking would have got, from pages that were drawn at random.

Both estimators assume a cascade: what a user does at a place depends on the posts down to it, not on those below.

snips                 self-normalised inverse propensity score of each place, with the weights of the places down to it
cascade doubly robust  Kiyohara, Saito, Matsuhiro, Narita, Shimizu and Yamamoto (2022), "Doubly robust off-policy
                      evaluation for ranking policies under the cascade behavior model"
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

PLACES: Final = 10
MIN_EFFECTIVE_USERS: Final = 200
MAX_UNSUPPORTED: Final = 0.05
_ROUNDS: Final = 500  # of the bootstrap
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class DrawnPlaces:
    """The first k places of n pages that were drawn at random, and what another ranking, the target, makes of them.

    user            (n,) a number for each user
    is_place        (n, k) false after the end of a page
    logged          (n, k) probability of the place given those above, as the page was drawn
    target          (n, k) the same by the target, which is 0 for a post that it does not list
    reward          (n, k) target events of the user with the post
    inputs          (n, k, m) of the post, for the model of the reward
    expected_inputs (n, k, m) their mean over the posts that the target would have at this place, given those above
    """

    user: NDArray[np.intp]
    is_place: NDArray[np.bool_]
    logged: Array
    target: Array
    reward: Array
    inputs: Array
    expected_inputs: Array


@dataclass(frozen=True, slots=True)
class OffPolicyEstimate:
    """Target events of a page in its first places, with a 95 % interval: a bootstrap over users."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class OffPolicyResult:
    """The estimates of one ranking; None if they are rejected, for the reason `rejected`.

    unsupported      share of the target's places that have posts which the drawn pages cannot have
    effective_users  as many users as would be as informative if they had seen pages of the target
    """

    pages: int
    users: int
    effective_users: float
    unsupported: float
    snips: OffPolicyEstimate | None
    doubly_robust: OffPolicyEstimate | None
    rejected: str | None


def evaluate_off_policy(places: DrawnPlaces, rng: np.random.Generator) -> OffPolicyResult:
    """Both estimates, or why there are none."""
    weights, before = _weights(places)
    n_users = int(places.user.max(initial=-1)) + 1
    counted = _by_user(np.where(places.is_place, weights, 0.0), places.user, n_users)
    effective = _effective(counted)[places.is_place.any(axis=0)]
    effective_users = float(effective.mean()) if len(effective) else 0.0
    unsupported = _unsupported(places, weights, before)
    rejected = None
    if unsupported > MAX_UNSUPPORTED:
        rejected = (
            f"{unsupported:.1%} of the places have posts without support, more than {MAX_UNSUPPORTED:.0%}"
        )
    elif effective_users < MIN_EFFECTIVE_USERS:
        rejected = f"{effective_users:.0f} effective users, fewer than {MIN_EFFECTIVE_USERS}"
    snips = doubly_robust = None
    if rejected is None:
        credited = _by_user(weights * places.reward, places.user, n_users)
        pages = np.bincount(places.user, minlength=n_users)[:, None].astype(np.float64)
        gain = _by_user(_doubly_robust(places, weights, before)[:, None], places.user, n_users)
        drawn = rng.multinomial(n_users, np.full(n_users, 1 / n_users), size=_ROUNDS)
        length = places.is_place.mean(axis=0)  # pages may end before the last place
        snips = _estimate(credited, counted, drawn, length)
        doubly_robust = _estimate(gain, pages, drawn, np.ones(1))
    return OffPolicyResult(
        len(weights), n_users, effective_users, unsupported, snips, doubly_robust, rejected
    )


def _weights(places: DrawnPlaces) -> tuple[Array, Array]:
    """(n, k) weights of the places down to each, and of those above it."""
    ratio = np.divide(places.target, places.logged, out=np.ones_like(places.logged), where=places.is_place)
    weights: Array = np.cumprod(ratio, axis=1, dtype=np.float64)
    return weights, np.concatenate([np.ones((len(weights), 1)), weights[:, :-1]], axis=1)


def _unsupported(places: DrawnPlaces, weights: Array, before: Array) -> float:
    """Weights have the mean 1 relative to those above them, but for what the target gives to posts without support."""
    of_places = before[places.is_place].sum()
    return max(0.0, 1 - float(weights[places.is_place].sum() / of_places)) if of_places > 0 else 1.0


def _effective(by_user: Array) -> Array:
    """(k,) Kish's effective number of the users with weights (users, k)."""
    squares = (by_user**2).sum(axis=0)
    sums = by_user.sum(axis=0) ** 2
    effective: Array = np.divide(sums, squares, out=np.zeros_like(sums), where=squares > 0)
    return effective


def _doubly_robust(places: DrawnPlaces, weights: Array, before: Array) -> Array:
    """(n,) the doubly robust value of each page."""
    value = np.zeros(len(weights))
    later = 0.0  # mean reward of the places below, by the target
    for place in range(weights.shape[1])[::-1]:
        on_page = places.is_place[:, place]
        weight, above = weights[on_page, place], before[on_page, place]
        reward = places.reward[on_page, place]
        model = _fitted(places.inputs[on_page, place], reward)
        known = model(places.inputs[on_page, place]) + later
        expected = model(places.expected_inputs[on_page, place]) + later
        value[on_page] += weight * (reward - known) + above * expected
        later += float((weight * reward).sum() / max(weight.sum(), 1e-300)) * on_page.mean()
    return value


def _fitted(inputs: Array, reward: Array) -> Callable[[Array], Array]:
    """A linear model of the reward by least squares, which is linear in the inputs as their means must be."""
    design = np.column_stack([np.ones(len(inputs)), inputs])
    penalty = 1e-3 * len(inputs) * np.diag([0.0] + [1.0] * inputs.shape[1])
    coefficients = np.linalg.lstsq(design.T @ design + penalty, design.T @ reward, rcond=None)[0]
    return lambda given: coefficients[0] + given @ coefficients[1:]


def _by_user(values: Array, user: NDArray[np.intp], n_users: int) -> Array:
    """(users, k) sums of values (n, k)."""
    columns = [np.bincount(user, column, n_users) for column in values.T]
    return np.stack(columns, axis=1)


def _estimate(
    numerator: Array, denominator: Array, drawn: NDArray[np.int64], length: Array
) -> OffPolicyEstimate:
    """The sum over places of a ratio of sums over users (users, k); `drawn` (rounds, users) are bootstrap samples."""

    def total(sums: Array, of: Array) -> Array:
        result: Array = (np.divide(sums, of, out=np.zeros_like(sums), where=of > 0) * length).sum(axis=-1)
        return result

    value = total(numerator.sum(axis=0), denominator.sum(axis=0))
    rounds = total(drawn @ numerator, drawn @ denominator)
    low, high = np.quantile(rounds, [0.025, 0.975]).tolist()
    return OffPolicyEstimate(float(value), low, high)
