// Sorts the shops by how far they are from here, for whoever asks for it. The position stays in the browser: nothing is sent.
// The button and the words are those of the page (app/src/cabinet/stores.rs), which works without this too.
const button = document.querySelector("[data-near]");
// Those that stand open, and those that are folded away where there are many.
const [open, folded] = document.querySelectorAll("[data-shops]");
const said = document.querySelector("[data-near-said]");

// Kilometres along the great circle, of places in degrees.
function distance(lat1, lon1, lat2, lon2) {
  const [a, b, c, d] = [lat1, lon1, lat2, lon2].map((degrees) => (degrees * Math.PI) / 180);
  return 12742 * Math.asin(Math.sqrt(Math.sin((c - a) / 2) ** 2 + Math.cos(a) * Math.cos(c) * Math.sin((d - b) / 2) ** 2));
}

function sort({ coords }) {
  const words = new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit: "kilometer", maximumFractionDigits: 1 });
  const far = (shop) => {
    const { lat, lon } = shop.dataset;
    // Farther than anything on earth: who has no place comes last.
    return lat ? distance(coords.latitude, coords.longitude, lat / 1e6, lon / 1e6) : 1e5;
  };
  const all = [...open.children, ...(folded?.children ?? [])];
  const shops = all.map((shop) => ({ shop, km: far(shop) })).sort((a, b) => a.km - b.km);
  for (const { shop, km } of shops) if (km < 1e5) shop.querySelector("[data-far]").textContent = words.format(km);
  const sorted = shops.map(({ shop }) => shop);
  const count = open.children.length;
  open.replaceChildren(...sorted.slice(0, count));
  folded?.replaceChildren(...sorted.slice(count));
  tell("done");
}

// What keeps a browser from telling (W3C Geolocation API, GeolocationPositionError).
const WHY = { 1: "denied", 2: "refused", 3: "slow" };

// The button is not disabled while it waits, for then it would lose the focus.
function tell(words, isBusy = false) {
  said.textContent = said.dataset[words];
  button.setAttribute("aria-busy", isBusy);
}

if (button && "geolocation" in navigator) {
  button.hidden = false;
  button.addEventListener("click", () => {
    if (button.getAttribute("aria-busy") === "true") return;
    tell("looking", true);
    const failed = ({ code }) => tell(WHY[code] ?? "refused");
    navigator.geolocation.getCurrentPosition(sort, failed, { timeout: 20000, maximumAge: 60000 });
  });
} else {
  // The page keeps room for it.
  button?.remove();
}
