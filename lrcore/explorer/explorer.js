// The explorer in a page: reads the controls, computes the curves, draws them as SVG.
// The formulas and `summary` are the book's Python functions, compiled by PScript.
// Before this stands draw.js.

const PLAYED = 4000; // milliseconds from the first step to the last

// A setting as the address of the page holds it: what differs from the start, "gamma:0.9,lr:0.2".
// In `state` further settings follow, one for each pin: "gamma:0.9;;lr:0.2".
const written = (texts) =>
  Object.entries(texts).map(([name, text]) => `${name}:${encodeURIComponent(text)}`).join(",");

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return ""; // an address that was cut, or typed: "%", "%e2"
  }
}

function readSetting(text) {
  const pairs = text.split(",").filter(Boolean).map((pair) => pair.split(":"));
  return Object.fromEntries(pairs.map(([name, value]) => [name, decoded(value ?? "")]));
}

function start(root, model) {
  const find = (selector) => root.querySelector(selector);
  const form = find(".lr-controls");
  const inputs = [...form.querySelectorAll("[name]")];
  const at = find(".lr-at"); // the slider of the step that is read
  const log = find(".lr-log");
  const svgs = {}, sizes = {}, scales = {};
  let curves = null, now = {}, pins = [], hovered = null, playing = null, lines = 0;
  // a formula that the reader changed: asked for its rates, it answers later
  let changed = null, published = null, turn = 0;
  // of the second explorer of a page: "explorer2"
  const number = [...document.querySelectorAll(".lr-explorer")].indexOf(root);
  const key = "explorer" + (number ? number + 1 : "");

  for (const { name, label } of model.panels) {
    svgs[name] = makePanel(name, `${label} against optimizer step`,
      '<g class="lr-pins"></g><path class="lr-curve"/><line class="lr-cursor"/>');
  }
  if (model.path) svgs.path = makeRunPanel(root.id + "-clip");
  find(".lr-panels").append(...Object.values(svgs));

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
    const found = { rate: [], momentum: model.momentum && [], metric: null, loss: [], path: null, error: null };
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
    found.loss = model.losses(found.rate, v);
    if (model.path) found.path = model.path.places(found.rate, v);
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
    const others = behind();
    const steps = Math.max(curves.rate.length, ...others.map((one) => one.curves.rate.length));
    for (const panel of model.panels) {
      const { name } = panel;
      const pinned = others.map((one) => one.curves[name]);
      const logarithmic = panel.log || (name === "rate" && log.checked);
      scales[name] =
        drawPanel(svgs[name], panel, sizes[name], logarithmic, curves[name], pinned, steps);
    }
    if (model.path) {
      const pinned = others.map((one) => one.curves.path);
      scales.path = drawRun(svgs.path, model.path, sizes.path, curves.path, pinned);
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
    const whose = changed ? "# the curve of the formula as published\n" : "";
    showCode(whose + model.code.replace(/\$\{(\w+)\}/g, (_, name) => texts[name]));
    const message = find(".lr-message");
    message.hidden = !found.error;
    if (found.error) {
      const where = found.rate.length ? `stops at step ${found.rate.length}` : "refuses these values";
      message.textContent = `${model.name} ${where}: ${found.error.message}`;
    }
    if (!found.rate.length) return; // nothing to draw: the message says why, the last curve stays
    now = shown;
    if (changed) {
      published = found;
      followChanged(values, texts);
    } else {
      showCurves(found);
    }
  }

  // Line by line: only those that changed are laid out and painted anew. The box does not shrink
  // again, or what stands below would jump.
  function showCode(text) {
    const code = find(".lr-code");
    const wanted = text.match(/.*\n|.+/g);
    if (code.children.length !== wanted.length) {
      code.replaceChildren(...wanted.map(() => document.createElement("span")));
      lines = Math.max(lines, wanted.length);
      code.style.minHeight = `min(${lines} * 1lh, 22em)`;
    }
    wanted.forEach((line, i) => {
      if (code.children[i].textContent !== line) code.children[i].textContent = line;
    });
  }

  function showCurves(found) {
    curves = root.lrCurves = found;
    find(".lr-summary").textContent = model.summary(curves.rate, curves.loss);
    showLegend();
    draw();
  }

  // --- a changed formula

  // `ask` gives a promise of its rates, or of null where it has none: the last ones stay. Without
  // `ask` the published formula is back.
  root.lrChange = (ask) => {
    changed = ask;
    published = null;
    update();
  };

  async function followChanged(values, texts) {
    const mine = ++turn;
    const { metric } = published;
    const rate = await changed(texts, metric);
    if (mine !== turn || !changed) return;
    if (!rate) {
      showLegend();
      draw();
      return;
    }
    const path = model.path && model.path.places(rate, values);
    showCurves({ ...published, rate, loss: model.losses(rate, values), path, error: null });
  }

  // What is drawn behind the curve.
  const behind = () => [
    ...(published ? [{ name: "the formula as published", curves: published }] : []),
    ...pins.map((pin) => ({ ...pin, name: pin.changed ? "a changed formula" : differing(pin.shown) })),
  ];

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
    const others = behind(), first = others.length - pins.length;
    find(".lr-legend").innerHTML = !others.length ? "" :
      row("lr-curve", `now, ${changed ? "your formula" : differing(now)}`, curves, "") + others.map(({ name, curves: found }, i) =>
        row(`lr-pinned lr-style-${i % PIN_STYLES}`, name, found, i < first ? "" :
          `<button type="button" class="lr-unpin" data-pin="${i - first}" aria-label="Remove the pin ${escape(name)}">×</button>`)
      ).join("");
  }

  function pin() {
    const same = (one) => one.changed === Boolean(changed) && written(one.shown) === written(now);
    if (changed || !pins.some(same)) pins.push({ shown: now, curves, changed: Boolean(changed) });
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
    for (const one of behind()) told.push(`pinned ${one.name}: ${values(one.curves)}`);
    for (const { name } of model.panels) {
      const cursor = svgs[name].querySelector(".lr-cursor");
      cursor.setAttribute("x1", scales[name].x(t));
      cursor.setAttribute("x2", scales[name].x(t));
    }
    if (model.path) markRun(svgs.path, scales.path, t);
    const text = `Step ${t}: ${told.join("; ")}`;
    find(".lr-reading").textContent = text;
    at.setAttribute("aria-valuetext", text);
  }

  function point(event) {
    const svg = event.target.closest(".lr-panels svg");
    if (!svg || playing) return;
    const ax = scales[svg.dataset.panel];
    const { left, top } = svg.getBoundingClientRect();
    const x = event.clientX - left, y = event.clientY - top;
    const step = ax.places
      ? nearestStep(ax.places, x, y)
      : Math.round(((x - ax.box.left) / ax.box.width) * ax.steps);
    hovered = Math.max(0, Math.min(Number(at.max), step));
    if (event.pointerType !== "mouse") at.value = hovered; // a finger leaves, and its step stays
    readStep();
  }

  function leave() {
    hovered = null;
    readStep();
  }

  // Show the run from its first step to its last.
  function play() {
    const began = performance.now();
    const next = (time) => {
      const part = Math.min(1, Math.max(0, (time - began) / PLAYED));
      at.value = Math.round(part * Number(at.max));
      leave();
      if (part < 1) playing = requestAnimationFrame(next);
      else stop();
    };
    playing = requestAnimationFrame(next);
    find(".lr-play").textContent = "Stop";
  }

  function stop() {
    cancelAnimationFrame(playing);
    playing = null;
    find(".lr-play").textContent = "Play";
  }

  // Whatever a reader does next, but for the button itself, comes first.
  function interrupt({ type, target, key }) {
    const presses = type === "pointerdown" || [" ", "Enter"].includes(key);
    if (playing && !(presses && target === find(".lr-play"))) stop();
  }

  // --- the address of the page holds what is shown

  function state() {
    const moved = (shown) =>
      written(Object.fromEntries(Object.entries(shown).filter(([name, text]) => text !== first[name])));
    const kept = pins.filter((one) => !one.changed); // an address holds no formula
    return [moved(now), ...kept.map((one) => moved(one.shown))].join(";") + (log.checked ? "!log" : "");
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
      for (const input of inputs) {
        put(input, first[input.name]); // stays where the address says nothing that can be read
        if (shown[input.name]) put(input, shown[input.name]);
      }
      update();
    };
    for (const shown of pinned) {
      stand(shown);
      pins.push({ shown: now, curves, changed: false });
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
  log.addEventListener("input", draw);
  log.addEventListener("change", () => remember());
  at.addEventListener("input", leave);
  find(".lr-play")?.addEventListener("click", () => playing ? stop() : play());
  addEventListener("pointerdown", interrupt, true);
  addEventListener("keydown", interrupt, true);
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
  // of a known height, a move is laid out without the page around
  new ResizeObserver(([entry]) => {
    root.style.height = `${entry.contentRect.height}px`;
    root.style.contain = "strict";
  }).observe(find(".lr-inside"));
}
