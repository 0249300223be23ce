//! A receipt that looks like one, also printed and as a file, and the points it brought.

use super::what_if::payment;
use super::{back, flash, meaning};
use crate::cx::Cx;
use crate::format;
use crate::pdf::{Column, Paper, TABLE, Weight, gaps};
use crate::route::{Body, File, Form, Frame, Next, Place};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use crate::ui::{FormBox, Moment, PrintButton, Select, pairs};
use crm::id::{ProgramId, PurchaseId};
use crm::lang::Localized;
use crm::points::{Earned, LotState, Source};
use crm::purchase::{Kind, Line, Receipt, Reference, purpose as purposes, store as purchases};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// A receipt of so few lines asks at each whether points are missing; a longer one asks once, for it would be a wall of
/// questions, and the line is chosen in the request.
const ASKS: usize = 5;

/// Tells what the purchase at hand was for.
#[derive(Deserialize)]
pub struct TellPurpose {
    purpose: String,
}

impl Form for TellPurpose {
    const NAME: &'static str = "purchase.purpose";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: PurchaseId = cx.param("id")?;
        purposes::tell(&cx.db, cx.customer()?, id, &self.purpose).await?;
        Ok(Next::to(format!("/purchases/{id}?done=purpose")))
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().receipt;
    let id: PurchaseId = cx.param("id")?;
    let me = cx.subject()?;
    let mut conn = cx.db.read().await?;
    let receipt = purchases::receipt(&mut conn, me, id).await?;
    let known = purposes::all(&mut conn).await?;
    drop(conn);
    let asks_once = receipt.head.kind == Kind::Sale && receipt.lines.len() > ASKS;
    let title = title(&cx, &receipt);
    let view = view! {
        {back("/purchases", t.back)}
        <div class="page-head no-print"><h1>{title.clone()}</h1></div>
        {flash(&cx, &[("claimed", cx.t().claim.done), ("purpose", cx.t().purpose.done)])}
        <div class="cols">
            <div>{paper(&cx, &receipt)}</div>
            <div class="no-print">
                {points(&cx, &receipt)}
                <div class="actions actions-fill no-print">
                    {(receipt.head.kind == Kind::Sale).then(|| view! {
                        <a class="btn" href=format!("/purchases/{id}/why")>{t.why}</a>
                        <a class="btn" href=format!("/what-if?like={id}")>{t.again}</a>
                    })}
                    {asks_once.then(|| view! {
                        <a class="btn" href=format!("/support/new?receipt={id}&line=all")>{t.missing}</a>
                    })}
                    <a class="btn" href=format!("/support/new?receipt={id}")>{icon(icons::MESSAGE_CIRCLE)} {t.write}</a>
                    <a class="btn" href=format!("/purchases/{id}/receipt.pdf")>{t.save}</a>
                    <PrintButton/>
                </div>
                {(receipt.head.kind == Kind::Sale).then(|| about(&cx, &receipt, &known))}
            </div>
        </div>
    };
    Ok(Body::new(title, Frame::Cabinet(Place::Purchases), view))
}

/// How it was paid, and what it was for: the customer tells if they like to.
fn about(cx: &Cx, receipt: &Receipt, known: &[(String, Localized)]) -> Html {
    let t = &cx.t().purpose;
    let labels = pairs([("purpose", t.label)]);
    let options = purpose_options(cx, known);
    let told = receipt.purpose.clone().unwrap_or_default();
    view! {
        <section class="section" aria-labelledby="about">
            <h2 id="about">{t.about}</h2>
            {paid_by(cx, receipt)}
            <FormBox<TellPurpose> labels=labels>
                <Select name="purpose" label=t.label hint=t.hint options=options value=told optional=true/>
                <button class="btn">{t.save}</button>
            </FormBox<TellPurpose>>
        </section>
    }
    .into_html()
}

/// What a purchase may be for, nothing first.
pub(crate) fn purpose_options(cx: &Cx, known: &[(String, Localized)]) -> Vec<(String, String)> {
    let none = (String::new(), cx.t().purpose.none.to_owned());
    let known = known.iter().map(|(code, name)| (code.clone(), cx.pick(name)));
    std::iter::once(none).chain(known).collect()
}

/// How a receipt was paid, where the till told.
pub(crate) fn paid_by(cx: &Cx, receipt: &Receipt) -> Option<Html> {
    let ways: Vec<_> = receipt.way.payments.iter().map(|way| payment(cx, *way)).collect();
    (!ways.is_empty()).then(|| view! { <p>{cx.t().purpose.paid_by(ways.join(", "))}</p> }.into_html())
}

fn title(cx: &Cx, receipt: &Receipt) -> String {
    let t = &cx.t().receipt;
    match receipt.head.kind {
        Kind::Sale => t.title_sale(cx.money(receipt.head.total)),
        Kind::Return => t.title_return(cx.money(-receipt.head.total)),
    }
}

/// The day, its weekday and the time of a receipt, as its store's clock had them.
fn moment(cx: &Cx, receipt: &Receipt) -> String {
    let local = cx.local_in(receipt.head.store.as_ref(), receipt.head.at);
    let day = format::day_and_weekday(cx.lang, local.date(), cx.today());
    format!("{day}, {}", local.format("%H:%M"))
}

/// What stands under the lines of a receipt.
struct Sums {
    discount: i64,
    earned: i64,
    taken: i64,
    paid: i64,
}

impl Sums {
    fn of(receipt: &Receipt) -> Self {
        let back: i64 = receipt.took_back.iter().map(|(_, n)| n).sum();
        let paid = receipt.lines.iter().flat_map(|line| &line.paid);
        Self {
            discount: receipt.lines.iter().map(|line| line.discount).sum(),
            earned: entries(receipt).map(|e| e.points).sum(),
            taken: entries(receipt).map(|e| e.taken_back).sum::<i64>() + back,
            paid: paid.map(|p| p.points - p.given_back).sum(),
        }
    }
}

/// The receipt as a file.
pub async fn pdf(cx: Cx) -> Result<File, AppError> {
    let id: PurchaseId = cx.param("id")?;
    let me = cx.subject()?;
    let mut conn = cx.db.read().await?;
    let receipt = purchases::receipt(&mut conn, me, id).await?;
    drop(conn);
    let head = &receipt.head;
    let name = format!("receipt-{}", cx.local_in(head.store.as_ref(), head.at).date());
    File::paper(&name, drawn(&cx, &receipt))
}

/// The same as a sheet of paper.
fn drawn(cx: &Cx, receipt: &Receipt) -> Option<Vec<u8>> {
    const PRICE: f32 = 110.0;
    const SUM: f32 = 80.0;
    const POINTS: f32 = 64.0;
    let t = &cx.t().receipt;
    let head = &receipt.head;
    let title = title(cx, receipt);
    let mut paper = Paper::new(&title, cx.lang)?;
    paper.write(Weight::Bold, 18.0, &title);
    let store = head
        .store
        .as_ref()
        .map(|store| [cx.pick(&store.name), cx.pick(&store.town)]);
    let place = [cx.shop().name.clone()].into_iter().chain(store.into_iter().flatten());
    paper.write(Weight::Regular, 10.0, &place.collect::<Vec<_>>().join(" · "));
    paper.write(Weight::Regular, 10.0, &moment(cx, receipt));
    paper.write(Weight::Regular, 10.0, &format!("{} {}", t.document, head.document));
    paper.skip(12.0);
    let column = |head, width, is_number| Column { head, width, is_number };
    let columns = [
        column(t.article, TABLE - gaps(4) - PRICE - SUM - POINTS, false),
        column(t.quantity, PRICE, true),
        column(t.sum, SUM, true),
        column(t.points, POINTS, true),
    ];
    let signed = |points| match points {
        0 => String::new(),
        points => format::signed_points(cx.lang, points),
    };
    let mut rows: Vec<Vec<String>> = receipt
        .lines
        .iter()
        .map(|line| {
            let kept: i64 = line.earned.iter().map(|e| e.points - e.taken_back).sum();
            let price = cx.money(line.price);
            vec![
                line.name.clone(),
                format!("{}\u{a0}× {price}", format::integer(line.quantity.abs())),
                cx.money(line.amount),
                signed(kept),
            ]
        })
        .collect();
    let sums = Sums::of(receipt);
    let (total, sum) = match head.kind {
        Kind::Sale => (t.total, head.total),
        Kind::Return => (t.given_back, -head.total),
    };
    let money = |words: &str, sum| vec![words.to_owned(), String::new(), cx.money(sum), String::new()];
    let points = |words: &str, points| vec![words.to_owned(), String::new(), String::new(), signed(points)];
    if sums.discount != 0 {
        rows.push(money(t.discount, -sums.discount));
    }
    rows.push(money(total, sum));
    let counted = [(t.paid, -sums.paid), (t.earned, sums.earned), (t.taken, -sums.taken)];
    rows.extend(
        counted
            .into_iter()
            .filter(|(_, n)| *n != 0)
            .map(|(words, n)| points(words, n)),
    );
    paper.table(&columns, &rows);
    paper.finish()
}

/// What the till printed.
fn paper(cx: &Cx, receipt: &Receipt) -> Html {
    let t = &cx.t().receipt;
    let head = &receipt.head;
    let (when, local) = (moment(cx, receipt), cx.local_in(head.store.as_ref(), head.at));
    let store = match &head.store {
        Some(store) => view! { <h2>{cx.pick(&store.name)}</h2> <p>{cx.pick(&store.town)}</p> }.into_html(),
        None => view! { <h2>{cx.shop().name.clone()}</h2> }.into_html(),
    };
    let asks = head.kind == Kind::Sale && receipt.lines.len() <= ASKS;
    let ask = |item: &Line| asks.then(|| format!("/support/new?receipt={}&line={}", head.id, item.id));
    let lines: Vec<_> = receipt.lines.iter().map(|item| line(cx, item, ask(item))).collect();
    let Sums {
        discount,
        earned,
        taken,
        paid,
    } = Sums::of(receipt);
    let discount = (discount != 0).then(|| view! { <div><dt>{t.discount}</dt><dd>{cx.money(-discount)}</dd></div> });
    let (total, sum) = match head.kind {
        Kind::Sale => (t.total, head.total),
        Kind::Return => (t.given_back, -head.total),
    };
    let points = |words: &'static str, points: i64| {
        (points != 0).then(
            || view! { <div class="earned"><dt>{words}</dt><dd>{format::signed_points(cx.lang, points)}</dd></div> },
        )
    };
    view! {
        <div class="receipt-wrap">
            <article class="receipt" aria-label=t.receipt>
                <header class="receipt-head">
                    {store}
                    <p><Moment at=head.at shown=when local=local/></p>
                </header>
                <ul class="receipt-lines">{lines}</ul>
                <dl class="receipt-sums">
                    {discount}
                    <div class="total"><dt>{total}</dt><dd>{cx.money(sum)}</dd></div>
                    {points(t.paid, -paid)}
                    {points(t.earned, earned)}
                    {points(t.taken, -taken)}
                </dl>
                <p class="receipt-note">{t.document} " " <bdi>{head.document.clone()}</bdi></p>
            </article>
        </div>
    }
    .into_html()
}

/// Everything that the lines earned.
fn entries(receipt: &Receipt) -> impl Iterator<Item = &Earned> {
    receipt.lines.iter().flat_map(|line| &line.earned)
}

/// An article with its sum, its points, and what came back of it; `ask` is where to say that points are missing.
fn line(cx: &Cx, line: &Line, ask: Option<String>) -> Html {
    let t = &cx.t().receipt;
    let name = line.name.clone();
    let sum = cx.money(line.amount);
    let price = format!(
        "{}\u{a0}× {}",
        format::integer(line.quantity.abs()),
        cx.money(line.price)
    );
    let how = if line.discount == 0 {
        price
    } else {
        format!("{price}, {}", t.off(cx.money(line.discount.abs())))
    };
    let all_back = line.quantity > 0 && line.returned >= line.quantity;
    let earned: i64 = line.earned.iter().map(|e| e.points).sum();
    let kept: i64 = line.earned.iter().map(|e| e.points - e.taken_back).sum();
    let signed = |points| format::signed_points(cx.lang, points);
    let points = (earned != 0).then(|| {
        let before = (kept != earned).then(|| view! { <s>{signed(earned)}</s> " " });
        let left = (kept != 0).then(|| signed(kept));
        view! { <span class="points"><span class="sr-only">{t.points}</span> {before} {left}</span> }
    });
    let discounts: Vec<_> = line
        .discounts
        .iter()
        .map(|part| view! { <small class="how">{t.off_by(cx.money(part.amount))} " " <bdi>{cx.pick(&part.name)}</bdi></small> })
        .collect();
    let paid: i64 = line.paid.iter().map(|paid| paid.points - paid.given_back).sum();
    let paid = (paid != 0).then(|| view! { <small class="how">{t.paid_line(cx.points(paid))}</small> });
    let returns: Vec<_> = line
        .returns
        .iter()
        .map(|back| view! { <span class="returned-on">{returned_on(cx, back, line.quantity)}</span> })
        .collect();
    let original = line.original.as_ref().map(|sale| {
        view! { <span class="how"><a href=format!("/purchases/{}", sale.purchase)>{t.bought(cx.day(sale.at))}</a></span> }
    });
    let ask = ask.map(|href| {
        view! {
            <small class="how no-print">
                <a href=href>{t.missing} " " <span class="sr-only">{line.name.clone()}</span></a>
            </small>
        }
    });
    let (name, sum) = if all_back {
        (
            view! { <s><bdi>{name}</bdi></s> }.into_html(),
            view! { <s>{sum}</s> }.into_html(),
        )
    } else {
        (view! { <span><bdi>{name}</bdi></span> }.into_html(), sum.into_html())
    };
    view! {
        <li class=(!line.returns.is_empty()).then_some("returned")>
            {name} <span class="sum">{sum}</span> <small class="how">{how}</small> {points} {discounts} {paid} {returns} {original} {ask}
        </li>
    }
    .into_html()
}

/// The day on which something came back, with the way to that receipt where it is the customer's own.
fn returned_on(cx: &Cx, back: &Reference, bought: i64) -> Html {
    let t = &cx.t().receipt;
    let day = cx.day(back.at);
    let words = if back.quantity < bought {
        t.returned_some(day, format::integer(back.quantity), format::integer(bought))
    } else {
        t.returned(day)
    };
    if back.own {
        view! { <a class="text-bad" href=format!("/purchases/{}", back.purchase)>{words}</a> }.into_html()
    } else {
        words.into_html()
    }
    .into_html()
}

/// The points of the receipt, program by program: how many, from when, until when, and which line brought what.
fn points(cx: &Cx, receipt: &Receipt) -> Option<Html> {
    let t = &cx.t().receipt;
    let mut lots: Vec<(&Earned, i64, i64)> = Vec::new();
    for earned in entries(receipt) {
        match lots.iter_mut().find(|(first, ..)| first.lot == earned.lot) {
            Some((_, points, taken)) => {
                *points += earned.points;
                *taken += earned.taken_back;
            }
            None => lots.push((earned, earned.points, earned.taken_back)),
        }
    }
    let signed = |points| format::signed_points(cx.lang, points);
    let panels: Vec<_> = lots
        .iter()
        .map(|(lot, points, taken)| {
            let (spend, expire) = match lot.state {
                LotState::Pending => (t.will_be_active, t.will_expire),
                LotState::Active => (t.active_since, t.will_expire),
                LotState::Expired => (t.active_since, t.expired),
            };
            let (activates, expires) = (cx.day(lot.activates_at), cx.day(lot.expires_at));
            let rows: Vec<_> = receipt
                .lines
                .iter()
                .flat_map(|line| line.earned.iter().filter(|e| e.lot == lot.lot).map(move |e| (line, e)))
                .map(|(line, e)| earned_row(cx, &line.name, e))
                .collect();
            view! {
                <div class="panel">
                    <h3>{cx.pick(&lot.name)}</h3>
                    <dl class="kv">
                        <div><dt>{t.earned_here}</dt><dd class="points">{signed(*points)}</dd></div>
                        {(*taken != 0).then(|| view! { <div><dt>{t.taken_here}</dt><dd>{signed(-taken)}</dd></div> })}
                        <div><dt>{spend}</dt><dd>{activates}</dd></div>
                        <div><dt>{expire}</dt><dd>{expires}</dd></div>
                    </dl>
                    <details class="fold">
                        <summary>{t.by_line}</summary>
                        {by_line(cx, rows)}
                    </details>
                </div>
            }
        })
        .collect();
    let took_back: Vec<_> = receipt
        .took_back
        .iter()
        .map(|(name, points)| view! { <div><dt>{cx.pick(name)}</dt><dd>{signed(-points)}</dd></div> })
        .collect();
    let took_back = (!took_back.is_empty()).then(|| {
        view! { <div class="panel"><p>{t.taken_text}</p> <dl class="kv">{took_back}</dl></div> }
    });
    let paid = paid_in_points(cx, receipt);
    let waits = lots.iter().any(|(lot, ..)| lot.state == LotState::Pending);
    let p = &cx.t().points;
    let means = waits.then(|| meaning(cx, p.what_pending, p.pending_means, "when-points-become-active"));
    (!panels.is_empty() || took_back.is_some() || paid.is_some()).then(|| {
        view! {
            <section class="section">
                <div class="section-head"><h2>{t.points_title}</h2> <a href="/points">{t.statement}</a></div>
                {panels}
                {means}
                {took_back}
                {paid}
            </section>
        }
        .into_html()
    })
}

/// Which points paid for the receipt: of which program, what had earned them, and until when they could have been spent.
fn paid_in_points(cx: &Cx, receipt: &Receipt) -> Option<Html> {
    let t = &cx.t().receipt;
    let mut programs: Vec<(ProgramId, String)> = Vec::new();
    for paid in receipt.lines.iter().flat_map(|line| &line.paid) {
        if programs.iter().all(|(id, _)| *id != paid.program) {
            programs.push((paid.program, cx.pick(&paid.name)));
        }
    }
    let panels: Vec<_> = programs
        .into_iter()
        .map(|(program, name)| {
            let of = |points: fn(&crm::points::Paid) -> i64| -> i64 {
                let all = receipt.lines.iter().flat_map(|line| &line.paid);
                all.filter(|paid| paid.program == program).map(points).sum()
            };
            let (paid, back) = (of(|paid| paid.points), of(|paid| paid.given_back));
            let back = (back != 0).then(|| {
                let back = format::signed_points(cx.lang, back);
                view! { <div><dt>{t.given_back_points}</dt><dd>{back}</dd></div> }
            });
            let rows: Vec<_> = receipt
                .drawn
                .iter()
                .filter(|drawn| drawn.program == program)
                .map(|drawn| {
                    let from = match drawn.purchase.zip(drawn.document.clone()) {
                        Some((id, document)) => {
                            view! { <a href=format!("/purchases/{id}")>{t.document} " " <bdi>{document}</bdi></a> }
                                .into_html()
                        }
                        None => t.not_by_purchase.into_html(),
                    };
                    view! {
                        <tr>
                            <th scope="row">{from}</th>
                            <td>{cx.day(drawn.expires_at)}</td>
                            <td class="num">{cx.points(drawn.points)}</td>
                        </tr>
                    }
                })
                .collect();
            view! {
                <div class="panel">
                    <h3>{name}</h3>
                    <dl class="kv">
                        <div><dt>{t.paid}</dt><dd>{format::signed_points(cx.lang, -paid)}</dd></div>
                        {back}
                    </dl>
                    <details class="fold">
                        <summary>{t.by_which}</summary>
                        <table class="data">
                            <caption class="sr-only">{t.by_which}</caption>
                            <thead><tr>
                                <th scope="col">{t.came_from}</th>
                                <th scope="col">{t.would_expire}</th>
                                <th scope="col" class="num">{t.points}</th>
                            </tr></thead>
                            <tbody>{rows}</tbody>
                        </table>
                    </details>
                </div>
            }
        })
        .collect();
    (!panels.is_empty()).then(|| panels.into_html())
}

/// Which article of a receipt brought how many points.
pub(super) fn by_line(cx: &Cx, rows: Vec<Html>) -> Html {
    let t = &cx.t().receipt;
    view! {
        <table class="data">
            <caption class="sr-only">{t.by_line}</caption>
            <thead><tr><th scope="col">{t.article}</th><th scope="col" class="num">{t.points}</th></tr></thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_html()
}

/// A row of it: the article, who gave the points, and how many; those that were taken back beside them.
pub(super) fn earned_row(cx: &Cx, article: &str, earned: &Earned) -> Html {
    let signed = |points| format::signed_points(cx.lang, points);
    let points = if earned.taken_back == 0 {
        signed(earned.points)
    } else {
        format!("{} {}", signed(earned.points), signed(-earned.taken_back))
    };
    view! {
        <tr>
            <th scope="row"><bdi>{article.to_owned()}</bdi> {parts(cx, earned)}</th>
            <td class="num">{points}</td>
        </tr>
    }
    .into_html()
}

/// Which of the points of a line the program gave of its own, and which the rules of that time, each in its version.
fn parts(cx: &Cx, earned: &Earned) -> Vec<Html> {
    let t = &cx.t().receipt;
    let part = |part: &crm::points::Part| {
        let name = cx.pick(&part.name);
        let by = match part.by {
            Source::Program(version) => t.by_program(name, crm::content::percent(cx.lang, earned.share), version),
            Source::Rule(by) => t.by_rule(name, by.version),
        };
        let by = match &part.partner {
            Some(partner) => t.by_partner(by, partner),
            None => by,
        };
        // One alone is the whole of the line.
        let points = (earned.parts.len() > 1).then(|| format::signed_points(cx.lang, part.amount));
        view! { <br/> <small class="muted"><bdi>{by}</bdi> " " {points}</small> }.into_html()
    };
    earned.parts.iter().map(part).collect()
}
