//! Tiers of a program, written as rules are: a draft is put together part by part, tried on the members of today, and
//! published; what was published is replaced, never changed.

use super::changes;
use super::rules::fields::{hundredths, optional, whole};
use super::rules::named;
use super::rules::words::Words;
use super::versions::{self, Versions, in_time, list, moment};
use crate::cabinet::{flash, fresh_first, unsaid};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use crate::ui::{DataTable, Field, FormBox, Head, Select, pairs};
use crm::audit::Last;
use crm::flaw::{Check as Flaws, Flaw};
use crm::id::TierId;
use crm::program::store::managing::{self as programs, Entry};
use crm::rule::store::{Names, PublishError};
use crm::rule::tier::store::{self as tiers, Preview, Version};
use crm::rule::tier::{Downgrade, Measure, Tier, Tiers};
use crm::rule::{Fault, Problem, Span, Window};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;
use std::collections::HashMap;

/// The longest period or grace, in days or months.
const LENGTH_MAX: u32 = 3_660;

/// The program of the address.
async fn program(cx: &Cx) -> Result<Entry, AppError> {
    let code: String = cx.param("code")?;
    Ok(programs::get(&mut cx.db.read().await?, cx.staff()?, &code).await?)
}

/// Back on the page at hand, at a part of it.
fn next(cx: &Cx, done: &str, part: &str) -> Next {
    Next::to(format!("{}?done={done}#{part}", cx.path))
}

/// The draft at hand as it was seen, with a change.
async fn change(cx: &Cx, seen: i64, change: impl FnOnce(&mut Tiers) -> Result<(), AppError>) -> Result<(), AppError> {
    let (staff, id, seen) = (cx.staff()?, program(cx).await?.id, versions::seen(seen)?);
    let all = tiers::versions_of(&mut cx.db.read().await?, staff, id).await?;
    let draft = all
        .into_iter()
        .find(|version| version.changed_at == seen && version.effective_at.is_none());
    let mut definition = draft.and_then(|draft| draft.definition).ok_or(AppError::Stale)?;
    change(&mut definition)?;
    Ok(tiers::change(&cx.db, staff, id, Some(seen), &definition).await?)
}

/// Begins a draft with what the tiers said last, or with none.
#[derive(Deserialize)]
pub struct BeginTiers {}

impl Form for BeginTiers {
    const NAME: &'static str = "tiers.begin";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (staff, id) = (cx.staff()?, program(cx).await?.id);
        let all = tiers::versions_of(&mut cx.db.read().await?, staff, id).await?;
        let draft = versions::last(&all).cloned().unwrap_or(Tiers {
            measure: Measure::Sum,
            window: Window::Last(Span::Months(12)),
            downgrade: Downgrade::Earned,
            grace: None,
            tiers: Vec::new(),
        });
        tiers::change(&cx.db, staff, id, None, &draft).await?;
        Ok(next(cx, "begun", "draft"))
    }
}

/// Throws the draft away.
#[derive(Deserialize)]
pub struct DiscardTiers {
    seen: i64,
}

impl Form for DiscardTiers {
    const NAME: &'static str = "tiers.discard";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (id, seen) = (program(cx).await?.id, versions::seen(self.seen)?);
        tiers::discard(&cx.db, cx.staff()?, id, seen).await?;
        Ok(Next::to(format!("{}?done=discarded", cx.path)))
    }
}

/// Changes what the draft counts, in which period, and what happens to a tier that is not earned any more.
#[derive(Deserialize)]
pub struct SetMeasure {
    seen: i64,
    measure: String,
    window: String,
    length: String,
    downgrade: String,
    grace: String,
    grace_unit: String,
}

/// A number of days or months.
fn length(text: &str) -> Result<u32, Flaw> {
    let n = u32::try_from(whole(text)?).unwrap_or(u32::MAX);
    let out = Flaw::OutOfRange {
        min: 1,
        max: LENGTH_MAX.into(),
    };
    if (1..=LENGTH_MAX).contains(&n) { Ok(n) } else { Err(out) }
}

impl Form for SetMeasure {
    const NAME: &'static str = "tiers.measure";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let mut flaws = Flaws::new();
        let measure = match self.measure.as_str() {
            "count" => Measure::Count,
            _ => Measure::Sum,
        };
        let mut last = |span: fn(u32) -> Span| {
            let length = flaws.field("length", length(&self.length)).unwrap_or(1);
            Some(Window::Last(span(length)))
        };
        let window = match self.window.as_str() {
            "days" => last(Span::Days),
            "months" => last(Span::Months),
            "month" => Some(Window::Month),
            "year" => Some(Window::Year),
            "ever" => Some(Window::Ever),
            // Days that have no fields here stay.
            _ => None,
        };
        let downgrade = match self.downgrade.as_str() {
            "never" => Downgrade::Never,
            "step" => Downgrade::Step,
            _ => Downgrade::Earned,
        };
        let grace = match (optional(&self.grace, length), downgrade) {
            (Ok(None), Downgrade::Step) => Err(Flaw::Missing),
            (grace, _) => grace,
        };
        let grace = flaws.field("grace", grace).flatten();
        let grace = grace.map(if self.grace_unit == "months" {
            Span::Months
        } else {
            Span::Days
        });
        if !flaws.is_clean() {
            return Err(AppError::Invalid { flaws: flaws.flaws() });
        }
        change(cx, self.seen, |tiers| {
            tiers.measure = measure;
            tiers.window = window.unwrap_or(tiers.window);
            (tiers.downgrade, tiers.grace) = (downgrade, grace);
            Ok(())
        })
        .await?;
        Ok(next(cx, "saved", "draft"))
    }
}

/// Adds a tier to the draft, or changes one. They stand by their thresholds, the lowest first.
#[derive(Deserialize)]
pub struct PutTier {
    seen: i64,
    at: String,
    ru: String,
    en: String,
    threshold: String,
}

impl Form for PutTier {
    const NAME: &'static str = "tiers.tier";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        change(cx, self.seen, |tiers| {
            let mut flaws = Flaws::new();
            let name = named(&mut flaws, &self.ru, &self.en);
            let threshold = match (self.threshold.trim(), tiers.measure) {
                ("0", _) => Ok(0),
                (text, Measure::Sum) => hundredths(text),
                (text, Measure::Count) => whole(text),
            };
            let place = match self.at.as_str() {
                "" => None,
                at => Some(at.parse::<usize>().map_err(|_| AppError::Refused)?),
            };
            let mut others = tiers.tiers.iter().enumerate().filter(|(i, _)| Some(*i) != place);
            let threshold = threshold.and_then(|threshold| {
                let is_taken = others.any(|(_, other)| other.threshold == threshold);
                if is_taken { Err(Flaw::Taken) } else { Ok(threshold) }
            });
            let threshold = flaws.field("threshold", threshold).unwrap_or_default();
            if !flaws.is_clean() {
                return Err(AppError::Invalid { flaws: flaws.flaws() });
            }
            match place {
                None => tiers.tiers.push(Tier {
                    id: TierId::new(),
                    name,
                    threshold,
                }),
                Some(place) => {
                    let tier = tiers.tiers.get_mut(place).ok_or(AppError::Stale)?;
                    (tier.name, tier.threshold) = (name, threshold);
                }
            }
            tiers.tiers.sort_by_key(|tier| tier.threshold);
            Ok(())
        })
        .await?;
        Ok(next(cx, "saved", "tiers"))
    }
}

/// Takes a tier out of the draft.
#[derive(Deserialize)]
pub struct TakeTier {
    seen: i64,
    at: usize,
}

impl Form for TakeTier {
    const NAME: &'static str = "tiers.tier_remove";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        change(cx, self.seen, |tiers| {
            if self.at >= tiers.tiers.len() {
                return Err(AppError::Stale);
            }
            tiers.tiers.remove(self.at);
            Ok(())
        })
        .await?;
        Ok(next(cx, "removed", "tiers"))
    }
}

/// Publishes the draft as it was seen.
#[derive(Deserialize)]
pub struct PublishTiers {
    seen: i64,
    from: String,
}

impl Form for PublishTiers {
    const NAME: &'static str = "tiers.publish";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (by, id) = (cx.staff()?.fresh(&cx.db)?, program(cx).await?.id);
        let seen = versions::seen(self.seen)?;
        let from = moment(cx, &self.from).map_err(|flaw| AppError::field("from", flaw))?;
        tiers::publish(&cx.db, &by, id, seen, from)
            .await
            .map_err(|error| match error {
                // The page has no button while there are faults, nor where there is no draft.
                PublishError::Faulty(_) | PublishError::Crm(crm::Error::NotFound) => AppError::Stale,
                PublishError::Crm(e) => in_time(e),
            })?;
        let done = if from.is_some() { "scheduled" } else { "published" };
        Ok(Next::to(format!("{}?done={done}", cx.path)))
    }
}

/// Withdraws the tiers.
#[derive(Deserialize)]
pub struct WithdrawTiers {
    from: String,
}

impl Form for WithdrawTiers {
    const NAME: &'static str = "tiers.withdraw";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (by, id) = (cx.staff()?.fresh(&cx.db)?, program(cx).await?.id);
        let from = moment(cx, &self.from).map_err(|flaw| AppError::field("from", flaw))?;
        tiers::withdraw(&cx.db, &by, id, from).await.map_err(in_time)?;
        Ok(Next::to(format!("{}?done=withdrawn", cx.path)))
    }
}

/// Calls tiers off that do not count yet.
#[derive(Deserialize)]
pub struct CallOffTiers {
    version: i64,
}

impl Form for CallOffTiers {
    const NAME: &'static str = "tiers.call_off";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (by, id) = (cx.staff()?.fresh(&cx.db)?, program(cx).await?.id);
        tiers::call_off(&cx.db, &by, id, self.version)
            .await
            .map_err(versions::in_place)?;
        Ok(Next::to(format!("{}?done=called_off", cx.path)))
    }
}

/// A number of days or months in words.
fn span(cx: &Cx, span: Span) -> String {
    match span {
        Span::Days(n) => cx.t().common.days(n.into()),
        Span::Months(n) => cx.t().admin_rules.months(n.into()),
    }
}

/// From how much on a tier begins.
fn threshold(cx: &Cx, measure: Measure, threshold: i64) -> String {
    match measure {
        Measure::Sum => cx.money(threshold),
        Measure::Count => cx.t().admin_tiers.purchases(threshold),
    }
}

/// What is counted, and what happens to a tier that is not earned any more, line by line.
fn basics(cx: &Cx, tiers: &Tiers) -> Vec<String> {
    let t = &cx.t().admin_tiers;
    let names = Names::default();
    let window = Words { cx, names: &names }.window(tiers.window);
    let counts = match tiers.measure {
        Measure::Sum => t.l_sum(window),
        Measure::Count => t.l_count(window),
    };
    let grace = tiers.grace.map(|grace| t.l_grace(span(cx, grace)));
    let downgrade = match tiers.downgrade {
        Downgrade::Never => t.l_never,
        Downgrade::Step => t.l_step,
        Downgrade::Earned => t.l_earned,
    };
    [Some(counts), grace, Some(downgrade.to_owned())]
        .into_iter()
        .flatten()
        .collect()
}

/// Everything line by line: in this form two versions are compared.
fn lines(cx: &Cx, tiers: &Tiers) -> Vec<String> {
    let t = &cx.t().admin_tiers;
    let one = |tier: &Tier| t.l_tier(cx.pick(&tier.name), threshold(cx, tiers.measure, tier.threshold));
    let mut lines: Vec<String> = tiers.tiers.iter().map(one).collect();
    lines.extend(basics(cx, tiers));
    lines
}

/// What is wrong with a draft: where, and what.
fn fault(cx: &Cx, fault: &Fault) -> String {
    let (t, of_rules) = (&cx.t().admin_tiers, &cx.t().admin_rules);
    let mut parts = fault.pointer.split('/').skip(1);
    let (part, place) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    match (part, place.parse::<usize>(), fault.problem) {
        ("tiers", Err(_), _) => t.f_no_tier.to_owned(),
        ("tiers", Ok(i), Problem::OutOfRange { .. }) => t.f_threshold(i + 1),
        ("tiers", Ok(i), _) => t.f_tier(i + 1),
        ("grace", ..) => t.f_grace.to_owned(),
        _ => of_rules.f_missing.to_owned(),
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_tiers;
    let staff = cx.staff()?;
    let program = program(&cx).await?;
    let all = tiers::history(&cx.db, staff, program.id).await?;
    let mut conn = cx.db.read().await?;
    let counts: HashMap<_, _> = tiers::counts(&mut conn, staff, program.id).await?.into_iter().collect();
    drop(conn);
    let quicker = changes::quicker(&cx, Last::Of(program.id.0)).await?;
    let name = cx.pick(&program.name);
    let now = cx.db.now();
    let Versions {
        draft,
        published,
        current,
        ahead,
    } = Versions::at(&all, now);
    let lines = |tiers: &Tiers| lines(&cx, tiers);
    let first = fresh_first(&cx);
    let is_fresh = first.is_none();
    let ahead = versions::ahead::<CallOffTiers, _>(&cx, &ahead, lines, t.will_be_withdrawn, is_fresh);
    let standing = match current.map(|version| (version, &version.definition)) {
        Some((version, Some(tiers))) => {
            let stand = stand(&cx, tiers, &counts);
            versions::in_force(&cx, version, basics(&cx, tiers), Some(stand))
        }
        Some((version, None)) => {
            let at = version.effective_at.unwrap_or(now);
            view! { <p class="notice">{t.withdrawn_since(cx.moment(at))}</p> }.into_html()
        }
        None => view! { <p class="notice">{t.never_published}</p> }.into_html(),
    };
    let can_withdraw = current.is_some_and(|version| version.definition.is_some());
    let draft = draft.and_then(|version| Some((version, version.definition.as_ref()?)));
    let preview = match draft {
        Some((_, tiers)) if cx.query("preview").is_some() && tiers.validate().is_empty() => {
            Some(tiers::preview(&cx.db, staff, program.id, tiers).await?)
        }
        _ => None,
    };
    let before = current.and_then(|version| version.definition.as_ref());
    let done = [
        ("begun", t.done_begun),
        ("saved", cx.t().admin_rules.done_saved),
        ("removed", cx.t().admin_rules.done_removed),
        ("discarded", cx.t().admin_rules.done_discarded),
        ("published", t.done_published),
        ("scheduled", cx.t().admin_rules.done_scheduled),
        ("withdrawn", t.done_withdrawn),
        ("called_off", cx.t().admin_rules.done_called_off),
    ];
    let begin = if can_withdraw {
        cx.t().admin_rules.begin
    } else {
        t.begin
    };
    let title = t.title(&name);
    let view = view! {
        <a class="back" href=format!("{}/{}", super::programs::HERE, program.code)>
            {icon(icons::ARROW_LEFT)} <bdi>{name.clone()}</bdi>
        </a>
        <h1>{title.clone()}</h1>
        <p class="lead">{t.lead}</p>
        {flash(&cx, &done)}
        {gone(&cx, draft.map(|(_, tiers)| tiers))}
        {quicker}
        {standing}
        {ahead}
        {match draft {
            Some((version, tiers)) => editor(&cx, version, tiers, is_fresh, preview.map(|preview| {
                previewed(&cx, &preview, before, tiers)
            })),
            None => view! {
                <FormBox<BeginTiers> class="actions">
                    <button class="btn btn-primary">{begin}</button>
                </FormBox<BeginTiers>>
            }
            .into_html(),
        }}
        {first}
        {(can_withdraw && is_fresh).then(|| versions::withdraw::<WithdrawTiers>(&cx, t.withdraw, t.withdraw_hint))}
        {versions::history(&cx, &published, lines, t.was_withdrawn)}
    };
    Ok(Body::new(title, Frame::Admin, view))
}

/// Says that the draft was changed by somebody else, where the form that was sent is no longer on the page to say so itself.
fn gone(cx: &Cx, draft: Option<&Tiers>) -> Option<Html> {
    let stale = cx.t().admin_rules.stale;
    let Some(tiers) = draft else {
        let others = [BeginTiers::NAME, CallOffTiers::NAME, WithdrawTiers::NAME];
        let sent = cx.outcome.as_ref().filter(|o| !others.contains(&o.form.as_str()))?;
        return (sent.error == AppError::Stale || sent.error == AppError::NotFound)
            .then(|| view! { <p class="notice notice-warn" role="alert">{stale}</p> }.into_html());
    };
    let count = tiers.tiers.len();
    let is_there = |at: &str| at.is_empty() || at.parse().is_ok_and(|at: usize| at < count);
    unsaid(
        cx,
        &[PutTier::NAME, TakeTier::NAME, BeginTiers::NAME],
        "at",
        is_there,
        stale,
    )
}

/// How many members stand in each tier.
fn stand(cx: &Cx, tiers: &Tiers, counts: &HashMap<Option<TierId>, i64>) -> Html {
    let t = &cx.t().admin_tiers;
    let row = |id: Option<TierId>, name: String, from: String| {
        let count = format::integer(counts.get(&id).copied().unwrap_or_default());
        view! { <tr><td class="grow"><bdi>{name}</bdi></td><td class="num">{from}</td><td class="num">{count}</td></tr> }
    };
    let mut rows = vec![row(None, t.no_tier.to_owned(), String::new())];
    rows.extend(tiers.tiers.iter().map(|tier| {
        let from = threshold(cx, tiers.measure, tier.threshold);
        row(Some(tier.id), cx.pick(&tier.name), from)
    }));
    let heads = vec![Head::Words(t.tier), Head::Number(t.from), Head::Number(t.members)];
    view! { <DataTable label=t.stand heads=heads rows=rows.into_html()/> }.into_html()
}

/// The draft: its tiers, what they count, what is wrong, who would move, and how it is published.
fn editor(cx: &Cx, version: &Version, tiers: &Tiers, is_fresh: bool, preview: Option<Html>) -> Html {
    let (t, of_rules) = (&cx.t().admin_tiers, &cx.t().admin_rules);
    let seen = version.changed_at.timestamp_micros();
    let faults = versions::faults(cx, tiers.validate().iter().map(|one| fault(cx, one)).collect());
    let is_clean = faults.is_none();
    let publish = (is_clean && is_fresh).then(|| versions::publish::<PublishTiers>(cx, seen));
    let ask = (is_clean && preview.is_none()).then(|| {
        let href = format!("{}?preview=yes#preview", cx.path);
        view! { <p class="actions"><a class="btn" href=href>{t.ask_preview}</a></p> }
    });
    view! {
        <section class="section" id="draft" aria-labelledby="draft-title">
            <h2 id="draft-title">{of_rules.draft}</h2>
            {versions::changed(cx, version.changed_at, version.changed_by.as_deref())}
            {rows(cx, tiers, seen)}
            {measure(cx, tiers, seen)}
            {faults}
            {ask}
            {preview}
            {publish}
            <FormBox<DiscardTiers> class="actions" stale=of_rules.stale>
                <input type="hidden" name="seen" value=seen.to_string()/>
                <button class="btn btn-danger-quiet">{of_rules.discard}</button>
            </FormBox<DiscardTiers>>
        </section>
    }
    .into_html()
}

/// The tiers of the draft, with the fields of the one that the address opens: `?tier=1`, or `?tier=new`.
fn rows(cx: &Cx, tiers: &Tiers, seen: i64) -> Html {
    let (t, of_rules) = (&cx.t().admin_tiers, &cx.t().admin_rules);
    let list: Vec<_> = tiers
        .tiers
        .iter()
        .enumerate()
        .map(|(i, tier)| {
            let said = t.l_tier(cx.pick(&tier.name), threshold(cx, tiers.measure, tier.threshold));
            let (edited, removed) = (said.clone(), said.clone());
            view! {
                <li class="row row-wrap">
                    <span class="row-main">{said}</span>
                    <span class="row-acts">
                        <a class="btn btn-sm" href=format!("?tier={i}#edit-tier")>
                            {of_rules.edit} <span class="sr-only">": " {edited}</span>
                        </a>
                        <FormBox<TakeTier> id=format!("tier-{i}") class="row-form" stale=of_rules.stale>
                            <input type="hidden" name="seen" value=seen.to_string()/>
                            <input type="hidden" name="at" value=i.to_string()/>
                            <button class="btn btn-sm btn-danger-quiet">
                                {of_rules.remove} <span class="sr-only">": " {removed}</span>
                            </button>
                        </FormBox<TakeTier>>
                    </span>
                </li>
            }
        })
        .collect();
    let list = match list.is_empty() {
        true => view! { <p class="muted">{t.no_tiers}</p> }.into_html(),
        false => view! { <ul class="rows panel panel-flush">{list}</ul> }.into_html(),
    };
    let editing = cx.query("tier").and_then(|asked| {
        let held = asked.parse::<usize>().ok().and_then(|at| tiers.tiers.get(at));
        (asked == "new" || held.is_some()).then(|| editing(cx, tiers.measure, held, asked, seen))
    });
    view! {
        <section id="tiers" aria-labelledby="tiers-title">
            <h3 id="tiers-title" class="mb-2">{t.short}</h3>
            {list}
            {editing}
            <p class="actions"><a class="btn btn-sm" href="?tier=new#edit-tier">{t.add}</a></p>
        </section>
    }
    .into_html()
}

/// The fields of a tier, opened.
fn editing(cx: &Cx, measure: Measure, held: Option<&Tier>, asked: &str, seen: i64) -> Html {
    let (t, of_rules) = (&cx.t().admin_tiers, &cx.t().admin_rules);
    let at = held.map(|_| asked.to_owned()).unwrap_or_default();
    let (ru, en) = held
        .map(|tier| (tier.name.ru.clone(), tier.name.en.clone()))
        .unwrap_or_default();
    let from = held.map(|tier| match measure {
        Measure::Sum => crm::points::written(cx.lang, tier.threshold),
        Measure::Count => tier.threshold.to_string(),
    });
    let label = match measure {
        Measure::Sum => t.from_sum,
        Measure::Count => t.from_count,
    };
    let labels = pairs([("ru", of_rules.name_ru), ("en", of_rules.name_en), ("threshold", label)]);
    let (back, cancel) = (format!("{}#tiers", cx.path), cx.t().common.cancel);
    view! {
        <div class="panel narrow mt-3" id="edit-tier">
            <h4>{t.tier}</h4>
            <FormBox<PutTier> labels=labels stale=of_rules.stale>
                <input type="hidden" name="seen" value=seen.to_string()/>
                <input type="hidden" name="at" value=at/>
                <Field name="ru" label=of_rules.name_ru value=ru/>
                <Field name="en" label=of_rules.name_en value=en/>
                <Field name="threshold" label=label hint=t.from_hint value=from.unwrap_or_default() inputmode="decimal"/>
                <div class="actions">
                    <button class="btn btn-primary">{of_rules.save}</button>
                    <a class="btn btn-quiet" href=back>{cancel}</a>
                </div>
            </FormBox<PutTier>>
        </div>
    }
    .into_html()
}

/// What the draft counts, and what happens to a tier that is not earned any more.
fn measure(cx: &Cx, tiers: &Tiers, seen: i64) -> Html {
    let (t, of_rules) = (&cx.t().admin_tiers, &cx.t().admin_rules);
    let owned = |list: &[(&str, &str)]| -> Vec<(String, String)> {
        list.iter()
            .map(|(code, words)| ((*code).to_owned(), (*words).to_owned()))
            .collect()
    };
    let measures = owned(&[("sum", t.m_sum), ("count", t.m_count)]);
    let measure = if tiers.measure == Measure::Count {
        "count"
    } else {
        "sum"
    };
    let mut windows = owned(&[
        ("ever", of_rules.w_ever),
        ("days", of_rules.last_days),
        ("months", of_rules.last_months),
        ("month", of_rules.w_month),
        ("year", of_rules.w_year),
    ]);
    let (window, length) = match tiers.window {
        Window::Ever => ("ever", String::new()),
        Window::Last(Span::Days(n)) => ("days", n.to_string()),
        Window::Last(Span::Months(n)) => ("months", n.to_string()),
        Window::Month => ("month", String::new()),
        Window::Year => ("year", String::new()),
        between @ Window::Between { .. } => {
            let names = Names::default();
            windows.push(("between".to_owned(), Words { cx, names: &names }.window(between)));
            ("between", String::new())
        }
    };
    let downgrades = owned(&[("earned", t.l_earned), ("step", t.l_step), ("never", t.l_never)]);
    let downgrade = match tiers.downgrade {
        Downgrade::Earned => "earned",
        Downgrade::Step => "step",
        Downgrade::Never => "never",
    };
    let units = owned(&[("days", t.days), ("months", t.months)]);
    let (grace, unit) = match tiers.grace {
        None => (String::new(), "days"),
        Some(Span::Days(n)) => (n.to_string(), "days"),
        Some(Span::Months(n)) => (n.to_string(), "months"),
    };
    let labels = owned(&[("length", of_rules.length), ("grace", t.grace)]);
    let was_sent = cx.was_sent(SetMeasure::NAME);
    view! {
        <section aria-labelledby="measure-title">
            <h3 id="measure-title" class="mb-2">{t.measure}</h3>
            {list(basics(cx, tiers))}
            <details class="fold" open=was_sent>
                <summary>{t.change_measure}</summary>
                <FormBox<SetMeasure> labels=labels stale=of_rules.stale>
                    <input type="hidden" name="seen" value=seen.to_string()/>
                    <Select name="measure" label=t.counted options=measures value=measure/>
                    <div class="grid gap-3 sm:grid-cols-2">
                        <Select name="window" label=of_rules.window options=windows value=window/>
                        <Field name="length" label=of_rules.length hint=of_rules.length_hint value=length inputmode="numeric" optional=true/>
                    </div>
                    <div class="grid gap-3 sm:grid-cols-2">
                        <Field name="grace" label=t.grace hint=t.grace_hint value=grace inputmode="numeric" optional=true/>
                        <Select name="grace_unit" label=t.grace_unit options=units value=unit/>
                    </div>
                    <Select name="downgrade" label=t.downgrade options=downgrades value=downgrade/>
                    <button class="btn">{of_rules.save}</button>
                </FormBox<SetMeasure>>
            </details>
        </section>
    }
    .into_html()
}

/// Who would stand elsewhere if the draft counted now.
fn previewed(cx: &Cx, preview: &Preview, before: Option<&Tiers>, draft: &Tiers) -> Html {
    let t = &cx.t().admin_tiers;
    let name = |id: Option<TierId>| {
        let Some(id) = id else { return t.no_tier.to_owned() };
        let tier = draft.get(id).or_else(|| before?.get(id));
        tier.map(|tier| cx.pick(&tier.name)).unwrap_or_default()
    };
    // The largest group first.
    let mut moves: Vec<_> = preview.moves.iter().collect();
    moves.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let rows: Vec<_> = moves
        .into_iter()
        .map(|((from, to), count)| {
            view! {
                <tr>
                    <td><bdi>{name(*from)}</bdi></td>
                    <td class="grow"><bdi>{name(*to)}</bdi></td>
                    <td class="num">{format::integer(*count)}</td>
                </tr>
            }
        })
        .collect();
    let table = (!rows.is_empty()).then(|| {
        let heads = vec![
            Head::Words(t.was_in),
            Head::Words(t.will_be_in),
            Head::Number(t.members),
        ];
        view! { <DataTable label=t.preview heads=heads rows=rows.into_html()/> }
    });
    let words = match preview.moved() {
        0 => t.nobody_moves(format::integer(preview.members)),
        n => format!("{} {}", t.would_move(n), t.of_members(format::integer(preview.members))),
    };
    let part = (!preview.is_whole).then(|| view! { <p class="hint">{t.preview_part}</p> });
    view! {
        <section class="panel" id="preview" aria-labelledby="preview-title">
            <h3 id="preview-title">{t.preview}</h3>
            <p role="status">{words}</p>
            {table}
            {part}
        </section>
    }
    .into_html()
}
