// "Change it": the source of a formula becomes an editor, and the explorer's curve follows what the
// reader writes. The explorer comes to stand below the editor meanwhile, so that both are in sight.
(() => {
  "use strict";
  const data = document.getElementById("lr-formulas");
  if (!data) return;
  const { kept } = window.lrPython;
  const PAUSE = 250; // ms after the last key until what is written runs

  // What gives all rates: the explorer's call of the formula, step by step.
  const rates = (call, steps) => `import json, math
_rates = []
for t in range(${steps}):
    _rate = ${call}
    if not isinstance(_rate, (int, float)):
        raise TypeError("the learning rate of step %d is %r, which is no number" % (t, _rate))
    if not math.isfinite(_rate):
        raise ValueError("the learning rate of step %d is %s" % (t, _rate))
    _rates.append(float(_rate))
_result = json.dumps(_rates)`;

  function offer(name, { source, before }, shown, explorer) {
    const bar = document.createElement("div");
    bar.className = "lr-exercise lr-change";
    bar.innerHTML = `<div class="lr-buttons"><button type="button" class="lr-open">Change it</button>
<button type="button" class="lr-again" hidden>Start again</button>
<button type="button" class="lr-close" hidden>Close</button></div>
<pre class="lr-told" role="status" hidden></pre>`;
    shown.after(bar);
    const find = (selector) => bar.querySelector(selector);
    const told = find(".lr-told");
    const place = document.createElement("div");
    place.className = "lr-editor";
    const home = document.createComment("the explorer's place");
    const key = `lr-formula:${document.body.dataset.page}:${name}`; // where the reader's text stays
    let editor = null, session = null, known = null, written = kept.get(key) ?? source, later = null;
    let last = Promise.resolve(), newest = 0;

    function tell({ text, line }, wrong) {
      told.hidden = !text;
      told.textContent = text;
      told.classList.toggle("lr-correct", !wrong);
      editor.mark(line);
    }

    // One question at a time, and of those that wait only the newest.
    function ask(texts, metric) {
      const mine = ++newest;
      last = last.then(() => mine === newest ? answer(texts, metric) : null);
      return last;
    }

    async function answer(texts, metric) {
      try {
        const text = written;
        if (text !== known) {
          session?.end();
          session = window.lrPython.session();
        }
        const functions = Object.entries(texts).filter(([key, code]) => key.endsWith("_source") && code);
        const call = explorer.dataset.call.replace(/\$\{(\w+)\}/g, (_, key) =>
          key === "metrics" ? JSON.stringify(metric) : texts[key]);
        const cells = functions.map(([, code]) => ["before", code]);
        // the published formula must not answer for one that is called otherwise
        if (text !== known) cells.push(["before", `${before}\nglobals().pop("${name}", None)`], ["answer", text]);
        known = text;
        const found = await session.ask([...cells, ["call", rates(call, texts.steps)]]);
        const failed = Boolean(found.error || found.endless);
        if (failed) known = null;
        tell(window.lrPython.explain(found, text), failed);
        return failed ? null : JSON.parse(found.result);
      } catch (error) {
        tell({ text: `Python could not start in this browser: ${error.message}.`, line: 0 }, true);
        return null;
      }
    }

    const follow = () => {
      explorer.lrChange(ask);
      bar.dataset.changes = Number(bar.dataset.changes ?? 0) + 1;
    };

    async function open() {
      find(".lr-open").hidden = true;
      window.lrPython.warm();
      editor ??= await window.lrPython.editor(place, {
        text: written,
        label: `The formula ${name}`,
        onChange: (text) => {
          kept.put(key, text);
          clearTimeout(later);
          later = setTimeout(() => { written = text; follow(); }, PAUSE);
        },
        onRun: follow,
      });
      shown.hidden = true;
      bar.prepend(place);
      explorer.before(home);
      bar.after(explorer);
      find(".lr-again").hidden = find(".lr-close").hidden = false;
      editor.focus();
      follow();
    }

    function close() {
      clearTimeout(later);
      home.replaceWith(explorer);
      explorer.lrChange(null);
      session?.end();
      known = null;
      place.remove();
      shown.hidden = false;
      told.hidden = find(".lr-again").hidden = find(".lr-close").hidden = true;
      find(".lr-open").hidden = false;
      find(".lr-open").focus();
    }

    find(".lr-open").addEventListener("click", () => open().catch((error) => {
      find(".lr-open").hidden = false;
      told.hidden = false;
      told.textContent = `The editor could not be loaded: ${error.message}.`;
    }));
    find(".lr-again").addEventListener("click", () => { editor.put(source); editor.focus(); });
    find(".lr-close").addEventListener("click", close);
  }

  // The explorers stand in the page by now, and start when they are reached.
  addEventListener("DOMContentLoaded", () => {
    for (const [name, formula] of Object.entries(JSON.parse(data.textContent))) {
      const explorer = document.querySelector(`.lr-explorer[data-formula="${formula.formula}"]`);
      const shown = [...document.querySelectorAll(".cell_output > .highlight-python")]
        .find((block) => block.textContent.trimStart().startsWith(`def ${name}(`));
      if (explorer && shown) offer(name, formula, shown, explorer);
    }
  });
})();
