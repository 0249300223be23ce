// What may answer a request stands beside it while it is written, and what was written stays.
import { be, expect, press, ready, test } from "./site";

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
