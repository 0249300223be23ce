// Hands a link to other apps of the device (app/src/cabinet/invite.rs), where the browser can. Elsewhere it is copied.
const button = document.querySelector("[data-share]");
if (button && "share" in navigator) {
  button.hidden = false;
  // Whoever chooses no app after all has changed their mind.
  button.addEventListener("click", () => navigator.share({ url: button.dataset.share }).catch(() => undefined));
}
