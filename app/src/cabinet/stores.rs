//! The shops: where they are, when they are open, what holds in each, and which are near.

use super::offers::address;
use super::{back, more};
use crate::cx::Cx;
use crate::route::{Body, Frame, Place};
use crate::texts::Texts;
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self, icon};
use chrono::{Days, NaiveDate, Timelike, Weekday};
use crm::customer::store as customers;
use crm::lang::{Lang, Localized};
use crm::promotion::Promotion;
use crm::promotion::store::offers::{self, Offer, Stand};
use crm::search::{TEXT_MAX, finds};
use crm::stores::{Exception, Hours, Store, store as stores};
use islands::AppError;
use leptos::prelude::*;

/// For how many days ahead other hours are told.
const SOON: u64 = 14;
/// So many shops stand open; the others of a page are folded away.
const OPEN: usize = 24;
/// So many stand on a page, unless all are asked for at once.
const PAGE: usize = 50;
/// Stands for a town in the address where no town comes first.
const ALL: &str = "all";

/// The page: with `near` those of a town and those around it first, or without it of the customer's favourite shop's town; with
/// `offer` those where a promotion holds. By the position of the browser a script sorts them (`public/near.js`), and tells it to
/// nobody.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().stores;
    let me = cx.subject()?;
    let mut conn = cx.db.read().await?;
    let mut all = stores::list(&mut conn, cx.lang).await?;
    let running = offers::of(&mut conn, me).await?;
    let favourite = customers::person(&mut conn, me).await?.favourite_store_id;
    drop(conn);
    let favourite = all.iter().find(|shop| Some(shop.id) == favourite);
    let favourite = favourite.map(|shop| shop.town.clone());
    let towns: Vec<Localized> = all
        .chunk_by(|a, b| a.town == b.town)
        .map(|of| of[0].town.clone())
        .collect();
    let asked = cx.query("offer");
    let offer = asked.and_then(|code| running.iter().map(|one| &one.promotion).find(|one| one.code == code));
    if let Some(Promotion { places, .. }) = offer.filter(|offer| !offer.places.is_empty()) {
        all.retain(|shop| places.iter().any(|place| place.id == shop.id));
    }
    let text: Option<String> = cx.query("q").map(|text| text.chars().take(TEXT_MAX).collect());
    if let Some(text) = &text {
        let told = |shop: &Store| {
            let texts = [&shop.town, &shop.name, &shop.address].map(|text| [text.ru.as_str(), text.en.as_str()]);
            finds(text, texts.as_flattened())
        };
        all.retain(told);
    }
    // The address holds the town in the language in which it was chosen.
    let near = match cx.query("near") {
        Some(near) => towns.iter().find(|town| town.ru == near || town.en == near),
        None => favourite.as_ref(),
    };
    if let Some(town) = near {
        sort(&mut all, town);
    }
    let has_places = all
        .iter()
        .any(|shop| shop.latitude.is_some() && shop.longitude.is_some());
    let same = [("offer", asked), ("near", cx.query("near")), ("q", text.as_deref())];
    let there = |also: Option<(&str, &str)>| here_with(same.into_iter().chain(also.map(|(name, to)| (name, Some(to)))));
    // All are read anyhow, to be sorted: a page begins behind the shop that was the last one of the page before.
    let is_paged = cx.query("all").is_none() && all.len() > PAGE;
    let last = cx
        .query("after")
        .and_then(|id| all.iter().position(|shop| shop.id.to_string() == id));
    if let Some(last) = last.filter(|_| is_paged) {
        all.drain(..=last);
    }
    let next = all.get(PAGE - 1).filter(|_| is_paged && all.len() > PAGE);
    let next = next.map(|last| more(&cx, there(Some(("after", &last.id.to_string())))));
    if is_paged {
        all.truncate(PAGE);
    }
    let first = last.filter(|_| is_paged);
    let first = first.map(|_| view! { <p><a href=there(None)>{cx.t().support.to_first}</a></p> });
    // Which are near a script finds out among those that stand on the page, so all of them have to.
    let near_me = match (has_places, is_paged) {
        (false, _) => NearMe::Nowhere,
        (true, false) => NearMe::Here,
        (true, true) => NearMe::Whole(there(Some(("all", "yes")))),
    };
    let mut cards: Vec<_> = all
        .iter()
        .map(|shop| card(&cx, shop, &here(shop, &running)).into_html())
        .collect();
    let empty = cards.is_empty().then(|| {
        // The town that was chosen stays, and so does the offer.
        let (words, href, link) = match (&text, offer) {
            (Some(_), Some(_)) => (t.none_in_offer, here_with([same[0], same[1]]), t.all_of_offer),
            (Some(_), None) => (t.none_found, here_with([same[1]]), t.all),
            (None, _) => (t.empty, "/support/new".to_owned(), t.write_us),
        };
        view! { <div class="empty"><p role="status">{words}</p><a class="btn" href=href>{link}</a></div> }
    });
    let rest = cards.split_off(cards.len().min(OPEN));
    let rest = (!rest.is_empty()).then(|| {
        let count = i64::try_from(rest.len()).unwrap_or(i64::MAX);
        view! {
            <details class="fold">
                <summary>{cx.t().common.show_more(count)}</summary>
                <div class="tiles" data-shops="">{rest}</div>
            </details>
        }
    });
    let holds = offer.map(|offer| {
        view! {
            <p class="lead">{t.where_holds(cx.pick(&offer.title))}</p>
            <p><a href="/stores">{t.all}</a></p>
        }
    });
    let over = (asked.is_some() && offer.is_none()).then(|| {
        view! {
            <div class="notice">
                <div>
                    <p role="status">{t.offer_over}</p>
                    <p class="actions"><a class="btn btn-sm" href="/offers">{t.to_offers}</a></p>
                </div>
            </div>
        }
    });
    let code = offer.map(|offer| offer.code.clone());
    let choice = (!towns.is_empty()).then(|| choice(&cx, &towns, near, (code, text), near_me));
    let view = view! {
        {back("/offers", cx.t().offers.title)}
        <h1>{t.title}</h1>
        {holds}
        {over}
        {choice}
        {first}
        <div class="tiles" data-shops="">{cards}</div>
        {rest}
        {next}
        {empty}
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Offers), view))
}

/// The address of the page on which this is asked for.
fn here_with<'a>(asked: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> String {
    let asked = asked.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(asked)
        .finish();
    match query.as_str() {
        "" => "/stores".to_owned(),
        query => format!("/stores?{query}"),
    }
}

/// What holds for the customer in a shop, or does once they switch it on: what not every shop has stands first.
fn here<'a>(shop: &Store, running: &'a [Offer]) -> Vec<&'a Offer> {
    let is_here = |one: &Promotion| one.places.is_empty() || one.places.iter().any(|place| place.id == shop.id);
    let mut here: Vec<&Offer> = running
        .iter()
        .filter(|one| one.stand.holds_or_would() && is_here(&one.promotion))
        .collect();
    here.sort_by_key(|one| one.promotion.places.is_empty());
    here
}

/// Puts the shops of a town first, then the others by how far they are from there; those of which nobody knows where they are
/// stay behind them in their order.
fn sort(shops: &mut [Store], town: &Localized) {
    let place = |shop: &Store| Some((shop.latitude? as f64, shop.longitude? as f64));
    let here = shops.iter().filter(|shop| shop.town == *town).find_map(place);
    // Near by there is no need of the great circle: degrees of longitude are as much shorter as the latitude says.
    let far = |shop: &Store| {
        let ((lat, lon), (other_lat, other_lon)) = (here?, place(shop)?);
        let (north, east) = (other_lat - lat, (other_lon - lon) * (lat / 1e6).to_radians().cos());
        Some(north * north + east * east)
    };
    shops.sort_by(|a, b| {
        let key = |shop: &Store| (shop.town != *town, far(shop).unwrap_or(f64::INFINITY));
        let ((a_is_else, a_far), (b_is_else, b_far)) = (key(a), key(b));
        a_is_else.cmp(&b_is_else).then(a_far.total_cmp(&b_far))
    });
}

/// Where the shops near by are told.
enum NearMe {
    /// Nowhere: nobody knows where any is.
    Nowhere,
    /// On this page.
    Here,
    /// On the page that has all of them, at this address.
    Whole(String),
}

/// Which shops there are, by words of their addresses, and which come first: those of a town, or by a script those around.
fn choice(
    cx: &Cx,
    towns: &[Localized],
    near: Option<&Localized>,
    (offer, text): (Option<String>, Option<String>),
    near_me: NearMe,
) -> Html {
    let t = &cx.t().stores;
    let options: Vec<_> = std::iter::once((ALL.to_owned(), t.any_town.to_owned(), near.is_none()))
        .chain(
            towns
                .iter()
                .map(|town| (cx.pick(town), cx.pick(town), near == Some(town))),
        )
        .map(|(value, words, selected)| view! { <option value=value selected=selected>{words}</option> })
        .collect();
    let offer = offer.map(|code| view! { <input type="hidden" name="offer" value=code/> });
    let is_here = matches!(near_me, NearMe::Here);
    let around = match near_me {
        NearMe::Nowhere => None,
        NearMe::Here => Some(
            view! { <button class="btn later" type="button" hidden data-near="">{icon(icon::MAP_PIN)} {t.near_me}</button> }
                .into_html(),
        ),
        NearMe::Whole(href) => {
            Some(view! { <a class="btn" href=href>{icon(icon::MAP_PIN)} {t.whole}</a> }.into_html())
        }
    };
    let script = is_here.then(|| {
        view! {
            <p class="hint" role="status" data-near-said="" data-looking=t.near_looking data-done=t.near_done
                data-denied=t.near_denied data-slow=t.near_slow data-refused=t.near_refused></p>
            <script type="module" src="/near.js"></script>
        }
    });
    view! {
        <form class="filters" action="/stores">
            <label class="grow">
                {t.search}
                <input class="input" type="search" name="q" value=text.unwrap_or_default() maxlength=TEXT_MAX.to_string() dir="auto"
                    autocomplete="off" enterkeyhint="search"/>
            </label>
            <label class="grow">{t.near} <select class="input" name="near">{options}</select></label>
            {offer}
            <button class="btn">{t.show}</button>
            {around}
        </form>
        {script}
    }
    .into_html()
}

fn card(cx: &Cx, shop: &Store, here: &[&Offer]) -> impl IntoView + use<> {
    let t = &cx.t().stores;
    let name = format!("{}, {}", cx.pick(&shop.town), cx.pick(&shop.name));
    let on_phone = name.clone();
    let zone = cx.shop().zone_of(shop.time_zone.as_deref());
    let local = cx.db.now().with_timezone(&zone).naive_local();
    let minute = u16::try_from(local.hour() * 60 + local.minute()).unwrap_or_default();
    let day = local.date();
    let hours: Vec<_> = hours(cx.lang, &shop.hours)
        .into_iter()
        .chain(exceptions(cx.lang, shop, day))
        .map(|line| view! { <li>{line}</li> })
        .collect();
    let next = opens_next(cx.lang, shop, day, minute).map(|next| format!(". {next}"));
    let today = today(cx.lang, shop.on(day), minute);
    let phone = shop.phone.as_ref().map(|phone| {
        view! {
            <a class="btn btn-sm" href=format!("tel:{phone}")>
                {icon(icon::PHONE)} {cx.phone(phone)} <span class="sr-only">": " {on_phone}</span>
            </a>
        }
    });
    let (off, here): (Vec<&Offer>, Vec<&Offer>) = here.iter().copied().partition(|one| one.stand == Stand::Off);
    let here: Vec<_> = here
        .into_iter()
        .map(|one| view! { <li>{cx.pick(&one.promotion.title)}</li> })
        .collect();
    let off: Vec<_> = off
        .into_iter()
        .map(|one| {
            let title = cx.pick(&one.promotion.title);
            view! { <a href=address(&one.promotion)>{title} ": " {cx.t().offers.to_switch_on}</a> }
        })
        .collect();
    let off = (!off.is_empty()).then(|| view! { <p class="ways">{off}</p> });
    let here = (!here.is_empty()).then(|| {
        view! {
            <div>
                <h3>{t.holds_here}</h3>
                <ul class="list-disc ps-5">{here}</ul>
            </div>
        }
    });
    let place = shop.latitude.zip(shop.longitude);
    let map = place.map(|(latitude, longitude)| {
        let maps = match cx.lang {
            Lang::Ru => vec![
                (t.on_map, map_url(latitude, longitude)),
                (t.on_yandex, yandex_url(latitude, longitude)),
            ],
            Lang::En => vec![(t.on_map, map_url(latitude, longitude))],
        };
        let link = |(words, href): (&'static str, String)| {
            let name = name.clone();
            view! {
                <a class="btn btn-sm" href=href target="_blank" rel="noopener noreferrer">
                    {icon(icon::MAP_PIN)} {words} <span class="sr-only">": " {name} {t.new_tab}</span>
                </a>
            }
        };
        maps.into_iter().map(link).collect::<Vec<_>>()
    });
    let (lat, lon) = (
        place.map(|(lat, _)| lat.to_string()),
        place.map(|(_, lon)| lon.to_string()),
    );
    view! {
        <article class="program" data-lat=lat data-lon=lon>
            <header>
                <div><h2>{name.clone()}</h2><p class="muted">{cx.pick(&shop.address)}</p></div>
                <span class="muted" data-far=""></span>
            </header>
            <p><b>{today}</b> {next}</p>
            <ul class="muted">{hours}</ul>
            {here}
            {off}
            <div class="actions">{phone}{map}</div>
        </article>
    }
}

/// The days from one on on which a shop keeps other hours soon: «1 января закрыто».
pub fn exceptions(lang: Lang, shop: &Store, from: NaiveDate) -> Vec<String> {
    let t = &Texts::of(lang).stores;
    let soon = shop.exceptions.iter();
    let soon = soon.filter(|one| one.day >= from && one.day < from + Days::new(SOON));
    let line = |one: &Exception| {
        let time = match one.hours {
            None => t.closed.to_owned(),
            Some([0, 1440]) => t.all_day.to_owned(),
            Some([open, close]) => format!("{}–{}", clock(open), clock(close)),
        };
        format!("{} {time}", crate::format::day(lang, one.day, from))
    };
    soon.map(line).collect()
}

/// Whether a shop is open at a minute of a day on which it keeps these hours, and until when.
pub fn today(lang: Lang, hours: Option<[u16; 2]>, minute: u16) -> String {
    let t = &Texts::of(lang).stores;
    match hours {
        None => t.closed_today.to_owned(),
        Some([0, 1440]) => t.open_all_day.to_owned(),
        Some([open, _]) if minute < open => t.opens_at(clock(open)),
        Some([_, close]) if minute < close => t.open_until(clock(close)),
        Some(_) => t.closed_now.to_owned(),
    }
}

/// When a shop opens next that does not open any more on a day, as its hours of the next days have it.
pub fn opens_next(lang: Lang, shop: &Store, day: NaiveDate, minute: u16) -> Option<String> {
    let t = &Texts::of(lang).stores;
    if shop.on(day).is_some_and(|[_, close]| minute < close) {
        return None;
    }
    let (next, open) = (1..=SOON).find_map(|n| {
        let next = day.checked_add_days(Days::new(n))?;
        shop.on(next).map(|[open, _]| (next, open))
    })?;
    Some(match (next - day).num_days() {
        1 => t.opens_tomorrow(clock(open)),
        _ => t.opens_on(crate::format::day(lang, next, day), clock(open)),
    })
}

/// Yandex Maps with a mark at the place, likewise.
pub fn yandex_url(latitude: i64, longitude: i64) -> String {
    let (lat, lon) = (degrees(latitude), degrees(longitude));
    format!("https://yandex.ru/maps/?pt={lon},{lat}&z=17")
}

/// OpenStreetMap with a mark at the place, both in millionths of a degree.
pub fn map_url(latitude: i64, longitude: i64) -> String {
    let (lat, lon) = (degrees(latitude), degrees(longitude));
    format!("https://www.openstreetmap.org/?mlat={lat}&mlon={lon}#map=17/{lat}/{lon}")
}

/// Degrees with a point, of millionths.
fn degrees(millionths: i64) -> String {
    let sign = if millionths < 0 { "-" } else { "" };
    let n = millionths.unsigned_abs();
    format!("{sign}{}.{:06}", n / 1_000_000, n % 1_000_000)
}

const WEEK: [Weekday; 7] = [
    Weekday::Mon,
    Weekday::Tue,
    Weekday::Wed,
    Weekday::Thu,
    Weekday::Fri,
    Weekday::Sat,
    Weekday::Sun,
];

/// Opening hours, with days in a row that are alike joined: «пн–пт 9:00–21:00», «сб, вс закрыто».
pub fn hours(lang: Lang, hours: &Hours) -> Vec<String> {
    let t = &Texts::of(lang).stores;
    let names = [t.mon, t.tue, t.wed, t.thu, t.fri, t.sat, t.sun];
    let week: Vec<_> = WEEK
        .into_iter()
        .enumerate()
        .map(|(i, day)| (i, hours.on(day)))
        .collect();
    week.chunk_by(|a, b| a.1 == b.1)
        .map(|run| {
            let days = match run {
                [..] if run.len() == 7 => t.daily.to_owned(),
                [(first, _)] => names[*first].to_owned(),
                [(first, _), (last, _)] => format!("{}, {}", names[*first], names[*last]),
                [(first, _), .., (last, _)] => format!("{}–{}", names[*first], names[*last]),
                [] => String::new(),
            };
            let time = match run.first().and_then(|(_, time)| *time) {
                None => t.closed.to_owned(),
                Some([0, 1440]) => t.all_day.to_owned(),
                Some([open, close]) => format!("{}–{}", clock(open), clock(close)),
            };
            format!("{days} {time}")
        })
        .collect()
}

/// A minute of the day on a clock: `9:00`, and the last one `24:00`.
fn clock(minute: u16) -> String {
    format!("{}:{:02}", minute / 60, minute % 60)
}
