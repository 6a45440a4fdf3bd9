/* A figure opens over the page, so large that its words can be read on a phone. Without this script
   its link leads to the picture. */
"use strict";

(() => {
  const dialog = document.createElement("dialog");
  dialog.className = "figure-dialog";
  dialog.setAttribute("aria-label", "Figure");
  dialog.innerHTML = '<button type="button" aria-label="Close the figure">\u00d7</button>';
  // the button, beside the picture, or the page around: what is left is for moving the picture
  dialog.addEventListener("click", ({ target }) => {
    if (target.tagName !== "IMG") dialog.close();
  });

  const open = (link) => {
    const picture = link.querySelector("img").cloneNode();
    picture.removeAttribute("loading");
    for (const side of ["width", "height"]) {
      picture.style.setProperty(`--${side}`, picture.getAttribute(side));
    }
    dialog.querySelector("img")?.remove();
    dialog.append(picture);
    document.body.append(dialog);
    dialog.addEventListener("close", () => link.focus({ preventScroll: true }), { once: true });
    dialog.showModal();
    dialog.scrollTo(0, 0);
  };

  for (const link of document.querySelectorAll(".figure-link")) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // to another tab or window
      event.preventDefault();
      open(link);
    });
  }
})();
