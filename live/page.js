// Brings what comes while a page is looked at: an answer into its thread, the count to the bell, what became of requests to the
// queue, and that there are new ones. The server says only that something changed (server/src/live.rs); what is shown is the page
// itself, asked for once more. Without this, or without a network, pages are complete, and show what is new when they are loaded
// again.
const place = document.querySelector("main [data-live]") ?? document.querySelector("[data-live]");
const thread = document.querySelector("[data-thread]");
// Who else has the request open; on the page of staff alone.
const here = document.querySelector("[data-here]");
const field = document.querySelector("#request-answer textarea");
// The list of requests of staff, and where it is said that a customer has answered.
const list = document.querySelector("[data-list]");
const answered = document.querySelector("[data-said]");
// Any request of the shop changes the list: so many milliseconds at least lie between two looks at it.
const REST = 5000;
// What is asked by itself keeps nobody signed in.
const headers = { "kabinet-live": "1" };
const nothing = () => undefined;
const news = new Set();
// Requests whose customers have answered since the page was loaded.
const said = new Set();
let source;
let since = place?.dataset.since;
let failures = 0;
let timer;
let isLooking = false;
let isStale = false;
let saidWriting = false;
let shown = here?.innerHTML;

function open() {
  clearTimeout(timer);
  // A page that nobody looks at has no stream: it catches up when it is looked at again.
  if (source || document.hidden) return;
  const url = new URL(place.dataset.live, location.href);
  url.searchParams.set("since", since);
  const opened = new EventSource(url);
  source = opened;
  opened.onopen = () => { failures = 0; };
  opened.onmessage = ({ data, lastEventId }) => {
    since = lastEventId;
    changed(...data.split(" "));
  };
  // The browser comes again by itself when a line broke, but not when it was refused: then it is tried a few times more.
  opened.onerror = () => {
    if (opened.readyState !== EventSource.CLOSED || source !== opened) return;
    source = undefined;
    failures += 1;
    if (failures < 5) timer = setTimeout(open, failures * 20000);
  };
}

function close() {
  clearTimeout(timer);
  source?.close();
  source = undefined;
}

function changed(kind, number) {
  if (kind === "here") return beat();
  if (kind === "opened" && place.dataset.new) return count(number);
  if (kind === "said" && answered) {
    said.add(number);
    answered.textContent = answered.dataset.said.replace("{number}", number);
  }
  look();
}

// What is new does not come in between: the queue says how many there are, and shows them when it is told to.
function count(number) {
  news.add(number);
  if (!place.querySelector("a")) {
    const line = document.createElement("p");
    // Over the page: nothing may move away from under the hand.
    line.className = "update";
    const link = document.createElement("a");
    link.className = "btn btn-sm";
    link.href = place.dataset.href;
    link.textContent = place.dataset.show;
    line.append(document.createElement("span"), " ", link);
    place.append(line);
  }
  place.querySelector("span").textContent = place.dataset.new.replace("{n}", news.size);
}

// One look at a time; what comes meanwhile is seen by one more.
async function look() {
  isStale = true;
  if (isLooking) return;
  isLooking = true;
  while (isStale) {
    isStale = false;
    await bring().catch(nothing);
    if (list) await new Promise((rested) => setTimeout(rested, REST));
  }
  isLooking = false;
}

async function bring() {
  // Other pages want the bell alone. It is read where a visit changes nothing.
  const from = thread || list ? location.pathname + location.search : place.dataset.from ?? "/support";
  const answer = await fetch(from, { headers });
  if (!answer.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const held = document.activeElement?.closest("main form") ? document.activeElement : undefined;
  const top = held?.getBoundingClientRect().top;
  // The browser would keep another thing in its place.
  if (held) document.documentElement.style.overflowAnchor = "none";
  for (const old of document.querySelectorAll("[data-swap]")) {
    const now = page.querySelector(`[data-swap="${old.dataset.swap}"]`);
    // What somebody is about to press stays.
    const isInUse = old !== document.activeElement && old.contains(document.activeElement);
    if (now && !isInUse && now.innerHTML !== old.innerHTML) old.replaceChildren(...now.childNodes);
  }
  if (thread) add(page, !held);
  if (list) arrange(page.querySelector("[data-list]"));
  // What somebody types stays where it is.
  if (held) scrollBy(0, held.getBoundingClientRect().top - top);
}

// Rows of the list say at once what became of them. Where they stand changes while nobody points at them, so that none moves away
// from under the hand; what is chosen stays chosen.
function arrange(now) {
  const rows = (box) => [...box?.querySelector("tbody")?.rows ?? []];
  const body = list.querySelector("tbody");
  const fresh = rows(now);
  if (!body || !fresh.length) {
    if (now && !list.contains(document.activeElement)) list.replaceChildren(...now.childNodes);
    return mark();
  }
  const known = new Map(rows(list).map((row) => [row.dataset.number, row]));
  const order = [];
  for (const row of fresh) {
    const old = known.get(row.dataset.number);
    if (!old && !news.has(row.dataset.number)) order.push(row);
    if (!old) continue;
    order.push(old);
    old.className = row.className;
    // The box by which it is chosen stays, and what somebody is about to press.
    [...row.cells].forEach((cell, i) => {
      const was = old.cells[i];
      if (i > 0 && was.innerHTML !== cell.innerHTML && !was.contains(document.activeElement)) was.replaceWith(cell);
    });
  }
  mark();
  const seen = (box) => box.querySelector("[name=seen]");
  const settle = () => {
    body.onmouseleave = null;
    // Where all rows say what they are by now, what is done with them goes by that.
    if (order.length === fresh.length) seen(list).value = seen(now).value;
    const stays = rows(list);
    if (stays.length === order.length && stays.every((row, i) => row === order[i])) return;
    const held = body.contains(document.activeElement) ? document.activeElement : undefined;
    body.replaceChildren(...order);
    mark();
    held?.focus({ preventScroll: true });
  };
  if (body.matches(":hover")) body.onmouseleave = settle;
  else settle();
}

// Says of each row whose customer has answered since that they have.
function mark() {
  for (const row of list.querySelectorAll("tr[data-number]")) {
    if (!said.has(row.dataset.number)) continue;
    row.classList.add("unread");
    if (row.querySelector("[data-marked]")) continue;
    const badge = document.createElement("span");
    badge.className = "badge badge-points";
    badge.dataset.marked = "";
    badge.textContent = answered.dataset.mark;
    row.querySelector("td.grow").append(" ", badge);
  }
}

// Adds what is new to the thread. Who reads its end goes on doing so.
function add(page, mayScroll) {
  const known = new Set([...thread.querySelectorAll("[data-message]")].map(({ dataset }) => dataset.message));
  const fresh = [...page.querySelectorAll("[data-thread] [data-message]")].filter(({ dataset }) => !known.has(dataset.message));
  const seen = page.querySelector("#request-answer [name=seen]")?.value;
  if (fresh.length) {
    const pane = thread.closest(".pane");
    const scrolls = pane && pane.scrollHeight > pane.clientHeight + 1 && getComputedStyle(pane).overflowY === "auto";
    const end = thread.lastElementChild?.getBoundingClientRect().bottom ?? 0;
    const isAtEnd = scrolls ? pane.scrollHeight - pane.scrollTop - pane.clientHeight < 40 : end > 0 && end <= innerHeight;
    for (const message of fresh) {
      if (message.id) document.getElementById(message.id)?.removeAttribute("id");
      thread.append(message);
    }
    // A pane scrolls by itself, and where its reader writes stands still below it.
    if (scrolls && isAtEnd) pane.scrollTop = pane.scrollHeight;
    else if (!scrolls && isAtEnd && mayScroll) thread.lastElementChild.scrollIntoView({ block: "nearest" });
  }
  if (seen) whenRead(fresh.at(-1) ?? thread, seen);
}

// An answer says what its writer had seen: what came counts as seen after it stood before their eyes for a while.
function whenRead(what, seen) {
  let wait;
  const watcher = new IntersectionObserver(([{ isIntersecting }]) => {
    clearTimeout(wait);
    if (isIntersecting) wait = setTimeout(() => {
      watcher.disconnect();
      for (const input of document.querySelectorAll("#request-answer [name=seen]")) {
        if (Number(seen) > Number(input.value)) input.value = seen;
      }
    }, 2000);
  });
  watcher.observe(what);
}

const isWriting = () => field.value.trim() !== "";

// Says that somebody has the request open, and learns who else has.
async function beat() {
  if (!here || document.hidden) return;
  saidWriting = isWriting();
  try {
    const answer = await fetch(here.dataset.here + (saidWriting ? "?writing=1" : ""), { method: "POST", headers });
    const html = answer.ok ? await answer.text() : shown;
    if (html !== shown) here.innerHTML = html;
    shown = html;
  } catch {
    // The next one may arrive.
  }
}

if (place) {
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else {
      open();
      beat();
    }
  });
  // For the bell alone a page is not read at once: most are left again in a moment.
  timer = setTimeout(open, place.closest("main") || thread ? 0 : 3000);
  if (here && field) {
    beat();
    setInterval(beat, 10000);
    field.addEventListener("input", () => { if (isWriting() !== saidWriting) beat(); });
  }
}

addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !event.target.matches?.("main form textarea")) return;
  event.preventDefault();
  event.target.form.requestSubmit();
});
