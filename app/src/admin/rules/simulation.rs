//! What a rule would have given on the sales of the last months.

use super::words::Words;
use super::{HERE, at};
use crate::cabinet::points::unit;
use crate::cx::Cx;
use crate::format;
use crate::route::{Form, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{DataTable, FormBox, Head, Moment};
use crm::id::SimulationId;
use crm::rule::store::PublishError;
use crm::rule::store::simulating::{self, Amounts, Figures, Month, Report, Simulation, State, Stop};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// How many reasons are told why sales got nothing.
const REASONS: usize = 5;

/// Begins to simulate the draft of the rule at hand, or what counts of it now.
#[derive(Deserialize)]
pub struct SimulateRule {
    months: u32,
}

impl Form for SimulateRule {
    const NAME: &'static str = "rule.simulate";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id = at(cx)?;
        let started = simulating::start(&cx.db, cx.staff()?, id, self.months).await;
        started.map_err(|error| match error {
            // The page has no button while there are faults.
            PublishError::Faulty(_) => AppError::Stale,
            PublishError::Crm(e) => e.into(),
        })?;
        Ok(Next::to(format!("{HERE}/{id}?done=simulating#simulation")))
    }
}

/// Breaks a simulation of the rule at hand off.
#[derive(Deserialize)]
pub struct CancelSimulation {
    simulation: SimulationId,
}

impl Form for CancelSimulation {
    const NAME: &'static str = "rule.simulate_cancel";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id = at(cx)?;
        simulating::cancel(&cx.db, cx.staff()?, self.simulation).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=cancelled#simulation")))
    }
}

/// Whether a rule can be tried on past purchases.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Simulates {
    /// It can.
    Yes,
    /// There is nothing to try, or it has faults.
    No,
    /// It is asked on another occasion than a purchase.
    OtherOccasion,
}

/// The newest simulation, and buttons for another one.
pub(super) fn section(words: &Words<'_>, newest: Option<&Simulation>, simulates: Simulates) -> Option<Html> {
    let cx = words.cx;
    let t = &cx.t().admin_rules;
    if newest.is_none() && simulates == Simulates::No {
        return None;
    }
    let buttons: Vec<_> = [1, 3, 6, 12]
        .map(|n: i64| view! { <button class="btn btn-sm" name="months" value=n.to_string()>{t.months(n)}</button> })
        .into_iter()
        .collect();
    let not_here =
        (simulates == Simulates::OtherOccasion).then(|| view! { <p class="notice">{t.simulate_not_here}</p> });
    let form = (simulates == Simulates::Yes).then(|| {
        view! {
            <FormBox<SimulateRule> class="form">
                <p class="hint">{t.simulate_hint}</p>
                <div class="actions">{buttons}</div>
            </FormBox<SimulateRule>>
        }
    });
    let section = view! {
        <section class="section" id="simulation" aria-labelledby="simulation-title">
            <h2 id="simulation-title">{t.simulation}</h2>
            {newest.map(|newest| told(words, newest))}
            {not_here}
            {form}
        </section>
    };
    Some(section.into_html())
}

fn told(words: &Words<'_>, one: &Simulation) -> Html {
    let cx = words.cx;
    let t = &cx.t().admin_rules;
    let (id, done, total) = (one.id.to_string(), one.done, one.total.max(1));
    let inside = match (one.state, &one.result) {
        (State::Waiting | State::Running, _) => view! {
            <script type="module" src="/progress.js"></script>
            <p role="status">{t.is_running(format::integer(done), format::integer(one.total))}</p>
            <progress class="progress" max=total.to_string() value=done.to_string() aria-label=t.simulation></progress>
            <div class="actions">
                <a class="btn btn-sm" href=format!("{}#simulation", cx.path)>{t.refresh}</a>
                <FormBox<CancelSimulation> class="row-form">
                    <input type="hidden" name="simulation" value=id/>
                    <button class="btn btn-sm btn-quiet">{t.break_off}</button>
                </FormBox<CancelSimulation>>
            </div>
        }
        .into_html(),
        (State::Done, Some(result)) => report(words, one, result),
        (State::Cancelled, _) => view! { <p class="muted">{t.was_cancelled}</p> }.into_html(),
        (State::Done | State::Failed, _) => view! { <p class="notice notice-warn">{t.has_failed}</p> }.into_html(),
    };
    let by = one.asked_by.clone();
    let progress = matches!(one.state, State::Waiting | State::Running).then_some("");
    view! {
        <div class="panel" data-progress=progress>
            <p class="muted">
                {t.version(one.rule.version)} ", " {t.months(i64::from(one.months))} ", "
                <Moment at=one.until shown=cx.moment(one.until)/> ", " <bdi>{by}</bdi>
            </p>
            {inside}
        </div>
    }
    .into_html()
}

/// Discounts and points, each by its name.
fn amounts(words: &Words<'_>, amounts: &Amounts) -> String {
    let cx = words.cx;
    let t = &cx.t().admin_rules;
    let discount = (amounts.discount != 0).then(|| t.would_take_off(cx.money(amounts.discount)));
    let points = amounts.points.iter().filter(|(_, points)| **points != 0);
    let points = points.map(|(program, points)| {
        let name = words.names.programs.iter().find(|(id, _)| id == program);
        let name = name.map_or_else(|| t.unknown(program), |(_, name)| cx.pick(name));
        t.would_give(format!("{} {}", cx.points(*points), unit(cx, *points)), name)
    });
    let all: Vec<String> = discount.into_iter().chain(points).collect();
    match all.is_empty() {
        true => t.would_give_nothing.to_owned(),
        false => all.join(", "),
    }
}

fn report(words: &Words<'_>, one: &Simulation, report: &Report) -> Html {
    let cx = words.cx;
    let t = &cx.t().admin_rules;
    let all = &report.all;
    let figures = |figures: &Figures| {
        let (reached, purchases) = (format::integer(figures.reached), format::integer(figures.purchases));
        view! {
            <td class="num">{reached} " / " {purchases}</td>
            <td class="num">{format::integer(figures.customers)}</td>
            <td class="num">{cx.money(figures.sales)}</td>
            <td class="grow">{amounts(words, &figures.given)}</td>
        }
    };
    let months: Vec<_> = report
        .months
        .iter()
        .map(|Month { first, figures: month }| {
            view! { <tr><th scope="row">{format::month(cx.lang, *first)}</th>{figures(month)}</tr> }
        })
        .collect();
    let stopped: Vec<_> = report
        .stopped
        .iter()
        .take(REASONS)
        .map(|stopped| {
            let why = match stopped.by {
                Stop::Condition(n) => match one.definition.clause(n) {
                    Some(clause) => t.not_held(words.condition(clause.condition)),
                    None => t.unknown(n),
                },
                Stop::Unknown(n) => match one.definition.clause(n) {
                    Some(clause) => t.not_told(words.condition(clause.condition)),
                    None => t.unknown(n),
                },
                Stop::UsedUp(_) => t.stop_used_up.to_owned(),
                Stop::Group(_) => t.stop_group.to_owned(),
                Stop::Closed(_) => t.stop_closed.to_owned(),
                Stop::Nothing => t.stop_nothing.to_owned(),
                Stop::Nobody => t.stop_nobody.to_owned(),
            };
            view! { <li>{t.receipts(stopped.purchases)} ": " {why}</li> }
        })
        .collect();
    let stopped = (!stopped.is_empty()).then(|| {
        view! { <p><b>{t.why_not}</b></p> <ul class="list-disc ps-5">{stopped}</ul> }
    });
    let change =
        (all.change != all.given).then(|| view! { <p class="muted">{t.with_others(amounts(words, &all.change))}</p> });
    // Whoever pays, they pay for the points alone: what is off a price the shop does without.
    let paid = one
        .definition
        .funded_by
        .as_ref()
        .filter(|_| !all.given.points.is_empty());
    let paid = paid.map(|partner| view! { <p class="muted">{t.l_funded_by(partner)}</p> });
    let rows = view! { {months} <tr><th scope="row">{t.in_all}</th>{figures(all)}</tr> }.into_html();
    let heads = vec![
        Head::Words(t.month),
        Head::Number(t.reached),
        Head::Number(t.customers),
        Head::Number(t.sales),
        Head::Words(t.given),
    ];
    view! {
        <p><b>{t.would_have(amounts(words, &all.given))}</b></p>
        {paid}
        {change}
        <DataTable label=t.simulation heads=heads rows=rows/>
        {stopped}
    }
    .into_html()
}
