// Runs cells in the page's Python without a page: in_node.js RUNTIME PAGE_PYTHON reads a JSON list of
// lists of [name, code] from stdin, and writes for each, every time run in a new worker, what the
// worker answers and what the page tells of it.
"use strict";
const fs = require("fs");
const vm = require("vm");
const zlib = require("zlib");

const { argv, exit, stdout } = process;
delete globalThis.process; // for MicroPython this is a worker in a browser
globalThis.WorkerGlobalScope = globalThis.window = globalThis;
globalThis.document = { currentScript: { src: "" } };
for (const script of argv.slice(2)) vm.runInThisContext(fs.readFileSync(script, "utf8"));
const { wasm, worker, library } = window.LR_PYTHON;
const machineCode = new WebAssembly.Module(zlib.gunzipSync(Buffer.from(wasm, "base64")));

function ask(self, message) {
  return new Promise((resolve) => {
    self.postMessage = resolve;
    self.onmessage({ data: message });
  });
}

(async () => {
  const answers = [];
  for (const cells of JSON.parse(fs.readFileSync(0, "utf8"))) {
    const self = { location: { href: "file:///worker.js" } };
    new Function("self", worker)(self);
    await ask(self, { module: machineCode, library });
    const answer = await ask(self, { cells });
    answers.push({ ...answer, told: window.lrPython.explain(answer).text });
  }
  stdout.write(JSON.stringify(answers), () => exit(0));
})();
