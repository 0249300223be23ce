//! What is to become of a shop, a category or an article, on the page of each: its draft with what that changes, what lies ahead,
//! and how they are published.

use super::changes;
use super::versions::{self, changed, difference, gone, in_time, moment};
use crate::cabinet::fresh_first;
use crate::cx::Cx;
use crate::route::{Form, Next};
use crate::ui::FormBox;
use crate::ui::html::{Html, IntoHtml};
use crm::catalogue::{self, Ahead, Draft, Edit, Item, Record};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;
use serde_json::Value;

/// The one whose page it is.
fn at_hand(cx: &Cx) -> Result<Item, AppError> {
    Ok(match cx.path.split('/').nth(2) {
        Some("stores") => Item::Store(cx.param("id")?),
        Some("categories") => Item::Category(cx.param("id")?),
        Some("articles") => Item::Article(cx.param("id")?),
        _ => return Err(AppError::NotFound),
    })
}

/// The page at hand, saying that something is done.
pub(super) fn done_here(cx: &Cx, done: &str) -> Next {
    Next::to(format!("{}?done={done}", cx.path))
}

/// Publishes the draft at hand as it was seen, now or from a moment on.
#[derive(Deserialize)]
pub struct PublishItem {
    seen: i64,
    from: String,
}

impl Form for PublishItem {
    const NAME: &'static str = "catalogue.publish";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let seen = versions::seen(self.seen)?;
        let from = moment(cx, &self.from).map_err(|flaw| AppError::field("from", flaw))?;
        catalogue::publish(&cx.db, &by, at_hand(cx)?, seen, from)
            .await
            .map_err(in_time)?;
        Ok(done_here(cx, if from.is_some() { "scheduled" } else { "published" }))
    }
}

/// Throws the draft at hand away.
#[derive(Deserialize)]
pub struct DiscardItem {
    seen: i64,
}

impl Form for DiscardItem {
    const NAME: &'static str = "catalogue.discard";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        catalogue::discard(&cx.db, cx.staff()?, at_hand(cx)?, versions::seen(self.seen)?).await?;
        Ok(done_here(cx, "discarded"))
    }
}

/// Takes back what lies ahead of the one at hand.
#[derive(Deserialize)]
pub struct WithdrawItem {}

impl Form for WithdrawItem {
    const NAME: &'static str = "catalogue.withdraw";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        catalogue::withdraw(&cx.db, &by, at_hand(cx)?).await?;
        Ok(done_here(cx, "withdrawn"))
    }
}

/// What these forms say when they are done.
pub(super) fn done(cx: &Cx) -> [(&'static str, &'static str); 5] {
    let (t, of_rules) = (&cx.t().admin_shops, &cx.t().admin_rules);
    [
        ("drafted", t.done_drafted),
        ("discarded", of_rules.done_discarded),
        ("published", t.done_published),
        ("scheduled", of_rules.done_scheduled),
        ("withdrawn", t.done_withdrawn),
    ]
}

/// What everybody reads of one, what is being written, and what lies ahead.
pub(super) struct Coming {
    live: Record,
    draft: Option<Draft>,
    ahead: Option<Ahead>,
}

impl Coming {
    /// What is to become of the one at hand, that everybody reads so.
    pub(super) async fn of(cx: &Cx, live: Record) -> Result<Self, AppError> {
        let (draft, ahead) = catalogue::coming(&mut cx.db.read().await?, cx.staff()?, at_hand(cx)?).await?;
        Ok(Self { live, draft, ahead })
    }

    /// What its fields are filled with.
    pub(super) fn next(&self) -> &Record {
        self.draft.as_ref().map_or(&self.live, |draft| &draft.content.is)
    }

    /// The draft that is shown, as a form sends it back; empty: there is none.
    pub(super) fn seen(&self) -> String {
        let draft = self.draft.as_ref();
        draft
            .map(|draft| draft.changed_at.timestamp_micros().to_string())
            .unwrap_or_default()
    }

    /// The same on the page, each in lines that are compared.
    pub(super) fn view(&self, cx: &Cx, lines: impl Fn(&Record) -> Vec<String>) -> Html {
        let first = fresh_first(cx).filter(|_| self.draft.is_some() || self.ahead.is_some());
        let is_fresh = first.is_none();
        let gone = gone(cx, cx.t().admin_shops.stale, |form| match form {
            PublishItem::NAME => self.draft.is_some() && self.ahead.is_none(),
            DiscardItem::NAME => self.draft.is_some(),
            WithdrawItem::NAME => self.ahead.is_some(),
            _ => true,
        });
        let changes = |edit: &Edit| {
            let over = edit.over(&self.live).unwrap_or_else(|_| edit.is.clone());
            difference(cx, Some(&self.live), &over, &lines)
        };
        let ahead = self.ahead.as_ref();
        let ahead = ahead.map(|ahead| scheduled(cx, ahead, changes(&ahead.edit), is_fresh));
        let may_publish = is_fresh && self.ahead.is_none();
        let draft = self.draft.as_ref();
        let draft = draft.map(|draft| drafted(cx, draft, changes(&draft.content), may_publish));
        view! { {gone} {ahead} {draft} {first} }.into_html()
    }
}

/// What lies ahead: from when on, by whom, what it changes, and how it is taken back.
fn scheduled(cx: &Cx, ahead: &Ahead, changes: Html, is_fresh: bool) -> Html {
    let (t, of_rules) = (&cx.t().admin_shops, &cx.t().admin_rules);
    let withdraw = is_fresh.then(|| {
        view! {
            <FormBox<WithdrawItem> class="actions">
                <button class="btn btn-danger-quiet">{t.withdraw}</button>
            </FormBox<WithdrawItem>>
        }
    });
    let by = ahead.by.clone();
    view! {
        <section class="panel" aria-labelledby="ahead">
            <h2 id="ahead">{of_rules.from_then(cx.moment(ahead.from))}</h2>
            <p class="muted">{of_rules.published} ": " <bdi>{by}</bdi></p>
            {changes}
            {withdraw}
        </section>
    }
    .into_html()
}

/// The draft: what it changes, and how it is published.
fn drafted(cx: &Cx, draft: &Draft, changes: Html, may_publish: bool) -> Html {
    let of_rules = &cx.t().admin_rules;
    let seen = draft.changed_at.timestamp_micros();
    let publish = may_publish.then(|| versions::publish::<PublishItem>(cx, seen));
    view! {
        <section class="panel" aria-labelledby="draft">
            <h2 id="draft">{of_rules.draft}</h2>
            {changed(cx, draft.changed_at, Some(&draft.changed_by))}
            {changes}
            {publish}
            <FormBox<DiscardItem> class="actions" stale=cx.t().admin_shops.stale>
                <input type="hidden" name="seen" value=seen.to_string()/>
                <button class="btn btn-danger-quiet">{of_rules.discard}</button>
            </FormBox<DiscardItem>>
        </section>
    }
    .into_html()
}

/// What a record says, a line for each of its fields: the words for it, and a value where that takes more than its text.
pub(super) fn lines(
    cx: &Cx,
    record: &Record,
    labels: &[(&str, &'static str)],
    show: &impl Fn(&str, &Value) -> Option<String>,
) -> Vec<String> {
    let record = serde_json::to_value(record).unwrap_or_default();
    // A record is written as {"store": {…}}.
    let fields = record.as_object().and_then(|kinds| kinds.values().next());
    let line = |(field, label): &(&str, &'static str)| {
        let value = fields?.get(*field)?;
        Some(format!("{label}: {}", changes::value(cx, field, value, show)))
    };
    labels.iter().filter_map(line).collect()
}
