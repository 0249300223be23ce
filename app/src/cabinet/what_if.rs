//! What a purchase would bring: the basket is the address, so that it can be kept, sent and gone back to.

use super::points::unit;
use super::{back, by_town, looked, purchases};
use crate::admin::rules::fields::{hundredths, whole};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Frame, Place};
use crate::ui::form::grouped;
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use crm::flaw::Flaw;
use crm::id::{PurchaseId, StoreId};
use crm::purchase;
use crm::quote::what_if::{self, Change, Forecast, Found, Item, LINES_MAX, Paying, Plan};
use crm::report::store::explained::Look;
use crm::rule::Payment;
use crm::shop::{Shop, moment_in};
use crm::stores::{Store, store as stores};
use islands::AppError;
use leptos::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Articles that a search shows.
const SHOWN: usize = 10;
/// The longest text to search for, in characters.
const TEXT_MAX: usize = 100;
/// The longest that anybody plans ahead, in days.
const DAYS_MAX: u32 = 366;
/// Of what would bring more so much is told.
const BETTER: usize = 4;

/// A line as it was typed.
#[derive(Clone, Default)]
struct Typed {
    code: String,
    quantity: String,
    price: String,
}

/// What the address asks for.
#[derive(Default)]
struct Asked {
    lines: Vec<Typed>,
    /// Something at this price, of which no rule knows more.
    sum: String,
    day: String,
    time: String,
    store: String,
    payment: String,
    /// The article that is looked for.
    find: String,
    /// So many articles of a receipt found no line any more, and count in the sum.
    in_sum: i64,
}

impl Asked {
    fn read(cx: &Cx) -> Self {
        let typed = |name: &str| {
            // PostgreSQL takes no NUL in a text, and nobody means any of its kind.
            let clean = cx.query(name).unwrap_or_default().chars();
            clean.filter(|c| !c.is_control()).take(TEXT_MAX).collect::<String>()
        };
        let line = |n: usize| Typed {
            code: typed(&format!("code{n}")),
            quantity: typed(&format!("quantity{n}")),
            price: typed(&format!("price{n}")),
        };
        Self {
            lines: (0..LINES_MAX).map(line).filter(|line| !line.code.is_empty()).collect(),
            sum: typed("sum"),
            day: typed("day"),
            time: typed("time"),
            store: typed("store"),
            payment: typed("payment"),
            find: typed("find"),
            in_sum: 0,
        }
    }

    /// What a receipt has. Articles that find no line any more count in the sum.
    fn add_receipt(&mut self, bought: &[(Found, i64)], cx: &Cx) {
        let mut rest: i64 = 0;
        for (article, quantity) in bought {
            let is_full = self.lines.len() >= LINES_MAX && !self.lines.iter().any(|line| line.code == article.code);
            if is_full {
                self.in_sum += 1;
                rest = rest.saturating_add(quantity.saturating_mul(article.price.unwrap_or_default()));
            } else {
                self.add(article, cx, *quantity);
            }
        }
        if self.in_sum > 0 {
            let typed = hundredths(&self.sum).unwrap_or_default();
            self.sum = plain(cx, typed.saturating_add(rest));
        }
    }

    /// One more of an article.
    fn add(&mut self, article: &Found, cx: &Cx, quantity: i64) {
        if let Some(line) = self.lines.iter_mut().find(|line| line.code == article.code) {
            let more = whole(&line.quantity).unwrap_or_default().saturating_add(quantity);
            line.quantity = more.to_string();
        } else if self.lines.len() < LINES_MAX {
            self.lines.push(Typed {
                code: article.code.clone(),
                quantity: quantity.to_string(),
                price: article.price.map(|price| plain(cx, price)).unwrap_or_default(),
            });
        }
    }

    /// The address of the page with all of this.
    fn address(&self) -> String {
        let mut query: BTreeMap<String, &str> = BTreeMap::new();
        for (n, line) in self.lines.iter().enumerate() {
            query.insert(format!("code{n}"), &line.code);
            query.insert(format!("quantity{n}"), &line.quantity);
            query.insert(format!("price{n}"), &line.price);
        }
        let others = [
            ("sum", &self.sum),
            ("day", &self.day),
            ("time", &self.time),
            ("store", &self.store),
            ("payment", &self.payment),
        ];
        query.extend(
            others
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.as_str())),
        );
        query.retain(|_, value| !value.is_empty());
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(query)
            .finish();
        format!("/what-if?{query}")
    }

    fn with(&self, lines: Vec<Typed>, day: Option<NaiveDate>, payment: Option<Payment>) -> String {
        let other = Self {
            lines,
            sum: self.sum.clone(),
            day: day.map_or_else(|| self.day.clone(), |day| day.to_string()),
            time: self.time.clone(),
            store: self.store.clone(),
            payment: payment.map_or_else(|| self.payment.clone(), |way| way.as_str().to_owned()),
            find: String::new(),
            in_sum: 0,
        };
        other.address()
    }

    fn changed(&self, change: Change) -> String {
        match change {
            Change::Day(day) => self.with(self.lines.clone(), Some(day), None),
            Change::Payment(way) => self.with(self.lines.clone(), None, Some(way)),
        }
    }
}

/// Money as it is typed: without the sign of a currency and without thousands.
pub(super) fn plain(cx: &Cx, minor: i64) -> String {
    let comma = if cx.lang == crm::lang::Lang::Ru { ',' } else { '.' };
    format!("{}{comma}{:02}", minor / 100, minor % 100)
}

/// What is wrong with a field, by its name.
type Flaws = BTreeMap<String, String>;

/// What was asked for, as the CRM understands it.
fn plan(cx: &Cx, asked: &Asked, known: &[Found], shops: &[Store]) -> Result<Option<Plan>, Flaws> {
    let mut flaws = Flaws::new();
    let mut flaw = |name: String, flaw: Flaw| {
        flaws.insert(name, cx.flaw(&flaw));
    };
    let mut items = Vec::new();
    for (n, line) in asked.lines.iter().enumerate() {
        let quantity = whole(&line.quantity).and_then(|n| if n > 0 { Ok(n) } else { Err(Flaw::NotANumber) });
        let price = hundredths(&line.price);
        let article = known.iter().find(|found| found.code == line.code).map(|found| found.id);
        match (quantity, price) {
            (Ok(quantity), Ok(price)) if purchase::amount(quantity, price, 0).is_some() => {
                items.push(Item {
                    article,
                    quantity,
                    price,
                });
            }
            (Ok(_), Ok(_)) => flaw(
                format!("price{n}"),
                Flaw::OutOfRange {
                    min: 0,
                    max: purchase::AMOUNT_MAX / 100,
                },
            ),
            (quantity, price) => {
                for (name, wrong) in [("quantity", quantity.err()), ("price", price.err())] {
                    if let Some(wrong) = wrong {
                        flaw(format!("{name}{n}"), wrong);
                    }
                }
            }
        }
    }
    if !asked.sum.is_empty() {
        match hundredths(&asked.sum) {
            Ok(price) if purchase::amount(1, price, 0).is_some() => items.push(Item {
                article: None,
                quantity: 1,
                price,
            }),
            Ok(_) => flaw(
                "sum".into(),
                Flaw::OutOfRange {
                    min: 0,
                    max: purchase::AMOUNT_MAX / 100,
                },
            ),
            Err(wrong) => flaw("sum".into(), wrong),
        }
    }
    let store: Option<StoreId> = asked.store.parse().ok();
    let shop = shops.iter().find(|shop| Some(shop.id) == store);
    let at = match moment(cx, asked, shop) {
        Ok(at) => at,
        Err((name, words)) => {
            flaws.insert(name.to_owned(), words);
            cx.db.now()
        }
    };
    if !flaws.is_empty() {
        return Err(flaws);
    }
    Ok((!items.is_empty()).then_some(Plan {
        at,
        store: shop.map(|shop| shop.id),
        payment: Payment::from_word(&asked.payment),
        items,
    }))
}

/// When: now where nothing is said, the same time on another day where only that is. Day and time are those of the shop.
fn moment(cx: &Cx, asked: &Asked, shop: Option<&Store>) -> Result<DateTime<Utc>, (&'static str, String)> {
    let t = &cx.t().what_if;
    let zone = cx.shop().zone_of(shop.and_then(|shop| shop.time_zone.as_deref()));
    let now = cx.db.now().with_timezone(&zone).naive_local();
    if asked.day.is_empty() && asked.time.is_empty() {
        return Ok(cx.db.now());
    }
    let day = match asked.day.as_str() {
        "" => now.date(),
        typed => purchases::day(typed).ok_or_else(|| ("day", cx.flaw(&Flaw::NotADate)))?,
    };
    let ahead = (day - now.date()).num_days();
    if ahead < 0 {
        return Err(("day", cx.flaw(&Flaw::InThePast)));
    }
    if ahead > i64::from(DAYS_MAX) {
        let last = now.date() + Days::new(u64::from(DAYS_MAX));
        return Err(("day", t.too_far(format::date(cx.lang, last))));
    }
    let time = match asked.time.as_str() {
        "" => now.time(),
        typed => NaiveTime::parse_from_str(typed, "%H:%M").map_err(|_| ("time", t.not_a_time.to_owned()))?,
    };
    let at = moment_in(zone, day.and_time(time));
    // The minute that it is has not passed yet.
    if !asked.time.is_empty() && at + TimeDelta::minutes(1) <= cx.db.now() {
        return Err(("time", t.past_time.to_owned()));
    }
    Ok(at)
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().what_if;
    let me = cx.subject()?;
    let mut asked = Asked::read(&cx);
    // By a button of the form, so that what was typed elsewhere stays.
    if let Some(nth) = cx.query("remove").and_then(|nth| nth.parse::<usize>().ok())
        && nth < asked.lines.len()
    {
        asked.lines.remove(nth);
    }
    looked(&cx, Look::WhatIf).await;
    let mut conn = cx.db.read().await?;
    if let Some(id) = cx.query("like").and_then(|id| id.parse::<PurchaseId>().ok()) {
        let bought = what_if::of_receipt(&mut conn, me, id).await?;
        asked.add_receipt(&bought, &cx);
    }
    let added = cx.query("add").unwrap_or_default().to_owned();
    let codes = || {
        asked
            .lines
            .iter()
            .map(|line| line.code.as_str())
            .chain([added.as_str()])
    };
    let known = what_if::by_codes(
        &mut conn,
        me,
        &codes().filter(|code| !code.is_empty()).collect::<BTreeSet<_>>(),
    )
    .await?;
    if let Some(article) = known.iter().find(|found| found.code == added) {
        asked.add(article, &cx, 1);
        asked.find.clear();
    }
    asked
        .lines
        .retain(|line| known.iter().any(|found| found.code == line.code) || cx.query("like").is_some());
    let found = match asked.find.trim() {
        "" => None,
        text => Some(what_if::find(&mut conn, me, text, SHOWN as i64 + 1).await?),
    };
    let shops = stores::list(&mut conn, cx.lang).await?;
    drop(conn);
    let known = match cx.query("like") {
        None => known,
        Some(_) => {
            let codes: BTreeSet<&str> = asked.lines.iter().map(|line| line.code.as_str()).collect();
            what_if::by_codes(&mut cx.db.read().await?, me, &codes).await?
        }
    };
    let plan = plan(&cx, &asked, &known, &shops);
    let (flaws, forecast) = match &plan {
        Err(flaws) => (flaws.clone(), None),
        Ok(None) => (Flaws::new(), None),
        Ok(Some(plan)) => (Flaws::new(), Some((plan, what_if::forecast(&cx.db, me, plan).await?))),
    };
    let result = match &forecast {
        Some((plan, forecast)) => result(&cx, &asked, plan, forecast, (known.as_slice(), shops.as_slice())),
        None if flaws.is_empty() => view! { <p class="muted">{t.begin}</p> }.into_html(),
        None => view! { <p class="muted">{t.mend}</p> }.into_html(),
    };
    let view = view! {
        {back("/offers", cx.t().offers.title)}
        <div>
            <h1>{t.title}</h1>
            <p class="lead">{t.lead}</p>
        </div>
        <div class="cols cols-even">
            <div>{form(&cx, &asked, &known, found.as_deref(), &shops, &flaws)}</div>
            <div id="result">{result}</div>
        </div>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Offers), view))
}

fn form(cx: &Cx, asked: &Asked, known: &[Found], found: Option<&[Found]>, shops: &[Store], flaws: &Flaws) -> Html {
    let t = &cx.t().what_if;
    let lines: Vec<_> = asked
        .lines
        .iter()
        .enumerate()
        .map(|(n, line)| {
            let name = known
                .iter()
                .find(|found| found.code == line.code)
                .map_or(line.code.clone(), |found| found.name.clone());
            view! {
                <fieldset class="plan-line">
                    <legend><bdi>{name.clone()}</bdi></legend>
                    <input type="hidden" name=format!("code{n}") value=line.code.clone()/>
                    {input(t.quantity, format!("quantity{n}"), &line.quantity, "numeric", flaws)}
                    {input(t.price, format!("price{n}"), &line.price, "decimal", flaws)}
                    <button class="btn btn-quiet btn-sm" name="remove" value=n.to_string()>
                        {t.remove} <span class="sr-only">": " {name}</span>
                    </button>
                </fieldset>
            }
        })
        .collect();
    // Enter presses the first button of a form, so that is none which takes a line away.
    let search = match asked.lines.len() >= LINES_MAX {
        true => view! {
            <p class="hint">{t.full(LINES_MAX as i64)}</p>
            <div class="actions"><button class="btn" formaction="/what-if#result">{t.count}</button></div>
        }
        .into_html(),
        false => view! {
            <div class="filters">
                <label class="grow">
                    {t.find}
                    <input class="input" type="search" name="find" value=asked.find.clone() maxlength=TEXT_MAX.to_string() dir="auto"
                        autocomplete="off" enterkeyhint="search"/>
                </label>
                <button class="btn">{icon(icons::SEARCH)} {t.find_button}</button>
            </div>
        }
        .into_html(),
    };
    let any_shop = vec![(String::new(), t.any_store.to_owned())];
    let shop_options = grouped(any_shop, by_town(cx, shops), &asked.store);
    let pay_options: Vec<_> = std::iter::once((String::new(), t.any_payment))
        .chain(
            Payment::ALL
                .into_iter()
                .map(|way| (way.as_str().to_owned(), payment(cx, way))),
        )
        .map(|(value, words)| view! { <option value=value.clone() selected=value == asked.payment>{words}</option> })
        .collect();
    let today = cx.today().to_string();
    let has_more = [&asked.day, &asked.time, &asked.store, &asked.payment]
        .iter()
        .any(|typed| !typed.is_empty());
    view! {
        <form class="plan" action="/what-if">
            {search}
            {found.map(|found| hits(cx, found))}
            {lines}
            {(asked.in_sum > 0).then(|| view! { <p class="hint" role="status">{t.in_sum(asked.in_sum)}</p> })}
            {input(t.sum, "sum".into(), &asked.sum, "decimal", flaws)}
            <details class="fold" open=has_more>
                <summary>{t.when_where}</summary>
                <div class="filters">
                    {dated(t.day, "day", "date", &asked.day, Some(today), flaws)}
                    {dated(t.time, "time", "time", &asked.time, None, flaws)}
                    <label class="grow">{t.store} <select class="input" name="store">{shop_options}</select></label>
                    <label class="grow">{t.payment} <select class="input" name="payment">{pay_options}</select></label>
                </div>
            </details>
            <div class="actions actions-fill"><button class="btn btn-primary" formaction="/what-if#result">{t.count}</button></div>
        </form>
    }
    .into_html()
}

/// A field with its message.
fn input(label: &'static str, name: String, typed: &str, mode: &'static str, flaws: &Flaws) -> Html {
    let flaw = flaws.get(&name).cloned();
    let id = format!("{name}-message");
    let described = flaw.is_some().then(|| id.clone());
    view! {
        <label>
            {label}
            <input class="input" name=name value=typed.to_owned() inputmode=mode maxlength="20" autocomplete="off"
                aria-invalid=flaw.is_some().then_some("true") aria-describedby=described/>
            {flaw.map(|flaw| view! { <span class="msg" id=id role="alert">{flaw}</span> })}
        </label>
    }
    .into_html()
}

/// The same for a day or a time. Such a field shows nothing of what is none; as text it stays to be mended.
fn dated(
    label: &'static str,
    name: &'static str,
    kind: &'static str,
    typed: &str,
    least: Option<String>,
    flaws: &Flaws,
) -> Html {
    let flaw = flaws.get(name).cloned();
    let id = format!("{name}-message");
    let described = flaw.is_some().then(|| id.clone());
    let is_readable = match kind {
        "date" => purchases::day(typed).is_some(),
        _ => NaiveTime::parse_from_str(typed, "%H:%M").is_ok(),
    };
    let kind = if typed.is_empty() || is_readable { kind } else { "text" };
    view! {
        <label class="grow">
            {label}
            <input class="input" type=kind name=name value=typed.to_owned() min=least
                aria-invalid=flaw.is_some().then_some("true") aria-describedby=described/>
            {flaw.map(|flaw| view! { <span class="msg" id=id role="alert">{flaw}</span> })}
        </label>
    }
    .into_html()
}

/// What a search for an article found; each is added by a button of the form, so that nothing typed is lost.
fn hits(cx: &Cx, found: &[Found]) -> Html {
    let t = &cx.t().what_if;
    if found.is_empty() {
        return view! { <p class="hint" role="status">{t.nothing}</p> }.into_html();
    }
    let has_more = (found.len() > SHOWN).then(|| view! { <p class="hint">{t.more(SHOWN as i64)}</p> });
    let rows: Vec<_> = found
        .iter()
        .take(SHOWN)
        .map(|article| {
            let price = article.price.map(|price| cx.money(price));
            view! {
                <li class="row">
                    <span class="row-main"><b><bdi>{article.name.clone()}</bdi></b> <small>{article.code.clone()}</small></span>
                    <span class="row-end">{price}</span>
                    <button class="btn btn-sm" name="add" value=article.code.clone()>
                        {t.add} <span class="sr-only">": " {article.name.clone()}</span>
                    </button>
                </li>
            }
        })
        .collect();
    view! { <div class="panel panel-flush"><ul class="rows">{rows}</ul></div> {has_more} }.into_html()
}

/// A way to pay in words.
pub(crate) fn payment(cx: &Cx, way: Payment) -> &'static str {
    let t = &cx.t().what_if;
    match way {
        Payment::Cash => t.by_cash,
        Payment::Card => t.by_card,
        Payment::Transfer => t.by_transfer,
        Payment::Certificate => t.by_certificate,
        Payment::Credit => t.by_credit,
        Payment::Other => t.by_other,
    }
}

fn result(cx: &Cx, asked: &Asked, plan: &Plan, forecast: &Forecast, (known, shops): (&[Found], &[Store])) -> Html {
    let t = &cx.t().what_if;
    let quote = &forecast.quote;
    let is_now = asked.day.is_empty() && asked.time.is_empty();
    let when = match is_now {
        true => t.now.to_owned(),
        false => {
            // As the clock of that shop shows it.
            let there = shops.iter().find(|shop| Some(shop.id) == plan.store);
            let zone = there.and_then(|shop| shop.time_zone.clone());
            let shop = Shop {
                time_zone: zone.unwrap_or_else(|| cx.shop().time_zone.clone()),
                ..cx.shop().clone()
            };
            format::moment(cx.lang, &shop, plan.at, cx.db.now())
        }
    };
    let before: i64 = plan.items.iter().map(|item| item.quantity * item.price).sum();
    let discount = (quote.discount != 0).then(|| {
        let rules: Vec<_> = quote
            .rules
            .iter()
            .filter(|rule| rule.discount > 0)
            .map(|rule| view! { <div><dt><bdi>{cx.pick(&rule.name)}</bdi></dt><dd>{cx.money(-rule.discount)}</dd></div> })
            .collect();
        view! { <div><dt>{t.without}</dt><dd>{cx.money(before)}</dd></div> {rules} }
    });
    let earned: Vec<_> = forecast
        .earned
        .iter()
        .map(|earned| {
            let life = t.life(cx.day(earned.active_from), cx.day(earned.expires_at));
            view! {
                <div>
                    <dt>{t.points_in(cx.pick(&earned.name))}</dt>
                    <dd class="points">{format::signed_points(cx.lang, earned.points)}</dd>
                    <dd class="kv-more">{life}</dd>
                </div>
            }
        })
        .collect();
    let nothing = earned.is_empty().then(|| view! { <p class="muted">{t.no_points}</p> });
    let gifts: Vec<_> = quote
        .gifts
        .iter()
        .map(|(_, name, n)| view! { <div><dt>{t.gift}</dt><dd><bdi>{name.clone()}</bdi> {(*n > 1).then(|| format!(" × {}", format::integer(*n)))}</dd></div> })
        .collect();
    let lines = by_line(cx, plan, forecast, known);
    view! {
        <section class="section" aria-labelledby="brings">
            <div class="section-head"><h2 id="brings">{t.brings}</h2> <span class="muted">{when}</span></div>
            <div class="panel">
                <dl class="kv">
                    {discount}
                    <div><dt>{t.to_pay}</dt><dd><b>{cx.money(quote.total)}</b></dd></div>
                    {earned}
                    {gifts}
                </dl>
                {nothing}
                {lines}
            </div>
        </section>
        {payments(cx, &forecast.payments)}
        {offers(cx, forecast)}
        {coupons(cx, forecast)}
        {better(cx, asked, forecast)}
        {others(cx, forecast)}
        <p class="hint">{t.promise}</p>
    }
    .into_html()
}

/// Which line is discounted and earns how much.
fn by_line(cx: &Cx, plan: &Plan, forecast: &Forecast, known: &[Found]) -> Option<Html> {
    let t = &cx.t().what_if;
    if plan.items.len() < 2 {
        return None;
    }
    let name = |item: &Item| {
        let article = item.article.and_then(|id| known.iter().find(|found| found.id == id));
        article.map_or_else(|| t.just_a_sum.to_owned(), |found| found.name.clone())
    };
    let rows: Vec<_> = plan
        .items
        .iter()
        .zip(&forecast.quote.lines)
        .map(|(item, line)| {
            view! {
                <tr>
                    <th scope="row"><bdi>{name(item)}</bdi></th>
                    <td class="num">{cx.money(line.total)}</td>
                    <td class="num">{format::signed_points(cx.lang, line.points)}</td>
                </tr>
            }
        })
        .collect();
    Some(
        view! {
            <details class="fold">
                <summary>{t.by_line}</summary>
                <table class="data">
                    <caption class="sr-only">{t.by_line}</caption>
                    <thead><tr><th scope="col">{t.article}</th><th scope="col" class="num">{t.to_pay}</th><th scope="col" class="num">{t.points}</th></tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </details>
        }
        .into_html(),
    )
}

/// How it is best paid, where there is a choice.
fn payments(cx: &Cx, ways: &[Paying]) -> Option<Html> {
    let t = &cx.t().what_if;
    let best = ways.first().filter(|_| ways.len() > 1)?;
    let alone = ways.iter().find(|way| way.program.is_none())?;
    let why = match &best.program {
        None => {
            let least = ways.iter().map(|way| way.earns).min().unwrap_or_default();
            t.best_money(cx.points(best.earns - least), unit(cx, best.earns - least))
        }
        Some(_) if best.expiring > 0 => t.best_expiring(cx.points(best.expiring), unit(cx, best.expiring)),
        Some(_) => t.best_points(cx.money(alone.money - best.money)),
    };
    let rows: Vec<_> = ways
        .iter()
        .enumerate()
        .map(|(place, way)| {
            let name = match &way.program {
                None => t.money_alone.to_owned(),
                Some(program) => t.with_points(cx.points(way.points), cx.pick(program), unit(cx, way.points)),
            };
            let badge = (place == 0).then(|| view! { " " <span class="badge badge-ok">{t.best}</span> });
            let earn = (way.earns > 0).then(|| t.earn(format::signed_points(cx.lang, way.earns), unit(cx, way.earns)));
            view! {
                <li class="row">
                    <span class="row-main"><b>{name} {badge}</b> <small>{earn}</small></span>
                    <span class="row-end"><b>{cx.money(way.money)}</b></span>
                </li>
            }
        })
        .collect();
    Some(
        view! {
            <section class="section" aria-labelledby="paying">
                <h2 id="paying">{t.paying}</h2>
                <p>{why}</p>
                <div class="panel panel-flush"><ul class="rows">{rows}</ul></div>
            </section>
        }
        .into_html(),
    )
}

/// What something brings: money off, points, or both.
fn brings(cx: &Cx, discount: i64, earns: i64) -> String {
    let t = &cx.t().what_if;
    let discount = (discount > 0).then(|| t.off(cx.money(discount)));
    let points = (earns > 0).then(|| t.points_of(format::signed_points(cx.lang, earns), unit(cx, earns)));
    [discount, points].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Offers that would bring more for this, once they are switched on.
fn offers(cx: &Cx, forecast: &Forecast) -> Option<Html> {
    let t = &cx.t().what_if;
    let rows = forecast.offers.iter().take(BETTER).map(|offer| {
        let href = format!("/offers#on-{}", offer.code);
        row(href, cx.pick(&offer.title), brings(cx, offer.discount, offer.earns))
    });
    more("offers", t.offers, t.switch_on, rows.collect())
}

/// Coupons of their own that would bring more for this, once they are shown at the till.
fn coupons(cx: &Cx, forecast: &Forecast) -> Option<Html> {
    let t = &cx.t().what_if;
    let rows = forecast.coupons.iter().map(|coupon| {
        let gifts = coupon.gifts.iter().map(|name| t.gift_of(name));
        let brought = Some(brings(cx, coupon.discount, coupon.earns)).filter(|brought| !brought.is_empty());
        let what = brought.into_iter().chain(gifts).collect::<Vec<_>>().join(", ");
        row("/offers#coupons".to_owned(), cx.pick(&coupon.name), what)
    });
    more("coupons", t.coupons, t.show_coupon, rows.collect())
}

/// One thing that would bring more, what it would bring, and where it is.
fn row(href: String, name: String, what: String) -> Html {
    view! {
        <li>
            <a class="row" href=href>
                <span class="row-main"><b dir="auto">{name}</b> <small>{what}</small></span>
                <span class="row-go">{icon(icons::CHEVRON_RIGHT)}</span>
            </a>
        </li>
    }
    .into_html()
}

/// What would bring more, and how to get it; nothing where there is none.
fn more(id: &'static str, title: &'static str, how: &'static str, rows: Vec<Html>) -> Option<Html> {
    (!rows.is_empty()).then(|| {
        view! {
            <section class="section" aria-labelledby=id>
                <h2 id=id>{title}</h2>
                <p>{how}</p>
                <div class="panel panel-flush"><ul class="rows">{rows}</ul></div>
            </section>
        }
        .into_html()
    })
}

/// Another day or another way to pay that brings more.
fn better(cx: &Cx, asked: &Asked, forecast: &Forecast) -> Option<Html> {
    let t = &cx.t().what_if;
    let rows: Vec<_> = forecast
        .better
        .iter()
        .take(BETTER)
        .map(|other| {
            let name = match other.change {
                Change::Day(day) => format::day_and_weekday(cx.lang, day, cx.today()),
                Change::Payment(way) => t.if_paid(payment(cx, way)),
            };
            let what = brings(cx, other.discount, other.earns);
            view! {
                <li>
                    <a class="row" href=format!("{}#result", asked.changed(other.change))>
                        <span class="row-main"><b>{name}</b> <small>{what}</small></span>
                        <span class="row-go">{icon(icons::CHEVRON_RIGHT)}</span>
                    </a>
                </li>
            }
        })
        .collect();
    (!rows.is_empty()).then(|| {
        view! {
            <section class="section" aria-labelledby="better">
                <h2 id="better">{t.better}</h2>
                <div class="panel panel-flush"><ul class="rows">{rows}</ul></div>
            </section>
        }
        .into_html()
    })
}

/// The rules that give nothing here, and why.
fn others(cx: &Cx, forecast: &Forecast) -> Option<Html> {
    let t = &cx.t().what_if;
    let rows: Vec<_> = forecast
        .quote
        .rules
        .iter()
        .filter_map(|rule| {
            let reason = rule.reason.as_ref()?;
            Some(view! { <li><b><bdi>{cx.pick(&rule.name)}</bdi></b> <small>{cx.pick(&reason.words)}</small></li> })
        })
        .collect();
    (!rows.is_empty()).then(|| {
        let n = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        view! {
            <details class="fold">
                <summary>{t.why_not(n)}</summary>
                <ul class="reasons">{rows}</ul>
            </details>
        }
        .into_html()
    })
}
