// What customers see of their cabinet in a browser: with JavaScript on SQLite, and without it on PostgreSQL.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import {
  be, cardOf, code, employ, enter, expect, freeEmail, freePhone, fund, newcomer, PERSON, press, send, test, withSettings, words, type Page, type SignIns,
} from "./site";

const main = (page: Page) => page.getByRole("main");

/** A key with which a till books receipts. */
function till(signIns: SignIns): string {
  const name = `till-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
  const env = withSettings(signIns.settings);
  const told = execFileSync(signIns.program, ["till", "add", name, "Касса у входа"], { env, encoding: "utf8" });
  return told.match(/kbt_\S+/)?.[0] ?? "";
}

/** Buys something with a card, as a till books it. */
async function buy(page: Page, signIns: SignIns, card: string, price: number) {
  const headers = { authorization: `Bearer ${till(signIns)}` };
  const post = (path: string, data: object) => {
    const key = `cabinet-${Math.random().toString(36).slice(2)}`;
    return page.request.post(`${signIns.url}/api/v1${path}`, { headers: { ...headers, "idempotency-key": key }, data });
  };
  const { customer } = await (await post("/customers/identify", { card })).json();
  const lines = [{ article: "tea", name: "Чай", quantity: 1, price }];
  const document = `CABINET-${Math.random().toString(36).slice(2)}`;
  const sold = await post("/purchases", { document, at: new Date().toISOString(), customer, lines });
  expect(sold.status(), await sold.text()).toBe(201);
}

test("points are narrowed, explained and taken along as a statement", async ({ page, engine }) => {
  await be(page, engine, "customer");
  await page.goto("/points");
  await page.getByLabel("Что произошло").selectOption({ label: "Начислены" });
  await press(page, "Показать");
  await expect(page).toHaveURL(/[?&]kind=earned/);
  await expect(page.getByLabel("Что произошло")).toHaveValue("earned");
  const entry = main(page).locator("details.entry").first();
  // The balance runs along without opening anything.
  await expect(entry.locator("summary").first()).toContainText(/[+−][\d\s,]+\s*остаток [−\d]/);
  await expect(entry.getByText("Стало в программе")).toBeHidden();
  await entry.locator("summary").first().click();
  await expect(entry.getByText("Стало в программе")).toBeVisible();
  const saving = page.waitForEvent("download");
  await page.getByRole("link", { name: "Для таблиц (CSV)" }).click();
  const saved = await saving;
  expect(saved.suggestedFilename()).toMatch(/^points-[\d-]+\.csv$/);
  expect(readFileSync(await saved.path(), "utf8").split("\n").length).toBeGreaterThan(10);
  await page.getByRole("link", { name: "Показать всё", exact: true }).click();
  await expect(page).toHaveURL(/\/points$/);
  // A movement is asked about, and the request says which page it was written from.
  await entry.locator("summary").first().click();
  await entry.getByRole("link", { name: "Спросить об этом" }).click();
  await expect(main(page)).toContainText("с какой страницы вы пишете: движение баллов");
});

test("a purchase is planned before it is made", async ({ page, engine }) => {
  await be(page, engine, "customer");
  await page.goto("/what-if");
  await page.getByLabel("Товар: название или код").fill("bag");
  await press(page, "Найти");
  const add = page.getByRole("button", { name: /^Добавить/ });
  await expect(add.first()).toBeVisible();
  expect(await add.count()).toBeLessThanOrEqual(10);
  await add.first().click();
  await expect(main(page).locator("fieldset.plan-line")).toHaveCount(1);
  await page.getByLabel(/^Цена/).fill("500");
  await page.getByLabel("Или просто сумма").fill("1500");
  await press(page, "Посчитать");
  await expect(page.locator("#result")).toContainText("К оплате");
  await expect(page.locator("#result")).toContainText(/Баллы «/);
});

test("an offer is switched on", async ({ page, signIns }) => {
  await newcomer(page, signIns);
  await page.goto("/offers");
  await expect(page.getByRole("heading", { name: "Для вас" })).toBeVisible();
  await page.getByRole("button", { name: /^Включить/ }).first().click();
  await expect(page.getByRole("status")).toContainText("Акция включена");
  await expect(main(page)).toContainText("Включена");
  await main(page).getByRole("link", { name: /^Спросить об акции/ }).first().click();
  await expect(main(page)).toContainText("с какой страницы вы пишете: акция");
});

test("programs stand side by side, and each tells its tiers", async ({ page, engine }) => {
  await be(page, engine, "customer");
  await page.goto("/programs");
  await expect(page.getByRole("heading", { name: "Сравнить программы" })).toBeVisible();
  const table = page.getByRole("table", { name: "Сравнить программы" });
  await expect(table.getByRole("row")).not.toHaveCount(1);
  await table.getByRole("link").first().click();
  await expect(page).toHaveURL(/\/programs\/[a-z_-]+$/);
  await page.goto("/programs/club");
  await expect(page.getByRole("heading", { name: "Уровни программы" })).toBeVisible();
  await page.getByText("Что такое уровень", { exact: true }).click();
  await expect(main(page).getByText("Уровень зависит от ваших покупок")).toBeVisible();
});

test("a friend comes by a link, buys, and both are rewarded", async ({ page, another, signIns }) => {
  test.slow();
  await newcomer(page, signIns);
  await page.goto("/invite");
  await press(page, "Получить ссылку");
  const link = await page.getByLabel("Ссылка для друга").inputValue();
  const friend = await another();
  await friend.goto(new URL(link).pathname);
  await expect(friend.getByRole("heading", { level: 1 })).toHaveText("Анна приглашает вас");
  // The code that came by the link stands in the form, and is sent along.
  await newcomer(friend, signIns, { ...PERSON, name: "Борис", invite: new URL(link).pathname.split("/").pop() ?? "" });
  await page.goto("/invite");
  await expect(main(page)).toContainText("Борис О.");
  await expect(main(page)).toContainText("Пока без покупок");
  await buy(friend, signIns, await cardOf(friend), 100_000);
  await page.goto("/invite");
  await expect(main(page)).toContainText("Награда ваша");
  await page.goto("/points");
  await expect(main(page)).toContainText("Приведи друга");
  await friend.goto("/purchases");
  await expect(main(friend)).toContainText(/1\s000,00/);
});

test("quiet hours and a pause are kept", async ({ page, signIns }) => {
  await newcomer(page, signIns);
  await page.goto("/profile/quiet");
  const day = new Date(Date.now() + 9 * 86_400_000).toISOString().slice(0, 10);
  await page.getByLabel("Не беспокоить с").selectOption("20");
  await page.getByLabel("и до", { exact: true }).selectOption("11");
  await page.getByLabel("За неделю не больше").selectOption("1");
  await page.getByLabel(/^Пауза до/).fill(day);
  await press(page, "Сохранить");
  await expect(page.getByRole("status")).toContainText("Запомнили");
  await page.goto("/profile/quiet");
  await expect(page.getByLabel("Не беспокоить с")).toHaveValue("20");
  await expect(page.getByLabel("и до", { exact: true })).toHaveValue("11");
  await expect(page.getByLabel("За неделю не больше")).toHaveValue("1");
  await expect(page.getByLabel(/^Пауза до/)).toHaveValue(day);
});

test("a customer sees who looked at their data, and who came in", async ({ page, another, signIns }) => {
  test.slow();
  const phone = await newcomer(page, signIns);
  await page.goto("/profile/views");
  await expect(main(page)).toContainText("Ваши данные пока никто не открывал");
  const desk = await another();
  await enter(desk, employ(signIns, "administrator"));
  await fund(desk, signIns, phone, "10");
  await page.goto("/profile/views");
  await expect(main(page)).toContainText("Открыта ваша карточка");
  await expect(main(page)).toContainText("Исправлены ваши баллы");
  await page.goto("/devices");
  await expect(page.getByRole("heading", { name: "Входы и попытки" })).toBeVisible();
  await expect(main(page)).toContainText("регистрация");
});

test("the help is searched, read and judged", async ({ page }) => {
  await page.goto("/help");
  await page.getByLabel("Что вы ищете?").fill("потеряла карту");
  await press(page, "Найти");
  await page.getByRole("link", { name: /Карта потеряна/ }).click();
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Карта потеряна");
  await press(page, "Да");
  await expect(page.getByRole("status")).toContainText("Спасибо");
});

test("a conversation leads to a card by «Нет» and «Да», and tells the balance", async ({ page }) => {
  test.slow();
  const log = page.getByRole("log");
  const say = async (text: string, answer: string) => {
    await page.getByLabel("Сообщение").fill(text);
    await press(page, "Отправить");
    await expect(log.getByRole("listitem").last()).toContainText(answer);
  };
  const phone = freePhone();
  await page.goto("/chat");
  await page.getByLabel("Сообщение").fill(phone);
  await press(page, "Отправить");
  await expect(page.getByLabel("Код из сообщения")).toBeVisible();
  await page.getByLabel("Код из сообщения").fill(await code(page, phone));
  await press(page, "Отправить");
  await expect(log.getByRole("listitem").last()).toContainText("Как вас зовут?");
  // What was said and answered stands there once the next page has come.
  const choose = async (name: string) => {
    const before = await log.getByRole("listitem").count();
    await press(page, name);
    await expect.poll(() => log.getByRole("listitem").count()).toBeGreaterThan(before);
  };
  const told = async (surname: string) => {
    await say("Анна", "Ваша фамилия?");
    await say(surname, "Адрес почты?");
    await say("пропустить", "день рождения");
    await say("3.05.1990", "Вы согласны");
    const review = log.getByRole("listitem").last().getByText("Проверьте, всё ли верно");
    for (let asked = 0; asked < 10 && !(await review.isVisible()); asked++) await choose("Да");
    await expect(log.getByRole("listitem").last()).toContainText(surname);
  };
  await told("Ошибкина");
  await choose("Нет");
  await expect(log.getByRole("listitem").last()).toContainText("Как вас зовут?");
  await told("Лебедева");
  await press(page, "Да");
  await expect(log.getByRole("listitem").last()).toContainText("карта ваша");
  await press(page, "Баланс");
  await expect(log).toContainText("На карте баллов");
  await page.goto("/card");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Карта");
});

test("what matters today stands first, and goes when it is done", async ({ page, signIns }) => {
  await newcomer(page, signIns);
  // What else matters, as an offer that ends tomorrow, is the day's.
  const email = freeEmail();
  await send(page.request, signIns.url, "/profile/contacts", "contact.add_email", { email });
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "Важно сегодня" })).toBeVisible();
  await main(page).getByRole("link", { name: new RegExp(`Подтвердите ${email.replace(".", "\\.")}`) }).click();
  await expect(page).toHaveURL(/\/profile\/contacts$/);
  await press(page, words(`Убрать: ${email}`));
  await expect(main(page)).not.toContainText(email);
  await page.goto("/");
  await expect(main(page).getByRole("link", { name: /^Подтвердите/ })).toHaveCount(0);
});

test("spending is told by category and month, over as long as somebody asks", async ({ page, engine }) => {
  await be(page, engine, "customer");
  await page.goto("/purchases/spending");
  await expect(page.getByRole("table", { name: "По месяцам" })).toBeVisible();
  await page.getByRole("link", { name: "3 месяца" }).click();
  await expect(page).toHaveURL(/months=3$/);
  await expect(page.getByRole("link", { name: "3 месяца" })).toHaveAttribute("aria-current", "true");
});

test("too many files, and names with paths, are refused with everything typed", async ({ page, signIns }) => {
  test.slow();
  await newcomer(page, signIns);
  await page.goto("/support/new");
  const picture = Buffer.from("89504e470d0a1a0a00", "hex");
  const file = (name: string) => ({ name, mimeType: "image/png", buffer: picture });
  const refused = async (names: string[], answer: RegExp) => {
    await page.getByLabel("О чём").selectOption("other");
    await page.getByLabel("Сообщение").fill("Фото чека");
    await page.getByLabel(/^Файлы/).setInputFiles(names.map(file));
    await press(page, "Отправить обращение");
    await expect(page.getByRole("alert")).toBeVisible();
    await expect(page.getByText(answer).first()).toBeVisible();
    await expect(page.getByLabel("Сообщение")).toHaveValue("Фото чека");
  };
  await refused(Array.from({ length: 50 }, (_, n) => `чек-${n}.png`), /не больше \d+ файлов/);
  // It looks like another kind of file than it is.
  await refused(["gnp\u202e.png"], /Переименуйте файл № 1/);
  // A browser may send a path as it is, which is refused, or mend it; a file is never had by the name that its owner gave it.
  await page.getByLabel(/^Файлы/).setInputFiles([file("../../чек.png")]);
  const withFiles = page.waitForResponse((answer) => /^multipart/.test(answer.request().headers()["content-type"] ?? ""));
  await press(page, "Отправить обращение");
  if ((await withFiles).status() === 422) {
    await expect(page.getByLabel(/^Файлы/)).toHaveValue("");
    await page.getByLabel(/^Файлы/).setInputFiles([file("чек.png")]);
    await press(page, "Отправить обращение");
  }
  await expect(page.getByRole("status")).toContainText("Обращение отправлено");
  await expect(main(page).locator("a.attached")).toHaveAttribute("href", /\/support\/\d+\/files\/[0-9a-f-]{36}$/);
});

test("a newcomer is shown around, and no more once they are through", async ({ page, signIns }) => {
  await newcomer(page, signIns);
  await page.goto("/");
  await page.getByRole("link", { name: "Показать", exact: true }).click();
  for (let step = 1; step < 6; step++) {
    await expect(page.getByRole("main")).toContainText(`Шаг ${step} из 6`);
    await page.getByRole("link", { name: "Дальше" }).click();
  }
  await press(page, "Готово, на главную");
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Анна");
  await expect(page.getByRole("link", { name: "Показать", exact: true })).toHaveCount(0);
});
