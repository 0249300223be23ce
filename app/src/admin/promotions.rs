//! Promotions, as marketers write them: an idea, a draft, then published for its time, with the rules that carry it out.

use super::changes;
use super::versions::{moment, warnings, was_sent};
use super::{read_place, write_place};
use crate::cabinet::{back, flash, fresh_first};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{Check, Choices, DataTable, Field, FormBox, Head, TextArea};
use chrono::{DateTime, Utc};
use crm::audit::Object;
use crm::flaw::{Check as Flaws, Flaw};
use crm::id::{PromotionId, RuleId};
use crm::lang::Localized;
use crm::promotion::store::managing::{self as promotions, Entry};
use crm::promotion::{NewPromotion, State};
use crm::rule::store::{self as rules, Names};
use crm::rule::{Condition, Rule};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;
use serde_json::Value;

const HERE: &str = "/admin/promotions";
/// Promotions on a page.
const SHOWN: usize = 50;

/// Writes an idea down.
#[derive(Deserialize)]
pub struct CreatePromotion {
    key: String,
    title_ru: String,
    title_en: String,
}

impl Form for CreatePromotion {
    const NAME: &'static str = "promotion.create";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let title = Localized {
            ru: self.title_ru,
            en: self.title_en,
        };
        let id = promotions::create(&cx.db, cx.staff()?, &self.key, &title).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=created")))
    }
}

/// Changes the promotion at hand. `seen` is its record as it was shown, in JSON.
#[derive(Deserialize)]
pub struct ChangePromotion {
    seen: String,
    title_ru: String,
    title_en: String,
    conditions_ru: String,
    conditions_en: String,
    starts: String,
    ends: String,
    #[serde(default)]
    must_activate: String,
    #[serde(default)]
    stores: Vec<String>,
    #[serde(default)]
    rules: Vec<String>,
}

/// The record that a page showed.
fn shown(seen: &str) -> Result<NewPromotion, AppError> {
    serde_json::from_str(seen).map_err(|_| AppError::Refused)
}

impl Form for ChangePromotion {
    const NAME: &'static str = "promotion.change";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: PromotionId = cx.param("id")?;
        let seen = shown(&self.seen)?;
        let mut flaws = Flaws::new();
        let mut time = |name: &str, text: &str| {
            let at = moment(cx, text).and_then(|at| at.ok_or(Flaw::Missing));
            flaws.field(name, at)
        };
        let (starts_at, ends_at) = (time("starts", &self.starts), time("ends", &self.ends));
        let (Some(starts_at), Some(ends_at)) = (starts_at, ends_at) else {
            return Err(AppError::Invalid { flaws: flaws.flaws() });
        };
        let new = NewPromotion {
            code: seen.code.clone(),
            title: Localized {
                ru: self.title_ru,
                en: self.title_en,
            },
            conditions: Localized {
                ru: self.conditions_ru,
                en: self.conditions_en,
            },
            starts_at,
            ends_at,
            must_activate: self.must_activate == "yes",
            stores: chosen(&self.stores)?,
            rules: chosen(&self.rules)?,
        };
        promotions::change(&cx.db, cx.staff()?, id, &seen, &new).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=saved")))
    }
}

/// The ids that boxes send.
fn chosen<T: std::str::FromStr>(ids: &[String]) -> Result<Vec<T>, AppError> {
    let read = ids.iter().map(|id| id.parse().map_err(|_| AppError::Refused));
    read.collect()
}

/// Publishes the draft at hand as it was seen.
#[derive(Deserialize)]
pub struct PublishPromotion {
    seen: String,
}

impl Form for PublishPromotion {
    const NAME: &'static str = "promotion.publish";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let id: PromotionId = cx.param("id")?;
        promotions::publish(&cx.db, &by, id, &shown(&self.seen)?).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=published")))
    }
}

/// Ends the promotion at hand now, or makes it a draft again before its time has come.
#[derive(Deserialize)]
pub struct EndPromotion {}

impl Form for EndPromotion {
    const NAME: &'static str = "promotion.end";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let id: PromotionId = cx.param("id")?;
        promotions::end(&cx.db, &by, id).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=ended")))
    }
}

/// How it stands with a promotion, with a dot.
fn state(cx: &Cx, promotion: &Entry) -> Html {
    let t = &cx.t().admin_promotions;
    let (class, words) = match promotion.state(cx.db.now()) {
        State::Idea => ("status status-new", t.is_idea),
        State::Draft => ("status status-new", t.is_draft),
        State::Planned => ("status status-open", t.is_planned),
        State::Running => ("status status-done", t.is_running),
        State::Ended => ("status status-wait", t.is_ended),
    };
    view! { <span class=class>{words}</span> }.into_html()
}

/// From when until when it holds; an idea has no time yet.
fn period(cx: &Cx, promotion: &Entry) -> String {
    match promotion.state(cx.db.now()) {
        State::Idea => "—".to_owned(),
        _ => {
            let [from, to] = [promotion.record.starts_at, promotion.record.ends_at].map(|at| cx.moment(at));
            format!("{from} – {to}")
        }
    }
}

/// The list.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_promotions;
    let after = cx.query("after").and_then(read_place);
    let mut all = promotions::list(&cx.db, cx.staff()?, after, SHOWN as i64 + 1).await?;
    let has_more = all.len() > SHOWN;
    all.truncate(SHOWN);
    let first = after.map(|_| view! { <a class="btn" href=HERE>{t.latest}</a> });
    let next = all.last().filter(|_| has_more).map(|last| {
        let href = format!("{HERE}?after={}", write_place((last.record.ends_at, last.id.0)));
        view! { <a class="btn" href=href>{t.earlier}</a> }
    });
    let rows: Vec<_> = all
        .iter()
        .map(|promotion| {
            let at = format!("{HERE}/{}", promotion.id);
            view! {
                <tr>
                    <td>{state(&cx, promotion)}</td>
                    <td class="grow"><a href=at><bdi>{cx.pick(&promotion.record.title)}</bdi></a></td>
                    <td>{period(&cx, promotion)}</td>
                    <td class="num">{crate::format::integer(promotion.record.rules.len() as i64)}</td>
                </tr>
            }
        })
        .collect();
    let heads = vec![
        Head::Words(t.state),
        Head::Words(t.name),
        Head::Words(t.period),
        Head::Number(t.rules),
    ];
    let list = match rows.is_empty() {
        true => view! { <p class="muted">{t.none}</p> }.into_html(),
        false => view! { <DataTable label=t.title heads=heads rows=rows.into_html()/> }.into_html(),
    };
    let labels = [("key", t.code), ("title_ru", t.title_ru), ("title_en", t.title_en)];
    let labels = labels.map(|(name, label)| (name.to_owned(), label.to_owned())).to_vec();
    let was_sent = was_sent::<CreatePromotion>(&cx);
    let view = view! {
        <h1>{t.title}</h1>
        <p class="lead">{t.lead}</p>
        {list}
        <div class="pages"><span></span><div class="actions">{first} {next}</div></div>
        <section class="section narrow" aria-labelledby="add">
            <h2 id="add">{t.new}</h2>
            <details class="fold" open=was_sent>
                <summary>{t.add}</summary>
                <FormBox<CreatePromotion> labels=labels>
                    <Field name="key" label=t.code hint=t.code_hint/>
                    <Field name="title_ru" label=t.title_ru/>
                    <Field name="title_en" label=t.title_en/>
                    <button class="btn btn-primary">{t.create}</button>
                </FormBox<CreatePromotion>>
            </details>
        </section>
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

/// The labels of [`fields`].
fn labels(cx: &Cx) -> Vec<(String, String)> {
    let t = &cx.t().admin_promotions;
    [
        ("title_ru", t.title_ru),
        ("title_en", t.title_en),
        ("conditions_ru", t.conditions_ru),
        ("conditions_en", t.conditions_en),
        ("starts", t.starts),
        ("ends", t.ends),
        ("stores", t.stores),
        ("rules", t.rules),
    ]
    .map(|(name, label)| (name.to_owned(), label.to_owned()))
    .to_vec()
}

/// A shop with its town.
fn store_name(cx: &Cx, (_, name, town): &(crm::id::StoreId, Localized, Localized)) -> String {
    format!("{}, {}", cx.pick(town), cx.pick(name))
}

/// The fields of a promotion, filled in.
fn fields(cx: &Cx, held: &NewPromotion, names: &Names, all: &[(RuleId, Rule)]) -> Html {
    let t = &cx.t().admin_promotions;
    let local = |at: DateTime<Utc>| cx.shop().local(at).format("%Y-%m-%dT%H:%M").to_string();
    let stores: Vec<_> = names
        .stores
        .iter()
        .map(|store| {
            (
                store.0.to_string(),
                store_name(cx, store),
                held.stores.contains(&store.0),
            )
        })
        .collect();
    let rules: Vec<_> = all
        .iter()
        .map(|(id, rule)| (id.to_string(), cx.pick(&rule.name), held.rules.contains(id)))
        .collect();
    let stores = (!stores.is_empty()).then(|| {
        view! { <p class="hint">{t.stores_hint}</p> <Choices name="stores" legend=t.stores options=stores/> }
    });
    let rules = (!rules.is_empty()).then(|| {
        view! { <p class="hint">{t.rules_hint}</p> <Choices name="rules" legend=t.rules options=rules/> }
    });
    view! {
        <Field name="title_ru" label=t.title_ru value=held.title.ru.clone()/>
        <Field name="title_en" label=t.title_en value=held.title.en.clone()/>
        <TextArea name="conditions_ru" label=t.conditions_ru value=held.conditions.ru.clone()/>
        <TextArea name="conditions_en" label=t.conditions_en value=held.conditions.en.clone()/>
        <div class="grid gap-3 sm:grid-cols-2">
            <Field name="starts" label=t.starts kind="datetime-local" value=local(held.starts_at)/>
            <Field name="ends" label=t.ends kind="datetime-local" value=local(held.ends_at)/>
        </div>
        {rules}
        <Check name="must_activate" checked=held.must_activate>{t.must_activate}</Check>
        {stores}
    }
    .into_html()
}

/// One promotion.
pub async fn one(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_promotions;
    let id: PromotionId = cx.param("id")?;
    let by = cx.staff()?;
    let promotion = promotions::read(&cx.db, by, id).await?;
    let mut conn = cx.db.read().await?;
    let all = promotions::rules(&mut conn, by).await?;
    let names = rules::names(&mut conn, &[]).await?;
    drop(conn);
    let (held, now) = (&promotion.record, promotion.state(cx.db.now()));
    let title = cx.pick(&held.title);
    let done = [
        ("created", t.done_created),
        ("saved", cx.t().admin_rules.done_saved),
        ("published", t.done_published),
        ("ended", t.done_ended),
    ];
    let named = [
        ("title", t.name),
        ("conditions", t.conditions),
        ("starts_at", t.starts),
        ("ends_at", t.ends),
        ("must_activate", t.must_activate),
        ("stores", t.stores),
        ("rules", t.rules),
    ];
    let changes = changes::section(&cx, Object::Promotion(id), &named, |field, value| {
        told(&cx, &names, &all, field, value)
    })
    .await?;
    let seen = serde_json::to_string(held).map_err(|_| AppError::Internal)?;
    let is_over = now == State::Ended;
    // A rule that lies within other conditions may ask all the same; who wrote it so knows.
    let asks = |rule: &Rule| {
        let mut all = rule.conditions.iter();
        all.any(|condition| matches!(condition, Condition::Activated(ids) if ids.contains(&id)))
    };
    let linked = all.iter().filter(|(rule, _)| held.rules.contains(rule));
    let unasked = linked.filter(|(_, rule)| held.must_activate && !asks(rule));
    let unasked: Vec<String> = unasked.map(|(_, rule)| t.ask_activated(cx.pick(&rule.name))).collect();
    let edit = (!is_over).then(|| {
        let (inside, labels, save) = (cx.clone(), labels(&cx), cx.t().admin_rules.save);
        let (record, names, seen) = (held.clone(), names.clone(), seen.clone());
        view! {
            <section class="section narrow" aria-labelledby="edit">
                <h2 id="edit">{t.edit}</h2>
                <FormBox<ChangePromotion> labels=labels stale=cx.t().admin_shops.stale>
                    <input type="hidden" name="seen" value=seen/>
                    {fields(&inside, &record, &names, &all)}
                    <button class="btn btn-primary">{save}</button>
                </FormBox<ChangePromotion>>
            </section>
        }
    });
    let view = view! {
        {back(HERE, t.title)}
        <h1><bdi>{title.clone()}</bdi></h1>
        {flash(&cx, &done)}
        <p>{state(&cx, &promotion)} " " {period(&cx, &promotion)} " " <code>{held.code.clone()}</code></p>
        {warnings(&cx, unasked)}
        {edit}
        {step(&cx, now, seen)}
        {changes}
    };
    Ok(Body::new(title, Frame::Admin, view))
}

/// What comes next for a promotion: to be published, or to end.
fn step(cx: &Cx, now: State, seen: String) -> Option<Html> {
    let t = &cx.t().admin_promotions;
    let words = match now {
        State::Idea | State::Ended => return None,
        State::Draft => t.publish,
        State::Planned => t.call_off,
        State::Running => t.end,
    };
    if let Some(first) = fresh_first(cx) {
        return Some(first);
    }
    let stale = cx.t().admin_shops.stale;
    let form = match now {
        State::Draft => {
            let labels = labels(cx);
            view! {
                <FormBox<PublishPromotion> class="form panel narrow" labels=labels stale=stale>
                    <p class="hint">{t.publish_hint}</p>
                    <input type="hidden" name="seen" value=seen/>
                    <button class="btn btn-primary">{words}</button>
                </FormBox<PublishPromotion>>
            }
            .into_html()
        }
        _ => view! {
            <FormBox<EndPromotion> class="actions" stale=stale>
                <button class="btn btn-danger-quiet">{words}</button>
            </FormBox<EndPromotion>>
        }
        .into_html(),
    };
    Some(form)
}

/// Moments, shops and rules as people read them, where a change tells of them.
fn told(cx: &Cx, names: &Names, all: &[(RuleId, Rule)], field: &str, value: &Value) -> Option<String> {
    let listed = |name: &dyn Fn(&str) -> Option<String>| {
        let ids = value.as_array()?.iter().filter_map(Value::as_str);
        let names: Vec<String> = ids.map(|id| name(id).unwrap_or_else(|| id.to_owned())).collect();
        (!names.is_empty()).then(|| names.join("; "))
    };
    match field {
        "starts_at" | "ends_at" => Some(cx.moment(value.as_str()?.parse().ok()?)),
        "stores" => listed(&|id| {
            let store = names.stores.iter().find(|(known, ..)| known.to_string() == id)?;
            Some(store_name(cx, store))
        })
        .or_else(|| Some(cx.t().offers.everywhere.to_owned())),
        "rules" => listed(&|id| {
            let (_, rule) = all.iter().find(|(known, _)| known.to_string() == id)?;
            Some(cx.pick(&rule.name))
        })
        .or_else(|| Some(cx.t().admin_changes.nothing.to_owned())),
        _ => None,
    }
}
