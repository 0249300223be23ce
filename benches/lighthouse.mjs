// Lighthouse over every page that customers see, and what each weighs: `cargo xtask bench pages` builds program and site first.
//
//     node benches/lighthouse.mjs [--only /points]     only the pages whose address begins so
//
// KABINET_PROGRAM and KABINET_SITE_DIR say what is measured, KABINET_TEST_CHROMIUM by which browser. The customer is that of
// the demonstration, who comes in by the form. Each page is loaded with nothing in the cache, on the phone and the network
// that Lighthouse simulates; one that misses a budget is loaded twice more, and the median counts.
import { chromium, request } from "@playwright/test";
import lighthouse from "lighthouse";
import { execFileSync, spawn } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { tmpdir } from "node:os";
import routesOf from "../end2end/routes.cjs";

const root = resolve(fileURLToPath(import.meta.url), "..", "..");
const { KABINET_PROGRAM, KABINET_SITE_DIR, KABINET_TEST_CHROMIUM, ...others } = process.env;
const { only } = parseArgs({ options: { only: { type: "string", default: "/" } } }).values;
// A browser in which somebody is signed in leaves nothing behind.
const folder = mkdtempSync(join(tmpdir(), "kabinet-lighthouse-"));

/** What a figure has to be, and how it is shown. */
const BUDGETS = {
  performance: { most: false, budget: 98, shown: (n) => n.toFixed(0) },
  accessibility: { most: false, budget: 100, shown: (n) => n.toFixed(0) },
  "best practices": { most: false, budget: 100, shown: (n) => n.toFixed(0) },
  CLS: { most: true, budget: 0, shown: (n) => n.toFixed(3).replace(/\.?0+$/, "") },
  "LCP, s": { most: true, budget: 1.5, shown: (n) => n.toFixed(2) },
  "weight, kB": { most: true, budget: 90, shown: (n) => n.toFixed(1) },
};
const NAMES = Object.keys(BUDGETS);
const missed = (figures) => NAMES.filter((name) => {
  const { most, budget } = BUDGETS[name];
  return most ? figures[name] > budget : figures[name] < budget;
});

const running = [];
/** Starts a program that ends with this one, and so do those that it started: Debian's Chromium is a script around one. */
function start(program, programArguments, env, stderr) {
  running.push(spawn(program, programArguments, { env, stdio: ["ignore", "ignore", stderr], detached: true }));
}

function end() {
  for (const { pid, exitCode, signalCode } of running) if (exitCode === null && signalCode === null) process.kill(-pid);
}
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));
process.once("exit", end);

async function answers(url) {
  for (let tries = 0; tries < 300; tries++) {
    try {
      return await fetch(url);
    } catch {
      await new Promise((wake) => setTimeout(wake, 100));
    }
  }
  throw new Error(`${url} does not answer`);
}

const freePort = () => new Promise((found) => {
  const probe = createServer().listen(0, "127.0.0.1", () => {
    const { port } = probe.address();
    probe.close(() => found(port));
  });
});

/** A small demonstration that is served; its customer has the same receipts as in the large one. */
async function site() {
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const env = {
    ...Object.fromEntries(Object.entries(others).filter(([name]) => !name.startsWith("KABINET_"))),
    KABINET_DATABASE_URL: `sqlite:${join(folder, "kabinet.db")}`,
    KABINET_SITE_DIR: KABINET_SITE_DIR ?? join(root, "target", "site"),
    KABINET_LISTEN: `127.0.0.1:${port}`,
    KABINET_PUBLIC_URL: url,
    KABINET_LOG: "warn",
    KABINET_DRAIN_SECONDS: "0",
    KABINET_LIMITS__PAGES_PER_SESSION: "4000000000",
    KABINET_LIMITS__PAGES_PER_NETWORK: "4000000000",
  };
  const program = KABINET_PROGRAM ?? join(root, others.CARGO_TARGET_DIR ?? "target", "debug", "kabinet");
  const told = execFileSync(program, ["demo", "--small"], { env, cwd: folder, encoding: "utf8" });
  const [, phone, password] = told.match(/a customer\s+\S+\s+(\+7[\d -]+\d)\s{2,}(\S+)/);
  start(program, ["serve"], env, "inherit");
  await answers(`${url}/sign-in`);
  return { url, phone, password };
}

/** The browser that Lighthouse finds at a port, and a way to use it before. */
async function browser() {
  const port = await freePort();
  const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--lang=ru", "--accept-lang=ru"];
  const own = [`--remote-debugging-port=${port}`, `--user-data-dir=${join(folder, "browser")}`, "about:blank"];
  start(KABINET_TEST_CHROMIUM ?? chromium.executablePath(), [...flags, ...own], others, "ignore");
  await answers(`http://127.0.0.1:${port}/json/version`);
  const connected = await chromium.connectOverCDP(`http://127.0.0.1:${port}`);
  return { port, context: connected.contexts()[0], disconnect: () => connected.close() };
}

/** The pages, those with something in their address by what the customer has. */
async function pages(url, context, done) {
  const html = async (path) => (await context.request.get(url + path)).text();
  const first = async (path, pattern) => (await html(path)).match(pattern)?.[1] ?? `${path}: no ${pattern}`;
  const receipt = await first("/purchases", /href="(\/purchases\/[0-9a-f-]{36})"/);
  const samples = {
    "/purchases/{id}": receipt,
    "/purchases/{id}/why": `${receipt}/why`,
    "/what-if": `/what-if?like=${receipt.split("/").at(-1)}&find=bag`,
    "/support/{number}": await first("/support", /href="(\/support\/\d+)"/),
    "/programs/{code}": "/programs/club",
    "/programs/{code}/leave": "/programs/club/leave",
    "/consents/{code}": "/consents/personal_data",
    "/help/{code}": "/help/lost-card",
    "/questions/{id}": await first("/questions", /href="(\/questions\/[0-9a-f-]{36})"/),
    // A link that is over: staff would have to consent to one that is not.
    "/second-step/{secret}": `/second-step/${"0".repeat(8)}-0000-0000-0000-${"0".repeat(12)}_${"0".repeat(64)}`,
  };
  const found = { measured: [], leftOut: [] };
  for (const { path, access } of routesOf.routes()) {
    // Of the ways through forms all were looked at already.
    if (!path.startsWith(only) || path.startsWith("/admin") || done.includes(path)) continue;
    if (access === "SignedOut") found.leftOut.push([path, "only on the way in"]);
    if (!["Customer", "Public"].includes(access)) continue;
    const at = samples[path] ?? path;
    if (at.includes("{")) {
      found.leftOut.push([path, "takes a link from a message"]);
      continue;
    }
    const answer = await context.request.get(url + at, { maxRedirects: 0 });
    if (answer.status() === 200) found.measured.push(at);
    else found.leftOut.push([path, `${answer.status()} ${answer.headers().location ?? ""}: only on the way through a form`]);
  }
  return found;
}

async function measure(url, port) {
  const onlyCategories = ["performance", "accessibility", "best-practices"];
  const result = await lighthouse(url, { port, output: "json", logLevel: "error", onlyCategories });
  const { categories, audits, runtimeError } = result.lhr;
  if (runtimeError) throw new Error(`${url}: ${runtimeError.message}`);
  // What costs points, for whoever looks for the reason.
  const faults = ["accessibility", "best-practices"].flatMap((id) =>
    categories[id].auditRefs.filter((ref) => ref.weight > 0 && audits[ref.id].score !== null && audits[ref.id].score < 1).map((ref) => ref.id));
  const figures = {
    performance: categories.performance.score * 100,
    accessibility: categories.accessibility.score * 100,
    "best practices": categories["best-practices"].score * 100,
    CLS: audits["cumulative-layout-shift"].numericValue,
    "LCP, s": audits["largest-contentful-paint"].numericValue / 1000,
    "weight, kB": audits["total-byte-weight"].numericValue / 1000,
  };
  return { figures, faults };
}

async function median(url, port) {
  const { figures, faults } = await measure(url, port);
  if (missed(figures).length === 0) return { figures, faults };
  const all = [figures, (await measure(url, port)).figures, (await measure(url, port)).figures];
  const middle = (name) => all.map((one) => one[name]).sort((a, b) => a - b)[1];
  return { figures: Object.fromEntries(NAMES.map((name) => [name, middle(name)])), faults };
}

function print(rows, leftOut) {
  const worst = (a, b) => a.figures.performance - b.figures.performance || b.figures["LCP, s"] - a.figures["LCP, s"];
  rows.sort((a, b) => missed(b.figures).length - missed(a.figures).length || worst(a, b));
  const long = Math.max(...rows.map(({ path }) => path.length), 6);
  console.log(`  ${"page".padEnd(long)}  ${NAMES.join("  ")}`);
  for (const { path, figures, faults } of rows) {
    const wrong = missed(figures);
    const cells = NAMES.map((name) => BUDGETS[name].shown(figures[name]).padStart(name.length)).join("  ");
    console.log(`  ${path.padEnd(long)}  ${cells}${wrong.length ? `  MISSED: ${[...wrong, ...faults].join(", ")}` : ""}`);
  }
  const budgets = NAMES.map((name) => `${BUDGETS[name].most ? "≤" : "≥"} ${BUDGETS[name].budget}`.padStart(name.length)).join("  ");
  console.log(`  ${"budget".padEnd(long)}  ${budgets}`);
  for (const [path, why] of leftOut) console.log(`  ${path.padEnd(long)}  left out: ${why}`);
  const over = rows.filter(({ figures }) => missed(figures).length > 0).length;
  console.log(`\n${rows.length} pages, ${over ? `${over} of them over a budget` : "all within their budgets"}.`);
  return over;
}

/** Sends forms as somebody, and reads pages. */
function hand(url, by) {
  const html = async (path) => (await by.get(url + path)).text();
  const send = async (path, form, fields = []) => {
    const data = new URLSearchParams([["_fn", form], ["_key", randomUUID()], ...fields]).toString();
    const headers = { origin: url, "content-type": "application/x-www-form-urlencoded" };
    const answer = await by.post(url + path, { data, headers, maxRedirects: 0 });
    if (answer.status() !== 303) throw new Error(`${form} was answered ${answer.status()}`);
  };
  /** What the first match of a pattern in a page has in its brackets. */
  const find = async (path, pattern) => {
    const found = (await html(path)).match(pattern)?.[1];
    if (found === undefined) throw new Error(`${path}: no ${pattern}`);
    return found;
  };
  return { send, find };
}

/** What the newest message to an address says that matches. */
async function written(url, address, pattern) {
  const plain = (text) => text.replace(/[^\p{L}\d@]/gu, "");
  const inbox = (await (await fetch(`${url}/inbox`)).text()).split("<li").map((message) => message.replace(/<[^>]*>/g, " "));
  const found = inbox.filter((text) => plain(text).includes(plain(address))).map((text) => text.match(pattern)?.[0]).find(Boolean);
  if (!found) throw new Error(`no message to ${address} has ${pattern}`);
  return found;
}
const CODE = /(?<!\d)\d{6}(?!\d)/;

/** What an app shows for a secret in this half minute, or so many later (RFC 6238). */
function totp(secret, later = 0) {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret].map((letter) => letters.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + later));
  const hash = createHmac("sha1", Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)))).update(step).digest();
  return String((hash.readUInt32BE(hash.at(-1) & 15) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/** Comes in by password, and once more by a second step that was turned on; before, by a link of one's own invitation. */
async function comeIn(url, context, look, { phone, password }) {
  const elsewhere = await request.newContext();
  const [host, me] = [hand(url, elsewhere), hand(url, context.request)];
  const signIn = (who) => who.send("/sign-in?by=password", "sign_in.password", [["phone", phone], ["password", password]]);
  await signIn(host);
  await host.send("/invite", "invite.begin");
  await look(await host.find("/invite", /(\/join\/[0-9A-Z]{8})"/), "/join/{secret}");
  await signIn(me);
  await changeNumber(url, me, look, phone);
  const at = "/profile/second-factor";
  await host.send(at, "factor.offer");
  const secret = (await host.find(at, /class="secret"><code>([^<]+)/)).replace(/&nbsp;/g, "").replace(/[^A-Z2-7]/g, "");
  await host.send(at, "factor.confirm", [["code", totp(secret)]]);
  await elsewhere.dispose();
  await context.clearCookies();
  await signIn(me);
  await look("/sign-in/second");
  // The code of this half minute was used; the next one is taken as well, for clocks differ.
  await me.send("/sign-in/second", "sign_in.second", [["code", totp(secret, 1)]]);
}

/** The pages in the cabinet where a code is waited for, and the one behind the link to a number that is to be the main one no more. */
async function changeNumber(url, me, look, phone) {
  const contact = (form) => new RegExp(`value="${form}"(?:(?!</form>)[^])*?name="contact" value="([0-9a-f-]{36})"`);
  await me.send("/confirm", "confirm.send", [["contact", await me.find("/confirm", contact("confirm.send"))]]);
  await look("/confirm/code");
  const [at, other] = ["/profile/contacts", "+79000000003"];
  await me.send(at, "contact.add_phone", [["phone", other]]);
  await me.send(at, "contact.verify", [["contact", await me.find(at, contact("contact.verify"))]]);
  await look("/profile/contacts/code");
  await me.send("/profile/contacts/code", "contact.prove", [["code", await written(url, other, CODE)]]);
  await me.send(at, "contact.primary", [["contact", await me.find(at, contact("contact.primary"))]]);
  await look(await written(url, phone, /\/number-change\/[\w-]{43}/), "/number-change/{secret}");
}

/** Registers as far as the page before the last button: each page on the way is looked at when it is reached. */
async function newcomer(url, context, look) {
  const { send } = hand(url, context.request);
  const email = "anna@example.com";
  await look("/sign-in");
  await send("/sign-in", "sign_in.start_by_email", [["email", email]]);
  await send("/sign-in/code", "sign_in.verify", [["code", await written(url, email, CODE)]]);
  await look("/sign-in/phone");
  await send("/sign-in", "sign_in.start", [["phone", "+79000000002"]]);
  await look("/sign-in/code");
  // Sent long ago by now: looking at the page took seconds.
  await send("/sign-in/code", "sign_in.verify", [["code", await written(url, "+79000000002", CODE)]]);
  await look("/sign-in/details");
  const birthday = [["day", "29"], ["month", "2"], ["year", "1992"]];
  const consents = [["consents[]", "personal_data"], ["consents[]", "loyalty_rules"]];
  await send("/sign-in/details", "sign_in.details", [["name", "Анна"], ["surname", "Новая"], ["email", ""], ["password", ""], ...birthday, ...consents]);
  await look("/sign-in/review");
}

async function run() {
  const { url, phone, password } = await site();
  const { port, context, disconnect } = await browser();
  const page = await context.newPage();
  const rows = [];
  const look = async (at, path = at) => {
    if (!path.startsWith(only)) return;
    process.stderr.write(`${path}\n`);
    rows.push({ path, ...(await median(url + at, port)) });
  };
  await newcomer(url, context, look);
  await comeIn(url, context, look, { phone, password });
  const { measured, leftOut } = await pages(url, context, rows.map(({ path }) => path));
  await page.close();
  await disconnect();
  for (const path of measured) await look(path);
  return print(rows, leftOut);
}

try {
  process.exitCode = (await run()) > 0 ? 1 : 0;
} finally {
  const ended = running.map((program) => program.exitCode ?? program.signalCode ?? new Promise((done) => program.once("exit", done)));
  end();
  await Promise.all(ended);
  // The browser takes a moment longer than the script around it.
  await new Promise((wake) => setTimeout(wake, 500));
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
}
