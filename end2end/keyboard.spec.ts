// Pages by the keyboard alone: the Tab key reaches whatever can be pressed or filled in, and shows where it is.
import { arrive } from "./samples";
import { be, expect, routes, test, type Page } from "./site";

/** Pages on which a code is waited for lead elsewhere. */
const pages = () => routes().filter(({ path, access }) => access === "Customer" && !path.includes("{") && !path.endsWith("/code"));

/** Of the others `make test-long` walks all, and `make test` those that people are on most. */
const OFTEN = ["/purchases/{id}", "/support/{number}", "/admin/requests", "/admin/requests/{number}", "/admin/customers/{id}", "/admin/rules/{id}"];
const others = () => {
  const known = pages().map(({ path }) => path);
  // The inbox of the demonstration is as long as a run.
  const rest = routes().filter(({ path, access }) => !known.includes(path) && access !== "Demonstration");
  return process.env.KABINET_TEST_IN_FULL === "1" ? rest : rest.filter(({ path }) => OFTEN.includes(path));
};

/** Presses Tab until everything of the page was reached, or for so long that it is not. */
async function walk(page: Page, path: string) {
  const wanted = await page.evaluate(() => {
    const all = [...document.querySelectorAll<HTMLInputElement>("a[href], button, input:not([type=hidden]), select, textarea, summary")];
    // Of the choices of one kind the Tab key reaches one, and the arrows the others.
    const isOther = (one: HTMLInputElement) => {
      if (one.type !== "radio") return false;
      const group = all.filter(({ type, name, form }) => type === "radio" && name === one.name && form === one.form);
      return one !== (group.find(({ checked }) => checked) ?? group[0]);
    };
    const there = all.filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.matches(":disabled") && !isOther(one));
    there.forEach((one, nth) => (one.dataset.tab = `${nth}`));
    return there.length;
  });
  expect.soft(wanted, `${path}: there is something to reach`).toBeGreaterThan(0);
  const reached = new Set<string>();
  const unseen: string[] = [];
  // A field for a day, or for a moment, is reached part by part; a table that scrolls is reached as well.
  for (let presses = 0; presses < 7 * wanted && reached.size < wanted; presses++) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const here = document.activeElement;
      if (!(here instanceof HTMLElement) || here === document.body) return null;
      const { outlineStyle, boxShadow } = getComputedStyle(here);
      const isDay = here instanceof HTMLInputElement && ["date", "time", "month", "datetime-local"].includes(here.type);
      return { tab: here.dataset.tab, isDay, isSeen: outlineStyle !== "none" || boxShadow !== "none", html: here.outerHTML.slice(0, 120) };
    });
    // Within a field for a day the browser itself marks the part, from the second on.
    const isWithin = at?.isDay && reached.has(at.tab ?? "");
    if (at && !at.isSeen && !isWithin) unseen.push(at.html);
    if (at?.tab) reached.add(at.tab);
  }
  const missed = await page.evaluate((reached) => {
    const all = [...document.querySelectorAll<HTMLElement>("[data-tab]")];
    return all.filter(({ dataset }) => !reached.includes(dataset.tab ?? "")).slice(0, 3).map((one) => one.outerHTML.slice(0, 120));
  }, [...reached]);
  expect.soft(reached.size, `${path}: so much is reached; not so ${missed.join(" | ")}`).toBe(wanted);
  expect.soft(unseen, `${path}: where one is can be seen`).toEqual([]);
}

test("every page is walked through by the Tab key", async ({ page, engine }) => {
  test.slow();
  await be(page, engine, "customer");
  for (const { path } of pages()) {
    await page.goto(path);
    await walk(page, path);
  }
});

/** What others do meanwhile would take what was reached away and put something new in its place. */
async function still(page: Page) {
  await page.route(/\/live(\?|$)/, (route) => route.abort());
  await page.route("**/progress.js", (route) => route.fulfill({ contentType: "text/javascript", body: "" }));
}

for (const route of others()) {
  test(`${route.path} is walked through by the Tab key`, async ({ page, another, engine, signIns }) => {
    test.slow();
    // Staff sit at a desk.
    if (route.path.startsWith("/admin")) await page.setViewportSize({ width: 1280, height: 900 });
    await still(page);
    await page.goto(await arrive(page, route, engine, signIns, another));
    await walk(page, route.path);
  });
}

test("what of the other pages is walked is still there", () => {
  expect(routes().map(({ path }) => path)).toEqual(expect.arrayContaining(OFTEN));
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
