"""The conditional logit against choices made by one that is known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from app.domain.ranking.choice_model import UNCALIBRATED
from training.learning.calibration import FullChoiceSet, fit_calibration
from training.learning.candidate_sets import ChoiceSets, standardise
from training.learning.fit_logit import fit_choice_model, fit_near, log_likelihoods

N, SIZE = 3000, 12


@pytest.fixture(scope="module")
def choice_sets() -> ChoiceSets:
    """Choices by utility 1.0 a - 0.5 b, where a third input, noise aside, repeats the first."""
    random = np.random.default_rng(5)
    inputs = random.normal(size=(N, SIZE, 3)).astype(np.float32)
    inputs[..., 2] = inputs[..., 0] + 0.05 * inputs[..., 2]
    utility = inputs @ np.array([1.0, -0.5, 0.0]) + random.gumbel(size=(N, SIZE))
    taken = utility.argmax(axis=1)
    rows = np.arange(N)
    inputs[rows, 0], inputs[rows, taken] = inputs[rows, taken].copy(), inputs[rows, 0].copy()
    return ChoiceSets(inputs, np.zeros((N, SIZE), np.float32), np.ones(N, np.float32))


def test_coefficients_are_those_the_choices_were_made_by(choice_sets):
    model = fit_choice_model(("a", "b", "c"), standardise(choice_sets), ridge=1e-5)

    a, b, c = model.linear / model.scale
    assert a + c == pytest.approx(1.0, abs=0.08)
    assert b == pytest.approx(-0.5, abs=0.05)


@pytest.mark.parametrize("ridge", [1e-2, 1e-5])
def test_the_search_arrives_where_a_long_plain_one_does_though_inputs_lean_on_one_another(choice_sets, ridge):
    given = standardise(choice_sets)

    def loss(w):
        u = given.inputs.astype(np.float64) @ w
        return -(u[:, 0] - np.log(np.exp(u).sum(axis=1))).mean() + ridge * w @ w

    model = fit_choice_model(("a", "b", "c"), given, ridge=ridge)

    least = minimize(loss, np.zeros(3), method="BFGS", options={"gtol": 1e-8}).fun
    assert loss(model.linear) == pytest.approx(least, abs=1e-5)


def test_padding_is_never_chosen_and_changes_nothing(choice_sets):
    padded = ChoiceSets(
        np.concatenate([choice_sets.inputs, np.zeros((N, 3, 3), np.float32)], axis=1),
        np.concatenate([choice_sets.log_weight, np.full((N, 3), -np.inf, np.float32)], axis=1),
        choice_sets.value,
    )
    model = fit_choice_model(("a", "b", "c"), standardise(padded))

    plain = fit_choice_model(("a", "b", "c"), standardise(choice_sets))

    assert model.linear / model.scale == pytest.approx(plain.linear / plain.scale, abs=0.01)
    assert log_likelihoods(model, standardise(padded)[:10]).mean() < 0


@pytest.mark.parametrize("units", [0, 4])
def test_an_excluded_input_never_changes_the_utilities(choice_sets, units):
    without = standardise(choice_sets, np.array([False, True, False]))

    model = fit_choice_model(("a", "b", "c"), without, units=units)

    inputs = choice_sets.inputs[0].T
    changed = inputs * np.array([[1], [1e6], [1]], np.float32)
    assert np.array_equal(model.utilities(inputs), model.utilities(changed))
    assert model.contributions(inputs)[1] == pytest.approx(0, abs=1e-20)
    again = fit_choice_model(("a", "b", "c"), without, start=model)
    assert np.isfinite(again.linear).all()


@pytest.mark.parametrize("sureness", [0.5, 1.0, 2.0])
def test_probabilities_hold_after_calibration_however_sure_the_model_was_of_itself(choice_sets, sureness):
    model = fit_choice_model(("a", "b", "c"), standardise(choice_sets), ridge=1e-5)
    model = replace(model, linear=model.linear * sureness)
    full = [
        FullChoiceSet(one.T.astype(np.float16), 0, number) for number, one in enumerate(choice_sets.inputs)
    ]

    model = replace(model, calibration=fit_calibration([(model, choice_set) for choice_set in full[::2]]))

    predicted, taken = [], []
    for choice_set in full[1::2]:
        utility = model.utilities(choice_set.inputs.astype(np.float32))
        predicted.append(model.probabilities(utility - np.log(np.exp(utility).sum())))
        taken.append(np.arange(SIZE) == choice_set.chosen)
    predicted, taken = np.concatenate(predicted), np.concatenate(taken)
    for third in np.array_split(np.argsort(predicted), 3):  # some hundred choices in the lowest
        assert taken[third].mean() == pytest.approx(predicted[third].mean(), rel=0.25)


def test_a_model_is_taken_at_its_word_where_nobody_chose_what_was_listed(choice_sets):
    model = fit_choice_model(("a", "b", "c"), standardise(choice_sets))
    nothing = FullChoiceSet(choice_sets.inputs[0].T.astype(np.float16), -1, 0)

    assert np.array_equal(fit_calibration([(model, nothing)]), UNCALIBRATED)
    shares = np.log(np.array([0.5, 0.1, 0.001]))
    assert model.probabilities(shares) == pytest.approx(1 / (1 + np.exp(-shares)))


@pytest.mark.parametrize("units", [0, 4])
def test_the_pull_decides_how_far_weights_move_from_those_that_serve(choice_sets, units):
    early = replace(
        choice_sets,
        inputs=choice_sets.inputs[:300, ::-1],  # another post is the chosen one
        log_weight=choice_sets.log_weight[:300],
        value=choice_sets.value[:300],
    )
    base = fit_choice_model(("a", "b", "c"), standardise(early), units=units)
    models = {pull: fit_near(base, choice_sets, pull, base) for pull in (1e-6, 1e-2, 1e3)}

    distances = [
        np.linalg.norm(np.concatenate([model.linear - base.linear, model.output - base.output]))
        for model in models.values()
    ]
    assert distances[0] > distances[1] > distances[2]
    assert distances[2] < 1e-2
    assert all(model.hidden is base.hidden and model.scale is base.scale for model in models.values())
    a, b, c = models[1e-6].linear / base.scale
    if not units:
        assert a + c == pytest.approx(1.0, abs=0.08)
        assert b == pytest.approx(-0.5, abs=0.05)
