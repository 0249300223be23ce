//! Where something is sold: shops, as staff write them. A change of one is a draft until it is published.

use super::coming::{self, Coming, done_here};
use super::rules::fields::optional;
use super::rules::words::{clock, weekday};
use super::versions::seen_if_any;
use super::{changes, keep, looked_for};
use crate::cabinet::{back, flash};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{AddBox, DataTable, Field, FormBox, Head, TextArea, pairs};
use chrono::{NaiveTime, Timelike, Weekday};
use crm::audit::Object;
use crm::catalogue::{self, Item, Record};
use crm::flaw::{Check as Flaws, Flaw};
use crm::id::StoreId;
use crm::lang::Localized;
use crm::request::level::{Days, days, show_days};
use crm::staff::Right;
use crm::stores::store::managing::{self as shops, Entry};
use crm::stores::{Exception, Exceptions, Hours, NewStore};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

const HERE: &str = "/admin/stores";
/// The fields of each day's hours.
const WEEK: [(Weekday, &str, &str); 7] = [
    (Weekday::Mon, "mon_from", "mon_to"),
    (Weekday::Tue, "tue_from", "tue_to"),
    (Weekday::Wed, "wed_from", "wed_to"),
    (Weekday::Thu, "thu_from", "thu_to"),
    (Weekday::Fri, "fri_from", "fri_to"),
    (Weekday::Sat, "sat_from", "sat_to"),
    (Weekday::Sun, "sun_from", "sun_to"),
];

/// A shop as its form sends it.
#[derive(Deserialize)]
pub struct StoreFields {
    name_ru: String,
    name_en: String,
    town_ru: String,
    town_en: String,
    address_ru: String,
    address_en: String,
    region: String,
    phone: String,
    latitude: String,
    longitude: String,
    time_zone: String,
    #[serde(default)]
    exceptions: String,
    /// The hours, by the names of [`WEEK`].
    #[serde(flatten)]
    hours: BTreeMap<String, String>,
}

/// Degrees as people write them, in millionths.
fn degrees(text: &str) -> Result<i64, Flaw> {
    let degrees: f64 = text.replace(',', ".").parse().map_err(|_| Flaw::NotANumber)?;
    // What is no number of degrees at all is out of the range that is checked later.
    Ok((degrees * 1e6).round() as i64)
}

/// The minute of the day that a field of times sends.
fn minute(text: &str) -> Result<u16, Flaw> {
    let time = ["%H:%M", "%H:%M:%S"]
        .iter()
        .find_map(|form| NaiveTime::parse_from_str(text, form).ok());
    let minute = time.map(|time| time.hour() * 60 + time.minute()).ok_or(Flaw::Missing)?;
    u16::try_from(minute).map_err(|_| Flaw::Missing)
}

/// Days with other hours, as a field of lines sends them: at most one span for each.
fn exceptions(text: &str) -> Result<Exceptions, Flaw> {
    let days = days(text)?;
    if days.len() > Exceptions::MOST {
        return Err(Flaw::TooManyLines { max: Exceptions::MOST });
    }
    let one = |(day, spans): (chrono::NaiveDate, Vec<[u16; 2]>)| match spans.as_slice() {
        [] => Ok(Exception { day, hours: None }),
        [hours] => Ok(Exception {
            day,
            hours: Some(*hours),
        }),
        _ => Err(Flaw::NotHours),
    };
    let days: Vec<Exception> = days.into_iter().map(one).collect::<Result<_, _>>()?;
    Exceptions::try_from(days).map_err(|_| Flaw::NotHours)
}

/// The same in lines.
fn show_exceptions(held: &Exceptions) -> String {
    let days: Days = held
        .iter()
        .map(|one| (one.day, one.hours.into_iter().collect()))
        .collect();
    show_days(&days)
}

impl StoreFields {
    /// What it says. Fails with flaws at its fields; what the CRM finds is told once these are mended.
    fn read(&self, code: &str) -> Result<NewStore, AppError> {
        let mut flaws = Flaws::new();
        let mut week = [None; 7];
        for (&(_, from, to), day) in WEEK.iter().zip(&mut week) {
            let mut time = |name: &str| {
                let text = self.hours.get(name).map(String::as_str).unwrap_or_default();
                flaws.field(name, optional(text, minute)).flatten()
            };
            let (open, close) = (time(from), time(to));
            // Midnight is the end of a day, too.
            let close = close.map(|close| if close == 0 { 24 * 60 } else { close });
            *day = match (open, close) {
                (Some(open), Some(close)) if open < close => Some([open, close]),
                (None, None) => None,
                (Some(_), Some(_)) => flaws.field(to, Err(Flaw::Backwards)),
                (None, Some(_)) => flaws.field(from, Err(Flaw::Missing)),
                (Some(_), None) => flaws.field(to, Err(Flaw::Missing)),
            };
        }
        let latitude = flaws.field("latitude", optional(&self.latitude, degrees)).flatten();
        let longitude = flaws.field("longitude", optional(&self.longitude, degrees)).flatten();
        let exceptions = flaws.field("exceptions", exceptions(&self.exceptions));
        let hours = Hours::try_from(week).map_err(|_| AppError::Refused)?;
        if !flaws.is_clean() {
            return Err(AppError::Invalid { flaws: flaws.flaws() });
        }
        let both = |ru: &String, en: &String| Localized::new(ru.clone(), en.clone());
        Ok(NewStore {
            code: code.to_owned(),
            name: both(&self.name_ru, &self.name_en),
            town: both(&self.town_ru, &self.town_en),
            address: both(&self.address_ru, &self.address_en),
            latitude,
            longitude,
            hours,
            phone: Some(self.phone.clone()),
            region: Some(self.region.clone()),
            time_zone: Some(self.time_zone.clone()),
            exceptions,
        })
    }
}

/// Adds a shop.
#[derive(Deserialize)]
pub struct AddStore {
    key: String,
    #[serde(flatten)]
    fields: StoreFields,
}

impl Form for AddStore {
    const NAME: &'static str = "store.add";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let new = self.fields.read(&self.key)?;
        let id = shops::create(&cx.db, cx.staff()?, &new).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=created")))
    }
}

/// Writes what the shop at hand is to say as a draft. `seen` is its record as it was shown, in JSON, and `draft` when the draft
/// that was shown was changed; empty: there was none.
#[derive(Deserialize)]
pub struct ChangeStore {
    seen: String,
    #[serde(default)]
    draft: String,
    #[serde(flatten)]
    fields: StoreFields,
}

impl Form for ChangeStore {
    const NAME: &'static str = "store.change";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: StoreId = cx.param("id")?;
        let seen: NewStore = serde_json::from_str(&self.seen).map_err(|_| AppError::Refused)?;
        let new = self.fields.read(&seen.code)?;
        let [seen, new] = [seen, new].map(|record| Record::Store(Box::new(record)));
        let seen = (&seen, seen_if_any(&self.draft)?);
        catalogue::write(&cx.db, cx.staff()?, Item::Store(id), seen, &new).await?;
        Ok(done_here(cx, "drafted"))
    }
}

/// Closes the shop at hand for good, or opens it again.
#[derive(Deserialize)]
pub struct SwitchStore {
    open: bool,
}

impl Form for SwitchStore {
    const NAME: &'static str = "store.switch";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: StoreId = cx.param("id")?;
        shops::set_open(&cx.db, cx.staff()?, id, self.open).await?;
        let done = if self.open { "reopened" } else { "closed" };
        Ok(Next::to(format!("{HERE}/{id}?done={done}")))
    }
}

/// Looks for shops. As in every search of staff, what is typed stands in no address.
#[derive(Deserialize)]
pub struct FindStores {
    q: String,
}

impl Form for FindStores {
    const NAME: &'static str = "store.find";
    const REPEATS: bool = true;

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        found(cx, &self.q).await
    }
}

/// The page at hand with what was looked for.
pub(super) async fn found(cx: &Cx, text: &str) -> Result<Next, AppError> {
    Ok(Next::to(match keep(cx, Right::Shops, text).await? {
        Some(id) => format!("{}?find={id}", cx.path),
        None => cx.path.clone(),
    }))
}

/// The ways to what is sold where.
pub(super) fn sections(cx: &Cx) -> Html {
    let t = &cx.t().admin_shops;
    let links = [
        (HERE, cx.t().stores.title),
        ("/admin/categories", t.categories),
        ("/admin/articles", t.articles),
    ];
    let links: Vec<_> = links
        .into_iter()
        .map(|(href, words)| {
            let current = (cx.path == href).then_some("page");
            view! { <a href=href aria-current=current>{words}</a> }
        })
        .collect();
    view! { <nav class="tabs" aria-label=t.sections>{links}</nav> }.into_html()
}

/// A search for what is on the page at hand, with what was looked for.
pub(super) fn search<F: Form + 'static>(cx: &Cx, hint: &'static str, text: String) -> Html {
    let t = &cx.t().admin_shops;
    view! {
        <div role="search">
            <FormBox<F> class="filters">
                <label>
                    {t.find}
                    <input class="input" type="search" name="q" value=text placeholder=hint autocomplete="off" dir="auto"/>
                </label>
                <button class="btn">{t.find}</button>
            </FormBox<F>>
        </div>
    }
    .into_html()
}

fn state(cx: &Cx, shop: &Entry) -> Html {
    let t = &cx.t().admin_shops;
    let (class, words) = match shop.closed_at.filter(|at| *at <= cx.db.now()) {
        Some(_) => ("status status-wait", t.is_closed),
        None => ("status status-done", t.is_open),
    };
    view! { <span class=class>{words}</span> }.into_html()
}

/// The shops.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_shops;
    let find = looked_for(&cx).await?.map(|(_, text)| text).unwrap_or_default();
    let all = shops::list(&mut cx.db.read().await?, cx.staff()?, cx.lang, &find).await?;
    let rows: Vec<_> = all
        .iter()
        .map(|shop| {
            view! {
                <tr>
                    <td>{state(&cx, shop)}</td>
                    <td><bdi>{cx.pick(&shop.store.town)}</bdi></td>
                    <td><a href=format!("{HERE}/{}", shop.store.id)><bdi>{cx.pick(&shop.store.name)}</bdi></a></td>
                    <td class="grow"><bdi>{cx.pick(&shop.store.address)}</bdi></td>
                    <td>{shop.region.clone()}</td>
                    <td><code>{shop.store.code.clone()}</code></td>
                </tr>
            }
        })
        .collect();
    let heads = vec![
        Head::Words(t.state),
        Head::Words(t.town),
        Head::Words(t.name),
        Head::Words(t.address),
        Head::Words(t.region),
        Head::Words(t.code),
    ];
    let title = cx.t().stores.title;
    let list = match rows.is_empty() {
        true => view! { <p class="muted" role="status">{t.none_found}</p> }.into_html(),
        false => view! { <DataTable label=title heads=heads rows=rows.into_html()/> }.into_html(),
    };
    let mut labels = labels(&cx);
    labels.insert(0, ("key".to_owned(), t.code.to_owned()));
    let inside = cx.clone();
    let view = view! {
        <h1>{title}</h1>
        {sections(&cx)}
        <p class="lead">{t.lead}</p>
        {search::<FindStores>(&cx, t.find_hint, find)}
        {list}
        <AddBox<AddStore> title=t.new labels=labels>
            <Field name="key" label=t.code hint=t.code_hint/>
            {fields(&inside, None)}
            <button class="btn btn-primary">{t.create}</button>
        </AddBox<AddStore>>
    };
    Ok(Body::new(title, Frame::Admin, view))
}

/// The labels of [`fields`].
fn labels(cx: &Cx) -> Vec<(String, String)> {
    let (t, of_rules) = (&cx.t().admin_shops, &cx.t().admin_rules);
    let mut labels = pairs([
        ("name_ru", of_rules.name_ru),
        ("name_en", of_rules.name_en),
        ("town_ru", t.town_ru),
        ("town_en", t.town_en),
        ("address_ru", t.address_ru),
        ("address_en", t.address_en),
        ("region", t.region),
        ("phone", t.phone),
        ("latitude", t.latitude),
        ("longitude", t.longitude),
        ("time_zone", t.time_zone),
        ("exceptions", t.exceptions),
    ]);
    for (day, from, to) in WEEK {
        labels.push((from.to_owned(), t.opens(weekday(cx, day))));
        labels.push((to.to_owned(), t.closes(weekday(cx, day))));
    }
    labels
}

/// The fields of a shop, filled in with one that is there.
fn fields(cx: &Cx, held: Option<&NewStore>) -> Html {
    let (t, of_rules) = (&cx.t().admin_shops, &cx.t().admin_rules);
    let [name, town, address] = match held {
        Some(held) => [held.name.clone(), held.town.clone(), held.address.clone()],
        None => Default::default(),
    };
    let region = held.and_then(|held| held.region.clone()).unwrap_or_default();
    let phone = held.and_then(|held| held.phone.clone()).unwrap_or_default();
    let zone = held.and_then(|held| held.time_zone.clone()).unwrap_or_default();
    let exceptions = held.and_then(|held| held.exceptions.as_ref().map(show_exceptions));
    let degrees = |n: Option<i64>| n.map(|n| (n as f64 / 1e6).to_string()).unwrap_or_default();
    let latitude = degrees(held.and_then(|held| held.latitude));
    let longitude = degrees(held.and_then(|held| held.longitude));
    let hours: Vec<_> = WEEK
        .into_iter()
        .map(|(day, from, to)| {
            let held = held.and_then(|held| held.hours.on(day));
            let [open, close] = held.map_or_else(Default::default, |hours| hours.map(clock));
            let day = weekday(cx, day);
            view! {
                <Field name=from label=t.opens(day) kind="time" value=open optional=true/>
                <Field name=to label=t.closes(day) kind="time" value=close optional=true/>
            }
        })
        .collect();
    view! {
        <Field name="name_ru" label=of_rules.name_ru value=name.ru/>
        <Field name="name_en" label=of_rules.name_en value=name.en/>
        <div class="grid gap-3 sm:grid-cols-2">
            <Field name="town_ru" label=t.town_ru value=town.ru/>
            <Field name="town_en" label=t.town_en value=town.en/>
        </div>
        <Field name="address_ru" label=t.address_ru value=address.ru/>
        <Field name="address_en" label=t.address_en value=address.en/>
        <Field name="region" label=t.region hint=t.region_hint value=region optional=true/>
        <Field name="phone" label=t.phone value=phone inputmode="tel" optional=true/>
        <p class="hint">{t.place_hint}</p>
        <div class="grid gap-3 sm:grid-cols-2">
            <Field name="latitude" label=t.latitude value=latitude inputmode="decimal" optional=true/>
            <Field name="longitude" label=t.longitude value=longitude inputmode="decimal" optional=true/>
        </div>
        <h3>{t.hours}</h3>
        <p class="hint">{t.hours_hint}</p>
        <div class="grid gap-3 sm:grid-cols-2">{hours}</div>
        <TextArea name="exceptions" label=t.exceptions hint=t.exceptions_hint value=exceptions.unwrap_or_default() rows=3/>
        <Field name="time_zone" label=t.time_zone hint=t.time_zone_hint(&cx.shop().time_zone) value=zone optional=true/>
    }
    .into_html()
}

/// One shop.
pub async fn one(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_shops;
    let id: StoreId = cx.param("id")?;
    let shop = shops::read(&cx.db, cx.staff()?, id).await?;
    let title = format!("{}, {}", cx.pick(&shop.store.town), cx.pick(&shop.store.name));
    let done = [
        ("created", t.done_created),
        ("closed", t.done_closed),
        ("reopened", t.done_reopened),
    ];
    let done = [&done[..], &coming::done(&cx)].concat();
    let closed = shop
        .closed_at
        .map(|at| view! { <p class="notice">{t.closed_since(cx.moment(at))}</p> });
    let (open, words, class) = match shop.closed_at {
        Some(_) => ("true", t.reopen, "btn"),
        None => ("false", t.close, "btn btn-danger-quiet"),
    };
    let record = shop.record();
    let fields_named = [
        ("name", t.name),
        ("town", t.town),
        ("address", t.address),
        ("region", t.region),
        ("phone", t.phone),
        ("latitude", t.latitude),
        ("longitude", t.longitude),
        ("hours", t.hours),
        ("time_zone", t.time_zone),
        ("exceptions", t.exceptions),
    ];
    let show = |field: &str, value: &Value| shown(&cx, field, value);
    let changes = changes::section(&cx, Object::Store(id), &fields_named, show).await?;
    let coming = Coming::of(&cx, Record::Store(Box::new(record.clone()))).await?;
    let next = match coming.next() {
        Record::Store(next) => (**next).clone(),
        _ => record.clone(),
    };
    let draft = coming.seen();
    let coming = coming.view(&cx, |record| coming::lines(&cx, record, &fields_named, &show));
    let seen = serde_json::to_string(&record).map_err(|_| AppError::Internal)?;
    let (inside, labels, save) = (cx.clone(), labels(&cx), cx.t().admin_rules.save);
    let view = view! {
        {back(HERE, cx.t().stores.title)}
        <h1><bdi>{title.clone()}</bdi></h1>
        {flash(&cx, &done)}
        <p>{state(&cx, &shop)} " " <code>{record.code.clone()}</code></p>
        {closed}
        {coming}
        <section class="section narrow" aria-labelledby="edit">
            <h2 id="edit">{t.edit}</h2>
            <p class="hint">{t.draft_hint}</p>
            <FormBox<ChangeStore> labels=labels stale=t.stale>
                <input type="hidden" name="seen" value=seen/>
                <input type="hidden" name="draft" value=draft/>
                {fields(&inside, Some(&next))}
                <button class="btn btn-primary">{save}</button>
            </FormBox<ChangeStore>>
        </section>
        <FormBox<SwitchStore> class="actions">
            <input type="hidden" name="open" value=open/>
            <button class=class>{words}</button>
        </FormBox<SwitchStore>>
        {changes}
    };
    Ok(Body::new(title, Frame::Admin, view))
}

/// Degrees and hours as people read them, where a change tells of them.
fn shown(cx: &Cx, field: &str, value: &Value) -> Option<String> {
    match field {
        "latitude" | "longitude" => value.as_i64().map(|n| (n as f64 / 1e6).to_string()),
        "hours" => {
            let hours: Hours = serde_json::from_value(value.clone()).ok()?;
            let day = |(day, ..): (Weekday, &str, &str)| {
                let [open, close] = hours.on(day)?.map(clock);
                Some(format!("{} {open}–{close}", weekday(cx, day)))
            };
            Some(WEEK.into_iter().filter_map(day).collect::<Vec<_>>().join(", "))
        }
        "exceptions" => {
            let held: Exceptions = serde_json::from_value(value.clone()).ok()?;
            let shown = show_exceptions(&held).replace('\n', "; ");
            (!shown.is_empty())
                .then_some(shown)
                .or_else(|| Some(cx.t().admin_changes.nothing.to_owned()))
        }
        _ => None,
    }
}
