"""The playground in the built book, opened from disk: written, moved, pinned, linked and drawn."""

import json
import math
import re

import pytest
from pages import BOOK, ON_DISK, open_page
from programs import run_program
from torch.optim import lr_scheduler

from book.page_python.examples import EXAMPLES
from lrcore import toy, trace

READY = "() => document.querySelector('#lr-playground')?.dataset.ready === 'true'"
CURVES = "() => document.querySelector('#lr-playground').lrCurves"
# all tests in one process, beside the pages' (see conftest.py)
here = pytest.mark.parametrize("name", ["playground.html"])


def open_playground(context, fragment="", base=ON_DISK):
    page = open_page(context, f"playground.html{fragment}", base)
    page.wait_for_function(READY, timeout=30_000)
    return page


@pytest.fixture
def context(browser):
    made = browser.new_context(viewport={"width": 1280, "height": 900})
    yield made
    made.close()


@pytest.fixture
def page(context):
    opened = open_playground(context)
    yield opened
    assert not opened.trouble


@pytest.fixture
def served(context, server):
    """The page from a server: what is kept of a page from disk, Chromium 156 may lose."""
    opened = open_playground(context, base=server)
    yield opened
    assert not opened.trouble


def after(page, action):
    """Do something that computes, and wait until it is drawn."""
    root = page.locator("#lr-playground")
    before = int(root.get_attribute("data-computed") or 0)
    action()
    page.wait_for_function(
        "n => Number(document.querySelector('#lr-playground').dataset.computed) > n", arg=before
    )
    return page.evaluate(CURVES)


def write(page, code):
    def action():
        page.locator("#lr-playground .cm-content").click()
        page.keyboard.press("Control+a")
        page.keyboard.insert_text(code)

    return after(page, action)


def reload(page):
    page.reload()
    page.wait_for_function(READY, timeout=30_000)


def told(page):
    return page.locator("#lr-playground .lr-told").inner_text()


def move(page, name, value):
    return after(page, lambda: page.locator(f'#lr-playground [name="{name}"]').fill(str(value)))


def in_cpython(code, steps=100, lr=0.5, **values):
    """Rates and momenta of the code with the real torch."""
    names = {}
    exec(code, names)
    if "rate" in names:
        return [names["rate"](t, **values) for t in range(steps)], None
    plateau = "ReduceLROnPlateau" in code
    metrics = toy.validation_loss if plateau else None
    return trace(lambda o: names["scheduler"](o, **values), steps, lr, metrics)


def link(page):
    """The address that Copy a link makes."""
    page.locator(".lr-link").click()
    page.wait_for_function("() => location.hash.startsWith('#s=')")
    return page.url


@here
def test_every_example_has_the_curves_of_the_real_torch(name, page):
    menu = page.locator("#lr-playground .lr-example")
    for example, code in EXAMPLES.items():
        curves = after(page, lambda example=example: menu.select_option(example)) or {}
        if curves.get("of", {}).get("code") != code:  # the first one was there already
            curves = page.evaluate(CURVES)
        assert curves["of"]["code"] == code
        rates, momenta = in_cpython(code)
        assert curves["rate"] == pytest.approx(rates, rel=1e-12, abs=1e-15), example
        assert curves["loss"] == pytest.approx(toy.expected_losses(rates), rel=1e-9)
        run = [w for place in curves["path"] for w in place]
        assert run == pytest.approx([w for place in toy.noisy_path(rates) for w in place], rel=1e-9)
        if momenta and min(momenta) < max(momenta):
            assert curves["momentum"] == pytest.approx(momenta)
        else:
            assert curves["momentum"] is None
        assert page.locator('svg[data-panel="momentum"]').is_visible() == bool(curves["momentum"])


@here
def test_each_number_is_a_slider_that_moves_the_curve(name, page):
    code = "def rate(t, peak=0.5, warmup=10, name='x', end=100):\n"
    code += "    return peak * min(1, t / warmup)\n"
    write(page, code)
    sliders = page.locator("#lr-playground .lr-controls input[type=range]")
    assert [s.get_attribute("name") for s in sliders.all()] == ["peak", "warmup", "end"]
    curves = move(page, "warmup", 4)
    assert curves["rate"] == pytest.approx([0.5 * min(1, t / 4) for t in range(100)])
    curves = move(page, "peak", 0.25)
    assert curves["rate"][50] == 0.25
    curves = after(page, lambda: page.locator("#lr-play-steps").fill("30"))
    assert len(curves["rate"]) == 30
    # the reader's settings stay when the code changes elsewhere
    curves = write(page, code + "# a comment\n")
    assert curves["rate"] == pytest.approx([0.25 * min(1, t / 4) for t in range(30)])


@here
@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("def rate(t):\n    return 1 / (t - 3)\n", "Line 2: ZeroDivisionError: division by zero"),
        ("def rate(t)\n    return 1\n", "Line 1: SyntaxError: invalid syntax"),
        ("def rate(t):\n    pass\n", "rate(0) gives None, which is no number"),
        ("def rate(t):\n    return float('nan')\n", "the rate of step 0 is nan"),
        ("x = 1\n", "write a function scheduler(optimizer, ...) or rate(t, ...)"),
        ("def scheduler(optimizer):\n    pass\n", "must return a scheduler, not None"),
        ("def rate(t):\n    while True:\n        pass\n", "Is there a loop that never ends?"),
        ("x = []\nwhile True:\n    x.append(x)\n", ""),
        ("while True:\n    print('on and on')\n", "Is there a loop that never ends?"),
        ("import numpy\n", "open the chapter in Colab"),
        ("not Python at all", "Line 1: SyntaxError: invalid syntax"),
    ],
)
def test_what_does_not_work_is_told_and_the_last_curve_stays(name, page, code, says):
    before = page.evaluate(CURVES)["rate"]
    write(page, code)
    assert says in told(page) and told(page)
    assert page.evaluate(CURVES)["rate"] == before
    assert page.locator(".cm-content").inner_text().strip() == code.strip()
    fine = "def rate(t):\n    return 0.25\n"
    assert write(page, fine)["rate"] == [0.25] * 100


@here
def test_a_link_holds_code_sliders_and_pins(name, page, context):
    page.locator(".lr-example").select_option("warm-up, stable, decay (1 - sqrt)")
    move(page, "warmup", 7)
    page.locator(".lr-pin").click()
    page.locator(".lr-name").fill("mine é <b>")
    write(page, "def rate(t, c=0.125):\n    return c  # é\n")
    move(page, "c", 0.2)
    page.locator(".lr-pin").click()
    address = link(page)
    assert "#s=" in address and len(address) < 2000

    other = open_playground(context.browser.new_context(), "#" + address.partition("#")[2])
    assert other.evaluate(CURVES)["rate"] == [0.2] * 100
    assert other.locator(".cm-content").inner_text().strip().endswith("return c  # é")
    names = [entry.input_value() for entry in other.locator(".lr-name").all()]
    assert names == ["mine é <b>", "my schedule: c=0.2"]
    wanted, _ = in_cpython(EXAMPLES["warm-up, stable, decay (1 - sqrt)"], warmup=7)
    curves = after(other, lambda: other.locator(".lr-back").first.click())
    assert curves["rate"] == pytest.approx(wanted)
    other.locator(".lr-unpin").first.click()
    assert other.locator(".lr-name").count() == 1
    assert not other.trouble
    other.context.close()


@here
@pytest.mark.parametrize(
    "fragment",
    ["#s=", "#s=abc", "#s=%", "#s=" + "A" * 500, "#s=q1YqSy0qzszPU7KqBQA", "#s=N4", "#other"],
)
def test_a_link_that_is_broken_is_told(name, context, fragment):
    page = open_playground(context, fragment)
    assert ("cannot be read" in told(page)) == fragment.startswith("#s=")
    assert len(page.evaluate(CURVES)["rate"]) == 100
    assert not page.trouble


@here
def test_what_was_written_is_there_again(name, served):
    write(served, "def rate(t):\n    return 0.0625\n")
    reload(served)
    assert served.evaluate(CURVES)["rate"] == [0.0625] * 100


def draw(page, points):
    """Draw a line through points, as (step, rate), with the mouse."""
    panel = page.locator('svg[data-panel="rate"]')
    panel.scroll_into_view_if_needed()
    box = panel.bounding_box()
    data = panel.evaluate("svg => ({...svg.dataset})")
    data = {
        key: float(data[key]) for key in ("left", "top", "width", "height", "xmax", "ymin", "ymax")
    }

    def place(step, rate):
        x = box["x"] + data["left"] + data["width"] * step / data["xmax"]
        part = (rate - data["ymin"]) / (data["ymax"] - data["ymin"])
        return x, box["y"] + data["top"] + data["height"] * (1 - part)

    page.mouse.move(*place(*points[0]))
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*place(*point), steps=8)
    page.mouse.up()
    page.wait_for_function("() => document.querySelector('.lr-score').dataset.judged")


@here
def test_a_drawn_schedule_is_judged_against_the_best_cosine(name, page):
    page.locator(".lr-draw").click()
    draw(page, [(0, 0.5), (60, 0.5), (99, 0.02)])
    curves = page.evaluate(CURVES)
    assert max(abs(a - b) for a, b in zip(curves["rate"][:60], [0.5] * 60, strict=True)) < 0.03
    assert curves["rate"][99] < 0.06
    score = page.locator(".lr-score").inner_text()
    losses = toy.expected_losses(curves["rate"])
    assert f"expected loss of {losses[-1]:.3g}" in score
    peak, best = map(float, re.findall(r"rate of ([\d.]+) and ends at ([\d.]+\d)", score)[0])
    finals = [
        toy.expected_losses([p * (1 + math.cos(math.pi * t / 100)) / 2 for t in range(100)])[-1]
        for p in [0.05 * i for i in range(1, 50)]
    ]
    assert best <= min(finals) + 5e-5 and best == pytest.approx(min(finals), rel=0.01)
    assert ("you beat it" in score) == (losses[-1] < best)
    # the drawing is in the link too
    other = open_playground(page.context, "#" + link(page).partition("#")[2])
    assert other.evaluate(CURVES)["rate"] == pytest.approx(curves["rate"])


@here
@pytest.mark.parametrize(
    ("run", "steps"),
    [
        ({"images": 1000, "batch size": 100, "epochs": 3}, 30),
        ({"images": 1001, "batch size": 100, "epochs": 3, "accumulation": 4}, 9),
        ({"images": 1000, "batch size": 25, "epochs": 2, "processes": 4}, 20),
        ({"images": 10, "batch size": 100, "epochs": 5, "accumulation": 8}, 5),
    ],
)
def test_a_run_is_counted_fitted_and_given_back_as_a_program(name, page, run, steps):
    page.locator(".lr-run summary").click()
    for field, value in run.items():
        page.locator(f'.lr-run-form [name="{field}"]').fill(str(value))
    note = page.locator(".lr-run-told")
    assert f"{steps} in all" in note.inner_text()
    assert f"end=100, but the run has {steps} optimizer steps" in note.inner_text()
    move(page, "warmup", 2)
    after(page, lambda: page.locator(".lr-fit").click())
    assert "but the run has" not in note.inner_text()
    curves = page.evaluate(CURVES)
    rows, error = run_program(page.locator(".lr-code").inner_text())
    assert error is None and len(rows) == steps == len(curves["rate"])
    assert [rate for (rate,) in rows] == pytest.approx(curves["rate"])
    labels = page.locator('svg[data-panel="rate"] .lr-epochs text').all_text_contents()
    assert labels[:2] == ["epoch 0", "1"] and len(labels) == run["epochs"] + 1


@here
def test_a_schedule_that_does_not_fit_the_run_is_told(name, page):
    page.locator(".lr-run summary").click()
    for field, value in {"images": 1000, "batch size": 100, "epochs": 20}.items():
        page.locator(f'.lr-run-form [name="{field}"]').fill(str(value))
    note = page.locator(".lr-run-told")
    write(page, "def rate(t, full=50):\n    return 0.5 * max(0, 1 - t / full)\n")
    after(page, lambda: page.locator(".lr-fit").click())
    assert "From step 50 on the rate stays at 0" in note.inner_text()
    move(page, "full", 100)
    write(page, "def rate(t, full=1000):\n    return 0.5 * max(0, 1 - t / full)\n")
    assert "still above half of its highest" in note.inner_text()
    for bad in ("0", "-3", "1.5", ""):
        page.locator('.lr-run-form [name="epochs"]').fill(bad)
        assert "allowed is a whole number from 1" in note.inner_text()


@here
def test_programs_of_both_kinds_run_as_copied(name, page):
    page.locator(".lr-run summary").click()
    for example, code in EXAMPLES.items():
        after(page, lambda example=example: page.locator(".lr-example").select_option(example))
        for field, value in {"images": 1000, "batch size": 100, "epochs": 10}.items():
            page.locator(f'.lr-run-form [name="{field}"]').fill(str(value))
        text = page.locator(".lr-code").inner_text()
        rows, error = run_program(text)
        assert error is None and len(rows) == 100, (example, error)
        if "ReduceLROnPlateau" not in code:
            rates, _ = in_cpython(code)
            assert [rate for (rate,) in rows] == pytest.approx(rates)
    assert "LRScheduler" in lr_scheduler.__all__


@here
def test_on_a_phone(name, browser):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    context = browser.new_context(**phone)
    page = open_playground(context)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for button in page.locator("#lr-playground button:visible, #lr-playground select").all():
        box = button.bounding_box()
        assert min(box["width"], box["height"]) >= 24
    context.close()


def test_the_examples_are_in_the_page():
    html = (BOOK / "chapters" / "playground.html").read_text()
    data = re.search(r'<script type="application/json" id="lr-examples">(.*?)</script>', html)
    assert json.loads(data[1]) == EXAMPLES


SIGNATURES = [
    ("def rate(t, warmup: int = 10, peak: float = 0.5):", ["warmup", "peak"]),
    ("def rate(t, peak=0.5,  # highest (of all), n=5\n         end=100):", ["peak", "end"]),
    ("def rate(t, betas=(0.9, 0.99), peak=0.5):", ["peak"]),
    ('"""\ndef rate(t, x=1):\n"""\ndef rate(t, peak=0.5):', ["peak"]),
    ("def rate(t, a=1):\n    return 0\n\n\ndef rate(t, peak=0.5):", ["peak"]),
    ("def rate(t, größe=5, peak=0.5):", ["größe", "peak"]),
    ("def rate(t, length=3, item=4, constructor=5, steps=7, peak=0.5):",
     ["length", "item", "constructor", "steps", "peak"]),
]  # fmt: skip


@here
def test_parameters_are_read_as_python_reads_them(name, page):
    for head, names in SIGNATURES:
        curves = write(page, f"{head}\n    return peak\n")
        sliders = page.locator("#lr-playground .lr-controls input[type=range]")
        assert [s.get_attribute("name") for s in sliders.all()] == names, head
        assert curves["rate"][0] == 0.5, (head, told(page))
    curves = move(page, "steps", 5)  # the last one's own, not the number of optimizer steps
    assert len(curves["rate"]) == 100 and curves["of"]["values"]["steps"] == 5


OWN = "def rate(t, peak=0.125):\n    return peak\n"


@here
def test_what_is_written_after_a_link_was_made_is_kept(name, served):
    link(served)
    write(served, OWN)
    assert "#s=" not in served.url
    reload(served)
    assert served.evaluate(CURVES)["rate"][0] == 0.125


@here
def test_a_look_at_a_link_leaves_the_readers_own_work(name, served, context, server):
    address = link(served)
    write(served, OWN)
    served.close()
    for fragment, rate in (("#s=cut", 0.125), ("#" + address.partition("#")[2], None)):
        looked = open_playground(context, fragment, server)
        found = looked.evaluate(CURVES)["rate"][0]
        assert (found == rate) if rate else found != 0.125
        looked.close()
        again = open_playground(context, base=server)
        assert again.evaluate(CURVES)["rate"][0] == 0.125
        again.close()


@here
def test_what_is_typed_while_python_is_busy_is_kept(name, served):
    served.locator("#lr-playground .cm-content").click()
    served.keyboard.press("Control+a")
    served.keyboard.insert_text("def rate(t):\n    while True:\n        pass\n")
    served.wait_for_timeout(600)
    served.keyboard.press("Control+a")
    served.keyboard.insert_text(OWN)
    served.wait_for_timeout(600)
    reload(served)
    assert served.evaluate(CURVES)["rate"][0] == 0.125


@here
def test_a_bad_pin_takes_nothing_else_away(name, served):
    state = {"code": OWN, "pins": [None, {"code": OWN, "name": "good"}, {"code": "x ="}]}
    served.evaluate("s => localStorage.setItem('lr-playground', s)", json.dumps(state))
    reload(served)
    assert served.evaluate(CURVES)["rate"][0] == 0.125
    names = served.locator("#lr-playground .lr-name")
    assert [one.input_value() for one in names.all()] == ["good"]
    assert move(served, "peak", 0.2)["rate"][0] == 0.2  # what is left can still be drawn
    served.locator("#lr-playground .lr-pin").click()
    assert names.count() == 2


def draw_line(page, height):
    area = page.locator('svg[data-panel="rate"]').bounding_box()
    y = area["y"] + height * area["height"]
    page.mouse.move(area["x"] + area["width"] / 3, y)
    page.mouse.down()
    page.mouse.move(area["x"] + 2 * area["width"] / 3, y, steps=4)
    page.mouse.up()
    page.wait_for_timeout(800)


@here
def test_a_pinned_drawing_stays_as_it_was_and_has_its_program(name, page):
    page.locator("#lr-playground .lr-draw").click()
    draw_line(page, 0.3)
    pinned = page.evaluate(CURVES)["rate"]
    page.locator("#lr-playground .lr-pin").click()
    draw_line(page, 0.6)
    assert page.evaluate(CURVES)["rate"] != pinned
    curves = after(page, lambda: page.locator("#lr-playground .lr-back").click())
    assert curves["rate"] == pinned
    page.locator("#lr-playground .lr-run summary").click()
    page.locator('.lr-run-form [name="images"]').fill("1280")
    rows, ended = run_program(page.locator("#lr-playground .lr-code").inner_text())
    assert not ended and [rate for rate, *_ in rows] == pytest.approx(pinned)


@here
def test_the_menu_names_the_example_or_none(name, page):
    menu = page.locator("#lr-playground .lr-example")
    first = next(iter(EXAMPLES))
    assert menu.input_value() == first
    write(page, OWN)
    assert menu.input_value() == ""
    curves = after(page, lambda: menu.select_option(first))
    assert curves["of"]["code"] == EXAMPLES[first] and menu.input_value() == first


@here
def test_many_pins_leave_room_for_the_sliders_on_a_phone(name, browser):
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = open_playground(context)
    for _ in range(14):
        page.locator("#lr-playground .lr-pin").tap()
    assert page.locator("#lr-playground .lr-stage").bounding_box()["height"] < 600
    context.close()
