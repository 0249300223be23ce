//! The list of requests, which staff work through, among a million: its first page and one far down, and the report of a year of them,
//! on both engines.

use crate::engine::{Engine, Times};
use crate::report::{Budget, Report};
use crate::{Args, serve};
use anyhow::{Result, ensure};
use chrono::{Months, Utc};
use std::path::Path;
use std::time::Instant;
use uuid::Uuid;

/// Rows of a page, as the product has them.
const PAGE: u64 = 50;
/// The page far down, where there are as many.
const FAR: u64 = 10_000;
/// Requests of a customer.
const OF_CUSTOMER: u64 = 10;
/// One of so many is not closed.
const UNCLOSED: u64 = 50;
/// Seconds between two requests: a million are those of some two years.
const EVERY: u64 = 60;
/// How often each page is asked for.
const TURNS: u32 = 200;
/// How often the report is asked for, which takes its time.
const REPORTS: u32 = 5;

/// Kinds of rows, by which their ids are made.
const CUSTOMER: u8 = 1;
const REQUEST: u8 = 2;
const QUESTION: u8 = 3;
const ANSWER: u8 = 4;

/// Measures it on both engines.
pub async fn measure(report: &mut Report, args: &Args, folder: &Path) -> Result<()> {
    for (engine, name) in Engine::each(report, folder, "kabinet_bench_requests")? {
        one(report, args, &engine, name, args.requests.max(10_000)).await?;
    }
    Ok(())
}

async fn one(report: &mut Report, args: &Args, engine: &Engine, name: &str, count: u64) -> Result<()> {
    report.section(&format!("The list of requests (/admin/requests) among {count}, {name}"));
    engine.migrate(args)?;
    let staff = engine.enter_staff()?;
    let started = Instant::now();
    fill(engine, count, staff)?;
    report.line("made in", started.elapsed().as_secs_f64(), "s", Budget::None);
    engine.settle(Engine::made_id(CUSTOMER, count / OF_CUSTOMER - 1))?;
    engine.sign_in(staff)?;

    // What the list is narrowed to, in whose order it comes, and how many there are.
    let lists = [
        (
            "all, what was touched last first",
            "status=all",
            "",
            "updated_at",
            "DESC",
            count,
        ),
        (
            "not closed, who waits longest first",
            "",
            "WHERE status <> 'closed'",
            "waits_from",
            "ASC",
            count / UNCLOSED,
        ),
    ];
    let (_process, address, _) = serve(args, &engine.url())?;
    for (what, query, only, by, way, there_are) in lists {
        // The one before the last at most, so that it is as full as the first.
        let page = FAR.min(there_are / PAGE - 1).max(2);
        let before = (page - 1) * PAGE - 1;
        let place = engine.ask(&format!(
            "SELECT {} || '_' || {} FROM requests {only} ORDER BY {by} {way}, id {way} LIMIT 1 OFFSET {before}",
            engine.micros(by),
            engine.text("id")
        ))?;
        let first = format!("/admin/requests?{query}");
        let far = format!("{first}&after={place}");
        let mark = "href=\"/admin/requests/";
        let times = Times::of(address, TURNS, &[(first.as_str(), mark), (far.as_str(), mark)]).await?;
        let [first, far] = times.as_slice() else { continue };
        for (n, times) in [(1, first), (page, far)] {
            report.line(
                &format!("{what}: page {n}, p50"),
                times.quantile(0.5),
                "ms",
                Budget::None,
            );
            report.line(
                &format!("{what}: page {n}, p99"),
                times.quantile(0.99),
                "ms",
                Budget::None,
            );
        }
        let ratio = far.quantile(0.5) / first.quantile(0.5);
        report.line(&format!("page {page} to page 1, p50"), ratio, "×", Budget::AtMost(1.2));
    }
    // The report reads each request of its year, and of the one before.
    let today = Utc::now().date_naive();
    let of_year = format!("/admin/reports/requests?from={}&to={today}", today - Months::new(12));
    let times = Times::of(address, REPORTS, &[(of_year.as_str(), "</h1>")]).await?;
    for times in &times {
        report.line("the report of a year, p50", times.quantile(0.5), "ms", Budget::None);
    }
    Ok(())
}

/// Writes customers and their requests, each with a question and, unless it is new, an answer. The last of them are not
/// closed.
fn fill(engine: &Engine, count: u64, staff: Uuid) -> Result<()> {
    let customers = count / OF_CUSTOMER;
    let closed = count - count / UNCLOSED;
    let begin = Utc::now().timestamp() - i64::try_from(count * EVERY)? - 86_400;
    let made = |kind, number: &str| engine.made(kind, number);
    let at = |later: u64| engine.moment(&format!("({begin} + n.i * {EVERY} + {later})"));
    let (asked, answered) = (at(0), at(3_600));
    let status = format!(
        "CASE WHEN n.i < {closed} THEN 'closed' WHEN n.i % 3 = 0 THEN 'new' WHEN n.i % 3 = 1 THEN 'open' ELSE 'waiting' END"
    );
    let is_closed = format!("n.i < {closed}");
    let is_new = format!("n.i >= {closed} AND n.i % 3 = 0");
    let waits = format!("n.i >= {closed} AND n.i % 3 < 2");
    let staff = engine.id(staff);
    let topics: u64 = engine.ask("SELECT CAST(COUNT(*) AS TEXT) FROM topics")?.parse()?;
    ensure!(topics > 0, "there are no topics");
    let null_unless = |condition: &str, value: &str| format!("CASE WHEN {condition} THEN {value} END");
    let statements = [
        format!(
            "INSERT INTO customers (id, name, surname, search, language, source, registered_at, updated_at) \
             SELECT {}, 'Name', 'Surname ' || n.i, 'surname ' || n.i || ' name', 'ru', 'bench', {asked}, {asked} FROM {}",
            made(CUSTOMER, "n.i"),
            engine.numbers(customers)
        ),
        format!(
            "INSERT INTO requests (id, number, customer_id, topic_id, status, assignee_id, language, created_at, updated_at, \
             waiting_since, answered_at, closed_at, customer_seen_at) \
             SELECT {}, n.i + 1, {}, t.id, {status}, {}, 'ru', {asked}, {answered}, {}, {}, {}, {answered} FROM {} \
             JOIN (SELECT id, ROW_NUMBER() OVER (ORDER BY code) - 1 AS place FROM topics) t ON t.place = n.i % {topics}",
            made(REQUEST, "n.i"),
            made(CUSTOMER, &format!("(n.i % {customers})")),
            null_unless(&format!("NOT ({is_new})"), &staff),
            null_unless(&waits, &asked),
            null_unless(&format!("NOT ({is_new})"), &answered),
            null_unless(&is_closed, &answered),
            engine.numbers(count)
        ),
        format!(
            "INSERT INTO messages (id, request_id, author, internal, body, search, at) SELECT {}, {}, 'customer', 1 = 0, \
             'Question ' || n.i, 'question ' || n.i, {asked} FROM {}",
            made(QUESTION, "n.i"),
            made(REQUEST, "n.i"),
            engine.numbers(count)
        ),
        format!(
            "INSERT INTO messages (id, request_id, author, staff_id, internal, body, search, at) SELECT {}, {}, 'staff', \
             {staff}, 1 = 0, 'Answer ' || n.i, 'answer ' || n.i, {answered} FROM {} WHERE NOT ({is_new})",
            made(ANSWER, "n.i"),
            made(REQUEST, "n.i"),
            engine.numbers(count)
        ),
    ];
    engine.fill(&["customers", "requests", "messages"], &statements)
}
