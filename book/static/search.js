/* The search page: finds sections of the book and ranks its pages. `BOOK` is their text
   (search_texts.js, see book/search.py); `Stemmer`, `stopwords` and `Search` are Sphinx's. */
"use strict";

const WORD = /[\p{L}\p{N}_]+(?:-[\p{L}\p{N}_]+)*/gu;
// Words of a question that say little of what is asked.
const LIGHT = new Set(("about after again all am an any before between can could current do does " +
  "did every from get give has have how i its just let like make me much my need one our over per " +
  "pytorch same set should so some tell than too two use used using versus vs want we what when " +
  "where which while who why work would you your").split(" "));
const WEIGHTS = { title: 6, heading: 4, lead: 3, prose: 1, code: 0.6 };
const PAGES_SHOWN = 10;
const SECTIONS_SHOWN = 3; // of a page, below the first
const SUMMARY = 240; // characters

// --- words

const stemmer = new Stemmer();
const stems = new Map([["lr", "rate"]]); // what PyTorch calls lr, people call the rate
function stem(word) {
  if (!stems.has(word)) stems.set(word, stemmer.stemWord(word));
  return stems.get(word);
}

// A word is found by the whole of it and by its parts: "warm-up" by warmup, warm and up;
// "StepLR" by steplr, step and lr.
function keys(word) {
  const parts = word.replace(/(?<=[\p{Ll}\d])(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})/gu, " ")
    .split(/[ _-]+/).filter(Boolean).map((part) => stem(part.toLowerCase()));
  return parts.length === 1 ? parts : [stem(word.toLowerCase().replaceAll("-", "")), ...parts];
}

// --- the index: for each section, where each key stands

function indexed() {
  const pages = Object.entries(BOOK).map(([name, page]) => ({
    ...page, name,
    sections: page.sections.map((section, i) => {
      const found = { ...section, places: new Map() };
      let place = 0;
      const add = (text, weight) => {
        for (const [word] of text.matchAll(WORD)) {
          for (const key of keys(word)) {
            if (!found.places.has(key)) found.places.set(key, []);
            found.places.get(key).push({ word, weight, place });
          }
          place += 1;
        }
        place += 1; // the last word of a paragraph does not stand beside the first of the next
      };
      add(section.title, i ? WEIGHTS.heading : WEIGHTS.title);
      section.prose.forEach((text, n) => add(text, i || n > 1 ? WEIGHTS.prose : WEIGHTS.lead));
      add(section.code, WEIGHTS.code);
      return found;
    }),
  }));
  // On how few pages a key stands. Code counts only for what no sentence has: all say "range".
  const rare = new Map();
  const count = (least) => {
    const counts = new Map();
    for (const { sections } of pages) {
      const here = new Set();
      for (const { places } of sections) {
        for (const [key, found] of places) {
          if (found.some(({ weight }) => weight >= least)) here.add(key);
        }
      }
      for (const key of here) counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return counts;
  };
  for (const [key, n] of [...count(0), ...count(WEIGHTS.prose)]) {
    rare.set(key, Math.log((1.05 * pages.length) / n));
  }
  return { pages, rare };
}

// --- the question

// The words of a question, each as { word, keys, weight }. No keys: it is not in the book.
function parsed(question, rare) {
  const words = question.match(WORD)?.flatMap((word) =>
    rare.has(keys(word)[0]) ? [word] : word.split("-")) ?? [];
  const lower = words.map((word) => word.toLowerCase());
  const terms = words.map((word, i) => {
    const own = known(word, rare);
    const weight = own.length ? Math.max(0.1, ...own.map((key) => rare.get(key))) : 2;
    const light = LIGHT.has(lower[i]) || /^\d+$/.test(word);
    // "warm up" may be one word in the book
    const joined = [lower[i - 1] + lower[i], lower[i] + lower[i + 1]].map(stem);
    const all = [...own, ...joined.filter((key) => rare.has(key))];
    return { word, keys: all, weight: light ? Math.min(weight, 0.3) : weight };
  });
  const telling = terms.filter(({ word }) => !stopwords.includes(word.toLowerCase()));
  return telling.length ? telling : terms;
}

// The keys that a word of a question may mean: itself, or a longer word that it begins, or one
// that it begins with, or one that differs by a letter.
function known(word, rare) {
  const key = keys(word)[0];
  if (rare.has(key) || key.length < 3) return rare.has(key) ? [key] : [];
  const all = [...rare.keys()];
  const longer = all.filter((other) => other.startsWith(key));
  if (longer.length || key.length < 5) return longer;
  return all.filter((other) =>
    (other.length > 4 && key.startsWith(other)) || aLetterApart(key, other));
}

function aLetterApart(a, b) {
  if (Math.abs(a.length - b.length) > 1) return false;
  let i = 0;
  while (i < a.length && a[i] === b[i]) i++;
  const rest = (word, skip) => word.slice(i + skip);
  return rest(a, 1) === rest(b, 1) || rest(a, 1) === rest(b, 0) || rest(a, 0) === rest(b, 1) ||
    (a[i] === b[i + 1] && a[i + 1] === b[i] && rest(a, 2) === rest(b, 2));
}

// --- the ranking

const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
const hits = (section, term) => term.keys.flatMap((key) => section.places.get(key) ?? []);

// How well a section answers each term, and words that stand side by side as in the question.
function rated(section, terms) {
  const found = terms.map((term) => hits(section, term));
  const much = found.map((places) =>
    places.length && Math.max(...places.map(({ weight }) => weight)) + Math.log10(places.length));
  const beside = terms.slice(1).map((term, i) => {
    const before = new Set(found[i].map(({ place }) => place));
    const near = found[i + 1].filter(({ place }) => before.has(place) || before.has(place - 1));
    const weight = Math.max(0, ...near.map((hit) => hit.weight));
    return weight * Math.min(term.weight, terms[i].weight);
  });
  const share = section.aside ? 0.3 : 1;
  return { section, much: much.map((x) => x * share), beside: Math.max(0, ...beside) * share };
}

function ranked(question, { pages, rare }) {
  const terms = parsed(question, rare);
  const total = sum(terms.map(({ weight }) => weight));
  const score = (much) => {
    const covered = sum(terms.map(({ weight }, i) => (much[i] ? weight : 0))) / total;
    return sum(terms.map(({ weight }, i) => weight * much[i])) * covered ** 2;
  };
  const results = pages.map((page) => {
    const sections = page.sections.map((section) => rated(section, terms));
    for (const one of sections) one.score = score(one.much) + one.beside;
    const places = sections.filter((one) => one.score > 0).sort((a, b) => b.score - a.score);
    // the words of a question may stand in several sections of its page
    const much = terms.map((_, i) => Math.max(...sections.map((one) => one.much[i])));
    const best = score(much) + 2 * (places[0]?.score ?? 0);
    const all = terms.every(({ weight }, i) => much[i] || weight < 0.4);
    return { page, places, all, score: best * page.weight };
  });
  results.sort((a, b) => b.all - a.all || b.score - a.score);
  return { terms, results: results.filter((result) => result.score > 0.1 * results[0].score) };
}

// --- what the page shows

function element(tag, properties = {}, children = []) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// The terms that are worth a mark: not those that stand everywhere.
const telling = (terms) => terms.filter(({ weight }, _, all) =>
  weight >= 0.3 * Math.max(...all.map((term) => term.weight)));

// The words of a section that answer the terms, as they are written there.
function written(section, terms) {
  const words = telling(terms).flatMap((term) => hits(section, term));
  return new Set(words.map(({ word }) => word.toLowerCase()));
}

function address(page, section, words) {
  const file = page.name + DOCUMENTATION_OPTIONS.LINK_SUFFIX;
  const mark = new URLSearchParams({ mark: [...words].join(" ") });
  return `${document.documentElement.dataset.content_root}${file}?${mark}#${section.id}`;
}

// The text as nodes, with the words marked in it.
function marked(text, words) {
  const parts = [];
  let done = 0;
  for (const { 0: word, index } of text.matchAll(WORD)) {
    if (!words.has(word.toLowerCase())) continue;
    parts.push(text.slice(done, index), element("mark", { textContent: word }));
    done = index + word.length;
  }
  return [...parts, text.slice(done)];
}

// What to show of a section: its paragraph with most of the words, from shortly before the first.
function summary(page, section, words) {
  const isOne = ([word]) => words.has(word.toLowerCase());
  const count = (text) => new Set([...text.matchAll(WORD)].filter(isOne).map(String)).size;
  const blocks = section.prose.length ? section.prose : page.sections[0].prose;
  const most = Math.max(...blocks.map(count));
  const best = blocks.findIndex((text) => count(text) === most);
  const all = blocks.join(" ");
  const before = sum(blocks.slice(0, best).map((text) => text.length + 1));
  const first = before + ([...blocks[best].matchAll(WORD)].find(isOne)?.index ?? 0);
  const room = Math.min(Math.max(first - 80, before), all.length - SUMMARY);
  const start = room > 0 ? all.lastIndexOf(" ", room) + 1 : 0;
  const end = start + SUMMARY < all.length ? all.lastIndexOf(" ", start + SUMMARY) : undefined;
  return (start ? "… " : "") + all.slice(start, end) + (end ? " …" : "");
}

function item({ page, places }, terms) {
  const link = (section, text) => {
    const words = written(section, terms);
    return element("a", { href: address(page, section, words) }, marked(text, words));
  };
  const [{ section, score }, ...others] = places;
  const words = written(section, terms);
  const title = section === page.sections[0] ? page.title : `${page.title} › ${section.title}`;
  const text = marked(summary(page, section, words), words);
  const shown = element("p", { className: "context" }, text);
  const found = element("li", {}, [link(section, title), shown]);
  const more = others.filter((other) => other.score > score / 3).slice(0, SECTIONS_SHOWN);
  if (more.length) {
    const links = more.flatMap((other) => [" · ", link(other.section, other.section.title)]);
    found.append(element("p", { className: "more" }, ["Also here: ", ...links.slice(1)]));
  }
  return found;
}

function message(terms, results) {
  const unknown = terms.filter((term) => !term.keys.length).map(({ word }) => `“${word}”`);
  const missing = unknown.length ? ` Not in the book: ${unknown.join(", ")}.` : "";
  if (!results.length) {
    return `No page has these words.${missing} Try fewer or other words, ` +
      "or the name of a class or of one of its arguments.";
  }
  const all = results.length === 1 ? "1 page" : `${results.length} pages`;
  const most = results.length > PAGES_SHOWN ? `, the ${PAGES_SHOWN} best` : ", the best first";
  return results[0].all
    ? `${all} found${most}.`
    : `No page has all of these words.${missing} ${all} with some of them${most}.`;
}

let index;
Search.performSearch = (question) => {
  index ??= indexed();
  const { terms, results } = ranked(question, index);
  const found = results[0]?.all ? results.filter(({ all }) => all) : results;
  const shown = found.slice(0, PAGES_SHOWN).map((result) => item(result, terms));
  const status = { className: "search-summary", role: "status" };
  document.getElementById("search-results").replaceChildren(
    element("p", status, [message(terms, found)]),
    element("ul", { className: "search" }, shown),
  );
};
