// The journeys of people through the cabinet, in a real browser. `docs/testing.md` tells how to run them.
import { defineConfig } from "@playwright/test";
import { launch } from "./chromium";

const chromium = { browserName: "chromium" as const, launchOptions: launch() };
const phone = { ...chromium, viewport: { width: 390, height: 844 }, hasTouch: true };
// Requests that go through a service worker cannot be held up by a test, so only those with nothing to hold up have it.
const desktop = { ...chromium, viewport: { width: 1280, height: 900 }, serviceWorkers: "allow" as const };
const journeys = /(journeys|cabinet|errands)\.spec\.ts/;
const lostPhone = /lost_phone\.spec\.ts/;
const forms = /forms\.spec\.ts/;
const pages = /pages\.spec\.ts/;
const questions = /questions\.spec\.ts/;
const hour = /hour\.spec\.ts/;
// `make test` walks each journey, and asks each question, twice: with JavaScript on SQLite, and without it on PostgreSQL.
// `make test-long` does so in every other pairing too, and at the desktop.
const inFull = process.env.KABINET_TEST_IN_FULL === "1";
const short = inFull ? {} : { grep: /@first-day/ };
const plain = { ...phone, javaScriptEnabled: false };

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
  use: { locale: "ru-RU", timezoneId: "Europe/Moscow", screenshot: "only-on-failure", trace: "off", serviceWorkers: "block" },
  projects: [
    { name: "phone-plain", use: plain, testMatch: inFull ? [forms, journeys, questions] : forms },
    { name: "phone", use: phone, testIgnore: [forms, hour] },
    { name: "phone-plain-postgres", use: { ...plain, engine: "postgres" }, testMatch: [journeys, questions] },
    { name: "desktop", use: desktop, testMatch: inFull ? [journeys, pages, questions] : journeys, ...short },
    // Whoever answers requests all day sits at a desk.
    { name: "desk", use: { ...desktop, serviceWorkers: "block" }, testMatch: hour },
    ...(inFull
      ? [
          { name: "phone-postgres", use: { ...phone, engine: "postgres" as const }, testMatch: [journeys, lostPhone, questions] },
          { name: "desktop-plain", use: { ...desktop, javaScriptEnabled: false }, testMatch: [journeys, questions] },
        ]
      : []),
  ],
});
