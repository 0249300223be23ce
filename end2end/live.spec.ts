// What comes while a page is looked at, with several people at once.
import { employ, enter, expect, newcomer, send, test, type Page, type SignIns } from "./site";

/** Writes a request; the address of its thread. */
async function ask(page: Page, signIns: SignIns, text: string): Promise<string> {
  const answer = await send(page.request, signIns.url, "/support/new", "request.create", { topic: "other", text, purchase: "" });
  expect(answer.status(), await answer.text()).toBe(303);
  return answer.headers().location.split("?")[0];
}

/** Answers a request from a page that was opened just now. */
async function reply(desk: Page, signIns: SignIns, at: string, text: string) {
  const html = await (await desk.request.get(at)).text();
  const seen = html.match(/id="request-answer"[\s\S]*?name="seen" value="(\d+)"/)?.[1] ?? "";
  const answer = await send(desk.request, signIns.url, at, "request.answer", { seen, text });
  expect(answer.status(), await answer.text()).toBe(303);
}

const thread = (page: Page) => page.locator("[data-thread]");
const field = (page: Page) => page.locator("#request-answer textarea");
const atDesk = (path: string) => path.replace("/support/", "/admin/requests/");
/** Marks the page as it is now: the mark is gone with the page. */
const mark = (page: Page) => page.evaluate(() => Object.assign(window, { here: true }));
const isMarked = (page: Page) => page.evaluate(() => "here" in window);

test("an answer arrives in the thread and at the bell, and what somebody types stays", async ({ page, another, signIns }) => {
  await newcomer(page, signIns);
  const at = await ask(page, signIns, "Где мои баллы?");
  const desk = await another();
  await enter(desk, employ(signIns));
  await page.goto(at);
  await mark(page);
  await field(page).fill("Я ещё пишу");
  await field(page).focus();
  const before = await field(page).boundingBox();

  const bell = page.getByRole("link", { name: /^Уведомления/ });
  const counted = async () => Number((await bell.innerText()).match(/новых: (\d+)/)?.[1] ?? 0);
  const unread = await counted();
  await reply(desk, signIns, atDesk(at), "Баллы придут завтра");
  await expect(thread(page)).toContainText("Баллы придут завтра");
  await expect.poll(counted).toBe(unread + 1);
  await expect(page.locator("[data-swap=status]")).toHaveText(/\S/);
  await expect(field(page)).toHaveValue("Я ещё пишу");
  await expect(field(page)).toBeFocused();
  const after = await field(page).boundingBox();
  expect(Math.abs((after?.y ?? 0) - (before?.y ?? 0))).toBeLessThan(3);
  await reply(desk, signIns, atDesk(at), "Уже пришли");
  await expect(thread(page).locator("[data-message]")).toHaveCount(3);
  await expect(thread(page).locator("[data-message]").last()).toContainText("Уже пришли");
  expect(await isMarked(page)).toBe(true);

  // It was looked at: nobody is told once more that it is new.
  await page.goto("/support");
  await expect(page.getByRole("main")).not.toContainText("Новый ответ");
  await page.goto(at);
  await field(page).fill("Спасибо!");
  await field(page).press("Control+Enter");
  await expect(page).toHaveURL(/\?done=answered$/);
  await expect(thread(page)).toContainText("Спасибо!");
});

test("the bell counts on any page", async ({ page, another, signIns }) => {
  await newcomer(page, signIns);
  const at = await ask(page, signIns, "Где мои баллы?");
  const desk = await another();
  await enter(desk, employ(signIns));
  await page.goto("/points");
  await mark(page);
  await reply(desk, signIns, atDesk(at), "Баллы придут завтра");
  await expect(page.getByRole("link", { name: /^Уведомления, новых: 1/ })).toBeAttached();
  expect(await isMarked(page)).toBe(true);
  // And reads nothing by that.
  await page.goto("/support");
  await expect(page.getByRole("main")).toContainText("Новый ответ");
});

test("staff see who else is answering, and what comes meanwhile", async ({ page, another, signIns }) => {
  await newcomer(page, signIns);
  const at = await ask(page, signIns, "Где мои баллы?");
  const [first, second] = [await another(), await another()];
  await enter(first, employ(signIns));
  await enter(second, employ(signIns));
  await second.goto(atDesk(at));
  await expect(thread(second)).toContainText("Где мои баллы?");
  await mark(second);
  await expect(second.getByText("Обращение открыто и у коллег")).toHaveCount(0);
  await first.goto(atDesk(at));
  await expect(second.getByText("Обращение открыто и у коллег: Ольга Верная.")).toBeVisible();
  await field(first).fill("Я отвечаю");
  await expect(second.getByText("Ответ уже пишут: Ольга Верная.")).toBeVisible();

  await field(second).fill("Мой черновик");
  await field(second).focus();
  const said = await send(page.request, signIns.url, at, "request.answer", { text: "И ещё одно" });
  expect(said.status()).toBe(303);
  await expect(thread(second)).toContainText("И ещё одно");
  await thread(second).getByText("И ещё одно").scrollIntoViewIfNeeded();
  await expect(field(second)).toHaveValue("Мой черновик");
  await expect(field(second)).toBeFocused();
  expect(await isMarked(second)).toBe(true);
  // What was seen is answered without a question.
  await expect(async () => {
    const html = await (await second.request.get(atDesk(at))).text();
    const newest = html.match(/id="request-answer"[\s\S]*?name="seen" value="(\d+)"/)?.[1];
    expect(await second.locator("#request-answer [name=seen]").inputValue()).toBe(newest);
  }).toPass();
  await field(second).press("Control+Enter");
  await expect(second.getByRole("status")).toContainText("Ответ отправлен");
  await expect(thread(first)).toContainText("Мой черновик");
  await expect(field(first)).toHaveValue("Я отвечаю");
});

test("an answer that came too late comes back with what is new", async ({ page, another, signIns }) => {
  await newcomer(page, signIns);
  const at = await ask(page, signIns, "Где мои баллы?");
  const [first, second] = [await another(), await another()];
  await enter(first, employ(signIns));
  await enter(second, employ(signIns));
  // Nothing reaches this page by itself.
  await second.route("**/admin/live**", (route) => route.abort());
  await second.goto(atDesk(at));
  await field(second).fill("Мой черновик");
  await reply(first, signIns, atDesk(at), "Уже решено");
  await field(second).press("Control+Enter");
  await expect(second.getByRole("alert")).toContainText("кто-то успел раньше");
  await expect(field(second)).toHaveValue("Мой черновик");
  await expect(thread(second)).toContainText("Уже решено");
  await page.goto(at);
  await expect(thread(page)).not.toContainText("Мой черновик");
});

test("the queue says that there are new requests, and stays as it is", async ({ page, another, signIns }) => {
  await newcomer(page, signIns);
  const desk = await another();
  await enter(desk, employ(signIns));
  await desk.goto("/admin/requests");
  await mark(desk);
  const top = async () => (await desk.locator("[data-list]").boundingBox())?.y;
  const before = await top();
  const words = `Новое и никому не известное ${Date.now()}`;
  await ask(page, signIns, words);
  await expect(desk.getByText(/^Новых обращений: \d+\./)).toBeVisible();
  // Nor does it move what somebody is about to press.
  expect(await top()).toBe(before);
  // Whatever else others do meanwhile, it does not come in between.
  await expect(desk.locator("main tbody")).not.toContainText(words);
  expect(await isMarked(desk)).toBe(true);
  await desk.locator("[data-new]").getByRole("link", { name: "Показать" }).click();
  await expect(desk.getByRole("heading", { level: 1 })).toHaveText("Обращения");
  await expect.poll(() => isMarked(desk)).toBe(false);
});

test("an answer of a customer moves its row and marks it, and what is chosen stays chosen", async ({ page, another, signIns }) => {
  test.slow();
  await newcomer(page, signIns);
  const at = await ask(page, signIns, "Где мои баллы?");
  const other = await ask(page, signIns, "А где карта?");
  const desk = await another();
  await enter(desk, employ(signIns));
  await desk.goto("/admin/requests?sort=updated");
  const row = (path: string) => desk.locator(`[data-list] tr[data-number="${path.split("/").pop()}"]`);
  const place = (path: string) => row(path).evaluate((found: HTMLTableRowElement) => found.sectionRowIndex);
  expect(await place(other)).toBeLessThan(await place(at));
  await mark(desk);
  await row(at).getByRole("checkbox").check();
  const link = row(at).getByRole("link");
  await link.focus();
  await desk.mouse.move(0, 0);

  const said = await send(page.request, signIns.url, at, "request.answer", { text: "Уже не нужно" });
  expect(said.status()).toBe(303);
  await expect(row(at)).toContainText("новый ответ", { timeout: 15_000 });
  await expect.poll(async () => (await place(at)) < (await place(other))).toBe(true);
  await expect(row(at)).toHaveClass(/unread/);
  await expect(row(other)).not.toContainText("новый ответ");
  await expect(row(at).getByRole("checkbox")).toBeChecked();
  await expect(link).toBeFocused();
  expect(await isMarked(desk)).toBe(true);

  // Under the hand it stays where it is, and goes on when the hand does.
  await row(at).hover();
  const next = await send(page.request, signIns.url, other, "request.answer", { text: "И карта нашлась" });
  expect(next.status()).toBe(303);
  await expect(row(other)).toContainText("новый ответ", { timeout: 15_000 });
  expect(await place(at)).toBeLessThan(await place(other));
  await desk.mouse.move(0, 0);
  await expect.poll(async () => (await place(other)) < (await place(at))).toBe(true);
});

test("the bell of staff rings on any page, and its page says what of", async ({ page, another, signIns }) => {
  await newcomer(page, signIns);
  const at = atDesk(await ask(page, signIns, "Где мои баллы?"));
  const [desk, second] = [await another(), await another()];
  await enter(desk, employ(signIns));
  const login = employ(signIns);
  await enter(second, login);
  await second.goto("/admin/macros");
  await mark(second);
  const noted = await send(desk.request, signIns.url, at, "request.note", { text: `@${login}, взгляните` });
  expect(noted.status(), await noted.text()).toBe(303);
  const bell = second.getByRole("link", { name: "Уведомления, новых: 1", exact: true });
  await expect(bell).toBeAttached({ timeout: 15_000 });
  expect(await isMarked(second)).toBe(true);
  await bell.click();
  await expect(second.getByRole("main")).toContainText("взгляните");
});
