// Code that is wider than its box can be scrolled with the keyboard: whoever cannot use
// a mouse has to reach it. The theme looks once, before folded code has been opened.
const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) target.tabIndex = target.scrollWidth > target.clientWidth ? 0 : -1;
});
document.addEventListener("DOMContentLoaded", () => {
  for (const block of document.querySelectorAll("div.highlight pre")) sizes.observe(block);
});
