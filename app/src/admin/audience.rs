//! The audience: customers found by what is known of them, page by page, how many are in each group of RFM, and what puts whoever was
//! found into a segment.

use super::reports::select;
use super::{full_name, pages};
use crate::cabinet::{back, place, show_place};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{FormBox, Head, Moment, Select, pairs, table_or};
use crm::audience::{self, COUNT_MAX, Filter, Found, Last, Line};
use crm::customer::Channel;
use crm::flaw::Flaw;
use crm::id::SegmentId;
use crm::lang::Localized;
use crm::points::Before;
use crm::report::store::reading::Slices;
use crm::rfm::Group;
use crm::rfm::store::{self as rfm, Counted};
use crm::staff::Right;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Display;

pub(super) const HERE: &str = "/admin/audience";
/// Customers on a page.
const PAGE: i64 = 50;

/// Puts whoever the page is narrowed to into a segment.
#[derive(Deserialize)]
pub struct KeepAudience {
    segment: String,
}

impl Form for KeepAudience {
    const NAME: &'static str = "audience.keep";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let staff = cx.staff()?;
        staff.may(Right::Rules)?;
        let wrong = |_| AppError::field("segment", Flaw::NotAChoice);
        let segment: SegmentId = self.segment.parse().map_err(wrong)?;
        let changed = audience::keep(&cx.db, staff, &asked(cx), segment).await?;
        Ok(Next::to(format!(
            "/admin/segments/{segment}?done=put&changed={changed}&missing=0"
        )))
    }
}

/// What the address asks for. What is nothing that can be asked narrows nothing.
fn asked(cx: &Cx) -> Filter {
    let channel = cx.query("channel");
    Filter {
        segment: cx.query("segment").and_then(|id| id.parse().ok()),
        program: cx.query("program").and_then(|id| id.parse().ok()),
        tier: cx.query("tier").and_then(|id| id.parse().ok()),
        store: cx.query("store").and_then(|id| id.parse().ok()),
        group: cx.query("rfm").and_then(Group::from_code),
        last: cx.query("last").and_then(Last::from_code),
        channel: Channel::ALL.into_iter().find(|one| channel == Some(one.code())),
    }
}

/// The address of what is asked, from a place on.
fn address(filter: &Filter, after: Option<Before>) -> String {
    let query: BTreeMap<&str, String> = [
        ("segment", filter.segment.map(|id| id.to_string())),
        ("program", filter.program.map(|id| id.to_string())),
        ("tier", filter.tier.map(|id| id.to_string())),
        ("store", filter.store.map(|id| id.to_string())),
        ("rfm", filter.group.map(|group| group.as_str().to_owned())),
        ("last", filter.last.map(Last::code)),
        ("channel", filter.channel.map(|channel| channel.code().to_owned())),
        ("after", after.map(show_place)),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect();
    match serde_qs::to_string(&query) {
        Ok(query) if !query.is_empty() => format!("{HERE}?{query}"),
        _ => HERE.to_owned(),
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_audience;
    let staff = cx.staff()?;
    let filter = asked(&cx);
    let after = cx.query("after").and_then(place);
    let found = audience::look(&cx.db, staff, &filter, after, PAGE).await?;
    let (slices, segments) = audience::choices(&mut cx.db.read().await?).await?;
    let counted = rfm::counted(&cx.db).await?;
    let said = match found.count {
        more if more > COUNT_MAX => t.more(format::integer(COUNT_MAX)),
        count => t.found(count),
    };
    let keep = staff
        .has(Right::Rules)
        .then(|| keep(&cx, &segments, found.count))
        .flatten();
    let up = match staff.has(Right::Customers) {
        true => back(super::customers::HERE, cx.t().admin_customers.title).into_html(),
        false => back("/admin/segments", cx.t().admin_segments.title).into_html(),
    };
    let view = view! {
        {up}
        <h1>{t.title}</h1>
        <p class="lead">{t.lead}</p>
        {narrow(&cx, &filter, &slices, &segments)}
        <p role="status">{said}</p>
        {list(&cx, &filter, found, after.is_some())}
        {keep}
        {groups(&cx, counted.as_ref())}
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

/// The fields of what is asked.
fn narrow(cx: &Cx, filter: &Filter, slices: &Slices, segments: &[(SegmentId, Localized)]) -> Html {
    let (t, of_reports) = (&cx.t().admin_audience, &cx.t().admin_reports);
    let any = |words: &str| (String::new(), words.to_owned());
    let named = |all: Vec<(String, String)>| std::iter::once(any(t.any)).chain(all).collect::<Vec<_>>();
    let segments = named(
        segments
            .iter()
            .map(|(id, name)| (id.to_string(), cx.pick(name)))
            .collect(),
    );
    let programs = named(
        slices
            .programs
            .iter()
            .map(|(id, name)| (id.to_string(), cx.pick(name)))
            .collect(),
    );
    let tiers = named(
        slices
            .tiers
            .iter()
            .map(|(id, name)| (id.to_string(), cx.pick(name)))
            .collect(),
    );
    let stores = named(
        slices
            .stores
            .iter()
            .map(|(id, name)| (id.to_string(), cx.pick(name)))
            .collect(),
    );
    let groups = Group::ALL.map(|group| (group.as_str().to_owned(), group_name(cx, group).to_owned()));
    let last = Last::ALL.map(|last| (last.code(), last_name(cx, last)));
    let channels = Channel::ALL.map(|channel| (channel.code().to_owned(), channel_name(cx, channel).to_owned()));
    let id = |id: Option<String>| id.unwrap_or_default();
    let is_narrowed = *filter != Filter::default();
    let reset = is_narrowed.then(|| view! { <a class="btn btn-quiet" href=HERE>{of_reports.reset}</a> });
    view! {
        <form class="filters" method="get" role="search" aria-label=t.narrow>
            {select("segment", t.segment, segments, id(filter.segment.map(|id| id.to_string())))}
            {select("program", of_reports.program, programs, id(filter.program.map(|id| id.to_string())))}
            {select("tier", of_reports.tier, tiers, id(filter.tier.map(|id| id.to_string())))}
            {select("store", t.store, stores, id(filter.store.map(|id| id.to_string())))}
            {select("rfm", t.rfm, named(groups.to_vec()), id(filter.group.map(|group| group.as_str().to_owned())))}
            {select("last", t.last, named(last.to_vec()), id(filter.last.map(Last::code)))}
            {select("channel", t.channel, named(channels.to_vec()), id(filter.channel.map(|one| one.code().to_owned())))}
            <button class="btn">{of_reports.show}</button>
            {reset}
        </form>
    }
    .into_html()
}

/// Who was found; words where somebody may not see it.
fn list(cx: &Cx, filter: &Filter, found: Found, is_later: bool) -> Html {
    let t = &cx.t().admin_audience;
    let Some(lines) = found.lines else {
        return view! { <p class="hint">{t.not_shown}</p> }.into_html();
    };
    let rows: Vec<_> = lines.iter().map(|line| row(cx, line)).collect();
    let heads = vec![
        Head::Words(t.name),
        Head::Words(t.rfm),
        Head::Words(t.last_purchase),
        Head::Number(t.paid),
        Head::Words(t.since),
    ];
    let first = is_later.then(|| (address(filter, None), t.newest));
    let next = found.next.map(|next| (address(filter, Some(next)), t.earlier));
    view! { {table_or(t.nobody, t.title, heads, rows)} {pages(None, first, next)} }.into_html()
}

fn row(cx: &Cx, line: &Line) -> Html {
    let href = format!("{}/{}", super::customers::HERE, line.id);
    let last = line.last_at.map(|at| view! { <Moment at=at shown=cx.day(at)/> });
    view! {
        <tr>
            <td class="grow"><a href=href><bdi>{full_name(cx, &line.name, &line.surname)}</bdi></a></td>
            <td>{line.segment.map(|group| group_name(cx, group))}</td>
            <td>{last}</td>
            <td class="num">{line.paid.map(|paid| cx.money(paid))}</td>
            <td><Moment at=line.registered_at shown=cx.day(line.registered_at)/></td>
        </tr>
    }
    .into_html()
}

/// Puts whoever was found into a segment, where there is one.
fn keep(cx: &Cx, segments: &[(SegmentId, Localized)], count: i64) -> Option<Html> {
    let t = &cx.t().admin_audience;
    if count == 0 {
        return None;
    }
    let options: Vec<_> = std::iter::once((String::new(), t.choose.to_owned()))
        .chain(segments.iter().map(|(id, name)| (id.to_string(), cx.pick(name))))
        .collect();
    let view = view! {
        <details class="fold narrow" open=cx.was_sent(KeepAudience::NAME)>
            <summary>{t.keep}</summary>
            <p class="hint">{t.keep_hint} " " <a href="/admin/segments">{cx.t().admin_segments.title}</a></p>
            <FormBox<KeepAudience> labels=pairs([("segment", t.segment)])>
                <Select name="segment" label=t.segment options=options/>
                <button class="btn">{t.keep_do}</button>
            </FormBox<KeepAudience>>
        </details>
    };
    Some(view.into_html())
}

/// How many are in each group, each with the way to who they are.
fn groups(cx: &Cx, counted: Option<&Counted>) -> Html {
    let t = &cx.t().admin_audience;
    let inside = match counted {
        None => view! { <p class="muted">{t.not_counted}</p> }.into_html(),
        Some(counted) => {
            let rows: Vec<_> = counted
                .groups
                .iter()
                .map(|one| {
                    let filter = Filter {
                        group: Some(one.group),
                        ..Filter::default()
                    };
                    view! {
                        <tr>
                            <td class="grow">
                                <a href=address(&filter, None)>{group_name(cx, one.group)}</a>
                                <small class="muted">" " {group_hint(cx, one.group)}</small>
                            </td>
                            <td class="num">{format::integer(one.customers)}</td>
                            <td class="num">{cx.money(one.paid)}</td>
                        </tr>
                    }
                })
                .collect();
            let heads = vec![Head::Words(t.rfm), Head::Number(t.customers), Head::Number(t.paid)];
            let day = format::date(cx.lang, counted.day);
            view! { <p class="hint">{t.counted(day)}</p> {table_or(t.nobody, t.groups, heads, rows)} }.into_html()
        }
    };
    view! {
        <div class="section">
            <h2>{t.groups}</h2>
            <p class="hint">{t.groups_hint}</p>
            {inside}
        </div>
    }
    .into_html()
}

/// What a group is called.
pub(super) fn group_name(cx: &Cx, group: Group) -> &'static str {
    let t = &cx.t().admin_audience;
    match group {
        Group::Champions => t.champions,
        Group::Loyal => t.loyal,
        Group::Promising => t.promising,
        Group::New => t.new,
        Group::Attention => t.attention,
        Group::AtRisk => t.at_risk,
        Group::Sleeping => t.sleeping,
    }
}

fn last_name(cx: &Cx, last: Last) -> String {
    let t = &cx.t().admin_audience;
    match last {
        Last::Within(days) => t.within(days),
        Last::Before(days) => t.before(days),
    }
}

fn channel_name(cx: &Cx, channel: Channel) -> &'static str {
    let t = &cx.t().admin_audience;
    match channel {
        Channel::Sms => t.by_sms,
        Channel::Email => t.by_email,
        Channel::Phone => t.by_phone,
    }
}

/// What the audience is narrowed to by an id, with its name.
pub(super) type Choices = (Slices, Vec<(SegmentId, Localized)>);

/// A part of what was looked for, as the log keeps it, in the words of this page; nothing where it has none, or none any more.
pub(super) fn told(cx: &Cx, (slices, segments): &Choices, part: &str, value: &str) -> Option<String> {
    let (t, of_reports) = (&cx.t().admin_audience, &cx.t().admin_reports);
    let (label, words) = match part {
        "segment" => (t.segment, name_of(cx, segments, value)?),
        "program" => (of_reports.program, name_of(cx, &slices.programs, value)?),
        "tier" => (of_reports.tier, name_of(cx, &slices.tiers, value)?),
        "store" => (t.store, name_of(cx, &slices.stores, value)?),
        "rfm" => (t.rfm, group_name(cx, Group::from_code(value)?).to_owned()),
        "last" => (t.last, last_name(cx, Last::from_code(value)?)),
        "channel" => {
            let channel = Channel::ALL.into_iter().find(|one| one.code() == value)?;
            (t.channel, channel_name(cx, channel).to_owned())
        }
        _ => return None,
    };
    Some(format!("{label}: {words}"))
}

/// What something is called, by its id.
fn name_of(cx: &Cx, all: &[(impl Display, Localized)], id: &str) -> Option<String> {
    let found = all.iter().find(|(one, _)| one.to_string() == id);
    found.map(|(_, name)| cx.pick(name))
}

fn group_hint(cx: &Cx, group: Group) -> &'static str {
    let t = &cx.t().admin_audience;
    match group {
        Group::Champions => t.champions_hint,
        Group::Loyal => t.loyal_hint,
        Group::Promising => t.promising_hint,
        Group::New => t.new_hint,
        Group::Attention => t.attention_hint,
        Group::AtRisk => t.at_risk_hint,
        Group::Sleeping => t.sleeping_hint,
    }
}
