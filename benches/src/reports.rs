//! Reports over millions of receipt lines, on both engines: how fast the regular work counts them by day, once, and the pages
//! that show what it counted.

use crate::engine::{Engine, Times};
use crate::report::{Budget, Report};
use crate::{Args, serve};
use anyhow::{Result, bail, ensure};
use chrono::{Months, TimeDelta, Utc};
use std::path::Path;
use std::time::{Duration, Instant};

/// Lines that are made unless it is said how many.
const LINES: u64 = 20_000_000;
const LINES_OF_RECEIPT: u64 = 4;
/// Receipts of a customer; one of five receipts is nobody's.
const RECEIPTS_OF_CUSTOMER: u64 = 5;
const STORES: u64 = 50;
const CATEGORIES: u64 = 40;
const ARTICLES: u64 = 2_000;
/// Over how many days they are sold, the last one being yesterday.
const DAYS: i64 = 730;
/// How often each page is asked for.
const TURNS: u32 = 50;

/// Kinds of rows, by which their ids are made.
const STORE: u8 = 1;
const CATEGORY: u8 = 2;
const ARTICLE: u8 = 3;
const CUSTOMER: u8 = 4;
const RECEIPT: u8 = 5;
const LINE: u8 = 6;

/// Measures it on both engines.
pub async fn measure(report: &mut Report, args: &Args, folder: &Path) -> Result<()> {
    let lines = args.lines.map_or(LINES, |lines| lines as u64).max(1_000);
    for (engine, name) in Engine::each(report, folder, "kabinet_bench_reports")? {
        one(report, args, &engine, name, lines).await?;
    }
    Ok(())
}

async fn one(report: &mut Report, args: &Args, engine: &Engine, name: &str, lines: u64) -> Result<()> {
    report.section(&format!("Reports (/admin/reports) over {lines} receipt lines, {name}"));
    engine.migrate(args)?;
    let started = Instant::now();
    fill(engine, lines)?;
    report.line("made in", started.elapsed().as_secs_f64(), "s", Budget::None);
    let customers = customers(lines);
    engine.settle(Engine::made_id(CUSTOMER, customers - 1))?;
    engine.sign_in(engine.enter_staff()?)?;

    let (_process, address, _) = serve(args, &engine.url())?;
    let started = Instant::now();
    // It begins with marks for all days, and takes the mark of each away when it is counted. Who came and went comes last.
    let counted = "SELECT value FROM settings WHERE key = 'reports.zone' AND NOT EXISTS (SELECT 1 FROM report_marks) \
                   AND EXISTS (SELECT 1 FROM report_figures WHERE figure = 'people')";
    while engine.run(counted)?.is_none() {
        if started.elapsed() > Duration::from_secs(3600) {
            bail!("the days are not counted");
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let rate = lines as f64 / started.elapsed().as_secs_f64();
    report.line("lines counted a second, once", rate, "/s", Budget::None);
    let kept = engine.ask("SELECT CAST(SUM(value) AS TEXT) FROM report_figures WHERE figure = 'sales'")?;
    let sold = engine.ask("SELECT CAST(SUM(total) AS TEXT) FROM purchases WHERE kind = 'sale'")?;
    ensure!(kept == sold, "{kept} is counted, and {sold} was sold");
    let kept = engine.ask("SELECT CAST(SUM(value) AS TEXT) FROM report_figures WHERE figure = 'registered'")?;
    ensure!(
        kept == customers.to_string(),
        "{kept} of {customers} customers are counted"
    );

    let today = Utc::now().date_naive();
    let year = today - Months::new(12);
    let over = |from| format!("from={from}&to={today}");
    let store = Engine::made_id(STORE, 7);
    let asked = [
        ("purchases of 30 days", "purchases?period=days30".to_owned()),
        ("purchases of a year", format!("purchases?{}", over(year))),
        (
            "purchases of two years",
            format!("purchases?{}", over(today - TimeDelta::days(DAYS))),
        ),
        (
            "purchases of a year, one shop",
            format!("purchases?{}&store={store}", over(year)),
        ),
        ("members of a year", format!("members?{}", over(year))),
        (
            "members of a year, one shop",
            format!("members?{}&store={store}", over(year)),
        ),
    ];
    let paths: Vec<String> = asked.iter().map(|(_, path)| format!("/admin/reports/{path}")).collect();
    let pages: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), "</h1>")).collect();
    let times = Times::of(address, TURNS, &pages).await?;
    for ((what, _), times) in asked.iter().zip(&times) {
        report.line(&format!("{what}, p50"), times.quantile(0.5), "ms", Budget::None);
        report.line(
            &format!("{what}, p99"),
            times.quantile(0.99),
            "ms",
            Budget::AtMost(500.0),
        );
    }
    let since = engine.moment(&seconds(year).to_string());
    let started = Instant::now();
    engine.ask(&format!(
        "SELECT CAST(COUNT(*) AS TEXT) FROM (SELECT p.store_id, a.category_id, SUM(l.amount) AS sum FROM purchases p \
         JOIN purchase_lines l ON l.purchase_id = p.id JOIN articles a ON a.id = l.article_id \
         WHERE p.at >= {since} AND p.voided_at IS NULL GROUP BY p.store_id, a.category_id) s"
    ))?;
    let by_hand = started.elapsed().as_secs_f64() * 1000.0;
    report.line("the sums of a year out of its lines, once", by_hand, "ms", Budget::None);
    let page = times.get(1).map_or(f64::NAN, |times| times.quantile(0.5));
    report.line("ratio of the page of a year to that", page / by_hand, "×", Budget::None);
    Ok(())
}

fn customers(lines: u64) -> u64 {
    lines / LINES_OF_RECEIPT / RECEIPTS_OF_CUSTOMER
}

fn seconds(day: chrono::NaiveDate) -> i64 {
    day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp()
}

/// Writes shops, articles, customers and what they bought, evenly over the days. One receipt of twenty is a return.
fn fill(engine: &Engine, lines: u64) -> Result<()> {
    const TABLES: [&str; 8] = [
        "stores",
        "categories",
        "articles",
        "customers",
        "contacts",
        "memberships",
        "purchases",
        "purchase_lines",
    ];
    let (receipts, customers) = (lines / LINES_OF_RECEIPT, customers(lines));
    let span = DAYS * 86_400;
    let begin = seconds(Utc::now().date_naive()) - span;
    let made = |kind, number: &str| engine.made(kind, number);
    let at = |count: u64| engine.moment(&format!("({begin} + n.i * {span} / {count})"));
    let (joined, bought) = (at(customers), at(receipts));
    // What a receipt costs follows from its number, so that its lines sum up to it.
    let price = |receipt: &str| format!("(10000 + {receipt} % 97 * 100)");
    let sign = |receipt: &str| format!("CASE WHEN {receipt} % 20 = 19 THEN -1 ELSE 1 END");
    let receipt = format!("(n.i / {LINES_OF_RECEIPT})");
    let ordinal = format!("(n.i % {LINES_OF_RECEIPT} + 1)");
    let amount = format!("{} * {ordinal} * {}", sign(&receipt), price(&receipt));
    let pieces: u64 = (1..=LINES_OF_RECEIPT).sum();
    let statements = [
        format!(
            "INSERT INTO stores (id, code, name, town, address, hours) SELECT {}, 'bench-' || n.i, {}, {}, {}, \
             '[null, null, null, null, null, null, null]' FROM {}",
            made(STORE, "n.i"),
            engine.words("'Shop ' || n.i"),
            engine.words("'Town'"),
            engine.words("'Street'"),
            engine.numbers(STORES)
        ),
        format!(
            "INSERT INTO categories (id, code, name, position) SELECT {}, 'bench-' || n.i, {}, n.i FROM {}",
            made(CATEGORY, "n.i"),
            engine.words("'Category ' || n.i"),
            engine.numbers(CATEGORIES)
        ),
        format!(
            "INSERT INTO articles (id, code, name, search, category_id) SELECT {}, 'bench-' || n.i, 'Article ' || n.i, \
             'article ' || n.i, {} FROM {}",
            made(ARTICLE, "n.i"),
            made(CATEGORY, &format!("(n.i % {CATEGORIES})")),
            engine.numbers(ARTICLES)
        ),
        format!(
            "INSERT INTO customers (id, name, surname, search, language, source, favourite_store_id, registered_at, \
             updated_at) SELECT {}, 'Name', 'Surname ' || n.i, 'surname ' || n.i || ' name', 'ru', 'bench', {}, {joined}, \
             {joined} FROM {}",
            made(CUSTOMER, "n.i"),
            made(STORE, &format!("(n.i * 13 % {STORES})")),
            engine.numbers(customers)
        ),
        format!(
            "INSERT INTO contacts (id, customer_id, kind, value, is_primary, verified_at, created_at) \
             SELECT {}, {}, 'phone', '+79' || (100000000 + n.i), 1 = 1, {joined}, {joined} FROM {}",
            made(CUSTOMER, "n.i"),
            made(CUSTOMER, "n.i"),
            engine.numbers(customers)
        ),
        format!(
            "INSERT INTO memberships (id, program_id, customer_id, terms_version, joined_at) \
             SELECT {}, (SELECT id FROM programs WHERE code = 'club'), {}, 1, {joined} FROM {}",
            made(CUSTOMER, "n.i"),
            made(CUSTOMER, "n.i"),
            engine.numbers(customers)
        ),
        format!(
            "INSERT INTO purchases (id, source, document, kind, customer_id, store_id, at, line_count, total) \
             SELECT {}, 'bench', 'R-' || n.i, CASE WHEN n.i % 20 = 19 THEN 'return' ELSE 'sale' END, \
             CASE WHEN n.i % 5 = 0 THEN NULL ELSE {} END, {}, {bought}, {LINES_OF_RECEIPT}, {} * {pieces} * {} FROM {}",
            made(RECEIPT, "n.i"),
            made(CUSTOMER, &format!("(n.i * 7919 % {customers})")),
            made(STORE, &format!("(n.i * 31 % {STORES})")),
            sign("n.i"),
            price("n.i"),
            engine.numbers(receipts)
        ),
        format!(
            "INSERT INTO purchase_lines (id, purchase_id, ordinal, article_id, quantity, price, discount, amount) \
             SELECT {}, {}, {ordinal}, {}, {} * {ordinal}, {}, 0, {amount} FROM {}",
            made(LINE, "n.i"),
            made(RECEIPT, &receipt),
            made(ARTICLE, &format!("(n.i * 7919 % {ARTICLES})")),
            sign(&receipt),
            price(&receipt),
            engine.numbers(receipts * LINES_OF_RECEIPT)
        ),
    ];
    engine.fill(&TABLES, &statements)
}
