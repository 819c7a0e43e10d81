// The search page: chapters stand above the names of the package, and an excerpt is text of the page.
var Scorer = {
  objNameMatch: 0,
  objPartialMatch: 0,
  objPrio: { 0: -20, 1: -20, 2: -20 },
  objPrioDefault: -20,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
document.addEventListener("DOMContentLoaded", () => {
  if (typeof Search === "undefined") return; // another page
  Search.htmlToText = (html, anchor) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    page.querySelectorAll(".headerlink, script, style").forEach((node) => node.remove());
    // an anchor of the package has dots: no selector
    const found = anchor && page.getElementById(anchor.slice(1));
    const around = found ? found.closest("section") : page.querySelector("article");
    return found?.textContent || around?.textContent || ""; // an anchor may be empty
  };
});
