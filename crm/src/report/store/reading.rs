//! Reports, each made of what is kept by day and of what is small enough to be asked for as it is.

use super::{NIL, OWED, moments, sums};
use crate::db::{self, Bind, Conn, Db, ListQuery, scoped};
use crate::error::Error;
use crate::id::{ProgramId, StaffId, StoreId, TierId, TopicId};
use crate::lang::Localized;
use crate::on;
use crate::report::{
    Ask, By, Figure, Kind, Name, Report, Row, Slice, Table, Total, average, median, month_of, next_month,
};
use crate::request::Promise;
use crate::rule::tier::Tiers;
use crate::staff::Right;
use crate::task;
use crate::who::Staff;
use chrono::{DateTime, NaiveDate, Utc};
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
    for slice in kind.slices() {
        match slice {
            Slice::Store => slices.stores = sorted(stores(conn).await?, StoreId),
            Slice::Tier => slices.tiers = sorted(tiers(conn, None).await?, TierId),
            Slice::Program => slices.programs = sorted(programs(conn).await?, ProgramId),
        }
    }
    Ok(slices)
}

/// All parts that there are, for whoever has been asked for a right.
pub(crate) async fn all_slices(conn: &mut Conn) -> Result<Slices, sqlx::Error> {
    Ok(Slices {
        stores: sorted(stores(conn).await?, StoreId),
        tiers: sorted(tiers(conn, None).await?, TierId),
        programs: sorted(programs(conn).await?, ProgramId),
    })
}

/// Parts by their names.
fn sorted<T>(names: HashMap<Uuid, Localized>, id: impl Fn(Uuid) -> T) -> Vec<(T, Localized)> {
    let mut parts: Vec<_> = names.into_iter().map(|(part, name)| (id(part), name)).collect();
    parts.sort_by(|a, b| a.1.ru.cmp(&b.1.ru));
    parts
}

/// What a report is narrowed to, by its name.
async fn narrowed(conn: &mut Conn, ask: &Ask) -> Result<Vec<(Slice, Name)>, sqlx::Error> {
    let mut to = Vec::new();
    if let Some(store) = ask.store {
        to.push((Slice::Store, name(&stores(conn).await?, store.0)));
    }
    if let Some(tier) = ask.tier {
        to.push((Slice::Tier, name(&tiers(conn, None).await?, tier.0)));
    }
    if let Some(program) = ask.program {
        to.push((Slice::Program, name(&programs(conn).await?, program.0)));
    }
    Ok(to)
}

/// A report, for staff with the right to it.
pub async fn read(conn: &mut Conn, by: &Staff, kind: Kind, ask: &Ask) -> Result<Report, Error> {
    by.may(Right::Reports)?;
    make(conn, kind, ask).await
}

/// The same to take home: that it was taken, and what it was narrowed to, is a row of the log.
pub async fn export(db: &Db, by: &Staff, kind: Kind, ask: &Ask) -> Result<Report, Error> {
    let report = read(&mut db.read().await?, by, kind, ask).await?;
    let told = &format!("{}: {}", kind.as_str(), report.ask.told());
    db.write(|tx| {
        scoped(async move {
            by.record(tx, "report.export", None, None, told).await?;
            Ok::<_, Error>(())
        })
    })
    .await?;
    Ok(report)
}

/// A report, for whoever has been asked for the right.
pub(super) async fn make(conn: &mut Conn, kind: Kind, ask: &Ask) -> Result<Report, Error> {
    let ask = ask.of_kind(kind);
    let minutes = ask
        .minutes
        .unwrap_or(i64::from(conn.shop().reports.minutes_per_request));
    let mut report = Report {
        kind,
        ask,
        narrowed: narrowed(conn, &ask).await?,
        totals: Vec::new(),
        tables: Vec::new(),
        counted_on: None,
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

/// The tiers of all versions, of one program or of all, by the name that they had last.
async fn tiers(conn: &mut Conn, program: Option<ProgramId>) -> Result<HashMap<Uuid, Localized>, sqlx::Error> {
    const SQL: &str = "SELECT program_id, definition FROM tier_versions \
                       WHERE state = 'published' AND called_off_at IS NULL ORDER BY program_id, version";
    let versions: Vec<(ProgramId, Json<serde_json::Value>)> = on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)?;
    // A version that withdraws the tiers defines none, and one of another release may not be read.
    let tiers = versions
        .into_iter()
        .filter(|(of, _)| program.is_none_or(|program| program == *of))
        .filter_map(|(_, Json(version))| serde_json::from_value::<Option<Tiers>>(version).ok().flatten());
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

    let tiers = tiers(conn, None).await?;
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

/// The same of those with a tier.
fn points_of_tiers(sums: &Sums, figure: Figure) -> Option<i64> {
    match figure {
        Figure::Issued => Some(sum(sums, "tier_issued")),
        Figure::Spent => Some(sum(sums, "tier_spent")),
        Figure::Expired => Some(sum(sums, "tier_expired")),
        Figure::Adjusted => Some(sum(sums, "tier_adjusted")),
        _ => None,
    }
}

async fn points(conn: &mut Conn, report: &mut Report) -> Result<(), Error> {
    const ALL: [&str; 4] = ["issued", "spent", "expired", "adjusted"];
    const OF_TIER: [&str; 4] = ["tier_issued", "tier_spent", "tier_expired", "tier_adjusted"];
    const FIGURES: [Figure; 4] = [Figure::Issued, Figure::Spent, Figure::Expired, Figure::Adjusted];
    // What expires, and what staff give, is of no receipt and so of no shop.
    const OF_STORE: [Figure; 2] = [Figure::Issued, Figure::Spent];
    let ask = report.ask;
    let figures: &[Figure] = if ask.store.is_some() { &OF_STORE } else { &FIGURES };
    let stores = stores(conn).await?;
    if let Some(tier) = ask.tier {
        let part = Some(tier.0);
        let days = Days::read(conn, &ask, &OF_TIER, part).await?;
        report.totals = days.totals(&ask, figures, points_of_tiers);
        report.tables.push(days.steps(&ask, figures, points_of_tiers));
        let by_store = parts(conn, BY_STORE, OF_STORES, &OF_TIER, &ask, part).await?;
        report
            .tables
            .push(table(By::Store, &OF_STORE, &by_store, &stores, points_of_tiers));
        return Ok(());
    }
    let part = ask.program.map(|program| program.0);
    let days = Days::read(conn, &ask, &ALL, part).await?;
    report.totals = days.totals(&ask, figures, of_points);
    report.tables.push(days.steps(&ask, figures, of_points));
    let programs = programs(conn).await?;
    let by_program = parts(conn, BY_PART, OF_PARTS, &ALL, &ask, part).await?;
    report
        .tables
        .push(table(By::Program, figures, &by_program, &programs, of_points));
    let by_store = parts(conn, BY_STORE, OF_STORES, &ALL, &ask, part).await?;
    report
        .tables
        .push(table(By::Store, &OF_STORE, &by_store, &stores, of_points));
    let tiers = tiers(conn, ask.program).await?;
    let mut by_tier = parts(conn, BY_PART, OF_PARTS, &OF_TIER, &ask, None).await?;
    by_tier.retain(|(id, _)| tiers.contains_key(id));
    if !by_tier.is_empty() {
        report
            .tables
            .push(table(By::Tier, figures, &by_tier, &tiers, points_of_tiers));
    }
    if ask.store.is_some() {
        return Ok(());
    }

    let corrected = corrections(conn, &ask).await?;
    if !corrected.is_empty() {
        report.tables.push(Table {
            by: By::Agent,
            columns: CORRECTIONS.to_vec(),
            rows: corrected,
        });
    }

    let now = at_the_end(conn, &ask, POINTS, ask.to).await?;
    let before = at_the_end(conn, &ask, POINTS, ask.before().1).await?;
    report.totals.push(Total {
        figure: Figure::Owed,
        now: Some(now.values().sum()),
        before: Some(before.values().sum()),
    });
    let Some((day, sums)) = owed(conn, ask.to, part).await? else {
        return Ok(());
    };
    report.counted_on = Some(day);
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

/// What is told of corrections by member of staff.
const CORRECTIONS: [Figure; 5] = [
    Figure::Corrections,
    Figure::Consented,
    Figure::OfReceipts,
    Figure::Given,
    Figure::Taken,
];

/// Who gave and took points and put receipts right in a period: how many times, how many of these a colleague consented to, and what was
/// given and what was taken by hand, each for itself: as much given as taken is not nothing. What a receipt brought is told with it; it is
/// of no program.
async fn corrections(conn: &mut Conn, ask: &Ask) -> Result<Vec<Row>, sqlx::Error> {
    const POINTS: &str = "SELECT a.asked_by, s.name, a.program_id, COUNT(*), COUNT(a.decided_by), \
                          CAST(SUM(CASE WHEN a.points > 0 THEN a.points ELSE 0 END) AS BIGINT), \
                          CAST(SUM(CASE WHEN a.points < 0 THEN -a.points ELSE 0 END) AS BIGINT) \
                          FROM adjustments a JOIN staff s ON s.id = a.asked_by \
                          WHERE a.state = 'booked' AND a.decided_at >= $1 AND a.decided_at < $2 \
                          GROUP BY a.asked_by, s.name, a.program_id";
    const RECEIPTS: &str = "SELECT r.asked_by, s.name, COUNT(*), COUNT(r.decided_by) FROM receipt_corrections r \
                            JOIN staff s ON s.id = r.asked_by \
                            WHERE r.state = 'booked' AND r.decided_at >= $1 AND r.decided_at < $2 GROUP BY r.asked_by, s.name";
    type Corrected = (StaffId, String, ProgramId, i64, i64, i64, i64);
    let (from, until) = moments(conn, ask.from, ask.to.succ_opt().unwrap_or(ask.to));
    let found: Vec<Corrected> = on!(conn, |c| sqlx::query_as(POINTS)
        .bind(from)
        .bind(until)
        .fetch_all(c)
        .await)?;
    let mut all: BTreeMap<StaffId, (String, [i64; CORRECTIONS.len()])> = BTreeMap::new();
    for (id, name, program, many, consented, given, taken) in found {
        if ask.program.is_some_and(|only| only != program) {
            continue;
        }
        let (_, sums) = all.entry(id).or_insert_with(|| (name, [0; CORRECTIONS.len()]));
        add(sums, &[many, consented, 0, given, taken]);
    }
    if ask.program.is_none() {
        let found: Vec<(StaffId, String, i64, i64)> = on!(conn, |c| sqlx::query_as(RECEIPTS)
            .bind(from)
            .bind(until)
            .fetch_all(c)
            .await)?;
        for (id, name, many, consented) in found {
            let (_, sums) = all.entry(id).or_insert_with(|| (name, [0; CORRECTIONS.len()]));
            add(sums, &[many, consented, many, 0, 0]);
        }
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

/// What was counted of the end of a day: with that, the day after it begins.
fn counted_by(until: NaiveDate) -> NaiveDate {
    until.succ_opt().unwrap_or(until)
}

/// What was owed by age at the end of a day, or when it was counted last before.
async fn owed(conn: &mut Conn, until: NaiveDate, part: Option<Uuid>) -> Result<Option<(NaiveDate, Sums)>, sqlx::Error> {
    const LAST: &str = "SELECT MAX(day) FROM report_figures WHERE figure = 'owed_0' AND day <= $1";
    let last: Option<NaiveDate> = on!(conn, |c| sqlx::query_scalar(LAST)
        .bind(counted_by(until))
        .fetch_one(c)
        .await)?;
    let Some(day) = last else { return Ok(None) };
    let figures = OWED.map(|(_, figure)| figure);
    let rows: Vec<(String, Uuid, i64)> = sums(conn, BY_PART, OF_PARTS, &figures, (day, day), (None, part)).await?;
    let mut sums = Sums::new();
    for (figure, _, value) in rows {
        *sums.entry(figure).or_default() += value;
    }
    Ok(Some((day, sums)))
}

/// A condition, with the id in it.
type Condition = (&'static str, Uuid);

/// The conditions for what is asked, out of those for a shop, a tier and a program.
fn conditions(ask: &Ask, each: &[&'static str]) -> Vec<Condition> {
    let ids = [
        ask.store.map(|id| id.0),
        ask.tier.map(|id| id.0),
        ask.program.map(|id| id.0),
    ];
    let asked = each.iter().zip(ids);
    asked.filter_map(|(condition, id)| Some((*condition, id?))).collect()
}

fn narrow(query: ListQuery, conditions: &[Condition]) -> ListQuery {
    conditions
        .iter()
        .fold(query, |query, (condition, id)| query.filter(condition, [Bind::Id(*id)]))
}

/// How many of something there were in each span of time.
async fn counts(
    conn: &mut Conn,
    spans: &[(DateTime<Utc>, DateTime<Utc>)],
    select: &'static str,
    conditions: &[Condition],
) -> Result<Vec<i64>, sqlx::Error> {
    let query = narrow(ListQuery::over(spans, select), conditions);
    let rows: Vec<(DateTime<Utc>, i64)> = db::list(conn, query.tail("GROUP BY m.first")).await?;
    let counted: HashMap<_, _> = rows.into_iter().collect();
    Ok(spans
        .iter()
        .map(|(first, _)| counted.get(first).copied().unwrap_or_default())
        .collect())
}

/// Customers `c` of a shop, with a tier.
const OF_CUSTOMERS: [&str; 2] = [
    "c.favourite_store_id = ?",
    "EXISTS (SELECT 1 FROM tier_standings s WHERE s.customer_id = c.id AND s.tier_id = ?)",
];
/// Memberships `j` of these.
const OF_MEMBERS: [&str; 2] = [
    "EXISTS (SELECT 1 FROM customers c WHERE c.id = j.customer_id AND c.favourite_store_id = ?)",
    "EXISTS (SELECT 1 FROM tier_standings s WHERE s.customer_id = j.customer_id AND s.program_id = j.program_id \
     AND s.tier_id = ?)",
];
/// The same of those who left: who leaves has no tier any more, so it is the one that they had until then.
const OF_LEAVERS: [&str; 2] = [
    "EXISTS (SELECT 1 FROM customers c WHERE c.id = j.customer_id AND c.favourite_store_id = ?)",
    "EXISTS (SELECT 1 FROM tier_changes t WHERE t.customer_id = j.customer_id AND t.program_id = j.program_id \
     AND t.tier_id = ? AND t.at < j.left_at AND NOT EXISTS (SELECT 1 FROM tier_changes n \
     WHERE n.customer_id = t.customer_id AND n.program_id = t.program_id AND n.at < j.left_at \
     AND (n.at, n.id) > (t.at, t.id)))",
];

/// Who came and went, beside each other in the steps of a period.
const COME_AND_GO: [Figure; 3] = [Figure::Registered, Figure::Joined, Figure::Left];

/// What comes by day and what goes: what is there at the end of one is all that came up to then, less all that went.
type Flow = (&'static [&'static str], &'static [&'static str]);

/// What is kept of customers who came and went, of memberships, and of points that customers got and have no more.
const CUSTOMERS: Flow = (&["registered"], &["erased"]);
const MEMBERSHIPS: Flow = (&["joined"], &["left"]);
const POINTS: Flow = (&["issued", "adjusted"], &["spent", "expired"]);

async fn members(conn: &mut Conn, report: &mut Report) -> Result<(), Error> {
    let ask = report.ask;
    if ask.tier.is_some() {
        with_tier(conn, report).await?;
    } else {
        come_and_go(conn, report).await?;
    }
    let whom = if ask.program.is_some() { MEMBERSHIPS } else { CUSTOMERS };
    for figure in [Figure::Members, Figure::Active, Figure::Buyers] {
        // Of those with a tier and of the members of a program it is not kept who bought in a month.
        if figure == Figure::Buyers && (ask.tier.is_some() || ask.program.is_some()) {
            continue;
        }
        let mut values = Vec::new();
        for last in [ask.to, ask.before().1] {
            values.push(match figure {
                Figure::Members if ask.tier.is_none() => {
                    Some(at_the_end(conn, &ask, whom, last).await?.values().sum::<i64>())
                }
                Figure::Buyers => buyers(conn, &ask, month_of(last)).await?,
                kept => standing(conn, &ask, kept, last).await?,
            });
        }
        report.totals.push(Total {
            figure,
            now: values.first().copied().flatten(),
            before: values.get(1).copied().flatten(),
        });
    }
    members_by_part(conn, report).await?;
    Ok(())
}

/// Who came and went, out of what is kept by day.
async fn come_and_go(conn: &mut Conn, report: &mut Report) -> Result<(), sqlx::Error> {
    const TOLD: [Figure; 4] = [Figure::Registered, Figure::Verified, Figure::Joined, Figure::Left];
    let ask = report.ask;
    let part = ask.program.map(|program| program.0);
    let [registered, verified] = match part {
        Some(_) => ["program_registered", "program_verified"],
        None => ["registered", "verified"],
    };
    let days = Days::read(conn, &ask, &[registered, verified, "joined", "left"], part).await?;
    let value = |sums: &Sums, figure: Figure| match figure {
        Figure::Registered => Some(sum(sums, registered)),
        Figure::Verified => Some(sum(sums, verified)),
        Figure::Joined => Some(sum(sums, "joined")),
        Figure::Left => Some(sum(sums, "left")),
        _ => None,
    };
    report.totals = days.totals(&ask, &TOLD, value);
    report.tables.push(days.steps(&ask, &COME_AND_GO, value));

    let programs = programs(conn).await?;
    let members = at_the_end(conn, &ask, MEMBERSHIPS, ask.to).await?;
    let by_program = parts(conn, BY_PART, OF_PARTS, &["joined", "left"], &ask, part).await?;
    let by_program: HashMap<Uuid, Sums> = by_program.into_iter().collect();
    let row = |(id, members): (Uuid, i64)| -> Row {
        let come = |figure| by_program.get(&id).map_or(0, |sums| sum(sums, figure));
        let values = vec![Some(members), Some(come("joined")), Some(come("left"))];
        (name(&programs, id), values)
    };
    let mut rows: Vec<Row> = members.into_iter().map(row).collect();
    rows.sort_by_key(|(_, values)| -values.first().copied().flatten().unwrap_or_default());
    report.tables.push(Table {
        by: By::Program,
        columns: vec![Figure::Members, Figure::Joined, Figure::Left],
        rows,
    });
    Ok(())
}

/// The same of those with a tier, which is not kept by day. A tier is of one program.
async fn with_tier(conn: &mut Conn, report: &mut Report) -> Result<(), sqlx::Error> {
    const REGISTERED: &str = "SELECT m.first, COUNT(*) FROM spans m \
        JOIN customers c ON c.registered_at >= m.first AND c.registered_at < m.next AND c.merged_into IS NULL";
    const VERIFIED: &str = "SELECT m.first, COUNT(*) FROM spans m \
        JOIN customers c ON c.registered_at >= m.first AND c.registered_at < m.next AND c.merged_into IS NULL \
        AND EXISTS (SELECT 1 FROM contacts k WHERE k.customer_id = c.id AND k.verified_at IS NOT NULL)";
    const JOINED: &str = "SELECT m.first, COUNT(*) FROM spans m \
        JOIN memberships j ON j.joined_at >= m.first AND j.joined_at < m.next";
    const LEFT: &str = "SELECT m.first, COUNT(*) FROM spans m \
        JOIN memberships j ON j.left_at >= m.first AND j.left_at < m.next";
    let ask = report.ask;
    let spans_of = |conn: &Conn, days: &[(NaiveDate, NaiveDate)]| -> Vec<_> {
        days.iter()
            .map(|(first, last)| moments(conn, *first, last.succ_opt().unwrap_or(*last)))
            .collect()
    };
    let of_customers = conditions(&ask, &OF_CUSTOMERS);
    let of_members = conditions(&ask, &OF_MEMBERS);
    let of_leavers = conditions(&ask, &OF_LEAVERS);
    let both = spans_of(conn, &[(ask.from, ask.to), ask.before()]);
    for (figure, select, conditions) in [
        (Figure::Registered, REGISTERED, &of_customers),
        (Figure::Verified, VERIFIED, &of_customers),
        (Figure::Joined, JOINED, &of_members),
        (Figure::Left, LEFT, &of_leavers),
    ] {
        let counted = counts(conn, &both, select, conditions).await?;
        report.totals.push(Total {
            figure,
            now: counted.first().copied(),
            before: counted.get(1).copied(),
        });
    }

    let steps = ask.steps();
    let spans = spans_of(conn, &steps);
    let registered = counts(conn, &spans, REGISTERED, &of_customers).await?;
    let joined = counts(conn, &spans, JOINED, &of_members).await?;
    let left = counts(conn, &spans, LEFT, &of_leavers).await?;
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
        columns: COME_AND_GO.to_vec(),
        rows: rows.collect(),
    });
    Ok(())
}

/// How many customers there were at the end of a day, or members or points by program: what came up to then, less what went.
async fn at_the_end(
    conn: &mut Conn,
    ask: &Ask,
    (came, went): Flow,
    until: NaiveDate,
) -> Result<BTreeMap<Uuid, i64>, sqlx::Error> {
    let beginning = NaiveDate::from_ymd_opt(1, 1, 1).unwrap_or_default();
    let narrowed = (ask.store.map(|store| store.0), ask.program.map(|program| program.0));
    let figures = [came, went].concat();
    let rows: Vec<(String, Uuid, i64)> = sums(conn, BY_PART, OF_PARTS, &figures, (beginning, until), narrowed).await?;
    let mut there: BTreeMap<Uuid, i64> = BTreeMap::new();
    for (figure, part, value) in rows {
        *there.entry(part).or_default() += match went.contains(&figure.as_str()) {
            true => -value,
            false => value,
        };
    }
    Ok(there)
}

/// Who bought in a calendar month, in all shops or in one. It is kept by month, for who buys on two days is one of them.
async fn buyers(conn: &mut Conn, ask: &Ask, month: NaiveDate) -> Result<Option<i64>, sqlx::Error> {
    const SQL: &str =
        "SELECT value FROM report_figures WHERE figure = $1 AND day = $2 AND store_id = $3 AND part_id = $4";
    let (figure, store) = match ask.store {
        Some(store) => ("store_customers", store.0),
        None => ("customers", NIL),
    };
    on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(figure)
        .bind(month)
        .bind(store)
        .bind(NIL)
        .fetch_optional(c)
        .await)
}

/// Who is a member, and who of them is active, as it is counted once a day.
const STANDING: [&str; 2] = ["members", "active"];

fn of_members(sums: &Sums, figure: Figure) -> Option<i64> {
    match figure {
        Figure::Members => Some(sum(sums, "members")),
        Figure::Active => Some(sum(sums, "active")),
        _ => None,
    }
}

/// The day on which members were counted for the end of one, or for the last before of which they were.
async fn stood(conn: &mut Conn, until: NaiveDate) -> Result<Option<NaiveDate>, sqlx::Error> {
    const SQL: &str = "SELECT MAX(day) FROM report_figures WHERE figure = 'members' AND day <= $1";
    on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(counted_by(until))
        .fetch_one(c)
        .await)
}

/// What was counted on that day of all customers, of the members of a program or of those with a tier; none: nothing was yet.
async fn standing(conn: &mut Conn, ask: &Ask, figure: Figure, until: NaiveDate) -> Result<Option<i64>, sqlx::Error> {
    let Some(day) = stood(conn, until).await? else {
        return Ok(None);
    };
    let store = ask.store.map(|store| store.0);
    let rows: Vec<(String, Uuid, i64)> = sums(
        conn,
        BY_PART,
        OF_PARTS,
        &STANDING,
        (day, day),
        (store, Some(of_whom(ask))),
    )
    .await?;
    let sums = rows.into_iter().map(|(figure, _, value)| (figure, value)).collect();
    Ok(of_members(&sums, figure))
}

/// The part whose members are asked for; nil: of all customers.
fn of_whom(ask: &Ask) -> Uuid {
    let tier = ask.tier.map(|tier| tier.0);
    tier.or(ask.program.map(|program| program.0)).unwrap_or(NIL)
}

/// Members by their favourite shop and by tier, on the last day that they were counted on.
async fn members_by_part(conn: &mut Conn, report: &mut Report) -> Result<(), sqlx::Error> {
    const COLUMNS: [Figure; 2] = [Figure::Members, Figure::Active];
    let ask = report.ask;
    let Some(day) = stood(conn, ask.to).await? else {
        return Ok(());
    };
    report.counted_on = Some(day);
    let on = Ask {
        from: day,
        to: day,
        ..ask
    };
    let stores = stores(conn).await?;
    let by_store = parts(conn, BY_STORE, OF_STORES, &STANDING, &on, Some(of_whom(&ask))).await?;
    report
        .tables
        .push(table(By::Store, &COLUMNS, &by_store, &stores, of_members));
    if ask.tier.is_some() {
        return Ok(());
    }
    let tiers = tiers(conn, ask.program).await?;
    let mut by_tier = parts(conn, BY_PART, OF_PARTS, &STANDING, &on, None).await?;
    by_tier.retain(|(id, _)| tiers.contains_key(id));
    if !by_tier.is_empty() {
        report
            .tables
            .push(table(By::Tier, &COLUMNS, &by_tier, &tiers, of_members));
    }
    Ok(())
}

/// What a request is told by: its topic, and its shop, which is that of the receipt that it is about or else the customer's
/// favourite one.
#[derive(Clone, Copy, sqlx::FromRow)]
struct Of {
    topic_id: TopicId,
    store_id: Option<StoreId>,
}

#[derive(sqlx::FromRow)]
struct Asked {
    created_at: DateTime<Utc>,
    /// Who has it now.
    assignee_id: Option<StaffId>,
    answered_at: Option<DateTime<Utc>>,
    /// Who gave the first answer.
    answered_by: Option<StaffId>,
    /// When it was closed for the first time.
    solved_at: Option<DateTime<Utc>>,
    /// Who answered last before that.
    solved_by: Option<StaffId>,
    #[sqlx(flatten)]
    of: Of,
}

#[derive(sqlx::FromRow)]
struct Rated {
    at: DateTime<Utc>,
    score: i64,
    /// Who answered last before.
    staff_id: Option<StaffId>,
    #[sqlx(flatten)]
    of: Of,
}

/// When a request was closed, or opened again.
#[derive(sqlx::FromRow)]
struct Stepped {
    at: DateTime<Utc>,
    /// Who answered last before.
    staff_id: Option<StaffId>,
    #[sqlx(flatten)]
    of: Of,
}

/// How many requests of a kind are open.
#[derive(sqlx::FromRow)]
struct Left {
    many: i64,
    /// Who has them now.
    staff_id: Option<StaffId>,
    #[sqlx(flatten)]
    of: Of,
}

/// Columns of requests `r`, beside what they are told by.
macro_rules! asked {
    ($from:literal, $($columns:tt)*) => {
        concat!(
            "SELECT ",
            $($columns)*,
            ", r.topic_id, COALESCE(p.store_id, c.favourite_store_id) AS store_id FROM ",
            $from,
            " JOIN customers c ON c.id = r.customer_id LEFT JOIN purchases p ON p.id = r.purchase_id"
        )
    };
}

/// Who wrote the first answer to a request `r`, or the last one up to a moment. Of what was said in another request that went into
/// it that one tells.
macro_rules! answerer {
    (first) => {
        "(SELECT m.staff_id FROM messages m WHERE m.request_id = r.id AND m.author = 'staff' AND NOT m.internal \
         ORDER BY m.at, m.id LIMIT 1)"
    };
    (until $($moment:tt)*) => {
        concat!(
            "(SELECT m.staff_id FROM messages m WHERE m.request_id = r.id AND m.author = 'staff' AND NOT m.internal \
             AND m.at <= ",
            $($moment)*,
            " ORDER BY m.at DESC, m.id DESC LIMIT 1)"
        )
    };
}

/// When a request `r` was closed for the first time, which stays what it was, whatever becomes of it later. One that had gone into
/// another one before steps were written down, and came out again, has none.
macro_rules! solved_at {
    () => {
        "COALESCE((SELECT MIN(s.at) FROM request_steps s WHERE s.request_id = r.id AND s.kind = 'closed'), r.closed_at)"
    };
}

/// Requests `r` of a shop, and of customers who had a tier when they wrote: the one that was noticed last before. A request is of no
/// program.
const OF_REQUESTS: [&str; 2] = [
    "COALESCE(p.store_id, c.favourite_store_id) = ?",
    "EXISTS (SELECT 1 FROM tier_changes t WHERE t.customer_id = r.customer_id AND t.tier_id = ? AND t.at < r.created_at \
     AND NOT EXISTS (SELECT 1 FROM tier_changes n WHERE n.customer_id = t.customer_id AND n.program_id = t.program_id \
     AND n.at < r.created_at AND (n.at, n.id) > (t.at, t.id)))",
];

/// Requests that were written in a period, what was thought of answers in it, when requests were closed and opened again, and what
/// was open at its end. One that went into another one is that one, and counts once. They are few beside receipt lines, so that
/// they are told apart here and not by the database: SQLite has no median. All that is told of them is counted in one walk.
struct Asking {
    asked: Vec<Asked>,
    rated: Vec<Rated>,
    closed: Vec<Stepped>,
    reopened: Vec<Stepped>,
    backlog: Vec<Left>,
}

impl Asking {
    async fn read(conn: &mut Conn, ask: &Ask, (from, to): (NaiveDate, NaiveDate)) -> Result<Self, sqlx::Error> {
        const ASKED: &str = asked!(
            "requests r",
            "r.created_at, r.assignee_id, r.answered_at, ",
            answerer!(first),
            " AS answered_by, ",
            solved_at!(),
            " AS solved_at, ",
            answerer!(until solved_at!()),
            " AS solved_by"
        );
        const RATED: &str = asked!(
            "request_ratings g JOIN requests r ON r.id = g.request_id",
            "g.at, g.score, ",
            answerer!(until "g.at"),
            " AS staff_id"
        );
        const STEPS: &str = asked!(
            "request_steps s JOIN requests r ON r.id = s.request_id",
            "s.at, ",
            answerer!(until "s.at"),
            " AS staff_id"
        );
        const OPEN: &str = asked!("requests r", "COUNT(*) AS many, r.assignee_id AS staff_id");
        const CLOSED_SINCE: &str = asked!(
            "request_steps s JOIN requests r ON r.id = s.request_id",
            "COUNT(*) AS many, r.assignee_id AS staff_id"
        );
        const BY: &str = "GROUP BY r.topic_id, r.assignee_id, COALESCE(p.store_id, c.favourite_store_id)";
        let (first, next) = moments(conn, from, to.succ_opt().unwrap_or(to));
        let narrowed = conditions(ask, &OF_REQUESTS);
        let within = |select, condition| {
            let query = ListQuery::new(select).filter(condition, [Bind::Time(first), Bind::Time(next)]);
            narrow(query, &narrowed)
        };
        let asked = within(
            ASKED,
            "r.created_at >= ? AND r.created_at < ? AND r.merged_into IS NULL",
        );
        let rated = within(RATED, "g.at >= ? AND g.at < ?");
        let closed = within(
            STEPS,
            "s.at >= ? AND s.at < ? AND s.kind = 'closed' AND r.merged_into IS NULL",
        );
        let reopened = within(
            STEPS,
            "s.at >= ? AND s.at < ? AND s.kind = 'reopened' AND r.merged_into IS NULL",
        );
        // Open then was what is open now and took no step since, and what was closed by its first step since. Who waits in one that
        // went into another one is waited for in that one.
        let open = ListQuery::new(OPEN).filter(
            "r.closed_at IS NULL AND r.created_at < ? \
             AND NOT EXISTS (SELECT 1 FROM request_steps s WHERE s.request_id = r.id AND s.at >= ?)",
            [Bind::Time(next), Bind::Time(next)],
        );
        let closed_since = ListQuery::new(CLOSED_SINCE).filter(
            "s.at >= ? AND s.kind = 'closed' AND r.created_at < ? AND r.merged_into IS NULL \
             AND NOT EXISTS (SELECT 1 FROM request_steps n WHERE n.request_id = s.request_id AND n.at >= ? \
             AND (n.at, n.kind) < (s.at, s.kind))",
            [Bind::Time(next), Bind::Time(next), Bind::Time(next)],
        );
        let mut backlog: Vec<Left> = db::list(conn, narrow(open, &narrowed).tail(BY)).await?;
        backlog.extend(db::list::<Left>(conn, narrow(closed_since, &narrowed).tail(BY)).await?);
        Ok(Self {
            asked: db::list(conn, asked).await?,
            rated: db::list(conn, rated).await?,
            closed: db::list(conn, closed).await?,
            reopened: db::list(conn, reopened).await?,
            backlog,
        })
    }

    /// Everything that counts.
    fn facts(&self) -> impl Iterator<Item = Fact> {
        let asked = self.asked.iter().flat_map(Asked::facts);
        let rated = self.rated.iter().map(|one| Fact {
            what: What::Rated(one.score),
            at: Some(one.at),
            staff: one.staff_id,
            of: one.of,
        });
        let stepped = |what: What| {
            move |one: &Stepped| Fact {
                what,
                at: Some(one.at),
                staff: one.staff_id,
                of: one.of,
            }
        };
        let closed = self.closed.iter().map(stepped(What::Closed));
        let reopened = self.reopened.iter().map(stepped(What::Reopened));
        let left = self.backlog.iter().map(|one| Fact {
            what: What::Left(one.many),
            at: None,
            staff: one.staff_id,
            of: one.of,
        });
        asked.chain(rated).chain(closed).chain(reopened).chain(left)
    }

    /// The figures of all of it.
    fn all(&self) -> Values {
        let mut all = Tally::default();
        for fact in self.facts() {
            all.add(fact.what);
        }
        all.values()
    }

    /// The figures of all of it, of each step by the moment on which it begins, and of each topic, member of staff and shop.
    fn told(&self, begins: &[DateTime<Utc>]) -> Told {
        let mut all = Tally::default();
        let mut steps: Vec<Tally> = begins.iter().map(|_| Tally::default()).collect();
        let mut topics: BTreeMap<TopicId, Tally> = BTreeMap::new();
        let mut staff: BTreeMap<Option<StaffId>, Tally> = BTreeMap::new();
        let mut stores: BTreeMap<Option<StoreId>, Tally> = BTreeMap::new();
        for fact in self.facts() {
            let what = fact.what;
            all.add(what);
            let place = fact
                .at
                .and_then(|at| begins.partition_point(|begin| *begin <= at).checked_sub(1));
            if let Some(step) = place.and_then(|place| steps.get_mut(place)) {
                step.add(what);
            }
            topics.entry(fact.of.topic_id).or_default().add(what);
            staff.entry(fact.staff).or_default().add(what);
            stores.entry(fact.of.store_id).or_default().add(what);
        }
        // What was open at the end of a step follows from the end of the one after it.
        let mut left = all.left;
        for step in steps.iter_mut().rev() {
            step.left = left;
            left += step.closed - step.reopened - step.received - step.begun;
        }
        Told {
            all: all.values(),
            steps: steps.into_iter().map(Tally::values).collect(),
            topics: each(topics),
            staff: each(staff),
            stores: each(stores),
        }
    }
}

/// The figures of [`SUPPORT`], in their order.
type Values = [Option<i64>; SUPPORT.len()];

/// What is told of requests.
const SUPPORT: [Figure; 9] = [
    Figure::Received,
    Figure::Begun,
    Figure::FirstAnswer,
    Figure::Solution,
    Figure::Closed,
    Figure::Reopened,
    Figure::Backlog,
    Figure::Score,
    Figure::Ratings,
];

/// These figures of requests, and of their parts.
struct Told {
    all: Values,
    steps: Vec<Values>,
    topics: Vec<(TopicId, Values)>,
    staff: Vec<(Option<StaffId>, Values)>,
    stores: Vec<(Option<StoreId>, Values)>,
}

/// Something that counts: when it was, where it counts in a step; of whose work it tells; of which request.
struct Fact {
    what: What,
    at: Option<DateTime<Utc>>,
    staff: Option<StaffId>,
    of: Of,
}

/// What it was.
#[derive(Clone, Copy)]
enum What {
    /// A customer wrote, or had it written down.
    Received,
    /// The shop wrote first.
    Begun,
    /// It was answered for the first time, after so many minutes.
    Answered(i64),
    /// It was closed for the first time, after so many minutes.
    Solved(i64),
    /// It was closed.
    Closed,
    /// It was opened again.
    Reopened,
    /// An answer had this score.
    Rated(i64),
    /// So many were open at the end.
    Left(i64),
}

impl Asked {
    /// What counts of it, in the step in which it was written. What was done of it counts for whoever did it: a request that is
    /// handed over later changes nothing of that.
    fn facts(&self) -> impl Iterator<Item = Fact> {
        let (of, at) = (self.of, Some(self.created_at));
        let minutes = |until: DateTime<Utc>| (until - self.created_at).num_minutes();
        // What the shop began is answered in that moment, and nobody waited for an answer or a solution.
        let is_begun = self.answered_at.is_some_and(|at| at <= self.created_at);
        let begun = if is_begun { What::Begun } else { What::Received };
        let waited = |until: Option<DateTime<Utc>>| until.filter(|_| !is_begun).map(minutes);
        let answered = waited(self.answered_at).map(|n| (What::Answered(n), self.answered_by));
        let solved = waited(self.solved_at).map(|n| (What::Solved(n), self.solved_by));
        let facts = [Some((begun, self.assignee_id)), answered, solved];
        facts
            .into_iter()
            .flatten()
            .map(move |(what, staff)| Fact { what, at, staff, of })
    }
}

/// What there was of each kind.
#[derive(Default)]
struct Tally {
    received: i64,
    begun: i64,
    closed: i64,
    reopened: i64,
    left: i64,
    scores: i64,
    ratings: i64,
    answers: Vec<i64>,
    solutions: Vec<i64>,
}

impl Tally {
    fn add(&mut self, what: What) {
        match what {
            What::Received => self.received += 1,
            What::Begun => self.begun += 1,
            What::Answered(minutes) => self.answers.push(minutes),
            What::Solved(minutes) => self.solutions.push(minutes),
            What::Closed => self.closed += 1,
            What::Reopened => self.reopened += 1,
            What::Rated(score) => {
                self.scores += score;
                self.ratings += 1;
            }
            What::Left(many) => self.left += many,
        }
    }

    fn values(self) -> Values {
        let (answer, solution) = (median(self.answers), median(self.solutions));
        SUPPORT.map(|figure| match figure {
            Figure::Received => Some(self.received),
            Figure::Begun => Some(self.begun),
            Figure::FirstAnswer => answer,
            Figure::Solution => solution,
            Figure::Closed => Some(self.closed),
            Figure::Reopened => Some(self.reopened),
            Figure::Backlog => Some(self.left),
            Figure::Score => average(self.scores * 100, self.ratings),
            Figure::Ratings => Some(self.ratings),
            _ => None,
        })
    }
}

fn each<K>(tallies: BTreeMap<K, Tally>) -> Vec<(K, Values)> {
    tallies.into_iter().map(|(key, tally)| (key, tally.values())).collect()
}

/// Reckons where nothing else waits for it: of a busy year there is much.
async fn aside<T: Send + 'static>(reckon: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let told = tokio::task::spawn_blocking(reckon).await;
    Ok(told.map_err(|e| db::Error::Inconsistent(format!("a report of requests: {e}")))?)
}

async fn requests(conn: &mut Conn, report: &mut Report) -> Result<(), Error> {
    const TOPICS: &str = "SELECT id, name FROM topics";
    const STAFF: &str = "SELECT id, name FROM staff";
    let ask = report.ask;
    let steps = ask.steps();
    let begins: Vec<_> = steps.iter().map(|(first, _)| conn.shop().midnight(*first)).collect();
    let now = Asking::read(conn, &ask, (ask.from, ask.to)).await?;
    let told = aside(move || now.told(&begins)).await?;
    let before = Asking::read(conn, &ask, ask.before()).await?;
    let before = aside(move || before.all()).await?;
    let both = told.all.into_iter().zip(before);
    report.totals = SUPPORT
        .into_iter()
        .zip(both)
        .map(|(figure, (now, before))| Total { figure, now, before })
        .collect();
    let rows = steps.into_iter().zip(told.steps);
    report.tables.push(Table {
        by: By::Step(ask.step()),
        columns: SUPPORT.to_vec(),
        rows: rows
            .map(|((first, last), values)| (Name::Days(first, last), values.to_vec()))
            .collect(),
    });

    let topics = names(conn, TOPICS).await?;
    let staff: Vec<(StaffId, String)> = on!(conn, |c| sqlx::query_as(STAFF).fetch_all(c).await)?;
    let staff: HashMap<StaffId, String> = staff.into_iter().collect();
    let stores = stores(conn).await?;
    let agent = |id: Option<StaffId>| match id.and_then(|id| staff.get(&id)) {
        Some(name) => Name::Plain(name.clone()),
        None => Name::None,
    };
    let store = |id: Option<StoreId>| id.map_or(Name::None, |id| name(&stores, id.0));
    for (by, rows) in [
        (By::Topic, grouped(told.topics, |id| name(&topics, id.0))),
        (By::Agent, grouped(told.staff, agent)),
        (By::Store, grouped(told.stores, store)),
    ] {
        report.tables.push(Table {
            by,
            columns: SUPPORT.to_vec(),
            rows,
        });
    }
    if ask.tier.is_none() {
        let rows = requests_by_tier(conn, &ask).await?;
        if !rows.is_empty() {
            report.tables.push(Table {
                by: By::Tier,
                columns: vec![Figure::Received],
                rows,
            });
        }
    }
    // Talks and tasks are of no shop.
    if ask.store.is_none() && ask.tier.is_none() {
        beside(conn, report).await?;
    }

    let now = Promised::read(conn, &ask, (ask.from, ask.to)).await?;
    let before = Promised::read(conn, &ask, ask.before()).await?;
    for promise in Promise::ALL {
        let by_topic = promises(promise, &now.topics, &before.topics, |id| name(&topics, id.0));
        // Where nothing fell due, as where nothing is promised, there is nothing to tell.
        if by_topic.is_empty() {
            continue;
        }
        let by_agent = promises(promise, &now.staff, &before.staff, agent);
        let figures = [Figure::InTime(promise), Figure::Kept(promise), Figure::Missed(promise)];
        let [in_all, in_all_before] = [&now.all, &before.all].map(|of| due(of, &promise).values());
        let totals = figures.into_iter().zip(in_all.into_iter().zip(in_all_before));
        let totals = totals.map(|(figure, (now, before))| Total { figure, now, before });
        report.totals.extend(totals);
        for (by, rows) in [
            (By::PromiseByTopic(promise), by_topic),
            (By::PromiseByAgent(promise), by_agent),
        ] {
            let of_before = [Figure::InTimeBefore, Figure::KeptBefore, Figure::MissedBefore];
            report.tables.push(Table {
                by,
                columns: [figures, of_before].concat(),
                rows,
            });
        }
    }
    Ok(())
}

/// How many clocks of a kind came in time, or did not.
#[derive(sqlx::FromRow)]
struct Clocks {
    kind: Promise,
    is_kept: bool,
    many: i64,
    /// Who answered last before it came; of what has not come, who has the request now.
    staff_id: Option<StaffId>,
    #[sqlx(flatten)]
    of: Of,
}

/// What fell due: how many came in time, and how many did not.
#[derive(Clone, Copy, Default)]
struct Due {
    kept: i64,
    missed: i64,
}

impl Due {
    fn add(&mut self, clocks: &Clocks) {
        match clocks.is_kept {
            true => self.kept += clocks.many,
            false => self.missed += clocks.many,
        }
    }

    /// As [`Figure::InTime`], [`Figure::Kept`] and [`Figure::Missed`] tell it.
    fn values(self) -> [Option<i64>; 3] {
        let in_time = average(self.kept * 100, self.kept + self.missed);
        [in_time, Some(self.kept), Some(self.missed)]
    }
}

fn due<K: Ord>(of: &BTreeMap<K, Due>, key: &K) -> Due {
    of.get(key).copied().unwrap_or_default()
}

/// What was promised and fell due in a period, of each topic and member of staff: all of it is counted in one walk over its clocks.
#[derive(Default)]
struct Promised {
    all: BTreeMap<Promise, Due>,
    topics: BTreeMap<(Promise, TopicId), Due>,
    staff: BTreeMap<(Promise, Option<StaffId>), Due>,
}

impl Promised {
    async fn read(conn: &mut Conn, ask: &Ask, (from, to): (NaiveDate, NaiveDate)) -> Result<Self, sqlx::Error> {
        const CLOCKS: &str = asked!(
            "request_clocks k JOIN requests r ON r.id = k.request_id",
            "k.kind, k.breached_at IS NULL AND k.met_at IS NOT NULL AS is_kept, COUNT(*) AS many, \
             CASE WHEN k.met_at IS NULL THEN r.assignee_id ELSE ",
            answerer!(until "k.met_at"),
            " END AS staff_id"
        );
        // By all of these but how many there are.
        const BY: &str = "GROUP BY 1, 2, 4, 5, 6";
        let (first, next) = moments(conn, from, to.succ_opt().unwrap_or(to));
        let now = conn.now();
        // What stood still when it came was not due at any moment, and counts when it came.
        let query = ListQuery::new(CLOCKS)
            .filter(
                "COALESCE(k.breached_at, k.due_at, k.met_at) >= ? AND COALESCE(k.breached_at, k.due_at, k.met_at) < ?",
                [Bind::Time(first), Bind::Time(next)],
            )
            // What runs on and is not late yet is neither, and what nobody waited for any more. That it is late is written down by
            // the job, which may not have come round.
            .filter(
                "k.met_at IS NOT NULL OR k.breached_at IS NOT NULL OR (k.dropped_at IS NULL AND k.due_at < ?)",
                [Bind::Time(now)],
            )
            .filter("r.merged_into IS NULL", []);
        let query = narrow(query, &conditions(ask, &OF_REQUESTS)).tail(BY);
        let mut promised = Self::default();
        for clocks in db::list::<Clocks>(conn, query).await? {
            let (kind, of) = (clocks.kind, clocks.of);
            promised.all.entry(kind).or_default().add(&clocks);
            promised.topics.entry((kind, of.topic_id)).or_default().add(&clocks);
            promised.staff.entry((kind, clocks.staff_id)).or_default().add(&clocks);
        }
        Ok(promised)
    }
}

/// How one promise was kept in a period and in the one before it, by topic or by member of staff: where the most was missed leads.
fn promises<K: Copy + Ord>(
    promise: Promise,
    now: &BTreeMap<(Promise, K), Due>,
    before: &BTreeMap<(Promise, K), Due>,
    name: impl Fn(K) -> Name,
) -> Vec<Row> {
    let keys = now.keys().chain(before.keys());
    let keys: BTreeSet<(Promise, K)> = keys.filter(|(of, _)| *of == promise).copied().collect();
    let mut keys: Vec<_> = keys.into_iter().collect();
    keys.sort_by_key(|key| -due(now, key).missed);
    keys.truncate(ROWS);
    let row = |key: (Promise, K)| -> Row {
        let values = [due(now, &key).values(), due(before, &key).values()];
        (name(key.1), values.concat())
    };
    keys.into_iter().map(row).collect()
}

/// How many requests customers with each tier wrote, which is the one that was noticed last before.
async fn requests_by_tier(conn: &mut Conn, ask: &Ask) -> Result<Vec<Row>, sqlx::Error> {
    const SELECT: &str = "SELECT t.tier_id, COUNT(*) FROM requests r JOIN customers c ON c.id = r.customer_id \
        LEFT JOIN purchases p ON p.id = r.purchase_id JOIN tier_changes t ON t.customer_id = r.customer_id \
        AND t.tier_id IS NOT NULL AND t.at < r.created_at AND NOT EXISTS (SELECT 1 FROM tier_changes n \
        WHERE n.customer_id = t.customer_id AND n.program_id = t.program_id AND n.at < r.created_at \
        AND (n.at, n.id) > (t.at, t.id))";
    let (first, next) = moments(conn, ask.from, ask.to.succ_opt().unwrap_or(ask.to));
    let query = ListQuery::new(SELECT).filter(
        "r.created_at >= ? AND r.created_at < ? AND r.merged_into IS NULL \
         AND (r.answered_at IS NULL OR r.answered_at > r.created_at)",
        [Bind::Time(first), Bind::Time(next)],
    );
    let query = narrow(query, &conditions(ask, &OF_REQUESTS)).tail("GROUP BY t.tier_id");
    let found: Vec<(Uuid, i64)> = db::list(conn, query).await?;
    let tiers = tiers(conn, None).await?;
    let mut rows: Vec<Row> = found
        .into_iter()
        .map(|(id, many)| (name(&tiers, id), vec![Some(many)]))
        .collect();
    rows.sort_by_key(|(_, values)| -values.first().copied().flatten().unwrap_or_default());
    Ok(rows)
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
    const DONE: &str = "SELECT t.owner_id, s.name, t.due_on, t.due_minute, t.ended_at FROM tasks t \
                        JOIN staff s ON s.id = t.owner_id \
                        WHERE t.state <> 'open' AND t.state = 'done' AND t.ended_at >= $1 AND t.ended_at < $2";
    let (from, until) = moments(conn, first, last.succ_opt().unwrap_or(last));
    let talks: Vec<(StaffId, String, i64, i64)> = on!(conn, |c| sqlx::query_as(TALKS)
        .bind(from)
        .bind(until)
        .fetch_all(c)
        .await)?;
    let done: Vec<(StaffId, String, NaiveDate, i64, DateTime<Utc>)> =
        on!(conn, |c| sqlx::query_as(DONE).bind(from).bind(until).fetch_all(c).await)?;
    let mut all: Work = talks
        .into_iter()
        .map(|(id, name, many, minutes)| (id, (name, [many, minutes, 0, 0])))
        .collect();
    for (id, name, due_on, due_minute, ended_at) in done {
        let (_, [_, _, done, late]) = all.entry(id).or_insert_with(|| (name, [0; WORK.len()]));
        *done += 1;
        let ended = conn.shop().local(ended_at);
        *late += i64::from((ended.date(), task::minute(ended)) > (due_on, due_minute));
    }
    Ok(all)
}

/// A row for each of some ids, the most of the first figure first.
fn grouped<K>(groups: Vec<(K, Values)>, name: impl Fn(K) -> Name) -> Vec<Row> {
    let row = |(id, values): (K, Values)| -> Row { (name(id), values.to_vec()) };
    let mut rows: Vec<Row> = groups.into_iter().map(row).collect();
    rows.sort_by_key(|(_, values)| -values.first().copied().flatten().unwrap_or_default());
    rows.truncate(ROWS);
    rows
}

async fn self_service(conn: &mut Conn, report: &mut Report) -> Result<(), Error> {
    const ALL: [&str; 4] = ["helped", "alone", "chats", "looks"];
    const FIGURES: [Figure; 6] = [
        Figure::Spared,
        Figure::Saved,
        Figure::Helped,
        Figure::Alone,
        Figure::Chats,
        Figure::Looks,
    ];
    let (ask, minutes) = (report.ask, report.minutes);
    let days = Days::read(conn, &ask, &ALL, None).await?;
    let value = |sums: &Sums, figure: Figure| {
        let (helped, alone) = (sum(sums, "helped"), sum(sums, "alone"));
        let spared = helped + alone;
        match figure {
            Figure::Helped => Some(helped),
            Figure::Alone => Some(alone),
            Figure::Chats => Some(sum(sums, "chats")),
            Figure::Looks => Some(sum(sums, "looks")),
            Figure::Spared => Some(spared),
            Figure::Saved => Some(spared.saturating_mul(minutes)),
            _ => None,
        }
    };
    report.totals = days.totals(&ask, &FIGURES, value);
    report.tables.push(days.steps(&ask, &FIGURES, value));
    Ok(())
}
