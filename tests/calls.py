"""The public names and one valid call of each; and objects that are valid too, but extreme."""

import dataclasses
import functools
import inspect
import types

import matplotlib as mpl
import numpy as np

mpl.use("Agg")

import matplotlib.pyplot as plt

import lattice
from lattice import (
    Bond,
    Chain,
    Crystal,
    Estimate,
    Langevin,
    PairRotation,
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

STOREYS = {"lattice": lattice, "micro": micro, "kinetic": kinetic, "macro": macro, "figures": figures}
# What functions return, and nobody has to make: their methods are attacked, they are not.
RECORDS = {
    "lattice.Extrapolation",
    "lattice.NormalModes",
    "lattice.PowerLaw",
    "micro.Averages",
    "micro.GreenKubo",
    "micro.Series",
    "micro.Trajectory",
    "micro.crystals.CrystalTrajectory",
    "micro.Conductivity",
    "micro.moments.StationaryMoments",
    "micro.planar.PlanarTrajectory",
    "kinetic.noisy.Tail",
    "kinetic.resonance.FourPhonons",
    "kinetic.resonance.ThreePhonons",
    "figures.Slider",
}


def wave(n):
    """A field that is nowhere 0."""
    return np.exp(0.7j * np.arange(n)) + 0.2


@functools.cache
def made():
    """What takes a computation to make."""
    ring = Chain(4, Bond(chi=1.0), Pin(chi=0.5))
    start = State(0.1 * wave(4).real + np.zeros((2, 4)), 0.2 * wave(4).imag + np.zeros((2, 4)))
    noisy = {"noise": VelocityFlip(1.5), "rng": 1}
    run = micro.evolve(ring, lattice.thermal(ring, 1.0, 1000, rng=1), 0.25 * np.arange(41), dt=0.25, **noisy)
    short = micro.evolve(ring, start, [0.0, 0.5, 1.0])
    averages = micro.evolve(ring, start, [0.0, 0.5, 1.0, 1.5], observe=micro.Profiles(2))
    line = Chain(4, Bond(chi=1.0), boundary="free")
    moments = micro.moments.Moments(line, np.zeros(4), np.zeros(4), np.eye(4), np.zeros((4, 4)), np.eye(4))
    figure, ax = plt.subplots(figsize=(1, 1))
    plt.close(figure)
    question = figures.Question("Why?", ("so", "not so"), "So.")
    slider = figures.slider(tiny, {"x": [1, 2]}, alt="nothing", kind="png")
    return types.SimpleNamespace(**locals())


def tiny(x):
    return plt.figure(figsize=(1, 1))


def measured(n, dt):
    return Estimate(1.0 + 1 / n + dt, 0.01, "a measurement")


# 1 + 2 = 3 and 1 + 3 = 4, each leg between two equal nodes
COLLISION = {
    "nodes": np.array([1.0, 2.0, 3.0, 4.0]),
    "measure": np.array([1.0, 0.5, 2.0, 1.0]),
    "invariants": np.array([[1.0, 2.0, 3.0, 4.0]]),
    "node": [[[0, 0], [1, 1], [2, 2]], [[0, 0], [2, 2], [3, 3]]],
    "sign": np.array([-1.0, -1.0, 1.0]),
    "strength": np.array([0.5, 2.0]),
    "weight": np.full((2, 3, 2), 0.5),
    "offset": None,
    "statistics": "rayleigh-jeans",
    "branch": [0, 1, 0, 1],
}


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
    sheet = Crystal((3, 4), Bond(chi=1.0), Pin(chi=0.5))
    tilted = Crystal((3, 4), {(1, 0): Bond(chi=1.0), (1, 1): (Bond(chi=1.0), Bond(chi=0.5))}, Pin(chi=0.5))
    plane = Crystal((8,), {1: (Bond(chi=4.0), Bond(chi=1.0))}, (Pin(chi=2.0), Pin(chi=0.25)), components=2)
    crystals = 0.1 * np.cos(np.arange(48.0)).reshape(2, 2, 3, 4)
    planar = Crystal((4,), {1: (Bond(chi=2.0), Bond(chi=0.5))}, Pin(chi=0.5), components=2)
    small = 0.1 * np.cos(np.arange(16.0)).reshape(2, 2, 4)
    flip, exchange, rotation = VelocityFlip(0.5), VelocityExchange(0.5), ThreeSiteRotation(0.5)
    fitted = Estimate(np.array([1.0, 2.1, 2.9, 4.2, 8.1]), np.full(5, 0.1), "measured")
    methods = {}
    four = kinetic.collisions.Collision(**COLLISION)
    verbs = "entropy entropy_production equilibrium jacobian linearised loss_rate moments potential"
    for function in f"{verbs} rate_of_change spectrum".split():
        methods[f"kinetic.collisions.Collision.{function}"] = {
            "self": four,
            "n": np.array([0.5, 1.0, 0.7, 2.0]),
        }
    for cls in (Bond, Pin):
        name, self = f"lattice.{cls.__name__}", cls(**law)
        methods[name] = law
        methods[f"{name}.fput"] = {key: law[key] for key in ("alpha", "beta", "chi")}
        methods[f"{name}.rotor"] = {key: law[key] for key in ("J", "m")}
        for method in ("potential", "slope", "curvature"):
            methods[f"{name}.{method}"] = {"self": self, "r": r}
    for kind in (VelocityFlip, StretchFlip, VelocityExchange, ThreeSiteRotation, PairRotation):
        methods[f"lattice.{kind.__name__}"] = {"rate": 0.5}
    for function in ("energy", "site_energy"):
        methods[f"lattice.{function}"] = {"chain": varied, "q": q, "p": p}
    for function in ("wave_field", "mode_energy", "wave_action"):
        methods[f"lattice.{function}"] = {"medium": ring, "q": q, "p": p}
    for function in ("dispersion", "group_velocity"):
        methods[f"lattice.{function}"] = {"medium": ring, "k": k}
    for function in ("mean_energy", "heat_capacity"):
        methods[f"lattice.{function}"] = {"chain": ring, "temperature": 0.7, "quantum": True}
    for function in ("bose_einstein", "oscillator_heat_capacity"):
        methods[f"lattice.{function}"] = {"omega": times[1:], "temperature": r[0, ::2] ** 2}
    for function in ("bond_average", "site_average"):
        methods[f"lattice.{function}"] = {"chain": ring, "temperature": 0.7, "quantity": np.square}
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
        "lattice.fourier": {"f": wave(4), "d": 1},
        "lattice.inverse_fourier": {"f_hat": wave(4), "d": 1},
        "lattice.mean_chain": {"chain": ring},
        "lattice.phase_space": {"medium": ring, "psi": wave(4)},
        "lattice.random_phases": {
            "medium": ring,
            "spectrum": np.arange(1.0, 5.0),
            "replicas": 2,
            "rng": 1,
            "gaussian": True,
        },
        "lattice.normal_modes": {"chain": varied},
        "lattice.wave_numbers": {"n": 4},
        "lattice.log_partition": {"chain": ring, "temperature": 0.7},
        "lattice.thermal": {"medium": ring, "temperature": 0.7, "replicas": 2, "rng": 1},
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
        "lattice.extrapolate": {
            "x": np.array([1.0, 0.5, 0.25, 0.125, 0.0625]),
            "y": Estimate(np.array([2.1, 1.4, 1.2, 1.1, 1.0]), np.full(5, 0.1), "measured"),
            "powers": np.array([1.0, 2.0]),
        },
        "lattice.ensemble": {
            "task": one_normal,
            "size": 3,
            "rng": 1,
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
            "observe": None,
            "map": map,
        },
        "micro.Trajectory.energy": {"self": m.short},
        "micro.Trajectory.state": {"self": m.short, "i": 1},
        "micro.green_kubo": {
            "runs": m.run,
            "currents": "energy_current",
            "window": (1.0, 4.0),
            "temperature": 1.0,
        },
        "micro.momentum_current": {"chain": varied, "q": q},
        "micro.Totals": {},
        "micro.Profiles": {"blocks": 4},
        "micro.Averages.mean": {"self": m.averages, "name": "p"},
        "micro.Averages.temperature": {"self": m.averages},
        "micro.converged": {"measure": measured, "n": 4, "dt": 0.1},
        "lattice.Crystal": {"shape": (3, 4), "bond": Bond(chi=1.0), "pin": Pin(chi=0.5), "components": 2},
        "lattice.polarisations": {"crystal": tilted, "k": k[:, None] * [1.0, 0.3]},
        "lattice.Crystal.energy": {"self": sheet, "q": crystals, "p": crystals},
        "lattice.Crystal.on_sites": {"self": sheet, "name": "values", "values": crystals},
        "micro.crystals.evolve": {
            "crystal": sheet,
            "start": State(crystals, crystals),
            "times": times,
            "noise": PairRotation(0.5),
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
        "micro.exact_kappa": {"chain": ring, "noise": rotation},
        "micro.moments.stationary": {"chain": line, "baths": (warm, cold), "noise": flip},
        "micro.moments.evolve": {
            "chain": line,
            "start": m.moments,
            "times": times,
            "baths": (warm, cold),
            "noise": rotation,
        },
        "micro.crystals.propagate": {"medium": ring, "q": q, "p": p, "time": 1.5},
        "micro.planar.energy": {"crystal": planar, "q": small, "p": small},
        "micro.planar.evolve": {
            "crystal": planar,
            "start": State(small, small),
            "times": times,
            "dt": 0.1,
            "scheme": "verlet",
        },
        "micro.wigner.distribution": {"field": wave(8)},
        "micro.wigner.husimi": {"field": wave(16), "places": np.array([0.0, 3.5]), "width": 1.0},
        "kinetic.ballistic.absorption": {"chain": ring, "friction": 0.5, "k": k, "end": "free"},
        "kinetic.ballistic.current": {"chain": line, "left": warm, "right": cold},
        "kinetic.collisions.Collision": COLLISION,
        "kinetic.collisions.Collision.relax": {
            "self": four,
            "n": np.array([0.5, 1.0, 0.7, 2.0]),
            "times": times,
            "rtol": 1e-3,
            "atol": 1e-9,
        },
        "kinetic.transport.decay_rate": {"chain": ring, "noise": rotation, "q": 0.01},
        "kinetic.transport.evolve": {
            "collision": kinetic.noisy.collision(ring, rotation, 4),
            "velocity": np.array([0.0, 0.3, 0.0, -0.3]),
            "energy": np.ones((3, 4)),
            "times": times,
            "spacing": 1.0,
            "dt": 0.1,
        },
        "kinetic.flights.simulate": {
            "chain": ring,
            "noise": rotation,
            "times": times,
            "size": 3,
            "rng": 1,
            "start": np.array([0.1, 0.2, 0.3]),
            "map": map,
        },
        "kinetic.noisy.collision": {"medium": ring, "noise": rotation, "n": 4},
        "kinetic.four_phonon.collision": {
            "chain": Chain(4, Bond(chi=1.0), Pin(chi=1.0, beta=0.5)),
            "nodes": 4,
            "samples": 8,
            "statistics": "bose-einstein",
        },
        "kinetic.noisy.collision_matrix": {"noise": rotation, "n": 4},
        "kinetic.noisy.conductivity": {"medium": ring, "noise": rotation},
        "kinetic.noisy.current_correlation": {"medium": ring, "noise": rotation, "times": times},
        "kinetic.noisy.isolated_eigenvalue": {"noise": rotation},
        "kinetic.noisy.kernel": {"noise": rotation, "k": k, "k_prime": k},
        "kinetic.noisy.rate": {"noise": rotation, "k": k},
        "kinetic.noisy.tail": {"medium": ring, "noise": rotation},
        "kinetic.resonance.decay_ranges": {"crystal": plane},
        "kinetic.resonance.decays": {"crystal": plane, "k": k},
        "kinetic.resonance.four_phonons": {"chain": ring, "k1": k, "k3": k[::-1].copy()},
        "kinetic.resonance.fusions": {"crystal": plane, "k1": k},
        "kinetic.three_phonon.collision": {
            "crystal": plane,
            "nodes": 8,
            "samples": 16,
            "statistics": "bose-einstein",
        },
        "macro.diffusion.heat_kernel": {
            "x": np.array([-1.0, 0.0, 2.0]),
            "time": 1.5,
            "constant": 0.5,
            "index": 1.5,
        },
        "macro.diffusion.evolve": {
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
            "question": m.question,
        },
        "figures.Question": {"text": "Why?", "choices": ("so", "not so"), "answer": "So."},
        "figures.Question.html": {"self": m.question, "key": "a"},
        "figures.sketch": {
            "model": m.line,
            "baths": (Langevin(0, 1.5, 0.5, 0.1),),
            "noises": (VelocityFlip(1.5),),
            "sites": 9,
            "ax": m.ax,
        },
        "figures.arrow": {
            "ax": m.ax,
            "start": np.array([0.0, 1.0]),
            "end": np.array([1.0, 1.0]),
            "colour": "blue",
            "bend": 0.1,
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

# Objects in the place of others

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
CRYSTALS = [
    *(Crystal((3, 4), Bond(chi=chi)) for chi in (0.0, 1e-300, 1e300, 1e308)),
    *(Crystal((3, 4), pin=Pin(chi=pin)) for pin in (1e-300, 1e300, 1e308)),
    Crystal((4,)),
    Crystal((3, 4, 3)),
    Crystal((3, 4), {(1, 1): Bond(chi=1.0), (0, 2): Bond(chi=0.5)}),
    Crystal((4,), {1: (Bond(chi=4.0), Bond(chi=1.0))}, components=2),
    Crystal((3, 4), pin=(Pin(chi=1.0), Pin(chi=0.0))),
    *(Crystal((3, 4), {(1, 1): (Bond(chi=x), Bond(chi=1.0))}) for x in (0.0, 1e-300, 1e300, 1e308)),
    Crystal((10**3, 10**3)),
]
RATES = (0.0, 5e-324, 1e-300, 1e16, 1e300)
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
        return CHAINS + CRYSTALS
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
        return [*NOISES, PairRotation(1.0)]
    if isinstance(value, Crystal):
        return CRYSTALS + CHAINS[:3]
    if isinstance(value, PairRotation):
        return [*(PairRotation(rate) for rate in RATES), VelocityFlip(1.0)]
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
