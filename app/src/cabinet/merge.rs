//! Two accounts of one customer: both are proved, they see what would become of them, and for a while it can be undone.

use super::{back, flash, fresh_first};
use crate::account::sign_in::set_attempt;
use crate::cx::{Cx, cookie};
use crate::format;
use crate::route::{Body, Form, Frame, Next, Place};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{Check, ErrorSummary, Field, FormBox, pairs};
use crm::card;
use crm::contact::{Contact, Kind};
use crm::flaw::Flaw;
use crm::merge::{self, MergeError, Merged, Obstacle, Preview, Proved, Side, Step, Sum};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;
use std::collections::BTreeSet;

const HERE: &str = "/merge";

/// Sends a code to the customer's own phone.
#[derive(Deserialize)]
pub struct ProvePhone {}

impl Form for ProvePhone {
    const NAME: &'static str = "merge.prove";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let token = merge::prove_phone(&cx.db, &cx.customer()?.fresh(&cx.db)?, &cx.visitor).await?;
        set_attempt(cx, cookie::ATTEMPT, &token);
        Ok(Next::to(HERE))
    }
}

/// Names the other account; a code goes there, if there is one.
#[derive(Deserialize)]
pub struct NameOther {
    other: String,
}

impl Form for NameOther {
    const NAME: &'static str = "merge.ask";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.customer()?.fresh(&cx.db)?;
        let token = merge::ask(&cx.db, &by, &self.other, &cx.visitor).await?;
        set_attempt(cx, cookie::ATTEMPT, &token);
        Ok(Next::to(HERE))
    }
}

/// Takes the code that went to either of them.
#[derive(Deserialize)]
pub struct TakeCode {
    code: String,
}

impl Form for TakeCode {
    const NAME: &'static str = "merge.code";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let token = cx.token(cookie::ATTEMPT).ok_or(AppError::Stale)?;
        let by = cx.customer()?.fresh(&cx.db)?;
        match merge::take_code(&cx.db, &by, token, &self.code, &cx.visitor).await? {
            Proved::Own => cx.set_cookie(cookie::ATTEMPT, None, None),
            Proved::Other => {}
        }
        Ok(Next::to(HERE))
    }
}

/// Begins anew, with another account.
#[derive(Deserialize)]
pub struct BeginAnew {}

impl Form for BeginAnew {
    const NAME: &'static str = "merge.anew";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        cx.customer()?;
        cx.set_cookie(cookie::ATTEMPT, None, None);
        Ok(Next::to(HERE))
    }
}

/// Merges the two accounts that were shown.
#[derive(Deserialize)]
pub struct ConfirmMerge {
    agreed: Option<String>,
}

impl Form for ConfirmMerge {
    const NAME: &'static str = "merge.confirm";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let token = cx.token(cookie::ATTEMPT).ok_or(AppError::Stale)?;
        let by = cx.customer()?.fresh(&cx.db)?;
        merge::confirm(&cx.db, &by, token, self.agreed.is_some())
            .await
            .map_err(refused)?;
        cx.set_cookie(cookie::ATTEMPT, None, None);
        Ok(Next::to("/merge?done=merged"))
    }
}

/// Lets the two accounts part again. Every session ends, this one too.
#[derive(Deserialize)]
pub struct UndoMerge {
    agreed: Option<String>,
}

impl Form for UndoMerge {
    const NAME: &'static str = "merge.undo";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.customer()?.fresh(&cx.db)?;
        if self.agreed.is_none() {
            return Err(AppError::field("agreed", Flaw::MustAgree));
        }
        merge::undo(&cx.db, &by).await.map_err(refused)?;
        cx.set_cookie(cookie::SESSION, None, None);
        Ok(Next::to("/sign-in"))
    }
}

/// What stands in the way the page says, once it is shown again.
pub(crate) fn refused(error: MergeError) -> AppError {
    match error {
        MergeError::Obstacle(_) => AppError::Stale,
        MergeError::Crm(e) => e.into(),
    }
}

/// The page, as far as the customer has come.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().merge;
    let merged = merge::of(&mut cx.db.read().await?, cx.subject()?).await?;
    let (shown, inside) = match &merged {
        Some(merged) => (vec![UndoMerge::NAME], parting(&cx, merged)),
        // The steps are proofs by codes, which are between the customer and their phones.
        None if cx.viewer.is_some() => (Vec::new(), view! { {rules(&cx)} <p>{t.viewing}</p> }.into_html()),
        None => steps(&cx).await?,
    };
    // What came of a button that the page does not have any more.
    let unsaid = cx
        .outcome
        .as_ref()
        .filter(|outcome| !shown.contains(&outcome.form.as_str()));
    let unsaid = unsaid
        .filter(|outcome| outcome.form.starts_with("merge."))
        .map(|outcome| {
            let (error, form) = (outcome.error.clone(), outcome.form.replace('.', "-"));
            view! { <ErrorSummary error=error form=form labels=Vec::new() stale=t.stale/> }
        });
    let lead = merged.is_none().then(|| view! { <p class="lead">{t.lead}</p> });
    let view = view! {
        {back("/profile", cx.t().profile.title)}
        <div>
            <h1>{t.title}</h1>
            {lead}
        </div>
        {flash(&cx, &[("merged", t.done_merged)])}
        {unsaid}
        <div class="narrow stack">{inside}</div>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
}

/// What comes next, and the forms that it holds.
async fn steps(cx: &Cx) -> Result<(Vec<&'static str>, Html), AppError> {
    let t = &cx.t().merge;
    let customer = cx.customer()?;
    if let Some(first) = fresh_first(cx) {
        return Ok((Vec::new(), view! { {rules(cx)} {first} }.into_html()));
    }
    let token = cx.token(cookie::ATTEMPT);
    Ok(match merge::step(&cx.db, customer, token).await? {
        Step::Phone { is_there: false } => (
            Vec::new(),
            view! { <p>{t.no_phone} " " <a href="/profile/contacts">{cx.t().contacts.title}</a></p> }.into_html(),
        ),
        Step::Phone { is_there: true } => (
            vec![ProvePhone::NAME],
            view! {
                {rules(cx)}
                <p>{t.own_first}</p>
                <FormBox<ProvePhone> class="actions"><button class="btn btn-primary">{t.send_own}</button></FormBox<ProvePhone>>
            }
            .into_html(),
        ),
        Step::Name => (vec![NameOther::NAME], view! { {rules(cx)} {name(cx)} }.into_html()),
        Step::Code(proved) => (vec![TakeCode::NAME, BeginAnew::NAME], code(cx, proved)),
        Step::Look => {
            let token = token.ok_or(AppError::Stale)?;
            let preview = merge::preview(&cx.db, &customer.fresh(&cx.db)?, token).await?;
            (vec![ConfirmMerge::NAME, BeginAnew::NAME], look(cx, &preview))
        }
    })
}

/// What a merge does, before it begins.
fn rules(cx: &Cx) -> Html {
    let t = &cx.t().merge;
    let hours = i64::from(cx.shop().number_change_hours);
    let frozen = (hours > 0).then(|| view! { <li>{t.rule_frozen(hours)}</li> });
    view! {
        <ul class="list-disc ps-5">
            <li>{t.rule_together}</li>
            <li>{t.rule_kept}</li>
            <li>{t.rule_undo}</li>
            {frozen}
        </ul>
    }
    .into_html()
}

fn name(cx: &Cx) -> Html {
    let t = &cx.t().merge;
    let labels = pairs([("other", t.other)]);
    view! {
        <FormBox<NameOther> labels=labels>
            <Field name="other" label=t.other hint=t.other_hint missing=t.other_missing enterkeyhint="go"/>
            <div class="actions"><button class="btn btn-primary">{t.send_other}</button></div>
        </FormBox<NameOther>>
    }
    .into_html()
}

fn code(cx: &Cx, proved: Proved) -> Html {
    let (t, words) = (&cx.t().merge, &cx.t().sign_in);
    let lead = match proved {
        Proved::Own => t.code_own,
        Proved::Other => t.code_other,
    };
    let labels = pairs([("code", words.code)]);
    view! {
        <p>{lead}</p>
        <FormBox<TakeCode> labels=labels>
            <Field name="code" label=words.code hint=words.code_hint missing=words.code_missing autocomplete="one-time-code"
                class="input-code" inputmode="numeric" enterkeyhint="go" autofocus=true/>
            <div class="actions"><button class="btn btn-primary">{t.next}</button></div>
        </FormBox<TakeCode>>
        {anew(cx)}
    }
    .into_html()
}

fn anew(cx: &Cx) -> Html {
    let t = &cx.t().merge;
    view! { <FormBox<BeginAnew> class="actions"><button class="btn btn-quiet">{t.anew}</button></FormBox<BeginAnew>> }
        .into_html()
}

/// Both are proved: what would become of them, and the last question.
fn look(cx: &Cx, preview: &Preview) -> Html {
    let t = &cx.t().merge;
    let end = match preview.obstacle {
        Some(obstacle) => view! { <p class="notice notice-warn">{in_the_way(cx, obstacle)}</p> }.into_html(),
        None => {
            let labels = pairs([("agreed", t.merge)]);
            view! {
                <FormBox<ConfirmMerge> labels=labels stale=t.stale>
                    <Check name="agreed">{t.agreed}</Check>
                    <div class="actions"><button class="btn btn-primary">{t.merge}</button></div>
                </FormBox<ConfirmMerge>>
            }
            .into_html()
        }
    };
    view! {
        <h2>{t.preview}</h2>
        {what(cx, preview)}
        {end}
        {anew(cx)}
    }
    .into_html()
}

/// What stands in the way, and what to do about it.
pub(crate) fn in_the_way(cx: &Cx, obstacle: Obstacle) -> &'static str {
    let t = &cx.t().merge;
    match obstacle {
        Obstacle::Same => t.way_same,
        Obstacle::Merged => t.way_merged,
        Obstacle::Erasing => t.way_erasing,
        Obstacle::Frozen => t.way_frozen,
        Obstacle::SecondFactor => t.way_second_factor,
        Obstacle::Unregistered => t.way_unregistered,
        Obstacle::Debt => t.way_debt,
        Obstacle::Held => t.way_held,
        Obstacle::OnTheWay => t.way_on_the_way,
        Obstacle::Unreachable => t.way_unreachable,
    }
}

/// What would become of two accounts, line by line.
pub(crate) fn what(cx: &Cx, preview: &Preview) -> Html {
    let t = &cx.t().merge;
    let (kept, absorbed) = (&preview.kept, &preview.absorbed);
    let sides = [kept, absorbed];
    let name = format!("{} {}", kept.profile.person.name, kept.profile.person.surname);
    let birthday = kept.profile.person.birthday.or(absorbed.profile.person.birthday);
    let birthday = birthday.map_or_else(
        || cx.t().profile.no_birthday.to_owned(),
        |day| format::date(cx.lang, day),
    );
    let numbers = |side: &Side| -> Vec<String> { side.cards.iter().map(|card| card::show(&card.number)).collect() };
    let cards: Vec<String> = sides.into_iter().flat_map(numbers).collect();
    let children = children(&sides);
    let withdrawn = (!preview.withdrawn.is_empty()).then(|| {
        let titles: Vec<String> = preview.withdrawn.iter().map(|title| cx.pick(title)).collect();
        view! { <div><dt>{t.consents}</dt><dd>{t.withdrawn(titles.join("; "))}</dd></div> }
    });
    let consents = preview
        .withdrawn
        .is_empty()
        .then(|| view! { <div><dt>{t.consents}</dt><dd>{t.consents_kept}</dd></div> });
    let bought = sides.iter().map(|side| side.purchases).sum::<i64>();
    let total = sides.iter().map(|side| side.total).sum::<i64>();
    let requests = sides.iter().map(|side| side.requests).sum::<i64>();
    let programs: Vec<_> = preview.programs.iter().map(|sum| program(cx, sum)).collect();
    let contacts = contacts(cx, &sides);
    view! {
        <dl class="review panel">
            <div><dt>{t.name}</dt><dd><bdi>{name}</bdi></dd></div>
            <div><dt>{t.birthday}</dt><dd>{birthday}</dd></div>
            <div><dt>{t.contacts}</dt><dd><bdi>{contacts.join(", ")}</bdi></dd></div>
            <div><dt>{t.cards}</dt><dd>{cards.join(", ")}</dd></div>
            {programs}
            <div><dt>{t.purchases}</dt><dd>{t.purchases_sum(bought, cx.money(total))}</dd></div>
            <div><dt>{t.requests}</dt><dd>{format::integer(requests)}</dd></div>
            <div><dt>{t.children}</dt><dd>{format::integer(children)}</dd></div>
            {withdrawn}
            {consents}
        </dl>
        <p class="muted">{t.which_wins}</p>
    }
    .into_html()
}

/// Every number and address, each once: those of the account that stays first.
fn contacts(cx: &Cx, sides: &[&Side; 2]) -> Vec<String> {
    let mut all: Vec<&Contact> = Vec::new();
    for contact in sides.iter().flat_map(|side| &side.profile.contacts) {
        if all
            .iter()
            .all(|known| (known.kind, &known.value) != (contact.kind, &contact.value))
        {
            all.push(contact);
        }
    }
    all.into_iter()
        .map(|contact| match contact.kind {
            Kind::Phone => cx.phone(&contact.value),
            Kind::Email => contact.value.clone(),
        })
        .collect()
}

/// How many children: of one day one.
fn children(sides: &[&Side; 2]) -> i64 {
    let days = sides.iter().flat_map(|side| &side.profile.children);
    let days: BTreeSet<_> = days.map(|child| child.birthday).collect();
    i64::try_from(days.len()).unwrap_or(i64::MAX)
}

fn program(cx: &Cx, sum: &Sum) -> Html {
    let t = &cx.t().merge;
    let mut parts = vec![t.active(cx.points(sum.active))];
    if sum.pending > 0 {
        parts.push(t.pending(cx.points(sum.pending)));
    }
    if sum.reserved > 0 {
        parts.push(t.reserved(cx.points(sum.reserved)));
    }
    if let Some(tier) = &sum.tier {
        parts.push(t.tier(cx.pick(tier)));
    }
    if !sum.is_member {
        parts.push(t.no_member.to_owned());
    }
    view! { <div><dt>{t.program(cx.pick(&sum.name))}</dt><dd>{parts.join(", ")}</dd></div> }.into_html()
}

/// What undoing it would do.
pub(crate) fn undoing(cx: &Cx, merged: &Merged) -> Html {
    let t = &cx.t().merge;
    let spent = merged.came - merged.back;
    let spent = (spent > 0).then(|| view! { <li>{t.undo_spent(cx.points(spent))}</li> });
    view! {
        <ul class="list-disc ps-5">
            <li>{t.undo_back(cx.points(merged.back))}</li>
            {spent}
            <li>{t.undo_bought}</li>
            <li>{t.undo_sessions}</li>
        </ul>
    }
    .into_html()
}

/// They are one, and can still be parted.
fn parting(cx: &Cx, merged: &Merged) -> Html {
    let t = &cx.t().merge;
    let state = view! {
        <p class="panel">{t.is_merged(cx.moment(merged.at))} " " {t.undo_until(cx.moment(merged.undo_until))}</p>
    };
    let end = match (merged.obstacle, fresh_first(cx)) {
        (Some(obstacle), _) => view! { <p class="notice notice-warn">{in_the_way(cx, obstacle)}</p> }.into_html(),
        (None, Some(first)) => first,
        (None, None) => {
            let labels = pairs([("agreed", t.undo)]);
            view! {
                <FormBox<UndoMerge> labels=labels stale=t.undo_stale>
                    <Check name="agreed">{t.undo_agreed}</Check>
                    <div class="actions"><button class="btn btn-danger-quiet">{t.undo}</button></div>
                </FormBox<UndoMerge>>
            }
            .into_html()
        }
    };
    view! {
        {state}
        <section class="section" aria-labelledby="undo">
            <h2 id="undo">{t.undo}</h2>
            {undoing(cx, merged)}
            {end}
        </section>
    }
    .into_html()
}

/// On every page of the cabinet, while it can be undone: that another account went into this one.
pub(crate) fn bar(cx: &Cx) -> Option<Html> {
    let t = &cx.t().merge;
    let until = cx.customer.as_ref()?.merged_until().filter(|_| cx.path != HERE)?;
    Some(
        view! {
            <div class="notice">
                <p>{t.bar(cx.moment(until))} " " <a href=HERE>{t.bar_more}</a></p>
            </div>
        }
        .into_html(),
    )
}
