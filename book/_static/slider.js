// Moves the frames of the book's sliders: see Slider.html in lattice/figures.py.
document.addEventListener("DOMContentLoaded", () => {
  for (const slider of document.querySelectorAll(".lk-slider")) {
    const frames = slider.querySelectorAll(".lk-frame");
    const inputs = [...slider.querySelectorAll("input")];
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
    slider.addEventListener("input", show);
    slider.querySelectorAll(".lk-control").forEach((control) => (control.hidden = false));
    show(); // a browser may remember where the reader left the control
  }
});
