"""What public functions return and what pages print, kept while the house is rebuilt.

``python -m tests.reference write`` stores both, ``python -m tests.reference`` compares: what is the same
to the bit, what to 1e-12, what not.  Pages are read as `make book` has executed them.
"""

# ruff: noqa: B023
import dataclasses
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
from jupyter_cache import get_cache

import lattice as lk
from lattice import kinetic, micro
from tests.calls import FUNCTIONS, calls, wave

HERE = Path(__file__)
KEPT = HERE.with_suffix(".json")
EXECUTED = HERE.parents[1] / "_build" / ".jupyter_cache"
SHOWN = 12  # numbers of a result that are kept beside its digest


def numbers(thing):
    """All numbers in a result, in the order of names; inputs that it carries are not results."""
    if thing is None or isinstance(thing, (str, bytes, bool, lk.Chain, lk.Crystal)):
        return []
    if dataclasses.is_dataclass(thing):
        thing = {f.name: getattr(thing, f.name) for f in dataclasses.fields(thing) if f.name[0] != "_"}
    if isinstance(thing, dict):
        return [x for name in sorted(thing) for x in numbers(thing[name])]
    if isinstance(thing, (tuple, list)):
        return [x for part in thing for x in numbers(part)]
    try:
        array = np.asarray(thing)
    except (TypeError, ValueError):
        return []
    if array.dtype.kind not in "iufcb":
        return []
    array = array.astype(complex).ravel()
    return [*array.real, *array.imag] if array.imag.any() else [*array.real]


def cases():  # noqa: C901 - a list
    """Name to a call without arguments."""
    for name, arguments in calls().items():
        if name.startswith("figures"):
            continue
        arguments = dict(arguments)
        positional = [arguments.pop("self")] if "self" in arguments else []
        yield name, lambda name=name, a=positional, k=arguments: FUNCTIONS[name](*a, **k)

    noises = (
        None,
        lk.VelocityFlip(0.3),
        lk.StretchFlip(0.3),
        lk.VelocityExchange(0.3),
        lk.ThreeSiteRotation(0.3),
    )
    laws = {
        "harmonic": lk.Bond(chi=1.0),
        "fput": lk.Bond.fput(alpha=0.25, beta=0.5),
        "rotor": lk.Bond.rotor(),
        "varied": lk.Bond(chi=np.linspace(0.5, 1.5, 12)),
    }
    q, p = 0.1 * wave(3 * 12).real.reshape(3, 12), 0.2 * wave(3 * 12).imag.reshape(3, 12)
    for noise in noises:
        flips = isinstance(noise, lk.StretchFlip)
        word = type(noise).__name__ if noise else "nothing"
        for boundary in (("fixed", "free"),) if flips else ("periodic", "fixed", "free", ("fixed", "free")):
            for law, bond in laws.items():
                if law == "varied":
                    size = lk.Chain(12, boundary=boundary).n_bonds
                    bond = lk.Bond(chi=np.linspace(0.5, 1.5, size))
                if flips and law == "fput":
                    bond = lk.Bond.fput(beta=0.5)
                chain = lk.Chain(12, bond, lk.Pin(chi=0.0 if flips else 0.4), boundary)
                for scheme in ("verlet", "fourth-order"):
                    for baths in ((), (lk.Langevin(0, 1.5, 0.7), lk.Langevin(-1, 0.5, force=0.2))):
                        if baths and boundary == "periodic":
                            continue

                        def call(chain=chain, scheme=scheme, baths=baths, noise=noise):
                            return micro.evolve(chain, lk.State(q, p), [0.7, 2.0, 5.0], dt=0.1, scheme=scheme,
                                                baths=baths, noise=noise, rng=5)  # fmt: skip

                        yield f"micro.evolve {word} {boundary} {law} {scheme} {len(baths)}", call
            if boundary != "periodic":
                chain = lk.Chain(8, boundary=boundary)
                baths = (lk.Langevin(0, 1.5, 0.7), lk.Langevin(-1, 0.5))
                yield (
                    f"micro.moments.stationary {word} {boundary}",
                    lambda c=chain, b=baths, n=noise: micro.moments.stationary(c, b, n),
                )
        if noise is None or flips:
            continue
        pinned = lk.Chain(16, lk.Bond(chi=1.3), lk.Pin(chi=0.4))
        k, start = np.linspace(0, 1, 11), 2 + np.cos(np.arange(8))
        for name, call in {
            "kinetic.noisy.kernel": lambda n: kinetic.noisy.kernel(n, k, k[::-1]),
            "kinetic.noisy.rate": lambda n: kinetic.noisy.rate(n, k),
            "kinetic.noisy.conductivity": lambda n: kinetic.noisy.conductivity(pinned, n),
            "kinetic.noisy.current_correlation": lambda n: kinetic.noisy.current_correlation(
                pinned, n, 3 * k
            ),
            "kinetic.noisy.collision relax": lambda n: kinetic.noisy.collision(pinned, n, 8).relax(start, k),
            "kinetic.transport.decay_rate": lambda n: kinetic.transport.decay_rate(pinned, n, 0.02),
            "kinetic.flights.simulate": lambda n: kinetic.flights.simulate(pinned, n, k, 50, rng=3),
            "micro.exact_kappa": lambda n: micro.exact_kappa(pinned, n),
        }.items():
            yield f"{name} {word}", lambda call=call, noise=noise: call(noise)
    sheet = lk.Crystal((3, 4), lk.Bond(chi=1.3), lk.Pin(chi=0.4))
    u = wave(48).reshape(2, 2, 3, 4)
    for name, call in {
        "dispersion": lambda: lk.dispersion(sheet),
        "group_velocity": lambda: lk.group_velocity(sheet),
        "fourier": lambda: lk.fourier(u, d=2),
        "wave_field": lambda: lk.wave_field(sheet, u.real, u.imag),
        "phase_space": lambda: lk.phase_space(sheet, u),
        "random_phases": lambda: lk.random_phases(sheet, np.arange(12.0).reshape(3, 4), 2, rng=3),
        "thermal": lambda: lk.thermal(sheet, 0.7, 2, rng=3),
    }.items():
        yield f"lattice.{name} of a crystal", call
    cube, pairs = lk.Crystal((4, 4, 4), pin=lk.Pin(chi=0.5)), lk.PairRotation(0.5)
    k = np.array([[0.0, 0.1], [0.25, 0.5]])
    for name, call in {
        "conductivity": lambda: kinetic.noisy.conductivity(cube, pairs),
        "current_correlation": lambda: kinetic.noisy.current_correlation(cube, pairs, [0.0, 0.5, 1.5]),
        "tail": lambda: kinetic.noisy.tail(cube, pairs),
        "kernel": lambda: kinetic.noisy.kernel(lk.PairRotation(1.0), k, k),
        "rate": lambda: kinetic.noisy.rate(lk.PairRotation(1.0), k),
    }.items():
        yield f"kinetic.noisy.{name} of a crystal", call
    for shape in ((4, 5), (3, 4, 5)):
        crystal, noise = lk.Crystal(shape, pin=lk.Pin(chi=0.3)), lk.PairRotation(0.4)
        yield (
            f"micro.crystals.evolve {shape}",
            lambda c=crystal, n=noise: micro.crystals.evolve(
                c, lk.thermal(c, 0.8, 2, rng=4), [0.5, 2.0], noise=n, dt=0.1, rng=6
            ),
        )


def computed():
    found = {}
    for name, call in cases():
        values = np.array(numbers(call()), dtype=float)
        digest = hashlib.sha256(values.tobytes()).hexdigest()[:16]
        step = max(1, len(values) // SHOWN)
        found[name] = {"size": len(values), "digest": digest, "values": values[::step].tolist()}
    return found


def printed():
    """Page to what its cells glued."""
    cache, pages = get_cache(EXECUTED), {}
    for record in cache.list_cache_records():
        glued = {}
        for cell in cache.get_cache_bundle(record.pk).nb.cells:
            for output in cell.get("outputs", []):
                name = output.get("metadata", {}).get("scrapbook", {}).get("name")
                if name:
                    glued[name] = next(
                        text for mime, text in output["data"].items() if mime.endswith("plain")
                    )
        pages[record.uri.rpartition("/book/")[2]] = glued
    return pages


def compare(kept, now):
    """Print what differs; whether nothing does beyond 1e-12."""
    good = True
    for name in sorted(set(kept["functions"]) | set(now["functions"])):
        old, new = kept["functions"].get(name), now["functions"].get(name)
        if old is None or new is None:
            good = False
            print(f"{name}: {'new' if old is None else 'gone'}")
        elif old["digest"] != new["digest"]:
            if old["size"] != new["size"]:
                how, good = f"{old['size']} numbers are {new['size']}", False
            else:
                a, b = np.array(old["values"]), np.array(new["values"])
                error = np.abs(a - b).max() / np.abs(a).max()
                how, good = f"differs by {error:.1e} in what is kept", good and error < 1e-12
            print(f"{name}: {how}")
    for page in sorted(set(kept["pages"]) | set(now["pages"])):
        old, new = kept["pages"].get(page, {}), now["pages"].get(page, {})
        for name in sorted(set(old) | set(new)):
            if old.get(name) != new.get(name):
                good = False
                print(f"{page}: {name}: {old.get(name)} is now {new.get(name)}")
    return good


if __name__ == "__main__":
    now = {"functions": computed(), "pages": printed()}
    if sys.argv[1:] == ["write"]:
        KEPT.write_text(json.dumps(now, indent=1, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")
        print(f"{len(now['functions'])} results, {sum(map(len, now['pages'].values()))} printed values")
    else:
        raise SystemExit(0 if compare(json.loads(KEPT.read_text("utf-8")), now) else 1)
