// What is printed, and what is handed to other apps: the buttons for both take a script, so this runs only where there is one.
import { be, expect, main, press, test } from "./site";

test("what is folded is printed, and a receipt has a button for it", async ({ page, engine }) => {
  await be(page, engine, "customer");
  await page.goto("/points");
  const inside = main(page).locator("details.entry").first().locator("dl");
  await expect(inside).toBeHidden();
  await page.emulateMedia({ media: "print" });
  await expect(inside).toBeVisible();
  await page.emulateMedia({ media: "screen" });

  await page.addInitScript(() => {
    const printed: string[] = [];
    Object.assign(window, { printed, print: () => void printed.push(location.pathname) });
  });
  await page.goto("/purchases");
  await main(page).locator("a.row").first().click();
  await press(page, "Напечатать");
  const at = new URL(page.url()).pathname;
  expect(await page.evaluate(() => (window as unknown as { printed: string[] }).printed)).toEqual([at]);
});
