// What customers see of their cabinet in a browser: with JavaScript on SQLite, and without it on PostgreSQL.
import {
  cardOf, code, employ, enter, expect, freePhone, fund, newcomer, PERSON, press, send, test, type Page,
} from "./site";

test("the screen stays on while a card is shown", async ({ page, signIns, javaScriptEnabled }) => {
  test.skip(javaScriptEnabled === false, "it takes a script");
  await newcomer(page, signIns);
  await page.addInitScript(() => {
    const asked: string[] = [];
    Object.assign(window, { asked });
    const request = async (kind: string) => void asked.push(kind);
    Object.defineProperty(navigator, "wakeLock", { value: { request } });
  });
  await page.goto("/card");
  await expect.poll(() => page.evaluate(() => (window as unknown as { asked: string[] }).asked)).toEqual(["screen"]);
  await page.goto("/points");
  expect(await page.evaluate(() => (window as unknown as { asked: string[] }).asked)).toEqual([]);
});
