"""The built book in a real browser: what every page promises, and every explorer in it.

Pages and explorers are found in the built book; no list of them is kept here.
"""

import contextlib
import math
import random
import re
from functools import cache
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest
import repository
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from conftest import ROOT
from playwright.sync_api import expect
from programs import run_program

from lrcore.toy import NOISE_VARIANCE, expected_losses, noisy_path

BOOK = ROOT / "_build" / "html"
SETTINGS = 25  # random settings of every explorer, besides its two corners
PHONE = {"width": 360, "height": 740}

# What axe finds in the theme's own parts, not in ours: (rule, start of the element's HTML).
# Nothing at present: prefer a line in book/static/book.css to an entry here.
THEME = []


def check_build():
    """Stop, with a clear line, if there is no book or an old one."""
    index = BOOK / "index.html"
    if not index.exists():
        pytest.exit("There is no built book to test: run make book", returncode=1)
    sources = [ROOT / name for name in ("_config.yml", "_toc.yml", "references.bib")]
    sources += [*ROOT.glob("chapters/*.ipynb"), *ROOT.glob("chapters/*.md")]
    sources += [*ROOT.glob("book/*.py"), *ROOT.glob("book/static/*")]
    sources += ROOT.glob("book/templates/*")
    newer = [path.name for path in sources if path.stat().st_mtime > index.stat().st_mtime]
    if newer:
        pytest.exit(f"The built book is older than {', '.join(newer)}: run make book", returncode=1)


check_build()
# the theme keeps two files of another build tool in _static
PAGES = sorted(
    path.relative_to(BOOK).as_posix()
    for path in BOOK.rglob("*.html")
    if "_static" not in path.parts
)
TEXTS = {page: (BOOK / page).read_text() for page in PAGES}
# the root only leads to the front page
READ = [page for page in PAGES if page != "index.html"]
WITH_EXPLORER = [page for page in READ if 'class="lr-explorer"' in TEXTS[page]]
WITH_PATH = [page for page in READ if 'class="lr-play"' in TEXTS[page]]


@cache  # all pages would take seconds: a process parses those that it tests
def soup(page):
    """A page, parsed."""
    return BeautifulSoup(TEXTS[page], "html.parser")


@cache
def ids(page):
    """What an address can lead to in a page."""
    return set(map(unescape, re.findall(r'<[^<>]*? id="([^"]*)"', TEXTS[page])))


def each(pages):
    """Parametrize by page. The tests of one page run in one process (see conftest.py)."""
    return pytest.mark.parametrize("name", pages)


def settle(page):
    """Wait until the page has drawn its explorers and has all its fonts."""
    page.wait_for_function(
        "() => [...document.querySelectorAll('.lr-explorer')].every(e => e.dataset.ready)"
    )
    page.evaluate("() => document.fonts.ready.then(() => null)")


READERS = {
    "desktop": {},
    "laptop": {"viewport": {"width": 1280, "height": 720}},
    "upright": {"viewport": {"width": 390, "height": 844}},
    "without motion": {"reduced_motion": "reduce"},
    "phone": {"viewport": PHONE, "has_touch": True, "is_mobile": True, "device_scale_factor": 2},
    "without scripts": {"java_script_enabled": False},
}


@pytest.fixture(scope="session")
def readers(browser):
    """A page for each kind of reader, in a window of its own: new ones take longer than to go on
    to the next address."""
    contexts = {kind: browser.new_context(**options) for kind, options in READERS.items()}
    return {kind: context.new_page() for kind, context in contexts.items()}


@pytest.fixture
def arrived(readers, name):
    """A function that opens the page `name`, from disk, for a kind of reader."""

    def open_for(kind):
        page = readers[kind]
        page.goto("about:blank")  # or a page that is there already would only be scrolled
        page.goto((BOOK / name).as_uri())
        settle(page)
        return page

    return open_for


class Traffic:
    """What a page asks for, and what goes wrong in it, from now on until `end`."""

    def __init__(self, page):
        page.goto("about:blank")  # what the last page still waits for is no business of the next
        self.page, self.asked, self.trouble = page, [], []
        tell = self.trouble.append
        self.heard = {
            "request": lambda request: self.asked.append(request.url),
            "requestfailed": lambda request: tell(f"failed: {request.url}"),
            "response": lambda reply: reply.ok or tell(f"status {reply.status}: {reply.url}"),
            "pageerror": lambda error: tell(f"script error: {error}"),
            "console": lambda m: m.type == "error" and tell(f"{m.text} {m.location}"),
        }
        for event, note in self.heard.items():
            page.on(event, note)

    def end(self):
        for event, note in self.heard.items():
            self.page.remove_listener(event, note)


@pytest.fixture
def watched():
    """A function that gives the traffic of a page until the test ends."""
    with contextlib.ExitStack() as stack:

        def watch(page):
            traffic = Traffic(page)
            stack.callback(traffic.end)
            return traffic

        yield watch


@pytest.fixture(scope="session")
def last_loaded():
    """The traffic of the page that was loaded last, under the page's name: the next test is most
    likely about it too."""
    return {}


@pytest.fixture
def load(name, last_loaded, readers, server):
    """The traffic of the page `name`, which is loaded if the last one was another."""
    page = readers["desktop"]
    if name not in last_loaded:
        for traffic in last_loaded.values():
            traffic.end()
        last_loaded.clear()
        traffic = Traffic(page)
        page.goto(server + name)
        settle(page)
        last_loaded[name] = traffic
    return last_loaded[name]


@pytest.fixture
def loaded(load):
    """The page `name`, shared by tests that leave it as they found it."""
    return load.page


@pytest.fixture
def traffic(load):
    return load


@pytest.fixture
def explored(loaded):
    """The same page, for tests that move the controls: they are reset afterwards."""
    yield loaded
    for button in loaded.locator(".lr-reset").all():
        button.evaluate("button => button.click()")
    for at in loaded.locator(".lr-at").all():  # the step that is read is no setting
        at.evaluate("at => { at.value = at.max; at.dispatchEvent(new Event('input')); }")


# --- every page


def assert_only_own_files(page, traffic, base):
    page.evaluate("() => window.scrollTo(0, document.body.scrollHeight)")
    for explorer in page.locator(".lr-explorer").all():
        explorer.locator(".lr-controls input[type=range]").first.press("ArrowRight")
    settle(page)
    foreign = [url for url in traffic.asked if not url.startswith((base, "data:", "blob:"))]
    assert len(traffic.asked) > 2  # at least the page, its style sheet and its script
    assert foreign == []
    assert traffic.trouble == []


@each(READ)
def test_a_page_asks_only_for_its_own_files(name, explored, traffic, server):
    assert_only_own_files(explored, traffic, server)


@each(PAGES)
def test_a_phone_opens_a_page_without_a_server(name, readers, watched):
    """A downloaded page, opened as a file and touched."""
    page = readers["phone"]
    traffic = watched(page)
    page.goto((BOOK / name).as_uri())
    if name == "index.html":
        page.wait_for_url("**/chapters/index.html")
    settle(page)
    for explorer in explorers(page):
        touch(page, explorer)
    assert page.evaluate("() => document.scrollingElement.scrollWidth") <= PHONE["width"]
    assert_only_own_files(page, traffic, BOOK.as_uri() + "/")


def touch(page, explorer):
    """Move the first slider and pin the curve with a finger."""
    before = explorer.evaluate(STATE)
    slider = explorer.locator(".lr-controls input[type=range]").first
    box = slider.bounding_box()
    low, high, value = (float(slider.evaluate(f"s => s.{key}")) for key in ("min", "max", "value"))
    # on the side of the slider where the thumb is not
    part = 0.1 if value > (low + high) / 2 else 0.9
    slider.tap(position={"x": box["width"] * part, "y": box["height"] / 2})
    page.evaluate(FRAME)
    after = explorer.evaluate(STATE)
    assert after["values"] != before["values"]
    assert curves(after) != curves(before)
    explorer.locator(".lr-pin").tap()
    page.evaluate(FRAME)
    assert all(panel["pinned"] for panel in explorer.evaluate(STATE)["panels"].values())
    assert abs(explorer.evaluate(FIT)["spare"]) < 0.1, "the box does not fit what is in it"
    for button in explorer.locator("button").all():
        assert button.bounding_box()["height"] >= 24


def test_the_root_leads_to_the_front_page(browser, watched, server):
    page = browser.new_page()
    traffic = watched(page)
    page.goto(server)
    page.wait_for_url(server + "chapters/index.html")
    settle(page)
    assert traffic.trouble == []


@each(READ)
def test_a_page_fits_a_phone(name, loaded):
    wide = loaded.viewport_size
    loaded.set_viewport_size(PHONE)
    loaded.evaluate(FRAME)
    width, outside = loaded.evaluate(
        """() => [document.scrollingElement.scrollWidth,
          [...document.querySelectorAll('.lr-explorer, .lr-explorer *')].filter(e => {
            const box = e.getBoundingClientRect();
            const cut = e.closest('[clip-path]'); // of it only what is in the panel is seen
            const { bottom } = e.closest('.lr-explorer').getBoundingClientRect();
            return box.width && !cut && (box.left < 0 || box.right > innerWidth
              || box.bottom > bottom && !e.closest('pre') && e.checkVisibility());
          }).map(e => e.outerHTML.slice(0, 80))]"""
    )
    loaded.set_viewport_size(wide)
    assert width <= PHONE["width"]
    assert outside == []


# A chapter holds thousands of words of code in a dozen colours, and axe takes longer over them than
# over all the rest. Make plain text of the words that look like one before, and of those that axe
# does not judge (of folded cells, of a single letter), and later put them back.
TAKE_REPEATED = """() => {
  const seen = new Set();
  const isRepeated = (word) => {
    const { color, backgroundColor } = getComputedStyle(word);
    const behind = getComputedStyle(word.closest('pre')).backgroundColor;
    const kind = [word.className, color, backgroundColor, behind].join();
    if (seen.has(kind) || !word.checkVisibility() || word.textContent.trim().length < 2) {
      return true;
    }
    seen.add(kind);
    return false;
  };
  // all are looked at before the first is taken: each change makes the browser style the page anew
  const repeated = new Set([...document.querySelectorAll('pre span')].filter(isRepeated));
  const plain = (node) => {
    if (repeated.has(node)) return document.createTextNode(node.textContent);
    const copy = node.cloneNode();
    for (const child of node.childNodes) copy.appendChild(plain(child));
    return copy;
  };
  window.taken = [...document.querySelectorAll('pre')].map((block) => {
    const words = [...block.childNodes];
    block.replaceChildren(...words.map(plain));
    block.normalize(); // one text where many stood side by side
    return [block, words];
  });
}"""
PUT_BACK = "() => window.taken.forEach(([block, words]) => block.replaceChildren(...words))"
AXE = Axe()


def axe(page, **options):
    page.evaluate(TAKE_REPEATED)
    if page.evaluate("() => !window.axe"):  # the page may have it from the test before
        page.evaluate(AXE.axe_script)
    options = {"resultTypes": ["violations"], **options}
    violations = page.evaluate("options => axe.run(options)", options)["violations"]
    page.evaluate(PUT_BACK)
    return violations


# Without this the theme moves its menus, and fades from light to dark.
AT_ONCE = "* { transition: none !important; animation: none !important; }"


@each(READ)
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing_serious(name, colours, loaded):
    loaded.emulate_media(color_scheme=colours)
    expect(loaded.locator("html")).to_have_attribute("data-theme", colours)
    # the theme would fade from one to the other, and axe see a colour on its way
    loaded.add_style_tag(content=AT_ONCE)
    # in the dark only the colours change
    violations = axe(loaded, **({} if colours == "light" else {"runOnly": ["color-contrast"]}))
    loaded.emulate_media(color_scheme="light")
    found = []
    for violation in violations:
        if violation["impact"] in ("serious", "critical"):
            for node in violation["nodes"]:
                html = node["html"]
                if not any(violation["id"] == rule and html.startswith(x) for rule, x in THEME):
                    found.append(f"{violation['id']}: {html[:300]}\n{node['failureSummary']}")
    assert not found, "\n".join(found)


PALE = """() => {
  for (const selector of ['article p:not(:has(*))', 'article pre span:not(:has(*))']) {
    const seen = [...document.querySelectorAll(selector)].filter((element) =>
      element.checkVisibility() && element.textContent.length > 2);
    seen[seen.length >> 1].style.color = '#999';
  }
  for (const block of document.querySelectorAll('pre')) {
    block.removeAttribute('tabindex');
    Object.defineProperty(block, 'tabIndex', { set() {} }); // the theme puts it back
    block.style.width = '60px';
  }
}"""


def test_axe_is_shown_all_that_it_judges(browser):
    """What marks and plain text could hide: a pale paragraph, a pale word, blocks to scroll."""
    page = browser.new_page()
    page.goto((BOOK / "chapters/step_lr.html").as_uri())
    settle(page)
    blocks = page.locator("pre").count()
    article = page.locator("article").first
    before = article.inner_html()
    assert {violation["id"] for violation in axe(page)}.isdisjoint({"color-contrast"})
    assert article.inner_html() == before
    page.evaluate(PALE)
    found = {violation["id"]: violation["nodes"] for violation in axe(page)}
    assert len(found["color-contrast"]) == 2
    assert blocks / 2 < len(found["scrollable-region-focusable"]) <= blocks
    page.close()


@each(READ)
def test_every_picture_says_what_it_shows(name):
    for image in soup(name).select("img"):
        alt = image.get("alt", "").strip()
        assert len(alt) >= 20 and " " in alt, f"alt={alt!r} of {str(image)[:150]}"
        assert not re.search(r"\.(png|svg|jpe?g)$|_images/", alt), alt


@each([page for page in READ if page.startswith("chapters/")])
def test_a_button_opens_the_notebook_in_colab(name):
    notebook = Path(name).with_suffix(".ipynb")
    text = (ROOT / notebook).read_text() if (ROOT / notebook).exists() else ""
    with_code = '"cell_type": "code"' in text
    links = soup(name).select('a[href*="colab.research.google.com"]')
    wanted = [repository.configured().in_colab + notebook.as_posix()] * with_code
    if name == "chapters/teaching.html":  # which leads to the problem sets
        handouts = sorted((ROOT / "assignments" / "handouts").glob("*.ipynb"))
        own = repository.configured().in_colab
        wanted = [own + path.relative_to(ROOT).as_posix() for path in handouts]
    assert [link["href"] for link in links] == wanted
    # the set-up cell is no part of the page
    assert '"google.colab" in sys.modules' not in soup(name).get_text()


@pytest.mark.parametrize("width", [320, 360, 1280])
def test_the_colab_button_can_be_seen_and_named(width, browser, server):
    size = {"width": width, "height": 740}
    page = browser.new_page(viewport=size)
    page.goto(server + "chapters/index.html")
    settle(page)
    button = page.get_by_role("link", name="Open in Colab")
    expect(button).to_be_visible()
    box = button.bounding_box()
    assert box["width"] >= 24 and box["height"] >= 24
    assert 0 <= box["x"] and box["x"] + box["width"] <= size["width"] and box["y"] < 100
    assert page.evaluate("() => document.scrollingElement.scrollWidth") <= width
    page.close()


@each(PAGES)
def test_links_inside_the_book_lead_somewhere(name):
    broken = []
    for tag, attribute in (("a", "href"), ("link", "href"), ("img", "src"), ("script", "src")):
        for element in soup(name).select(f"{tag}[{attribute}]"):
            target, anchor = urldefrag(urljoin(name, element[attribute]))
            parts = urlsplit(target)
            if parts.scheme in ("http", "https", "mailto", "data"):
                continue
            path = unquote(parts.path)
            if not (BOOK / path).is_file():
                broken.append(f"{element[attribute]}: no such file")
            elif anchor and path in TEXTS and unquote(anchor) not in ids(path):
                broken.append(f"{element[attribute]}: no such anchor")
    assert broken == []


# --- every explorer

# A frame: whatever waits for one has been drawn. (A message that is sent while a frame is made
# arrives when it is painted.)
A_FRAME = """new Promise((done, fail) => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = done;
  requestAnimationFrame(() => port2.postMessage(null));
  setTimeout(() => fail(Error('the browser draws nothing')), 30000);
})"""
FRAME = f"() => {A_FRAME}"

# Move every control of an explorer as a reader does, one after the other, each to the given part
# (0 to 1) of its range.
MOVE = (
    """(root, parts) => {
  [...root.querySelectorAll('.lr-controls [name]')].forEach((control, i) => {
    const choose = count => Math.min(count - 1, Math.floor(parts[i] * count));
    if (control.type === 'range') {
      const [low, high, step] = [control.min, control.max, control.step].map(Number);
      control.value = low + choose(Math.round((high - low) / step) + 1) * step;
    } else if (control.type === 'checkbox') {
      control.checked = parts[i] >= 0.5;
    } else {
      control.selectedIndex = choose(control.options.length);
    }
    control.dispatchEvent(new Event('input', { bubbles: true }));
    control.dispatchEvent(new Event('change', { bubbles: true }));
  });
  return """
    + A_FRAME
    + "}"
)

# All that an explorer shows.
# {name: text} of every control of an explorer, as a reader sees it.
STANDS = """root => Object.fromEntries(
  [...root.querySelectorAll('.lr-controls [name]')].map(c => [c.name,
    c.type === 'checkbox' ? (c.checked ? 'True' : 'False')
    : c.selectedOptions ? c.selectedOptions[0].textContent
    : c.parentElement.querySelector('output').textContent]))"""

STATE = """root => {
  const text = selector => root.querySelector(selector).textContent;
  const message = root.querySelector('.lr-message');
  const controls = [...root.querySelectorAll('.lr-controls [name]')];
  const panels = [...root.querySelectorAll('svg[data-panel]')].map(svg => [svg.dataset.panel, {
    ...svg.dataset,
    d: svg.querySelector('path.lr-curve')?.getAttribute('d') ?? '',
    pinned: [...svg.querySelectorAll('path.lr-pinned')].map(path => path.getAttribute('d')),
  }]);
  return {
    values: Object.fromEntries(controls.map(
      c => [c.name, c.type === 'checkbox' ? String(c.checked) : c.value])),
    outputs: controls.map(c => c.parentElement.querySelector('output')?.textContent),
    panels: Object.fromEntries(panels),
    code: text('.lr-code'), summary: text('.lr-summary'),
    message: message.hidden ? '' : message.textContent,
    metric: root.lrCurves?.metric ?? null, stands: (STANDS)(root),
  };
}""".replace("STANDS", STANDS)

# How high the content of an explorer is, and how much higher than that its box.
FIT = """root => {
  const { paddingBottom, borderBottomWidth } = getComputedStyle(root);
  const { bottom, height } = root.querySelector('.lr-inside').getBoundingClientRect();
  const below = parseFloat(paddingBottom) + parseFloat(borderBottomWidth);
  return { height, spare: root.getBoundingClientRect().bottom - below - bottom };
}"""

# The states after each of some moves.
STATES = f"""async (root, moves) => {{
  const states = [];
  for (const parts of moves) {{
    await ({MOVE})(root, parts);
    states.push({{ ...({STATE})(root), ...({FIT})(root) }});
  }}
  return states;
}}"""


def curves(state):
    """Every panel's curve, as it was drawn."""
    return {name: panel["d"] for name, panel in state["panels"].items()}


def shown(state):
    """What a control can change."""
    return state["code"], state["metric"], curves(state)


def read_curve(panel):
    """The drawn path, read back through the axes: a list of (step, value)."""
    number = {key: float(panel[key]) for key in ("xmin", "xmax", "ymin", "ymax")}
    box = {key: float(panel[key]) for key in ("left", "top", "width", "height")}
    points = re.findall(r"[ML] ?(\S+)[ ,](\S+)", panel["d"])
    curve = []
    for x, y in points:
        t = number["xmin"] + (float(x) - box["left"]) / box["width"] * (
            number["xmax"] - number["xmin"]
        )
        assert abs(t - round(t)) < 1e-6, f"a point between two steps: {t}"
        part = 1 - (float(y) - box["top"]) / box["height"]
        low, high = number["ymin"], number["ymax"]
        if panel["scale"] == "log":
            value = 10 ** (math.log10(low) + part * (math.log10(high) - math.log10(low)))
        else:
            value = low + part * (high - low)
        curve.append((round(t), value))
    return curve


def read_run(panel, d):
    """A drawn path, read back through the axes: a list of [w_steep, w_flat]."""
    box = {key: float(panel[key]) for key in ("left", "top", "width", "height")}
    low, high = float(panel["xmin"]), float(panel["xmax"])
    assert (low, high) == (float(panel["ymin"]), float(panel["ymax"]))
    run = []
    for x, y in re.findall(r"[ML] ?(\S+)[ ,](\S+)", d):
        across = (float(x) - box["left"]) / box["width"]
        up = 1 - (float(y) - box["top"]) / box["height"]
        run.append([low + part * (high - low) for part in (up, across)])
    return run


def assert_run(panel, d, rates):
    """What is drawn is the path of a run with these rates."""
    got, wanted = read_run(panel, d), noisy_path(rates)
    assert len(got) == len(wanted)
    for t, (place, other) in enumerate(zip(got, wanted, strict=True)):
        assert place == pytest.approx(other, rel=1e-6, abs=1e-9), f"step {t}"


def assert_drawn(panel, values):
    """The panel shows exactly these values, those that are no finite number left out."""
    wanted = [(t, value) for t, value in enumerate(values) if math.isfinite(value)]
    drawn = read_curve(panel)
    assert [t for t, _ in drawn] == [t for t, _ in wanted]
    slack = 1e-9 * abs(float(panel["ymax"]) - float(panel["ymin"]))
    for (t, got), (_, value) in zip(drawn, wanted, strict=True):
        near = math.isclose(got, value, rel_tol=1e-6, abs_tol=slack)
        assert near, f"step {t}: drawn {got}, torch has {value}"


def explorers(page):
    return page.locator(".lr-explorer:not(#lr-playground)").all()


@each(WITH_EXPLORER)
def test_the_drawn_curves_are_those_of_torch(name, explored):
    for index, explorer in enumerate(explorers(explored)):
        chance = random.Random(f"{name} {index}")
        controls = explorer.locator(".lr-controls [name]").count()
        assert controls > 0
        start = explorer.evaluate(STATE)
        # without a slider for the number of steps, it stays what it is
        fixed_steps = int(float(start["panels"]["rate"]["xmax"]))
        settings = [[0.0] * controls, [1.0] * controls]
        settings += [[chance.random() for _ in range(controls)] for _ in range(SETTINGS)]
        compared, different, heights = 0, set(), []
        for state in explorer.evaluate(STATES, settings):
            compared += compare_with_torch(state, fixed_steps)
            different.add(f"{state['code']} {state['metric']} {curves(state)}")
            assert abs(state["spare"]) < 0.1, "the box does not fit what is in it"
            heights += [] if state["message"] else [state["height"]]
        assert heights == sorted(heights), "what stands below comes up"
        assert len(set(heights)) <= 1 + ("<select" in explorer.inner_html()), "it goes down"
        assert compared >= SETTINGS, f"torch refused all but {compared} of the settings"
        assert len(different) > 5, "the controls change next to nothing"


def compare_with_torch(state, fixed_steps):
    """Compare one setting with torch; False where torch refuses it and so does the page."""
    steps = int(state["stands"].get("steps", fixed_steps))
    noise = NOISE_VARIANCE / int(state["stands"].get("batch_size", 1))
    rows, error = run_program(state["code"])
    assert bool(error) == bool(state["message"]), (state["code"], error, state["message"])
    if not rows:
        return False
    panels = state["panels"]
    assert len(rows) == steps or error
    rates = [row[0] for row in rows]
    try:
        assert_drawn(panels["rate"], rates)
        assert_drawn(panels["loss"], expected_losses(rates, noise_variance=noise))
        if "momentum" in panels:
            assert_drawn(panels["momentum"], [momentum for _, momentum in rows])
        if "metric" in panels:
            assert_drawn(panels["metric"], state["metric"][: len(rates)])
        if "path" in panels:
            assert_run(panels["path"], panels["path"]["d"], rates)
    except AssertionError as difference:
        raise AssertionError(f"{difference}\n{state['code']}") from None
    return True


@each(WITH_EXPLORER)
def test_an_explorer_comes_before_the_code_that_makes_it(name):
    for explorer in soup(name).select(".lr-explorer"):
        folded = explorer.find_parent(class_="cell").select_one("details.hide")
        assert folded is None or explorer in folded.find_all_previous(class_="lr-explorer")


@each(WITH_EXPLORER)
def test_an_explorer_is_driven_by_the_keyboard(name, explored):
    explored.context.grant_permissions(["clipboard-read", "clipboard-write"])
    press = explored.keyboard.press
    for explorer in explorers(explored):
        start = explorer.evaluate(STATE)
        silent = []
        # as if the reader had just read up to the explorer
        explorer.evaluate("root => { root.tabIndex = -1; root.focus(); }")
        press("Tab")
        expect(explorer.locator(".lr-at")).to_be_focused()
        if explorer.locator(".lr-play").count():
            press("Tab")
            expect(explorer.locator(".lr-play")).to_be_focused()
        controls = explorer.locator(".lr-controls [name]").all()
        for index, control in enumerate(controls):
            press("Tab")
            expect(control).to_be_focused()
            before = explorer.evaluate(STATE)
            # one of the two moves it, wherever it stands
            for key in ("ArrowRight", "ArrowLeft", "ArrowLeft"):
                press("Space" if control.get_attribute("type") == "checkbox" else key)
                explored.evaluate(FRAME)
                after = explorer.evaluate(STATE)
                if after["values"] != before["values"]:
                    break
            control_name = control.get_attribute("name")
            assert after["values"][control_name] != before["values"][control_name], control_name
            if control.get_attribute("type") == "range":
                assert after["outputs"] != before["outputs"], control_name
            if shown(after) == shown(before):
                silent.append(index)

        moved = explorer.evaluate(STATE)
        assert curves(moved) != curves(start)
        assert moved["summary"] != start["summary"]
        for selector in (".lr-pin", ".lr-reset"):
            press("Tab")
            expect(explorer.locator(selector)).to_be_focused()
            press("Enter" if selector == ".lr-pin" else "Space")
            explored.evaluate(FRAME)
            state = explorer.evaluate(STATE)
            assert all(panel["pinned"] for panel in state["panels"].values())
        for selector in (".lr-link", ".lr-log"):
            press("Tab")
            expect(explorer.locator(selector)).to_be_focused()
        press("Tab")
        expect(explorer.locator(".lr-unpin")).to_be_focused()
        press("Enter")
        explored.evaluate(FRAME)
        expect(explorer.locator(".lr-pin")).to_be_focused()
        assert explorer.evaluate(STATE) == start

        for _ in range(4):
            press("Tab")
        copy = explorer.locator(".lr-copy")
        expect(copy).to_be_focused()
        label = copy.text_content()
        press("Enter")
        expect(copy).not_to_have_text(label)  # says that it did
        assert explored.evaluate("() => navigator.clipboard.readText()") == start["code"]

        # a control may wait for another one (when a jump comes, for how high it is): then it acts
        for index in silent:
            states = []
            for part in (0.1, 0.6):
                parts = [part if i == index else 0.6 for i in range(len(controls))]
                explorer.evaluate(MOVE, parts)
                states.append(shown(explorer.evaluate(STATE)))
            assert states[0] != states[1], controls[index].get_attribute("name")


@each(WITH_EXPLORER)
def test_pinned_curves_stay_while_the_other_moves(name, explored):
    for explorer in explorers(explored):
        controls = explorer.locator(".lr-controls [name]").count()
        start = explorer.evaluate(STATE)
        explorer.locator(".lr-pin").click()
        explorer.locator(".lr-pin").click()  # the same again is no second pin
        explorer.evaluate(MOVE, [0.4] * controls)
        explorer.locator(".lr-pin").click()
        explorer.evaluate(MOVE, [0.9] * controls)
        state = explorer.evaluate(STATE)
        assert all(len(panel["pinned"]) == 2 for panel in state["panels"].values())
        assert state["panels"]["rate"]["pinned"][0] != state["panels"]["rate"]["d"]

        legend = explorer.locator(".lr-legend li").all_inner_texts()
        assert len(legend) == 3 and all("final loss" in line for line in legend)
        assert len(set(legend)) == 3, "each is named by what differs"
        assert explorer.locator(".lr-reading").inner_text().count("pinned ") == 2

        # Reset leaves them, and brings back what the first had pinned
        explorer.locator(".lr-reset").click()
        explored.evaluate(FRAME)
        state = explorer.evaluate(STATE)
        rate = state["panels"]["rate"]
        assert len(rate["pinned"]) == 2 and state["values"] == start["values"]
        pinned = [value for _, value in read_curve({**rate, "d": rate["pinned"][0]})]
        assert pinned == pytest.approx([value for _, value in read_curve(rate)], rel=1e-6)

        # and each can be removed alone
        kept = rate["pinned"][1]
        explorer.locator(".lr-unpin").first.click()
        explored.evaluate(FRAME)
        assert len(explorer.evaluate(STATE)["panels"]["rate"]["pinned"]) == 1 and kept
        explorer.locator(".lr-unpin").click()
        explored.evaluate(FRAME)
        assert explorer.evaluate(STATE) == start


@each(WITH_EXPLORER)
def test_a_setting_is_an_address(name, explored):
    """Values, pins and scale survive a reload, and a page that was left and came back to."""
    explorer = explored.locator(".lr-explorer").first
    controls = explorer.locator(".lr-controls [name]").count()
    explorer.evaluate(MOVE, [0.9] * controls)
    explorer.locator(".lr-pin").click()
    explorer.evaluate(MOVE, [0.3] * controls)
    explorer.locator(".lr-log").check()
    explored.evaluate(FRAME)
    before = explorer.evaluate(STATE)
    assert before["panels"]["rate"]["scale"] == "log"
    address = explored.url
    assert "explorer=" in address

    explored.reload()
    assert explored.locator(".lr-explorer").first.evaluate(STATE) == before
    explored.goto("about:blank")
    explored.go_back()
    assert explored.locator(".lr-explorer").first.evaluate(STATE) == before
    # nothing else of the page's address is lost
    explored.goto(address.split("?")[0] + "?q=1#exercises")
    explored.locator(".lr-pin").first.click()
    assert "?q=1&explorer=" in explored.url and explored.url.endswith("#exercises")


@each(WITH_EXPLORER)
def test_an_address_that_cannot_be_read_shows_the_start(name, explored):
    """Cut in the middle, typed, or of an edition that had other settings."""
    explorer = explored.locator(".lr-explorer").first
    clean = explored.url.split("?")[0].split("#")[0]
    found = {}
    for broken in "lr:%", "lr:%e2,steps:", "lr:abc,steps:1e999", "!", "nothing:1", "toString:1,lr":
        explored.goto(f"{clean}?explorer={broken}")
        settle(explored)
        found[broken] = explorer.evaluate(STATE)
    explored.goto(clean)
    settle(explored)
    start = explorer.evaluate(STATE)
    for broken, state in found.items():
        assert state == start, broken


@each(WITH_EXPLORER)
def test_the_reading_is_of_the_curves_that_are_shown(name, explored):
    explorer = explored.locator(".lr-explorer").first
    reading, at = explorer.locator(".lr-reading"), explorer.locator(".lr-at")
    controls = explorer.locator(".lr-controls [name]").count()

    def told():
        explored.evaluate(FRAME)
        text = reading.inner_text()
        assert at.get_attribute("aria-valuetext") == text  # for screen readers
        return text

    def expected(step):
        rates = explorer.evaluate("root => root.lrCurves.rate")
        return f"Step {step}: learning rate {rates[step]:.3g}"

    at.focus()
    explored.keyboard.press("Home")
    assert told().startswith("Step 0: ")
    for _ in range(3):
        explored.keyboard.press("ArrowRight")
    assert same_number(told(), expected(3))
    explorer.evaluate(MOVE, [0.8] * controls)  # the curve moves under it
    assert same_number(told(), expected(3))
    panel = explorer.locator(".lr-panels svg").first
    panel.hover()
    assert not told().startswith("Step 3: ")
    explored.mouse.move(0, 0)
    assert same_number(told(), expected(3))
    explorer.locator(".lr-reset").click()
    assert same_number(told(), expected(3))


def same_number(text, wanted):
    """Whether a reading begins as wanted: JavaScript writes 1e-7 where Python writes 1e-07."""
    number = r"^(Step \d+: learning rate) (\S+?)(?:[,;]|$)"
    (words, got), (same, value) = (re.search(number, x).groups() for x in (text, wanted))
    return words == same and math.isclose(float(got), float(value), rel_tol=1e-9)


# What the panel of a path shows of the step that is read, and where the others read it.
READ_STEP = """root => {
  const run = root.querySelector('[data-panel="path"]');
  const number = (element, key) => Number(element.getAttribute(key));
  const here = run.querySelector('.lr-here');
  return {
    here: [number(here, 'cx'), number(here, 'cy')],
    so_far: run.querySelector('.lr-so-far .lr-curve').getAttribute('d'),
    dots: run.querySelector('.lr-so-far .lr-dots').getAttribute('d').split('M').length - 1,
    at: Number(root.querySelector('.lr-at').value),
    reading: root.querySelector('.lr-reading').textContent,
    cursors: [...root.querySelectorAll('.lr-cursor')].map(cursor => {
      const { left, width, xmax } = cursor.closest('svg').dataset;
      return (number(cursor, 'x1') - left) / width * xmax;
    }),
  };
}"""


def with_a_path(page):
    return page.locator(".lr-explorer:has(.lr-play)").first


def panel_of(explorer, name="path"):
    return explorer.locator(f'svg[data-panel="{name}"]')


def assert_read(explorer, step):
    """All panels show this step."""
    state, now = explorer.evaluate(STATE), explorer.evaluate(READ_STEP)
    panel = state["panels"]["path"]
    run = read_run(panel, panel["d"])
    assert now["reading"].startswith(f"Step {step}: ")
    assert now["cursors"] == pytest.approx([step] * (len(state["panels"]) - 1))
    assert read_run(panel, now["so_far"]) == run[: step + 1] and now["dots"] == step + 1
    (here,) = read_run(panel, "M {} {}".format(*now["here"]))
    assert here == run[step]


def test_there_are_paths():
    assert "chapters/index.html" in WITH_PATH and len(WITH_PATH) > 3


@each(WITH_PATH)
def test_the_paths_of_pins_are_drawn_too(name, explored):
    explorer = with_a_path(explored)
    controls = explorer.locator(".lr-controls [name]").count()
    wanted = []
    for parts in ([0.2] * controls, [0.7] * controls, [0.5] * controls):
        explorer.evaluate(MOVE, parts)
        rows, _ = run_program(explorer.evaluate(STATE)["code"])
        wanted.append([rate for rate, *_ in rows])
        explorer.locator(".lr-pin").click()
    panel = explorer.evaluate(STATE)["panels"]["path"]
    assert len(panel["pinned"]) == 3
    for d, rates in zip(panel["pinned"], wanted, strict=True):
        assert_run(panel, d, rates)
    assert panel["pinned"][2] == panel["d"]
    styles = "paths => paths.map(path => getComputedStyle(path).strokeDasharray)"
    dashes = panel_of(explorer).locator(".lr-pinned").evaluate_all(styles)
    assert len(set(dashes)) == 3 and "none" not in dashes
    explorer.locator(".lr-unpin").first.click()
    assert len(explorer.evaluate(STATE)["panels"]["path"]["pinned"]) == 2
    for _ in range(2):
        explorer.locator(".lr-unpin").first.click()


@each(WITH_PATH)
def test_the_step_that_is_read_is_a_place_of_the_path(name, explored):
    explorer = with_a_path(explored)
    at = explorer.locator(".lr-at")
    last = int(at.get_attribute("max"))
    assert_read(explorer, last)
    at.focus()
    explored.keyboard.press("Home")
    assert_read(explorer, 0)
    for _ in range(4):
        explored.keyboard.press("ArrowRight")
    assert_read(explorer, 4)
    explorer.evaluate(MOVE, [0.8] * explorer.locator(".lr-controls [name]").count())
    assert_read(explorer, 4)

    # under the pointer in another panel
    rate = panel_of(explorer, "rate")
    box = rate.bounding_box()
    rate.hover(position={"x": box["width"] / 2, "y": box["height"] / 2})
    explored.evaluate(FRAME)
    step = int(re.match(r"Step (\d+):", explorer.locator(".lr-reading").inner_text())[1])
    assert 4 < step < last
    assert_read(explorer, step)
    explored.mouse.move(0, 0)
    explored.evaluate(FRAME)
    assert_read(explorer, 4)
    explored.keyboard.press("End")


@each(WITH_PATH)
def test_pointing_at_the_path_reads_the_nearest_step(name, explored):
    explorer = with_a_path(explored)
    panel = panel_of(explorer)
    panel.scroll_into_view_if_needed()
    d = explorer.evaluate(STATE)["panels"]["path"]["d"]
    places = [(float(x), float(y)) for x, y in re.findall(r"[ML] ?(\S+)[ ,](\S+)", d)]
    last = int(explorer.locator(".lr-at").get_attribute("max"))
    for x, y in (*places[:3], places[9], places[last], (60, 20), (150, 90)):
        panel.hover(position={"x": x, "y": y})
        explored.evaluate(FRAME)
        step = int(re.match(r"Step (\d+):", explorer.locator(".lr-reading").inner_text())[1])
        far = [math.dist(place, (x, y)) for place in places[: last + 1]]
        assert far[step] <= min(far) + 1.5  # a pointer stands on whole pixels
        assert_read(explorer, step)
    explored.mouse.move(0, 0)
    explored.evaluate(FRAME)
    assert_read(explorer, last)


@each(WITH_PATH)
def test_a_finger_on_the_path_leaves_its_step(name, readers):
    page = readers["phone"]
    page.goto((BOOK / name).as_uri())
    settle(page)
    explorer = with_a_path(page)
    d = explorer.evaluate(STATE)["panels"]["path"]["d"]
    x, y = map(float, re.findall(r"[ML] ?(\S+)[ ,](\S+)", d)[1])
    panel_of(explorer).tap(position={"x": x, "y": y})
    page.evaluate(FRAME)
    assert explorer.locator(".lr-at").input_value() == "1"
    assert_read(explorer, 1)


@each(WITH_PATH)
def test_the_path_stays_in_its_box_among_contours_of_equal_loss(name, loaded):
    panel = panel_of(with_a_path(loaded))
    clip, box, ellipses = panel.evaluate(
        """svg => {
          const numbers = (element, ...keys) => keys.map(key => Number(element.getAttribute(key)));
          const address = svg.querySelector('.lr-so-far').parentElement.getAttribute('clip-path');
          const found = document.querySelectorAll(address.match(/#[^)]*/)[0]);
          return [[...found].map(c => numbers(c.firstElementChild, 'x', 'y', 'width', 'height')),
            ['left', 'top', 'width', 'height'].map(key => Number(svg.dataset[key])),
            [...svg.querySelectorAll('ellipse')].map(e => numbers(e, 'cx', 'cy', 'rx', 'ry'))];
        }"""
    )
    assert clip == [box], "one, and it is that box"
    panel = with_a_path(loaded).evaluate(STATE)["panels"]["path"]
    for cx, cy, rx, ry in ellipses:
        (minimum,) = read_run(panel, f"M {cx} {cy}")
        assert minimum == pytest.approx([0, 0], abs=1e-9)
        # 1/2 (1.0 * steep^2 + 0.1 * flat^2), where the ellipse crosses each direction
        assert 0.1 * (rx / box[2]) ** 2 == pytest.approx((ry / box[3]) ** 2)
    assert len({rx for _, _, rx, _ in ellipses}) == len(ellipses) >= 3


PLAYS = 4  # seconds from the first step to the last


@each(WITH_PATH)
def test_play_shows_the_run_and_stops_at_its_end(name, explored):
    explorer = with_a_path(explored)
    play, at = explorer.locator(".lr-play"), explorer.locator(".lr-at")
    last = int(at.get_attribute("max"))
    label, steps = play.evaluate(
        """async (button, seconds) => {
          const at = button.closest('.lr-explorer').querySelector('.lr-at');
          const steps = [], begin = performance.now();
          button.click();
          const label = button.textContent;
          while (button.textContent === label && performance.now() < begin + 3000 * seconds) {
            await new Promise(requestAnimationFrame);
            steps.push([performance.now() - begin, Number(at.value)]);
          }
          return [label, steps];
        }""",
        PLAYS,
    )
    assert label == "Stop"
    expect(play).to_have_text("Play")
    assert 0.9 * PLAYS < steps[-1][0] / 1000 < 1.5 * PLAYS
    shown = [step for _, step in steps]
    assert shown[-1] == last and shown == sorted(shown) and len(set(shown)) > 10
    assert shown[0] < last / 4
    assert_read(explorer, last)


@each(WITH_PATH)
def test_whatever_a_reader_does_stops_what_plays(name, explored):
    explorer = with_a_path(explored)
    play, at = explorer.locator(".lr-play"), explorer.locator(".lr-at")
    last = int(at.get_attribute("max"))
    press = explored.keyboard.press
    slider = explorer.locator(".lr-controls input[type=range]").first
    for touch in (
        lambda: play.click(),
        lambda: play.press("Enter"),
        lambda: slider.press("ArrowRight"),
        lambda: panel_of(explorer).click(),
        lambda: press("Escape"),
    ):
        play.click()
        expect(play).to_have_text("Stop")
        explored.wait_for_function("at => at.value > 0", arg=at.element_handle())
        touch()
        expect(play).to_have_text("Play")
        stopped = at.input_value()
        explored.wait_for_timeout(100)
        assert at.input_value() == stopped and int(stopped) < last
        explored.mouse.move(0, 0)
    at.focus()
    press("End")


@each(WITH_PATH)
def test_a_pointer_that_only_passes_does_not_stop_it(name, explored):
    explorer = with_a_path(explored)
    play = explorer.locator(".lr-play")
    play.click()
    panel_of(explorer, "rate").hover()
    panel_of(explorer).hover()
    expect(play).to_have_text("Stop")
    at = explorer.locator(".lr-at").input_value()
    explored.wait_for_function(
        "([root, at]) => root.querySelector('.lr-at').value > at",
        arg=[explorer.element_handle(), at],
    )
    play.click()
    explorer.locator(".lr-at").press("End")


@each(WITH_PATH)
@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_nothing_moves_by_itself(name, motion, arrived):
    page = arrived("without motion" if motion == "reduce" else "laptop")
    explorer = with_a_path(page)
    before = explorer.evaluate(STATE), explorer.evaluate(READ_STEP)
    page.wait_for_timeout(500)
    assert (explorer.evaluate(STATE), explorer.evaluate(READ_STEP)) == before
    if motion == "reduce":
        expect(explorer.locator(".lr-play")).to_be_hidden()
        explorer.locator(".lr-at").press("Home")  # the slider is there for all
        assert_read(explorer, 0)
    else:
        expect(explorer.locator(".lr-play")).to_be_visible()


@each(WITH_EXPLORER)
def test_a_swipe_that_begins_on_a_slider_scrolls_and_moves_nothing(name, readers):
    page = readers["phone"]
    page.goto((BOOK / name).as_uri())
    slider = page.locator(".lr-controls input[type=range]").first
    slider.evaluate("s => s.scrollIntoView({ block: 'center' })")
    page.evaluate(FRAME)
    explorer = page.locator(".lr-explorer").first
    before, top = explorer.evaluate(STATE), page.evaluate("() => scrollY")
    box = slider.bounding_box()
    part = 0.1 if float(slider.input_value()) > float(slider.get_attribute("min")) else 0.9
    x, y = box["x"] + part * box["width"], box["y"] + box["height"] / 2
    devtools = page.context.new_cdp_session(page)
    for kind, up in [("touchStart", 0), *(("touchMove", 15 * i) for i in range(1, 12))]:
        points = [{"x": x, "y": y - up}]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        page.evaluate(FRAME)
    devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.evaluate(FRAME)
    devtools.detach()
    assert page.evaluate("() => scrollY") > top + 50
    assert explorer.evaluate(STATE) == before


# For each control of an explorer, scrolled down as far as a reader would, so that it is in the
# lower half: where it begins, and where every panel begins and ends.
IN_SIGHT = f"""async (root) => {{
  const ends = (element) => {{
    const {{ top, bottom }} = element.getBoundingClientRect();
    return [top, bottom];
  }};
  const found = [];
  for (const control of root.querySelectorAll('.lr-controls [name]')) {{
    scrollBy(0, ends(control)[1] - 0.9 * innerHeight);
    await {A_FRAME};
    const panels = [...root.querySelectorAll('.lr-panels svg')];
    found.push([ends(control)[0], panels.map(ends)]);
  }}
  return found;
}}"""


@each(WITH_EXPLORER)
@pytest.mark.parametrize("reader", ["upright", "laptop"], ids=["phone", "laptop"])
def test_what_a_slider_does_stays_in_sight(name, reader, arrived):
    """Wherever a reader has scrolled to reach a control, every panel is on the screen."""
    page = arrived(reader)
    height = page.viewport_size["height"]
    for explorer in explorers(page):
        for control, panels in explorer.evaluate(IN_SIGHT):
            assert panels
            for top, bottom in panels:
                assert 0 <= top and bottom <= height
                assert bottom <= control, "a panel covers the control"


@each(WITH_EXPLORER)
def test_things_to_try_are_set(name, explored):
    """What the text marks with `name:value` stands in the controls when its button was pressed."""
    marks = [unescape(mark) for mark in re.findall(r'data-lr-try="([^"]*)"', TEXTS[name])]
    buttons = explored.locator(".lr-try").all()
    assert len(marks) == len(buttons)
    for mark, button in zip(marks, buttons, strict=True):
        button.click()
        explored.evaluate(FRAME)
        found = [explorer.evaluate(STANDS) for explorer in explorers(explored)]
        for part in filter(None, re.split("[;!]", mark)[0].split(",")):
            control, text = part.split(":", 1)
            values = [settings[control] for settings in found if control in settings]
            assert text.strip("'") in values or float(text) in map(float, values), (mark, found)
        explored.go_back()
        explored.evaluate(FRAME)


@each(WITH_EXPLORER)
def test_things_to_try_are_buttons(name, explored):
    for button in explored.locator(".lr-try").all():
        states = [explorer.evaluate(STATE) for explorer in explorers(explored)]
        button.click()
        explored.evaluate(FRAME)
        assert [explorer.evaluate(STATE) for explorer in explorers(explored)] != states
        shown = explored.locator(".lr-explorer:has(.lr-panels)").first.bounding_box()
        assert -5 <= shown["y"] < 400, "it scrolls to what it changed"
        explored.go_back()
        explored.evaluate(FRAME)
        assert [explorer.evaluate(STATE) for explorer in explorers(explored)] == states


@each(WITH_EXPLORER)
def test_every_control_has_a_name_of_its_own(name, loaded):
    for explorer in explorers(loaded):
        names = []
        for control in explorer.locator("input, select, button").all():
            expect(control).to_have_accessible_name(re.compile(r"\w"))
            names.append(control.evaluate("c => (c.labels?.[0] ?? c).textContent.trim()"))
            box = control.bounding_box()
            assert box is None or min(box["width"], box["height"]) >= 24, names[-1]
        assert len(set(names)) == len(names) > 3
        for panel in explorer.locator(".lr-panels svg").all():
            expect(panel).to_have_accessible_name(re.compile(r"\w"))
        expect(explorer.locator(".lr-summary")).to_have_attribute("aria-live", "polite")


@each(WITH_EXPLORER)
def test_without_scripts_a_picture_stands_in(name, readers, server):
    page = readers["without scripts"]
    page.goto(server + name)
    for explorer in explorers(page):
        expect(explorer.locator(".lr-fallback")).to_be_visible()
        assert explorer.locator(".lr-fallback").bounding_box()["width"] > 200
        expect(explorer.locator(".lr-code")).to_be_visible()
        for control in explorer.locator("input, select, button").all():
            expect(control).to_be_hidden()


@each(WITH_EXPLORER)
def test_a_printed_page_shows_the_curves(name, loaded):
    loaded.emulate_media(media="print")
    try:
        for explorer in explorers(loaded):
            expect(explorer.locator(".lr-fallback")).to_be_hidden()
            assert abs(explorer.evaluate(FIT)["spare"]) < 0.1, "code is cut, or paper is empty"
            for button in explorer.locator("button").all():
                expect(button).to_be_hidden()
            for panel in explorer.locator("svg[data-panel]").all():
                expect(panel).to_be_visible()
                assert panel.bounding_box()["width"] > 200
                # a level curve is a box without height, which Playwright calls hidden
                curve = panel.locator("path.lr-curve").first
                assert curve.evaluate("c => getComputedStyle(c).visibility") == "visible"
                assert curve.bounding_box()["width"] > 100
    finally:
        loaded.emulate_media(media="screen")


def test_the_book_has_explorers():
    """The tests above are about what they find: there must be something to find."""
    chapters = {page for page in READ if page.startswith("chapters/")}
    assert "chapters/index.html" in chapters
    without = ("cifar_comparison", "cheat_sheet", "glossary", "teaching")
    without += ("libraries", "playground", "stepping_reference", "which_scheduler", "adamw")
    assert chapters - {f"chapters/{name}.html" for name in without} == set(WITH_EXPLORER)
