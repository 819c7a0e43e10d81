"""Arguments: what a number, an array, a seed or a list of times has to be, said once.

Every function returns its argument in the form that the computation wants, or raises a ValueError
that names the argument, its value and what is allowed.  Nothing is guessed: a string, a bool, a
masked entry or an imaginary part is no number.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
import math
import numbers
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "bounds",
    "brief",
    "field",
    "finite",
    "generator",
    "instance",
    "integer",
    "number",
    "one_of",
    "reals",
    "shown",
    "steps",
    "times",
    "work",
]

LONGEST = 120  # characters of a value in a message
SOURCES = (np.random.Generator, np.random.BitGenerator, np.random.RandomState, np.random.SeedSequence)


def shown(value: object) -> str:
    """The value for a message, cut if it is long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def brief(record: Any) -> str:
    """A record in one line: what is not as usual; of vectors the ends and the length, of arrays the shape."""

    def written(value: object) -> str:
        if not isinstance(value, np.ndarray) or not value.ndim:
            text = repr(value)
            return text if len(text) <= LONGEST and "\n" not in text else f"{type(value).__name__}(…)"
        if value.ndim > 1:
            return f"array {value.shape}"
        if len(value) < 4:
            return repr(value.tolist())
        return f"[{value[0].item()}, …, {value[-1].item()}: {len(value)}]"

    def usual(value: object, default: object) -> bool:
        return not isinstance(value, np.ndarray) and default is not dataclasses.MISSING and value == default

    held = [(f.name, getattr(record, f.name), f.default) for f in dataclasses.fields(record) if f.repr]
    words = [f"{name}={written(value)}" for name, value, default in held if not usual(value, default)]
    return f"{type(record).__name__}({', '.join(words)})"


def _refuse(name: str, value: object, allowed: str) -> ValueError:
    return ValueError(f"{name} = {shown(value)}; allowed: {allowed}")


def number(
    name: str,
    value: object,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
) -> float:
    """A finite real number, at least `least`, above `above` and at most `most`."""
    plain = isinstance(value, np.ndarray) and value.ndim == 0 and not np.ma.is_masked(value)
    whole = value.item() if plain else value
    try:
        real = isinstance(whole, numbers.Real) and not isinstance(whole, (bool, np.bool_))
        found = float(whole) if real else math.nan
    except OverflowError:  # an integer beyond the floats
        found = math.nan
    fits = (
        math.isfinite(found)
        and (least is None or found >= least)
        and (above is None or found > above)
        and (most is None or found <= most)
    )
    if not fits:
        limits = (("at least", least), ("above", above), ("at most", most))
        words = [f"{word} {limit:g}" for word, limit in limits if limit is not None]
        raise _refuse(name, value, " ".join(["a finite number", " and ".join(words)]).strip())
    return found


def integer(name: str, value: object, *, least: int | None = None, most: int | None = None) -> int:
    """An integer, at least `least` and at most `most`."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or (least is not None and value < least) or (most is not None and value > most):
        limits = (("at least", least), ("at most", most))
        words = [f"{word} {limit}" for word, limit in limits if limit is not None]
        raise _refuse(name, value, " ".join(["an integer", " and ".join(words)]).strip())
    return int(value)


def one_of(name: str, value: object, allowed: Collection[str]) -> str:
    """One of a few words."""
    if not isinstance(value, str) or value not in allowed:
        raise _refuse(name, value, ", ".join(map(repr, allowed)))
    return value


def instance(name: str, value: object, kinds: type | tuple[type, ...], allowed: str) -> Any:
    """An object of these classes; `allowed` says so in words."""
    if not isinstance(value, kinds):
        raise _refuse(name, value, allowed)
    return value


def _entries(name: str, value: ArrayLike, kinds: str, what: str, dtype: type) -> NDArray:
    """An array of finite numbers of these kinds, not empty, in double precision."""
    try:
        array = np.asarray(value)
    except Exception as error:  # rows of different lengths, or what the array protocol of others raises
        raise _refuse(name, value, f"an array of {what}") from error
    if array.dtype.kind not in kinds or np.ma.is_masked(value):
        raise _refuse(name, value, f"an array of {what}")
    if array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}; allowed: at least one entry")
    with np.errstate(over="ignore"):  # of a higher precision, for example
        array = array.astype(dtype, copy=False)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has entries that are not finite: {shown(value)}; allowed: finite numbers")
    return array


def reals(name: str, value: ArrayLike, *, ndim: int | None = None) -> NDArray[np.float64]:
    """An array of finite real numbers, float64 and not empty; with so many dimensions if that is said."""
    array = _entries(name, value, "iuf", "real numbers", np.float64)
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{name} has shape {array.shape}; allowed: {ndim} dimension{'s' * (ndim > 1)}")
    return array


def field(name: str, value: ArrayLike) -> NDArray[np.complex128]:
    """An array of finite complex numbers, complex128 and not empty."""
    return _entries(name, value, "iufc", "numbers", np.complex128)


def bounds(name: str, value: object, *, least: float | None = None) -> tuple[float, float]:
    """A pair of finite numbers, the second larger; the first at least `least` if that is said."""
    low, high = math.inf, -math.inf
    if isinstance(value, (tuple, list, np.ndarray)):  # a set or a dict has no first end
        try:
            low, high = (number(name, end) for end in value)
        except (TypeError, ValueError):
            low, high = math.inf, -math.inf
    if not low < high or (least is not None and low < least):
        floor = "" if least is None else f"{least:g} ≤ "
        raise _refuse(name, value, f"a pair (low, high) of finite numbers with {floor}low < high")
    return low, high


def times(value: ArrayLike, *, strictly: bool = False) -> NDArray[np.float64]:
    """A vector of ascending times, the first not negative; all different if `strictly`."""
    array = reals("times", value)
    vector = array if array.ndim == 1 else np.array([-1.0])
    later, before = vector[1:], vector[:-1]  # their differences may be beyond the floats
    if vector[0] < 0 or (later < before).any() or (strictly and (later == before).any()):
        how = "increasing" if strictly else "ascending"
        raise _refuse("times", value, f"a vector of {how} numbers, the first not negative")
    return array


def steps(times: NDArray[np.float64], dt: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How many equal steps of at most `dt` lead from each time to the next from 0 on, and of which length."""
    intervals = np.diff(times, prepend=0.0)
    # 1e-9: an interval of 10 dt has 10 steps whichever way it was rounded
    counts = np.ceil(intervals / dt * (1 - 1e-9))
    return counts, intervals / np.maximum(counts, 1)


def generator(rng: object) -> np.random.Generator:
    """The generator of an argument `rng`: itself, or a new one from a seed.

    A seed is whatever `numpy.random.default_rng` takes, except None: nothing is random unless asked for.
    """
    allowed = "a numpy.random.Generator, or a seed: an integer, not negative, for example"
    if isinstance(rng, np.random.SeedSequence):
        rng = copy.deepcopy(rng)  # a seed stays as it is, and serves again
    several = isinstance(rng, (list, tuple)) or (isinstance(rng, np.ndarray) and rng.ndim == 1)
    try:
        if several or not isinstance(rng, SOURCES):
            for word in rng if several else [rng]:
                integer("rng", word, least=0)
        if several and not len(rng):
            raise ValueError("no word")
        found = np.random.default_rng(rng)
        if not hasattr(found.bit_generator.seed_seq, "spawn"):
            raise ValueError("a RandomState has no children")
    except (TypeError, ValueError) as error:
        raise _refuse("rng", rng, allowed) from error
    return found


def work(name: str, value: object, count: float, most: float) -> None:
    """Refuse an argument that would cost more than `most` steps; `count` of them are needed."""
    if not count <= most:
        raise ValueError(f"{name} = {shown(value)} needs {count:.1e} steps; allowed: at most {most:.0e}")


def finite(function: Callable) -> Callable:
    """Decorate a function of numbers: a result beyond the floats is a ValueError that names the arguments.

    It returns a number, an array, a tuple or a record of them.  What overflows on the way ends there.
    """

    def beyond(args: tuple, kwargs: dict) -> ValueError:
        given = inspect.signature(function).bind(*args, **kwargs).arguments
        words = [f"{name} = {shown(value)}" for name, value in given.items()]
        if "self" in given:
            words[0] = f"{type(args[0]).__name__.lower()} = {shown(args[0])}"
        return ValueError(
            f"{', '.join(words)}: {function.__name__} is beyond the floats; allowed: smaller numbers"
        )

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        try:
            with np.errstate(over="raise", divide="ignore", invalid="ignore"):
                result = function(*args, **kwargs)
        except (ArithmeticError, np.linalg.LinAlgError) as error:
            raise beyond(args, kwargs) from error
        held = tuple(vars(result).values()) if dataclasses.is_dataclass(result) else result
        parts = held if isinstance(held, tuple) else (held,)
        found = [part for part in parts if isinstance(part, (float, complex, np.number, np.ndarray))]
        if not all(np.isfinite(part).all() for part in found):
            raise beyond(args, kwargs)
        return result

    return checked
