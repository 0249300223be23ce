// The ways that people take through the cabinet, from the first phone number to the answer of support. All of them are
// the same with and without JavaScript, on a phone and on a desk.
import { readFileSync } from "node:fs";
import {
  agree, be, cardOf, code, employ, enter, expect, freeAccount, freeEmail, freePhone, fund, newcomer, PERSON, press, secretOf, send, test, totp, words, type Page,
} from "./site";

async function fillDate(page: Page, day: string, month: string, year: string) {
  await page.getByLabel("День", { exact: true }).fill(day);
  await page.getByRole("combobox", { name: "Месяц" }).selectOption({ label: month });
  await page.getByLabel("Год", { exact: true }).fill(year);
}

test("a new person registers, corrects, and has a card", { tag: "@first-day" }, async ({ page, signIns }) => {
  const phone = freePhone();
  await page.goto("/");
  await expect(page).toHaveURL(/\/sign-in$/);
  await page.getByLabel("Телефон").fill(phone.replace("+7", "8 "));
  await press(page, "Получить код");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Код из SMS");
  // The code lies in the development inbox, newest first.
  const digits = await code(page, phone);
  await page.getByLabel("Код", { exact: true }).fill(`${digits.slice(0, 3)} ${digits.slice(3)}`);
  await press(page, "Подтвердить номер");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("О вас");
  await page.getByLabel("Имя", { exact: true }).fill("Зоя");
  await page.getByLabel("Фамилия").fill("О’Нил");
  await fillDate(page, "29", "февраля", "1992");
  await page.getByLabel(/^Почта/).fill("zoya@example.com");
  const boxes = page.getByRole("group", { name: "Согласия" }).getByRole("checkbox");
  for (const box of await boxes.all()) await expect(box).not.toBeChecked();
  await page.getByRole("checkbox", { name: /персональных данных/ }).check();
  await page.getByRole("checkbox", { name: /Правила клуба/ }).check();
  await press(page, "Проверить и выпустить карту");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Всё верно?");
  await expect(page.getByRole("main")).toContainText("29 февраля 1992");

  await page.getByRole("link", { name: "Нет, исправить" }).click();
  await expect(page.getByLabel("Имя", { exact: true })).toHaveValue("Зоя");
  await expect(page.getByLabel("Фамилия")).toHaveValue("О’Нил");
  await expect(page.getByLabel("День", { exact: true })).toHaveValue("29");
  await expect(page.getByRole("combobox", { name: "Месяц" })).toHaveValue("2");
  await expect(page.getByLabel("Год", { exact: true })).toHaveValue("1992");
  await expect(page.getByLabel(/^Почта/)).toHaveValue("zoya@example.com");
  await expect(page.getByRole("checkbox", { name: /персональных данных/ })).toBeChecked();
  await expect(page.getByRole("checkbox", { name: /Правила клуба/ })).toBeChecked();
  await page.getByLabel("Имя", { exact: true }).fill("Зоя-Мария");
  await press(page, "Проверить и выпустить карту");
  await expect(page.getByRole("main")).toContainText("Зоя-Мария");
  await press(page, "Да, всё верно");

  await expect(page).toHaveURL(/\/welcome/);
  await expect(page.getByRole("status")).toContainText("Карта выпущена");
  await page.getByRole("link", { name: "Открыть карту" }).click();
  await expect(page).toHaveURL(/\/card/);
  const card = await page.getByRole("main").textContent();
  expect(card?.replace(/\s/g, "")).toMatch(/290\d{10}/);
  await expect(page.getByRole("img", { name: /Штрихкод карты, номер 290/ })).toBeVisible();
  await page.goto("/");
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Зоя-Мария");
  expect((await send(page.request, signIns.url, "/sign-in", "sign_in.start", { phone })).status()).toBe(303);
});

test("a customer signs in by password, finds a receipt with a return and sees its points", async ({ page, signIns }) => {
  await page.goto("/sign-in");
  await page.getByRole("link", { name: "Войти по паролю" }).click();
  await page.getByLabel("Телефон").fill(signIns.phone);
  await page.getByLabel("Пароль").fill("совсем не тот пароль");
  await press(page, "Войти");
  await expect(page.getByText("Телефон или пароль не подошли").first()).toBeVisible();
  await expect(page.getByLabel("Пароль")).toHaveValue("");
  await page.getByLabel("Пароль").fill(signIns.customer);
  await press(page, "Войти");
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Мария");
  await expect(page.getByRole("main")).toContainText("Ваши баллы");

  await page.getByRole("link", { name: "Покупки", exact: true }).first().click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Покупки");
  const withReturn = page.getByRole("main").getByRole("link").filter({ hasText: "есть возврат" });
  for (let pages = 0; pages < 10 && (await withReturn.count()) === 0; pages++) {
    await page.getByRole("link", { name: "Показать ещё" }).click();
  }
  await withReturn.first().click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(/Чек на /);
  const main = page.getByRole("main");
  await expect(main).toContainText("Возврат");
  await expect(main).toContainText("Начислено баллов");
  await expect(main).toContainText("Снято баллов");
  // On paper it is the receipt and nothing else.
  await page.emulateMedia({ media: "print" });
  await expect(page.getByRole("article", { name: "Чек", exact: true })).toBeVisible();
  for (const gone of ["Баллы за этот чек", "Скачать PDF", "Не хватает баллов?"]) {
    await expect(main.getByText(gone).first()).toBeHidden();
  }
  await page.emulateMedia({ media: "screen" });
  await main.getByRole("link", { name: /^Не хватает баллов\?/ }).first().click();
  await expect(page.getByLabel("О чём")).toHaveValue("points_missing");
  await expect(page.getByRole("main")).toContainText("мы приложим к обращению сами");
  await page.goto("/points");
  await expect(page.getByRole("main")).toContainText("Начислены за покупку");
});

test("a search among purchases finds the article and says when there is none", async ({ page, engine }) => {
  await be(page, engine, "customer");
  await page.goto("/purchases");
  await page.getByLabel("Товар, категория или номер чека").fill("нет такого товара, правда'");
  await press(page, "Найти");
  await expect(page.getByRole("main")).toContainText("По этим условиям покупок нет");
  await page.getByRole("link", { name: "Показать всё" }).first().click();
  await expect(page).toHaveURL(/\/purchases$/);
  await expect(page.getByRole("main")).toContainText(/\d\sчек/);
});

test("somebody joins a program and leaves it, knowing what becomes of the points", async ({ page, signIns }) => {
  await newcomer(page, signIns);
  await page.goto("/programs");
  const link = page.getByRole("link", { name: /^Условия и вступление/ }).first();
  await link.click();
  const name = await page.getByRole("heading", { level: 1 }).textContent();
  await press(page, "Вступить в программу");
  await expect(page.getByRole("status")).toContainText("Вы участвуете");
  await page.getByRole("link", { name: "Выйти из программы" }).click();
  await expect(page.getByRole("heading", { name: "Что будет с баллами" })).toBeVisible();
  await expect(page.getByRole("main")).toContainText("Баллов в этой программе у вас нет");
  await press(page, "Выйти и не получать новых баллов");
  await expect(page.getByRole("status")).toContainText("Вы вышли из программы");
  await expect(page.getByRole("link", { name: words(`Условия и вступление: ${name}`) })).toBeVisible();
});

test("points are given to a friend and called back", async ({ page, another, signIns }) => {
  const phone = await newcomer(page, signIns);
  const friend = await another();
  await newcomer(friend, signIns, { ...PERSON, name: "Борис" });
  const card = await cardOf(friend);
  const desk = await another();
  await enter(desk, employ(signIns, "administrator"));
  await fund(desk, signIns, phone, "200");

  await page.goto("/points");
  await page.getByRole("link", { name: "Подарить баллы" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Подарить баллы");
  await expect(page.getByRole("main")).toContainText("через 1 час, до тех пор их можно вернуть");
  await page.getByLabel("Номер карты").fill("290");
  await page.getByLabel("Сколько баллов").fill("150,50");
  await press(page, "Дальше");
  await expect(page.getByText("По этому номеру подарить нельзя").first()).toBeVisible();
  await expect(page.getByLabel("Сколько баллов")).toHaveValue("150,50");
  await page.getByLabel("Номер карты").fill(card);
  await press(page, "Дальше");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Всё верно?");
  await expect(page.getByRole("main")).toContainText("Б•••с");
  await expect(page.getByRole("main")).not.toContainText("Борис");
  await expect(page.getByRole("main")).not.toContainText("О'Нил-Смирнова");
  await press(page, "Подарить 150,50 балла");
  await expect(page.getByRole("status")).toContainText("Баллы в пути");
  await expect(page.getByRole("main")).toContainText("Кому: Борис");
  await friend.goto("/points/transfer");
  await expect(friend.getByRole("main")).toContainText("Пока никто никому ничего не дарил");

  await press(page, /^Вернуть/);
  await expect(page.getByRole("status")).toContainText("Баллы снова у вас");
  await expect(page.getByRole("main")).toContainText("Вы их вернули");
  await page.goto("/points");
  await expect(page.getByRole("main")).toContainText("Вернулись к вам");
  const home = await page.goto("/");
  expect(home?.status()).toBe(200);
  await expect(page.getByRole("main")).toContainText("200");
});

test("a request goes to support, the agent answers, the customer sees it", { tag: "@first-day" }, async ({ page, another, signIns }) => {
  const phone = await newcomer(page, signIns);
  await page.goto("/support");
  await page.getByRole("link", { name: "Написать", exact: true }).first().click();
  await page.getByLabel("О чём").selectOption({ index: 1 });
  await page.getByLabel("Сообщение").fill("Где мои баллы?\n\nОбещали вчера <b>'\" 😀");
  const picture = Buffer.from("89504e470d0a1a0a00", "hex");
  await page.getByLabel(/^Файлы/).setInputFiles([{ name: "мой чек.png", mimeType: "image/png", buffer: picture }]);
  await press(page, "Отправить обращение");
  await expect(page.getByRole("status")).toContainText("Обращение отправлено");
  await expect(page.getByRole("main")).toContainText("Обещали вчера <b>'\" 😀");
  const thread = new URL(page.url()).pathname;
  const number = thread.split("/").pop();
  // Elsewhere meanwhile: where the thread is open, an answer is read as it comes.
  await page.goto("/card");

  // In another browser, at the shop.
  const desk = await another();
  await desk.goto("/admin/requests");
  await expect(desk).toHaveURL(/\/admin\/sign-in/);
  await enter(desk, employ(signIns));
  await desk.goto("/admin/customers");
  const search = desk.getByRole("main").getByRole("searchbox");
  await search.fill(phone.replace("+7", "8"));
  await search.press("Enter");
  await desk.getByRole("main").getByRole("link", { name: /О'Нил-Смирнова/ }).first().click();
  await expect(desk.getByRole("heading", { level: 1 })).toContainText("Анна");
  await desk.getByRole("main").getByRole("link", { name: new RegExp(`№ ${number}\\b`) }).first().click();
  await expect(desk.getByRole("main")).toContainText("Обещали вчера <b>'\" 😀");
  const saving = desk.waitForEvent("download");
  await desk.getByRole("link", { name: /мой чек\.png/ }).click();
  const saved = await saving;
  expect(saved.suggestedFilename()).toMatch(new RegExp(`^${number}-[0-9a-f]{32}\\.png$`));
  expect(readFileSync(await saved.path()).equals(picture)).toBe(true);
  await desk.locator("#request-answer textarea").fill("Баллы придут завтра: \"<i>'");
  await desk.locator("#request-answer").getByRole("button", { name: "Отправить ответ" }).click();
  await expect(desk.getByRole("status")).toContainText("Ответ отправлен");

  await page.goto("/");
  await expect(page.getByRole("main")).toContainText("Новый ответ");
  await page.getByRole("link", { name: /^Уведомления, новых/ }).click();
  await expect(page.getByRole("main")).toContainText("Есть ответ на обращение");
  await page.goto("/support");
  await expect(page.getByRole("link", { name: /^Уведомления, новых/ })).toHaveCount(0);
  await expect(page.getByRole("main")).toContainText("Новый ответ");
  await page.goto(thread);
  await expect(page.getByRole("main")).toContainText("Баллы придут завтра: \"<i>'");
  await page.goto("/support");
  await expect(page.getByRole("main")).not.toContainText("Новый ответ");
  await page.goto(thread);
  await page.locator("#request-rate-score").selectOption("5");
  await press(page, "Оценить");
  await expect(page.getByRole("status")).toContainText("оценка записана");
  await expect(page.getByRole("main")).toContainText("Ваша оценка: 5 из 5");
  await press(page, /Вопрос решён/);
  await expect(page.getByRole("status")).toContainText("Обращение закрыто");
  await press(page, "Открыть снова");
  await expect(page.getByRole("status")).toContainText("снова открыто");
});

test("the profile changes part by part", async ({ page, signIns }) => {
  await newcomer(page, signIns);
  await page.goto("/profile");
  await page.getByRole("link", { name: /О'Нил-Смирнова/ }).click();
  await page.getByLabel("Имя", { exact: true }).fill("Жан-Клод");
  await press(page, "Сохранить");
  await expect(page.getByRole("status")).toContainText("Сохранили имя");
  await expect(page.getByRole("main")).toContainText("Жан-Клод О'Нил-Смирнова");

  await page.getByRole("link", { name: /Телефоны и почта/ }).click();
  const [first, second] = [freeEmail(), freeEmail()];
  for (const email of [first, second]) {
    await page.getByLabel("Новый адрес").fill(email);
    await press(page, "Добавить почту");
    await expect(page.getByRole("status")).toContainText("Добавили почту");
    // Only what is proved can become the main one.
    await expect(page.getByRole("button", { name: `Сделать основным: ${email}` })).toHaveCount(0);
    await press(page, `Подтвердить: ${email}`);
    await page.getByLabel("Код", { exact: true }).fill(await code(page, email));
    await press(page, "Подтвердить");
    await expect(page.getByRole("status")).toContainText("Подтвердили почту");
  }
  await press(page, `Сделать основным: ${second}`);
  await expect(page.getByRole("status")).toContainText("основной");
  await press(page, `Убрать: ${first}`);
  await expect(page.getByRole("main")).not.toContainText(first);
  await page.getByLabel("Ещё один телефон").fill(freePhone());
  await press(page, "Добавить телефон");
  await expect(page.getByRole("status")).toContainText("Добавили телефон");
  await expect(page.getByRole("main")).toContainText("Не подтверждён");

  await page.goto("/profile/children");
  await fillDate(page, "1", "июня", "2020");
  await page.getByRole("checkbox", { name: /родитель/ }).check();
  await press(page, "Добавить день рождения");
  await expect(page.getByRole("main")).toContainText("1 июня 2020");
  await press(page, /^Убрать/);
  await expect(page.getByRole("status")).toContainText("Убрали дату");

  await page.goto("/profile/preferences");
  await page.getByLabel(/^Любимый магазин/).selectOption({ index: 2 });
  await page.getByRole("group", { name: "Любимые категории" }).getByRole("checkbox").first().check();
  await press(page, "Сохранить");
  await expect(page.getByRole("status")).toContainText("Сохранили предпочтения");
  await expect(page.getByRole("main")).toContainText("Любимый магазин:");

  await page.goto("/profile/consents");
  await press(page, "Дать согласие: SMS об акциях");
  await expect(page.getByRole("status")).toContainText("Согласие дано");
  await press(page, "Отозвать согласие: SMS об акциях");
  await expect(page.getByRole("status")).toContainText("Согласие отозвано");
});

test("a customer ends the session on another device", async ({ page, another, signIns }) => {
  const password = "три медведя и самовар";
  const person = { name: "Анна", surname: "К", day: "1", month: "1", year: "1990", email: "", password, "consents[]": ["personal_data", "loyalty_rules"] };
  const phone = await newcomer(page, signIns, person);
  const other = await another();
  const signedIn = await send(other.request, signIns.url, "/sign-in?by=password", "sign_in.password", { phone, password });
  expect(signedIn.headers().location).toBe("/");
  await other.goto("/card");
  await expect(other.getByRole("heading", { level: 1 })).toHaveText("Карта");
  await page.goto("/devices");
  await expect(page.getByRole("main")).toContainText("Это устройство");
  await press(page, /^Завершить\s*: /);
  await expect(page.getByRole("status")).toContainText("завершён");
  await other.goto("/card");
  await expect(other).toHaveURL(/\/sign-in\?next=\/card/);
  await page.goto("/card");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Карта");
});

test("language and theme stay chosen", async ({ page, signIns }) => {
  await newcomer(page, signIns);
  await page.goto("/offers");
  await press(page, /English/);
  await expect(page).toHaveURL(/\/offers$/);
  await expect(page.locator("html")).toHaveAttribute("lang", "en");
  await page.goto("/");
  await expect(page.locator("html")).toHaveAttribute("lang", "en");
  await press(page, /Русский/);
  await expect(page.locator("html")).toHaveAttribute("lang", "ru");
  // Three stand under one icon, the chosen one marked.
  const paper = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const choose = async (name: string) => {
    await page.locator(".theme > summary").click();
    await press(page, name);
  };
  await choose("Тёмная тема");
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  const dark = await paper().catch(() => "");
  await choose("Светлая тема");
  await expect(page.locator("html")).toHaveAttribute("data-theme", "light");
  if (dark) expect(await paper()).not.toBe(dark);
  await page.goto("/programs");
  await expect(page.locator("html")).toHaveAttribute("data-theme", "light");
  // And back: the page is again as the device is, whichever way that goes.
  await choose("Тема как на устройстве");
  await expect(page.locator("html")).not.toHaveAttribute("data-theme");
  await page.emulateMedia({ colorScheme: "dark" });
  const byDevice = await paper().catch(() => "");
  await page.emulateMedia({ colorScheme: "light" });
  if (byDevice) expect(await paper()).not.toBe(byDevice);
  await page.locator(".theme > summary").click();
  const { x, width } = (await page.locator(".themes").boundingBox())!;
  expect(x).toBeGreaterThanOrEqual(0);
  expect(x + width).toBeLessThanOrEqual(page.viewportSize()!.width);
  await expect(page.getByRole("button", { name: words("Тема как на устройстве") })).toHaveAttribute("aria-pressed", "true");
});

test("s26 after sign-out nothing is left to go back to", async ({ page, signIns }) => {
  await newcomer(page, signIns);
  await page.goto("/");
  await page.goto("/card");
  await press(page, "Выйти");
  await expect(page.getByRole("status")).toContainText("Вы вышли из кабинета");
  await page.goBack();
  await expect(page).toHaveURL(/\/sign-in/);
  await expect(page.getByRole("main")).not.toContainText(/290\s*\d/);
  await page.goBack().catch(() => undefined);
  await expect(page.locator("body")).not.toContainText("Анна");
});

test("the second step is turned on, asked for, and helped out of by a recovery code", async ({ page, another, signIns }) => {
  const password = "три медведя и самовар";
  const phone = await newcomer(page, signIns, { ...PERSON, password });
  await page.goto("/profile/security");
  await page.getByRole("link", { name: /Второй шаг входа/ }).click();
  await press(page, "Подключить приложение");
  await expect(page.getByRole("img", { name: /QR-код/ })).toBeVisible();
  const secret = await secretOf(page);
  await page.getByLabel("Код из приложения").fill("000000");
  await press(page, "Включить второй шаг");
  await expect(page.getByText("Код не подошёл").first()).toBeVisible();
  await page.getByLabel("Код из приложения").fill(totp(secret));
  await press(page, "Включить второй шаг");
  await expect(page.getByRole("status")).toContainText("Второй шаг включён");
  const codes = await page.locator(".codes code").allTextContents();
  expect(codes).toHaveLength(10);
  await press(page, "Коды сохранены");
  await expect(page.getByRole("main")).toContainText("Осталось 10 кодов");

  const other = await another();
  const signIn = async () => {
    await other.goto("/sign-in?by=password");
    await other.getByLabel("Телефон").fill(phone);
    await other.getByLabel("Пароль").fill(password);
    await press(other, "Войти");
    await expect(other.getByRole("heading", { level: 1 })).toHaveText("Второй шаг");
  };
  await signIn();
  await other.goto("/card");
  await expect(other).toHaveURL(/\/sign-in/);
  await signIn();
  await other.getByLabel("Код из приложения").fill(codes[0]);
  await press(other, "Войти");
  await expect(other.getByRole("heading", { level: 1 })).toContainText("Анна");
  await press(page, "Выключить второй шаг");
  await expect(page.getByRole("status")).toContainText("Убрали");
});

test("a new person registers through a provider, and comes in by it", async ({ page }) => {
  test.slow();
  const account = freeAccount();
  await page.goto("/sign-in?next=/points");
  await page.getByRole("link", { name: "Войти через Тест ID" }).click();
  await agree(page, account);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Ваш телефон");
  await expect(page.getByRole("main")).toContainText(`${account}@example.com`);
  const phone = freePhone();
  await page.getByLabel("Телефон").fill(phone);
  await press(page, "Получить код");
  await page.getByLabel("Код", { exact: true }).fill(await code(page, phone));
  await press(page, "Подтвердить номер");
  await expect(page.getByLabel("Имя", { exact: true })).toHaveValue("Зоя");
  await expect(page.getByLabel("Фамилия")).toHaveValue("Лебедева");
  await expect(page.getByLabel("День", { exact: true })).toHaveValue("29");
  await expect(page.getByRole("combobox", { name: "Месяц" })).toHaveValue("2");
  await expect(page.getByLabel("Год", { exact: true })).toHaveValue("1992");
  await expect(page.getByLabel(/^Почта/)).toHaveValue(`${account}@example.com`);
  await page.getByRole("checkbox", { name: /персональных данных/ }).check();
  await page.getByRole("checkbox", { name: /Правила клуба/ }).check();
  await press(page, "Проверить и выпустить карту");
  await press(page, "Да, всё верно");
  await expect(page).toHaveURL(/\/welcome/);
  await page.goto("/profile");
  await press(page, "Выйти");
  await expect(page).toHaveURL(/\/sign-in/);

  // The provider knows this browser by now, and asks no more.
  await page.goto("/sign-in?next=/points");
  await page.getByRole("link", { name: "Войти через Тест ID" }).click();
  await expect(page).toHaveURL(/\/points$/);
});

test("who changes their mind at the provider finds the other ways", async ({ page }) => {
  await page.goto("/sign-in");
  await page.getByRole("link", { name: "Войти через Тест ID" }).click();
  await press(page, "Не сейчас");
  await expect(page.getByRole("alert")).toContainText("Вы не стали входить");
  await expect(page.getByRole("button", { name: "Получить код" })).toBeVisible();
});

test("a customer links an account in the profile, and unlinks it", async ({ page, signIns }) => {
  await newcomer(page, signIns);
  const account = freeAccount();
  await page.goto("/profile/security");
  await page.getByRole("link", { name: /Вход через другие сервисы/ }).click();
  await page.getByRole("link", { name: "Привязать Тест ID" }).click();
  await agree(page, account);
  await expect(page.getByRole("status")).toContainText("теперь можно входить и так");
  await expect(page.getByRole("main")).toContainText(`${account}@example.com`);
  await press(page, /^Отвязать/);
  await expect(page.getByRole("status")).toContainText("Отвязали");
  await expect(page.getByRole("main")).not.toContainText(account);
});

test("staff come in by the provider with the role of their claim", async ({ page, another }) => {
  await page.goto("/admin/sign-in");
  await page.getByRole("link", { name: "Войти через Рабочий вход" }).click();
  const account = freeAccount("agent");
  await agree(page, account);
  await expect(page).toHaveURL(/\/admin\/requests/);
  // The provider knows this browser by now, and asks all the same when they are to prove anew who they are.
  await page.goto("/admin/confirm?next=/admin/security");
  await expect(page.getByLabel("Код из приложения")).toHaveCount(0);
  await page.getByRole("link", { name: "Подтвердить через Рабочий вход" }).click();
  await agree(page, account);
  await expect(page).toHaveURL(/\/admin\/security$/);
  const stranger = await another();
  await stranger.goto("/admin/sign-in");
  await stranger.getByRole("link", { name: "Войти через Рабочий вход" }).click();
  await agree(stranger, freeAccount());
  await expect(stranger.getByRole("alert")).toContainText("Доступа нет");
});
