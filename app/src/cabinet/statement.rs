//! The statement of points for a period as a file: for a spreadsheet, and to print.

use super::period::Period;
use super::points::title;
use crate::cx::Cx;
use crate::format;
use crate::pdf::{Column, Paper, TABLE, Weight, gaps};
use crate::route::File;
use chrono::NaiveDate;
use crm::lang::Lang;
use crm::points::{Entry, Statement, TransactionKind, store as points};
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

    fn file(&self, kind: &'static str, ending: &str, bytes: Vec<u8>) -> File {
        let from = self.from.map(|from| format!("{from}-")).unwrap_or_default();
        File {
            name: format!("points-{from}{}.{ending}", self.to),
            kind,
            bytes,
        }
    }
}

/// For a spreadsheet.
pub async fn csv(cx: Cx) -> Result<File, AppError> {
    let told = load(&cx).await?;
    let bytes = table(&cx, &told).map_err(|e| {
        tracing::error!(error = %e, "a statement could not be written");
        AppError::Internal
    })?;
    Ok(told.file("text/csv; charset=utf-8", "csv", bytes))
}

/// To print.
pub async fn pdf(cx: Cx) -> Result<File, AppError> {
    let told = load(&cx).await?;
    let bytes = paper(&cx, &told).ok_or_else(|| {
        tracing::error!("a statement could not be drawn");
        AppError::Internal
    })?;
    Ok(told.file("application/pdf", "pdf", bytes))
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

/// A sheet with nothing in it yet.
///
/// Double-clicked, a file is read by the spreadsheet's language: with a decimal comma a Russian one parts fields by
/// semicolons, with a decimal point an English one by commas. Without the mark of UTF-8 at its beginning Excel takes the
/// letters for those of another code page. Dates written by ISO 8601 are read as dates in both.
pub(super) fn sheet(lang: Lang) -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new()
        .delimiter(match lang {
            Lang::Ru => b';',
            Lang::En => b',',
        })
        .terminator(csv::Terminator::CRLF)
        .from_writer("\u{feff}".as_bytes().to_vec())
}

/// Rows for a spreadsheet: the balances at the beginning, each movement, the balances at the end.
fn table(cx: &Cx, told: &Told) -> Result<Vec<u8>, csv::Error> {
    let t = &cx.t().statement;
    let mut rows = sheet(cx.lang);
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
        let balance = figure(cx.lang, balance);
        let none = String::new;
        [
            date,
            none(),
            program,
            words.to_owned(),
            none(),
            none(),
            balance,
            none(),
            none(),
            none(),
        ]
    };
    if let Some(cut) = told.cut(cx) {
        let none = String::new;
        let told = [
            none(),
            none(),
            none(),
            cut,
            none(),
            none(),
            none(),
            none(),
            none(),
            none(),
        ];
        rows.write_record(told)?;
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
    rows.into_inner().map_err(|e| csv::Error::from(e.into_error()))
}

/// A text that a spreadsheet takes for a text. One that begins like a formula would be reckoned, whoever chose the name.
pub fn text(text: &str) -> String {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n') => format!("'{text}"),
        _ => text.to_owned(),
    }
}

/// Points as a number that a spreadsheet reckons with.
pub fn figure(lang: Lang, minor: i64) -> String {
    let comma = match lang {
        Lang::Ru => ',',
        Lang::En => '.',
    };
    let sign = if minor < 0 { "-" } else { "" };
    let whole = minor.unsigned_abs();
    format!("{sign}{}{comma}{:02}", whole / 100, whole % 100)
}

/// A paper with the same.
fn paper(cx: &Cx, told: &Told) -> Option<Vec<u8>> {
    const NUMBER: f32 = 64.0;
    const WHEN: f32 = 78.0;
    let t = &cx.t().statement;
    let column = |head, width, is_number| Column { head, width, is_number };
    let date = |day| format::date(cx.lang, day);
    let mut paper = Paper::new(t.title, cx.lang)?;
    paper.write(Weight::Bold, 18.0, t.title);
    let name = cx.name().ok().map(str::to_owned);
    let head = [Some(cx.shop().name.clone()), name].into_iter().flatten();
    paper.write(Weight::Regular, 10.0, &head.collect::<Vec<_>>().join(" · "));
    let period = match told.from {
        Some(from) => t.from_to(date(from), date(told.to)),
        None => t.until(date(told.to)),
    };
    paper.write(Weight::Regular, 10.0, &period);
    paper.write(Weight::Regular, 10.0, &t.made(date(cx.today())));
    if let Some(cut) = told.cut(cx) {
        paper.write(Weight::Regular, 10.0, &cut);
    }
    paper.skip(12.0);
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
