// Paper is white: whatever the reader's theme, a page is printed in the light one.
const { dataset } = document.documentElement;
let theme;
addEventListener("beforeprint", () => {
  theme = dataset.theme;
  dataset.theme = "light";
});
addEventListener("afterprint", () => {
  dataset.theme = theme;
});
