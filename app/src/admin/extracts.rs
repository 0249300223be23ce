//! Tables that staff take away as files: which, with what columns, and those that are ready.

use crate::cabinet::{flash, fresh_first};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use crate::ui::{Choices, DataTable, Field, FormBox, Head, Moment, Select, pairs};
use chrono::NaiveDate;
use crm::extract::{self as extracts, Column, Extract, Format, Kind, State, Wish};
use crm::flaw::Flaw;
use crm::stores::store as stores;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

const HERE: &str = "/admin/exports";

/// Asks for a file.
#[derive(Deserialize)]
pub struct AskExtract {
    kind: String,
    #[serde(default)]
    columns: Vec<String>,
    format: String,
    from: String,
    to: String,
    /// Only the form of purchases has it.
    #[serde(default)]
    store: String,
}

impl Form for AskExtract {
    const NAME: &'static str = "extract.ask";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let kind = Kind::from_word(&self.kind).ok_or_else(|| AppError::field("kind", Flaw::NotAChoice))?;
        let store = match self.store.as_str() {
            "" => None,
            id => Some(id.parse().map_err(|_| AppError::field("store", Flaw::NotAChoice))?),
        };
        let format = Format::ALL.into_iter().find(|format| format.as_str() == self.format);
        let wish = Wish {
            kind,
            columns: self.columns,
            format: format.ok_or_else(|| AppError::field("format", Flaw::NotAChoice))?,
            from: day("from", &self.from)?,
            to: day("to", &self.to)?,
            store,
        };
        extracts::ask(&cx.db, &by, &wish).await?;
        Ok(Next::to(format!("{HERE}?kind={}&done=asked", kind.as_str())))
    }
}

/// A day of a field that may be empty.
fn day(field: &str, typed: &str) -> Result<Option<NaiveDate>, AppError> {
    match typed.trim() {
        "" => Ok(None),
        text => NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .map(Some)
            .map_err(|_| AppError::field(field, Flaw::NotADate)),
    }
}

fn kind(cx: &Cx, kind: Kind) -> &'static str {
    let t = &cx.t().admin_extracts;
    match kind {
        Kind::Customers => t.kind_customers,
        Kind::Purchases => t.kind_purchases,
        Kind::Points => t.kind_points,
        Kind::Requests => t.kind_requests,
    }
}

/// What can be asked for, and what was.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_extracts;
    let staff = cx.staff()?;
    let typed = cx.outcome.as_ref().and_then(|outcome| {
        let kind = outcome.values.iter().find(|(name, _)| name == "kind");
        kind.map(|(_, word)| word.as_str())
    });
    let shown = typed.or_else(|| cx.query("kind")).and_then(Kind::from_word);
    let shown = shown.unwrap_or(Kind::Customers);
    let mut conn = cx.db.read().await?;
    let mine = extracts::list(&mut conn, staff).await?;
    let last = extracts::last(&mut conn, staff, shown).await?;
    let shops = match shown {
        Kind::Purchases => stores::list(&mut conn, cx.lang).await?,
        Kind::Customers | Kind::Points | Kind::Requests => Vec::new(),
    };
    drop(conn);
    // As last time, unless they want it as it is the first time.
    let last = last.filter(|_| cx.query("usual").is_none());
    let tabs: Vec<_> = Kind::ALL
        .into_iter()
        .map(|of| {
            let current = (of == shown).then_some("page");
            view! { <a href=format!("{HERE}?kind={}", of.as_str()) aria-current=current>{kind(&cx, of)}</a> }
        })
        .collect();
    let may = |column: &&Column| column.right.is_none_or(|right| staff.has(right));
    let boxes: Vec<_> = shown
        .columns()
        .iter()
        .filter(may)
        .map(|column| {
            let label = column.text(cx.lang).to_owned();
            let is_chosen = match &last {
                Some(last) => last.columns.iter().any(|name| name == column.name),
                None => column.right.is_none(),
            };
            (column.name.to_owned(), label, is_chosen)
        })
        .collect();
    let is_narrowed = boxes.len() < shown.columns().len();
    let formats = Format::ALL.map(|format| (format.as_str().to_owned(), format.as_str().to_uppercase()));
    let labels = pairs([
        ("columns", t.columns),
        ("format", t.format),
        ("from", t.from),
        ("to", t.to),
        ("store", t.store),
    ]);
    let as_last = last.as_ref().map(|_| {
        let href = format!("{HERE}?kind={}&usual=yes#new", shown.as_str());
        view! { <p class="hint">{t.as_last} " " <a href=href>{t.usual}</a></p> }.into_html()
    });
    let format = last.as_ref().map_or(Format::Csv, |last| last.format).as_str();
    let store = last.and_then(|last| last.store).map(|id| id.to_string());
    let shops: Vec<_> = shops
        .iter()
        .map(|shop| {
            (
                shop.id.to_string(),
                format!("{}, {}", cx.pick(&shop.name), cx.pick(&shop.town)),
            )
        })
        .collect();
    let any = (String::new(), t.any_store.to_owned());
    // Made inside its form, which knows what was chosen.
    let narrow = move || {
        let options = std::iter::once(any).chain(shops.iter().cloned()).collect::<Vec<_>>();
        (!shops.is_empty())
            .then(|| view! { <Select name="store" label=t.store options=options value=store.unwrap_or_default() optional=true/> })
    };
    let ask = match fresh_first(&cx) {
        Some(first) => first,
        None => view! {
            <FormBox<AskExtract> labels=labels>
                <input type="hidden" name="kind" value=shown.as_str()/>
                <Choices name="columns" legend=t.columns options=boxes/>
                {as_last}
                {is_narrowed.then(|| view! { <p class="hint">{t.narrowed}</p> })}
                {narrow()}
                <Field name="from" label=t.from hint=t.days_hint kind="date" optional=true/>
                <Field name="to" label=t.to kind="date" optional=true/>
                <Select name="format" label=t.format options=formats.to_vec() value=format/>
                <button class="btn btn-primary">{t.ask}</button>
            </FormBox<AskExtract>>
        }
        .into_html(),
    };
    let view = view! {
        <h1>{t.title}</h1>
        <p class="lead">{t.lead}</p>
        {flash(&cx, &[("asked", t.done_asked)])}
        {list(&cx, &mine)}
        <section class="section narrow" aria-labelledby="new">
            <h2 id="new">{t.new}</h2>
            <nav class="tabs" aria-label=t.new>{tabs}</nav>
            {ask}
        </section>
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

/// What somebody asked for; what is not ready yet says how far it is.
fn list(cx: &Cx, mine: &[Extract]) -> Option<Html> {
    let t = &cx.t().admin_extracts;
    if mine.is_empty() {
        return None;
    }
    let is_open = |one: &Extract| matches!(one.state, State::Waiting | State::Running);
    let rows: Vec<_> = mine.iter().map(|one| row(cx, one)).collect();
    let heads = vec![
        Head::Words(t.state),
        Head::Words(t.what),
        Head::Words(t.columns),
        Head::Number(t.rows),
        Head::Words(t.when),
        Head::Unseen(t.download),
    ];
    let (place, refresh, script) = match mine.iter().any(is_open) {
        true => (
            Some(""),
            Some(view! { <p><a class="btn btn-sm" href=cx.here()>{t.refresh}</a></p> }),
            Some(view! { <script type="module" src="/progress.js"></script> }),
        ),
        false => (None, None, None),
    };
    let view = view! {
        <section class="section" data-progress=place aria-labelledby="mine">
            <h2 id="mine">{t.mine}</h2>
            <DataTable label=t.mine heads=heads rows=rows.into_html()/>
            {refresh}
        </section>
        {script}
    };
    Some(view.into_html())
}

fn row(cx: &Cx, one: &Extract) -> Html {
    let t = &cx.t().admin_extracts;
    let (class, words) = match one.state {
        State::Waiting => ("status status-open", t.is_waiting),
        State::Running => ("status status-open", t.is_running),
        State::Done => ("status status-done", t.is_done),
        State::Failed => ("status status-bad", t.has_failed),
        State::TooLarge => ("status status-bad", t.too_large),
    };
    let columns: Vec<_> = one
        .kind
        .columns()
        .iter()
        .filter(|column| one.columns.iter().any(|name| name == column.name))
        .map(|column| column.text(cx.lang))
        .collect();
    let until = one.until().filter(|until| cx.db.now() < *until);
    let take = until.map(|until| {
        let href = format!("{HERE}/{}", one.id);
        let what = format!("{}, {}", kind(cx, one.kind), cx.moment(one.asked_at));
        view! {
            <a class="btn btn-sm" href=href>{icon(icons::DOWNLOAD)} {t.download}<span class="sr-only">": " {what}</span></a>
            <span class="hint">{t.until(cx.moment(until))}</span>
        }
    });
    let what = format!("{}, {}", kind(cx, one.kind), one.format.as_str().to_uppercase());
    view! {
        <tr>
            <td><span class=class>{words}</span></td>
            <td>{what}</td>
            <td class="grow">{columns.join(", ")}</td>
            <td class="num">{format::integer(one.row_count)}</td>
            <td><Moment at=one.asked_at shown=cx.moment(one.asked_at)/></td>
            <td>{take}</td>
        </tr>
    }
    .into_html()
}
