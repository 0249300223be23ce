// Prints the page (app/src/ui/mod.rs, PrintButton). Without this there is no button, and the browser's own menu does the same.
const button = document.querySelector("[data-print]");
if (button) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
