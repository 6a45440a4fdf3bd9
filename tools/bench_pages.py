"""How long a move of a slider takes in the built pages, and how soon there is one to move, in a
headless browser."""

import gzip
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from browser import FLAGS, find_browser
from playwright.sync_api import sync_playwright
from tqdm import tqdm

# All times are of the page's main thread, in milliseconds. `work` starts where browsers deliver
# input, right before a frame is made, and ends when that frame is painted: script, style, layout
# and paint. (A message that is sent while a frame is made arrives when the frame is done.)
# `two_frames` is what a clock on the wall sees from a move to the second frame after it; `no_move`
# is the same wait without a move.
MOVES = """async (root, moves) => {
  const frame = () => new Promise(requestAnimationFrame);
  const painted = () => new Promise((done) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = done;
    channel.port2.postMessage(null);
  });
  const inputs = [...root.querySelectorAll("input, select")];
  const move = (i) => {
    const input = inputs[i % inputs.length];
    const stops = Math.round((input.max - input.min) / input.step);
    if (input.type === "range") input.value = +input.min + input.step * ((i * 7) % (stops + 1));
    else if (input.type === "checkbox") input.checked = !input.checked;
    else input.selectedIndex = (input.selectedIndex + 1) % input.options.length;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  };
  root.scrollIntoView();
  const times = { work: [], two_frames: [], no_move: [] };
  for (let i = 0; i < moves; i++) {
    await frame();
    let start = performance.now();
    move(i);
    await painted();
    times.work.push(performance.now() - start);
    for (const kind of ["two_frames", "no_move"]) {
      start = performance.now();
      if (kind === "two_frames") move(i + 1);
      await frame();
      await frame();
      times[kind].push(performance.now() - start);
    }
  }
  return times;
}"""


def page_moves(pages, moves):
    """{"page 1": {"work": [...], "two_frames": [...], "no_move": [...]}, ...}: every explorer."""
    found = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        for path in tqdm(pages, "pages", leave=False):
            page = browser.new_page()
            page.goto(path.as_uri())
            explorers = page.query_selector_all(".lr-explorer:not(#lr-playground)")
            for i, root in enumerate(explorers, start=1):
                found[f"{path.stem} {i}"] = root.evaluate(MOVES, moves)
            page.close()
        browser.close()
    return found


# --- Python in the page

# Milliseconds from an action to the next change of a counter that the page keeps in `dataset`.
COUNTED = """async ([root, name, selector, event]) => {
  const count = () => Number(root.dataset[name] ?? 0);
  const before = count();
  const start = performance.now();
  const target = root.querySelector(selector);
  if (event === "click") target.click();
  else {
    target.value = Number(target.value) === Number(target.max) ? target.min : target.max;
    target.dispatchEvent(new Event(event, { bubbles: true }));
  }
  await new Promise((done) => {
    const observer = new MutationObserver(() => {
      if (count() === before) return;
      observer.disconnect();
      done();
    });
    observer.observe(root, { attributes: true });
  });
  return performance.now() - start;
}"""


class PagePython(NamedTuple):
    """Milliseconds, and bytes: what Python in the page takes."""

    first: list  # first checks of a page that came from disk a second ago
    later: list  # checks after that, with a pause between them
    redraw: list  # moves of a slider of the playground, 100 steps
    sent: int  # all that it loads but the editor, gzipped


def page_python(book, turns=7):
    """What the reader waits for Python in the page, as a `PagePython`."""
    static = book / "_static"
    files = ["page_python_runtime.js", "draw.js", "playground.js"]
    sent = sum(len(gzip.compress((static / file).read_bytes())) for file in files)
    found = PagePython([], [], [], sent)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        for _ in tqdm(range(turns), "Python in the page", leave=False):
            page = browser.new_context().new_page()
            page.goto((book / "chapters" / "step_lr.html").as_uri())
            box = page.query_selector(".lr-exercise[data-ready]")
            page.wait_for_timeout(1000)  # nobody clicks before the page has settled
            asked = [box, "checks", ".lr-check", "click"]
            found.first.append(page.evaluate(COUNTED, asked))
            for _ in range(3):
                page.wait_for_timeout(500)  # a reader reads
                found.later.append(page.evaluate(COUNTED, asked))
            page.context.close()
        page = browser.new_page()
        page.goto((book / "chapters" / "playground.html").as_uri())
        page.wait_for_selector("#lr-playground[data-ready]")
        root = page.query_selector("#lr-playground")
        for _ in range(10 * turns):
            asked = [root, "computed", ".lr-controls input[type=range]", "input"]
            found.redraw.append(page.evaluate(COUNTED, asked))
        browser.close()
    return found


# --- how soon a page is there

# A slow phone on a slow network: 1.6 Mbit/s, 150 ms to the server and back, a quarter of the speed.
SLOW = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 1.6e6 / 8,
    "uploadThroughput": 0.75e6 / 8,
}
SLOWER_CPU = 4
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}

# Milliseconds from the first request to the first slider that can be moved, by the page's clock.
WATCH = """
  window.shift = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
  new MutationObserver((changes, observer) => {
    if (!document.querySelector(".lr-explorer[data-ready]")) return;
    window.ready = performance.now();
    observer.disconnect();
  }).observe(document, { subtree: true, childList: true, attributeFilter: ["data-ready"] });
"""


class Zipped(SimpleHTTPRequestHandler):
    """Serves a folder as hosts do: what is text is compressed."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        if path.suffix not in (".html", ".css", ".js", ".svg") or not path.is_file():
            return super().do_GET()
        data = gzip.compress(path.read_bytes(), 6)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def end_headers(self):  # the next page has the same style sheet, and need not ask for it
        self.send_header("Cache-Control", "max-age=3600")
        super().end_headers()

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 64  # a browser opens many connections at once


@contextmanager
def served(book):
    """Address of the book, served zipped on this machine."""
    with Server(("127.0.0.1", 0), partial(Zipped, directory=book)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class Arrival(NamedTuple):
    """How a page with sliders arrives."""

    seconds: float | None  # to the first slider that can be moved; None: it has no sliders
    early: int  # bytes that came before that, as sent
    sent: int  # bytes of all that the page asks for before it is scrolled
    requests: int
    shift: float  # cumulative layout shift


def arrive(context, address, slow=False):
    """A page of a new window, and its Arrival there. `slow`: as SLOW says."""
    page = context.new_page()
    devtools = context.new_cdp_session(page)
    devtools.send("Network.enable")
    if slow:
        devtools.send("Network.emulateNetworkConditions", SLOW)
        devtools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER_CPU})
    asked, sent = {}, []  # when, for each request; (when, bytes)

    def begin(event):
        if not event["request"]["url"].startswith("data:"):
            asked[event["requestId"]] = event["timestamp"]

    def end(event):
        if event["requestId"] in asked:
            sent.append((event["timestamp"], event["encodedDataLength"]))

    devtools.on("Network.requestWillBeSent", begin)
    devtools.on("Network.loadingFinished", end)
    page.add_init_script(WATCH)
    page.goto(address)
    page.wait_for_timeout(300)  # what moves after the page has come moves now
    ready, shift = page.evaluate("() => [window.ready ?? null, window.shift]")
    until = min(asked.values()) + ready / 1000 if ready is not None else float("inf")
    return page, Arrival(
        seconds=None if ready is None else ready / 1000,
        early=sum(size for when, size in sent if when <= until),
        sent=sum(size for _, size in sent),
        requests=len(sent),
        shift=shift,
    )


def arrivals(book, names):
    """{name: Arrival} of the pages, as a slow phone gets them, without a cache."""
    found = {}
    with served(book) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        # the first page once more: a browser takes longer over the first that it opens
        for name in tqdm([names[0], *names], "arrivals", leave=False):
            context = browser.new_context(**PHONE)
            _, found[name] = arrive(context, address + name, slow=True)
            context.close()
        browser.close()
    return found
