/* Marks in a section the words that led a reader to it: page.html?mark=words#section */
"use strict";

(() => {
  const words = new URLSearchParams(location.search).get("mark")?.split(" ");
  const section = words && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!section) return;

  const wanted = new Set(words);
  const closed = "section section, script, style, svg, button, math, .lr-explorer, .headerlink";
  const nodes = document.createTreeWalker(section, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (nodes.nextNode()) {
    const around = nodes.currentNode.parentElement.closest(closed);
    if (!around || around.contains(section)) texts.push(nodes.currentNode);
  }
  for (let text of texts) {
    // the last first, so that the places of the others stay
    const found = [...text.data.matchAll(/[\p{L}\p{N}_]+(?:-[\p{L}\p{N}_]+)*/gu)].reverse();
    for (const { 0: word, index } of found) {
      if (!wanted.has(word.toLowerCase())) continue;
      const range = document.createRange();
      range.setStart(text, index);
      range.setEnd(text, index + word.length);
      range.surroundContents(document.createElement("mark"));
    }
  }

  // what stands above may still grow while the page loads
  const first = section.querySelector("mark");
  window.addEventListener("load", () => {
    const { top, bottom } = first?.getBoundingClientRect() ?? {};
    if (first && (top < 0 || bottom > innerHeight)) first.scrollIntoView({ block: "center" });
  });
})();
