"""The page of the written answers, in a browser: nothing typed is lost, grading takes its file."""

import csv

import pytest
from axe_playwright_python.sync_playwright import Axe
from made_up import fill, outcome, question, submission, table, write, written
from playwright.sync_api import expect

csv.field_size_limit(2**30)
HOSTILE = (
    "</textarea></script><script>document.title = 'harm'</script><!-- <script> \u2028 \u2029\n"
    "\"'`${1}\\ <img src=x onerror=\"document.title = 'harm'\"> ;=1+1\n\n]]>&amp;&#60;"
)
RUBRIC = [[1.0, "the <peak> was measured"], [2.5, "the noise limits the end"], [1.5, "seeds"]]


def answer(text):
    check = question("ps4-toy-good", 2.0, message="expected loss: 0.0056 is below 0.008")
    check["answers"] = [{"source": f"text = '{60 * 'long '}'", "output": "peak 0.8: <0.0061>"}]
    failed = question("ps4-toy-hidden", 0.0, message="a long budget: expected below 0.006")
    given = [{"source": text, "output": ""}]
    return outcome(check, failed, written(text, rubric=RUBRIC, answers=given))


LONG = " ".join(f"word{number}" for number in range(100))
CLASS = [
    (submission("Ada Lovelace", "812"), answer(HOSTILE)),
    (submission("Bob </script>"), answer("Bob's answer, " + LONG)),
    (submission("Carol"), answer("Carol's answer, " + LONG + 3000 * "long")),
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "grades").mkdir()
    write(tmp_path / "grades", CLASS)
    return tmp_path / "grades"


@pytest.fixture
def context(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    yield context
    context.close()


@pytest.fixture
def page(folder, context):
    page = context.new_page()
    trouble = []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("console", lambda message: trouble.append(message.text))
    page.on("request", lambda r: r.url.startswith(("file:", "blob:")) or trouble.append(r.url))
    page.goto((folder / "written.html").as_uri())
    assert page.title() == "Written answers"
    yield page
    assert not trouble
    assert page.title() != "harm"


def of(page, number):
    return page.locator("article").nth(number)


def saved(page, path):
    with page.expect_download() as download:
        page.get_by_role("button", name="Save written.csv").click()
    assert download.value.suggested_filename == "written.csv"
    download.value.save_as(path)
    return path


def reload(page):
    """Reload the page as somebody who types does: after it has kept what was typed."""
    page.evaluate("() => kept('hide').then(() => null)")  # which waits for what is being written
    page.reload()


def counter(page):
    return expect(page.locator("#counter"))


def test_hostile_answers_are_text(page):
    assert of(page, 0).locator(".answer").inner_text() == HOSTILE
    expect(page.locator("img")).to_have_count(0)
    expect(page.locator("script")).to_have_count(2)  # the data and the page's own
    assert of(page, 1).locator(".name").inner_text() == "Bob </script>"


def test_an_answer_shows_what_its_student_measured(page):
    expect(of(page, 0)).to_contain_text("✓ ps4-toy-good: expected loss: 0.0056 is below 0.008")
    expect(of(page, 0)).to_contain_text("✗ ps4-toy-hidden: a long budget")
    printed = of(page, 0).locator("details pre")
    expect(printed).not_to_be_visible()
    of(page, 0).locator("summary").click()
    expect(printed).to_have_text("peak 0.8: <0.0061>")


def test_what_is_typed_is_there_after_a_reload(page):
    counter(page).to_have_text("0 of 3 done")
    of(page, 0).get_by_label("2.5: the noise limits the end").check()
    of(page, 0).get_by_label("1: the <peak> was measured").check()
    expect(of(page, 0).locator(".points-given")).to_have_value("3.5")
    of(page, 1).locator(".points-given").fill("0")
    of(page, 1).locator(".comment").fill("two lines\n\"and\" <quotes>, \u2028 =1")
    of(page, 2).locator(".comment").fill("no points yet")
    reload(page)
    counter(page).to_have_text("2 of 3 done, 3 not in written.csv yet")
    expect(of(page, 0).locator(".points-given")).to_have_value("3.5")
    assert [tick.is_checked() for tick in of(page, 0).locator(".tick").all()] == [True, True, False]
    expect(of(page, 1).locator(".points-given")).to_have_value("0")
    expect(of(page, 1).locator(".comment")).to_have_value('two lines\n"and" <quotes>, \u2028 =1')
    expect(of(page, 2).locator(".comment")).to_have_value("no points yet")
    of(page, 0).locator(".points-given").fill("4")  # the teacher knows better
    reload(page)
    expect(of(page, 0).locator(".points-given")).to_have_value("4")


def test_without_a_tick_there_are_no_points_and_never_more_than_all(page):
    for tick in of(page, 0).locator(".tick").all():
        tick.check()
    expect(of(page, 0).locator(".points-given")).to_have_value("5")
    for tick in of(page, 0).locator(".tick").all():
        tick.uncheck()
    expect(of(page, 0).locator(".points-given")).to_have_value("")
    counter(page).to_have_text("0 of 3 done")


@pytest.mark.parametrize("in_place", [True, False])
def test_grading_takes_the_file_that_the_page_saves(folder, page, tmp_path, in_place):
    of(page, 0).locator(".points-given").fill("3.5")
    of(page, 0).locator(".comment").fill("=good; -1\n+2, \"so\" 잘")
    of(page, 2).locator(".points-given").fill("5")
    path = saved(page, folder / "written.csv" if in_place else tmp_path / "mine.csv")
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert [row["comment"] for row in table(path)] == ["'=good; '-1\n'+2, \"so\" 잘", "", ""]
    rows = write(folder, CLASS, written=None if in_place else path)
    assert [row["points"] for row in rows] == ["5.5", "2", "7"]
    before = folder / "written.csv"
    assert table(before) == table(path)
    reload(page)  # of the new page
    counter(page).to_have_text("2 of 3 done")
    expect(of(page, 0).locator(".comment")).to_have_value("=good; -1\n+2, \"so\" 잘")
    assert table(saved(page, tmp_path / "again.csv")) == table(before)


def test_rows_for_older_answers_are_in_the_file_that_the_page_saves(folder, context, tmp_path):
    fill(folder / "written.csv", {"points": "2", "comment": "old"}, 1)
    write(folder, [CLASS[0]])
    page = context.new_page()
    page.goto((folder / "written.html").as_uri())
    expect(page.locator("article")).to_have_count(1)
    rows = table(saved(page, tmp_path / "mine.csv"))
    assert [(row["student"], row["points"]) for row in rows] == [
        ("Ada Lovelace", ""), ("Bob </script>", "2")
    ]  # fmt: skip


def test_points_that_grading_would_refuse_are_not_saved(page):
    of(page, 1).locator(".points-given").fill("5.5")
    expect(of(page, 1).locator(".told")).to_have_text("Points must be a number from 0 to 5.")
    counter(page).to_contain_text("0 of 3 done")
    page.get_by_role("button", name="Save written.csv").click()
    expect(of(page, 1).locator(".points-given")).to_be_focused()
    reload(page)
    expect(of(page, 1).locator(".points-given")).to_have_value("5.5")  # typed, and still refused
    expect(of(page, 1).locator(".told")).to_have_text("Points must be a number from 0 to 5.")


@pytest.mark.parametrize(
    ("typed", "points"), [("0,5", "0.5"), ("0.5", "0.5"), (" 3 ", "3"), (",5", "0.5"), ("0", "0")]
)
def test_points_are_typed_with_a_comma_or_a_point(page, tmp_path, typed, points):
    of(page, 1).locator(".points-given").press_sequentially(typed)
    counter(page).to_contain_text("1 of 3 done")
    expect(of(page, 1).locator(".told")).to_be_empty()
    assert [row["points"] for row in table(saved(page, tmp_path / "mine.csv"))] == ["", points, ""]


@pytest.mark.parametrize("typed", ["x", "6", "-1", "1,2,3", "1e0", ",", "0x1"])
def test_points_that_are_no_number_in_range_are_refused_visibly(page, typed):
    of(page, 1).locator(".points-given").press_sequentially(typed)
    expect(of(page, 1).locator(".told")).to_have_text("Points must be a number from 0 to 5.")
    outline = "(field) => getComputedStyle(field).outlineColor"
    assert of(page, 1).locator(".points-given").evaluate(outline) == "rgb(221, 51, 51)"
    counter(page).to_contain_text("0 of 3 done")


def test_what_is_ticked_goes_into_the_comment_and_to_the_student(folder, page, tmp_path, browser):
    of(page, 0).locator(".comment").fill("Well done.\n")
    for tick in of(page, 0).locator(".tick").all():
        tick.check()
    of(page, 0).locator(".tick").nth(1).uncheck()
    expect(of(page, 0).locator(".comment")).to_have_value(
        "Well done.\n1 point: the <peak> was measured\n1.5 points: seeds"
    )
    write(folder, CLASS, written=saved(page, tmp_path / "mine.csv"))
    text = (folder / "feedback" / "Ada Lovelace_812.html").read_text(encoding="utf-8")
    assert "1 point: the &lt;peak&gt; was measured\n1.5 points: seeds</blockquote>" in text
    other = browser.new_page()
    other.goto((folder / "written.html").as_uri())
    counter(other).to_have_text("1 of 3 done")
    ticks = of(other, 0).locator(".tick").all()
    assert [tick.is_checked() for tick in ticks] == [True, False, True]
    other.close()


def test_the_page_says_what_to_do_after_saving(page, tmp_path):
    of(page, 0).locator(".points-given").fill("3")
    counter(page).to_have_text("1 of 3 done, 1 not in written.csv yet")
    saved(page, tmp_path / "mine.csv")
    counter(page).to_have_text("1 of 3 done. Saved: now run the grading again")
    heights = page.locator("header > *").evaluate_all("all => all.map(one => one.offsetTop)")
    assert max(heights) - min(heights) < 20  # in one line
    of(page, 0).locator(".comment").fill("more")
    counter(page).to_have_text("1 of 3 done, 1 not in written.csv yet")


def test_a_very_long_answer_is_folded(context, tmp_path):
    answers = [written(1500 * "word "), written(1501 * "word ")]
    write(tmp_path, [(submission(f"{n}"), outcome(one)) for n, one in enumerate(answers)])
    page = context.new_page()
    page.goto((tmp_path / "written.html").as_uri())
    expect(of(page, 0)).to_contain_text("1,500 words")
    expect(page.get_by_role("button", name="Show all")).to_have_count(1)
    before = of(page, 1).locator(".answer").bounding_box()["height"]
    of(page, 1).get_by_role("button", name="Show all").click()
    assert of(page, 1).locator(".answer").bounding_box()["height"] > before + 100
    expect(page.get_by_role("button", name="Show all")).to_have_count(0)


def test_what_is_in_the_file_is_named_where_the_page_has_other_points(folder, page):
    of(page, 0).locator(".points-given").fill("3")
    fill(folder / "written.csv", {"points": "2", "comment": "from a spreadsheet"})
    write(folder, CLASS)
    reload(page)
    expect(of(page, 0).locator(".points-given")).to_have_value("3")
    expect(of(page, 0).locator(".told")).to_have_text(
        "Not in written.csv yet, which has 2 points and the comment: from a spreadsheet"
    )


def test_keys_and_buttons_go_to_the_unread(page):
    page.keyboard.press("n")
    expect(of(page, 0).locator(".points-given")).to_be_focused()
    page.keyboard.type("2")
    page.keyboard.press("n")
    expect(of(page, 1).locator(".points-given")).to_be_focused()
    of(page, 1).locator(".comment").fill("")
    page.keyboard.type("nap")
    expect(of(page, 1).locator(".comment")).to_have_value("nap")
    page.keyboard.press("Control+Enter")
    expect(of(page, 2).locator(".points-given")).to_be_focused()
    expect(of(page, 2)).to_be_in_viewport()
    page.get_by_role("button", name="Next").click()
    expect(of(page, 1).locator(".points-given")).to_be_focused()  # past the first, which is done
    page.get_by_role("button", name="Previous").click()
    expect(of(page, 2).locator(".points-given")).to_be_focused()


def test_names_can_be_hidden(page):
    expect(page.get_by_text("Ada Lovelace 812")).to_be_visible()
    page.get_by_label("hide names").check()
    reload(page)
    for name in page.locator(".name").all():
        expect(name).not_to_be_visible()
    expect(page.get_by_text("Answer 3")).to_be_visible()
    page.get_by_label("hide names").uncheck()
    expect(page.get_by_text("Ada Lovelace 812")).to_be_visible()


def test_two_courses_in_one_browser_do_not_mix(page, tmp_path):
    of(page, 0).locator(".points-given").fill("3")
    (tmp_path / "other").mkdir()
    write(tmp_path / "other", CLASS)
    page.goto((tmp_path / "other" / "written.html").as_uri())
    expect(of(page, 0).locator(".points-given")).to_have_value("")


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize(
    "name", ["written.html", "overview.html", "similar.html", "feedback/Ada Lovelace_812.html"]
)
def test_axe_finds_nothing_and_a_phone_scrolls_down_only(page, folder, name, colours):
    page.goto((folder / name).as_uri())
    assert name != "similar.html" or page.get_by_role("heading", name="Carol").count() == 1
    title = page.title()
    page.emulate_media(color_scheme=colours)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    cut = "all => all.filter(one => one.scrollWidth > one.clientWidth).length"
    assert page.locator("pre").evaluate_all(cut) == 0
    found = Axe().run(page).response["violations"]
    assert not [(one["id"], [node["html"][:100] for node in one["nodes"]]) for one in found]
    assert title and page.title() == title != "harm"
