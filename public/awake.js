// Keeps the screen on while a card is shown (app/src/cabinet/card.rs), where the browser can. It lets go by itself when the page
// is left, so it is asked again when somebody comes back.
function keep() {
  // A device that saves its battery refuses.
  if (!document.hidden) navigator.wakeLock.request("screen").catch(() => undefined);
}

if ("wakeLock" in navigator) {
  keep();
  document.addEventListener("visibilitychange", keep);
}
