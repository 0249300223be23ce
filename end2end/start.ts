// Before the first test: a server on SQLite and one on PostgreSQL, each on a free port over a small demonstration, and a
// provider by which people come in. After the last one they are stopped.
import { spawn, execFileSync, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync, openSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { request } from "@playwright/test";
import { totp, withSettings, type SignIns } from "./site";
import { printAnswers } from "./taps";

const root = resolve(__dirname, "..");
export const folder = join(root, "target", "end2end");
export const program = process.env.KABINET_PROGRAM ?? resolve(root, process.env.CARGO_TARGET_DIR ?? "target", "debug", "kabinet");

export default async function start() {
  if (!existsSync(program)) throw new Error(`${program} is not there: \`make test\` builds it, or set KABINET_PROGRAM`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const postgres = process.env.KABINET_TEST_POSTGRES;
  const [port, other, outside] = [await freePort(), await freePort(), await freePort()];
  const provider = startProvider(outside, [port, other]);
  const servers = [provider, serve("sqlite", `sqlite:${join(folder, "kabinet.db")}`, port, outside)];
  if (postgres) servers.push(serve("postgres", newDatabase(postgres), other, outside));
  const started = await Promise.allSettled(servers);
  const stop = () => started.forEach((s) => s.status === "fulfilled" && s.value.kill("SIGTERM"));
  const failed = started.find((s) => s.status === "rejected");
  if (failed?.status === "rejected") {
    stop();
    throw failed.reason;
  }
  return () => {
    stop();
    printAnswers();
  };
}

function newDatabase(server: string): string {
  const name = `kabinet_end2end_${Date.now()}`;
  execFileSync("psql", [server, "--quiet", "--command", `CREATE DATABASE ${name}`]);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.toString();
}

/** A certified OpenID provider for the servers on these ports. */
async function startProvider(port: number, servers: number[]): Promise<ChildProcess> {
  const log = openSync(join(folder, "provider.log"), "w");
  const origins = JSON.stringify(servers.map((server) => `http://localhost:${server}`));
  const env = { ...process.env, PROVIDER_PORT: `${port}`, PROVIDER_ORIGINS: origins };
  const provider = spawn(process.execPath, [join(__dirname, "provider.mjs")], { env, stdio: ["ignore", log, log] });
  await answers(`http://localhost:${port}/.well-known/openid-configuration`, provider, "provider");
  return provider;
}

/** Lets customers and staff come in by the provider, and newcomers give points. */
function configuration(engine: string, provider: number): string {
  const one = (id: string, name: string, client: string) =>
    `[[providers]]\nid = "${id}"\nname = "${name}"\nkind = "oidc"\nissuer = "http://localhost:${provider}"\n` +
    `client_id = "${client}"\nclient_secret = "a secret between the two"\n`;
  const staff =
    `for = "staff"\ncreate = true\nsecond_factor = "provider"\nscopes = ["openid", "profile", "roles"]\n` +
    `[providers.roles]\nclaim = "/roles"\nmap = [["kabinet-agent", "agent"]]\n`;
  // Whoever registers in a test may give points at once.
  const points = `[points]\ntransfer_after_days = 0\n`;
  const file = join(folder, `${engine}.toml`);
  writeFileSync(file, points + one("test", "Тест ID", "shop") + one("work", "Рабочий вход", "desk") + staff);
  return file;
}

/** Somebody of staff: the login, the password, the key of their second step. */
export type Member = { login: string; password: string; secret: string };
/** A server over a demonstration of its own, and whom it told of. */
export type Shown = {
  server: ChildProcess; url: string; settings: Record<string, string>;
  phone: string; password: string; agent: Member; lead: Member; admin: Member;
};

/** Makes a small demonstration and serves it at the port; what the server says stands in target/end2end/<name>.log. */
export async function demonstrate(name: string, database: string, port: number, more: Record<string, string> = {}): Promise<Shown> {
  const url = `http://localhost:${port}`;
  const settings = {
    KABINET_LISTEN: `127.0.0.1:${port}`,
    KABINET_DRAIN_SECONDS: "0",
    KABINET_PUBLIC_URL: url,
    KABINET_DATABASE_URL: database,
    KABINET_SITE_DIR: process.env.KABINET_SITE_DIR ?? join(root, "target", "site"),
    // Each test comes from a network of its own, so that the limits of one are not those of all.
    KABINET_TRUSTED_PROXIES: '["127.0.0.1"]',
    KABINET_LOG: "warn",
    ...more,
  };
  const environment = withSettings(settings);
  const told = execFileSync(program, ["demo", "--small"], { cwd: root, env: environment, encoding: "utf8" });
  const find = (pattern: RegExp) => told.match(pattern)?.slice(1) ?? fail(`the demonstration did not tell its sign-ins:\n${told}`);
  const member = (who: string): Member => {
    const [login, password, secret] = find(new RegExp(`${who}\\s+\\S+\\s+(\\S+)\\s+(\\S+)\\s+(\\S+)`));
    return { login, password, secret };
  };
  const [phone, password] = find(/a customer\s+\S+\s+(\+7[\d -]+\d)\s{2,}(\S+)/);
  const log = openSync(join(folder, `${name}.log`), "w");
  const server = spawn(program, ["serve"], { cwd: root, env: environment, stdio: ["ignore", log, log] });
  await answers(`${url}/sign-in`, server, name);
  return { server, url, settings, phone, password, agent: member("a support agent"), lead: member("a team lead"), admin: member("an administrator") };
}

async function serve(engine: "sqlite" | "postgres", database: string, port: number, provider: number): Promise<ChildProcess> {
  const shown = await demonstrate(engine, database, port, { KABINET_CONFIG: configuration(engine, provider) });
  const { server, url, settings, phone, password, agent, admin } = shown;
  const signIns: SignIns = { url, phone, customer: password, login: agent.login, agent: agent.password, program, settings };
  process.env[`KABINET_TEST_ON_${engine.toUpperCase()}`] = JSON.stringify(signIns);
  await keepSession(url, `${engine}-customer`, ["/sign-in?by=password", "sign_in.password", { phone, password }]);
  for (const [who, one] of [["agent", agent], ["admin", admin]] as const) {
    await keepSession(
      url, `${engine}-${who}`,
      ["/admin/sign-in", "staff.sign_in", { login: one.login, password: one.password }],
      ["/admin/sign-in/second", "staff.second", { code: totp(one.secret) }],
    );
  }
  return server;
}

function fail(message: string): never {
  throw new Error(message);
}

/** Signs in once for all the tests that only look. */
async function keepSession(origin: string, name: string, ...steps: [string, string, Record<string, string>][]) {
  const visitor = await request.newContext();
  for (const [path, form, fields] of steps) {
    const sent = { _fn: form, _key: crypto.randomUUID(), ...fields };
    const answer = await visitor.post(origin + path, { form: sent, headers: { origin }, maxRedirects: 0 });
    if (answer.status() !== 303) fail(`${form} was answered ${answer.status()}`);
  }
  writeFileSync(join(folder, `${name}.json`), JSON.stringify(await visitor.storageState()));
  await visitor.dispose();
}

async function answers(url: string, server: ChildProcess, name: string) {
  for (let tries = 0; tries < 300; tries++) {
    if (server.exitCode !== null) fail(`the server "${name}" ended; see target/end2end/${name}.log`);
    try {
      await fetch(url);
      return;
    } catch {
      await new Promise((wake) => setTimeout(wake, 100));
    }
  }
  server.kill();
  fail(`the server "${name}" does not answer`);
}

/** A free port below those that the system hands out by itself (32768 and up), so that nobody takes it meanwhile. */
export function freePort(): Promise<number> {
  return new Promise((found, failed) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" ? freePort().then(found, failed) : failed(error),
    );
    probe.listen(10_000 + Math.floor(Math.random() * 20_000), "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => found(port));
    });
  });
}
