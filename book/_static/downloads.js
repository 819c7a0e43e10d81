// The theme opens a notebook in a new tab, as text: save it instead.
document.addEventListener("DOMContentLoaded", () => {
  for (const link of document.querySelectorAll('a.btn[href$=".ipynb"]')) {
    link.removeAttribute("target");
    link.setAttribute("download", "");
  }
});
