"""No typed number: a result in prose, a caption or an alternative text comes from a cell.

Refused is a decimal number, a percentage, a value with its error or a power of ten that stands there in
digits, unless it is a parameter: a number that the code of the page holds, its figures not counted.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import jupytext
import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "book"))

from _cells import CELL
from _ext.teacher import teachers
from _format import ROOT, chapters

GLUED = re.compile(r"\{\w+(?::\w+)?\}`[^`]*`|https?://[^\s)]+")  # and what other roles hold: labels, claims
NUMBER = re.compile(
    r"""(?<![\w.]) (?<!section\ )                # not the end of a longer one, or of a name
    (?: (?P<share> \d+ (?:\.\d+)? ) (?= \s? (?: \\?% | per\ cent ))
      | (?P<error> \d+\.\d+ \s? (?: ± | \\pm ) \s? \d+ \.\d+ | \d+ \s? ± \s? \d+ )
      | (?P<power> \d+ (?:\.\d+)? \s? \\(?: cdot | times ) \s? 10\^\{?-?\d+ )
      | (?P<decimal> \d+\.\d+ ) (?! \.?\d ) )""",
    re.VERBOSE,
)
# Chapters that are not mended yet, and what they type.  To shrink, never to grow.
UNMENDED = {
    "book/noisy-chains/appendix-monte-carlo.md": [
        *("4.4", r"10 \cdot 10^4", r"6 \cdot 10^{-7", "1.99", "1.99", "0.37", "2.15", "1.00", r"1.3 \pm 0.1"),
        *("1.05", "1.00", "0.999", "3.09", "2.6", "4.4"),
    ],
    "book/noisy-chains/conductivity.md": ["0.60", "1.13"],
    "book/noisy-chains/noise-that-conserves.md": ["1.5"],
    "book/wigner-limits/appendix-wigner.md": ["0.75", "0.25"],
    "book/wigner-limits/boltzmann-equation.md": ["1.74", "2.7"],
    "book/wigner-limits/from-waves-to-rays.md": ["1.07"],
    "book/wigner-limits/random-flights.md": ["0.36", "0.3536"],
}

CHAPTERS = [page.relative_to(ROOT).as_posix() for page in chapters()]


def split(text: str) -> tuple[str, set[str]]:
    """What a page tells its reader, and the numbers of its code as they are written."""
    told, numbers = [CELL.sub("", text.split("\n---\n", 1)[-1])], set()
    for cell in jupytext.reads(text, fmt="md:myst").cells:
        options = cell.metadata.get("mystnb", {})
        if cell.cell_type == "code" and "figure" in options:
            told.append(yaml.safe_dump(options, allow_unicode=True, width=10**6))
        elif cell.cell_type == "code":
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.Constant) and type(node.value) in (int, float):
                    numbers.add(ast.get_source_segment(cell.source, node))
    return GLUED.sub(" ", "\n".join(told)), numbers


def is_parameter(number: re.Match[str], numbers: set[str]) -> bool:
    """Whether the code has it: a decimal number in the same digits, a share also as 1 plus or minus it."""
    text, values = number[0], [float(each) for each in numbers]
    if number["share"]:
        share = float(text) / 100
        return any(abs(share - abs(other)) < 1e-12 for value in values for other in (value, value - 1))
    if number["power"]:
        mantissa, exponent = re.split(r"\s?\\\w+\s?10\^\{?", text)
        return any(abs(float(f"{mantissa}e{exponent}") / value - 1) < 1e-12 for value in values if value)
    return text in numbers


def typed(text: str) -> list[str]:
    """The numbers that a page types and its code does not have."""
    told, numbers = split(text)
    return [match[0] for match in NUMBER.finditer(told) if not is_parameter(match, numbers)]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_no_result_is_typed(chapter):
    """What is listed as not mended must still be there, so that the list shrinks."""
    assert typed(teachers((ROOT / chapter).read_text("utf-8"))) == UNMENDED.get(chapter, [])


PAGE = """---
kernelspec: {name: python3, display_name: Python 3, language: python}
---

# A page

It is {glue:text}`ex-1.5` at $\\gamma = 0.05$, 20 % of all. See section 4.3, and [there](https://doi.org/10.1000/1.5e).

```{code-cell} ipython3
rate, share, tiny = 0.05, 0.2, 2e-6
```

```{code-cell} ipython3
---
mystnb:
  figure:
    name: fig-ex
    caption: |
      A caption, 20 per cent, up to $2 \\cdot 10^{-6}$.
  image:
    alt: A curve that ends at 0.05.
---
ax.plot(0.31, 7.25)
```
"""


def test_parameters_and_glued_numbers_may_stand():
    assert typed(PAGE) == []


@pytest.mark.parametrize(
    ("right", "wrong", "found"),
    [
        ("See", "The current is 0.31.", ["0.31"]),  # only a figure knows it
        ("See", "It is $J = -0.313$.", ["0.313"]),
        ("See", "$\\frac{0.31}{2}$", ["0.31"]),
        ("See", "It is 12 ± 3.", ["12 ± 3"]),
        ("See", "It is $0.31 \\pm 0.05$.", ["0.31 \\pm 0.05"]),
        ("See", "It is off by 47 %.", ["47"]),
        ("See", "It is off by 4.7 per cent.", ["4.7"]),
        ("See", "Only $3\\times10^{-6}$ are.", ["3\\times10^{-6"]),
        ("See", "\n\n```{note}\nIt is 0.31.\n```\n\n| a | 7.25 |\n", ["0.31", "7.25"]),
        ("A caption", "The line ends at 7.25", ["7.25"]),
        ("ends at 0.05", "ends at 0.0524", ["0.0524"]),
        ("ends at 0.05", "ends at 0.050", ["0.050"]),  # a result has more digits than a parameter
        ("rate, share, tiny = 0.05", "rate, share, tiny = 0.06", ["0.05", "0.05"]),
    ],
)
def test_typed_results_are_noticed(right, wrong, found):
    assert PAGE.count(right) == 1
    assert typed(PAGE.replace(right, wrong)) == found
