// An agent's hour at a demonstration of its own, by the keyboard alone: twenty requests, one more of a customer who misses points,
// which brings along how they came about, a caller found by a misspelt name, a call written down, goodwill beyond what an agent may
// give. Then the lead, who consents and finds all of it in the reports and in the log, and the customer, who reads who looked and why.
import { join } from "node:path";
import { demonstrate, folder, freePort, program, type Member, type Shown } from "./start";
import { expect, send, test as base, totp, type Page } from "./site";
import { rows as read } from "./taps";

const test = base.extend<{}, { shop: Shown }>({
  shop: [async ({}, use) => {
    // Whoever has no hands works faster than a person may.
    const unhurried = { KABINET_LIMITS__PAGES_PER_SESSION: "0", KABINET_LIMITS__PAGES_PER_NETWORK: "0" };
    const shop = await demonstrate("hour", `sqlite:${join(folder, "hour.db")}`, await freePort(), unhurried);
    await use(shop);
    shop.server.kill("SIGTERM");
  }, { scope: "worker" }],
  signIns: async ({ shop: { url, phone, password, agent, settings } }, use) =>
    use({ url, phone, customer: password, login: agent.login, agent: agent.password, program, settings }),
});

/** Somebody who has a keyboard and nothing else. */
class Keyboard {
  strokes = 0;
  constructor(readonly page: Page) {}

  async press(key: string) {
    this.strokes++;
    await this.page.keyboard.press(key);
  }

  async type(text: string) {
    await this.page.keyboard.insertText(text);
  }

  /** Tabs to something and no further than the page is long. */
  async reach(what: ReturnType<Page["locator"]>) {
    await expect(what).toHaveCount(1);
    for (let tabs = 0; tabs < 250; tabs++) {
      if (await what.evaluate((element) => element === document.activeElement)) return;
      await this.press("Tab");
    }
    throw new Error(`the keyboard does not come to ${what}`);
  }

  async open(what: ReturnType<Page["locator"]>) {
    await this.reach(what);
    await this.press("Enter");
  }

  async fill(what: ReturnType<Page["locator"]>, text: string) {
    await this.reach(what);
    await this.press("Control+a");
    await this.type(text);
  }
}

/** Comes in by password and second step. */
async function comeIn(keys: Keyboard, who: Member) {
  const { page } = keys;
  await page.goto("/admin/sign-in");
  await keys.fill(page.getByLabel("Логин"), who.login);
  await keys.fill(page.getByLabel("Пароль", { exact: true }), who.password);
  await keys.press("Enter");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Второй шаг");
  await keys.fill(page.getByLabel("Код из приложения"), totp(who.secret));
  await keys.press("Enter");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Обращения");
}

const flash = (page: Page) => page.getByRole("main").getByRole("status");
const answer = (page: Page) => page.locator("#request-answer textarea");
/** The figures of a row of a report's table, which is opened first. */
async function figures(keys: Keyboard, table: string, row: string) {
  const part = keys.page.locator("section.section").filter({ has: keys.page.getByRole("heading", { name: table, exact: true }) });
  await keys.open(part.locator("summary"));
  const named = { has: keys.page.getByRole("rowheader", { name: row, exact: true }) };
  return part.getByRole("region").getByRole("row").filter(named).getByRole("cell");
}

test("an hour of an agent, by the keyboard alone", async ({ page, another, shop, signIns }) => {
  test.slow();
  const rows = <Row>(sql: string) => read<Row>(signIns, sql);
  const [anna] = rows<{ id: string; name: string; surname: string }>(
    "SELECT lower(hex(c.id)) AS id, c.name, c.surname FROM customers c JOIN contacts o ON o.customer_id = c.id WHERE o.value = '+79000000001'");
  const unassigned = () => rows<{ n: number }>("SELECT COUNT(*) AS n FROM requests WHERE assignee_id IS NULL AND status <> 'closed'")[0].n;

  // The customer writes twice about the same thing, and waits.
  const customer = await another();
  const sent = async (path: string, form: string, fields: Record<string, string>) => send(customer.request, shop.url, path, form, fields);
  await sent("/sign-in?by=password", "sign_in.password", { phone: shop.phone, password: shop.password });
  const numbers: string[] = [];
  for (const text of ["Где мои баллы за прошлую неделю?", "Я уже писала: где баллы?"]) {
    const asked = await sent("/support/new", "request.create", { topic: "other", text, purchase: "" });
    numbers.push(asked.headers().location.split("?")[0].split("/").pop() ?? "");
  }

  // And from a line of a receipt, where she misses points.
  const [line] = rows<{ receipt: string; id: string }>(
    "SELECT lower(hex(p.id)) AS receipt, lower(hex(l.id)) AS id FROM purchases p JOIN purchase_lines l ON l.purchase_id = p.id " +
    "JOIN accruals a ON a.line_id = l.id JOIN programs g ON g.id = a.program_id WHERE g.code = 'club' AND p.kind = 'sale' " +
    `AND p.voided_at IS NULL AND p.line_count <= 5 AND lower(hex(p.customer_id)) = '${anna.id}' ORDER BY p.at DESC, l.ordinal LIMIT 1`);
  const dashed = line.id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  await customer.goto(`/purchases/${line.receipt}`);
  await customer.getByRole("main").locator(`a[href*="line=${dashed}"]`).click();
  await expect(customer.getByLabel("О чём")).toHaveValue("points_missing");
  await customer.locator("#request-create textarea").fill("Ждала больше, посмотрите, пожалуйста");
  await customer.getByRole("button", { name: "Отправить обращение" }).click();
  await expect(customer).toHaveURL(/\/support\/\d+/);
  const missing = new URL(customer.url()).pathname.split("/").pop() ?? "";

  const keys = new Keyboard(page);
  await comeIn(keys, shop.agent);
  expect(unassigned()).toBeGreaterThanOrEqual(23);
  await keys.open(page.getByRole("navigation", { name: "Очереди" }).getByRole("link", { name: /^Ничьи/ }));
  await expect(page).toHaveURL(/assignee=nobody/);

  const done: string[] = [];
  while (done.length < 20) {
    // The first of what nobody has, from wherever the one before was left.
    await keys.press("j");
    await keys.press("Enter");
    await expect(page).not.toHaveURL(done.length ? new RegExp(`/${done.at(-1)}(\\?|$)`) : /\/admin\/requests\?/);
    const number = new URL(page.url()).pathname.split("/").pop() ?? "";
    expect(done).not.toContain(number);
    const said = (await page.locator("[data-thread]").innerText()).toLowerCase();
    if (numbers.includes(number)) {
      // Both are one conversation.
      const other = numbers.find((one) => one !== number);
      await keys.open(page.locator("summary", { hasText: "Присоединить другие обращения" }));
      await keys.reach(page.getByRole("checkbox", { name: new RegExp(`№ ${other}\\.`) }));
      await keys.press("Space");
      await keys.press("Enter");
      await expect(flash(page)).toContainText("Обращения объединены");
      // A list within a pane that scrolls is as high as what it says.
      const joined = page.locator(".pane > ul.panel-flush").filter({ hasText: `№ ${other}` });
      expect((await joined.boundingBox())?.height).toBeGreaterThan(30);
    }
    if (/спасибо|thank/.test(said)) {
      await keys.press("m");
      await keys.type("thanks");
      await keys.press("Enter");
    } else if (/потерял|lost|purse/.test(said)) {
      await keys.press("2");
      await expect(flash(page)).toContainText("Макрос выполнен");
      await keys.press("r");
      await keys.press("Control+Enter");
    } else {
      await keys.press("a");
      await expect(flash(page)).toContainText("Теперь отвечаете вы");
      await keys.press("r");
      await keys.type(/[а-я]/.test(said) ? "Здравствуйте! Разобрались: всё в порядке." : "Hello! We have looked into it, all is well.");
      await keys.press("Control+Enter");
    }
    await expect(flash(page)).toContainText("Ответ отправлен");
    done.push(number);
  }
  const [{ answered }] = rows<{ answered: number }>(
    "SELECT COUNT(DISTINCT m.request_id) AS answered FROM messages m JOIN staff s ON s.id = m.staff_id " +
    `WHERE s.login = 'agent' AND NOT m.internal AND m.request_id IN (SELECT id FROM requests WHERE number IN (${done.join()}))`);
  expect(answered).toBe(20);

  // Who misses points is found by the number of the request. How they came about stands there, and no page has to be looked for.
  await keys.press("/");
  await keys.type(missing);
  await keys.press("Enter");
  await keys.open(page.getByRole("main").locator(`a[href="/admin/requests/${missing}"]`));
  await expect(page).toHaveURL(new RegExp(`/admin/requests/${missing}$`));
  const trace = page.locator("[data-thread] .say-note");
  await expect(trace).toHaveCount(1);
  await expect(trace).toContainText("Покупатель считает, что не хватает баллов за «");
  await expect(trace).toContainText(/начислено\s.+\sв\sпрограмме\s«Клуб\sсоседей»/);
  await expect(trace).toContainText(/Клуб\sсоседей,\s3.%,\sусловия\sверсии\s\d/);
  await expect(trace).toContainText("Программы, которые начисляли баллы в момент покупки");
  await expect(trace).toContainText(/(Правила,\sкоторые\sдействовали\sв\sмомент\sпокупки|Особых\sправил\sв\sмомент\sпокупки\sне\sбыло)/);
  if (!done.includes(missing)) {
    await keys.press("a");
    await expect(flash(page)).toContainText("Теперь отвечаете вы");
    await keys.press("r");
    await keys.type("Здравствуйте! Баллы начислены по условиям программы.");
    await keys.press("Control+Enter");
    await expect(flash(page)).toContainText("Ответ отправлен");
  }
  // Of the trace the customer sees nothing.
  await customer.goto(`/support/${missing}`);
  await expect(customer.getByRole("main")).toContainText("Ждала больше");
  await expect(customer.getByRole("main")).not.toContainText("Покупатель считает");

  // The phone rings: somebody says a name that is heard wrong.
  const wrong = anna.surname.replace(/.(.)$/, "$1");
  await keys.press("/");
  await keys.type(`${wrong} ${anna.name}`);
  await keys.press("Enter");
  const found = page.getByRole("main").getByRole("link", { name: new RegExp(anna.surname) });
  await keys.open(found.first());
  // A name proves nothing, so the record is opened for a reason: that of a call takes one key.
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Зачем открываете карточку?");
  await keys.press("Enter");
  await expect(page.getByRole("heading", { level: 1 })).toContainText(anna.surname);
  const record = new URL(page.url()).pathname;
  expect(record.replace(/-/g, "")).toContain(anna.id);

  // The call is written down while it lasts.
  await keys.open(page.locator("nav.chips").getByRole("link", { name: "Звонок от покупателя" }));
  await keys.fill(page.getByLabel("Что важно"), "Спросила про баллы, обещали дать за ожидание");
  await keys.press("Enter");
  await expect(flash(page)).toContainText("Разговор записан");

  // Goodwill beyond what an agent may give.
  const goodwill = (name: string) => page.locator(`#points-adjust [name=${name}]`);
  await keys.open(page.locator("summary", { hasText: "Дать или снять баллы" }));
  await keys.fill(goodwill("points"), "500");
  await keys.fill(goodwill("reason"), "Ждала ответа неделю");
  await keys.fill(goodwill("note"), "за долгое ожидание");
  await keys.press("Enter");
  await expect(flash(page)).toContainText("ждёт согласия коллеги");
  console.log(`  an agent's hour: ${done.length} requests, a call and goodwill by ${keys.strokes} keys`);

  // The lead consents.
  const desk = new Keyboard(await another());
  await comeIn(desk, shop.lead);
  await desk.page.goto("/admin/approvals");
  await desk.open(desk.page.getByRole("button", { name: new RegExp(`Согласиться.*${anna.surname}`) }));
  await expect(flash(desk.page)).toContainText("Согласие записано");
  // And sees it in the reports, in the agent's own row, and in the log.
  const [agent] = rows<{ name: string; requests: number; talks: number }>(
    "SELECT s.name, (SELECT COUNT(*) FROM requests r WHERE r.assignee_id = s.id AND r.merged_into IS NULL) AS requests, " +
    "(SELECT COUNT(*) FROM interactions i WHERE i.staff_id = s.id) AS talks FROM staff s WHERE s.login = 'agent'");
  await desk.page.goto("/admin/reports/points");
  // One correction, to which a colleague consented, none of a receipt, what it gave and what it took.
  await expect(await figures(desk, "По сотрудникам", agent.name)).toHaveText(["1", "1", "0", "500", "0"]);
  await desk.page.goto("/admin/reports/requests?period=year");
  expect(agent.requests).toBeGreaterThanOrEqual(20);
  await expect((await figures(desk, "По сотрудникам", agent.name)).first()).toHaveText(String(agent.requests));
  await expect((await figures(desk, "Разговоры и задачи по сотрудникам", agent.name)).first()).toHaveText(String(agent.talks));
  await desk.page.goto("/admin/audit");
  await expect(desk.page.getByRole("main")).toContainText("points.approve");

  // The customer has the points, and reads who looked and why.
  await customer.goto("/points");
  await expect(customer.getByRole("main")).toContainText("за долгое ожидание");
  await customer.goto("/profile/views");
  await expect(customer.getByRole("main")).toContainText("Ждала ответа неделю");
});
