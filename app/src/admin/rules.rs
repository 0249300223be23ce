//! Rules, as marketers write them: a draft is put together part by part, tried on the sales of the last months, and published;
//! what was published is replaced, never changed.

pub mod fields;
mod simulation;
pub mod words;

use super::changes;
use super::versions::{self, Versions, in_time, list, moment};
use crate::cabinet::{back, flash, fresh_first, unsaid};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use crate::ui::{Check, DataTable, Field, FormBox, Head, Select, TextArea, pairs};
use chrono::{DateTime, Utc};
use crm::audit::Last;
use crm::flaw::{Check as Flaws, Flaw};
use crm::id::RuleId;
use crm::lang::Localized;
use crm::rule::store::{self as rules, Entry, PublishError, Version, simulating};
use crm::rule::{Caps, Condition, Fault, Limit, Occasion, Rule, Validity, partner_key};
use fields::{
    ConditionFields, ConditionKind, EffectFields, EffectKind, Kind, condition_fields, condition_kind, effect_fields,
    effect_kind, hundredths, optional, whole,
};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;
use simulation::Simulates;
pub use simulation::{CancelSimulation, SimulateRule};
use words::Words;

const HERE: &str = "/admin/rules";
/// Rules on a page that give nothing any more.
const SHOWN: usize = 50;
/// The longest rule that is taken as JSON, in bytes.
const JSON_MAX: usize = 200_000;

fn at(cx: &Cx) -> Result<RuleId, AppError> {
    cx.param("id")
}

/// Back on the page of the rule at hand, at a part of it.
fn next(id: RuleId, done: &str, part: &str) -> Next {
    Next::to(format!("{HERE}/{id}?done={done}#{part}"))
}

/// The draft at hand as it was seen, with a change.
async fn change(
    cx: &Cx,
    seen: i64,
    change: impl FnOnce(&mut Rule) -> Result<(), AppError>,
) -> Result<RuleId, AppError> {
    let (staff, id) = (cx.staff()?, at(cx)?);
    let seen = versions::seen(seen)?;
    let draft = rules::draft_of(&mut cx.db.read().await?, staff, id).await?;
    let mut rule = draft.definition.ok_or(AppError::Stale)?;
    change(&mut rule)?;
    rules::change(&cx.db, staff, id, Some(seen), &rule).await?;
    Ok(id)
}

/// What a rule is called, read from its two fields.
pub(super) fn named(flaws: &mut Flaws, ru: &str, en: &str) -> Localized {
    let mut name = |field: &str, text: &str| {
        flaws
            .field(field, crm::flaw::text(&fields::line(text), 200))
            .unwrap_or_default()
    };
    Localized::new(name("ru", ru), name("en", en))
}

/// Begins a new rule.
#[derive(Deserialize)]
pub struct CreateRule {
    ru: String,
    en: String,
}

impl Form for CreateRule {
    const NAME: &'static str = "rule.create";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let mut flaws = Flaws::new();
        let name = named(&mut flaws, &self.ru, &self.en);
        if !flaws.is_clean() {
            return Err(AppError::Invalid { flaws: flaws.flaws() });
        }
        let rule = Rule {
            name,
            occasion: Occasion::Purchase,
            priority: 0,
            group: None,
            alone: false,
            valid: Validity::default(),
            conditions: Vec::new(),
            effects: Vec::new(),
            caps: Caps::default(),
            funded_by: None,
        };
        let id = rules::create(&cx.db, cx.staff()?, &rule).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=created")))
    }
}

/// Begins a draft with what the rule at hand said last.
#[derive(Deserialize)]
pub struct BeginDraft {}

impl Form for BeginDraft {
    const NAME: &'static str = "rule.begin";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (staff, id) = (cx.staff()?, at(cx)?);
        let versions = rules::history(&cx.db, staff, id).await?;
        let last = versions::last(&versions).ok_or(AppError::Stale)?;
        rules::change(&cx.db, staff, id, None, last).await?;
        Ok(next(id, "begun", "draft"))
    }
}

/// Throws the draft of the rule at hand away.
#[derive(Deserialize)]
pub struct DiscardDraft {
    seen: i64,
}

impl Form for DiscardDraft {
    const NAME: &'static str = "rule.discard";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (id, seen) = (at(cx)?, versions::seen(self.seen)?);
        rules::discard(&cx.db, cx.staff()?, id, seen).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=discarded")))
    }
}

/// Changes what the draft is called, on which occasion it is asked, when it holds, and how it goes with other rules.
#[derive(Deserialize)]
pub struct SetBasics {
    seen: i64,
    ru: String,
    en: String,
    #[serde(default)]
    occasion: String,
    valid_from: String,
    valid_until: String,
    priority: String,
    group: String,
    #[serde(default)]
    alone: String,
    #[serde(default)]
    funded_by: String,
}

impl Form for SetBasics {
    const NAME: &'static str = "rule.basics";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let mut flaws = Flaws::new();
        let name = named(&mut flaws, &self.ru, &self.en);
        let valid = Validity {
            from: flaws.field("valid_from", moment(cx, &self.valid_from)).flatten(),
            until: flaws.field("valid_until", moment(cx, &self.valid_until)).flatten(),
        };
        let priority = match self.priority.trim() {
            "" => Ok(0),
            text => text.parse().map_err(|_| Flaw::NotANumber),
        };
        let priority = flaws.field("priority", priority).unwrap_or_default();
        let occasion = Occasion::from_word(&self.occasion).ok_or(Flaw::NotAChoice);
        let occasion = flaws.field("occasion", occasion).unwrap_or_default();
        let funded_by = flaws
            .field("funded_by", optional(&self.funded_by, partner_key))
            .flatten();
        if !flaws.is_clean() {
            return Err(AppError::Invalid { flaws: flaws.flaws() });
        }
        let group = Some(self.group.trim().to_owned()).filter(|group| !group.is_empty());
        let id = change(cx, self.seen, |rule| {
            *rule = Rule {
                name,
                occasion,
                valid,
                priority,
                group,
                alone: self.alone == "yes",
                funded_by,
                ..rule.clone()
            };
            Ok(())
        })
        .await?;
        Ok(next(id, "saved", "draft"))
    }
}

/// Changes how much the draft gives at most.
#[derive(Deserialize)]
pub struct SetCaps {
    seen: i64,
    line: String,
    purchase: String,
    day_value: String,
    day_times: String,
    customer_value: String,
    customer_times: String,
    budget_value: String,
    budget_times: String,
}

impl Form for SetCaps {
    const NAME: &'static str = "rule.caps";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let mut flaws = Flaws::new();
        let mut value = |name: &str, text: &str| flaws.field(name, optional(text, hundredths)).flatten();
        let (line, purchase) = (value("line", &self.line), value("purchase", &self.purchase));
        let values = [
            value("day_value", &self.day_value),
            value("customer_value", &self.customer_value),
            value("budget_value", &self.budget_value),
        ];
        let mut times = |name: &str, text: &str| flaws.field(name, optional(text, whole)).flatten();
        let times = [
            times("day_times", &self.day_times),
            times("customer_times", &self.customer_times),
            times("budget_times", &self.budget_times),
        ];
        if !flaws.is_clean() {
            return Err(AppError::Invalid { flaws: flaws.flaws() });
        }
        let limit = |i: usize| Limit {
            value: values[i],
            times: times[i],
        };
        let caps = Caps {
            line,
            purchase,
            day: limit(0),
            customer: limit(1),
            budget: limit(2),
        };
        let id = change(cx, self.seen, |rule| {
            rule.caps = caps;
            Ok(())
        })
        .await?;
        Ok(next(id, "saved", "caps"))
    }
}

/// Puts something at its place in a list, or at the end where it has none.
fn put<T>(list: &mut Vec<T>, at: &str, one: T) -> Result<(), AppError> {
    match at {
        "" => list.push(one),
        at => {
            *at.parse()
                .ok()
                .and_then(|at: usize| list.get_mut(at))
                .ok_or(AppError::Stale)? = one
        }
    }
    Ok(())
}

fn take<T>(list: &mut Vec<T>, at: usize) -> Result<(), AppError> {
    if at >= list.len() {
        return Err(AppError::Stale);
    }
    list.remove(at);
    Ok(())
}

/// Adds a condition to the draft, or changes one.
#[derive(Deserialize)]
pub struct PutCondition {
    seen: i64,
    at: String,
    #[serde(flatten)]
    fields: ConditionFields,
}

impl Form for PutCondition {
    const NAME: &'static str = "rule.condition";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let condition = self.fields.read(cx).await?;
        let id = change(cx, self.seen, |rule| put(&mut rule.conditions, &self.at, condition)).await?;
        Ok(next(id, "saved", "conditions"))
    }
}

/// Takes a condition out of the draft.
#[derive(Deserialize)]
pub struct TakeCondition {
    seen: i64,
    at: usize,
}

impl Form for TakeCondition {
    const NAME: &'static str = "rule.condition_remove";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id = change(cx, self.seen, |rule| take(&mut rule.conditions, self.at)).await?;
        Ok(next(id, "removed", "conditions"))
    }
}

/// Adds an effect to the draft, or changes one.
#[derive(Deserialize)]
pub struct PutEffect {
    seen: i64,
    at: String,
    #[serde(flatten)]
    fields: EffectFields,
}

impl Form for PutEffect {
    const NAME: &'static str = "rule.effect";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let effect = self.fields.read(cx).await?;
        let id = change(cx, self.seen, |rule| put(&mut rule.effects, &self.at, effect)).await?;
        Ok(next(id, "saved", "effects"))
    }
}

/// Takes an effect out of the draft.
#[derive(Deserialize)]
pub struct TakeEffect {
    seen: i64,
    at: usize,
}

impl Form for TakeEffect {
    const NAME: &'static str = "rule.effect_remove";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id = change(cx, self.seen, |rule| take(&mut rule.effects, self.at)).await?;
        Ok(next(id, "removed", "effects"))
    }
}

/// Writes the whole draft anew.
#[derive(Deserialize)]
pub struct SetJson {
    seen: i64,
    json: String,
}

impl Form for SetJson {
    const NAME: &'static str = "rule.json";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        if self.json.len() > JSON_MAX {
            return Err(AppError::field("json", Flaw::TooLong { max: JSON_MAX }));
        }
        let written: Rule = serde_json::from_str(&self.json)
            .map_err(|e| AppError::field("json", Flaw::Unreadable { line: e.line() }))?;
        let id = change(cx, self.seen, |rule| {
            *rule = written;
            Ok(())
        })
        .await?;
        Ok(next(id, "saved", "draft"))
    }
}

/// Publishes the draft at hand as it was seen.
#[derive(Deserialize)]
pub struct PublishRule {
    seen: i64,
    from: String,
}

impl Form for PublishRule {
    const NAME: &'static str = "rule.publish";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (by, id) = (cx.staff()?.fresh(&cx.db)?, at(cx)?);
        let seen = versions::seen(self.seen)?;
        let from = moment(cx, &self.from).map_err(|flaw| AppError::field("from", flaw))?;
        rules::publish(&cx.db, &by, id, seen, from)
            .await
            .map_err(|error| match error {
                // The page has no button while there are faults.
                PublishError::Faulty(_) => AppError::Stale,
                PublishError::Crm(e) => in_time(e),
            })?;
        let done = if from.is_some() { "scheduled" } else { "published" };
        Ok(Next::to(format!("{HERE}/{id}?done={done}")))
    }
}

/// Withdraws the rule at hand.
#[derive(Deserialize)]
pub struct WithdrawRule {
    from: String,
}

impl Form for WithdrawRule {
    const NAME: &'static str = "rule.withdraw";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (by, id) = (cx.staff()?.fresh(&cx.db)?, at(cx)?);
        let from = moment(cx, &self.from).map_err(|flaw| AppError::field("from", flaw))?;
        rules::withdraw(&cx.db, &by, id, from).await.map_err(in_time)?;
        Ok(Next::to(format!("{HERE}/{id}?done=withdrawn")))
    }
}

/// Calls a version of the rule at hand off that does not count yet.
#[derive(Deserialize)]
pub struct CallOffRule {
    version: i64,
}

impl Form for CallOffRule {
    const NAME: &'static str = "rule.call_off";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (by, id) = (cx.staff()?.fresh(&cx.db)?, at(cx)?);
        rules::call_off(&cx.db, &by, id, self.version)
            .await
            .map_err(versions::in_place)?;
        Ok(Next::to(format!("{HERE}/{id}?done=called_off")))
    }
}

/// A moment as a field of moments is filled.
fn local(cx: &Cx, at: Option<DateTime<Utc>>) -> String {
    at.map(|at| cx.shop().local(at).format("%Y-%m-%dT%H:%M").to_string())
        .unwrap_or_default()
}

/// How it stands with a rule, with a dot.
fn state(cx: &Cx, one: &Entry) -> Html {
    let t = &cx.t().admin_rules;
    let now = cx.db.now();
    let over = |rule: &Rule| rule.valid.until.is_some_and(|until| until <= now);
    let (class, words) = match (&one.current, &one.next, &one.draft) {
        (
            Some(Version {
                definition: Some(rule), ..
            }),
            ..,
        ) if over(rule) => ("status status-wait", t.is_over),
        (Some(_), ..) => ("status status-done", t.is_active),
        (None, Some(_), _) => ("status status-open", t.is_scheduled),
        (None, None, Some(_)) => ("status status-new", t.is_draft),
        (None, None, None) => ("status status-wait", t.is_withdrawn),
    };
    let draft = (one.draft.is_some() && (one.current.is_some() || one.next.is_some()))
        .then(|| view! { " " <small class="muted">{t.with_draft}</small> });
    view! { <span class=class>{words}</span> {draft} }.into_html()
}

/// The list.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_rules;
    let all = rules::list(&cx.db, cx.staff()?).await?;
    // What gives something stands first and all together. The rest grows with the years: it comes page by page, by the rule that the
    // page before ended with.
    let (living, mut past): (Vec<Entry>, Vec<Entry>) = all
        .into_iter()
        .partition(|one| one.current.is_some() || one.next.is_some() || one.draft.is_some());
    let after: Option<RuleId> = cx.query("after").and_then(|id| id.parse().ok());
    if let Some(place) = after.and_then(|id| past.iter().position(|one| one.id == id)) {
        past.drain(..=place);
    }
    let has_more = past.len() > SHOWN;
    past.truncate(SHOWN);
    let next = past.last().filter(|_| has_more).map(|last| {
        let href = format!("{HERE}?after={}", last.id);
        view! { <a class="btn" href=href>{t.earlier}</a> }
    });
    let first = after.map(|_| view! { <a class="btn" href=HERE>{t.latest}</a> });
    let all: Vec<Entry> = match after {
        None => living.into_iter().chain(past).collect(),
        Some(_) => past,
    };
    let last: Vec<&Rule> = all.iter().filter_map(|one| one.last.as_ref()).collect();
    let names = rules::names(&mut cx.db.read().await?, &last).await?;
    let words = Words { cx: &cx, names: &names };
    let list = if all.is_empty() {
        view! { <div class="panel empty">{icon(icons::SPARKLES)} <p>{t.none}</p></div> }.into_html()
    } else {
        table(&words, &all)
    };
    let labels = pairs([("ru", t.name_ru), ("en", t.name_en)]);
    let view = view! {
        <h1>{t.title}</h1>
        <p class="lead">{t.lead}</p>
        {list}
        <div class="pages"><span></span><div class="actions">{first} {next}</div></div>
        <section class="section narrow" aria-labelledby="add">
            <h2 id="add">{t.new}</h2>
            <FormBox<CreateRule> labels=labels>
                <Field name="ru" label=t.name_ru hint=t.name_hint/>
                <Field name="en" label=t.name_en/>
                <button class="btn btn-primary">{t.create}</button>
            </FormBox<CreateRule>>
        </section>
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

fn table(words: &Words<'_>, all: &[Entry]) -> Html {
    let cx = words.cx;
    let t = &cx.t().admin_rules;
    let rows: Vec<_> = all
        .iter()
        .map(|one| {
            let shown = [&one.current, &one.next, &one.draft]
                .into_iter()
                .find_map(|version| version.as_ref()?.definition.as_ref())
                .or(one.last.as_ref());
            let name = shown.map(|rule| cx.pick(&rule.name)).unwrap_or_default();
            let gives = shown.map(|rule| words.gives(rule)).unwrap_or_default();
            view! {
                <tr>
                    <td>{state(cx, one)}</td>
                    <td><a href=format!("{HERE}/{}", one.id)><bdi>{name}</bdi></a></td>
                    <td class="grow">{gives}</td>
                    <td class="num">{cx.points(one.value)}</td>
                    <td class="num">{format::integer(one.times)}</td>
                </tr>
            }
        })
        .collect();
    let heads = vec![
        Head::Words(t.state),
        Head::Words(t.name),
        Head::Words(t.gives),
        Head::Number(t.given),
        Head::Number(t.times),
    ];
    view! {
        <DataTable label=t.title heads=heads rows=rows.into_html()/>
    }
    .into_html()
}

/// One rule: what counts now and from when on something else does, the draft, and what was published before.
pub async fn one(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_rules;
    let (staff, id) = (cx.staff()?, at(&cx)?);
    let versions = rules::history(&cx.db, staff, id).await?;
    let quicker = changes::quicker(&cx, Last::Of(id.0)).await?;
    let written: Vec<&Rule> = versions
        .iter()
        .filter_map(|version| version.definition.as_ref())
        .collect();
    let names = rules::names(&mut cx.db.read().await?, &written).await?;
    let words = Words { cx: &cx, names: &names };
    let title = versions::last(&versions)
        .map(|rule| cx.pick(&rule.name))
        .unwrap_or_default();
    let now = cx.db.now();
    let Versions {
        draft,
        published,
        current,
        ahead,
    } = Versions::at(&versions, now);
    let lines = |rule: &Rule| words.lines(rule);
    let first = fresh_first(&cx);
    let is_fresh = first.is_none();
    let ahead = versions::ahead::<CallOffRule, _>(&cx, &ahead, lines, t.will_be_withdrawn, is_fresh);
    let standing = match current.map(|version| (version, &version.definition)) {
        Some((version, Some(rule))) => versions::in_force(&cx, version, words.lines(rule), None),
        Some((version, None)) => {
            let at = version.effective_at.unwrap_or(now);
            view! { <p class="notice">{t.withdrawn_since(cx.moment(at))}</p> }.into_html()
        }
        None => view! { <p class="notice">{t.never_published}</p> }.into_html(),
    };
    let simulated = simulating::latest(&mut cx.db.read().await?, staff, id).await?;
    let can_withdraw = current.is_some_and(|version| version.definition.is_some());
    // What would be simulated: the draft, or what counts now.
    let written = draft.or(current).and_then(|version| version.definition.as_ref());
    let simulates = match written.map(|rule| (rule.occasion, rule.validate().is_empty())) {
        Some((Occasion::Purchase, true)) => Simulates::Yes,
        Some((Occasion::Purchase, false)) | None => Simulates::No,
        Some(_) => Simulates::OtherOccasion,
    };
    let done = [
        ("created", t.done_created),
        ("begun", t.done_begun),
        ("saved", t.done_saved),
        ("removed", t.done_removed),
        ("discarded", t.done_discarded),
        ("published", t.done_published),
        ("scheduled", t.done_scheduled),
        ("withdrawn", t.done_withdrawn),
        ("called_off", t.done_called_off),
        ("simulating", t.done_simulating),
        ("cancelled", t.done_cancelled),
    ];
    let view = view! {
        {back(HERE, t.title)}
        <h1><bdi>{title.clone()}</bdi></h1>
        {flash(&cx, &done)}
        {gone(&cx, draft)}
        {quicker}
        {standing}
        {ahead}
        {match draft.and_then(|draft| Some((draft, draft.definition.as_ref()?))) {
            Some((version, rule)) => editor(&words, version, rule, is_fresh),
            None => view! {
                <FormBox<BeginDraft> class="actions">
                    <button class="btn btn-primary">{if can_withdraw { t.begin } else { t.begin_again }}</button>
                </FormBox<BeginDraft>>
            }
            .into_html(),
        }}
        {first}
        {(can_withdraw && is_fresh).then(|| {
            versions::withdraw::<WithdrawRule>(&cx, t.withdraw, t.withdraw_hint)
        })}
        {simulation::section(&words, simulated.as_ref(), simulates)}
        {versions::history(&cx, &published, lines, t.was_withdrawn)}
    };
    Ok(Body::new(title, Frame::Admin, view))
}

/// Says that the draft was changed by somebody else, where the form that was sent is no longer on the page to say so itself.
fn gone(cx: &Cx, draft: Option<&Version>) -> Vec<Html> {
    let stale = cx.t().admin_rules.stale;
    let Some(rule) = draft.and_then(|draft| draft.definition.as_ref()) else {
        let others = [
            BeginDraft::NAME,
            CallOffRule::NAME,
            WithdrawRule::NAME,
            SimulateRule::NAME,
            CancelSimulation::NAME,
        ];
        let is_of_draft = cx.outcome.as_ref().is_some_and(|o| !others.contains(&o.form.as_str()));
        let said = is_of_draft.then(|| view! { <p class="notice notice-warn" role="alert">{stale}</p> }.into_html());
        return said.into_iter().collect();
    };
    let in_list = |length: usize| move |at: &str| at.is_empty() || at.parse().is_ok_and(|at: usize| at < length);
    let (conditions, effects) = (in_list(rule.conditions.len()), in_list(rule.effects.len()));
    let of_conditions = [PutCondition::NAME, TakeCondition::NAME];
    let of_effects = [PutEffect::NAME, TakeEffect::NAME];
    [
        unsaid(cx, &of_conditions, "at", conditions, stale),
        unsaid(cx, &of_effects, "at", effects, stale),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Which condition or effect is being written: its place (none: a new one) and its kind.
struct Open<'a, T, K> {
    at: String,
    kind: K,
    held: Option<&'a T>,
}

/// What the address opens of a list: `?condition=2`, or `?condition=new&kind=price`.
fn open<'a, T, K: Kind>(
    cx: &Cx,
    name: &str,
    all: &'a [T],
    kind_of: impl Fn(&T) -> Option<K>,
) -> Option<Open<'a, T, K>> {
    let asked = cx.query(name)?;
    if asked == "new" {
        return Some(Open {
            at: String::new(),
            kind: K::of_code(cx.query("kind")?)?,
            held: None,
        });
    }
    let held = all.get(asked.parse::<usize>().ok()?)?;
    Some(Open {
        at: asked.to_owned(),
        kind: kind_of(held)?,
        held: Some(held),
    })
}

/// The draft: its parts, what is wrong with it, and how it is published.
fn editor(words: &Words<'_>, version: &Version, rule: &Rule, is_fresh: bool) -> Html {
    let cx = words.cx;
    let t = &cx.t().admin_rules;
    let seen = version.changed_at.timestamp_micros();
    let said = |faults: Vec<Fault>| faults.iter().map(|fault| words.fault(fault)).collect();
    let wrong = versions::faults(cx, said([rule.validate(), words.names.unknown(rule)].concat()));
    let warnings = versions::warnings(cx, said(words.names.not_made(rule)));
    let publish = (wrong.is_none() && is_fresh).then(|| versions::publish::<PublishRule>(cx, seen));
    view! {
        <section class="section" id="draft" aria-labelledby="draft-title">
            <h2 id="draft-title">{t.draft}</h2>
            {versions::changed(cx, version.changed_at, version.changed_by.as_deref())}
            {conditions(words, rule, seen)}
            {effects(words, rule, seen)}
            {caps(words, &rule.caps, seen)}
            {basics(words, rule, seen)}
            {json(cx, rule, seen)}
            {wrong}
            {warnings}
            {publish}
            <FormBox<DiscardDraft> class="actions" stale=t.stale>
                <input type="hidden" name="seen" value=seen.to_string()/>
                <button class="btn btn-danger-quiet">{t.discard}</button>
            </FormBox<DiscardDraft>>
        </section>
    }
    .into_html()
}

/// A row of a part of the draft, with what can be done to it.
fn part<F: Form + 'static>(cx: &Cx, name: &'static str, at: usize, seen: i64, said: String, has_fields: bool) -> Html {
    let t = &cx.t().admin_rules;
    let spoken = said.clone();
    let edit = has_fields.then(|| {
        let spoken = said.clone();
        view! {
            <a class="btn btn-sm" href=format!("?{name}={at}#edit-{name}")>
                {t.edit} <span class="sr-only">": " {spoken}</span>
            </a>
        }
    });
    view! {
        <li class="row row-wrap">
            <span class="row-main">{said}</span>
            <span class="row-acts">
                {edit}
                <FormBox<F> id=format!("{name}-{at}") class="row-form" stale=t.stale>
                    <input type="hidden" name="seen" value=seen.to_string()/>
                    <input type="hidden" name="at" value=at.to_string()/>
                    <button class="btn btn-sm btn-danger-quiet">{t.remove} <span class="sr-only">": " {spoken}</span></button>
                </FormBox<F>>
            </span>
        </li>
    }
    .into_html()
}

/// What can be added, as links that open its fields.
fn menu<K: Kind>(cx: &Cx, name: &'static str, words: &'static str) -> Html {
    let link = |kind: &K| {
        let href = format!("?{name}=new&kind={}#edit-{name}", kind.code());
        view! { <a class="btn btn-sm" href=href>{kind.word(cx)}</a> }
    };
    let links: Vec<_> = K::ALL.iter().map(link).collect();
    view! {
        <details class="fold">
            <summary>{words}</summary>
            <div class="actions">{links}</div>
        </details>
    }
    .into_html()
}

fn conditions(words: &Words<'_>, rule: &Rule, seen: i64) -> Html {
    let cx = words.cx;
    let t = &cx.t().admin_rules;
    let rows: Vec<_> = rule
        .conditions
        .iter()
        .enumerate()
        .map(|(i, one)| {
            part::<TakeCondition>(
                cx,
                "condition",
                i,
                seen,
                words.condition(one),
                condition_kind(one).is_some(),
            )
        })
        .collect();
    let rows = match rows.is_empty() {
        true => view! { <p class="muted">{t.no_conditions}</p> }.into_html(),
        false => view! { <ul class="rows panel panel-flush">{rows}</ul> }.into_html(),
    };
    let kind_of = |one: &Condition| condition_kind(one).map(|(kind, ..)| kind);
    let editing = open(cx, "condition", &rule.conditions, kind_of).map(|open| {
        let (held, is_not) = open
            .held
            .and_then(condition_kind)
            .map_or((None, false), |(_, inner, is_not)| (Some(inner.clone()), is_not));
        let (inside, names) = (cx.clone(), words.names.clone());
        let fields = move || {
            let words = Words {
                cx: &inside,
                names: &names,
            };
            condition_fields(&words, open.kind, held.as_ref(), is_not)
        };
        editing::<PutCondition>(cx, "condition", seen, open.at, open.kind, fields)
    });
    view! {
        <section id="conditions" aria-labelledby="conditions-title">
            <h3 id="conditions-title" class="mb-2">{t.conditions}</h3>
            {rows}
            {editing}
            {menu::<ConditionKind>(cx, "condition", t.add_condition)}
        </section>
    }
    .into_html()
}

fn effects(words: &Words<'_>, rule: &Rule, seen: i64) -> Html {
    let cx = words.cx;
    let t = &cx.t().admin_rules;
    let rows: Vec<_> = rule
        .effects
        .iter()
        .enumerate()
        .map(|(i, one)| {
            part::<TakeEffect>(
                cx,
                "effect",
                i,
                seen,
                words.effect(rule.occasion, one),
                effect_kind(one).is_some(),
            )
        })
        .collect();
    let rows = match rows.is_empty() {
        true => view! { <p class="muted">{t.no_effects}</p> }.into_html(),
        false => view! { <ul class="rows panel panel-flush">{rows}</ul> }.into_html(),
    };
    let editing = open(cx, "effect", &rule.effects, effect_kind).map(|open| {
        let (inside, names, held) = (cx.clone(), words.names.clone(), open.held.cloned());
        let fields = move || {
            let words = Words {
                cx: &inside,
                names: &names,
            };
            effect_fields(&words, open.kind, held.as_ref())
        };
        editing::<PutEffect>(cx, "effect", seen, open.at, open.kind, fields)
    });
    view! {
        <section id="effects" aria-labelledby="effects-title">
            <h3 id="effects-title" class="mb-2">{t.effects}</h3>
            {rows}
            {editing}
            {menu::<EffectKind>(cx, "effect", t.add_effect)}
        </section>
    }
    .into_html()
}

/// The fields of a part, opened.
fn editing<F: Form + 'static>(
    cx: &Cx,
    name: &'static str,
    seen: i64,
    at: String,
    kind: impl Kind,
    fields: impl FnOnce() -> Html + Send + 'static,
) -> Html {
    let t = &cx.t().admin_rules;
    let back = format!("{}#{name}s", cx.path);
    let cancel = cx.t().common.cancel;
    let (title, kind) = (kind.word(cx), kind.code());
    view! {
        <div class="panel narrow mt-3" id=format!("edit-{name}")>
            <h4>{title}</h4>
            <FormBox<F> stale=t.stale>
                <input type="hidden" name="seen" value=seen.to_string()/>
                <input type="hidden" name="at" value=at/>
                <input type="hidden" name="kind" value=kind/>
                {fields()}
                <div class="actions">
                    <button class="btn btn-primary">{t.save}</button>
                    <a class="btn btn-quiet" href=back>{cancel}</a>
                </div>
            </FormBox<F>>
        </div>
    }
    .into_html()
}

fn caps(words: &Words<'_>, caps: &Caps, seen: i64) -> Html {
    let cx = words.cx;
    let t = &cx.t().admin_rules;
    let said = words.caps(caps);
    let said = match said.is_empty() {
        true => view! { <p class="muted">{t.no_caps}</p> }.into_html(),
        false => list(said),
    };
    let money = |n: Option<i64>| n.map(|n| crm::points::written(cx.lang, n)).unwrap_or_default();
    let times = |n: Option<i64>| n.map(|n| n.to_string()).unwrap_or_default();
    let values = [
        ("line", t.on_line, money(caps.line)),
        ("purchase", t.in_purchase, money(caps.purchase)),
        ("day_value", t.a_day_value, money(caps.day.value)),
        ("day_times", t.a_day_times, times(caps.day.times)),
        ("customer_value", t.a_customer_value, money(caps.customer.value)),
        ("customer_times", t.a_customer_times, times(caps.customer.times)),
        ("budget_value", t.budget_value, money(caps.budget.value)),
        ("budget_times", t.budget_times, times(caps.budget.times)),
    ];
    let labels = values
        .iter()
        .map(|(name, label, _)| ((*name).to_owned(), (*label).to_owned()))
        .collect::<Vec<_>>();
    let fields = move || {
        values
            .into_iter()
            .map(|(name, label, value)| view! { <Field name=name label=label value=value inputmode="decimal" optional=true/> })
            .collect_view()
    };
    let was_sent = cx.was_sent(SetCaps::NAME);
    view! {
        <section id="caps" aria-labelledby="caps-title">
            <h3 id="caps-title" class="mb-2">{t.caps}</h3>
            {said}
            <details class="fold" open=was_sent>
                <summary>{t.change_caps}</summary>
                <p class="hint">{t.caps_hint}</p>
                <FormBox<SetCaps> labels=labels stale=t.stale>
                    <input type="hidden" name="seen" value=seen.to_string()/>
                    <div class="grid gap-3 sm:grid-cols-2">{fields()}</div>
                    <button class="btn">{t.save}</button>
                </FormBox<SetCaps>>
            </details>
        </section>
    }
    .into_html()
}

fn basics(words: &Words<'_>, rule: &Rule, seen: i64) -> Html {
    let cx = words.cx;
    let t = &cx.t().admin_rules;
    let labels = pairs([
        ("ru", t.name_ru),
        ("en", t.name_en),
        ("occasion", t.occasion),
        ("valid_from", t.valid_from),
        ("valid_until", t.valid_until),
        ("priority", t.priority),
        ("group", t.group),
        ("funded_by", t.funded_by),
    ]);
    let (ru, en, group) = (
        rule.name.ru.clone(),
        rule.name.en.clone(),
        rule.group.clone().unwrap_or_default(),
    );
    let (from, until) = (local(cx, rule.valid.from), local(cx, rule.valid.until));
    let (priority, alone) = (rule.priority.to_string(), rule.alone);
    let funded_by = rule.funded_by.clone().unwrap_or_default();
    let funded = rule.funded_by.as_ref().map(|partner| t.l_funded_by(partner));
    let funded = funded.map(|words| view! { <p class="muted">{words}</p> });
    let occasions: Vec<(String, String)> = Occasion::ALL
        .into_iter()
        .map(|occasion| (occasion.as_str().to_owned(), words.occasion(occasion).to_owned()))
        .collect();
    let (occasion, asked) = (rule.occasion.as_str(), words.occasion(rule.occasion));
    let was_sent = cx.was_sent(SetBasics::NAME);
    view! {
        <section aria-labelledby="basics-title">
            <h3 id="basics-title" class="mb-2">{t.basics}</h3>
            <p class="muted">{t.l_occasion(asked)}</p>
            <p class="muted">{words.validity(rule).unwrap_or_else(|| t.always.to_owned())}</p>
            {funded}
            <details class="fold" open=was_sent>
                <summary>{t.change_basics}</summary>
                <FormBox<SetBasics> labels=labels stale=t.stale>
                    <input type="hidden" name="seen" value=seen.to_string()/>
                    <Field name="ru" label=t.name_ru value=ru/>
                    <Field name="en" label=t.name_en value=en/>
                    <Select name="occasion" label=t.occasion hint=t.occasion_hint options=occasions value=occasion/>
                    <div class="grid gap-3 sm:grid-cols-2">
                        <Field name="valid_from" label=t.valid_from kind="datetime-local" value=from optional=true/>
                        <Field name="valid_until" label=t.valid_until kind="datetime-local" value=until optional=true/>
                        <Field name="priority" label=t.priority hint=t.priority_hint value=priority inputmode="numeric"/>
                        <Field name="group" label=t.group hint=t.group_hint value=group optional=true/>
                        <Field name="funded_by" label=t.funded_by hint=t.funded_by_hint value=funded_by optional=true/>
                    </div>
                    <Check name="alone" checked=alone>{t.l_alone}</Check>
                    <button class="btn">{t.save}</button>
                </FormBox<SetBasics>>
            </details>
        </section>
    }
    .into_html()
}

fn json(cx: &Cx, rule: &Rule, seen: i64) -> Html {
    let t = &cx.t().admin_rules;
    let text = serde_json::to_string_pretty(rule).unwrap_or_default();
    let was_sent = cx.was_sent(SetJson::NAME);
    view! {
        <details class="fold" open=was_sent>
            <summary>{t.as_json}</summary>
            <FormBox<SetJson> labels=pairs([("json", t.json)]) stale=t.stale>
                <input type="hidden" name="seen" value=seen.to_string()/>
                <TextArea name="json" label=t.json hint=t.json_hint value=text rows=16/>
                <button class="btn">{t.save}</button>
            </FormBox<SetJson>>
        </details>
    }
    .into_html()
}
