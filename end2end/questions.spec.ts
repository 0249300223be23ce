// What customers ask, each answered from the first page in four taps at most, and as the tables of the database have it.
import { execFileSync } from "node:child_process";
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { be, expect, send, test, type Page, type SignIns } from "./site";
import { keep, rows, Taps } from "./taps";

const MOST = 4;
/** Where somebody stands who looks for the nearest shop: in the middle of Dubna. */
const HERE = { latitude: 56.7329, longitude: 37.1669 };
/** Names a folder, and each answer is taken a picture of there. */
const PICTURES = process.env.KABINET_TEST_PICTURES;

type Walk = { page: Page; taps: Taps; signIns: SignIns; me: string; hasScripts: boolean };
/** The answer in words, and where on the page it stands. */
type Found = { answer: string; at: ReturnType<Page["locator"]> };

/** A text in both languages: JSON in a column of PostgreSQL, its letters in one of SQLite. */
type Localized = string | { ru: string };
const ru = (text: Localized): string => (typeof text === "string" ? JSON.parse(text) : text).ru;
const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;

/** Without what is only there for the eye: kinds of spaces, hyphens and minuses. */
const plain = (text: string) => text.replace(/\s+/g, " ").replace(/\u2011/g, "-").replace(/\u2212/g, "-").trim();
const shown = async (what: ReturnType<Page["locator"]>) => plain(await what.innerText());
const hundredths = (n: number, always: boolean) =>
  plain((n / 100).toLocaleString("ru-RU", { minimumFractionDigits: always || n % 100 ? 2 : 0, maximumFractionDigits: 2 }));
const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
const points = (n: number) => hundredths(n, false);
const money = (n: number) => `${hundredths(n, true)} ₽`;

/** A day of the shop's calendar in words; the year only where it is another one. */
function day(at: string): string {
  const words = (options: Intl.DateTimeFormatOptions, when: Date) =>
    new Intl.DateTimeFormat("ru-RU", { timeZone: "Europe/Moscow", ...options }).format(when);
  const [year, now] = [new Date(at), new Date()].map((when) => words({ year: "numeric" }, when));
  return words({ day: "numeric", month: "long" }, new Date(at)) + (year === now ? "" : ` ${year}`);
}

/** The sentences of an article of the help, as they are read: its links and lists are marked in its text. */
const sentences = (markdown: string) =>
  markdown.split("\n").map((line) => plain(line.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/^(\d+\.|[-*#]+) /, "").replaceAll("**", ""))).filter(Boolean);

function article(signIns: SignIns, code: string) {
  const [{ content }] = rows<{ content: string | Record<string, Localized> }>(signIns,
    `SELECT v.content FROM help_versions v JOIN help_articles a ON a.id = v.article_id
     WHERE a.code = ${quoted(code)} AND v.withdrawn_at IS NULL ORDER BY v.version DESC LIMIT 1`);
  const { title, body } = (typeof content === "string" ? JSON.parse(content) : content) as { title: { ru: string }; body: { ru: string } };
  return { title: plain(title.ru), sentences: sentences(body.ru) };
}

async function expectArticle(page: Page, { title, sentences }: ReturnType<typeof article>) {
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(title);
  const text = await shown(page.getByRole("main"));
  expect(sentences.length).toBeGreaterThan(1);
  for (const sentence of sentences) expect(text).toContain(sentence);
}

/** A place that stands on each page: one at the bottom of a phone, another at the side of a desk. */
const place = (page: Page, name: string) => page.getByRole("link", { name, exact: true }).filter({ visible: true }).first();

function question(number: number, words: string, walk: (at: Walk) => Promise<Found>) {
  test(`question ${number}: ${words}`, async ({ page, engine, signIns, javaScriptEnabled }, info) => {
    if (PICTURES) await page.emulateMedia({ reducedMotion: "reduce", colorScheme: "light" });
    await be(page, engine, "customer");
    await page.goto("/");
    const taps = new Taps();
    const phone = signIns.phone.replace(/[^+\d]/g, "");
    const me = `(SELECT customer_id FROM contacts WHERE kind = 'phone' AND value = ${quoted(phone)} AND is_primary)`;
    const { answer, at } = await walk({ page, taps, signIns, me, hasScripts: javaScriptEnabled });
    await expect(at).toBeVisible();
    expect(taps.count, "taps before the answer").toBeLessThanOrEqual(MOST);
    keep({ project: info.project.name, question: `${number} ${words}`, taps: taps.count, answer });
    if (PICTURES) await picture(page, at, join(PICTURES, `questions-${number}.webp`));
  });
}

/** As a phone shows it, without the line that says that it is a demonstration. */
async function picture(page: Page, at: Found["at"], file: string) {
  await page.locator(".demo").evaluate((line) => line.remove());
  await at.evaluate((there) => there.scrollIntoView({ block: "center" }));
  const browser = await page.context().newCDPSession(page);
  const { data } = await browser.send("Page.captureScreenshot", { format: "webp", quality: 85 });
  writeFileSync(file, Buffer.from(data, "base64"));
}

question(1, "why a given point is there", async ({ page, taps, signIns, me }) => {
  // The newest purchase that brought points: by which share of which line.
  const lines = rows<{ document: string; article: string; points: number; due: number; share: number; program: Localized; version: number }>(signIns,
    `SELECT p.document, a.name AS article, c.points, l.amount * v.share / 10000 AS due, v.share, v.name AS program, v.version
     FROM accruals c JOIN lots o ON o.id = c.lot_id JOIN purchase_lines l ON l.id = c.line_id
     JOIN purchases p ON p.id = l.purchase_id JOIN articles a ON a.id = l.article_id
     JOIN program_versions v ON v.program_id = c.program_id AND v.version = c.program_version
     WHERE o.transaction_id = (SELECT t.id FROM transactions t WHERE t.customer_id = ${me} AND t.kind = 'accrual'
     AND t.purchase_id IS NOT NULL ORDER BY t.at DESC, t.id DESC LIMIT 1) ORDER BY l.ordinal`);
  expect(lines.length).toBeGreaterThan(0);
  const [{ document, article }] = lines;
  await taps.on(page.getByRole("link", { name: "Откуда баллы" }));
  const entry = page.locator("details.entry").filter({ hasText: "Начислены за покупку" }).filter({ hasText: `№ ${document}` });
  await taps.on(entry.locator("summary").first());
  const table = (await entry.getByRole("row").allInnerTexts()).map(plain);
  const why = ({ share, program, version }: (typeof lines)[0]) => `${ru(program)}, ${points(share)} %, условия версии ${version}`;
  for (const line of lines) {
    // The program's own share, rounded down, and nothing else.
    expect(line.points).toBe(Math.floor(line.due));
    const row = table.find((text) => text.startsWith(plain(line.article)) && text.endsWith(`+${points(line.points)}`));
    expect(row, `${line.article} in ${table.join(" | ")}`).toContain(plain(why(line)));
  }
  return { answer: `+${points(lines[0].points)} of receipt ${document} for ${article}: ${plain(why(lines[0]))}`, at: entry.locator("dl") };
});

question(2, "when the last points expire", async ({ page, taps, signIns, me }) => {
  const lots = rows<{ expires_at: string; remaining: number }>(signIns,
    `SELECT expires_at, remaining FROM lots WHERE customer_id = ${me} AND remaining > 0 AND state <> 'expired' ORDER BY expires_at`);
  const last = day(lots[lots.length - 1].expires_at);
  const sum = lots.filter((lot) => day(lot.expires_at) === last).reduce((all, lot) => all + lot.remaining, 0);
  await taps.on(page.getByRole("link", { name: /^Сгорят / }));
  const section = page.locator("section.section").filter({ has: page.getByRole("heading", { level: 2, name: "Сгорят", exact: true }) });
  // The first page of many names the last ones all the same.
  await expect(section.locator(".day-head").first()).toBeVisible();
  const told = page.getByText(/^Последние сгорят/);
  expect(await shown(told)).toMatch(new RegExp(`^Последние сгорят ${last}: ${points(sum)} балл`));
  return { answer: `${last}: ${points(sum)}`, at: told };
});

question(3, "what an article cost last time, and where", async ({ page, taps, signIns, me }) => {
  const bought = `FROM purchase_lines l JOIN purchases p ON p.id = l.purchase_id JOIN articles a ON a.id = l.article_id
    WHERE p.customer_id = ${me} AND p.kind = 'sale' AND p.voided_at IS NULL`;
  // What had the most prices, and was bought most often; no other article has its name in it.
  const [{ name }] = rows<{ name: string }>(signIns,
    `SELECT a.name ${bought} AND NOT EXISTS (SELECT 1 FROM articles o WHERE o.id <> a.id AND o.name LIKE '%' || a.name || '%')
     GROUP BY a.name ORDER BY count(DISTINCT l.price) DESC, count(DISTINCT p.id) DESC, a.name LIMIT 1`);
  const [last] = rows<{ price: number; quantity: number; at: string; shop: Localized; document: string }>(signIns,
    `SELECT l.price, l.quantity, p.at, s.name AS shop, p.document ${bought.replace("WHERE", "JOIN stores s ON s.id = p.store_id WHERE")}
     AND a.name = ${quoted(name)} ORDER BY p.at DESC LIMIT 1`);
  await taps.on(place(page, "Покупки"));
  await taps.type(page.getByLabel("Товар, категория или номер чека"), name);
  await taps.on(page.getByRole("button", { name: "Найти" }));
  // A return is no purchase.
  const sales = page.getByRole("main").locator("a.row").filter({ hasNotText: "Возврат" });
  await taps.on(sales.first());
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(/^Чек на /);
  const receipt = page.getByRole("article", { name: "Чек", exact: true });
  const text = await shown(receipt);
  expect(text).toContain(`Чек № ${last.document}`);
  expect(text).toContain(ru(last.shop));
  expect(text).toContain(day(last.at));
  expect(text).toMatch(new RegExp(`${literal(plain(name))} [\\d ,]+ ₽ ${last.quantity} × ${literal(money(last.price))}`));
  return { answer: `${name}: ${money(last.price)}, ${ru(last.shop)}, ${day(last.at)}`, at: receipt.getByText(name).first() };
});

question(4, "which offer holds in the nearest shop", async ({ page, taps, signIns, hasScripts }) => {
  const [lat, lon] = [HERE.latitude, HERE.longitude].map((degrees) => Math.round(degrees * 1e6));
  // A degree of longitude is little more than half as long here as one of latitude.
  const [shop] = rows<{ code: string; name: Localized; town: Localized }>(signIns,
    `SELECT code, name, town FROM stores WHERE closed_at IS NULL AND latitude IS NOT NULL
     ORDER BY (latitude - ${lat}) * (latitude - ${lat}) + 0.3 * (longitude - ${lon}) * (longitude - ${lon}) LIMIT 1`);
  const now = quoted(new Date().toISOString());
  // What rules carry out is not for everybody, and what must be switched on does not hold yet: of those nothing is said here.
  const offers = rows<{ title: Localized; shops: number; here: number }>(signIns,
    `SELECT p.title, (SELECT count(*) FROM promotion_stores l WHERE l.promotion_id = p.id) AS shops,
     (SELECT count(*) FROM promotion_stores l JOIN stores s ON s.id = l.store_id
      WHERE l.promotion_id = p.id AND s.code = ${quoted(shop.code)}) AS here
     FROM promotions p WHERE p.stage = 'published' AND NOT p.must_activate AND p.starts_at <= ${now} AND p.ends_at > ${now}
     AND NOT EXISTS (SELECT 1 FROM promotion_rules r WHERE r.promotion_id = p.id) ORDER BY p.ends_at`);
  const mine = offers.filter((offer) => offer.here || !offer.shops);
  const others = offers.filter((offer) => !offer.here && offer.shops);
  expect(mine.some((offer) => offer.here) && others.length > 0, "some hold here, and some elsewhere").toBe(true);
  await taps.on(page.getByRole("link", { name: "Что действует в ближайшем магазине" }));
  if (hasScripts) {
    await page.context().grantPermissions(["geolocation"]);
    await page.context().setGeolocation(HERE);
    await taps.on(page.getByRole("button", { name: "Ближайшие ко мне" }));
    // The browser asks whether the page may know.
    taps.count++;
    await expect(page.getByRole("status")).toContainText("Сначала ближайшие");
  } else {
    await taps.choose(page.getByLabel("Ближе к городу"), ru(shop.town));
    await taps.on(page.getByRole("button", { name: "Показать" }));
  }
  const card = page.getByRole("main").locator("article").first();
  const text = await shown(card);
  expect(text).toContain(`${ru(shop.town)}, ${ru(shop.name)}`);
  for (const { title } of mine) expect(text).toContain(plain(ru(title)));
  for (const { title } of others) expect(text).not.toContain(plain(ru(title)));
  const first = mine.find((offer) => offer.here)!;
  expect(await shown(card.getByRole("list").filter({ hasText: ru(first.title) }).getByRole("listitem").first())).toBe(plain(ru(first.title)));
  return { answer: `${ru(shop.town)}, ${ru(shop.name)}: ${mine.map((offer) => plain(ru(offer.title))).join("; ")}`, at: card };
});

question(5, "how to change the phone number safely", async ({ page, taps, signIns, me }) => {
  const told = article(signIns, "change-phone");
  await taps.on(page.getByRole("link", { name: "Ответы на вопросы" }));
  await taps.on(page.getByRole("main").getByRole("link", { name: told.title }));
  await expectArticle(page, told);
  // And there it leads to where it is done.
  await taps.on(page.getByRole("main").getByRole("link", { name: "«Телефоны и почта»" }));
  const [{ value }] = rows<{ value: string }>(signIns,
    `SELECT value FROM contacts WHERE customer_id = ${me} AND kind = 'phone' AND is_primary AND verified_at IS NOT NULL`);
  const phones = page.getByRole("region", { name: "Телефоны" });
  const main = phones.getByRole("listitem").filter({ hasText: "Основной" });
  expect((await main.innerText()).replace(/\D/g, "")).toBe(value.replace(/\D/g, ""));
  await expect(main).toContainText("Подтверждён");
  await page.goBack();
  return { answer: `${told.sentences[2]} (${plain(value)})`, at: page.getByRole("main").getByRole("list").first() };
});

question(6, "how to take all data home", async ({ page, taps, signIns, me, hasScripts }) => {
  // Whoever takes it has just come in.
  const signedIn = await send(page.request, signIns.url, "/sign-in?by=password", "sign_in.password", { phone: signIns.phone, password: signIns.customer });
  expect(signedIn.status()).toBe(303);
  await page.reload();
  await taps.on(place(page, "Профиль"));
  await taps.on(page.getByRole("main").getByRole("link", { name: /^Мои данные/ }));
  const download = page.getByRole("link", { name: "Скачать архив" });
  // Once a day; another run of this day has asked already.
  const ask = page.getByRole("button", { name: "Собрать мои данные" });
  if (await ask.count()) {
    await taps.on(ask);
    await expect(page.getByRole("status")).toHaveText("Начали собирать ваши данные.");
  }
  const done = () => rows<{ size: number; stored: number }>(signIns,
    `SELECT e.size, (SELECT sum(length(x.bytes)) FROM export_parts x WHERE x.export_id = e.id) AS stored
     FROM exports e WHERE e.customer_id = ${me} AND e.state = 'done' ORDER BY e.asked_at DESC LIMIT 1`);
  await expect.poll(() => done().length, { timeout: 30_000 }).toBe(1);
  // With a script the page finds that out by itself.
  if (!hasScripts && !(await download.count())) await taps.on(page.getByRole("link", { name: "Проверить, готово ли" }));
  await expect(download).toBeVisible();
  const ready = page.getByRole("region", { name: "Архив готов" });
  const [{ size, stored }] = done();
  expect(await shown(ready)).toContain(`${Math.ceil(size / 1024).toLocaleString("ru-RU")} КБ`.replace(/\s/g, " "));
  expect(stored).toBe(size);
  // That is the answer; what is saved holds what the tables hold.
  const [archive] = await Promise.all([page.waitForEvent("download"), download.click()]);
  const file = await archive.path();
  expect(statSync(file).size).toBe(size);
  const count = "import json, sys, zipfile\n" +
    'data = json.loads(zipfile.ZipFile(sys.argv[1]).read("data.json"))\nprint(json.dumps({name: len(rows) for name, rows in data.items() if isinstance(rows, list)}))';
  const sections = JSON.parse(execFileSync("python3", ["-c", count, file], { encoding: "utf8" }));
  const [held] = rows<Record<string, number>>(signIns,
    `SELECT (SELECT count(*) FROM purchases WHERE customer_id = ${me}) AS purchases,
     (SELECT count(*) FROM contacts WHERE customer_id = ${me}) AS contacts,
     (SELECT count(*) FROM cards WHERE customer_id = ${me}) AS cards,
     (SELECT count(*) FROM requests WHERE customer_id = ${me}) AS requests`);
  expect(sections).toMatchObject(held);
  return { answer: `${archive.suggestedFilename()}, ${size} bytes, ${held.purchases} receipts`, at: ready };
});

question(7, "an answer of the help", async ({ page, taps, signIns }) => {
  const told = article(signIns, "returns-and-points");
  await taps.on(page.getByRole("link", { name: "Ответы на вопросы" }));
  await taps.type(page.getByLabel("Что вы ищете?"), "вернуть товар");
  await taps.on(page.getByRole("button", { name: "Найти" }));
  await taps.on(page.getByRole("main").getByRole("link", { name: told.title }));
  await expectArticle(page, told);
  return { answer: `${told.title}: ${told.sentences.slice(0, 2).join(" ")}`, at: page.getByRole("main").getByRole("article") };
});
