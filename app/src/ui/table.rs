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
