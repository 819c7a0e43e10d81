"""What ``book/claims.yml`` must look like."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import yaml

__all__ = ["KINDS", "PATTERNS", "REGISTER", "VERDICTS", "problems", "read_register"]

REGISTER = Path(__file__).resolve().parents[1] / "claims.yml"

VERDICTS = ("confirmed", "corrected", "open")
KINDS = ("constant", "gap", "overstated", "slip")  # of a correction
SOURCE_FIELDS = {"authors", "title", "cite", "texts"}
SHOWN = {"id", "section", "tests"}  # of every entry
CLAIM = SHOWN | {"source", "equation", "claim", "verdict"}
CORRECTION = {"kind", "seen", "print", "correction", "evidence"}
FINDING = SHOWN | {"finding", "searched", "nearest"}
NUMBERS = {"printed", "ours", "within"}
# Words that a letter to the authors does without
BLAME = re.compile(r"\b(?:typos?|mistakes?|mistaken|misprint\w*|blunder\w*|careless\w*|forg[eo]t\w*)\b", re.I)
PATTERNS = {
    "id": (r"[a-z]+-[a-z0-9.\-]+", "a source, a hyphen, an equation number or a word: bos-23"),
    "section": (
        r"[\w\-/]+#[\w\-]+",
        "a page below book/ and the label of a heading on it: part/chapter#label",
    ),
    "tests": (r"tests/[\w/]+\.py::test_\w+", "tests/…/test_….py::test_…"),
    "quantities": (
        r"[a-z]+-[a-z0-9.\-]+/[A-Za-z0-9.\-]+",
        "the id, a slash, a name: bos-23/isolated-eigenvalue",
    ),
}


def read_register() -> dict[str, Any]:
    """The register, checked: ``{"sources": {key: …}, "claims": [{"id": …}, …], "findings": […]}``.

    Raises
    ------
    ValueError
        If the file is not what it must be; the message lists every mistake.
    """
    try:
        document = yaml.safe_load(REGISTER.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{REGISTER} is not YAML: {error}") from error
    if mistakes := problems(document):
        raise ValueError("\n".join([f"{REGISTER} has mistakes:", *mistakes]))
    return document


def problems(document: Any) -> list[str]:
    """Every mistake in the form of a register, in plain words."""
    if not isinstance(document, dict) or set(document) != {"sources", "claims", "findings"}:
        return ["allowed at the top: `sources`, `claims` and `findings`"]
    sources = document["sources"]
    found = []
    for key, source in sources.items():
        if not isinstance(source, dict) or set(source) != SOURCE_FIELDS:
            found.append(f"source {key}: allowed fields are exactly {sorted(SOURCE_FIELDS)}")
        elif not isinstance(source["texts"], dict) or not all(map(_is_text, source["texts"].values())):
            found.append(f"source {key}: texts = {source['texts']!r}; allowed: names and what they stand for")
    ids = []
    keys = []
    for what, own in (("claims", _claim_problems), ("findings", _finding_problems)):
        for position, entry in enumerate(document[what]):
            if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
                found.append(f"number {position + 1} of the {what} has no id")
                continue
            ids.append(entry["id"])
            found += [f"{entry['id']}: {problem}" for problem in own(entry, sources)]
            keys += entry.get("quantities") or []
    for what, names in (("id", ids), ("quantity", keys)):
        found += [f"{what} {name} occurs twice" for name in sorted({x for x in names if names.count(x) > 1})]
    return found


def _claim_problems(entry: dict[str, Any], sources: dict[str, Any]) -> list[str]:
    """The mistakes of one claim of a source."""
    verdict, source = entry.get("verdict"), entry.get("source")
    corrected = verdict == "corrected"
    found = _field_problems(entry, CLAIM | (CORRECTION if corrected else set()), {"quantities"})
    if verdict not in VERDICTS:
        found.append(f"verdict = {verdict!r}; allowed: {', '.join(VERDICTS)}")
    if source not in sources or not entry["id"].startswith(f"{source}-"):
        found.append(f"source = {source!r}; allowed: the one of {', '.join(sources)} that the id begins with")
    elif corrected:
        texts = sources[source]["texts"]
        if entry.get("seen") not in texts:
            found.append(f"seen = {entry.get('seen')!r}; allowed: a text of the source: {', '.join(texts)}")
    if corrected and entry.get("kind") not in KINDS:
        found.append(f"kind = {entry.get('kind')!r}; allowed: {', '.join(KINDS)}")
    for name in ("print", "correction", "evidence"):
        if word := BLAME.search(str(entry.get(name))):
            found.append(f"{name} says {word[0]!r}; allowed: what a letter to the authors would say")
    for key in entry.get("quantities") or ():
        if str(key).partition("/")[0] != entry["id"]:
            found.append(f"quantity {key!r}; allowed: names that begin with {entry['id']}/")
    return found


def _finding_problems(entry: dict[str, Any], sources: dict[str, Any]) -> list[str]:
    """The mistakes of one finding of ours."""
    found = _field_problems(entry, FINDING, set())
    if not entry["id"].startswith("our-"):
        found.append(f"id = {entry['id']!r}; allowed: names that begin with our-")
    return found


def _field_problems(entry: dict[str, Any], wanted: set[str], optional: set[str]) -> list[str]:
    """Fields that are missing, too many or of another form."""
    found = [f"`{name}` is missing" for name in sorted(wanted - set(entry))]
    found += [f"`{name}` does not belong here" for name in sorted(set(entry) - wanted - optional)]
    for name, value in entry.items():
        several = name in ("tests", "quantities")
        values = value if several else [value]
        if name == "quantities" and isinstance(value, dict):
            found += [problem for key, numbers in value.items() for problem in _number_problems(key, numbers)]
            values = list(value)
        if not isinstance(values, list) or not values or not all(map(_is_text, values)):
            found.append(f"{name} = {value!r}; allowed: {'a list of texts' if several else 'a text'}")
        elif name in PATTERNS:
            pattern, allowed = PATTERNS[name]
            found += [f"{name}: {x!r}; allowed: {allowed}" for x in values if not re.fullmatch(pattern, x)]
    return found


def _number_problems(key: str, numbers: Any) -> list[str]:
    """The mistakes of what is said of a quantity: nothing, or printed and our numbers, and how exactly."""
    if numbers is None:
        return []
    if not isinstance(numbers, dict) or not numbers or not set(numbers) <= NUMBERS:
        return [f"{key}: {numbers!r}; allowed: nothing, or some of {', '.join(sorted(NUMBERS))}"]
    found = []
    for name in ("printed", "ours"):
        value = numbers.get(name, 0)
        values = value if isinstance(value, list) else [value]
        if not values or not all(type(x) in (int, float) and math.isfinite(x) for x in values):
            found.append(f"{key}: {name} = {value!r}; allowed: a finite number or a list of them")
    within = numbers.get("within", 0.1)
    if type(within) not in (int, float) or not 0 < within <= 0.1:
        found.append(f"{key}: within = {within!r}; allowed: 0 < within ≤ 0.1, of the number")
    return found


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())
