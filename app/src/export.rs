//! The part of an export that people read: one page that stands alone, in the customer's language and without script.

use crate::admin::log_words::done;
use crate::cabinet::looks;
use crate::format;
use crate::texts::Texts;
use crate::ui::html::{Html, IntoHtml};
use chrono::{DateTime, NaiveDate, Timelike as _, Utc};
use crm::export::data::{Cell, Data, Section};
use leptos::prelude::*;

/// Columns of money.
const MONEY: [&str; 4] = ["price", "discount", "paid", "total"];
/// Columns of points, and of what may be either.
const POINTS: [&str; 10] = [
    "points",
    "balance",
    "reserved",
    "remaining",
    "captured",
    "unpaid",
    "taken_back",
    "given_back",
    "forgiven",
    "given",
];
/// Columns of days of the calendar.
const DAYS: [&str; 6] = ["birthday", "since", "until", "due_on", "task_due", "counted_on"];
/// Columns of words that the program uses, and people have others for.
const CODES: [&str; 10] = [
    "kind", "state", "act", "channel", "author", "actor", "account", "occasion", "why", "language",
];
/// All of the looks: the page is read from a disk, where no other file is.
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:72rem;padding:1rem}\
    summary{font-size:1.25rem;padding:.5rem 0;cursor:pointer}div{overflow-x:auto}\
    table{border-collapse:collapse;font-size:.875rem}\
    th,td{border:1px solid #999;padding:.25rem .5rem;text-align:start;vertical-align:top;white-space:pre-line}";

/// The page.
pub fn document(data: &Data) -> String {
    Owner::new().with(|| page(data).to_html())
}

fn page(data: &Data) -> Html {
    let t = &Texts::of(data.language).export;
    let title = t.document_title(&data.shop.name);
    let lead = t.document_lead(moment(data, data.at), &data.shop.name);
    let sections: Vec<_> = data.sections.iter().map(|section| told(data, section)).collect();
    view! {
        <!DOCTYPE html>
        <html lang=data.language.code()>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <title>{title.clone()}</title>
                <style inner_html=STYLE></style>
            </head>
            <body>
                <h1>{title}</h1>
                <p>{lead}</p>
                {sections}
            </body>
        </html>
    }
    .into_html()
}

fn told(data: &Data, section: &Section) -> Html {
    let t = &Texts::of(data.language).export;
    let name = t.named(&format!("section_{}", section.name)).unwrap_or(section.name);
    let count = i64::try_from(section.rows.len()).unwrap_or(i64::MAX);
    let head = t.section_head(format::integer(count), name);
    // Ids are for machines.
    let shown: Vec<usize> = (0..section.columns.len())
        .filter(|column| {
            let name = section.columns[*column].as_str();
            name != "id" && !name.ends_with("_id")
        })
        .collect();
    let titles: Vec<_> = shown
        .iter()
        .map(|column| {
            let name = &section.columns[*column];
            let title = t.named(&format!("column_{name}")).map_or(name.clone(), str::to_owned);
            view! { <th scope="col">{title}</th> }
        })
        .collect();
    let rows: Vec<_> = section
        .rows
        .iter()
        .map(|row| {
            let cells: Vec<_> = shown
                .iter()
                .map(|column| view! { <td dir="auto">{cell(data, section, row, *column)}</td> })
                .collect();
            view! { <tr>{cells}</tr> }.into_html()
        })
        .collect();
    let table = if rows.is_empty() {
        view! { <p>{t.nothing}</p> }.into_html()
    } else {
        view! { <div><table><thead><tr>{titles}</tr></thead><tbody>{rows}</tbody></table></div> }.into_html()
    };
    view! { <details><summary>{head}</summary>{table}</details> }.into_html()
}

fn cell(data: &Data, section: &Section, row: &[Cell], column: usize) -> String {
    let texts = Texts::of(data.language);
    let t = &texts.export;
    let name = section.columns[column].as_str();
    match &row[column] {
        Cell::Empty => String::new(),
        Cell::Flag(true) => t.yes.to_owned(),
        Cell::Flag(false) => t.no.to_owned(),
        Cell::Number(number) if MONEY.contains(&name) => format::money(data.language, &data.shop, *number),
        Cell::Number(number) if POINTS.contains(&name) => format::points(data.language, *number),
        Cell::Number(number) => number.to_string(),
        Cell::Text(text) if name == "at" || name.ends_with("_at") => text
            .parse::<DateTime<Utc>>()
            .map_or_else(|_| text.clone(), |at| moment(data, at)),
        Cell::Text(text) if DAYS.contains(&name) => text
            .parse::<NaiveDate>()
            .map_or_else(|_| text.clone(), |day| format::date(data.language, day)),
        Cell::Text(text) if CODES.contains(&name) => {
            t.named(&format!("value_{text}")).map_or(text.clone(), str::to_owned)
        }
        Cell::Text(text) if name == "action" => {
            let reason = section.columns.iter().position(|column| column == "reason");
            let reason = match reason.and_then(|column| row.get(column)) {
                Some(Cell::Text(reason)) => reason.as_str(),
                _ => "",
            };
            let words = looks::words(&texts.looks, text, reason).or_else(|| done(&texts.admin_action, text));
            words.map_or(text.clone(), str::to_owned)
        }
        Cell::Text(text) => text.clone(),
    }
}

/// A moment with its year, for the page is kept for long.
fn moment(data: &Data, at: DateTime<Utc>) -> String {
    let local = data.shop.local(at);
    let day = format::date(data.language, local.date());
    format!("{day}, {:02}:{:02}", local.hour(), local.minute())
}
