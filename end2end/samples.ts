// A page of each route, as whoever may see it finds it: for the tests that walk over all of them.
import {
  be, code, employ, enter, expect, freeEmail, freePhone, hidden, newcomer, PERSON, send, STAFF_PASSWORD, test, turnOn, type Kept, type Page, type SignIns,
} from "./site";

export type Route = { path: string; access: string };
type Another = (as?: Kept) => Promise<Page>;

/** A page for each parameter, found as a person would find it. A route without a sample fails. */
export async function sample(page: Page, path: string, signIns: SignIns, another: Another): Promise<string> {
  const first = async (from: string, pattern: RegExp) => {
    const html = await (await page.request.get(from)).text();
    const found = html.match(pattern);
    if (!found) throw new Error(`${from} leads to no ${pattern}`);
    return found[1];
  };
  const here = async () => new URL((await page.request.get("/manifest.webmanifest")).url()).origin;
  const customer = async () => {
    const found = await send(page.request, await here(), "/admin/customers", "customer.find", { q: "0001" });
    const at = await first(found.headers().location, /href="(\/admin\/customers\/[0-9a-f-]{36})\?find=/);
    await send(page.request, await here(), at, "customer.why", { why: "call" });
    return at;
  };
  switch (path) {
    case "/purchases/{id}": return first("/purchases", /href="(\/purchases\/[0-9a-f-]{36})"/);
    case "/purchases/{id}/why": return `${await first("/purchases", /href="(\/purchases\/[0-9a-f-]{36})"/)}/why`;
    case "/what-if": return `/what-if?like=${await first("/purchases", /href="\/purchases\/([0-9a-f-]{36})"/)}&find=bag`;
    case "/support/{number}": return first("/support", /href="(\/support\/\d+)"/);
    case "/programs/{code}": return "/programs/club";
    case "/programs/{code}/leave": return "/programs/club/leave";
    case "/join/{secret}": {
      const host = await another();
      await newcomer(host, signIns);
      await send(host.request, signIns.url, "/invite", "invite.begin");
      return `/join/${(await (await host.request.get("/invite")).text()).match(/\/join\/([0-9A-Z]{8})"/)?.[1]}`;
    }
    case "/consents/{code}": return "/consents/personal_data";
    case "/help/{code}": return "/help/lost-card?done=useless";
    case "/questions/{id}": return first("/questions", /href="(\/questions\/[0-9a-f-]{36})"/);
    case "/admin/fraud/{id}": return first("/admin/fraud", /href="(\/admin\/fraud\/[0-9a-f-]{36})"/);
    case "/admin/questions/{id}": return first("/admin/questions", /href="(\/admin\/questions\/[0-9a-f-]{36})"/);
    case "/admin/texts/{kind}/{code}": {
      const at = "/admin/texts/template/reward";
      const text = { seen: "", head_ru: "Для вас", head_en: "For you", body_ru: "{name}, {text}", body_en: "{name}, {text}" };
      await send(page.request, await here(), at, "text.draft", text);
      return at;
    }
    case "/second-step/{secret}": return `/second-step/00000000-0000-0000-0000-000000000000_${"0".repeat(64)}`;
    case "/number-change/{secret}": return `/number-change/${"A".repeat(43)}`;
    case "/admin/join/{secret}": return `/admin/join/${"A".repeat(43)}`;
    case "/admin/staff/{id}": return first("/admin/staff", /href="(\/admin\/staff\/[0-9a-f-]{36})"/);
    case "/admin/find": {
      const found = await send(page.request, await here(), "/admin/find", "find", { q: "0001" });
      return found.headers().location;
    }
    case "/admin/requests/{number}": return first("/admin/requests", /href="(\/admin\/requests\/\d+)["?#]/);
    case "/admin/customers/{id}": return customer();
    case "/admin/customers/{id}/acts": return `${await customer()}/acts`;
    case "/admin/customers/{id}/recovery": return `${await customer()}/recovery`;
    case "/admin/customers/{id}/talk": return `${await customer()}/talk?channel=call_out&script=away`;
    case "/admin/customers/{id}/talks/{talk}": {
      const at = await customer();
      const talk = { channel: "call_in", script: "free", outcome: "told", note: "Спрашивала про баллы", minutes: "", corrects: "" };
      await send(page.request, await here(), `${at}/talk`, "interaction.add", talk);
      return first(at, /href="(\/admin\/customers\/[0-9a-f-]{36}\/talks\/[0-9a-f-]{36})"/);
    }
    case "/admin/tills/{id}": return first("/admin/tills", /href="(\/admin\/tills\/[0-9a-f-]{36})"/);
    case "/admin/rules/{id}": {
      const added = await send(page.request, await here(), "/admin/rules", "rule.create", { ru: "Чай", en: "Tea" });
      return `${added.headers().location.split("?")[0]}?condition=new&kind=birthday`;
    }
    case "/admin/coupons/{id}": {
      const series = { key: `page-${Date.now().toString(36)}`, name_ru: "Скидка на чай", name_en: "Off tea", valid_days: "10", last_day: "", uses: "1", bearer: "yes" };
      const added = await send(page.request, await here(), "/admin/coupons", "series.add", series);
      return added.headers().location.split("?")[0];
    }
    case "/admin/segments/{id}": {
      const segment = { key: `page-${Date.now().toString(36)}`, name_ru: "Любят чай", name_en: "Tea lovers" };
      const added = await send(page.request, await here(), "/admin/segments", "segment.create", segment);
      return added.headers().location.split("?")[0];
    }
    case "/admin/queues/{id}": {
      const queue = { key: `page-${Date.now().toString(36)}`, name_ru: "Карты", name_en: "Cards" };
      const added = await send(page.request, await here(), "/admin/queues", "queue.create", queue);
      return added.headers().location.split("?")[0];
    }
    case "/admin/macros/{id}": {
      const prepared = { key: `page-${Date.now().toString(36)}`, name: "Спасибо", shared: "", answer_ru: "Спасибо, {{customer.name}}!", answer_en: "", status: "", assign: "" };
      const added = await send(page.request, await here(), "/admin/macros", "macro.create", prepared);
      return added.headers().location.split("?")[0];
    }
    case "/admin/imports/{id}": {
      const files = { name: "cards.csv", mimeType: "text/csv", buffer: Buffer.from("Номер карты;Склад\n2900000000018;Дубна\n") };
      const multipart = { _fn: "import.upload", _key: `page-${Date.now()}-${Date.now()}`, kind: "cards", files };
      const brought = await page.request.post("/admin/imports", { headers: { origin: await here() }, multipart, maxRedirects: 0 });
      return brought.headers().location;
    }
    case "/admin/reports/{kind}": return "/admin/reports/purchases?period=year";
    case "/admin/partners/{id}": return first("/admin/partners", /href="(\/admin\/partners\/[0-9a-f-]{36})"/);
    case "/admin/promotions/{id}": return first("/admin/promotions", /href="(\/admin\/promotions\/[0-9a-f-]{36})"/);
    case "/admin/questionnaire/{code}": return "/admin/questionnaire/household";
    case "/admin/scripts/{code}": return "/admin/scripts/missing_points";
    case "/admin/stores/{id}": return first("/admin/stores", /href="(\/admin\/stores\/[0-9a-f-]{36})"/);
    case "/admin/categories/{id}": return first("/admin/categories", /href="(\/admin\/categories\/[0-9a-f-]{36})"/);
    case "/admin/articles/{id}": return first("/admin/articles", /href="(\/admin\/articles\/[0-9a-f-]{36})"/);
    case "/admin/help/{code}": {
      const text = { category: "card", topic: "card", title_ru: "Карта", title_en: "Card", summary_ru: "Коротко", summary_en: "", keywords_ru: "", keywords_en: "",
        body_ru: "Подробно", body_en: "In full", expires: "" };
      await send(page.request, await here(), "/admin/help/lost-card", "help.draft", { seen: "", ...text });
      return "/admin/help/lost-card";
    }
    case "/admin/help/{code}/preview": return "/admin/help/plastic-card/preview";
    case "/admin/programs/{code}": return "/admin/programs/club";
    case "/admin/programs/{code}/preview": return "/admin/programs/club/preview";
    case "/admin/programs/{code}/tiers": {
      const at = "/admin/programs/club/tiers";
      await send(page.request, await here(), at, "tiers.begin");
      return `${at}?tier=new&preview=yes`;
    }
    case "/admin/webhooks/{id}": {
      const receiver = { url: "https://erp.example.com/kabinet", description: "ERP", "events[]": ["purchase.booked", "balance.changed"] };
      const added = await send(page.request, await here(), "/admin/webhooks", "webhook.add", receiver);
      return added.headers().location;
    }
    case "/admin/messages/{id}": return first("/admin/messages?state=failed", /href="(\/admin\/messages\/[0-9a-f-]{36})"/);
    case "/admin/customers/{id}/merge/{other}": {
      const one = await another();
      const phones = [await newcomer(one, signIns), await newcomer(await another(), signIns)];
      const found: string[] = [];
      for (const phone of phones) {
        const answer = await send(page.request, await here(), "/admin/customers", "customer.find", { q: phone });
        found.push(await first(answer.headers().location, /href="\/admin\/customers\/([0-9a-f-]{36})\?find=/));
      }
      return `/admin/customers/${found[0]}/merge/${found[1]}`;
    }
    case "/admin/customers/{id}/purchases/{purchase}/correct": return `${await first(await customer(), /href="(\/admin\/customers\/[^"]*\/purchases\/[0-9a-f-]{36})/)}/correct?act=void`;
    case "/admin/customers/{id}/purchases/{purchase}": return first(await customer(), /href="(\/admin\/customers\/[^"]*\/purchases\/[0-9a-f-]{36})/);
  }
  if (path.includes("{")) throw new Error(`${path} needs a sample`);
  return path;
}

/** Somebody on the way to a card, as far as a step. */
async function onTheWay(page: Page, signIns: SignIns, step: string) {
  if (step === "/sign-in/second") {
    const password = STAFF_PASSWORD;
    const phone = await newcomer(page, signIns, { ...PERSON, password });
    await turnOn(page, signIns);
    await send(page.request, signIns.url, "/card", "sign_out");
    await send(page.request, signIns.url, "/sign-in?by=password", "sign_in.password", { phone, password });
    return;
  }
  if (step === "/sign-in/phone") {
    const email = freeEmail();
    await send(page.request, signIns.url, "/sign-in", "sign_in.start_by_email", { email });
    await send(page.request, signIns.url, "/sign-in/code", "sign_in.verify", { code: await code(page, email) });
    return;
  }
  const phone = freePhone();
  await send(page.request, signIns.url, "/sign-in", "sign_in.start", { phone });
  if (step === "/sign-in/code") return;
  await send(page.request, signIns.url, "/sign-in/code", "sign_in.verify", { code: await code(page, phone) });
  if (step === "/sign-in/details") return;
  await send(page.request, signIns.url, "/sign-in/details", "sign_in.details", PERSON);
}

/** Somebody who waits for a code in their cabinet: to prove who they are, or a new address. */
async function waiting(page: Page, signIns: SignIns, path: string) {
  await newcomer(page, signIns);
  const [from, form] = path === "/confirm/code" ? ["/confirm", "confirm.send"] : ["/profile/contacts", "contact.verify"];
  if (form === "contact.verify") await send(page.request, signIns.url, from, "contact.add_email", { email: freeEmail() });
  const contact = await hidden(page, from, form, "contact");
  // The code of the registration went to the same phone: the next may follow after half a minute.
  const sent = async () => (await send(page.request, signIns.url, from, form, { contact })).status();
  await expect.poll(sent, { timeout: 60_000, intervals: [5_000] }).toBe(303);
}

/** Pages in the cabinet where a code is waited for. */
export const WAITING = ["/confirm/code", "/profile/contacts/code"];

/** Makes the page that of somebody who may see a page of this route; the address of such a page. */
export async function arrive(page: Page, { path, access }: Route, engine: string, signIns: SignIns, another: Another): Promise<string> {
  // Approvals, exports, odd patterns, the help, imports, messages, partners, programs, queues, reports, service levels, rules, shops, tags, texts, tills and webhooks are for whoever has the right to them, which a support agent has not.
  // Whoever adds a receiver, brings files in or takes them away, merges accounts, corrects receipts or looks after staff has just proved who they are.
  if (path === "/admin/webhooks/{id}" || /^\/admin\/(exports|imports|roles|staff)/.test(path) || path === "/admin/customers/{id}/merge/{other}" || path.endsWith("/correct")) await enter(page, employ(signIns, "administrator"));
  else if (access === "Staff") await be(page, engine, /^\/admin\/(approvals|articles|audience|audit|categories|coupons|dialogue|duplicates|fraud|help|levels|messages|partners|programs|promotions|questionnaire|queues|reports|rules|scripts|segments|stores|tags|texts|tills|webhooks)/.test(path) ? "admin" : "agent");
  if (access === "Demonstration") await be(page, engine, "agent");
  if (WAITING.includes(path)) {
    test.slow();
    await waiting(page, signIns, path);
  } else if (access === "Customer") await be(page, engine, "customer");
  if (path.startsWith("/sign-in/")) await onTheWay(page, signIns, path);
  if (path.startsWith("/admin/sign-in/")) {
    // The demonstration's agent has an app; somebody new is to set one up.
    const login = path.endsWith("/setup") ? employ(signIns) : signIns.login;
    const password = path.endsWith("/setup") ? STAFF_PASSWORD : signIns.agent;
    await send(page.request, signIns.url, "/admin/sign-in", "staff.sign_in", { login, password });
  }
  return sample(page, path, signIns, another);
}
