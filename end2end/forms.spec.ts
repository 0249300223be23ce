// Every form without JavaScript, once wrong and once right. The sources say which forms there are: one that is not sent
// here fails the last test.
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import {
  cardOf, code, employ, enter, expect, freeCard, freeEmail, freePhone, fund, inboxOf, newcomer, PERSON, secretOf, send, STAFF_PASSWORD, test, totp, turnOn, words,
  type Page, type SignIns,
} from "./site";
import { photo, PHOTOGRAPHED } from "./qr";

/** A picture, as far as anybody looks. */
const PNG = Buffer.from("89504e470d0a1a0a00", "hex");

/** Names of forms that were refused, taken, and that have nothing in them to be wrong. */
const seen = { wrong: new Set<string>(), right: new Set<string>(), buttons: new Set<string>() };

test.describe.configure({ mode: "serial" });

const box = (page: Page, form: string) => page.locator(`form:has(input[name="_fn"][value="${form}"])`).filter({ visible: true }).first();

/** Fills a form in, presses its button and notes whether it was taken. */
async function submit(page: Page, form: string, fields: Record<string, string> = {}, button?: string | RegExp) {
  const here = box(page, form);
  if ((await here.locator("input:not([type=hidden]), select, textarea").count()) === 0) seen.buttons.add(form);
  for (const [name, value] of Object.entries(fields)) {
    const field = here.locator(`[name="${name}"]`).first();
    const tag = (await here.locator(`select[name="${name}"]`).count()) ? "select" : await field.getAttribute("type");
    if (tag === "select") await field.selectOption(value);
    else if (tag === "checkbox") await here.locator(`[name="${name}"][value="${value}"]`).check();
    else await field.fill(value);
  }
  const press = button ? here.getByRole("button", { name: button }) : here.locator("button").first();
  const [answer] = await Promise.all([page.waitForResponse((response) => response.request().method() === "POST"), press.click()]);
  await page.waitForLoadState();
  (answer.status() === 303 ? seen.right : seen.wrong).add(form);
  return answer.status();
}

/** What never comes back to a page. */
const SECRETS = ["password", "current", "code"];

/** Sent with a mistake: the page comes back, says so, and has everything that was typed. */
async function wrong(page: Page, form: string, fields: Record<string, string>, message: string | RegExp) {
  expect(await submit(page, form, fields), form).toBe(422);
  await expect(page.getByRole("alert")).toBeVisible();
  await expect(page.getByText(message).first()).toBeVisible();
  for (const [name, value] of Object.entries(fields)) {
    const field = box(page, form).locator(`[name="${name}"]`).first();
    if ((await field.getAttribute("type")) !== "checkbox") await expect(field).toHaveValue(SECRETS.includes(name) ? "" : value);
  }
}

async function right(page: Page, form: string, fields: Record<string, string> = {}, button?: string | RegExp) {
  expect(await submit(page, form, fields, button), form).toBe(303);
  await expect(page.getByRole("alert")).toHaveCount(0);
}

/** A plastic card that nobody has yet, brought in as another system does. */
async function blank(desk: Page, url: string): Promise<string> {
  const code = `blank-${Date.now().toString(36)}`;
  await desk.goto("/admin/tills");
  await right(desk, "till.add", { key: code, name: "Склад", source: "erp" });
  await right(desk, "till.key", { "scopes[]": "catalogue" });
  const key = await desk.locator(".secret code").innerText();
  const number = freeCard();
  const put = await desk.request.post(`${url}/api/v1/cards`, {
    headers: { authorization: `Bearer ${key}`, "idempotency-key": `cards-${code}` }, data: { numbers: [number] },
  });
  expect(put.status(), await put.text()).toBe(200);
  return number;
}

/** Opens the card of a customer, found by phone. */
async function openCard(desk: Page, signIns: SignIns, phone: string) {
  const found = await send(desk.request, signIns.url, "/admin/customers", "customer.find", { q: phone });
  await desk.goto(found.headers().location);
  await desk.locator("td a").first().click();
  await expect(desk).toHaveURL(/\/admin\/customers\/[0-9a-f-]{36}\?find=/);
}

/** Six digits that are not these. */
const unlike = (digits: string) => (digits === "000000" ? "000001" : "000000");

test("forms of coming in", async ({ page, signIns }) => {
  const phone = freePhone();
  await page.goto("/sign-in");
  await wrong(page, "sign_in.start", { phone: "12" }, "Проверьте номер");
  await right(page, "sign_in.start", { phone });
  const digits = await code(page, phone);
  await wrong(page, "sign_in.verify", { code: unlike(digits) }, "Код не подошёл");
  expect(await submit(page, "sign_in.resend")).toBe(429);
  await expect(page.getByRole("alert")).toContainText("Слишком часто");
  await right(page, "sign_in.verify", { code: digits });
  const mistakes = { name: "Ann <3", surname: "", email: "a@", day: "31", month: "2", year: "1990", password: "123" };
  await wrong(page, "sign_in.details", mistakes, "Исправьте 7 строк");
  const { name, surname, day, month, year } = PERSON;
  await page.getByRole("checkbox", { name: /персональных данных/ }).check();
  await page.getByRole("checkbox", { name: /Правила клуба/ }).check();
  await right(page, "sign_in.details", { name, surname, day, month, year, email: "", password: "" });
  await right(page, "sign_in.register");
  await expect(page).toHaveURL(/\/welcome/);
  await right(page, "tour.finish");
  await right(page, "sign_out");

  await page.goto("/sign-in?by=email");
  const email = freeEmail();
  await wrong(page, "sign_in.start_by_email", { email: "anna@" }, "Проверьте адрес");
  await right(page, "sign_in.start_by_email", { email });
  await right(page, "sign_in.verify", { code: await code(page, email) });
  await wrong(page, "sign_in.give_phone", { phone: "12" }, "Проверьте номер");
  await right(page, "sign_in.give_phone", { phone: freePhone() });

  await page.goto("/sign-in?by=password");
  await wrong(page, "sign_in.password", { phone: signIns.phone, password: "не он" }, "Телефон или пароль не подошли");
  await right(page, "sign_in.password", { password: signIns.customer });
});

test("forms of staff coming in", async ({ page, another, signIns }) => {
  const login = employ(signIns);
  await page.goto("/admin/sign-in");
  await wrong(page, "staff.sign_in", { login, password: "не он" }, /не подошли/);
  await right(page, "staff.sign_in", { password: STAFF_PASSWORD });
  const secret = await secretOf(page);
  await wrong(page, "staff.setup_totp", { code: "12" }, "Код не подошёл");
  await right(page, "staff.setup_totp", { code: totp(secret) });
  const codes = await page.locator(".codes code").allTextContents();
  await right(page, "staff.setup_done");
  // What is theirs alone is in the menu under their name.
  for (const form of ["language", "language", "theme", "staff_sign_out"]) {
    await page.locator(".bar-who > summary").click();
    await right(page, form);
  }
  await right(page, "staff.sign_in", { login, password: STAFF_PASSWORD });
  await wrong(page, "staff.second", { code: "12" }, "Код не подошёл");
  await right(page, "staff.second", { code: totp(secret, 1) });

  const other = await another();
  await send(other.request, signIns.url, "/admin/sign-in", "staff.sign_in", { login, password: STAFF_PASSWORD });
  await send(other.request, signIns.url, "/admin/sign-in/second", "staff.second", { code: codes[0].replace(/\D/g, "") });
  await page.goto("/admin/security");
  await right(page, "staff.end_session");
  await send(other.request, signIns.url, "/admin/sign-in", "staff.sign_in", { login, password: STAFF_PASSWORD });
  await send(other.request, signIns.url, "/admin/sign-in/second", "staff.second", { code: codes[1].replace(/\D/g, "") });
  await page.goto("/admin/security");
  await right(page, "staff.end_others");
  await wrong(page, "staff.password", { current: STAFF_PASSWORD, password: "123" }, /Нужно хотя бы/);
  await right(page, "staff.password", { current: STAFF_PASSWORD, password: "корова летит над луной" });
});

test("forms of the second step", async ({ page, signIns }) => {
  const password = "три медведя и самовар";
  const phone = await newcomer(page, signIns, { ...PERSON, password });
  await page.goto("/profile/second-factor");
  await right(page, "factor.offer");
  const secret = await secretOf(page);
  await wrong(page, "factor.confirm", { code: "12" }, "Код не подошёл");
  await right(page, "factor.confirm", { code: totp(secret) });
  const codes = await page.locator(".codes code").allTextContents();
  await right(page, "recovery.keep");
  await right(page, "recovery.make");
  await right(page, "sign_out");
  await page.goto("/sign-in?by=password");
  await right(page, "sign_in.password", { phone, password });
  await wrong(page, "sign_in.second", { code: "12" }, "Код не подошёл");
  await right(page, "sign_in.second", { code: codes[0] });
  await page.goto("/confirm?next=/profile/second-factor");
  await wrong(page, "confirm.second", { code: codes[0] }, "Код не подошёл");
  await right(page, "confirm.second", { code: codes[1] });
  await right(page, "factor.remove");
});

test("forms of a second step that is lost", async ({ page, another, signIns }) => {
  const phone = await newcomer(page, signIns);
  await turnOn(page, signIns);
  const lost = await another();
  await send(lost.request, signIns.url, "/sign-in", "sign_in.start", { phone });
  await send(lost.request, signIns.url, "/sign-in/code", "sign_in.verify", { code: await code(lost, phone) });
  const ask = async () => {
    await lost.goto("/sign-in/second");
    await lost.getByText("Нет ни телефона, ни запасных кодов?").click();
    await right(lost, "sign_in.lost");
  };
  await ask();
  await page.goto("/profile/second-factor");
  await right(page, "removal.cancel");
  await ask();
  const desk = await another();
  await enter(desk, employ(signIns));
  // It stands in the bar of every page, without a button: there it is sent by Enter.
  await desk.getByRole("banner").getByRole("searchbox").fill(phone);
  await desk.getByRole("banner").getByRole("searchbox").press("Enter");
  await expect(desk).toHaveURL(/\/admin\/find\?find=[0-9a-f-]{36}$/);
  await expect(desk.locator("td a").first()).toBeVisible();
  seen.right.add("find");
  await desk.goto("/admin/customers");
  await desk.getByRole("main").getByRole("searchbox").fill(phone);
  await desk.getByRole("main").getByRole("searchbox").press("Enter");
  await expect(desk).toHaveURL(/\/admin\/customers\?find=[0-9a-f-]{36}$/);
  seen.right.add("customer.find");
  await desk.locator("td a").first().click();
  await wrong(desk, "removal.grant", { reason: "" }, "Напишите, как убедились");
  await right(desk, "removal.grant", { reason: "Паспорт и карта" });
  const link = (await inboxOf(page)).match(/\/second-step\/[0-9a-f-]{36}_[0-9a-f]{64}/)?.[0];
  await lost.goto(link ?? "/no-link");
  await right(lost, "removal.cancel_by_link");
});

test("forms of proving anew, and of the password", async ({ page, signIns }) => {
  test.slow();
  const password = "три медведя и самовар";
  const phone = await newcomer(page, signIns, { ...PERSON, password });
  await page.goto("/confirm?next=/profile/security");
  await wrong(page, "confirm.password", { password: "не он" }, "Пароль не подошёл");
  await right(page, "confirm.password", { password });
  await expect(page).toHaveURL(/\/profile\/security$/);
  await page.goto("/confirm?next=/devices");
  // The code of the registration went to the same phone: the next may follow after half a minute.
  await expect.poll(() => submit(page, "confirm.send"), { timeout: 60_000, intervals: [5_000] }).toBe(303);
  const digits = await code(page, phone);
  await wrong(page, "confirm.code", { code: unlike(digits) }, "Код не подошёл");
  expect(await submit(page, "confirm.resend")).toBe(429);
  await expect(page.getByRole("alert")).toContainText("Слишком часто");
  await right(page, "confirm.code", { code: digits });
  await expect(page).toHaveURL(/\/devices$/);

  await page.goto("/profile/security");
  await wrong(page, "password.set", { password: "123" }, /Нужно хотя бы/);
  await right(page, "password.set", { password: "корова летит над луной" });
  await right(page, "password.remove");
  await expect(page.getByRole("main")).toContainText("Пароля нет");
});

test("forms of the profile", async ({ page, another, signIns }) => {
  test.slow();
  const password = "три медведя и самовар";
  const phone = await newcomer(page, signIns, { ...PERSON, password });
  await page.goto("/profile/person");
  await wrong(page, "profile.person", { name: "<b>", surname: "", day: "31", month: "2", year: "1990" }, "Исправьте 3 строки");
  await right(page, "profile.person", { name: "Анна", surname: "Новая", day: "28", month: "2", year: "1990" });

  await page.goto("/profile/contacts");
  await wrong(page, "contact.add_phone", { phone: "12" }, "Проверьте номер");
  const second = freePhone();
  await right(page, "contact.add_phone", { phone: second });
  await right(page, "contact.verify");
  const digits = await code(page, second);
  await wrong(page, "contact.prove", { code: unlike(digits) }, "Код не подошёл");
  expect(await submit(page, "contact.resend")).toBe(429);
  await expect(page.getByRole("alert")).toContainText("Слишком часто");
  await right(page, "contact.prove", { code: digits });
  await wrong(page, "contact.add_email", { email: "anna@" }, "Проверьте адрес");
  await right(page, "contact.add_email", { email: "a@example.com" });
  await wrong(page, "contact.add_email", { email: "a@example.com" }, "уже есть");
  await right(page, "contact.add_email", { email: "b@example.com" });
  // Another main number waits: it is called off from the cabinet, by the link in the message, and by staff.
  await right(page, "contact.primary");
  await right(page, "number.cancel");
  await right(page, "contact.primary");
  const link = (await inboxOf(page)).match(/\/number-change\/[\w-]{43}/)?.[0];
  const keeper = await another();
  await keeper.goto(link ?? "/no-link");
  await right(keeper, "number.cancel_by_link");
  await page.goto("/profile/contacts");
  await right(page, "contact.primary");
  const desk = await another();
  await enter(desk, employ(signIns));
  await desk.getByRole("banner").getByRole("searchbox").fill(phone);
  await desk.getByRole("banner").getByRole("searchbox").press("Enter");
  await desk.locator("td a").first().click();
  await wrong(desk, "number.stop", { reason: "" }, "Напишите, почему");
  await right(desk, "number.stop", { reason: "Позвонили с прежнего номера" });
  await page.goto("/profile/contacts");
  await right(page, "contact.remove");

  await page.goto("/profile/children");
  await wrong(page, "child.add", { day: "31", month: "2", year: "2020" }, "Такой даты нет");
  await right(page, "child.add", { day: "29", month: "2", year: "2020", agreed: "yes" });
  await right(page, "child.remove");

  await page.goto("/profile/preferences");
  // A page of this list offers only what there is: something else comes from a page that is out of date.
  await box(page, "profile.preferences").waitFor();
  const stale = { store: "", language: "xx" };
  expect((await send(page.request, signIns.url, "/profile/preferences", "profile.preferences", stale)).status()).toBe(422);
  seen.wrong.add("profile.preferences");
  await wrong(page, "profile.preferences", { brands: "я".repeat(201) }, "Не больше 200 знаков");
  await right(page, "profile.preferences", { brands: "Заря, Луч", wishes: "Больше чая", language: "ru" });

  await page.goto("/questionnaire");
  expect((await send(page.request, signIns.url, "/questionnaire", "questionnaire.tell", { sex: "xx" })).status()).toBe(422);
  seen.wrong.add("questionnaire.tell");
  await right(page, "questionnaire.tell", { sex: "female", income: "from_60" });
  await right(page, "questionnaire.withdraw");

  await page.goto("/profile/consents");
  await right(page, "consent.change", {}, /Дать согласие|Отозвать согласие/);
  await right(page, "consent.withdraw_all");

  await page.goto("/profile/quiet");
  await wrong(page, "profile.quiet", { quiet_from: "22", per_week: "1", paused_until: "2020-01-01" }, "Этот момент уже прошёл");
  await right(page, "profile.quiet", { paused_until: "" });

  await page.goto("/profile/data");
  await right(page, "export.ask");

  await page.goto("/profile/erase");
  await wrong(page, "erasure.ask", {}, "Без этого согласия");
  await right(page, "erasure.ask", { agreed: "yes" });
  await right(page, "erasure.cancel");

  await page.goto("/profile/providers");
  await page.getByRole("link", { name: "Привязать Тест ID" }).click();
  await page.getByLabel("Имя").fill(`forms-${phone.slice(1)}`);
  await page.getByRole("button", { name: "Войти" }).click();
  await right(page, "provider.unlink");

  for (const form of ["device.end", "device.end_others"]) {
    const other = await another();
    // The first phone is still the main one, and the second is gone.
    const answer = await send(other.request, signIns.url, "/sign-in?by=password", "sign_in.password", { phone, password });
    expect(answer.status()).toBe(303);
    await page.goto("/devices");
    await right(page, form);
  }
});

test("forms of programs and support", async ({ page, another, signIns }) => {
  await newcomer(page, signIns);
  await page.goto("/programs");
  await page.getByRole("link", { name: /^Условия и вступление/ }).first().click();
  await right(page, "program.join");
  await page.getByRole("link", { name: "Выйти из программы" }).click();
  await right(page, "program.leave");

  await page.goto("/offers");
  await right(page, "offer.activate");

  await page.goto("/invite");
  await right(page, "invite.begin");
  await expect(page.getByLabel("Ссылка для друга")).toHaveValue(/\/join\/[2-9A-Z]{8}$/);
  const host = await another();
  await newcomer(host, signIns, { ...PERSON, name: "Борис" });
  await host.goto("/invite");
  await right(host, "invite.begin");
  const code = (await host.getByLabel("Ссылка для друга").inputValue()).split("/join/")[1];
  await wrong(page, "invite.enter", { code: "нет" }, "Такого кода нет");
  await right(page, "invite.enter", { code });

  await page.goto("/support/new");
  // Looking for answers sends nothing and keeps what was typed.
  expect(await submit(page, "request.create", { topic: "card", text: "Потеряла карту" }, "Поискать ответ")).toBe(422);
  await expect(page.getByRole("alert")).toHaveCount(0);
  await expect(page.locator("[data-suggest]").getByRole("link", { name: /Карта потеряна/ })).toBeVisible();
  await expect(page.getByLabel("Сообщение")).toHaveValue("Потеряла карту");
  await wrong(page, "request.create", { topic: "", text: "Где баллы?" }, "Выберите из списка");
  await box(page, "request.create").locator('[name="files"]').setInputFiles([{ name: "чек.exe", mimeType: "application/octet-stream", buffer: PNG }]);
  await wrong(page, "request.create", { topic: "other", text: "Где баллы?" }, /Файл № 1 не подходит/);
  const photos = ["чек.png", "коробка.png"].map((name) => ({ name, mimeType: "image/png", buffer: PNG }));
  await box(page, "request.create").locator('[name="files"]').setInputFiles(photos);
  await right(page, "request.create", { topic: "other", text: "Где баллы?" });
  for (const { name } of photos) await expect(page.getByRole("link", { name })).toHaveAttribute("href", /\/files\/[0-9a-f-]{36}$/);
  const number = new URL(page.url()).pathname.split("/").pop();
  await wrong(page, "request.answer", { text: " " }, /Напишите/);
  await right(page, "request.answer", { text: "Ещё вопрос" });
  await right(page, "request.close");
  await right(page, "request.reopen");

  const desk = await another("agent");
  await desk.goto("/admin/requests");
  await right(desk, "request.find", { q: "Где баллы?" });
  await desk.goto(`/admin/requests/${number}`);
  await right(desk, "request.assign");
  await right(desk, "request.unassign");
  await wrong(desk, "request.answer", { text: "" }, /Напишите/);
  await box(desk, "request.answer").locator('[name="files"]').setInputFiles([{ name: "ответ.png", mimeType: "image/png", buffer: PNG }]);
  await right(desk, "request.answer", { text: "Разбираемся" });
  await expect(desk.getByRole("link", { name: "ответ.png" })).toHaveCount(1);
  await page.goto(`/support/${number}`);
  await wrong(page, "request.rate", { score: "", comment: "Так себе" }, "Выберите из списка");
  await right(page, "request.rate", { score: "4", comment: "Быстро" });
  await desk.reload();
  await expect(desk.getByRole("main")).toContainText("Оценка покупателя: 4 из 5");
  await desk.getByText("Заметка для коллег").click();
  await wrong(desk, "request.note", { text: "" }, "Напишите заметку");
  const ofNote = (name: string, mimeType: string) => box(desk, "request.note").locator('[name="files"]').setInputFiles([{ name, mimeType, buffer: PNG }]);
  await ofNote("заметка.exe", "application/octet-stream");
  await wrong(desk, "request.note", { text: "Звонил" }, /Файл № 1 не подходит/);
  await ofNote("заметка.png", "image/png");
  await right(desk, "request.note", { text: "Звонил" });
  await expect(desk.getByRole("link", { name: "заметка.png" })).toHaveCount(1);
  await page.reload();
  await expect(page.getByRole("link", { name: "чек.png" })).toHaveCount(1);
  await expect(page.getByRole("link", { name: "заметка.png" })).toHaveCount(0);
  await right(desk, "request.status", {}, "Закрыть обращение");
  // Whoever has mistaken their birthday too often is helped at once, and whoever says that somebody else is in there.
  for (const day of ["1", "2"]) {
    const { name, surname, year } = PERSON;
    const changed = await send(page.request, signIns.url, "/profile/person", "profile.person", { name, surname, day, month: "3", year });
    expect(changed.headers().location).toBe("/profile?done=person");
  }
  await desk.locator('a[href^="/admin/customers/"]').first().click();
  await desk.getByText("Разрешить исправить ещё раз").first().click();
  await wrong(desk, "birthday.allow", { reason: "" }, "Напишите, почему");
  await right(desk, "birthday.allow", { reason: "Показала паспорт" });
  await desk.getByText("Завершить все входы").first().click();
  await wrong(desk, "customer.end_sessions", { reason: "" }, "Напишите, почему");
  await right(desk, "customer.end_sessions", { reason: "Чужой вход, просил по телефону" });
  await page.goto("/card");
  await expect(page).toHaveURL(/\/sign-in/);
  const messages = await another("admin");
  await messages.goto("/admin/messages");
  await right(messages, "message.find", { to: "+7" });
  await messages.goto("/admin/messages?state=failed");
  await messages.locator("td a").first().click();
  await right(messages, "message.again");
});

test("forms of points that people move", async ({ page, another, signIns }) => {
  test.slow();
  const phone = await newcomer(page, signIns);
  const friend = await another();
  await newcomer(friend, signIns, { ...PERSON, name: "Борис" });
  const card = await cardOf(friend);
  const desk = await another();
  await enter(desk, employ(signIns, "administrator"));
  const at = await fund(desk, signIns, phone, "10");
  await desk.goto(at);
  await desk.getByText("Дать или снять баллы").click();
  const reason = "Касса не зачла чек";
  const note = "За ошибку кассы";
  await wrong(desk, "points.adjust", { points: "сто", reason, note }, "Напишите, сколько баллов");
  await wrong(desk, "points.adjust", { points: "90,50", reason, note, request: "99999999" }, "Под таким номером ничего нет");
  await right(desk, "points.adjust", { points: "90,50", reason, note, request: "" });

  await page.goto("/points/transfer");
  await wrong(page, "transfer.check", { card, points: "1000" }, "Столько баллов нет");
  await right(page, "transfer.check", { card, points: "50,5" });
  await right(page, "transfer.send");
  await right(page, "transfer.cancel");
  await right(page, "transfer.check", { card, points: "20" });
  await right(page, "transfer.send");
  await desk.goto(at);
  await desk.getByText("Вернуть отправителю").first().click();
  await wrong(desk, "transfer.reverse", { reason: "" }, "Напишите, почему");
  await right(desk, "transfer.reverse", { reason: "Чужой вход" });

  const colleague = await another();
  await enter(colleague, employ(signIns, "administrator"));
  for (const form of ["points.approve", "points.refuse"]) {
    await desk.goto(at);
    await desk.getByText("Дать или снять баллы").click();
    await right(desk, "points.adjust", { points: "5001", reason, note });
    await colleague.goto("/admin/approvals");
    await right(colleague, form);
  }
});

test("forms of tills, and of a receipt without a card", async ({ page, another, signIns }) => {
  const desk = await another();
  await enter(desk, employ(signIns, "administrator"));
  await desk.goto("/admin/tills");
  await wrong(desk, "till.add", { key: "касса", name: "", source: "pos" }, /латинские/);
  const code = `till-${Date.now().toString(36)}`;
  await right(desk, "till.add", { key: code, name: "Касса у входа", source: "pos" });
  for (const scope of ["customers", "purchases", "points"]) await box(desk, "till.key").locator(`[value="${scope}"]`).uncheck();
  await wrong(desk, "till.key", {}, "Заполните это поле");
  await right(desk, "till.key", { "scopes[]": "purchases" });
  const key = await desk.locator(".secret code").innerText();
  const sold = await page.request.post(`${signIns.url}/api/v1/purchases`, {
    headers: { authorization: `Bearer ${key}`, "idempotency-key": `forms-${code}` },
    data: { document: code, at: new Date().toISOString(), lines: [{ article: "tea", name: "Чай", quantity: 1, price: 35_000 }] },
  });
  expect(sold.status(), await sold.text()).toBe(201);
  const receipt: string = (await sold.json()).code;
  const printed = await page.request.post(`${signIns.url}/api/v1/purchases`, {
    headers: { authorization: `Bearer ${key}`, "idempotency-key": `printed-${code}` },
    data: {
      document: `${code}-2`, at: new Date().toISOString(), code: PHOTOGRAPHED.text,
      lines: [{ article: "coffee", name: "Кофе", quantity: 1, price: 45_000 }],
    },
  });
  expect(printed.status(), await printed.text()).toBe(201);
  const large = await page.request.post(`${signIns.url}/api/v1/purchases`, {
    headers: { authorization: `Bearer ${key}`, "idempotency-key": `large-${code}` },
    data: { document: `${code}-3`, at: new Date().toISOString(), lines: [{ article: "service", name: "Сервиз", quantity: 1, price: 30_000_000 }] },
  });
  expect(large.status(), await large.text()).toBe(201);
  const ofMany: string = (await large.json()).code;
  await right(desk, "till.revoke");
  await right(desk, "till.switch");

  const phone = await newcomer(page, signIns);
  await page.goto("/purchases");
  await page.getByRole("link", { name: "Добавить чек без карты" }).click();
  await wrong(page, "purchase.claim", { receipt: "нет" }, "Такого чека нет");
  await expect(page.getByRole("link", { name: "Написать об этом чеке" })).toBeVisible();
  await right(page, "purchase.claim", { receipt });
  await expect(page.getByRole("article", { name: "Чек" }).locator("bdi", { hasText: "Чай" })).toBeVisible();

  await page.goto("/purchases/claim");
  const chosen = box(page, "purchase.claim").locator('input[type="file"]');
  await chosen.setInputFiles({ name: "чек.png", mimeType: "image/png", buffer: PNG });
  await wrong(page, "purchase.claim", { receipt: "" }, "не нашёлся QR-код чека");
  await chosen.setInputFiles({ name: "чек.png", mimeType: "image/png", buffer: photo(PHOTOGRAPHED) });
  await right(page, "purchase.claim", { receipt: "" });
  await expect(page.getByRole("article", { name: "Чек" }).locator("bdi", { hasText: "Кофе" })).toBeVisible();

  // What it was for: there is nothing wrong in the list, so that it is sent without it.
  const unknown = { purpose: "resale" };
  const refused = await send(page.request, signIns.url, new URL(page.url()).pathname, "purchase.purpose", unknown);
  expect(refused.status()).toBe(422);
  seen.wrong.add("purchase.purpose");
  await right(page, "purchase.purpose", { purpose: "gift" });
  await expect(page.getByRole("status")).toContainText("Спасибо");
  await openCard(desk, signIns, phone);
  await desk.locator('td a[href*="/purchases/"]').first().click();
  const unheard = await send(
    desk.request, signIns.url, new URL(desk.url()).pathname, "purchase.note_purpose", { ...unknown, seen: "gift" },
  );
  expect(unheard.status()).toBe(422);
  seen.wrong.add("purchase.note_purpose");
  await right(desk, "purchase.note_purpose", { purpose: "work" });

  // What is more than somebody may move alone a colleague decides on.
  await page.goto("/purchases/claim");
  await right(page, "purchase.claim", { receipt: ofMany });
  await openCard(desk, signIns, phone);
  await desk.locator('td a[href*="/purchases/"]').first().click();
  const at = new URL(desk.url()).pathname;
  const colleague = await another();
  await enter(colleague, employ(signIns, "administrator"));
  for (const form of ["receipt.refuse", "receipt.approve"]) {
    await desk.goto(`${at}/correct?act=void`);
    // What it comes to in points is read on a phone without scrolling sideways.
    const [around, table] = [await desk.locator(".preview .data-wrap").boundingBox(), await desk.locator(".preview .data").boundingBox()];
    expect(table!.width).toBeLessThanOrEqual(around!.width);
    await right(desk, "purchase.amend", { reason: "Пробили дважды" });
    await expect(desk.getByRole("main")).toContainText("Ждёт согласия");
    await colleague.goto("/admin/approvals");
    await right(colleague, form);
  }
});

test("forms of talks, tasks and notes", async ({ page, another, signIns }) => {
  const phone = await newcomer(page, signIns);
  const desk = await another();
  await enter(desk, employ(signIns));
  await openCard(desk, signIns, phone);
  const at = new URL(desk.url()).pathname;
  await desk.getByRole("link", { name: "Звонок от покупателя" }).click();
  await expect(box(desk, "interaction.add").locator('[name="note"]')).toBeFocused();
  await wrong(desk, "interaction.add", { note: "Спрашивала про баллы", minutes: "много" }, "Напишите число");
  await right(desk, "interaction.add", { minutes: "3" });
  await desk.getByRole("link", { name: "Звонок от покупателя: Всё выяснили" }).click();
  await wrong(desk, "interaction.change", { minutes: "0" }, "Число от 1 до 600");
  await right(desk, "interaction.change", { minutes: "4", note: "Баллы нашлись" });
  // A talk of which a request came leads to where that is written down.
  await desk.goto(`${at}/talk?channel=call_in&script=missing_points`);
  await right(desk, "interaction.add", { outcome: "request", note: "Нет баллов" });
  await expect(desk.getByRole("main")).toContainText("Теперь запишите обращение");
  await right(desk, "request.take_down", { topic: "other", text: "Не начислили баллы" });
  await desk.getByRole("link", { name: /Записано со слов покупателя/ }).click();
  await expect(desk.getByRole("main")).toContainText(/По этому разговору открыто обращение/);

  await desk.goto(at);
  await desk.getByText("Поставить дело").click();
  await wrong(desk, "task.add", { title: "" }, "Напишите, что сделать");
  await right(desk, "task.add", { title: "Перезвонить", kind: "call", time: "18:30" });
  await desk.goto("/admin/tasks");
  await expect(desk.getByRole("main")).toContainText(/Звонок/);
  await expect(desk.getByRole("main")).toContainText(/18:30/);
  await desk.getByText("Передать или перенести").first().click();
  await wrong(desk, "task.assign", { due: "2020-01-01" }, "Этот момент уже прошёл");
  const later = new Date(Date.now() + 3 * 86_400_000).toISOString().slice(0, 10);
  await right(desk, "task.assign", { due: later });
  await right(desk, "task.end", {}, "Сделано");

  await desk.goto(at);
  await desk.getByText("Добавить заметку").click();
  await wrong(desk, "note.add", { body: "" }, "Напишите заметку");
  await right(desk, "note.add", { body: "Любит зелёный чай" });
  await right(desk, "note.pin");
  await right(desk, "note.remove");
});

test("forms of a request at the desk", async ({ page, another, signIns }) => {
  test.slow();
  const desk = await another();
  await enter(desk, employ(signIns, "administrator"));
  await desk.goto("/admin/tills");
  const code = `desk-${Date.now().toString(36)}`;
  await right(desk, "till.add", { key: code, name: "Касса", source: "pos" });
  for (const scope of ["customers", "points"]) await box(desk, "till.key").locator(`[value="${scope}"]`).uncheck();
  await right(desk, "till.key", { "scopes[]": "purchases" });
  const key = await desk.locator(".secret code").innerText();
  const sold = await page.request.post(`${signIns.url}/api/v1/purchases`, {
    headers: { authorization: `Bearer ${key}`, "idempotency-key": code },
    data: { document: code, at: new Date().toISOString(), lines: [{ article: "tea", name: "Чай", quantity: 1, price: 35_000 }] },
  });
  expect(sold.status(), await sold.text()).toBe(201);
  await newcomer(page, signIns);
  await send(page.request, signIns.url, "/purchases/claim", "purchase.claim", { receipt: (await sold.json()).code });
  const ask = async (text: string) => {
    const asked = await send(page.request, signIns.url, "/support/new", "request.create", { topic: "other", text, purchase: "" });
    return asked.headers().location.split("?")[0].split("/").pop() ?? "";
  };
  const [number, other] = [await ask("Где баллы?"), await ask("Где карта?")];
  const at = `/admin/requests/${number}`;
  await desk.goto(at);
  const links = async () => desk.getByText("Связать с другим").click();
  await links();
  await wrong(desk, "request.link", { number: "99999999" }, "Под таким номером ничего нет");
  await right(desk, "request.link", { number: other, bond: "duplicate" });
  await links();
  await wrong(desk, "request.link_purchase", { document: "нет такого" }, "Под таким номером ничего нет");
  await right(desk, "request.link_purchase", { document: code, line: "1" });
  await expect(desk.getByRole("main")).toContainText("Строка чека");
  await right(desk, "request.unlink");

  const merging = async () => desk.getByText("Присоединить другие обращения").click();
  await merging();
  await wrong(desk, "request.merge", {}, "Заполните это поле");
  await right(desk, "request.merge", { "others[]": other });
  await page.goto(`/support/${other}`);
  await expect(page.getByRole("main")).toContainText("Где баллы?");
  await right(desk, "request.part");
  await send(page.request, signIns.url, `/support/${number}`, "request.answer", { text: "И ещё о карте" });
  await desk.goto(at);
  await right(desk, "request.split");
  await expect(desk.getByRole("main")).toContainText("И ещё о карте");
  await expect(desk).not.toHaveURL(new RegExp(`${at}\\b`));

  await desk.goto(at);
  await right(desk, "request.answer", { text: "Пока так" }, "Сохранить черновик");
  await expect(box(desk, "request.answer").locator("textarea")).toHaveValue("Пока так");

  await desk.goto("/admin/macros");
  await desk.locator("summary:has(#add)").click();
  const prepared = { key: code, name: "Ответ", answer_ru: "Здравствуйте, {{customer.phone}}", status: "waiting" };
  await wrong(desk, "macro.create", prepared, "Переменной «customer.phone» здесь нет");
  const greeting = { answer_ru: "Здравствуйте, {{customer.name}}", shared: "yes" };
  await wrong(desk, "macro.create", { ...greeting, digit: "1" }, "Уже занято: «Попросить чек»");
  await right(desk, "macro.create", { digit: "" });
  await expect(desk.getByRole("main")).toContainText("Здравствуйте, Анна");
  await wrong(desk, "macro.change", { name: "" }, "Заполните это поле");
  await right(desk, "macro.change", { name: `Ответ ${code}`, priority: "high", tags: "баллы" });
  const macro = desk.url();
  await desk.goto(at);
  await desk.getByText("Макросы", { exact: true }).last().click();
  await right(desk, "request.macro", {}, `Ответ ${code}`);
  await expect(box(desk, "request.answer").locator("textarea")).toHaveValue("Пока так\n\nЗдравствуйте, Анна");
  await desk.goto(macro);
  await desk.getByText("Удалить макрос").first().click();
  await right(desk, "macro.remove");
  await desk.goto("/admin/keys");
  await right(desk, "keys.switch");
});

test("forms of the card", async ({ page, another, signIns }) => {
  const desk = await another();
  await enter(desk, employ(signIns, "administrator"));
  const number = await blank(desk, signIns.url);

  await newcomer(page, signIns);
  await page.goto("/card");
  await wrong(page, "card.bind", { number: "12" }, "Привязать эту карту нельзя");
  await right(page, "card.bind", { number });
  await page.getByText("Карту потеряли").first().click();
  await right(page, "card.block");
  await expect(page.getByRole("main")).toContainText("Заблокирована");
});

test("forms of two accounts of one person", async ({ page, another, signIns }) => {
  test.slow();
  const password = "корова летит над луной";
  const phone = await newcomer(page, signIns, { ...PERSON, password });
  // By a password it is not proved that the phone is at hand.
  await send(page.request, signIns.url, "/card", "sign_out");
  await send(page.request, signIns.url, "/sign-in?by=password", "sign_in.password", { phone, password });
  await page.goto("/merge");
  // The code of the registration went to the same phone: the next may follow after half a minute.
  await expect.poll(() => submit(page, "merge.prove"), { timeout: 60_000, intervals: [5_000] }).toBe(303);
  await right(page, "merge.anew");
  await expect.poll(() => submit(page, "merge.prove"), { timeout: 60_000, intervals: [5_000] }).toBe(303);
  await right(page, "merge.code", { code: await code(page, phone) });
  await wrong(page, "merge.ask", { other: "12" }, "Проверьте номер");
  const old = await newcomer(await another(), signIns);
  await right(page, "merge.ask", { other: old });
  const digits = await code(page, old);
  await wrong(page, "merge.code", { code: unlike(digits) }, "Код не подошёл");
  await right(page, "merge.code", { code: digits });
  await expect(page.getByRole("main")).toContainText("Что получится");
  await wrong(page, "merge.confirm", {}, "Без этого согласия");
  await right(page, "merge.confirm", { agreed: "yes" });
  await expect(page.getByRole("main")).toContainText("теперь это один счёт");
  await wrong(page, "merge.undo", {}, "Без этого согласия");
  await right(page, "merge.undo", { agreed: "yes" });
  await expect(page).toHaveURL(/\/sign-in/);

  const desk = await another();
  await enter(desk, employ(signIns, "lead"));
  await desk.getByRole("banner").getByRole("searchbox").fill(phone);
  await desk.getByRole("banner").getByRole("searchbox").press("Enter");
  await desk.locator("td a").first().click();
  await desk.getByText("Найти другой счёт").click();
  await wrong(desk, "merge.find", { other: "никого-такого-нет" }, "не один покупатель");
  await right(desk, "merge.find", { other: old });
  await wrong(desk, "merge.do", { reason: "" }, "Напишите, почему");
  await right(desk, "merge.do", { reason: "Потеряла прежний номер" });
  await desk.getByText("Разделить снова").first().click();
  await wrong(desk, "merge.part", { reason: "" }, "Напишите, почему");
  await right(desk, "merge.part", { reason: "Это две сестры" });
  await desk.goto("/admin/duplicates");
  await right(desk, "duplicate.dismiss");
  await right(desk, "duplicate.propose");
  // Whoever thinks better of it later finds the pair again.
  await right(desk, "duplicate.dismiss");
  await desk.getByRole("link", { name: words("Пары разных людей") }).click();
  await expect(desk.getByRole("heading", { level: 1 })).toHaveText(words("Пары разных людей"));
  await right(desk, "duplicate.propose");
  await expect(desk.getByRole("status").first()).toContainText("снова среди похожих");
});

test("forms of webhooks", async ({ another, signIns }) => {
  const desk = await another();
  await enter(desk, employ(signIns, "administrator"));
  await desk.goto("/admin/webhooks");
  await wrong(desk, "webhook.add", { url: "erp.example.com", description: "" }, "Введите название");
  await desk.goto("/admin/webhooks");
  await right(desk, "webhook.add", { url: "https://erp.example.com/hooks", description: "Склад" });
  await expect(desk.locator(".secret code")).toContainText("whsec_");
  await right(desk, "webhook.test");
  await right(desk, "webhook.redeliver");
  await right(desk, "webhook.redeliver_failed");
  await wrong(desk, "webhook.change", { url: "https://127.0.0.1/" }, "нет в интернете");
  await right(desk, "webhook.change", { url: "https://erp.example.com/kabinet" });
  await right(desk, "webhook.secret");
  await right(desk, "webhook.switch");
  await right(desk, "webhook.switch");
  await right(desk, "webhook.remove");
});

test("forms of rules", async ({ another, signIns }) => {
  const desk = await another();
  await enter(desk, employ(signIns, "administrator"));
  await desk.goto("/admin/rules");
  await wrong(desk, "rule.create", { ru: "Чай по средам", en: "" }, "Заполните это поле");
  await right(desk, "rule.create", { ru: "Чай по средам", en: "Tea on Wednesdays" });
  const at = new URL(desk.url()).pathname;
  const add = async (part: string, menu: string, kind: string) => {
    await desk.goto(at);
    await desk.getByText(menu).click();
    await desk.getByRole("link", { name: kind, exact: true }).click();
    await expect(box(desk, part)).toBeVisible();
  };
  await add("rule.condition", "Добавить условие", "Сумма покупки");
  await wrong(desk, "rule.condition", { least: "много" }, "Напишите число");
  await right(desk, "rule.condition", { least: "1000" });
  await add("rule.condition", "Добавить условие", "Первая покупка");
  await right(desk, "rule.condition");
  await expect(desk.getByText("покупка на сумму от 1").first()).toBeVisible();
  await right(desk, "rule.condition_remove");
  await add("rule.effect", "Добавить скидку, баллы", "Скидка в процентах");
  await wrong(desk, "rule.effect", { share: "" }, "Заполните это поле");
  await right(desk, "rule.effect", { share: "5", each: "purchase" });
  await add("rule.effect", "Добавить скидку, баллы", "Баллы числом");
  await right(desk, "rule.effect", { points: "100" });
  await right(desk, "rule.effect_remove");
  await desk.getByText("Изменить ограничения").click();
  await wrong(desk, "rule.caps", { line: "x" }, "Напишите число");
  await right(desk, "rule.caps", { line: "100", day_times: "1" });
  await desk.getByText("Изменить название, срок и порядок").click();
  await wrong(desk, "rule.basics", { priority: "x" }, "Напишите число");
  await wrong(desk, "rule.basics", { priority: "3", group: "чай", funded_by: "Банк" }, "Подходят маленькие латинские буквы");
  await right(desk, "rule.basics", { priority: "3", group: "чай", funded_by: "" });
  await desk.getByText("Правило целиком").click();
  await wrong(desk, "rule.json", { json: "{" }, "Не удаётся прочитать");
  await desk.goto(at);
  await desk.getByText("Правило целиком").click();
  await right(desk, "rule.json");
  // The work begins within two seconds, and may be over before a hand is at the button.
  await expect(async () => {
    await desk.goto(at);
    await right(desk, "rule.simulate", {}, "3 месяца");
    await right(desk, "rule.simulate_cancel");
  }).toPass();
  await wrong(desk, "rule.publish", { from: "2020-01-01T10:00" }, "Этот момент уже прошёл");
  await right(desk, "rule.publish", { from: "" });
  await right(desk, "rule.begin");
  await right(desk, "rule.discard");
  await right(desk, "rule.begin");
  await desk.getByText("Изменить ограничения").click();
  await right(desk, "rule.caps", { line: "150" });
  await right(desk, "rule.publish", { from: "2090-01-01T10:00" });
  await right(desk, "rule.call_off");
  await desk.getByText("Снять правило").first().click();
  await wrong(desk, "rule.withdraw", { from: "2020-01-01T10:00" }, "Этот момент уже прошёл");
  await right(desk, "rule.withdraw", { from: "" });
});

test("forms of programs and their tiers", async ({ another, signIns }) => {
  const desk = await another();
  await enter(desk, employ(signIns, "administrator"));
  await desk.goto("/admin/programs");
  await desk.locator("summary:has(#add)").click();
  const code = `tea-${Date.now().toString(36)}`;
  const terms = {
    name_ru: "Чайный клуб", name_en: "Tea club", summary_ru: "Баллы за чай", summary_en: "Points for tea",
    terms_ru: "Пейте чай", terms_en: "Drink tea", delay: "0", term: "90",
  };
  await wrong(desk, "program.create", { ...terms, key: code, share: "много" }, "Напишите число");
  await right(desk, "program.create", { share: "5" });
  await desk.getByText("Изменить условия").click();
  await wrong(desk, "program.draft", { term: "0" }, "Число от 1 до 36500");
  await right(desk, "program.draft", { term: "120", share: "7,5" });
  await wrong(desk, "program.publish", { from: "2020-01-01T10:00" }, "Этот момент уже прошёл");
  await right(desk, "program.publish", { from: "2090-01-01T10:00" });
  await right(desk, "program.withdraw");
  await right(desk, "program.publish", { from: "" });
  await desk.getByText("Изменить условия").click();
  await right(desk, "program.draft", { term: "90" });
  await right(desk, "program.discard");
  await expect(desk.getByText("Баллов: 7,5").first()).toBeVisible();
  await right(desk, "program.automatic");
  await right(desk, "program.automatic");

  await desk.getByRole("link", { name: "Уровни", exact: true }).click();
  await right(desk, "tiers.begin");
  const at = new URL(desk.url()).pathname;
  const put = async (fields: Record<string, string>) => {
    await desk.getByRole("link", { name: "Добавить уровень" }).click();
    await right(desk, "tiers.tier", fields);
  };
  await desk.getByRole("link", { name: "Добавить уровень" }).click();
  await wrong(desk, "tiers.tier", { ru: "Серебро", en: "", threshold: "1000" }, "Заполните это поле");
  await right(desk, "tiers.tier", { en: "Silver" });
  await put({ ru: "Золото", en: "Gold", threshold: "5000" });
  await put({ ru: "Лишний", en: "Spare", threshold: "9000" });
  await right(desk, "tiers.tier_remove");
  await desk.getByText("Изменить, что считаем").click();
  await wrong(desk, "tiers.measure", { window: "months", length: "0" }, "Число от 1 до 3660");
  await right(desk, "tiers.measure", { window: "months", length: "6", grace: "1", grace_unit: "months" });
  await desk.getByRole("link", { name: /Посчитать, сколько/ }).click();
  await expect(desk.getByText("Никто не перейдёт")).toBeVisible();
  await wrong(desk, "tiers.publish", { from: "2020-01-01T10:00" }, "Этот момент уже прошёл");
  await right(desk, "tiers.publish", { from: "" });
  await right(desk, "tiers.begin");
  await right(desk, "tiers.discard");
  await right(desk, "tiers.begin");
  await right(desk, "tiers.tier_remove");
  await right(desk, "tiers.publish", { from: "2090-01-01T10:00" });
  await right(desk, "tiers.call_off");
  await desk.getByText("Снять уровни").first().click();
  await wrong(desk, "tiers.withdraw", { from: "2020-01-01T10:00" }, "Этот момент уже прошёл");
  await right(desk, "tiers.withdraw", { from: "" });
  await desk.goto(at.replace(/\/tiers$/, ""));
  await right(desk, "program.close");
  await right(desk, "program.reopen");
  // Other tests look at programs that they know.
  await right(desk, "program.close");
});

test("forms of promotions", async ({ another, signIns }) => {
  const [desk, colleague] = [await another(), await another()];
  await enter(desk, employ(signIns, "administrator"));
  await enter(colleague, employ(signIns, "administrator"));
  await desk.goto("/admin/promotions");
  await desk.locator("summary:has(#add)").click();
  const key = `forms-${Date.now().toString(36)}`;
  await wrong(desk, "promotion.create", { key, title_ru: "", title_en: "", note: "Зима" }, "Заполните это поле");
  await right(desk, "promotion.create", { title_ru: "Неделя чая", title_en: "Tea week" });
  await desk.getByText("Изменить заметку").click();
  await wrong(desk, "promotion.note", { note: "а".repeat(2001) }, "Не больше 2 000 знаков");
  await right(desk, "promotion.note", { note: "Зимой берут чай" });
  const says = { conditions_ru: "Чай дешевле на 10 %", conditions_en: "Tea is 10% off", starts: "2090-01-10T10:00" };
  await wrong(desk, "promotion.change", { ...says, ends: "2090-01-09T10:00" }, "Конец раньше начала");
  await right(desk, "promotion.change", { ends: "2090-01-20T10:00", must_activate: "yes" });
  await right(desk, "promotion.ask");
  const at = new URL(desk.url()).pathname;
  await colleague.goto(at);
  await wrong(colleague, "promotion.refuse", { reason: "" }, "Заполните это поле");
  await right(colleague, "promotion.refuse", { reason: "Дорого" });
  await desk.goto(at);
  await right(desk, "promotion.ask");
  await colleague.goto(at);
  await right(colleague, "promotion.approve");
  await desk.goto(at);
  await right(desk, "promotion.change", { title_ru: "Неделя чёрного чая" });
  await right(desk, "promotion.discard");
  await right(desk, "promotion.end");
  // What runs already is over at once when it is ended.
  await right(desk, "promotion.change", { starts: "2020-01-10T10:00" });
  await right(desk, "promotion.ask");
  await colleague.goto(at);
  await right(colleague, "promotion.approve");
  await right(colleague, "promotion.end");
  await wrong(colleague, "promotion.conclude", { conclusion: "" }, "Заполните это поле");
  await right(colleague, "promotion.conclude", { conclusion: "Чай взяли" });
});

test("forms of partners", async ({ page, signIns }) => {
  await enter(page, employ(signIns, "partner_manager"));
  await page.goto("/admin/partners");
  await page.locator("summary:has(#add)").click();
  const key = `forms-${Date.now().toString(36)}`;
  const text = { text_ru: "Узнаёт номер карты.", text_en: "Learns the number of the card." };
  await wrong(page, "partner.add", { key, name_ru: "Банк «Причал»", name_en: "", ...text }, "Заполните это поле");
  await right(page, "partner.add", { name_en: "Pier Bank" });
  await wrong(page, "partner.change", { text_en: "" }, "Заполните это поле");
  await right(page, "partner.change", { text_en: "Learns the number of your card." });
  await expect(page.getByText("Что видят покупатели, версия 2")).toBeVisible();
  await right(page, "partner.switch");
  await expect(page.getByText("Отключён", { exact: true })).toBeVisible();
});

test("forms of coupons and segments", async ({ page, another, signIns }) => {
  const phone = await newcomer(page, signIns);
  const desk = await another();
  await enter(desk, employ(signIns, "administrator"));
  await desk.goto("/admin/coupons");
  await desk.locator("summary:has(#add)").click();
  const key = `forms-${Date.now().toString(36)}`;
  const series = { key, name_ru: "Скидка на чай", name_en: "Off tea", uses: "1" };
  await wrong(desk, "series.add", { ...series, valid_days: "0" }, "Число от 1 до 3650");
  await right(desk, "series.add", { valid_days: "10", bearer: "yes" });
  await wrong(desk, "series.make", { count: "0" }, "Число от 1 до 1000");
  await right(desk, "series.make", { count: "3" });
  const [file] = await Promise.all([desk.waitForEvent("download"), desk.getByRole("link", { name: "Скачать коды" }).click()]);
  expect(file.suggestedFilename()).toBe(`coupons-${key}.csv`);
  await wrong(desk, "series.change", { name_en: "" }, "Заполните это поле");
  await right(desk, "series.change", { name_en: "Off green tea" });
  await right(desk, "series.switch");
  await right(desk, "series.switch");
  await desk.goto("/admin/segments");
  await desk.locator("summary:has(#add)").click();
  await wrong(desk, "segment.create", { key, name_ru: "Любят чай", name_en: "" }, "Заполните это поле");
  await right(desk, "segment.create", { name_en: "Tea lovers" });
  await wrong(desk, "segment.put", { numbers: "12" }, "Нет покупателя с такой картой или телефоном");
  await box(desk, "segment.put").locator('[name="files"]').setInputFiles([{ name: "vip.csv", mimeType: "text/csv", buffer: Buffer.from(phone) }]);
  await right(desk, "segment.put");
  const ofPage = () => new URL(desk.url()).pathname.split("/").pop() ?? "";
  const from = ofPage();
  await desk.goto("/admin/segments");
  await desk.locator("summary:has(#add)").click();
  await right(desk, "segment.create", { key: `${key}-too`, name_ru: "Любят и кофе", name_en: "Coffee lovers" });
  const segment = ofPage();
  await desk.goto(`/admin/audience?segment=${from}`);
  await desk.locator("summary", { hasText: "Собрать в сегмент" }).click();
  await wrong(desk, "audience.keep", { segment: "" }, "Выберите из списка");
  await right(desk, "audience.keep", { segment });
  await expect(desk.getByRole("status")).toContainText("Изменилось у стольких покупателей: 1");
  await desk.getByText("Удалить сегмент").first().click();
  await right(desk, "segment.remove");
});

test("forms of reports", async ({ another, signIns }) => {
  const desk = await another();
  await enter(desk, employ(signIns, "administrator"));
  await desk.goto("/admin/reports/purchases?period=last_week");
  await wrong(desk, "report.save", { name: "" }, "Заполните это поле");
  await right(desk, "report.save", { name: "За неделю", shared: "yes" });
  await expect(desk).toHaveURL(/\/admin\/reports\?done=saved$/);
  await desk.getByText("Присылать по почте").first().click();
  await wrong(desk, "report.schedule", { every: "week", email: "anna@" }, "Проверьте адрес");
  await right(desk, "report.schedule", { email: freeEmail() });
  await expect(desk.getByText("Следующее письмо")).toBeVisible();
  await right(desk, "report.remove");
  await expect(desk.getByRole("status")).toContainText("Отчёт удалён");
});

test("forms of imports and exports", async ({ another, signIns }) => {
  const desk = await another();
  await enter(desk, employ(signIns, "administrator"));
  await desk.goto("/admin/imports");
  const file = (name: string, text: string) => [{ name, mimeType: "text/csv", buffer: Buffer.from(text) }];
  await box(desk, "import.upload").locator('[name="files"]').setInputFiles(file("cards.exe", "Номер\n1\n"));
  await wrong(desk, "import.upload", { kind: "cards" }, "Не читается как таблица");
  // Enough lines to be stopped before the last of them.
  const lines = Array.from({ length: 5000 }, () => freeCard());
  await box(desk, "import.upload").locator('[name="files"]').setInputFiles(file("cards.csv", `Номер карты\n${lines.join("\n")}\n`));
  await right(desk, "import.upload", { kind: "cards" });
  await wrong(desk, "import.check", { "columns[number]": "" }, "Выберите из списка");
  await right(desk, "import.check", { "columns[number]": "0" });
  const start = box(desk, "import.start");
  await expect(async () => {
    await desk.reload();
    await expect(start).toBeVisible({ timeout: 500 });
  }).toPass({ timeout: 60_000 });
  await right(desk, "import.start");
  await right(desk, "import.cancel");
  await right(desk, "import.go_on");
  await desk.goto("/admin/exports?kind=points");
  await wrong(desk, "extract.ask", { from: "2026-11-10", to: "2026-11-01" }, "Конец раньше начала");
  await right(desk, "extract.ask", { to: "2026-11-20" });
  await expect(desk.getByRole("status")).toContainText("Готовим файл");
});

test("forms of service levels", async ({ another, signIns }) => {
  const desk = await another();
  await enter(desk, employ(signIns, "administrator"));
  await desk.goto("/admin/levels");
  await desk.getByText("Новый календарь").click();
  const name = `Смена ${Date.now().toString(36)}`;
  await wrong(desk, "level.calendar_add", { name, mon: "9" }, "Напишите часы по порядку");
  await right(desk, "level.calendar_add", { mon: "9:00–13:00, 14:00–18:00" });
  await desk.locator("summary", { hasText: name }).click();
  await wrong(desk, "level.calendar_change", { days: "завтра" }, "Не удаётся прочитать");
  await right(desk, "level.calendar_change", { days: "2027-01-01..2027-01-08" });
  await desk.getByText("Новое правило").click();
  await wrong(desk, "level.policy_add", { topic: "card", priority: "low", first_answer: "60", warn: "100" }, "Число от 1 до 99");
  await right(desk, "level.policy_add", { warn: "80" });
  const policy = desk.locator("summary", { hasText: "Карта, низкий приоритет" });
  await policy.click();
  await wrong(desk, "level.policy_change", { solution: "0" }, "Число от 1 до 60000");
  await right(desk, "level.policy_change", { solution: "600" });
  await wrong(desk, "level.preview", { at: "" }, "Заполните это поле");
  await right(desk, "level.preview", { at: "2026-11-27T19:50" });
  await policy.click();
  await right(desk, "level.policy_remove");
  await expect(policy).toHaveCount(0);
  const calendar = desk.locator("details", { has: desk.locator("summary", { hasText: name }) }).first();
  await calendar.locator("summary").first().click();
  await right(desk, "level.calendar_switch");
  await expect(calendar.locator("summary").first()).toContainText("Закрыт");
  await calendar.locator("summary").first().click();
  await calendar.getByText("Удалить календарь").first().click();
  await right(desk, "level.calendar_remove");
  await expect(calendar).toHaveCount(0);
});

test("forms of shops and categories", async ({ another, signIns }) => {
  const desk = await another();
  await enter(desk, employ(signIns, "administrator"));
  await desk.goto("/admin/stores");
  await desk.locator("summary:has(#add)").click();
  const code = `forms-${Date.now().toString(36)}`;
  const shop = {
    key: code, name_ru: "У пристани", name_en: "At the pier", town_ru: "Кимры", town_en: "Kimry", address_ru: "Набережная, 3",
    address_en: "3 Naberezhnaya", mon_from: "09:00", phone: "",
  };
  await wrong(desk, "store.add", { ...shop, mon_to: "08:00" }, "Конец раньше начала");
  await right(desk, "store.add", { mon_to: "21:00" });
  await wrong(desk, "store.change", { latitude: "56.8", longitude: "" }, "Заполните это поле");
  await right(desk, "store.change", { longitude: "37.3", time_zone: "Asia/Omsk", exceptions: "2090-01-01" });
  await wrong(desk, "catalogue.publish", { from: "2020-01-01T10:00" }, "Этот момент уже прошёл");
  await right(desk, "catalogue.publish", { from: "2090-01-01T10:00" });
  await right(desk, "catalogue.withdraw");
  await right(desk, "catalogue.discard");
  await right(desk, "store.switch");
  await desk.goto("/admin/stores");
  await right(desk, "store.find", { q: "пристани" });
  await desk.goto("/admin/articles");
  await right(desk, "article.find", { q: "tea" });
  await desk.goto("/admin/articles");
  await desk.locator("summary:has(#add)").click();
  await wrong(desk, "article.add", { key: "", name: "Корица" }, "Заполните это поле");
  await right(desk, "article.add", { key: code });
  await expect(desk).toHaveURL(/\/admin\/articles\/[0-9a-f-]{36}\?done=created$/);
  const added = new URL(desk.url()).pathname;
  await desk.goto("/admin/articles");
  await desk.locator("summary:has(#add)").click();
  await wrong(desk, "article.add", { key: code, name: "Ваниль" }, "Такой уже есть");
  await box(desk, "article.add").getByRole("link", { name: "Корица" }).click();
  await expect(desk).toHaveURL(new RegExp(`${added}$`));
  await desk.goto("/admin/articles");
  await desk.locator("td a").first().click();
  await wrong(desk, "article.change", { name: "" }, "Заполните это поле");
  await right(desk, "article.change", { name: `Чай ${code}` });
  await right(desk, "catalogue.publish", { from: "" });
  await desk.goto("/admin/categories");
  await desk.locator("summary:has(#add)").click();
  await wrong(desk, "category.add", { key: code, ru: "Пряности", en: "" }, "Заполните это поле");
  await right(desk, "category.add", { en: "Spices" });
  await wrong(desk, "category.change", { ru: "" }, "Заполните это поле");
  await right(desk, "category.change", { ru: "Специи" });
});

test("forms of scripts of talks", async ({ another, signIns }) => {
  const desk = await another();
  await enter(desk, employ(signIns, "administrator"));
  await desk.goto("/admin/scripts");
  await desk.locator("summary:has(#add)").click();
  const key = `forms-${Date.now().toString(36)}`;
  const script = { key, name_ru: "Зимний звонок", name_en: "A call in winter", steps: "Поздоровайтесь / Say hello" };
  await wrong(desk, "script.add", { ...script, outcomes: "come: Придёт" }, "Не удаётся прочитать: строка 1");
  await right(desk, "script.add", { outcomes: "come: Придёт / Will come" });
  await wrong(desk, "script.change", { name_en: "" }, "Заполните это поле");
  await right(desk, "script.change", { name_en: "A winter call" });
});

test("forms of the questions of the questionnaire", async ({ another, signIns }) => {
  const desk = await another();
  await enter(desk, employ(signIns, "administrator"));
  await desk.goto("/admin/questionnaire");
  await desk.locator("summary:has(#add)").click();
  const key = `forms-${Date.now().toString(36)}`;
  const question = { key, title_ru: "Кто у вас живёт", title_en: "Who lives with you", why_ru: "Для кормов", why_en: "For pet food", position: "9" };
  await wrong(desk, "questionnaire.add", { ...question, choices: "cat: Кошка" }, "Не удаётся прочитать: строка 1");
  await right(desk, "questionnaire.add", { choices: "cat: Кошка / A cat" });
  await wrong(desk, "questionnaire.change", { why_ru: "" }, "Заполните это поле");
  // Whoever comes later is asked nothing new.
  await box(desk, "questionnaire.change").locator('[name="asked"]').uncheck();
  await right(desk, "questionnaire.change", { why_ru: "Чтобы были корма" });
  await expect(desk.getByRole("main")).toContainText("не задаём");
});

test("forms of the help", async ({ page }) => {
  await page.goto("/help");
  await page.getByRole("searchbox").fill("потеряла карту");
  await page.getByRole("button", { name: "Найти" }).click();
  await page.getByRole("link", { name: /^Карта потеряна/ }).click();
  await right(page, "help.vote", {}, "Нет");
  await wrong(page, "help.missing", { missing: " " }, "Напишите, чего не хватило");
  await right(page, "help.missing", { missing: "Адреса" });
  await expect(page.getByRole("status")).toContainText("Спасибо");
});

test("forms of the chat", async ({ page }) => {
  const phone = freePhone();
  await page.goto("/chat");
  await right(page, "chat.choose", {}, "Войти или получить карту");
  // The first answer to what was said last is where reading goes on.
  await expect(page.locator("#newest")).toBeFocused();
  await expect(page.getByRole("log")).toContainText("Напишите номер телефона");
  await wrong(page, "chat.say", { text: " " }, "Напишите сообщение");
  await right(page, "chat.say", { text: phone });
  const digits = await code(page, phone);
  await page.goto("/chat");
  await wrong(page, "chat.code", { code: "" }, "Введите код из сообщения");
  await right(page, "chat.code", { code: unlike(digits) });
  await expect(page.getByRole("log")).toContainText("Код не подошёл");
  await right(page, "chat.code", { code: digits });
  for (const text of [PERSON.name, PERSON.surname]) await right(page, "chat.say", { text: String(text) });
  await right(page, "chat.choose", {}, "Пропустить");
  await right(page, "chat.say", { text: "3.05.1990" });
  const review = page.getByRole("log").getByText("Проверьте, всё ли верно");
  for (let asked = 0; asked < 10 && !(await review.isVisible()); asked++) await right(page, "chat.choose", {}, "Да");
  await right(page, "chat.choose", {}, "Да");
  await page.getByRole("link", { name: "Показать карту" }).click();
  await expect(page).toHaveURL(/\/card/);
});

test("forms of the help as staff write it", async ({ another, signIns }) => {
  const desk = await another();
  await enter(desk, employ(signIns, "administrator"));
  await desk.goto("/admin/help");
  await desk.locator("summary:has(#add)").click();
  const key = `forms-${Date.now().toString(36)}`;
  const text = { category: "card", title_ru: "Карта в подарок", title_en: "A card as a present", summary_ru: "Коротко", summary_en: "In short" };
  await wrong(desk, "help.create", { ...text, key: "карта", body_ru: "**Подробно**" }, /латинские/);
  await right(desk, "help.create", { key });
  await expect(desk.getByText("Опубликовать пока нельзя:")).toBeVisible();
  await desk.getByText("Изменить текст").click();
  await wrong(desk, "help.draft", { title_en: "", body_en: "In full" }, "Заполните это поле");
  await right(desk, "help.draft", { title_en: "A card to give" });
  await wrong(desk, "help.publish", { from: "2020-01-01T10:00" }, "Этот момент уже прошёл");
  await right(desk, "help.publish", { from: "2090-01-01T10:00" });
  await right(desk, "help.cancel");
  await right(desk, "help.publish", { from: "" });
  await desk.getByText("Изменить текст").click();
  await right(desk, "help.draft", { title_ru: "Карта для друга" });
  await right(desk, "help.discard");
  await right(desk, "help.withdraw");
  await expect(desk.getByText("Снята", { exact: true })).toBeVisible();

  await desk.goto("/admin/help-parts");
  await desk.locator("summary:has(#add)").click();
  await wrong(desk, "help.part_add", { key, ru: "Подарки", en: "" }, "Заполните это поле");
  await right(desk, "help.part_add", { en: "Gifts" });
  await desk.getByText("1. Карта").click();
  await wrong(desk, "help.part_change", { position: "0" }, "Число от 1 до 1000");
  await right(desk, "help.part_change", { position: "1" });
  const gifts = desk.locator("details", { has: desk.locator("summary", { hasText: "Подарки" }) }).first();
  await gifts.locator("summary").first().click();
  await gifts.getByText("Удалить раздел").first().click();
  await right(desk, "help.part_remove");
  await expect(gifts).toHaveCount(0);
  await desk.getByText("1. Карта").click();
  await right(desk, "help.part_switch");
  await desk.getByText("1. Карта").click();
  await right(desk, "help.part_switch");
});

test("forms of questions on the site", async ({ page, another, signIns }) => {
  test.slow();
  await newcomer(page, signIns);
  const text = `Можно ли оформить две карты (${Date.now().toString(36)})?`;
  await page.goto("/questions/new");
  await wrong(page, "question.ask", { topic: "card", text: "Мой номер +7 900 123-45-67", shown: "name" }, "прочитают это все");
  await right(page, "question.ask", { text });
  const desk = await another();
  await enter(desk, employ(signIns, "administrator"));
  await desk.goto("/admin/questions");
  await desk.getByRole("link", { name: text }).click();
  await wrong(desk, "question.publish", { body: "", answer: "Да, можно" }, "Заполните это поле");
  await right(desk, "question.publish", { body: text, article: "lost-card" });
  await page.goto("/questions");
  await page.getByRole("link", { name: text }).click();
  await right(page, "question.vote", {}, "Да");
  await expect(page.getByRole("status")).toContainText("Спасибо");
  await right(desk, "question.unpublish");
  await desk.locator("summary", { hasText: "Отклонить" }).click();
  await wrong(desk, "question.decline", { reason: "" }, "Заполните это поле");
  await right(desk, "question.decline", { reason: "Уже отвечали" });
  await page.goto("/questions/mine");
  await expect(page.getByText("Почему: Уже отвечали")).toBeVisible();

  await page.goto("/questions/new");
  await right(page, "question.ask", { topic: "card", text: `Ещё ${text}` });
  await desk.goto("/admin/questions");
  await desk.getByRole("link", { name: `Ещё ${text}` }).click();
  await right(desk, "question.move");
  await page.goto("/questions/mine");
  await page.getByRole("link", { name: "Открыть переписку" }).click();
  await expect(page).toHaveURL(/\/support\/\d+/);
});

test("forms of the desk", async ({ page, another, signIns }) => {
  test.slow();
  await newcomer(page, signIns);
  const word = `варежки${Date.now().toString(36)}`;
  await page.goto("/support/new");
  await right(page, "request.create", { topic: "card", text: `Потеряла ${word}` });
  const number = new URL(page.url()).pathname.split("/").pop()!;
  const desk = await another();
  await enter(desk, employ(signIns, "administrator"));
  await desk.goto(`/admin/requests/${number}`);
  await desk.getByText("Тема, приоритет, исполнитель, очередь и метки").click();
  await wrong(desk, "request.sort", { tags: "я".repeat(41) }, "Не больше 40 знаков");
  await right(desk, "request.sort", { priority: "high", tags: word });
  await expect(desk.getByText(`#${word}`).first()).toBeVisible();
  await desk.getByText("Тема, приоритет, исполнитель, очередь и метки").click();
  await right(desk, "request.sort", { assignee: "me" });
  await desk.getByText("Тема, приоритет, исполнитель, очередь и метки").click();
  const queues = box(desk, "request.sort").locator('[name="assignee"] option[value^="queue:"]');
  const queue = (await queues.last().getAttribute("value"))!;
  const called = (await queues.last().textContent())!.replace(/^.*«(.*)».*$/s, "$1");
  await right(desk, "request.sort", { assignee: queue });
  await expect(desk.getByText(`Очередь: ${called}`).first()).toBeVisible();
  await expect(desk.getByText("Никто не отвечает").first()).toBeVisible();

  await desk.goto("/admin/requests");
  await right(desk, "request.find", { q: word });
  await desk.locator("summary", { hasText: "Сохранить этот отбор" }).click();
  await wrong(desk, "filter.save", { name: "" }, "Заполните это поле");
  await right(desk, "filter.save", { name: word });
  await expect(desk.getByRole("navigation", { name: "Сохранённые отборы" })).toContainText(word);
  await desk.locator("summary", { hasText: "Сохранить этот отбор" }).click();
  await right(desk, "filter.remove");
  await desk.locator("summary", { hasText: "Изменить отмеченные" }).click();
  await wrong(desk, "request.bulk", { tag: word }, "Отметьте хотя бы одно обращение");
  await right(desk, "request.bulk", { "numbers[]": number, tag: "зима", status: "closed" });
  await expect(desk.getByRole("status").first()).toContainText("Изменено 1 обращение.");
  await right(desk, "request.undo");
  await expect(desk.getByRole("status").first()).toContainText("Вернули как было 1 обращение.");

  await desk.goto("/admin/tags");
  await wrong(desk, "tag.rename", { from: word, to: "," }, "Заполните это поле");
  await right(desk, "tag.rename", { to: `${word} ещё` });

  await desk.goto("/admin/queues");
  await desk.locator("summary:has(#add)").click();
  const key = `forms-${Date.now().toString(36)}`;
  await wrong(desk, "queue.create", { key, name_ru: "Карты", name_en: "" }, "Заполните это поле");
  await right(desk, "queue.create", { name_en: "Cards" });
  await wrong(desk, "queue.change", { name_ru: "" }, "Заполните это поле");
  await wrong(desk, "queue.change", { name_ru: "Карты", reopen_days: "много" }, /Напишите число/);
  await right(desk, "queue.change", { mode: "round_robin", reopen_days: "14" });
  await wrong(desk, "queue.agent", { capacity: "много" }, /Напишите число/);
  await right(desk, "queue.agent", { capacity: "3" });
  // Everybody is called the same here: one of them is who sits before the page.
  const here = new URL(desk.url()).pathname;
  const agents = await desk.locator('form:has(input[name="agent"])').evaluateAll((all) =>
    all.map((form) => ["agent", "seen"].map((name) => form.querySelector<HTMLInputElement>(`input[name="${name}"]`)!.value)));
  for (const [agent, was] of agents)
    await send(desk.request, signIns.url, here, "queue.agent", { agent, seen: was, capacity: "3" });
  await right(desk, "queue.switch");
  await expect(desk.getByText("Новые обращения сюда не попадают")).toBeVisible();
  await right(desk, "queue.switch");
  const unused = `${key}-unused`;
  await desk.goto("/admin/queues");
  await desk.locator("summary:has(#add)").click();
  await right(desk, "queue.create", { key: unused, name_ru: "Лишняя", name_en: "Unused" });
  await desk.getByText("Удалить очередь").first().click();
  await right(desk, "queue.remove");
  await expect(desk.getByRole("status")).toContainText("Очередь удалена");
  await desk.goto("/admin/requests");
  await right(desk, "queue.presence");
  await expect(desk.getByText("Обращения по очереди вы берёте")).toBeVisible();

  // Only what the lists offer can be chosen; something else has to be sent by hand.
  await desk.goto("/admin/queues");
  const priority = await box(desk, "queue.topic").locator("select[name^=priority]").first().getAttribute("name");
  const refused = await send(desk.request, signIns.url, "/admin/queues", "queue.topic", { [priority!]: "asap" });
  expect(refused.status()).toBe(422);
  seen.wrong.add("queue.topic");
  await right(desk, "queue.topic");
});

test("forms of the texts as staff write them", async ({ another, signIns }) => {
  const desk = await another();
  await enter(desk, employ(signIns, "administrator"));
  await desk.goto("/admin/texts?kind=topic");
  await desk.locator("summary:has(#add)").click();
  const key = `forms-${Date.now().toString(36)}`;
  await wrong(desk, "text.create", { key, head_ru: "Доставка", head_en: "", position: "7" }, "Заполните это поле");
  await right(desk, "text.create", { head_en: "Delivery" });
  await right(desk, "text.discard");
  await desk.goto("/admin/texts/phrase/what_next");
  await desk.getByText("Изменить текст").click();
  await wrong(desk, "text.draft", { body_ru: "Чем ещё помочь, {name}?" }, "Переменной «name» здесь нет");
  await right(desk, "text.draft", { body_ru: "Чем ещё помочь?" });
  await right(desk, "text.publish");
  await expect(desk.getByText("вместе с Kabinet").first()).toBeVisible();
});

test("forms of the settings of the chat", async ({ another, signIns }) => {
  const desk = await another();
  await enter(desk, employ(signIns, "administrator"));
  await desk.goto("/admin/dialogue");
  await wrong(desk, "dialogue.set", { offers_shown: "21" }, "Число от 1 до 20");
  await right(desk, "dialogue.set", { offers_shown: "6" });
  await right(desk, "dialogue.set", { offers_shown: "5" });
});

test("forms of staff, roles and the audit log", async ({ another, signIns }) => {
  test.slow();
  const desk = await another();
  await enter(desk, employ(signIns, "administrator"));
  const key = `forms-${Date.now().toString(36)}`;
  const fold = (words: string) => desk.locator("summary", { hasText: words }).click();
  await desk.goto("/admin/roles");
  await desk.locator("summary:has(#add)").click();
  await wrong(desk, "role.add", { key, name_ru: `Кассир ${key}`, name_en: "Cashier" }, "Заполните это поле");
  await right(desk, "role.add", { "rights[]": "requests" });
  await fold(`Кассир ${key}`);
  await wrong(desk, "role.change", { name_en: "" }, "Заполните это поле");
  await right(desk, "role.change", { name_en: "Till keeper" });
  await fold(`Кассир ${key}`);
  await right(desk, "role.remove");

  await desk.goto("/admin/staff");
  await wrong(desk, "staff.invite", { login: key, name: "Вера", email: "vera@", role: "agent" }, "Проверьте адрес");
  await right(desk, "staff.invite", { email: freeEmail() });
  const first = await desk.locator(".secret code").innerText();
  await right(desk, "staff.invite_again");
  const link = await desk.locator(".secret code").innerText();
  expect(link).not.toBe(first);
  const vera = await another();
  await vera.goto(new URL(link).pathname);
  await wrong(vera, "staff.join", { password: "123" }, /Нужно хотя бы/);
  await right(vera, "staff.join", { password: STAFF_PASSWORD });
  await right(vera, "staff.setup_totp", { code: totp(await secretOf(vera)) });
  await right(vera, "staff.setup_done");
  await expect(vera.getByRole("heading", { level: 1 })).toHaveText("Обращения");
  const customer = await another();
  await newcomer(customer, signIns);
  const asked = await send(customer.request, signIns.url, "/support/new", "request.create", { topic: "other", text: "Когда откроетесь?", purchase: "" });
  await vera.goto(asked.headers().location.split("?")[0].replace("/support/", "/admin/requests/"));
  await right(vera, "request.assign");
  await vera.locator('main a[href*="?request="]').first().click();
  await vera.getByText("Поставить дело").click();
  await right(vera, "task.add", { title: "Перезвонить" });

  await desk.goto(new URL(desk.url()).pathname);
  await fold("Изменить имя и почту");
  await wrong(desk, "staff.change", { email: "vera@" }, "Проверьте адрес");
  await right(desk, "staff.change", { email: freeEmail() });
  await fold("Отправить ссылку для нового пароля");
  await wrong(desk, "staff.password_link", { reason: "" }, "Напишите, почему");
  await right(desk, "staff.password_link", { reason: "Проба" });
  for (const [form, words] of [
    ["staff.end_all", "Завершить все входы"], ["staff.reset_factors", "Сбросить второй шаг"], ["staff.set_role", "Сменить роль"], ["staff.disable", "Закрыть доступ"],
  ]) {
    await fold(words);
    await wrong(desk, form, { reason: "" }, "Напишите, почему");
    await right(desk, form, { reason: "Проба" });
  }
  await expect(desk.getByRole("main")).toContainText("1 открытое обращение");
  await right(desk, "staff.hand_back");
  await wrong(desk, "staff.hand_over", { to: "" }, "Выберите из списка");
  const to = await box(desk, "staff.hand_over").locator('[name="to"] option:not([value=""])').first().getAttribute("value");
  await right(desk, "staff.hand_over", { to: to ?? "" });
  await expect(desk.getByRole("status")).toContainText("Передано: 0 открытых обращений, 1 открытое дело.");
  await right(desk, "staff.enable");
  await vera.goto("/admin/requests");
  await expect(vera).toHaveURL(/\/admin\/sign-in/);

  const olga = employ(signIns);
  await enter(await another(), olga);
  await desk.goto("/admin/staff");
  await desk.locator("tr", { hasText: olga }).getByRole("link").click();
  await desk.locator(".row summary").first().click();
  await wrong(desk, "staff.end_one", { reason: "" }, "Напишите, почему");
  await right(desk, "staff.end_one", { reason: "Проба" });

  await desk.goto("/admin/audit");
  await right(desk, "audit.find", { by: "staff", action: "staff.disable" });
  await expect(desk.getByText("Проба").first()).toBeVisible();
  const [file] = await Promise.all([desk.waitForEvent("download"), desk.getByRole("link", { name: "Скачать CSV" }).click()]);
  expect(file.suggestedFilename()).toMatch(/^audit-\d{4}-\d\d-\d\d\.csv$/);
});

/** A device answers these, and asking it takes a script: passkeys.spec.ts sends them. */
const BY_DEVICE = ["confirm.passkey", "passkey.add", "passkey.rename", "sign_in.passkey", "sign_in.second_passkey", "staff.second_passkey", "staff.setup_passkey"];

test("forms of what staff do for a customer", async ({ page, another, signIns }) => {
  test.slow();
  const phone = await newcomer(page, signIns);
  await send(page.request, signIns.url, "/profile/contacts", "contact.add_email", { email: freeEmail() });
  const desk = await another();
  await enter(desk, employ(signIns, "administrator"));
  await desk.goto("/admin/tills");
  const code = `acts-${Date.now().toString(36)}`;
  await right(desk, "till.add", { key: code, name: "Касса у входа", source: code });
  await right(desk, "till.key", { "scopes[]": "purchases" });
  const key = await desk.locator(".secret code").innerText();
  const sold = await page.request.post(`${signIns.url}/api/v1/purchases`, {
    headers: { authorization: `Bearer ${key}`, "idempotency-key": `forms-${code}` },
    data: { document: code, at: new Date().toISOString(), lines: [{ article: "tea", name: "Чай", quantity: 1, price: 35_000 }] },
  });
  expect(sold.status(), await sold.text()).toBe(201);
  const receipt: string = (await sold.json()).code;

  await desk.goto("/admin/customers");
  await desk.locator("summary", { hasText: "Зарегистрировать покупателя" }).click();
  await wrong(desk, "customer.enter", { phone: "12", name: "Вера", email: "vera@" }, "Проверьте номер");
  await right(desk, "customer.enter", { phone: freePhone(), name: "Вера", email: freeEmail() });
  // The card is open, and nobody is asked why.
  await expect(desk.getByText("Покупатель зарегистрирован").first()).toBeVisible();

  // Opened by its address, nothing tells why.
  const found = await send(desk.request, signIns.url, "/admin/customers", "customer.find", { q: phone });
  const html = await (await desk.request.get(found.headers().location)).text();
  const at = html.match(/href="(\/admin\/customers\/[0-9a-f-]{36})\?find=/)?.[1] ?? "/no-customer";
  await desk.goto(at);
  await desk.getByText("Другая причина").click();
  await desk.getByRole("button", { name: "Открыть карточку" }).click();
  await expect(desk.getByRole("alert")).toBeVisible();
  await expect(desk.getByText("Напишите, почему").first()).toBeVisible();
  seen.wrong.add("customer.why");
  await desk.goto(at);
  // The usual case takes one key.
  await expect(desk.getByRole("button", { name: "Покупатель звонит" })).toBeFocused();
  await Promise.all([desk.waitForResponse((answer) => answer.request().method() === "POST"), desk.keyboard.press("Enter")]);
  seen.right.add("customer.why");
  await expect(desk.getByRole("heading", { level: 1 })).toContainText("Анна");

  const acts = `${at}/acts`;
  const reason = "Просила по телефону";
  const number = await blank(desk, signIns.url);
  await desk.goto(acts);
  await desk.locator("summary", { hasText: "Начать обращение" }).click();
  await wrong(desk, "request.begin", { topic: "other", text: "" }, "Напишите сообщение");
  await right(desk, "request.begin", { topic: "other", text: "Это ваша покупка?" });
  await desk.goto(acts);
  await desk.locator("summary", { hasText: "Записать со слов покупателя" }).click();
  await wrong(desk, "request.take_down", { topic: "other", text: "" }, "Запишите, что говорит покупатель");
  await right(desk, "request.take_down", { topic: "other", text: "Карта не читается", channel: "visit" });
  await expect(desk.getByRole("main")).toContainText("Записано со слов покупателя. Визит");
  await desk.goto(acts);
  await desk.locator("summary", { hasText: "Заблокировать" }).first().click();
  await wrong(desk, "card.stop", { reason: "" }, "Напишите, почему");
  await right(desk, "card.stop", { reason });
  await desk.locator("summary", { hasText: "Выдать другую карту" }).click();
  await wrong(desk, "card.issue", { number: "12", reason }, "Привязать эту карту нельзя");
  await right(desk, "card.issue", { number, reason });
  await desk.locator("summary", { hasText: "Добавить чек без карты" }).click();
  await wrong(desk, "purchase.attach", { receipt: "нет", reason }, "Такого чека нет");
  await right(desk, "purchase.attach", { receipt, reason });
  await desk.locator("summary", { hasText: "Подтвердить за покупателя" }).first().click();
  await wrong(desk, "contact.confirm", { reason: "" }, "Напишите, почему");
  await right(desk, "contact.confirm", { reason: "Паспорт" });
  await send(page.request, signIns.url, "/profile/children", "child.add", { day: "5", month: "6", year: "2020", agreed: "yes" });
  await desk.goto(acts);
  await desk.locator("summary", { hasText: "Исправить имя, день рождения и другое" }).click();
  await wrong(desk, "customer.correct", { name: "1", reason }, "Только буквы");
  await right(desk, "customer.correct", { name: "Анна", surname: "Смирнова", reason });
  await desk.locator("summary", { hasText: "Записать ответы анкеты" }).click();
  await wrong(desk, "questionnaire.note", { sex: "female", reason: "" }, "Напишите, почему");
  await right(desk, "questionnaire.note", { sex: "female", reason });
  const fold = (section: string, words: string) => desk.locator(`section[aria-labelledby="${section}"] summary`, { hasText: words }).first();
  await fold("person", "Удалить").click();
  await wrong(desk, "child.drop", { reason: "" }, "Напишите, почему");
  await right(desk, "child.drop", { reason });
  await fold("contacts", "Добавить телефон").click();
  await wrong(desk, "contact.enter_phone", { phone: "12", reason }, "Проверьте номер");
  await right(desk, "contact.enter_phone", { phone: freePhone(), reason });
  await fold("contacts", "Добавить почту").click();
  await wrong(desk, "contact.enter_email", { email: "anna@", reason }, "Проверьте адрес");
  await right(desk, "contact.enter_email", { email: freeEmail(), reason });
  await fold("contacts", "Удалить").click();
  await wrong(desk, "contact.drop", { reason: "" }, "Напишите, почему");
  await right(desk, "contact.drop", { reason });
  await desk.locator("summary", { hasText: "Собрать данные" }).click();
  await wrong(desk, "export.begin", { reason: "" }, "Напишите, почему");
  await right(desk, "export.begin", { reason });

  await desk.goto(at);
  await desk.locator('a[href*="/purchases/"]').first().click();
  await desk.locator("summary", { hasText: "Исправить магазин" }).click();
  await wrong(desk, "purchase.store", { store: "", reason }, "Выберите из списка");
  const shop = await box(desk, "purchase.store").locator("option").nth(1).getAttribute("value");
  await right(desk, "purchase.store", { store: shop ?? "", reason });
  const corrected = new URL(desk.url()).pathname;
  await desk.getByRole("link", { name: "Возврат или отмена" }).click();
  await desk.locator('[name^="line_"]').first().fill("1");
  await desk.getByRole("button", { name: "Посмотреть, что изменится" }).click();
  await wrong(desk, "purchase.amend", { reason: "" }, "Напишите, почему");
  await right(desk, "purchase.amend", { reason });
  await desk.locator('td small a[href*="/purchases/"]').first().click();
  await desk.getByRole("link", { name: "Возврат или отмена" }).click();
  await desk.getByRole("link", { name: /Посмотреть, что изменится/ }).click();
  await right(desk, "purchase.amend", { reason });
  await desk.goto(corrected);
  await desk.locator("summary", { hasText: "Снять с покупателя" }).click();
  await wrong(desk, "purchase.detach", { reason: "" }, "Напишите, почему");
  await right(desk, "purchase.detach", { reason });

  await desk.locator("summary", { hasText: "Открыть кабинет покупателя" }).click();
  await wrong(desk, "view.begin", { reason: "" }, "Напишите, почему");
  await right(desk, "view.begin", { reason });
  await expect(desk.getByRole("main")).toContainText("Вы смотрите кабинет покупателя");
  await desk.goto("/points");
  await right(desk, "view.end");

  await desk.locator("summary", { hasText: "Удалить данные по просьбе" }).click();
  await wrong(desk, "erasure.begin", { reason }, "Без этого согласия");
  await right(desk, "erasure.begin", { agreed: "yes", reason });
  await page.goto("/profile/views");
  await expect(page.getByRole("main")).toContainText("Причина: вы звонили");
  await expect(page.getByRole("main")).toContainText("Сотрудник посмотрел страницу вашего кабинета");
});

test("forms of odd patterns", async ({ another, signIns }) => {
  const desk = await another();
  await enter(desk, employ(signIns, "lead"));
  await desk.goto("/admin/fraud/rules");
  await wrong(desk, "fraud.rule", { least: "0" }, /Число от 1 до/);
  await right(desk, "fraud.rule", { least: "9" });
  await desk.goto("/admin/fraud?rule=many_purchases");
  // Other tests look at the first one.
  const links = desk.locator('td a[href*="/admin/fraud/"]');
  const [one, other] = await links.evaluateAll((all) => all.slice(-2).map((link) => link.getAttribute("href") ?? ""));
  await desk.goto(one);
  await desk.locator("summary", { hasText: "Приостановить оплату баллами" }).click();
  await wrong(desk, "fraud.stop", { reason: "" }, "Напишите почему");
  await right(desk, "fraud.stop", { reason: "Проверяем чеки" });
  await desk.locator("summary", { hasText: "Вернуть оплату баллами" }).click();
  await wrong(desk, "fraud.lift", { reason: "" }, "Напишите почему");
  await right(desk, "fraud.lift", { reason: "Чеки верны" });
  await desk.locator("summary", { hasText: "Всё в порядке" }).click();
  await wrong(desk, "fraud.dismiss", { reason: "" }, "Напишите почему");
  await right(desk, "fraud.dismiss", { reason: "Покупал на весь отдел" });
  await desk.goto(other);
  await desk.locator("summary", { hasText: "Это обман" }).click();
  await wrong(desk, "fraud.confirm", { reason: "" }, "Напишите почему");
  await right(desk, "fraud.confirm", { reason: "Карта кассира" });
});

/** Nothing that is typed into a search is wrong. */
const SEARCHES = ["article.find", "audit.find", "customer.find", "find", "message.find", "request.find", "store.find"];

test("no form was left out", () => {
  const folder = resolve(__dirname, "../app/src");
  const sources = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".rs"));
  const all = sources.flatMap((file) =>
    [...readFileSync(join(folder, file), "utf8").matchAll(/const NAME: &'static str = "([^"]+)"/g)].map(([, name]) => name));
  expect(all).toEqual(expect.arrayContaining(BY_DEVICE));
  const names = all.filter((name) => !BY_DEVICE.includes(name));
  expect(names.length).toBeGreaterThan(25);
  // A second code may be asked for half a minute after the first; the router's tests wait for it by their own clock.
  expect(names.filter((name) => !seen.right.has(name)).sort()).toEqual(["confirm.resend", "contact.resend", "sign_in.resend"]);
  expect(names.filter((name) => !SEARCHES.includes(name) && !seen.wrong.has(name) && !seen.buttons.has(name))).toEqual([]);
});
