// Passkeys by a virtual device of Chromium's: what the browser asks and answers is all real.
import { device, employ, expect, newcomer, press, ready, send, STAFF_PASSWORD, test, turnOn, type Page } from "./site";

const heading = (page: Page) => page.getByRole("heading", { level: 1 });

test("a customer adds a passkey, signs out, and comes in with it alone", async ({ page, signIns }) => {
  const key = await device(page);
  await newcomer(page, signIns);
  await page.goto("/profile/passkeys");
  await ready(page);
  await page.getByLabel("Название ключа").fill("Мой телефон");
  await press(page, "Добавить ключ доступа");
  await expect(page.getByRole("status")).toContainText("Ключ доступа добавлен");
  await expect(page.getByRole("main")).toContainText("Мой телефон");
  expect(await key.keys()).toBe(1);
  await page.getByText("Переименовать").click();
  await page.locator("details[open]").getByLabel("Название ключа").fill("Рабочий");
  await press(page, "Сохранить название");
  await expect(page.getByRole("main")).toContainText("Рабочий");

  await key.answers(false);
  await press(page, "Выйти");
  await ready(page);
  await expect(page.getByRole("button", { name: "Войти с ключом доступа" })).toBeVisible();
  await key.answers(true);
  await press(page, "Войти с ключом доступа");
  await expect(heading(page)).toContainText("Анна");
  await page.goto("/profile/passkeys");
  await expect(page.getByRole("main")).toContainText("Последний вход");
});

test("a passkey is offered where the phone is typed, and does for the second step and for proving anew", async ({ page, signIns }) => {
  const key = await device(page);
  const password = STAFF_PASSWORD;
  const person = { name: "Анна", surname: "К", day: "1", month: "1", year: "1990", email: "", password, "consents[]": ["personal_data", "loyalty_rules"] };
  const phone = await newcomer(page, signIns, person);
  await turnOn(page, signIns);
  await page.goto("/profile/passkeys");
  await ready(page);
  await press(page, "Добавить ключ доступа");
  await expect(page.getByRole("status")).toContainText("Ключ доступа добавлен");
  await page.goto("/confirm?next=/profile/passkeys");
  await ready(page);
  await press(page, "Подтвердить ключом доступа");
  await expect(heading(page)).toHaveText("Ключи доступа");

  await key.answers(false);
  await press(page, "Выйти");
  await page.goto("/sign-in?by=password");
  await page.getByLabel("Телефон").fill(phone);
  await page.getByLabel("Пароль").fill(password);
  await press(page, "Войти");
  await expect(heading(page)).toHaveText("Второй шаг");
  await ready(page);
  await key.answers(true);
  await press(page, "Подтвердить ключом доступа");
  await expect(heading(page)).toContainText("Анна");
});

test("whom the device does not know comes in no further, and is told so", async ({ page, signIns }) => {
  const key = await device(page);
  await newcomer(page, signIns);
  await key.verifies(false);
  await page.goto("/profile/passkeys");
  await ready(page);
  await press(page, "Добавить ключ доступа");
  await expect(page.getByText("Ключ не прочитан")).toBeVisible();
  expect(await key.keys()).toBe(0);
});

test("a browser without passkeys says so in words", async ({ page }) => {
  await page.addInitScript(() => Reflect.deleteProperty(window, "PublicKeyCredential"));
  await page.goto("/sign-in");
  await ready(page);
  await expect(page.getByText("Этот браузер не умеет ключи доступа")).toBeVisible();
  await expect(page.getByRole("button", { name: "Войти с ключом доступа" })).toBeHidden();
});

test("a member of staff sets up a passkey on the way in, and comes in by it", async ({ page, signIns }) => {
  await device(page);
  const login = employ(signIns);
  const first = async () => {
    await page.goto("/admin/sign-in");
    await page.getByLabel("Логин").fill(login);
    await page.getByLabel("Пароль").fill(STAFF_PASSWORD);
    await press(page, "Войти");
  };
  await first();
  await expect(heading(page)).toHaveText("Защитите вход");
  await ready(page);
  await press(page, "Добавить ключ доступа");
  await expect(heading(page)).toHaveText("Запасные коды");
  await press(page, "Коды сохранены, войти");
  await expect(heading(page)).toHaveText("Обращения");
  await send(page.request, signIns.url, "/admin/requests", "staff_sign_out");
  await first();
  await expect(heading(page)).toHaveText("Второй шаг");
  await ready(page);
  await press(page, "Подтвердить ключом доступа");
  await expect(heading(page)).toHaveText("Обращения");
});
