// Counts the time down until a number changes (app/src/cabinet/number.rs). The page says how much was left when it was made, which
// stays there without this; the clock of the device may be wrong, so it only tells how long ago that was.
const place = document.querySelector("[data-due]");
const { due, left } = place.dataset;
const loaded = Date.now();

function tell() {
  const minutes = Math.max(0, Math.floor((due - (Date.now() - loaded) / 1000) / 60));
  const words = left.replace("{hours}", Math.floor(minutes / 60)).replace("{minutes}", minutes % 60);
  if (place.textContent !== words) place.textContent = words;
}

setInterval(tell, 1000);
