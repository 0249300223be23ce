// What is printed, and what is handed to other apps: the buttons for both take a script, so this runs only where there is one.
import { be, expect, newcomer, press, test, type Page } from "./site";

const main = (page: Page) => page.getByRole("main");

test("what is folded is printed, and a receipt has a button for it", async ({ page, engine }) => {
  await be(page, engine, "customer");
  await page.goto("/points");
  const inside = main(page).locator("details.entry").first().locator("dl").first();
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

test("a link for a friend is handed to other apps, where the browser can", async ({ page, signIns }) => {
  await newcomer(page, signIns);
  await page.goto("/invite");
  await press(page, "Получить ссылку");
  const link = await page.getByLabel("Ссылка для друга", { exact: true }).inputValue();
  await expect(page.getByRole("img", { name: "QR-код ссылки для друга" })).toBeVisible();
  const share = page.getByRole("button", { name: "Отправить ссылку" });
  await page.addInitScript(() => {
    const shared: unknown[] = [];
    Object.assign(window, { shared });
    Object.defineProperty(navigator, "share", { value: async (what: unknown) => void shared.push(what), configurable: true });
  });
  await page.reload();
  await share.click();
  expect(await page.evaluate(() => (window as unknown as { shared: unknown[] }).shared)).toEqual([{ url: link }]);
});
