// A receipt before the camera: Chromium plays a film in its place, which is written here.
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { withCamera } from "./chromium";
import { film, FILMED } from "./qr";
import { employ, enter, expect, newcomer, press, send, test, type Page, type SignIns } from "./site";

const folder = resolve(__dirname, "../target/end2end");
const path = join(folder, "receipt.y4m");
if (!existsSync(path)) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${path}.${process.pid}`, film(FILMED));
  renameSync(`${path}.${process.pid}`, path);
}

test.use({ launchOptions: withCamera(path) });

/** Sells something without a card, with this on the receipt. */
async function sell(desk: Page, signIns: SignIns, receipt: string) {
  await enter(desk, employ(signIns, "administrator"));
  const key = `camera-${Date.now().toString(36)}`;
  const added = await send(desk.request, signIns.url, "/admin/tills", "till.add", { key, name: "Касса", source: "pos", store: "" });
  const at = (added.headers().location ?? (await added.text())).split("?")[0];
  const keyed = await send(desk.request, signIns.url, at, "till.key", { "scopes[]": "purchases" });
  await desk.goto(keyed.headers().location);
  const secret = await desk.locator(".secret code").innerText();
  const sold = await desk.request.post(`${signIns.url}/api/v1/purchases`, {
    headers: { authorization: `Bearer ${secret}`, "idempotency-key": key },
    data: { document: key, at: new Date().toISOString(), code: receipt, lines: [{ article: "tea", name: "Чай", quantity: 1, price: 35_000 }] },
  });
  expect(sold.status(), await sold.text()).toBe(201);
}

/** Has the page look for codes and find none. */
async function blind(page: Page) {
  await page.addInitScript(() => Reflect.deleteProperty(window, "BarcodeDetector"));
  await page.route("**/pkg/jsqr.*", (route) => route.fulfill({ contentType: "text/javascript", body: "self.jsQR = () => null;" }));
}

const said = (page: Page) => page.locator("[data-scan] [role=status]");
const scan = (page: Page) => press(page, "Сканировать QR-код камерой");

/** Opens the camera; what tells whether it is open still. */
async function opened(page: Page): Promise<() => Promise<boolean>> {
  await scan(page);
  await expect(said(page)).toHaveText("Наведите камеру на QR-код чека.");
  await expect(page.locator("video")).toBeVisible();
  const track = await page.evaluateHandle(() => (document.querySelector("video")!.srcObject as MediaStream).getTracks()[0]);
  return () => track.evaluate((one) => one.readyState === "live");
}

test("a receipt that is held before the camera is added", async ({ page, context, another, signIns }) => {
  test.slow();
  await sell(await another(), signIns, FILMED.text);
  await newcomer(page, signIns);
  await context.grantPermissions(["camera"]);
  const fetched: string[] = [];
  page.on("request", (request) => fetched.push(request.url()));
  await page.goto("/purchases/claim");
  await page.waitForLoadState("networkidle");
  expect(fetched.filter((url) => url.includes("jsqr")), "fetched with the camera and not with the page").toEqual([]);
  await scan(page);
  await expect(page).toHaveURL(/\/purchases\/[0-9a-f-]{36}\?done=claimed$/, { timeout: 30_000 });
  await expect(page.getByRole("main")).toContainText("Чек теперь ваш");
});

test("the camera is closed by its button and where nobody sees the page", async ({ page, context, signIns }) => {
  await newcomer(page, signIns);
  await context.grantPermissions(["camera"]);
  await blind(page);
  await page.goto("/purchases/claim");
  let isOpen = await opened(page);
  expect(await isOpen()).toBe(true);
  await press(page, "Закрыть камеру");
  await expect(page.locator("video")).toBeHidden();
  expect(await isOpen()).toBe(false);
  isOpen = await opened(page);
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { value: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  expect(await isOpen()).toBe(false);
  await expect(said(page)).toBeEmpty();
});

test("a camera that sees no code is closed after a minute", async ({ page, context, signIns }) => {
  await newcomer(page, signIns);
  await context.grantPermissions(["camera"]);
  await blind(page);
  await page.clock.install();
  await page.goto("/purchases/claim");
  const isOpen = await opened(page);
  await page.clock.fastForward(61_000);
  await expect(said(page)).toContainText("За минуту код не нашёлся");
  expect(await isOpen()).toBe(false);
});

test("what keeps the camera closed is said in words, and the form stays", async ({ page, context, signIns }) => {
  await newcomer(page, signIns);
  // None of them: each is refused.
  await context.grantPermissions([]);
  await page.goto("/purchases/claim");
  await scan(page);
  await expect(said(page)).toContainText("Браузер не разрешил открыть камеру");
  for (const [name, words] of [
    ["NotFoundError", "нет камеры"],
    ["NotReadableError", "занята другой программой"],
    ["AbortError", "Камера не открылась"],
  ]) {
    await page.evaluate((name) => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("", name));
    }, name);
    await scan(page);
    await expect(said(page)).toContainText(words);
  }
  await expect(page.getByLabel("Код чека")).toBeVisible();
});

test("no other page may open the camera", async ({ page, context, signIns, complaints }) => {
  await newcomer(page, signIns);
  await context.grantPermissions(["camera"]);
  await page.goto("/purchases");
  const refused = await page.evaluate(() =>
    navigator.mediaDevices.getUserMedia({ video: true }).then(() => "opened", (error: DOMException) => error.name));
  expect(refused).toBe("NotAllowedError");
  // That the browser says so is what was asked for.
  complaints.splice(0, complaints.length, ...complaints.filter((one) => !/permissions policy/i.test(one)));
});
