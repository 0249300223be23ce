//! What tills ask: receipts that are booked, beside a loop that writes the same rows by hand; a customer, beside the same
//! answer by hand; quotes.

use crate::load::{Bodies, Target, run};
use crate::pages::{self, Asked, ROUNDS, Side, WARM_UP, median};
use crate::report::{Budget, Report};
use crate::{Args, CUSTOMER, kabinet, serve, serve_bare, sqlite};
use anyhow::{Context, Result, ensure};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Params, Row, params};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Where the benchmark's receipts come from.
pub const SOURCE: &str = "bench";

/// Who buys: members of the program that everybody is a member of, who have earned before, each with the account of their
/// points that wait.
pub const CUSTOMERS: &str = "SELECT a.customer_id, a.id AS account_id FROM accounts a \
    JOIN programs p ON p.id = a.program_id WHERE a.kind = 'pending' AND p.automatic ORDER BY a.customer_id";
/// What is bought.
pub const ARTICLES: &str = "SELECT code, id FROM articles ORDER BY code";

/// Quantity and price of each line of a receipt.
pub const LINES: [(i64, i64); 3] = [(1, 4990), (2, 1250), (1, 19900)];
/// Lines of a basket that is quoted.
const BASKET: usize = 10;

/// A receipt; customer and articles by their place in the lists.
struct Receipt {
    document: String,
    at: DateTime<Utc>,
    customer: usize,
    articles: [usize; LINES.len()],
}

/// Makes receipts, each another one, of all customers and articles in turn.
pub struct Receipts {
    pub customers: Vec<String>,
    pub articles: Vec<String>,
    made: AtomicU64,
}

impl Receipts {
    pub fn new(customers: Vec<String>, articles: Vec<String>) -> Result<Self> {
        ensure!(
            !customers.is_empty() && articles.len() > BASKET,
            "the demonstration has nobody who buys, or nothing to buy"
        );
        Ok(Self {
            customers,
            articles,
            made: AtomicU64::new(0),
        })
    }

    fn next(&self) -> Receipt {
        let n = self.made.fetch_add(1, Ordering::Relaxed) as usize;
        Receipt {
            document: format!("{SOURCE}-{n}"),
            at: Utc::now().trunc_subsecs(6),
            customer: n % self.customers.len(),
            articles: std::array::from_fn(|line| (n * LINES.len() + line) % self.articles.len()),
        }
    }

    /// A receipt as a till sends it.
    fn body(&self, receipt: &Receipt) -> String {
        let lines = receipt.articles.iter().zip(LINES).map(
            |(article, (quantity, price))| json!({"article": self.articles[*article], "quantity": quantity, "price": price}),
        );
        json!({
            "document": receipt.document,
            "at": receipt.at,
            "customer": self.customers[receipt.customer],
            "lines": lines.collect::<Vec<_>>(),
        })
        .to_string()
    }

    /// The next receipt as a till sends it.
    pub fn next_body(&self) -> String {
        self.body(&self.next())
    }

    /// A basket as a till asks what it is worth.
    fn basket(&self) -> String {
        let n = self.made.fetch_add(1, Ordering::Relaxed) as usize;
        let line =
            |line| json!({"article": self.articles[(n + line) % self.articles.len()], "quantity": 1, "price": 990});
        json!({
            "customer": self.customers[n % self.customers.len()],
            "lines": (0..BASKET).map(line).collect::<Vec<_>>(),
        })
        .to_string()
    }
}

/// Adds the benchmark's till and tells its key.
pub fn add_till(args: &Args, database: &str) -> Result<String> {
    let mut add = kabinet(args, database);
    add.args(["till", "add", "bench", "Bench", "--source", SOURCE]);
    let said = add.stderr(Stdio::inherit()).output()?;
    ensure!(said.status.success(), "kabinet till add ended with {}", said.status);
    Ok(String::from_utf8(said.stdout)?.trim().to_owned())
}

/// Compares every sum in the books with what it is made of. A loop by hand moves nobody to another tier: that much may differ.
pub fn verify(args: &Args, database: &str) -> Result<()> {
    let said = kabinet(args, database).args(["ledger", "verify"]).output()?;
    let lines = String::from_utf8_lossy(&said.stdout).into_owned();
    // By hand nobody stands in a tier.
    let of_tiers = |line: &str| line.starts_with("a tier") || line.starts_with("a grace");
    let wrong: Vec<&str> = lines.lines().filter(|line| !of_tiers(line)).collect();
    ensure!(
        said.status.success() || !lines.is_empty() && wrong.is_empty(),
        "the ledger of {database} is not in order:\n{}",
        wrong.join("\n")
    );
    Ok(())
}

/// What a till asks of the API at this address.
pub fn target(address: SocketAddr, key: &str, path: &str, post: Option<Bodies>) -> Target {
    Target {
        address,
        path: path.to_owned(),
        who: ("authorization", format!("Bearer {key}")),
        post,
    }
}

/// Everything that is measured on SQLite, over copies of the demonstration in `file`.
pub async fn measure(report: &mut Report, args: &Args, file: &Path, turn: Duration) -> Result<()> {
    let key = add_till(args, &sqlite(file))?;
    let (our_file, hand_file) = (file.with_file_name("till.db"), file.with_file_name("by-hand.db"));
    let demonstration = Connection::open(file)?;
    for copy in [&our_file, &hand_file] {
        demonstration.execute("VACUUM INTO ?1", [copy.to_str().context("the folder's name")?])?;
    }
    let customer: Uuid =
        demonstration.query_row("SELECT id FROM customers WHERE external_id = ?1", [CUSTOMER], |row| {
            row.get(0)
        })?;
    let by_hand = ByHand::open(&hand_file)?;
    let receipts = by_hand.receipts.clone();
    let (ours, address, _) = serve(args, &sqlite(&our_file))?;
    same_rows(&by_hand, &our_file, address, &key).await?;

    let post = {
        let receipts = receipts.clone();
        target(
            address,
            &key,
            "/api/v1/purchases",
            Some(Arc::new(move || receipts.next_body())),
        )
    };
    // One was sent to show that both write the same.
    let mut acknowledged = 1 + run(&post, WARM_UP, None).await?.requests;
    by_hand.run(WARM_UP)?;
    let (mut rates, mut cpus, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let before = ours.cpu()?;
        let run = run(&post, turn, None).await?;
        cpus.push((ours.cpu()? - before).as_secs_f64() * 1e6 / run.requests as f64);
        rates.push(run.per_second());
        acknowledged += run.requests;
        bare.push(by_hand.run(turn)?);
    }
    let (rate, bare) = (median(rates), median(bare));
    report.section("Receipts of three lines (POST /api/v1/purchases), the same rows as by hand, SQLite");
    report.line("receipts a second", rate, "/s", Budget::None);
    report.line("receipts a second, by hand", bare, "/s", Budget::None);
    report.line("ratio", rate / bare, "×", Budget::AtLeast(0.5));
    report.line("processor time of a receipt", median(cpus), "µs", Budget::None);
    report.line("4 kB written and synced, alone", synced(&our_file)?, "µs", Budget::None);
    let found: i64 = Connection::open(&our_file)?.query_row(
        "SELECT COUNT(*) FROM purchases WHERE source = ?1",
        [SOURCE],
        |row| row.get(0),
    )?;
    acknowledgements(report, acknowledged, u64::try_from(found)?);
    for file in [&our_file, &hand_file] {
        verify(args, &sqlite(file))?;
    }

    let (bare, bare_address) = serve_bare(args, &our_file)?;
    let our_side = Side {
        process: &ours,
        target: &|path: &str| target(address, &key, path, None),
    };
    let bare_side = Side {
        process: &bare,
        target: &|path: &str| target(bare_address, &key, path, None),
    };
    let asked = Asked {
        name: "A customer",
        path: &format!("/api/v1/customers/{customer}"),
        ratio: 0.8,
        p99: None,
    };
    pages::measure(report, &asked, [&our_side, &bare_side], turn).await?;

    let ask = target(
        address,
        &key,
        "/api/v1/quotes",
        Some(Arc::new(move || receipts.basket())),
    );
    run(&ask, WARM_UP, None).await?;
    let peak = run(&ask, turn, None).await?.per_second();
    let calm = run(&ask, turn * 2, Some(peak * 0.7)).await?;
    report.section(&format!("Quotes of {BASKET} lines (POST /api/v1/quotes)"));
    report.line("requests a second", peak, "/s", Budget::None);
    report.line("p50 at 70 % of the peak", calm.quantile(0.5), "ms", Budget::None);
    report.line("p99 at 70 % of the peak", calm.quantile(0.99), "ms", Budget::None);
    Ok(())
}

/// What was acknowledged has to be there, and nothing else.
pub fn acknowledgements(report: &mut Report, acknowledged: u64, found: u64) {
    report.line("receipts acknowledged", acknowledged as f64, "", Budget::None);
    report.line(
        "more or fewer than are in the database",
        acknowledged.abs_diff(found) as f64,
        "",
        Budget::AtMost(0.0),
    );
}

fn texts(db: &Connection, sql: &str) -> Result<Vec<String>> {
    Ok(db
        .prepare(sql)?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?)
}

/// How long this disk takes, in microseconds: what no booking can be quicker than.
fn synced(beside: &Path) -> Result<f64> {
    const TIMES: u32 = 200;
    let mut file = File::create(beside.with_file_name("synced"))?;
    let started = Instant::now();
    for _ in 0..TIMES {
        file.write_all(&[1; 4096])?;
        file.sync_data()?;
    }
    Ok(started.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES))
}

/// The program that everybody is a member of.
struct Program {
    id: Uuid,
    code: String,
    name: serde_json::Value,
    version: i64,
    /// In hundredths of a percent.
    share: i64,
    delay: TimeDelta,
    term: TimeDelta,
    /// The account that its points come from.
    issued: Uuid,
}

impl Program {
    fn read(db: &Connection) -> Result<Self> {
        const SQL: &str = "SELECT p.id, p.code, v.name, v.version, v.share, v.delay_days, v.term_days, a.id \
            FROM programs p JOIN program_versions v ON v.program_id = p.id JOIN accounts a ON a.program_id = p.id \
            WHERE p.automatic AND a.kind = 'issued'";
        const OTHERS: &str = "SELECT COUNT(*) FROM memberships m JOIN programs p ON p.id = m.program_id \
                              WHERE NOT p.automatic";
        let others: i64 = db.query_row(OTHERS, [], |row| row.get(0))?;
        ensure!(
            others == 0,
            "customers of the demonstration are members of several programs"
        );
        let mut query = db.prepare(SQL)?;
        let mut rows = query.query([])?;
        let row = rows.next()?.context("the demonstration has no program for everybody")?;
        Ok(Self {
            id: row.get(0)?,
            code: row.get(1)?,
            name: serde_json::from_str(&row.get::<_, String>(2)?)?,
            version: row.get(3)?,
            share: row.get(4)?,
            delay: TimeDelta::days(row.get(5)?),
            term: TimeDelta::days(row.get(6)?),
            issued: row.get(7)?,
        })
    }
}

/// A connection as the product's writing one is, and what it has to know of the demonstration.
struct ByHand {
    db: Connection,
    receipts: Arc<Receipts>,
    /// Each with the account of their points that wait.
    customers: Vec<(Uuid, Uuid)>,
    articles: Vec<Uuid>,
    till: Uuid,
    program: Program,
}

impl ByHand {
    fn open(file: &Path) -> Result<Self> {
        let db = Connection::open(file)?;
        // As in `Db::connect`: what is committed is on the disk.
        db.pragma_update(None, "journal_mode", "wal")?;
        db.pragma_update(None, "synchronous", "full")?;
        db.pragma_update(None, "foreign_keys", true)?;
        db.pragma_update(None, "cache_size", -64000)?;
        db.pragma_update(None, "temp_store", "memory")?;
        db.pragma_update(None, "wal_autocheckpoint", 8000)?;
        db.set_prepared_statement_cache_capacity(100);
        let customers: Vec<(Uuid, Uuid)> = db
            .prepare(CUSTOMERS)?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let articles: Vec<(String, Uuid)> = db
            .prepare(ARTICLES)?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let (codes, articles) = articles.into_iter().unzip();
        let receipts = Receipts::new(customers.iter().map(|(id, _)| id.to_string()).collect(), codes)?;
        Ok(Self {
            receipts: Arc::new(receipts),
            customers,
            articles,
            till: db.query_row("SELECT id FROM tills WHERE source = ?1", [SOURCE], |row| row.get(0))?,
            program: Program::read(&db)?,
            db,
        })
    }

    /// Books for so long, and tells how many a second that is.
    fn run(&self, lasting: Duration) -> Result<f64> {
        let (started, mut booked) = (Instant::now(), 0_u32);
        while started.elapsed() < lasting {
            self.book(&self.receipts.next())?;
            booked += 1;
        }
        Ok(f64::from(booked) / started.elapsed().as_secs_f64())
    }

    fn write(&self, sql: &str, values: impl Params) -> Result<()> {
        self.db.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// What a booking leaves in the tables, in one transaction.
    fn book(&self, receipt: &Receipt) -> Result<()> {
        let (customer, account) = self.customers[receipt.customer];
        let program = &self.program;
        let [purchase, transaction, lot] = [(); 3].map(|()| Uuid::now_v7());
        let amounts = LINES.map(|(quantity, price)| quantity * price);
        let earned = amounts.map(|amount| amount * program.share / 10_000);
        let points: i64 = earned.iter().sum();
        let at = receipt.at.to_rfc3339();
        let activates_at = receipt.at + program.delay;
        let now = Utc::now().trunc_subsecs(6).to_rfc3339();
        let key = Uuid::new_v4().simple().to_string();
        let body = json!({
            "channel": null,
            "code": null,
            "coupons": [],
            "customer": customer.to_string(),
            "document": receipt.document,
            "earned": [{"name": program.name, "points": points, "program": program.code}],
            "known": false,
            "paid": [],
            "payments": [],
            "presented": [],
            "purchase": purchase.to_string(),
            "unpaid": 0,
            "voided_at": null,
            "waiting": 0,
        });
        let answer = format!("{{\"status\":201,\"body\":{body}}}");

        self.write("BEGIN IMMEDIATE", [])?;
        self.write(
            "INSERT INTO idempotency_keys (scope, key, fingerprint, answer, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                format!("till:{}", self.till),
                key,
                Sha256::digest(&receipt.document).to_vec(),
                answer,
                now
            ],
        )?;
        self.write(
            "INSERT INTO purchases (id, source, document, kind, customer_id, at, line_count, total, till_id) \
             VALUES (?1, ?2, ?3, 'sale', ?4, ?5, ?6, ?7, ?8)",
            params![
                purchase,
                SOURCE,
                receipt.document,
                customer,
                at,
                LINES.len() as i64,
                amounts.iter().sum::<i64>(),
                self.till
            ],
        )?;
        self.write(
            "INSERT INTO transactions (id, program_id, customer_id, kind, purchase_id, at, recorded_at) \
             VALUES (?1, ?2, ?3, 'accrual', ?4, ?5, ?6)",
            params![transaction, program.id, customer, purchase, at, now],
        )?;
        self.write(
            "UPDATE accounts SET balance = balance + ?2 WHERE id = ?1",
            params![account, points],
        )?;
        for (account, amount) in [(account, points), (program.issued, -points)] {
            self.write(
                "INSERT INTO postings (id, transaction_id, account_id, amount) VALUES (?1, ?2, ?3, ?4)",
                params![Uuid::now_v7(), transaction, account, amount],
            )?;
        }
        self.write(
            "INSERT INTO lots (id, transaction_id, program_id, customer_id, points, remaining, state, activates_at, \
             expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5, 'pending', ?6, ?7)",
            params![
                lot,
                transaction,
                program.id,
                customer,
                points,
                activates_at.to_rfc3339(),
                (activates_at + program.term).to_rfc3339()
            ],
        )?;
        for (n, (quantity, price)) in LINES.iter().enumerate() {
            let line = Uuid::now_v7();
            self.write(
                "INSERT INTO purchase_lines (id, purchase_id, ordinal, article_id, quantity, price, discount, amount) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7)",
                params![
                    line,
                    purchase,
                    n as i64 + 1,
                    self.articles[receipt.articles[n]],
                    quantity,
                    price,
                    amounts[n]
                ],
            )?;
            self.write(
                "INSERT INTO accruals (line_id, program_id, program_version, lot_id, points) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![line, program.id, program.version, lot, earned[n]],
            )?;
        }
        let day = receipt.at.with_timezone(&chrono_tz::Europe::Moscow).date_naive();
        self.write(
            "INSERT INTO report_marks (id, day, kind) VALUES (?1, ?2, 'day')",
            params![Uuid::now_v7(), day.to_string()],
        )?;
        self.write("COMMIT", [])
    }
}

/// Books one receipt by both and compares what it left behind: every row but for ids, keys and the time of writing.
async fn same_rows(by_hand: &ByHand, our_file: &Path, address: SocketAddr, key: &str) -> Result<()> {
    let receipt = by_hand.receipts.next();
    let body = by_hand.receipts.body(&receipt);
    let ours = Connection::open(our_file)?;

    let before = rows(&ours)?;
    let post = target(address, key, "/api/v1/purchases", Some(Arc::new(move || body.clone())));
    let answer = post.ask("identity").await?;
    ensure!(answer.status == 201, "a receipt was answered {}", answer.status);
    let our_growth = grown(before, rows(&ours)?);

    let before = rows(&by_hand.db)?;
    by_hand.book(&receipt)?;
    let hand_growth = grown(before, rows(&by_hand.db)?);

    ensure!(
        our_growth == hand_growth,
        "a receipt leaves other rows than by hand:\n  ours:    {our_growth:?}\n  by hand: {hand_growth:?}"
    );
    let (ours, hand) = (
        written(&ours, &receipt.document)?,
        written(&by_hand.db, &receipt.document)?,
    );
    ensure!(
        !ours.is_empty() && ours == hand,
        "a receipt is written otherwise than by hand:\n  ours:    {ours:#?}\n  by hand: {hand:#?}"
    );
    Ok(())
}

/// How many rows each table has, but for those that the server's regular work changes at the same time.
fn rows(db: &Connection) -> Result<BTreeMap<String, i64>> {
    const REGULAR: [&str; 5] = [
        "report_marks",
        "report_figures",
        "audit_seals",
        "audit_sealed",
        "settings",
    ];
    let mut tables = texts(db, "SELECT name FROM sqlite_master WHERE type = 'table'")?;
    tables.retain(|table| !REGULAR.contains(&table.as_str()));
    let count = |table: String| -> Result<(String, i64)> {
        let rows = db.query_row(&format!("SELECT COUNT(*) FROM \"{table}\""), [], |row| row.get(0))?;
        Ok((table, rows))
    };
    tables.into_iter().map(count).collect()
}

/// The tables that have more rows than before, and how many more.
fn grown(before: BTreeMap<String, i64>, mut after: BTreeMap<String, i64>) -> BTreeMap<String, i64> {
    for (table, rows) in before {
        after.entry(table).and_modify(|now| *now -= rows);
    }
    after.retain(|_, more| *more != 0);
    after
}

/// What is written down of a receipt: a row for each line and posting.
fn written(db: &Connection, document: &str) -> Result<Vec<Vec<String>>> {
    const SQL: &str = "SELECT p.kind, p.customer_id, p.store_id, p.till_id, p.at, p.line_count, p.total, p.receipt_code, \
        l.ordinal, l.article_id, l.quantity, l.price, l.discount, l.amount, l.returned, l.original_line_id, \
        c.program_id, c.program_version, c.points, c.taken_back, c.forgiven, \
        o.program_id, o.customer_id, o.points, o.remaining, o.state, o.activates_at, o.expires_at, o.origin_id, \
        t.program_id, t.customer_id, t.kind, t.purchase_id = p.id, t.at, g.account_id, g.amount, a.balance, \
        (SELECT k.scope || ' ' || LENGTH(k.key) || ' ' || LENGTH(k.fingerprint) || ' ' || LENGTH(k.answer) \
        FROM idempotency_keys k WHERE k.answer LIKE '%\"' || p.document || '\"%') \
        FROM purchases p JOIN purchase_lines l ON l.purchase_id = p.id JOIN accruals c ON c.line_id = l.id \
        JOIN lots o ON o.id = c.lot_id JOIN transactions t ON t.id = o.transaction_id \
        JOIN postings g ON g.transaction_id = t.id JOIN accounts a ON a.id = g.account_id \
        WHERE p.source = ?1 AND p.document = ?2 ORDER BY l.ordinal, g.amount";
    let mut query = db.prepare(SQL)?;
    let columns = query.column_count();
    let row = |row: &Row<'_>| -> rusqlite::Result<Vec<String>> {
        let text = |column| {
            row.get_ref(column).map(|value| match value {
                ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                other => format!("{other:?}"),
            })
        };
        (0..columns).map(text).collect()
    };
    Ok(query.query_map([SOURCE, document], row)?.collect::<Result<_, _>>()?)
}
