"""Formulas that readers change in the built pages, opened from disk."""

import json
import re

import pytest
from pages import BOOK, open_page
from playwright.sync_api import expect

from lrcore import formulas, toy

DATA = re.compile(r'<script type="application/json" id="lr-formulas">(.*?)</script>')
PAGES = {
    path.name: json.loads(DATA.search(path.read_text())[1])
    for path in sorted((BOOK / "chapters").glob("*.html"))
    if DATA.search(path.read_text())
}
each = pytest.mark.parametrize("name", PAGES)
one = pytest.mark.parametrize("name", ["step_lr.html"])


@pytest.fixture
def page(name, browser):
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    opened = open_page(context, name)
    yield opened
    assert not opened.trouble
    context.close()


def explorer(page, formula):
    return page.locator(f'.lr-explorer[data-formula="{formula}"]').first


def rates(page, formula):
    return explorer(page, formula).evaluate("root => root.lrCurves.rate")


SETTLED = """([name, wanted]) => {
  const { rate } = document.querySelector(`.lr-explorer[data-formula="${name}"]`).lrCurves;
  const near = (a, b) => Math.abs(a - b) <= 1e-12 + 1e-9 * Math.abs(b);
  return rate.length === wanted.length && rate.every((one, t) => near(one, wanted[t]));
}"""
# whether a new curve has come, and covers the published one
COVERS = """name => {
  const explorer = document.querySelector(`.lr-explorer[data-formula="${name}"]`);
  if (explorer.lrCurves === window.before) return false;
  const panel = explorer.querySelector('[data-panel="rate"]');
  const numbers = (path) => (path.getAttribute("d").match(/[-\\d.e]+/g) ?? []).map(Number);
  const a = numbers(panel.querySelector(".lr-curve"));
  const b = numbers(panel.querySelector(".lr-pinned"));
  return a.length === b.length && a.every((number, i) => Math.abs(number - b[i]) < 1e-6);
}"""


def settled(page, formula, wanted):
    """Wait until the explorer shows some rates."""
    page.wait_for_function(SETTLED, arg=[formula, wanted])


def write(page, code):
    page.locator(".lr-change .cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(code)


def test_most_formulas_can_be_changed():
    names = {name for formulas_of in PAGES.values() for name in formulas_of}
    followed = {name for name in vars(formulas) if name in names}
    assert len(PAGES) >= 15 and len(followed) >= 14, sorted(names)


@each
def test_a_formula_as_published_gives_the_published_curve(name, page):
    """In Python what PScript computes, at the start and at both ends of every slider."""
    for number, shown in enumerate(PAGES[name].values()):
        formula = shown["formula"]
        before = rates(page, formula)
        page.locator(".lr-change .lr-open").nth(number).click()
        bar = page.locator(".lr-change").nth(number)
        expect(bar).to_have_attribute("data-changes", re.compile("[1-9]"), timeout=30_000)
        settled(page, formula, before)
        write_back = bar.locator(".cm-content")
        expect(write_back).to_be_visible()
        inputs = explorer(page, formula).locator('.lr-controls input[type="range"]')
        for i in range(inputs.count()):
            for end in ("min", "max"):
                inputs.nth(i).evaluate(
                    """(input, end) => {
                      window.before = input.closest(".lr-explorer").lrCurves;
                      input.value = input[end];
                      input.dispatchEvent(new Event("input", {bubbles: true}));
                    }""",
                    end,
                )
                page.wait_for_function(COVERS, arg=formula)
                published = explorer(page, formula).locator(".lr-legend li").nth(1)
                assert "the formula as published" in published.inner_text()
            explorer(page, formula).locator(".lr-reset").click()
        assert bar.locator(".lr-told").inner_text() == ""
        bar.locator(".lr-close").click()
        assert rates(page, formula) == before
        assert explorer(page, formula).locator(".lr-legend li").count() == 0


@one
def test_the_curve_and_the_loss_follow_what_is_written(name, page):
    page.locator(".lr-change .lr-open").click()
    write(page, "def step_lr(t, base_lr, step_size, gamma=0.1):\n    return base_lr / (1 + t)\n")
    wanted = [0.5 / (1 + t) for t in range(100)]
    settled(page, "step_lr", wanted)
    losses = explorer(page, "step_lr").evaluate("root => root.lrCurves.loss")
    assert losses == pytest.approx(toy.expected_losses(wanted))
    # the original is dashed behind it, and both are in sight with the editor
    assert explorer(page, "step_lr").locator('[data-panel="rate"] .lr-pinned').count() == 1
    bottom = explorer(page, "step_lr").locator(".lr-panels").bounding_box()
    top = page.locator(".lr-change .cm-editor").bounding_box()
    page.locator(".lr-change").scroll_into_view_if_needed()
    assert bottom["y"] + bottom["height"] - top["y"] < 720
    slider = explorer(page, "step_lr").locator('[name="lr"]')
    slider.fill("1")
    settled(page, "step_lr", [1 / (1 + t) for t in range(100)])


@one
def test_a_mistake_is_told_by_line_and_the_last_good_curve_stays(name, page):
    page.locator(".lr-change .lr-open").click()
    write(page, "def step_lr(t, base_lr, step_size, gamma=0.1):\n    return 0.25\n")
    settled(page, "step_lr", [0.25] * 100)
    told = page.locator(".lr-change .lr-told")
    for code, says in {
        "def step_lr(t, base_lr, step_size, gamma=0.1):\n    return 1 / (t - 5)\n": (
            "Line 2: ZeroDivisionError: division by zero"
        ),
        "def step_lr(t, base_lr, step_size, gamma=0.1)\n    return 1\n": "Line 1: SyntaxError",
        "def step_lr(t, base_lr, step_size, gamma=0.1):\n    pass\n": "which is no number",
        "def other(t):\n    return 1\n": "NameError: name 'step_lr' is not defined",
        "def step_lr(t, base_lr, step_size, gamma=0.1):\n    while True:\n        pass\n": (
            "Is there a loop that never ends?"
        ),
    }.items():
        write(page, code)
        expect(told).to_contain_text(says, timeout=15_000)
        assert rates(page, "step_lr") == [0.25] * 100
    page.locator(".lr-change .lr-again").click()
    settled(page, "step_lr", [formulas.step_lr(t, 0.5, 25, 0.1) for t in range(100)])
    expect(told).to_be_hidden()
