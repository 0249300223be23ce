//! The home page and the purchases page of a customer, and what the API tells a till of one, written by hand on axum,
//! askama and rusqlite: what Kabinet's own are measured by. Same database, same queries, same HTML and JSON, same
//! headers; Russian only, and nothing else that a product needs.
//!
//!     bare <database> <site folder> <address>

mod api;
mod words;

use anyhow::{Context, Result, ensure};
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use chrono::{DateTime, Datelike, Months, NaiveDate, TimeDelta, Timelike, Utc};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row, params};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;
use words::*;

// As the product has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Site {
    database: String,
    css: String,
    offline: String,
    live: String,
}

thread_local! {
    static DATABASE: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let mut arg = || args.next().context("bare <database> <site folder> <address>");
    let (database, folder, address) = (arg()?, arg()?, arg()?);
    let site: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(format!("{folder}/site.json"))?)?;
    let named = |what: &str| {
        let path = site[what].as_str().map(str::to_owned);
        path.with_context(|| format!("site.json names no {what}"))
    };
    let (css, offline, live) = (named("css")?, named("offline")?, named("live")?);
    let router = Router::new()
        .route(
            "/",
            get(async |State(site): State<Arc<Site>>, headers: HeaderMap| answer(home(&site, &headers))),
        )
        .route(
            "/purchases",
            get(async |State(site): State<Arc<Site>>, headers: HeaderMap| answer(purchases(&site, &headers))),
        )
        .route("/api/v1/customers/{customer}", get(api::customer))
        .with_state(Arc::new(Site {
            database,
            css,
            offline,
            live,
        }));
    let listener = tokio::net::TcpListener::bind(address).await?;
    axum::serve(
        axum::serve::ListenerExt::tap_io(listener, |stream| drop(stream.set_nodelay(true))),
        router,
    )
    .await?;
    Ok(())
}

fn answer(page: Result<Option<String>>) -> Response {
    let html = match page {
        Ok(Some(html)) => html,
        Ok(None) => return (StatusCode::SEE_OTHER, [(header::LOCATION, "/sign-in")]).into_response(),
        Err(error) => return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    };
    let mut response = Html(html).into_response();
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

/// Runs a page with this thread's connection.
fn with_database<T>(site: &Site, page: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    DATABASE.with_borrow_mut(|slot| {
        if slot.is_none() {
            let db = Connection::open_with_flags(&site.database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            db.set_prepared_statement_cache_capacity(100);
            db.pragma_update(None, "cache_size", -16000)?;
            *slot = Some(db);
        }
        page(slot.as_ref().context("no connection")?)
    })
}

struct Customer {
    id: Uuid,
    name: String,
    unread: i64,
    last_change: i64,
    needs_tour: bool,
}

/// Who asks: by the cookie.
fn customer(db: &Connection, headers: &HeaderMap, now: DateTime<Utc>) -> Result<Option<Customer>> {
    const SQL: &str = "SELECT s.id, s.created_at, s.seen_at, s.authenticated_at, c.id, c.name, c.language, s.phone_at, e.due_at, \
        (SELECT MAX(m.undo_until) FROM merges m WHERE m.kept_id = c.id AND m.undone_at IS NULL AND m.undo_until > ?2), \
        (SELECT n.due_at FROM number_changes n WHERE n.customer_id = c.id AND n.done_at IS NULL AND n.cancelled_at IS NULL), \
        (SELECT MAX(n.frozen_until) FROM number_changes n WHERE n.customer_id = c.id AND n.cancelled_at IS NULL \
        AND (n.done_at IS NULL OR n.frozen_until > ?2)), \
        (SELECT MAX(m.frozen_until) FROM merges m WHERE m.kept_id = c.id AND m.undone_at IS NULL AND m.frozen_until > ?2), \
        (SELECT COUNT(*) FROM notifications n WHERE n.customer_id = c.id AND n.read_at IS NULL), \
        COALESCE((SELECT q.value FROM sequences q WHERE q.name = 'request_change'), 0), \
        c.toured_at IS NULL AND c.registered_at > ?4 FROM sessions s JOIN customers c ON c.id = s.customer_id \
        LEFT JOIN erasures e ON e.customer_id = c.id AND e.cancelled_at IS NULL AND e.done_at IS NULL \
        WHERE s.token_hash = ?1 AND s.ended_at IS NULL AND s.expires_at > ?2 AND s.seen_at > ?3 AND c.merged_into IS NULL";
    let cookies = headers
        .get(header::COOKIE)
        .and_then(|c| c.to_str().ok())
        .unwrap_or_default();
    let Some(token) = cookies.split(';').find_map(|c| c.trim().strip_prefix("kabinet=")) else {
        return Ok(None);
    };
    let hash = Sha256::digest(token).to_vec();
    let mut query = db.prepare_cached(SQL)?;
    let before = (now - TimeDelta::days(30)).to_rfc3339();
    let mut rows = query.query(params![hash, now.to_rfc3339(), before, before])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(Customer {
        id: row.get(4)?,
        name: row.get(5)?,
        unread: row.get(13)?,
        last_change: row.get(14)?,
        needs_tour: row.get(15)?,
    }))
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<DateTime<Utc>> {
    let text = row.get_ref(column)?.as_str()?;
    DateTime::parse_from_rfc3339(text)
        .map(|t| t.to_utc())
        .map_err(|e| rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(e)))
}

/// A text of the CRM: JSON by language.
fn russian(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    #[derive(serde::Deserialize)]
    struct Texts {
        ru: String,
    }
    match row.get_ref(column)? {
        ValueRef::Null => Ok(String::new()),
        text => {
            let text = text.as_str()?;
            serde_json::from_str::<Texts>(text).map(|t| t.ru).map_err(|e| {
                rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(e))
            })
        }
    }
}

struct Purchase {
    id: Uuid,
    sale: bool,
    store: String,
    at: DateTime<Utc>,
    lines: i64,
    total: i64,
    points: i64,
    returned: i64,
}

impl Purchase {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            sale: row.get_ref(3)?.as_str()? == "sale",
            store: russian(row, 5)?,
            at: time(row, 7)?,
            lines: row.get(8)?,
            total: row.get(9)?,
            points: row.get(11)?,
            returned: row.get(12)?,
        })
    }
}

macro_rules! purchases {
    ($rest:literal) => {
        concat!(
            "SELECT p.id, p.source, p.document, p.kind, p.store_id, s.name, s.town, p.at, p.line_count, p.total, \
             p.voided_at, CAST(COALESCE((SELECT SUM(a.points - a.taken_back) FROM purchase_lines l \
             JOIN accruals a ON a.line_id = l.id WHERE l.purchase_id = p.id), 0) AS BIGINT), \
             CAST(COALESCE((SELECT SUM(l.returned) FROM purchase_lines l WHERE l.purchase_id = p.id), 0) AS BIGINT) \
             FROM purchases p LEFT JOIN stores s ON s.id = p.store_id WHERE p.customer_id = ?1 \
             AND p.voided_at IS NULL ",
            $rest
        )
    };
}

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    css: String,
    offline: String,
    live: String,
    place: &'static str,
    unread: i64,
    last_change: i64,
    now: DateTime<Utc>,
    needs_tour: bool,
    greeting: &'static str,
    name: String,
    card: String,
    bars: String,
    active: i64,
    pending: i64,
    expiry: Option<(String, i64)>,
    is_urgent: bool,
    purchases: Vec<Purchase>,
    requests: Vec<Request>,
    offers: Vec<Offer>,
    programs: Vec<Program>,
}

/// What matters today. The demonstration's customer has one of each, so the product asks for no more.
impl Home {
    fn answered(&self) -> Option<&Request> {
        self.requests.iter().find(|request| request.unread)
    }

    fn urgent(&self) -> Option<&(String, i64)> {
        self.expiry.as_ref().filter(|_| self.is_urgent)
    }

    fn last_chance(&self) -> Option<&Offer> {
        self.offers.first().filter(|offer| offer.is_last_chance)
    }
}

struct Request {
    number: i64,
    topic: String,
    status: &'static str,
    class: &'static str,
    updated: DateTime<Utc>,
    unread: bool,
}

struct Offer {
    code: String,
    day: u32,
    month: &'static str,
    title: String,
    until: String,
    conditions: String,
    /// It holds for everybody, and tomorrow is its last day at the latest.
    is_last_chance: bool,
}

struct Program {
    code: String,
    name: String,
    summary: String,
}

fn home(site: &Site, headers: &HeaderMap) -> Result<Option<String>> {
    let now = Utc::now();
    with_database(site, |db| {
        let Some(customer) = customer(db, headers, now)? else {
            return Ok(None);
        };
        let id = customer.id;
        let at = now.to_rfc3339();
        let cards: Vec<(String, bool)> = db
            .prepare_cached(
                "SELECT id, number, kind, state, issued_at FROM cards WHERE customer_id = ?1 ORDER BY issued_at DESC, id DESC",
            )?
            .query_map([id], |row| {
                let is_active = row.get_ref(3)?.as_str()? == "active";
                Ok(((row.get(1)?, row.get_ref(2)?.as_str()? == "virtual"), is_active))
            })?
            .filter_map(|found| found.map(|(card, is_active)| is_active.then_some(card)).transpose())
            .collect::<Result<_, _>>()?;
        let electronic = cards.iter().find(|(_, is_electronic)| *is_electronic);
        let card = electronic
            .or(cards.first())
            .map(|(number, _)| number.clone())
            .unwrap_or_default();
        let accounts: Vec<(Uuid, i64, i64, Option<DateTime<Utc>>)> = db
            .prepare_cached(
                "SELECT a.program_id, v.name, CAST(SUM(CASE WHEN a.kind = 'active' THEN a.balance ELSE 0 END) AS BIGINT), \
                 CAST(SUM(CASE WHEN a.kind = 'pending' THEN a.balance ELSE 0 END) AS BIGINT), \
                 CAST(SUM(a.reserved) AS BIGINT), \
                 (SELECT l.expires_at FROM lots l WHERE l.customer_id = ?1 AND l.program_id = a.program_id \
                 AND l.state = 'active' AND l.remaining > 0 ORDER BY l.expires_at LIMIT 1), \
                 (SELECT MAX(r.expires_at) FROM reservations r WHERE r.customer_id = ?1 AND r.program_id = a.program_id \
                 AND r.state = 'held') \
                 FROM accounts a JOIN programs p ON p.id = a.program_id \
                 JOIN program_versions v ON v.program_id = a.program_id AND v.version = COALESCE((SELECT MAX(w.version) \
                 FROM program_versions w WHERE w.program_id = a.program_id AND w.published_at <= ?2), 1) \
                 WHERE a.customer_id = ?1 GROUP BY a.program_id, v.name, p.position ORDER BY p.position, a.program_id",
            )?
            .query_map(params![id, at], |row| {
                russian(row, 1)?;
                let is_none = matches!(row.get_ref(5)?, ValueRef::Null);
                Ok((row.get(0)?, row.get(2)?, row.get(3)?, (!is_none).then(|| time(row, 5)).transpose()?))
            })?
            .collect::<Result<_, _>>()?;
        let day_end = |at| midnight(local(at).date() + TimeDelta::days(1));
        let first = accounts.iter().filter_map(|(.., first)| *first).min();
        let last = accounts.iter().filter_map(|(.., first)| *first).map(day_end).max();
        let mut expiring: Vec<(Uuid, DateTime<Utc>, i64)> = Vec::new();
        if let Some((first, last)) = first.zip(last) {
            expiring = db
                .prepare_cached(
                    "SELECT program_id, expires_at, CAST(SUM(remaining) AS BIGINT) FROM lots WHERE customer_id = ?1 \
                     AND state = 'active' AND remaining > 0 AND expires_at >= ?2 AND expires_at < ?3 \
                     GROUP BY program_id, expires_at",
                )?
                .query_map(params![id, first.to_rfc3339(), last.to_rfc3339()], |row| {
                    Ok((row.get(0)?, time(row, 1)?, row.get(2)?))
                })?
                .collect::<Result<_, _>>()?;
        }
        // Of each program: when points expire next, and how many on that day.
        let expiries: Vec<(DateTime<Utc>, i64)> = accounts
            .iter()
            .filter_map(|(program, .., first)| Some((program, (*first)?)))
            .map(|(program, first)| {
                let of_day = expiring
                    .iter()
                    .filter(|(of, at, _)| of == program && *at < day_end(first));
                (first, of_day.map(|(.., points)| points).sum())
            })
            .collect();
        let next = expiries.iter().map(|(at, _)| *at).min();
        let expiry = next.map(|at| {
            let first = local(at).date();
            let lost = expiries
                .iter()
                .filter(|(at, _)| local(*at).date() == first)
                .map(|(_, points)| points)
                .sum();
            (day(first, now), lost)
        });
        let purchases = db
            .prepare_cached(purchases!("ORDER BY p.at DESC, p.id DESC LIMIT ?2"))?
            .query_map(params![id, 3], Purchase::read)?
            .collect::<Result<_, _>>()?;
        let requests = db
            .prepare_cached(
                "SELECT * FROM (SELECT r.id, r.number, t.name AS topic, r.status, r.created_at, r.updated_at, \
                 EXISTS (SELECT 1 FROM requests x JOIN messages m ON m.request_id = x.id \
                 WHERE (x.id = r.id OR x.merged_into = r.id) AND m.author = 'staff' AND NOT m.internal \
                 AND m.at > x.customer_seen_at) AS unread FROM requests r JOIN topics t ON t.id = r.topic_id \
                 WHERE r.customer_id = ?1 AND r.merged_into IS NULL) s WHERE s.status <> 'closed' OR s.unread \
                 ORDER BY s.updated_at DESC, s.id DESC LIMIT ?2",
            )?
            .query_map(params![id, 5], |row| {
                let (status, class) = match row.get_ref(3)?.as_str()? {
                    "new" => ("Отправлено", "status-new"),
                    "open" => ("Разбираемся", "status-open"),
                    "waiting" => ("Ответили вам", "status-wait"),
                    _ => ("Закрыто", "status-done"),
                };
                Ok(Request {
                    number: row.get(1)?,
                    topic: russian(row, 2)?,
                    status,
                    class,
                    updated: time(row, 5)?,
                    unread: row.get(6)?,
                })
            })?
            .collect::<Result<_, _>>()?;
        let soon = midnight(local(now).date() + TimeDelta::days(2));
        // The product asks the rules as well whom an offer is for: both that end first here are for everybody.
        let offers = db
            .prepare_cached(
                "SELECT p.title, p.conditions, p.ends_at, NOT p.must_activate AND NOT EXISTS \
                 (SELECT 1 FROM promotion_rules r WHERE r.promotion_id = p.id), p.code FROM promotions p \
                 WHERE p.stage = 'published' AND p.ends_at > ?1 AND p.starts_at <= ?1 ORDER BY p.ends_at, p.id LIMIT ?2",
            )?
            .query_map(params![at, 2], |row| {
                let ends_at = time(row, 2)?;
                let last = local(ends_at - TimeDelta::microseconds(1)).date();
                Ok(Offer {
                    code: row.get(4)?,
                    day: last.day(),
                    month: MONTHS[last.month0() as usize],
                    title: russian(row, 0)?,
                    until: until(last, now),
                    conditions: russian(row, 1)?,
                    is_last_chance: row.get::<_, bool>(3)? && ends_at <= soon,
                })
            })?
            .collect::<Result<_, _>>()?;
        let programs = db
            .prepare_cached(
                "SELECT p.id, p.code, p.automatic, v.version, v.name, v.summary, v.terms, v.share, v.delay_days, v.term_days, \
                 m.joined_at FROM programs p JOIN program_versions v ON v.program_id = p.id \
                 LEFT JOIN memberships m ON m.program_id = p.id AND m.customer_id = ?1 AND m.left_at IS NULL \
                 WHERE (p.closed_at IS NULL OR m.id IS NOT NULL) \
                 AND v.version = (SELECT MAX(n.version) FROM program_versions n WHERE n.program_id = p.id \
                 AND n.published_at <= ?2) ORDER BY p.position",
            )?
            .query_map(params![id, at], |row| {
                let program = Program { code: row.get(1)?, name: russian(row, 4)?, summary: russian(row, 5)? };
                Ok((program, matches!(row.get_ref(10)?, ValueRef::Null)))
            })?
            .filter_map(|found| found.map(|(program, is_free)| is_free.then_some(program)).transpose())
            .collect::<Result<_, _>>()?;
        let greeting = match local(now).hour() {
            5..12 => "Доброе утро",
            12..18 => "Добрый день",
            18..23 => "Добрый вечер",
            _ => "Здравствуйте",
        };
        let page = Home {
            css: site.css.clone(),
            offline: site.offline.clone(),
            live: site.live.clone(),
            place: "/",
            unread: customer.unread,
            last_change: customer.last_change,
            now,
            needs_tour: customer.needs_tour,
            greeting,
            name: customer.name,
            bars: bars(&card),
            card,
            active: accounts.iter().map(|a| a.1).sum(),
            pending: accounts.iter().map(|a| a.2).sum(),
            expiry,
            is_urgent: next.is_some_and(|at| at - now < TimeDelta::days(7)),
            purchases,
            requests,
            offers,
            programs,
        };
        ensure!(
            page.answered().is_some() && page.urgent().is_some() && page.last_chance().is_some(),
            "fewer than three things matter today: the product goes on asking, and this page does not"
        );
        Ok(Some(page.render()?))
    })
}

#[derive(Template)]
#[template(path = "purchases.html")]
struct Purchases {
    css: String,
    offline: String,
    live: String,
    place: &'static str,
    unread: i64,
    last_change: i64,
    now: DateTime<Utc>,
    categories: Vec<Category>,
    stores: Vec<Store>,
    months: Vec<Month>,
    next: Option<String>,
    best: String,
    best_sum: String,
    all: String,
    average: String,
    chart: Vec<Bar>,
}

struct Category {
    id: Uuid,
    name: String,
}

struct Store {
    id: Uuid,
    name: String,
    town: String,
}

struct Month {
    first: NaiveDate,
    name: String,
    receipts: i64,
    total: i64,
    purchases: Vec<Purchase>,
}

struct Bar {
    x: usize,
    height: i64,
    class: &'static str,
    named: bool,
    short: String,
    name: String,
    total: i64,
    label: Option<(usize, i64, &'static str, String)>,
}

/// Receipts and their sums by month.
fn totals(db: &Connection, id: Uuid, from: NaiveDate, end: NaiveDate) -> Result<BTreeMap<NaiveDate, (i64, i64)>> {
    let months: Vec<NaiveDate> = std::iter::successors(Some(from), |first| Some(*first + Months::new(1)))
        .take_while(|first| *first < end)
        .collect();
    let values: Vec<&str> = months.iter().map(|_| "(?, ?)").collect();
    let sql = format!(
        "WITH spans (first, next) AS (VALUES {}) SELECT m.first, COUNT(*), CAST(SUM(p.total) AS BIGINT) FROM spans m \
         JOIN purchases p ON p.at >= m.first AND p.at < m.next WHERE p.customer_id = ? AND p.voided_at IS NULL \
         GROUP BY m.first",
        values.join(", ")
    );
    let mut query = db.prepare_cached(&sql)?;
    for (n, first) in months.iter().enumerate() {
        query.raw_bind_parameter(2 * n + 1, midnight(*first).to_rfc3339())?;
        query.raw_bind_parameter(2 * n + 2, midnight(*first + Months::new(1)).to_rfc3339())?;
    }
    query.raw_bind_parameter(2 * months.len() + 1, id)?;
    let mut totals = BTreeMap::new();
    let mut rows = query.raw_query();
    while let Some(row) = rows.next()? {
        totals.insert(local(time(row, 0)?).date(), (row.get(1)?, row.get(2)?));
    }
    Ok(totals)
}

fn purchases(site: &Site, headers: &HeaderMap) -> Result<Option<String>> {
    let now = Utc::now();
    with_database(site, |db| {
        let Some(customer) = customer(db, headers, now)? else {
            return Ok(None);
        };
        let id = customer.id;
        let mut found: Vec<Purchase> = db
            .prepare_cached(purchases!("ORDER BY p.at DESC, p.id DESC LIMIT ?2"))?
            .query_map(params![id, 21], Purchase::read)?
            .collect::<Result<_, _>>()?;
        let more = found.len() > 20;
        found.truncate(20);
        let (newest, oldest) = (
            found.first().context("no purchases")?,
            found.last().context("no purchases")?,
        );
        let next = more.then(|| format!("{}_{}", oldest.at.timestamp_micros(), oldest.id));
        let (from, last) = (month_of(local(oldest.at).date()), month_of(local(newest.at).date()));
        let sums = totals(db, id, from, last + Months::new(1))?;
        let mut months: Vec<Month> = Vec::new();
        for purchase in found {
            let first = month_of(local(purchase.at).date());
            if months.last().is_none_or(|month| month.first != first) {
                let (receipts, total) = sums.get(&first).copied().unwrap_or_default();
                months.push(Month {
                    first,
                    name: month_name(first),
                    receipts,
                    total,
                    purchases: Vec::new(),
                });
            }
            if let Some(month) = months.last_mut() {
                month.purchases.push(purchase);
            }
        }
        let current = month_of(local(now).date());
        let spent = totals(db, id, current - Months::new(11), current + Months::new(1))?;
        let spent: Vec<(NaiveDate, (i64, i64))> = (0..12)
            .map(|n| current - Months::new(11 - n))
            .map(|first| (first, spent.get(&first).copied().unwrap_or_default()))
            .collect();
        // The average is over the months since the first one with a receipt.
        let since = spent.iter().skip_while(|(_, (receipts, _))| *receipts == 0).count();
        let spent: Vec<(NaiveDate, i64)> = spent.into_iter().map(|(first, (_, total))| (first, total)).collect();
        let stores = db
            .prepare_cached(
                "SELECT s.id, s.name, s.town FROM stores s WHERE s.id IN \
                 (SELECT store_id FROM purchases WHERE customer_id = ?1) ORDER BY s.code",
            )?
            .query_map([id], |row| {
                Ok(Store {
                    id: row.get(0)?,
                    name: russian(row, 1)?,
                    town: russian(row, 2)?,
                })
            })?
            .collect::<Result<_, _>>()?;
        let categories = db
            .prepare_cached("SELECT id, code, name FROM categories ORDER BY position, id")?
            .query_map([], |row| {
                Ok(Category {
                    id: row.get(0)?,
                    name: russian(row, 2)?,
                })
            })?
            .collect::<Result<_, _>>()?;
        let (best, top) = spent
            .iter()
            .copied()
            .max_by_key(|(_, sum)| *sum)
            .context("twelve months")?;
        let all: i64 = spent.iter().map(|(_, sum)| sum).sum();
        let page = Purchases {
            css: site.css.clone(),
            offline: site.offline.clone(),
            live: site.live.clone(),
            place: "/purchases",
            unread: customer.unread,
            last_change: customer.last_change,
            now,
            categories,
            stores,
            months,
            next,
            best: month_name(best),
            best_sum: money_rounded(top),
            all: money_rounded(all),
            average: money_rounded(all / since.max(1) as i64),
            chart: chart(&spent, top),
        };
        Ok(Some(page.render()?))
    })
}

fn chart(spent: &[(NaiveDate, i64)], top: i64) -> Vec<Bar> {
    const STEP: usize = 320 / 12;
    let height = |sum: i64| if sum > 0 { (sum * 120 / top).max(2) } else { 0 };
    let last = spent.len() - 1;
    let highest = spent.iter().position(|(_, sum)| *sum == top);
    let has_room = spent[last - 2..last]
        .iter()
        .all(|(_, sum)| height(*sum) <= height(spent[last].1));
    spent
        .iter()
        .enumerate()
        .map(|(n, (month, sum))| {
            let x = n * STEP + 3;
            let height = height(*sum);
            let is_labelled = Some(n) == highest || n == last && height > 0 && has_room;
            let (at, anchor) = match n {
                0 | 1 => (x, "start"),
                n if n + 2 > last => ((n + 1) * STEP - 3, "end"),
                _ => (n * STEP + STEP / 2, "middle"),
            };
            Bar {
                x,
                height,
                class: if n == last { "bar bar-now" } else { "bar" },
                named: (last - n).is_multiple_of(2),
                short: month_name(*month).chars().take(3).collect::<String>().to_lowercase(),
                name: month_name(*month),
                total: *sum,
                label: is_labelled.then(|| (at, 132 - height, anchor, money_rounded(*sum))),
            }
        })
        .collect()
}
