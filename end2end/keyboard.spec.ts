// The cabinet by the keyboard alone: the Tab key reaches whatever can be pressed or filled in, and shows where it is.
import { be, expect, routes, test } from "./site";

/** Pages on which a code is waited for lead elsewhere. */
const pages = () => routes().filter(({ path, access }) => access === "Customer" && !path.includes("{") && !path.endsWith("/code"));

test("every page is walked through by the Tab key", async ({ page, engine }) => {
  test.slow();
  await be(page, engine, "customer");
  for (const { path } of pages()) {
    await page.goto(path);
    const wanted = await page.evaluate(() => {
      const all = [...document.querySelectorAll<HTMLInputElement>("a[href], button, input:not([type=hidden]), select, textarea, summary")];
      const there = all.filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.disabled);
      there.forEach((one, nth) => (one.dataset.tab = `${nth}`));
      return there.length;
    });
    const reached = new Set<string>();
    const unseen: string[] = [];
    // A field for a day is reached part by part.
    for (let presses = 0; presses < 4 * wanted && reached.size < wanted; presses++) {
      await page.keyboard.press("Tab");
      const at = await page.evaluate(() => {
        const here = document.activeElement;
        if (!(here instanceof HTMLElement) || here === document.body) return null;
        const { outlineStyle, boxShadow } = getComputedStyle(here);
        const isDay = here instanceof HTMLInputElement && ["date", "time", "month"].includes(here.type);
        return { tab: here.dataset.tab, isDay, isSeen: outlineStyle !== "none" || boxShadow !== "none", html: here.outerHTML.slice(0, 120) };
      });
      // Within a field for a day the browser itself marks the part, from the second on.
      const isWithin = at?.isDay && reached.has(at.tab ?? "");
      if (at && !at.isSeen && !isWithin) unseen.push(at.html);
      if (at?.tab) reached.add(at.tab);
    }
    expect.soft(reached.size, `${path}: so much is reached`).toBe(wanted);
    expect.soft(unseen, `${path}: where one is can be seen`).toEqual([]);
  }
});

test("the way around the menu, and what a movement of points was, without a touch", async ({ page, engine }) => {
  await be(page, engine, "customer");
  await page.goto("/points");
  await page.keyboard.press("Tab");
  const skip = page.getByRole("link", { name: "К содержанию" });
  await expect(skip).toBeFocused();
  await expect(skip).toBeInViewport();
  await page.keyboard.press("Enter");
  await expect(page.locator("#main")).toBeFocused();
  const entry = page.locator("details.entry").first();
  await entry.locator("summary").first().focus();
  await page.keyboard.press("Enter");
  await expect(entry.getByText("Стало в программе")).toBeVisible();
});
