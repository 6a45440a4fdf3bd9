// Exercises that are answered in the page. The cell for the answer becomes an editor when a reader
// touches it; Check runs it with what the exercise needs of the chapter, and tells what is wrong.
(() => {
  "use strict";
  const data = document.getElementById("lr-exercises");
  if (!data) return;
  const { kept } = window.lrPython;
  const MARGIN = { left: 48, right: 10, top: 10, bottom: 30 };
  // After the reader's cells: what the last check compared.
  const REPORT = ["report", "import lrcore\n_result = lrcore.compared_as_json()"];

  // The path of a curve; null stands for what is no number.
  function path(curve, x, y) {
    let pen = "M";
    return curve.map((value, t) => {
      const point = value === null ? "" : `${pen}${x(t)} ${y(value)}`;
      pen = value === null ? "M" : "L";
      return point;
    }).join(" ");
  }

  // The reader's rates and the expected ones.
  function draw(svg, [given, expected]) {
    const { left, right, top, bottom } = MARGIN;
    const { clientWidth: width, clientHeight: height } = svg;
    const all = [...given, ...expected].filter((value) => value !== null);
    const low = Math.min(0, ...all), high = Math.max(...all, low + 1e-12);
    const last = Math.max(given.length, expected.length, 2) - 1;
    const x = (t) => left + ((width - left - right) * t) / last;
    const y = (value) => top + (height - top - bottom) * (1 - (value - low) / (high - low));
    const lines = [low, (low + high) / 2, high].map((value) =>
      `<line class="lr-grid" x1="${left}" x2="${width - right}" y1="${y(value)}" y2="${y(value)}"/>` +
      `<text x="${left - 6}" y="${y(value) + 4}" text-anchor="end">${Number(value.toPrecision(3))}</text>`);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.innerHTML = lines.join("") +
      `<text x="${left}" y="${height - 8}">step 0</text>` +
      `<text x="${width - right}" y="${height - 8}" text-anchor="end">step ${last}</text>` +
      `<path class="lr-given" d="${path(given, x, y)}"/>` +
      `<path class="lr-expected" d="${path(expected, x, y)}"/>`;
  }

  const PANEL = `<div class="lr-buttons">
<button type="button" class="lr-check">Check</button>
<button type="button" class="lr-again">Start again</button>
<kbd>Ctrl+Enter</kbd></div>
<pre class="lr-told" role="status" hidden></pre>
<figure class="lr-compared" hidden><svg role="img" aria-label="Your rates and the expected rates"></svg>
<figcaption><span class="lr-given-key">yours</span> <span class="lr-expected-key">expected</span></figcaption></figure>`;

  function start({ number, before, starter }, section) {
    const cell = section.querySelector(":scope > .cell");
    const shown = cell.querySelector(".cell_input");
    const box = document.createElement("div");
    box.className = "lr-exercise";
    shown.replaceWith(box);
    box.append(shown);
    box.insertAdjacentHTML("beforeend", PANEL);
    const find = (selector) => box.querySelector(selector);
    const told = find(".lr-told"), figure = find(".lr-compared"), button = find(".lr-check");
    const key = `lr-answer:${document.body.dataset.page}:${number}`;
    let opening = null, running = null, written = null;
    const saved = () => kept.get(key) ?? starter;

    async function open() {
      window.lrPython.warm();
      const place = document.createElement("div");
      place.className = "lr-editor";
      const made = await window.lrPython.editor(place, {
        text: saved(),
        label: `Your answer to exercise ${number}`,
        onChange: (text) => kept.put(key, text),
        onRun: check,
      });
      shown.replaceWith(place);
      return written = made;
    }
    const editor = () => {
      opening ??= open();
      opening.catch(() => { opening = null; });
      return opening;
    };

    function tell(text, right = false) {
      told.hidden = false;
      told.textContent = text;
      told.classList.toggle("lr-correct", right);
      told.scrollTop = told.scrollHeight; // the verdict comes last
      told.tabIndex = told.scrollHeight > told.clientHeight ? 0 : -1;
    }

    // Of a name that the starter gives and the answer does not, as when a solution replaces it all.
    function gone(error) {
      const [, name] = /name '(\w+)' isn't defined/.exec(error ?? "") ?? [];
      const given = new RegExp(`^(${name} *=|${name},.*=|def ${name}\\(|.*import .*\\b${name}\\b)`, "m");
      return name && given.test(starter)
        ? `\n\`${name}\` stood in the text that was here: keep all but the lines of your answer. Start again brings it back.` : "";
    }

    function stop() {
      running?.end();
      running = null;
    }

    async function check() {
      stop();
      const mine = running = window.lrPython.session();
      try {
        // Python need not wait for an editor that is not there yet; one that is takes in the last key first
        const answer = written ? (await editor()).text() : saved();
        const [result] = await Promise.all([mine.ask([["before", before], ["answer", answer], REPORT]), editor()]);
        mine.end();
        if (mine !== running) return; // another check came, or Start again
        cell.querySelector(".cell_output")?.remove(); // it tells of the answer as published
        const { text, line } = window.lrPython.explain(result, answer);
        const checked = result.error || result.endless || /^(Correct|Not yet)/m.test(text);
        const right = !result.error && /^Correct/m.test(text) && !/^Not yet/m.test(text);
        const missing = checked ? "" : "Nothing was checked: the call of check is missing.";
        tell([text, missing].filter(Boolean).join("\n") + gone(result.error), right);
        written.mark(line);
        const curves = JSON.parse(result.result || "null");
        figure.hidden = !curves;
        if (curves) draw(find("svg"), curves);
      } catch (error) {
        tell(`Python could not start in this browser: ${error.message}. Open the chapter in Colab.`);
      }
      box.dataset.checks = Number(box.dataset.checks ?? 0) + 1;
    }

    async function again() {
      stop();
      kept.drop(key);
      await editor();
      written.put(starter);
      kept.drop(key); // putting it there kept it
      told.hidden = figure.hidden = true;
      written.focus();
    }

    const touch = async () => (await editor()).focus();
    shown.addEventListener("click", touch);
    const link = document.createElement("button"); // for the keyboard
    link.type = "button";
    link.className = "lr-open";
    link.textContent = "Answer here";
    link.addEventListener("click", () => { link.remove(); touch(); });
    find(".lr-buttons").prepend(link);
    shown.addEventListener("click", () => link.remove());
    button.addEventListener("click", () => { link.remove(); check(); });
    find(".lr-again").addEventListener("click", () => { link.remove(); again(); });
    if (kept.get(key) !== null) {
      // an answer of an earlier day is shown when it comes near
      new IntersectionObserver(([entry], observer) => {
        if (!entry.isIntersecting) return;
        observer.disconnect();
        link.remove();
        editor();
      }, { rootMargin: "200px" }).observe(box);
    }
    box.dataset.ready = "true";
  }

  // What trains a network does not run in a page.
  function offerColab(section) {
    const colab = document.querySelector("a.btn-colab");
    const note = document.createElement("p");
    note.className = "lr-needs-colab";
    note.append("This exercise needs more than a page has (PyTorch's tensors, the recorded runs). ");
    if (colab) {
      const link = Object.assign(document.createElement("a"), { href: colab.href, textContent: "Open the chapter in Colab" });
      note.append(link, ".");
    }
    section.querySelector(":scope > .cell").before(note);
  }

  for (const exercise of JSON.parse(data.textContent)) {
    const section = document.getElementById(`exercise-${exercise.number}`);
    if (exercise.colab) offerColab(section);
    else start(exercise, section);
  }
})();
