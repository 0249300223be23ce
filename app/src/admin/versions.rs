//! What is drafted and published, as staff see it: what counts now, what will count, what was published before and what each
//! version changed. Rules and tiers are shown alike.

use crate::cx::Cx;
use crate::route::Form;
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{Field, FormBox, Moment, pairs};
use chrono::{DateTime, NaiveDateTime, Utc};
use crm::flaw::Flaw;
use crm::rule::store::versions::Version;
use islands::AppError;
use leptos::prelude::*;
use serde::Serialize;
use std::collections::HashSet;

/// Versions by what they are now.
pub(super) struct Versions<'a, T> {
    /// What is being written.
    pub(super) draft: Option<&'a Version<T>>,
    /// What was published, the newest first.
    pub(super) published: Vec<&'a Version<T>>,
    /// Of these the one that counts.
    pub(super) current: Option<&'a Version<T>>,
    /// Of these those that count from later on, the next first.
    pub(super) ahead: Vec<&'a Version<T>>,
}

impl<'a, T> Versions<'a, T> {
    /// All of them, given the newest first, at a moment.
    pub(super) fn at(all: &'a [Version<T>], now: DateTime<Utc>) -> Self {
        let (published, drafts): (Vec<_>, Vec<_>) = all.iter().partition(|version| version.effective_at.is_some());
        let valid = published
            .iter()
            .copied()
            .filter(|version| version.counts_from().is_some());
        let (current, mut ahead): (Vec<_>, Vec<_>) = valid.partition(|version| version.effective_at <= Some(now));
        let place = |version: &&Version<T>| (version.effective_at, version.version);
        ahead.sort_by_key(place);
        Self {
            draft: drafts.first().copied(),
            current: current.into_iter().max_by_key(place),
            ahead,
            published,
        }
    }
}

/// What the newest version says, given the newest first. One that was called off speaks only where there is no other.
pub(super) fn last<T>(all: &[Version<T>]) -> Option<&T> {
    let (off, valid): (Vec<_>, Vec<_>) = all.iter().partition(|version| version.called_off_at.is_some());
    let mut said = valid.into_iter().chain(off);
    said.find_map(|version| version.definition.as_ref())
}

/// Lines one below the other.
pub(super) fn list(lines: Vec<String>) -> Html {
    let lines: Vec<_> = lines.into_iter().map(|line| view! { <li>{line}</li> }).collect();
    view! { <ul class="list-disc ps-5">{lines}</ul> }.into_html()
}

/// The version that counts now, in these lines, with more below them.
pub(super) fn in_force<T>(cx: &Cx, version: &Version<T>, lines: Vec<String>, more: Option<Html>) -> Html {
    let t = &cx.t().admin_rules;
    let since = version.effective_at.map(|at| t.since(cx.moment(at)));
    view! {
        <section class="panel" aria-labelledby="now">
            <h2 id="now">{t.now}</h2>
            <p class="muted">{t.version(version.version)} ", " {since}</p>
            {list(lines)}
            {more}
        </section>
    }
    .into_html()
}

/// What counts from later on, each with a button that calls it off where `is_fresh`; `nothing` is what to say of one that says
/// nothing.
pub(super) fn ahead<F: Form + 'static, T>(
    cx: &Cx,
    ahead: &[&Version<T>],
    lines: impl Fn(&T) -> Vec<String>,
    nothing: &'static str,
    is_fresh: bool,
) -> Vec<Html> {
    let t = &cx.t().admin_rules;
    let section = |version: &&Version<T>| {
        let at = version.effective_at.map(|at| cx.moment(at)).unwrap_or_default();
        let inside = match &version.definition {
            Some(definition) => list(lines(definition)),
            None => view! { <p>{nothing}</p> }.into_html(),
        };
        let number = version.version.to_string();
        let (id, title) = (format!("call-off-{number}"), t.from_then(at.clone()));
        let call_off = is_fresh.then(|| {
            view! {
                <FormBox<F> id=id class="actions">
                    <input type="hidden" name="version" value=number/>
                    <button class="btn btn-sm">{t.call_off}<span class="sr-only">": " {at}</span></button>
                    <span class="hint">{t.call_off_hint}</span>
                </FormBox<F>>
            }
        });
        view! {
            <section class="panel">
                <h2>{title}</h2>
                {inside}
                {call_off}
            </section>
        }
        .into_html()
    };
    ahead.iter().map(section).collect()
}

/// What was to be called off counts by now, or somebody else was quicker.
pub(super) fn in_place(error: crm::Error) -> AppError {
    match error {
        crm::Error::NotFound => AppError::Stale,
        other => other.into(),
    }
}

/// When the draft was changed last, and by whom; none: the command line.
pub(super) fn changed(cx: &Cx, at: DateTime<Utc>, by: Option<&str>) -> Html {
    let t = &cx.t().admin_rules;
    let by = by.unwrap_or(t.by_command_line).to_owned();
    view! { <p class="muted">{t.changed} " " <Moment at=at shown=cx.moment(at)/> ", " <bdi>{by}</bdi></p> }.into_html()
}

/// What keeps a draft from being published; nothing where nothing does.
pub(super) fn faults(cx: &Cx, faults: Vec<String>) -> Option<Html> {
    let t = &cx.t().admin_rules;
    let faults = (!faults.is_empty()).then(|| list(faults))?;
    let view = view! { <div class="notice notice-warn"><div><p><b>{t.faults}</b></p>{faults}</div></div> };
    Some(view.into_html())
}

/// What is to be looked at before a draft is published; nothing where nothing is.
pub(super) fn warnings(cx: &Cx, warnings: Vec<String>) -> Option<Html> {
    let t = &cx.t().admin_rules;
    let warnings = (!warnings.is_empty()).then(|| list(warnings))?;
    let view = view! { <div class="notice"><div><p><b>{t.warnings}</b></p>{warnings}</div></div> };
    Some(view.into_html())
}

/// Publishes the draft as it was seen, now or from a moment on.
pub(super) fn publish<F: Form + 'static>(cx: &Cx, seen: i64) -> Html {
    let t = &cx.t().admin_rules;
    view! {
        <FormBox<F> labels=pairs([("from", t.publish_from)]) class="form panel narrow" stale=t.stale>
            <input type="hidden" name="seen" value=seen.to_string()/>
            <Field name="from" label=t.publish_from hint=t.publish_hint kind="datetime-local" optional=true/>
            <button class="btn btn-primary">{t.publish}</button>
        </FormBox<F>>
    }
    .into_html()
}

/// Withdraws what counts, now or from a moment on: the words of its button, and what becomes of what there was.
pub(super) fn withdraw<F: Form + 'static>(cx: &Cx, words: &'static str, hint: &'static str) -> Html {
    let t = &cx.t().admin_rules;
    let was_sent = cx.was_sent(F::NAME);
    view! {
        <details class="fold" open=was_sent>
            <summary>{words}</summary>
            <FormBox<F> labels=pairs([("from", t.withdraw_from)]) class="form narrow">
                <Field name="from" label=t.withdraw_from hint=hint kind="datetime-local" optional=true/>
                <button class="btn btn-danger">{words}</button>
            </FormBox<F>>
        </details>
    }
    .into_html()
}

/// What was published, the newest first, each with what it changed; `nothing` is what to say of one that says nothing.
pub(super) fn history<T: Serialize + PartialEq>(
    cx: &Cx,
    published: &[&Version<T>],
    lines: impl Fn(&T) -> Vec<String>,
    nothing: &'static str,
) -> Option<Html> {
    let t = &cx.t().admin_rules;
    let rows: Vec<_> = published
        .iter()
        .enumerate()
        .map(|(i, version)| {
            // What was called off before it never counted, so it changed nothing of that.
            let mut before = published
                .iter()
                .skip(i + 1)
                .filter(|before| before.called_off_at.is_none());
            let before = before.next().and_then(|before| before.definition.as_ref());
            let what = match &version.definition {
                None => view! { <p>{nothing}</p> }.into_html(),
                Some(definition) => difference(cx, before, definition, &lines),
            };
            let by = version
                .published_by
                .clone()
                .unwrap_or_else(|| t.by_command_line.to_owned());
            let from = version.effective_at.map(|at| t.since(cx.moment(at)));
            let published = version
                .published_at
                .map(|at| view! { <Moment at=at shown=cx.moment(at)/> });
            let called_off = version.called_off_at.map(|at| {
                let by = version.called_off_by.clone();
                view! { <p><b>{t.was_called_off}</b> " " <Moment at=at shown=cx.moment(at)/> ", " <bdi>{by}</bdi></p> }
            });
            view! {
                <li class="panel">
                    <h3>{t.version(version.version)} ", " {from}</h3>
                    <p class="muted">{t.published} " " {published} ", " <bdi>{by}</bdi></p>
                    {called_off}
                    {what}
                </li>
            }
        })
        .collect();
    (!rows.is_empty()).then(|| past(cx, rows.into_html()))
}

/// The section of what was published before, around an entry of each version.
fn past(cx: &Cx, rows: Html) -> Html {
    view! {
        <section class="section" aria-labelledby="history">
            <h2 id="history">{cx.t().admin_rules.history}</h2>
            <ol class="stack list-none">{rows}</ol>
        </section>
    }
    .into_html()
}

/// The same of versions that each count since they were published: `about` tells number, moment and by whom, where that was not
/// `by_program`, and `inside` makes what there is to say of one, given the one before it.
pub(super) fn past_of<V>(
    cx: &Cx,
    all: &[V],
    by_program: &'static str,
    about: impl Fn(&V) -> (i64, DateTime<Utc>, Option<String>),
    inside: impl Fn(&V, Option<&V>) -> Html,
) -> Option<Html> {
    let t = &cx.t().admin_rules;
    let rows: Vec<_> = all
        .iter()
        .enumerate()
        .map(|(i, version)| {
            let (number, at, by) = about(version);
            let by = by.unwrap_or_else(|| by_program.to_owned());
            view! {
                <li class="panel">
                    <h3>{t.version(number)}</h3>
                    <p class="muted">{t.published} " " <Moment at=at shown=cx.moment(at)/> ", " <bdi>{by}</bdi></p>
                    {inside(version, all.get(i + 1))}
                </li>
            }
        })
        .collect();
    (!rows.is_empty()).then(|| past(cx, rows.into_html()))
}

/// What differs between two versions, line by line; without one before, all lines. What differs and is told in the same words
/// is shown as it is kept.
pub(super) fn difference<T: Serialize + PartialEq>(
    cx: &Cx,
    before: Option<&T>,
    now: &T,
    lines: impl Fn(&T) -> Vec<String>,
) -> Html {
    let Some(before) = before else { return list(lines(now)) };
    if before == now {
        return view! { <p class="muted">{cx.t().admin_rules.same}</p> }.into_html();
    }
    let (said_before, said_now) = (lines(before), lines(now));
    let (lost, new) = compared(&said_before, &said_now);
    if !lost.is_empty() || !new.is_empty() {
        let lost: Vec<_> = lost
            .into_iter()
            .map(|line| view! { <li><del>{line.clone()}</del></li> })
            .collect();
        let new: Vec<_> = new
            .into_iter()
            .map(|line| view! { <li><ins>{line.clone()}</ins></li> })
            .collect();
        return view! { <ul class="list-none">{lost} {new}</ul> }.into_html();
    }
    let (kept_before, kept_now) = (kept(before), kept(now));
    let (lost, new) = compared(&kept_before, &kept_now);
    let lost: Vec<_> = lost
        .into_iter()
        .map(|line| view! { <li><del><code>{line.clone()}</code></del></li> })
        .collect();
    let new: Vec<_> = new
        .into_iter()
        .map(|line| view! { <li><ins><code>{line.clone()}</code></ins></li> })
        .collect();
    view! { <ul class="list-none">{lost} {new}</ul> }.into_html()
}

/// The lines of something's JSON.
fn kept<T: Serialize>(what: &T) -> Vec<String> {
    let text = serde_json::to_string_pretty(what).unwrap_or_default();
    text.lines().map(|line| line.trim().to_owned()).collect()
}

/// The lines that are only in the one and only in the other of two texts.
fn compared<'a>(before: &'a [String], now: &'a [String]) -> (Vec<&'a String>, Vec<&'a String>) {
    let head = before.iter().zip(now).take_while(|(a, b)| a == b).count();
    let (before, now) = (&before[head..], &now[head..]);
    let tail = before
        .iter()
        .rev()
        .zip(now.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let (before, now) = (&before[..before.len() - tail], &now[..now.len() - tail]);
    match (lacking(before, now), lacking(now, before)) {
        // The same lines in another order, or in another number.
        (lost, new) if lost.is_empty() && new.is_empty() => (before.iter().collect(), now.iter().collect()),
        found => found,
    }
}

/// Those of these lines that are not among the others.
fn lacking<'a>(these: &'a [String], those: &[String]) -> Vec<&'a String> {
    let those: HashSet<&String> = those.iter().collect();
    these.iter().filter(|line| !those.contains(line)).collect()
}

/// The draft that a form was made for.
pub(super) fn seen(micros: i64) -> Result<DateTime<Utc>, AppError> {
    DateTime::from_timestamp_micros(micros).ok_or(AppError::Refused)
}

/// The same of a form that may begin one: none, sent as nothing, was there.
pub(super) fn seen_if_any(micros: &str) -> Result<Option<DateTime<Utc>>, AppError> {
    match micros {
        "" => Ok(None),
        micros => seen(micros.parse().map_err(|_| AppError::Refused)?).map(Some),
    }
}

/// Says that a colleague was quicker, where the form that was sent, by its name, is no longer on the page to say so itself.
pub(super) fn gone(cx: &Cx, words: &'static str, is_here: impl Fn(&str) -> bool) -> Option<Html> {
    let sent = cx.outcome.as_ref().filter(|sent| sent.error == AppError::Stale)?;
    (!is_here(&sent.form)).then(|| view! { <p class="notice notice-warn" role="alert">{words}</p> }.into_html())
}

/// A moment that is over has words of its own here.
pub(super) fn in_time(error: crm::Error) -> AppError {
    match error {
        crm::Error::Invalid(flaws) if flaws.iter().any(|(_, flaw)| *flaw == Flaw::TooLate) => {
            AppError::field("from", Flaw::InThePast)
        }
        other => other.into(),
    }
}

/// A moment of the shop's wall clock, as a field of moments sends it; none for an empty one.
pub(super) fn moment(cx: &Cx, text: &str) -> Result<Option<DateTime<Utc>>, Flaw> {
    super::rules::fields::optional(text, |text| {
        let local = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
        local.map(|local| cx.shop().moment(local)).ok_or(Flaw::NotADate)
    })
}
