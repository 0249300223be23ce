// The one search of staff: by its key from any page, in the other script and with a slip of the hand.
import { employ, enter, expect, newcomer, PERSON, test } from "./site";

test("the key / leads into the search, and a name is found however it is written", async ({ page, another, signIns }) => {
  await newcomer(await another(), signIns, { ...PERSON, name: "Василиса", surname: "Щеглова-Юрьева" });
  await enter(page, employ(signIns));
  await page.goto("/admin/requests");
  const field = page.getByRole("banner").getByRole("searchbox");
  await page.keyboard.press("/");
  await expect(field).toBeFocused();
  await expect(field).toHaveValue("");
  // Whoever types means the letter.
  await page.keyboard.press("/");
  await expect(field).toHaveValue("/");
  for (const typed of ["Shcheglova Vasilisa", "Щелгова Василиса", "yurieva vasil"]) {
    await field.fill(typed);
    await field.press("Enter");
    await expect(page).toHaveURL(/\/admin\/find\?find=[0-9a-f-]{36}$/);
    await expect(page.getByRole("main").getByRole("link", { name: /Щеглова-Юрьева/ }).first()).toBeVisible();
    await expect(page.getByRole("main").getByRole("searchbox")).toHaveValue(typed);
  }
});

test("what the help says fits a phone: titles wrap, and nothing scrolls sideways", async ({ page, signIns }) => {
  await enter(page, employ(signIns));
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto("/admin/find");
  const field = page.getByRole("main").getByRole("searchbox");
  await field.fill("карту украли");
  await field.press("Enter");
  const found = page.locator(".data-wrap").filter({ has: page.locator('a[href="/help/lost-card"]') });
  await expect(found).toBeVisible();
  for (const width of [360, 390]) {
    await page.setViewportSize({ width, height: 844 });
    expect(await found.evaluate((box) => box.scrollWidth <= box.clientWidth), `at ${width}`).toBe(true);
  }
});

test("Escape closes a menu of the bar and leads back to what opened it", async ({ page, signIns }) => {
  await enter(page, employ(signIns));
  await page.goto("/admin/requests");
  const who = page.locator(".bar-who");
  await who.locator("summary").click();
  await who.getByRole("link").first().focus();
  await page.keyboard.press("Escape");
  await expect(who).not.toHaveAttribute("open");
  await expect(who.locator("summary")).toBeFocused();
});
