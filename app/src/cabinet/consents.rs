//! Consents: what was agreed to, when, to which version of the text, for which channel or partner, and how to take it back.

use super::{back, flash, long_list, meaning};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, File, Form, Frame, Next, Place};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{FormBox, Moment, paragraphs};
use crm::consent::{Act, Aim, AskedAt, Consent, Purpose, store as consents};
use crm::customer::Channel;
use crm::lang::Localized;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

/// What the receipt of an act is called, for people and for machines.
const TEXT_FILE: &str = "receipt.txt";
/// See [`TEXT_FILE`].
const JSON_FILE: &str = "receipt.json";

/// Gives or withdraws one consent.
#[derive(Deserialize)]
pub struct ChangeConsent {
    consent: String,
    version: i64,
    act: String,
}

impl Form for ChangeConsent {
    const NAME: &'static str = "consent.change";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (act, done) = match self.act.as_str() {
            "give" => (Act::Given, "given"),
            "withdraw" => (Act::Withdrawn, "withdrawn"),
            _ => return Err(AppError::Refused),
        };
        consents::change(&cx.db, cx.customer()?, &self.consent, act, self.version, cx.lang).await?;
        Ok(Next::to(format!("/profile/consents?done={done}")))
    }
}

/// The last act for each purpose, of a history that begins with the newest.
pub fn latest(history: Vec<Consent>) -> Vec<Consent> {
    let mut found: Vec<Consent> = Vec::new();
    for consent in history {
        if found.iter().all(|known| known.code != consent.code) {
            found.push(consent);
        }
    }
    found
}

/// Withdraws at once whatever allows the shop to write or call without need.
#[derive(Deserialize)]
pub struct WithdrawAll {}

impl Form for WithdrawAll {
    const NAME: &'static str = "consent.withdraw_all";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        consents::withdraw_all(&cx.db, cx.customer()?, cx.lang).await?;
        Ok(Next::to("/profile/consents?done=all"))
    }
}

/// The page: what messages are about, each with its channels; partners whom data may be passed to, each by itself; then the
/// other consents.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().consents;
    let mut conn = cx.db.read().await?;
    let offered = consents::offered(&mut conn).await?;
    let child = consents::purposes(&mut conn, AskedAt::Child).await?;
    let history = consents::history(&mut conn, cx.subject()?).await?;
    drop(conn);
    let acts: Vec<_> = history.iter().map(|consent| act(&cx, consent).into_html()).collect();
    let last = latest(history);
    let of = |purpose: &Purpose| last.iter().find(|consent| consent.code == purpose.code);
    let grid: Vec<_> = Aim::ALL
        .into_iter()
        .filter_map(|aim| {
            let channels: Vec<_> = offered
                .iter()
                .filter(|purpose| purpose.aim == Some(aim))
                .map(|purpose| channel_row(&cx, purpose, of(purpose)).into_html())
                .collect();
            let (title, text) = about(&cx, aim);
            let id = aim.as_str();
            (!channels.is_empty()).then(|| {
                view! {
                    <section class="section" aria-labelledby=id>
                        <h2 id=id>{title}</h2>
                        <p>{text}</p>
                        <div class="panel panel-flush"><ul class="rows">{channels}</ul></div>
                    </section>
                }
                .into_html()
            })
        })
        .collect();
    // A partner who is not active any more is there for whoever still agrees.
    let is_given = |purpose: &Purpose| of(purpose).is_some_and(|consent| consent.act == Act::Given);
    let partners: Vec<_> = offered
        .iter()
        .filter(|purpose| purpose.is_open || is_given(purpose))
        .filter_map(|purpose| Some(partner_row(&cx, purpose, purpose.partner.as_ref()?, of(purpose)).into_html()))
        .collect();
    let partners = (!partners.is_empty()).then(|| {
        view! {
            <section class="section" aria-labelledby="partners">
                <h2 id="partners">{t.partners}</h2>
                <p>{t.partners_text}</p>
                <div class="panel panel-flush"><ul class="rows">{partners}</ul></div>
            </section>
        }
    });
    let can_stop = offered.iter().any(|purpose| is_given(purpose) && !purpose.required);
    let stop = can_stop.then(
        || view! { <FormBox<WithdrawAll> class="actions"><button class="btn">{t.stop}</button></FormBox<WithdrawAll>> },
    );
    let child = child
        .iter()
        .map(|purpose| panel(&cx, purpose, of(purpose), true).into_html());
    let panels: Vec<_> = offered
        .iter()
        .filter(|purpose| purpose.aim.is_none() && purpose.partner.is_none())
        .map(|purpose| panel(&cx, purpose, of(purpose), false).into_html())
        .chain(child)
        .collect();
    let view = view! {
        {back("/profile", cx.t().profile.title)}
        <div>
            <h1>{t.title}</h1>
            <p class="lead">{t.lead}</p>
        </div>
        {flash(&cx, &[("given", t.done_given), ("withdrawn", t.done_withdrawn), ("all", t.done_all)])}
        <div class="stack narrow">
            {grid}
            {partners}
            <section class="panel" aria-labelledby="stop">
                <h2 id="stop">{t.stop_title}</h2>
                <p>{t.stop_text}</p>
                <p class="ways"><a href="/profile/quiet">{t.to_quiet}</a></p>
                {stop}
            </section>
        </div>
        <section class="section narrow" aria-labelledby="others">
            <h2 id="others">{t.others}</h2>
            <div class="stack">{panels}</div>
        </section>
        {(!acts.is_empty()).then(|| view! {
            <section class="section narrow" aria-labelledby="history">
                <h2 id="history">{t.history}</h2>
                <p class="hint">{t.history_hint}</p>
                {meaning(&cx, t.what_version, t.version_means, "consents-and-messages")}
                {long_list(&cx, acts, "timeline")}
            </section>
        })}
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
}

/// What messages about something are called, and what they are, in a sentence.
pub fn about(cx: &Cx, aim: Aim) -> (&'static str, &'static str) {
    let t = &cx.t().consents;
    match aim {
        Aim::Marketing => (t.marketing, t.marketing_text),
        Aim::Surveys => (t.surveys, t.surveys_text),
    }
}

/// What a channel is called.
pub fn channel_words(cx: &Cx, channel: Channel) -> &'static str {
    let t = &cx.t().preferences;
    match channel {
        Channel::Sms => t.sms,
        Channel::Email => t.email,
        Channel::Phone => t.phone,
    }
}

/// The word for how a consent stands, with a dot.
fn standing(cx: &Cx, last: Option<&Consent>) -> Html {
    let t = &cx.t().consents;
    let (class, word) = match last.map(|consent| consent.act) {
        Some(Act::Given) => ("status status-done", t.given),
        Some(Act::Withdrawn) => ("status", t.withdrawn),
        None => ("status", t.never),
    };
    let when = last.map(|consent| {
        let day = format::date(cx.lang, cx.shop().day(consent.at));
        view! { " " <span class="muted">{t.on(day, consent.version)}</span> }
    });
    view! { <span class=class>{word}</span> {when} }.into_html()
}

/// The buttons that a consent has just now, if it has any.
fn change_form(cx: &Cx, purpose: &Purpose, last: Option<&Consent>) -> Option<Html> {
    let t = &cx.t().consents;
    let is_given = last.is_some_and(|consent| consent.act == Act::Given);
    let is_new = last.is_some_and(|consent| consent.version != purpose.version);
    let can_give = purpose.is_open && (!is_given || is_new);
    let can_withdraw = is_given && !purpose.required;
    let give_words = if is_given { t.give_new } else { t.give };
    let code = purpose.code.clone();
    let (give, withdraw, version) = (
        cx.pick(&purpose.title),
        cx.pick(&purpose.title),
        purpose.version.to_string(),
    );
    (can_give || can_withdraw).then(|| {
        view! {
            <FormBox<ChangeConsent> id=format!("consent-{code}") class="actions">
                <input type="hidden" name="consent" value=code.clone()/>
                <input type="hidden" name="version" value=version/>
                {can_give.then(|| view! {
                    <button class="btn btn-sm" name="act" value="give">{give_words}<span class="sr-only">": " {give}</span></button>
                })}
                {can_withdraw.then(|| view! {
                    <button class="btn btn-sm" name="act" value="withdraw">{t.withdraw}<span class="sr-only">": " {withdraw}</span></button>
                })}
            </FormBox<ChangeConsent>>
        }
        .into_html()
    })
}

/// One channel of what messages are about.
fn channel_row(cx: &Cx, purpose: &Purpose, last: Option<&Consent>) -> impl IntoView + use<> {
    let t = &cx.t().consents;
    let title = cx.pick(&purpose.title);
    let name = purpose.channel.map_or("", |channel| channel_words(cx, channel));
    let is_old = last.is_some_and(|consent| consent.act == Act::Given && consent.version != purpose.version);
    let changed = is_old.then(|| view! { <small>{t.changed(purpose.version)}</small> });
    view! {
        <li class="row row-wrap">
            <span class="row-main">
                <b>{name}</b>
                <small>{standing(cx, last)}</small>
                {changed}
                <a href=format!("/consents/{}", purpose.code)>
                    {t.read(purpose.version)}<span class="sr-only">": " {title}</span>
                </a>
            </span>
            <div class="row-acts">{change_form(cx, purpose, last)}</div>
        </li>
    }
}

/// One partner: what it gets and why, and how the consent stands.
fn partner_row(cx: &Cx, purpose: &Purpose, name: &Localized, last: Option<&Consent>) -> impl IntoView + use<> {
    let t = &cx.t().consents;
    let name = cx.pick(name);
    let is_old = last.is_some_and(|consent| consent.act == Act::Given && consent.version != purpose.version);
    let changed = (is_old && purpose.is_open).then(|| view! { <small>{t.changed(purpose.version)}</small> });
    let stopped = (!purpose.is_open).then(|| view! { <small>{t.stopped}</small> });
    view! {
        <li class="row row-wrap">
            <div class="row-main">
                <b><bdi>{name.clone()}</bdi></b>
                {paragraphs(purpose.body.get(cx.lang))}
                <small>{standing(cx, last)}</small>
                {changed}
                {stopped}
                <a href=format!("/consents/{}", purpose.code)>
                    {t.read(purpose.version)}<span class="sr-only">": " {name}</span>
                </a>
            </div>
            <div class="row-acts">{change_form(cx, purpose, last)}</div>
        </li>
    }
}

/// A consent that is neither for messages nor for a partner.
fn panel(cx: &Cx, purpose: &Purpose, last: Option<&Consent>, is_for_child: bool) -> impl IntoView + use<> {
    let t = &cx.t().consents;
    let title = cx.pick(&purpose.title);
    let is_old = last.is_some_and(|consent| consent.act == Act::Given && consent.version != purpose.version);
    let changed = is_old.then(|| view! { <p>{t.changed(purpose.version)}</p> });
    let note = match (is_for_child, purpose.required) {
        (true, _) => {
            view! { <p class="muted">{t.child} " " <a href="/profile/children">{t.to_children}</a></p> }.into_html()
        }
        (false, true) => view! {
            <p class="muted">{t.required} " " <a href="/profile/erase">{t.to_erase}</a></p>
        }
        .into_html(),
        (false, false) => ().into_html(),
    };
    let form = (!is_for_child).then(|| change_form(cx, purpose, last)).flatten();
    view! {
        <section class="panel">
            <h3>{title.clone()}</h3>
            <p>{standing(cx, last)}</p>
            {changed}
            {note}
            <p class="ways">
                <a href=format!("/consents/{}", purpose.code)>
                    {t.read(purpose.version)}<span class="sr-only">": " {title}</span>
                </a>
            </p>
            {form}
        </section>
    }
}

/// One act of the history, with its receipt.
fn act(cx: &Cx, consent: &Consent) -> impl IntoView + use<> {
    let t = &cx.t().consents;
    let word = act_words(cx, consent.act);
    let title = cx.pick(&consent.title);
    let version = consent.version;
    let href = format!("/consents/{}?version={version}", consent.code);
    let (at, shown) = (consent.at, cx.moment(consent.at));
    let file = |name: &str| format!("/profile/consents/{}/{name}", consent.id);
    let (text, json) = (file(TEXT_FILE), file(JSON_FILE));
    let of = format!(": {word}, {title}, {shown}");
    view! {
        <li>
            <span>{word} ": " <a href=href>{title}</a></span>
            <small>
                <Moment at=at shown=shown/> ", " {t.version(version)} ", "
                <a href=text>{t.receipt}<span class="sr-only">{of.clone()}</span></a> ", "
                <a href=json>{t.receipt_json}<span class="sr-only">{of}</span></a>
            </small>
        </li>
    }
}

/// What an act is called.
fn act_words(cx: &Cx, act: Act) -> &'static str {
    let t = &cx.t().consents;
    match act {
        Act::Given => t.given,
        Act::Withdrawn => t.withdrawn,
    }
}

/// The act of the address. Somebody else's is none.
async fn asked(cx: &Cx) -> Result<Consent, AppError> {
    let mut conn = cx.db.read().await?;
    Ok(consents::act(&mut conn, cx.subject()?, cx.param("id")?).await?)
}

/// The receipt of an act, for people.
pub async fn text_receipt(cx: Cx) -> Result<File, AppError> {
    let text = receipt(&cx, cx.name()?, &asked(&cx).await?);
    Ok(File {
        name: TEXT_FILE.to_owned(),
        kind: "text/plain; charset=utf-8",
        bytes: text.into_bytes(),
    })
}

/// The same for machines.
pub async fn json_receipt(cx: Cx) -> Result<File, AppError> {
    let json = kantara(&cx, &cx.subject()?.id().to_string(), &asked(&cx).await?);
    Ok(File {
        name: JSON_FILE.to_owned(),
        kind: "application/json",
        bytes: format!("{json:#}\n").into_bytes(),
    })
}

/// The receipt of an act as a text that people read.
fn receipt(cx: &Cx, name: &str, consent: &Consent) -> String {
    let t = &cx.t().consents;
    let local = cx.shop().local(consent.at);
    let way = match consent.source.as_str() {
        "web" => t.way_web,
        "link" => t.way_link,
        _ => t.way_other,
    };
    let channel = consent
        .channel
        .map_or(t.no_channel, |channel| channel_words(cx, channel));
    let when = format!(
        "{}, {} ({})",
        format::date(cx.lang, local.date()),
        local.format("%H:%M:%S"),
        cx.shop().time_zone
    );
    let lines = [
        (t.receipt_number, consent.id.to_string()),
        (t.receipt_shop, cx.shop().name.clone()),
        (t.receipt_who, name.to_owned()),
        (t.receipt_act, act_words(cx, consent.act).to_owned()),
        (
            t.receipt_purpose,
            format!("{}, {}", cx.pick(&consent.title), t.version(consent.version)),
        ),
        (t.receipt_channel, channel.to_owned()),
        (t.receipt_when, when),
        (t.receipt_way, way.to_owned()),
    ];
    let partner = consent.partner.as_ref().map(|name| (t.receipt_partner, cx.pick(name)));
    let lines: String = lines
        .into_iter()
        .chain(partner)
        .map(|(label, value)| format!("{label}: {value}\n"))
        .collect();
    format!(
        "{}\n\n{lines}\n{}\n",
        t.receipt_title,
        consent.body.get(consent.language)
    )
}

/// The receipt by the field names of the Consent Receipt Specification 1.1 of Kantara. What it has no name for stands under
/// `kabinet`.
fn kantara(cx: &Cx, customer: &str, consent: &Consent) -> Value {
    let shop = cx.shop();
    let lang = consent.language;
    let title = consent.title.get(lang);
    let partner = consent.partner.as_ref().map(|name| name.get(lang));
    json!({
        "version": "KI-CR-v1.1.0",
        "jurisdiction": shop.country,
        "consentTimestamp": consent.at.timestamp(),
        "collectionMethod": consent.source,
        "consentReceiptID": consent.id.to_string(),
        "language": lang.code(),
        "piiPrincipalId": customer,
        "piiControllers": [{ "piiController": shop.name, "piiControllerUrl": shop.url }],
        "policyUrl": format!("{}/consents/{}?version={}", shop.url, consent.code, consent.version),
        "services": [{
            "service": shop.name,
            "purposes": [{
                "purpose": title,
                "purposeCategory": [consent.aim.map_or(consent.code.as_str(), |aim| aim.as_str())],
                "consentType": "EXPLICIT",
                "primaryPurpose": consent.aim.is_none() && partner.is_none(),
                "termination": format!("{}/profile/consents", shop.url),
                "thirdPartyDisclosure": partner.is_some(),
                "thirdPartyName": partner,
            }],
        }],
        "sensitive": false,
        "spiCat": [],
        "kabinet": {
            "act": match consent.act {
                Act::Given => "given",
                Act::Withdrawn => "withdrawn",
            },
            "code": consent.code,
            "channel": consent.channel,
            "partner": partner,
            "textVersion": consent.version,
            "text": consent.body.get(lang),
            "at": consent.at.to_rfc3339(),
        },
    })
}
