// Counts the taps on the way to an answer, asks the database for the same answer, and keeps both for the table at the end.
import { type Locator } from "@playwright/test";
import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type SignIns } from "./site";

const found = join(resolve(__dirname, ".."), "target", "end2end", "questions.jsonl");

/** What somebody taps. Typing is none, but the field is one, and so is what sends it. */
export class Taps {
  count = 0;

  /** A link, a button, something that opens. */
  async on(what: Locator) {
    this.count++;
    await what.click();
  }

  /** A field; then it is typed into. */
  async type(into: Locator, text: string) {
    await this.on(into);
    await into.fill(text);
  }

  /** A list of choices, and one of them. */
  async choose(from: Locator, option: string) {
    this.count += 2;
    await from.selectOption(option);
  }
}

/** What the database says, past the program. The same SQL goes to both engines; texts in two languages come as they are kept. */
export function rows<Row>({ settings }: SignIns, sql: string): Row[] {
  const url = settings.KABINET_DATABASE_URL;
  if (url.startsWith("sqlite:")) {
    const read =
      "import json, sqlite3, sys\n" +
      'db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)\n' +
      "db.row_factory = sqlite3.Row\n" +
      "print(json.dumps([dict(row) for row in db.execute(sys.argv[2])]))\n";
    return JSON.parse(execFileSync("python3", ["-c", read, url.slice("sqlite:".length), sql], { encoding: "utf8" }));
  }
  const told = `SELECT coalesce(json_agg(t), '[]') FROM (${sql}) t`;
  return JSON.parse(execFileSync("psql", [url, "--no-psqlrc", "-Atqc", told], { encoding: "utf8" }));
}

export type Answer = { project: string; question: string; taps: number; answer: string };

/** Keeps an answer for the table. */
export const keep = (answer: Answer) => appendFileSync(found, `${JSON.stringify(answer)}\n`);

/** Prints what was asked, in how many taps it was answered, and what the answer was. */
export function printAnswers() {
  if (!existsSync(found)) return;
  const all: Answer[] = readFileSync(found, "utf8").trim().split("\n").map((line) => JSON.parse(line));
  all.sort((a, b) => a.project.localeCompare(b.project) || a.question.localeCompare(b.question));
  const [wide, long] = [Math.max(...all.map((one) => one.project.length)), Math.max(...all.map((one) => one.question.length))];
  const line = (project: string, question: string, taps: string, answer: string) =>
    console.log(`  ${project.padEnd(wide)}  ${question.padEnd(long)}  ${taps.padStart(4)}  ${answer}`);
  console.log("\nQuestions, from the first page to the answer:");
  line("", "question", "taps", "answer");
  for (const { project, question, taps, answer } of all) line(project, question, `${taps}`, answer);
}
