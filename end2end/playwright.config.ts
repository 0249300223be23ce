// The journeys of people through the cabinet, in a real browser. `docs/testing.md` tells how to run them.
import { defineConfig } from "@playwright/test";

const chromium = {
  browserName: "chromium" as const,
  launchOptions: {
    executablePath: process.env.KABINET_TEST_CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  },
};
const phone = { ...chromium, viewport: { width: 390, height: 844 }, hasTouch: true };
const desktop = { ...chromium, viewport: { width: 1280, height: 900 } };
const journeys = /journeys\.spec\.ts/;
const lostPhone = /lost_phone\.spec\.ts/;
const forms = /forms\.spec\.ts/;
const pages = /pages\.spec\.ts/;
// `make test-long` repeats at the desktop, and on PostgreSQL, what `make test` does on the phone and SQLite alone.
const inFull = process.env.KABINET_TEST_IN_FULL === "1";
const short = inFull ? {} : { grep: /@first-day/ };

export default defineConfig<{ engine: "sqlite" | "postgres" }>({
  testDir: ".",
  outputDir: "../target/end2end/results",
  globalSetup: "./start.ts",
  // More than processors, because people wait: for a code that may be sent again, for the next half minute of an app.
  workers: 3,
  fullyParallel: true,
  forbidOnly: true,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: "list",
  use: { locale: "ru-RU", timezoneId: "Europe/Moscow", screenshot: "only-on-failure", trace: "off" },
  projects: [
    { name: "phone-plain", use: { ...phone, javaScriptEnabled: false }, testMatch: [forms, journeys] },
    { name: "phone", use: phone, testIgnore: forms },
    { name: "phone-postgres", use: { ...phone, engine: "postgres" }, testMatch: inFull ? [journeys, lostPhone] : journeys },
    { name: "desktop", use: desktop, testMatch: inFull ? [journeys, pages] : journeys, ...short },
    ...(inFull ? [{ name: "desktop-plain", use: { ...desktop, javaScriptEnabled: false }, testMatch: journeys }] : []),
  ],
});
