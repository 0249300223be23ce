//! Series of coupons, as marketers write them, and the coupons that they hand out themselves.

use super::changes;
use super::rules::fields::{optional, whole};
use crate::cabinet::{back, flash, fresh_first, purchases};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, File, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{AddBox, Check, Field, FormBox, Head, pairs, table_or};
use crm::audit::Last;
use crm::coupon::store::managing::{self as coupons, Entry};
use crm::coupon::{Series, show};
use crm::flaw::{Check as Flaws, Flaw};
use crm::id::SeriesId;
use crm::lang::{Lang, Localized};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

const HERE: &str = "/admin/coupons";

/// A series as its form sends it.
#[derive(Deserialize)]
pub struct SeriesFields {
    name_ru: String,
    name_en: String,
    valid_days: String,
    last_day: String,
    uses: String,
}

impl SeriesFields {
    /// What it says. Fails with flaws at its fields; what the CRM finds is told once these are mended.
    fn read(&self, code: &str, bearer: bool) -> Result<Series, AppError> {
        let day = |text: &str| purchases::day(text).ok_or(Flaw::NotADate);
        let mut flaws = Flaws::new();
        let valid_days = flaws.field("valid_days", optional(&self.valid_days, whole)).flatten();
        let last_day = flaws.field("last_day", optional(&self.last_day, day)).flatten();
        let uses = flaws.field("uses", whole(&self.uses)).unwrap_or_default();
        if !flaws.is_clean() {
            return Err(AppError::Invalid { flaws: flaws.flaws() });
        }
        Ok(Series {
            code: code.to_owned(),
            name: Localized::new(self.name_ru.clone(), self.name_en.clone()),
            valid_days,
            last_day,
            uses,
            bearer,
        })
    }
}

/// Adds a series.
#[derive(Deserialize)]
pub struct AddSeries {
    key: String,
    #[serde(default)]
    bearer: String,
    #[serde(flatten)]
    fields: SeriesFields,
}

impl Form for AddSeries {
    const NAME: &'static str = "series.add";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let new = self.fields.read(&self.key, self.bearer == "yes")?;
        let id = coupons::create(&cx.db, cx.staff()?, &new).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=created")))
    }
}

/// Changes the series at hand. `seen` is its record as it was shown, in JSON.
#[derive(Deserialize)]
pub struct ChangeSeries {
    seen: String,
    #[serde(flatten)]
    fields: SeriesFields,
}

impl Form for ChangeSeries {
    const NAME: &'static str = "series.change";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: SeriesId = cx.param("id")?;
        let seen: Series = serde_json::from_str(&self.seen).map_err(|_| AppError::Refused)?;
        let new = self.fields.read(&seen.code, seen.bearer)?;
        coupons::change(&cx.db, cx.staff()?, id, &seen, &new).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=saved")))
    }
}

/// From now on the series at hand issues no coupons, or does so again.
#[derive(Deserialize)]
pub struct SwitchSeries {
    open: bool,
}

impl Form for SwitchSeries {
    const NAME: &'static str = "series.switch";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: SeriesId = cx.param("id")?;
        coupons::set_open(&cx.db, cx.staff()?, id, self.open).await?;
        let done = if self.open { "reopened" } else { "closed" };
        Ok(Next::to(format!("{HERE}/{id}?done={done}")))
    }
}

/// Makes coupons of the series at hand, to be handed out.
#[derive(Deserialize)]
pub struct MakeCoupons {
    count: String,
}

impl Form for MakeCoupons {
    const NAME: &'static str = "series.make";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: SeriesId = cx.param("id")?;
        let count = whole(&self.count).map_err(|flaw| AppError::field("count", flaw))?;
        coupons::make(&cx.db, &cx.staff()?.fresh(&cx.db)?, id, count).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=made")))
    }
}

/// For how long coupons of a series are good.
fn term(cx: &Cx, series: &Series) -> String {
    let t = &cx.t().admin_coupons;
    let days = series.valid_days.map(|days| t.good_for(days));
    let until = series.last_day.map(|day| t.good_until(format::date(cx.lang, day)));
    days.into_iter().chain(until).collect::<Vec<_>>().join(", ")
}

fn state(cx: &Cx, entry: &Entry) -> Html {
    let t = &cx.t().admin_coupons;
    let (class, words) = match entry.closed_at {
        Some(_) => ("status status-wait", t.is_closed),
        None => ("status status-done", t.is_open),
    };
    view! { <span class=class>{words}</span> }.into_html()
}

/// All series.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_coupons;
    let all = coupons::list(&cx.db, cx.staff()?).await?;
    let rows: Vec<_> = all
        .iter()
        .map(|entry| {
            let Series {
                code,
                name,
                bearer,
                uses,
                ..
            } = &entry.record;
            let whose = if *bearer { t.of_bearer } else { t.of_customer };
            view! {
                <tr>
                    <td>{state(&cx, entry)}</td>
                    <td class="grow"><a href=format!("{HERE}/{}", entry.id)><bdi>{cx.pick(name)}</bdi></a></td>
                    <td><code>{code.clone()}</code></td>
                    <td>{whose}</td>
                    <td>{term(&cx, &entry.record)}</td>
                    <td class="num">{format::integer(*uses)}</td>
                    <td class="num">{format::integer(entry.issued)}</td>
                    <td class="num">{format::integer(entry.used)}</td>
                </tr>
            }
        })
        .collect();
    let heads = vec![
        Head::Words(t.state),
        Head::Words(t.name),
        Head::Words(t.code),
        Head::Words(t.whose),
        Head::Words(t.term),
        Head::Number(t.uses_short),
        Head::Number(t.issued),
        Head::Number(t.used),
    ];
    let list = table_or(t.none, t.title, heads, rows);
    let mut labels = labels(&cx);
    labels.insert(0, ("key".to_owned(), t.code.to_owned()));
    let inside = cx.clone();
    let view = view! {
        <h1>{t.title}</h1>
        <p class="lead">{t.lead}</p>
        <nav class="actions" aria-label=t.sections>
            <a class="btn btn-sm" href="/admin/rules">{cx.t().frame.staff_rules}</a>
            <a class="btn btn-sm" href="/admin/segments">{cx.t().admin_segments.title}</a>
        </nav>
        {list}
        <AddBox<AddSeries> title=t.new labels=labels>
            <Field name="key" label=t.code hint=t.code_hint/>
            {fields(&inside, None)}
            <Check name="bearer">{t.bearer}</Check>
            <button class="btn btn-primary">{t.create}</button>
        </AddBox<AddSeries>>
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

/// The labels of [`fields`].
fn labels(cx: &Cx) -> Vec<(String, String)> {
    let t = &cx.t().admin_coupons;
    pairs([
        ("name_ru", t.name_ru),
        ("name_en", t.name_en),
        ("valid_days", t.valid_days),
        ("last_day", t.last_day),
        ("uses", t.uses),
    ])
}

/// The fields of a series, filled in with one that is there.
fn fields(cx: &Cx, held: Option<&Series>) -> Html {
    let t = &cx.t().admin_coupons;
    let name = held.map(|held| held.name.clone()).unwrap_or_default();
    let days = held.and_then(|held| held.valid_days).map(|days| days.to_string());
    let day = held.and_then(|held| held.last_day).map(|day| day.to_string());
    let uses = held.map_or(1, |held| held.uses).to_string();
    view! {
        <Field name="name_ru" label=t.name_ru hint=t.name_hint value=name.ru/>
        <Field name="name_en" label=t.name_en value=name.en/>
        <p class="hint">{t.term_hint}</p>
        <div class="grid gap-3 sm:grid-cols-2">
            <Field name="valid_days" label=t.valid_days value=days.unwrap_or_default() inputmode="numeric" optional=true/>
            <Field name="last_day" label=t.last_day kind="date" value=day.unwrap_or_default() optional=true/>
        </div>
        <Field name="uses" label=t.uses value=uses inputmode="numeric"/>
    }
    .into_html()
}

/// One series.
pub async fn one(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_coupons;
    let id: SeriesId = cx.param("id")?;
    let entry = coupons::read(&cx.db, cx.staff()?, id).await?;
    let quicker = changes::quicker(&cx, Last::Of(id.0)).await?;
    let record = &entry.record;
    let title = cx.pick(&record.name);
    let done = [
        ("created", t.done_created),
        ("saved", cx.t().admin_rules.done_saved),
        ("closed", t.done_closed),
        ("reopened", t.done_reopened),
        ("made", t.done_made),
    ];
    let (open, words, class) = match entry.closed_at {
        Some(_) => ("true", t.reopen, "btn"),
        None => ("false", t.close, "btn btn-danger-quiet"),
    };
    let whose = if record.bearer { t.of_bearer } else { t.of_customer };
    let hand_out = record.bearer.then(|| hand_out(&cx, id));
    let seen = serde_json::to_string(record).map_err(|_| AppError::Internal)?;
    let (inside, labels, save, held) = (cx.clone(), labels(&cx), cx.t().admin_rules.save, record.clone());
    let view = view! {
        {back(HERE, t.title)}
        <h1><bdi>{title.clone()}</bdi></h1>
        {flash(&cx, &done)}
        {quicker}
        <p>{state(&cx, &entry)} " " <code>{record.code.clone()}</code> " " {whose}</p>
        <dl class="tiles-num">
            <div><dt>{t.issued}</dt><dd>{format::integer(entry.issued)}</dd></div>
            <div><dt>{t.used}</dt><dd>{format::integer(entry.used)}</dd></div>
        </dl>
        {hand_out}
        <section class="section narrow" aria-labelledby="edit">
            <h2 id="edit">{t.edit}</h2>
            <p class="hint">{t.edit_hint}</p>
            <FormBox<ChangeSeries> labels=labels stale=t.stale>
                <input type="hidden" name="seen" value=seen/>
                {fields(&inside, Some(&held))}
                <button class="btn btn-primary">{save}</button>
            </FormBox<ChangeSeries>>
        </section>
        <FormBox<SwitchSeries> class="actions">
            <input type="hidden" name="open" value=open/>
            <button class=class>{words}</button>
        </FormBox<SwitchSeries>>
    };
    Ok(Body::new(title, Frame::Admin, view))
}

/// Coupons for whoever brings one: how they are made, and the file of them.
fn hand_out(cx: &Cx, id: SeriesId) -> Html {
    let t = &cx.t().admin_coupons;
    let labels = pairs([("count", t.count)]);
    let most = crate::format::integer(coupons::HANDED_MAX);
    let form = fresh_first(cx).unwrap_or_else(|| {
        view! {
            <FormBox<MakeCoupons> labels=labels stale=t.stale_make>
                <Field name="count" label=t.count value="100" inputmode="numeric"/>
                <div class="actions">
                    <button class="btn">{t.make}</button>
                    <a class="btn" href=format!("{HERE}/{id}/codes.csv") download="">{t.codes}</a>
                </div>
            </FormBox<MakeCoupons>>
        }
        .into_html()
    });
    view! {
        <section class="section narrow" aria-labelledby="hand-out">
            <h2 id="hand-out">{t.hand_out}</h2>
            <p>{t.hand_out_text(most)}</p>
            {form}
        </section>
    }
    .into_html()
}

/// The coupons of a series that are to be handed out, for a spreadsheet or a printer.
pub async fn codes(cx: Cx) -> Result<File, AppError> {
    let id: SeriesId = cx.param("id")?;
    let (series, coupons) = coupons::handed(&cx.db, &cx.staff()?.fresh(&cx.db)?, id).await?;
    // What a spreadsheet of the language parts by.
    let part = match cx.lang {
        Lang::Ru => ';',
        Lang::En => ',',
    };
    let mut bytes = ["code", "typed", "expires_at", "uses", "used"].join(&part.to_string()) + "\r\n";
    for one in coupons {
        let (shown, until) = (show(&one.code), one.expires_at.to_rfc3339());
        let (code, uses, used) = (one.code, one.uses, one.used);
        bytes.push_str(&format!("{code}{part}{shown}{part}{until}{part}{uses}{part}{used}\r\n"));
    }
    Ok(File {
        name: format!("coupons-{series}.csv"),
        kind: "text/csv; charset=utf-8",
        bytes: bytes.into_bytes(),
    })
}
