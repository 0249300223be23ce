// Which shops are near: by the position of the browser, which stays there, and by the choice of a town.
import { be, expect, press, test, type Page } from "./site";

const towns = (page: Page) => page.locator("main article h2").allTextContents();

test("the nearest shops come first, and nobody is told where somebody is", async ({ page, context, engine }) => {
  await be(page, engine, "customer");
  await context.grantPermissions(["geolocation"]);
  // In the middle of Dubna.
  await context.setGeolocation({ latitude: 56.7329, longitude: 37.1669 });
  await page.goto("/stores?near=all");
  expect((await towns(page))[0]).not.toContain("Дубна");
  await page.waitForLoadState("networkidle");
  const asked: string[] = [];
  // But whether there is an answer.
  page.on("request", (request) => new URL(request.url()).pathname === "/live" || asked.push(request.url()));
  await press(page, "Ближайшие ко мне");
  await expect(page.getByRole("status")).toContainText("Сначала ближайшие");
  const sorted = await towns(page);
  expect(sorted[0]).toContain("Дубна");
  const far = await page.locator("main article [data-far]").allTextContents();
  const kilometres = far.map((text) => Number(text.replace(/[^\d,]/g, "").replace(",", ".")));
  expect(kilometres.length).toBe(sorted.length);
  expect(kilometres).toEqual([...kilometres].sort((a, b) => a - b));
  expect(kilometres.at(-1)).toBeGreaterThan(50);
  expect(asked).toEqual([]);
});

test("where the position is refused, a town is chosen", async ({ page, context, engine }) => {
  await be(page, engine, "customer");
  // None of them: each is refused.
  await context.grantPermissions([]);
  await page.goto("/stores");
  await press(page, "Ближайшие ко мне");
  await expect(page.getByRole("status")).toContainText("Выберите город");
  await page.getByLabel("Ближе к городу").selectOption("Ржев");
  await press(page, "Показать");
  await expect(page).toHaveURL(/\/stores\?.*near=/);
  expect((await towns(page))[0]).toContain("Ржев");
  await expect(page.getByLabel("Ближе к городу")).toHaveValue("Ржев");
});

test("while the position is looked for that is said, and then why it was not found", async ({ page, engine }) => {
  await be(page, engine, "customer");
  await page.addInitScript(() => {
    const asked: (PositionErrorCallback | null | undefined)[] = [];
    navigator.geolocation.getCurrentPosition = (_done, failed) => void asked.push(failed);
    Object.assign(window, { asked });
  });
  await page.goto("/stores");
  const asked = () => page.evaluate(() => (window as unknown as { asked: unknown[] }).asked.length);
  const fail = (code: number) =>
    page.evaluate((code) => {
      const { asked } = window as unknown as { asked: ((error: { code: number }) => void)[] };
      asked[asked.length - 1]({ code });
    }, code);
  const button = page.getByRole("button", { name: "Ближайшие ко мне" });
  for (const [code, why] of [[3, "Не дождались"], [1, "разрешите это в настройках"], [2, "Не получилось узнать"]] as const) {
    await button.focus();
    const before = await asked();
    await page.keyboard.press("Enter");
    await expect(page.getByRole("status")).toHaveText("Ищем, где вы…");
    await expect(button).toHaveAttribute("aria-busy", "true");
    // Pressed once more it does not ask once more.
    await page.keyboard.press("Enter");
    expect(await asked()).toBe(before + 1);
    await fail(code);
    await expect(page.getByRole("status")).toContainText(why);
    await expect(page.getByRole("status")).toContainText("ыберите город");
    await expect(button).toHaveAttribute("aria-busy", "false");
  }
});
