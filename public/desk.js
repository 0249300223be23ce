// The desk of whoever answers requests: single keys, the menu of macros by the keyboard, and drafts that are kept while somebody
// types (app/src/admin/keys.rs, request.rs). Without it, keys do nothing, macros are buttons, and a button keeps a draft.
const sheet = document.querySelector("dialog[aria-labelledby=keys]");
const menu = document.querySelector("[data-macros]");
const WAIT = 1500;
const CHAIN = 1500;
// When `g` was pressed: the next key says where to.
let chained = 0;
const PLACES = {
  q: "/admin/requests",
  m: "/admin/requests?assignee=me",
  u: "/admin/requests?assignee=nobody",
  o: "/admin/requests?status=overdue",
  i: "/admin/inbox",
  t: "/admin/tasks",
};

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

// In the list: what is ticked, or else the one that is held, is given or set as by the form below it, and by nothing else that is
// chosen there. It can be undone as ever.
const box = (row) => row?.querySelector("[name='numbers[]']");
function together(name, value) {
  const form = document.querySelector("#request-bulk");
  if (!form) return;
  const isChosen = form.querySelector("[name='numbers[]']:checked");
  const held = box(document.activeElement.closest("tr"));
  if (!isChosen && !held) return;
  if (!isChosen) held.checked = true;
  for (const field of form.querySelectorAll("details :is(input, select)")) {
    if (field.type === "checkbox") field.checked = false;
    else field.value = "";
  }
  form.elements[name].value = value;
  form.requestSubmit();
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
// A status is set by the button of the request, or in the list.
const set = (status) => {
  press(`#request-status button[value=${status}]`);
  together("status", status);
};

const keys = {
  j: () => move(1),
  k: () => move(-1),
  x: () => box(document.activeElement.closest("tr"))?.click(),
  r: () => field("#request-answer textarea"),
  n: () => field("#request-note textarea"),
  m: () => menu && chooseMacro(),
  s: () => field("#request-sort select, #request-bulk select"),
  f: () => field("main [role=search] input[type=search]"),
  a: () => {
    press("#request-assign button");
    together("assignee", "me");
  },
  u: () => {
    press("#request-unassign button");
    together("assignee", "nobody");
  },
  w: () => set("waiting"),
  o: () => set("open"),
  c: () => set("closed"),
  g: () => { chained = Date.now(); },
  "?": () => sheet.showModal(),
};

// After `g`: a place that the sheet promises, or by its digit a filter that is kept, where the list shows them.
function go(key) {
  const filter = /^[1-9]$/.test(key) && document.querySelectorAll("[data-swap=kept] a")[key - 1];
  if (filter) filter.click();
  else if (sheet.querySelector(`[data-go="${key}"]`)) location.assign(PLACES[key]);
}

// Letters by where they lie on the keyboard where what is typed is not Latin.
function named({ key, code }) {
  if (/^[a-z]$/.test(key) || !/^Key[A-Z]$/.test(code)) return key;
  return /^[а-яё]$/.test(key) ? code.slice(3).toLowerCase() : key;
}

if (sheet) addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  // Whoever types into something means what they type; into a box that is ticked nobody does.
  if (sheet.open || event.target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable]")) return;
  const key = named(event);
  const isChained = Date.now() - chained < CHAIN;
  chained = 0;
  const button = !isChained && numbered(key);
  const own = Object.hasOwn(keys, key) && keys[key];
  const act = isChained && /^[a-z1-9]$/.test(key) ? () => go(key) : button ? () => carryOut(button) : own;
  if (!act) return;
  event.preventDefault();
  act();
});

for (const id of ["request-answer", "request-note"]) keepDrafts(document.getElementById(id));
