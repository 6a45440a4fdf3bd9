// How curves are drawn as SVG: for the explorers, which carry this text, and for the playground.

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

// Where in a panel the curves are.
const plotBox = ({ width, height }) => ({
  left: MARGIN.left, top: MARGIN.top,
  width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom,
});

// The panel's axes: as wide as the panel says, or wider where a curve needs it.
function axes(panel, log, curves, steps, size) {
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
  const box = plotBox(size);
  const part = log
    ? (y) => (Math.log10(y) - Math.log10(low)) / (Math.log10(high) - Math.log10(low))
    : (y) => (y - low) / (high - low);
  return {
    log, low, high, box, steps, height: size.height,
    x: (t) => box.left + (box.width * t) / steps,
    y: (value) => box.top + box.height * (1 - part(value)),
    xTicks: linearTicks(0, steps, box.width < 170 ? 2 : 5),
    yTicks: log ? logTicks(low, high) : linearTicks(low, high, size.height < 200 ? 3 : 5),
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
function frame(ax, up, across) {
  const { box } = ax;
  const right = box.left + box.width, bottom = box.top + box.height;
  const rows = ax.yTicks.map((y) =>
    `<line class="lr-grid" x1="${box.left}" x2="${right}" y1="${ax.y(y)}" y2="${ax.y(y)}"/>` +
    `<text x="${box.left - 5}" y="${ax.y(y) + 4}" text-anchor="end">${short(y)}</text>`);
  const columns = ax.xTicks.map((t) =>
    `<text x="${ax.x(t)}" y="${bottom + 16}" text-anchor="middle">${short(t)}</text>`);
  return rows.join("") + columns.join("") +
    `<line class="lr-axis" x1="${box.left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>` +
    `<text x="${box.left + box.width / 2}" y="${ax.height - 7}" text-anchor="middle">${across}</text>` +
    `<text transform="translate(12 ${box.top + box.height / 2}) rotate(-90)" text-anchor="middle">${up}</text>`;
}

// An SVG with a group for its frame, and what is drawn over that.
function makePanel(name, label, inside) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.dataset.panel = name;
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  svg.innerHTML = "<g></g>" + inside;
  return svg;
}

// Only where it changed: its words take most of the time of a move.
function drawFrame(svg, around, size, box, facts) {
  Object.assign(svg.dataset, facts, { left: box.left, top: box.top, width: box.width, height: box.height });
  svg.setAttribute("viewBox", `0 0 ${size.width} ${size.height}`);
  svg.querySelector("g").innerHTML = svg.lrFrame = around;
}

const drawPins = (svg, lines) => {
  svg.querySelector(".lr-pins").innerHTML = lines.map((d, i) =>
    `<path class="lr-pinned lr-style-${i % PIN_STYLES}" d="${d}"/>`).join("");
};

function drawPanel(svg, panel, size, log, curve, pinned, steps) {
  const ax = axes(panel, log, [curve, ...pinned], steps, size);
  const around = frame(ax, panel.label, "optimizer step");
  if (svg.lrFrame !== around) {
    drawFrame(svg, around, size, ax.box, {
      xmin: 0, xmax: ax.steps, ymin: ax.low, ymax: ax.high, scale: ax.log ? "log" : "linear",
    });
    const cursor = svg.querySelector(".lr-cursor");
    cursor.setAttribute("y1", ax.box.top);
    cursor.setAttribute("y2", ax.box.top + ax.box.height);
  }
  drawPins(svg, pinned.map((values) => path(values, ax)));
  svg.querySelector(".lr-curve").setAttribute("d", path(curve, ax));
  return ax;
}

// --- the path of one run, seen from above: the flat direction across, the steep one up

function makeRunPanel(id) {
  const svg = makePanel("path", "One noisy run over the toy optimizer's bowl, seen from above: its place " +
    "in the flat and in the steep direction, step by step, among contours of equal loss", `
    <g clip-path="url(#${id})"><g class="lr-bowl"></g><g class="lr-pins"></g>
    <g class="lr-later"><path class="lr-curve"/><path class="lr-dots"/></g>
    <g class="lr-so-far"><path class="lr-curve"/><path class="lr-dots"/></g>
    <path class="lr-minimum" d="M -6 -1 h 5 v -5 h 2 v 5 h 5 v 2 h -5 v 5 h -2 v -5 h -5 z"/>
    <circle class="lr-here" r="5"/></g>`);
  svg.lrClip = id;
  return svg;
}

function runAxes([low, high], size) {
  const box = plotBox(size);
  const ticks = linearTicks(low, high, 4);
  return {
    low, high, box, height: size.height, xTicks: ticks, yTicks: ticks,
    x: (flat) => box.left + (box.width * (flat - low)) / (high - low),
    y: (steep) => box.top + (box.height * (high - steep)) / (high - low),
  };
}

// The contours, which with the cross at the minimum are all that is seen of the bowl.
function drawBowl(svg, contours, ax) {
  const x = ax.x(0), y = ax.y(0);
  svg.querySelector(".lr-bowl").innerHTML = contours.map(([steep, flat]) =>
    `<ellipse class="lr-grid" cx="${x}" cy="${y}" rx="${ax.x(flat) - x}" ry="${y - ax.y(steep)}"/>`).join("");
  svg.querySelector(".lr-minimum").setAttribute("transform", `translate(${x} ${y})`);
}

// The run's places in the panel, up to where it diverges.
function placesOf(run, ax) {
  const lost = run.findIndex((place) => !place.every((w) => Math.abs(w) < 1e6));
  return run.slice(0, lost < 0 ? run.length : lost).map(([steep, flat]) => [ax.x(flat), ax.y(steep)]);
}

const line = (points) => `M ${points.join(" L ")}`;

function drawRun(svg, bowl, size, run, pinned) {
  const ax = runAxes(bowl.window, size);
  const { left, top, width, height } = ax.box; // nothing is drawn outside of it
  const around = frame(ax, "steep direction", "flat direction") + `<clipPath id="${svg.lrClip}">` +
    `<rect x="${left}" y="${top}" width="${width}" height="${height}"/></clipPath>`;
  if (svg.lrFrame !== around) {
    const { low, high } = ax;
    drawFrame(svg, around, size, ax.box, { xmin: low, xmax: high, ymin: low, ymax: high, scale: "linear" });
    drawBowl(svg, bowl.contours, ax);
  }
  const pointsOf = (places) => places.map(([x, y]) => `${x} ${y}`);
  drawPins(svg, pinned.map((one) => line(pointsOf(placesOf(one, ax)))));
  ax.places = placesOf(run, ax);
  ax.points = pointsOf(ax.places);
  drawLine(svg.querySelector(".lr-later"), ax.points);
  return ax;
}

// A line, and a dot for each of its steps: dots are lines without length, with round ends.
function drawLine(group, points) {
  group.querySelector(".lr-curve").setAttribute("d", line(points));
  group.querySelector(".lr-dots").setAttribute("d", `M ${points.join(" h 0 M ")} h 0`);
}

// Where the run is at step t, and how it came there.
function markRun(svg, { places, points }, t) {
  const [x, y] = places[Math.min(t, places.length - 1)];
  const here = svg.querySelector(".lr-here");
  here.setAttribute("cx", x);
  here.setAttribute("cy", y);
  drawLine(svg.querySelector(".lr-so-far"), points.slice(0, t + 1));
}

// The step whose place is nearest to a point of the panel.
function nearestStep(places, x, y) {
  const far = places.map((place) => Math.hypot(place[0] - x, place[1] - y));
  return far.indexOf(Math.min(...far));
}
