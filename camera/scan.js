// Reads the QR code of a receipt by the camera, writes it into the form's field and sends the form. The place and the words are
// those of the page (app/src/cabinet/claim.rs), which works without this too. Browsers that read codes themselves do so
// (BarcodeDetector, W3C Shape Detection API); for the others the decoder is fetched, and only once the camera is open. No picture
// leaves the browser.
const place = document.querySelector("[data-scan]");
const field = document.getElementById(place.dataset.scan);
const video = place.querySelector("video");
const [open, close] = place.querySelectorAll("button");
const said = place.querySelector("[role=status]");

// How often a picture is looked at, and after how long no more, in milliseconds.
const OFTEN = 150;
const LONG = 60_000;
// The longer side at which the decoder looks at one, in pixels.
const SIDE = 960;
const WHY = {
  NotAllowedError: "denied",
  NotFoundError: "none",
  OverconstrainedError: "none",
  NotReadableError: "busy",
};

let stream;
// Which opening this is: what belongs to an earlier one stops by itself.
let turn = 0;

function stop(opened) {
  for (const track of opened?.getTracks() ?? []) track.stop();
}

function end(words) {
  turn += 1;
  stop(stream);
  stream = undefined;
  video.srcObject = null;
  video.hidden = close.hidden = true;
  open.hidden = false;
  said.textContent = place.dataset[words] ?? "";
}

// What looks at the picture of this moment and tells the text of a code in it.
async function reader() {
  const known = "BarcodeDetector" in window ? await BarcodeDetector.getSupportedFormats().catch(() => []) : [];
  if (known.includes("qr_code")) {
    const detector = new BarcodeDetector({ formats: ["qr_code"] });
    return async () => (await detector.detect(video))[0]?.rawValue;
  }
  await import(place.dataset.decoder);
  const canvas = document.createElement("canvas");
  const paper = canvas.getContext("2d", { willReadFrequently: true });
  return async () => {
    const scale = Math.min(1, SIDE / Math.max(video.videoWidth, video.videoHeight));
    canvas.width = video.videoWidth * scale;
    canvas.height = video.videoHeight * scale;
    paper.drawImage(video, 0, 0, canvas.width, canvas.height);
    const { data, width, height } = paper.getImageData(0, 0, canvas.width, canvas.height);
    return window.jsQR(data, width, height, { inversionAttempts: "dontInvert" })?.data;
  };
}

async function scan() {
  const mine = ++turn;
  open.hidden = true;
  close.hidden = false;
  said.textContent = place.dataset.opening;
  try {
    const asked = { video: { facingMode: "environment", width: { ideal: 1280 }, height: { ideal: 720 } } };
    const opened = await navigator.mediaDevices.getUserMedia(asked);
    // Closed while the browser was asking whether it may.
    if (mine !== turn) return stop(opened);
    stream = opened;
    video.srcObject = opened;
    video.hidden = false;
    await video.play();
    const read = await reader();
    const until = performance.now() + LONG;
    if (mine === turn) said.textContent = place.dataset.looking;
    while (mine === turn) {
      // One picture that cannot be read is not the last.
      const text = await read().catch(() => undefined);
      if (mine !== turn) return;
      if (text) {
        end("found");
        field.value = text;
        field.form.requestSubmit();
        return;
      }
      if (performance.now() > until) return end("nothing");
      await new Promise((wake) => setTimeout(wake, OFTEN));
    }
  } catch (error) {
    if (mine === turn) end(WHY[error.name] ?? "failed");
  }
}

// Without https there is no camera.
if (navigator.mediaDevices) {
  place.hidden = false;
  open.addEventListener("click", scan);
  close.addEventListener("click", () => end());
  // Nobody is filmed by a page that they do not see.
  document.addEventListener("visibilitychange", () => document.hidden && !close.hidden && end());
  addEventListener("pagehide", () => !close.hidden && end());
} else {
  // The page keeps room for it.
  place.remove();
}
