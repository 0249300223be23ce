//! Tables of staff: a head that stays, numbers at the right, and a frame that scrolls sideways on a narrow screen.

use crate::ui::html::{Html, IntoHtml};
use leptos::prelude::*;

/// The head of a column.
pub enum Head {
    /// Words.
    Words(&'static str),
    /// Words over numbers, which stand at the right.
    Number(&'static str),
    /// Words that are heard and not seen.
    Unseen(&'static str),
    /// A head that was made elsewhere, with its `<th>`.
    Made(Html),
}

/// A table of rows.
#[component]
pub fn DataTable(
    /// What it is called by whoever does not see it.
    #[prop(into)]
    label: String,
    /// The same for the table itself, where it says more.
    #[prop(optional, into)]
    caption: Option<String>,
    /// The heads of its columns.
    heads: Vec<Head>,
    /// Its rows, each a `<tr>`.
    rows: Html,
) -> impl IntoView {
    let caption = caption.unwrap_or_else(|| label.clone());
    let heads: Vec<_> = heads
        .into_iter()
        .map(|head| match head {
            Head::Words(words) => view! { <th scope="col">{words}</th> }.into_html(),
            Head::Number(words) => view! { <th scope="col" class="num">{words}</th> }.into_html(),
            Head::Unseen(words) => view! { <th scope="col"><span class="sr-only">{words}</span></th> }.into_html(),
            Head::Made(head) => head,
        })
        .collect();
    view! {
        <div class="data-wrap" role="region" aria-label=label tabindex="0">
            <table class="data">
                <caption class="sr-only">{caption}</caption>
                <thead>
                    <tr>{heads}</tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}

/// A table of these rows, each a `<tr>`; these words where there is none.
pub fn table_or<V>(none: &'static str, label: &'static str, heads: Vec<Head>, rows: Vec<V>) -> Html
where
    Vec<V>: IntoView,
{
    if rows.is_empty() {
        return view! { <p class="muted">{none}</p> }.into_html();
    }
    view! { <DataTable label=label heads=heads rows=rows.into_html()/> }.into_html()
}
