"""The register on the built site: its filter, its badges, its errata."""

from __future__ import annotations

import pytest

from book.register import read_register
from tests.book.checks import parsed
from tests.book.site import ROOT, SITE, VIEWS, WRITTEN

pytestmark = pytest.mark.site

PAGE = "book/claims.html"
NOTES = "Notes on the source"


def wrong_badges(source, verdicts):
    """Badges that say something else than the register."""
    said = [
        (each.a.get_text(), each.select_one(".claim-verdict").get_text())
        for each in source.select(".claim-id")
    ]
    return [(claim, word) for claim, word in said if verdicts.get(claim) != word]


def verdicts():
    register = read_register()
    found = {entry["id"]: entry["verdict"] for entry in register["claims"]}
    return found | {entry["id"]: "ours" for entry in register["findings"]}


@pytest.mark.parametrize("page", WRITTEN)
def test_badges_say_what_the_register_says(page):
    assert wrong_badges(parsed(SITE / page), verdicts()) == []


def test_a_wrong_badge_is_seen():
    source = parsed(SITE / "book/noisy-chains/harmonic-chain.html")
    assert ("bos-3", "corrected") in wrong_badges(source, verdicts() | {"bos-3": "confirmed"})


def test_every_claim_has_a_row_and_an_entry():
    source = parsed(SITE / PAGE)
    for entry in read_register()["claims"]:
        anchor = f"claim-{entry['id'].replace('.', '-')}"
        (row,) = source.select(f"tr.source-{entry['source']}:has([href='#{anchor}'])")
        (part,) = source.select(f"section.claim-entry:has(> #{anchor})")
        for node in (row, part):
            assert f"verdict-{entry['verdict']}" in node["class"]
            assert ("kind" in entry) is (f"kind-{entry.get('kind')}" in node["class"])
        for test in entry["tests"]:
            assert [a for a in row.select("a") if a["href"].endswith("#" + test.partition("::")[2])]


def test_errata_are_in_full_or_listed():
    source = parsed(SITE / "book/errata.html")
    corrected = [entry for entry in read_register()["claims"] if entry["verdict"] == "corrected"]
    in_full = {node["id"] for node in source.select("[id^=erratum-]")}
    assert in_full == {
        f"erratum-{entry['id'].replace('.', '-')}" for entry in corrected if entry["kind"] != "slip"
    }
    badges = [badge.get_text() for badge in source.select("h3 .claim-kind")]
    assert sorted(badges) == sorted(entry["kind"] for entry in corrected if entry["kind"] != "slip")
    slips = "section:has(> h3:-soup-contains-own('Slips'))"  # of each source
    listed = {a.get_text() for a in source.select(f"{slips} li .claim-id a")}
    assert listed == {entry["id"] for entry in corrected if entry["kind"] == "slip"}
    notes = source.select("#notes-in-the-chapters .admonition")
    sources = {page: (ROOT / page).with_suffix(".md").read_text("utf-8") for page in WRITTEN}
    boxes = {page: text.count(f"{{admonition}} {NOTES}\n") for page, text in sources.items()}
    boxed = [page for page, count in boxes.items() if count]
    titles = {parsed(SITE / page).h1.find(string=True, recursive=False) for page in boxed}
    assert {note.select_one(".admonition-title").get_text() for note in notes} == titles
    assert len(notes) == sum(boxes.values()) >= 3


def shown(tab):
    return tab.locator("tr.claim-entry:visible").count(), tab.locator("section.claim-entry:visible").count()


@pytest.mark.parametrize("view", ["light", "phone"])
def test_claims_are_filtered_by_the_keyboard(view, visit, server):
    opened = visit(server, PAGE, view)
    tab, claims = opened.tab, read_register()["claims"]
    assert shown(tab) == (len(claims), len(claims))
    choice, kind = tab.get_by_label("Verdict"), tab.get_by_label("Kind of correction")
    sources = {entry["source"] for entry in claims}
    assert tab.get_by_label("Source").is_visible() is (len(sources) > 1)
    for key, verdict in (("c", "confirmed"), ("ArrowDown", "corrected")):
        choice.focus()
        choice.press(key)
        # which of them comes next is the order of the claims
        assert choice.input_value() in ("verdict-confirmed", "verdict-corrected"), verdict
        wanted = choice.input_value().removeprefix("verdict-")
        assert kind.is_disabled() is (wanted == "confirmed")
        count = sum(entry["verdict"] == wanted for entry in claims)
        assert shown(tab) == (count, count)
        assert tab.locator(".claims-filter output").text_content().startswith(f"{count} of {len(claims)} ")
    tab.get_by_label("Verdict").select_option("all")
    kind.select_option("gap")
    gaps = [entry["section"].partition("#")[0] for entry in claims if entry.get("kind") == "gap"]
    pages = {entry["section"].partition("#")[0] for entry in claims}
    assert pages > set(gaps) > set()
    for page in pages:
        tab.get_by_label("Chapter").select_option(page.replace("-", " ").replace("/", ": "))
        assert shown(tab) == (gaps.count(page),) * 2
    assert opened.troubles == []


def test_all_claims_are_shown_without_the_script(browser):
    context = browser.new_context(**VIEWS["light"], java_script_enabled=False)
    tab = context.new_page()
    tab.goto(f"{SITE.as_uri()}/{PAGE}")
    assert shown(tab) == (len(read_register()["claims"]),) * 2
    assert tab.locator(".claims-filter").count() == 0
    context.close()
