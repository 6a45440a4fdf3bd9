"use strict";
// The page of the written answers: keeps what is typed, counts, goes to the next, saves the file.

const data = JSON.parse(document.getElementById("data").textContent);
const place = (name) => `lr-written:${data.store}:${name}`;
const trouble = document.getElementById("trouble");

// Kept in IndexedDB: of what a page opened from disk puts into localStorage, Chromium 156 loses a
// tenth. All pages on a disk share a database: `place` tells them apart.
const answered = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

async function opened() {
  const request = indexedDB.open("lr-written");
  request.onupgradeneeded = () => request.result.createObjectStore("kept");
  return answered(request);
}
const database = opened();

async function kept(name) {
  try {
    const store = (await database).transaction("kept").objectStore("kept");
    return await answered(store.get(place(name)));
  } catch {
    return undefined;
  }
}

async function keep(name, value) {
  try {
    const change = (await database).transaction("kept", "readwrite");
    change.objectStore("kept").put(value, place(name));
    change.commit(); // now: a page that is closed takes with it what it has not handed over
    await new Promise((resolve, reject) => {
      change.oncomplete = resolve;
      change.onabort = () => reject(change.error);
    });
  } catch {
    trouble.textContent =
      "This browser keeps nothing of this page: press Save written.csv before you close it.";
  }
}

const answers = [...document.querySelectorAll("article")].map((article) => {
  const points = article.querySelector(".points-given");
  const comment = article.querySelector(".comment");
  return {
    article, points, comment,
    key: article.dataset.key,
    ticks: [...article.querySelectorAll(".tick")],
    told: article.querySelector(".told"),
    inFile: { points: points.value, comment: comment.value },
  };
});
let current = -1; // the answer that is looked at
let isSaved = false; // whether the file that was saved last has all of this

// The points as a text with a decimal point, "" for none; null for what grading would refuse.
function pointsOf({ points }) {
  const text = points.value.trim().replace(",", ".");
  if (text === "") return "";
  const isNumber = /^(\d+\.?\d*|\.\d+)$/.test(text);
  return isNumber && Number(text) <= Number(points.dataset.most) ? String(Number(text)) : null;
}

const isRefused = (answer) => pointsOf(answer) === null;
const isDone = (answer) => Boolean(pointsOf(answer));

function differs(answer) {
  const { inFile, comment } = answer;
  return pointsOf(answer) !== inFile.points || comment.value.trim() !== inFile.comment.trim();
}

function show() {
  for (const answer of answers) {
    const { article, told, points, inFile } = answer;
    article.classList.toggle("done", isDone(answer));
    points.setAttribute("aria-invalid", isRefused(answer));
    told.textContent = isRefused(answer)
      ? `Points must be a number from 0 to ${points.dataset.most}.`
      : differs(answer) && (inFile.points || inFile.comment)
        ? `Not in written.csv yet, which has ${inFile.points || "no"} points` +
          (inFile.comment ? ` and the comment: ${inFile.comment}` : "")
        : "";
  }
  const done = answers.filter(isDone).length;
  const fresh = answers.filter(differs).length;
  document.getElementById("counter").textContent =
    `${done} of ${answers.length} done` +
    (isSaved ? ". Saved: now run the grading again" : fresh ? `, ${fresh} not in written.csv yet` : "");
}

function changed(answer) {
  const { key, points, comment, ticks } = answer;
  keep(key, { points: points.value, comment: comment.value, ticks: ticks.map((t) => t.checked) });
  isSaved = false;
  show();
}

// A line that is ticked goes to the student: it stands in the comment, where it can be changed.
function noteTick({ comment }, tick) {
  const { line } = tick.dataset;
  const lines = comment.value.split("\n").filter((one) => one !== line);
  if (tick.checked) {
    while (lines.length && !lines.at(-1).trim()) lines.pop();
    lines.push(line);
  }
  comment.value = lines.join("\n");
}

function addUp(answer) {
  const ticked = answer.ticks.filter((tick) => tick.checked);
  const sum = ticked.reduce((total, tick) => total + Number(tick.value), 0);
  const most = Number(answer.points.dataset.most);
  answer.points.value = ticked.length ? String(Number(Math.min(sum, most).toFixed(6))) : "";
}

function go(step) {
  const count = answers.length;
  const start = current < 0 && step < 0 ? 0 : current;
  for (let i = 1; i <= count; i++) {
    const index = (((start + step * i) % count) + count) % count;
    if (!isDone(answers[index])) {
      current = index;
      answers[index].article.scrollIntoView();
      answers[index].points.focus({ preventScroll: true });
      return;
    }
  }
  trouble.textContent = "All answers have points.";
}

function csv() {
  const given = new Map(answers.map((answer) => [answer.key, answer]));
  const at = (name) => data.columns.indexOf(name);
  const formula = new RegExp(data.formula, "g");
  const lines = data.rows.map((row) => {
    const cells = [...row];
    const answer = given.get(row[at("key")]);
    if (answer) {
      cells[at("points")] = pointsOf(answer);
      cells[at("comment")] = answer.comment.value.trim().replace(formula, "$1$2$3'");
    }
    return cells;
  });
  const quoted = (cell) => `"${cell.replaceAll('"', '""')}"`;
  const text = [data.columns, ...lines].map((cells) => cells.map(quoted).join(",") + "\r\n");
  return "\ufeff" + text.join("");
}

function save() {
  const wrong = answers.findIndex(isRefused);
  if (wrong >= 0) {
    current = wrong;
    answers[wrong].points.focus();
    return;
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv;charset=utf-8" }));
  link.download = "written.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  isSaved = true;
  show();
}

async function putBack({ key, points, comment, ticks }) {
  const old = await kept(key);
  if (old) {
    points.value = old.points;
    comment.value = old.comment;
    ticks.forEach((tick, i) => (tick.checked = Boolean(old.ticks[i])));
  } else {
    const lines = comment.value.split("\n");
    ticks.forEach((tick) => (tick.checked = lines.includes(tick.dataset.line)));
  }
}

answers.forEach((answer, index) => {
  const { article } = answer;
  article.addEventListener("focusin", () => (current = index));
  article.addEventListener("input", (event) => {
    if (event.target.classList.contains("tick")) {
      noteTick(answer, event.target);
      addUp(answer);
    }
    changed(answer);
  });
  const unfold = article.querySelector(".unfold");
  unfold?.addEventListener("click", () => {
    article.querySelector(".answer").classList.remove("folded");
    unfold.remove();
  });
});

const hide = document.getElementById("hide");
const hideNames = () => document.body.classList.toggle("hidden-names", hide.checked);
hide.addEventListener("change", () => {
  keep("hide", hide.checked);
  hideNames();
});
document.getElementById("next").addEventListener("click", () => go(1));
document.getElementById("previous").addEventListener("click", () => go(-1));
document.getElementById("save").addEventListener("click", save);
document.addEventListener("keydown", (event) => {
  const typing = event.target.tagName === "TEXTAREA" || event.altKey;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    go(event.shiftKey ? -1 : 1);
  } else if (!typing && !event.ctrlKey && !event.metaKey && /^[np]$/.test(event.key)) {
    event.preventDefault();
    go(event.key === "n" ? 1 : -1);
  }
});

async function begin() {
  hide.checked = Boolean(await kept("hide"));
  hideNames();
  await Promise.all(answers.map(putBack));
  show();
}
begin();
