// What may answer a request stands beside it while it is written, and what was written stays.
import { be, expect, newcomer, press, ready, test } from "./site";

test("answers come while somebody writes, and open beside the form", async ({ page, context, engine }) => {
  await be(page, engine, "customer");
  await page.goto("/support/new");
  await ready(page);
  const message = page.getByLabel("Сообщение");
  await message.pressSequentially("Вчера потеряла карту");
  const answer = page.locator("[data-suggest]").getByRole("link", { name: /Карта потеряна/ });
  await expect(answer).toBeVisible();
  await expect(message).toBeFocused();
  await expect(message).toHaveValue("Вчера потеряла карту");
  const [opened] = await Promise.all([context.waitForEvent("page"), answer.click()]);
  await expect(opened.getByRole("heading", { level: 1 })).toContainText("Карта потеряна");
  await expect(message).toHaveValue("Вчера потеряла карту");
  await expect(page.getByRole("alert")).toHaveCount(0);
});

test("the button looks for answers and keeps what was typed", async ({ page, engine }) => {
  await be(page, engine, "customer");
  await page.goto("/support/new");
  await ready(page);
  await page.getByLabel("О чём").selectOption("card");
  await page.getByLabel("Сообщение").fill("Потеряла");
  await press(page, "Поискать ответ");
  await expect(page.locator("[data-suggest]").getByRole("link").first()).toBeVisible();
  await expect(page.getByLabel("Сообщение")).toHaveValue("Потеряла");
  await expect(page.getByLabel("О чём")).toHaveValue("card");
  await expect(page).toHaveURL(/\/support\/new$/);
});

const PNG = Buffer.from("89504e470d0a1a0a00", "hex");

test("chosen photos stay while answers are looked for and a mistake is mended", async ({ page, signIns }) => {
  await newcomer(page, signIns);
  await page.goto("/support/new");
  await ready(page);
  const files = page.getByLabel("Файлы");
  const chosen = () => files.evaluate((field: HTMLInputElement) => [...(field.files ?? [])].map((file) => file.name));
  const photo = (name: string) => ({ name, mimeType: "image/png", buffer: PNG });
  const sent = async (button: string) => {
    const answer = page.waitForResponse((response) => response.request().method() === "POST" && response.status() === 422);
    await press(page, button);
    return (await answer).text();
  };
  // Too short for answers that come by themselves.
  await page.getByLabel("Сообщение").fill("Чек");
  await files.setInputFiles([photo("чек.png"), photo("карта.png")]);
  expect(await sent("Поискать ответ"), "photos are not sent to look for answers").not.toContain("data-again");
  await expect(page.locator("[data-suggest] p").first()).toBeVisible();
  expect(await chosen()).toEqual(["чек.png", "карта.png"]);
  // A mistake elsewhere: there is no topic yet.
  expect(await sent("Отправить обращение")).toContain("data-again");
  await expect(page.getByRole("alert").first()).toContainText("Исправьте одну строку");
  expect(await chosen()).toEqual(["чек.png", "карта.png"]);
  await expect(page.getByText("выберите их ещё раз")).toHaveCount(0);
  await expect(files).not.toHaveAttribute("aria-invalid");
  // What is wrong with a file itself is told, and it is to be chosen anew.
  await files.setInputFiles([{ name: "чек.exe", mimeType: "application/octet-stream", buffer: Buffer.from("MZ") }]);
  await sent("Отправить обращение");
  await expect(page.getByRole("alert").first()).toContainText("Исправьте 2 строки");
  expect(await chosen()).toEqual([]);
  await expect(files).toHaveAttribute("aria-invalid", "true");
  await files.setInputFiles([photo("чек.png")]);
  await page.getByLabel("О чём").selectOption("card");
  await press(page, "Отправить обращение");
  await expect(page).toHaveURL(/\/support\/\d+\?done=sent$/);
  await expect(page.getByRole("link", { name: "чек.png" })).toBeVisible();
});
