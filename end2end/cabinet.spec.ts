// What customers see of their cabinet in a browser: with JavaScript on SQLite, and without it on PostgreSQL.
import { readFileSync } from "node:fs";
import { be, buy, cardOf, code, employ, enter, expect, freeEmail, freePhone, fund, newcomer, PERSON, press, send, test, words, type Page } from "./site";

const main = (page: Page) => page.getByRole("main");

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
  await page.getByLabel("Или просто сумма").fill("1700");
  await page.getByRole("button", { name: /^Убрать/ }).click();
  await expect(main(page).locator("fieldset.plan-line")).toHaveCount(0);
  await expect(page.getByLabel("Или просто сумма")).toHaveValue("1700");
  await page.getByLabel("Товар: название или код").fill("bag");
  await press(page, "Найти");
  await add.first().click();
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

test("an offer says where it holds, and the shops of a town come first", async ({ page, engine }) => {
  await be(page, engine, "customer");
  await page.goto("/offers");
  const offer = main(page).locator("article.offer").filter({ has: page.locator('a[href^="/stores?offer="]') }).filter({ visible: true }).first();
  const title = await offer.getByRole("heading").innerText();
  const fold = offer.locator("details > summary");
  if (await fold.count()) await fold.click();
  await offer.getByRole("link", { name: "Адреса и часы" }).click();
  await expect(main(page)).toContainText(`Где действует: ${title}`);
  const shops = main(page).locator("article");
  const held = await shops.count();
  expect(held).toBeGreaterThan(0);
  const town = (await shops.last().getByRole("heading", { level: 2 }).innerText()).split(",")[0];
  await page.getByLabel("Ближе к городу").selectOption(town);
  await press(page, "Показать");
  await expect(page).toHaveURL(/\/stores\?.*offer=/);
  await expect(shops.first().getByRole("heading", { level: 2 })).toContainText(town);
  await expect(shops).toHaveCount(held);
  await expect(shops.first().getByRole("link", { name: /^На карте/ })).toHaveAttribute("href", /^https:\/\/www\.openstreetmap\.org\//);
  await page.getByRole("link", { name: "Показать все магазины" }).click();
  await expect.poll(() => shops.count(), "it holds in some shops only").toBeGreaterThan(held);
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

test("what was bought is planned once more, and its receipt is taken along", async ({ page, engine }) => {
  await be(page, engine, "customer");
  await page.goto("/purchases");
  await page.getByRole("link", { name: "Что вы берёте чаще всего" }).click();
  await main(page).getByRole("link", { name: /^Посчитать баллы/ }).first().click();
  await expect(page).toHaveURL(/\/what-if\?/);
  await expect(main(page).locator("fieldset.plan-line")).toHaveCount(1);
  await expect(page.locator("#result")).toContainText("К оплате");
  await page.goto("/purchases");
  const statement = page.waitForEvent("download");
  await page.getByRole("link", { name: "Для таблиц (CSV)" }).click();
  const told = readFileSync(await (await statement).path(), "utf8").trim().split("\n");
  expect(told[0]).toContain("Товар");
  expect(told.length).toBeGreaterThan(10);
  await main(page).locator("a.row").filter({ hasNotText: "Возврат" }).first().click();
  const saving = page.waitForEvent("download");
  await page.getByRole("link", { name: "Скачать PDF" }).click();
  const saved = await saving;
  expect(saved.suggestedFilename()).toMatch(/^receipt-[\d-]+\.pdf$/);
  expect(readFileSync(await saved.path()).subarray(0, 5).toString()).toBe("%PDF-");
  await page.getByRole("link", { name: "Посчитать такую же покупку" }).click();
  await expect(main(page).locator("fieldset.plan-line").first()).toBeVisible();
});

test("points that are missing are asked about by the line, and staff read how they were worked out", async ({ page, another, signIns }) => {
  await newcomer(page, signIns);
  await buy(page, signIns, await cardOf(page), 100_000);
  await page.goto("/purchases");
  await main(page).locator("a.row").first().click();
  await main(page).getByRole("link", { name: /^Не хватает баллов\?/ }).first().click();
  await expect(page.getByLabel("За что не хватает баллов").locator("option:checked")).toContainText("Чай");
  await page.getByLabel("Сообщение").fill("Где баллы за чай?");
  await press(page, "Отправить обращение");
  await expect(page.getByRole("status")).toContainText("Обращение отправлено");
  const number = new URL(page.url()).pathname.split("/").pop();
  const desk = await another("agent");
  await desk.goto(`/admin/requests/${number}`);
  await expect(main(desk)).toContainText("не хватает баллов за «Чай»");
});

test("a lost card is blocked by its owner, and another one takes its place", async ({ page, signIns }) => {
  await newcomer(page, signIns);
  const lost = await cardOf(page);
  await page.getByText("Карту потеряли или её номер узнал").click();
  await press(page, /^Заблокировать и получить новую/);
  await expect(page.getByRole("status")).toContainText("Карта заблокирована");
  expect(await cardOf(page)).not.toBe(lost);
  await expect(main(page)).toContainText("Заблокирована");
  // They are told of it, and read later what they were told, channel by channel.
  const messages = async () => {
    await page.goto("/profile/messages");
    return main(page).locator("li.message").count();
  };
  await expect.poll(messages, { timeout: 30_000 }).toBeGreaterThan(0);
  const channels = page.getByRole("navigation", { name: "Чем отправлено" });
  await channels.getByRole("link", { name: "SMS" }).click();
  await expect(page).toHaveURL(/channel=sms$/);
  await expect(main(page)).toContainText("заблокирована");
  await channels.getByRole("link", { name: "Почта" }).click();
  await expect(main(page)).toContainText("ещё ничего не присылали");
});

test("a consent leaves a receipt to take along", async ({ page, signIns }) => {
  await newcomer(page, signIns);
  await page.goto("/profile/consents");
  await press(page, "Дать согласие: SMS об акциях");
  await expect(page.getByRole("status")).toContainText("Согласие дано");
  const saving = page.waitForEvent("download");
  await page.getByRole("link", { name: /^расписка/i }).first().click();
  const saved = await saving;
  expect(saved.suggestedFilename()).toBe("receipt.txt");
  const receipt = readFileSync(await saved.path(), "utf8");
  for (const words of ["SMS об акциях", "Анна", "Дано"]) expect(receipt).toContain(words);
});

test("two cards of one person become one account, and part again", async ({ page, another, signIns }) => {
  test.slow();
  await newcomer(page, signIns);
  const mine = await cardOf(page);
  const before = await another();
  const old = await newcomer(before, signIns, { ...PERSON, name: "Аня" });
  const other = await cardOf(before);
  await page.goto("/merge");
  await page.getByLabel("Чем известен другой счёт").fill(old);
  await press(page, "Дальше");
  const digits = page.locator('main input[name="code"]');
  await expect(digits).toBeVisible();
  await digits.fill(await code(page, old));
  await press(page, "Дальше");
  await expect(page.getByRole("heading", { name: "Что получится" })).toBeVisible();
  const told = (await main(page).innerText()).replace(/\D/g, "");
  for (const card of [mine, other]) expect(told).toContain(card);
  await page.getByRole("checkbox", { name: "Оба счёта мои" }).check();
  await press(page, "Объединить");
  await expect(page.getByRole("status")).toContainText("теперь это один счёт");
  await page.goto("/card");
  const cards = (await main(page).innerText()).replace(/\D/g, "");
  for (const card of [mine, other]) expect(cards).toContain(card);
  await page.goto("/merge");
  await page.getByRole("checkbox", { name: "Понимаю, разделите" }).check();
  await press(page, "Разделить снова");
  await expect(page).toHaveURL(/\/sign-in/);
  await before.goto("/card");
  await expect(before).toHaveURL(/\/sign-in/);
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
  // On paper it is the answer and nothing else.
  await page.emulateMedia({ media: "print" });
  await expect(main(page).getByRole("article")).toBeVisible();
  for (const gone of ["Ответ помог?", "Ещё об этом", "Написать в поддержку"]) await expect(page.getByText(gone).first()).toBeHidden();
  await page.emulateMedia({ media: "screen" });
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
