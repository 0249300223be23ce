// The key / leads into the search of the bar (app/src/ui/frame.rs), from wherever nothing is being typed.
const field = document.querySelector("[data-find]");

if (field) {
  field.closest(".bar-find").querySelector("kbd").hidden = false;
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    // Where letters are Russian the same key writes a full stop.
    const slash = event.key === "/" || (event.code === "Slash" && event.key === ".");
    if (!slash || typing || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    field.focus();
    field.select();
  });
}
