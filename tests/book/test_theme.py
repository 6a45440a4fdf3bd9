"""The built book as a reader meets it: its menus, on a phone and from the keyboard, on paper, while
the network brings it, and as a link that somebody shares."""

import base64
import io
import re
from html import unescape
from urllib.parse import urlsplit

import bench_pages
import pytest
from fontTools.ttLib import TTFont
from PIL import Image
from playwright.sync_api import expect
from test_pages import AT_ONCE, BOOK, READ, TEXTS, axe, soup

from book.formulas import mathml

PHONE = bench_pages.PHONE
WIDE = {"viewport": {"width": 1280, "height": 900}}
PAGE = "chapters/step_lr.html"
SHEET = "chapters/cheat_sheet.html"


@pytest.fixture
def opened(browser, server):
    """A function that opens a page in a window of its own."""
    contexts = []

    def open_page(name, **options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.goto(server + name)
        return page

    yield open_page
    for context in contexts:
        context.close()


def each(pages):
    """Parametrize by page. All tests of one page run one after the other, so it is loaded once."""
    return pytest.mark.parametrize("name", pages, scope="module")


@pytest.fixture(scope="module")
def came(name, browser, server):
    """The page `name` on a phone, and how it came."""
    context = browser.new_context(**PHONE, color_scheme="dark")
    yield bench_pages.arrive(context, server + name)
    context.close()


@pytest.fixture
def phone(came):
    return came[0]


# --- the menus

MENUS = {"primary": "MultiStepLR", "secondary": "Pitfalls"}


def test_a_phone_finds_its_way(opened):
    page = opened(PAGE, **PHONE)
    page.locator(".primary-toggle").tap()
    menu = page.locator("#pst-primary-sidebar-modal, .bd-sidebar-primary").first
    expect(menu).to_be_visible()
    menu.get_by_role("link", name="MultiStepLR").tap()
    page.wait_for_url("**/multi_step_lr.html")

    page.locator(".secondary-toggle").tap()
    page.locator(".bd-sidebar-secondary").get_by_role("link", name="Pitfalls").tap()
    page.wait_for_url("**/multi_step_lr.html#pitfalls")
    heading = page.get_by_role("heading", name="Pitfalls")
    expect(heading).to_be_in_viewport()
    expect(page.locator(".bd-sidebar-secondary")).not_to_be_in_viewport()
    assert page.evaluate("() => document.activeElement.id") == "pitfalls"

    theme = page.locator("html").get_attribute("data-theme")
    page.locator(".theme-switch-button").first.tap()
    expect(page.locator("html")).not_to_have_attribute("data-theme", theme)

    page.locator(".prev-next-footer .left-prev").tap()
    page.wait_for_url("**/step_lr.html")
    page.locator(".prev-next-footer .right-next").tap()
    page.wait_for_url("**/multi_step_lr.html")

    page.locator(".article-header-buttons .search-button").tap()
    page.locator("input[type=search]:focus").press_sequentially("cosine")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=cosine")
    expect(page.locator("#search-results a").first).to_be_visible()


@pytest.mark.parametrize("side", MENUS)
def test_a_menu_opens_and_closes_from_the_keyboard(side, opened):
    page = opened(PAGE, viewport=PHONE["viewport"])
    button = page.locator(f".{side}-toggle")
    button.focus()
    page.keyboard.press("Enter")
    menu = page.locator(f".bd-sidebar-{side}")
    expect(menu).to_be_in_viewport()
    expect(menu.locator(":focus")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(menu).not_to_be_in_viewport()
    expect(button).to_be_focused()

    page.keyboard.press("Enter")
    link = menu.get_by_role("link", name=MENUS[side])
    link.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/multi_step_lr.html" if side == "primary" else "**#pitfalls")
    expect(menu).not_to_be_in_viewport()


def test_a_wide_window_puts_the_chapters_away_and_back(opened):
    page = opened(PAGE, **WIDE)
    chapters = page.locator(".bd-sidebar-primary")
    expect(chapters).to_be_visible()
    for _ in range(2):
        page.locator(".primary-toggle").click()
        expect(chapters).not_to_be_in_viewport()
        page.locator(".primary-toggle").click()
        expect(chapters).to_be_in_viewport()


@each(READ)
def test_the_menus_belong_to_the_buttons_in_sight(name):
    """The theme looks for the first button of its kind."""
    assert len(soup(name).select(".primary-toggle")) == 1
    contents = soup(name).select(".bd-sidebar-secondary a")
    assert len(soup(name).select(".secondary-toggle")) == bool(contents)


# What a finger is to hit: buttons, and the links that are not words of a sentence. (An explorer has
# tests of its own.)
TARGETS = """() => [...document.querySelectorAll(
  'button, summary, .bd-sidebar a, .bd-header-article a, .prev-next-footer a'
)].filter(e => !e.closest('.lr-explorer') && e.checkVisibility({ visibilityProperty: true }))
  .map(e => [e.getBoundingClientRect(), e])
  .filter(([box]) => box.width && (box.width < 24 || box.height < 24))
  .map(([box, e]) => `${box.width} x ${box.height}: ${e.outerHTML.slice(0, 200)}`)"""


@each(READ)
def test_a_finger_hits_what_it_means(name, phone):
    phone.add_style_tag(content=AT_ONCE)
    assert phone.evaluate(TARGETS) == []
    for side in MENUS:
        if phone.locator(f".{side}-toggle").count():
            phone.locator(f".{side}-toggle").click()
            expect(phone.locator(f".bd-sidebar-{side} :focus")).to_have_count(1)
            assert phone.evaluate(TARGETS) == []
            phone.keyboard.press("Escape")
            expect(phone.locator(f".bd-sidebar-{side}")).not_to_be_in_viewport()


@each(READ)
def test_nothing_scrolls_the_page_sideways(name, phone):
    width = phone.evaluate("() => document.scrollingElement.scrollWidth")
    assert width <= PHONE["viewport"]["width"]


# Code in a table that is broken where no word ends: each piece of a line, but the last, ends with
# what code has between its words. Numbers and keyword=value are one word; before a list, as in
# milestones=[4, 34], browsers break by themselves.
BROKEN = """() => [...document.querySelectorAll('td code .pre')].flatMap((code) => {
  const letters = [];
  for (const node of code.childNodes) {
    for (let i = 0; i < (node.data ?? '').length; i++) {
      const range = document.createRange();
      range.setStart(node, i);
      range.setEnd(node, i + 1);
      letters.push([node.data[i], range.getBoundingClientRect().top]);
    }
  }
  return letters.some(([letter, top], i) => i + 1 < letters.length
      && letters[i + 1][1] > top + 3
      && /[a-z\\d]\\w|=[^[]|\\.\\d/i.test(letter + letters[i + 1][0])) ? [code.textContent] : [];
})"""


@each(READ)
def test_no_word_of_code_is_broken_in_a_table(name, phone):
    assert phone.evaluate(BROKEN) == []


@each(READ)
def test_code_can_be_copied_without_a_pointer(name, phone):
    buttons = phone.locator(".highlight button.copybtn")
    seen = buttons.evaluate_all("all => all.map(e => getComputedStyle(e).opacity)")
    assert set(seen) <= {"1"}


# --- paper

# Code and tables that would be cut, and what is printed of a solution.
PRINTED = """() => ({
  cut: [...document.querySelectorAll('pre, table, .cell_output')]
    .filter(e => e.checkVisibility() && !e.closest('.lr-explorer'))
    .filter(e => e.scrollWidth > e.clientWidth + 1
      || e.getBoundingClientRect().right > innerWidth + 1)
    .map(e => e.outerHTML.slice(0, 200)),
  dark: [document.body, ...document.querySelectorAll('pre, .cell, table')]
    .map(e => getComputedStyle(e).backgroundColor.match(/[\\d.]+/g).map(Number))
    .filter(([r, g, b, a]) => a !== 0 && Math.min(r, g, b) < 200).length,
  // an explorer's program may be longer than what is left of the first page
  torn: [...document.querySelectorAll('pre:not(.lr-code), figure, tr, .lr-stage')]
    .filter(e => getComputedStyle(e).breakInside !== 'avoid').length,
  // between code and its output: Chromium would tear the code instead
  held: [...document.querySelectorAll('.cell_input')]
    .filter(e => getComputedStyle(e).breakAfter === 'avoid').length,
  folded: [...document.querySelectorAll('details.solution, .tag_hide-output')]
    .flatMap(e => [...e.querySelectorAll('pre')])
    .filter(e => !e.checkVisibility({ opacityProperty: true }) || !e.offsetHeight).length,
})"""


@each(READ)
def test_paper_holds_all_of_a_page(name, phone):
    phone.set_viewport_size({"width": 680, "height": 960})  # what A4 leaves between its margins
    phone.emulate_media(media="print")
    try:
        phone.wait_for_function("() => document.documentElement.dataset.theme === 'light'")
        assert phone.evaluate(PRINTED) == {"cut": [], "dark": 0, "torn": 0, "held": 0, "folded": 0}
    finally:
        phone.emulate_media(media="screen")
        phone.set_viewport_size(PHONE["viewport"])
    expect(phone.locator("html")).to_have_attribute("data-theme", "dark")
    assert phone.locator("details.solution[open]").count() == 0


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_the_cheat_sheet_is_one_sheet(colours, opened):
    page = opened(SHEET, color_scheme=colours)
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4"))) == 1


# --- what has to come first

KILOBYTES = 400  # before the first slider; two fifths of it are taken
REQUESTS = 12


@each(READ)
def test_a_slider_comes_early(name, came):
    _, arrival = came
    # the playground is there to run Python, and loads it at once
    most = KILOBYTES + 120 * (name == "chapters/playground.html")
    most += 100 * (name == "search.html")  # which loads the words of the whole book
    assert arrival.early <= arrival.sent <= 1000 * most
    assert arrival.requests <= REQUESTS or name == "search.html"
    assert arrival.shift < 0.05
    # the playground becomes ready later than the page has come: test_playground waits for it
    if name != "chapters/playground.html":
        assert (arrival.seconds is None) == (not soup(name).select(".lr-explorer"))


@each(READ)
def test_a_page_has_one_style_sheet_and_one_script(name):
    assert len(soup(name).select("link[rel=stylesheet]")) == 1
    scripts = soup(name).select("script[src]")
    assert all("defer" in script.attrs for script in scripts) or name == "search.html"
    assert len(scripts) == 1 or name == "search.html"


@pytest.fixture(scope="module")
def letters():
    """The code points in each of the fonts that the style sheet carries."""
    css = (BOOK / "_static" / "book_all.css").read_text()
    found = {}
    pattern = r'font-family: "([^"]+)"[^}]*data:font/woff;base64,([^"]+)'
    for family, data in re.findall(pattern, css):
        found[family] = set(TTFont(io.BytesIO(base64.b64decode(data))).getBestCmap())
    assert "@import" not in css and not re.search(r"url\(\.\./vendor", css)
    return found


# The icons of a page, in elements and before and after them.
ICONS = """() => [...document.querySelectorAll('body *')].flatMap(e => [
  getComputedStyle(e, '::before'), getComputedStyle(e, '::after'),
].filter(({ content, fontFamily }) => /Awesome/.test(fontFamily) && /^"./.test(content))
  .map(({ content }) => content.codePointAt(1)))"""


@each(READ)
def test_icons_and_formulas_are_in_the_fonts(name, phone, letters):
    icons = phone.evaluate(ICONS)
    assert len(icons) > 5
    assert set(icons) <= letters["Font Awesome 6 Free"]
    formulas = "".join(formula.get_text() for formula in soup(name).select("math"))
    formulas += "√" * len(soup(name).select("msqrt, mroot"))
    assert {ord(letter) for letter in formulas if not letter.isspace()} <= letters["STIX Two Math"]


@each(READ)
def test_the_titles_of_the_neighbours_are_whole(name, phone):
    cut = phone.evaluate("""() => [...document.querySelectorAll(".prev-next-area *")].filter((e) =>
      e.getBoundingClientRect().right > innerWidth || e.getBoundingClientRect().left < 0 ||
      e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline"
    ).map((e) => e.className + ": " + e.textContent.trim())""")
    assert not cut


@each(READ)
def test_formulas_need_no_script(name):
    for formula in soup(name).select(".math"):
        assert formula.select("math > *"), formula
        assert "\\" not in formula.get_text() and "$" not in formula.get_text()
    assert not soup(name).select("merror")


@pytest.mark.parametrize("tex", [r"\nonsense x", "a & b"])
def test_a_formula_that_is_not_understood_fails_the_build(tex):
    with pytest.raises(Exception, match="nonsense|&"):
        mathml(tex)


@pytest.mark.parametrize(
    "tex, wanted",
    [
        (r"T_{\max}/2", "T max / 2"),
        (r"\text{exp\_range}", "exp_range"),
        (r"\begin{aligned} a &= b \\[1ex] &= c \end{aligned}", "a = b = c"),
    ],
)
def test_formulas_keep_what_they_say(tex, wanted):
    assert re.sub(r"(<[^>]*>\s*)+", " ", unescape(mathml(tex))).split() == wanted.split()


# --- figures

FIGURE = ".cell_output img[src*='_images/']"
DRAWN = [page for page in READ if re.search(r"<img [^>]*_images/", TEXTS[page])]
DIALOG = "dialog.figure-dialog"
# Pixels of each figure, how wide it is shown and drawn, and how much it grows when it comes.
WIDTHS = """all => Promise.all(all.map(async picture => {
  const height = picture.clientHeight;
  picture.loading = 'eager';
  await picture.decode();
  const drawn = +picture.getAttribute('width');
  return [picture.naturalWidth, picture.clientWidth, drawn, picture.clientHeight - height];
}))"""


@each(DRAWN)
def test_a_figure_is_a_link_to_its_picture(name):
    pictures = soup(name).select(FIGURE)
    assert pictures
    for picture in pictures:
        assert int(picture["width"]) and int(picture["height"]) and picture["loading"] == "lazy"
        assert "style" not in picture.attrs
        assert picture.parent.name == "a" and picture.parent["href"] == picture["src"]
        assert picture.parent["aria-label"] == "Open the figure: " + picture["alt"]


@pytest.fixture(scope="session")
def sharp(browser):
    """A window of a screen with two pixels for each of a page."""
    context = browser.new_context(**WIDE, device_scale_factor=2)
    yield context.new_page()
    context.close()


@each(DRAWN)
def test_figures_are_sharp_and_keep_their_place(name, sharp, server):
    sharp.goto(server + name)
    for pixels, shown, drawn, growth in sharp.locator(FIGURE).evaluate_all(WIDTHS):
        assert 600 < shown <= drawn, "it is not blown up"
        assert pixels >= 1.99 * shown, "two pixels for each of the page"
        assert abs(growth) <= 1, "half a pixel is rounded"


@each(DRAWN)
def test_a_tap_opens_a_figure_large(name, phone):
    dialog = phone.locator(DIALOG)
    for link in phone.locator(".figure-link").all():
        small = link.locator("img")
        assert small.bounding_box()["width"] <= PHONE["viewport"]["width"]
        link.tap()
        expect(dialog).to_be_visible()
        large = dialog.locator("img")
        large.evaluate("picture => picture.decode()")
        assert large.bounding_box()["width"] >= int(small.get_attribute("width")) > 600
        assert large.get_attribute("alt") == small.get_attribute("alt")
        moved = dialog.evaluate("d => { d.scrollTo(9999, 0); return d.scrollLeft; }")
        assert moved > 300, "all of it can be moved into sight"
        phone.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(link).to_be_focused()


CLOSE = {
    "the button": lambda page: page.get_by_role("button", name="Close the figure").tap(),
    "the key for it": lambda page: page.keyboard.press("Enter"),  # the button has the focus
    "the page around": lambda page: page.touchscreen.tap(190, 835),
}


@pytest.mark.parametrize("way", CLOSE)
@pytest.mark.parametrize("disk", [False, True], ids=["served", "from a disk"])
def test_a_figure_is_opened_and_closed_from_the_keyboard_and_by_touch(way, disk, opened):
    page = opened(PAGE, **PHONE)
    if disk:
        page.goto((BOOK / PAGE).as_uri())
    link = page.locator(".figure-link").last
    link.focus()
    top = page.evaluate("() => scrollY")
    page.keyboard.press("Enter")
    expect(page.locator(DIALOG)).to_be_visible()
    moved = f"() => document.querySelector('{DIALOG}').scrollLeft > 0"
    for _ in range(50):  # a key that comes before the picture is laid out moves nothing
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(100)
        if page.evaluate(moved):
            break
    assert page.evaluate(moved)
    CLOSE[way](page)
    expect(page.locator(DIALOG)).to_be_hidden()
    expect(link).to_be_focused()
    assert page.evaluate("() => scrollY") == top and page.url.endswith(PAGE)


def test_without_scripts_a_figure_leads_to_its_picture(opened):
    page = opened(PAGE, java_script_enabled=False)
    with page.expect_response(re.compile(r"_images/.*\.png$")) as reply:
        page.locator(".figure-link").first.click()
        page.wait_for_url("**/_images/*.png")
    assert reply.value.ok


@pytest.mark.parametrize("large", [False, True], ids=["in the page", "over it"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_figure_is_at_home_in_both_themes(theme, large, opened):
    page = opened(PAGE, color_scheme=theme)
    figure = page.locator(FIGURE).first
    if large:
        figure.click()
        figure = page.locator(f"{DIALOG} img")
        assert axe(page) == []
    figure.scroll_into_view_if_needed()
    figure.evaluate("picture => picture.decode()")
    picture = Image.open(io.BytesIO(figure.screenshot())).convert("RGB")
    paper = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    around = [int(part) for part in re.findall(r"\d+", paper)[:3]]
    edge = picture.getpixel((3, 3))
    assert all(abs(a - b) < 8 for a, b in zip(edge, around, strict=True)), (edge, around)
    low, high = picture.convert("L").getextrema()
    assert high - low > 150, "it can be read"


# --- a link that somebody shares


@each([page for page in READ if page.startswith("chapters/")])
def test_a_shared_link_says_what_it_leads_to(name):
    said = {
        meta.get("name") or meta["property"]: meta["content"]
        for meta in soup(name).select("meta[name][content], meta[property][content]")
    }
    assert 50 <= len(said["description"]) <= 200
    assert said["og:description"] == said["description"]
    assert said["og:title"] in soup(name).title.get_text()
    assert said["twitter:card"] == "summary_large_image"
    picture = urlsplit(said["og:image"])
    assert picture.scheme == "https"
    assert (BOOK / "_static" / picture.path.rpartition("/_static/")[2]).is_file()


def test_each_page_describes_itself():
    pages = [page for page in READ if page.startswith("chapters/")]
    told = {soup(page).select_one("meta[name=description]")["content"] for page in pages}
    assert len(told) == len(pages)
