// What customers come for, from the page where it begins to what the shop sees of it: with JavaScript on SQLite, and without it
// on PostgreSQL.
import { randomBytes } from "node:crypto";
import {
  buy, cardOf, code, employ, enter, expect, freeCard, freePhone, newcomer, PERSON, press, send, test, till, type Page, type SignIns,
} from "./site";

const main = (page: Page) => page.getByRole("main");
const said = (page: Page) => page.getByRole("status");

/** A word that nobody else writes, without a digit that could be somebody's phone. */
const freeWord = () => [...randomBytes(10)].map((byte) => "абвгдежзиклмнопр"[byte % 16]).join("");

test("a question is asked in public, answered by staff, and read by everybody", async ({ page, another, signIns }) => {
  await newcomer(page, signIns);
  const word = freeWord();
  const [question, answer] = [`Принимаете ли вы ${word}?`, `Да, ${word} принимаем в любом магазине.`];
  await page.goto("/questions");
  await main(page).getByRole("link", { name: "Задать вопрос" }).first().click();
  await page.getByLabel("О чём").selectOption("card");
  await page.getByLabel("Ваш вопрос").fill(question);
  await page.getByLabel("Как вас назвать").selectOption("name");
  await press(page, "Отправить вопрос");
  await expect(said(page)).toContainText("Вопрос отправлен");
  await expect(main(page)).toContainText("Читаем");

  // Nobody reads it before staff have.
  const guest = await another();
  const find = async () => {
    await guest.goto("/questions");
    await guest.getByLabel("Что вы ищете?").fill(word);
    await press(guest, "Найти");
  };
  await find();
  await expect(main(guest)).toContainText("Такого вопроса пока нет");

  const desk = await another("admin");
  await desk.goto("/admin/questions");
  await desk.getByRole("link", { name: question }).click();
  await expect(main(desk)).toContainText("на сайте: Анна");
  await desk.getByLabel("Ответ магазина").fill(answer);
  await press(desk, "Показать");
  await expect(said(desk)).toContainText("Это видят все");

  await page.goto("/notifications");
  await main(page).getByRole("link", { name: /Есть новости о вашем вопросе/ }).first().click();
  await expect(page).toHaveURL(/\/questions\/mine$/);
  await main(page).getByRole("link", { name: "Открыть вопрос" }).click();
  await expect(main(page)).toContainText(answer);

  await find();
  await main(guest).getByRole("link", { name: question }).click();
  await expect(main(guest)).toContainText("Спрашивает Анна");
  await expect(main(guest)).toContainText(answer);
  // She chose to be called by her name, which is no surname.
  await expect(main(guest)).not.toContainText(PERSON.surname);
  await press(guest, "Да");
  await expect(said(guest)).toContainText("Спасибо");
});

/** The form of this name that is seen. */
const form = (page: Page, name: string) => page.locator(`form:has(input[name="_fn"][value="${name}"])`).filter({ visible: true }).first();

/** Publishes a rule that gives 50 points of the club for the questionnaire; the address of its page. */
async function reward(desk: Page, signIns: SignIns, name: string): Promise<string> {
  const created = await send(desk.request, signIns.url, "/admin/rules", "rule.create", { ru: name, en: "Told" });
  const at = created.headers().location.split("?")[0];
  const submit = async (rule: string, done: RegExp) => {
    await form(desk, rule).locator("button").first().click();
    await expect(desk).toHaveURL(done);
  };
  await desk.goto(`${at}?effect=new&kind=points_fixed`);
  const effect = form(desk, "rule.effect");
  await effect.locator('[name="points"]').fill("50");
  await effect.locator('[name="program"]').selectOption({ label: "Клуб соседей" });
  await submit("rule.effect", /[?&]done=saved#effects$/);
  await desk.goto(at);
  await desk.getByText("Изменить название, срок и порядок").click();
  await form(desk, "rule.basics").locator('[name="occasion"]').selectOption("questionnaire");
  await submit("rule.basics", /[?&]done=saved/);
  await desk.goto(at);
  await submit("rule.publish", /[?&]done=published/);
  return at;
}

test("the questionnaire is answered, rewarded once, changed, taken back, and read by staff", async ({ page, another, signIns }) => {
  test.slow();
  const desk = await another();
  await enter(desk, employ(signIns, "administrator"));
  const name = `Анкета ${freeWord()}`;
  const rule = await reward(desk, signIns, name);
  const phone = await newcomer(page, signIns);

  const gift = page.locator("details.entry").filter({ hasText: name });
  const tell = async (sex: string) => {
    await page.goto("/profile");
    await main(page).getByRole("link", { name: /^Анкета/ }).click();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Анкета");
    for (const asked of await page.locator("#questionnaire-tell select:not([name=income])").all()) await asked.selectOption({ index: 1 });
    await page.getByLabel(/^Пол/).selectOption({ label: sex });
    await page.getByLabel(/^Доход/).selectOption("from_60");
    await press(page, "Сохранить");
    await expect(said(page)).toContainText("сохранили ваши ответы");
  };
  await page.goto("/questionnaire");
  await expect(main(page)).toContainText("За все ответы вы получите:");
  await expect(main(page)).toContainText("Ответ «Доход на человека в месяц» для этого не нужен");
  // For a moment another test asks one question more, which has to be answered, too.
  await expect(async () => {
    await tell("Женский");
    await page.goto("/points");
    await expect(gift).toHaveCount(1, { timeout: 500 });
  }).toPass({ timeout: 30_000 });
  await expect(gift).toContainText("+50");

  const found = await send(desk.request, signIns.url, "/admin/customers", "customer.find", { q: phone });
  await desk.goto(found.headers().location);
  await desk.locator("td a").first().click();
  const about = desk.locator("#about");
  await expect(about).toContainText("Женский");
  await expect(about).not.toContainText("60–100 тысяч");
  await about.getByRole("link", { name: "Показать ответ о доходе" }).click();
  await expect(about).toContainText("60–100 тысяч");
  await page.goto("/profile/views");
  await expect(main(page)).toContainText("Прочитан ваш ответ о доходе");

  // Another answer is another answer, and no other reward.
  await tell("Мужской");
  await expect(page.getByLabel(/^Пол/)).toHaveValue("male");
  await page.goto("/points");
  await expect(gift).toHaveCount(1);
  await desk.reload();
  await expect(about).toContainText("Мужской");
  await expect(about).not.toContainText("Женский");

  await page.goto("/questionnaire");
  await press(page, "Удалить все ответы");
  await expect(said(page)).toContainText("Все ответы удалены");
  await expect(page.getByLabel(/^Пол/)).toHaveValue("");
  await page.goto("/points");
  await expect(gift).toHaveCount(1);
  await desk.reload();
  await expect(about).toContainText("Ничего не рассказано");
  expect((await send(desk.request, signIns.url, rule, "rule.withdraw", { from: "" })).status()).toBe(303);
});

/** The cards beside the one that is shown. */
const otherCards = (page: Page) => main(page).locator("section").filter({ has: page.getByRole("heading", { name: "Другие карты" }) });

/** That the page of the card has this one of plastic beside the electronic one. */
async function expectPlastic(page: Page, number: string) {
  await page.goto("/card");
  await expect(otherCards(page)).toContainText("Пластиковая");
  expect((await otherCards(page).innerText()).replace(/\D/g, "")).toContain(number);
}

test("who gets a card of plastic at the till finds at home what it bought", async ({ page, signIns }) => {
  const [phone, plastic] = [freePhone(), freeCard()];
  const post = till(page, signIns);
  await post("/cards", { numbers: [plastic] });
  const joined = await post("/customers", { phone, card: plastic });
  expect(joined.status(), await joined.text()).toBe(201);
  await buy(page, signIns, plastic, 100_000);

  await newcomer(page, signIns, PERSON, phone);
  await page.goto("/purchases");
  await expect(main(page)).toContainText(/1\s000,00/);
  await page.goto("/points");
  await expect(main(page)).toContainText("Начислены за покупку");
  await expectPlastic(page, plastic);
  const electronic = await cardOf(page);
  expect(electronic).not.toBe(plastic);
  // Both are theirs at a till.
  const who = async (card: string) => (await (await post("/customers/identify", { card })).json()).customer;
  const { customer } = await joined.json();
  expect([await who(plastic), await who(electronic)]).toEqual([customer, customer]);
});

test("a card of plastic is bound in the cabinet, buys for the same account, and is blocked alone", async ({ page, signIns }) => {
  const [stranger, plastic] = [freeCard(), freeCard()];
  const post = till(page, signIns);
  await post("/cards", { numbers: [plastic] });
  await newcomer(page, signIns);
  const electronic = await cardOf(page);
  const number = page.getByRole("textbox", { name: /^Номер карты/ });
  await number.fill(stranger);
  await press(page, "Привязать карту");
  await expect(page.getByText("Привязать эту карту нельзя").first()).toBeVisible();
  await expect(number).toHaveValue(stranger);
  await number.fill(plastic);
  await press(page, "Привязать карту");
  await expect(said(page)).toContainText("Пластиковая карта привязана");
  await expectPlastic(page, plastic);

  await buy(page, signIns, plastic, 50_000);
  await page.goto("/purchases");
  await expect(main(page)).toContainText(/500,00/);

  await page.goto("/card");
  await otherCards(page).getByText("Карту потеряли или её номер узнал").click();
  await otherCards(page).getByRole("button", { name: /^Заблокировать карту/ }).click();
  await expect(said(page)).toContainText("Карта заблокирована");
  const taken = async (card: string) => (await post("/customers/identify", { card })).status();
  expect([await taken(plastic), await taken(electronic)]).toEqual([409, 200]);
  expect(await cardOf(page)).toBe(electronic);
});

test("a receipt that brought nothing is found from the points, explained, and written about", async ({ page, another, signIns }) => {
  await newcomer(page, signIns);
  await page.goto("/programs/club/leave");
  await press(page, "Выйти и не получать новых баллов");
  await expect(said(page)).toContainText("Вы вышли из программы");
  const document = await buy(page, signIns, await cardOf(page), 100_000);

  await page.goto("/points");
  await main(page).getByRole("link", { name: "Не пришли баллы?" }).click();
  const receipt = main(page).getByRole("link").filter({ hasText: document });
  await expect(receipt).toContainText("Баллов нет: в день покупки вы не были в программе");
  await receipt.click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Какие правила сработали");
  await expect(main(page)).toContainText("Тогда вы не были в этой программе, поэтому баллов нет");
  await main(page).getByRole("link", { name: "Написать об этом чеке" }).click();
  await expect(page.getByLabel("О чём")).toHaveValue("points_missing");
  await page.getByLabel("Сообщение").fill("За этот чек ничего не пришло. Можно зачесть?");
  await press(page, "Отправить обращение");
  await expect(said(page)).toContainText("Обращение отправлено");
  const number = new URL(page.url()).pathname.split("/").pop();
  // How the points were worked out goes along for staff, and for them alone.
  const desk = await another("agent");
  await desk.goto(`/admin/requests/${number}`);
  const traced = main(desk).getByRole("article").filter({ hasText: "не хватает баллов за чек" });
  await expect(traced).toContainText(document);
  await expect(traced).toContainText("баллов не начислено");
  await expect(main(page)).not.toContainText("баллов не начислено");
});

test("another phone number is given up before its code, and once more before it is the main one", async ({ page, signIns, javaScriptEnabled }) => {
  const phone = await newcomer(page, signIns);
  const phones = page.getByRole("region", { name: "Телефоны" });
  const add = async (number: string) => {
    await page.goto("/profile/contacts");
    await page.getByLabel("Ещё один телефон").fill(number);
    await press(page, "Добавить телефон");
    await expect(said(page)).toContainText("Добавили телефон");
    await press(page, /^Подтвердить\s*:/);
    await expect(page).toHaveURL(/\/profile\/contacts\/code$/);
  };
  const expectMain = async () => {
    const first = phones.getByRole("listitem").filter({ hasText: "Основной" });
    expect((await first.innerText()).replace(/\D/g, "")).toContain(phone.replace(/\D/g, ""));
  };
  const primary = phones.getByRole("button", { name: /^Сделать основным/ });

  // The code is on its way, and nobody types it.
  await add(freePhone());
  await main(page).getByRole("link", { name: "Телефоны и почта" }).click();
  await expect(phones).toContainText("Не подтверждён");
  await expect(primary).toHaveCount(0);
  await phones.getByRole("button", { name: /^Убрать/ }).click();
  await expect(said(page)).toContainText("Убрали");
  await expect(phones.getByRole("listitem")).toHaveCount(1);
  await expectMain();

  // It is proved and asked for, and called off while it waits, from whichever page.
  const next = freePhone();
  await add(next);
  await page.getByLabel("Код", { exact: true }).fill(await code(page, next));
  await press(page, "Подтвердить");
  await expect(said(page)).toContainText("Подтвердили номер");
  await primary.click();
  await expect(said(page)).toContainText("Просьба принята");
  await expect(phones).toContainText("Станет основным");
  await expectMain();
  await page.goto("/purchases");
  await expect(main(page)).toContainText("ваш основной номер сменится");
  await expect(main(page)).toContainText("баллами нельзя платить и делиться");
  // How long there is, which goes on while the page is open.
  await expect(main(page)).toContainText(/Осталось 23 ч 59 мин/);
  if (javaScriptEnabled) {
    await page.evaluate(() => {
      const now = Date.now;
      Date.now = () => now() + 120_000;
    });
    await expect(main(page)).toContainText(/Осталось 23 ч 57 мин/);
  }
  await press(page, "Оставить прежний номер");
  await expect(said(page)).toContainText("Смена отменена, номер остаётся прежним");
  await expect(phones).not.toContainText("Станет основным");
  await expect(primary).toHaveCount(1);
  await expectMain();
  await page.goto("/");
  await expect(main(page)).not.toContainText("номер сменится");
  await expect(main(page)).not.toContainText("баллами нельзя платить");
});

test("erasure is asked for, and called off from another device while there is time", async ({ page, another, signIns }) => {
  const password = "три медведя и самовар";
  const phone = await newcomer(page, signIns, { ...PERSON, password });
  const card = await cardOf(page);
  await page.goto("/profile");
  await main(page).getByRole("link", { name: /^Удалить мои данные/ }).click();
  await press(page, "Удалить мои данные");
  await expect(page.getByText("Без этого согласия").first()).toBeVisible();
  await page.getByRole("checkbox", { name: /^Понимаю/ }).check();
  await press(page, "Удалить мои данные");
  await expect(said(page)).toContainText("Просьба принята");
  await expect(main(page)).toContainText("Вы попросили удалить ваши данные");
  // Until then all is as it was.
  expect(await cardOf(page)).toBe(card);
  await expect(main(page)).toContainText("Ваши данные удалятся");

  const other = await another();
  await send(other.request, signIns.url, "/sign-in?by=password", "sign_in.password", { phone, password });
  await other.goto("/");
  await expect(main(other)).toContainText("Ваши данные удалятся");
  await press(other, "Отменить удаление");
  await expect(said(other)).toHaveText("Удаление отменено, всё остаётся как было.");
  await expect(other.getByRole("button", { name: "Удалить мои данные" })).toBeVisible();
  await page.goto("/");
  await expect(main(page)).not.toContainText("Ваши данные удалятся");
  await expect(page.getByRole("heading", { level: 1 })).toContainText(PERSON.name);
  const told = await till(page, signIns)("/customers/identify", { card });
  expect((await told.json()).name).toBe(PERSON.name);
});

test("the plan of a purchase names the coupon that would bring more, and only where it does", async ({ page, signIns }) => {
  await newcomer(page, signIns);
  // Whoever buys for 3,000 gets a coupon, which takes 300 off what costs 1,000 and more.
  await buy(page, signIns, await cardOf(page), 400_000);
  await page.goto("/offers");
  await main(page).getByRole("link", { name: "Посчитать покупку" }).click();
  const useful = page.getByRole("region", { name: "Ваши купоны, которые пригодятся" });
  const count = async (sum: string) => {
    await page.getByLabel("Или просто сумма").fill(sum);
    await press(page, "Посчитать");
    await expect(page).toHaveURL(new RegExp(`[?&]sum=${sum}`));
    await expect(page.locator("#result")).toContainText("К оплате");
    await expect(page.locator("#result")).toContainText("Баллы «Клуб соседей»");
  };
  await count("500");
  await expect(useful).toHaveCount(0);
  await count("1500");
  const coupon = useful.getByRole("link", { name: /Скидка 300\s₽ на следующую покупку/ });
  await expect(coupon).toContainText(/скидка\s300,00/);
  await coupon.click();
  await expect(page).toHaveURL(/\/offers#coupons$/);
  await expect(page.getByRole("region", { name: "Ваши купоны" })).toContainText(/Скидка 300\s₽ на следующую покупку/);
});
