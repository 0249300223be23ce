// The service worker: without a network the card is shown all the same, and in place of every other page one that says so.
// Nothing else is kept: what a network brings is always shown as it came.
//
// There are two stores. SHELL holds what is nobody's: the page that says that there is no network, and the files that it and
// the card name. PERSON holds one page, the lean card of whoever is signed in, and is thrown away with their session.
"use strict";

const SHELL = "shell";
const PERSON = "person";
const OFFLINE = "/offline";
const CARD = "/card/offline";
// How long the page of the card is waited for, in milliseconds: a network that does not answer is none.
const PATIENCE = 4000;
// Files whose names change with what is in them.
const HASHED = /^\/(pkg\/|theme-)/;
// Other files that pages name.
const PLAIN = /\.(svg|png|webmanifest|js)$/;
// Pages of staff and of programs are none of ours.
const OTHERS = /^\/(admin|api)(\/|$)/;

// Counts what may end a session. What was asked for before is not stored after.
let turns = 0;

const kept = (path, cacheName) => caches.match(path, { cacheName, ignoreSearch: true, ignoreVary: true });

function forget() {
  turns += 1;
  return caches.delete(PERSON);
}

// A page as it is to be kept. What it says of the server's time would be wrong by the time it is shown, so how far this
// device's clock is ahead takes its place (`rotating/src/lib.rs`).
async function page(path) {
  const answer = await fetch(path);
  const arrived = Date.now();
  const text = await answer.text();
  const html = text.replace(/ data-now="(\d+)"/, (_, now) => ` data-drift="${arrived - now}"`);
  const headers = new Headers(answer.headers);
  headers.delete("content-encoding");
  headers.delete("content-length");
  return { answer, html, copy: () => new Response(html, { headers }) };
}

// Keeps the page that says that there is no network, and every file that these pages name; the names.
async function furnish(pages) {
  const [offline] = pages;
  if (!offline.answer.ok) throw new Error(`${OFFLINE} answered ${offline.answer.status}`);
  const shell = await caches.open(SHELL);
  const files = pages.flatMap(({ html }) => [...html.matchAll(/ (?:href|src)="(\/[^"?#]+\.\w+)"/g)].map(([, path]) => path));
  const named = new Set(files);
  await Promise.all([...named].map(async (path) => (HASHED.test(path) && (await shell.match(path))) || shell.add(path)));
  await shell.put(OFFLINE, offline.copy());
  return named;
}

// Keeps the card of whoever is signed in. Their mark says whether it is kept already; `isFresh` asks for it anew.
async function keep(mark, isFresh) {
  const key = `${CARD}?of=${mark}`;
  const has = await caches.match(key, { cacheName: PERSON });
  if (has && !isFresh) return;
  // Somebody else's, or in another language: gone, whatever comes of asking.
  if (!has) await forget();
  const asked = turns;
  const pages = await Promise.all([page(OFFLINE), page(CARD)]);
  const { answer, copy } = pages[1];
  // Nobody is signed in any more.
  if (answer.redirected) await forget();
  if (!answer.ok || answer.redirected) return;
  const named = await furnish(pages);
  const person = await caches.open(PERSON);
  if (asked !== turns) return;
  await person.put(key, copy());
  // What no kept page names any more.
  const shell = await caches.open(SHELL);
  for (const { url } of await shell.keys()) {
    const { pathname } = new URL(url);
    if (pathname !== OFFLINE && !named.has(pathname)) await shell.delete(url);
  }
}

async function navigate(event, path) {
  const asked = Promise.resolve(event.preloadResponse).then((answer) => answer ?? fetch(event.request));
  if (path === "/card") {
    const late = new Promise((wake) => setTimeout(wake, PATIENCE));
    const answer = await Promise.race([asked.catch(() => undefined), late]);
    const card = answer ?? (await kept(CARD, PERSON));
    if (card) return card;
  }
  try {
    const answer = await asked;
    // Who is signed in is led on from there: the session has ended, here or elsewhere.
    if (path.startsWith("/sign-in") && answer.ok) await forget();
    return answer;
  } catch {
    return (await kept(OFFLINE, SHELL)) ?? Response.error();
  }
}

addEventListener("install", (event) => event.waitUntil(page(OFFLINE).then((offline) => furnish([offline]))));

// The browser asks for a page while it still wakes the worker.
addEventListener("activate", (event) => event.waitUntil(registration.navigationPreload?.enable()));

addEventListener("message", (event) => {
  const { takeOver, mark, isFresh } = event.data;
  // A page that cannot be asked for just now is asked for by the next one.
  event.waitUntil(takeOver ? skipWaiting() : keep(mark, isFresh).catch(() => undefined));
});

addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (origin !== location.origin || OTHERS.test(pathname)) return;
  if (request.method !== "GET") {
    // It may be the one that signs out.
    turns += 1;
  } else if (request.mode === "navigate") {
    event.respondWith(navigate(event, pathname));
  } else if (HASHED.test(pathname)) {
    event.respondWith(kept(pathname, SHELL).then((file) => file ?? fetch(request)));
  } else if (PLAIN.test(pathname)) {
    event.respondWith(fetch(request).catch(async () => (await kept(pathname, SHELL)) ?? Response.error()));
  }
});
