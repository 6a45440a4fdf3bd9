// The playground: a schedule that a reader writes or draws, its curves, pins, a link that holds it
// all, and the training loop that it belongs to. Python computes, draw.js draws.
(() => {
  "use strict";
  const root = document.getElementById("lr-playground");
  if (!root) return;
  const EXAMPLES = JSON.parse(document.getElementById("lr-examples").textContent); // {name: code}
  const BOWL = JSON.parse(document.getElementById("lr-bowl").textContent);
  const PAUSE = 250; // ms after the last key until what is written runs
  const MOST = 5000; // optimizer steps: more take Python longer than it may
  const PINS = 20; // that are taken from a link
  const HORIZON = /^(end|steps|total_steps|T_max|total_iters|horizon)$/; // names for a run's length
  const STORE = "lr-playground";
  const PANELS = [
    { name: "rate", label: "learning rate", log: false, low: 0, high: 0 },
    { name: "momentum", label: "momentum", log: false, low: 0.85, high: 0.95 },
    { name: "loss", label: "expected loss", log: true, low: 0.01, high: 0.72 },
  ];

  window.lrPython.style("explorer.css");
  root.className = "lr-explorer";
  root.innerHTML = `
<div class="lr-buttons"><label>Example <select class="lr-example"></select></label>
<button type="button" class="lr-pin">Pin this curve</button>
<button type="button" class="lr-draw" aria-pressed="false">Draw by hand</button>
<button type="button" class="lr-link">Copy a link</button></div>
<div class="lr-exercise"><div class="lr-editor"></div>
<pre class="lr-told" role="status">Python is being loaded …</pre></div>
<div class="lr-stage"><div class="lr-panels"></div>
<div class="lr-read"><label for="lr-play-at">read at step</label>
<input type="range" class="lr-at" id="lr-play-at" min="0" max="99" value="99">
<p class="lr-reading"></p></div></div>
<form class="lr-controls" autocomplete="off"></form>
<p class="lr-score" role="status" hidden></p>
<ul class="lr-legend" aria-label="Curves"></ul>
<details class="lr-run"><summary>Your run: how many optimizer steps are that?</summary>
<form class="lr-run-form" autocomplete="off"></form>
<p class="lr-run-told" role="status"></p>
<div class="lr-code-box"><p>The training loop, as a program <button type="button" class="lr-copy">Copy</button></p>
<pre class="lr-code" tabindex="0"></pre></div></details>`;
  const find = (selector) => root.querySelector(selector);
  const form = find(".lr-controls"), at = find(".lr-at"), told = find(".lr-told");
  const score = find(".lr-score"), legend = find(".lr-legend");

  // What is shown: what a reader wrote, where its sliders stand, and what was drawn by hand.
  let work = { code: Object.values(EXAMPLES)[0], values: {}, steps: 100, lr: 0.5, drawn: null };
  let curves = null, pins = [], editor = null, scales = {}, hovered = null;
  const run = { images: 50000, "batch size": 128, epochs: 10, accumulation: 1, processes: 1 };

  // --- what is written

  // The code without what strings and comments say.
  const bare = (code) => code.replace(/("""|''')[^]*?\1|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|#.*/g, (text) =>
    text[0] === "#" ? "" : '""');

  // The parameters of the function that counts, as texts: of two with one name Python takes the last.
  function signature(code) {
    const text = bare(code);
    const heads = (name) => [...text.matchAll(new RegExp(`^def ${name}\\(`, "gm"))];
    const head = (heads("scheduler").pop() ?? heads("rate").pop());
    if (!head) return [];
    const parts = [""];
    let depth = 0;
    for (const letter of text.slice(head.index + head[0].length)) {
      if (letter === ")" && depth === 0) break;
      depth += "([{".includes(letter) - ")]}".includes(letter);
      if (letter === "," && depth === 0) parts.push("");
      else parts[parts.length - 1] += letter;
    }
    return parts;
  }

  // [[name, default, whether it is whole], ...] of the parameters that have a number.
  function parameters(code) {
    const number = /^\s*([\p{L}_][\p{L}\p{N}_]*)\s*(?::[^=]*)?=\s*(-?\d[\d_]*\.?\d*(?:e[-+]?\d+)?|-?\.\d+)\s*$/u;
    const found = signature(code).map((part) => number.exec(part)).filter(Boolean)
      .map(([, name, text]) => [name, [name, Number(text.replaceAll("_", "")), /^-?[\d_]+$/.test(text)]]);
    return [...new Map(found).values()];
  }

  // The ends and the step of the slider of a number.
  function range(name, value, whole) {
    if (whole) {
      const most = HORIZON.test(name) ? Math.max(2 * value, work.steps) : Math.max(2 * value, 10);
      return { min: Math.min(value, value < 0 ? 2 * value : value > 0 ? 1 : 0), max: most, step: 1 };
    }
    const ends = value ? [0, 2 * value].sort((a, b) => a - b) : [0, 1];
    return { min: ends[0], max: ends[1], step: Number(((ends[1] - ends[0]) / 100).toPrecision(2)) };
  }

  function slider(name, value, { min, max, step }, label = name) {
    const id = `lr-play-of-${name.trim()}`;
    return `<div class="lr-row"><label for="${id}">${label}</label>` +
      `<input type="range" id="${id}" name="${name}" min="${min}" max="${max}" step="${step}" value="${value}">` +
      `<output for="${id}">${value}</output></div>`;
  }

  const isScheduler = (code) => /^def scheduler\(/m.test(bare(code));

  // A slider for each number of the code. One that a reader moved stays where it is, until the code
  // has another number there.
  let built = "", defaults = {};
  function buildSliders() {
    const found = parameters(work.code);
    const key = JSON.stringify([found, isScheduler(work.code)]);
    const moved = work.values;
    const stays = (name, value) =>
      Object.hasOwn(moved, name) && (Object.hasOwn(defaults, name) ? defaults[name] : value) === value;
    work.values = Object.fromEntries(found.map(([name, value]) => [name, stays(name, value) ? moved[name] : value]));
    defaults = Object.fromEntries(found);
    if (key !== built) {
      const own = isScheduler(work.code) ? slider(" lr", work.lr, { min: 0.01, max: 2, step: 0.01 }, "lr of the optimizer") : "";
      form.innerHTML = own + found.map(([name, value, whole]) => slider(name, value, range(name, value, whole))).join("") +
        `<div class="lr-row"><label for="lr-play-steps">optimizer steps</label>` +
        `<input type="number" id="lr-play-steps" name=" steps" min="1" max="${MOST}" value="${work.steps}"></div>`;
      built = key;
    }
    for (const [name] of found) put(name, work.values[name]);
    put(" steps", work.steps);
    if (isScheduler(work.code)) put(" lr", work.lr);
  }

  function put(name, value) {
    const input = form.querySelector(`[name="${name}"]`);
    if (Number(input.max) < value) input.max = value;
    if (Number(input.min) > value) input.min = value;
    if (document.activeElement !== input || input.type === "range") input.value = value;
    const output = input.parentElement.querySelector("output");
    if (output) output.textContent = value;
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", ({ target }) => {
    const value = Number(target.value);
    if (target.name === " steps") {
      if (!Number.isInteger(value) || value < 1 || value > MOST) {
        return tell(`optimizer steps = ${target.value || "nothing"}: allowed is a whole number from 1 to ${MOST}`, true);
      }
      work.steps = value;
    } else if (target.name === " lr") work.lr = value;
    else work.values[target.name] = value;
    put(target.name, value);
    stopDrawing();
    changed();
    compute();
  });

  // --- Python

  const literal = (values) => "{" + Object.entries(values).map(([n, v]) => `${JSON.stringify(n)}: ${v}`).join(", ") + "}";
  const question = ({ drawn, values, steps, lr }) => "import playground\n_result = playground." +
    (drawn ? `as_json(${JSON.stringify(drawn)})` : `curves(globals(), ${literal(values)}, ${steps}, ${lr})`);
  let session = null, sessionCode = null, busy = false, waiting = null;

  // Ask Python about `what`; the interpreter stays as long as the code does.
  async function curvesOf(what) {
    const fresh = what.code !== sessionCode;
    if (fresh) session?.end();
    if (fresh) session = window.lrPython.session();
    sessionCode = what.code;
    const code = fresh ? [["answer", what.code]] : [];
    const answer = await session.ask([...code, ["call", question(what)]]);
    if (answer.error || answer.endless) sessionCode = null;
    return answer;
  }

  // Compute and draw; while Python is busy, only the newest wish is kept.
  async function compute() {
    if (busy) {
      waiting = true;
      return;
    }
    busy = true;
    try {
      do {
        waiting = false;
        const now = { ...work, values: { ...work.values }, drawn: work.drawn && work.drawn.slice() };
        const answer = await curvesOf(now);
        const { text, line } = window.lrPython.explain(answer, now.code);
        editor?.mark(line);
        if (answer.error || answer.endless) {
          const many = answer.endless && now.steps > 1000 ? ` Or are ${now.steps} optimizer steps too many for it?` : "";
          tell(text + many, true); // the last good curve stays
          continue;
        }
        curves = root.lrCurves = { ...JSON.parse(answer.result), of: now };
        tell([text, `Expected loss after ${curves.rate.length} optimizer steps: ${final(curves)}.`].filter(Boolean).join("\n"));
        draw();
      } while (waiting);
    } catch (error) {
      tell(`Python could not start in this browser: ${error.message}.`, true);
    }
    busy = false;
    root.dataset.computed = Number(root.dataset.computed ?? 0) + 1;
  }

  function tell(text, wrong = false) {
    told.textContent = text;
    told.classList.toggle("lr-correct", !wrong);
  }

  const final = ({ loss }) => {
    const last = loss[loss.length - 1];
    return last === null ? "none, it diverges" : short(last);
  };

  // --- drawing

  const svgs = {};
  for (const { name, label } of PANELS) {
    svgs[name] = makePanel(name, `${label} against optimizer step`,
      '<g class="lr-pins"></g><path class="lr-curve"/><g class="lr-epochs"></g><line class="lr-cursor"/>');
  }
  svgs.path = makeRunPanel("lr-playground-clip");
  find(".lr-panels").append(...Object.values(svgs));

  // Not while drawing: to ask for a size lays out anew what was changed before.
  let sizes = {};
  function measure() {
    for (const [name, svg] of Object.entries(svgs)) {
      sizes[name] = { width: svg.clientWidth || 320, height: svg.clientHeight || 200 };
    }
  }

  function draw() {
    if (!curves) return;
    const steps = Math.max(curves.rate.length, ...pins.map((pin) => pin.curves.rate.length));
    const moves = [curves, ...pins.map((pin) => pin.curves)].some((one) => one.momentum);
    if (moves === (svgs.momentum.style.display === "none")) {
      svgs.momentum.style.display = moves ? "" : "none";
      measure();
    }
    for (const panel of PANELS) {
      if (panel.name === "momentum" && !moves) continue;
      const of = (one) => (one[panel.name] ?? []).map((y) => y ?? NaN);
      scales[panel.name] = drawPanel(svgs[panel.name], panel, sizes[panel.name], panel.log, of(curves), pins.map((pin) => of(pin.curves)), steps);
    }
    const places = (one) => one.path.map((place) => place.map((w) => w ?? NaN));
    scales.path = drawRun(svgs.path, BOWL, sizes.path, places(curves), pins.map((pin) => places(pin.curves)));
    const last = at.value === at.max;
    at.max = steps - 1;
    if (last) at.value = at.max;
    readStep();
    if (find(".lr-run").open) showRun();
  }

  function readStep() {
    if (!curves) return;
    const t = Math.max(0, Math.min(hovered ?? Number(at.value), Number(at.max)));
    const read = (one) => t >= one.rate.length ? "ended" :
      [`learning rate ${short(one.rate[t])}`, one.momentum && `momentum ${short(one.momentum[t])}`,
        `expected loss ${one.loss[t] === null ? "too large" : short(one.loss[t])}`].filter(Boolean).join(", ");
    const text = [`Step ${t}: ${read(curves)}`, ...pins.map((pin) => `${pin.name}: ${read(pin.curves)}`)].join("; ");
    find(".lr-reading").textContent = text;
    at.setAttribute("aria-valuetext", text);
    for (const { name } of PANELS) {
      if (!scales[name]) continue;
      const cursor = svgs[name].querySelector(".lr-cursor");
      for (const end of ["x1", "x2"]) cursor.setAttribute(end, scales[name].x(t));
    }
    markRun(svgs.path, scales.path, t);
  }
  at.addEventListener("input", () => { hovered = null; readStep(); });
  find(".lr-panels").addEventListener("pointermove", ({ target, clientX }) => {
    const svg = target.closest?.("svg");
    const ax = svg && scales[svg.dataset.panel];
    if (!ax || ax.places || drawing) return;
    const across = (clientX - svg.getBoundingClientRect().left - ax.box.left) / ax.box.width;
    hovered = Math.max(0, Math.min(Number(at.max), Math.round(across * ax.steps)));
    readStep();
  });
  find(".lr-panels").addEventListener("pointerleave", () => { hovered = null; readStep(); });

  // --- pins

  function showLegend() {
    legend.innerHTML = pins.map((pin, i) =>
      `<li><svg viewBox="0 0 30 8" aria-hidden="true"><path class="lr-pinned lr-style-${i % PIN_STYLES}" d="M 0 4 L 30 4"/></svg>` +
      `<input class="lr-name" data-pin="${i}" aria-label="Name of this pin" value="${escape(pin.name)}">` +
      `<span>final loss ${final(pin.curves)}</span>` +
      `<button type="button" class="lr-back" data-pin="${i}">Take it back</button>` +
      `<button type="button" class="lr-unpin" data-pin="${i}" aria-label="Remove the pin ${escape(pin.name)}">×</button></li>`).join("");
  }

  // What is told apart: the example's name, or the numbers that were moved.
  function nameOf(what) {
    if (what.drawn) return `drawn ${pins.filter((pin) => pin.work.drawn).length + 1}`;
    const example = Object.entries(EXAMPLES).find(([, code]) => code === what.code);
    const moved = parameters(what.code).filter(([name, value]) => what.values[name] !== value);
    const numbers = moved.map(([name]) => `${name}=${what.values[name]}`).join(", ");
    return [example ? example[0] : "my schedule", numbers].filter(Boolean).join(": ");
  }

  find(".lr-pin").addEventListener("click", () => {
    if (!curves) return;
    pins.push({ name: nameOf(curves.of), work: curves.of, curves });
    showLegend();
    draw();
    changed();
  });
  legend.addEventListener("input", ({ target }) => {
    pins[target.dataset.pin].name = target.value;
    readStep();
    changed();
  });
  legend.addEventListener("click", ({ target }) => {
    const pin = pins[target.dataset.pin];
    if (target.matches(".lr-unpin")) {
      pins.splice(target.dataset.pin, 1);
      showLegend();
      draw();
      changed();
      find(".lr-pin").focus();
    } else if (target.matches(".lr-back")) {
      take(pin.work);
      changed();
    }
  });

  // --- a schedule drawn by hand

  let drawing = false, pen = null, best = {};
  const drawButton = find(".lr-draw");

  function stopDrawing() {
    drawing = false;
    work.drawn = null;
    drawButton.setAttribute("aria-pressed", "false");
    svgs.rate.classList.remove("lr-drawing");
    score.hidden = true;
  }

  drawButton.addEventListener("click", () => {
    if (drawing) {
      stopDrawing();
      changed();
      compute();
      return;
    }
    if (!curves) return;
    drawing = true;
    work.drawn = curves.rate.slice();
    drawButton.setAttribute("aria-pressed", "true");
    svgs.rate.classList.add("lr-drawing");
    score.hidden = false;
    score.textContent = "Draw in the panel of the learning rate, with the mouse or a finger.";
  });

  // Where the pointer is, as [step, rate].
  function place(event) {
    const { box, low, high, steps } = scales.rate;
    const area = svgs.rate.getBoundingClientRect();
    const t = Math.round(((event.clientX - area.left - box.left) / box.width) * steps);
    const part = 1 - (event.clientY - area.top - box.top) / box.height;
    const rate = Math.max(0, low + part * (high - low));
    return [Math.max(0, Math.min(work.drawn.length - 1, t)), Number(rate.toPrecision(3))];
  }

  svgs.rate.addEventListener("pointerdown", (event) => {
    if (!drawing) return;
    event.preventDefault();
    svgs.rate.setPointerCapture(event.pointerId);
    pen = place(event);
    work.drawn[pen[0]] = pen[1];
    changed();
    compute();
  });
  svgs.rate.addEventListener("pointermove", (event) => {
    if (!pen) return;
    const [t, rate] = place(event);
    const [from, start] = pen;
    for (let i = Math.min(from, t); i <= Math.max(from, t); i++) {
      const part = from === t ? 1 : (i - from) / (t - from);
      work.drawn[i] = Number((start + part * (rate - start)).toPrecision(3));
    }
    pen = [t, rate];
    changed();
    compute();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    svgs.rate.addEventListener(end, async () => {
      if (!pen) return;
      pen = null;
      await judge();
    });
  }

  // The drawn schedule against the cosine from the best peak rate, over as many steps.
  async function judge() {
    const steps = work.drawn.length;
    if (!best[steps]) {
      const answer = await window.lrPython.run([["call", `import playground\n_result = playground.best_cosine(${steps})`]]);
      if (answer.error || answer.endless) {
        score.textContent = `Yours ends at an expected loss of ${final(curves)}. To find the best cosine over ${steps} steps takes too long here.`;
        return;
      }
      best[steps] = JSON.parse(answer.result);
    }
    while (busy) await new Promise((resolve) => setTimeout(resolve, 20));
    if (!drawing) return;
    const mine = curves.loss[curves.loss.length - 1] ?? Infinity;
    const { peak, loss } = best[steps];
    const verdict = mine < loss ? "Yours is lower: you beat it." :
      `The best cosine is lower by ${short(100 * (1 - loss / mine))} %.`;
    score.textContent = `Yours ends at an expected loss of ${final(curves)}. The best cosine over ${steps} steps ` +
      `starts at a rate of ${short(peak)} and ends at ${short(loss)}. ${verdict}`;
    score.dataset.judged = Number(score.dataset.judged ?? 0) + 1;
  }

  // --- your run

  const LIMITS = { images: 1e10, "batch size": 1e7, epochs: 1e5, accumulation: 1e5, processes: 1e5 };
  const runForm = find(".lr-run-form");
  runForm.innerHTML = Object.entries(run).map(([name, value]) =>
    `<label>${name} <input type="number" name="${name}" min="1" max="${LIMITS[name]}" value="${value}"></label>`).join("") +
    '<button type="button" class="lr-fit">Use these steps</button>';

  // As a DataLoader that keeps the last batch, and a loop that steps on the last one of an epoch too.
  function counted() {
    const batches = Math.ceil(run.images / (run["batch size"] * run.processes));
    const inEpoch = Math.ceil(batches / run.accumulation);
    return { batches, inEpoch, total: inEpoch * run.epochs };
  }

  // Light lines where epochs begin, if the run is as long as the curve.
  function showEpochs() {
    const { inEpoch, total } = counted();
    const ax = scales.rate;
    const shown = find(".lr-run").open && total === work.steps && run.epochs > 1;
    const every = Math.ceil(run.epochs / 10);
    const lines = [];
    for (let epoch = 0; shown && epoch <= run.epochs; epoch += every) {
      const x = ax.x(epoch * inEpoch);
      lines.push(`<line class="lr-grid" x1="${x}" x2="${x}" y1="${ax.box.top}" y2="${ax.box.top + ax.box.height}"/>` +
        `<text x="${x}" y="${ax.box.top - 2}" text-anchor="middle">${epoch ? epoch : "epoch 0"}</text>`);
    }
    svgs.rate.querySelector(".lr-epochs").innerHTML = lines.join("");
  }

  // What does not fit between the schedule and the run.
  function warnings(total) {
    const found = [];
    for (const [name, value] of Object.entries(work.values)) {
      if (HORIZON.test(name) && value !== total) found.push(`${name}=${value}, but the run has ${total} optimizer steps.`);
    }
    if (work.steps !== total) {
      found.push(`The curve shows ${work.steps} optimizer steps, the run has ${total}.`);
    } else if (curves) {
      const { rate } = curves;
      let last = rate.length - 1;
      while (last > 0 && rate[last] === rate[last - 1]) last--;
      if (last > 0 && last < 0.9 * rate.length) {
        found.push(`From step ${last} on the rate stays at ${short(rate[last])}: the schedule is over after ${Math.round(100 * last / rate.length)} % of the run.`);
      }
      if (rate[rate.length - 1] > 0.5 * Math.max(...rate) && last > 0) {
        found.push("At the end of the run the rate is still above half of its highest: is the schedule longer than the run?");
      }
    }
    return found;
  }

  function showRun() {
    const { batches, inEpoch, total } = counted();
    find(".lr-run-told").textContent = [
      `${batches} batches an epoch for each process, ${inEpoch} optimizer steps an epoch, ${total} in all.`,
      ...warnings(total)].join(" ");
    find(".lr-code").textContent = program();
    if (curves) showEpochs();
  }

  runForm.addEventListener("submit", (event) => event.preventDefault());
  runForm.addEventListener("input", ({ target }) => {
    const value = Number(target.value);
    if (!Number.isInteger(value) || value < 1 || value > LIMITS[target.name]) {
      find(".lr-run-told").textContent =
        `${target.name} = ${target.value || "nothing"}: allowed is a whole number from 1 to ${LIMITS[target.name]}`;
      return;
    }
    run[target.name] = value;
    showRun();
    changed();
  });
  find(".lr-run").addEventListener("toggle", showRun);
  find(".lr-fit").addEventListener("click", () => {
    const { total } = counted();
    if (total > MOST) {
      find(".lr-run-told").textContent = `${total} optimizer steps: the playground draws at most ${MOST}.`;
      return;
    }
    stopDrawing();
    work.steps = total;
    for (const name of Object.keys(work.values)) if (HORIZON.test(name)) work.values[name] = total;
    buildSliders();
    changed();
    compute();
  });

  const drawnCode = (rates) => `RATES = [\n${rates.map((rate) => `    ${rate},\n`).join("")}]


def rate(t):
    return RATES[min(t, len(RATES) - 1)]`;

  // A whole training loop, ready to copy: it prints the rate of each optimizer step of the curve that
  // is shown. It is a function, so that its names are not those of the reader.
  function program() {
    if (!curves) return "";
    const { batches } = counted();
    const { values, drawn } = curves.of;
    const code = drawn ? drawnCode(drawn) : curves.of.code;
    const given = drawn ? "" : Object.entries(values).map(([name, value]) => `, ${name}=${value}`).join("");
    const scheduler = isScheduler(code);
    const lr = scheduler ? curves.of.lr : "1.0";
    const made = scheduler ? `scheduler(optimizer${given})`
      : `torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: rate(t${given}))`;
    const plateau = /ReduceLROnPlateau/.test(code);
    return `import torch

${code.trim()}


def train():
    model = torch.nn.Linear(1, 1)  # your model
    optimizer = torch.optim.SGD(model.parameters(), lr=${lr}, momentum=0.9)
    schedule = ${made}
    step = 0
    for epoch in range(${run.epochs}):
        for batch in range(${batches}):  # your batches, in each of ${run.processes} process${run.processes > 1 ? "es" : ""}
            # loss = ...; (loss / ${run.accumulation}).backward()
            if (batch + 1) % ${run.accumulation} == 0 or batch + 1 == ${batches}:
                print(step, optimizer.param_groups[0]["lr"])
                optimizer.step()
                optimizer.zero_grad()
                schedule.step(${plateau ? "1.0" : ""})${plateau ? "  # your validation loss; the page's curve has one of its own" : ""}
                step += 1


train()
`;
  }

  async function copied(button, text, otherwise) {
    const label = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      otherwise();
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = label; }, 1500);
  }
  find(".lr-copy").addEventListener("click", ({ target }) =>
    copied(target, find(".lr-code").textContent, () => getSelection().selectAllChildren(find(".lr-code"))));

  // --- what is kept: on the device, and in a link

  const state = () => ({ ...work, pins: [...pins.map(({ name, work: one }) => ({ name, ...one })), ...coming], run });

  // After each change by the reader. What a link brought is not kept before: it would take the place
  // of the reader's own. And the address no longer tells what is shown.
  function changed() {
    showExample();
    window.lrPython.kept.put(STORE, JSON.stringify(state()));
    try {
      if (location.hash.startsWith("#s=")) history.replaceState(null, "", location.href.split("#")[0]);
    } catch { /* a page that may not change its address */ }
  }

  const through = async (bytes, stream) =>
    new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());

  async function packed() {
    const bytes = await through(JSON.stringify(state()), new CompressionStream("deflate-raw"));
    const letters = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
    return letters.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  }

  async function unpacked(letters) {
    const bytes = Uint8Array.from(atob(letters.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(await through(bytes, new DecompressionStream("deflate-raw"))));
  }

  find(".lr-link").addEventListener("click", async ({ target }) => {
    const address = location.href.split("#")[0] + "#s=" + await packed();
    try { history.replaceState(null, "", address); } catch { /* a page that may not change its address */ }
    copied(target, address, () => prompt("The address of this playground", address));
  });

  // A setting from outside, freed of what does not belong there. Throws what is no setting.
  function checked(found) {
    const number = (value, otherwise, least, most) =>
      Number.isFinite(value) && value >= least && value <= most ? value : otherwise;
    if (typeof found?.code !== "string") throw new Error("it holds no code");
    const values = Object.entries(found.values ?? {}).filter(([name, value]) => /^\w+$/.test(name) && Number.isFinite(value));
    const drawn = Array.isArray(found.drawn) && found.drawn.length > 0 && found.drawn.every(Number.isFinite) ? found.drawn : null;
    return {
      code: found.code, values: Object.fromEntries(values), drawn,
      steps: Math.round(number(found.steps, 100, 1, MOST)), lr: number(found.lr, 0.5, 0, 1e3),
    };
  }

  // Show a setting: its code, its sliders, its curve.
  function take(what) {
    stopDrawing();
    work = { ...what, values: { ...what.values } };
    defaults = {};
    editor?.put(work.code);
    clearTimeout(later); // what put told of
    buildSliders();
    compute();
  }

  // The setting that a link or the device holds; its pins come later, for each has to be computed.
  function restore(found) {
    const start = checked(found);
    coming = Array.isArray(found.pins) ? found.pins.slice(0, PINS) : [];
    for (const [name, value] of Object.entries(found.run ?? {})) {
      if (name in run && Number.isInteger(value) && value >= 1 && value <= LIMITS[name]) run[name] = runForm.elements[name].value = value;
    }
    return start;
  }

  let coming = [];
  async function restorePins() {
    while (coming.length) {
      const [one] = coming;
      try {
        const what = checked(one);
        const { result, endless } = await window.lrPython.run([["answer", what.code], ["call", question(what)]]);
        if (endless) coming.length = 1; // those behind it would be as slow
        if (result) {
          pins.push({ name: String(one.name ?? nameOf(what)).slice(0, 100), work: what, curves: { ...JSON.parse(result), of: what } });
          showLegend();
          draw();
        }
      } catch {
        // a pin that no longer runs, or none at all
      }
      coming.shift();
    }
  }

  const menu = find(".lr-example");
  menu.innerHTML = '<option value="">your own</option>' +
    Object.keys(EXAMPLES).map((name) => `<option>${escape(name)}</option>`).join("");
  function showExample() {
    menu.value = Object.keys(EXAMPLES).find((name) => EXAMPLES[name] === work.code) ?? "";
  }
  menu.addEventListener("change", () => {
    if (menu.value) {
      take({ code: EXAMPLES[menu.value], values: {}, steps: work.steps, lr: work.lr, drawn: null });
      changed();
    } else {
      showExample();
    }
  });
  // another link, in the page that is open
  addEventListener("hashchange", () => location.hash.startsWith("#s=") && location.reload());

  async function begin() {
    measure();
    let complaint = "";
    const linked = /^#s=(.*)/.exec(location.hash);
    try {
      if (linked) work = restore(await unpacked(linked[1]));
    } catch {
      complaint = "This link cannot be read: was it cut? What was here before is shown instead.";
    }
    try {
      const own = window.lrPython.kept.get(STORE);
      if ((!linked || complaint) && own) work = restore(JSON.parse(own));
    } catch {
      // what the device holds cannot be read: the example stays
    }
    showExample();
    window.lrPython.warm(); // Python comes while the editor does
    editor = await window.lrPython.editor(find(".lr-editor"), {
      text: work.code,
      label: "Your schedule",
      onChange: (text) => {
        clearTimeout(later);
        later = setTimeout(() => {
          stopDrawing();
          work.code = text;
          buildSliders();
          changed();
          compute();
        }, PAUSE);
      },
      onRun: compute,
    });
    buildSliders();
    await compute();
    await restorePins();
    if (complaint) tell(complaint, true);
    root.dataset.ready = "true";
  }
  let later = null;
  let width = 0;
  new ResizeObserver(([entry]) => {
    if (entry.contentRect.width === width) return;
    width = entry.contentRect.width;
    measure();
    draw();
  }).observe(find(".lr-panels"));
  begin().catch((error) => {
    tell(`Python could not start in this browser: ${error.message}.`, true);
    root.dataset.ready = "true";
  });
})();
