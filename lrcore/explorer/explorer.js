// The explorer in a page: reads the controls, computes the curves, draws them as SVG.
// The formulas and `summary` are the book's Python functions, compiled by PScript.

const MARGIN = { left: 50, right: 10, top: 12, bottom: 40 };
const PIN_STYLES = 4; // as in explorer.css

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
const escape = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

// The panel's axes: as wide as the panel says, or wider where a curve needs it.
function axes(panel, log, curves, steps, { width, height }) {
  let values = curves.flat().concat(panel.low, panel.high).filter(Number.isFinite);
  if (log) values = values.filter((value) => value > 0);
  let low = Math.min(...values), high = Math.max(...values);
  if (log) {
    // a rate that falls to nothing would squeeze all others: six powers of ten are enough
    low = roundDown(Math.max(low, panel.log ? 1e-12 : high / 1e6));
    high = Math.max(1 / roundDown(1 / high), low * 10);
  } else {
    if (panel.name === "momentum") low -= (high - low) / 20; // its small moves are far above 0
    else low = Math.min(0, low);
    high = high > low ? high + (high - low) / 20 : low + 1;
  }
  const box = {
    left: MARGIN.left, top: MARGIN.top,
    width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom,
  };
  const part = log
    ? (y) => (Math.log10(y) - Math.log10(low)) / (Math.log10(high) - Math.log10(low))
    : (y) => (y - low) / (high - low);
  return {
    log, low, high, box, steps, height,
    x: (t) => box.left + (box.width * t) / steps,
    y: (value) => box.top + box.height * (1 - part(value)),
    xTicks: linearTicks(0, steps, box.width < 170 ? 2 : 5),
    yTicks: log ? logTicks(low, high) : linearTicks(low, high, height < 200 ? 3 : 5),
  };
}

// Full precision, so that what is drawn is what was computed.
function path(curve, ax) {
  const drawn = curve.map((value, t) => [t, value]).filter(([, value]) =>
    Number.isFinite(value) && (!ax.log || value >= ax.low * (1 - 1e-9)));
  const d = drawn.map(([t, value]) => `${ax.x(t)} ${ax.y(value)}`).join(" L ");
  return d && `M ${d}`;
}

// What stands around the curves.
function frame(panel, ax) {
  const { box } = ax;
  const right = box.left + box.width, bottom = box.top + box.height;
  const rows = ax.yTicks.map((y) =>
    `<line class="lr-grid" x1="${box.left}" x2="${right}" y1="${ax.y(y)}" y2="${ax.y(y)}"/>` +
    `<text x="${box.left - 5}" y="${ax.y(y) + 4}" text-anchor="end">${short(y)}</text>`);
  const columns = ax.xTicks.map((t) =>
    `<text x="${ax.x(t)}" y="${bottom + 16}" text-anchor="middle">${short(t)}</text>`);
  return rows.join("") + columns.join("") +
    `<line class="lr-axis" x1="${box.left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>` +
    `<text x="${box.left + box.width / 2}" y="${ax.height - 7}" text-anchor="middle">optimizer step</text>` +
    `<text transform="translate(12 ${box.top + box.height / 2}) rotate(-90)" text-anchor="middle">${panel.label}</text>`;
}

function makePanel({ name, label }) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.dataset.panel = name;
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `${label} against optimizer step`);
  svg.innerHTML = '<g></g><g class="lr-pins"></g><path class="lr-curve"/><line class="lr-cursor"/>';
  return svg;
}

function drawPanel(svg, panel, size, log, curve, pinned, steps) {
  const ax = axes(panel, log, [curve, ...pinned], steps, size);
  const around = frame(panel, ax);
  if (svg.lrFrame !== around) { // seldom: its words take most of the time of a move
    const { box } = ax;
    Object.assign(svg.dataset, {
      xmin: 0, xmax: ax.steps, ymin: ax.low, ymax: ax.high, scale: ax.log ? "log" : "linear",
      left: box.left, top: box.top, width: box.width, height: box.height,
    });
    svg.setAttribute("viewBox", `0 0 ${size.width} ${size.height}`);
    svg.querySelector("g").innerHTML = svg.lrFrame = around;
    const cursor = svg.querySelector(".lr-cursor");
    cursor.setAttribute("y1", box.top);
    cursor.setAttribute("y2", box.top + box.height);
  }
  svg.querySelector(".lr-pins").innerHTML = pinned.map((values, i) =>
    `<path class="lr-pinned lr-style-${i % PIN_STYLES}" d="${path(values, ax)}"/>`).join("");
  svg.querySelector(".lr-curve").setAttribute("d", path(curve, ax));
  return ax;
}

// A setting as the address of the page holds it: what differs from the start, "gamma:0.9,lr:0.2".
// In `state` further settings follow, one for each pin: "gamma:0.9;;lr:0.2".
const written = (texts) =>
  Object.entries(texts).map(([name, text]) => `${name}:${encodeURIComponent(text)}`).join(",");

function readSetting(text) {
  const pairs = text.split(",").filter(Boolean).map((pair) => pair.split(":"));
  return Object.fromEntries(pairs.map(([name, value]) => [name, decodeURIComponent(value ?? "")]));
}

function start(root, model) {
  const find = (selector) => root.querySelector(selector);
  const form = find(".lr-controls");
  const inputs = [...form.querySelectorAll("[name]")];
  const at = find(".lr-at"); // the slider of the step that is read
  const log = find(".lr-log");
  const svgs = {}, sizes = {}, scales = {};
  let curves = null, now = {}, pins = [], hovered = null;
  // of the second explorer of a page: "explorer2"
  const number = [...document.querySelectorAll(".lr-explorer")].indexOf(root);
  const key = "explorer" + (number ? number + 1 : "");

  for (const panel of model.panels) {
    svgs[panel.name] = makePanel(panel);
    find(".lr-panels").append(svgs[panel.name]);
  }

  // --- the controls

  // What a control stands at: the value for the formulas, Python's text of it, and a function's code.
  function setting(input) {
    if (input.name in model.menus) return model.menus[input.name][Number(input.value)];
    if (input.type === "checkbox") {
      return { value: input.checked, text: input.checked ? "True" : "False" };
    }
    const base = Number(input.dataset.base);
    const value = base ? Number((base ** Number(input.value)).toPrecision(4)) : Number(input.value);
    return { value, text: String(value) };
  }

  // Put a control where its setting reads `text`; where it cannot, it stays.
  function put(input, text) {
    if (input.name in model.menus) {
      const i = model.menus[input.name].findIndex((option) => option.text === text);
      if (i >= 0) input.value = i;
    } else if (input.type === "checkbox") {
      input.checked = text === "True";
    } else if (text.trim() && Number.isFinite(Number(text))) {
      const base = Number(input.dataset.base);
      input.value = base ? Math.log(Number(text)) / Math.log(base) : text;
    }
  }

  function read() {
    const values = {}, texts = {}, shown = {};
    const take = (name, { value, text, source }) => {
      values[name] = value;
      texts[name] = text;
      texts[name + "_source"] = source;
    };
    for (const [name, option] of Object.entries(model.fixed)) take(name, option);
    for (const input of inputs) {
      const option = setting(input);
      take(input.name, option);
      shown[input.name] = option.text;
      const output = input.parentElement.querySelector("output");
      if (output) output.textContent = option.text;
      if (input.dataset.base) input.setAttribute("aria-valuetext", option.text);
    }
    return { values, texts, shown };
  }

  const first = read().shown;

  // As torch: an error, or a rate that is no number, ends the curve and is told.
  function compute(v) {
    const steps = [...Array(v.steps).keys()];
    const found = { rate: [], momentum: model.momentum && [], metric: null, loss: [], error: null };
    try {
      found.metric = model.metric && steps.map((t) => model.metric(t, v));
      for (const t of steps) {
        const call = Math.floor(t / v.every);
        const rate = model.rate(call, v, found.metric);
        if (!Number.isFinite(rate)) throw new Error(`the learning rate is ${rate}`);
        if (model.momentum) found.momentum.push(model.momentum(call, v));
        found.rate.push(rate);
      }
    } catch (error) {
      found.error = error;
    }
    found.loss = model.losses(found.rate);
    return found;
  }

  // --- drawing

  // Not while drawing: to ask for a size lays out anew what was changed before.
  function measure() {
    for (const [name, svg] of Object.entries(svgs)) {
      sizes[name] = { width: svg.clientWidth || 320, height: svg.clientHeight || 250 };
    }
  }

  function draw() {
    const steps = Math.max(curves.rate.length, ...pins.map((pin) => pin.curves.rate.length));
    for (const panel of model.panels) {
      const { name } = panel;
      const pinned = pins.map((pin) => pin.curves[name]);
      const logarithmic = panel.log || (name === "rate" && log.checked);
      scales[name] =
        drawPanel(svgs[name], panel, sizes[name], logarithmic, curves[name], pinned, steps);
    }
    if (Number(at.max) !== steps - 1) {
      const last = at.value === at.max;
      at.max = steps - 1;
      if (last) at.value = at.max;
    }
    readStep();
  }

  function update() {
    const { values, texts, shown } = read();
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
    now = shown;
    find(".lr-summary").textContent = model.summary(curves.rate, curves.loss);
    showLegend();
    draw();
  }

  // --- pins

  // {name: text} of what is not the same in all settings that are shown.
  function differing(shown) {
    const all = [now, ...pins.map((pin) => pin.shown)];
    const names = Object.keys(shown).filter((name) => all.some((one) => one[name] !== shown[name]));
    return names.map((name) => `${name}=${shown[name]}`).join(", ") || "the same setting";
  }

  const lastLoss = (found) => short(found.loss[found.loss.length - 1]);

  function showLegend() {
    const row = (style, name, found, button) =>
      `<li><svg viewBox="0 0 30 8" aria-hidden="true"><path class="${style}" d="M 0 4 L 30 4"/></svg>` +
      `<span>${escape(name)}: final loss ${lastLoss(found)}</span>${button}</li>`;
    find(".lr-legend").innerHTML = !pins.length ? "" :
      row("lr-curve", `now, ${differing(now)}`, curves, "") + pins.map((pin, i) => {
        const name = differing(pin.shown);
        return row(`lr-pinned lr-style-${i % PIN_STYLES}`, name, pin.curves,
          `<button type="button" class="lr-unpin" data-pin="${i}" aria-label="Remove the pin ${escape(name)}">×</button>`);
      }).join("");
  }

  function pin() {
    if (!pins.some((one) => written(one.shown) === written(now))) pins.push({ shown: now, curves });
    update();
    remember();
  }

  // --- the step that is read

  // All curves at one step: under the pointer, else where the slider of the step stands.
  function readStep() {
    const t = Math.max(0, Math.min(hovered ?? Number(at.value), Number(at.max)));
    const values = (found) => model.panels.filter(({ name }) => t < found[name].length)
      .map(({ name, label }) => `${label} ${short(found[name][t])}`).join(", ") || "ended";
    const told = [values(curves)];
    for (const one of pins) told.push(`pinned ${differing(one.shown)}: ${values(one.curves)}`);
    for (const { name } of model.panels) {
      const cursor = svgs[name].querySelector(".lr-cursor");
      cursor.setAttribute("x1", scales[name].x(t));
      cursor.setAttribute("x2", scales[name].x(t));
    }
    const text = `Step ${t}: ${told.join("; ")}`;
    find(".lr-reading").textContent = text;
    at.setAttribute("aria-valuetext", text);
  }

  function point(event) {
    const svg = event.target.closest(".lr-panels svg");
    if (!svg) return;
    const ax = scales[svg.dataset.panel];
    const across = (event.clientX - svg.getBoundingClientRect().left - ax.box.left) / ax.box.width;
    hovered = Math.max(0, Math.min(Number(at.max), Math.round(across * ax.steps)));
    if (event.pointerType !== "mouse") at.value = hovered; // a finger leaves, and its step stays
    readStep();
  }

  function leave() {
    hovered = null;
    readStep();
  }

  // --- the address of the page holds what is shown

  function state() {
    const changed = (shown) =>
      written(Object.fromEntries(Object.entries(shown).filter(([name, text]) => text !== first[name])));
    return [changed(now), ...pins.map((one) => changed(one.shown))].join(";") + (log.checked ? "!log" : "");
  }

  function address() {
    const others = location.search.slice(1).split("&").filter((part) => part && part.split("=")[0] !== key);
    const own = state() ? [`${key}=${state()}`] : [];
    const query = [...others, ...own].join("&");
    return location.href.split(/[?#]/)[0] + (query ? "?" + query : "") + location.hash;
  }

  function remember(how = "replaceState") {
    try {
      history[how](null, "", address());
    } catch {
      // where a page may not change its address, the sliders still work
    }
  }

  // Show a state as `state` writes it: the pins first, then the setting.
  function show(text) {
    const [settings, scale] = text.split("!");
    const [current, ...pinned] = settings.split(";").map(readSetting);
    log.checked = scale === "log";
    pins = [];
    const stand = (shown) => {
      for (const input of inputs) put(input, shown[input.name] ?? first[input.name]);
      update();
    };
    for (const shown of pinned) {
      stand(shown);
      pins.push({ shown: now, curves });
    }
    stand(current);
  }

  function showAddress() {
    const part = location.search.slice(1).split("&").find((one) => one.split("=")[0] === key);
    show(part ? part.slice(key.length + 1) : "");
  }

  // "Three things to try": what the text marks with a state becomes a button that shows it.
  function makeButtons() {
    const mine = [...document.querySelectorAll("[data-lr-try]")].filter((mark) => {
      const before = [...document.querySelectorAll(".lr-explorer")].filter((one) =>
        one.compareDocumentPosition(mark) & Node.DOCUMENT_POSITION_FOLLOWING);
      return before[before.length - 1] === root;
    });
    for (const mark of mine) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "lr-try";
      button.append(...mark.childNodes);
      mark.replaceWith(button);
      button.addEventListener("click", () => {
        show(mark.dataset.lrTry);
        remember("pushState");
        root.scrollIntoView({ block: "start" });
      });
    }
  }

  // --- copying

  async function copy(button, text, otherwise) {
    const label = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      otherwise(); // no clipboard here: Ctrl+C does the rest
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = label; }, 1500);
  }

  // A finger that lands on a slider to scroll the page has moved it: put it back.
  let touched = null;
  form.addEventListener("pointerdown", ({ target, pointerType }) => {
    touched = pointerType === "touch" && target.type === "range" ? [target, target.value] : null;
  }, true);
  form.addEventListener("pointercancel", () => {
    if (touched) [touched[0].value] = [touched[1]];
    if (touched) update();
    touched = null;
  });

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", update);
  form.addEventListener("change", () => remember());
  log.addEventListener("input", () => { draw(); remember(); });
  at.addEventListener("input", leave);
  find(".lr-pin").addEventListener("click", pin);
  find(".lr-reset").addEventListener("click", () => { form.reset(); update(); remember(); });
  find(".lr-legend").addEventListener("click", ({ target }) => {
    if (!target.dataset.pin) return;
    pins.splice(Number(target.dataset.pin), 1);
    update();
    remember();
    find(".lr-pin").focus();
  });
  find(".lr-copy").addEventListener("click", ({ target }) =>
    copy(target, find(".lr-code").textContent, () => getSelection().selectAllChildren(find(".lr-code"))));
  find(".lr-link").addEventListener("click", ({ target }) =>
    copy(target, address(), () => prompt("The address of this setting", address())));
  find(".lr-panels").addEventListener("pointermove", point);
  find(".lr-panels").addEventListener("pointerdown", point);
  find(".lr-panels").addEventListener("pointerleave", leave);
  addEventListener("popstate", showAddress);
  for (const hidden of root.querySelectorAll(".lr-live")) hidden.hidden = false;
  find(".lr-fallback").hidden = true;
  measure();
  showAddress();
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", makeButtons);
  else makeButtons();
  root.dataset.ready = "true";
  let width = 0; // redraw for a new width only: a drawing must not call for the next
  new ResizeObserver(([entry]) => {
    if (entry.contentRect.width !== width && curves) {
      measure();
      draw();
    }
    width = entry.contentRect.width;
  }).observe(find(".lr-panels"));
}
