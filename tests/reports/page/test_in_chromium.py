"""The page in a real browser: what people do with it, and that it asks nothing of the network and reports no error."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from raterbench.reports.analysis import Analysis
from raterbench.reports.tables.table import Table

from ..conftest import axe_finds

HIDDEN_CLIPBOARD = (
    "Object.defineProperty(navigator, 'clipboard', {value: {writeText: async text => { window.copied = text; }}})"
)

FOCUSED = """() => {
  const at = document.activeElement, style = getComputedStyle(at);
  return {tag: at.tagName, id: at.closest("figure")?.id ?? "", text: at.textContent.trim(), outline: style.outlineStyle};
}"""


@pytest.fixture(scope="module")
def tab(chromium: Any, shown_page: Path) -> Iterator[Any]:
    """The page, open; whatever went wrong while the tests used it is an error at the end."""
    context = chromium.new_context(viewport={"width": 1200, "height": 800})
    context.add_init_script(HIDDEN_CLIPBOARD)
    tab, errors, asked = context.new_page(), [], []
    tab.on("console", lambda message: errors.append(message.text))
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(shown_page.as_uri())
    yield tab
    context.close()
    assert errors == []
    assert {url for url in asked if not url.startswith("data:")} == {shown_page.as_uri()}


@pytest.fixture
def comparison(tab: Any) -> Any:
    """The comparison, as it is at first."""
    tab.reload()
    return tab.locator("#table-comparison")


@pytest.fixture(scope="module")
def by_name(tables: list[Table]) -> dict[str, Table]:
    return {table.name: table for table in tables}


def names(figure: Any) -> list[str]:
    return figure.locator("tbody th:visible").all_text_contents()


def heads(figure: Any) -> list[str]:
    return [head.strip() for head in figure.locator("thead th:visible").all_text_contents()]


def copied(tab: Any, figure: Any, form: str) -> str:
    figure.get_by_role("button", name=f"as {form}").click()
    text: str = tab.evaluate("window.copied")
    return text


def test_the_first_screen_holds_the_answer(tab: Any, comparison: Any) -> None:
    bottom = tab.evaluate("document.querySelector('#answer').getBoundingClientRect().bottom")
    assert 300 < bottom <= 800
    assert tab.evaluate("document.documentElement.scrollWidth") == 1200
    box = comparison.locator(".scroll").evaluate("e => [e.scrollWidth, e.clientWidth]")
    assert box[0] == box[1], "the comparison fits 1200 pixels"


def test_a_click_sorts_and_a_second_one_turns_around(tab: Any, comparison: Any) -> None:
    for direction in ("ascending", "descending"):
        comparison.locator("thead button").nth(1).click()
        assert comparison.locator("thead th").nth(1).get_attribute("aria-sort") == direction
        cells = comparison.locator("tbody[data-kind=method] tr td:first-of-type").all_text_contents()
        values = [float(re.split("[ ±]", cell.strip())[0]) for cell in cells]
        assert values == sorted(values, reverse=direction == "descending") and len(set(values)) > 2
    assert "descending" in tab.locator("#said").inner_text()


def test_rows_are_filtered_by_text_and_kind(tab: Any, comparison: Any) -> None:
    everybody = names(comparison)
    comparison.get_by_label("Filter").fill("staple")
    assert names(comparison) == ["STAPLE", "Fused labels: STAPLE"]
    assert tab.locator("#said").inner_text() == f"2 of {len(everybody)} rows shown."
    comparison.get_by_label("Rows").select_option("fusion")
    assert names(comparison) == ["Fused labels: STAPLE"]
    comparison.get_by_label("Filter").fill("")
    comparison.get_by_label("Rows").select_option("")
    assert names(comparison) == everybody


def test_columns_are_switched(comparison: Any, by_name: dict[str, Table]) -> None:
    first = heads(comparison)
    for label, name in (("Each class", "by-class"), ("Each reference", "by-reference"), ("Each centre", "by-centre")):
        comparison.get_by_label("Columns").select_option(label=label)
        assert heads(comparison) == list(by_name[name].head)
        row = comparison.locator("tbody tr").nth(1).locator("th:visible, td:visible").all_text_contents()
        assert [" ".join(cell.split()) for cell in row[1:]] == [cell.text + cell.mark for cell in by_name[name].rows[1][1:]]
        assert comparison.locator("figcaption p:visible").all_text_contents() == by_name[name].paragraphs
    comparison.get_by_label("Columns").select_option(label="Overlap")
    assert heads(comparison)[:2] == ["Candidate", "Dice ↑"] and "Precision ↑" in heads(comparison)
    comparison.get_by_label("Columns").select_option(label="Overview")
    assert heads(comparison) == first


def test_what_is_copied_is_the_table(tab: Any, comparison: Any, by_name: dict[str, Table]) -> None:
    assert copied(tab, tab.locator("#table-differences"), "Markdown") == by_name["differences"].markdown()
    for name in ("differences", "by-class"):
        if name == "by-class":
            comparison.get_by_label("Columns").select_option(label="Each class")
        figure = tab.locator(f"#table-{name}") if name == "differences" else comparison
        text, file = copied(tab, figure, "LaTeX"), by_name[name].latex()
        body = slice(text.index("\\toprule"), text.index("\\bottomrule"))
        assert text[body] == file[file.index("\\toprule") : file.index("\\bottomrule")]
        assert text.splitlines()[0] == file.splitlines()[0] and "50\\% \\& more" in text
    comparison.get_by_label("Filter").fill("TGCE")
    lines = copied(tab, comparison, "CSV").splitlines()
    assert [line.partition(",")[0] for line in lines] == ["Candidate", "TGCE_ss 50% & more"]
    assert float(lines[1].split(",")[1]) == by_name["by-class"].rows[5][1].sort


@pytest.fixture
def browser(tab: Any) -> Any:
    """The case browser, as it is at first."""
    tab.reload()
    return tab.locator("#case-browser")


def picture(browser: Any) -> str:
    text: str = browser.locator("canvas").evaluate("canvas => canvas.toDataURL()")
    return text


def drawn(browser: Any, words: str) -> str:
    """The picture once its words are these."""
    browser.locator(f"canvas[aria-label*='{words}']").wait_for()
    return picture(browser)


def test_contours_and_maps_are_switched(browser: Any) -> None:
    seen = [drawn(browser, "Map: none")]
    for name in ("Contour of Ada", "Contour of Raters’ majority", "Contour of TGCE_ss 50% & more"):
        browser.get_by_label(name).check()
        seen.append(drawn(browser, name.removeprefix("Contour of ")))
    for name in ("Map of Ben", "Map of Raters’ soft average", "Map of STAPLE"):
        browser.get_by_label(name, exact=True).check()
        seen.append(drawn(browser, f"Map: {name.removeprefix('Map of ')}"))
    browser.get_by_role("combobox", name="Contours").select_option("0.9")
    browser.get_by_role("combobox", name="Of", exact=True).select_option(label="grey matter")
    seen.append(picture(browser))
    assert len(set(seen)) == len(seen)


def test_every_kept_case_is_shown_best_and_worst_by_rule(browser: Any, analysis: Analysis) -> None:
    cases = browser.get_by_role("combobox", name="Case", exact=True)
    assert cases.locator("option").count() == len(analysis.results.pictures)
    for case in analysis.results.pictures:
        assert drawn(browser, f"Case {case.id}.")
        assert case.why in browser.inner_text()
        browser.get_by_role("button", name="Next").click()
    browser.get_by_role("combobox", name="Order").select_option(label="STAPLE, worst first")
    rows = analysis.results.rows
    rows = rows[(rows["candidate"] == "STAPLE") & (rows["kind"] == "method") & (rows["metric"] == "dice")]
    means = rows[rows["reference"] == "truth"].groupby("case")["value"].mean()
    order = sorted((case.id for case in analysis.results.pictures), key=means.to_dict().get)
    assert [text.partition(". ")[2] for text in cases.locator("option").all_text_contents()] == order
    drawn(browser, f"Case {order[0]}")


def test_a_volume_has_a_slider(chromium: Any, shown_page: Path, tmp_path: Path) -> None:
    text = shown_page.read_text(encoding="utf-8")
    found = re.search(r'(<script type="application/json" id="cases">)(.*?)(</script>)', text, re.DOTALL)
    assert found is not None
    given = json.loads(found[2])
    given["cases"][0] |= {
        "slices": [3, 7],
        "start": 1,
        "pictures": [given["cases"][1]["pictures"][0], given["cases"][0]["pictures"][0]],
    }
    (tmp_path / "volume.html").write_text(text.replace(found[2], json.dumps(given)), encoding="utf-8")
    tab = chromium.new_page()
    tab.goto((tmp_path / "volume.html").as_uri())
    browser = tab.locator("#case-browser")
    first = drawn(browser, "slice 7")
    browser.get_by_role("slider", name="Slice").press("ArrowLeft")
    assert drawn(browser, "slice 3") != first
    assert browser.locator("output").inner_text() == "3 (1 of 2)"
    tab.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(tab: Any, scheme: str) -> None:
    said = axe_finds(tab, scheme, "tbody tr:nth-child(n + 3), dl div:nth-child(n + 3), li:nth-child(n + 3), .off")
    assert said == [], "\n".join(map(str, said))


def test_every_control_is_reached_by_the_keyboard_and_seen(tab: Any) -> None:
    tab.reload()
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    assert tab.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "answer"
    seen = []
    for _ in range(40):
        tab.keyboard.press("Tab")
        seen.append(tab.evaluate(FOCUSED))
        if seen[-1]["id"] == "table-comparison" and seen[-1]["tag"] == "BUTTON" and seen[-1]["text"] == "Candidate":
            break
    of_table = [s["tag"] for s in seen if s["id"] == "table-comparison"]
    assert of_table == ["SELECT", "SELECT", "INPUT", "BUTTON", "BUTTON", "BUTTON", "DIV", "BUTTON"]
    assert all(s["outline"] != "none" for s in seen)
    tab.keyboard.press("Space")
    assert tab.locator("#table-comparison thead th").first.get_attribute("aria-sort") == "ascending"


def test_a_narrow_screen_scrolls_no_page(tab: Any) -> None:
    tab.set_viewport_size({"width": 400, "height": 800})
    tab.reload()
    assert tab.evaluate("document.documentElement.scrollWidth") == 400
    tab.set_viewport_size({"width": 1200, "height": 800})


def test_the_page_is_printed_whole(tab: Any) -> None:
    tab.reload()
    assert tab.pdf(format="A4").startswith(b"%PDF")
    tab.emulate_media(media="print")
    for hidden in ("nav", ".tools >> nth=0", ".layers", ".raw >> nth=0"):
        assert not tab.locator(hidden).is_visible()
    assert tab.locator("#table-comparison").is_visible() and tab.locator("#case-browser canvas").is_visible()
    tab.emulate_media(media="screen")


def test_without_scripts_everything_can_be_read(chromium: Any, shown_page: Path) -> None:
    context = chromium.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(shown_page.as_uri())
    assert "Precision ↑" in heads(tab.locator("#table-comparison"))
    assert not tab.locator(".tools").first.is_visible() and tab.locator("noscript").count() == 1
    context.close()
