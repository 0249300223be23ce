// The cabinet without a network: the card goes on, every other page says so, and nothing of one person is left for the next.
import { cardOf, expect, newcomer, PERSON, press, send, test, type Page } from "./site";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runInNewContext } from "node:vm";

test.use({ serviceWorkers: "allow" });

/** What the worker keeps: the paths, and all of the HTML. */
const stored = (page: Page) =>
  page.evaluate(async () => {
    const found = { paths: [] as string[], html: "" };
    for (const name of await caches.keys()) {
      const cache = await caches.open(name);
      for (const request of await cache.keys()) {
        const answer = await cache.match(request);
        found.paths.push(new URL(request.url).pathname);
        if (answer?.headers.get("content-type")?.startsWith("text/html")) found.html += await answer.text();
      }
    }
    return found;
  });

const html = async (page: Page) => (await stored(page)).html;

/** Somebody who has just registered and whose card is kept; its number. */
async function keeping(page: Page, signIns: Parameters<typeof newcomer>[1], person = PERSON): Promise<string> {
  await newcomer(page, signIns, person);
  const number = await cardOf(page);
  await expect.poll(() => html(page)).toContain(`data-number="${number}"`);
  return number;
}

const heading = (page: Page) => page.getByRole("heading", { level: 1 });
const barcode = (page: Page) => page.getByRole("img", { name: /Штрихкод карты/ });
const code = (page: Page) => page.getByRole("img", { name: "QR-код для кассы" });

test("without a network the card goes on, and every other page says so", async ({ page, context, signIns }) => {
  const number = await keeping(page, signIns);
  await context.setOffline(true);
  await page.reload();
  await expect(heading(page)).toHaveText("Карта");
  await expect(page.getByRole("main")).toContainText("Сети нет, но карта работает");
  await expect(barcode(page)).toHaveAttribute("aria-label", new RegExp(number));
  await expect(code(page)).toBeVisible();
  await expect(code(page).locator("path")).toHaveAttribute("d", /^M\d/);
  await expect(page.getByText(/^Новый код через \d+ с$/)).toBeVisible();
  await expect(page.getByText("Часы этого устройства")).toBeHidden();
  // In its style, which came from the same store.
  expect(await page.evaluate(() => getComputedStyle(document.querySelector(".page-plain")!).display)).toBe("grid");
  for (const path of ["/", "/purchases", "/support/new"]) {
    await page.goto(path);
    await expect(heading(page)).toHaveText("Нет сети");
    await expect(page.getByRole("main")).not.toContainText("Анна");
  }
  await page.getByRole("link", { name: "Показать карту" }).click();
  await expect(code(page)).toBeVisible();

  await context.setOffline(false);
  await page.getByRole("link", { name: "Попробовать снова" }).click();
  await expect(page.getByRole("main")).toContainText("Анна");
  await page.goto("/purchases");
  await expect(heading(page)).toHaveText("Покупки");
});

test("s26 of a person the card alone is kept, and of that what a till needs", async ({ page, signIns }) => {
  await keeping(page, signIns);
  for (const path of ["/", "/points", "/profile/person", "/support"]) await page.goto(path);
  const { paths, html } = await stored(page);
  const isFile = (path: string) => /^\/(pkg\/|theme-)|\.(svg|png|webmanifest|js)$/.test(path);
  expect(paths.filter((path) => !isFile(path)).sort()).toEqual(["/card/offline", "/offline"]);
  // The style, the two scripts and the module of the code: nothing of the islands.
  expect(paths.filter((path) => path.startsWith("/pkg/"))).toHaveLength(4);
  expect(html).not.toMatch(/Анна|О'Нил|О&#x27;Нил|_key/);
  // The server's time would be wrong by the time it is shown.
  expect(html).toMatch(/ data-drift="-?\d{1,5}"/);
  expect(html).not.toContain("data-now");
});

test("s26 who signs out leaves no card on the device", async ({ page, context, signIns }) => {
  const number = await keeping(page, signIns);
  await press(page, "Выйти");
  await expect(page.getByRole("status")).toContainText("Вы вышли из кабинета");
  const { paths, html } = await stored(page);
  expect(paths).not.toContain("/card/offline");
  expect(html).not.toContain(number);
  // What checks the form comes after the page; without a network it would be missed.
  await page.waitForLoadState("networkidle");
  await context.setOffline(true);
  await page.goto("/card").catch(() => undefined);
  await expect(page.locator("body")).not.toContainText(/290\s*\d/);
});

test("s26 a session that ended elsewhere takes the card along", async ({ page, context, signIns }) => {
  const number = await keeping(page, signIns);
  await context.clearCookies();
  await page.goto("/points");
  await expect(page).toHaveURL(/\/sign-in\?next=\/points$/);
  await expect.poll(() => html(page)).not.toContain(number);
  await context.setOffline(true);
  await page.goto("/card");
  await expect(heading(page)).toHaveText("Нет сети");
  await expect(page.locator("body")).not.toContainText(/290\s*\d/);
});

test("s26 the next person on a device does not see the card of the one before", async ({ page, context, signIns }) => {
  const first = await keeping(page, signIns);
  // Even where the worker saw nobody leave, nor come.
  await context.clearCookies();
  await newcomer(page, signIns, { ...PERSON, name: "Борис" });
  await page.goto("/purchases");
  await expect.poll(() => html(page)).not.toContain(first);
  await expect.poll(() => html(page)).toContain("data-number");
  await context.setOffline(true);
  await page.goto("/card");
  await expect(code(page)).toBeVisible();
  expect(await barcode(page).getAttribute("aria-label")).not.toContain(first);
});

test("what is kept speaks the language of the person", async ({ page, context, signIns }) => {
  await keeping(page, signIns);
  await send(page.request, signIns.url, "/card", "language", { language: "en" });
  await page.goto("/points");
  await expect.poll(() => html(page)).toMatch(/You are offline[^]*No connection|No connection[^]*You are offline/);
  expect(await html(page)).not.toContain("Нет сети");
  await context.setOffline(true);
  await page.goto("/");
  await expect(heading(page)).toHaveText("No connection");
  await page.getByRole("link", { name: "Show the card" }).click();
  await expect(heading(page)).toHaveText("Card");
});

test("without a network the clock is off by what was seen last", async ({ page, context, signIns }) => {
  await keeping(page, signIns);
  // As if this device had been two minutes ahead then.
  await page.evaluate(async () => {
    const cache = await caches.open("person");
    const [request] = await cache.keys();
    const answer = (await cache.match(request))!;
    const text = (await answer.text()).replace(/data-drift="[^"]*"/, 'data-drift="120000"');
    await cache.put(request, new Response(text, { headers: answer.headers }));
  });
  await context.setOffline(true);
  await page.goto("/card");
  await expect(page.getByText("Часы этого устройства спешат на 2 мин")).toBeVisible();
});

test("a new version offers itself, and the first one does not", async ({ page, signIns }) => {
  await keeping(page, signIns);
  // The first page was there before the worker, and does not go by it.
  await page.goto("/card");
  const active = () => page.evaluate(async () => (await navigator.serviceWorker.ready).active?.scriptURL ?? "");
  const offer = page.getByText("Есть новая версия");
  expect(await active()).toMatch(/\/sw\.js$/);
  await expect(offer).toBeHidden();
  await page.evaluate(async () => {
    Object.assign(window, { here: true });
    await navigator.serviceWorker.register("/sw.js?2");
  });
  await expect(offer).toBeVisible();
  expect(await active(), "it waits until it is wanted").toMatch(/\/sw\.js$/);
  await press(page, "Обновить");
  await expect.poll(() => page.evaluate(() => "here" in window).catch(() => true)).toBe(false);
  await expect.poll(() => active().catch(() => "")).toMatch(/\?2$/);
  await expect(heading(page)).toHaveText("Карта");
});

test("a network that does not answer is none for the card, after four seconds", async () => {
  // The worker by itself, in a world where the network hangs and waiting takes no time.
  const waited: number[] = [];
  const listens: Record<string, (event: object) => void> = {};
  runInNewContext(readFileSync(join(__dirname, "..", "offline", "sw.js"), "utf8"), {
    URL,
    location: { origin: "https://club.example.com" },
    addEventListener: (name: string, listener: (event: object) => void) => (listens[name] = listener),
    caches: { match: async (path: string) => `kept: ${path}` },
    fetch: () => new Promise(() => undefined),
    setTimeout: (wake: () => void, ms: number) => {
      waited.push(ms);
      queueMicrotask(wake);
    },
  });
  const navigate = (path: string) =>
    new Promise((answer) => {
      const request = { method: "GET", mode: "navigate", url: `https://club.example.com${path}` };
      listens.fetch({ request, respondWith: answer });
    });
  expect(await navigate("/card?done=registered")).toBe("kept: /card/offline");
  expect(waited).toEqual([4000]);
  // Every other page is waited for as long as the browser likes: nothing that is kept could take its place.
  const patient = new Promise((wake) => setTimeout(() => wake("still waits"), 100));
  expect(await Promise.race([navigate("/purchases"), patient])).toBe("still waits");
  expect(waited).toEqual([4000]);
});
