"""The exercises in the built pages, opened from disk, answered by typing into them."""

import contextlib
import json
import re
from collections import Counter

import pytest
from pages import BOOK, open_page
from playwright.sync_api import expect
from student_answers import all_answers, all_exercises, exercises_of, solved, told

EXERCISES = [(chapter, exercise) for chapter, exercise in all_exercises() if not exercise.colab]
CHAPTERS = sorted({chapter for chapter, _ in EXERCISES})
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def some(answers):
    """Two wrong answers of each exercise, and a right one: in Node all of them are tried."""
    count = Counter()
    for answer in answers:
        of = (answer.chapter, answer.number, answer.right)
        count[of] += 1
        if count[of] <= (1 if answer.right else 2):
            yield answer


STUDENTS = [answer for answer in some(all_answers()) if answer.chapter in CHAPTERS]


def each(chapters):
    """Parametrize by page. The tests of one page run in one process (see conftest.py), one after
    the other, so it is loaded once."""
    pages = [f"{chapter}.html" for chapter in chapters]
    return pytest.mark.parametrize("name", pages, scope="module")


@contextlib.contextmanager
def from_disk(name, browser):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = open_page(context, name)
    yield opened
    assert not opened.trouble
    context.close()


@pytest.fixture
def page(name, browser):
    """The page `name`, from disk."""
    with from_disk(name, browser) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(name, browser):
    """The same page, for tests that overwrite what the one before left in the editors."""
    with from_disk(name, browser) as opened:
        yield opened


def box(page, number):
    return page.locator(f"#exercise-{number} .lr-exercise")


def type_answer(page, number, text):
    """Put `text` into the editor, as somebody does who pastes it over all that is there."""
    exercise = box(page, number)
    if not exercise.locator(".cm-content").count():
        exercise.locator(".lr-open").click()
    exercise.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


# Asked at each frame; `expect` would ask less and less often.
CHECKED = """([number, checks]) =>
  document.querySelector(`#exercise-${number} .lr-exercise`).dataset.checks === `${checks}`"""


def check(page, number):
    """Press Check, wait, and return what is told."""
    exercise = box(page, number)
    before = int(exercise.get_attribute("data-checks") or 0)
    exercise.locator(".lr-check").click()
    page.wait_for_function(CHECKED, arg=[number, before + 1], timeout=30_000)
    return exercise.locator(".lr-told").inner_text().strip()


@each(CHAPTERS)
def test_each_exercise_says_in_the_page_what_cpython_says(name, shared):
    """As published, and solved; the curves are drawn."""
    chapter = name.removesuffix(".html")
    for number, exercise in exercises_of(chapter).items():
        if exercise.colab:
            continue
        assert check(shared, number) == told(exercise, exercise.starter)
        type_answer(shared, number, solved(exercise))
        text = check(shared, number)
        assert text == told(exercise, solved(exercise))
        expect(box(shared, number).locator(".lr-told")).to_have_class(re.compile("lr-correct"))
        drawn = box(shared, number).locator(".lr-compared").is_visible()
        assert drawn == ("steps agree" in text.splitlines()[-1])


@each(sorted({answer.chapter for answer in STUDENTS}))
def test_students_are_told_in_the_page_what_is_wrong(name, shared):
    for answer in STUDENTS:
        exercise = exercises_of(answer.chapter).get(answer.number)
        if f"{answer.chapter}.html" != name or exercise.colab:
            continue
        type_answer(shared, answer.number, answer.text)
        text = check(shared, answer.number)
        correct = "lr-correct" in box(shared, answer.number).locator(".lr-told").get_attribute(
            "class"
        )
        if answer.colab:
            assert "open the chapter in Colab" in text
        else:
            assert correct == answer.right, (answer, text)
            assert answer.says in text


ONE = "step_lr.html"
one = pytest.mark.parametrize("name", [ONE])


@one
def test_nothing_is_loaded_before_an_exercise_is_touched(name, browser):
    context = browser.new_context()
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    page.goto((BOOK / "chapters" / name).as_uri())
    box(page, 1).scroll_into_view_if_needed()
    assert not [file for file in asked if file.startswith("page_python_")]
    box(page, 1).locator(".lr-check").click()
    expect(box(page, 1).locator(".lr-told")).to_be_visible()
    assert {"page_python_runtime.js", "page_python_editor.js"} <= set(asked)
    context.close()


@one
def test_an_error_names_the_line_and_marks_it(name, page):
    type_answer(page, 1, "x = 1\ny = x / 0\n")
    assert check(page, 1) == "Line 2: ZeroDivisionError: division by zero"
    marked = box(page, 1).locator(".lr-wrong-line")
    expect(marked).to_have_text("y = x / 0")
    box(page, 1).locator(".cm-content").click()
    page.keyboard.press("End")
    page.keyboard.type("  ")
    expect(marked).to_have_count(0)


@one
@pytest.mark.parametrize(
    "endless", ["while True:\n    pass", "x = []\nwhile True:\n    x.append(x)"]
)
def test_what_never_ends_is_stopped_and_the_next_check_works(name, page, endless):
    chapter = name.removesuffix(".html")
    type_answer(page, 1, endless + "\n")
    text = check(page, 1)
    assert "Is there a loop that never ends?" in text or "MemoryError" in text
    starter = exercises_of(chapter)[1].starter
    type_answer(page, 1, starter)
    assert check(page, 1) == told(exercises_of(chapter)[1], starter)


@one
def test_nothing_is_left_of_an_earlier_check(name, page):
    type_answer(page, 1, "secret = 1\nimport math\nmath.cos = None\n")
    check(page, 1)
    type_answer(page, 1, "import math\nprint(math.cos(0))\nprint(secret)\n")
    assert check(page, 1) == "1.0\nLine 3: NameError: name 'secret' is not defined"


@one
def test_an_answer_without_a_check_is_told_so(name, page):
    type_answer(page, 1, "x = 1\n")
    assert "the call of check is missing" in check(page, 1)


@one
def test_answers_stay_on_the_device(name, browser, server):
    context = browser.new_context()
    page = open_page(context, name, server)  # what is kept of a file, Chromium 156 may lose
    type_answer(page, 1, "mine = 1\n")
    page.reload()
    box(page, 1).scroll_into_view_if_needed()
    expect(box(page, 1).locator(".cm-content")).to_have_text("mine = 1")
    # each exercise has its own, and Start again forgets it
    box(page, 2).locator(".lr-open").click()
    expect(box(page, 2).locator(".cm-content")).not_to_contain_text("mine = 1")
    box(page, 1).locator(".lr-again").click()
    starter = exercises_of(name.removesuffix(".html"))[1].starter
    expect(box(page, 1).locator(".cm-line").first).to_have_text(starter.splitlines()[0])
    page.reload()
    expect(box(page, 1).locator(".lr-open")).to_be_visible()
    assert not page.trouble
    context.close()


@one
def test_with_the_keyboard_alone(name, page):
    exercise = box(page, 1)
    exercise.locator(".lr-open").focus()
    page.keyboard.press("Enter")
    expect(exercise.locator(".cm-content")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text("print('typed')")
    page.keyboard.press("Control+Enter")
    expect(exercise.locator(".lr-told")).to_contain_text("typed")
    page.keyboard.press("Tab")  # leaves the editor
    expect(exercise.locator(".cm-content")).not_to_be_focused()
    # a line that opens a block indents the next one
    exercise.locator(".cm-content").focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("def f(t):\nreturn t")
    assert exercise.locator(".cm-line").nth(1).inner_text() == "    return t"


@one
def test_on_a_phone_the_page_does_not_scroll_sideways(name, browser):
    context = browser.new_context(**PHONE)
    page = open_page(context, name)
    box(page, 1).locator(".cell_input").tap()
    expect(box(page, 1).locator(".cm-content")).to_be_focused()
    page.keyboard.insert_text("x = '" + "long " * 40 + "'\nx / 0")
    box(page, 1).locator(".lr-check").tap()
    expect(box(page, 1).locator(".lr-told")).to_contain_text("Line ")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert not page.trouble
    context.close()


@pytest.mark.parametrize("name", ["cifar_comparison.html"])
def test_what_a_page_cannot_run_is_offered_in_colab(name, page):
    exercise = [e for e in exercises_of("cifar_comparison").values() if e.colab]
    assert exercise
    for one_of in exercise:
        note = page.locator(f"#exercise-{one_of.number} .lr-needs-colab")
        expect(note).to_contain_text("Open the chapter in Colab")
        assert "colab." in note.locator("a").get_attribute("href")
        expect(box(page, one_of.number)).to_have_count(0)


def test_the_data_of_a_page_are_those_of_its_notebook():
    for chapter in CHAPTERS:
        html = (BOOK / "chapters" / f"{chapter}.html").read_text()
        data = re.search(r'<script type="application/json" id="lr-exercises">(.*?)</script>', html)
        numbers = [exercise["number"] for exercise in json.loads(data[1])]
        assert numbers == list(exercises_of(chapter))


def right_answer():
    chapter = ONE.removesuffix(".html")
    number, exercise = next((n, e) for n, e in exercises_of(chapter).items() if not e.colab)
    return number, exercise, solved(exercise)


@one
def test_checks_at_the_same_time_do_not_answer_for_each_other(name, page):
    """Of one exercise the last press counts; two exercises have an interpreter each."""
    page.clock.install()
    exercises = {n: e for n, e in exercises_of(name.removesuffix(".html")).items() if not e.colab}
    for number, exercise in exercises.items():
        type_answer(page, number, solved(exercise) if number == 1 else exercise.starter)
    page.evaluate("""() => {
      const buttons = document.querySelectorAll(".lr-check");
      for (let i = 0; i < 4; i++) for (const button of buttons) button.click();
    }""")
    for number, exercise in exercises.items():
        answer = solved(exercise) if number == 1 else exercise.starter
        expect(box(page, number)).to_have_attribute("data-checks", "1", timeout=30_000)
        assert box(page, number).locator(".lr-told").inner_text().strip() == told(exercise, answer)
    page.clock.fast_forward(5500)  # what was left running would be stopped now, and told
    page.wait_for_timeout(100)
    assert "Stopped" not in page.locator("article").inner_text()


@one
def test_what_ran_before_does_not_speak_after_a_newer_check(name, page):
    page.clock.install()
    number, exercise, right = right_answer()
    type_answer(page, number, "while True:\n    pass")
    box(page, number).locator(".lr-check").click()
    page.wait_for_timeout(500)
    type_answer(page, number, right)
    assert check(page, number) == told(exercise, right)
    page.clock.fast_forward(5500)
    page.wait_for_timeout(100)
    assert box(page, number).locator(".lr-told").inner_text().strip() == told(exercise, right)
    type_answer(page, number, "while True:\n    pass")
    box(page, number).locator(".lr-check").click()
    page.wait_for_timeout(500)
    box(page, number).locator(".lr-again").click()
    page.clock.fast_forward(5500)
    page.wait_for_timeout(100)
    expect(box(page, number).locator(".lr-told")).to_be_hidden()


@one
def test_a_long_output_keeps_its_verdict_and_its_place(name, page):
    number, _, right = right_answer()
    type_answer(page, number, "for i in range(6000):\n    print(i)\n" + right)
    assert "Correct" in check(page, number).splitlines()[-1]
    result = box(page, number).locator(".lr-told")
    expect(result).to_have_class(re.compile("lr-correct"))
    assert result.bounding_box()["height"] < 600
    assert result.evaluate("e => e.scrollTop + e.clientHeight >= e.scrollHeight - 2")


@one
def test_a_solution_that_replaces_the_starter_is_told_what_is_missing(name, page):
    number, exercise, _ = right_answer()
    lost = re.findall(r"^(\w+) = ", exercise.starter, re.MULTILINE)[-1]
    type_answer(page, number, f"check(1, {lost})")
    text = check(page, number)
    assert f"NameError: name '{lost}' is not defined" in text
    assert "Start again brings it back" in text


@one
def test_a_smaller_python_is_named_where_it_is_the_cause(name, page):
    number, _, _ = right_answer()
    for code, says in (
        ("a = [1]\nb = [*a, 2]", "a smaller one"),
        ("import math\nmath.comb(4, 2)", "a smaller one"),
        ("import torch.nn as nn", "open the chapter in Colab"),
    ):
        type_answer(page, number, code)
        assert says in check(page, number), code
    type_answer(page, number, "a = (1")
    assert "smaller" not in check(page, number)


@one
def test_printing_alone_is_no_check(name, page):
    number, _, _ = right_answer()
    type_answer(page, number, 'print("hi")')
    assert check(page, number) == "hi\nNothing was checked: the call of check is missing."
