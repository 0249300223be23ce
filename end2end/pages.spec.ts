// Every page of the table: no fault that axe finds in either theme, nothing wider than the narrowest phone, nothing that moves
// by itself, and no WebAssembly where nothing needs it.
import axe from "axe-core";
import { createHmac } from "node:crypto";
import { rows } from "./taps";
import {
  agree, be, cardOf, code, device, employ, enter, expect, freeAccount, freeEmail, freePhone, fund, hidden, newcomer, PERSON, press, ready, routes, send,
  STAFF_PASSWORD, test, turnOn, type Page, type SignIns, words,
} from "./site";

declare global {
  interface Window { axe: typeof axe }
}

/** A page for each parameter, found as a person would find it. A route without a sample fails. */
async function sample(page: Page, path: string, signIns: SignIns, another: () => Promise<Page>): Promise<string> {
  const first = async (from: string, pattern: RegExp) => {
    const html = await (await page.request.get(from)).text();
    const found = html.match(pattern);
    if (!found) throw new Error(`${from} leads to no ${pattern}`);
    return found[1];
  };
  const here = async () => new URL((await page.request.get("/manifest.webmanifest")).url()).origin;
  const customer = async () => {
    const found = await send(page.request, await here(), "/admin/customers", "customer.find", { q: "0001" });
    const at = await first(found.headers().location, /href="(\/admin\/customers\/[0-9a-f-]{36})\?find=/);
    await send(page.request, await here(), at, "customer.why", { why: "call" });
    return at;
  };
  switch (path) {
    case "/purchases/{id}": return first("/purchases", /href="(\/purchases\/[0-9a-f-]{36})"/);
    case "/purchases/{id}/why": return `${await first("/purchases", /href="(\/purchases\/[0-9a-f-]{36})"/)}/why`;
    case "/what-if": return `/what-if?like=${await first("/purchases", /href="\/purchases\/([0-9a-f-]{36})"/)}&find=bag`;
    case "/support/{number}": return first("/support", /href="(\/support\/\d+)"/);
    case "/programs/{code}": return "/programs/club";
    case "/programs/{code}/leave": return "/programs/club/leave";
    case "/join/{secret}": {
      const host = await another();
      await newcomer(host, signIns);
      await send(host.request, signIns.url, "/invite", "invite.begin");
      return `/join/${(await (await host.request.get("/invite")).text()).match(/\/join\/([0-9A-Z]{8})"/)?.[1]}`;
    }
    case "/consents/{code}": return "/consents/personal_data";
    case "/help/{code}": return "/help/lost-card?done=useless";
    case "/questions/{id}": return first("/questions", /href="(\/questions\/[0-9a-f-]{36})"/);
    case "/admin/fraud/{id}": return first("/admin/fraud", /href="(\/admin\/fraud\/[0-9a-f-]{36})"/);
    case "/admin/questions/{id}": return first("/admin/questions", /href="(\/admin\/questions\/[0-9a-f-]{36})"/);
    case "/admin/texts/{kind}/{code}": {
      const at = "/admin/texts/template/reward";
      const text = { seen: "", head_ru: "Для вас", head_en: "For you", body_ru: "{name}, {text}", body_en: "{name}, {text}" };
      await send(page.request, await here(), at, "text.draft", text);
      return at;
    }
    case "/second-step/{secret}": return `/second-step/00000000-0000-0000-0000-000000000000_${"0".repeat(64)}`;
    case "/number-change/{secret}": return `/number-change/${"A".repeat(43)}`;
    case "/admin/join/{secret}": return `/admin/join/${"A".repeat(43)}`;
    case "/admin/staff/{id}": return first("/admin/staff", /href="(\/admin\/staff\/[0-9a-f-]{36})"/);
    case "/admin/find": {
      const found = await send(page.request, await here(), "/admin/find", "find", { q: "0001" });
      return found.headers().location;
    }
    case "/admin/requests/{number}": return first("/admin/requests", /href="(\/admin\/requests\/\d+)["?#]/);
    case "/admin/customers/{id}": return customer();
    case "/admin/customers/{id}/acts": return `${await customer()}/acts`;
    case "/admin/customers/{id}/recovery": return `${await customer()}/recovery`;
    case "/admin/customers/{id}/talk": return `${await customer()}/talk?channel=call_out&script=away`;
    case "/admin/customers/{id}/talks/{talk}": {
      const at = await customer();
      const talk = { channel: "call_in", script: "free", outcome: "told", note: "Спрашивала про баллы", minutes: "", corrects: "" };
      await send(page.request, await here(), `${at}/talk`, "interaction.add", talk);
      return first(at, /href="(\/admin\/customers\/[0-9a-f-]{36}\/talks\/[0-9a-f-]{36})"/);
    }
    case "/admin/tills/{id}": return first("/admin/tills", /href="(\/admin\/tills\/[0-9a-f-]{36})"/);
    case "/admin/rules/{id}": {
      const added = await send(page.request, await here(), "/admin/rules", "rule.create", { ru: "Чай", en: "Tea" });
      return `${added.headers().location.split("?")[0]}?condition=new&kind=birthday`;
    }
    case "/admin/coupons/{id}": {
      const series = { key: `page-${Date.now().toString(36)}`, name_ru: "Скидка на чай", name_en: "Off tea", valid_days: "10", last_day: "", uses: "1", bearer: "yes" };
      const added = await send(page.request, await here(), "/admin/coupons", "series.add", series);
      return added.headers().location.split("?")[0];
    }
    case "/admin/segments/{id}": {
      const segment = { key: `page-${Date.now().toString(36)}`, name_ru: "Любят чай", name_en: "Tea lovers" };
      const added = await send(page.request, await here(), "/admin/segments", "segment.create", segment);
      return added.headers().location.split("?")[0];
    }
    case "/admin/queues/{id}": {
      const queue = { key: `page-${Date.now().toString(36)}`, name_ru: "Карты", name_en: "Cards" };
      const added = await send(page.request, await here(), "/admin/queues", "queue.create", queue);
      return added.headers().location.split("?")[0];
    }
    case "/admin/macros/{id}": {
      const prepared = { key: `page-${Date.now().toString(36)}`, name: "Спасибо", shared: "", answer_ru: "Спасибо, {{customer.name}}!", answer_en: "", status: "", assign: "" };
      const added = await send(page.request, await here(), "/admin/macros", "macro.create", prepared);
      return added.headers().location.split("?")[0];
    }
    case "/admin/imports/{id}": {
      const files = { name: "cards.csv", mimeType: "text/csv", buffer: Buffer.from("Номер карты;Склад\n2900000000018;Дубна\n") };
      const multipart = { _fn: "import.upload", _key: `page-${Date.now()}-${Date.now()}`, kind: "cards", files };
      const brought = await page.request.post("/admin/imports", { headers: { origin: await here() }, multipart, maxRedirects: 0 });
      return brought.headers().location;
    }
    case "/admin/reports/{kind}": return "/admin/reports/purchases?period=year";
    case "/admin/partners/{id}": return first("/admin/partners", /href="(\/admin\/partners\/[0-9a-f-]{36})"/);
    case "/admin/promotions/{id}": return first("/admin/promotions", /href="(\/admin\/promotions\/[0-9a-f-]{36})"/);
    case "/admin/questionnaire/{code}": return "/admin/questionnaire/household";
    case "/admin/scripts/{code}": return "/admin/scripts/missing_points";
    case "/admin/stores/{id}": return first("/admin/stores", /href="(\/admin\/stores\/[0-9a-f-]{36})"/);
    case "/admin/categories/{id}": return first("/admin/categories", /href="(\/admin\/categories\/[0-9a-f-]{36})"/);
    case "/admin/articles/{id}": return first("/admin/articles", /href="(\/admin\/articles\/[0-9a-f-]{36})"/);
    case "/admin/help/{code}": {
      const text = { category: "card", topic: "card", title_ru: "Карта", title_en: "Card", summary_ru: "Коротко", summary_en: "", keywords_ru: "", keywords_en: "",
        body_ru: "Подробно", body_en: "In full", expires: "" };
      await send(page.request, await here(), "/admin/help/lost-card", "help.draft", { seen: "", ...text });
      return "/admin/help/lost-card";
    }
    case "/admin/help/{code}/preview": return "/admin/help/plastic-card/preview";
    case "/admin/programs/{code}": return "/admin/programs/club";
    case "/admin/programs/{code}/preview": return "/admin/programs/club/preview";
    case "/admin/programs/{code}/tiers": {
      const at = "/admin/programs/club/tiers";
      await send(page.request, await here(), at, "tiers.begin");
      return `${at}?tier=new&preview=yes`;
    }
    case "/admin/webhooks/{id}": {
      const receiver = { url: "https://erp.example.com/kabinet", description: "ERP", "events[]": ["purchase.booked", "balance.changed"] };
      const added = await send(page.request, await here(), "/admin/webhooks", "webhook.add", receiver);
      return added.headers().location;
    }
    case "/admin/messages/{id}": return first("/admin/messages?state=failed", /href="(\/admin\/messages\/[0-9a-f-]{36})"/);
    case "/admin/customers/{id}/merge/{other}": {
      const one = await another();
      const phones = [await newcomer(one, signIns), await newcomer(await another(), signIns)];
      const found: string[] = [];
      for (const phone of phones) {
        const answer = await send(page.request, await here(), "/admin/customers", "customer.find", { q: phone });
        found.push(await first(answer.headers().location, /href="\/admin\/customers\/([0-9a-f-]{36})\?find=/));
      }
      return `/admin/customers/${found[0]}/merge/${found[1]}`;
    }
    case "/admin/customers/{id}/purchases/{purchase}": return first(await customer(), /href="(\/admin\/customers\/[^"]*\/purchases\/[0-9a-f-]{36})/);
  }
  if (path.includes("{")) throw new Error(`${path} needs a sample`);
  return path;
}

/** Somebody on the way to a card, as far as a step. */
async function onTheWay(page: Page, signIns: SignIns, step: string) {
  if (step === "/sign-in/second") {
    const password = STAFF_PASSWORD;
    const phone = await newcomer(page, signIns, { ...PERSON, password });
    await turnOn(page, signIns);
    await send(page.request, signIns.url, "/card", "sign_out");
    await send(page.request, signIns.url, "/sign-in?by=password", "sign_in.password", { phone, password });
    return;
  }
  if (step === "/sign-in/phone") {
    const email = freeEmail();
    await send(page.request, signIns.url, "/sign-in", "sign_in.start_by_email", { email });
    await send(page.request, signIns.url, "/sign-in/code", "sign_in.verify", { code: await code(page, email) });
    return;
  }
  const phone = freePhone();
  await send(page.request, signIns.url, "/sign-in", "sign_in.start", { phone });
  if (step === "/sign-in/code") return;
  await send(page.request, signIns.url, "/sign-in/code", "sign_in.verify", { code: await code(page, phone) });
  if (step === "/sign-in/details") return;
  await send(page.request, signIns.url, "/sign-in/details", "sign_in.details", PERSON);
}

/** Somebody who waits for a code in their cabinet: to prove who they are, or a new address. */
async function waiting(page: Page, signIns: SignIns, path: string) {
  await newcomer(page, signIns);
  const [from, form] = path === "/confirm/code" ? ["/confirm", "confirm.send"] : ["/profile/contacts", "contact.verify"];
  if (form === "contact.verify") await send(page.request, signIns.url, from, "contact.add_email", { email: freeEmail() });
  const contact = await hidden(page, from, form, "contact");
  // The code of the registration went to the same phone: the next may follow after half a minute.
  const sent = async () => (await send(page.request, signIns.url, from, form, { contact })).status();
  await expect.poll(sent, { timeout: 60_000, intervals: [5_000] }).toBe(303);
}

/** Pages in the cabinet where a code is waited for. */
const WAITING = ["/confirm/code", "/profile/contacts/code"];

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

for (const { path, access } of routes()) {
  test(`${path} is in order`, async ({ page, another, engine, signIns, viewport }) => {
    // Approvals, exports, odd patterns, the help, imports, messages, partners, programs, queues, reports, service levels, rules, shops, tags, texts, tills and webhooks are for whoever has the right to them, which a support agent has not.
    // Whoever adds a receiver, brings files in or takes them away, merges accounts or looks after staff has just proved who they are.
    if (path === "/admin/webhooks/{id}" || /^\/admin\/(exports|imports|roles|staff)/.test(path) || path === "/admin/customers/{id}/merge/{other}") await enter(page, employ(signIns, "administrator"));
    else if (access === "Staff") await be(page, engine, /^\/admin\/(approvals|articles|audit|categories|coupons|dialogue|fraud|help|levels|messages|partners|programs|promotions|questionnaire|queues|reports|rules|scripts|segments|stores|tags|texts|tills|webhooks)/.test(path) ? "admin" : "agent");
    if (access === "Demonstration") await be(page, engine, "agent");
    if (WAITING.includes(path)) {
      test.slow();
      await waiting(page, signIns, path);
    } else if (access === "Customer") await be(page, engine, "customer");
    if (path.startsWith("/sign-in/")) await onTheWay(page, signIns, path);
    if (path.startsWith("/admin/sign-in/")) {
      // The demonstration's agent has an app; somebody new is to set one up.
      const login = path.endsWith("/setup") ? employ(signIns) : signIns.login;
      const password = path.endsWith("/setup") ? STAFF_PASSWORD : signIns.agent;
      await send(page.request, signIns.url, "/admin/sign-in", "staff.sign_in", { login, password });
    }
    await examine(page, await sample(page, path, signIns, another), viewport!.width);
  });
}

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

test("English is no wider, and an empty cabinet is in order", async ({ page, signIns, viewport }) => {
  test.slow();
  await newcomer(page, signIns);
  await send(page.request, signIns.url, "/card", "language", { language: "en" });
  for (const { path, access } of routes().filter(({ path }) => !path.includes("{"))) {
    if (access !== "Customer" || WAITING.includes(path)) continue;
    await page.goto(path);
    await expect(page.locator("html")).toHaveAttribute("lang", "en");
    expect.soft(await faults(page), path).toEqual([]);
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
  const offered = async () => {
    await page.goto("/profile/data");
    return link.count();
  };
  await expect.poll(offered, { timeout: 60_000, intervals: [2_000] }).toBe(1);
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
