//! Bars, drawn on the server: the title says the finding, the bars that matter carry their figures, and the table
//! behind holds them all. Where names are long, each bar lies in the table itself.

use crate::cx::cx;
use leptos::prelude::*;

/// A bar.
#[derive(Clone, Debug)]
pub struct Bar {
    /// What stands under it: a few letters.
    pub short: String,
    /// What the table calls it.
    pub name: String,
    /// How high it is; below zero nothing is drawn.
    pub value: i64,
    /// The figure above it: short.
    pub label: String,
    /// The figure in the table: exact.
    pub figure: String,
}

/// The drawing's own units; a phone shows one as a pixel.
const WIDTH: usize = 320;
const HEIGHT: i64 = 120;
/// Room for figures above the bars and for names under them.
const ABOVE: i64 = 18;
const BELOW: i64 = 22;

/// Bars side by side, the last being now. The highest carries its figure; so does the last where there is room.
#[component]
pub fn Bars(
    /// The finding.
    title: String,
    /// What is drawn.
    note: String,
    /// From the left.
    bars: Vec<Bar>,
    /// The heads of the table's two columns.
    columns: [&'static str; 2],
) -> impl IntoView {
    let t = &cx().t().common;
    let count = bars.len().max(1);
    let step = WIDTH / count;
    let top = bars.iter().map(|bar| bar.value).max().unwrap_or_default().max(1);
    let highest = bars.iter().position(|bar| bar.value == top);
    let last = bars.len().saturating_sub(1);
    let ground = ABOVE + HEIGHT;
    let height = |bar: &Bar| {
        let height = (i128::from(bar.value.max(0)) * i128::from(HEIGHT) / i128::from(top)) as i64;
        // Something is not nothing.
        if bar.value > 0 { height.max(2) } else { 0 }
    };
    // The last figure stands over two bars before it as well.
    let has_room = bars
        .iter()
        .rev()
        .skip(1)
        .take(2)
        .all(|bar| bars.last().is_some_and(|now| height(bar) <= height(now)));
    let drawn: Vec<_> = bars
        .iter()
        .enumerate()
        .map(|(i, bar)| {
            let height = height(bar);
            let left = i * step + 3;
            let middle = i * step + step / 2;
            let labelled = Some(i) == highest || i == last && height > 0 && has_room;
            // At the edges the figure stays inside the drawing.
            let (anchor, x) = match i {
                0 | 1 => ("start", left),
                i if i + 2 > last => ("end", (i + 1) * step - 3),
                _ => ("middle", middle),
            };
            let label = labelled.then(|| {
                view! { <text class="val" x=x.to_string() y=(ground - height - 6).to_string() text-anchor=anchor>{bar.label.clone()}</text> }
            });
            // Every other name, counted from now: all of them would run into each other.
            let named = (last - i).is_multiple_of(2).then(|| {
                view! { <text x=middle.to_string() y=(ground + 16).to_string() text-anchor="middle">{bar.short.clone()}</text> }
            });
            let class = if i == last { "bar bar-now" } else { "bar" };
            view! {
                <rect class=class x=left.to_string() y=(ground - height).to_string() width=(step - 6).to_string()
                    height=height.to_string() rx="3"></rect>
                {named}
                {label}
            }
        })
        .collect();
    let rows: Vec<_> = bars
        .iter()
        .rev()
        .map(|bar| view! { <tr><th scope="row">{bar.name.clone()}</th><td class="num">{bar.figure.clone()}</td></tr> })
        .collect();
    let [name, figure] = columns;
    view! {
        <figure class="chart">
            <figcaption>{title} <small>{note.clone()}</small></figcaption>
            <svg class="plot" viewBox=format!("0 0 {WIDTH} {}", ground + BELOW) aria-hidden="true">
                <line class="axis" x1="0" x2=WIDTH.to_string() y1=(ground + 1).to_string() y2=(ground + 1).to_string()></line>
                {drawn}
            </svg>
            <details class="fold">
                <summary>{t.as_table}</summary>
                <table class="data">
                    <caption class="sr-only">{note}</caption>
                    <thead><tr><th scope="col">{name}</th><th scope="col" class="num">{figure}</th></tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </details>
        </figure>
    }
}

/// A bar under its name.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is of.
    pub name: String,
    /// How long it is; below zero nothing is drawn.
    pub value: i64,
    /// The figure beside it: exact.
    pub figure: String,
}

/// How thick such a bar is.
const THICK: i64 = 8;

/// Bars one under the other, each in the row of the table that names it.
#[component]
pub fn Rows(
    /// The finding.
    title: String,
    /// What is drawn.
    note: String,
    /// From above.
    rows: Vec<Row>,
    /// The heads of the table's two columns.
    columns: [&'static str; 2],
) -> impl IntoView {
    let top = rows.iter().map(|row| row.value).max().unwrap_or_default().max(1);
    let rows: Vec<_> = rows
        .into_iter()
        .map(|row| {
            let length = (i128::from(row.value.max(0)) * WIDTH as i128 / i128::from(top)) as i64;
            let length = if row.value > 0 { length.max(2) } else { 0 };
            view! {
                <tr>
                    <th scope="row">
                        <bdi>{row.name}</bdi>
                        <svg class="plot plot-row" viewBox=format!("0 0 {WIDTH} {THICK}") aria-hidden="true">
                            <rect class="bar" x="0" y="0" width=length.to_string() height=THICK.to_string() rx="3"></rect>
                        </svg>
                    </th>
                    <td class="num">{row.figure}</td>
                </tr>
            }
        })
        .collect();
    let [name, figure] = columns;
    view! {
        <figure class="chart">
            <figcaption>{title} <small>{note.clone()}</small></figcaption>
            <table class="data">
                <caption class="sr-only">{note}</caption>
                <thead><tr><th scope="col">{name}</th><th scope="col" class="num">{figure}</th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </figure>
    }
}
