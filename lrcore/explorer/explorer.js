// The explorer in a page: reads the controls, computes the curves, draws them as SVG.
// The formulas and `summary` are the book's Python functions, compiled by PScript.

const HEIGHT = 250;
const MARGIN = { left: 58, right: 14, top: 14, bottom: 44 };

// Round numbers for an axis: about `count` of them between low and high.
function linearTicks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((m) => m * power >= rough);
  const ticks = [];
  for (let i = Math.ceil(low / step); i * step <= high * (1 + 1e-9); i++) ticks.push(i * step);
  return ticks;
}

// Powers of ten between low and high.
function logTicks(low, high) {
  const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9);
  const skip = Math.ceil((last - first + 1) / 6);
  const ticks = [];
  for (let k = first; k <= last; k += skip) ticks.push(10 ** k);
  return ticks;
}

// The nearest 1, 2 or 5 times a power of ten at or below x.
function roundDown(x) {
  const power = 10 ** Math.floor(Math.log10(x));
  return power * [5, 2, 1].find((m) => m * power <= x * (1 + 1e-9));
}

const short = (x) => String(Number(x.toPrecision(3)));

// The panel's axes: as wide as the panel says, or wider where a curve needs it.
function axes(panel, curves, steps, width) {
  const values = curves.flat().concat(panel.low, panel.high).filter(Number.isFinite);
  const log = panel.log;
  let low = Math.min(...values), high = Math.max(...values);
  if (log) {
    low = roundDown(Math.max(low, 1e-12));
    high = Math.max(1 / roundDown(1 / high), low * 10);
  } else {
    if (panel.name === "momentum") low -= (high - low) / 20; // its small moves are far above 0
    else low = Math.min(0, low);
    high = high > low ? high + (high - low) / 20 : low + 1;
  }
  const box = {
    left: MARGIN.left, top: MARGIN.top,
    width: width - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom,
  };
  const part = log
    ? (y) => (Math.log10(y) - Math.log10(low)) / (Math.log10(high) - Math.log10(low))
    : (y) => (y - low) / (high - low);
  return {
    log, low, high, box, steps,
    x: (t) => box.left + (box.width * t) / steps,
    y: (value) => box.top + box.height * (1 - part(value)),
    xTicks: linearTicks(0, steps, width < 330 ? 4 : 5),
    yTicks: log ? logTicks(low, high) : linearTicks(low, high, 5),
  };
}

// Full precision, so that what is drawn is what was computed.
function path(curve, ax) {
  const drawn = curve.map((value, t) => [t, value]).filter(([, value]) => Number.isFinite(value));
  const d = drawn.map(([t, value]) => `${ax.x(t)} ${ax.y(value)}`).join(" L ");
  return d && `M ${d}`;
}

// What stands around the curves.
function frame(panel, ax) {
  const { box } = ax;
  const right = box.left + box.width, bottom = box.top + box.height;
  const rows = ax.yTicks.map((y) =>
    `<line class="lr-grid" x1="${box.left}" x2="${right}" y1="${ax.y(y)}" y2="${ax.y(y)}"/>` +
    `<text x="${box.left - 6}" y="${ax.y(y) + 4}" text-anchor="end">${short(y)}</text>`);
  const columns = ax.xTicks.map((t) =>
    `<text x="${ax.x(t)}" y="${bottom + 17}" text-anchor="middle">${short(t)}</text>`);
  return rows.join("") + columns.join("") +
    `<line class="lr-axis" x1="${box.left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>` +
    `<text x="${box.left + box.width / 2}" y="${HEIGHT - 8}" text-anchor="middle">optimizer step</text>` +
    `<text transform="translate(13 ${box.top + box.height / 2}) rotate(-90)" text-anchor="middle">${panel.label}</text>`;
}

function makePanel({ name, label }) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.dataset.panel = name;
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `${label} against optimizer step`);
  svg.innerHTML = '<g></g><path class="lr-pinned"/><path class="lr-curve"/>' +
    `<line class="lr-cursor" y1="${MARGIN.top}" y2="${HEIGHT - MARGIN.bottom}"/>`;
  return svg;
}

function drawPanel(svg, panel, width, curve, pinned, steps) {
  const ax = axes(panel, pinned ? [curve, pinned] : [curve], steps, width);
  const around = frame(panel, ax);
  if (svg.lrFrame !== around) { // seldom: its words take most of the time of a move
    const { box } = ax;
    Object.assign(svg.dataset, {
      xmin: 0, xmax: ax.steps, ymin: ax.low, ymax: ax.high, scale: ax.log ? "log" : "linear",
      left: box.left, top: box.top, width: box.width, height: box.height,
    });
    svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    svg.querySelector("g").innerHTML = svg.lrFrame = around;
  }
  svg.querySelector(".lr-pinned").setAttribute("d", pinned ? path(pinned, ax) : "");
  svg.querySelector(".lr-curve").setAttribute("d", path(curve, ax));
  svg.querySelector(".lr-cursor").setAttribute("visibility", "hidden");
  return ax;
}

function start(root, model) {
  const find = (selector) => root.querySelector(selector);
  const form = find(".lr-controls");
  const inputs = [...form.querySelectorAll("input, select")];
  const svgs = {}, widths = {}, scales = {};
  let curves = null, pinned = null;

  for (const panel of model.panels) {
    svgs[panel.name] = makePanel(panel);
    find(".lr-panels").append(svgs[panel.name]);
  }

  // The value of every parameter, for the formulas, and its text, for the code.
  function read() {
    const values = {}, texts = {};
    const take = (name, { value, text, source }) => {
      values[name] = value;
      texts[name] = text;
      texts[name + "_source"] = source;
    };
    for (const [name, option] of Object.entries(model.fixed)) take(name, option);
    for (const input of inputs) {
      if (input.name in model.menus) {
        take(input.name, model.menus[input.name][Number(input.value)]);
      } else if (input.type === "checkbox") {
        take(input.name, { value: input.checked, text: input.checked ? "True" : "False" });
      } else {
        const base = Number(input.dataset.base);
        const value = base ? Number((base ** Number(input.value)).toPrecision(4)) : Number(input.value);
        take(input.name, { value, text: String(value) });
      }
      const shown = input.tagName === "SELECT" ? "" : texts[input.name];
      input.parentElement.querySelector("output").textContent = shown;
    }
    return { values, texts };
  }

  // As torch: an error, or a rate that is no number, ends the curve and is told.
  function compute(v) {
    const steps = [...Array(v.steps).keys()];
    const found = { rate: [], momentum: model.momentum && [], metric: null, loss: [], error: null };
    try {
      found.metric = model.metric && steps.map((t) => model.metric(t, v));
      for (const t of steps) {
        const rate = model.rate(t, v, found.metric);
        if (!Number.isFinite(rate)) throw new Error(`the learning rate is ${rate}`);
        if (model.momentum) found.momentum.push(model.momentum(t, v));
        found.rate.push(rate);
      }
    } catch (error) {
      found.error = error;
    }
    found.loss = model.losses(found.rate);
    return found;
  }

  // Not while drawing: to ask for a width lays out anew what was changed before.
  function measure() {
    for (const [name, svg] of Object.entries(svgs)) widths[name] = svg.clientWidth || 320;
  }

  function draw() {
    const steps = Math.max(curves.rate.length, pinned ? pinned.rate.length : 0);
    for (const panel of model.panels) {
      const { name } = panel;
      const before = pinned && pinned[name];
      scales[name] = drawPanel(svgs[name], panel, widths[name], curves[name], before, steps);
    }
  }

  function update() {
    const { values, texts } = read();
    const found = compute(values);
    find(".lr-code").textContent = model.code.replace(/\$\{(\w+)\}/g, (_, name) => texts[name]);
    const message = find(".lr-message");
    message.hidden = !found.error;
    if (found.error) {
      const where = found.rate.length ? `stops at step ${found.rate.length}` : "refuses these values";
      message.textContent = `${model.name} ${where}: ${found.error.message}`;
    }
    if (!found.rate.length) return; // nothing to draw: the message says why, the last curve stays
    curves = root.lrCurves = found;
    find(".lr-summary").textContent = model.summary(curves.rate, curves.loss) +
      (pinned ? ` Pinned curve: ${short(pinned.loss[pinned.loss.length - 1])}.` : "");
    draw();
  }

  // The values under the pointer, in every panel at once.
  function point(event) {
    const svg = event.target.closest("svg");
    if (!svg) return;
    const ax = scales[svg.dataset.panel];
    const across = (event.clientX - svg.getBoundingClientRect().left - ax.box.left) / ax.box.width;
    const t = Math.max(0, Math.min(curves.rate.length - 1, Math.round(across * ax.steps)));
    const readings = [];
    for (const { name, label } of model.panels) {
      const cursor = svgs[name].querySelector(".lr-cursor");
      cursor.setAttribute("x1", ax.x(t));
      cursor.setAttribute("x2", ax.x(t));
      cursor.setAttribute("visibility", "visible");
      readings.push(`${label} ${short(curves[name][t])}`);
    }
    find(".lr-reading").textContent = `Step ${t}: ${readings.join(", ")}`;
  }

  async function copy() {
    const code = find(".lr-code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      find(".lr-copy").textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code); // no clipboard here: Ctrl+C does the rest
      find(".lr-copy").textContent = "Selected";
    }
    setTimeout(() => { find(".lr-copy").textContent = "Copy"; }, 1500);
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", update);
  find(".lr-pin").addEventListener("click", () => { pinned = curves; update(); });
  find(".lr-reset").addEventListener("click", () => { form.reset(); pinned = null; update(); });
  find(".lr-copy").addEventListener("click", copy);
  find(".lr-panels").addEventListener("pointermove", point);
  find(".lr-panels").addEventListener("pointerdown", point);
  form.hidden = find(".lr-copy").hidden = false;
  find(".lr-fallback").hidden = true;
  root.dataset.ready = "true";
  measure();
  update();
  let width = 0; // redraw for a new width only: a drawing must not call for the next
  new ResizeObserver(([entry]) => {
    if (entry.contentRect.width !== width && curves) {
      measure();
      draw();
    }
    width = entry.contentRect.width;
  }).observe(find(".lr-panels"));
}
