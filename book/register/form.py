"""What ``book/claims.yml`` must look like."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

__all__ = ["PATTERNS", "REGISTER", "problems", "read_register"]

REGISTER = Path(__file__).resolve().parents[1] / "claims.yml"

VERDICTS = ("confirmed", "corrected", "open")
SOURCE_FIELDS = {"authors", "title", "cite", "version"}
TEXTS = {"id", "source", "equation", "claim", "verdict", "section"}
LISTS = {"tests", "quantities"}
ERRATUM = {"print", "correction", "evidence"}
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
    """The register, checked: ``{"sources": {key: …}, "claims": [{"id": …}, …]}``.

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
    if not isinstance(document, dict) or set(document) != {"sources", "claims"}:
        return ["allowed at the top: `sources` and `claims`"]
    found = []
    for key, source in document["sources"].items():
        if not isinstance(source, dict) or set(source) != SOURCE_FIELDS:
            found.append(f"source {key}: allowed fields are exactly {sorted(SOURCE_FIELDS)}")
    ids = []
    keys = []
    for position, entry in enumerate(document["claims"]):
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
            found.append(f"claim number {position + 1} has no id")
            continue
        ids.append(entry["id"])
        found += [f"{entry['id']}: {problem}" for problem in _entry_problems(entry, document["sources"])]
        keys += entry.get("quantities") or []
    for what, names in (("id", ids), ("quantity", keys)):
        found += [f"{what} {name} occurs twice" for name in sorted({x for x in names if names.count(x) > 1})]
    return found


def _entry_problems(entry: dict[str, Any], sources: dict[str, Any]) -> list[str]:
    """The mistakes of one claim."""
    found = []
    verdict = entry.get("verdict")
    wanted = TEXTS | {"tests"} | (ERRATUM if verdict == "corrected" else set())
    if verdict not in VERDICTS:
        found.append(f"verdict = {verdict!r}; allowed: {', '.join(VERDICTS)}")
    found += [f"`{name}` is missing" for name in sorted(wanted - set(entry))]
    found += [f"`{name}` does not belong here" for name in sorted(set(entry) - wanted - {"quantities"})]
    for name, value in entry.items():
        values = value if name in LISTS else [value]
        if not isinstance(values, list) or not values or not all(isinstance(x, str) and x for x in values):
            found.append(f"{name} = {value!r}; allowed: {'a list of texts' if name in LISTS else 'a text'}")
        elif name in PATTERNS:
            pattern, allowed = PATTERNS[name]
            found += [f"{name}: {x!r}; allowed: {allowed}" for x in values if not re.fullmatch(pattern, x)]
    source = entry.get("source")
    if source not in sources or not entry["id"].startswith(f"{source}-"):
        found.append(f"source = {source!r}; allowed: the one of {', '.join(sources)} that the id begins with")
    for key in entry.get("quantities") or ():
        if str(key).partition("/")[0] != entry["id"]:
            found.append(f"quantity {key!r}; allowed: names that begin with {entry['id']}/")
    return found
