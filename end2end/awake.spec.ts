// What keeps the screen on takes a script, so this runs only where there is one.
import { expect, newcomer, test } from "./site";

test("the screen stays on while a card is shown", async ({ page, signIns }) => {
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
