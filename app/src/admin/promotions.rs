//! Promotions, as marketers write them: an idea, a draft, a colleague's consent, then published for its time, with the rules that
//! carry it out; and what came of it.

use super::changes;
use super::versions::{self, changed, difference, gone, moment, warnings};
use crate::cabinet::{back, flash, fresh_first, place, show_place};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{AddBox, Check, Choices, DataTable, Field, FormBox, Head, TextArea, pairs, paragraphs, table_or};
use chrono::{DateTime, Utc};
use crm::audit::Object;
use crm::flaw::{Check as Flaws, Flaw};
use crm::id::{PromotionId, RuleId};
use crm::lang::Localized;
use crm::promotion::store::managing::{self as promotions, Draft, Entry};
use crm::promotion::store::outcome::{self, Outcome};
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
    note: String,
}

impl Form for CreatePromotion {
    const NAME: &'static str = "promotion.create";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let title = Localized::new(self.title_ru, self.title_en);
        let id = promotions::create(&cx.db, cx.staff()?, &self.key, &title, &self.note).await?;
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
            title: Localized::new(self.title_ru, self.title_en),
            conditions: Localized::new(self.conditions_ru, self.conditions_en),
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

/// Notes what the promotion at hand is about. `seen` is the note as it was shown.
#[derive(Deserialize)]
pub struct NotePromotion {
    seen: String,
    note: String,
}

impl Form for NotePromotion {
    const NAME: &'static str = "promotion.note";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: PromotionId = cx.param("id")?;
        promotions::set_note(&cx.db, cx.staff()?, id, &self.seen, &self.note).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=saved")))
    }
}

/// Throws the next version of the promotion at hand away.
#[derive(Deserialize)]
pub struct DiscardPromotion {
    seen: i64,
}

impl Form for DiscardPromotion {
    const NAME: &'static str = "promotion.discard";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: PromotionId = cx.param("id")?;
        promotions::discard(&cx.db, cx.staff()?, id, versions::seen(self.seen)?).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=discarded")))
    }
}

/// Asks colleagues to consent to what is to be published of the promotion at hand, as it was seen.
#[derive(Deserialize)]
pub struct AskPromotion {
    seen: String,
}

impl Form for AskPromotion {
    const NAME: &'static str = "promotion.ask";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: PromotionId = cx.param("id")?;
        promotions::ask(&cx.db, cx.staff()?, id, &shown(&self.seen)?).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=asked")))
    }
}

/// Consents to it, as it was seen, and publishes it.
#[derive(Deserialize)]
pub struct ApprovePromotion {
    seen: String,
}

impl Form for ApprovePromotion {
    const NAME: &'static str = "promotion.approve";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let id: PromotionId = cx.param("id")?;
        promotions::approve(&cx.db, &by, id, &shown(&self.seen)?).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=published")))
    }
}

/// Does not consent to it, and says why.
#[derive(Deserialize)]
pub struct RefusePromotion {
    seen: String,
    reason: String,
}

impl Form for RefusePromotion {
    const NAME: &'static str = "promotion.refuse";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: PromotionId = cx.param("id")?;
        promotions::refuse(&cx.db, cx.staff()?, id, &shown(&self.seen)?, &self.reason).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=refused")))
    }
}

/// Writes down what came of the promotion at hand. `seen` is what was written before.
#[derive(Deserialize)]
pub struct ConcludePromotion {
    seen: String,
    conclusion: String,
}

impl Form for ConcludePromotion {
    const NAME: &'static str = "promotion.conclude";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: PromotionId = cx.param("id")?;
        promotions::conclude(&cx.db, cx.staff()?, id, &self.seen, &self.conclusion).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=concluded")))
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

/// What a stage is called.
fn called(cx: &Cx, state: State) -> &'static str {
    let t = &cx.t().admin_promotions;
    match state {
        State::Idea => t.is_idea,
        State::Draft => t.is_draft,
        State::Approval => t.is_approval,
        State::Planned => t.is_planned,
        State::Running => t.is_running,
        State::Ended => t.is_ended,
        State::Concluded => t.is_concluded,
    }
}

/// How it stands with a promotion, with a dot.
fn state(cx: &Cx, promotion: &Entry) -> Html {
    let state = promotion.state(cx.db.now());
    let class = match state {
        State::Idea | State::Draft => "status status-new",
        State::Approval | State::Planned => "status status-open",
        State::Running => "status status-done",
        State::Ended | State::Concluded => "status status-wait",
    };
    // A next version waits beside what is published.
    let waits = promotion.desk.asked_at.is_some() && state != State::Approval;
    let waits = waits.then(|| view! { " " <span class="badge">{cx.t().admin_promotions.next_waits}</span> });
    view! { <span class=class>{called(cx, state)}</span> {waits} }.into_html()
}

/// The list narrowed to a stage, from a place in it on.
fn list_at(state: Option<State>, after: Option<String>) -> String {
    let state = state.map(|state| format!("stage={}", state.as_str()));
    let after = after.map(|after| format!("after={after}"));
    let query: Vec<_> = state.into_iter().chain(after).collect();
    if query.is_empty() {
        HERE.to_owned()
    } else {
        format!("{HERE}?{}", query.join("&"))
    }
}

/// The stages with how many promotions are so far, and all of them.
fn stages(cx: &Cx, counts: [i64; 7], shown: Option<State>) -> Html {
    let t = &cx.t().admin_promotions;
    let all = std::iter::once((None, t.all, None));
    let stages = State::ALL.into_iter().zip(counts);
    let links: Vec<_> = all
        .chain(stages.map(|(state, n)| (Some(state), called(cx, state), Some(n))))
        .map(|(state, words, n)| {
            let current = (state == shown).then_some("page");
            let n = n.map(|n| view! { " " <span class="badge">{crate::format::integer(n)}</span> });
            view! { <a class="chip" href=list_at(state, None) aria-current=current>{words}{n}</a> }
        })
        .collect();
    view! { <nav class="chips" aria-label=t.stages>{links}</nav> }.into_html()
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
    let by = cx.staff()?;
    let after = cx.query("after").and_then(place);
    let stage = cx.query("stage").and_then(State::from_word);
    let mut all = promotions::list(&cx.db, by, stage, after, SHOWN as i64 + 1).await?;
    let counts = promotions::counts(&mut cx.db.read().await?, by).await?;
    let has_more = all.len() > SHOWN;
    all.truncate(SHOWN);
    let first = after.map(|_| view! { <a class="btn" href=list_at(stage, None)>{t.latest}</a> });
    let next = all.last().filter(|_| has_more).map(|last| {
        let href = list_at(stage, Some(show_place((last.record.ends_at, last.id.0))));
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
    let list = table_or(t.none, t.title, heads, rows);
    let labels = pairs([
        ("title_ru", t.title_ru),
        ("title_en", t.title_en),
        ("note", t.note),
        ("key", t.code),
    ]);
    let view = view! {
        <h1>{t.title}</h1>
        <p class="lead">{t.lead}</p>
        {stages(&cx, counts, stage)}
        {list}
        <div class="pages"><span></span><div class="actions">{first} {next}</div></div>
        <AddBox<CreatePromotion> title=t.new labels=labels>
            <p class="hint">{t.idea_hint}</p>
            <Field name="title_ru" label=t.title_ru optional=true/>
            <Field name="title_en" label=t.title_en optional=true/>
            <TextArea name="note" label=t.note hint=t.note_hint rows=3/>
            <Field name="key" label=t.code hint=t.code_hint optional=true/>
            <button class="btn btn-primary">{t.create}</button>
        </AddBox<CreatePromotion>>
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

/// The labels of [`fields`].
fn labels(cx: &Cx) -> Vec<(String, String)> {
    let t = &cx.t().admin_promotions;
    pairs([
        ("title_ru", t.title_ru),
        ("title_en", t.title_en),
        ("conditions_ru", t.conditions_ru),
        ("conditions_en", t.conditions_en),
        ("starts", t.starts),
        ("ends", t.ends),
        ("stores", t.stores),
        ("rules", t.rules),
    ])
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

/// What a promotion says line by line: in this form two versions are compared.
fn lines(cx: &Cx, names: &Names, all: &[(RuleId, Rule)], said: &NewPromotion) -> Vec<String> {
    let t = &cx.t().admin_promotions;
    let stores: Vec<_> = names
        .stores
        .iter()
        .filter(|(id, ..)| said.stores.contains(id))
        .collect();
    let stores: Vec<_> = stores.into_iter().map(|store| store_name(cx, store)).collect();
    let rules: Vec<_> = all.iter().filter(|(id, _)| said.rules.contains(id)).collect();
    let rules: Vec<_> = rules.into_iter().map(|(_, rule)| cx.pick(&rule.name)).collect();
    let mut lines = vec![
        t.l_title(&said.title.en, &said.title.ru),
        t.l_conditions(&said.conditions.en, &said.conditions.ru),
        t.l_period(cx.moment(said.starts_at), cx.moment(said.ends_at)),
        match stores.is_empty() {
            true => t.l_everywhere.to_owned(),
            false => t.l_stores(stores.join("; ")),
        },
        match rules.is_empty() {
            true => t.l_no_rules.to_owned(),
            false => t.l_rules(rules.join("; ")),
        },
    ];
    lines.extend(said.must_activate.then(|| t.must_activate.to_owned()));
    lines
}

/// One promotion.
pub async fn one(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_promotions;
    let id: PromotionId = cx.param("id")?;
    let by = cx.staff()?;
    let (promotion, draft) = promotions::read(&cx.db, by, id).await?;
    let now = promotion.state(cx.db.now());
    let mut conn = cx.db.read().await?;
    let all = promotions::rules(&mut conn, by).await?;
    let names = rules::names(&mut conn, &[]).await?;
    let outcome = match now {
        State::Running | State::Ended | State::Concluded => Some(outcome::of(&mut conn, by, id).await?),
        _ => None,
    };
    drop(conn);
    let held = &promotion.record;
    let next = draft.as_ref().map_or(held, |draft| &draft.content);
    let title = cx.pick(&held.title);
    let done = [
        ("created", t.done_created),
        ("saved", cx.t().admin_rules.done_saved),
        ("discarded", cx.t().admin_rules.done_discarded),
        ("asked", t.done_asked),
        ("published", t.done_published),
        ("refused", t.done_refused),
        ("ended", t.done_ended),
        ("concluded", t.done_concluded),
    ];
    let named = [
        ("title", t.name),
        ("conditions", t.conditions),
        ("starts_at", t.starts),
        ("ends_at", t.ends),
        ("must_activate", t.must_activate),
        ("stores", t.stores),
        ("rules", t.rules),
        ("stage", t.stage),
        ("note", t.note),
        ("reason", t.reason),
        ("conclusion", t.conclusion),
    ];
    let changes = changes::section(&cx, Object::Promotion(id), &named, |field, value| {
        told(&cx, &names, &all, field, value)
    })
    .await?;
    let seen = serde_json::to_string(next).map_err(|_| AppError::Internal)?;
    // A rule that lies within other conditions may ask all the same; who wrote it so knows.
    let asks = |rule: &Rule| {
        let mut all = rule.conditions.iter();
        all.any(|condition| matches!(condition, Condition::Activated(ids) if ids.contains(&id)))
    };
    let linked = all.iter().filter(|(rule, _)| next.rules.contains(rule));
    let unasked = linked.filter(|(_, rule)| next.must_activate && !asks(rule));
    let unasked: Vec<String> = unasked.map(|(_, rule)| t.ask_activated(cx.pick(&rule.name))).collect();
    let said = |said: &NewPromotion| lines(&cx, &names, &all, said);
    let preview = match (&draft, now) {
        (Some(draft), _) => Some(drafted(&cx, draft, difference(&cx, Some(held), &draft.content, said))),
        (None, State::Draft | State::Approval) => {
            let said = difference(&cx, None, held, said);
            let view = view! {
                <section class="panel" aria-labelledby="preview">
                    <h2 id="preview">{t.preview}</h2>
                    {said}
                </section>
            };
            Some(view.into_html())
        }
        _ => None,
    };
    let step = Step {
        now,
        waits: promotion.desk.asked_at.is_some(),
        is_own: promotion.is_by(by),
        has_draft: draft.is_some(),
        is_fresh: by.fresh(&cx.db).is_ok(),
    };
    let waiting = promotion
        .desk
        .asked_at
        .map(|at| view! { <p class="notice">{t.asked(cx.moment(at))} " " {step.is_own.then_some(t.own)}</p> });
    let refusal = promotion
        .desk
        .refusal
        .clone()
        .map(|reason| view! { <p class="notice notice-warn">{t.refused(reason)}</p> });
    let note = note(&cx, &promotion.desk.note);
    let edit = (!now.is_over()).then(|| {
        let (inside, labels, save) = (cx.clone(), labels(&cx), cx.t().admin_rules.save);
        let (record, names, seen, all) = (next.clone(), names.clone(), seen.clone(), all.clone());
        let is_published = matches!(now, State::Planned | State::Running);
        let (heading, hint) = match is_published {
            true => (t.next, Some(view! { <p class="hint">{t.next_hint}</p> })),
            false => (t.edit, None),
        };
        view! {
            <section class="section narrow" aria-labelledby="edit">
                <h2 id="edit">{heading}</h2>
                {hint}
                <FormBox<ChangePromotion> labels=labels stale=cx.t().admin_shops.stale>
                    <input type="hidden" name="seen" value=seen/>
                    {fields(&inside, &record, &names, &all)}
                    <button class="btn btn-primary">{save}</button>
                </FormBox<ChangePromotion>>
            </section>
        }
    });
    let conclusion = promotion.desk.conclusion.clone().unwrap_or_default();
    let view = view! {
        {back(HERE, t.title)}
        <h1><bdi>{title.clone()}</bdi></h1>
        {flash(&cx, &done)}
        {gone(&cx, cx.t().admin_shops.stale, |form| step.offers(form))}
        <p>{state(&cx, &promotion)} " " {period(&cx, &promotion)} " " <code>{held.code.clone()}</code></p>
        {waiting}
        {refusal}
        {note}
        {warnings(&cx, unasked)}
        {preview}
        {steps(&cx, &step, &seen)}
        {edit}
        {outcome.map(|outcome| figures(&cx, &promotion, outcome))}
        {now.is_over().then(|| conclude(&cx, conclusion))}
        {changes}
    };
    Ok(Body::new(title, Frame::Admin, view))
}

/// What it is about, for staff alone.
fn note(cx: &Cx, note: &str) -> Html {
    let t = &cx.t().admin_promotions;
    let said = (!note.is_empty()).then(|| view! { <div>{paragraphs(note)}</div> });
    let (was_sent, note, seen) = (cx.was_sent(NotePromotion::NAME), note.to_owned(), note.to_owned());
    let save = cx.t().admin_rules.save;
    view! {
        {said}
        <details class="fold narrow" open=was_sent>
            <summary>{t.change_note}</summary>
            <FormBox<NotePromotion> labels=pairs([("note", t.note)]) stale=cx.t().admin_shops.stale>
                <input type="hidden" name="seen" value=seen/>
                <TextArea name="note" label=t.note hint=t.note_hint value=note rows=3/>
                <button class="btn">{save}</button>
            </FormBox<NotePromotion>>
        </details>
    }
    .into_html()
}

/// The next version of what is published: what it would change.
fn drafted(cx: &Cx, draft: &Draft, difference: Html) -> Html {
    let (t, discard) = (&cx.t().admin_promotions, cx.t().admin_rules.discard);
    let seen = draft.changed_at.timestamp_micros().to_string();
    view! {
        <section class="panel" aria-labelledby="preview">
            <h2 id="preview">{t.preview_changes}</h2>
            {changed(cx, draft.changed_at, Some(&draft.changed_by))}
            {difference}
            <FormBox<DiscardPromotion> class="actions" stale=cx.t().admin_shops.stale>
                <input type="hidden" name="seen" value=seen/>
                <button class="btn btn-danger-quiet">{discard}</button>
            </FormBox<DiscardPromotion>>
        </section>
    }
    .into_html()
}

/// Where a promotion is, as far as it says what comes next.
struct Step {
    now: State,
    waits: bool,
    is_own: bool,
    has_draft: bool,
    is_fresh: bool,
}

impl Step {
    fn can_ask(&self) -> bool {
        !self.waits && (self.now == State::Draft || self.has_draft)
    }

    fn can_decide(&self) -> bool {
        self.waits && !self.is_own
    }

    fn can_end(&self) -> bool {
        matches!(self.now, State::Planned | State::Running)
    }

    /// Whether a form is on the page, by its name.
    fn offers(&self, form: &str) -> bool {
        match form {
            AskPromotion::NAME => self.can_ask(),
            ApprovePromotion::NAME => self.can_decide() && self.is_fresh,
            RefusePromotion::NAME => self.can_decide(),
            EndPromotion::NAME => self.can_end() && self.is_fresh,
            ChangePromotion::NAME => !self.now.is_over(),
            DiscardPromotion::NAME => self.has_draft,
            ConcludePromotion::NAME => self.now.is_over(),
            _ => true,
        }
    }
}

/// What comes next for a promotion: consent is asked for, given or not, and it ends.
fn steps(cx: &Cx, step: &Step, seen: &str) -> Html {
    let t = &cx.t().admin_promotions;
    let stale = cx.t().admin_shops.stale;
    let ask = step.can_ask().then(|| {
        let (labels, seen) = (labels(cx), seen.to_owned());
        view! {
            <FormBox<AskPromotion> class="form panel narrow" labels=labels stale=stale>
                <p class="hint">{t.ask_hint}</p>
                <input type="hidden" name="seen" value=seen/>
                <button class="btn btn-primary">{t.ask}</button>
            </FormBox<AskPromotion>>
        }
    });
    let approve = (step.can_decide() && step.is_fresh).then(|| {
        let (labels, seen) = (labels(cx), seen.to_owned());
        view! {
            <FormBox<ApprovePromotion> class="form panel narrow" labels=labels stale=stale>
                <p class="hint">{t.publish_hint}</p>
                <input type="hidden" name="seen" value=seen/>
                <button class="btn btn-primary">{t.approve}</button>
            </FormBox<ApprovePromotion>>
        }
    });
    let refuse = step.can_decide().then(|| {
        let (labels, seen) = (pairs([("reason", t.reason)]), seen.to_owned());
        view! {
            <FormBox<RefusePromotion> class="form panel narrow" labels=labels stale=stale>
                <input type="hidden" name="seen" value=seen/>
                <TextArea name="reason" label=t.reason rows=2/>
                <button class="btn">{t.refuse}</button>
            </FormBox<RefusePromotion>>
        }
    });
    let end = (step.can_end() && step.is_fresh).then(|| {
        let words = if step.now == State::Running { t.end } else { t.call_off };
        view! {
            <FormBox<EndPromotion> class="actions" stale=stale>
                <button class="btn btn-danger-quiet">{words}</button>
            </FormBox<EndPromotion>>
        }
    });
    let first = fresh_first(cx).filter(|_| step.can_decide() || step.can_end());
    view! { {ask} {first} {approve} {refuse} {end} }.into_html()
}

/// What came of a promotion, each figure with how it is counted; none where that is yet to come.
fn figures(cx: &Cx, promotion: &Entry, outcome: Option<Outcome>) -> Html {
    let t = &cx.t().admin_promotions;
    let record = &promotion.record;
    let inside = if record.rules.is_empty() {
        view! { <p class="muted">{t.outcome_none}</p> }.into_html()
    } else if let Some(outcome) = outcome {
        let days = (record.ends_at - record.starts_at).num_days().max(1);
        let days = crm::content::days(cx.lang, days);
        let rows = [
            (
                t.o_purchases,
                crate::format::integer(outcome.purchases),
                t.f_purchases.to_owned(),
            ),
            (
                t.o_customers,
                crate::format::integer(outcome.customers),
                t.f_customers.to_owned(),
            ),
            (t.o_points, cx.points(outcome.points), t.f_points.to_owned()),
            (t.o_discount, cx.money(outcome.discount), t.f_discount.to_owned()),
            (t.o_sales, cx.money(outcome.sales), t.f_sales.to_owned()),
            (t.o_before, cx.money(outcome.sales_before), t.f_before(days)),
        ];
        let rows: Vec<_> = rows
            .into_iter()
            .map(|(name, figure, formula)| {
                view! {
                    <tr>
                        <th scope="row">{name}</th>
                        <td class="num">{figure}</td>
                        <td class="grow-wrap muted">{formula}</td>
                    </tr>
                }
            })
            .collect();
        let heads = vec![Head::Words(t.figure), Head::Number(t.value), Head::Words(t.formula)];
        view! {
            <DataTable label=t.outcome heads=heads rows=rows.into_html()/>
            <p class="hint">{t.counted(cx.moment(outcome.at))}</p>
        }
        .into_html()
    } else {
        view! { <p class="muted">{t.outcome_soon}</p> }.into_html()
    };
    view! {
        <div class="section">
            <h2>{t.outcome}</h2>
            {inside}
        </div>
    }
    .into_html()
}

/// What a marketer makes of it.
fn conclude(cx: &Cx, conclusion: String) -> Html {
    let t = &cx.t().admin_promotions;
    let labels = pairs([("conclusion", t.conclusion)]);
    let seen = conclusion.clone();
    view! {
        <FormBox<ConcludePromotion> class="form panel narrow" labels=labels stale=cx.t().admin_shops.stale>
            <input type="hidden" name="seen" value=seen/>
            <TextArea name="conclusion" label=t.conclusion hint=t.conclusion_hint value=conclusion/>
            <button class="btn btn-primary">{t.conclude}</button>
        </FormBox<ConcludePromotion>>
    }
    .into_html()
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
        "stage" => State::from_word(value.as_str()?).map(|state| called(cx, state).to_owned()),
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
