//! Odd patterns as staff look through them: what rules found, what speaks for it, what is decided; and the limits of the rules.

use super::acts::was_about;
use super::changes;
use super::full_name;
use super::versions;
use crate::cabinet::{back, flash, fresh_first, more, place, show_place, unsaid};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Form, Frame, Next};
use crate::texts::AdminFraud;
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{Check, DataTable, Field, FormBox, Head, Moment, pairs};
use crm::audit::Last;
use crm::fraud::store::{self as alerts, NewSetting};
use crm::fraud::{Alert, Evidence, EvidenceKind, Field as Limit, Limits, Party, Row, Rule, Setting, State, Stop, stop};
use crm::id::{CustomerId, FraudAlertId};
use crm::staff::Right;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// The list.
const HERE: &str = "/admin/fraud";
/// The rules.
const RULES: &str = "/admin/fraud/rules";
/// Alerts on a page, and pieces of evidence on one.
const PAGE: usize = 50;

/// Says that the alert at hand was nothing. `seen` is when it was changed last.
#[derive(Deserialize)]
pub struct DismissAlert {
    seen: i64,
    reason: String,
}

impl Form for DismissAlert {
    const NAME: &'static str = "fraud.dismiss";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (id, seen) = (cx.param("id")?, versions::seen(self.seen)?);
        alerts::dismiss(&cx.db, cx.staff()?, id, seen, &self.reason).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=dismissed")))
    }
}

/// Says that it was fraud.
#[derive(Deserialize)]
pub struct ConfirmAlert {
    seen: i64,
    reason: String,
}

impl Form for ConfirmAlert {
    const NAME: &'static str = "fraud.confirm";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (id, seen) = (cx.param("id")?, versions::seen(self.seen)?);
        alerts::confirm(&cx.db, cx.staff()?, id, seen, &self.reason).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=confirmed")))
    }
}

/// Stops the spending of somebody whom the alert at hand is about.
#[derive(Deserialize)]
pub struct StopSpending {
    customer: CustomerId,
    reason: String,
}

impl Form for StopSpending {
    const NAME: &'static str = "fraud.stop";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: FraudAlertId = cx.param("id")?;
        stop::begin(&cx.db, cx.staff()?, id, self.customer, &self.reason).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=stopped")))
    }
}

/// Lets them spend again.
#[derive(Deserialize)]
pub struct LiftStop {
    customer: CustomerId,
    reason: String,
}

impl Form for LiftStop {
    const NAME: &'static str = "fraud.lift";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: FraudAlertId = cx.param("id")?;
        stop::lift(&cx.db, &cx.staff()?.fresh(&cx.db)?, self.customer, &self.reason).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=lifted")))
    }
}

/// Sets a rule. A limit that it does not go by is not in its form.
#[derive(Deserialize)]
pub struct SetFraudRule {
    rule: Rule,
    seen: i64,
    enabled: Option<String>,
    #[serde(default)]
    least: String,
    #[serde(default)]
    days: String,
    #[serde(default)]
    share: String,
}

impl Form for SetFraudRule {
    const NAME: &'static str = "fraud.rule";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let seen = versions::seen(self.seen)?;
        let new = NewSetting {
            enabled: self.enabled.is_some(),
            least: self.least,
            days: self.days,
            share: self.share,
        };
        alerts::set_rule(&cx.db, cx.staff()?, self.rule, seen, &new).await?;
        Ok(Next::to(format!("{RULES}?done=saved")))
    }
}

/// What a state is called.
fn state_word(t: &'static AdminFraud, state: State) -> &'static str {
    match state {
        State::Open => t.state_open,
        State::Dismissed => t.state_dismissed,
        State::Confirmed => t.state_confirmed,
    }
}

/// The same of one, with a dot.
fn state(t: &'static AdminFraud, state: State) -> Html {
    let (class, words) = match state {
        State::Open => ("status status-new", t.is_open),
        State::Dismissed => ("status status-done", t.state_dismissed),
        State::Confirmed => ("status status-bad", t.state_confirmed),
    };
    view! { <span class=class>{words}</span> }.into_html()
}

/// What was found, in a sentence.
fn found(cx: &Cx, rule: Rule, measure: i64, out_of: Option<i64>) -> String {
    let t = &cx.t().admin_fraud;
    match rule {
        Rule::ManyPurchases => t.found_many(measure),
        Rule::SpentAndReturned => t.found_spent(cx.points(measure)),
        Rule::OneTill => {
            let all = out_of.unwrap_or(measure).max(1);
            t.found_till(format::integer(all), measure, measure * 100 / all)
        }
        Rule::Ring => t.found_ring(measure),
    }
}

/// The limits that it was found by.
fn limits(t: &'static AdminFraud, rule: Rule, limits: Limits) -> String {
    let Limits { least, days, share } = limits;
    match rule {
        Rule::ManyPurchases => t.limit_many(least),
        Rule::SpentAndReturned => t.limit_spent(days, format::integer(least)),
        Rule::OneTill => t.limit_till(format::integer(least), days, share),
        Rule::Ring => t.limit_ring(days),
    }
}

/// The list, by state and rule.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_fraud;
    let staff = cx.staff()?;
    let asked = cx.query("state");
    let of = asked.and_then(|code| State::ALL.into_iter().find(|state| state.as_str() == code));
    let of = of.unwrap_or(State::Open);
    let rule = cx.query("rule").and_then(Rule::from_word);
    let before = cx.query("after").and_then(place);
    let mut rows = alerts::list(&cx.db, staff, of, rule, before, PAGE as i64 + 1).await?;
    let mut conn = cx.db.read().await?;
    let open = alerts::open_count(&mut conn, staff).await?;
    let settings = alerts::settings(&mut conn, staff).await?;
    drop(conn);
    let is_more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let address = |state: State, rule: Option<Rule>| {
        let rule = rule.map(|rule| format!("&rule={}", rule.as_str()));
        format!("{HERE}?state={}{}", state.as_str(), rule.unwrap_or_default())
    };
    let next = rows.last().filter(|_| is_more).map(|last| {
        let place = show_place((last.found_at, last.id.0));
        more(&cx, format!("{}&after={place}", address(of, rule)))
    });
    let badge = |count: i64| {
        (count > 0).then(|| view! { " " <span class="badge badge-points">{format::integer(count)}</span> })
    };
    let states: Vec<_> = State::ALL
        .into_iter()
        .map(|state| {
            let current = (state == of).then_some("page");
            let count = (state == State::Open).then(|| badge(open.values().sum())).flatten();
            view! { <a href=address(state, rule) aria-current=current>{state_word(t, state)} {count}</a> }
        })
        .collect();
    let any = rule.is_none().then_some("page");
    let by_rule: Vec<_> = settings
        .iter()
        .map(|one| {
            let current = (rule == Some(one.rule)).then_some("page");
            let count = badge(open.get(&one.rule).copied().unwrap_or_default());
            view! { <a href=address(of, Some(one.rule)) aria-current=current>{cx.pick(&one.name)} {count}</a> }
        })
        .collect();
    let rows: Vec<_> = rows.iter().map(|one| row(&cx, one, &settings)).collect();
    let heads = vec![Head::Words(t.pattern), Head::Words(t.customer), Head::Words(t.when)];
    let inside = match rows.is_empty() {
        true => view! { <div class="empty"><p>{t.none}</p></div> }.into_html(),
        false => view! { <DataTable label=t.title heads=heads rows=rows.into_html()/> {next} }.into_html(),
    };
    let view = view! {
        <h1>{t.title}</h1>
        <p class="lead">{t.lead}</p>
        <p class="actions"><a class="btn" href=RULES>{t.to_rules}</a></p>
        <nav class="tabs" aria-label=t.states>{states}</nav>
        <nav class="tabs" aria-label=t.rules_nav>
            <a href=address(of, None) aria-current=any>{t.any_rule}</a>
            {by_rule}
        </nav>
        {inside}
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

/// What a rule is called.
fn rule_name(cx: &Cx, rule: Rule, settings: &[Setting]) -> String {
    let name = settings.iter().find(|one| one.rule == rule);
    name.map(|one| cx.pick(&one.name)).unwrap_or_default()
}

fn row(cx: &Cx, one: &Row, settings: &[Setting]) -> Html {
    let at = one.found_at;
    view! {
        <tr>
            <td class="grow">
                <a href=format!("{HERE}/{}", one.id)>{rule_name(cx, one.rule, settings)}</a>
                <div><small class="muted">{found(cx, one.rule, one.measure, one.out_of)}</small></div>
            </td>
            <td>{person(cx, one.customer_id, &one.name, &one.surname)}</td>
            <td><Moment at=at shown=cx.ago(at)/></td>
        </tr>
    }
    .into_html()
}

/// A customer, with the way to their record for who may open it.
fn person(cx: &Cx, id: CustomerId, name: &str, surname: &str) -> Html {
    let name = full_name(cx, name, surname);
    match cx.staff.as_ref().is_some_and(|staff| staff.has(Right::Customers)) {
        true => view! { <a href=format!("/admin/customers/{id}")><bdi>{name}</bdi></a> }.into_html(),
        false => view! { <bdi>{name}</bdi> }.into_html(),
    }
}

/// One alert: what was found, what speaks for it, and what is done about it.
pub async fn one(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_fraud;
    let staff = cx.staff()?;
    let id: FraudAlertId = cx.param("id")?;
    let before = cx.query("after").and_then(place);
    let (alert, parties, mut evidence) = alerts::open(&cx.db, staff, id, before, PAGE as i64 + 1).await?;
    let settings = alerts::settings(&mut cx.db.read().await?, staff).await?;
    let quicker = changes::quicker(&cx, Last::Of(id.0)).await?;
    let is_more = evidence.len() > PAGE;
    evidence.truncate(PAGE);
    let next = evidence.last().filter(|_| is_more).map(|last| {
        let place = show_place((last.at, last.id));
        more(&cx, format!("{HERE}/{id}?after={place}#evidence"))
    });
    let why = settings.iter().find(|one| one.rule == alert.rule);
    let why = why.map(|one| cx.pick(&one.why));
    let done = [
        ("dismissed", t.done_dismissed),
        ("confirmed", t.done_confirmed),
        ("stopped", t.done_stopped),
        ("lifted", t.done_lifted),
    ];
    // What a colleague was quicker with took its form from the page.
    let decisions: &[&str] = match alert.state {
        State::Open => &[],
        State::Dismissed | State::Confirmed => &[DismissAlert::NAME, ConfirmAlert::NAME],
    };
    let may_stop = |id: &str| {
        let one = parties.iter().find(|one| one.id.to_string() == id);
        one.is_some_and(|one| one.is_alive && one.stopped_until.is_none())
    };
    let may_lift = |id: &str| {
        let one = parties.iter().find(|one| one.id.to_string() == id);
        one.is_some_and(|one| one.stopped_until.is_some())
    };
    let said = [
        unsaid(&cx, decisions, "", |_| false, t.stale),
        unsaid(&cx, &[StopSpending::NAME], "customer", may_stop, t.stop_stale),
        unsaid(&cx, &[LiftStop::NAME], "customer", may_lift, t.lift_stale),
    ];
    let said: Vec<Html> = said.into_iter().flatten().collect();
    let rows: Vec<_> = evidence.iter().map(|one| piece(&cx, one)).collect();
    let heads = vec![
        Head::Words(t.when),
        Head::Words(t.what),
        Head::Words(t.whose),
        Head::Words(t.place),
        Head::Number(t.total),
        Head::Number(t.points),
    ];
    let people: Vec<_> = parties.iter().map(|one| party(&cx, one)).collect();
    let at = alert.found_at;
    let name = rule_name(&cx, alert.rule, &settings);
    let view = view! {
        {back(HERE, t.title)}
        <h1>{name.clone()}</h1>
        {flash(&cx, &done)}
        {said}
        {quicker}
        <p>{state(t, alert.state)} " " {t.found_at(cx.moment(at))} " " {decided(&cx, &alert)}</p>
        <section class="panel" aria-labelledby="found">
            <h2 id="found">{t.pattern}</h2>
            <p>{found(&cx, alert.rule, alert.measure, alert.out_of)} " " {limits(t, alert.rule, alert.limits)}</p>
            <p class="muted">{why}</p>
        </section>
        <div class="section">
            <h2>{t.evidence}</h2>
            <DataTable label=t.evidence heads=heads rows=rows.into_html()/>
            {next}
        </div>
        <section class="section narrow" aria-labelledby="parties">
            <h2 id="parties">{t.parties}</h2>
            <p class="hint">{t.parties_hint}</p>
            <div class="stack">{people}</div>
        </section>
        {(alert.state == State::Open).then(|| decide(&cx, &alert))}
    };
    Ok(Body::new(name, Frame::Admin, view))
}

/// Who decided, when and why.
fn decided(cx: &Cx, alert: &Alert) -> Option<Html> {
    let t = &cx.t().admin_fraud;
    let at = cx.moment(alert.decided_at?);
    let by = alert.decided_by.clone().map(|name| t.decided(at, name));
    let reason = (!alert.reason.is_empty()).then(|| t.reason_was(&alert.reason));
    Some(view! { {by} " " <span dir="auto">{reason}</span> }.into_html())
}

/// Something that speaks for an alert.
fn piece(cx: &Cx, one: &Evidence) -> Html {
    let t = &cx.t().admin_fraud;
    let document = one.document.as_ref().map(|document| {
        let words = cx.t().common.document(document);
        let may_open = cx.staff.as_ref().is_some_and(|staff| staff.has(Right::Customers));
        match (one.owner_id, one.purchase_id) {
            (Some(owner), Some(purchase)) if may_open => {
                let href = format!("/admin/customers/{owner}/purchases/{purchase}");
                view! { <a href=href>{words}</a> }.into_html()
            }
            _ => words.into_html(),
        }
    });
    let what = match one.kind {
        EvidenceKind::Purchase => {
            let is_return = one
                .is_return
                .then(|| view! { " " <span class="status status-bad">{t.is_return}</span> });
            view! { {document} {is_return} }.into_html()
        }
        EvidenceKind::Transaction => view! { {t.spending} " " {document} }.into_html(),
        EvidenceKind::Transfer => {
            let (name, surname) = (one.to_name.as_deref(), one.to_surname.as_deref());
            let name = full_name(cx, name.unwrap_or_default(), surname.unwrap_or_default());
            view! { <bdi>{t.transfer(name)}</bdi> }.into_html()
        }
    };
    let store = one.store.as_ref().map(|name| cx.pick(name));
    let place: Vec<String> = [store, one.till.clone()].into_iter().flatten().collect();
    // Of what was paid by points the sum is the receipt's, which has a line of its own where it counts.
    let total = one.total.filter(|_| one.kind == EvidenceKind::Purchase);
    view! {
        <tr>
            <td><Moment at=one.at shown=cx.moment(one.at)/></td>
            <td class="grow">{what}</td>
            <td>{person(cx, one.customer_id, &one.name, &one.surname)}</td>
            <td>{place.join(", ")}</td>
            <td class="num">{total.map(|total| cx.money(total))}</td>
            <td class="num points">{one.points.map(|points| cx.points(points))}</td>
        </tr>
    }
    .into_html()
}

/// A customer whom it is about, and what may be done.
fn party(cx: &Cx, one: &Party) -> Html {
    let t = &cx.t().admin_fraud;
    let id = one.id.to_string();
    let name = full_name(cx, &one.name, &one.surname);
    let words = match (one.is_alive, one.stopped_until) {
        (false, _) => t.gone.to_owned(),
        (true, Some(until)) => t.stopped(cx.moment(until)),
        (true, None) => t.not_stopped.to_owned(),
    };
    let may = one.is_alive && cx.staff.as_ref().is_some_and(|staff| staff.has(Right::Customers));
    let may_write = may && cx.staff.as_ref().is_some_and(|staff| staff.has(Right::Requests));
    let write = may_write.then(|| view! { <a href=format!("/admin/customers/{id}/acts#write")>{t.write}</a> " " });
    let acts = may.then(|| view! { <p>{write} <a href=format!("/admin/customers/{id}/acts#cards")>{t.acts}</a></p> });
    let labels = pairs([("reason", t.told_reason)]);
    let is_open = |form| was_about(cx, form, "customer", &id);
    let [is_stopping, is_lifting] = [StopSpending::NAME, LiftStop::NAME].map(is_open);
    let form = may.then(|| match one.stopped_until {
        None => view! {
            <details class="fold" open=is_stopping>
                <summary>{t.stop} <span class="sr-only">": " {name.clone()}</span></summary>
                <p class="hint">{t.stop_hint(stop::DAYS)}</p>
                <FormBox<StopSpending> id=format!("fraud-stop-{id}") labels=labels stale=t.stop_stale>
                    <input type="hidden" name="customer" value=id/>
                    <Field name="reason" label=t.told_reason hint=t.told_reason_hint missing=t.reason_missing enterkeyhint="done"/>
                    <button class="btn btn-danger-quiet">{t.stop}</button>
                </FormBox<StopSpending>>
            </details>
        }
        .into_html(),
        Some(_) => {
            let form = fresh_first(cx).unwrap_or_else(|| {
                view! {
                    <FormBox<LiftStop> id=format!("fraud-lift-{id}") labels=labels stale=t.lift_stale>
                        <input type="hidden" name="customer" value=id/>
                        <Field name="reason" label=t.told_reason hint=t.told_reason_hint missing=t.reason_missing enterkeyhint="done"/>
                        <button class="btn">{t.lift}</button>
                    </FormBox<LiftStop>>
                }
                .into_html()
            });
            view! {
                <details class="fold" open=is_lifting>
                    <summary>{t.lift} <span class="sr-only">": " {name.clone()}</span></summary>
                    {form}
                </details>
            }
            .into_html()
        }
    });
    view! {
        <div>
            <h3>{person(cx, one.id, &one.name, &one.surname)}</h3>
            <p>{words}</p>
            {acts}
            {form}
        </div>
    }
    .into_html()
}

/// The forms by which an open alert is decided.
fn decide(cx: &Cx, alert: &Alert) -> Html {
    let t = &cx.t().admin_fraud;
    let seen = alert.changed_at.timestamp_micros().to_string();
    let again = seen.clone();
    let labels = || pairs([("reason", t.reason)]);
    let (dismissing, confirming) = (cx.was_sent(DismissAlert::NAME), cx.was_sent(ConfirmAlert::NAME));
    view! {
        <section class="section narrow" aria-labelledby="decide">
            <h2 id="decide">{t.decide}</h2>
            <details class="fold" open=dismissing>
                <summary>{t.dismiss}</summary>
                <p class="hint">{t.dismiss_hint}</p>
                <FormBox<DismissAlert> labels=labels() stale=t.stale>
                    <input type="hidden" name="seen" value=again/>
                    <Field name="reason" label=t.reason hint=t.reason_hint missing=t.reason_missing enterkeyhint="done"/>
                    <button class="btn">{t.dismiss}</button>
                </FormBox<DismissAlert>>
            </details>
            <details class="fold" open=confirming>
                <summary>{t.confirm}</summary>
                <p class="hint">{t.confirm_hint}</p>
                <FormBox<ConfirmAlert> labels=labels() stale=t.stale>
                    <input type="hidden" name="seen" value=seen/>
                    <Field name="reason" label=t.reason hint=t.reason_hint missing=t.reason_missing enterkeyhint="done"/>
                    <button class="btn btn-danger-quiet">{t.confirm}</button>
                </FormBox<ConfirmAlert>>
            </details>
        </section>
    }
    .into_html()
}

/// The rules with their limits.
pub async fn rules(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_fraud;
    let settings = alerts::settings(&mut cx.db.read().await?, cx.staff()?).await?;
    let quicker = changes::quicker(&cx, Last::Done("fraud.rule", "")).await?;
    let all: Vec<_> = settings.iter().map(|one| setting(&cx, one)).collect();
    let view = view! {
        {back(HERE, t.title)}
        <h1>{t.rules_title}</h1>
        {flash(&cx, &[("saved", t.done_saved)])}
        {quicker}
        <p class="lead">{t.rules_lead}</p>
        <div class="narrow">{all}</div>
    };
    Ok(Body::new(t.rules_title, Frame::Admin, view))
}

fn setting(cx: &Cx, one: &Setting) -> Html {
    let t = &cx.t().admin_fraud;
    let code = one.rule.as_str();
    let seen = one.changed_at.timestamp_micros().to_string();
    let enabled = one.enabled;
    let off = (!enabled).then(|| view! { " " <span class="status status-wait">{t.is_off}</span> });
    let fields: Vec<(Limit, &'static str, String)> = one
        .rule
        .fields()
        .iter()
        .map(|field| {
            let label = match (field, one.rule) {
                (Limit::Least, Rule::SpentAndReturned) => t.least_spent,
                (Limit::Least, Rule::OneTill) => t.least_till,
                (Limit::Least, Rule::ManyPurchases | Rule::Ring) => t.least_many,
                (Limit::Days, _) => t.days,
                (Limit::Share, _) => t.share,
            };
            (*field, label, one.limits.get(*field).to_string())
        })
        .collect();
    let labels: Vec<_> = fields
        .iter()
        .map(|(field, label, _)| (field.as_str().to_owned(), (*label).to_owned()))
        .collect();
    let inside = move || {
        let fields: Vec<Html> = fields
            .into_iter()
            .map(|(field, label, value)| match field {
                Limit::Days => {
                    view! { <Field name="days" label=label hint=t.days_hint value=value inputmode="numeric"/> }
                        .into_html()
                }
                Limit::Least | Limit::Share => {
                    view! { <Field name=field.as_str() label=label value=value inputmode="numeric"/> }.into_html()
                }
            })
            .collect();
        fields.into_html()
    };
    view! {
        <section class="section">
            <h2>{cx.pick(&one.name)} {off}</h2>
            <p class="muted">{cx.pick(&one.why)}</p>
            <FormBox<SetFraudRule> id=format!("fraud-rule-{code}") labels=labels stale=t.rule_stale>
                <input type="hidden" name="rule" value=code/>
                <input type="hidden" name="seen" value=seen/>
                <Check name="enabled" checked=enabled>{t.enabled}</Check>
                {inside()}
                <button class="btn btn-primary">{t.save}</button>
            </FormBox<SetFraudRule>>
        </section>
    }
    .into_html()
}

/// On a customer's record: the open alerts that they have a part in, and that points are not spent.
pub(super) fn section(cx: &Cx, open: &[Row], stop: Option<&Stop>) -> Option<Html> {
    let t = &cx.t().admin_fraud;
    if open.is_empty() && stop.is_none() {
        return None;
    }
    let stop = stop.map(|stop| {
        let words = t.side_stop(&stop.by, &stop.reason, cx.moment(stop.ends_at));
        view! { <p class="notice notice-warn"><span dir="auto">{words}</span></p> }
    });
    let lines: Vec<_> = open
        .iter()
        .map(|one| {
            let href = format!("{HERE}/{}", one.id);
            view! { <li><a href=href>{found(cx, one.rule, one.measure, one.out_of)}</a></li> }
        })
        .collect();
    let view = view! {
        <section class="section">
            <h2>{t.side}</h2>
            {stop}
            {(!lines.is_empty()).then(|| view! { <ul class="stack">{lines}</ul> })}
        </section>
    };
    Some(view.into_html())
}
