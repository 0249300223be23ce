// The desk of whoever answers requests: single keys, the menu of macros by the keyboard, and drafts that are kept while somebody
// types (app/src/admin/keys.rs, request.rs). Without it, keys do nothing, macros are buttons, and a button keeps a draft.
const sheet = document.querySelector("dialog[aria-labelledby=keys]");
const menu = document.querySelector("[data-macros]");
const WAIT = 1500;
const CHAIN = 1500;
let chained = 0;

// Drafts: what stands in a field is sent to the page that it is on, as its own button would send it, under a key of its own.
function keepDrafts(form) {
  const field = form?.querySelector("textarea");
  if (!field) return;
  let timer;
  let kept = field.value;
  let sending;
  const stop = () => {
    clearTimeout(timer);
    sending?.abort();
  };
  const keep = async () => {
    clearTimeout(timer);
    if (field.value === kept) return;
    const text = field.value;
    sending?.abort();
    sending = new AbortController();
    try {
      const body = new URLSearchParams({ act: "keep", text });
      for (const { name, value } of form.querySelectorAll("input[type=hidden]")) body.set(name, name === "_key" ? crypto.randomUUID() : value);
      // It is answered by the way to a page, which nobody is to see.
      const answer = await fetch(location.pathname, { method: "POST", body, redirect: "manual", keepalive: true, signal: sending.signal });
      if (answer.type === "opaqueredirect") kept = text;
    } catch {
      // The next one may arrive.
    }
  };
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(keep, WAIT);
  });
  // What is sent, or kept by its button, is kept no more by itself. Another form of the page waits until this one is: a macro puts
  // its answer below what is kept.
  addEventListener("submit", async (event) => {
    const other = event.target;
    if (other === form) {
      stop();
      kept = field.value;
    } else if (field.value !== kept && !other.dataset.waited && other.method === "post") {
      event.preventDefault();
      other.dataset.waited = "1";
      await keep();
      other.requestSubmit(event.submitter);
    }
  });
  addEventListener("pagehide", keep);
}

// Macros: typed into a field that is there for that alone, what does not fit goes, and Enter takes the first that is left.
function chooseMacro() {
  menu.open = true;
  let find = menu.querySelector("input[type=search]");
  if (!find) {
    find = document.createElement("input");
    find.type = "search";
    find.className = "input";
    find.autocomplete = "off";
    find.setAttribute("aria-label", menu.dataset.macros);
    menu.querySelector("summary").after(find);
    const rows = () => [...menu.querySelectorAll("[data-words]")];
    const fits = (row) => find.value.toLowerCase().split(" ").every((word) => row.dataset.words.includes(word));
    find.addEventListener("input", () => { for (const row of rows()) row.hidden = !fits(row); });
    find.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault();
      rows().find(fits)?.querySelector("button").click();
    });
  }
  find.value = "";
  find.dispatchEvent(new Event("input"));
  find.focus();
}

// A macro by its digit, as by its button, with the menu open for whatever is said there. To one that sends its answer the key only
// leads: what the customer would read stands below it, and Enter sends it.
const numbered = (key) => /^[1-9]$/.test(key) && menu?.querySelector(`button[aria-keyshortcuts="${key}"]`);
function carryOut(button) {
  menu.open = true;
  button.closest("[data-words]").hidden = false;
  if ("sends" in button.dataset) button.focus();
  else button.click();
}

// To the next or the one before: of the list where it is seen, and otherwise to that request itself.
function move(step) {
  const links = [...document.querySelectorAll("main .data td.grow > a, main .pane-list .queue a")];
  const focused = links.indexOf(document.activeElement);
  const from = focused < 0 ? links.findIndex((link) => link.hasAttribute("aria-current")) : focused;
  const to = links[from < 0 ? 0 : from + step];
  if (!to) return;
  if (to.offsetParent) to.focus();
  else to.click();
}

function field(selector) {
  const found = document.querySelector(selector);
  if (!found) return;
  const fold = found.closest("details");
  if (fold) fold.open = true;
  found.focus();
}

const press = (selector) => document.querySelector(selector)?.click();

const keys = {
  j: () => move(1),
  k: () => move(-1),
  r: () => field("#request-answer textarea"),
  n: () => field("#request-note textarea"),
  m: () => menu && chooseMacro(),
  a: () => press("#request-assign button"),
  c: () => press("#request-status button[value=closed]"),
  g: () => { chained = Date.now(); },
  q: () => { if (Date.now() - chained < CHAIN) location.assign("/admin/requests"); },
  "?": () => sheet.showModal(),
};

// Letters by where they lie on the keyboard where what is typed is not Latin.
function named({ key, code }) {
  if (/^[a-z]$/.test(key) || !/^Key[A-Z]$/.test(code)) return key;
  return /^[а-яё]$/.test(key) ? code.slice(3).toLowerCase() : key;
}

if (sheet) addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  // Whoever types into something means what they type.
  if (sheet.open || event.target.closest?.("input, textarea, select, [contenteditable]")) return;
  const key = named(event);
  const button = numbered(key);
  const act = button ? () => carryOut(button) : Object.hasOwn(keys, key) && keys[key];
  if (!act) return;
  event.preventDefault();
  act();
});

for (const id of ["request-answer", "request-note"]) keepDrafts(document.getElementById(id));
