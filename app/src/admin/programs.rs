//! Loyalty programs, as staff write them: what each has given and to how many, its terms with every version of them, open or
//! closed.

use super::changes;
use super::rules::fields::{hundredths, line, whole};
use super::versions::{self, difference, in_time, moment};
use crate::cabinet::{back, flash, fresh_first};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use crate::ui::{Check, DataTable, Field, FormBox, Head, TextArea, pairs};
use crm::audit::Last;
use crm::content::{days, percent};
use crm::flaw::Check as Flaws;
use crm::lang::Localized;
use crm::program::Program;
use crm::program::store::managing::{self as programs, Draft, Entry, Terms, Version};
use crm::rule::store::{self as rules, Giver};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// The list.
pub(super) const HERE: &str = "/admin/programs";

/// What a program says, as a form sends it.
#[derive(Deserialize)]
pub struct TermsFields {
    name_ru: String,
    name_en: String,
    summary_ru: String,
    summary_en: String,
    terms_ru: String,
    terms_en: String,
    share: String,
    delay: String,
    term: String,
}

impl TermsFields {
    /// The same; numbers that are none leave their flaws.
    fn read(self, flaws: &mut Flaws) -> Terms {
        let share = match self.share.trim() {
            "0" => Ok(0),
            text => hundredths(text),
        };
        Terms {
            name: Localized::new(line(&self.name_ru), line(&self.name_en)),
            summary: Localized::new(self.summary_ru, self.summary_en),
            terms: Localized::new(self.terms_ru, self.terms_en),
            // What is none is told already, and one flaw at a field is enough.
            share: flaws.field("share", share).unwrap_or(0),
            delay_days: flaws.field("delay", whole(&self.delay)).unwrap_or(0),
            term_days: flaws.field("term", whole(&self.term)).unwrap_or(1),
        }
    }
}

/// The flaws of the numbers together with those that the CRM finds in the rest.
fn together(flaws: Flaws, of_crm: Result<(), crm::Error>) -> Result<(), AppError> {
    let mut flaws = flaws.flaws();
    match of_crm {
        Ok(()) => {}
        Err(crm::Error::Invalid(more)) => flaws.extend(more),
        Err(other) => return Err(other.into()),
    }
    if flaws.is_empty() {
        Ok(())
    } else {
        Err(AppError::Invalid { flaws })
    }
}

/// Adds a program.
#[derive(Deserialize)]
pub struct CreateProgram {
    key: String,
    #[serde(default)]
    automatic: String,
    #[serde(flatten)]
    terms: TermsFields,
}

impl Form for CreateProgram {
    const NAME: &'static str = "program.create";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let mut flaws = Flaws::new();
        let terms = self.terms.read(&mut flaws);
        let code = self.key.trim().to_lowercase();
        if flaws.is_clean() {
            programs::create(&cx.db, &by, &code, self.automatic == "yes", &terms).await?;
        } else {
            together(flaws, programs::check(&code, &terms))?;
        }
        Ok(Next::to(format!("{HERE}/{code}?done=created")))
    }
}

/// Writes the next terms of the program at hand as a draft. `seen` is when the draft that was shown was changed; empty: there
/// was none.
#[derive(Deserialize)]
pub struct DraftProgram {
    seen: String,
    #[serde(flatten)]
    terms: TermsFields,
}

impl Form for DraftProgram {
    const NAME: &'static str = "program.draft";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (staff, code) = (cx.staff()?, cx.param::<String>("code")?);
        let seen = versions::seen_if_any(&self.seen)?;
        let mut flaws = Flaws::new();
        let terms = self.terms.read(&mut flaws);
        if flaws.is_clean() {
            programs::write(&cx.db, staff, &code, seen, &terms).await?;
        } else {
            together(flaws, programs::check(&code, &terms))?;
        }
        Ok(Next::to(format!("{HERE}/{code}?done=drafted#draft")))
    }
}

/// Throws the draft of the program at hand away.
#[derive(Deserialize)]
pub struct DiscardProgram {
    seen: i64,
}

impl Form for DiscardProgram {
    const NAME: &'static str = "program.discard";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let code: String = cx.param("code")?;
        programs::discard(&cx.db, cx.staff()?, &code, versions::seen(self.seen)?).await?;
        Ok(Next::to(format!("{HERE}/{code}?done=discarded")))
    }
}

/// Publishes the draft of the program at hand as it was seen.
#[derive(Deserialize)]
pub struct PublishProgram {
    seen: i64,
    from: String,
}

impl Form for PublishProgram {
    const NAME: &'static str = "program.publish";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let code: String = cx.param("code")?;
        let seen = versions::seen(self.seen)?;
        let from = moment(cx, &self.from).map_err(|flaw| AppError::field("from", flaw))?;
        programs::publish(&cx.db, &by, &code, seen, from)
            .await
            .map_err(in_time)?;
        let done = if from.is_some() { "scheduled" } else { "published" };
        Ok(Next::to(format!("{HERE}/{code}?done={done}")))
    }
}

/// Takes back the terms of the program at hand that lie ahead.
#[derive(Deserialize)]
pub struct WithdrawProgram {}

impl Form for WithdrawProgram {
    const NAME: &'static str = "program.withdraw";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let code: String = cx.param("code")?;
        programs::withdraw(&cx.db, &by, &code).await?;
        Ok(Next::to(format!("{HERE}/{code}?done=withdrawn")))
    }
}

/// Makes whoever registers a member of the program at hand, or not any more.
#[derive(Deserialize)]
pub struct SwitchAutomatic {
    on: bool,
}

impl Form for SwitchAutomatic {
    const NAME: &'static str = "program.automatic";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let code: String = cx.param("code")?;
        programs::set_automatic(&cx.db, cx.staff()?, &code, self.on).await?;
        let done = if self.on { "automatic" } else { "by_choice" };
        Ok(Next::to(format!("{HERE}/{code}?done={done}")))
    }
}

/// Closes the program at hand.
#[derive(Deserialize)]
pub struct CloseProgram {}

impl Form for CloseProgram {
    const NAME: &'static str = "program.close";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let code: String = cx.param("code")?;
        programs::close(&cx.db, &by, &code).await?;
        Ok(Next::to(format!("{HERE}/{code}?done=closed")))
    }
}

/// Opens the program at hand again.
#[derive(Deserialize)]
pub struct ReopenProgram {}

impl Form for ReopenProgram {
    const NAME: &'static str = "program.reopen";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let code: String = cx.param("code")?;
        programs::reopen(&cx.db, &by, &code).await?;
        Ok(Next::to(format!("{HERE}/{code}?done=reopened")))
    }
}

/// How it stands with a program, with a dot.
fn state(cx: &Cx, program: &Entry) -> Html {
    let t = &cx.t().admin_programs;
    let (class, words) = match (program.closed_at, program.automatic) {
        (Some(_), _) => ("status status-wait", t.is_closed),
        (None, true) => ("status status-done", t.is_automatic),
        (None, false) => ("status status-done", t.is_by_choice),
    };
    view! { <span class=class>{words}</span> }.into_html()
}

/// The list.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_programs;
    let all = programs::list(&cx.db, cx.staff()?).await?;
    let rows: Vec<_> = all
        .iter()
        .map(|program| {
            let at = format!("{HERE}/{}", program.code);
            view! {
                <tr>
                    <td>{state(&cx, program)}</td>
                    <td class="grow"><a href=at.clone()><bdi>{cx.pick(&program.name)}</bdi></a></td>
                    <td class="num">{percent(cx.lang, program.share)}</td>
                    <td class="num">{format::integer(program.members)}</td>
                    <td class="num">{cx.points(program.points)}</td>
                    <td><a href=format!("{at}/tiers")>{cx.t().admin_tiers.short} <span class="sr-only">": " {cx.pick(&program.name)}</span></a></td>
                </tr>
            }
        })
        .collect();
    let heads = vec![
        Head::Words(t.state),
        Head::Words(t.name),
        Head::Number(t.share),
        Head::Number(t.members),
        Head::Number(t.points),
        Head::Unseen(cx.t().admin_tiers.short),
    ];
    let was_sent = cx.was_sent(CreateProgram::NAME);
    let mut labels = labels(&cx);
    labels.insert(0, ("key".to_owned(), t.code.to_owned()));
    let inside = cx.clone();
    let add = match fresh_first(&cx) {
        Some(first) => first,
        None => view! {
            <FormBox<CreateProgram> labels=labels>
                <Field name="key" label=t.code hint=t.code_hint/>
                {fields(&inside, None)}
                <Check name="automatic">{t.automatic}</Check>
                <button class="btn btn-primary">{t.create}</button>
            </FormBox<CreateProgram>>
        }
        .into_html(),
    };
    let view = view! {
        <h1>{t.title}</h1>
        <p class="lead">{t.lead}</p>
        <DataTable label=t.title heads=heads rows=rows.into_html()/>
        <section class="section narrow" aria-labelledby="add">
            <details class="fold" open=was_sent>
                <summary><h2 id="add">{t.new}</h2></summary>
                {add}
            </details>
        </section>
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

/// The labels of [`fields`].
fn labels(cx: &Cx) -> Vec<(String, String)> {
    let (t, of_rules) = (&cx.t().admin_programs, &cx.t().admin_rules);
    pairs([
        ("name_ru", of_rules.name_ru),
        ("name_en", of_rules.name_en),
        ("summary_ru", t.summary_ru),
        ("summary_en", t.summary_en),
        ("share", t.share_percent),
        ("delay", t.delay),
        ("term", t.term),
        ("terms_ru", t.terms_ru),
        ("terms_en", t.terms_en),
    ])
}

/// The fields of what a program says, filled in with what it says now.
fn fields(cx: &Cx, held: Option<&Terms>) -> Html {
    let (t, of_rules) = (&cx.t().admin_programs, &cx.t().admin_rules);
    let [name, summary, terms] = match held {
        Some(held) => [held.name.clone(), held.summary.clone(), held.terms.clone()],
        None => Default::default(),
    };
    let share = held
        .map(|held| crm::points::written(cx.lang, held.share))
        .unwrap_or_default();
    let number = |n: Option<i64>| n.map(|n| n.to_string()).unwrap_or_default();
    let (delay, term) = (
        number(held.map(|held| held.delay_days)),
        number(held.map(|held| held.term_days)),
    );
    view! {
        <Field name="name_ru" label=of_rules.name_ru value=name.ru/>
        <Field name="name_en" label=of_rules.name_en value=name.en/>
        <TextArea name="summary_ru" label=t.summary_ru hint=t.summary_hint value=summary.ru rows=2/>
        <TextArea name="summary_en" label=t.summary_en value=summary.en rows=2/>
        <Field name="share" label=t.share_percent hint=t.share_hint value=share inputmode="decimal"/>
        <div class="grid gap-3 sm:grid-cols-2">
            <Field name="delay" label=t.delay hint=t.delay_hint value=delay inputmode="numeric"/>
            <Field name="term" label=t.term hint=t.term_hint value=term inputmode="numeric"/>
        </div>
        <TextArea name="terms_ru" label=t.terms_ru hint=t.terms_hint value=terms.ru rows=8/>
        <TextArea name="terms_en" label=t.terms_en value=terms.en rows=8/>
    }
    .into_html()
}

/// What a version says line by line, the terms by paragraphs: in this form two versions are compared.
fn lines(cx: &Cx, terms: &Terms) -> Vec<String> {
    let t = &cx.t().admin_programs;
    let mut lines = vec![
        t.l_name(&terms.name.en, &terms.name.ru),
        t.l_share(percent(cx.lang, terms.share)),
        t.l_delay(days(cx.lang, terms.delay_days)),
        t.l_term(days(cx.lang, terms.term_days)),
    ];
    for text in [&terms.summary, &terms.terms] {
        let paragraphs = [&text.ru, &text.en].into_iter().flat_map(|text| text.split("\n\n"));
        lines.extend(
            paragraphs
                .map(str::trim)
                .filter(|line| !line.is_empty())
                .map(str::to_owned),
        );
    }
    lines
}

/// One program: how it stands, what rules make of its share, how points pay, its terms and what they were before.
pub async fn one(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_programs;
    let (staff, code) = (cx.staff()?, cx.param::<String>("code")?);
    let (program, versions) = programs::history(&cx.db, staff, &code).await?;
    let givers = rules::givers(&mut cx.db.read().await?, staff, program.id).await?;
    let draft = programs::draft(&mut cx.db.read().await?, staff, program.id).await?;
    let quicker = changes::quicker(&cx, Last::Of(program.id.0)).await?;
    let now = cx.db.now();
    let ahead = versions.first().filter(|version| version.published_at > now);
    let current = versions.iter().find(|version| version.published_at <= now);
    let current = current.ok_or(AppError::NotFound)?;
    let first = fresh_first(&cx);
    let is_fresh = first.is_none();
    let is_closed = program.closed_at.is_some();
    let name = cx.pick(&program.name);
    let done = [
        ("created", t.done_created),
        ("drafted", cx.t().admin_rules.done_saved),
        ("discarded", cx.t().admin_rules.done_discarded),
        ("published", t.done_published),
        ("scheduled", cx.t().admin_rules.done_scheduled),
        ("withdrawn", t.done_withdrawn),
        ("automatic", t.done_automatic),
        ("by_choice", t.done_by_choice),
        ("closed", t.done_closed),
        ("reopened", t.done_reopened),
    ];
    let closed = program
        .closed_at
        .map(|at| view! { <p class="notice">{t.closed_since(cx.moment(at))}</p> });
    let view = view! {
        {back(HERE, t.title)}
        <h1><bdi>{name.clone()}</bdi></h1>
        {flash(&cx, &done)}
        <p>{state(&cx, &program)}</p>
        {quicker}
        {closed}
        <dl class="tiles-num">
            <div><dt>{t.members}</dt><dd>{format::integer(program.members)}</dd></div>
            <div><dt>{t.points}</dt><dd>{cx.points(program.points)}</dd></div>
            <div><dt>{t.share}</dt><dd>{percent(cx.lang, program.share)}</dd></div>
            <div><dt>{t.waits}</dt><dd>{days(cx.lang, current.terms.delay_days)}</dd></div>
            <div><dt>{t.lasts}</dt><dd>{days(cx.lang, current.terms.term_days)}</dd></div>
        </dl>
        <p class="actions"><a class="btn" href=format!("{HERE}/{code}/tiers")>{cx.t().admin_tiers.short}</a></p>
        {share(&cx, &givers)}
        {paying(&cx)}
        <section class="section narrow" aria-labelledby="edit">
            <h2 id="edit">{t.edit}</h2>
            {gone(&cx, draft.as_ref(), ahead)}
            {ahead.map(|version| scheduled(&cx, version, current, is_fresh))}
            {draft.as_ref().map(|draft| drafted(&cx, draft, current, is_fresh && ahead.is_none()))}
            {edit(&cx, draft.as_ref(), current)}
            {first}
        </section>
        {(!is_closed).then(|| automatic(&cx, program.automatic))}
        {is_fresh.then(|| close(&cx, is_closed))}
        {history(&cx, &versions)}
    };
    Ok(Body::new(name, Frame::Admin, view))
}

/// Which rules give points of the program beside its own share, or multiply it.
fn share(cx: &Cx, givers: &[Giver]) -> Option<Html> {
    let t = &cx.t().admin_programs;
    if givers.is_empty() {
        return None;
    }
    let rows: Vec<_> = givers
        .iter()
        .map(|giver| {
            let words = if giver.multiplies { t.multiplies } else { t.gives };
            view! { <li><a href=format!("/admin/rules/{}", giver.id)><bdi>{cx.pick(&giver.name)}</bdi></a> ": " {words}</li> }
        })
        .collect();
    let view = view! {
        <section class="section" aria-labelledby="rules">
            <h2 id="rules">{t.rules}</h2>
            <p class="muted">{t.rules_hint}</p>
            <ul class="list-disc ps-5">{rows}</ul>
        </section>
    };
    Some(view.into_html())
}

/// How points of any program pay: the shop's configuration, shown only.
fn paying(cx: &Cx) -> Html {
    let t = &cx.t().admin_programs;
    let policy = &cx.shop().points;
    let points = |whole: i64| cx.points(whole.saturating_mul(100));
    let lines = vec![
        t.pay_share(policy.pay_share),
        t.pay_least(points(policy.pay_least)),
        t.pay_step(points(policy.pay_step)),
        t.pay_floor(points(policy.floor)),
    ];
    view! {
        <section class="section" aria-labelledby="paying">
            <h2 id="paying">{t.paying}</h2>
            {super::versions::list(lines)}
            <p class="hint">{t.paying_hint}</p>
        </section>
    }
    .into_html()
}

/// Says that the draft, or what lay ahead, is another one by now, where the form that was sent is no longer on the page.
fn gone(cx: &Cx, draft: Option<&Draft>, ahead: Option<&Version>) -> Option<Html> {
    versions::gone(cx, cx.t().admin_programs.stale, |form| match form {
        PublishProgram::NAME => draft.is_some() && ahead.is_none(),
        DiscardProgram::NAME => draft.is_some(),
        WithdrawProgram::NAME => ahead.is_some(),
        _ => true,
    })
}

/// The terms that lie ahead: from when on, what they change, and how they are taken back.
fn scheduled(cx: &Cx, version: &Version, current: &Version, is_fresh: bool) -> Html {
    let (t, of_rules) = (&cx.t().admin_programs, &cx.t().admin_rules);
    let withdraw = is_fresh.then(|| {
        view! {
            <FormBox<WithdrawProgram> class="actions">
                <button class="btn btn-danger-quiet">{t.withdraw}</button>
                <span class="hint">{t.withdraw_hint}</span>
            </FormBox<WithdrawProgram>>
        }
    });
    view! {
        <section class="panel">
            <h3>{of_rules.from_then(cx.moment(version.published_at))}</h3>
            {difference(cx, Some(&current.terms), &version.terms, |terms| lines(cx, terms))}
            {withdraw}
        </section>
    }
    .into_html()
}

/// The draft: what it changes, how it will look, and how it is published.
fn drafted(cx: &Cx, draft: &Draft, current: &Version, may_publish: bool) -> Html {
    let (t, of_rules) = (&cx.t().admin_programs, &cx.t().admin_rules);
    let seen = draft.changed_at.timestamp_micros();
    let publish = may_publish.then(|| versions::publish::<PublishProgram>(cx, seen));
    view! {
        <section class="panel" id="draft" aria-labelledby="draft-title">
            <h3 id="draft-title">{of_rules.draft}</h3>
            {versions::changed(cx, draft.changed_at, Some(&draft.changed_by))}
            {difference(cx, Some(&current.terms), &draft.content, |terms| lines(cx, terms))}
            <p class="actions"><a class="btn" href=format!("{}/preview", cx.path)>{t.preview}</a></p>
            <p class="hint">{t.edit_hint}</p>
            {publish}
            <FormBox<DiscardProgram> class="actions" stale=t.stale>
                <input type="hidden" name="seen" value=seen.to_string()/>
                <button class="btn btn-danger-quiet">{of_rules.discard}</button>
            </FormBox<DiscardProgram>>
        </section>
    }
    .into_html()
}

/// The fields of the draft, or of one that is begun with what counts now.
fn edit(cx: &Cx, draft: Option<&Draft>, current: &Version) -> Html {
    let (t, of_rules) = (&cx.t().admin_programs, &cx.t().admin_rules);
    let was_sent = cx.was_sent(DraftProgram::NAME);
    let held = draft.map_or(&current.terms, |draft| &draft.content).clone();
    let seen = draft.map(|draft| draft.changed_at.timestamp_micros().to_string());
    let inside = cx.clone();
    view! {
        <details class="fold" open=was_sent>
            <summary>{t.edit_terms}</summary>
            <FormBox<DraftProgram> labels=labels(cx) stale=t.stale>
                <input type="hidden" name="seen" value=seen.unwrap_or_default()/>
                {fields(&inside, Some(&held))}
                <button class="btn btn-primary">{of_rules.save}</button>
            </FormBox<DraftProgram>>
        </details>
    }
    .into_html()
}

/// How the page of the program will look to customers: by its draft, else by what lies ahead, else as it is.
pub async fn preview(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_programs;
    let (staff, code) = (cx.staff()?, cx.param::<String>("code")?);
    let (entry, versions) = programs::history(&cx.db, staff, &code).await?;
    let draft = programs::draft(&mut cx.db.read().await?, staff, entry.id).await?;
    let last = versions.into_iter().next().ok_or(AppError::NotFound)?;
    let (hint, version, terms) = match draft {
        Some(draft) => (t.preview_hint, last.version + 1, draft.content),
        None => (t.preview_last, last.version, last.terms),
    };
    let program = Program {
        id: entry.id,
        code: entry.code,
        automatic: entry.automatic,
        version,
        name: terms.name,
        summary: terms.summary,
        terms: terms.terms,
        share: terms.share,
        delay_days: terms.delay_days,
        term_days: terms.term_days,
        joined_at: None,
    };
    let title = t.preview_of(cx.pick(&program.name));
    let view = view! {
        <a class="back" href=format!("{HERE}/{code}")>{icon(icons::ARROW_LEFT)} <bdi>{cx.pick(&entry.name)}</bdi></a>
        <h1>{title.clone()}</h1>
        <p class="notice">{hint}</p>
        <p class="lead">{cx.pick(&program.summary)}</p>
        {crate::cabinet::programs::terms(&cx, &program)}
    };
    Ok(Body::new(title, Frame::Admin, view))
}

/// Who becomes a member: whoever registers, or who joins.
fn automatic(cx: &Cx, is_on: bool) -> Html {
    let t = &cx.t().admin_programs;
    let (on, words) = if is_on {
        ("false", t.make_by_choice)
    } else {
        ("true", t.make_automatic)
    };
    view! {
        <FormBox<SwitchAutomatic> class="actions">
            <input type="hidden" name="on" value=on/>
            <button class="btn">{words}</button>
        </FormBox<SwitchAutomatic>>
    }
    .into_html()
}

fn close(cx: &Cx, is_closed: bool) -> Html {
    let t = &cx.t().admin_programs;
    if is_closed {
        return view! { <FormBox<ReopenProgram> class="actions"><button class="btn">{t.reopen}</button></FormBox<ReopenProgram>> }
            .into_html();
    }
    view! {
        <FormBox<CloseProgram> class="actions">
            <button class="btn btn-danger-quiet">{t.close}</button>
            <span class="hint">{t.close_hint}</span>
        </FormBox<CloseProgram>>
    }
    .into_html()
}

/// Every version, the newest first, each with what it changed and how many agreed to it.
fn history(cx: &Cx, all: &[Version]) -> Option<Html> {
    let t = &cx.t().admin_programs;
    let about = |one: &Version| (one.version, one.published_at, one.published_by.clone());
    versions::past_of(cx, all, t.by_program, about, |now, before| {
        let what = difference(cx, before.map(|before| &before.terms), &now.terms, |terms| {
            lines(cx, terms)
        });
        let agreed = t.agreed(format::integer(now.members));
        view! { <p class="muted">{agreed}</p> {what} }.into_html()
    })
}
