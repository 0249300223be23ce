//! What was bought as a file, for a spreadsheet and to print: of the receipts that the page of purchases lists under the same
//! address.

use super::purchases::Asked;
use super::statement::{begin, file_name};
use crate::cx::Cx;
use crate::format;
use crate::pdf::{Column, TABLE, Weight, gaps};
use crate::route::{File, Sheet};
use chrono::NaiveDate;
use crm::purchase::{Kind, Purchase, Statement, store as purchases};
use crm::sheet::{figure, text};
use islands::AppError;

/// The most receipts that a file tells of.
const RECEIPTS: usize = 1_000;

/// What is told, and of which days.
struct Told {
    statement: Statement,
    /// The first day; none: from the beginning.
    from: Option<NaiveDate>,
    /// The last day.
    to: NaiveDate,
    /// Not everything of these days was asked for.
    is_partial: bool,
}

/// Reads what the address asks for. One that cannot be read is no address of ours.
async fn load(cx: &Cx) -> Result<Told, AppError> {
    let me = cx.subject()?;
    let asked = Asked::read(cx);
    if asked.is_flawed() {
        return Err(AppError::NotFound);
    }
    let mut conn = cx.db.read().await?;
    let statement = purchases::statement(&mut conn, me, &asked.filter, RECEIPTS).await?;
    drop(conn);
    let from = match statement.receipts.first() {
        Some((first, _)) if statement.is_cut => Some(cx.shop().day(first.at)),
        _ => asked.period.first,
    };
    Ok(Told {
        statement,
        from,
        to: asked.period.last.unwrap_or_else(|| cx.today()),
        is_partial: asked.is_partial(),
    })
}

impl Told {
    /// That it is not all there is, where it is not.
    fn limits(&self, cx: &Cx) -> Vec<String> {
        let t = &cx.t().bought;
        let count = format::integer(RECEIPTS as i64);
        let cut = self.statement.is_cut.then(|| t.cut(count));
        let partial = self.is_partial.then(|| t.partial.to_owned());
        [cut, partial].into_iter().flatten().collect()
    }

    /// A file of it is called so, but for its ending.
    fn name(&self) -> String {
        file_name("purchases", self.from, self.to)
    }
}

/// For a spreadsheet.
pub async fn csv(cx: Cx) -> Result<File, AppError> {
    let told = load(&cx).await?;
    File::sheet(cx.lang, &told.name(), |rows| table(&cx, &told, rows))
}

/// To print.
pub async fn pdf(cx: Cx) -> Result<File, AppError> {
    let told = load(&cx).await?;
    File::paper(&told.name(), paper(&cx, &told))
}

/// A sale or a return.
fn kind(cx: &Cx, head: &Purchase) -> &'static str {
    let t = &cx.t().purchases;
    match head.kind {
        Kind::Sale => t.purchase,
        Kind::Return => t.return_,
    }
}

/// The town and the shop, where they are known.
fn place(cx: &Cx, head: &Purchase) -> Option<String> {
    let store = head.store.as_ref()?;
    Some(format!("{}, {}", cx.pick(&store.town), cx.pick(&store.name)))
}

/// Rows for a spreadsheet, one for each line of each receipt. What comes back is negative, so that all of it adds up.
fn table(cx: &Cx, told: &Told, rows: &mut Sheet) -> csv::Result<()> {
    let t = &cx.t().bought;
    rows.write_record([
        t.date, t.time, t.store, t.receipt, t.kind, t.code, t.article, t.quantity, t.price, t.discount, t.sum,
    ])?;
    for limit in told.limits(cx) {
        rows.write_record(["", "", "", "", &limit, "", "", "", "", "", ""])?;
    }
    for (head, lines) in &told.statement.receipts {
        let local = cx.local_in(head.store.as_ref(), head.at);
        for line in lines {
            rows.write_record([
                local.date().to_string(),
                local.format("%H:%M").to_string(),
                text(&place(cx, head).unwrap_or_default()),
                text(&head.document),
                kind(cx, head).to_owned(),
                text(&line.code),
                text(&line.name),
                line.quantity.to_string(),
                figure(cx.lang, line.price),
                figure(cx.lang, line.discount),
                figure(cx.lang, line.amount),
            ])?;
        }
    }
    Ok(())
}

/// A paper with the same: each receipt with its sum, and below it what is on it.
fn paper(cx: &Cx, told: &Told) -> Option<Vec<u8>> {
    const WHEN: f32 = 78.0;
    const QUANTITY: f32 = 96.0;
    const SUM: f32 = 66.0;
    let t = &cx.t().bought;
    let mut paper = begin(cx, t.title, told.from, told.to, told.limits(cx))?;
    if told.statement.receipts.is_empty() {
        paper.write(Weight::Regular, 10.0, t.nothing);
        return paper.finish();
    }
    let column = |head, width, is_number| Column { head, width, is_number };
    let columns = [
        column(t.when, WHEN, false),
        column(t.what, TABLE - gaps(5) - WHEN - QUANTITY - 2.0 * SUM, false),
        column(t.quantity, QUANTITY, true),
        column(t.sum, SUM, true),
        column(t.receipt, SUM, true),
    ];
    let none = String::new;
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (head, lines) in &told.statement.receipts {
        let document = cx.t().common.document(&head.document);
        let what = [Some(kind(cx, head).to_owned()), place(cx, head), Some(document)];
        rows.push(vec![
            cx.lang.moment(cx.local_in(head.store.as_ref(), head.at)),
            what.into_iter().flatten().collect::<Vec<_>>().join(", "),
            none(),
            none(),
            cx.money(head.total),
        ]);
        rows.extend(lines.iter().map(|line| {
            let quantity = format::integer(line.quantity.abs());
            vec![
                none(),
                line.name.clone(),
                format!("{quantity}\u{a0}× {}", cx.money(line.price)),
                cx.money(line.amount),
                none(),
            ]
        }));
    }
    let total: i64 = told.statement.receipts.iter().map(|(head, _)| head.total).sum();
    rows.push(vec![none(), t.total.to_owned(), none(), none(), cx.money(total)]);
    paper.table(&columns, &rows);
    paper.finish()
}
