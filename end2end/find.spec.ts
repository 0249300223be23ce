// The one search of staff: by its key from any page, in the other script and with a slip of the hand; the filter of what happened to a customer.
import { employ, enter, expect, newcomer, PERSON, send, test } from "./site";

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

test("kinds of a history are ticked together where there are no scripts", async ({ page, another, browser, signIns }) => {
  const phone = await newcomer(await another(), signIns);
  await enter(page, employ(signIns));
  const found = await send(page.request, signIns.url, "/admin/customers", "customer.find", { q: phone });
  const html = await (await page.request.get(found.headers().location)).text();
  const card = html.match(/href="(\/admin\/customers\/[0-9a-f-]{36}\?find=[0-9a-f-]{36})"/)?.[1] ?? "/no-customer";
  const context = await browser.newContext({
    javaScriptEnabled: false, baseURL: signIns.url, viewport: { width: 360, height: 740 }, storageState: await page.context().storageState(),
  });
  const plain = await context.newPage();
  await plain.goto(card);
  const box = (name: string) => plain.getByRole("checkbox", { name, exact: true });
  const event = plain.locator(".timeline li", { hasText: "Вход в кабинет" });
  await expect(event).not.toHaveCount(0);
  for (const kind of ["Звонки", "Визиты"]) await box(kind).check();
  await plain.getByRole("button", { name: "Показать", exact: true }).click();
  await expect(plain).toHaveURL(/\?kind=calls&kind=visits&from=&to=/);
  for (const kind of ["Звонки", "Визиты"]) await expect(box(kind)).toBeChecked();
  await expect(box("Входы")).not.toBeChecked();
  await expect(event).toHaveCount(0);
  await box("Входы").check();
  await plain.getByRole("button", { name: "Показать", exact: true }).click();
  await expect(event).not.toHaveCount(0);
  await context.close();
});
