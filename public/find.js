// The bar of staff (app/src/ui/frame.rs): Escape closes its menus, and the key / leads into its search from wherever nothing is
// being typed.
const field = document.querySelector("[data-find]");

if (field) {
  field.closest(".bar-find").querySelector("kbd").hidden = false;
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
    // Where letters are Russian the same key writes a full stop.
    const slash = event.key === "/" || (event.code === "Slash" && event.key === ".");
    if (!slash || typing || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    field.focus();
    field.select();
  });
}

document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector(".bar-more[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
