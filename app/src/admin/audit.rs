//! The audit log: who read and changed what, narrowed down, page by page, and as a file. Looking at it is a row of it.

use crate::admin::audience::Choices;
use crate::admin::log_words;
use crate::cabinet::period::Period;
use crate::cabinet::{fresh_first, place, show_place};
use crate::cx::Cx;
use crate::route::{Body, File, Form, Frame, Next, Sheet};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use crate::ui::{DataTable, FormBox, Head, Moment};
use crm::audit::Actor;
use crm::audit::log::{self, By, FILE_MAX, Filter, Line};
use crm::id::StaffId;
use crm::points::Before;
use crm::sheet::text;
use crm::staff::Right;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Display;

pub(super) const HERE: &str = "/admin/audit";
/// The same as a file.
const FILE: &str = "/admin/audit.csv";
/// How many rows a page shows.
const PAGE: usize = 50;
/// The longest name of an action that is looked for, in characters.
const ACTION_MAX: usize = 60;

/// Narrows the log. What is asked for stands in the address: ids, days and names of actions tell of nobody who they are.
#[derive(Deserialize)]
pub struct FindRows {
    by: String,
    action: String,
    customer: String,
    object: String,
    from: String,
    to: String,
}

impl Form for FindRows {
    const NAME: &'static str = "audit.find";
    const REPEATS: bool = true;

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        cx.staff()?.may(Right::Audit)?;
        let asked = Asked {
            by: self.by,
            action: self.action,
            customer: self.customer,
            object: self.object,
            from: self.from,
            to: self.to,
        };
        Ok(Next::to(asked.address(HERE, None)))
    }
}

/// What the address asks for, as it was typed.
#[derive(Clone, Default)]
struct Asked {
    by: String,
    action: String,
    customer: String,
    object: String,
    from: String,
    to: String,
}

impl Asked {
    fn read(cx: &Cx) -> Self {
        // PostgreSQL takes no NUL in a text, and nobody means any of its kind.
        let typed = |name: &str| -> String {
            let typed = cx.query(name).unwrap_or_default();
            typed.chars().filter(|c| !c.is_control()).take(ACTION_MAX).collect()
        };
        Self {
            by: typed("by"),
            action: typed("action"),
            customer: typed("customer"),
            object: typed("object"),
            from: typed("from"),
            to: typed("to"),
        }
    }

    /// The address of a page, or the file, with this, from a place on.
    fn address(&self, page: &str, after: Option<Before>) -> String {
        let after = after.map(show_place).unwrap_or_default();
        let query: BTreeMap<&str, &str> = [
            ("by", &self.by),
            ("action", &self.action),
            ("customer", &self.customer),
            ("object", &self.object),
            ("from", &self.from),
            ("to", &self.to),
            ("after", &after),
        ]
        .into_iter()
        .map(|(name, value)| (name, value.trim()))
        .filter(|(_, value)| !value.is_empty())
        .collect();
        match serde_qs::to_string(&query) {
            Ok(query) if !query.is_empty() => format!("{page}?{query}"),
            _ => page.to_owned(),
        }
    }

    /// What is looked for; nothing where an id cannot be read.
    fn filter(&self, cx: &Cx, period: &Period) -> Option<Filter> {
        let kind = Actor::ALL.into_iter().find(|actor| actor.as_str() == self.by);
        let by = match (self.by.as_str(), kind) {
            ("", _) => None,
            (_, Some(actor)) => Some(By::Kind(actor)),
            (id, None) => Some(By::One(id.parse().ok()?)),
        };
        let customer = match self.customer.as_str() {
            "" => None,
            id => Some(id.parse().ok()?),
        };
        let object = match self.object.as_str() {
            "" => None,
            id => Some(id.parse().ok()?),
        };
        let shop = cx.shop();
        Some(Filter {
            by,
            action: self.action.trim_end_matches(['.', '*']).to_lowercase(),
            customer,
            object,
            from: period.first.map(|day| shop.midnight(day)),
            until: period.last.and_then(|day| day.succ_opt()).map(|day| shop.midnight(day)),
        })
    }
}

/// Who acted, in a word.
pub(super) fn actor(cx: &Cx, actor: Actor) -> &'static str {
    let t = &cx.t().admin_audit;
    match actor {
        Actor::Customer => t.by_customer,
        Actor::Staff => t.by_staff,
        Actor::Till => t.by_till,
        Actor::System => t.by_system,
        Actor::Anonymous => t.by_anonymous,
    }
}

/// The log.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_audit;
    let (staff, asked, period) = (cx.staff()?, Asked::read(&cx), Period::read(&cx));
    let after = cx.query("after").and_then(place);
    let people = log::people(&mut cx.db.read().await?, staff).await?;
    let filter = asked.filter(&cx, &period).filter(|_| !period.is_flawed());
    let list = match &filter {
        Some(filter) => found(&cx, &asked, filter, after).await?,
        None => view! { <p class="notice notice-warn" role="alert">{t.unreadable}</p> }.into_html(),
    };
    let view = view! {
        <h1>{t.title}</h1>
        <p class="lead">{t.lead}</p>
        {narrow(&cx, &asked, &period, people)}
        {list}
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

/// The rows of a page, with the ways on.
async fn found(cx: &Cx, asked: &Asked, filter: &Filter, after: Option<Before>) -> Result<Html, AppError> {
    let t = &cx.t().admin_audit;
    // One more than is shown tells whether there is another page.
    let mut lines = log::list(&cx.db, cx.staff()?, filter, after, PAGE + 1).await?;
    // Names of what the audience was narrowed to are read where a row tells of it.
    let of_audience = lines.iter().any(|line| line.action == "audience.read");
    let choices = match of_audience {
        true => crm::audience::choices(&mut cx.db.read().await?).await?,
        false => Choices::default(),
    };
    let of_lists = |line: &Line| matches!(line.action.as_str(), "request.queue" | "task.list");
    let names = match lines.iter().any(of_lists) {
        true => log_words::names(cx).await?,
        false => log_words::Names::default(),
    };
    let more = lines.len() > PAGE;
    lines.truncate(PAGE);
    let next = lines.last().filter(|_| more).map(|line| (line.at, line.id.0));
    let first = after.map(|_| view! { <a class="btn" href=asked.address(HERE, None)>{t.to_start}</a> });
    let next = next.map(|next| {
        view! { <a class="btn" href=asked.address(HERE, Some(next)) rel="next">{t.next} {icon(icons::CHEVRON_RIGHT)}</a> }
    });
    let rows = if lines.is_empty() {
        view! { <p class="muted">{t.none}</p> }.into_html()
    } else {
        table(cx, &choices, &names, &lines)
    };
    let most = crate::format::integer(FILE_MAX as i64);
    let of_others = lines.iter().any(|line| line.customer_id != filter.customer);
    let came = (filter.customer.is_some() && of_others).then(|| view! { <p class="hint">{t.came}</p> });
    let proof = fresh_first(cx);
    let file = proof.is_none().then(|| {
        view! { <a class="btn" href=asked.address(FILE, None) download="">{icon(icons::DOWNLOAD)} {t.file}</a> }
    });
    let view = view! {
        {came}
        {rows}
        <div class="pages">
            <span class="hint">{t.file_hint(most)}</span>
            <div class="actions">
                {first} {next}
                {file}
            </div>
        </div>
        {proof}
    };
    Ok(view.into_html())
}

fn narrow(cx: &Cx, asked: &Asked, period: &Period, people: Vec<(StaffId, String)>) -> Html {
    let t = &cx.t().admin_audit;
    let kinds = Actor::ALL.map(|kind| (kind.as_str().to_owned(), actor(cx, kind).to_owned()));
    let options: Vec<_> = std::iter::once((String::new(), t.anybody.to_owned()))
        .chain(kinds)
        .chain(people.into_iter().map(|(id, name)| (id.to_string(), name)))
        .map(|(value, words)| {
            let selected = value == asked.by;
            view! { <option value=value selected=selected>{words}</option> }
        })
        .collect();
    let typed = |name: &'static str, label: &'static str, value: &str, hint: &'static str| {
        view! {
            <label>
                {label}
                <input class="input" type="text" name=name value=value.to_owned() placeholder=hint autocomplete="off"
                    spellcheck="false"/>
            </label>
        }
        .into_html()
    };
    let is_narrowed = !asked.address("", None).is_empty();
    let reset = is_narrowed.then(|| view! { <a class="btn btn-quiet" href=HERE>{t.reset}</a> });
    let action = typed("action", t.action, &asked.action, "customer.read");
    let customer = typed("customer", t.customer, &asked.customer, t.id_hint);
    let object = typed("object", t.object, &asked.object, t.id_hint);
    let days = period.fields(cx);
    view! {
        <div class="filters-box" role="search" aria-label=t.filter>
            <FormBox<FindRows> class="filters">
                <label>{t.by} <select class="input" name="by">{options}</select></label>
                {action} {customer} {object} {days}
                <button class="btn">{t.show}</button>
                {reset}
            </FormBox<FindRows>>
        </div>
    }
    .into_html()
}

/// The end of an id, which is what differs between two of them.
fn short(id: impl Display) -> String {
    let id = id.to_string();
    format!("…{}", id.get(28..).unwrap_or_default())
}

/// An id, which leads to all rows with it.
fn way(name: &str, id: impl Display, shown: String) -> Html {
    let (href, whole) = (format!("{HERE}?{name}={id}"), id.to_string());
    view! { <a href=href title=whole><bdi>{shown}</bdi></a> }.into_html()
}

fn table(cx: &Cx, choices: &Choices, names: &log_words::Names, lines: &[Line]) -> Html {
    let t = &cx.t().admin_audit;
    let rows: Vec<_> = lines
        .iter()
        .map(|line| {
            let kind = actor(cx, line.actor);
            let who = line.actor_id.map(|id| {
                let shown = line.name.clone().unwrap_or_else(|| short(id));
                way("by", id, shown)
            });
            let customer = line.customer_id.map(|id| way("customer", id, short(id)));
            let object = line.object_id.map(|id| way("object", id, short(id)));
            let alike = format!("{HERE}?action={}", line.action);
            let code = view! { <code>{line.action.clone()}</code> };
            let done = match log_words::done(&cx.t().admin_action, &line.action) {
                Some(words) => view! { <a href=alike>{words}</a> " " <small class="muted">{code}</small> }.into_html(),
                None => view! { <a href=alike>{code}</a> }.into_html(),
            };
            let reason = log_words::reason(cx, choices, names, &line.action, &line.reason);
            view! {
                <tr>
                    <td><Moment at=line.at shown=cx.moment(line.at)/></td>
                    <td>{kind} " " {who}</td>
                    <td>{done}</td>
                    <td>{customer}</td>
                    <td>{object}</td>
                    <td class="grow"><bdi>{reason}</bdi></td>
                    <td><bdi>{line.network.clone()}</bdi></td>
                </tr>
            }
        })
        .collect();
    let heads = vec![
        Head::Words(t.at),
        Head::Words(t.by),
        Head::Words(t.action),
        Head::Words(t.customer),
        Head::Words(t.object),
        Head::Words(t.reason),
        Head::Words(t.network),
    ];
    view! { <DataTable label=t.title heads=heads rows=rows.into_html()/> }.into_html()
}

/// What was found, as a file for a spreadsheet. An address that cannot be read is none of ours.
pub async fn csv(cx: Cx) -> Result<File, AppError> {
    let (asked, period) = (Asked::read(&cx), Period::read(&cx));
    let filter = asked.filter(&cx, &period).filter(|_| !period.is_flawed());
    let filter = filter.ok_or(AppError::NotFound)?;
    let lines = log::export(&cx.db, &cx.staff()?.fresh(&cx.db)?, &filter).await?;
    File::sheet(cx.lang, &format!("audit-{}", cx.today()), |rows| write(&lines, rows))
}

fn id(id: Option<impl Display>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

fn write(lines: &[Line], rows: &mut Sheet) -> csv::Result<()> {
    rows.write_record([
        "id",
        "at",
        "actor",
        "actor_id",
        "name",
        "action",
        "customer_id",
        "object_id",
        "reason",
        "network",
    ])?;
    for line in lines {
        rows.write_record([
            line.id.to_string(),
            line.at.to_rfc3339(),
            line.actor.as_str().to_owned(),
            id(line.actor_id),
            text(line.name.as_deref().unwrap_or_default()),
            line.action.clone(),
            id(line.customer_id),
            id(line.object_id),
            text(&line.reason),
            text(&line.network),
        ])?;
    }
    Ok(())
}
