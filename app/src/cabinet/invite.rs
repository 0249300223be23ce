//! Inviting friends: the code and the link, what it gives, and who came.

use super::{back, flash, place, show_place, unsaid};
use crate::admin::rules::words::Words;
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Form, Frame, Next, Place};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use crate::ui::{Field, FormBox, Moment, QrCode, pairs};
use crm::flaw::Flaw;
use crm::invite::store as invitations;
use crm::invite::{Invitation, State, show};
use crm::rule::Rule;
use crm::rule::store as rules;
use islands::{AppError, CopyField};
use leptos::prelude::*;
use serde::Deserialize;

/// Friends on one page.
const SHOWN: usize = 50;

/// Gives the customer a code.
#[derive(Deserialize)]
pub struct BeginInviting {}

impl Form for BeginInviting {
    const NAME: &'static str = "invite.begin";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        invitations::begin(&cx.db, cx.customer()?).await?;
        Ok(Next::to("/invite?done=begun"))
    }
}

/// Says by whose code the customer came, who registered without it.
#[derive(Deserialize)]
pub struct EnterCode {
    code: String,
}

impl Form for EnterCode {
    const NAME: &'static str = "invite.enter";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        if self.code.trim().is_empty() {
            return Err(AppError::field("code", Flaw::Missing));
        }
        invitations::enter(&cx.db, cx.customer()?, &self.code).await?;
        Ok(Next::to("/invite?done=entered"))
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().invite;
    let me = cx.subject()?;
    let mut conn = cx.db.read().await?;
    let code = invitations::code_of(&mut conn, me).await?;
    let before = cx.query("before").and_then(place);
    let mut friends = invitations::list(&mut conn, me, before, SHOWN as i64 + 1).await?;
    let may_enter = invitations::may_enter(&mut conn, me).await?;
    let gives = invitations::gives(&mut conn).await?;
    let all: Vec<&Rule> = gives.inviter.iter().chain(&gives.friend).collect();
    let names = rules::names(&mut conn, &all).await?;
    drop(conn);
    let words = Words { cx: &cx, names: &names };
    let link = match code {
        Some(code) => link(&cx, &code),
        None => view! {
            <FormBox<BeginInviting> class="actions"><button class="btn btn-primary">{t.begin}</button></FormBox<BeginInviting>>
        }
        .into_html(),
    };
    let more = friends.len() > SHOWN;
    friends.truncate(SHOWN);
    let next = friends
        .last()
        .filter(|_| more)
        .map(|last| show_place((last.at, last.place)));
    let next = next.map(|next| {
        let href = format!("/invite?before={next}#friends");
        super::more(&cx, href)
    });
    let rows: Vec<_> = friends.iter().map(|friend| row(&cx, friend)).collect();
    let rows = match rows.is_empty() {
        true => view! { <p class="muted">{t.nobody}</p> }.into_html(),
        false => view! { <div class="panel panel-flush"><ul class="rows">{rows}</ul></div> }.into_html(),
    };
    let most = cx.shop().points.invitations_per_month;
    let limit = (!gives.inviter.is_empty()).then(|| view! { <p class="hint">{t.limit(most)}</p> });
    let nothing = all.is_empty().then(|| view! { <p>{t.nothing}</p> });
    let view = view! {
        {back("/profile", cx.t().profile.title)}
        <div>
            <h1>{t.title}</h1>
            <p class="lead">{t.lead}</p>
        </div>
        {flash(&cx, &[("begun", t.done_begun), ("entered", t.done_entered)])}
        {(!may_enter).then(|| unsaid(&cx, &[EnterCode::NAME], "", |_| false, t.too_late))}
        <div class="narrow stack">
            {link}
            <section class="section" aria-labelledby="gives">
                <h2 id="gives">{t.gives}</h2>
                {given(&words, t.to_you, &gives.inviter)}
                {given(&words, t.to_friend, &gives.friend)}
                {nothing}
                {limit}
            </section>
            {may_enter.then(|| enter(&cx))}
            <section class="section" aria-labelledby="friends">
                <h2 id="friends">{t.friends}</h2>
                {before.map(|_| view! { <p><a href="/invite#friends">{cx.t().points.from_the_start}</a></p> })}
                {rows}
                {next}
            </section>
        </div>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
}

/// Asks by whose code the customer came.
fn enter(cx: &Cx) -> Html {
    let t = &cx.t().invite;
    let days = cx.shop().points.invitation_days;
    let labels = pairs([("code", t.friends_code)]);
    view! {
        <section class="section" aria-labelledby="came">
            <h2 id="came">{t.came}</h2>
            <p>{t.came_text(days)}</p>
            <FormBox<EnterCode> labels=labels stale=t.too_late>
                <Field name="code" label=t.friends_code hint=t.friends_code_hint missing=t.friends_code_missing
                    enterkeyhint="done" class="input-short"/>
                <div class="actions"><button class="btn">{t.enter}</button></div>
            </FormBox<EnterCode>>
        </section>
    }
    .into_html()
}

/// The code, and the link: for who is far in a field that can be selected where no script copies it or hands it on, for who is
/// here as a QR code.
fn link(cx: &Cx, code: &str) -> Html {
    let t = &cx.t().invite;
    let link = format!("{}/join/{code}", cx.shop().url);
    let (shared, copied) = (link.clone(), link.clone());
    view! {
        <section class="panel stack" aria-labelledby="code">
            <h2 id="code">{t.code}</h2>
            <p><b class="nowrap">{show(code)}</b></p>
            <CopyField>
                <div class="field">
                    <label for="link">{t.link}</label>
                    <input class="input" id="link" type="text" readonly value=copied data-copy=""/>
                </div>
                <button class="btn later mt-3" type="button" hidden data-copied=t.copied>{t.copy}</button>
                <p class="muted" role="status"></p>
            </CopyField>
        </section>
        <section class="panel" aria-labelledby="beside">
            <h2 id="beside">{t.beside}</h2>
            <p>{t.beside_text}</p>
            <QrCode text=link label=t.qr/>
            <button class="btn mt-3" type="button" hidden data-share=shared>{t.share}</button>
        </section>
        <script type="module" src="/share.js"></script>
    }
    .into_html()
}

/// What rules give, by their own names.
pub(crate) fn given(words: &Words<'_>, title: &'static str, rules: &[Rule]) -> Option<Html> {
    let lines: Vec<_> = rules
        .iter()
        .map(|rule| {
            view! {
                <li class="row">
                    <span class="row-main"><b>{words.cx.pick(&rule.name)}</b> <small>{words.gives(rule)}</small></span>
                </li>
            }
        })
        .collect();
    (!lines.is_empty()).then(|| {
        view! { <h3>{title}</h3> <div class="panel panel-flush"><ul class="rows">{lines}</ul></div> }.into_html()
    })
}

fn row(cx: &Cx, friend: &Invitation) -> impl IntoView + use<> {
    let t = &cx.t().invite;
    let (class, words) = match friend.state {
        State::Registered => ("status status-wait", t.registered),
        State::Bought => ("status", t.bought),
        State::Capped => ("status", t.capped),
        State::Rewarded { .. } => ("status status-done", t.rewarded),
        State::TakenBack => ("status", t.taken_back),
    };
    let points = match friend.state {
        State::Rewarded { points } if points > 0 => {
            Some(view! { <span class="row-end"><b class="plus">{format::signed_points(cx.lang, points)}</b></span> })
        }
        _ => None,
    };
    view! {
        <li class="row">
            <span class="row-icon">{icon(icons::USER_ROUND)}</span>
            <span class="row-main">
                <b><bdi>{friend.name.clone()}</bdi></b>
                <small><Moment at=friend.at shown=cx.day(friend.at)/></small>
                <span class=class>{words}</span>
            </span>
            {points}
        </li>
    }
}
