//! The card of a customer as staff see it, on both engines: of one to whom thousands of things have happened, beside one to
//! whom hardly any have, and the beginning of the long history beside its end.

use crate::engine::{Engine, Times};
use crate::report::{Budget, Report};
use crate::{Args, serve};
use anyhow::Result;
use chrono::Utc;
use std::path::Path;
use uuid::Uuid;

/// What happened to the other customer.
const FEW: u64 = 50;
/// Seconds between two things that happened: five thousand are those of some two years.
const EVERY: u64 = 12_000;
/// How often each page is asked for.
const TURNS: u32 = 200;

/// Kinds of rows, by which their ids are made; what belongs to the one with a long history has its own.
const ARTICLE: u8 = 1;
const CUSTOMER: u8 = 2;
const KINDS: [u8; 2] = [0x10, 0x20];

/// Measures it on both engines.
pub async fn measure(report: &mut Report, args: &Args, folder: &Path) -> Result<()> {
    for (engine, name) in Engine::each(report, folder, "kabinet_bench_card")? {
        one(report, args, &engine, name, args.entries.max(500)).await?;
    }
    Ok(())
}

async fn one(report: &mut Report, args: &Args, engine: &Engine, name: &str, many: u64) -> Result<()> {
    report.section(&format!(
        "The card of a customer with {many} entries in the history, {name}"
    ));
    engine.migrate(args)?;
    let staff = engine.enter_staff()?;
    fill(engine, [FEW, many], staff)?;
    engine.settle(Engine::made_id(CUSTOMER, 1))?;
    engine.sign_in(staff)?;
    // The 60th receipt from the beginning: the page after it is full, and the last but one or so.
    let place = engine.ask(&format!(
        "SELECT {} || '_0_' || {} FROM purchases WHERE customer_id = {} ORDER BY at, id LIMIT 1 OFFSET 59",
        engine.micros("at"),
        engine.text("id"),
        engine.id(Engine::made_id(CUSTOMER, 1))
    ))?;
    let (_process, address, _) = serve(args, &engine.url())?;
    let card = |number| format!("/admin/customers/{}", Engine::made_id(CUSTOMER, number));
    let (few, long) = (card(0), card(1));
    let end = format!("{long}?after={place}");
    let mark = "id=\"history\"";
    let times = Times::of(
        address,
        TURNS,
        &[(few.as_str(), mark), (long.as_str(), mark), (end.as_str(), mark)],
    )
    .await?;
    let [few, long, end] = times.as_slice() else {
        return Ok(());
    };
    for (what, times) in [
        (format!("{FEW} entries"), few),
        (format!("{many} entries"), long),
        (format!("{many} entries, the end of the history"), end),
    ] {
        report.line(&format!("{what}, p50"), times.quantile(0.5), "ms", Budget::None);
        report.line(&format!("{what}, p99"), times.quantile(0.99), "ms", Budget::None);
    }
    let ratio = |a: &Times, b: &Times| a.quantile(0.5) / b.quantile(0.5);
    report.line("many entries to few, p50", ratio(long, few), "×", Budget::AtMost(1.5));
    report.line(
        "the end of the history to its beginning, p50",
        ratio(end, long),
        "×",
        Budget::AtMost(1.2),
    );
    Ok(())
}

/// Writes two customers and what happened to each: of a hundred entries 40 are receipts, 20 their points, 22 requests and
/// messages in them, 10 messages that were sent, 8 sign-ins. That staff open their cards was told today.
fn fill(engine: &Engine, entries: [u64; 2], staff: Uuid) -> Result<()> {
    const TABLES: [&str; 12] = [
        "customers",
        "articles",
        "purchases",
        "purchase_lines",
        "accounts",
        "transactions",
        "postings",
        "requests",
        "messages",
        "outbox",
        "sessions",
        "audit",
    ];
    let now = Utc::now().timestamp();
    let staff = engine.id(staff);
    let mut statements = vec![format!(
        "INSERT INTO articles (id, code, name, search) SELECT {}, 'bench-' || n.i, 'Article ' || n.i, 'article ' || n.i FROM {}",
        engine.made(ARTICLE, "n.i"),
        engine.numbers(100)
    )];
    for (number, (entries, kind)) in entries.into_iter().zip(KINDS).enumerate() {
        let begin = now - i64::try_from(entries * EVERY)? - 86_400;
        let span = entries * EVERY;
        let customer = engine.id(Engine::made_id(CUSTOMER, number as u64));
        let account = engine.id(Engine::made_id(kind, 0));
        let share = |of_hundred: u64| (entries * of_hundred / 100).max(1);
        let made = |of: u8, number: &str| engine.made(kind + of, number);
        // Evenly over the time, so that a page of the history has some of each.
        let at = |count: u64| engine.moment(&format!("({begin} + n.i * {span} / {count})"));
        let registered = engine.moment(&begin.to_string());
        let (receipts, accruals, requests, messages) = (share(40), share(20), share(2), share(20));
        let (sent, sessions) = (share(10), share(8));
        let bought = at(receipts);
        let earned = at(accruals);
        let asked = at(requests);
        let said = at(messages);
        let wrote = at(sent);
        let came = at(sessions);
        statements.extend([
            format!(
                "INSERT INTO customers (id, name, surname, search, language, source, registered_at, updated_at) \
                 SELECT {customer}, 'Name', 'Surname {number}', 'surname {number} name', 'ru', 'bench', {registered}, \
                 {registered}"
            ),
            format!(
                "INSERT INTO purchases (id, source, document, kind, customer_id, at, line_count, total) SELECT {}, \
                 'bench-{number}', 'R-' || n.i, 'sale', {customer}, {bought}, 2, 20000 FROM {}",
                made(1, "n.i"),
                engine.numbers(receipts)
            ),
            format!(
                "INSERT INTO purchase_lines (id, purchase_id, ordinal, article_id, quantity, price, discount, amount) \
                 SELECT {}, {}, n.i % 2 + 1, {}, 1, 10000, 0, 10000 FROM {}",
                made(2, "n.i"),
                made(1, "(n.i / 2)"),
                engine.made(ARTICLE, "(n.i * 7 % 100)"),
                engine.numbers(receipts * 2)
            ),
            format!(
                "INSERT INTO accounts (id, program_id, customer_id, balance, kind) SELECT {account}, id, {customer}, \
                 {accruals} * 600, 'active' FROM programs WHERE code = 'club'"
            ),
            format!(
                "INSERT INTO transactions (id, program_id, customer_id, purchase_id, at, recorded_at, kind) SELECT {}, p.id, \
                 {customer}, {}, {earned}, {earned}, 'accrual' FROM {} JOIN programs p ON p.code = 'club'",
                made(3, "n.i"),
                made(1, "n.i"),
                engine.numbers(accruals)
            ),
            format!(
                "INSERT INTO postings (id, transaction_id, account_id, amount) SELECT {}, {}, {account}, 600 FROM {}",
                made(4, "n.i"),
                made(3, "n.i"),
                engine.numbers(accruals)
            ),
            format!(
                "INSERT INTO requests (id, number, customer_id, topic_id, status, language, created_at, updated_at, closed_at, \
                 customer_seen_at) SELECT {}, {number} * 1000000 + n.i + 1, {customer}, \
                 (SELECT id FROM topics ORDER BY code LIMIT 1), 'closed', 'ru', {asked}, {asked}, {asked}, {asked} FROM {}",
                made(5, "n.i"),
                engine.numbers(requests)
            ),
            format!(
                "INSERT INTO messages (id, request_id, author, staff_id, internal, body, search, at) SELECT {}, {}, \
                 CASE WHEN n.i % 2 = 0 THEN 'customer' ELSE 'staff' END, CASE WHEN n.i % 2 = 1 THEN {staff} END, 1 = 0, \
                 'Message ' || n.i, 'message ' || n.i, {said} FROM {}",
                made(6, "n.i"),
                made(5, &format!("(n.i * {requests} / {messages})")),
                engine.numbers(messages)
            ),
            format!(
                "INSERT INTO outbox (id, channel, address, customer_id, template, language, subject, body, state, created_at, \
                 sent_at) SELECT {}, 'email', 'bench@example.com', {customer}, 'request_answered', 'ru', 'Subject', 'Body', \
                 'sent', {wrote}, {wrote} FROM {}",
                made(7, "n.i"),
                engine.numbers(sent)
            ),
            format!(
                "INSERT INTO sessions (id, token_hash, customer_id, device, network, created_at, seen_at, expires_at, ended_at) \
                 SELECT {}, {}, {customer}, 'bench', '127.0.0.1', {came}, {came}, {came}, {came} FROM {}",
                made(8, "n.i"),
                engine.as_bytes(&format!("'{number}-' || n.i")),
                engine.numbers(sessions)
            ),
            format!(
                "INSERT INTO audit (id, at, actor, actor_id, action, customer_id, reason, network) SELECT {}, {}, 'staff', \
                 {staff}, 'customer.why', {customer}, 'card check', '127.0.0.1'",
                engine.id(Uuid::now_v7()),
                engine.moment(&now.to_string())
            ),
        ]);
    }
    engine.fill(&TABLES, &statements)
}
