// What every test begins with: a browser of its own, people who sign in, and watchers that nothing escapes.
import { test as base, expect, type APIRequestContext, type BrowserContext, type Page } from "@playwright/test";
import { createHmac, randomBytes, randomInt } from "node:crypto";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

export { expect };
export { routes } from "./routes.cjs";
export type SignIns = {
  url: string; phone: string; customer: string; login: string; agent: string;
  /** The program and its settings, for what is done at the command line. */
  program: string; settings: Record<string, string>;
};
type Options = { engine: "sqlite" | "postgres" };
/** Whose sessions were opened before the first test. */
export type Kept = "customer" | "agent" | "admin";
type Fixtures = { signIns: SignIns; complaints: string[]; another: (as?: Kept) => Promise<Page> };

const root = resolve(__dirname, "..");

/** A network that nobody else has. */
const network = () => `10.${randomInt(256)}.${randomInt(256)}.${randomInt(1, 255)}`;

/** A phone that nobody has. */
export const freePhone = () => `+7900${randomInt(1_000_000, 10_000_000)}`;

/** An e-mail address that nobody has. */
export const freeEmail = () => `anna-${randomBytes(8).toString("hex")}@example.com`;

/** The number of a card that nobody has (EAN-13, with the prefix of the shop). */
export function freeCard(): string {
  const twelve = `290${randomInt(1_000_000_000).toString().padStart(9, "0")}`;
  const sum = [...twelve].reduce((all, digit, i) => all + Number(digit) * (i % 2 ? 3 : 1), 0);
  return `${twelve}${(10 - (sum % 10)) % 10}`;
}

/** What the browser complains of: violations of the policy, errors of scripts. */
async function watch(context: BrowserContext, complaints: string[]) {
  await context.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) =>
      console.error(`policy: ${event.violatedDirective} blocks ${event.blockedURI} ${event.sample}`));
  });
  context.on("weberror", (error) => {
    // The browser's own word for a page that came without a moving transition: nothing of it is our script.
    if (!error.error().message.startsWith("Transition was ")) complaints.push(`${error.page()?.url()}: ${error.error().message}`);
  });
  context.on("console", (message) => {
    // That a form came back with a mistake in it (422), or a page is not there, is no fault of the page.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
      complaints.push(`${message.page()?.url()}: ${message.text()}`);
    }
  });
}

export const test = base.extend<Options & Fixtures>({
  engine: ["sqlite", { option: true }],
  signIns: async ({ engine }, use) => {
    const told = process.env[`KABINET_TEST_ON_${engine.toUpperCase()}`];
    if (!told) throw new Error("KABINET_TEST_POSTGRES names no PostgreSQL; `make test` starts one");
    await use(JSON.parse(told));
  },
  baseURL: async ({ signIns }, use) => use(signIns.url),
  extraHTTPHeaders: async ({}, use) => use({ "x-forwarded-for": network() }),
  complaints: async ({}, use) => use([]),
  context: async ({ context, complaints }, use) => {
    await watch(context, complaints);
    await use(context);
    expect(complaints).toEqual([]);
  },
  // A second person, or the same one on another device.
  another: async ({ browser, contextOptions, signIns, engine, complaints }, use, info) => {
    const opened: BrowserContext[] = [];
    await use(async (as) => {
      const { viewport, javaScriptEnabled, locale, hasTouch, serviceWorkers } = info.project.use;
      const context = await browser.newContext({
        ...contextOptions,
        viewport, javaScriptEnabled, locale, hasTouch, serviceWorkers,
        baseURL: signIns.url,
        extraHTTPHeaders: { "x-forwarded-for": network() },
        storageState: as && session(engine, as),
      });
      await watch(context, complaints);
      opened.push(context);
      return context.newPage();
    });
    for (const context of opened) await context.close();
  },
});

/** The session that was opened before the first test. */
export const session = (engine: string, who: Kept) =>
  JSON.parse(readFileSync(join(root, "target", "end2end", `${engine}-${who}.json`), "utf8"));

/** Lets a page be the demonstration's customer, agent or administrator, without signing in once more. */
export async function be(page: Page, engine: string, who: Kept) {
  await page.context().addCookies(session(engine, who).cookies);
}

/** The development inbox. It is open to this machine itself: a request without the network that a test's browser names. */
export async function inboxOf(page: Page): Promise<string> {
  const here = (await page.request.get("/manifest.webmanifest")).url();
  return (await fetch(new URL("/inbox", here))).text();
}

/** The newest code that went to a phone or an e-mail address, from the development inbox. */
export async function code(page: Page, to: string): Promise<string> {
  // Whoever has just pressed a button may look before the server is done.
  for (let tries = 0; tries < 40; tries++) {
    const found = newestCode(await inboxOf(page), to);
    if (found) return found;
    await new Promise((wake) => setTimeout(wake, 250));
  }
  throw new Error(`no code went to ${to}`);
}

function newestCode(inbox: string, to: string): string | undefined {
  const isEmail = to.includes("@");
  const digits = to.replace(/\D/g, "").slice(-10);
  for (const message of inbox.split("<li").slice(1)) {
    const text = message.replace(/<[^>]*>/g, " ");
    // An address may have six digits of its own.
    const found = text.replace(to, "-".repeat(to.length)).match(/(?<!\d)\d{6}(?!\d)/);
    const address = text.slice(0, found?.index);
    if (found && (isEmail ? address.includes(to) : address.replace(/\D/g, "").includes(digits))) return found[0];
  }
}

/** The six digits that an app shows for a secret (RFC 6238), some steps of thirty seconds from now. */
export function totp(secret: string, later = 0): string {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret.replace(/[^A-Z2-7]/g, "")].map((c) => letters.indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + later));
  const hash = createHmac("sha1", key).update(step).digest();
  const number = hash.readUInt32BE(hash[19] & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

/** The secret that a page shows to be typed off. */
export const secretOf = async (page: Page) => ((await page.locator(".secret").textContent()) ?? "").replace(/[^A-Z2-7]/g, "");

export const STAFF_PASSWORD = "пятьдесят лошадей у реки";

/** The variables for the program: of what is called `KABINET_` it knows its settings only. */
export function withSettings(settings: Record<string, string>): NodeJS.ProcessEnv {
  const others = Object.entries(process.env).filter(([name]) => !name.startsWith("KABINET_"));
  return { ...Object.fromEntries(others), ...settings };
}

/** Adds a member of staff, so that each test has its own: a code of the second step counts once. */
export function employ(signIns: SignIns, role = "agent"): string {
  const login = `agent${randomInt(1_000_000_000)}`;
  const env = withSettings(signIns.settings);
  execFileSync(signIns.program, ["staff", "add", login, "Ольга Верная", "--role", role], { env, input: `${STAFF_PASSWORD}\n` });
  return login;
}

/** Turns the second step of somebody on who has just come in, without a page; the secret of their app. */
export async function turnOn(page: Page, signIns: SignIns): Promise<string> {
  const path = "/profile/second-factor";
  await send(page.request, signIns.url, path, "factor.offer");
  const html = await (await page.request.get(path)).text();
  const secret = html.match(/class="secret"><code>([^<]+)/)?.[1].replace(/&nbsp;/g, "").replace(/[^A-Z2-7]/g, "") ?? "";
  const answer = await send(page.request, signIns.url, path, "factor.confirm", { code: totp(secret) });
  expect(answer.headers().location).toBe(`${path}?done=on`);
  return secret;
}

/** Signs a member of staff in who sets up an app on the way; its secret. */
export async function enter(page: Page, login: string): Promise<string> {
  await page.goto("/admin/sign-in");
  await page.getByLabel("Логин").fill(login);
  await page.getByLabel("Пароль").fill(STAFF_PASSWORD);
  await press(page, "Войти");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Защитите вход");
  const secret = await secretOf(page);
  await page.getByLabel("Код из приложения").fill(totp(secret));
  await press(page, "Включить второй шаг");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Запасные коды");
  await press(page, "Коды сохранены, войти");
  // Where the role leads: mostly to the requests.
  await expect(page.getByRole("heading", { level: 1 })).not.toHaveText("Запасные коды");
  return secret;
}

/** Sends a form as the page would, without a page. */
export async function send(on: APIRequestContext, origin: string, path: string, form: string, fields: Record<string, string | string[]> = {}) {
  const body = new URLSearchParams({ _fn: form, _key: randomBytes(24).toString("base64url") });
  for (const [name, values] of Object.entries(fields)) for (const value of [values].flat()) body.append(name, value);
  const headers = { origin, "content-type": "application/x-www-form-urlencoded" };
  return on.post(path, { data: body.toString(), headers, maxRedirects: 0 });
}

export const PERSON = {
  name: "Анна", surname: "О'Нил-Смирнова", day: "29", month: "2", year: "1992", email: "", password: "",
  "consents[]": ["personal_data", "loyalty_rules"],
};

/** Makes the page that of somebody who has just registered; their phone. */
export async function newcomer(
  page: Page, signIns: SignIns, person: Record<string, string | string[]> = PERSON, phone = freePhone(),
): Promise<string> {
  const step = async (path: string, form: string, fields: Record<string, string | string[]>, next: string) => {
    const answer = await send(page.request, signIns.url, path, form, fields);
    expect(answer.headers().location ?? (await answer.text())).toBe(next);
  };
  await step("/sign-in", "sign_in.start", { phone }, "/sign-in/code");
  await step("/sign-in/code", "sign_in.verify", { code: await code(page, phone) }, "/sign-in/details");
  await step("/sign-in/details", "sign_in.details", person, "/sign-in/review");
  await step("/sign-in/review", "sign_in.register", {}, "/welcome?done=registered");
  return phone;
}

/** A name as it is written, whatever kind of space stands between its words. */
export function words(text: string): RegExp {
  const plain = text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${plain.replace(/:/g, "\\s*:").replace(/\s+/g, "\\s+")}$`);
}

/** The form field that a page sends along, such as the id of the thing a button is for. */
export async function hidden(page: Page, path: string, form: string, name: string): Promise<string> {
  await page.goto(path);
  return page.locator(`form:has(input[name="_fn"][value="${form}"]) input[name="${name}"]`).first().inputValue();
}

/** Comes back from the provider as this account. */
export async function agree(page: Page, account: string) {
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Тест ID");
  await page.getByLabel("Имя").fill(account);
  await press(page, "Войти");
}

/** Gives points to the customer with this phone, as staff do. */
export async function fund(desk: Page, signIns: SignIns, phone: string, points: string): Promise<string> {
  const found = await send(desk.request, signIns.url, "/admin/customers", "customer.find", { q: phone });
  const html = await (await desk.request.get(found.headers().location)).text();
  // Found by the phone that they told, which tells why their card is opened.
  const there = html.match(/href="(\/admin\/customers\/[0-9a-f-]{36}\?find=[0-9a-f-]{36})"/)?.[1] ?? "/no-customer";
  const at = there.split("?")[0];
  const program = (await (await desk.request.get(there)).text()).match(/<option value="([0-9a-f-]{36})"/)?.[1] ?? "";
  const answer = await send(desk.request, signIns.url, at, "points.adjust", { program, direction: "give", points, reason: "Проба", note: "Проба" });
  expect(answer.headers().location, await answer.text()).toBe(`${at}?done=adjusted`);
  return at;
}

/** A till of its own: sends something to an address of the API, each time under a new key. */
export function till(page: Page, signIns: SignIns) {
  const scopes = "customers,purchases,points,catalogue";
  const add = ["till", "add", `till-${randomBytes(8).toString("hex")}`, "Касса у входа", "--scopes", scopes];
  const told = execFileSync(signIns.program, add, { env: withSettings(signIns.settings), encoding: "utf8" });
  const authorization = `Bearer ${told.match(/kbt_\S+/)?.[0]}`;
  return (path: string, data: object) => {
    const headers = { authorization, "idempotency-key": `end2end-${randomBytes(8).toString("hex")}` };
    return page.request.post(`${signIns.url}/api/v1${path}`, { headers, data });
  };
}

/** Buys tea at this price with a card, as a till books it; the number of the receipt. */
export async function buy(page: Page, signIns: SignIns, card: string, price: number): Promise<string> {
  const post = till(page, signIns);
  const { customer } = await (await post("/customers/identify", { card })).json();
  const document = `R-${randomBytes(8).toString("hex")}`;
  const lines = [{ article: "tea", name: "Чай", quantity: 1, price }];
  const sold = await post("/purchases", { document, at: new Date().toISOString(), customer, lines });
  expect(sold.status(), await sold.text()).toBe(201);
  return document;
}

/** The number of the card on a customer's page of it. */
export async function cardOf(page: Page): Promise<string> {
  await page.goto("/card");
  const name = await page.getByRole("img", { name: /Штрихкод карты/ }).getAttribute("aria-label");
  return (name ?? "").replace(/\D/g, "");
}

/** An account at the provider that nobody has. */
export const freeAccount = (prefix = "zoya") => `${prefix}-${randomBytes(8).toString("hex")}`;

/** Plugs a device for passkeys in that makes sure of its owner. It answers at once, or waits until it is touched. */
export async function device(page: Page) {
  const browser = await page.context().newCDPSession(page);
  await browser.send("WebAuthn.enable");
  const { authenticatorId } = await browser.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return {
    answers: (enabled: boolean) => browser.send("WebAuthn.setAutomaticPresenceSimulation", { authenticatorId, enabled }),
    verifies: (isUserVerified: boolean) => browser.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified }),
    keys: async () => (await browser.send("WebAuthn.getCredentials", { authenticatorId })).credentials.length,
  };
}

/** Presses the button of this name. */
export const press = (page: Page, name: string | RegExp) =>
  page.getByRole("button", { name: typeof name === "string" ? words(name) : name }).click();

/** Waits until the island that checks a form has come alive. */
export const ready = (page: Page) => expect(page.locator("main [data-ready]").first()).toBeAttached();

export type { Page };
