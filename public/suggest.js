// Shows what may answer a request while it is written. It asks as the button of the form does, so without this the button is
// there (app/src/cabinet/support.rs); nothing is sent but what the button would send, and nothing of it is kept.
const PAUSE = 700;
const LEAST = 8;
let timer;
let asked = "";

async function look(form) {
  const text = form.elements.text.value.trim();
  if (text.length < LEAST || text === asked) return;
  asked = text;
  const body = new URLSearchParams({ purchase: "", find: "yes" });
  for (const name of ["_fn", "_form", "_key", "topic", "text"]) body.set(name, form.elements[name].value);
  const answer = await fetch(location.pathname + location.search, { method: "POST", body });
  // Somebody who types on is answered by what comes next.
  if (answer.status !== 422 || text !== asked) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const came = page.querySelector("[data-suggest]");
  // The form may have come back meanwhile, with a place of its own.
  const place = document.querySelector("[data-suggest]");
  if (came && place && came.innerHTML !== place.innerHTML) place.replaceChildren(...came.childNodes);
}

addEventListener("input", ({ target }) => {
  const form = target.form;
  if (target.name !== "text" || !form?.querySelector("[data-suggest]")) return;
  clearTimeout(timer);
  timer = setTimeout(() => look(form).catch(() => undefined), PAUSE);
});
