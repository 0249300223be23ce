//! The statement of points, like a bank's: by day, with the balance after it, each line opening to what it means.

use super::period::Period;
use super::receipt::{by_line, earned_row};
use super::{back, meaning, more, place, show_place, transfer};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Frame, Place};
use crate::ui::Moment;
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use chrono::NaiveDate;
use crm::id::TransactionId;
use crm::points::{
    Balance, Before, Entry, Explained, Filter, Lot, Origin, Share, Sort, TransactionKind, store as points,
};
use crm::rule::Occasion;
use islands::AppError;
use leptos::prelude::*;
use std::collections::{BTreeMap, HashMap};

/// Lines on one page.
const SHOWN: usize = 30;

/// The word that goes with a number of points: a fraction takes the form of a few.
pub(crate) fn unit(cx: &Cx, minor: i64) -> String {
    cx.t().points.unit_of(if minor % 100 == 0 { minor / 100 } else { 2 })
}

/// What the address asks for.
#[derive(Default)]
pub struct Asked {
    /// The id of a program.
    pub program: String,
    /// The word of a kind of movements.
    pub kind: String,
    /// From when until when.
    pub period: Period,
    filter: Filter,
}

impl Asked {
    fn read(cx: &Cx) -> Self {
        let typed = |name: &str| cx.query(name).unwrap_or_default().to_owned();
        let (program, kind, period) = (typed("program"), typed("kind"), Period::read(cx));
        let filter = Filter {
            program: program.parse().ok(),
            sort: Sort::from_word(&kind),
            from: period.first,
            to: period.last,
        };
        Self {
            program,
            kind,
            period,
            filter,
        }
    }

    /// Something narrows the list, or was meant to.
    fn is_any(&self) -> bool {
        self.is_partial() || self.period.is_any()
    }

    /// Of a day there may be more than is shown.
    fn is_partial(&self) -> bool {
        !self.program.is_empty() || !self.kind.is_empty()
    }

    /// The address of the statement of the period, as a file with this ending.
    fn file(&self, ending: &str) -> String {
        let day = |name: &str, day: Option<NaiveDate>| day.map(|day| format!("{name}={day}"));
        let days = [day("from", self.period.first), day("to", self.period.last)];
        let query = days.into_iter().flatten().collect::<Vec<_>>().join("&");
        match query.as_str() {
            "" => format!("/points/statement.{ending}"),
            query => format!("/points/statement.{ending}?{query}"),
        }
    }

    /// The page's own address with these filters, from a place in the list on.
    pub fn address(&self, before: Option<Before>) -> String {
        let mut query = BTreeMap::from([
            ("program", self.program.clone()),
            ("kind", self.kind.clone()),
            ("from", self.period.from.clone()),
            ("to", self.period.to.clone()),
            ("before", before.map(show_place).unwrap_or_default()),
        ]);
        query.retain(|_, value| !value.is_empty());
        match serde_qs::to_string(&query) {
            Ok(query) if !query.is_empty() => format!("/points?{query}"),
            _ => "/points".to_owned(),
        }
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().points;
    let me = cx.subject()?;
    let asked = Asked::read(&cx);
    let before = cx.query("before").and_then(place);
    let mut conn = cx.db.read().await?;
    let balance = points::balance(&mut conn, me).await?;
    let mut entries = points::movements(&mut conn, me, &asked.filter, before, SHOWN as i64 + 1).await?;
    let has_more = entries.len() > SHOWN;
    entries.truncate(SHOWN);
    let explained = points::explain(&mut conn, me, &entries).await?;
    drop(conn);
    let next = entries.last().filter(|_| has_more).map(|last| (last.at, last.id.0));
    let next = next.map(|next| more(&cx, asked.address(Some(next))));
    // The day that the page before ended in goes on here: what its balance was at its end stands there.
    let begun = before.map(|(at, _)| cx.shop().day(at));
    let days: Vec<_> = entries
        .chunk_by(|a, b| cx.shop().day(a.at) == cx.shop().day(b.at))
        .map(|entries| {
            let is_whole = !asked.is_partial() && begun != entries.first().map(|newest| cx.shop().day(newest.at));
            day(&cx, entries, is_whole, &explained)
        })
        .collect();
    let is_new = days.is_empty() && before.is_none() && !asked.is_any();
    let list = match (days.is_empty(), asked.is_any()) {
        (false, _) => view! { <div>{days}</div> {next} }.into_html(),
        (true, true) => view! {
            <div class="panel empty">
                {icon(icons::SEARCH)}
                <p>{t.nothing}</p>
                <a class="btn" href="/points">{t.reset}</a>
            </div>
        }
        .into_html(),
        (true, false) => view! {
            <div class="panel empty">
                {icon(icons::SPARKLES)}
                <p>{t.none}</p>
                <a class="btn btn-primary" href="/card">{t.show_card}</a>
            </div>
        }
        .into_html(),
    };
    let view = view! {
        {back("/", t.back)}
        <h1>{t.title}</h1>
        <div class="narrow stack">
            {programs(&cx, &balance)}
            <p class="actions">
                <a class="btn" href="/points/expiry">{t.calendar}</a>
                <a class="btn" href="/points/missing">{t.missing}</a>
                {(!transfer::is_off(&cx)).then(|| view! { <a class="btn" href="/points/transfer">{t.give}</a> })}
            </p>
            <section class="section">
                <div class="section-head">
                    <h2>{t.history}</h2>
                    {before.map(|_| view! { <a href=asked.address(None)>{t.from_the_start}</a> })}
                </div>
                {(!is_new).then(|| form(&cx, &asked, &balance))}
                {list}
                {(!is_new).then(|| files(&cx, &asked))}
            </section>
        </div>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Home), view))
}

/// The statement of the period as a file. Its balances add up with all that happened alone, so no other filter counts for it.
fn files(cx: &Cx, asked: &Asked) -> Html {
    let t = &cx.t().points;
    let whole = asked.is_partial().then(|| view! { <p class="hint">{t.save_whole}</p> });
    view! {
        <div class="panel no-print">
            <h3>{t.save}</h3>
            {whole}
            <p class="actions">
                <a class="btn btn-sm" href=asked.file("csv")>{t.save_csv}</a>
                <a class="btn btn-sm" href=asked.file("pdf")>{t.save_pdf}</a>
            </p>
        </div>
    }
    .into_html()
}

/// What of the statement is asked for.
fn form(cx: &Cx, asked: &Asked, balance: &Balance) -> Html {
    let t = &cx.t().points;
    let option = |chosen: &str, value: String, words: String| {
        let selected = value == chosen;
        view! { <option value=value selected=selected>{words}</option> }
    };
    let kind = |sort: Sort| {
        let words = match sort {
            Sort::Earned => t.earned,
            Sort::Spent => t.spent,
            Sort::Expired => t.expiry,
            Sort::Other => t.other,
        };
        option(&asked.kind, sort.as_str().to_owned(), words.to_owned())
    };
    let programs: Vec<_> = balance
        .programs
        .iter()
        .map(|program| option(&asked.program, program.program.to_string(), cx.pick(&program.name)))
        .collect();
    let programs = (programs.len() > 1 || !asked.program.is_empty()).then(|| {
        view! {
            <label class="grow basis-40">
                {t.program}
                <select class="input" name="program">{option(&asked.program, String::new(), t.any.to_owned())} {programs}</select>
            </label>
        }
    });
    view! {
        <form class="filters" action="/points" role="search">
            <label class="grow basis-40">
                {t.kind}
                <select class="input" name="kind">
                    {option(&asked.kind, String::new(), t.any.to_owned())}
                    {Sort::ALL.into_iter().map(kind).collect::<Vec<_>>()}
                </select>
            </label>
            {programs}
            <button class="btn">{t.apply}</button>
            <details class="fold basis-full" open=asked.period.is_any()>
                <summary>{t.period}</summary>
                <div class="filters">
                    {asked.period.fields(cx)}
                    <button class="btn">{t.apply}</button>
                </div>
            </details>
            {asked.is_any().then(|| view! { <a class="btn btn-quiet btn-sm" href="/points">{t.reset}</a> })}
        </form>
    }
    .into_html()
}

/// What a reward was given for.
pub(crate) fn occasion(cx: &Cx, occasion: Occasion) -> &'static str {
    let t = &cx.t().points;
    match occasion {
        Occasion::Purchase => t.accrual,
        Occasion::Registration => t.for_registration,
        Occasion::Referral => t.for_referral,
        Occasion::Profile => t.for_profile,
        Occasion::Questionnaire => t.for_questionnaire,
        Occasion::Day => t.for_day,
    }
}

/// What there is, program by program.
fn programs(cx: &Cx, balance: &Balance) -> Option<Html> {
    let t = &cx.t().points;
    let rows: Vec<_> = balance
        .programs
        .iter()
        .map(|program| {
            let pending = (program.pending != 0).then(|| t.and_pending(cx.points(program.pending)));
            let reserved = program
                .reserved_until
                .map(|until| t.reserved(cx.points(program.reserved), cx.time(until)));
            let expiry = program.next_expiry.map(|next| t.next_expiry(cx.day(next.at), cx.points(next.points)));
            let notes = [reserved, pending, expiry].into_iter().flatten().collect::<Vec<_>>().join(", ");
            view! {
                <li class="row">
                    <span class="row-main"><b>{cx.pick(&program.name)}</b> <small>{notes}</small></span>
                    <span class="row-end"><b>{cx.points(program.spendable())}</b> <small>{unit(cx, program.spendable())}</small></span>
                </li>
            }
        })
        .collect();
    let pending_means =
        (balance.pending != 0).then(|| meaning(cx, t.what_pending, t.pending_means, "when-points-become-active"));
    let expiry_means = balance
        .next_expiry
        .map(|_| meaning(cx, t.what_expires, t.expires_means, "when-points-expire"));
    let is_debt = balance.programs.iter().any(|program| program.spendable() < 0);
    let debt_means = is_debt.then(|| meaning(cx, t.what_debt, t.debt_means, "points-below-zero"));
    let is_reserved = balance.programs.iter().any(|program| program.reserved != 0);
    let reserved_means = is_reserved.then(|| meaning(cx, t.what_reserved, t.reserved_means, "pay-with-points"));
    (!rows.is_empty()).then(|| {
        view! {
            <section class="section">
                <div class="balance">
                    <h2>{t.to_spend}</h2>
                    <p class="balance-sum"><b>{cx.points(balance.spendable())}</b> " " {unit(cx, balance.spendable())}</p>
                </div>
                <div class="panel panel-flush"><ul class="rows">{rows}</ul></div>
                {debt_means}
                {reserved_means}
                {pending_means}
                {expiry_means}
            </section>
        }
        .into_html()
    })
}

/// The movements of a day, the newest first. What there was at its end is told where the newest of the day is shown.
fn day(cx: &Cx, entries: &[Entry], is_whole: bool, explained: &HashMap<TransactionId, Explained>) -> Option<Html> {
    let t = &cx.t().points;
    let newest = entries.first()?;
    let date = cx.shop().day(newest.at);
    let total = is_whole.then(|| view! { <span>{t.total_after(cx.points(newest.total))}</span> });
    let lines: Vec<_> = entries
        .iter()
        .map(|one| entry(cx, one, explained.get(&one.id)))
        .collect();
    Some(
        view! {
            <section class="day">
                <div class="day-head"><h3>{format::day_and_weekday(cx.lang, date, cx.today())}</h3> {total}</div>
                <div class="panel panel-flush">{lines}</div>
            </section>
        }
        .into_html(),
    )
}

/// What a movement was, and what that means.
pub(super) fn title(cx: &Cx, entry: &Entry) -> (String, &'static str) {
    let t = &cx.t().points;
    let (title, text) = match entry.kind {
        TransactionKind::Accrual => (t.accrual, t.accrual_text),
        TransactionKind::Activation => (t.activation, t.activation_text),
        TransactionKind::Expiry if entry.active > 0 => (t.expiry_undone, t.expiry_undone_text),
        TransactionKind::Expiry => (t.expiry, t.expiry_text),
        TransactionKind::Return => (t.taken_back, t.taken_back_text),
        TransactionKind::Redemption => (t.redemption, t.redemption_text),
        TransactionKind::Adjustment => (t.adjustment, t.adjustment_text),
        TransactionKind::Refund => (t.refund, t.refund_text),
        TransactionKind::Transfer => {
            let is_back = entry.other.as_ref().is_some_and(|other| other.is_back);
            match (entry.active < 0, is_back) {
                (true, false) => (t.sent, t.sent_text),
                (false, false) => (t.received, t.received_text),
                (false, true) => (t.came_back, t.came_back_text),
                (true, true) => (t.went_back, t.went_back_text),
            }
        }
        TransactionKind::Void => (t.void, t.void_text),
        TransactionKind::Merge => (t.merge, t.merge_text),
    };
    // A reward tells by itself what it was for.
    match (&entry.reward, entry.kind) {
        (Some(reward), TransactionKind::Accrual) => (cx.pick(&reward.name), t.reward_text),
        (Some(_), TransactionKind::Return | TransactionKind::Void) if entry.active + entry.pending < 0 => {
            (t.taken_back.to_owned(), t.reward_taken_back_text)
        }
        (Some(_), TransactionKind::Void) => (t.void.to_owned(), t.reward_given_again_text),
        _ => (title.to_owned(), text),
    }
}

/// A movement: what it was, and by how much it changed what can be spent. Points that still wait are muted.
fn entry(cx: &Cx, entry: &Entry, explained: Option<&Explained>) -> Html {
    let t = &cx.t().points;
    let (title, text) = title(cx, entry);
    let signed = |points| format::signed_points(cx.lang, points);
    let (shown, class) = match (entry.active, entry.pending) {
        (0, pending) => (signed(pending), "muted nowrap"),
        (active, _) if active > 0 => (signed(active), "plus"),
        (active, _) => (signed(active), "minus"),
    };
    let waits = entry
        .term
        .filter(|_| entry.active == 0)
        .map(|(active, _)| t.waits(cx.day(active)));
    let receipt = entry.purchase.zip(entry.document.clone()).map(|(id, document)| {
        view! { <div><dt>{t.receipt}</dt><dd><a href=format!("/purchases/{id}")><bdi>{cx.t().common.document(document)}</bdi></a></dd></div> }
    });
    let store = entry.store.as_ref().map(|name| cx.pick(name));
    let in_store = store
        .clone()
        .map(|name| view! { <div><dt>{t.store}</dt><dd><bdi>{name}</bdi></dd></div> });
    let why = entry
        .note
        .clone()
        .map(|note| view! { <div><dt>{t.why}</dt><dd dir="auto">{note}</dd></div> });
    // What came back was sent to them, and what went back came from them.
    let other = entry.other.clone().map(|other| {
        let label = if (entry.active < 0) == other.is_back {
            t.from
        } else {
            t.to
        };
        view! { <div><dt>{label}</dt><dd><a href="/points/transfer#list"><bdi>{other.name}</bdi></a></dd></div> }
    });
    let reward = entry.reward.as_ref().map(|reward| {
        let name = t.rule_version(cx.pick(&reward.name), reward.by.version);
        let name = match &reward.partner {
            Some(partner) => cx.t().receipt.by_partner(name, partner),
            None => name,
        };
        let back = (reward.taken_back > 0)
            .then(|| view! { <div><dt>{t.reward_taken_back}</dt><dd>{cx.points(reward.taken_back)}</dd></div> });
        view! {
            <div><dt>{t.occasion}</dt><dd>{occasion(cx, reward.occasion)}</dd></div>
            <div><dt>{t.rule}</dt><dd><bdi>{name}</bdi></dd></div>
            {back}
        }
    });
    let term = entry.term.map(|(active, expires)| {
        view! {
            <div><dt>{t.active_from}</dt><dd>{cx.day(active)}</dd></div>
            <div><dt>{t.expires}</dt><dd>{cx.day(expires)}</dd></div>
        }
    });
    let write = format!("/support/new?about=points/{}", entry.id);
    // A reward tells its rule by itself.
    let why_so_many = entry
        .purchase
        .filter(|_| entry.kind == TransactionKind::Accrual && entry.reward.is_none())
        .map(|id| view! { <a href=format!("/purchases/{id}/why")>{t.why_so_many}</a> });
    let pending = (entry.active != 0 && entry.pending != 0)
        .then(|| view! { <div><dt>{t.pending_change}</dt><dd>{signed(entry.pending)}</dd></div> });
    view! {
        <details class="entry">
            <summary>
                <span>{title} <small>{cx.pick(&entry.name)} {store.map(|name| format!(", {name}"))} {waits.map(|waits| format!(", {waits}"))}</small></span>
                <b class=class>{shown} " " <small>{t.balance(cx.points(entry.balance))}</small></b>
            </summary>
            <div>
                <p>{text}</p>
                <dl class="kv">
                    {receipt}
                    {in_store}
                    {other}
                    {why}
                    {reward}
                    <div><dt>{t.when}</dt><dd><Moment at=entry.at shown=cx.moment(entry.at)/></dd></div>
                    {term}
                    {pending}
                    {debts(cx, entry, explained)}
                    <div><dt>{t.balance_after}</dt><dd>{cx.points(entry.balance)}</dd></div>
                </dl>
                {parts(cx, entry, explained)}
                <p class="ways no-print">{why_so_many} <a href=write>{t.write}</a></p>
            </div>
        </details>
    }
    .into_html()
}

/// What of a movement went into a debt, or paid one.
fn debts(cx: &Cx, entry: &Entry, explained: Option<&Explained>) -> Html {
    let t = &cx.t().points;
    let (debt, paid) = explained.map_or((-entry.points(), 0), |e| (e.debt(entry), e.paid_debt(entry)));
    let row = |words: &'static str, points: i64| {
        (points > 0).then(|| view! { <div><dt>{words}</dt><dd>{cx.points(points)}</dd></div> })
    };
    view! { {row(t.became_debt, debt)} {row(t.paid_debt, paid)} }.into_html()
}

/// What a movement is made of: which points came, from what, and until when; which went; which came back.
fn parts(cx: &Cx, entry: &Entry, explained: Option<&Explained>) -> Html {
    let t = &cx.t().points;
    let Some(explained) = explained else {
        // A debt alone is told above, and so is what a reward is for.
        let is_told = entry.points() < 0 || entry.reward.is_some();
        return (!is_told)
            .then(|| view! { <p class="muted">{t.nothing_more}</p> })
            .into_html();
    };
    let expiry: fn(&Cx, String) -> String = match entry.kind {
        TransactionKind::Expiry => |cx, day| cx.t().points.expired_on(day),
        _ => |cx, day| cx.t().points.would_expire(day),
    };
    let expiry_now: fn(&Cx, String) -> String = match entry.kind {
        TransactionKind::Expiry => expiry,
        _ => |cx, day| cx.t().points.expire_now(day),
    };
    let taken = (!entry.is_gain()).then(|| shares(cx, t.which, &explained.taken, expiry));
    let back = shares(cx, t.which_came_back, &explained.given_back, expiry_now);
    let lots: Vec<_> = explained.lots.iter().map(|one| lot(cx, entry, one)).collect();
    view! { {lots} {taken} {back} }.into_html()
}

/// Points that came together: from when, until when, and which lines of the receipt brought them.
fn lot(cx: &Cx, entry: &Entry, lot: &Lot) -> Html {
    let t = &cx.t().points;
    // An accrual tells its term by itself.
    let term = entry.term.is_none().then(|| {
        view! { <p class="muted">{t.lot(cx.day(lot.expires_at), cx.points(lot.points), unit(cx, lot.points))}</p> }
    });
    let rows: Vec<_> = lot
        .earned
        .iter()
        .map(|(article, earned)| earned_row(cx, article, earned))
        .collect();
    let lines = (!rows.is_empty()).then(|| {
        view! {
            <details class="fold" open>
                <summary>{cx.t().receipt.by_line}</summary>
                {by_line(cx, rows)}
            </details>
        }
    });
    view! { {term} {lines} }.into_html()
}

/// Points of several lots: what had brought them, for which article they went, and until when they last.
fn shares(cx: &Cx, title: &'static str, shares: &[Share], expiry: fn(&Cx, String) -> String) -> Option<Html> {
    let t = &cx.t().receipt;
    let rows: Vec<_> = shares
        .iter()
        .map(|share| {
            let article = share
                .article
                .clone()
                .map(|article| view! { <br/> <small class="muted">{cx.t().points.for_article} " " <bdi>{article}</bdi></small> });
            view! {
                <tr>
                    <th scope="row">
                        {origin(cx, &share.origin)}
                        {article}
                        <br/> <small class="muted">{expiry(cx, cx.day(share.expires_at))}</small>
                    </th>
                    <td class="num">{cx.points(share.points)}</td>
                </tr>
            }
        })
        .collect();
    (!rows.is_empty()).then(|| {
        view! {
            <details class="fold" open>
                <summary>{title}</summary>
                <table class="data">
                    <caption class="sr-only">{title}</caption>
                    <thead><tr><th scope="col">{t.came_from}</th><th scope="col" class="num">{t.points}</th></tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </details>
        }
        .into_html()
    })
}

/// What had put points where they lay.
pub(super) fn origin(cx: &Cx, origin: &Origin) -> Html {
    let t = &cx.t().points;
    if let Some((id, document)) = origin.purchase.zip(origin.document.clone()) {
        return view! {
            <a href=format!("/purchases/{id}")>{t.receipt} " " <bdi>{cx.t().common.document(document)}</bdi></a>
            " " {t.of_day(cx.day(origin.at))}
        }
        .into_html();
    }
    let words = match (&origin.reward, &origin.other, origin.kind) {
        (Some(reward), ..) => t.rule_version(cx.pick(&reward.name), reward.by.version),
        (None, Some(other), _) => t.gift(&other.name),
        (None, None, TransactionKind::Adjustment) => t.adjustment.to_owned(),
        (None, None, TransactionKind::Transfer) => t.received.to_owned(),
        (None, None, _) => t.accrual.to_owned(),
    };
    view! { <bdi>{words}</bdi> " " {t.of_day(cx.day(origin.at))} }.into_html()
}
