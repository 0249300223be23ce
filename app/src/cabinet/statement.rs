//! The statement of points for a period as a file: for a spreadsheet, and to print.

use super::period::Period;
use super::points::title;
use crate::cx::Cx;
use crate::format;
use crate::pdf::{Column, Paper, TABLE, Weight, gaps};
use crate::route::{File, Sheet};
use chrono::NaiveDate;
use crm::points::{Entry, Statement, TransactionKind, store as points};
use crm::sheet::{figure, text};
use islands::AppError;

/// The most movements that a file tells of: of years at many tills it would be as long as it likes.
const MOVEMENTS: usize = 5_000;

/// What is told, and of which days.
struct Told {
    statement: Statement,
    /// The first day; none: from the beginning.
    from: Option<NaiveDate>,
    /// The last day.
    to: NaiveDate,
}

/// Reads the period of the address. One that cannot be read is no address of ours.
async fn load(cx: &Cx) -> Result<Told, AppError> {
    let me = cx.subject()?;
    let period = Period::read(cx);
    if period.is_flawed() {
        return Err(AppError::NotFound);
    }
    let (from, to) = (period.first, period.last.unwrap_or_else(|| cx.today()));
    let mut conn = cx.db.read().await?;
    let statement = points::statement(&mut conn, me, from, Some(to), MOVEMENTS).await?;
    let from = match statement.entries.first() {
        Some(first) if statement.is_cut => Some(cx.shop().day(first.at)),
        _ => from,
    };
    Ok(Told { statement, from, to })
}

impl Told {
    /// That there is more, where there is.
    fn cut(&self, cx: &Cx) -> Option<String> {
        let count = self.statement.entries.len() as i64;
        self.statement
            .is_cut
            .then(|| cx.t().statement.cut(format::integer(count)))
    }

    /// A file of it is called so, but for its ending.
    fn name(&self) -> String {
        file_name("points", self.from, self.to)
    }
}

/// What a file of these days is called, but for its ending.
pub(super) fn file_name(what: &str, from: Option<NaiveDate>, to: NaiveDate) -> String {
    let from = from.map(|from| format!("{from}-")).unwrap_or_default();
    format!("{what}-{from}{to}")
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

/// What happened, with the receipt, the person or the rule that it was about.
fn what(cx: &Cx, entry: &Entry) -> String {
    let t = &cx.t().points;
    let (title, _) = title(cx, entry);
    let receipt = entry
        .document
        .as_ref()
        .map(|document| format!("{} {}", t.receipt, cx.t().common.document(document)));
    let other = entry.other.as_ref().map(|other| other.name.clone());
    // A reward that is given is called as its rule is.
    let rule = entry
        .reward
        .as_ref()
        .filter(|_| entry.kind != TransactionKind::Accrual)
        .map(|reward| t.rule_version(cx.pick(&reward.name), reward.by.version));
    let note = entry.note.clone();
    let parts = [Some(title), receipt, other, rule, note].into_iter().flatten();
    parts.collect::<Vec<_>>().join(", ")
}

/// Rows for a spreadsheet: the balances at the beginning, each movement, the balances at the end.
fn table(cx: &Cx, told: &Told, rows: &mut Sheet) -> csv::Result<()> {
    let t = &cx.t().statement;
    rows.write_record([
        t.date,
        t.time,
        t.program,
        t.what,
        t.change,
        t.waiting,
        t.balance,
        t.active_from,
        t.expires,
        t.store,
    ])?;
    let day = |day: NaiveDate| day.to_string();
    let edge = |date: Option<NaiveDate>, program: String, words: &str, balance: i64| {
        let (date, program) = (date.map(day).unwrap_or_default(), text(&program));
        let (words, balance, none) = (words.to_owned(), figure(cx.lang, balance), String::new);
        let start = [date, none(), program, words, none(), none(), balance];
        start.into_iter().chain([none(), none(), none()])
    };
    if let Some(cut) = told.cut(cx) {
        rows.write_record(["", "", "", &cut, "", "", "", "", "", ""])?;
    }
    for program in &told.statement.programs {
        rows.write_record(edge(told.from, cx.pick(&program.name), t.before, program.before))?;
    }
    for entry in &told.statement.entries {
        let term = |at| day(cx.shop().day(at));
        rows.write_record([
            day(cx.shop().day(entry.at)),
            cx.time(entry.at),
            text(&cx.pick(&entry.name)),
            text(&what(cx, entry)),
            figure(cx.lang, entry.active),
            figure(cx.lang, entry.pending),
            figure(cx.lang, entry.balance),
            entry.term.map(|(active, _)| term(active)).unwrap_or_default(),
            entry.term.map(|(_, expires)| term(expires)).unwrap_or_default(),
            text(&entry.store.as_ref().map(|name| cx.pick(name)).unwrap_or_default()),
        ])?;
    }
    for program in &told.statement.programs {
        rows.write_record(edge(Some(told.to), cx.pick(&program.name), t.after, program.after))?;
    }
    Ok(())
}

/// The paper of a statement of these days, as far as what is to be said of all of it.
pub(super) fn begin(
    cx: &Cx,
    title: &str,
    from: Option<NaiveDate>,
    to: NaiveDate,
    limits: impl IntoIterator<Item = String>,
) -> Option<Paper> {
    let t = &cx.t().statement;
    let date = |day| format::date(cx.lang, day);
    let mut paper = Paper::new(title, cx.lang)?;
    paper.write(Weight::Bold, 18.0, title);
    let name = cx.name().ok().map(str::to_owned);
    let head = [Some(cx.shop().name.clone()), name].into_iter().flatten();
    paper.write(Weight::Regular, 10.0, &head.collect::<Vec<_>>().join(" · "));
    let period = match from {
        Some(from) => t.from_to(date(from), date(to)),
        None => t.until(date(to)),
    };
    paper.write(Weight::Regular, 10.0, &period);
    paper.write(Weight::Regular, 10.0, &t.made(date(cx.today())));
    for limit in limits {
        paper.write(Weight::Regular, 10.0, &limit);
    }
    paper.skip(12.0);
    Some(paper)
}

/// A paper with the same.
fn paper(cx: &Cx, told: &Told) -> Option<Vec<u8>> {
    const NUMBER: f32 = 64.0;
    const WHEN: f32 = 78.0;
    let t = &cx.t().statement;
    let column = |head, width, is_number| Column { head, width, is_number };
    let mut paper = begin(cx, t.title, told.from, told.to, told.cut(cx))?;
    let columns = [
        column(t.program, TABLE - gaps(3) - 2.0 * NUMBER, false),
        column(t.before_short, NUMBER, true),
        column(t.after_short, NUMBER, true),
    ];
    let balance = |points| format::points(cx.lang, points);
    let programs = told.statement.programs.iter();
    let programs = programs.map(|one| vec![cx.pick(&one.name), balance(one.before), balance(one.after)]);
    paper.table(&columns, &programs.collect::<Vec<_>>());
    paper.skip(16.0);
    if told.statement.entries.is_empty() {
        paper.write(Weight::Regular, 10.0, t.nothing);
        return paper.finish();
    }
    let columns = [
        column(t.when, WHEN, false),
        column(t.what, TABLE - gaps(5) - WHEN - 3.0 * NUMBER, false),
        column(t.change, NUMBER, true),
        column(t.waiting, NUMBER, true),
        column(t.balance, NUMBER, true),
    ];
    let signed = |points| match points {
        0 => String::new(),
        points => format::signed_points(cx.lang, points),
    };
    let entries = told.statement.entries.iter();
    let entries = entries.map(|entry| {
        let store = entry.store.as_ref().map(|name| format!(", {}", cx.pick(name)));
        vec![
            cx.lang.moment(cx.shop().local(entry.at)),
            format!(
                "{}{} ({})",
                what(cx, entry),
                store.unwrap_or_default(),
                cx.pick(&entry.name)
            ),
            signed(entry.active),
            signed(entry.pending),
            balance(entry.balance),
        ]
    });
    paper.table(&columns, &entries.collect::<Vec<_>>());
    paper.finish()
}
