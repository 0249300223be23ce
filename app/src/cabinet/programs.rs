//! Loyalty programs: what each gives, beside the others and by itself, its tiers, its terms as they are and were, what became of
//! the customer in it, joining, and leaving with what happens to the points said before.

use super::{back, flash, long_list, meaning};
use crate::admin::rules::words::Words;
use crate::cx::Cx;
use crate::format::day;
use crate::route::{Body, Form, Frame, Next, Place};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self, icon};
use crate::ui::{DataTable, FormBox, Head, Moment, paragraphs};
use chrono::{DateTime, Utc};
use crm::content::{days, percent};
use crm::id::{ProgramId, TierId};
use crm::points::store as points;
use crm::program::{Membership, Program, Version, store as programs};
use crm::rule::store::{Names, names};
use crm::rule::tier::store::{self as tiers, Benefit, Change, Outlook};
use crm::rule::tier::{Measure, Tiers, Why};
use crm::rule::{Condition, Rule};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Joins the program of the page, under the terms that it shows.
#[derive(Deserialize)]
pub struct Join {
    terms: i64,
}

impl Form for Join {
    const NAME: &'static str = "program.join";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let code: String = cx.param("code")?;
        programs::join(&cx.db, cx.customer()?, &code, self.terms).await?;
        Ok(Next::to(format!("/programs/{code}?done=joined")))
    }
}

/// Leaves the program of the page.
#[derive(Deserialize)]
pub struct Leave {}

impl Form for Leave {
    const NAME: &'static str = "program.leave";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let code: String = cx.param("code")?;
        programs::leave(&cx.db, cx.customer()?, &code).await?;
        // To the list: a program that takes nobody any more has no page for those who left.
        Ok(Next::to("/programs?done=left"))
    }
}

/// Every program.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().programs;
    let mut conn = cx.db.read().await?;
    let all = programs::list(&mut conn, cx.subject()?).await?;
    let tiers = tiers::current(&mut conn).await?;
    drop(conn);
    let is_empty = all.is_empty();
    let tiles: Vec<_> = all.iter().map(|program| tile(&cx, program)).collect();
    let list = if is_empty {
        view! { <div class="empty"><p>{t.empty}</p><a class="btn" href="/offers">{t.to_offers}</a></div> }.into_html()
    } else {
        view! { <div class="tiles">{tiles}</div> }.into_html()
    };
    let view = view! {
        {back("/offers", cx.t().offers.title)}
        <div>
            <h1>{t.title}</h1>
            <p class="lead">{t.lead}</p>
        </div>
        {flash(&cx, &[("joined", t.done_joined), ("left", t.done_left)])}
        {list}
        {compared(&cx, &all, &tiers)}
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
}

/// All programs side by side; one alone has nothing to stand beside.
fn compared(cx: &Cx, all: &[Program], tiers: &BTreeMap<ProgramId, Tiers>) -> Option<Html> {
    let t = &cx.t().programs;
    let rows: Vec<_> = all
        .iter()
        .map(|program| {
            let delay = match program.delay_days {
                0 => t.cmp_at_once.to_owned(),
                n => t.cmp_after(days(cx.lang, n)),
            };
            let names = tiers.get(&program.id).map(|tiers| {
                let names: Vec<String> = tiers.tiers.iter().map(|tier| cx.pick(&tier.name)).collect();
                names.join(", ")
            });
            view! {
                <tr>
                    <th scope="row"><a href=format!("/programs/{}", program.code)>{cx.pick(&program.name)}</a></th>
                    <td>{percent(cx.lang, program.share)}</td>
                    <td>{delay}</td>
                    <td>{days(cx.lang, program.term_days)}</td>
                    <td>{names.unwrap_or_else(|| t.cmp_no_tiers.to_owned())}</td>
                </tr>
            }
        })
        .collect();
    (all.len() > 1).then(|| {
        let heads = vec![
            Head::Words(t.cmp_program),
            Head::Words(t.cmp_pays),
            Head::Words(t.cmp_active),
            Head::Words(t.cmp_term),
            Head::Words(t.cmp_tiers),
        ];
        view! {
            <section class="section">
                <h2>{t.compare}</h2>
                <DataTable label=t.compare heads=heads rows=rows.into_html()/>
            </section>
        }
        .into_html()
    })
}

fn tile(cx: &Cx, program: &Program) -> impl IntoView + use<> {
    let t = &cx.t().programs;
    let is_in = program.joined_at.is_some();
    let href = format!("/programs/{}", program.code);
    let name = cx.pick(&program.name);
    let words = if is_in { t.terms } else { t.terms_and_join };
    view! {
        <article class=if is_in { "program program-in" } else { "program" }>
            <header>
                <div><h2>{name.clone()}</h2></div>
                {is_in.then(|| view! { <span class="badge badge-brand">{t.member}</span> })}
            </header>
            <p>{cx.pick(&program.summary)}</p>
            {gains(cx, program)}
            <a class=if is_in { "btn" } else { "btn btn-primary" } href=href>
                {words}<span class="sr-only">": " {name.clone()}</span>
            </a>
        </article>
    }
}

/// What a program gives, in three lines: how much, from when, for how long.
fn gains(cx: &Cx, program: &Program) -> impl IntoView + use<> {
    let t = &cx.t().programs;
    let share = t.share(percent(cx.lang, program.share));
    let delay = match program.delay_days {
        0 => t.at_once.to_owned(),
        n => t.delay(days(cx.lang, n)),
    };
    let term = t.term(days(cx.lang, program.term_days));
    view! {
        <ul class="gains">
            <li>{icon(icon::COINS)} <span>{share}</span></li>
            <li>{icon(icon::CLOCK)} <span>{delay}</span></li>
            <li>{icon(icon::HOURGLASS)} <span>{term}</span></li>
        </ul>
    }
}

/// What is counted for a tier: money, or purchases.
pub(crate) fn counted(cx: &Cx, tiers: &Tiers, n: i64) -> String {
    match tiers.measure {
        Measure::Sum => cx.money(n),
        Measure::Count => cx.t().programs.tier_purchases(n),
    }
}

/// The customer's tier, until when it is kept, how far the next one is and what that one gives.
fn tier(words: &Words<'_>, outlook: &Outlook, benefits: &[Benefit], program: ProgramId) -> Html {
    let cx = words.cx;
    let t = &cx.t().programs;
    let Outlook {
        tiers,
        standing,
        lost_on,
    } = outlook;
    let name = |id| tiers.get(id).map(|tier| cx.pick(&tier.name)).unwrap_or_default();
    let title = standing
        .tier
        .map_or_else(|| t.tier_none.to_owned(), |id| t.tier(name(id)));
    let last = |first: chrono::NaiveDate| first.pred_opt().map(|last| day(cx.lang, last, cx.today()));
    let kept = match standing.why {
        Why::Grace { until } => last(until).map(|last| t.tier_grace(last)),
        Why::Kept => Some(t.tier_kept.to_owned()),
        Why::Earned => lost_on.and_then(last).map(|last| t.tier_holds(last)),
    };
    // What would earn the present one anew before its grace is over.
    let held = standing.tier.and_then(|id| tiers.get(id));
    let anew = held.filter(|_| matches!(standing.why, Why::Grace { .. }));
    let anew = anew.map(|held| t.tier_keep(counted(cx, tiers, held.threshold.saturating_sub(standing.counted))));
    let next = standing.next.map(|next| {
        let missing = counted(cx, tiers, next.missing);
        let (max, value) = (next.threshold.to_string(), standing.counted.max(0).to_string());
        let more = benefits
            .iter()
            .filter(|one| one.tiers.contains(&next.tier))
            .filter(|one| standing.tier.is_none_or(|held| !one.tiers.contains(&held)));
        let more: Vec<Html> = more.map(|one| benefit(words, &one.rule, program)).collect();
        let more = (!more.is_empty()).then(|| {
            view! { <p>{t.next_gives(name(next.tier))}</p> <ul class="gains">{more}</ul> }
        });
        view! {
            <p id="next-tier">{t.tier_next(missing, name(next.tier))}</p>
            <progress class="progress" max=max value=value aria-labelledby="next-tier"></progress>
            {more}
        }
    });
    view! {
        <section class="panel narrow" aria-labelledby="tier">
            <h2 id="tier">{title}</h2>
            {kept.map(|words| view! { <p class="hint">{words}</p> })}
            {anew.map(|words| view! { <p class="hint">{words}</p> })}
            {next}
        </section>
    }
    .into_html()
}

/// What a rule gives, and what it asks besides the tier.
fn benefit(words: &Words<'_>, rule: &Rule, program: ProgramId) -> Html {
    let about_tier = |one: &&Condition| matches!(one, Condition::Tier { program: of, .. } if *of == program);
    let asked = rule.conditions.iter().filter(|one| !about_tier(one));
    let asked: Vec<String> = asked.map(|one| words.condition(one)).collect();
    let asked = (!asked.is_empty()).then(|| words.cx.t().programs.only_if(asked.join("; ")));
    let asked = asked.map(|asked| view! { <br/> <small>{asked}</small> });
    view! {
        <li>
            {icon(icon::CHECK)}
            <span><b>{words.cx.pick(&rule.name)}</b> ": " {words.gives(rule)} {asked}</span>
        </li>
    }
    .into_html()
}

/// Every tier of a program: what it needs, and what it gives.
fn ladder(words: &Words<'_>, all: &Tiers, held: Option<TierId>, benefits: &[Benefit], program: ProgramId) -> Html {
    let cx = words.cx;
    let t = &cx.t().programs;
    let rows: Vec<_> = all
        .tiers
        .iter()
        .map(|tier| {
            let needs = match tier.threshold {
                0 => t.tier_at_once.to_owned(),
                n => t.tier_needs(counted(cx, all, n), words.window(all.window)),
            };
            let gives: Vec<Html> = benefits
                .iter()
                .filter(|one| one.tiers.contains(&tier.id))
                .map(|one| benefit(words, &one.rule, program))
                .collect();
            let gives = (!gives.is_empty()).then(|| view! { <ul class="gains">{gives}</ul> });
            let mine =
                (held == Some(tier.id)).then(|| view! { " " <span class="badge badge-brand">{t.tier_mine}</span> });
            view! {
                <li class="row">
                    <div class="row-main"><b>{cx.pick(&tier.name)} {mine}</b> <small>{needs}</small> {gives}</div>
                </li>
            }
        })
        .collect();
    view! {
        <section class="section narrow" aria-labelledby="tiers">
            <h2 id="tiers">{t.tiers}</h2>
            <div class="panel panel-flush"><ul class="rows">{rows}</ul></div>
            {meaning(cx, t.what_tier, t.tier_means, "tiers")}
        </section>
    }
    .into_html()
}

/// What became of the customer in a program, the last thing first.
fn history(cx: &Cx, code: &str, times: &[Membership], changes: &[(Change, Option<Tiers>)]) -> Option<Html> {
    let t = &cx.t().programs;
    let mut told: Vec<(DateTime<Utc>, Html)> = Vec::new();
    // Of the same moment, what happened last stands first: who joins may begin in a tier, who leaves has none any more.
    for time in times {
        if let Some(left) = time.left_at {
            told.push((left, view! { <span>{t.h_left}</span> }.into_html()));
        }
    }
    for (change, tiers) in changes {
        // That nothing is counted for who is no member, leaving says already.
        if change.tier.is_none() && !times.iter().any(|time| time.holds(change.at)) {
            continue;
        }
        let name = change.tier.zip(tiers.as_ref()).and_then(|(id, tiers)| tiers.get(id));
        let name = name.map(|tier| cx.pick(&tier.name)).unwrap_or_default();
        let words = match (change.tier, change.why) {
            (None, _) if tiers.is_none() => t.h_withdrawn.to_owned(),
            (None, _) => t.h_none.to_owned(),
            (Some(_), Why::Earned) => t.h_earned(name),
            (Some(_), Why::Kept) => t.h_kept(name),
            (Some(_), Why::Grace { until }) => {
                let last = until.pred_opt().unwrap_or(until);
                t.h_grace(day(cx.lang, last, cx.today()), name)
            }
        };
        told.push((change.at, view! { <span>{words}</span> }.into_html()));
    }
    for time in times {
        let href = format!("/programs/{code}?version={}", time.terms_version);
        let words = view! { {t.h_joined} ", " <a href=href>{t.h_terms(time.terms_version)}</a> };
        told.push((time.joined_at, words.into_html()));
    }
    told.sort_by_key(|(at, _)| Reverse(*at));
    let lines: Vec<_> = told
        .into_iter()
        .map(|(at, words)| view! { <li>{words} <small><Moment at=at shown=cx.moment(at)/></small></li> }.into_html())
        .collect();
    (!lines.is_empty()).then(|| {
        view! {
            <section class="section narrow" aria-labelledby="history">
                <h2 id="history">{t.history}</h2>
                {long_list(cx, lines, "timeline")}
            </section>
        }
        .into_html()
    })
}

/// The versions of the terms, each with its day and its text.
fn versions(cx: &Cx, code: &str, all: &[Version]) -> impl IntoView + use<> {
    let t = &cx.t().programs;
    let lines: Vec<_> = all
        .iter()
        .map(|one| {
            let href = format!("/programs/{code}?version={}", one.version);
            view! { <li><a href=href>{t.version_since(cx.day(one.published_at), one.version)}</a></li> }
        })
        .collect();
    view! {
        <details class="fold narrow">
            <summary>{t.versions}</summary>
            <ul class="ways">{lines}</ul>
        </details>
    }
}

/// One program with its terms.
pub async fn one(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().programs;
    let code: String = cx.param("code")?;
    let mut conn = cx.db.read().await?;
    let me = cx.subject()?;
    let program = programs::get(&mut conn, me, &code).await?;
    let all_versions = programs::versions(&mut conn, program.id).await?;
    if let Some(version) = cx.query("version") {
        let version: i64 = version.parse().map_err(|_| AppError::NotFound)?;
        // The newest is what the whole page shows.
        if version != program.version {
            let asked = programs::of_version(&mut conn, me, program.id, version).await?;
            drop(conn);
            return Ok(replaced(&cx, &asked, &all_versions));
        }
    }
    let outlook = tiers::outlook(&mut conn, me, program.id).await?;
    let ladder_of = match &outlook {
        Some(outlook) => Some(outlook.tiers.clone()),
        None => tiers::current(&mut conn).await?.remove(&program.id),
    };
    let benefits = match ladder_of {
        Some(_) => tiers::benefits(&mut conn, program.id).await?,
        None => Vec::new(),
    };
    let rules: Vec<&Rule> = benefits.iter().map(|one| &one.rule).collect();
    let names = match rules.is_empty() {
        true => Names::default(),
        false => names(&mut conn, &rules).await?,
    };
    let times = programs::memberships(&mut conn, me, program.id).await?;
    let changes = tiers::changes_in(&mut conn, me, program.id).await?;
    drop(conn);
    let words = Words { cx: &cx, names: &names };
    let held = outlook.as_ref().and_then(|outlook| outlook.standing.tier);
    let ladder = ladder_of.map(|all| ladder(&words, &all, held, &benefits, program.id));
    let stands = outlook.map(|outlook| tier(&words, &outlook, &benefits, program.id));
    let name = cx.pick(&program.name);
    let version = program.version.to_string();
    let since = program.joined_at.map(|at| view! {
        <p><span class="badge badge-brand">{t.member}</span> " " <span class="muted">{t.since(cx.day(at))}</span></p>
    });
    let act = if program.joined_at.is_some() {
        view! { <div class="actions"><a class="btn btn-danger-quiet" href=format!("/programs/{code}/leave")>{t.leave}</a></div> }
            .into_html()
    } else {
        view! {
            <FormBox<Join> class="actions">
                <input type="hidden" name="terms" value=version/>
                <button class="btn btn-primary">{t.join}</button>
            </FormBox<Join>>
        }
        .into_html()
    };
    let view = view! {
        {back("/programs", t.title)}
        <div>
            <h1>{name.clone()}</h1>
            <p class="lead">{cx.pick(&program.summary)}</p>
        </div>
        {flash(&cx, &[("joined", t.done_joined), ("left", t.done_left)])}
        {since}
        {stands}
        {terms(&cx, &program)}
        {act}
        <p class="ways"><a href=format!("/support/new?about=program/{code}")>{t.write}</a></p>
        {versions(&cx, &code, &all_versions)}
        {ladder}
        {history(&cx, &code, &times, &changes)}
    };
    Ok(Body::new(name, Frame::Cabinet(Place::Elsewhere), view))
}

/// Terms that others took the place of.
fn replaced(cx: &Cx, program: &Program, all: &[Version]) -> Body {
    let t = &cx.t().programs;
    let name = cx.pick(&program.name);
    // The newest stands first.
    let counted = all.iter().position(|one| one.version == program.version);
    let counted = counted.and_then(|place| Some((all.get(place)?, all.get(place.checked_sub(1)?)?)));
    let counted = counted.map(|(one, next)| t.counted(cx.day(one.published_at), cx.day(next.published_at)));
    let view = view! {
        {back("/programs", t.title)}
        <div>
            <h1>{name.clone()}</h1>
            <p class="lead">{cx.pick(&program.summary)}</p>
        </div>
        <p>{counted} " " <a href=format!("/programs/{}", program.code)>{t.to_newest}</a></p>
        {terms(cx, program)}
        {versions(cx, &program.code, all)}
    };
    Body::new(name, Frame::Cabinet(Place::Elsewhere), view)
}

/// What a program promises, in figures and in words.
pub(crate) fn terms(cx: &Cx, program: &Program) -> impl IntoView + use<> {
    let t = &cx.t().programs;
    view! {
        <div class="panel narrow">{gains(cx, program)}</div>
        <section class="prose" aria-labelledby="terms">
            <h2 id="terms">{t.terms}</h2>
            {paragraphs(program.terms.get(cx.lang))}
            <p class="hint">{t.version(program.version)}</p>
        </section>
    }
}

/// Asks once more before leaving, and says what becomes of the points.
pub async fn leave(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().programs;
    let code: String = cx.param("code")?;
    let me = cx.subject()?;
    let mut conn = cx.db.read().await?;
    let program = programs::get(&mut conn, me, &code).await?;
    let balance = points::balance(&mut conn, me).await?;
    drop(conn);
    let name = cx.pick(&program.name);
    let href = format!("/programs/{code}");
    if program.joined_at.is_none() {
        let view = view! {
            {back("/programs", t.title)}
            <h1>{name.clone()}</h1>
            <p>{t.not_member}</p>
            <div class="actions"><a class="btn btn-primary" href=href>{t.terms_and_join}</a></div>
        };
        return Ok(Body::new(name, Frame::Cabinet(Place::Elsewhere), view));
    }
    let here = balance.programs.into_iter().find(|p| p.program == program.id);
    let (active, pending) = here.as_ref().map_or((0, 0), |p| (p.active, p.pending));
    let expiry = here.and_then(|p| p.next_expiry);
    let active_words = match active {
        0 if pending == 0 => t.leave_no_points.to_owned(),
        n if n < 0 => t.leave_debt(cx.points(n.saturating_neg())),
        n => t.leave_active(cx.points(n)),
    };
    let pending_words = (pending > 0).then(|| t.leave_pending(cx.points(pending)));
    let expiry_words = expiry.map(|e| t.leave_expiry(cx.day(e.at), cx.points(e.points)));
    let title = t.leave_title(&name);
    let view = view! {
        {back("/programs", t.title)}
        <h1>{title.clone()}</h1>
        <div class="panel narrow">
            <h2>{t.leave_what}</h2>
            <ul class="gains">
                <li>{icon(icon::CHECK)} <span>{active_words}</span></li>
                {pending_words.map(|words| view! { <li>{icon(icon::CLOCK)} <span>{words}</span></li> })}
                {expiry_words.map(|words| view! { <li>{icon(icon::HOURGLASS)} <span>{words}</span></li> })}
                <li>{icon(icon::UNDO_2)} <span>{t.leave_new}</span></li>
            </ul>
        </div>
        <FormBox<Leave> class="actions">
            <button class="btn btn-danger">{t.leave_yes}</button>
            <a class="btn" href=href>{t.stay}</a>
        </FormBox<Leave>>
    };
    Ok(Body::new(title, Frame::Cabinet(Place::Elsewhere), view))
}
