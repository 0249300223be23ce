//! Reports, each made of what is kept by day and of what is small enough to be asked for as it is.

use super::{NIL, OWED, moments, sums};
use crate::db::{self, Bind, Conn, ListQuery};
use crate::error::Error;
use crate::id::{ProgramId, StaffId, StoreId, TierId, TopicId};
use crate::lang::Localized;
use crate::on;
use crate::report::{Ask, By, Figure, Kind, Name, Report, Row, Table, Total, average, median, month_of, next_month};
use crate::rule::tier::Tiers;
use crate::staff::Right;
use crate::who::Staff;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sqlx::types::Json;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// So many rows of a table are told, those with the most.
const ROWS: usize = 100;

/// Parts that a report may be narrowed to, by their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slices {
    /// Shops.
    pub stores: Vec<(StoreId, Localized)>,
    /// Tiers.
    pub tiers: Vec<(TierId, Localized)>,
    /// Programs.
    pub programs: Vec<(ProgramId, Localized)>,
}

/// What a report of a kind may be narrowed to.
pub async fn slices(conn: &mut Conn, by: &Staff, kind: Kind) -> Result<Slices, Error> {
    by.may(Right::Reports)?;
    let mut slices = Slices::default();
    match kind {
        Kind::Purchases => {
            let stores = stores(conn).await?;
            slices.stores = stores.into_iter().map(|(id, name)| (StoreId(id), name)).collect();
            slices.tiers = tiers(conn)
                .await?
                .into_iter()
                .map(|(id, name)| (TierId(id), name))
                .collect();
            slices.stores.sort_by(|a, b| a.1.ru.cmp(&b.1.ru));
            slices.tiers.sort_by(|a, b| a.1.ru.cmp(&b.1.ru));
        }
        Kind::Points | Kind::Members => {
            let programs = programs(conn).await?;
            slices.programs = programs.into_iter().map(|(id, name)| (ProgramId(id), name)).collect();
            slices.programs.sort_by(|a, b| a.1.ru.cmp(&b.1.ru));
        }
        Kind::Requests | Kind::SelfService => {}
    }
    Ok(slices)
}

/// A report, for staff with the right to it.
pub async fn read(conn: &mut Conn, by: &Staff, kind: Kind, ask: &Ask) -> Result<Report, Error> {
    by.may(Right::Reports)?;
    make(conn, kind, ask).await
}

/// A report, for whoever has been asked for the right.
pub(super) async fn make(conn: &mut Conn, kind: Kind, ask: &Ask) -> Result<Report, Error> {
    let minutes = ask
        .minutes
        .unwrap_or(i64::from(conn.shop().reports.minutes_per_request));
    let mut report = Report {
        kind,
        ask: *ask,
        totals: Vec::new(),
        tables: Vec::new(),
        owed_on: None,
        minutes,
    };
    match kind {
        Kind::Purchases => purchases(conn, &mut report).await?,
        Kind::Points => points(conn, &mut report).await?,
        Kind::Members => members(conn, &mut report).await?,
        Kind::Requests => requests(conn, &mut report).await?,
        Kind::SelfService => self_service(conn, &mut report).await?,
    }
    Ok(report)
}

/// Sums by figure.
type Sums = HashMap<String, i64>;

fn sum(sums: &Sums, figure: &str) -> i64 {
    sums.get(figure).copied().unwrap_or_default()
}

/// What is kept of figures, day by day, over a period and the one before.
struct Days(Vec<(String, NaiveDate, i64)>);

impl Days {
    async fn read(
        conn: &mut Conn,
        ask: &Ask,
        figures: &[&'static str],
        part: Option<Uuid>,
    ) -> Result<Self, sqlx::Error> {
        const SELECT: &str = "SELECT figure, day, CAST(SUM(value) AS BIGINT) FROM report_figures";
        let span = (ask.before().0, ask.to);
        let store = ask.store.map(|store| store.0);
        let rows = sums(conn, SELECT, "GROUP BY figure, day", figures, span, (store, part)).await?;
        Ok(Self(rows))
    }

    /// The sums from a day up to another.
    fn sums(&self, (from, to): (NaiveDate, NaiveDate)) -> Sums {
        let mut sums = Sums::new();
        for (figure, day, value) in &self.0 {
            if (from..=to).contains(day) {
                *sums.entry(figure.clone()).or_default() += value;
            }
        }
        sums
    }

    /// The table of the period's steps.
    fn steps(&self, ask: &Ask, columns: &[Figure], value: impl Fn(&Sums, Figure) -> Option<i64>) -> Table {
        let rows = ask.steps().into_iter().map(|step| {
            let sums = self.sums(step);
            let values = columns.iter().map(|figure| value(&sums, *figure)).collect();
            (Name::Days(step.0, step.1), values)
        });
        Table {
            by: By::Step(ask.step()),
            columns: columns.to_vec(),
            rows: rows.collect(),
        }
    }

    /// Figures of the period beside those of the one before.
    fn totals(&self, ask: &Ask, figures: &[Figure], value: impl Fn(&Sums, Figure) -> Option<i64>) -> Vec<Total> {
        let (now, before) = (self.sums((ask.from, ask.to)), self.sums(ask.before()));
        let total = |figure: &Figure| Total {
            figure: *figure,
            now: value(&now, *figure),
            before: value(&before, *figure),
        };
        figures.iter().map(total).collect()
    }
}

/// Sums of figures by shop or by part, the most of the first figure first.
async fn parts(
    conn: &mut Conn,
    select: &'static str,
    tail: &'static str,
    figures: &[&'static str],
    ask: &Ask,
    part: Option<Uuid>,
) -> Result<Vec<(Uuid, Sums)>, sqlx::Error> {
    let store = ask.store.map(|store| store.0);
    let rows: Vec<(String, Uuid, i64)> = sums(conn, select, tail, figures, (ask.from, ask.to), (store, part)).await?;
    let mut parts: BTreeMap<Uuid, Sums> = BTreeMap::new();
    for (figure, id, value) in rows {
        parts.entry(id).or_default().insert(figure, value);
    }
    let mut parts: Vec<_> = parts.into_iter().collect();
    let first = figures.first().copied().unwrap_or_default();
    parts.sort_by_key(|(_, sums)| -sum(sums, first));
    parts.truncate(ROWS);
    Ok(parts)
}

const BY_STORE: &str = "SELECT figure, store_id, CAST(SUM(value) AS BIGINT) FROM report_figures";
const OF_STORES: &str = "GROUP BY figure, store_id";
const BY_PART: &str = "SELECT figure, part_id, CAST(SUM(value) AS BIGINT) FROM report_figures";
const OF_PARTS: &str = "GROUP BY figure, part_id";

/// What a part is called.
fn name(names: &HashMap<Uuid, Localized>, id: Uuid) -> Name {
    names.get(&id).cloned().map_or(Name::None, Name::Words)
}

/// A table of parts.
fn table(
    by: By,
    columns: &[Figure],
    parts: &[(Uuid, Sums)],
    names: &HashMap<Uuid, Localized>,
    value: impl Fn(&Sums, Figure) -> Option<i64>,
) -> Table {
    let row = |(id, sums): &(Uuid, Sums)| -> Row {
        (
            name(names, *id),
            columns.iter().map(|figure| value(sums, *figure)).collect(),
        )
    };
    Table {
        by,
        columns: columns.to_vec(),
        rows: parts.iter().map(row).collect(),
    }
}

async fn stores(conn: &mut Conn) -> Result<HashMap<Uuid, Localized>, sqlx::Error> {
    const SQL: &str = "SELECT id, town, name FROM stores";
    let rows: Vec<(Uuid, Json<Localized>, Json<Localized>)> = on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)?;
    let store = |(id, Json(town), Json(name)): (Uuid, Json<Localized>, Json<Localized>)| {
        let name = Localized {
            ru: format!("{}, {}", town.ru, name.ru),
            en: format!("{}, {}", town.en, name.en),
        };
        (id, name)
    };
    Ok(rows.into_iter().map(store).collect())
}

/// The names of something that has a name in either language.
async fn names(conn: &mut Conn, sql: &'static str) -> Result<HashMap<Uuid, Localized>, sqlx::Error> {
    let rows: Vec<(Uuid, Json<Localized>)> = on!(conn, |c| sqlx::query_as(sql).fetch_all(c).await)?;
    Ok(rows.into_iter().map(|(id, Json(name))| (id, name)).collect())
}

async fn programs(conn: &mut Conn) -> Result<HashMap<Uuid, Localized>, sqlx::Error> {
    const SQL: &str = "SELECT p.program_id, p.name FROM program_versions p WHERE p.version = \
                       (SELECT MAX(n.version) FROM program_versions n WHERE n.program_id = p.program_id)";
    names(conn, SQL).await
}

/// The tiers of all versions, by the name that they had last.
async fn tiers(conn: &mut Conn) -> Result<HashMap<Uuid, Localized>, sqlx::Error> {
    const SQL: &str = "SELECT definition FROM tier_versions WHERE state = 'published' ORDER BY program_id, version";
    let versions: Vec<Json<serde_json::Value>> = on!(conn, |c| sqlx::query_scalar(SQL).fetch_all(c).await)?;
    // A version that withdraws the tiers defines none, and one of another release may not be read.
    let tiers = versions
        .into_iter()
        .filter_map(|Json(version)| serde_json::from_value::<Option<Tiers>>(version).ok().flatten());
    Ok(tiers
        .flat_map(|tiers| tiers.tiers)
        .map(|tier| (tier.id.0, tier.name))
        .collect())
}

/// A figure of purchases, out of what is kept.
fn of_purchases(sums: &Sums, figure: Figure) -> Option<i64> {
    let (sales, receipts, returned) = (sum(sums, "sales"), sum(sums, "receipts"), sum(sums, "returned"));
    match figure {
        Figure::Sales => Some(sales),
        Figure::Receipts => Some(receipts),
        Figure::AverageReceipt => average(sales, receipts),
        Figure::Returned => Some(returned),
        Figure::Net => Some(sales - returned),
        Figure::Discount => Some(sum(sums, "discount")),
        Figure::Known => Some(sum(sums, "known")),
        _ => None,
    }
}

/// The same of those with a tier.
fn of_tiers(sums: &Sums, figure: Figure) -> Option<i64> {
    let (sales, receipts) = (sum(sums, "tier_sales"), sum(sums, "tier_receipts"));
    match figure {
        Figure::Sales => Some(sales),
        Figure::Receipts => Some(receipts),
        Figure::AverageReceipt => average(sales, receipts),
        _ => None,
    }
}

async fn purchases(conn: &mut Conn, report: &mut Report) -> Result<(), Error> {
    const ALL: [&str; 6] = ["sales", "receipts", "returned", "discount", "known", "returns"];
    const OF_TIER: [&str; 2] = ["tier_sales", "tier_receipts"];
    const SHORT: [Figure; 3] = [Figure::Sales, Figure::Receipts, Figure::AverageReceipt];
    let ask = report.ask;
    let stores = stores(conn).await?;
    if let Some(tier) = ask.tier {
        let part = Some(tier.0);
        let days = Days::read(conn, &ask, &OF_TIER, part).await?;
        report.totals = days.totals(&ask, &SHORT, of_tiers);
        report.tables.push(days.steps(&ask, &SHORT, of_tiers));
        let by_store = parts(conn, BY_STORE, OF_STORES, &OF_TIER, &ask, part).await?;
        report
            .tables
            .push(table(By::Store, &SHORT, &by_store, &stores, of_tiers));
        return Ok(());
    }
    let days = Days::read(conn, &ask, &ALL, None).await?;
    let figures = [
        Figure::Sales,
        Figure::Receipts,
        Figure::AverageReceipt,
        Figure::Returned,
        Figure::Net,
        Figure::Discount,
        Figure::Known,
    ];
    report.totals = days.totals(&ask, &figures, of_purchases);
    let columns = [
        Figure::Sales,
        Figure::Receipts,
        Figure::AverageReceipt,
        Figure::Returned,
    ];
    report.tables.push(days.steps(&ask, &columns, of_purchases));
    let by_store = parts(conn, BY_STORE, OF_STORES, &ALL, &ask, None).await?;
    report
        .tables
        .push(table(By::Store, &columns, &by_store, &stores, of_purchases));

    const CATEGORIES: &str = "SELECT id, name FROM categories";
    let categories = names(conn, CATEGORIES).await?;
    let of_category = |sums: &Sums, figure: Figure| match figure {
        Figure::Net => Some(sum(sums, "category_sales")),
        Figure::Pieces => Some(sum(sums, "category_pieces")),
        _ => None,
    };
    let kept = ["category_sales", "category_pieces"];
    let by_category = parts(conn, BY_PART, OF_PARTS, &kept, &ask, None).await?;
    let columns = [Figure::Net, Figure::Pieces];
    report
        .tables
        .push(table(By::Category, &columns, &by_category, &categories, of_category));

    let tiers = tiers(conn).await?;
    let by_tier = parts(conn, BY_PART, OF_PARTS, &OF_TIER, &ask, None).await?;
    if !by_tier.is_empty() {
        report.tables.push(table(By::Tier, &SHORT, &by_tier, &tiers, of_tiers));
    }
    report.tables.push(months(conn, &ask).await?);
    Ok(())
}

/// How often customers buy, by whole calendar months: who bought in two days is one customer of a month, so days do not sum up.
async fn months(conn: &mut Conn, ask: &Ask) -> Result<Table, sqlx::Error> {
    let whole = Ask {
        from: month_of(ask.from),
        to: next_month(ask.to).pred_opt().unwrap_or(ask.to),
        ..*ask
    };
    let customers = if ask.store.is_some() {
        "store_customers"
    } else {
        "customers"
    };
    let days = Days::read(conn, &whole, &[customers, "known"], None).await?;
    let mut rows = Vec::new();
    let mut first = whole.from;
    while first <= whole.to {
        let next = next_month(first);
        let sums = days.sums((first, next.pred_opt().unwrap_or(first)));
        let (buyers, known) = (sum(&sums, customers), sum(&sums, "known"));
        let values = vec![Some(buyers), Some(known), average(known.saturating_mul(100), buyers)];
        rows.push((Name::Month(first), values));
        if next <= first {
            break;
        }
        first = next;
    }
    Ok(Table {
        by: By::Month,
        columns: vec![Figure::Buyers, Figure::Known, Figure::Frequency],
        rows,
    })
}

fn of_points(sums: &Sums, figure: Figure) -> Option<i64> {
    match figure {
        Figure::Issued => Some(sum(sums, "issued")),
        Figure::Spent => Some(sum(sums, "spent")),
        Figure::Expired => Some(sum(sums, "expired")),
        Figure::Adjusted => Some(sum(sums, "adjusted")),
        _ => None,
    }
}

async fn points(conn: &mut Conn, report: &mut Report) -> Result<(), Error> {
    const ALL: [&str; 4] = ["issued", "spent", "expired", "adjusted"];
    const FIGURES: [Figure; 4] = [Figure::Issued, Figure::Spent, Figure::Expired, Figure::Adjusted];
    let ask = report.ask;
    let part = ask.program.map(|program| program.0);
    let days = Days::read(conn, &ask, &ALL, part).await?;
    report.totals = days.totals(&ask, &FIGURES, of_points);
    report.tables.push(days.steps(&ask, &FIGURES, of_points));
    let programs = programs(conn).await?;
    let by_program = parts(conn, BY_PART, OF_PARTS, &ALL, &ask, part).await?;
    report
        .tables
        .push(table(By::Program, &FIGURES, &by_program, &programs, of_points));

    let corrected = corrections(conn, &ask).await?;
    if !corrected.is_empty() {
        report.tables.push(Table {
            by: By::Agent,
            columns: vec![Figure::Corrections, Figure::Consented, Figure::Adjusted],
            rows: corrected,
        });
    }

    let now = owed(conn, ask.to, part).await?;
    let before = owed(conn, ask.before().1, part).await?;
    let all = |owed: &Option<(NaiveDate, Sums)>| owed.as_ref().map(|(_, sums)| sums.values().sum::<i64>());
    report.totals.push(Total {
        figure: Figure::Owed,
        now: all(&now),
        before: all(&before),
    });
    let Some((day, sums)) = now else {
        return Ok(());
    };
    report.owed_on = Some(day);
    let age = |(place, (from, figure)): (usize, &(i64, &str))| {
        let to = OWED.get(place + 1).map(|(from, _)| *from);
        (Name::Age(*from, to), vec![Some(sum(&sums, figure))])
    };
    report.tables.push(Table {
        by: By::Age,
        columns: vec![Figure::Owed],
        rows: OWED.iter().enumerate().map(age).collect(),
    });
    Ok(())
}

/// Who gave and took points in a period: how many times, how many of these a colleague consented to, and what they come to.
async fn corrections(conn: &mut Conn, ask: &Ask) -> Result<Vec<Row>, sqlx::Error> {
    const SQL: &str = "SELECT a.asked_by, s.name, a.program_id, COUNT(*), COUNT(a.decided_by), CAST(SUM(a.points) AS BIGINT) \
                       FROM adjustments a JOIN staff s ON s.id = a.asked_by \
                       WHERE a.state = 'booked' AND a.decided_at >= $1 AND a.decided_at < $2 \
                       GROUP BY a.asked_by, s.name, a.program_id";
    type Corrected = (StaffId, String, ProgramId, i64, i64, i64);
    let (from, until) = moments(conn, ask.from, ask.to.succ_opt().unwrap_or(ask.to));
    let found: Vec<Corrected> = on!(conn, |c| sqlx::query_as(SQL).bind(from).bind(until).fetch_all(c).await)?;
    let mut all: BTreeMap<StaffId, (String, [i64; 3])> = BTreeMap::new();
    for (id, name, program, many, consented, points) in found {
        if ask.program.is_some_and(|only| only != program) {
            continue;
        }
        let (_, sums) = all.entry(id).or_insert_with(|| (name, [0; 3]));
        add(sums, &[many, consented, points]);
    }
    Ok(by_name(all))
}

/// Adds figures one by one.
fn add(sums: &mut [i64], more: &[i64]) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum += more;
    }
}

/// A row for each member of staff, the most of the first figure first.
fn by_name<const N: usize>(all: BTreeMap<StaffId, (String, [i64; N])>) -> Vec<Row> {
    let row = |(name, sums): (String, [i64; N])| -> Row { (Name::Plain(name), sums.map(Some).to_vec()) };
    let mut rows: Vec<Row> = all.into_values().map(row).collect();
    rows.sort_by_key(|(_, values)| -values.first().copied().flatten().unwrap_or_default());
    rows.truncate(ROWS);
    rows
}

/// What was owed on the last day that it was counted on, up to one.
async fn owed(conn: &mut Conn, until: NaiveDate, part: Option<Uuid>) -> Result<Option<(NaiveDate, Sums)>, sqlx::Error> {
    const LAST: &str = "SELECT MAX(day) FROM report_figures WHERE figure = 'owed_0' AND day <= $1";
    let last: Option<NaiveDate> = on!(conn, |c| sqlx::query_scalar(LAST).bind(until).fetch_one(c).await)?;
    let Some(day) = last else { return Ok(None) };
    let figures = OWED.map(|(_, figure)| figure);
    let rows: Vec<(String, Uuid, i64)> = sums(conn, BY_PART, OF_PARTS, &figures, (day, day), (None, part)).await?;
    let mut sums = Sums::new();
    for (figure, _, value) in rows {
        *sums.entry(figure).or_default() += value;
    }
    Ok(Some((day, sums)))
}

/// How many of something there were in each span of time.
async fn counts(
    conn: &mut Conn,
    spans: &[(DateTime<Utc>, DateTime<Utc>)],
    select: &'static str,
    condition: Option<(&'static str, Uuid)>,
) -> Result<Vec<i64>, sqlx::Error> {
    let mut query = ListQuery::over(spans, select);
    if let Some((condition, id)) = condition {
        query = query.filter(condition, [Bind::Id(id)]);
    }
    let rows: Vec<(DateTime<Utc>, i64)> = db::list(conn, query.tail("GROUP BY m.first")).await?;
    let counted: HashMap<_, _> = rows.into_iter().collect();
    Ok(spans
        .iter()
        .map(|(first, _)| counted.get(first).copied().unwrap_or_default())
        .collect())
}

async fn members(conn: &mut Conn, report: &mut Report) -> Result<(), Error> {
    const REGISTERED: &str = "SELECT m.first, COUNT(*) FROM spans m \
        JOIN customers c ON c.registered_at >= m.first AND c.registered_at < m.next AND c.merged_into IS NULL";
    const VERIFIED: &str = "SELECT m.first, COUNT(*) FROM spans m \
        JOIN customers c ON c.registered_at >= m.first AND c.registered_at < m.next AND c.merged_into IS NULL \
        AND EXISTS (SELECT 1 FROM contacts k WHERE k.customer_id = c.id AND k.verified_at IS NOT NULL)";
    const JOINED: &str = "SELECT m.first, COUNT(*) FROM spans m \
        JOIN memberships j ON j.joined_at >= m.first AND j.joined_at < m.next";
    const LEFT: &str = "SELECT m.first, COUNT(*) FROM spans m \
        JOIN memberships j ON j.left_at >= m.first AND j.left_at < m.next";
    const CUSTOMERS: &str = "SELECT COUNT(*) FROM customers WHERE registered_at < $1 AND merged_into IS NULL \
        AND (erased_at IS NULL OR erased_at >= $1)";
    const OF_PROGRAM: &str = "SELECT COUNT(*) FROM memberships WHERE joined_at < $1 AND (left_at IS NULL OR left_at >= $1) \
        AND program_id = $2";
    const BY_PROGRAM: &str = "SELECT program_id, COUNT(CASE WHEN left_at IS NULL OR left_at >= $2 THEN 1 END), \
        COUNT(CASE WHEN joined_at >= $1 THEN 1 END), COUNT(CASE WHEN left_at >= $1 AND left_at < $2 THEN 1 END) \
        FROM memberships WHERE joined_at < $2 GROUP BY program_id";
    const BUYERS: &str = "SELECT value FROM report_figures WHERE figure = 'customers' AND day = $1 AND store_id = $2 \
        AND part_id = $2";
    let ask = report.ask;
    let spans_of = |conn: &Conn, days: &[(NaiveDate, NaiveDate)]| -> Vec<_> {
        days.iter()
            .map(|(first, last)| moments(conn, *first, last.succ_opt().unwrap_or(*last)))
            .collect()
    };
    let condition = ask.program.map(|program| ("j.program_id = ?", program.0));
    let periods = [(ask.from, ask.to), ask.before()];
    let both = spans_of(conn, &periods);
    for (figure, select, condition) in [
        (Figure::Registered, REGISTERED, None),
        (Figure::Verified, VERIFIED, None),
        (Figure::Joined, JOINED, condition),
        (Figure::Left, LEFT, condition),
    ] {
        let counted = counts(conn, &both, select, condition).await?;
        report.totals.push(Total {
            figure,
            now: counted.first().copied(),
            before: counted.get(1).copied(),
        });
    }
    let mut at_the_end = Vec::new();
    let mut buyers = Vec::new();
    for ((_, until), (_, last)) in both.iter().zip(&periods) {
        let members: i64 = match ask.program {
            Some(program) => on!(conn, |c| sqlx::query_scalar(OF_PROGRAM)
                .bind(until)
                .bind(program)
                .fetch_one(c)
                .await)?,
            None => on!(conn, |c| sqlx::query_scalar(CUSTOMERS).bind(until).fetch_one(c).await)?,
        };
        at_the_end.push(members);
        let month = month_of(*last);
        let bought: Option<i64> = on!(conn, |c| sqlx::query_scalar(BUYERS)
            .bind(month)
            .bind(NIL)
            .fetch_optional(c)
            .await)?;
        buyers.push(bought);
    }
    report.totals.push(Total {
        figure: Figure::Members,
        now: at_the_end.first().copied(),
        before: at_the_end.get(1).copied(),
    });
    // Who buys is counted by calendar month: here of the last one of either period.
    report.totals.push(Total {
        figure: Figure::Buyers,
        now: buyers.first().copied().flatten(),
        before: buyers.get(1).copied().flatten(),
    });

    let steps = ask.steps();
    let spans = spans_of(conn, &steps);
    let registered = counts(conn, &spans, REGISTERED, None).await?;
    let joined = counts(conn, &spans, JOINED, condition).await?;
    let left = counts(conn, &spans, LEFT, condition).await?;
    let counted = registered.into_iter().zip(joined).zip(left);
    let rows = steps
        .into_iter()
        .zip(counted)
        .map(|(step, ((registered, joined), left))| {
            let values = vec![Some(registered), Some(joined), Some(left)];
            (Name::Days(step.0, step.1), values)
        });
    report.tables.push(Table {
        by: By::Step(ask.step()),
        columns: vec![Figure::Registered, Figure::Joined, Figure::Left],
        rows: rows.collect(),
    });

    let programs = programs(conn).await?;
    let (from, until) = moments(conn, ask.from, ask.to.succ_opt().unwrap_or(ask.to));
    let rows: Vec<(Uuid, i64, i64, i64)> = on!(conn, |c| sqlx::query_as(BY_PROGRAM)
        .bind(from)
        .bind(until)
        .fetch_all(c)
        .await)?;
    let mut rows: Vec<Row> = rows
        .into_iter()
        .filter(|(id, ..)| ask.program.is_none_or(|program| program.0 == *id))
        .map(|(id, members, joined, left)| (name(&programs, id), vec![Some(members), Some(joined), Some(left)]))
        .collect();
    rows.sort_by_key(|(_, values)| -values.first().copied().flatten().unwrap_or_default());
    report.tables.push(Table {
        by: By::Program,
        columns: vec![Figure::Members, Figure::Joined, Figure::Left],
        rows,
    });
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Asked {
    created_at: DateTime<Utc>,
    answered_at: Option<DateTime<Utc>>,
    closed_at: Option<DateTime<Utc>>,
    topic_id: TopicId,
    assignee_id: Option<StaffId>,
}

#[derive(sqlx::FromRow)]
struct Rated {
    at: DateTime<Utc>,
    score: i64,
    topic_id: TopicId,
    assignee_id: Option<StaffId>,
}

/// When a request was closed, or opened again.
#[derive(sqlx::FromRow)]
struct Stepped {
    at: DateTime<Utc>,
    topic_id: TopicId,
    assignee_id: Option<StaffId>,
}

/// How many requests about a topic somebody has that are open.
#[derive(sqlx::FromRow)]
struct Left {
    topic_id: TopicId,
    assignee_id: Option<StaffId>,
    many: i64,
}

/// Requests that were written in a period, what was thought of answers in it, when requests were closed and opened again, and what
/// was open at its end. One that went into another one is that one, and counts once. They are few beside receipt lines, so that
/// they are told apart here and not by the database: SQLite has no median.
struct Asking {
    asked: Vec<Asked>,
    rated: Vec<Rated>,
    closed: Vec<Stepped>,
    reopened: Vec<Stepped>,
    backlog: Vec<Left>,
}

impl Asking {
    async fn read(conn: &mut Conn, (from, to): (NaiveDate, NaiveDate)) -> Result<Self, sqlx::Error> {
        const ASKED: &str = "SELECT created_at, answered_at, closed_at, topic_id, assignee_id FROM requests \
                             WHERE created_at >= $1 AND created_at < $2 AND merged_into IS NULL";
        const RATED: &str = "SELECT g.at, g.score, r.topic_id, r.assignee_id FROM request_ratings g \
                             JOIN requests r ON r.id = g.request_id WHERE g.at >= $1 AND g.at < $2";
        const CLOSED: &str = "SELECT closed_at AS at, topic_id, assignee_id FROM requests \
                              WHERE closed_at >= $1 AND closed_at < $2 AND merged_into IS NULL";
        const REOPENED: &str = "SELECT reopened_at AS at, topic_id, assignee_id FROM requests \
                                WHERE reopened_at >= $1 AND reopened_at < $2 AND merged_into IS NULL";
        // Who waits in one that went into another one is waited for in that one.
        const BACKLOG: &str = "SELECT topic_id, assignee_id, COUNT(*) AS many FROM requests \
                               WHERE closed_at IS NULL AND created_at < $1 GROUP BY topic_id, assignee_id \
                               UNION ALL SELECT topic_id, assignee_id, COUNT(*) FROM requests \
                               WHERE closed_at >= $1 AND created_at < $1 AND merged_into IS NULL \
                               GROUP BY topic_id, assignee_id";
        let (first, next) = moments(conn, from, to.succ_opt().unwrap_or(to));
        Ok(Self {
            asked: on!(conn, |c| sqlx::query_as(ASKED)
                .bind(first)
                .bind(next)
                .fetch_all(c)
                .await)?,
            rated: on!(conn, |c| sqlx::query_as(RATED)
                .bind(first)
                .bind(next)
                .fetch_all(c)
                .await)?,
            closed: on!(conn, |c| sqlx::query_as(CLOSED)
                .bind(first)
                .bind(next)
                .fetch_all(c)
                .await)?,
            reopened: on!(conn, |c| sqlx::query_as(REOPENED)
                .bind(first)
                .bind(next)
                .fetch_all(c)
                .await)?,
            backlog: on!(conn, |c| sqlx::query_as(BACKLOG).bind(next).fetch_all(c).await)?,
        })
    }

    /// A figure of the requests of some topics or of some members of staff.
    fn figure(&self, is_of: impl Fn(TopicId, Option<StaffId>) -> bool, figure: Figure) -> Option<i64> {
        let steps = |all: &[Stepped]| all.iter().filter(|one| is_of(one.topic_id, one.assignee_id)).count() as i64;
        match figure {
            Figure::Closed => Some(steps(&self.closed)),
            Figure::Reopened => Some(steps(&self.reopened)),
            Figure::Backlog => {
                let left = self.backlog.iter().filter(|one| is_of(one.topic_id, one.assignee_id));
                Some(left.map(|one| one.many).sum())
            }
            other => of_requests(
                self.asked.iter().filter(|one| is_of(one.topic_id, one.assignee_id)),
                self.rated.iter().filter(|one| is_of(one.topic_id, one.assignee_id)),
                other,
            ),
        }
    }

    /// Everything of which there is something to tell.
    fn each<K: Ord>(&self, key: impl Fn(TopicId, Option<StaffId>) -> K) -> BTreeSet<K> {
        let asked = self.asked.iter().map(|one| key(one.topic_id, one.assignee_id));
        let rated = self.rated.iter().map(|one| key(one.topic_id, one.assignee_id));
        let steps = self.closed.iter().chain(&self.reopened);
        let steps = steps.map(|one| key(one.topic_id, one.assignee_id));
        let left = self.backlog.iter().map(|one| key(one.topic_id, one.assignee_id));
        asked.chain(rated).chain(steps).chain(left).collect()
    }

    /// Some figures of each step of the period. What was open at the end of a step follows from the end of the one after it.
    fn steps(&self, conn: &Conn, ask: &Ask, columns: &[Figure]) -> Vec<Row> {
        let mut left: i64 = self.backlog.iter().map(|one| one.many).sum();
        let mut rows = Vec::new();
        for (first, last) in ask.steps().into_iter().rev() {
            let (from, until) = moments(conn, first, last.succ_opt().unwrap_or(last));
            let is_in = |at: DateTime<Utc>| from <= at && at < until;
            let count = |all: &[Stepped]| all.iter().filter(|one| is_in(one.at)).count() as i64;
            let (closed, reopened) = (count(&self.closed), count(&self.reopened));
            let received = self.asked.iter().filter(|one| is_in(one.created_at)).count() as i64;
            let value = |figure: &Figure| match figure {
                Figure::Closed => Some(closed),
                Figure::Reopened => Some(reopened),
                Figure::Backlog => Some(left),
                other => of_requests(
                    self.asked.iter().filter(|one| is_in(one.created_at)),
                    self.rated.iter().filter(|one| is_in(one.at)),
                    *other,
                ),
            };
            rows.push((Name::Days(first, last), columns.iter().map(value).collect()));
            left += closed - received;
        }
        rows.reverse();
        rows
    }
}

/// A figure of some requests and of what was thought of some answers.
fn of_requests<'a>(
    asked: impl Iterator<Item = &'a Asked>,
    rated: impl Iterator<Item = &'a Rated>,
    figure: Figure,
) -> Option<i64> {
    let minutes = |time: TimeDelta| time.num_minutes();
    match figure {
        Figure::Received => Some(asked.count() as i64),
        // What the shop began itself nobody waited for.
        Figure::FirstAnswer => median(
            asked
                .filter_map(|one| Some(one.answered_at? - one.created_at))
                .filter(|waited| *waited > TimeDelta::zero())
                .map(minutes)
                .collect(),
        ),
        Figure::Solution => median(
            asked
                .filter_map(|one| Some(minutes(one.closed_at? - one.created_at)))
                .collect(),
        ),
        Figure::Ratings => Some(rated.count() as i64),
        Figure::Score => {
            let scores: Vec<i64> = rated.map(|one| one.score).collect();
            average(scores.iter().sum::<i64>() * 100, scores.len() as i64)
        }
        _ => None,
    }
}

async fn requests(conn: &mut Conn, report: &mut Report) -> Result<(), Error> {
    const TOPICS: &str = "SELECT id, name FROM topics";
    const STAFF: &str = "SELECT id, name FROM staff";
    const FIGURES: [Figure; 8] = [
        Figure::Received,
        Figure::FirstAnswer,
        Figure::Solution,
        Figure::Closed,
        Figure::Reopened,
        Figure::Backlog,
        Figure::Score,
        Figure::Ratings,
    ];
    let ask = report.ask;
    let now = Asking::read(conn, (ask.from, ask.to)).await?;
    let before = Asking::read(conn, ask.before()).await?;
    report.totals = FIGURES
        .map(|figure| Total {
            figure,
            now: now.figure(|_, _| true, figure),
            before: before.figure(|_, _| true, figure),
        })
        .to_vec();
    report.tables.push(Table {
        by: By::Step(ask.step()),
        columns: FIGURES.to_vec(),
        rows: now.steps(conn, &ask, &FIGURES),
    });

    let topics = names(conn, TOPICS).await?;
    let staff: Vec<(StaffId, String)> = on!(conn, |c| sqlx::query_as(STAFF).fetch_all(c).await)?;
    let staff: HashMap<StaffId, String> = staff.into_iter().collect();
    let topic = |id: &TopicId| name(&topics, id.0);
    let agent = |id: &Option<StaffId>| match id.and_then(|id| staff.get(&id)) {
        Some(name) => Name::Plain(name.clone()),
        None => Name::None,
    };
    let ids = now.each(|topic, _| topic);
    report.tables.push(Table {
        by: By::Topic,
        columns: FIGURES.to_vec(),
        rows: grouped(&ids, &FIGURES, topic, |id, figure| {
            now.figure(|topic, _| topic == *id, figure)
        }),
    });
    let ids = now.each(|_, agent| agent);
    report.tables.push(Table {
        by: By::Agent,
        columns: FIGURES.to_vec(),
        rows: grouped(&ids, &FIGURES, agent, |id, figure| {
            now.figure(|_, agent| agent == *id, figure)
        }),
    });
    beside(conn, report).await?;
    Ok(())
}

/// What is told of talks and tasks.
const WORK: [Figure; 4] = [Figure::Talks, Figure::TalkMinutes, Figure::TasksDone, Figure::DoneLate];
/// These figures of each member of staff.
type Work = BTreeMap<StaffId, (String, [i64; WORK.len()])>;

/// Adds what staff did beside requests: they talked, and did tasks.
async fn beside(conn: &mut Conn, report: &mut Report) -> Result<(), sqlx::Error> {
    let ask = report.ask;
    let (now, before) = (work(conn, (ask.from, ask.to)).await?, work(conn, ask.before()).await?);
    let all = |work: &Work| {
        let mut all = [0; WORK.len()];
        for (_, figures) in work.values() {
            add(&mut all, figures);
        }
        all
    };
    let both = all(&now).into_iter().zip(all(&before));
    report
        .totals
        .extend(WORK.into_iter().zip(both).map(|(figure, (now, before))| Total {
            figure,
            now: Some(now),
            before: Some(before),
        }));
    if !now.is_empty() {
        report.tables.push(Table {
            by: By::Work,
            columns: WORK.to_vec(),
            rows: by_name(now),
        });
    }
    Ok(())
}

async fn work(conn: &mut Conn, (first, last): (NaiveDate, NaiveDate)) -> Result<Work, sqlx::Error> {
    // Of an entry that was corrected the one counts that corrects it.
    const TALKS: &str = "SELECT i.staff_id, s.name, COUNT(*), CAST(COALESCE(SUM(i.minutes), 0) AS BIGINT) \
                         FROM interactions i JOIN staff s ON s.id = i.staff_id WHERE i.at >= $1 AND i.at < $2 \
                         AND NOT EXISTS (SELECT 1 FROM interactions x WHERE x.corrects_id = i.id) \
                         GROUP BY i.staff_id, s.name";
    const DONE: &str = "SELECT t.owner_id, s.name, t.due_on, t.ended_at FROM tasks t JOIN staff s ON s.id = t.owner_id \
                        WHERE t.state <> 'open' AND t.state = 'done' AND t.ended_at >= $1 AND t.ended_at < $2";
    let (from, until) = moments(conn, first, last.succ_opt().unwrap_or(last));
    let talks: Vec<(StaffId, String, i64, i64)> = on!(conn, |c| sqlx::query_as(TALKS)
        .bind(from)
        .bind(until)
        .fetch_all(c)
        .await)?;
    let done: Vec<(StaffId, String, NaiveDate, DateTime<Utc>)> =
        on!(conn, |c| sqlx::query_as(DONE).bind(from).bind(until).fetch_all(c).await)?;
    let mut all: Work = talks
        .into_iter()
        .map(|(id, name, many, minutes)| (id, (name, [many, minutes, 0, 0])))
        .collect();
    for (id, name, due_on, ended_at) in done {
        let (_, [_, _, done, late]) = all.entry(id).or_insert_with(|| (name, [0; WORK.len()]));
        *done += 1;
        *late += i64::from(conn.shop().day(ended_at) > due_on);
    }
    Ok(all)
}

/// A row for each of some ids, the most of the first figure first.
fn grouped<K>(
    ids: &BTreeSet<K>,
    columns: &[Figure],
    name: impl Fn(&K) -> Name,
    value: impl Fn(&K, Figure) -> Option<i64>,
) -> Vec<Row> {
    let row = |id: &K| -> Row { (name(id), columns.iter().map(|figure| value(id, *figure)).collect()) };
    let mut rows: Vec<Row> = ids.iter().map(row).collect();
    rows.sort_by_key(|(_, values)| -values.first().copied().flatten().unwrap_or_default());
    rows.truncate(ROWS);
    rows
}

async fn self_service(conn: &mut Conn, report: &mut Report) -> Result<(), Error> {
    const ALL: [&str; 3] = ["helped", "chats", "looks"];
    const FIGURES: [Figure; 5] = [
        Figure::Spared,
        Figure::Saved,
        Figure::Helped,
        Figure::Chats,
        Figure::Looks,
    ];
    let (ask, minutes) = (report.ask, report.minutes);
    let days = Days::read(conn, &ask, &ALL, None).await?;
    let value = |sums: &Sums, figure: Figure| {
        let (helped, chats, looks) = (sum(sums, "helped"), sum(sums, "chats"), sum(sums, "looks"));
        let spared = helped + chats + looks;
        match figure {
            Figure::Helped => Some(helped),
            Figure::Chats => Some(chats),
            Figure::Looks => Some(looks),
            Figure::Spared => Some(spared),
            Figure::Saved => Some(spared.saturating_mul(minutes)),
            _ => None,
        }
    };
    report.totals = days.totals(&ask, &FIGURES, value);
    report.tables.push(days.steps(&ask, &FIGURES, value));
    Ok(())
}
