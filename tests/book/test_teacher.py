"""The teacher's edition: where solutions for assignment stand, and where they must not."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from book._cells import CELL
from tests.book.checks import parsed
from tests.book.site import ROOT, SITE

sys.path.insert(0, str(ROOT / "book" / "_ext"))

import teacher

PAGES = [page for page in sorted((ROOT / "book").glob("**/*.md")) if page.parent != teacher.SOLUTIONS]
TEACHERS = SITE.parent / "teacher"  # its site
SOLVED = sorted(teacher.SOLUTIONS.glob("*.md"))
# How an exercise begins: its level, its title, what to take and how long it takes
BEGINNING = re.compile(
    r"•{1,3} \S[^\n]*\n:label: \S+\n\*(Pencil|Keyboard|Pencil and keyboard), [1-9]\d* minutes\.\* \S"
)
STRAIGHT = str.maketrans("‘’“”", "''\"\"")  # what Sphinx makes of them, and what they were
WRITTEN = {".html", ".ipynb", ".js", ".md", ".txt"}  # what a site has of text

PAGE = """## Exercises

```{exercise} One
:label: ex-one
Find it. *For assignment; check value: 7.*
```

```{code-cell} ipython3
answer = 7
```

```{exercise} Two
:label: ex-two
Find the other.
```

```{solution-start} ex-two
:class: dropdown
```

It is 8.

```{solution-end}
```
"""


@pytest.fixture
def solutions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(teacher, "SOLUTIONS", tmp_path)
    return tmp_path


def misplaced(text: str) -> list[str]:
    """Exercises of a page whose solution is not where it belongs."""
    faults = []
    for exercise in teacher.EXERCISE.finditer(text):
        label = exercise[1]
        if "for assignment" not in exercise[0].lower():
            if teacher.solution(label).exists():
                faults.append(f"{label}: a solution in a file, of an exercise that is not for assignment")
            continue
        if re.search(rf"^```\{{solution-start\}} {label}$", text, re.MULTILINE):
            faults.append(f"{label}: for assignment, and solved on the page")
        elif not teacher.solution(label).exists():
            faults.append(f"{label}: for assignment, and solved nowhere")
        if re.search(r"^#+ ", re.sub(r"^```.*?^```", "", exercise[0], flags=re.M | re.S), re.MULTILINE):
            faults.append(f"{label}: its solution would stand under another heading")
    return faults


def pieces(text: str) -> set[str]:
    """What no rendering changes: lines of code, and what stands between the formulas of a sentence."""
    text = re.sub(r"^ *(?:[-+*]|\d+\.) ", "", text, flags=re.MULTILINE)  # the marks of lists
    found = re.split(r"\$+[^$]*\$+|\{[^`\n]*`[^`\n]*`|[*_`|\n]", text)
    return {piece for piece in map(spaced, found) if len(piece) > 25}


def spaced(text: str) -> str:
    """With single spaces between words, and quotation marks as they are typed."""
    return " ".join(text.translate(STRAIGHT).split())


def leaks(site: Path, solved: list[Path], public: str) -> list[str]:
    """Pieces of solutions that a site shows, though no page of the public edition has them."""
    told = spaced(public)
    secret = {piece for path in solved for piece in pieces(path.read_text("utf-8")) if piece not in told}
    faults = []
    for path in sorted(site.glob("**/*")):
        if path.suffix in WRITTEN and path.is_file() and "_static" not in path.parts:
            html = path.suffix == ".html"
            text = spaced(parsed(path).get_text() if html else path.read_text("utf-8"))
            faults += [f"{path.name}: {piece}" for piece in sorted(secret) if piece in text]
    return faults


def untold(site: Path, solved: list[Path]) -> list[str]:
    """Solutions that no page of a site shows whole: prose and code."""
    pages = [spaced(parsed(path).get_text()) for path in sorted(site.glob("book/**/*.html"))]
    faults = []
    for path in solved:
        wanted = pieces(CELL.sub(lambda cell: cell["code"], path.read_text("utf-8")))
        if not wanted or not any(all(piece in page for piece in wanted) for page in pages):
            faults.append(path.stem)
    return faults


def test_a_solution_follows_its_exercise(solutions):
    """The check value comes along, the next exercise does not, and nothing else changes."""
    (solutions / "ex-one.md").write_text("It is 7.\n\n```{code-cell} ipython3\nassert answer == 7\n```\n")
    text = teacher.teachers(PAGE)
    order = ["Find it", "answer = 7", "{solution-start} ex-one\n:class: dropdown", "It is 7."]
    order += ["assert answer == 7", "{solution-end}", "{exercise} Two", "{solution-start} ex-two"]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    added = text[text.index("```{solution-start} ex-one") : text.index("```{exercise} Two")]
    assert text.replace(added, "") == PAGE


def test_the_last_exercise_is_solved_too(solutions):
    (solutions / "ex-two.md").write_text("It is 8.")
    text = teacher.teachers(PAGE.partition("```{solution-start} ex-two")[0])
    assert text.endswith("It is 8.\n\n```{solution-end}\n```\n\n")


def test_pages_stay_as_they_are_without_solutions(solutions):
    assert teacher.teachers(PAGE) == PAGE


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_solutions_for_assignment_are_in_files(page):
    assert misplaced(page.read_text("utf-8")) == []


def unmarked(text: str) -> list[str]:
    """Titles of exercises that do not say their level, their tool and their minutes."""
    beginnings = re.split(r"^```\{exercise\} ", text, flags=re.MULTILINE)[1:]
    return [each.partition("\n")[0] for each in beginnings if not BEGINNING.match(each)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_exercises_say_their_level_tool_and_minutes(page):
    assert unmarked(page.read_text("utf-8")) == []


def test_unmarked_exercises_are_noticed():
    marked = "```{exercise} •• One\n:label: ex-one\n*Pencil and keyboard, 30 minutes.* Find it.\n```\n"
    assert unmarked(PAGE) == ["One", "Two"]
    assert unmarked(marked) == []
    for kept in ("•• ", "Pencil and keyboard, ", "30", "*"):
        assert len(unmarked(marked.replace(kept, ""))) == 1


def test_every_solution_belongs_to_an_exercise():
    labels = {
        exercise[1] for page in PAGES for exercise in teacher.EXERCISE.finditer(page.read_text("utf-8"))
    }
    assert {path.stem for path in SOLVED} <= labels


def test_misplaced_solutions_are_noticed(solutions):
    assert misplaced(PAGE) == ["ex-one: for assignment, and solved nowhere"]
    (solutions / "ex-one.md").touch()
    assert misplaced(PAGE) == []
    assert misplaced(PAGE.replace("Find the other.", "*For assignment*")) == [
        "ex-two: for assignment, and solved on the page"
    ]
    assert misplaced(PAGE.replace("```{exercise} Two", "## More\n\n```{exercise} Two")) == [
        "ex-one: its solution would stand under another heading"
    ]
    (solutions / "ex-two.md").touch()
    assert misplaced(PAGE) == ["ex-two: a solution in a file, of an exercise that is not for assignment"]


@pytest.mark.site
def test_the_public_site_has_no_solution_for_assignment():
    public = "".join(page.read_text("utf-8") for page in PAGES)
    assert leaks(SITE, SOLVED, public) == []


@pytest.mark.site
def test_the_public_site_has_no_cells_that_make_check_values():
    """They stand in the sources of the pages, hidden: neither these are there nor links to them."""
    assert list(SITE.glob("**/_sources/**/*.ipynb"))
    assert not list(SITE.glob("**/_sources/**/*.md"))
    page = (SITE / "book" / "noisy-chains" / "second-moments.html").read_text("utf-8")
    assert "second-moments.ipynb" in page
    assert "second-moments.md" not in page


@pytest.mark.site
def test_the_teachers_site_has_every_solution():
    if not TEACHERS.exists():
        pytest.skip("there is no teacher's edition: `make book EDITION=teacher` makes it")
    assert untold(TEACHERS, SOLVED) == []


def test_a_solution_that_is_told_nowhere_is_noticed(tmp_path):
    solved, page = tmp_path / "ex-one.md", tmp_path / "book" / "part" / "page.html"
    solved.write_text(
        '1. So $x$ gives the whole answer away.\n- It\'s "told" if no formula interrupts.\n\n'
        "```{code-cell} ipython3\n:tags: [hide-input, and-what-no-page-shows]\n"
        "answer = 7 + sum(range(1234567))\n```\n"
    )
    page.parent.mkdir(parents=True)
    told = "<p>So <i>x</i> gives the whole answer away.</p><p>It’s “told” if no formula interrupts.</p>"
    code = "<pre>answer = 7 + <b>sum</b>(range(1234567))</pre>"
    for html, faults in ((told + code, []), (told, ["ex-one"]), (code, ["ex-one"])):
        page.write_text(html)
        parsed.cache_clear()
        assert untold(tmp_path, [solved]) == faults
    (tmp_path / "ex-two.md").write_text("7")  # says nothing that one could look for
    assert untold(tmp_path, [tmp_path / "ex-two.md"]) == ["ex-two"]


def test_leaks_are_noticed(tmp_path):
    """In a page, its source, its notebook and the index of the search."""
    solved = tmp_path / "ex-one.md"
    solved.write_text("So $x$ gives the whole answer away.\nA line that the page has as well.\n")
    site, public = tmp_path / "site", "A line that the page has as well.\n"
    told = {
        "page.html": "<p>So <i>x</i>\n <span>gives the</span> whole answer away.</p>",
        "_sources/page.md": "So $x$ gives the whole answer away.",
        "_sources/page.ipynb": '"So $x$ gives the whole answer away.\\n",',
        "searchindex.js": '"gives the whole answer away."',
    }
    for name in told:
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(public)
    assert leaks(site, [solved], public) == []
    parsed.cache_clear()
    for name, text in told.items():
        (site / name).write_text(text)
    assert len(leaks(site, [solved], public)) == len(told)
