// The worker in which Python runs: MicroPython with what the page sends it. One message starts it,
// each further one runs code. bundle.py puts MicroPython and this into one classic script.
import { loadMicroPython } from "micropython";

const HEAP = 16 << 20; // bytes
const STACK = 65536;
const FOLDER = "/book";
const PRINTED = 20000; // characters that are kept of what is printed
let python;
let printed = "";

async function begin({ module, library }) {
  const instantiateWasm = (imports, done) => {
    WebAssembly.instantiate(module, imports).then(done);
    return {};
  };
  const stdout = (line) => { if (printed.length < PRINTED) printed += line + "\n"; };
  python = await loadMicroPython({ stdout, heapsize: HEAP, pystack: STACK, instantiateWasm });
  for (const [path, text] of Object.entries(library)) {
    const parts = path.split("/");
    for (let i = 0; i < parts.length; i++) {
      const folder = [FOLDER, ...parts.slice(0, i)].join("/");
      if (!python.FS.analyzePath(folder).exists) python.FS.mkdir(folder);
    }
    python.FS.writeFile(`${FOLDER}/${path}`, text);
  }
  python.runPython(`import sys; sys.path.insert(0, "${FOLDER}")\nimport torch, lrcore`);
  return {};
}

// Run [name, code] one after the other up to the first that fails. What `before` prints is not
// told. `result` is what the code left in the global `_result`, a text.
function run({ cells }) {
  let error = null;
  printed = "";
  for (const [name, code] of cells) {
    try {
      python.globals.set("_cell", code);
      python.runPython(`exec(compile(_cell, "${name}", "exec"))`); // so an error names its cell
    } catch (raised) {
      error = String(raised.message);
      break;
    }
    if (name === "before") printed = "";
  }
  const text = printed.length < PRINTED ? printed.trimEnd() : printed.slice(0, PRINTED) + "… (cut)";
  return { text, error, result: python.globals.get("_result") ?? null };
}

self.onmessage = async ({ data }) => {
  self.postMessage(data.module ? await begin(data) : run(data));
};
