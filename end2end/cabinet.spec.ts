// What customers see of their cabinet in a browser: with JavaScript on SQLite, and without it on PostgreSQL.
import {
  cardOf, code, employ, enter, expect, freePhone, fund, newcomer, PERSON, press, send, test, type Page,
} from "./site";

test("a newcomer is shown around, and no more once they are through", async ({ page, signIns }) => {
  await newcomer(page, signIns);
  await page.goto("/");
  await page.getByRole("link", { name: "Показать", exact: true }).click();
  for (let step = 1; step < 6; step++) {
    await expect(page.getByRole("main")).toContainText(`Шаг ${step} из 6`);
    await page.getByRole("link", { name: "Дальше" }).click();
  }
  await press(page, "Готово, на главную");
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Анна");
  await expect(page.getByRole("link", { name: "Показать", exact: true })).toHaveCount(0);
});

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
