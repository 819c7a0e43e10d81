"""Bad and extreme arguments: a public function names the argument that it refuses, or its result is finite.

`calls` holds one valid call of every public function, class and method; a public name without one fails.
One argument of a call, or one entry of an array, is then replaced.  The answer has to be a ValueError or
TypeError that names the argument, an exception that the docstring announces, or a finite result: no warning,
no other exception.  What is no number, or not finite, has to be refused where numbers are asked for.

Nothing here may run for long: what is asked for is small, or so large that it is refused.
"""

import cmath
import dataclasses
import decimal
import fractions
import inspect
import math
import re
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest

import lattice
from lattice import Chain, State
from tests.calls import FUNCTIONS, calls, made, others

PLACES = (0, 1, 7)  # of the entry that is replaced, modulo the size of the array
CALLED = ("alt", "draw", "map", "measure", "quantity", "statistic", "task")  # whose errors are their own
# Where infinity is an answer, as the docstring says.
INFINITE = {
    "lattice.Estimate.deviation",
    "micro.exact_kappa",
    "kinetic.noisy.conductivity",
}

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
    np.finfo(np.longdouble).max,
    fractions.Fraction(1, 3),
    np.array(0.5),
)


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
    "as objects": (lambda value, place: value.astype(object), True),
    "as strings": (lambda value, place: value.astype(str), True),
    "as booleans": (lambda value, place: value.astype(bool), True),
    "an entry masked": (masked, True),
    "a row cut": (shorter_row, True),
    "no entries": (lambda value, place: value[..., :0], True),
    "times 1e300": (lambda value, place: 1e300 * value, False),
    "times 1e-300": (lambda value, place: 1e-300 * value, False),
    "negative": (lambda value, place: -value, False),
    "constant": (lambda value, place: np.ones_like(value), False),
    "zero": (lambda value, place: np.zeros_like(value), False),
    "one entry less": (lambda value, place: value[..., :-1], False),
    "one axis more": (lambda value, place: value[None], False),
    "one axis less": (lambda value, place: value[0], False),
    "transposed": (lambda value, place: value.T, False),
    "reversed": (lambda value, place: value[..., ::-1], False),
    "twice": (lambda value, place: np.concatenate([value, value], axis=-1), False),
    "a list": (lambda value, place: value.tolist(), False),
    "single precision": (lambda value, place: value.astype("c8" if np.iscomplexobj(value) else "f4"), False),
    "big-endian": (lambda value, place: value.astype(value.dtype.newbyteorder(">")), False),
    "integers": (lambda value, place: value.real.astype(int), False),
    "read-only": (lambda value, place: np.broadcast_to(value, np.shape(value)), False),
    "masked nowhere": (lambda value, place: value.view(np.ma.MaskedArray), False),
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
        and not (argument in CALLED and label in ("a class", "a function"))
        and not (label == "a chain" and isinstance(value, Chain))
        and not (label == "a state" and isinstance(value, State))
    }
    if kind in ("int", "float", "reals", "field", "pair", "seed", "flag"):
        wrong = kind in ("flag", "pair") and argument != "*index"
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
            found["complex"] = (lambda value, place: value + 1j, True)
            found["complex without an imaginary part"] = (lambda value, place: value + 0j, True)
    if kind in ("pair", "objects"):
        found["a list"] = (lambda value, place: list(value), False)
        found["one more"] = (lambda value, place: (*value, value[-1]), False)
        found["one less"] = (lambda value, place: value[:-1], False)
        found["reversed"] = (lambda value, place: value[::-1], False)
        for label in ("None", "a string", "an object", "not a number", "True", "an imaginary number"):
            fits = argument == "*index" or (label == "a string" and isinstance(value[0], str))
            found[f"{label} inside"] = (
                lambda value, place, make=NOTHING[label]: (make(), *value[1:]),
                not fits,
            )
        for x in EXTREME:
            found[f"{str(x)[:6]} inside"] = (lambda value, place, x=x: (*value[:-1], x), False)
    one = value[-1] if kind == "objects" else value
    for i, other in enumerate(others(one)):
        if argument == "self" and type(other) is not type(one):
            continue
        found[f"other {i}"] = (
            lambda value, place, x=other: (*value[:-1], x) if isinstance(value, tuple) else x,
            False,
        )
    return found


# The answer


def finite(thing, depth=0):
    """Whether no number in a result, or in what it has to say, is infinite or none."""
    if isinstance(thing, (float, complex, np.number)):
        return cmath.isfinite(thing)
    if isinstance(thing, np.ndarray):
        return thing.dtype.kind in "US" or bool(np.isfinite(thing).all())
    if isinstance(thing, dict):
        thing = tuple(thing.values())
    if isinstance(thing, (tuple, list)):
        return all(finite(part, depth) for part in thing)
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type) and depth < 3:
        names = [f.name for f in dataclasses.fields(thing)]
        names += [
            name for name, _ in inspect.getmembers(type(thing), lambda part: isinstance(part, property))
        ]
        return all(finite(getattr(thing, name), depth + 1) for name in names)
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
            good = name in INFINITE or finite(result)
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
    return None if good else ("not finite", repr(result)[:200])


def optional(name, argument):
    parameter = inspect.signature(FUNCTIONS[name]).parameters.get(argument)
    return parameter is not None and parameter.default is None


def attacks_on(name):
    """All of them: argument, label, place in an array."""
    for argument, value in calls()[name].items():
        for label in attacks(argument, value, optional(name, argument)):
            if argument != "self" or label.startswith("other"):
                for place in PLACES if "entry" in label else PLACES[:1]:
                    yield argument, label, place


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
    result = FUNCTIONS[name](*positional, **arguments)
    assert name in INFINITE or finite(result)
    plt.close("all")


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_bad_and_extreme_arguments(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wrong = {attack: answer(name, *attack) for attack in attacks_on(name)}
    assert not {attack: fault for attack, fault in wrong.items() if fault is not None}


@pytest.mark.parametrize("name", ["run", "short", "moments", "start", "ring"])
def test_records_print_one_short_line(name):
    text = repr(getattr(made(), name))
    assert "\n" not in text
    assert len(text) < 250


def test_results_print_one_short_line():
    m = made()
    baths = (lattice.Langevin(0, 1.0), lattice.Langevin(-1, 2.0))
    for result in (
        lattice.normal_modes(m.ring),
        lattice.micro.moments.stationary(m.line, baths),
        lattice.micro.green_kubo(**calls()["micro.green_kubo"]),
        m.averages,
        lattice.micro.evolve(m.ring, m.start, [1.0], observe=lattice.micro.Totals()),
    ):
        assert "\n" not in repr(result)
        assert len(repr(result)) < 300
