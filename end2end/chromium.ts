// How the browser of the tests is started. A test that needs something else of it, as a camera, says so with `launch(…)`.
export const launch = (...more: string[]) => started(process.env.KABINET_TEST_CHROMIUM, ...more);

/** One with a camera that plays this film: the shell, which the other tests are done with, has none. */
export const withCamera = (film: string) =>
  started(
    process.env.KABINET_TEST_CAMERA ?? process.env.KABINET_TEST_CHROMIUM,
    "--headless=new",
    "--use-fake-device-for-media-stream",
    `--use-file-for-fake-video-capture=${film}`,
  );

const started = (program: string | undefined, ...more: string[]) => ({
  // Without it Playwright takes the one that it downloaded itself.
  executablePath: program,
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
