"""How long a move of a slider takes in the built pages, in a headless browser."""

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
            for i, root in enumerate(page.query_selector_all(".lr-explorer"), start=1):
                found[f"{path.stem} {i}"] = root.evaluate(MOVES, moves)
            page.close()
        browser.close()
    return found
