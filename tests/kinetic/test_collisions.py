"""The noun of kinetic: conservation, entropy, equilibria, derivatives and motion, for every statistics."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp

from lattice.kinetic.collisions import STATISTICS, Collision
from tests import naive

M = 14
ENERGY = np.arange(1.0, M + 1)


def three_waves(statistics, across=1):
    """i + j = i + j + 1 quanta, on nodes; or each leg half way between two, uneven ones."""
    legs = np.array([(i + j + 1, i, j) for i in range(M) for j in range(i, M - i - 1)])
    strength = np.random.default_rng(1).uniform(0.1, 1, len(legs))
    measure = np.linspace(0.5, 2, M)
    common = {"nodes": ENERGY, "measure": measure, "invariants": ENERGY[None], "sign": [1, -1, -1]}
    if across == 1:
        return Collision(node=legs[:, :, None], strength=strength, statistics=statistics, **common)
    inner = legs[(legs > 0).all(axis=1) & (legs < M - 1).all(axis=1)]
    node, share = np.stack([inner - 1, inner + 1], axis=-1), np.full((len(inner), 3, 2), 0.5)
    return Collision(
        node=node, weight=share, strength=strength[: len(inner)], statistics=statistics, **common
    )


def pairs(statistics="rayleigh-jeans"):
    """Two legs: jumps between all nodes."""
    legs = np.array([(i, j) for i in range(M) for j in range(i)])
    return Collision(
        nodes=ENERGY,
        measure=np.linspace(0.5, 2, M),
        invariants=np.ones((1, M)),
        node=legs[:, :, None],
        sign=[1, -1],
        strength=np.random.default_rng(2).uniform(0.1, 1, len(legs)),
        statistics=statistics,
    )


def two_into_two(invariants, statistics="rayleigh-jeans", measure=1.0):
    """i + j = (i + 1) + (j - 1): a band that keeps its number and its energy."""
    legs = np.array([(i, j, i + 1, j - 1) for i in range(M) for j in range(i + 3, M)])
    return Collision(
        nodes=ENERGY,
        measure=measure * np.ones(M),
        invariants=invariants,
        node=legs[:, :, None],
        sign=[-1, -1, 1, 1],
        strength=np.ones(len(legs)),
        statistics=statistics,
    )


def bath(statistics):
    """Each node exchanges quanta with a bath at temperature 3: one leg and an offset."""
    return Collision(
        nodes=ENERGY,
        measure=np.ones(M),
        invariants=np.ones((1, M)),
        node=np.arange(M)[:, None, None],
        sign=[1],
        strength=np.linspace(0.2, 1, M),
        offset=-ENERGY / 3,
        statistics=statistics,
    )


def start(seed=3):
    return np.random.default_rng(seed).uniform(0.1, 0.9, M)


CASES = [(three_waves, 1), (three_waves, 2), (pairs, 0), (bath, 0)]


def case(make, across, statistics):
    return make(statistics, across) if across else make(statistics)


@pytest.fixture(params=STATISTICS)
def statistics(request):
    return request.param


@pytest.fixture(params=CASES, ids=["on nodes", "between nodes", "two legs", "bath"])
def collision(request, statistics):
    return case(*request.param, statistics)


def test_against_the_naive_sum(collision):
    n = start()
    weight = np.ones(collision.node.shape) if collision.weight is None else collision.weight
    offset = np.zeros(len(weight)) if collision.offset is None else collision.offset
    change, production = naive.collide(
        n.tolist(), collision.measure, collision.node, weight, collision.sign, collision.strength, offset,
        collision.statistics,
    )  # fmt: skip
    assert_allclose(collision.rate_of_change(n), change, rtol=1e-11, atol=1e-13)
    assert_allclose(collision.entropy_production(n), production, rtol=1e-11)


def test_against_the_naive_sum_over_blocks_and_scales(statistics):
    """More interactions than the kernels take at a time, and occupations from 1e-90 to almost 1."""
    collision = three_waves(statistics, 2)
    many = np.arange(301) % len(collision.strength)
    node, weight, strength = collision.node[many], collision.weight[many], collision.strength[many]
    n = np.geomspace(1e-90, 0.99, M)[np.random.default_rng(4).permutation(M)]
    for offset in (np.zeros(301), np.linspace(-3, 3, 301)):
        large = dataclasses.replace(collision, node=node, weight=weight, strength=strength, offset=offset)
        change, production = naive.collide(
            n.tolist(), collision.measure, node, weight, collision.sign, strength, offset, statistics
        )
        assert_allclose(large.rate_of_change(n), change, rtol=1e-9, atol=1e-13 * np.abs(change).max())
        assert_allclose(large.entropy_production(n), production, rtol=1e-9)


def test_invariants_stay_and_entropy_grows(statistics):
    for across in (1, 2):
        collision, n = three_waves(statistics, across), start()
        change = collision.rate_of_change(n)
        flow = np.abs(collision.measure * ENERGY * change).sum()
        assert abs(ENERGY @ (collision.measure * change)) < 1e-14 * flow
        assert collision.entropy_production(n) > 0
        h = 1e-5 / np.abs(change / n).max()
        grown = collision.entropy(n + h * change) - collision.entropy(n - h * change)
        assert_allclose(grown / (2 * h), collision.entropy_production(n), rtol=1e-7)


def test_equilibria_stand_still(statistics):
    for across in (1, 2):
        collision, n = three_waves(statistics, across), start()
        found, (beta,) = collision.equilibrium(n)
        assert_allclose(collision.potential(found), beta * ENERGY, rtol=1e-9)
        assert_allclose(collision.moments(found), collision.moments(n), rtol=1e-12)
        still = np.abs(collision.rate_of_change(found)).max()
        assert still < 1e-9 * np.abs(collision.rate_of_change(n)).max()


@pytest.mark.parametrize(("beta", "mu"), [(0.5, 0.1), (-0.05, 2.0)])
def test_equilibria_of_two_invariants(beta, mu):
    """Of a bounded band that keeps its number, also with a negative temperature."""
    both = np.stack([np.ones(M), ENERGY])
    four = two_into_two(both)
    n = 1 / (beta * ENERGY + mu)
    away = n * (1 + 0.3 * np.cos(ENERGY))
    kept = np.linalg.lstsq(both, both @ (n - away), rcond=None)[0]
    found, c = four.equilibrium(away + kept)
    assert_allclose(found, n, rtol=1e-8)
    assert_allclose(c, [mu, beta], rtol=1e-8)
    assert (np.sort(np.abs(four.spectrum(found)))[:2] < 1e-12).all()


@pytest.mark.parametrize("crowd", [1e3, 1e6, 1e9])
def test_crowded_bosons_are_waves(crowd):
    """With many quanta on every node the rates are those of classical waves; of too many no digit is left."""
    waves, bosons = three_waves("rayleigh-jeans"), three_waves("bose-einstein")
    n = crowd * start()
    assert_allclose(bosons.potential(n), 1 / n, rtol=10 / crowd + 1e-15)
    expected = waves.rate_of_change(n)
    assert_allclose(
        bosons.rate_of_change(n), expected, atol=(10 / crowd + 1e-15 * crowd) * np.abs(expected).max()
    )
    with pytest.raises(ValueError, match=r"n = .*allowed: .* below 1e\+10"):
        bosons.rate_of_change(1e8 * n * (1e9 / crowd))


@pytest.mark.parametrize("statistics", ["rayleigh-jeans", "bose-einstein"])
@pytest.mark.parametrize("zero", [3.2, 7.5])
def test_no_equilibrium(statistics, zero):
    """An invariant of both signs alone: no multiple of it is above 0 on all nodes."""
    four = two_into_two(ENERGY[None] - zero, statistics)
    with pytest.raises(ValueError, match=r"n = .*allowed: those of an equilibrium"):
        four.equilibrium(start())


def test_equilibria_of_bosons_few_and_many():
    both = np.stack([np.ones(M), ENERGY - 1])
    four = two_into_two(both, "bose-einstein")
    n = 1e-3 + 0.0 * ENERGY
    found, _ = four.equilibrium(n)
    assert_allclose(four.moments(found), four.moments(n), rtol=1e-11)
    crowded = np.full(M, 0.5)
    found, _ = four.equilibrium(crowded)
    assert_allclose(four.moments(found), four.moments(crowded), rtol=1e-11)


def test_equilibria_of_an_invariant_twice(statistics):
    collision, n = three_waves(statistics), start()
    twice = dataclasses.replace(collision, invariants=np.stack([ENERGY, 2 * ENERGY]))
    assert_allclose(twice.equilibrium(n)[0], collision.equilibrium(n)[0], rtol=1e-9)
    with_number = np.stack([np.ones(M), ENERGY])
    both = two_into_two(with_number, statistics, collision.measure)
    mixed = dataclasses.replace(both, invariants=np.stack([*with_number, 2 * ENERGY - 1]))
    for seed in range(10):
        assert_allclose(mixed.equilibrium(start(seed))[0], both.equilibrium(start(seed))[0], rtol=1e-9)


@pytest.mark.parametrize("most", [1e2, 1e4, 1e6, 1e8])
def test_bosons_that_condense(most):
    both = np.stack([np.ones(M), ENERGY - 1])
    four = two_into_two(both, "bose-einstein")
    n = np.full(M, 0.01)
    n[0] = most
    found, c = four.equilibrium(n)
    assert_allclose(four.moments(found), four.moments(n), rtol=1e-12)
    assert_allclose(found, 1 / np.expm1(c @ both), rtol=1e-9)


def differences(function, n):
    h = 1e-6 * n
    return np.stack([(function(n + e) - function(n - e)) / (2 * e.sum()) for e in np.diag(h)], axis=1)


def test_jacobian(collision):
    n = start()
    expected = differences(collision.rate_of_change, n)
    assert_allclose(collision.jacobian(n), expected, atol=1e-7 * np.abs(expected).max())


def test_linearised_at_equilibrium(statistics):
    for across in (1, 2):
        collision = three_waves(statistics, across)
        n, _ = collision.equilibrium(start())
        matrix = collision.linearised(n)
        assert_allclose(matrix, matrix.T, atol=1e-14 * np.abs(matrix).max())
        expected = -collision.measure[:, None] * collision.jacobian(n) / collision._stiffness(n)
        assert_allclose(matrix, expected, atol=1e-9 * np.abs(matrix).max())
        rates = collision.spectrum(n)
        assert rates[0] > -1e-12 * rates[-1]
        if across == 1:  # the energy is the only invariant
            assert rates[0] < 1e-12 * rates[-1] < 1e-3 * rates[-1] < rates[1]


def test_loss_is_what_an_occupation_multiplies(statistics):
    """With distinct nodes in every interaction, C = G - L n with an L that n itself does not enter."""
    legs = np.array([(5, 1, 3), (6, 0, 5), (9, 2, 6)])
    three = Collision(
        ENERGY, np.ones(M), ENERGY[None], legs[:, :, None], [1, -1, -1], np.ones(3), statistics=statistics
    )
    n = start()
    for i in (5, 6, 9):
        others = legs[(legs == i).any(axis=1)]
        more = n.copy()
        more[i] *= 1.01
        slope = (three.rate_of_change(more)[i] - three.rate_of_change(n)[i]) / (more[i] - n[i])
        assert len(others)
        assert_allclose(three.loss_rate(n)[i], -slope, rtol=1e-9)


def test_relaxation_against_an_explicit_solver(statistics):
    for across in (1, 2):
        collision, n, times = three_waves(statistics, across), start(), np.array([0.0, 0.02, 0.3, 2.0])
        found = collision.relax(n, times, rtol=1e-7)
        run = solve_ivp(
            lambda t, x, c=collision: c.rate_of_change(x), (0, 2), n, t_eval=times, rtol=1e-10, atol=1e-12,
            method="LSODA",
        )  # fmt: skip
        assert_allclose(found, run.y.T, rtol=1e-4)
        energy = (collision.measure * found) @ ENERGY
        assert_allclose(energy, energy[0], rtol=1e-14 * len(found) * 10)
        entropies = [collision.entropy(x) for x in found]
        assert (np.diff(entropies) > 0).all()


def test_linear_relaxation_is_exact(statistics):
    collision, n = pairs(statistics), start()
    matrix = np.zeros((M, M))
    for (i, j), w in zip(collision.node[:, :, 0], collision.strength, strict=True):
        matrix[i, j] += w / collision.measure[i]
        matrix[j, i] += w / collision.measure[j]
    matrix -= np.diag((matrix * collision.measure[:, None]).sum(axis=0) / collision.measure)
    rates, modes = np.linalg.eig(matrix)
    for time, found in zip((0.0, 0.1, 50.0), collision.relax(n, [0.0, 0.1, 50.0]), strict=True):
        expected = (modes * np.exp(rates * time)) @ np.linalg.solve(modes, n)
        assert_allclose(found, expected.real, rtol=1e-9)


def test_tails_stay_positive(statistics):
    collision = three_waves(statistics)
    n = np.full(M, 1e-30)
    n[3] = 0.9
    found = collision.relax(n, [1e-3, 1.0, 1e3])
    assert (found > 0).all()
    assert_allclose(collision.moments(found[-1]), collision.moments(n), rtol=1e-13)


def test_tails_between_nodes_stay_positive(statistics):
    """A node may empty faster than its own occupation says: its leg has that of its neighbours too."""
    collision = three_waves(statistics, 2)
    for full in (1, 5):
        n = np.full(M, 1e-30)
        n[full] = 0.9
        found = collision.relax(n, [1e-3, 1.0, 100.0], rtol=1e-3)
        assert (found > 0).all()
        energy = (collision.measure * np.array([n, *found])) @ ENERGY
        assert_allclose(energy, energy[0], rtol=1e-13)


def test_tails_of_waves_do_not_shorten_the_steps(monkeypatch):
    """The y of the tails are 10³⁰ times the others: matrices with a scale for rows alone were of no use."""
    monkeypatch.setattr("lattice.kinetic._relaxation.MOST_STEPS", 1500)
    collision = three_waves("rayleigh-jeans", 2)
    n = np.where(np.arange(M) < M // 2, 0.9, 1e-30)
    found = collision.relax(n, [1e-3, 1.0, 100.0], rtol=1e-3)
    assert (found > 0).all()
    assert (np.diff([collision.entropy(x) for x in [n, *found]]) > 0).all()
    assert_allclose(collision.moments(found[-1]), collision.moments(n), rtol=1e-13)


@pytest.mark.parametrize("holes", [1e-4, 1e-8, 1e-12])
def test_almost_full_nodes_of_fermions(holes):
    collision = three_waves("fermi-dirac")
    n = np.full(M, 1 - holes)
    n[:3] = 0.5
    found = collision.relax(n, [1e-3, 1.0, 1e4])
    assert ((found > 0) & (found < 1)).all()
    assert_allclose(collision.moments(found[-1]), collision.moments(n), rtol=1e-13)
    assert_allclose(found[-1], collision.equilibrium(n)[0], rtol=1e-8)
    run = solve_ivp(
        lambda t, x: collision.rate_of_change(np.minimum(x, 1 - 1e-15)),
        (0, 1),
        n,
        rtol=1e-9,
        atol=1e-12,
        method="LSODA",
    )
    assert_allclose(found[1], run.y[:, -1], rtol=1e-4)


def test_second_order_in_the_step():
    """The error estimate of a step is of order h², so the result, of order two, follows the tolerance."""
    collision, n = three_waves("rayleigh-jeans"), start()
    exact = solve_ivp(
        lambda t, x: collision.rate_of_change(x), (0, 0.5), n, rtol=1e-12, atol=1e-14, method="LSODA"
    ).y[:, -1]
    tolerances = np.array([1e-3, 1e-4, 1e-5, 1e-6])
    errors = [np.abs(collision.relax(n, [0.5], rtol=x)[0] / exact - 1).max() for x in tolerances]
    slope = np.polyfit(np.log(tolerances), np.log(errors), 1)[0]
    assert 0.75 < slope < 1.25


def test_a_pair_with_an_offset_is_not_linear(statistics):
    """A jump that a bath drives: its rate is not w (n₂ - n₁)."""
    legs = np.array([(i, i + 1) for i in range(M - 1)])[:, :, None]
    offset, n = np.linspace(-1, 1, M - 1), start()
    driven = Collision(
        ENERGY,
        np.ones(M),
        np.ones((1, M)),
        legs,
        [1, -1],
        np.ones(M - 1),
        offset=offset,
        statistics=statistics,
    )
    change, _ = naive.collide(
        n.tolist(),
        driven.measure,
        legs,
        np.ones(legs.shape),
        driven.sign,
        driven.strength,
        offset,
        statistics,
    )
    assert not driven.is_linear
    assert_allclose(driven.rate_of_change(n), change, rtol=1e-11, atol=1e-13)


def test_an_error_is_of_the_size_of_the_tolerance():
    collision, n, times = three_waves("rayleigh-jeans"), start(), np.array([0.02, 0.3, 2.0])
    exact = collision.relax(n, times, rtol=1e-8)
    for rtol in (1e-3, 1e-5):
        assert np.abs(collision.relax(n, times, rtol=rtol) / exact - 1).max() < 0.6 * rtol


BAD = {
    "node": [[[[0], [1], [M]]], [[0, 1, 2]], [[[0.5], [1], [2]]], []],
    "sign": [[1, -1], [2, -1, -1]],
    "strength": [[-1.0], [1.0, 1.0]],
    "weight": [np.ones((1, 3, 1))],
    "measure": [np.zeros(M), np.ones(M - 1)],
    "invariants": [np.ones((1, M)), ENERGY],
    "statistics": ["boltzmann", None],
    "branch": [np.ones(M), np.ones(3, int)],
    "offset": [[1.0, 2.0]],
}


@pytest.mark.parametrize("name", BAD)
def test_refusals(name):
    good = {
        "nodes": ENERGY,
        "measure": np.ones(M),
        "invariants": ENERGY[None],
        "node": [[[2], [0], [1]]],
        "sign": [1, -1, -1],
        "strength": [1.0],
    }
    Collision(**good)
    with pytest.raises(ValueError, match=r"invariants\[0\] changes by"):
        Collision(**{**good, "invariants": ENERGY[None] + 1e-9})
    for value in BAD[name]:
        with pytest.raises(ValueError, match=rf"{name}.*allowed"):
            Collision(**{**good, name: value})


def test_refused_occupations():
    collision = three_waves("fermi-dirac")
    for n in (np.zeros(M), np.ones(M), -np.ones(M), np.full(M - 1, 0.5)):
        with pytest.raises(ValueError, match=r"n = .*allowed"):
            collision.rate_of_change(n)
    with pytest.raises(ValueError, match="times"):
        collision.relax(np.full(M, 0.5), [1.0, 0.5])


def test_a_run_that_is_stuck_keeps_what_it_has(monkeypatch):
    from lattice.kinetic import _relaxation

    monkeypatch.setattr(_relaxation, "MOST_STEPS", 15)
    with pytest.raises(RuntimeError, match="stuck at time") as caught:
        three_waves("rayleigh-jeans").relax(start(), [0.0, 1e-4, 1e6])
    assert 1 <= len(caught.value.partial) < 3
    assert_allclose(caught.value.partial[0], start())


def test_a_matrix_serves_both_stages_of_a_step(monkeypatch):
    from lattice.kinetic import _relaxation

    count = {"stage": 0, "matrix": 0}

    def counted(name, function):
        def call(*args):
            count[name] += 1
            return function(*args)

        return call

    monkeypatch.setattr(_relaxation, "_stage", counted("stage", _relaxation._stage))
    monkeypatch.setattr(_relaxation, "_factors", counted("matrix", _relaxation._factors))
    three_waves("bose-einstein").relax(start(), [2.0])
    assert count["stage"] > 20
    assert count["matrix"] < 0.8 * count["stage"]
