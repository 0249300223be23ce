// How the browser of the tests is started. A test that needs something else of it, as a camera, says so with `launch(…)`.
export const launch = (...more: string[]) => ({
  // Without it Playwright takes the one that it downloaded itself.
  executablePath: process.env.KABINET_TEST_CHROMIUM,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    ...more,
  ],
});
