// What is wider than its box scrolls: by keyboard too, for whoever cannot use a mouse has to reach it,
// and it fades on the side where more of it is hidden (custom.css).
const SCROLLABLE = "div.highlight pre, div.math, span.math, .bd-article table";
function look(box) {
  // of a formula in a line not the ink counts, a hat may stand over, but the width
  const inner = box.matches("span.math") ? box.firstElementChild?.offsetWidth ?? 0 : box.scrollWidth;
  const hidden = inner - box.clientWidth;
  const fade = (far) => (far > 1 ? "1.5rem" : "0px");
  box.classList.toggle("wide", hidden > 0);
  if (hidden > 0) box.tabIndex = 0;
  else box.removeAttribute("tabindex");
  box.style.setProperty("--hidden-left", fade(box.scrollLeft));
  box.style.setProperty("--hidden-right", fade(hidden - box.scrollLeft));
}
// A formula scrolls beside its number; it is there once it is typeset.
const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) look(target.matches("div.math") ? target.querySelector("mjx-container") ?? target : target);
});
document.addEventListener("DOMContentLoaded", () => {
  for (const box of document.querySelectorAll(SCROLLABLE)) sizes.observe(box);
  // On a phone the cells of a row stand below each other (custom.css), so each says what it is.
  for (const table of document.querySelectorAll(".stacked table")) {
    const heads = [...table.querySelectorAll("th")].map((head) => head.textContent);
    for (const cell of table.querySelectorAll("td")) cell.dataset.head = heads[cell.cellIndex];
  }
});
document.addEventListener("scroll", ({ target }) => target.classList?.contains("wide") && look(target), true);
