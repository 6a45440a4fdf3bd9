// Python in the page: MicroPython with PyTorch's schedulers, in a worker, loaded when first asked for.
// CONTRIBUTING explains how it is made ("Python in the page").
window.lrPython = (() => {
  "use strict";
  const base = document.currentScript.src.replace(/[^/]*$/, "");
  const LIMIT = 5000; // ms: what still runs then is stopped
  let loading = null, spare = null, editing = null;

  // By a script element: a page that lies on a disk may not fetch.
  function load(name) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = base + name;
      script.onload = resolve;
      script.onerror = () => reject(new Error(`${name} could not be loaded`));
      document.head.append(script);
    });
  }

  function style(name) {
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: base + name });
    document.head.append(link);
  }

  // An editor in `place`; its script is loaded for the first one.
  async function editor(place, options) {
    editing ??= load("page_python_editor.js");
    editing.catch(() => { editing = null; }); // the next try loads again
    await editing;
    return window.lrEditor(place, options);
  }

  async function prepare() {
    await load("page_python_runtime.js");
    const { wasm, worker, library } = window.LR_PYTHON;
    const url = URL.createObjectURL(new Blob([worker], { type: "text/javascript" }));
    return { module: compiled(wasm), url, library };
  }

  // Machine code from gzipped base64, compiled while it is unpacked.
  async function compiled(wasm) {
    const packed = await fetch("data:application/gzip;base64," + wasm);
    const code = packed.body.pipeThrough(new DecompressionStream("gzip"));
    return WebAssembly.compileStreaming(new Response(code, { headers: { "Content-Type": "application/wasm" } }));
  }

  // An interpreter that has run nothing yet.
  async function fresh() {
    loading ??= prepare();
    loading.then(({ module }) => module).catch(() => { loading = null; }); // the next try loads again
    const { module, url, library } = await loading;
    const worker = new Worker(url); // it starts while the module is compiled
    const begun = new Promise((resolve, reject) => {
      worker.onmessage = () => resolve(worker);
      worker.onerror = ({ message }) => reject(new Error(message));
    });
    worker.postMessage({ module: await module, library });
    return begun;
  }

  function warm() {
    spare ??= fresh();
    spare.catch(() => { spare = null; });
  }

  // The spare interpreter, for one caller alone.
  function take() {
    warm();
    const taken = spare;
    spare = null;
    return taken;
  }

  // Run cells, each [name, code], in an interpreter of their own: nothing is left of what ran before.
  async function run(cells) {
    const one = session();
    const answer = await one.ask(cells);
    one.end();
    return answer;
  }

  // An interpreter that stays between questions. One that does not answer in time is ended, and with
  // it all that it knew. `end` answers a question that is still open with `ended`.
  function session() {
    let worker = null, settle = null;
    function end(answer = { text: "", ended: true }) {
      worker?.terminate();
      worker = null;
      settle?.(answer);
    }
    async function ask(cells) {
      worker ??= await take();
      return new Promise((resolve) => {
        const timer = setTimeout(() => end({ text: "", endless: true }), LIMIT);
        settle = (answer) => {
          clearTimeout(timer);
          settle = null;
          resolve(answer);
          setTimeout(warm); // the next one is made ahead, when this answer is shown
        };
        worker.onmessage = ({ data }) => settle?.(data);
        worker.onerror = ({ message }) => end({ text: "", error: message });
        worker.postMessage({ cells });
      });
    }
    return { ask, end };
  }

  const OPERATORS = {
    add: "+", sub: "-", mul: "*", truediv: "/", floordiv: "//", mod: "%", pow: "** or pow()",
    lt: "<", gt: ">", le: "<=", ge: ">=",
  };
  const counted = (verb, number, what) => `${verb} ${number} ${what}${number > 1 ? "s" : ""}`;
  // MicroPython's words for an error, and CPython's.
  const WORDS = [
    [/divide by zero/g, "division by zero"],
    [/\bisn't\b/g, "is not"],
    [/can't import name (\w+)/g, "cannot import name '$1'"],
    [/ImportError: no module named '([\w.]+)'/g, "ModuleNotFoundError: No module named '$1'"],
    [/unsupported types for __(lt|gt|le|ge)__: ('\w+'), ('\w+')/g,
      (_, name, left, right) => `'${OPERATORS[name]}' not supported between instances of ${left} and ${right}`],
    [/unsupported types for __i?add__: '(str|list|tuple)', '(\w+)'/g,
      'can only concatenate $1 (not "$2") to $1'],
    [/unsupported types for __i?(\w+)__: ('\w+'), ('\w+')/g,
      (all, name, left, right) => OPERATORS[name]
        ? `unsupported operand type(s) for ${OPERATORS[name]}: ${left} and ${right}` : all],
    [/invalid syntax for integer/g, "invalid literal for int()"],
    [/takes (\d+) positional arguments but (\d+) were given/g, (_, takes, given) => given < takes
      ? counted("missing", takes - given, "required positional argument")
      : `${counted("takes", takes, "positional argument")} but ${given} were given`],
    [/NameError: local variable referenced before assignment/g,
      "UnboundLocalError: a variable of the function is used before it has a value"],
    [/unindent doesn't match any outer indent level/g,
      "unindent does not match any outer indentation level"],
    [/KeyError: ([A-Za-z_]\w*)$/gm, "KeyError: '$1'"],
    [/MemoryError: .*/g, "MemoryError: it takes more memory than a page has"],
    [/(\w+(?:Error|Exception)\(.*),\)/g, "$1)"], // in the repr of an error
  ];
  // What the smaller Python of a page does not have.
  const HELP = [
    [/No module named '(?!lrcore)/,
      "\nA page has math, torch's schedulers and lrcore. With more, open the chapter in Colab."],
    [/'module' object has no attribute|module '\w+' has no attribute/,
      "\nThe Python of a page is a smaller one and lacks some functions. Colab has them all."],
  ];
  const LACKING = /\[ *\*|[[{(,] *\*\*?\w+ *[,\]}]|, *\/ *[,)]|^ *match .*: *$/m;
  const inWords = (text) => WORDS.reduce((now, [from, to]) => now.replace(from, to), text);

  // What to tell of a run, and the line of `answer` that is wrong, if one is. `code` is that answer.
  function explain({ text, error, endless }, code = "") {
    const printed = inWords(text);
    if (endless) {
      const said = `Stopped: it still ran after ${LIMIT / 1000} seconds. Is there a loop that never ends?`;
      return { text: said, line: 0 };
    }
    if (!error) return { text: printed, line: 0 };
    const inside = [...error.matchAll(/File "answer", line (\d+)/g)].map(([, line]) => Number(line));
    const line = inside.length ? inside[inside.length - 1] : 0;
    const last = inWords(error.trim().split("\n").pop());
    const help = last.startsWith("SyntaxError") && LACKING.test(code)
      ? "\nThe Python of a page is a smaller one, without [*a, *b], {**a}, f(a, /) and match. Colab has them."
      : HELP.find(([wrong]) => wrong.test(last))?.[1] ?? "";
    return { text: [printed, (line ? `Line ${line}: ` : "") + last + help].filter(Boolean).join("\n"), line };
  }

  // What a reader wrote stays on the device; where it may not, it stays while the page is open.
  const kept = {
    get(key) {
      try { return localStorage.getItem(key); } catch { return null; }
    },
    put(key, text) {
      try { localStorage.setItem(key, text); } catch { /* a page without a store */ }
    },
    drop(key) {
      try { localStorage.removeItem(key); } catch { /* the same */ }
    },
  };

  return { kept, load, style, editor, warm, run, session, explain };
})();
