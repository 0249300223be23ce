// The one island that every form is wrapped in, in the three states that a visitor may meet: no JavaScript, the module
// still on its way, and alive.
import { code, expect, freePhone, newcomer, ready, test } from "./site";

test("alive: a field is checked as it is left, and the message goes with the mistake", async ({ page }) => {
  await page.goto("/sign-in");
  await ready(page);
  const phone = page.getByLabel("Телефон");
  await phone.fill("12");
  await phone.blur();
  await expect(page.getByText("Проверьте номер, например +7 900 123-45-67")).toBeVisible();
  await expect(phone).toHaveAttribute("aria-invalid", "true");
  await phone.fill("89005550123");
  await expect(page.getByText("Проверьте номер")).toBeHidden();
  await phone.blur();
  await expect(phone).toHaveValue(/^\+7\s900\s555.01.23$/);
});

test("alive: the button does not move away when a message appears", async ({ page }) => {
  await page.goto("/sign-in");
  await ready(page);
  const button = page.getByRole("button", { name: "Получить код" });
  const before = await button.boundingBox();
  await page.getByLabel("Телефон").fill("12");
  await page.getByLabel("Телефон").blur();
  await expect(page.getByText("Проверьте номер")).toBeVisible();
  expect((await button.boundingBox())?.y).toBe(before?.y);
});

test("alive: what is wrong appears in place, without a new page", async ({ page, signIns }) => {
  await newcomer(page, signIns);
  await page.goto("/profile/person");
  await ready(page);
  await page.evaluate(() => Object.assign(window, { here: true }));
  const sent: string[] = [];
  page.on("request", (request) => request.method() === "POST" && sent.push(request.resourceType()));
  await page.getByLabel("Имя").fill("");
  await page.getByLabel("Фамилия").fill("<b>");
  await page.getByRole("button", { name: "Сохранить" }).click();
  const alert = page.getByRole("alert");
  await expect(alert).toContainText("Исправьте 2 строки");
  await expect(alert).toBeFocused();
  await expect(page.getByLabel("Фамилия")).toHaveValue("<b>");
  expect(await page.evaluate(() => "here" in window)).toBe(true);
  expect(sent).toEqual(["fetch"]);
  await expect(page).toHaveTitle(/^Ошибка: /);
  // The form that came back is alive too, and leads on.
  await alert.getByRole("link").first().click();
  await expect(page.getByLabel("Имя")).toBeFocused();
  await page.getByLabel("Имя").fill("Ольга");
  await page.getByLabel("Фамилия").fill("Верная");
  await page.getByRole("button", { name: "Сохранить" }).click();
  await expect(page).toHaveURL(/\/profile\?done=person$/);
  await expect(page.getByRole("main")).toContainText("Ольга Верная");
});

test("alive: while a form is on its way its button shows it, and it is said", async ({ page, signIns }) => {
  await newcomer(page, signIns);
  await page.goto("/profile/person");
  await ready(page);
  let release = () => {};
  const held = new Promise<void>((done) => (release = done));
  await page.route("**/profile/person", async (route) => {
    if (route.request().method() === "POST") await held;
    await route.continue();
  });
  const button = page.getByRole("button", { name: "Сохранить" });
  const said = page.locator("[data-sending]");
  await expect(said).toHaveText("");
  await page.getByLabel("Имя").fill("");
  await button.click();
  await expect(button).toHaveAttribute("aria-busy", "true");
  await expect(page.locator("form[aria-busy]")).toHaveCount(1);
  await expect(said).toHaveText("Отправляем…");
  // A second press is not taken.
  await expect(button).toHaveCSS("pointer-events", "none");
  release();
  await expect(page.getByRole("alert")).toContainText("Исправьте одну строку");
  await expect(page.locator("[aria-busy]")).toHaveCount(0);
  await expect(said).toHaveText("");
});

test("alive: a wrong code is told and a right one taken in the same form", async ({ page }) => {
  const phone = freePhone();
  await page.goto("/sign-in");
  await ready(page);
  await page.getByLabel("Телефон").fill(phone);
  await page.getByRole("button", { name: "Получить код" }).click();
  await expect(page).toHaveURL(/\/sign-in\/code$/);
  await ready(page);
  const right = await code(page, phone);
  const field = page.getByLabel("Код", { exact: true });
  await field.fill(right === "000000" ? "000001" : "000000");
  await page.getByRole("button", { name: "Подтвердить номер" }).click();
  await expect(page.getByText("Осталось 4 попытки").first()).toBeVisible();
  await field.fill(right);
  await page.getByRole("button", { name: "Подтвердить номер" }).click();
  await expect(page).toHaveURL(/\/sign-in\/details$/);
});

test("the module still on its way: the form works as without it", async ({ page }) => {
  let release = () => {};
  const held = new Promise<void>((done) => (release = done));
  await page.route("**/*.wasm", async (route) => {
    await held;
    await route.continue().catch(() => undefined);
  });
  await page.goto("/sign-in", { waitUntil: "domcontentloaded" });
  await page.getByLabel("Телефон").fill("12");
  await page.getByRole("button", { name: "Получить код" }).click();
  await expect(page.getByRole("alert")).toContainText("Исправьте одну строку");
  await expect(page.getByLabel("Телефон")).toHaveValue("12");
  // And it comes alive on the page with the mistake, when the module is there at last.
  await expect(page.locator("main [data-ready]")).toHaveCount(0);
  release();
  await ready(page);
  await page.getByLabel("Телефон").fill("+79005550124");
  await expect(page.getByText("Проверьте номер, например")).toHaveCount(1);
});

test("a module that never comes changes nothing", async ({ page, complaints }) => {
  await page.route("**/*.wasm", (route) => route.abort());
  await page.goto("/sign-in");
  await page.getByLabel("Телефон").fill(freePhone());
  await page.getByRole("button", { name: "Получить код" }).click();
  await expect(page).toHaveURL(/\/sign-in\/code$/);
  // That the loader could not load is what was asked for here.
  complaints.length = 0;
});

test("alive: when the fetch fails the browser sends the form itself", async ({ page, signIns }) => {
  await newcomer(page, signIns);
  await page.goto("/profile/person");
  await ready(page);
  let failed = 0;
  await page.route("**/profile/person", (route) => {
    if (route.request().resourceType() !== "fetch") return route.continue();
    failed++;
    return route.abort("connectionrefused");
  });
  await page.getByLabel("Имя").fill("Ольга");
  await page.getByRole("button", { name: "Сохранить" }).click();
  await expect(page).toHaveURL(/\/profile\?done=person$/);
  await expect(page.getByRole("main")).toContainText("Ольга О'Нил-Смирнова");
  expect(failed).toBe(1);
});

test("alive: a button with a value is sent with it, and two clicks do one thing", async ({ page, signIns }) => {
  await newcomer(page, signIns);
  await page.goto("/profile/contacts");
  await ready(page);
  await page.getByLabel("Новый адрес").fill("once@example.com");
  await page.getByRole("button", { name: "Добавить почту" }).dblclick();
  await expect(page.getByRole("status")).toContainText("Добавили почту");
  await expect(page.getByRole("button", { name: /^Убрать\s*: once@example\.com/ })).toHaveCount(1);
});

test("alive: the card shows a code, and another one half a minute later", async ({ page, signIns }) => {
  await newcomer(page, signIns);
  await page.goto("/card");
  const code = page.getByRole("img", { name: "QR-код для кассы" });
  await expect(code).toBeVisible();
  await expect(page.getByText(/^Новый код через \d+ с$/)).toBeVisible();
  // The smallest QR there is, with four light modules around it.
  await expect(code).toHaveAttribute("viewBox", "0 0 29 29");
  const drawn = await code.locator("path").getAttribute("d");
  expect(drawn).toMatch(/^M\d/);
  await page.evaluate(() => {
    const now = Date.now;
    Date.now = () => now() + 30_000;
  });
  await expect(code.locator("path")).not.toHaveAttribute("d", drawn ?? "");
  await expect(page.getByText("Часы этого устройства")).toBeHidden();
});
