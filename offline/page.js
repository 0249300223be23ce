// What a page of the cabinet says to the service worker (`sw.js`): that it be there, whose card to keep, and when a new one is
// to take over. Its place is `data-worker` (`app::ui::frame`), which says who is signed in by a mark, and holds the words.
const place = document.querySelector("[data-worker]");

function offer(worker) {
  const words = document.createElement("p");
  words.textContent = place.dataset.new;
  const button = document.createElement("button");
  button.className = "btn btn-sm";
  button.textContent = place.dataset.update;
  const load = () => {
    // Asked for anew, whatever was sent to make this page.
    if (worker.state === "activated") location.assign(location.pathname + location.search);
  };
  button.addEventListener("click", () => {
    worker.addEventListener("statechange", load);
    worker.postMessage({ takeOver: true });
    load();
  });
  place.replaceChildren(words, button);
  place.hidden = false;
}

async function begin() {
  const registration = await navigator.serviceWorker.register("/sw.js");
  // One that no page goes by, as the first one, is replaced at once.
  const look = () => registration.waiting && navigator.serviceWorker.controller && offer(registration.waiting);
  const watch = () => registration.installing?.addEventListener("statechange", look);
  look();
  watch();
  registration.addEventListener("updatefound", watch);
  const { active } = await navigator.serviceWorker.ready;
  active.postMessage({ mark: place.dataset.worker, isFresh: location.pathname === "/card" });
}

if (place && "serviceWorker" in navigator) {
  // Where the browser keeps none, as in a private window, the page is complete without.
  addEventListener("load", () => begin().catch(() => undefined));
}
