// Brings how far a piece of work is while its page is looked at. It asks for the page itself, as the link beside it does, so without
// this there is the link (app/src/admin/imports.rs, extracts.rs, rules/simulation.rs,
// app/src/cabinet/data.rs).
const PAUSE = 2000;

async function look() {
  const place = document.querySelector("[data-progress]");
  // Where somebody is in the middle of something, nothing is taken from under their hands.
  if (!place || document.hidden || place.contains(document.activeElement)) return;
  const answer = await fetch(location.pathname + location.search, { headers: { "kabinet-live": "1" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const came = page.querySelector("[data-progress]");
  if (came) place.replaceChildren(...came.childNodes);
  // At its end the page is another one; what is being typed elsewhere in it is not thrown away.
  else if (!document.activeElement?.closest("form")) {
    const here = new URL(location.href);
    here.searchParams.delete("done");
    history.replaceState(null, "", here);
    location.reload();
  }
}

setInterval(() => look().catch(() => undefined), PAUSE);
