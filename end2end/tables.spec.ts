// A table on its way in and another one on its way out: a file that is tried, done and told of line by line, and a file that is
// prepared, downloaded and read.
import { readFileSync } from "node:fs";
import { employ, enter, expect, freePhone, press, test, type Locator, type Page } from "./site";

/** Looks at the page again until a job has done its part. */
async function until(page: Page, there: Locator) {
  await expect(async () => {
    await page.reload();
    await expect(there).toBeVisible({ timeout: 500 });
  }).toPass({ timeout: 60_000 });
}

test("customers come in from a file, and go out into another one", async ({ page, signIns }) => {
  test.slow();
  await enter(page, employ(signIns, "administrator"));
  await page.goto("/admin/imports");
  await expect(page.getByRole("main")).toContainText("до 20 МБ");
  const phone = freePhone();
  const surname = `Загрузкина${"абвгдежз"[Math.floor(Math.random() * 8)]}`;
  const text = `Фамилия;Имя;Мобильный;Город\n${surname};Вера;${phone};Дубна\n${surname};Вера;12;Дубна\n`;
  await page.getByLabel("Что в файле", { exact: true }).selectOption({ label: "Покупатели" });
  await page.getByLabel("Файл", { exact: true }).setInputFiles([{ name: "люди.csv", mimeType: "text/csv", buffer: Buffer.from(text) }]);
  await press(page, "Загрузить файл");

  await expect(page.getByRole("heading", { level: 1 })).toHaveText("люди.csv");
  await expect(page.getByRole("main")).toContainText(surname);
  await expect(page.getByLabel("Телефон", { exact: true })).toHaveValue("2");
  await press(page, "Проверить файл");
  await until(page, page.getByText("Пока ничего не изменилось"));
  await expect(page.getByRole("main")).toContainText("Телефон: не похоже на номер телефона");
  await press(page, "Начать загрузку");
  await until(page, page.getByText("Файл загружен", { exact: false }));
  const [errors] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Все отклонённые строки" }).click()]);
  expect(errors.suggestedFilename()).toMatch(/^errors-[\d-]+\.csv$/);
  const refused = readFileSync(await errors.path(), "utf8");
  expect(refused).toContain(`3;Телефон: не похоже на номер телефона;${surname};Вера;12;Дубна`);

  await page.goto("/admin/exports?kind=customers");
  for (const column of ["Фамилия", "Телефон"]) await page.getByRole("checkbox", { name: column, exact: true }).check();
  await press(page, "Подготовить файл");
  const link = page.getByRole("link", { name: /^Скачать/ }).first();
  await until(page, link);
  const [table] = await Promise.all([page.waitForEvent("download"), link.click()]);
  expect(table.suggestedFilename()).toMatch(/^customers-[\d-]+\.csv$/);
  const line = readFileSync(await table.path(), "utf8").split("\r\n").find((one) => one.includes(phone));
  // A number that begins with + would be reckoned by a spreadsheet.
  expect(line).toContain(`;${surname};'${phone}`);
});
