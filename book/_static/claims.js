// The filter of the claims register. Without this script all claims are shown.
const WORDS = { source: "Source", chapter: "Chapter", verdict: "Verdict", kind: "Kind of correction" };

document.addEventListener("DOMContentLoaded", () => {
  const claims = [...document.querySelectorAll(".claim-entry")];
  const summary = document.querySelector("article table");
  if (!claims.length || !summary) return;
  const form = document.createElement("form"), count = document.createElement("output");
  form.className = "claims-filter";
  form.setAttribute("aria-label", "Which claims are shown");
  for (const [name, word] of Object.entries(WORDS)) {
    const marks = new Set(claims.flatMap((claim) => [...claim.classList].filter((mark) => mark.startsWith(`${name}-`))));
    const label = document.createElement("label"), choice = document.createElement("select");
    choice.append(new Option("all", ""));
    for (const mark of marks) choice.append(new Option(title(name, mark), mark));
    choice.name = name;
    label.append(word, choice);
    label.hidden = marks.size < 2;
    form.append(label);
  }
  form.append(count);

  // A source is named by the heading of its part, the rest by the mark itself.
  function title(name, mark) {
    if (name === "source") return document.querySelector(`tr.${mark}`).closest("section").querySelector("h2").firstChild.data;
    return mark.slice(name.length + 1).replaceAll("-", " ").replaceAll("/", ": ");
  }
  function show() {
    const { kind, verdict } = form.elements; // only what is corrected is of a kind
    kind.disabled = Boolean(verdict.value) && verdict.value !== "verdict-corrected";
    const chosen = [...form.querySelectorAll("select:enabled")].map((choice) => choice.value).filter(Boolean);
    for (const claim of claims) claim.hidden = !chosen.every((mark) => claim.classList.contains(mark));
    const rows = claims.filter((claim) => claim.matches("tr"));
    count.value = `${rows.filter((row) => !row.hidden).length} of ${rows.length} claims are shown`;
    for (const part of new Set(rows.map((row) => row.closest("section")))) part.hidden = !part.querySelector("tr.claim-entry:not([hidden])");
  }
  form.addEventListener("change", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  (summary.closest(".pst-scrollable-table-container") ?? summary).after(form);
  show();
});
