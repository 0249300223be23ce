// What the ways in are for: the phone is lost, and its owner is in all the same. The new number is a way in at once, and the
// main one later: that the lost one opens nothing then is held by server/tests/router/ways.rs.
import { agree, code, device, expect, freeAccount, freeEmail, freePhone, press, ready, test, type Page } from "./site";

const heading = (page: Page) => page.getByRole("heading", { level: 1 });

/** Asks for a code to a phone or an e-mail address on the page of sign-in, and types it. */
async function comeInByCode(page: Page, to: string) {
  const isEmail = to.includes("@");
  await page.goto("/sign-in");
  if (isEmail) await page.getByRole("link", { name: "Войти по почте" }).click();
  await page.getByLabel(isEmail ? "Почта" : "Телефон").fill(to);
  await press(page, "Получить код");
  await expect(heading(page)).toHaveText(isEmail ? "Код из письма" : "Код из SMS");
  await page.getByLabel("Код", { exact: true }).fill(await code(page, to));
  await press(page, isEmail ? "Подтвердить почту" : "Подтвердить номер");
}

/** Proves the one contact of the page that is not proved yet. */
async function prove(page: Page, to: string) {
  await press(page, /^Подтвердить\s*:/);
  await expect(page).toHaveURL(/\/profile\/contacts\/code$/);
  await page.getByLabel("Код", { exact: true }).fill(await code(page, to));
  await press(page, "Подтвердить");
  await expect(page.getByRole("status")).toContainText("Подтвердили");
}

async function signOut(page: Page) {
  await press(page, "Выйти");
  await expect(page).toHaveURL(/\/sign-in/);
}

test("who loses the phone comes in by e-mail, changes the number, and keeps passkey and provider", async ({ page, another }) => {
  test.slow();
  const [lost, bought, email, account] = [freePhone(), freePhone(), freeEmail(), freeAccount()];
  const key = await device(page);

  // Everything that can be prepared is prepared.
  await comeInByCode(page, lost);
  await expect(heading(page)).toHaveText("О вас");
  await page.getByLabel("Имя", { exact: true }).fill("Марфа");
  await page.getByLabel("Фамилия").fill("Дальняя");
  await page.getByLabel("День", { exact: true }).fill("29");
  await page.getByRole("combobox", { name: "Месяц" }).selectOption({ label: "февраля" });
  await page.getByLabel("Год", { exact: true }).fill("1992");
  await page.getByLabel(/^Почта/).fill(email);
  await page.getByRole("checkbox", { name: /персональных данных/ }).check();
  await page.getByRole("checkbox", { name: /Правила клуба/ }).check();
  await press(page, "Проверить и выпустить карту");
  await press(page, "Да, всё верно");
  await expect(page.getByRole("status")).toContainText("Карта выпущена");

  await page.goto("/profile");
  await page.getByRole("link", { name: /Телефоны и почта/ }).click();
  await prove(page, email);
  await page.goto("/profile/security");
  await page.getByRole("link", { name: /Ключи доступа/ }).click();
  await ready(page);
  await press(page, "Добавить ключ доступа");
  await expect(page.getByRole("status")).toContainText("Ключ доступа добавлен");
  await page.goto("/profile/security");
  await page.getByRole("link", { name: /Вход через другие сервисы/ }).click();
  await page.getByRole("link", { name: "Привязать Тест ID" }).click();
  await agree(page, account);
  await expect(page.getByRole("status")).toContainText("теперь можно входить и так");
  await key.answers(false);
  await signOut(page);

  // The phone is gone. On another device the e-mail address opens the cabinet, and another number is on its way.
  const other = await another();
  await comeInByCode(other, email);
  await expect(heading(other)).toContainText("Марфа");
  await other.goto("/profile/contacts");
  await other.getByLabel("Ещё один телефон").fill(bought);
  await press(other, "Добавить телефон");
  await expect(other.getByRole("status")).toContainText("Добавили телефон");
  await prove(other, bought);
  await press(other, /^Сделать основным\s*: \+7/);
  await expect(other.getByRole("status")).toContainText("Просьба принята");
  await expect(other.getByText("ваш основной номер сменится")).toBeVisible();
  await expect(other.getByText("Станет основным")).toBeVisible();

  // What was prepared still opens the same cabinet.
  await page.goto("/sign-in");
  await ready(page);
  await key.answers(true);
  await press(page, "Войти с ключом доступа");
  await expect(heading(page)).toContainText("Марфа");
  await key.answers(false);
  await signOut(page);
  // The provider knows this browser by now, and asks no more.
  await page.getByRole("link", { name: "Войти через Тест ID" }).click();
  await expect(heading(page)).toContainText("Марфа");
  await signOut(page);
  await comeInByCode(page, bought);
  await expect(heading(page)).toContainText("Марфа");
});
