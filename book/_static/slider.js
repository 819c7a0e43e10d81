// Moves the frames of the book's sliders: see Slider.html in lattice/figures.py.
document.addEventListener("DOMContentLoaded", () => {
  for (const slider of document.querySelectorAll(".lk-slider")) {
    const frames = slider.querySelectorAll(".lk-frame");
    const inputs = [...slider.querySelectorAll("input[type=range]")];
    const show = () => {
      let current = 0;
      for (const input of inputs) {
        current = current * (Number(input.max) + 1) + Number(input.value);
        const text = JSON.parse(input.dataset.texts)[input.value];
        input.setAttribute("aria-valuetext", text);
        input.nextElementSibling.textContent = text;
      }
      frames.forEach((frame, number) => (frame.hidden = number !== current));
    };
    inputs.forEach((input) => input.addEventListener("input", show));
    slider.querySelectorAll(".lk-control").forEach((control) => (control.hidden = false));
    show(); // a browser may remember where the reader left the control
    const question = slider.querySelector(".lk-question");
    if (question) lock(slider, question);
  }
});

// Keeps the frames of a slider closed until the reader has made a prediction; it is kept nowhere.
function lock(slider, question) {
  const stage = slider.querySelector(".lk-stage");
  const answer = question.querySelector(".lk-answer");
  const button = question.querySelector("button");
  const fields = [...question.querySelectorAll("input")];
  const text = answer.textContent;
  const predicted = () => fields.some((field) => (field.type === "radio" ? field.checked : field.value.trim()));
  const allow = () => (button.disabled = !predicted());
  const close = (closed) => {
    slider.classList.toggle("lk-locked", closed);
    stage.inert = closed;
    answer.textContent = closed ? "" : text; // filled later, so that a screen reader says it
    if (closed) question.dataset.answer = text;
    else delete question.dataset.answer;
  };
  close(true);
  button.hidden = false;
  allow();
  question.addEventListener("input", allow);
  button.addEventListener("click", () => {
    close(false);
    button.hidden = true;
    fields.forEach((field) => (field.disabled = true));
    stage.querySelector("input[type=range]").focus({ preventScroll: true });
  });
  addEventListener("beforeprint", () => (answer.textContent = text));
  addEventListener("afterprint", () => close(slider.classList.contains("lk-locked")));
}
