//! Filters of requests that somebody keeps, with how many there are, and the form that keeps what is shown.

use super::view::{View, all_topics};
use crate::cx::Cx;
use crate::format;
use crate::route::{Form, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{Check, Field, FormBox, pairs};
use crm::id::FilterId;
use crm::request::Topic;
use crm::request::desk::{COUNT_MAX, SavedFilter};
use crm::request::store::saved;
use crm::staff::Right;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

const HERE: &str = "/admin/requests";

/// Keeps what the list is narrowed to.
#[derive(Deserialize)]
pub struct SaveFilter {
    name: String,
    #[serde(default)]
    shared: String,
}

impl Form for SaveFilter {
    const NAME: &'static str = "filter.save";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let view = View::of(cx).from(None);
        let topics = all_topics(cx).await?;
        let is_shared = self.shared == "yes";
        saved::save(&cx.db, cx.staff()?, &self.name, is_shared, &view.filter(&topics)).await?;
        Ok(Next::to(view.address(HERE, Some("kept"))))
    }
}

/// Keeps a filter no longer.
#[derive(Deserialize)]
pub struct RemoveFilter {
    filter: FilterId,
}

impl Form for RemoveFilter {
    const NAME: &'static str = "filter.remove";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        saved::remove(&cx.db, cx.staff()?, self.filter).await?;
        Ok(Next::to(View::of(cx).from(None).address(HERE, Some("removed"))))
    }
}

/// The filters that are kept, and what keeps another one.
pub(super) async fn section(cx: &Cx, view: &View, topics: &[Topic]) -> Result<Html, AppError> {
    let t = &cx.t().admin_desk;
    let staff = cx.staff()?;
    let filters = saved::list(&mut cx.db.read().await?, staff).await?;
    let here = View {
        find: None,
        text: String::new(),
        ..view.from(None)
    };
    let link = |kept: &SavedFilter| {
        let there = View::kept(&kept.filter, topics);
        let current = (there.filter(topics) == here.filter(topics)).then_some("page");
        let count = kept.count.map(|count| {
            let words = match count {
                COUNT_MAX => t.or_more(format::integer(count)),
                count => format::integer(count),
            };
            view! { " " <span class="badge">{words}</span> }
        });
        let name = kept.name.clone();
        view! { <a class="chip" href=there.queue() aria-current=current><bdi>{name}</bdi>{count}</a> }
    };
    let links: Vec<_> = filters.iter().map(link).collect();
    let links =
        (!links.is_empty()).then(|| view! { <nav class="chips" aria-label=t.kept data-swap="kept">{links}</nav> });
    let is_lead = staff.has(Right::Desk);
    let remove = |kept: &SavedFilter| {
        let (filter, name) = (kept.id.to_string(), kept.name.clone());
        let id = format!("filter-remove-{filter}");
        view! {
            <li>
                <FormBox<RemoveFilter> id=id class="actions">
                    <input type="hidden" name="filter" value=filter/>
                    <bdi>{name.clone()}</bdi>
                    <button class="btn btn-sm">{t.remove_kept} <span class="sr-only">": " {name}</span></button>
                </FormBox<RemoveFilter>>
            </li>
        }
    };
    let own: Vec<_> = filters
        .iter()
        .filter(|kept| kept.is_own || is_lead)
        .map(remove)
        .collect();
    let own = (!own.is_empty()).then(|| view! { <ul class="stack list-none">{own}</ul> });
    let was_sent = cx.was_sent(SaveFilter::NAME);
    let labels = pairs([("name", t.kept_name)]);
    let section = view! {
        {links}
        <details class="fold" open=was_sent>
            <summary>{t.keep}</summary>
            <FormBox<SaveFilter> labels=labels>
                <Field name="name" label=t.kept_name hint=t.kept_hint/>
                <Check name="shared">{t.kept_shared}</Check>
                <button class="btn">{t.keep_this}</button>
            </FormBox<SaveFilter>>
            {own}
        </details>
    };
    Ok(section.into_html())
}
