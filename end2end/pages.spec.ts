// Every page of the table: no fault that axe finds in either theme, nothing wider than the narrowest phone, nothing that moves
// by itself, and no WebAssembly where nothing needs it.
import axe from "axe-core";
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as later } from "node:timers/promises";
import { rows } from "./taps";
import { arrive, sample, WAITING } from "./samples";
import {
  agree, cardOf, code, device, employ, enter, expect, freeAccount, freeEmail, freePhone, fund, newcomer, PERSON, press, ready, routes, send, test, turnOn,
  type Page, type SignIns, words,
} from "./site";

declare global {
  interface Window { axe: typeof axe }
}

/**
 * What axe finds in each theme. A theme changes colours only, so contrast is all that can differ in the second one. The
 * attribute stands as the server writes it for who chose a theme.
 */
async function faults(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    // Colours that are on their way to others must not be looked at.
    const still = new CSSStyleSheet();
    still.replaceSync("*, ::before, ::after { transition: none !important }");
    document.adoptedStyleSheets.push(still);
    const found: string[] = [];
    for (const theme of ["light", "dark"]) {
      document.documentElement.dataset.theme = theme;
      const runOnly = theme === "light" ? undefined : ["color-contrast"];
      const { violations } = await window.axe.run({ runOnly, resultTypes: ["violations"] });
      const places = (nodes: axe.NodeResult[]) => nodes.slice(0, 3).map((node) => node.html.slice(0, 200)).join(" | ");
      found.push(...violations.map((v) => `in ${theme}: ${v.id}: ${v.help}: ${places(v.nodes)}`));
    }
    // What is there and was left no room to be read in.
    for (const element of document.querySelectorAll("body *")) {
      const { clientHeight: height, clientWidth: width, scrollHeight } = element;
      const isCut = height < 8 && width > 8 && scrollHeight > height + 8 && getComputedStyle(element).overflowY === "hidden";
      if (isCut && element.checkVisibility()) found.push(`cut off: ${element.outerHTML.slice(0, 200)}`);
    }
    return found;
  });
}

/** How far what is shown moved by itself since the page came, as browsers reckon it (cumulative layout shift), and what moved. */
async function moved(page: Page): Promise<string[]> {
  return page.evaluate(() => new Promise<string[]>((resolve) => {
    const told = (entries: PerformanceEntryList) => entries.map((entry) => {
      const { value, hadRecentInput, sources } = entry as PerformanceEntry & { value: number; hadRecentInput: boolean; sources: { node?: Element }[] };
      return hadRecentInput ? "" : `${value.toFixed(4)} ${sources.map(({ node }) => node?.outerHTML?.slice(0, 80)).join(" | ")}`;
    }).filter((line) => line);
    new PerformanceObserver((list) => resolve(told(list.getEntries()))).observe({ type: "layout-shift", buffered: true });
    // The observer is told nothing where nothing moved. Two frames, so that what was shown last is painted.
    requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => resolve([]), 100)));
  }));
}

async function examine(page: Page, path: string, width: number, status = 200) {
  // What brings news by itself would take the page away while it is looked at.
  await page.route("**/progress.js", (route) => route.fulfill({ contentType: "text/javascript", body: "" }));
  const wasm: string[] = [];
  page.on("request", (request) => request.url().endsWith(".wasm") && wasm.push(request.url()));
  const answer = await page.goto(path);
  expect(answer?.status(), path).toBe(status);
  expect(new URL(page.url()).pathname).toBe(path.split("?")[0]);
  // Every island is alive: what it changes belongs to the page.
  const islands = await page.locator("leptos-island").count();
  await expect(page.locator("leptos-island [data-ready]")).toHaveCount(islands);
  await expect(page.getByRole("heading", { level: 1 })).toHaveCount(1);
  // Whatever waits for a script is there by now, and what was there before stands where it stood.
  await expect(page.locator(".later[hidden]")).toHaveCount(0);
  if (!path.startsWith("/admin")) expect.soft(await moved(page), path).toEqual([]);
  expect.soft(await faults(page), path).toEqual([]);
  await expectNotWide(page, width);
  const changing = await page.locator("[data-rotating]").count();
  expect.soft(wasm.length > 0, `${path} has ${islands} islands`).toBe(islands + changing > 0);
}

async function expectNotWide(page: Page, width: number) {
  await page.setViewportSize({ width: 360, height: 740 });
  const { scroll, widest } = await page.evaluate(() => {
    const end = document.documentElement.clientWidth;
    const beyond = [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > end + 1);
    return { scroll: document.documentElement.scrollWidth - end, widest: beyond.slice(0, 3).map((e) => e.outerHTML.slice(0, 120)) };
  });
  expect.soft(scroll, `${page.url()} scrolls sideways at 360: ${widest.join(" | ")}`).toBeLessThanOrEqual(0);
  await page.setViewportSize({ width, height: 844 });
}

test("the table of pages can be read", () => {
  expect(routes().length).toBeGreaterThan(20);
});

for (const route of routes()) {
  test(`${route.path} is in order`, async ({ page, another, engine, signIns, viewport }) => {
    await examine(page, await arrive(page, route, engine, signIns, another), viewport!.width);
  });
}

test("nothing moves while a page comes, however slowly", async ({ page, signIns }) => {
  await newcomer(page, signIns);
  // Between the browser and the shop: hands a page on tag by tag, each in a frame of its own.
  const slow = createServer(async (asked, answer) => {
    const given = await fetch(new URL(asked.url!, signIns.url), { headers: { cookie: asked.headers.cookie ?? "" } });
    const type = given.headers.get("content-type") ?? "";
    const body = Buffer.from(await given.arrayBuffer());
    answer.writeHead(given.status, { "content-type": type });
    if (type.startsWith("text/html")) {
      for (const tag of body.toString().split(/(?=<[a-z])/)) {
        answer.write(tag);
        await later(20);
      }
      answer.end();
    } else {
      answer.end(body);
    }
  });
  await new Promise<void>((resolve) => slow.listen(0, "localhost", resolve));
  const at = new URL(signIns.url);
  at.port = String((slow.address() as AddressInfo).port);
  for (const path of ["/offers", "/nowhere"]) {
    await page.goto(new URL(path, at).href, { waitUntil: "load" });
    expect(await moved(page), path).toEqual([]);
    await page.context().clearCookies();
  }
  slow.close();
});

test("where there are no scripts nothing waits for one", async ({ browser, signIns }) => {
  const context = await browser.newContext({ javaScriptEnabled: false, baseURL: signIns.url });
  const page = await context.newPage();
  await page.goto("/sign-in");
  await expect(page.locator(".later")).toHaveCount(1);
  expect(await page.locator(".later").boundingBox(), "takes no room").toBeNull();
  await context.close();
});

/** How far a panel goes on below what stands in it last: its padding and border, where nothing else is there. */
async function below(page: Page, panel: string, last: string) {
  const bottom = async (selector: string) => {
    const { y, height } = (await page.locator(selector).boundingBox())!;
    return y + height;
  };
  return (await bottom(panel)) - (await bottom(last));
}

test("the panel of the invitation has no empty room, with scripts and without", async ({ page, browser, signIns }) => {
  await newcomer(page, signIns);
  await send(page.request, signIns.url, "/invite", "invite.begin");
  const [panel, button] = ['section[aria-labelledby="code"]', "[data-copied]"];
  // As long as what brings the button to life is on its way, its place is seen.
  let arrive = () => {};
  const held = new Promise<void>((resolve) => { arrive = resolve; });
  await page.route("**/*.wasm", async (route) => { await held; await route.continue(); });
  await page.goto("/invite", { waitUntil: "domcontentloaded" });
  const place = await page.locator(button).boundingBox();
  const seen = await page.locator(button).evaluate((e) => {
    const { visibility, width, backgroundColor } = getComputedStyle(e, "::before");
    return { visibility, width: parseFloat(width), color: backgroundColor };
  });
  expect(seen.visibility).toBe("visible");
  expect(seen.color).not.toBe("rgba(0, 0, 0, 0)");
  expect(seen.width).toBeGreaterThan(place!.width - 3);
  expect(await below(page, panel, button)).toBeLessThan(28);
  arrive();
  await expect(page.getByRole("button", { name: "Скопировать ссылку" })).toBeVisible();
  expect((await page.locator(button).boundingBox())!.width).toBe(place!.width);
  expect(await below(page, panel, button)).toBeLessThan(28);

  const context = await browser.newContext({ javaScriptEnabled: false, baseURL: signIns.url, storageState: await page.context().storageState() });
  const plain = await context.newPage();
  await plain.goto("/invite");
  expect(await plain.locator(button).boundingBox(), "takes no room").toBeNull();
  expect(await below(plain, panel, "#link")).toBeLessThan(28);
  await context.close();
});

test("the page of what does not exist is in order", async ({ page, viewport }) => {
  await examine(page, "/nowhere", viewport!.width, 404);
});

/** Where the link of a promotional message to somebody leads: it is signed with what only the database knows. */
function unsubscribing(signIns: SignIns, phone: string): string {
  const [{ id, key }] = rows<{ id: string; key: string }>(signIns,
    `SELECT lower(hex(customer_id)) AS id, (SELECT value FROM settings WHERE key = 'code_key') AS key FROM contacts WHERE value = '${phone}'`);
  const uuid = id.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  const mark = createHmac("sha256", key).update("unsubscribe ").update(Buffer.from(id, "hex")).update("marketing sms").digest("hex");
  return `/unsubscribe/${uuid}_marketing_sms_${mark}`;
}

test("the page that takes a consent back by a link is in order, and does so without a sign-in", async ({ page, another, signIns, viewport }) => {
  const who = await another();
  const phone = await newcomer(who, signIns);
  const given = await send(who.request, signIns.url, "/profile/consents", "consent.change", { consent: "marketing_sms", version: "1", act: "give" });
  expect(given.status()).toBe(303);
  const at = unsubscribing(signIns, phone);
  await examine(page, at, viewport!.width);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Не присылать больше?");
  await press(page, "Больше не присылать");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Больше не пришлём");
  await who.goto("/profile/consents");
  await expect(who.getByRole("button", { name: words("Дать согласие: SMS об акциях") })).toBeVisible();
  await examine(page, `${at.slice(0, -1)}x`, viewport!.width, 404);
});

test("a page of errors is in order", async ({ page, viewport }) => {
  await page.goto("/sign-in?by=password");
  await page.getByLabel("Телефон").fill("12");
  await page.getByRole("button", { name: "Войти" }).click();
  await expect(page.getByRole("alert")).toBeVisible();
  expect(await faults(page)).toEqual([]);
  await expectNotWide(page, viewport!.width);
});

/** Russian letters on a page in English, beside what is Russian by nature: the name of the shop, and what others are called and wrote. */
function russian(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const shop = document.querySelector(".shop span")?.textContent ?? "";
    // Who asked in public, and which till read the card.
    const others = /^\/(questions|profile\/views)/.test(location.pathname) ? ", bdi" : "";
    const isRecord = (at: Element | null) => Boolean(at?.closest(`[lang="ru"], script, style${others}`));
    const texts = [document.title];
    const all = document.createTreeWalker(document.body, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
    for (let node = all.nextNode(); node; node = all.nextNode()) {
      if (isRecord(node instanceof Element ? node : node.parentElement)) continue;
      if (!(node instanceof Element)) texts.push(node.textContent ?? "");
      else texts.push(...[...node.attributes].filter(({ name }) => name !== "value" && name !== "href").map(({ value }) => value));
    }
    // A language is chosen by its own name, the provider is called so by its configuration, and an article by another test.
    const rest = texts.map((text) => text.replaceAll(shop, "").replace(/^\s*Русский\s*$|Тест ID|Чай forms-\w+/g, "").trim());
    return [...new Set(rest.filter((text) => /[а-яё]/i.test(text)))].slice(0, 5);
  });
}

test("English is no wider, has no Russian word, and an empty cabinet is in order", async ({ page, signIns, viewport }) => {
  test.slow();
  await newcomer(page, signIns, { ...PERSON, name: "Ann", surname: "Smith" });
  await send(page.request, signIns.url, "/card", "language", { language: "en" });
  for (const { path, access } of routes().filter(({ path }) => !path.includes("{"))) {
    if (access !== "Customer" || WAITING.includes(path)) continue;
    await page.goto(path);
    await expect(page.locator("html")).toHaveAttribute("lang", "en");
    expect.soft(await russian(page), path).toEqual([]);
    expect.soft(await faults(page), path).toEqual([]);
    await expectNotWide(page, viewport!.width);
  }
});

test("a cabinet with years in it is in English throughout, and no wider", async ({ page, another, signIns, viewport }) => {
  test.slow();
  // Somebody of the demonstration who reads English, and whose records are in English.
  const [{ phone }] = rows<{ phone: string }>(signIns,
    `SELECT k.value AS phone FROM contacts k JOIN customers c ON c.id = k.customer_id
     WHERE c.language = 'en' AND c.source <> 'web' AND k.kind = 'phone' AND k.is_primary
     ORDER BY (SELECT count(*) FROM purchases p WHERE p.customer_id = c.id) DESC, k.value LIMIT 1`);
  // The small demonstration has one, who may be coming in at another size of window: the next code follows after half a minute.
  const sent = async () => (await send(page.request, signIns.url, "/sign-in", "sign_in.start", { phone })).status();
  await expect.poll(sent, { timeout: 60_000, intervals: [5_000] }).toBe(303);
  const signedIn = await send(page.request, signIns.url, "/sign-in/code", "sign_in.verify", { code: await code(page, phone) });
  expect(signedIn.headers().location).toBe("/");
  const asked = { topic: "other", text: "Where are my points?", purchase: "" };
  expect((await send(page.request, signIns.url, "/support/new", "request.create", asked)).status()).toBe(303);
  await send(page.request, signIns.url, "/invite", "invite.begin");
  const forAll = ["/help", "/help/{code}", "/consents/{code}", "/questions", "/chat"];
  for (const { path, access } of routes()) {
    if ((access !== "Customer" && !forAll.includes(path)) || WAITING.includes(path)) continue;
    await page.goto(await sample(page, path, signIns, another));
    await expect(page.locator("html")).toHaveAttribute("lang", "en");
    expect.soft(await russian(page), path).toEqual([]);
    await expectNotWide(page, viewport!.width);
  }
});

test("the first visit, and the first page with what matters on it, are in order", async ({ page, signIns, viewport }) => {
  await newcomer(page, signIns);
  await examine(page, "/welcome?done=registered", viewport!.width);
  await send(page.request, signIns.url, "/profile/contacts", "contact.add_email", { email: `a.long.name.that.${freeEmail()}` });
  await examine(page, "/", viewport!.width);
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "Важно сегодня" })).toBeVisible();
});

test("the page of invitations is in order with a link in it, and copies it", async ({ page, context, signIns, viewport }) => {
  await newcomer(page, signIns);
  await send(page.request, signIns.url, "/invite", "invite.begin");
  await examine(page, "/invite", viewport!.width);
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await press(page, "Скопировать ссылку");
  await expect(page.getByRole("status")).toHaveText("Ссылка скопирована");
  const link = await page.getByLabel("Ссылка для друга").inputValue();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(link);
});

test("the page of what is held is in order with an archive on it, and hands it out", async ({ page, signIns, viewport }) => {
  test.slow();
  await newcomer(page, signIns);
  await send(page.request, signIns.url, "/profile/data", "export.ask");
  await examine(page, "/profile/data?done=asked", viewport!.width);
  const link = page.getByRole("link", { name: "Скачать архив" });
  // Looked at as it is for people again, the page asks by itself how far it is.
  await page.unroute("**/progress.js");
  await page.goto("/profile/data");
  await expect(link).toBeVisible({ timeout: 60_000 });
  await examine(page, "/profile/data", viewport!.width);
  const [archive] = await Promise.all([page.waitForEvent("download"), link.click()]);
  expect(archive.suggestedFilename()).toMatch(/^my-data-\d{4}-\d\d-\d\d\.zip$/);
});

test("the pages of who is to be erased are in order, with the way back on each", async ({ page, signIns, viewport }) => {
  await newcomer(page, signIns);
  await send(page.request, signIns.url, "/profile/erase", "erasure.ask", { agreed: "yes" });
  await examine(page, "/profile/erase?done=asked", viewport!.width);
  await examine(page, "/", viewport!.width);
  await press(page, "Отменить удаление");
  await expect(page.getByRole("status")).toHaveText("Удаление отменено, всё остаётся как было.");
});

test("the pages of a second step that is on are in order", async ({ page, signIns, viewport }) => {
  await newcomer(page, signIns);
  await send(page.request, signIns.url, "/profile/second-factor", "factor.offer");
  await examine(page, "/profile/second-factor", viewport!.width);
  await turnOn(page, signIns);
  await examine(page, "/profile/second-factor", viewport!.width);
});

test("the pages of points that people move are in order with something in them", async ({ page, another, signIns, viewport }) => {
  test.slow();
  const phone = await newcomer(page, signIns);
  const friend = await another();
  await newcomer(friend, signIns, { ...PERSON, name: "Анна-Мария-Магдалена-Александра" });
  const desk = await another();
  await enter(desk, employ(signIns, "administrator"));
  const at = await fund(desk, signIns, phone, "1234,56");
  await examine(page, "/points/expiry", viewport!.width);
  const program = await hiddenOption(page);
  const fields = { card: await cardOf(friend), program, points: "1000,55" };
  await send(page.request, signIns.url, "/points/transfer", "transfer.check", fields);
  await examine(page, "/points/transfer/confirm", viewport!.width);
  await send(page.request, signIns.url, "/points/transfer/confirm", "transfer.send", fields);
  await examine(page, "/points/transfer?done=sent", viewport!.width);
  await examine(page, "/points", viewport!.width);
  for (const [link, name] of [["Для таблиц (CSV)", /^points-[\d-]+\.csv$/], ["Для печати (PDF)", /^points-[\d-]+\.pdf$/]] as const) {
    const saved = page.waitForEvent("download");
    await page.getByRole("link", { name: link }).click();
    expect((await saved).suggestedFilename()).toMatch(name);
  }
  await examine(page, "/points?kind=spent&from=2020-01-01&to=2020-01-02", viewport!.width);
  const reason = "Касса на Тверской два дня не начисляла баллы, чеки приложены к обращению";
  await send(desk.request, signIns.url, at, "points.adjust", { program, direction: "give", points: "5000,01", reason, note: reason });
  await examine(desk, "/admin/approvals", viewport!.width);
  await examine(desk, at, viewport!.width);
  const colleague = await another();
  await enter(colleague, employ(signIns, "lead"));
  await examine(colleague, "/admin/approvals", viewport!.width);
});

/** The first program that points can be given from. */
async function hiddenOption(page: Page): Promise<string> {
  await page.goto("/points/transfer");
  return (await page.locator('select[name="program"] option').first().getAttribute("value")) ?? "";
}

test("the pages of the ways in are in order with something in them", async ({ page, signIns, viewport }) => {
  test.slow();
  await device(page);
  await newcomer(page, signIns);
  await page.goto("/profile/passkeys");
  await ready(page);
  await press(page, "Добавить ключ доступа");
  await expect(page.getByRole("status")).toBeVisible();
  await examine(page, "/profile/passkeys?done=added", viewport!.width);
  await examine(page, "/confirm", viewport!.width);
  await page.goto("/profile/providers");
  await page.getByRole("link", { name: "Привязать Тест ID" }).click();
  await agree(page, freeAccount("a-long-name-at-a-provider"));
  await expect(page.getByRole("status")).toBeVisible();
  await examine(page, "/profile/providers?done=linked", viewport!.width);
  const email = `a.long.name.that.${freeEmail()}`;
  await send(page.request, signIns.url, "/profile/contacts", "contact.add_email", { email });
  await send(page.request, signIns.url, "/profile/contacts", "contact.add_phone", { phone: freePhone() });
  await examine(page, "/profile/contacts?done=phone", viewport!.width);
});
