//! The help, as staff write it: its articles with what readers say of them, what each said before, and what it does not answer.

use super::rules::fields::{line, optional};
use super::versions::{self, difference, in_time, list, moment};
use super::{changes, help_parts};
use crate::account::help as readers;
use crate::cabinet::purchases::day;
use crate::cabinet::{back, flash};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use crate::ui::{ChoiceOption, DataTable, Field, FormBox, Head, Moment, Select, TextArea, pairs, table_or};
use crm::audit::Object;
use crm::content::percent;
use crm::flaw::{Check as Flaws, Flaw};
use crm::help::Content;
use crm::help::store::managing::{self as help, Draft, Entry, Gap, Missing, State, Version};
use crm::help::store::parts;
use crm::lang::{Lang, Localized};
use crm::request::store as requests;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// The list.
const HERE: &str = "/admin/help";

/// What an article says, as a form sends it.
#[derive(Deserialize)]
pub struct ContentFields {
    category: String,
    topic: String,
    title_ru: String,
    title_en: String,
    summary_ru: String,
    summary_en: String,
    keywords_ru: String,
    keywords_en: String,
    body_ru: String,
    body_en: String,
    expires: String,
}

impl ContentFields {
    /// The same. A day that is none is told together with what else is wrong.
    fn read(self, mut flaws: Flaws) -> Result<Content, AppError> {
        let expires_on = optional(&self.expires, |text| day(text).ok_or(Flaw::NotADate));
        let expires_on = flaws.field("expires", expires_on).flatten();
        let content = Content {
            category: self.category,
            topic: Some(self.topic).filter(|topic| !topic.is_empty()),
            title: Localized::new(line(&self.title_ru), line(&self.title_en)),
            summary: Localized::new(line(&self.summary_ru), line(&self.summary_en)),
            keywords: Localized::new(line(&self.keywords_ru), line(&self.keywords_en)),
            body: Localized::new(self.body_ru, self.body_en),
            expires_on,
        };
        if flaws.is_clean() {
            return Ok(content);
        }
        content.checked(&mut flaws, None);
        Err(AppError::Invalid { flaws: flaws.flaws() })
    }
}

/// Begins an article, as a draft.
#[derive(Deserialize)]
pub struct CreateHelp {
    key: String,
    #[serde(flatten)]
    content: ContentFields,
}

impl Form for CreateHelp {
    const NAME: &'static str = "help.create";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let staff = cx.staff()?;
        let content = self.content.read(Flaws::new())?;
        let code = help::create(&cx.db, staff, &self.key, &content).await?;
        Ok(Next::to(format!("{HERE}/{code}?done=created")))
    }
}

/// Writes what the article at hand is to say next as a draft. `seen` is when the draft that was shown was changed; empty: there
/// was none.
#[derive(Deserialize)]
pub struct DraftHelp {
    seen: String,
    #[serde(flatten)]
    content: ContentFields,
}

impl Form for DraftHelp {
    const NAME: &'static str = "help.draft";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (staff, code) = (cx.staff()?, cx.param::<String>("code")?);
        let seen = versions::seen_if_any(&self.seen)?;
        let content = self.content.read(Flaws::new())?;
        help::write(&cx.db, staff, &code, seen, &content).await?;
        Ok(Next::to(format!("{HERE}/{code}?done=drafted#draft")))
    }
}

/// Throws the draft of the article at hand away.
#[derive(Deserialize)]
pub struct DiscardHelp {
    seen: i64,
}

impl Form for DiscardHelp {
    const NAME: &'static str = "help.discard";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let code: String = cx.param("code")?;
        let seen = versions::seen(self.seen)?;
        let is_there = help::discard(&cx.db, cx.staff()?, &code, seen).await?;
        Ok(Next::to(match is_there {
            true => format!("{HERE}/{code}?done=discarded"),
            false => format!("{HERE}?done=discarded"),
        }))
    }
}

/// Publishes the draft of the article at hand as it was seen.
#[derive(Deserialize)]
pub struct PublishHelp {
    seen: i64,
    from: String,
}

impl Form for PublishHelp {
    const NAME: &'static str = "help.publish";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (staff, code) = (cx.staff()?, cx.param::<String>("code")?);
        let seen = versions::seen(self.seen)?;
        let from = moment(cx, &self.from).map_err(|flaw| AppError::field("from", flaw))?;
        help::publish(&cx.db, staff, &code, seen, from).await.map_err(in_time)?;
        let done = if from.is_some() { "scheduled" } else { "published" };
        Ok(Next::to(format!("{HERE}/{code}?done={done}")))
    }
}

/// Takes back the version of the article at hand that lies ahead.
#[derive(Deserialize)]
pub struct CancelHelp {}

impl Form for CancelHelp {
    const NAME: &'static str = "help.cancel";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let code: String = cx.param("code")?;
        help::cancel(&cx.db, cx.staff()?, &code).await?;
        Ok(Next::to(format!("{HERE}/{code}?done=cancelled")))
    }
}

/// Withdraws the article at hand.
#[derive(Deserialize)]
pub struct WithdrawHelp {}

impl Form for WithdrawHelp {
    const NAME: &'static str = "help.withdraw";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let code: String = cx.param("code")?;
        help::withdraw(&cx.db, cx.staff()?, &code).await?;
        Ok(Next::to(format!("{HERE}/{code}?done=withdrawn")))
    }
}

/// What the fields of an article offer to choose from: the parts of the help, and the topics of requests.
#[derive(Clone)]
struct Choices {
    parts: Vec<ChoiceOption>,
    /// The codes of those that take no more articles: a choice where they are chosen already.
    closed: Vec<String>,
    topics: Vec<ChoiceOption>,
}

impl Choices {
    async fn load(cx: &Cx) -> Result<Self, AppError> {
        let parts = parts::list(&cx.db, cx.staff()?).await?;
        let mut conn = cx.db.read().await?;
        let topics = requests::topics(&mut conn).await?;
        let none = (String::new(), cx.t().admin_help.no_topic.to_owned());
        let closed = parts.iter().filter(|part| part.is_closed);
        Ok(Self {
            closed: closed.map(|part| part.code.clone()).collect(),
            parts: parts
                .iter()
                .map(|part| (part.code.clone(), cx.pick(&part.name)))
                .collect(),
            topics: std::iter::once(none)
                .chain(topics.iter().map(|topic| (topic.code.clone(), cx.pick(&topic.name))))
                .collect(),
        })
    }

    /// What something is called; what is not there any more, by its code.
    fn name(of: &[ChoiceOption], code: &str) -> String {
        let found = of.iter().find(|(one, _)| one == code);
        found.map_or_else(|| code.to_owned(), |(_, name)| name.clone())
    }
}

/// How it stands with an article, with a dot.
fn state(cx: &Cx, state: State) -> Html {
    let t = &cx.t().admin_help;
    let (class, words) = match state {
        State::Shown => ("status status-done", t.is_shown),
        State::Ahead => ("status status-open", t.is_ahead),
        State::Draft => ("status status-new", t.is_draft),
        State::Expired => ("status status-wait", t.is_expired),
        State::Withdrawn => ("status status-wait", t.is_withdrawn),
    };
    view! { <span class=class>{words}</span> }.into_html()
}

/// Of how many votes how many say that it was of use.
fn share(cx: &Cx, useful: i64, useless: i64) -> String {
    match useful + useless {
        0 => "–".to_owned(),
        all => percent(cx.lang, useful * 100 / all * 100),
    }
}

/// The list, and what the help does not answer.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_help;
    let staff = cx.staff()?;
    let all = help::list(&cx.db, staff).await?;
    let (gaps, missing) = help::gaps(&cx.db, staff).await?;
    let choices = Choices::load(&cx).await?;
    let rows: Vec<_> = all.iter().map(|entry| row(&cx, entry, &choices)).collect();
    let heads = vec![
        Head::Words(t.state),
        Head::Words(t.article),
        Head::Words(t.part),
        Head::Number(t.votes),
        Head::Number(t.useful),
        Head::Words(t.changed),
    ];
    let mut labels = labels(&cx);
    labels.insert(0, ("key".to_owned(), t.code.to_owned()));
    let (inside, was_sent) = (cx.clone(), cx.was_sent(CreateHelp::NAME));
    let view = view! {
        <h1>{t.title}</h1>
        <p class="lead">{t.lead}</p>
        {flash(&cx, &[("discarded", cx.t().admin_rules.done_discarded)])}
        <p class="actions">
            <a class="btn btn-sm" href=help_parts::HERE>{t.parts}</a>
            <a class="btn btn-sm" href="#gaps">{t.gaps}</a>
            <a class="btn btn-sm" href="#missing">{t.missing}</a>
        </p>
        <DataTable label=t.title heads=heads rows=rows.into_html()/>
        <section class="section" aria-labelledby="add">
            <details class="fold" open=was_sent>
                <summary><h2 id="add">{t.new}</h2></summary>
                <FormBox<CreateHelp> labels=labels>
                    <Field name="key" label=t.code hint=t.code_hint/>
                    {fields(&inside, choices, Content::default())}
                    <button class="btn btn-primary">{t.create}</button>
                </FormBox<CreateHelp>>
            </details>
        </section>
        {looked_for(&cx, &gaps)}
        {was_missing(&cx, &missing)}
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

fn row(cx: &Cx, entry: &Entry, choices: &Choices) -> Html {
    let t = &cx.t().admin_help;
    let draft = entry
        .has_draft
        .then(|| view! { " " <span class="badge">{cx.t().admin_rules.with_draft}</span> });
    let draft = draft.filter(|_| entry.state != State::Draft);
    let at = entry.published_at.map(|at| view! { <Moment at=at shown=cx.ago(at)/> });
    view! {
        <tr>
            <td>{state(cx, entry.state)}</td>
            <td class="grow">
                <a href=format!("{HERE}/{}", entry.code)><bdi>{cx.pick(&entry.content.title)}</bdi></a> {draft}
            </td>
            <td>{Choices::name(&choices.parts, &entry.content.category)}</td>
            <td class="num">{format::integer(entry.useful + entry.useless)}</td>
            <td class="num">{share(cx, entry.useful, entry.useless)}</td>
            <td>{at} {entry.published_at.is_none().then_some(t.never)}</td>
        </tr>
    }
    .into_html()
}

/// The language's own name, short.
fn language(lang: Lang) -> &'static str {
    match lang {
        Lang::Ru => "RU",
        Lang::En => "EN",
    }
}

/// What was looked for in vain.
fn looked_for(cx: &Cx, gaps: &[Gap]) -> Html {
    let t = &cx.t().admin_help;
    let rows: Vec<_> = gaps
        .iter()
        .map(|gap| {
            view! {
                <tr>
                    <td class="grow"><bdi>{gap.text.clone()}</bdi></td>
                    <td>{language(gap.language)}</td>
                    <td class="num">{format::integer(gap.times)}</td>
                    <td><Moment at=gap.last_at shown=cx.ago(gap.last_at)/></td>
                </tr>
            }
        })
        .collect();
    let heads = vec![
        Head::Words(t.looked_for),
        Head::Words(t.language),
        Head::Number(t.times),
        Head::Words(t.last),
    ];
    let inside = table_or(t.no_gaps, t.gaps, heads, rows);
    view! {
        <section class="section" aria-labelledby="gaps">
            <h2 id="gaps">{t.gaps}</h2>
            <p class="hint">{t.gaps_hint}</p>
            {inside}
        </section>
    }
    .into_html()
}

/// What readers said was missing.
fn was_missing(cx: &Cx, missing: &[Missing]) -> Html {
    let t = &cx.t().admin_help;
    let rows: Vec<_> = missing
        .iter()
        .map(|one| {
            view! {
                <tr>
                    <td class="grow"><bdi>{one.missing.clone()}</bdi></td>
                    <td><a href=format!("{HERE}/{}", one.code)>{one.code.clone()}</a> ", " {cx.t().admin_rules.version(one.version)}</td>
                    <td>{language(one.language)}</td>
                    <td><Moment at=one.voted_at shown=cx.ago(one.voted_at)/></td>
                </tr>
            }
        })
        .collect();
    let heads = vec![
        Head::Words(t.said),
        Head::Words(t.article),
        Head::Words(t.language),
        Head::Words(t.last),
    ];
    let inside = table_or(t.no_missing, t.missing, heads, rows);
    view! {
        <section class="section">
            <h2 id="missing">{t.missing}</h2>
            {inside}
        </section>
    }
    .into_html()
}

/// The labels of [`fields`].
fn labels(cx: &Cx) -> Vec<(String, String)> {
    let t = &cx.t().admin_help;
    pairs([
        ("category", t.part),
        ("topic", t.topic),
        ("title_ru", t.title_ru),
        ("title_en", t.title_en),
        ("summary_ru", t.summary_ru),
        ("summary_en", t.summary_en),
        ("keywords_ru", t.keywords_ru),
        ("keywords_en", t.keywords_en),
        ("body_ru", t.body_ru),
        ("body_en", t.body_en),
        ("expires", t.expires),
    ])
}

/// The fields of an article, the languages side by side.
fn fields(cx: &Cx, choices: Choices, held: Content) -> Html {
    let t = &cx.t().admin_help;
    let Content {
        category,
        topic,
        title,
        summary,
        keywords,
        body,
        expires_on,
    } = held;
    let expires = expires_on.map(|day| day.to_string()).unwrap_or_default();
    let mut parts = choices.parts;
    parts.retain(|(code, _)| *code == category || !choices.closed.contains(code));
    view! {
        <div class="grid gap-3 sm:grid-cols-2">
            <Select name="category" label=t.part options=parts value=category/>
            <Select name="topic" label=t.topic options=choices.topics value=topic.unwrap_or_default() optional=true/>
        </div>
        <p class="hint">{t.topic_hint}</p>
        <div class="grid gap-3 sm:grid-cols-2">
            <Field name="title_ru" label=t.title_ru value=title.ru/>
            <Field name="title_en" label=t.title_en value=title.en/>
            <TextArea name="summary_ru" label=t.summary_ru value=summary.ru rows=2/>
            <TextArea name="summary_en" label=t.summary_en value=summary.en rows=2/>
            <TextArea name="keywords_ru" label=t.keywords_ru value=keywords.ru rows=2/>
            <TextArea name="keywords_en" label=t.keywords_en value=keywords.en rows=2/>
        </div>
        <p class="hint">{t.body_hint}</p>
        <div class="grid gap-3 sm:grid-cols-2">
            <TextArea name="body_ru" label=t.body_ru value=body.ru rows=16/>
            <TextArea name="body_en" label=t.body_en value=body.en rows=16/>
        </div>
        <Field name="expires" label=t.expires hint=t.expires_hint kind="date" value=expires optional=true/>
    }
    .into_html()
}

/// What a version says line by line, its texts by paragraphs: in this form two versions are compared.
fn lines(cx: &Cx, choices: &Choices, content: &Content) -> Vec<String> {
    let t = &cx.t().admin_help;
    let topic = content.topic.as_deref().unwrap_or_default();
    let mut lines = vec![
        t.l_part(Choices::name(&choices.parts, &content.category)),
        t.l_topic(Choices::name(&choices.topics, topic)),
        t.l_keywords(&content.keywords.en, &content.keywords.ru),
    ];
    lines.extend(content.expires_on.map(|day| t.l_expires(format::date(cx.lang, day))));
    for lang in Lang::ALL {
        let texts = [&content.title, &content.summary, &content.body].map(|text| text.get(lang));
        let paragraphs = texts.into_iter().flat_map(|text| text.split('\n')).map(str::trim);
        lines.extend(paragraphs.filter(|line| !line.is_empty()).map(str::to_owned));
    }
    lines
}

/// One article: how it stands, what lies ahead, what is being written, and what it said before.
pub async fn one(cx: Cx) -> Result<Body, AppError> {
    let (t, of_rules) = (&cx.t().admin_help, &cx.t().admin_rules);
    let (staff, code) = (cx.staff()?, cx.param::<String>("code")?);
    let article = help::read(&cx.db, staff, &code).await?;
    let choices = Choices::load(&cx).await?;
    let changes = changes::section(&cx, Object::HelpArticle(article.id), &[], |_, _| None).await?;
    let now = cx.db.now();
    let (current, ahead) = (article.current(now), article.ahead(now));
    let draft = article.draft.as_ref();
    let latest = draft
        .map(|draft| &draft.content)
        .or(ahead.or(current).map(|version| &version.content));
    let held = latest.ok_or(AppError::NotFound)?.clone();
    let title = cx.pick(current.map_or(&held.title, |version| &version.content.title));
    let how = article.state(now, cx.today());
    let done = [
        ("created", t.done_created),
        ("drafted", of_rules.done_saved),
        ("discarded", of_rules.done_discarded),
        ("published", t.done_published),
        ("scheduled", of_rules.done_scheduled),
        ("cancelled", t.done_cancelled),
        ("withdrawn", t.done_withdrawn),
    ];
    let shown = (how == State::Shown).then(|| {
        view! {
            <p class="actions"><a class="btn" href=format!("{}/{code}", readers::HERE)>{t.open}</a></p>
            <FormBox<WithdrawHelp> class="actions">
                <button class="btn btn-danger-quiet">{t.withdraw}</button>
                <span class="hint">{t.withdraw_hint}</span>
            </FormBox<WithdrawHelp>>
        }
    });
    let seen = draft.map(|draft| draft.changed_at.timestamp_micros().to_string());
    let (inside, to_choose, was_sent) = (cx.clone(), choices.clone(), cx.was_sent(DraftHelp::NAME));
    let view = view! {
        {back(HERE, t.title)}
        <h1><bdi>{title.clone()}</bdi></h1>
        {flash(&cx, &done)}
        <p>{state(&cx, how)} " " <code>{code.clone()}</code></p>
        {gone(&cx, how, draft, ahead)}
        {shown}
        <section class="section" aria-labelledby="edit">
            <h2 id="edit">{t.edit}</h2>
            {ahead.map(|version| scheduled(&cx, &choices, version, current))}
            {draft.map(|draft| drafted(&cx, &choices, draft, current, ahead.is_none()))}
            <details class="fold" open=was_sent>
                <summary>{t.edit_text}</summary>
                <FormBox<DraftHelp> labels=labels(&cx) stale=t.stale>
                    <input type="hidden" name="seen" value=seen.unwrap_or_default()/>
                    {fields(&inside, to_choose, held)}
                    <button class="btn btn-primary">{of_rules.save}</button>
                </FormBox<DraftHelp>>
            </details>
        </section>
        {history(&cx, &choices, &article.versions)}
        {changes}
    };
    Ok(Body::new(title, Frame::Admin, view))
}

/// Says that a colleague was quicker, where the form that was sent is no longer on the page.
fn gone(cx: &Cx, how: State, draft: Option<&Draft>, ahead: Option<&Version>) -> Option<Html> {
    versions::gone(cx, cx.t().admin_help.stale, |form| match form {
        PublishHelp::NAME => draft.is_some_and(|draft| lacks(cx, draft).is_empty()) && ahead.is_none(),
        DiscardHelp::NAME => draft.is_some(),
        CancelHelp::NAME => ahead.is_some(),
        WithdrawHelp::NAME => how == State::Shown,
        _ => true,
    })
}

/// What keeps a draft from being published today, in words.
fn lacks(cx: &Cx, draft: &Draft) -> Vec<String> {
    let labels = labels(cx);
    let lacks = draft.content.lacks(cx.today()).into_iter();
    lacks
        .map(|(field, flaw)| {
            let label = labels.iter().find(|(name, _)| *name == field);
            format!("{}: {}", label.map_or("", |(_, label)| label.as_str()), cx.flaw(&flaw))
        })
        .collect()
}

/// The version that lies ahead: from when on, what it changes, and how it is taken back.
fn scheduled(cx: &Cx, choices: &Choices, version: &Version, current: Option<&Version>) -> Html {
    let t = &cx.t().admin_help;
    let before = current.map(|current| &current.content);
    view! {
        <section class="panel">
            <h3>{cx.t().admin_rules.from_then(cx.moment(version.published_at))}</h3>
            {difference(cx, before, &version.content, |content| lines(cx, choices, content))}
            <FormBox<CancelHelp> class="actions">
                <button class="btn btn-danger-quiet">{t.cancel}</button>
                <span class="hint">{t.cancel_hint}</span>
            </FormBox<CancelHelp>>
        </section>
    }
    .into_html()
}

/// The draft: what it changes, how it will look, what it lacks or how it is published.
fn drafted(cx: &Cx, choices: &Choices, draft: &Draft, current: Option<&Version>, is_next: bool) -> Html {
    let (t, of_rules) = (&cx.t().admin_help, &cx.t().admin_rules);
    let seen = draft.changed_at.timestamp_micros();
    let lacks = lacks(cx, draft);
    let publish = (is_next && lacks.is_empty()).then(|| versions::publish::<PublishHelp>(cx, seen));
    let before = current.map(|current| &current.content);
    view! {
        <section class="panel" id="draft" aria-labelledby="draft-title">
            <h3 id="draft-title">{of_rules.draft}</h3>
            {versions::changed(cx, draft.changed_at, Some(&draft.changed_by))}
            {difference(cx, before, &draft.content, |content| lines(cx, choices, content))}
            <p class="actions"><a class="btn" href=format!("{}/preview", cx.path)>{t.preview}</a></p>
            {versions::faults(cx, lacks)}
            {publish}
            <FormBox<DiscardHelp> class="actions" stale=t.stale>
                <input type="hidden" name="seen" value=seen.to_string()/>
                <button class="btn btn-danger-quiet">{of_rules.discard}</button>
            </FormBox<DiscardHelp>>
        </section>
    }
    .into_html()
}

/// How the article will look to readers: by its draft, else by what lies ahead, else as it is. In the language of the page.
pub async fn preview(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_help;
    let (staff, code) = (cx.staff()?, cx.param::<String>("code")?);
    let article = help::read(&cx.db, staff, &code).await?;
    let (hint, content) = match (article.draft, article.versions.into_iter().next()) {
        (Some(draft), _) => (t.preview_hint, draft.content),
        (None, Some(version)) => (t.preview_last, version.content),
        (None, None) => return Err(AppError::NotFound),
    };
    let title = cx.pick(&content.title);
    let view = view! {
        <a class="back" href=format!("{HERE}/{code}")>{icon(icons::ARROW_LEFT)} {code.clone()}</a>
        <p class="notice">{hint}</p>
        {readers::text(&cx, &content)}
    };
    Ok(Body::new(title, Frame::Admin, view))
}

/// Every version, the newest first, each with what it changed and what readers said of it.
fn history(cx: &Cx, choices: &Choices, all: &[Version]) -> Option<Html> {
    let t = &cx.t().admin_help;
    let about = |one: &Version| (one.version, one.published_at, one.published_by.clone());
    versions::past_of(cx, all, t.by_program, about, |now, before| {
        let before = before.map(|before| &before.content);
        let what = difference(cx, before, &now.content, |content| lines(cx, choices, content));
        let votes = format::integer(now.useful + now.useless);
        let mut told = vec![t.l_votes(share(cx, now.useful, now.useless), votes)];
        told.extend(now.withdrawn_at.map(|at| t.l_withdrawn(cx.moment(at))));
        view! { {list(told)} {what} }.into_html()
    })
}
