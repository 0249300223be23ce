//! Reports: figures of the shop, compared with the period before, drawn and as tables; saved, and sent by e-mail.

use crate::cabinet::{back, flash, fresh_first, gone};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, File, Form, Frame, Next, Sheet};
use crate::texts::{AdminReports, Texts};
use crate::ui::chart::{self, Bar, Bars, Rows};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{Check, DataTable, Field, FormBox, Head, Select, pairs};
use chrono::{Datelike, NaiveDate};
use crm::flaw::Flaw;
use crm::id::SavedReportId;
use crm::lang::{Lang, Localized};
use crm::report::store::reading::{self, Slices};
use crm::report::store::saved::{self, Due, Every, Saved};
use crm::report::{Ask, By, Figure, Kind, Name, Period, Report, Slice, Step, Table, Total, Unit};
use crm::request::Promise;
use crm::sheet::{figure as number, text};
use crm::shop::Shop;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

const HERE: &str = "/admin/reports";
/// What of an address says what is asked.
const ASKED: [&str; 7] = ["period", "from", "to", "store", "tier", "program", "minutes"];
/// So many rows of a table are drawn.
const DRAWN: usize = 10;
/// So many rows of a table stand in an e-mail.
const WRITTEN: usize = 15;

/// Saves the report at hand.
#[derive(Deserialize)]
pub struct SaveReport {
    name: String,
    #[serde(default)]
    shared: String,
}

impl Form for SaveReport {
    const NAME: &'static str = "report.save";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let kind: Kind = cx.param("kind")?;
        let shared = self.shared == "yes";
        saved::save(&cx.db, cx.staff()?, kind, &self.name, &query(cx), shared).await?;
        Ok(Next::to(format!("{HERE}?done=saved")))
    }
}

/// Has a saved report sent, or not any more.
#[derive(Deserialize)]
pub struct ScheduleReport {
    id: String,
    every: String,
    email: String,
}

impl Form for ScheduleReport {
    const NAME: &'static str = "report.schedule";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let staff = cx.staff()?;
        staff.may(crm::staff::Right::Reports)?;
        let id: SavedReportId = self.id.parse().map_err(|_| AppError::NotFound)?;
        let every = Every::ALL.into_iter().find(|every| every.as_str() == self.every);
        saved::schedule(&cx.db, &staff.fresh(&cx.db)?, id, every, &self.email).await?;
        Ok(Next::to(format!("{HERE}?done=scheduled")))
    }
}

/// Removes a saved report.
#[derive(Deserialize)]
pub struct RemoveReport {
    id: String,
}

impl Form for RemoveReport {
    const NAME: &'static str = "report.remove";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let staff = cx.staff()?;
        staff.may(crm::staff::Right::Reports)?;
        let id: SavedReportId = self.id.parse().map_err(|_| AppError::NotFound)?;
        saved::remove(&cx.db, staff, id).await?;
        Ok(Next::to(format!("{HERE}?done=removed")))
    }
}

/// What the address asks, as it is kept.
fn query(cx: &Cx) -> String {
    let asked = ASKED.into_iter().filter_map(|name| Some((name, cx.query(name)?)));
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(asked)
        .finish()
}

/// An address with a query.
fn with_query(path: String, query: &str) -> String {
    match query {
        "" => path,
        query => format!("{path}?{query}"),
    }
}

/// What a report says in a language.
struct Words<'a> {
    lang: Lang,
    shop: &'a Shop,
    t: &'static AdminReports,
}

impl<'a> Words<'a> {
    fn of(lang: Lang, shop: &'a Shop) -> Self {
        Self {
            lang,
            shop,
            t: &Texts::of(lang).admin_reports,
        }
    }

    fn kind(&self, kind: Kind) -> (&'static str, &'static str) {
        let t = self.t;
        match kind {
            Kind::Purchases => (t.kind_purchases, t.text_purchases),
            Kind::Points => (t.kind_points, t.text_points),
            Kind::Members => (t.kind_members, t.text_members),
            Kind::Requests => (t.kind_requests, t.text_requests),
            Kind::SelfService => (t.kind_self_service, t.text_self_service),
        }
    }

    fn figure(&self, figure: Figure) -> &'static str {
        let t = self.t;
        match figure {
            Figure::Sales => t.f_sales,
            Figure::Receipts => t.f_receipts,
            Figure::AverageReceipt => t.f_average_receipt,
            Figure::Returned => t.f_returned,
            Figure::Discount => t.f_discount,
            Figure::Known => t.f_known,
            Figure::Buyers => t.f_buyers,
            Figure::Frequency => t.f_frequency,
            Figure::Net => t.f_net,
            Figure::Pieces => t.f_pieces,
            Figure::Issued => t.f_issued,
            Figure::Spent => t.f_spent,
            Figure::Expired => t.f_expired,
            Figure::Adjusted => t.f_adjusted,
            Figure::Corrections => t.f_corrections,
            Figure::Consented => t.f_consented,
            Figure::OfReceipts => t.f_of_receipts,
            Figure::Given => t.f_given,
            Figure::Taken => t.f_taken,
            Figure::Owed => t.f_owed,
            Figure::Registered => t.f_registered,
            Figure::Verified => t.f_verified,
            Figure::Joined => t.f_joined,
            Figure::Left => t.f_left,
            Figure::Members => t.f_members,
            Figure::Active => t.f_active,
            Figure::Received => t.f_received,
            Figure::Begun => t.f_begun,
            Figure::Closed => t.f_closed,
            Figure::FirstAnswer => t.f_first_answer,
            Figure::Solution => t.f_solution,
            Figure::Backlog => t.f_backlog,
            Figure::Reopened => t.f_reopened,
            Figure::Score => t.f_score,
            Figure::Ratings => t.f_ratings,
            Figure::InTime(Promise::FirstAnswer) => t.f_first_in_time,
            Figure::Kept(Promise::FirstAnswer) => t.f_first_kept,
            Figure::Missed(Promise::FirstAnswer) => t.f_first_missed,
            Figure::InTime(Promise::NextAnswer) => t.f_next_in_time,
            Figure::Kept(Promise::NextAnswer) => t.f_next_kept,
            Figure::Missed(Promise::NextAnswer) => t.f_next_missed,
            Figure::InTime(Promise::Solution) => t.f_solution_in_time,
            Figure::Kept(Promise::Solution) => t.f_solution_kept,
            Figure::Missed(Promise::Solution) => t.f_solution_missed,
            Figure::InTimeBefore => t.f_in_time_before,
            Figure::KeptBefore => t.f_kept_before,
            Figure::MissedBefore => t.f_missed_before,
            Figure::Talks => t.f_talks,
            Figure::TalkMinutes => t.f_talk_minutes,
            Figure::TasksDone => t.f_tasks_done,
            Figure::DoneLate => t.f_done_late,
            Figure::Helped => t.f_helped,
            Figure::Alone => t.f_alone,
            Figure::Chats => t.f_chats,
            Figure::Looks => t.f_looks,
            Figure::Spared => t.f_spared,
            Figure::Saved => t.f_saved,
        }
    }

    /// A figure with its unit.
    fn value(&self, figure: Figure, value: i64) -> String {
        match figure.unit() {
            Unit::Count => format::integer(value),
            Unit::Money => format::money(self.lang, self.shop, value),
            Unit::Points | Unit::Hundredths => format::points(self.lang, value),
            Unit::Minutes if value < 60 => self.t.short_minutes(value),
            Unit::Minutes => self.t.hours(format::integer(value / 60), value % 60),
            Unit::Percent => self.t.percent(value),
        }
    }

    /// The same above a bar, where there is room for whole units only.
    fn label(&self, figure: Figure, value: i64) -> String {
        match figure.unit() {
            Unit::Money => format::money_rounded(self.lang, self.shop, value),
            _ => self.value(figure, value),
        }
    }

    /// The same where there may be none.
    fn maybe(&self, figure: Figure, value: Option<i64>) -> String {
        value.map_or_else(|| self.t.no_value.to_owned(), |value| self.value(figure, value))
    }

    /// A figure as a spreadsheet reckons with it.
    fn cell(&self, figure: Figure, value: Option<i64>) -> String {
        match (figure.unit(), value) {
            (_, None) => String::new(),
            (Unit::Count | Unit::Minutes | Unit::Percent, Some(value)) => value.to_string(),
            (Unit::Money | Unit::Points | Unit::Hundredths, Some(value)) => number(self.lang, value),
        }
    }

    /// How a figure differs from the period before, in words.
    fn change(&self, total: &Total) -> String {
        let t = self.t;
        let (Some(now), Some(before), Some(change)) = (total.now, total.before, total.change()) else {
            let is_same = total.now.is_some() && total.now == total.before;
            let said = if is_same { t.same } else { t.no_comparison };
            return said.to_owned();
        };
        let by = now.saturating_sub(before).saturating_abs();
        // A share that is so many per cent larger would be read as so many of a hundred.
        if total.figure.unit() == Unit::Percent {
            return match now.cmp(&before) {
                std::cmp::Ordering::Greater => t.more_of_hundred(by),
                std::cmp::Ordering::Less => t.less_of_hundred(by),
                std::cmp::Ordering::Equal => t.same.to_owned(),
            };
        }
        let by = self.value(total.figure, by);
        // Thousandths with a decimal of a per cent.
        let percent = format::points(self.lang, change.saturating_abs().saturating_mul(10));
        match now.cmp(&before) {
            std::cmp::Ordering::Greater => t.more(by, percent),
            std::cmp::Ordering::Less => t.less(by, percent),
            std::cmp::Ordering::Equal => t.same.to_owned(),
        }
    }

    fn span(&self, (from, to): (NaiveDate, NaiveDate)) -> String {
        self.t.span(format::date(self.lang, from), format::date(self.lang, to))
    }

    /// What a table is called, and what its rows are.
    fn by(&self, by: By) -> (&'static str, &'static str) {
        let t = self.t;
        match by {
            By::Step(Step::Day) => (t.by_day, t.day),
            By::Step(Step::Week) => (t.by_week, t.week),
            By::Step(Step::Month) => (t.by_step_month, t.month),
            By::Store => (t.by_store, t.store),
            By::Category => (t.by_category, t.category),
            By::Tier => (t.by_tier, t.tier),
            By::Month => (t.by_month, t.month),
            By::Program => (t.by_program, t.program),
            By::Topic => (t.by_topic, t.topic),
            By::Agent => (t.by_agent, t.agent),
            By::Work => (t.by_work, t.agent),
            By::PromiseByTopic(Promise::FirstAnswer) => (t.by_first_topic, t.topic),
            By::PromiseByAgent(Promise::FirstAnswer) => (t.by_first_agent, t.agent),
            By::PromiseByTopic(Promise::NextAnswer) => (t.by_next_topic, t.topic),
            By::PromiseByAgent(Promise::NextAnswer) => (t.by_next_agent, t.agent),
            By::PromiseByTopic(Promise::Solution) => (t.by_solution_topic, t.topic),
            By::PromiseByAgent(Promise::Solution) => (t.by_solution_agent, t.agent),
            By::Age => (t.by_age, t.age),
        }
    }

    fn name(&self, by: By, name: &Name) -> String {
        let t = self.t;
        match name {
            Name::None => match by {
                By::Store => t.no_store,
                By::Category => t.no_category,
                By::Agent | By::PromiseByAgent(_) => t.no_agent,
                _ => t.no_name,
            }
            .to_owned(),
            Name::Words(words) => words.get(self.lang).to_owned(),
            Name::Plain(name) => name.clone(),
            Name::Days(from, to) => match by {
                By::Step(Step::Month) => format::month(self.lang, *from),
                _ if from == to => format::date(self.lang, *from),
                _ => self.span((*from, *to)),
            },
            Name::Month(first) => format::month(self.lang, *first),
            Name::Age(from, Some(to)) => t.age_between(from, to),
            Name::Age(from, None) => t.age_from(from),
        }
    }

    /// What a report is narrowed to: what that is, and its name.
    fn narrowed(&self, report: &Report) -> Vec<(&'static str, String)> {
        let t = self.t;
        let of = |(slice, name): &(Slice, Name)| match slice {
            Slice::Store => (t.store, self.name(By::Store, name)),
            Slice::Tier => (t.tier, self.name(By::Tier, name)),
            Slice::Program => (t.program, self.name(By::Program, name)),
        };
        report.narrowed.iter().map(of).collect()
    }

    /// By what a kind of report is not split, and why.
    fn not_split(&self, kind: Kind) -> Option<&'static str> {
        let t = self.t;
        match kind {
            Kind::Purchases => Some(t.not_split_purchases),
            Kind::Requests => Some(t.not_split_requests),
            Kind::SelfService => Some(t.not_split_self_service),
            Kind::Points | Kind::Members => None,
        }
    }

    /// A few letters of a step, for under its bar.
    fn short(&self, by: By, name: &Name) -> String {
        match (by, name) {
            (By::Step(Step::Month), Name::Days(from, _)) => format::month_short(self.lang, *from),
            (_, Name::Days(from, _)) => from.day().to_string(),
            _ => String::new(),
        }
    }
}

/// The words of a report for an e-mail: its period, and its first tables as lines.
pub fn letter(due: &Due, shop: &Shop) -> (String, String) {
    let words = Words::of(due.language, shop);
    let report = &due.report;
    let period = words.span((report.ask.from, report.ask.to));
    let mut lines = vec![words.kind(report.kind).0.to_owned(), period.clone()];
    let narrowed = words.narrowed(report);
    lines.extend(narrowed.iter().map(|(what, name)| format!("{what}: {name}")));
    lines.push(String::new());
    for total in &report.totals {
        lines.push(format!(
            "{}: {} ({})",
            words.figure(total.figure),
            words.maybe(total.figure, total.now),
            words.change(total)
        ));
    }
    // Charts go day by day, and so does the page; a letter tells the parts.
    let parts = report.tables.iter().filter(|table| !matches!(table.by, By::Step(_)));
    for table in parts.filter(|table| !table.rows.is_empty()) {
        lines.push(String::new());
        lines.push(words.by(table.by).0.to_owned());
        for (name, values) in table.rows.iter().take(WRITTEN) {
            let figures = table.columns.iter().zip(values);
            let told: Vec<_> = figures
                .map(|(figure, value)| format!("{} {}", words.figure(*figure), words.maybe(*figure, *value)))
                .collect();
            lines.push(format!("{}: {}", words.name(table.by, name), told.join(", ")));
        }
    }
    (period, lines.join("\n"))
}

/// The list of reports, and those that were saved.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let words = Words::of(cx.lang, cx.shop());
    let t = words.t;
    let staff = cx.staff()?;
    let mut conn = cx.db.read().await?;
    let saved = saved::list(&mut conn, staff).await?;
    drop(conn);
    let kinds: Vec<_> = Kind::ALL
        .into_iter()
        .map(|kind| {
            let (name, text) = words.kind(kind);
            view! {
                <li class="panel">
                    <h2><a href=format!("{HERE}/{}", kind.as_str())>{name}</a></h2>
                    <p>{text}</p>
                </li>
            }
        })
        .collect();
    let saved = match saved.is_empty() {
        true => view! { <p class="muted">{t.none_saved}</p> }.into_html(),
        false => {
            let saved: Vec<_> = saved.iter().map(|one| entry(&cx, &words, one)).collect();
            view! { <ul class="stack list-none">{saved}</ul> }.into_html()
        }
    };
    let done = [
        ("saved", t.done_saved),
        ("removed", t.done_removed),
        ("scheduled", t.done_scheduled),
    ];
    let view = view! {
        <h1>{t.title}</h1>
        {flash(&cx, &done)}
        {gone(&cx)}
        <p class="lead">{t.lead}</p>
        <ul class="stack list-none narrow">{kinds}</ul>
        <section class="section narrow" aria-labelledby="saved">
            <h2 id="saved">{t.saved}</h2>
            {saved}
        </section>
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

/// A report that was saved: one's own with what may be done with it.
fn entry(cx: &Cx, words: &Words<'_>, one: &Saved) -> Html {
    let t = words.t;
    let own = cx.staff.as_ref().is_some_and(|staff| staff.id() == one.staff_id);
    let href = with_query(format!("{HERE}/{}", one.kind.as_str()), &one.query);
    let who = match own {
        true => one.shared.then(|| t.is_shared.to_owned()),
        false => Some(t.by_colleague(&one.owner)),
    };
    let next = one.next_on.zip(one.email.as_ref()).filter(|_| own).map(|(day, email)| {
        let said = t.next(format::date(cx.lang, day), email);
        view! { <p class="hint">{said}</p> }
    });
    let forms = own.then(|| own_forms(cx, words, one));
    view! {
        <li class="panel">
            <p><a href=href><bdi>{one.name.clone()}</bdi></a> " " <span class="muted">{words.kind(one.kind).0}</span></p>
            {who.map(|who| view! { <p class="hint">{who}</p> })}
            {next}
            {forms}
        </li>
    }
    .into_html()
}

fn own_forms(cx: &Cx, words: &Words<'_>, one: &Saved) -> Html {
    let t = words.t;
    let (id, again) = (one.id.to_string(), one.id.to_string());
    let [schedule, remove] = ["schedule", "remove"].map(|what| format!("report-{what}-{}", one.id));
    let every = std::iter::once((String::new(), t.never.to_owned())).chain(Every::ALL.map(|every| {
        let said = match every {
            Every::Week => t.every_week,
            Every::Month => t.every_month,
        };
        (every.as_str().to_owned(), said.to_owned())
    }));
    let every: Vec<_> = every.collect();
    let chosen = one.every.map_or("", Every::as_str);
    let email = one.email.clone().unwrap_or_default();
    let labels = pairs([("every", t.every), ("email", t.email)]);
    let is_open = one.every.is_some() || cx.was_sent(ScheduleReport::NAME);
    let form = fresh_first(cx).unwrap_or_else(|| {
        view! {
            <FormBox<ScheduleReport> id=schedule labels=labels>
                <input type="hidden" name="id" value=id/>
                <Select name="every" label=t.every options=every value=chosen/>
                <Field name="email" label=t.email hint=t.email_hint kind="email" value=email autocomplete="email" optional=true/>
                <button class="btn">{t.schedule_do}</button>
            </FormBox<ScheduleReport>>
        }
        .into_html()
    });
    view! {
        <details class="fold" open=is_open>
            <summary>{t.schedule}</summary>
            {form}
        </details>
        <FormBox<RemoveReport> id=remove class="actions">
            <input type="hidden" name="id" value=again/>
            <button class="btn btn-quiet">{t.remove}</button>
        </FormBox<RemoveReport>>
    }
    .into_html()
}

/// What an address asks, with what is wrong with it.
fn asked(cx: &Cx) -> (Ask, Vec<(&'static str, Flaw)>) {
    Ask::read(|name| cx.query(name), cx.today())
}

/// One report.
pub async fn one(cx: Cx) -> Result<Body, AppError> {
    let kind: Kind = cx.param("kind")?;
    let words = Words::of(cx.lang, cx.shop());
    let t = words.t;
    let staff = cx.staff()?;
    let (ask, flaws) = asked(&cx);
    let mut conn = cx.db.read().await?;
    let slices = reading::slices(&mut conn, staff, kind).await?;
    let report = reading::read(&mut conn, staff, kind, &ask).await?;
    drop(conn);
    let (title, text) = words.kind(kind);
    let tables: Vec<_> = report.tables.iter().map(|table| shown(&words, table)).collect();
    let labels = pairs([("name", t.name)]);
    let file = with_query(format!("{HERE}/{}/table.csv", kind.as_str()), &query(&cx));
    let compared = {
        let (from, to) = ask.before();
        t.compared(format::date(cx.lang, from), format::date(cx.lang, to))
    };
    let narrowed: Vec<_> = words
        .narrowed(&report)
        .into_iter()
        .map(|(what, name)| view! { <p>{format!("{what}: {name}")}</p> })
        .collect();
    let view = view! {
        {back(HERE, t.title)}
        <h1>{title}</h1>
        <p class="lead">{text}</p>
        {narrow(&cx, &words, kind, &slices, &flaws)}
        {words.not_split(kind).map(|said| view! { <p class="hint">{said}</p> })}
        <section class="section" aria-labelledby="figures">
            <h2 id="figures">{words.span((ask.from, ask.to))}</h2>
            <p class="hint">{compared}</p>
            {narrowed}
            {totals(&words, &report)}
            {notes(&words, &report)}
        </section>
        {tables}
        <p class="actions no-print"><a class="btn" href=file download="">{t.download}</a></p>
        <section class="section narrow no-print" aria-labelledby="save">
            <h2 id="save">{t.save}</h2>
            <p class="hint">{t.save_hint}</p>
            <FormBox<SaveReport> labels=labels>
                <Field name="name" label=t.name/>
                <Check name="shared">{t.share}</Check>
                <button class="btn btn-primary">{t.save_do}</button>
            </FormBox<SaveReport>>
        </section>
    };
    Ok(Body::new(title, Frame::Admin, view))
}

/// The fields of what is asked.
fn narrow(cx: &Cx, words: &Words<'_>, kind: Kind, slices: &Slices, flaws: &[(&'static str, Flaw)]) -> Html {
    let t = words.t;
    let typed = |name: &str| cx.query(name).unwrap_or_default().to_owned();
    let periods = Period::ALL.map(|period| {
        let said = match period {
            Period::Week => t.period_week,
            Period::ThirtyDays => t.period_days30,
            Period::LastWeek => t.period_last_week,
            Period::Month => t.period_month,
            Period::LastMonth => t.period_last_month,
            Period::Year => t.period_year,
        };
        (period.as_str().to_owned(), said.to_owned())
    });
    let period = cx.query("period").unwrap_or(Period::ThirtyDays.as_str()).to_owned();
    let stores = choices(
        words,
        t.any_store,
        slices.stores.iter().map(|(id, name)| (id.to_string(), name)),
    );
    let tiers = choices(
        words,
        t.any_tier,
        slices.tiers.iter().map(|(id, name)| (id.to_string(), name)),
    );
    let programs = choices(
        words,
        t.any_program,
        slices.programs.iter().map(|(id, name)| (id.to_string(), name)),
    );
    let by_self = kind == Kind::SelfService;
    let minutes = by_self.then(|| {
        let usual = cx.shop().reports.minutes_per_request.to_string();
        let value = cx.query("minutes").map_or(usual, str::to_owned);
        input(cx, words, "minutes", t.minutes, "number", value, flaws)
    });
    let is_narrowed = !query(cx).is_empty();
    let reset =
        is_narrowed.then(|| view! { <a class="btn btn-quiet" href=format!("{HERE}/{}", kind.as_str())>{t.reset}</a> });
    view! {
        <form class="filters no-print" method="get" role="search" aria-label=t.narrow>
            {select("period", t.period, periods.to_vec(), period)}
            {input(cx, words, "from", t.from, "date", typed("from"), flaws)}
            {input(cx, words, "to", t.to, "date", typed("to"), flaws)}
            {(!slices.stores.is_empty()).then(|| select("store", t.store, stores, typed("store")))}
            {(!slices.tiers.is_empty()).then(|| select("tier", t.tier, tiers, typed("tier")))}
            {(!slices.programs.is_empty()).then(|| select("program", t.program, programs, typed("program")))}
            {minutes}
            <button class="btn">{t.show}</button>
            {reset}
        </form>
    }
    .into_html()
}

/// The choices of a list, after the one that narrows nothing.
fn choices<'n>(
    words: &Words<'_>,
    any: &'static str,
    named: impl Iterator<Item = (String, &'n Localized)>,
) -> Vec<(String, String)> {
    let named = named.map(|(id, name)| (id, name.get(words.lang).to_owned()));
    std::iter::once((String::new(), any.to_owned())).chain(named).collect()
}

pub(super) fn select(name: &'static str, label: &'static str, options: Vec<(String, String)>, chosen: String) -> Html {
    let options: Vec<_> = options
        .into_iter()
        .map(|(value, said)| {
            let selected = value == chosen;
            view! { <option value=value selected=selected>{said}</option> }
        })
        .collect();
    view! { <label>{label} <select class="input" name=name>{options}</select></label> }.into_html()
}

fn input(
    cx: &Cx,
    words: &Words<'_>,
    name: &'static str,
    label: &'static str,
    kind: &'static str,
    value: String,
    flaws: &[(&'static str, Flaw)],
) -> Html {
    let found = flaws.iter().find(|(field, _)| *field == name);
    let message = found.map(|(_, flaw)| match (name, flaw) {
        ("to", Flaw::OutOfRange { .. }) => words.t.too_long.to_owned(),
        (_, flaw) => cx.flaw(flaw),
    });
    let id = format!("{name}-message");
    let invalid = message.is_some().then_some("true");
    let described = message.is_some().then(|| id.clone());
    // A field of dates shows nothing of what is no date; as text it stays to be mended.
    let kind = match found {
        Some((_, Flaw::NotADate | Flaw::OutOfRange { .. })) => "text",
        _ => kind,
    };
    view! {
        <label>
            {label}
            <input class="input" type=kind name=name value=value aria-invalid=invalid aria-describedby=described/>
            {message.map(|message| view! { <span class="msg" id=id role="alert">{message}</span> })}
        </label>
    }
    .into_html()
}

/// The figures of the period beside those of the one before.
fn totals(words: &Words<'_>, report: &Report) -> Html {
    let t = words.t;
    let rows: Vec<_> = report
        .totals
        .iter()
        .map(|total| {
            view! {
                <tr>
                    <th scope="row">{words.figure(total.figure)}</th>
                    <td class="num">{words.maybe(total.figure, total.now)}</td>
                    <td class="num">{words.maybe(total.figure, total.before)}</td>
                    <td class="grow">{words.change(total)}</td>
                </tr>
            }
        })
        .collect();
    let heads = vec![
        Head::Words(t.figure),
        Head::Number(t.now),
        Head::Number(t.before),
        Head::Words(t.difference),
    ];
    view! { <DataTable label=t.figures heads=heads rows=rows.into_html()/> }.into_html()
}

/// How the figures are meant.
fn notes(words: &Words<'_>, report: &Report) -> Html {
    let t = words.t;
    let now = |figure: Figure| {
        let total = report.totals.iter().find(|total| total.figure == figure);
        total.and_then(|total| total.now).unwrap_or_default()
    };
    let counted = |figure| format::integer(now(figure));
    let (of_store, of_tier) = (report.ask.store.is_some(), report.ask.tier.is_some());
    let counted_on = report.counted_on.map(|day| format::date(words.lang, day));
    // What a figure means where it is narrowed, and what is not there then.
    let if_so = |is_so: bool, said: &'static str| is_so.then(|| said.to_owned());
    let said: Vec<String> = match report.kind {
        Kind::Purchases => [Some(t.counted.to_owned()), if_so(of_tier, t.note_purchases_tier)]
            .into_iter()
            .flatten()
            .collect(),
        Kind::Points => [
            Some(t.note_points.to_owned()),
            if_so(of_store, t.note_points_store),
            if_so(of_tier, t.note_points_tier),
            counted_on.map(|day| t.note_owed(day)),
        ]
        .into_iter()
        .flatten()
        .collect(),
        Kind::Members => [
            Some(t.note_members.to_owned()),
            if_so(!of_tier, t.note_members_daily),
            if_so(of_tier, t.note_members_tier),
            if_so(of_tier || report.ask.program.is_some(), t.note_members_buyers),
            counted_on.map(|day| t.note_counted(day)),
        ]
        .into_iter()
        .flatten()
        .collect(),
        Kind::Requests => [
            Some(t.note_requests.to_owned()),
            Some(t.note_requests_split.to_owned()),
            Some(t.note_requests_staff.to_owned()),
            if_so(of_store || of_tier, t.note_requests_work),
            if_so(report.tables.iter().any(is_promise), t.note_requests_promises),
        ]
        .into_iter()
        .flatten()
        .collect(),
        Kind::SelfService => vec![t.note_self(
            counted(Figure::Alone),
            counted(Figure::Helped),
            report.minutes,
            words.value(Figure::Saved, now(Figure::Saved)),
            counted(Figure::Spared),
        )],
    };
    let said: Vec<_> = said
        .into_iter()
        .map(|said| view! { <p class="hint">{said}</p> })
        .collect();
    said.into_html()
}

/// Whether a table tells how a promise was kept. The share of each row counts there, and not which is the largest: it is not drawn.
fn is_promise(table: &Table) -> bool {
    matches!(table.by, By::PromiseByTopic(_) | By::PromiseByAgent(_))
}

/// A table: drawn by its first column, and whole.
fn shown(words: &Words<'_>, table: &Table) -> Html {
    let t = words.t;
    let (title, head) = words.by(table.by);
    let Some(figure) = table.columns.first().copied() else {
        return ().into_html();
    };
    let first = |values: &[Option<i64>]| values.first().copied().flatten().unwrap_or_default();
    let most = table.rows.iter().max_by_key(|(_, values)| first(values));
    let most = most.filter(|(_, values)| first(values) > 0);
    let inside = match most {
        _ if is_promise(table) => all_of(words, table, title, head),
        None => view! { <p class="muted">{t.nothing}</p> }.into_html(),
        Some((name, values)) => {
            let value = words.value(figure, first(values));
            let finding = t.most(words.figure(figure), words.name(table.by, name), value);
            view! { {drawn(words, table, figure, finding, head)} {whole(words, table, title, head)} }.into_html()
        }
    };
    view! {
        <section class="section">
            <h2>{title}</h2>
            {inside}
        </section>
    }
    .into_html()
}

/// The bars of a table's first column.
fn drawn(words: &Words<'_>, table: &Table, figure: Figure, finding: String, head: &'static str) -> Html {
    let note = words.by(table.by).0.to_owned();
    let columns = [head, words.figure(figure)];
    let value = |values: &[Option<i64>]| values.first().copied().flatten();
    if matches!(table.by, By::Step(_)) {
        let bars: Vec<_> = table
            .rows
            .iter()
            .map(|(name, values)| Bar {
                short: words.short(table.by, name),
                name: words.name(table.by, name),
                value: value(values).unwrap_or_default(),
                label: words.label(figure, value(values).unwrap_or_default()),
                figure: words.maybe(figure, value(values)),
            })
            .collect();
        return view! { <Bars title=finding note=note bars=bars columns=columns/> }.into_html();
    }
    let rows: Vec<_> = table
        .rows
        .iter()
        .take(DRAWN)
        .map(|(name, values)| chart::Row {
            name: words.name(table.by, name),
            value: value(values).unwrap_or_default(),
            figure: words.maybe(figure, value(values)),
        })
        .collect();
    view! { <Rows title=finding note=note rows=rows columns=columns/> }.into_html()
}

/// The whole table, unless all of it was drawn.
fn whole(words: &Words<'_>, table: &Table, title: &'static str, head: &'static str) -> Option<Html> {
    if table.columns.len() == 1 && table.rows.len() <= DRAWN {
        return None;
    }
    Some(
        view! {
            <details class="fold">
                <summary>{words.t.all_figures}<span class="sr-only">": " {title}</span></summary>
                {all_of(words, table, title, head)}
            </details>
        }
        .into_html(),
    )
}

/// All rows and columns of a table.
fn all_of(words: &Words<'_>, table: &Table, title: &'static str, head: &'static str) -> Html {
    let rows: Vec<_> = table
        .rows
        .iter()
        .map(|(name, values)| {
            let cells: Vec<_> = table
                .columns
                .iter()
                .zip(values)
                .map(|(figure, value)| view! { <td class="num">{words.maybe(*figure, *value)}</td> })
                .collect();
            view! { <tr><th scope="row"><bdi>{words.name(table.by, name)}</bdi></th>{cells}</tr> }
        })
        .collect();
    let heads = std::iter::once(Head::Words(head))
        .chain(table.columns.iter().map(|figure| Head::Number(words.figure(*figure))))
        .collect();
    view! { <DataTable label=title heads=heads rows=rows.into_html()/> }.into_html()
}

/// All tables of a report for a spreadsheet, one below the other.
pub async fn csv(cx: Cx) -> Result<File, AppError> {
    let kind: Kind = cx.param("kind")?;
    let (ask, _) = asked(&cx);
    let report = reading::export(&cx.db, cx.staff()?, kind, &ask).await?;
    let name = format!("{}-{}-{}", kind.as_str(), ask.from, ask.to);
    File::sheet(cx.lang, &name, |rows| {
        tables(&Words::of(cx.lang, cx.shop()), &report, rows)
    })
}

fn tables(words: &Words<'_>, report: &Report, rows: &mut Sheet) -> csv::Result<()> {
    let t = words.t;
    for (what, name) in words.narrowed(report) {
        rows.write_record([what, text(&name).as_str()])?;
    }
    rows.write_record([t.figure, t.now, t.before])?;
    for total in &report.totals {
        let (now, before) = (
            words.cell(total.figure, total.now),
            words.cell(total.figure, total.before),
        );
        rows.write_record([words.figure(total.figure), &now, &before])?;
    }
    for table in &report.tables {
        let (title, head) = words.by(table.by);
        rows.write_record([""])?;
        rows.write_record([title])?;
        let heads = table.columns.iter().map(|figure| words.figure(*figure));
        rows.write_record(std::iter::once(head).chain(heads))?;
        for (name, values) in &table.rows {
            // A day of its own is written as spreadsheets read it.
            let name = match name {
                Name::Days(from, to) if from == to => from.to_string(),
                name => text(&words.name(table.by, name)),
            };
            let cells = table.columns.iter().zip(values);
            let cells = cells.map(|(figure, value)| words.cell(*figure, *value));
            rows.write_record(std::iter::once(name).chain(cells))?;
        }
    }
    Ok(())
}
