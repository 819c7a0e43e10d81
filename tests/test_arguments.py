"""Bad and extreme arguments: every public function names the argument that it refuses, or its result is finite.

`CALLS` holds one valid call of every public function, class and method; a public name without one fails.
One argument of a call, or one entry of an array, is then replaced.  The answer has to be a ValueError or
TypeError that names the argument, an exception that the docstring announces, or a finite result: no warning,
no other exception.  What is no number, or not finite, has to be refused where numbers are asked for.

``python -m tests.test_arguments 12000 micro`` attacks whatever has ``micro`` in its name, 12,000 times in
all, and counts.  Nothing here may run for long: what is asked for is small, or so large that it is refused.
"""

import cmath
import collections
import dataclasses
import decimal
import fractions
import functools
import inspect
import math
import re
import sys
import tempfile
import types
import warnings

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

mpl.use("Agg")

import matplotlib.pyplot as plt

import lattice
from lattice import (
    Bond,
    Chain,
    Estimate,
    Langevin,
    Pin,
    State,
    StretchFlip,
    ThreeSiteRotation,
    VelocityExchange,
    VelocityFlip,
    figures,
    kinetic,
    macro,
    micro,
)

EXAMPLES = 25  # of each call
STOREYS = {"lattice": lattice, "micro": micro, "kinetic": kinetic, "macro": macro, "figures": figures}
# What functions return, and nobody has to make: their methods are attacked, they are not.
RECORDS = {
    "lattice.NormalModes",
    "lattice.PowerLaw",
    "micro.GreenKubo",
    "micro.Trajectory",
    "micro.moments.Conductivity",
    "micro.moments.StationaryMoments",
    "kinetic.phonons.Tail",
    "figures.Slider",
}
# Where infinity is an answer, as the docstring says.
INFINITE = {
    "lattice.Estimate.deviation",
    "micro.moments.conductivity",
    "kinetic.phonons.conductivity",
    "kinetic.phonons.conductivity_lattice",
}

# The valid calls


def wave(n):
    """A field that is nowhere 0."""
    return np.exp(0.7j * np.arange(n)) + 0.2


@functools.cache
def made():
    """What takes a computation to make."""
    ring = Chain(4, Bond(chi=1.0), Pin(chi=0.5))
    start = State(0.1 * wave(4).real + np.zeros((2, 4)), 0.2 * wave(4).imag + np.zeros((2, 4)))
    noisy = {"noise": VelocityFlip(1.5), "rng": 1}
    run = micro.evolve(ring, lattice.thermal(ring, 1.0, 1000, 1), 0.25 * np.arange(41), dt=0.25, **noisy)
    short = micro.evolve(ring, start, [0.0, 0.5, 1.0])
    line = Chain(4, Bond(chi=1.0), boundary="free")
    moments = micro.moments.Moments(line, np.zeros(4), np.zeros(4), np.eye(4), np.zeros((4, 4)), np.eye(4))
    figure, ax = plt.subplots(figsize=(1, 1))
    plt.close(figure)
    slider = figures.slider(tiny, {"x": [1, 2]}, alt="nothing", kind="png")
    return types.SimpleNamespace(**locals())


def tiny(x):
    return plt.figure(figsize=(1, 1))


def measured(n, dt):
    return Estimate(1.0 + 1 / n + dt, 0.01, "a measurement")


def one_normal(rng):
    return rng.normal()


@functools.cache
def calls():
    """Name to arguments: all of them, and `self` if it is a method."""
    m = made()
    q, p = m.start.q.copy(), m.start.p.copy()
    ring, line, varied = m.ring, m.line, Chain(4, Bond(chi=[1.0, 2.0, 0.5], beta=0.1), boundary="free")
    warm, cold = Langevin(0, 1.5), Langevin(-1, 0.5)
    law = {name: np.array([1.0, 0.5, 2.0]) for name in ("chi", "alpha", "beta", "J", "m")}
    r = np.array([[0.5, -0.2, 1.0], [0.0, 0.3, -2.0]])
    k, times = np.array([0.0, 0.1, 0.25, 0.5]), np.array([0.0, 0.5, 1.5])
    series = np.random.default_rng(1).normal(size=400)
    sheet = micro.lattice.Crystal((3, 4), chi=1.0, pin=0.5)
    crystals = 0.1 * np.cos(np.arange(48.0)).reshape(2, 2, 3, 4)
    omega = lattice.dispersion(ring, lattice.wave_numbers(4))
    flip, exchange, rotation = VelocityFlip(0.5), VelocityExchange(0.5), ThreeSiteRotation(0.5)
    square = {"chi": 1.0, "pin": 0.5, "rate": 0.5}
    fitted = Estimate(np.array([1.0, 2.1, 2.9, 4.2, 8.1]), np.full(5, 0.1), "measured")
    methods = {}
    for cls in (Bond, Pin):
        name, self = f"lattice.{cls.__name__}", cls(**law)
        methods[name] = law
        methods[f"{name}.fput"] = {key: law[key] for key in ("alpha", "beta", "chi")}
        methods[f"{name}.rotor"] = {key: law[key] for key in ("J", "m")}
        for method in ("potential", "slope", "curvature"):
            methods[f"{name}.{method}"] = {"self": self, "r": r}
    for kind in (VelocityFlip, StretchFlip, VelocityExchange, ThreeSiteRotation):
        methods[f"lattice.{kind.__name__}"] = {"rate": 0.5}
    for function in ("energy", "site_energy"):
        methods[f"lattice.{function}"] = {"chain": varied, "q": q, "p": p}
    for function in ("wave_field", "mode_energy", "wave_action"):
        methods[f"lattice.{function}"] = {"chain": ring, "q": q, "p": p}
    for function in ("dispersion", "group_velocity"):
        methods[f"lattice.{function}"] = {"chain": ring, "k": k}
    for function in ("mean_energy", "heat_capacity"):
        methods[f"lattice.{function}"] = {"chain": ring, "T": 0.7, "quantum": True}
    for function in ("mean", "blocking", "autocorrelation_time"):
        methods[f"lattice.{function}"] = {"samples" if function == "mean" else "series": series, "axis": 0}
    return methods | {
        "lattice.Chain": {"n": 4, "bond": Bond(chi=1.0), "pin": Pin(chi=0.5), "boundary": "periodic"},
        "lattice.Chain.on_sites": {"self": varied, "name": "values", "values": q},
        "lattice.Chain.stretches": {"self": varied, "q": q},
        "lattice.Chain.slots": {"self": varied, "values": r},
        "lattice.Chain.stiffness_matrix": {"self": varied},
        "lattice.Chain.force": {"self": varied, "q": q},
        "lattice.Langevin": {"site": 0, "temperature": 1.0, "friction": 0.5, "force": 0.1},
        "lattice.State": {"q": q, "p": p},
        "lattice.bath_sites": {"chain": line, "baths": (warm, cold)},
        "lattice.kinetic_energy": {"p": p},
        "lattice.fourier": {"f": wave(4)},
        "lattice.inverse_fourier": {"f_hat": wave(4)},
        "lattice.normal_modes": {"chain": varied},
        "lattice.wave_numbers": {"n": 4},
        "lattice.log_partition": {"chain": ring, "T": 0.7},
        "lattice.thermal": {"chain": ring, "T": 0.7, "replicas": 2, "rng": 1},
        "lattice.Estimate": {
            "value": np.ones(3),
            "stderr": np.full(3, 0.1),
            "how": "so",
            "systematic": np.full(3, 0.2),
        },
        "lattice.Estimate.deviation": {"self": fitted, "other": np.ones(5)},
        "lattice.jackknife": {"statistic": np.mean, "samples": series, "blocks": 4, "axis": 0},
        "lattice.power_law": {
            "x": np.array([1.0, 2.0, 3.0, 4.0, 8.0]),
            "y": fitted,
            "window": (0.5, 9.0),
        },
        "lattice.ensemble": {
            "task": one_normal,
            "size": 3,
            "seed": 1,
            "map": map,
            "store": None,
            "progress": None,
        },
        "micro.bath_power": {"baths": (warm, cold), "p": p},
        "micro.energy_current": {"chain": varied, "q": q, "p": p},
        "micro.evolve": {
            "chain": line,
            "start": m.start,
            "times": times,
            "dt": 0.1,
            "scheme": "verlet",
            "baths": (warm, cold),
            "noise": exchange,
            "rng": 1,
            "map": map,
        },
        "micro.Trajectory.energy": {"self": m.short},
        "micro.Trajectory.state": {"self": m.short, "i": 1},
        "micro.green_kubo": {"runs": m.run, "temperature": 1.0, "window": (1.0, 4.0)},
        "micro.converged": {"measure": measured, "n": 4, "dt": 0.1},
        "micro.lattice.Crystal": {"shape": (3, 4), "chi": 1.0, "pin": 0.5},
        "micro.lattice.Crystal.energy": {"self": sheet, "q": crystals, "p": crystals},
        "micro.lattice.Crystal.on_sites": {"self": sheet, "name": "array", "array": crystals},
        "micro.lattice.thermal": {"crystal": sheet, "temperature": 1.0, "replicas": 2, "rng": 1},
        "micro.lattice.evolve": {
            "crystal": sheet,
            "q": crystals,
            "p": crystals,
            "times": times,
            "rate": 0.5,
            "dt": 0.1,
            "rng": 1,
            "map": map,
        },
        "micro.moments.Moments": {
            "chain": line,
            "mean_q": np.zeros(4),
            "mean_p": np.zeros(4),
            "qq": np.eye(4),
            "qp": np.zeros((4, 4)),
            "pp": np.eye(4),
            "baths": (warm, cold),
            "noise": flip,
        },
        "micro.moments.conductivity": {"chain": ring, "noise": rotation},
        "micro.moments.stationary": {"chain": line, "baths": (warm, cold), "noise": flip},
        "micro.moments.evolution": {
            "chain": line,
            "start": m.moments,
            "times": times,
            "baths": (warm, cold),
            "noise": rotation,
        },
        "micro.wavefield.frequencies": {"couplings": np.array([2.5, -1.0, 0.0, -1.0])},
        "micro.wavefield.propagate": {"omega": omega, "q": q, "p": p, "time": 1.5},
        "micro.wavefield.field": {"omega": omega, "q": q, "p": p},
        "micro.wigner.wigner": {"field": wave(8)},
        "micro.wigner.smoothed": {"field": wave(16), "places": np.array([0.0, 3.5]), "width": 1.0},
        "kinetic.ballistic.absorption": {"chain": ring, "friction": 0.5, "k": k, "end": "free"},
        "kinetic.ballistic.current": {"chain": line, "left": warm, "right": cold},
        "kinetic.boltzmann.decay_rate": {"chain": ring, "noise": rotation, "q": 0.01},
        "kinetic.boltzmann.relax": {"noise": rotation, "energy": np.arange(1.0, 5.0), "times": times},
        "kinetic.boltzmann.evolve": {
            "chain": ring,
            "noise": rotation,
            "energy": np.ones((3, 4)),
            "times": times,
            "spacing": 1.0,
            "dt": 0.1,
        },
        "kinetic.flights.fly": {
            "chain": ring,
            "noise": rotation,
            "times": times,
            "size": 3,
            "rng": 1,
            "start": np.array([0.1, 0.2, 0.3]),
            "map": map,
        },
        "kinetic.phonons.collision_matrix": {"noise": rotation, "n": 4},
        "kinetic.phonons.conductivity": {"chain": ring, "noise": rotation},
        "kinetic.phonons.conductivity_lattice": {"d": 3, **square},
        "kinetic.phonons.current_correlation": {"chain": ring, "noise": rotation, "times": times},
        "kinetic.phonons.current_correlation_lattice": {"d": 3, "times": times, **square},
        "kinetic.phonons.isolated_eigenvalue": {"noise": rotation},
        "kinetic.phonons.kernel": {"noise": rotation, "k": k, "k_prime": k},
        "kinetic.phonons.pair_kernel": {"k": k.reshape(2, 2), "k_prime": k.reshape(2, 2)},
        "kinetic.phonons.pair_rate": {"k": k.reshape(2, 2)},
        "kinetic.phonons.rate": {"noise": rotation, "k": k},
        "kinetic.phonons.tail": {"chain": ring, "noise": rotation},
        "kinetic.phonons.tail_lattice": {"d": 3, **square},
        "macro.diffusion.kernel": {
            "x": np.array([-1.0, 0.0, 2.0]),
            "time": 1.5,
            "constant": 0.5,
            "index": 1.5,
        },
        "macro.diffusion.spread": {
            "profile": np.array([[0.0, 1.0, 2.0, 0.0]]),
            "time": 1.5,
            "constant": 0.5,
            "index": 1.5,
            "spacing": 1.0,
        },
        "figures.errorbar": {"ax": m.ax, "x": np.arange(5.0), "estimates": fitted},
        "figures.slider": {
            "draw": tiny,
            "values": {"x": [1, 2]},
            "alt": "nothing",
            "start": 0,
            "kind": "png",
        },
        "figures.Slider.frame": {"self": m.slider, "*index": (1,)},
        "figures.Slider.html": {"self": m.slider},
        "figures.Slider.widget": {"self": m.slider},
        "figures.use_style": {},
    }


def functions():
    """Name to callable, of all public names: functions, classes, and the public methods of classes."""
    found = {}

    def walk(prefix, module):
        for name in module.__all__:
            thing, path = getattr(module, name), f"{prefix}.{name}"
            if isinstance(thing, types.ModuleType):
                walk(path, thing)
            elif callable(thing) and not (isinstance(thing, type) and issubclass(thing, Exception)):
                if path not in RECORDS:
                    found[path] = thing
                if isinstance(thing, type) and not path.endswith("StationaryMoments"):
                    members = inspect.getmembers(thing, callable)
                    found.update((f"{path}.{key}", value) for key, value in members if key[0] != "_")

    for prefix, module in STOREYS.items():
        walk(prefix, module)
    return found


FUNCTIONS = functions()

# What is put in the place of an argument: a name, a function of the valid value and of a place in it


def ragged():
    return [[1.0], [1.0, 2.0]]


NOTHING = {  # no number, no array of numbers, no object of the package
    "a string": lambda: "3",
    "bytes": lambda: b"3",
    "an empty list": list,
    "a dict": lambda: {"a": 1.0},
    "a set": lambda: {1.0, 2.0},
    "an object": object,
    "a class": lambda: Chain,
    "a decimal": lambda: decimal.Decimal("1.5"),
    "an object array": lambda: np.array([1.0, None], dtype=object),
    "an array of numbers as objects": lambda: np.array([1.0, 2.0], dtype=object),
    "strings": lambda: np.array(["1.0", "2.0"]),
    "dates": lambda: np.array(["2020-01-01"], dtype="datetime64[D]"),
    "booleans": lambda: np.array([True, False]),
    "a masked array": lambda: np.ma.array([1.0, 2.0, 3.0], mask=[False, True, False]),
    "masked": lambda: np.ma.masked,
    "rows of different lengths": ragged,
    "an empty array": lambda: np.zeros((2, 0)),
    "True": lambda: True,
    "an imaginary number": lambda: 1j,
    "complex numbers": lambda: np.array([1.0, 1j]),
    "not a number": lambda: math.nan,
    "infinity": lambda: math.inf,
    "minus infinity": lambda: -math.inf,
    "None": lambda: None,
    "a chain": lambda: Chain(4),
    "a state": lambda: State(np.ones(4), np.ones(4)),
    "an iterator": lambda: iter([1.0, 2.0]),
    "a function": lambda: abs,
}
EXTREME = (-1, 0, -0.0, 1e300, -1e300, 1e-300, 5e-324, 1e16, 0.5, 2**63, 2**100, 10**400)
OTHER_NUMBERS = (
    np.float32(0.5),
    np.int8(1),
    np.longdouble("1e4000"),
    fractions.Fraction(1, 3),
    np.array(0.5),
)
CHAINS = [
    *(Chain(4, Bond(chi=chi)) for chi in (0.0, -1.0, 1e300, 1e308, 1e-300, 5e-324)),
    *(Chain(4, Bond(**{name: 1e300})) for name in ("alpha", "beta", "J")),
    *(Chain(4, Bond(J=1.0, m=m)) for m in (0.0, 1e8, 1e300)),
    *(Chain(4, pin=Pin(chi=chi)) for chi in (-1.0, 1e300, 1e308, 1e-14, 1e-300, 5e-324)),
    *(Chain(4, pin=Pin(**{name: 1e300})) for name in ("alpha", "beta", "J")),
    *(Chain(4, Bond(chi=chi), Pin(chi=pin)) for chi in (1e-300, 1e300) for pin in (1e-300, 1e300)),
    Chain(4, boundary="fixed"),
    Chain(4, boundary=("fixed", "free")),
    Chain(4, Bond(chi=[1e300, 1e-300, 0.0, 1.0]), Pin(chi=[0.0, 1e-300, 1e300, 1.0])),
    Chain(4, Bond(chi=[0.0, 1.0, 0.0]), boundary="free"),
    Chain(2, boundary="free"),
    Chain(5),
    Chain(10**6),
]
RATES = (0.0, 5e-324, 1e-300, 1e8, 1e300)
NOISES = [
    kind(rate) for kind in (VelocityFlip, StretchFlip, VelocityExchange, ThreeSiteRotation) for rate in RATES
]
BATHS = [
    *(Langevin(0, temperature) for temperature in (0.0, 1e-300, 1e300)),
    *(Langevin(0, 1.0, friction=friction) for friction in (0.0, 1e-300, 1e300)),
    *(Langevin(0, 1.0, force=force) for force in (1e-300, 1e300, -1e300)),
    *(Langevin(site, 1.0) for site in (-1, -5, 4, 2**63, 10**400)),
]


def estimates(value):
    numbers = (0.0, 1e300, -1e300, 1e-300)
    shape = np.shape(value.value)
    yield from (Estimate(np.full(shape, x), 0.1, "constant") for x in numbers)
    yield from (Estimate(value.value, x, "the error") for x in numbers if x >= 0)
    yield Estimate(np.ones((2, 3)), 0.1, "another shape")


def others(value):
    """Valid objects of the same kind as the value, and extreme ones."""
    if isinstance(value, Chain):
        return CHAINS
    if isinstance(value, Bond):
        laws = [{"chi": x} for x in (0.0, -1.0, 1e300, -1e308, 1e-300)] + [
            {"chi": np.ones(3)},
            {"chi": np.ones(7)},
        ]
        laws += [
            {"alpha": 1e300},
            {"beta": 1e300},
            {"J": 1e300},
            {"J": 1.0, "m": 1e300},
            {"J": 1e300, "m": 1e300},
        ]
        return [type(value)(**law) for law in laws]
    if isinstance(value, Estimate):
        return list(estimates(value))
    if isinstance(value, Langevin):
        return BATHS
    if isinstance(value, State):
        arrays = [x * np.ones((2, 4)) for x in (0.0, 1e100, 1e300, -1e300, 1e-300)]
        return (
            [State(a, 0 * a) for a in arrays]
            + [State(0 * a, a) for a in arrays]
            + [State(np.ones(5), np.ones(5))]
        )
    if isinstance(value, (VelocityFlip, VelocityExchange, ThreeSiteRotation)):
        return NOISES
    if isinstance(value, micro.lattice.Crystal):
        sheets = [micro.lattice.Crystal((3, 4), chi=x) for x in (1e-300, 1e300)]
        return [*sheets, *(micro.lattice.Crystal((3, 4), pin=x) for x in (1e-300, 1e300)),
                micro.lattice.Crystal((3, 4, 3)), micro.lattice.Crystal((10**3, 10**3))]  # fmt: skip
    if isinstance(value, micro.moments.Moments):
        sizes = (1e-300, 1e200, 1e300)
        return [dataclasses.replace(value, **{name: x * np.ones_like(getattr(value, name))})
                for x in sizes for name in ("mean_q", "mean_p", "qq", "qp", "pp")]  # fmt: skip
    if isinstance(value, micro.Trajectory):
        return [dataclasses.replace(value, chain=chain) for chain in CHAINS[:20]] + [
            dataclasses.replace(value, **{name: x * getattr(value, name)})
            for name in ("q", "p", "times")
            for x in (0.0, 1e300, 1e-300)
        ]
    return []


def replaced(value, place, entry):
    """The array with one entry changed."""
    array = np.array(value, dtype=object if isinstance(entry, int) and abs(entry) > 2**62 else None)
    array.flat[place % array.size] = entry
    return array


def masked(value, place):
    array = np.ma.array(value, copy=True)
    array[np.unravel_index(place % array.size, array.shape)] = np.ma.masked
    return array


def shorter_row(value, place):
    rows = np.atleast_2d(value).tolist()
    rows[place % len(rows)].pop()
    return [*rows, [1.0] * 9]


ARRAYS = {  # of an array: the change, whether it has to be refused
    **{f"entry {x!r}": (lambda value, place, x=x: replaced(value, place, x), False) for x in EXTREME[:-3]},
    **{
        f"entry {x!r}": (lambda value, place, x=x: replaced(value, place, x), True)
        for x in (math.nan, math.inf, -math.inf)
    },
    "an entry beyond float64": (lambda value, place: replaced(value, place, 10**400), True),
    "as objects": (lambda value, place: np.array(value, dtype=object), True),
    "as strings": (lambda value, place: np.array(value).astype(str), True),
    "as booleans": (lambda value, place: np.array(value).astype(bool), True),
    "an entry masked": (masked, True),
    "a row cut": (shorter_row, True),
    "no entries": (lambda value, place: np.array(value)[..., :0], True),
    "times 1e300": (lambda value, place: 1e300 * np.array(value), False),
    "times 1e-300": (lambda value, place: 1e-300 * np.array(value), False),
    "negative": (lambda value, place: -np.array(value), False),
    "constant": (lambda value, place: np.ones_like(value), False),
    "zero": (lambda value, place: np.zeros_like(value), False),
    "one entry less": (lambda value, place: np.array(value)[..., :-1], False),
    "one axis more": (lambda value, place: np.array(value)[None], False),
    "one axis less": (lambda value, place: np.array(value)[0], False),
    "transposed": (lambda value, place: np.array(value).T, False),
    "reversed": (lambda value, place: np.array(value)[..., ::-1], False),
    "twice": (lambda value, place: np.concatenate([value, value], axis=-1), False),
    "a list": (lambda value, place: np.array(value).tolist(), False),
    "float32": (lambda value, place: np.array(value).astype(np.complex64 if np.iscomplexobj(value) else "f4"), False),
    "big-endian": (lambda value, place: np.array(value).astype(">c16" if np.iscomplexobj(value) else ">f8"), False),
    "integers": (lambda value, place: np.array(value).real.astype(int), False),
    "read-only": (lambda value, place: np.broadcast_to(value, np.shape(value)), False),
    "a matrix": (lambda value, place: np.array(value).view(np.ma.MaskedArray), False),
}  # fmt: skip


def kind_of(argument, value):
    if argument in ("rng", "seed"):
        return "seed"
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, np.ndarray):
        return "field" if np.iscomplexobj(value) else "reals"
    if isinstance(value, (int, float, str)):
        return type(value).__name__
    if isinstance(value, tuple):
        return "pair" if isinstance(value[0], (int, float)) else "objects"
    return "callable" if callable(value) else "object"


def attacks(argument, value, optional):
    """What to put in the place of a valid value: name to (change, whether it has to be refused)."""
    kind = kind_of(argument, value)
    fine = {  # what may be allowed after all, or is another way of saying it
        "seed": ("an empty list", "an empty array", "an iterator"),
        "flag": ("True",),
        "str": ("a string",),
        "field": ("an imaginary number", "complex numbers"),
        "pair": ("an iterator",),
        "objects": ("an empty list", "a dict", "an iterator"),
    }.get(kind, ())
    if argument in ("alt", "values", "progress", "store", "boundary", "estimates", "start", "runs", "draw"):
        fine += ("a string", "True", "a dict", "a function", "an empty list")
    if optional:
        fine += ("None",)
    found = {
        label: (lambda value, place, make=make: make(), label not in fine)
        for label, make in NOTHING.items()
        if not (argument == "store" and label == "a string")  # it would make a folder
        and not (kind == "callable" and label in ("a class", "a function"))  # their errors are their own
        and not (label == "a chain" and isinstance(value, Chain))
        and not (label == "a state" and isinstance(value, State))
    }
    if kind in ("int", "float", "reals", "field", "pair", "seed", "flag"):
        wrong = kind in ("flag", "pair")
        for x in EXTREME:
            found[f"the number {x:.3g}" if abs(x) < 1e300 else f"{str(x)[:6]}…"] = (
                lambda value, place, x=x: x,
                wrong or (kind == "int" and isinstance(x, float)),
            )
        for x in OTHER_NUMBERS:
            found[repr(x)] = (lambda value, place, x=x: x, False)
    if kind in ("reals", "field"):
        found |= ARRAYS
        if kind == "reals":
            found["complex"] = (lambda value, place: np.array(value) + 1j, True)
            found["complex without an imaginary part"] = (lambda value, place: np.array(value) + 0j, True)
    if kind in ("pair", "objects"):
        found["a list"] = (lambda value, place: list(value), False)
        found["one more"] = (lambda value, place: (*value, value[-1]), False)
        found["one less"] = (lambda value, place: value[:-1], False)
        found["reversed"] = (lambda value, place: value[::-1], False)
        for label in ("None", "a string", "an object", "not a number", "True", "an imaginary number"):
            found[f"{label} inside"] = (
                lambda value, place, make=NOTHING[label]: (make(), *value[1:]),
                argument != "*index",
            )
        for x in EXTREME:
            found[f"{str(x)[:6]} inside"] = (lambda value, place, x=x: (*value[:-1], x), False)
    one = value[-1] if kind == "objects" else value
    for i, other in enumerate(others(one)):
        found[f"other {i}"] = (
            lambda value, place, x=other: (*value[:-1], x) if isinstance(value, tuple) else x,
            False,
        )
    return found


# The answer


def finite(thing, depth=0):
    """Whether no number in a result is infinite or none."""
    if isinstance(thing, (float, complex, np.number)):
        return cmath.isfinite(thing)
    if isinstance(thing, np.ndarray):
        return thing.dtype.kind in "US" or bool(np.isfinite(thing).all())
    if isinstance(thing, dict):
        thing = thing.values()
    if isinstance(thing, (tuple, list)) or type(thing).__name__ == "dict_values":
        return all(finite(part, depth) for part in thing)
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type) and depth < 3:
        return all(finite(getattr(thing, f.name), depth + 1) for f in dataclasses.fields(thing))
    return True


def words(arguments, argument, value, valid, other):
    """What a message may call an argument: its name, or a field of the object that it is.

    Another valid object may not fit the other arguments: then theirs are as good.
    """
    found = {argument.strip("*")} | (set(arguments) if other else set())
    for thing in (value, valid):
        for part in thing if isinstance(thing, tuple) else (thing,):
            if dataclasses.is_dataclass(part) and not isinstance(part, type):
                found |= {f.name for f in dataclasses.fields(part)} | {type(part).__name__.lower()}
    return found


def answer(name, argument, label, place=0):
    """What is wrong with the answer to an attack: a short word and the rest, or None."""
    function, valid = FUNCTIONS[name], calls()[name]
    change, refused = attacks(argument, valid[argument], optional(name, argument))[label]
    value = change(valid[argument], place)
    arguments = valid | {argument: value}
    positional = [arguments.pop("self")] if "self" in arguments else []
    if "*index" in arguments:
        index = arguments.pop("*index")
        positional += index if isinstance(index, tuple) else [index]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = function(*positional, **arguments)
    except (ValueError, TypeError) as error:
        allowed = words(calls()[name], argument, value, valid[argument], label.startswith("other"))
        named = any(re.search(rf"\b{re.escape(word)}\b", str(error)) for word in allowed)
        return None if named else ("not named", f"{type(error).__name__}: {error}")
    except Warning as warning:
        return "warning", f"{type(warning).__name__}: {warning}"
    except Exception as error:
        documented = isinstance(error, RuntimeError) and type(error).__name__ in (function.__doc__ or "")
        return None if documented else ("other exception", f"{type(error).__name__}: {error}")
    finally:
        plt.close("all")
    if refused:
        return "accepted", repr(result)[:200]
    if name not in INFINITE and not finite(result):
        return "not finite", repr(result)[:200]
    return None


def optional(name, argument):
    parameter = inspect.signature(FUNCTIONS[name]).parameters.get(argument)
    return parameter is not None and parameter.default is None


def attack(name):
    """A strategy: argument, change, place."""
    each = [
        (argument, label)
        for argument, value in calls()[name].items()
        for label in attacks(argument, value, optional(name, argument))
        if argument != "self" or label.startswith("other")
    ]
    return st.tuples(st.sampled_from(each), st.integers(0, 50)) if each else None


def test_every_public_name_has_a_valid_call():
    assert set(calls()) == set(FUNCTIONS)
    for name, function in FUNCTIONS.items():
        parameters = inspect.signature(function).parameters.values()
        names = {
            f"*{p.name}" if p.kind == p.VAR_POSITIONAL else p.name
            for p in parameters
            if p.kind != p.VAR_KEYWORD
        }
        assert set(calls()[name]) == names, name


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_the_call_is_valid(name):
    """Else the attacks would show nothing."""
    arguments = dict(calls()[name])
    positional = [arguments.pop("self")] if "self" in arguments else []
    positional += arguments.pop("*index", ())
    assert name in INFINITE or finite(FUNCTIONS[name](*positional, **arguments))
    plt.close("all")


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_bad_and_extreme_arguments(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    strategy = attack(name)
    if strategy is None:
        return

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def attacked(chosen):
        (argument, label), place = chosen
        wrong = answer(name, argument, label, place)
        assert wrong is None, f"{argument}: {label}: {wrong[0]}: {wrong[1]}"

    attacked()


def survey(count, part):
    """So many attacks, and what went wrong by kind and by function."""
    names = [name for name in sorted(FUNCTIONS) if part in name and attack(name) is not None]
    faults, seen, total = collections.Counter(), {}, 0
    for name in names:

        @settings(max_examples=-(-count // len(names)), deadline=None, database=None, phases=[Phase.generate],
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        @given(attack(name))
        def attacked(chosen, name=name):
            nonlocal total
            (argument, label), place = chosen
            total += 1
            wrong = answer(name, argument, label, place)
            if wrong is not None:
                faults[wrong[0]] += 1
                seen.setdefault((name, argument, label), wrong)

        attacked()
    for (name, argument, label), (word, text) in sorted(seen.items()):
        print(f"{name}  {argument} = {label}: {word}: {text[:160]}")
    print(
        f"{total} attacks on {len(names)} names; " + ", ".join(f"{n} × {word}" for word, n in faults.items())
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        import os

        os.chdir(folder)
        survey(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "")
