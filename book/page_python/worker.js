// The worker in which Python runs: MicroPython with what the page sends it. One message starts it,
// each further one runs code. bundle.py puts MicroPython and this into one classic script.
import { loadMicroPython } from "micropython";

const HEAP = 16 << 20; // bytes
const STACK = 65536;
const FOLDER = "/book";
const PRINTED = 20000; // characters that are kept of what is printed first,
const LATEST = 1000; // and of what is printed last: the verdict of check
let python;
let printed = "", latest = "";

async function begin({ module, library }) {
  const instantiateWasm = (imports, done) => {
    WebAssembly.instantiate(module, imports).then(done);
    return {};
  };
  const stdout = (line) => {
    if (printed.length < PRINTED) printed += line + "\n";
    else latest = (latest + line + "\n").slice(-LATEST);
  };
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
  printed = latest = "";
  for (const [name, code] of cells) {
    try {
      python.globals.set("_cell", code);
      python.runPython(`exec(compile(_cell, "${name}", "exec"))`); // so an error names its cell
    } catch (raised) {
      error = String(raised.message);
      break;
    }
    if (name === "before") printed = latest = "";
  }
  const text = printed.length < PRINTED
    ? printed : `${printed.slice(0, PRINTED)}… (cut)\n${latest}`;
  return { text: text.trimEnd(), error, result: python.globals.get("_result") ?? null };
}

self.onmessage = async ({ data }) => {
  self.postMessage(data.module ? await begin(data) : run(data));
};
