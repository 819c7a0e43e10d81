"""The force law, the chain, its bath and its state."""

import dataclasses
import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from lattice import (
    Bond,
    Chain,
    Langevin,
    Pin,
    State,
    StretchFlip,
    ThreeSiteRotation,
    VelocityExchange,
    VelocityFlip,
    energy,
    site_energy,
)
from lattice.chain import parts

ENDS = ["periodic", "fixed", "free", ("fixed", "free"), ("free", "fixed"), ("periodic", "periodic")]
N = 5
NOISES = [VelocityFlip, StretchFlip, VelocityExchange, ThreeSiteRotation]
each_boundary = pytest.mark.parametrize("boundary", ENDS, ids=str)
coefficient = st.floats(-2, 2)
law = st.tuples(coefficient, coefficient, coefficient, coefficient, st.floats(-3, 3))


def anharmonic(boundary, varied, seed=0):
    """A chain with every coefficient at work, all of them numbers or all of them arrays."""
    rng = np.random.default_rng(seed)
    bonds = Chain(N, boundary=boundary).n_bonds
    bond, pin = (
        kind(*(rng.uniform(0.5, 1.5, size) if varied else rng.uniform(0.5, 1.5) for _ in range(5)))
        for kind, size in ((Bond, bonds), (Pin, N))
    )
    return Chain(N, bond, pin, boundary)


def naive_potential(chain, q):
    """The potential energy of one configuration, bond by bond."""

    def V(law, j, x):
        chi, alpha, beta, J, m = (
            value if np.ndim(value) == 0 else value[j]
            for value in (law.chi, law.alpha, law.beta, law.J, law.m)
        )
        return chi * x**2 / 2 + alpha * x**3 / 3 + beta * x**4 / 4 + J * (1 - math.cos(m * x))

    pairs = [(j, j + 1) for j in range(chain.n - 1)]
    if chain.periodic:
        pairs += [(chain.n - 1, 0)]
    else:
        pairs = [(None, 0)] * (chain.ends[0] == "fixed") + pairs
        pairs += [(chain.n - 1, None)] * (chain.ends[1] == "fixed")

    def at(j):
        return 0.0 if j is None else q[j]

    total = sum(V(chain.bond, b, at(right) - at(left)) for b, (left, right) in enumerate(pairs))
    return total + sum(V(chain.pin, j, q[j]) for j in range(chain.n))


# the force law


@given(law=law, r=st.floats(-2, 2))
def test_the_law_is_the_formula(law, r):
    chi, alpha, beta, J, m = law
    bond = Bond(chi, alpha, beta, J, m)
    expected = chi * r**2 / 2 + alpha * r**3 / 3 + beta * r**4 / 4 + J * (1 - math.cos(m * r))
    assert_allclose(bond.potential(r), expected, atol=1e-13)
    expected = chi * r + alpha * r**2 + beta * r**3 + J * m * math.sin(m * r)
    assert_allclose(bond.slope(r), expected, atol=1e-13)
    expected = chi + 2 * alpha * r + 3 * beta * r**2 + J * m**2 * math.cos(m * r)
    assert_allclose(bond.curvature(r), expected, atol=1e-12)


@given(law=law, r=st.floats(-2, 2))
def test_slope_and_curvature_are_derivatives(law, r):
    """Central differences of fourth order: their error is below 1e-9 at these coefficients."""
    bond, h = Bond(*law), 1e-3
    steps, weights = np.array([-2, -1, 1, 2]) * h, np.array([1, -8, 8, -1]) / (12 * h)
    assert_allclose(bond.slope(r), weights @ bond.potential(r + steps), atol=2e-9)
    assert_allclose(bond.curvature(r), weights @ bond.slope(r + steps), atol=2e-9)


def test_a_coefficient_belongs_to_its_bond():
    bond = Bond(chi=[1, 2, 3], J=[0, 0, 1], m=2)
    r = np.array([[1.0, 1.0, 1.0], [0.0, 2.0, 0.0]])
    assert_allclose(bond.potential(r), [[0.5, 1, 1.5 + 1 - math.cos(2)], [0, 4, 0]])
    assert bond.slope(r).shape == bond.curvature(r).shape == (2, 3)


def test_the_cosine_keeps_its_digits_at_small_stretch():
    assert_allclose(Bond.rotor(J=2, m=3).potential(1e-9), 9e-18, rtol=1e-12)


def test_named_constructors():
    fput = Bond.fput(alpha=0.25, beta=2)
    assert (fput.chi, fput.alpha, fput.beta, fput.J) == (1, 0.25, 2, 0)
    assert Bond.fput(chi=3).chi == 3
    rotor = Bond.rotor(J=2, m=3)
    assert (rotor.chi, rotor.alpha, rotor.beta, rotor.J, rotor.m) == (0, 0, 0, 2, 3)
    assert isinstance(Pin.fput(beta=1), Pin)


@pytest.mark.parametrize("name", ["alpha", "beta", "J"])
def test_what_is_harmonic(name):
    assert Bond(chi=[1, 2, 3], m=4).is_harmonic
    assert not Bond(**{name: 0.1}).is_harmonic
    assert not Bond(**{name: [0, 0, 0.1]}).is_harmonic
    assert not Chain(3, Bond(**{name: 0.1})).is_harmonic
    assert not Chain(3, pin=Pin(**{name: [0, 0.1, 0]})).is_harmonic
    assert Chain(3, pin=Pin(chi=[1, 2, 3])).is_harmonic


@pytest.mark.parametrize("kind", [Bond, Pin])
@pytest.mark.parametrize("name", ["chi", "alpha", "beta", "J", "m"])
def test_bad_coefficients_are_refused(kind, name):
    owner = f"{kind.__name__}.{name}"
    for value in (math.nan, math.inf, [1.0, math.nan]):
        with pytest.raises(ValueError, match=rf"{owner} has entries .*(nan|inf)\]?; allowed: finite numbers"):
            kind(**{name: value})
    with pytest.raises(ValueError, match=rf"{owner} has shape \(2, 2\); allowed: a number or a 1-d array"):
        kind(**{name: np.ones((2, 2))})
    with pytest.raises(ValueError, match=rf"{owner} has shape \(0,\); allowed"):
        kind(**{name: []})
    other = "m" if name != "m" else "chi"
    with pytest.raises(
        ValueError, match=r"has \d entries and .* has \d entries; allowed: a number, or vectors"
    ):
        kind(**{name: [1.0, 2.0], other: [1.0, 2.0, 3.0]})
    for method in ("potential", "slope", "curvature"):
        with pytest.raises(ValueError, match=r"r has shape \(3,\); allowed: a number or \(\.\.\., 2\)"):
            getattr(kind(**{name: [1.0, 2.0]}), method)(np.ones(3))


# the chain


@each_boundary
def test_bonds_and_stretches(boundary):
    chain = Chain(N, boundary=boundary)
    left, right = chain.ends
    q = np.random.default_rng(1).standard_normal((2, 3, N))
    line = [q[..., j] for j in range(N)]
    line = [0 * q[..., 0]] * (left == "fixed") + line + [0 * q[..., 0]] * (right == "fixed")
    line += [q[..., 0]] * chain.periodic
    expected = np.stack([b - a for a, b in itertools.pairwise(line)], axis=-1)
    assert_allclose(chain.stretches(q), expected)
    assert chain.n_bonds == expected.shape[-1]
    assert chain.periodic == (left == right == "periodic")


def test_number_of_bonds():
    assert [Chain(N, boundary=ends).n_bonds for ends in ENDS] == [5, 6, 4, 5, 5, 5]


@pytest.mark.parametrize(
    ("boundary", "expected"),
    [
        ("periodic", [4, 1, 2, 3, 4]),
        ("fixed", [1, 2, 3, 4, 5]),
        ("free", [0, 1, 2, 3, 0]),
        (("fixed", "free"), [1, 2, 3, 4, 0]),
        (("free", "fixed"), [0, 1, 2, 3, 4]),
    ],
)
def test_slots_beside_the_sites(boundary, expected):
    chain = Chain(4, boundary=boundary)
    values = np.arange(1.0, chain.n_bonds + 1)
    assert_allclose(chain.slots(values), expected)
    assert_allclose(chain.slots([values, 2 * values]), [expected, 2 * np.array(expected)])


@each_boundary
@pytest.mark.parametrize("varied", [False, True])
def test_energy_is_the_sum_over_bonds_and_pins(boundary, varied):
    chain = anharmonic(boundary, varied)
    q, p = np.random.default_rng(2).standard_normal((2, 3, N))
    expected = [naive_potential(chain, x) + np.sum(y**2) / 2 for x, y in zip(q, p, strict=True)]
    assert_allclose(energy(chain, q, p), expected)
    assert_allclose(energy(chain, q[0], p[0]), expected[0])


@each_boundary
@pytest.mark.parametrize("varied", [False, True])
def test_force_is_minus_the_gradient(boundary, varied):
    """Against fourth-order central differences of the naive potential energy."""
    chain, h = anharmonic(boundary, varied), 1e-3
    for q in np.random.default_rng(3).standard_normal((3, N)):
        steps = h * np.eye(N)
        gradient = [
            (8 * (naive_potential(chain, q + s) - naive_potential(chain, q - s))
             - naive_potential(chain, q + 2 * s) + naive_potential(chain, q - 2 * s)) / (12 * h)
            for s in steps
        ]  # fmt: skip
        assert_allclose(chain.force(q), -np.array(gradient), atol=1e-9)
        assert_allclose(chain.force([q, 0 * q]), [chain.force(q), np.zeros(N)])


@each_boundary
@pytest.mark.parametrize("varied", [False, True])
def test_stiffness_is_the_hessian_at_rest(boundary, varied):
    chain, h = anharmonic(boundary, varied), 1e-3
    steps = h * np.eye(N)
    near, far = (chain.force(k * steps) - chain.force(-k * steps) for k in (1, 2))
    stiffness = chain.stiffness_matrix()
    assert_allclose(stiffness, -(8 * near - far) / (12 * h), atol=1e-9)
    assert np.array_equal(stiffness, stiffness.T)


def test_stiffness_of_known_chains():
    """Circulant on a ring, the second difference with its ends on a line."""
    line = 3 * (2 * np.eye(4) - np.eye(4, k=1) - np.eye(4, k=-1))
    bond, pin = Bond(chi=3), Pin(chi=0.5)
    corner = np.zeros((4, 4))
    corner[0, 3] = corner[3, 0] = -3
    assert_allclose(Chain(4, bond).stiffness_matrix(), line + corner)
    assert_allclose(Chain(4, bond, pin, "fixed").stiffness_matrix(), line + 0.5 * np.eye(4))
    assert_allclose(Chain(4, bond, boundary="free").stiffness_matrix(), line - np.diag([3, 0, 0, 3]))
    half = Chain(4, bond, boundary=("free", "fixed")).stiffness_matrix()
    assert_allclose(half, line - np.diag([3, 0, 0, 0]))
    rotor = Chain(3, Bond.rotor(J=2, m=3), Pin(J=0.5, m=2), "free").stiffness_matrix()
    assert_allclose(rotor, 18 * np.array([[1, -1, 0], [-1, 2, -1], [0, -1, 1]]) + 2 * np.eye(3))


@settings(max_examples=30)
@given(
    q=st.lists(st.floats(-2, 2), min_size=N, max_size=N),
    boundary=st.sampled_from(ENDS),
    varied=st.booleans(),
)
def test_site_energies_add_up(q, boundary, varied):
    chain = anharmonic(boundary, varied)
    p = np.linspace(-1, 1, N)
    assert_allclose(site_energy(chain, q, p).sum(), energy(chain, q, p), rtol=1e-13)


def test_a_bond_is_shared_by_its_neighbours_and_a_wall_takes_nothing():
    """Displace one site by 2 with χ = 1: the two bonds beside it hold 2 each."""
    q = np.array([2.0, 0, 0, 0])
    at_rest = np.zeros(4)
    assert_allclose(site_energy(Chain(4), q, at_rest), [2, 1, 0, 1])
    assert_allclose(site_energy(Chain(4, boundary="fixed"), q, at_rest), [3, 1, 0, 0])
    assert_allclose(site_energy(Chain(4, boundary="fixed"), q[::-1], at_rest), [0, 0, 1, 3])
    assert_allclose(site_energy(Chain(4, boundary="free"), q, at_rest), [1, 1, 0, 0])
    pinned = Chain(4, pin=Pin(chi=3), boundary="free")
    assert_allclose(site_energy(pinned, q, [0, 0, 4, 0]), [7, 1, 8, 0])


def test_symmetries_of_the_forces():
    """On a ring they add up to zero and move along with a shift; a reflection turns them round."""
    q = np.random.default_rng(4).standard_normal(N)
    ring = Chain(N, Bond(1, 0.3, 0.2, 0.5, 2))
    assert_allclose(ring.force(q).sum(), 0, atol=1e-14)
    assert_allclose(ring.force(np.roll(q, 1)), np.roll(ring.force(q), 1))
    assert_allclose(ring.force(q + 7), ring.force(q), atol=1e-12)
    turned = Chain(N, Bond([1, 2, 3, 4, 5], 0.3, 0.2, 0.5, 2), Pin(chi=1), ("fixed", "free"))
    straight = Chain(N, Bond([5, 4, 3, 2, 1], 0.3, 0.2, 0.5, 2), Pin(chi=1), ("free", "fixed"))
    assert_allclose(turned.force(q), -straight.force(-q[::-1])[::-1])


def test_what_is_uniform():
    assert Chain(3, Bond.fput(alpha=1), Pin(chi=2)).is_uniform
    assert not Chain(3, Bond(chi=[1, 1, 1])).is_uniform
    assert not Chain(3, pin=Pin(J=[1, 1, 1])).is_uniform


def test_the_plain_chain():
    chain = Chain(np.int64(3))
    assert (chain.bond.chi, chain.pin.chi, chain.boundary) == (1, 0, "periodic")
    assert type(chain.n) is int


@pytest.mark.parametrize(
    "boundary", ["open", "", ("fixed",), ("fixed", "periodic"), ("free", "open"), ("free",) * 3, None, 3]
)
def test_unknown_boundaries_are_refused(boundary):
    message = f"boundary = {boundary!r}; allowed: 'periodic', 'fixed', 'free' or a pair"
    with pytest.raises(ValueError, match=re.escape(message)):
        Chain(4, boundary=boundary)


@pytest.mark.parametrize("n", [2, 0, -3, 4.0, True, "4"])
def test_bad_sizes_are_refused(n):
    with pytest.raises(ValueError, match=rf"n = {n!r}; allowed: an integer at least 3"):
        Chain(n)


def test_a_pair_of_ends_may_be_a_list():
    ends = ["fixed", "free"]
    chain = Chain(4, boundary=ends)
    ends[0] = "free"
    assert chain.boundary == chain.ends == ("fixed", "free")


def test_the_shortest_line_has_two_sites():
    assert Chain(2, boundary="free").n_bonds == 1
    with pytest.raises(ValueError, match="n = 1; allowed: an integer at least 2"):
        Chain(1, boundary="fixed")


@each_boundary
def test_coefficients_of_the_wrong_length_are_refused(boundary):
    bonds = Chain(N, boundary=boundary).n_bonds
    for size in (1, bonds - 1, bonds + 1):
        message = f"bond.beta has {size} entries; allowed: a number or {bonds} entries"
        with pytest.raises(ValueError, match=message):
            Chain(N, Bond(beta=np.ones(size)), boundary=boundary)
    for size in (1, N - 1, N + 1):
        with pytest.raises(ValueError, match=f"pin.chi has {size} entries; allowed: a number or {N} entries"):
            Chain(N, pin=Pin(chi=np.ones(size)), boundary=boundary)


def test_a_bond_is_no_pin():
    with pytest.raises(ValueError, match=r"pin = Bond\(.*\); allowed: a Pin"):
        Chain(4, pin=Bond(chi=1))
    with pytest.raises(ValueError, match="bond = 1; allowed: a Bond"):
        Chain(4, bond=1)
    with pytest.raises(ValueError, match=r"bond = Pin\(chi=2.0\); allowed: a Bond"):
        Chain(4, Pin(chi=2))


@each_boundary
def test_displacements_of_the_wrong_length_are_refused(boundary):
    chain = Chain(N, pin=Pin(chi=1), boundary=boundary)
    for q in (np.zeros(N + 1), np.zeros((N, 1)), 0.0):
        for function in (chain.stretches, chain.force):
            with pytest.raises(ValueError, match=rf"q has shape .*; allowed: \(\.\.\., {N}\)"):
                function(q)


@each_boundary
@pytest.mark.parametrize("function", [energy, site_energy])
def test_momenta_of_the_wrong_length_are_refused(boundary, function):
    chain = Chain(N, boundary=boundary)
    for p in (np.zeros(N + 1), np.zeros(1), 0.0):
        with pytest.raises(ValueError, match=rf"p has shape .*; allowed: \(\.\.\., {N}\)"):
            function(chain, np.zeros(N), p)


# state


def test_a_state_is_an_ensemble():
    one = State([1, 2, 3], [0, 0, 1])
    assert one.q.shape == one.p.shape == (1, 3)
    assert one.replicas == 1
    many = State(np.ones((4, 3)), np.zeros((3, 4)).T)
    assert many.replicas == 4
    assert many.p.dtype == np.float64
    assert many.p.flags.c_contiguous


@pytest.mark.parametrize(
    ("q", "p", "message"),
    [
        (np.ones((2, 3)), np.ones((3, 2)), r"q has shape \(2, 3\) and p \(3, 2\); allowed: equal shapes"),
        (np.ones((0, 3)), np.ones((0, 3)), r"q has shape \(0, 3\); allowed: at least one entry"),
        (np.ones(3), np.ones((1, 1, 3)), r"q has shape \(1, 3\) and p \(1, 1, 3\); allowed: equal shapes"),
        ([1.0, math.nan], [1.0, 1.0], "q has entries that are not finite"),
        ([1.0, 1.0], [math.inf, 1.0], "p has entries that are not finite"),
    ],
)
def test_bad_states_are_refused(q, p, message):
    with pytest.raises(ValueError, match=message):
        State(q, p)


def test_nothing_can_be_changed_afterwards():
    values = np.ones(3)
    bond, pin, state = Bond(chi=values), Pin(chi=values), State(values, values)
    chain = Chain(3, bond, pin)
    values[:] = 7
    for array in (bond.chi, pin.chi, chain.bond.chi, state.q, state.p):
        assert np.all(array == 1)
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 2
    for thing in (bond, pin, state, chain, Langevin(0, 1.0), *(kind(1.0) for kind in NOISES)):
        for field in dataclasses.fields(thing):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(thing, field.name, 1)


NAN, HUGE = np.full(N, np.nan), np.full(N, 1e200)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: energy(c, NAN, np.ones(N)), "q has entries that are not finite"),
        (lambda c: energy(c, np.ones(N), NAN), "p has entries that are not finite"),
        (lambda c: site_energy(c, NAN, np.ones(N)), "q has entries that are not finite"),
        (lambda c: site_energy(c, np.ones((2, N)), np.ones(N)), r"p has shape .* and q .*; allowed: equal"),
        (lambda c: energy(c, np.ones((2, N)), np.ones(N)), r"p has shape .* and q .*; allowed: equal shapes"),
        (lambda c: c.force(NAN), "q has entries that are not finite"),
        (lambda c: c.stretches(NAN), "q has entries that are not finite"),
        (lambda c: c.slots(np.full(c.n_bonds, np.nan)), "values has entries that are not finite"),
        (lambda c: c.slots(np.ones(c.n_bonds + 1)), r"values has shape .*; allowed"),
        (lambda c: c.bond.potential(np.nan), "r has entries that are not finite"),
        (lambda c: c.bond.slope("1"), "r = '1'; allowed: an array of real numbers"),
        (lambda c: c.bond.curvature(1j), "r = 1j; allowed: an array of real numbers"),
        (
            lambda c: energy(c, HUGE, 0 * HUGE),
            r"q = .*: energy is beyond the floats; allowed: smaller numbers",
        ),
        (lambda c: site_energy(c, 0 * HUGE, HUGE), r"p = .*: site_energy is beyond the floats"),
        (lambda c: c.force(HUGE * [1, -1, 1, -1, 1]), r"chain = .*, q = .*: force is beyond the floats"),
        (lambda c: c.stretches(1.7e308 * np.array([1, -1, 1, -1, 1])), "stretches is beyond the floats"),
        (lambda c: c.bond.potential(1e100), r"bond = .*, r = 1e\+100: potential is beyond the floats"),
        (lambda c: c.bond.slope(1e200), "slope is beyond the floats"),
        (lambda c: c.bond.curvature(1e200), "curvature is beyond the floats"),
        (lambda c: Chain(4, Bond(chi=1e308)).stiffness_matrix(), "stiffness_matrix is beyond the floats"),
        (lambda c: Chain(10**9).stiffness_matrix(), r"chain = .* needs 1.0e\+18 steps; allowed"),
        (lambda c: energy(None, HUGE, HUGE), "chain = None; allowed: a Chain"),
    ],
)
def test_nothing_that_is_not_finite_comes_out(call, message):
    """Neither from what is not finite nor from what is too large; and no warning."""
    with pytest.raises(ValueError, match=message):
        call(Chain(N, Bond(1.0, 0.1, 0.1), Pin(chi=1.0)))


# what is printed, and what is equal


@pytest.mark.parametrize(
    ("thing", "text"),
    [
        (Bond(), "Bond()"),
        (Bond(chi=1, beta=0.5), "Bond(chi=1.0, beta=0.5)"),
        (Pin(chi=[1, 2]), "Pin(chi=[1.0, 2.0])"),
        (Bond(chi=np.arange(12), m=2), "Bond(chi=[0.0, …, 11.0: 12], m=2.0)"),
        (Chain(5), "Chain(n=5)"),
        (
            Chain(4, Bond(J=1), Pin(chi=2), "free"),
            "Chain(n=4, bond=Bond(J=1.0), pin=Pin(chi=2.0), boundary='free')",
        ),
        (State(np.ones(3), np.zeros(3)), "State(q=array (1, 3), p=array (1, 3))"),
    ],
)
def test_what_is_printed_is_short(thing, text):
    assert repr(thing) == text


def test_laws_with_the_same_coefficients_are_equal():
    assert Bond() == Bond()
    assert Bond(chi=1) == Bond(chi=1.0)
    assert Bond(chi=[1, 2]) == Bond(chi=np.array([1.0, 2.0]))
    assert hash(Bond(chi=[0.0, 2])) == hash(Bond(chi=[-0.0, 2]))
    assert Pin(chi=1) == Pin(chi=1)
    assert len({Bond(), Bond(beta=1), Bond(chi=[1, 2]), Bond(chi=[1, 3]), Bond(chi=1), Pin(chi=1)}) == 6
    assert Bond() != 0


def test_chains_with_the_same_parts_are_equal():
    assert Chain(4, boundary="free") == Chain(4, Bond(chi=1), boundary=("free", "free"))
    assert hash(Chain(4, boundary="free")) == hash(Chain(4, boundary=["free", "free"]))
    others = [Chain(4), Chain(5), Chain(4, Bond(chi=2)), Chain(4, pin=Pin(chi=1)), Chain(4, boundary="free")]
    assert len(set(others)) == 5
    assert Chain(4) != Bond()


@pytest.mark.parametrize(
    ("boundary", "joined", "pinned", "part", "held"),
    [
        ("periodic", [1, 1, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0], [False]),
        ("periodic", [0, 1, 0, 1], [0, 1, 0, 0], [0, 1, 1, 0], [False, True]),
        ("periodic", [0, 0, 0, 0], [0, 0, 0, 1], [0, 1, 2, 3], [False, False, False, True]),
        ("free", [1, 0, 1], [0, 0, 1, 0], [0, 0, 1, 1], [False, True]),
        ("fixed", [1, 1, 0, 1, 1], [0, 0, 0, 0], [0, 0, 1, 1], [True, True]),
        (("fixed", "free"), [0, 1, 0, 1], [0, 0, 0, 0], [0, 0, 1, 1], [False, False]),
        (("free", "fixed"), [0, 1, 1, 1], [1, 0, 0, 0], [0, 1, 1, 1], [True, True]),
    ],
)
def test_parts_hang_together(boundary, joined, pinned, part, held):
    found = parts(Chain(4, boundary=boundary), np.array(joined, bool), np.array(pinned, bool))
    assert [some.tolist() for some in found] == [part, held]
