// The desk of whoever answers requests: single keys, macros by the keyboard, and drafts that are kept while somebody types.
import { employ, enter, expect, newcomer, send, test, type Page, type SignIns } from "./site";

/** Writes a request; the address of its page at the desk. */
async function ask(page: Page, signIns: SignIns, text: string): Promise<string> {
  const answer = await send(page.request, signIns.url, "/support/new", "request.create", { topic: "other", text, purchase: "" });
  expect(answer.status(), await answer.text()).toBe(303);
  return answer.headers().location.split("?")[0].replace("/support/", "/admin/requests/");
}

const answer = (page: Page) => page.locator("#request-answer textarea");

test("single keys do what the sheet says, and nothing while somebody types", async ({ page, another, signIns }) => {
  await newcomer(page, signIns);
  const at = await ask(page, signIns, "Где мои баллы?");
  const desk = await another();
  await enter(desk, employ(signIns));
  await desk.goto(at);
  await desk.locator("h1").click();
  await desk.keyboard.press("?");
  const sheet = desk.getByRole("dialog", { name: "Клавиатура" });
  await expect(sheet).toBeVisible();
  // The dialog keeps to itself what is pressed in it.
  await desk.keyboard.press("r");
  await expect(answer(desk)).not.toBeFocused();
  await desk.keyboard.press("Escape");
  await expect(sheet).toBeHidden();

  await desk.keyboard.press("r");
  await expect(answer(desk)).toBeFocused();
  await desk.keyboard.type("can ? j");
  await expect(answer(desk)).toHaveValue("can ? j");
  await expect(sheet).toBeHidden();
  await answer(desk).fill("");
  await answer(desk).blur();
  await desk.keyboard.press("n");
  await expect(desk.locator("#request-note textarea")).toBeFocused();
  await desk.locator("#request-note textarea").blur();

  await desk.keyboard.press("a");
  await expect(desk.getByRole("status")).toContainText("Теперь отвечаете вы");
  await desk.keyboard.press("c");
  await expect(desk.getByRole("status")).toContainText("Обращение закрыто");
  await desk.keyboard.press("g");
  await desk.keyboard.press("q");
  await expect(desk).toHaveURL(/\/admin\/requests$/);
  await desk.keyboard.press("j");
  await expect(desk.locator("main .data td.grow > a").first()).toBeFocused();
  await desk.keyboard.press("j");
  await expect(desk.locator("main .data td.grow > a").nth(1)).toBeFocused();
  await desk.keyboard.press("k");
  await desk.keyboard.press("Enter");
  await expect(desk).toHaveURL(/\/admin\/requests\/\d+/);
  await desk.goto("/admin/requests");
  await desk.keyboard.press("/");
  await expect(desk.locator(".bar input[name=q]")).toBeFocused();

  // Whoever does not want them has none (WCAG 2.1.4).
  await desk.goto("/admin/keys");
  await desk.getByRole("button", { name: "Выключить клавиши" }).click();
  await desk.goto(at);
  await desk.keyboard.press("r");
  await expect(answer(desk)).not.toBeFocused();
  await desk.keyboard.press("/");
  await expect(desk.locator(".bar input[name=q]")).not.toBeFocused();
});

test("keys do with the list and with a request what buttons do, and lead to other lists", async ({ page, another, signIns }) => {
  await newcomer(page, signIns);
  const at = await ask(page, signIns, "Где мои баллы?");
  const other = await ask(page, signIns, "А где карта?");
  const desk = await another();
  await enter(desk, employ(signIns));
  await desk.goto("/admin/requests?sort=newest");
  const row = (path: string) => desk.locator(`[data-list] tr[data-number="${path.split("/").pop()}"]`);
  // Nothing is held and nothing is ticked: nothing is done.
  await desk.keyboard.press("c");
  await desk.keyboard.press("x");
  await expect(row(at).getByRole("checkbox")).not.toBeChecked();
  await row(at).getByRole("link").focus();
  await desk.keyboard.press("x");
  await expect(row(at).getByRole("checkbox")).toBeChecked();
  // What else was chosen below the list is not done by a key.
  await desk.keyboard.press("s");
  await expect(desk.locator("#request-bulk select[name=assignee]")).toBeFocused();
  await desk.locator("#request-bulk select[name=priority]").selectOption("urgent");
  await row(other).getByRole("checkbox").check();
  await desk.keyboard.press("a");
  await expect(desk.getByRole("status")).toContainText("Изменено 2 обращения.");
  await expect(row(at)).not.toContainText("Срочный");
  await row(at).getByRole("link").focus();
  await desk.keyboard.press("w");
  await expect(desk.getByRole("status")).toContainText("Изменено 1 обращение.");
  await desk.keyboard.press("f");
  await expect(desk.locator("main input[name=q]")).toBeFocused();
  await desk.keyboard.type("c a");
  await expect(desk.locator("main input[name=q]")).toHaveValue("c a");
  await desk.locator("main input[name=q]").blur();

  await desk.goto(at);
  await expect(desk.locator("#request-unassign")).toBeVisible();
  await desk.keyboard.press("o");
  await expect(desk.getByRole("status")).toContainText("Состояние изменено");
  await desk.keyboard.press("u");
  await expect(desk.getByRole("status")).toContainText("снова ничьё");
  for (const [key, address] of [["m", "assignee=me"], ["u", "assignee=nobody"], ["o", "status=overdue"]]) {
    await desk.keyboard.press("g");
    await desk.keyboard.press(key);
    await expect(desk).toHaveURL(new RegExp(`/admin/requests\\?${address}$`));
  }
  const kept = await send(desk.request, signIns.url, "/admin/requests?status=closed", "filter.save", { name: `Архив ${Date.now()}` });
  expect(kept.status()).toBe(303);
  await desk.keyboard.press("g");
  await desk.keyboard.press("q");
  await expect(desk).toHaveURL(/\/admin\/requests$/);
  const first = await desk.locator("[data-swap=kept] a").first().getAttribute("href");
  await desk.keyboard.press("g");
  await desk.keyboard.press("1");
  await expect(desk).toHaveURL(new RegExp(`${first!.replace(/[?.]/g, "\\$&")}$`));
  await desk.keyboard.press("g");
  await desk.keyboard.press("i");
  await expect(desk).toHaveURL(/\/admin\/inbox$/);
});

test("the bar is one line, and its menu leads anywhere and closes by a press beside it", async ({ page, signIns }) => {
  await enter(page, employ(signIns, "administrator"));
  await page.goto("/admin/tills");
  const bar = page.getByRole("banner");
  const height = async (width: number) => {
    await page.setViewportSize({ width, height: 844 });
    return (await bar.boundingBox())?.height ?? 0;
  };
  for (const width of [700, 960, 1280]) expect(await height(width), `${width}`).toBeLessThan(56);
  // The search of a phone stands below.
  expect(await height(360)).toBeLessThan(120);
  await page.setViewportSize({ width: 1280, height: 900 });
  const menu = bar.locator(".bar-nav > details");
  await menu.locator("summary").click();
  await expect(menu.getByRole("link", { name: "Кассы", exact: true })).toHaveAttribute("aria-current", "page");
  await expect(menu.getByRole("group", { name: "Поддержка" }).getByRole("link", { name: "Обращения" })).toBeVisible();
  await page.mouse.click(1200, 880);
  await expect(menu).not.toHaveAttribute("open");
  await menu.locator("summary").click();
  await menu.getByRole("link", { name: "Журнал действий" }).click();
  await expect(page).toHaveURL(/\/admin\/audit$/);
});

test("keys are where they lie, whatever is typed by them", async ({ page, another, signIns }) => {
  await newcomer(page, signIns);
  const at = await ask(page, signIns, "Где мои баллы?");
  const desk = await another();
  await enter(desk, employ(signIns));
  await desk.goto(at);
  await desk.evaluate(() => document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "к", code: "KeyR", bubbles: true })));
  await expect(answer(desk)).toBeFocused();
});

test("a macro is found by the keyboard, and stands below what was typed", async ({ page, another, signIns }) => {
  await newcomer(page, signIns);
  const at = await ask(page, signIns, "Где мои баллы?");
  const desk = await another();
  await enter(desk, employ(signIns));
  for (const [key, text] of [["points", "Баллы придут завтра, {{customer.name}}."], ["card", "Карта в порядке."]]) {
    const prepared = { key, name: `Про ${key}`, answer_ru: text, answer_en: "", status: "", assign: "" };
    expect((await send(desk.request, signIns.url, "/admin/macros", "macro.create", prepared)).status()).toBe(303);
  }
  await desk.goto(at);
  await answer(desk).fill("Здравствуйте!");
  await answer(desk).blur();
  await desk.keyboard.press("m");
  await expect(desk.getByRole("searchbox", { name: "Найти макрос" })).toBeFocused();
  await desk.keyboard.type("points");
  await expect(desk.getByRole("button", { name: "Про card" })).toBeHidden();
  await desk.keyboard.press("Enter");
  await expect(desk.getByRole("status")).toContainText("Макрос выполнен");
  await expect(answer(desk)).toHaveValue("Здравствуйте!\n\nБаллы придут завтра, Анна.");
});

test("a macro is carried out by its digit, and nothing is sent unseen", async ({ page, another, signIns }) => {
  await newcomer(page, signIns);
  const at = await ask(page, signIns, "Где мои баллы?");
  const desk = await another();
  await enter(desk, employ(signIns));
  const written: [string, string, Record<string, string>][] = [
    ["points", "7", { answer_ru: "Баллы придут завтра, {{customer.name}}.", assign: "me", tags: "баллы" }],
    ["done", "8", { answer_ru: "Готово, {{customer.name}}.", sends: "yes", status: "closed" }],
  ];
  for (const [key, digit, says] of written) {
    const prepared = { key, digit, name: `Про ${key}`, answer_en: "", status: "", assign: "", ...says };
    expect((await send(desk.request, signIns.url, "/admin/macros", "macro.create", prepared)).status()).toBe(303);
  }
  // What a key did would be a form that is sent.
  const sent: string[] = [];
  desk.on("request", (request) => { if (/request\.macro/.test(request.postData() ?? "")) sent.push(request.url()); });
  const message = desk.locator("[data-thread]").getByText("Готово, Анна.");
  await desk.goto(at);

  // Typed, with a modifier, in the sheet, or the digit of nothing: it does nothing.
  await answer(desk).fill("Заказ ");
  await answer(desk).press("7");
  await expect(answer(desk)).toHaveValue("Заказ 7");
  await answer(desk).fill("Здравствуйте!");
  await answer(desk).blur();
  await desk.keyboard.press("Alt+7");
  await desk.keyboard.press("9");
  await desk.keyboard.press("?");
  const sheet = desk.getByRole("dialog", { name: "Клавиатура" });
  await expect(sheet).toContainText("Про points");
  await desk.keyboard.press("7");
  await desk.keyboard.press("Escape");
  await expect(sheet).toBeHidden();
  await expect(desk.locator("[data-macros]")).not.toHaveAttribute("open");
  expect(sent).toEqual([]);

  // All that its button does: below what is typed, and taken.
  await desk.keyboard.press("7");
  await expect(desk.getByRole("status")).toContainText("Макрос выполнен");
  await expect(answer(desk)).toHaveValue("Здравствуйте!\n\nБаллы придут завтра, Анна.");
  await expect(desk.locator("#request-unassign")).toBeVisible();
  expect(sent).toHaveLength(1);

  // One that sends its answer is shown, and waits for Enter.
  await desk.keyboard.press("8");
  await expect(desk.getByRole("button", { name: "Про done" })).toBeFocused();
  await expect(desk.locator("[data-macros]").getByText("Готово, Анна.")).toBeVisible();
  await desk.keyboard.press("8");
  await expect(message).toHaveCount(0);
  expect(sent).toHaveLength(1);
  await desk.keyboard.press("Enter");
  await expect(desk.getByRole("status")).toContainText("Ответ отправлен");
  await expect(message).toBeVisible();

  // Whoever wants no single keys has none, and none is promised.
  await desk.goto("/admin/keys");
  await desk.getByRole("button", { name: "Выключить клавиши" }).click();
  await desk.goto(at);
  await desk.locator("h1").click();
  await desk.keyboard.press("7");
  await desk.locator("[data-macros] summary").click();
  await expect(desk.getByRole("button", { name: "Про points" })).toBeVisible();
  await expect(desk.locator("[data-macros] [aria-keyshortcuts], [data-macros] kbd")).toHaveCount(0);
  expect(sent).toHaveLength(2);
});

test("what is typed is kept for its writer, and gone once it is sent", async ({ page, another, signIns }) => {
  await newcomer(page, signIns);
  const at = await ask(page, signIns, "Где мои баллы?");
  const [desk, other] = [await another(), await another()];
  await enter(desk, employ(signIns));
  await enter(other, employ(signIns));
  await desk.goto(at);
  const kept = desk.waitForResponse((response) => response.request().method() === "POST" && response.url().endsWith(at));
  await answer(desk).fill("Они уже");
  expect((await kept).status()).toBe(303);
  await desk.goto("/admin/requests");
  await desk.goto(at);
  await expect(answer(desk)).toHaveValue("Они уже");
  await other.goto(at);
  await expect(answer(other)).toHaveValue("");
  await answer(desk).fill("Они уже у вас");
  await desk.getByRole("button", { name: "Отправить ответ" }).click();
  await expect(desk.getByRole("status")).toContainText("Ответ отправлен");
  await desk.goto(at);
  await expect(answer(desk)).toHaveValue("");
});

test("the queue needs no scrolling sideways, and a row of it can be chosen", async ({ page, another, signIns }) => {
  await newcomer(page, signIns);
  const at = await ask(page, signIns, "Не пришли баллы за чайник");
  const desk = await another();
  await enter(desk, employ(signIns));
  await desk.setViewportSize({ width: 390, height: 844 });
  await desk.goto("/admin/requests?sort=newest");
  const row = desk.locator(".cards tbody tr").filter({ has: desk.locator(`a[href^="${at}?"], a[href^="${at}#"]`) });
  // Others may have written meanwhile, and stand above.
  await row.scrollIntoViewIfNeeded();
  for (const words of [/Не пришли баллы за чайник/, /Новое/]) await expect(row.getByText(words).first()).toBeInViewport();
  const wrap = desk.locator(".cards .data-wrap");
  expect(await wrap.evaluate((box) => box.scrollWidth <= box.clientWidth)).toBe(true);
  const box = await row.locator(".check").boundingBox();
  expect(Math.min(box!.width, box!.height)).toBeGreaterThanOrEqual(44);
  await row.getByRole("checkbox").check();
  await expect(row.getByRole("checkbox")).toBeChecked();
  await expect(desk.locator(".cards thead")).toContainText("Покупатель");
});
