"""The register in Markdown: summaries, entries, corrections, and numbers with their errors."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Any

from book.register import KINDS, VERDICTS, agreement, errors, values

Entry = dict[str, Any]
NOTHING = "–"


def plain(text: str) -> str:
    """Text that Markdown leaves alone, in a table too."""
    return re.sub(r"([\\`*_{}\[\]<>$|#~])", r"\\\1", text)


def number(value: float, stderr: float = 0.0, systematic: float = 0.0) -> str:
    """A value with its errors, to two digits of the smaller one; seven digits if there is none."""
    present = [error for error in (stderr, systematic) if error]
    if not present:
        return f"{value:.7g}".replace("-", "−")
    places = max(0, 1 - math.floor(math.log10(min(present))))
    text = f"{value:.{places}f}"
    if stderr:
        text += f" ± {stderr:.{places}f}"
    if systematic:
        text += f" ± {systematic:.{places}f} (systematic)"
    return text.replace("-", "−")


def numbers(entry: Entry) -> list[str]:
    """The values of a recorded quantity."""
    recorded = values(entry["value"])
    parts = [
        entry[name] if isinstance(entry[name], list) else [entry[name]] * len(recorded)
        for name in ("stderr", "systematic")
    ]
    return list(map(number, recorded, *parts))


def brief(value: float, error: float = 0.0) -> str:
    """A value with its error in brackets, for tables; six digits if there is none."""
    if not error:
        return f"{value:.6g}".replace("-", "−")
    places = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{places}f}({round(error * 10**places)})".replace("-", "−")


def columns(entry: Entry, measured: dict[str, Entry]) -> list[tuple[str, str, str, str]]:
    """Printed, ours, measured and the deviation in standard errors, a line for each number of a claim."""
    quantities = entry.get("quantities", ())
    lines: list[tuple[str, str, str, str]] = []
    for key in quantities:
        if key not in measured:
            continue
        said = (isinstance(quantities, dict) and quantities[key]) or {}
        found = list(map(brief, values(measured[key]["value"]), errors(measured[key])))
        printed, ours = (
            [brief(x) for x in values(said[name])] if name in said else [NOTHING] * len(found)
            for name in ("printed", "ours")
        )
        deviations = [deviation(said, measured[key]), *[""] * (len(found) - 1)]
        lines += zip(printed, ours, found, deviations, strict=True)
    return lines or [(NOTHING,) * 4]


def deviation(said: dict[str, Any], entry: Entry) -> str:
    """How far a recorded quantity is from ours: in standard errors, or how exactly they agree."""
    if "ours" not in said:
        return NOTHING
    _, sigmas = agreement(said["ours"], entry)
    if sigmas is not None:
        return f"{sigmas:.1f}"
    return f"{100 * said['within']:g} %" if "within" in said else "exact"


def equation(entry: Entry) -> str:
    """Where a claim stands in its source."""
    return plain(("equation " if entry["equation"].startswith("(") else "") + entry["equation"])


def definition(term: str, *paragraphs: str) -> list[str]:
    """An item of a definition list."""
    lines = [term]
    for paragraph in paragraphs:
        first, *rest = paragraph.split("\n")
        lines += [f": {first}", *(f"  {line}" for line in rest)]
    return [*lines, ""]


def section_label(entry: Entry) -> str:
    return entry["section"].partition("#")[2]


def shown(entry: Entry) -> list[str]:
    """Where an entry is shown and what asserts it."""
    lines = definition("Shown in, or nearest to", f"{{ref}}`{section_label(entry)}`")
    return lines + definition("Asserted by", *(f"{{claim-test}}`{test}`" for test in entry["tests"]))


def summary(register: dict[str, Any]) -> list[str]:
    """How many claims of each source have which verdict, and how many corrections are of which kind."""
    sources = register["sources"]
    counts = Counter((entry["source"], entry["verdict"], entry.get("kind")) for entry in register["claims"])
    outcomes = [
        (verdict, kind) for verdict in VERDICTS for kind in (KINDS if verdict == "corrected" else (None,))
    ]
    rows = [
        [f"{{claim-verdict}}`{verdict}`", kind or "", *(str(counts[key, verdict, kind]) for key in sources)]
        for verdict, kind in outcomes
    ]
    totals = [str(sum(n for (source, *_), n in counts.items() if source == key)) for key in sources]
    rows.append(["together", "", *totals])
    head = ["Verdict", "Kind", *(source["authors"] for source in sources.values())]
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)] + [""]


def source_head(source: dict[str, Any]) -> list[str]:
    """What opens the part of a source."""
    texts = "; ".join(source["texts"].values())
    title = f"*{source['title']}* {{cite:p}}`{source['cite']}`; read in {texts}."
    return [f"## {source['authors']}", "", title, ""]


def correction(entry: Entry, texts: dict[str, str]) -> list[str]:
    """A letter to the authors of the source."""
    seen = [f"Which is {texts[entry['seen']]}."] if len(texts) > 1 else []  # else the head says it
    lines = definition("In the text we read", entry["print"], *seen)
    lines += definition("Proposed reading", entry["correction"])
    return lines + definition("Evidence", entry["evidence"])


def register_entry(entry: Entry, measured: dict[str, Entry], texts: dict[str, str]) -> list[str]:
    """One claim of the register."""
    lines = [f"(claim-{entry['id']})=", f"### {entry['id']}: {equation(entry)}", ""]
    lines += definition("Claim", entry["claim"])
    verdict = f"{{claim-verdict}}`{entry['verdict']}`"
    if entry["verdict"] == "corrected":
        verdict += f", {entry['kind']}"
        if entry["kind"] != "slip":
            verdict += f"; {{ref}}`text, proposed reading and evidence <erratum-{entry['id']}>`"
    lines += definition("Verdict", verdict)
    if entry.get("kind") == "slip":
        lines += correction(entry, texts)
    lines += shown(entry)
    for key in entry.get("quantities", ()):
        if key in measured:
            found = measured[key]
            seed = "" if found["seed"] is None else f" (seed {found['seed']})"
            value = f"**{'; '.join(numbers(found))}**"
            lines += definition(f"Measured: {key}", value, f"{plain(found['method'])}{seed}")
    return lines


def erratum(entry: Entry, texts: dict[str, str]) -> list[str]:
    """One correction in full."""
    title = equation(entry)
    head = f"### {title[0].upper()}{title[1:]} {{claim-kind}}`{entry['kind']}`"
    lines = [f"(erratum-{entry['id']})=", head, ""]
    lines += correction(entry, texts)
    return lines + definition("Shown in", f"{{ref}}`{section_label(entry)}`; claim {{claim}}`{entry['id']}`")


def slip(entry: Entry) -> list[str]:
    """One slip, as an item of a list."""
    title = equation(entry)
    head = f"**{title[0].upper()}{title[1:]}**, {{claim}}`{entry['id']}`."
    return [
        f"- {head} In the text we read: {entry['print']}",
        "",
        f"  Proposed reading: {entry['correction']}",
        "",
    ]


def finding(entry: Entry) -> list[str]:
    """Something that we found."""
    lines = [f"(claim-{entry['id']})=", f"### {entry['id']}", ""]
    lines += definition("Finding", entry["finding"])
    lines += definition("Searched", entry["searched"])
    lines += definition("Nearest literature", entry["nearest"])
    return lines + shown(entry)
