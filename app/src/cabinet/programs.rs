//! Loyalty programs: what each gives, joining, and leaving with what happens to the points said before.

use super::{back, flash};
use crate::cx::Cx;
use crate::format::day;
use crate::route::{Body, Form, Frame, Next, Place};
use crate::ui::html::IntoHtml;
use crate::ui::icon::{self, icon};
use crate::ui::{FormBox, paragraphs};
use crm::content::{days, percent};
use crm::points::store as points;
use crm::program::{Program, store as programs};
use crm::rule::tier::{Measure, Standing, Tiers, Why, store as tiers};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

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
    let all = programs::list(&mut conn, cx.customer()?.me()).await?;
    drop(conn);
    let is_empty = all.is_empty();
    let tiles: Vec<_> = all.iter().map(|program| tile(&cx, program)).collect();
    let list = if is_empty {
        view! { <div class="empty"><p>{t.empty}</p><a class="btn" href="/offers">{t.to_offers}</a></div> }.into_html()
    } else {
        view! { <div class="tiles">{tiles}</div> }.into_html()
    };
    let view = view! {
        <div>
            <h1>{t.title}</h1>
            <p class="lead">{t.lead}</p>
        </div>
        {flash(&cx, &[("joined", t.done_joined), ("left", t.done_left)])}
        {list}
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
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

/// The customer's tier, until when it is kept where it is not earned any more, and how far the next one is.
fn tier(cx: &Cx, tiers: &Tiers, standing: &Standing) -> impl IntoView + use<> {
    let t = &cx.t().programs;
    let name = |id| tiers.get(id).map(|tier| cx.pick(&tier.name)).unwrap_or_default();
    let words = standing
        .tier
        .map_or_else(|| t.tier_none.to_owned(), |id| t.tier(name(id)));
    let grace = match standing.why {
        Why::Grace { until } => until.pred_opt(),
        Why::Earned | Why::Kept => None,
    };
    let grace = grace.map(|last| t.tier_grace(day(cx.lang, last, cx.today())));
    let next = standing.next.map(|next| {
        let missing = match tiers.measure {
            Measure::Sum => cx.money(next.missing),
            Measure::Count => t.tier_purchases(next.missing),
        };
        let (max, value) = (next.threshold.to_string(), standing.counted.max(0).to_string());
        view! {
            <p id="next-tier">{t.tier_next(missing, name(next.tier))}</p>
            <progress class="progress" max=max value=value aria-labelledby="next-tier"></progress>
        }
    });
    view! {
        <section class="panel narrow" aria-labelledby="tier">
            <h2 id="tier">{words}</h2>
            {grace.map(|words| view! { <p class="hint">{words}</p> })}
            {next}
        </section>
    }
}

/// One program with its terms.
pub async fn one(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().programs;
    let code: String = cx.param("code")?;
    let mut conn = cx.db.read().await?;
    let me = cx.customer()?.me();
    let program = programs::get(&mut conn, me, &code).await?;
    let stands = tiers::standing(&mut conn, me, program.id).await?;
    drop(conn);
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
        {stands.map(|(tiers, standing)| tier(&cx, &tiers, &standing))}
        {terms(&cx, &program)}
        {act}
    };
    Ok(Body::new(name, Frame::Cabinet(Place::Elsewhere), view))
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
    let me = cx.customer()?.me();
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
