//! Texts of the shop as staff edit them: what messages, consents, topics and the dialogue say, both languages side by side, with
//! a draft, what it will look like, and what was said before.

use super::changes;
use super::rules::fields::whole;
use super::versions::{self, Versions, changed, difference};
use crate::cabinet::{flash, fresh_first};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use crate::ui::{AddBox, Check, ChoiceOption, DataTable, Field, FormBox, Head, Select, TextArea, pairs, paragraphs};
use crm::audit::Last;
use crm::lang::{Lang, Localized};
use crm::outbox::render;
use crm::shop::Shop;
use crm::text::store::{self as texts, Entry, Held};
use crm::text::{Kind, Text, Variables, sms};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// The list.
const HERE: &str = "/admin/texts";

/// Messages that go by e-mail alone: how they would go by SMS is of no interest.
const BY_EMAIL: [&str; 12] = [
    "email_code",
    "promotion_footer",
    "question_answered",
    "report",
    "request_answered",
    "request_begun",
    "request_taken",
    "staff_email_changed",
    "staff_invited",
    "staff_kept_out",
    "staff_password",
    "welcome",
];

/// What stands for each variable in a preview: its name, then in Russian and in English.
const SAMPLES: [(&str, &str, &str); 38] = [
    ("at", "21.11.2026 12:30", "21.11.2026 12:30"),
    ("birthday", "3 мая 1990", "3 May 1990"),
    ("code", "482913", "482913"),
    ("commands", "Баланс, Акции, Покупки", "Balance, Offers, Purchases"),
    ("conditions", "Чай дешевле на 10 %", "Tea is 10% off"),
    ("consents", "Правила клуба", "Club rules"),
    ("contact", "+7 900 123-45-67", "+7 900 123-45-67"),
    ("day", "1 декабря", "1 December"),
    ("due", "28.11.2026 12:30", "28.11.2026 12:30"),
    ("email", "anna@example.com", "anna@example.com"),
    ("hours", "24", "24"),
    ("left", "5 000", "5,000"),
    (
        "link",
        "https://club.example.com/l/7Qm2",
        "https://club.example.com/l/7Qm2",
    ),
    ("minutes", "10", "10"),
    ("n", "14", "14"),
    ("name", "Анна", "Anna"),
    ("network", "192.0.2.7", "192.0.2.7"),
    ("number", "1248", "1248"),
    ("other", "Борис Л.", "Boris L."),
    (
        "page",
        "https://club.example.com/questions/7",
        "https://club.example.com/questions/7",
    ),
    ("period", "16–22 ноября 2026", "16–22 November 2026"),
    ("phone", "+7 900 123-45-67", "+7 900 123-45-67"),
    (
        "note",
        "баллы за акцию пришли дважды",
        "points of an offer had come twice",
    ),
    ("points", "150,50", "150.50"),
    ("provider", "Яндекс ID", "Yandex ID"),
    ("report", "Продажи за неделю", "Sales of the week"),
    ("shop", "Сосна", "Sosna"),
    ("store", ", Гагарина, 1", ", Gagarin St 1"),
    ("sum", "2 500,00 ₽", "₽2,500.00"),
    (
        "summary",
        "Заблокируйте её, баллы останутся.",
        "Block it, the points stay.",
    ),
    ("surname", "Лебедева", "Lebedeva"),
    ("table", "Продажи: 1 500,00 ₽", "Sales: ₽1,500.00"),
    (
        "text",
        "дарим 100 баллов ко дню рождения.",
        "here are 100 points for your birthday.",
    ),
    ("title", "Неделя чая", "Tea week"),
    ("topic", "Карта", "Card"),
    (
        "unsubscribe",
        "https://club.example.com/unsubscribe/7Qm2",
        "https://club.example.com/unsubscribe/7Qm2",
    ),
    ("until", "28.11.2026 12:30", "28.11.2026 12:30"),
    ("url", "https://club.example.com", "https://club.example.com"),
];

/// The values of a preview, in a language.
fn samples(shop: &Shop, lang: Lang) -> Vec<(&'static str, String)> {
    let sample = |(name, ru, en): (&'static str, &str, &str)| {
        let value = match (name, lang) {
            ("shop", _) => shop.name.as_str(),
            ("url", _) => shop.url.as_str(),
            (_, Lang::Ru) => ru,
            (_, Lang::En) => en,
        };
        (name, value.to_owned())
    };
    SAMPLES.into_iter().map(sample).collect()
}

/// What a text says, as a form sends it. Which fields there are its kind tells.
#[derive(Deserialize)]
pub struct TextFields {
    #[serde(default)]
    head_ru: String,
    #[serde(default)]
    head_en: String,
    #[serde(default)]
    body_ru: String,
    #[serde(default)]
    body_en: String,
    #[serde(default)]
    position: String,
    #[serde(default)]
    parent: String,
    #[serde(default)]
    open: String,
}

impl TextFields {
    /// The same.
    fn read(self, kind: Kind) -> Result<Text, AppError> {
        let position = match kind.has_place() {
            true => whole(&self.position).map_err(|flaw| AppError::field("position", flaw))?,
            false => 0,
        };
        Ok(Text {
            head: Localized::new(self.head_ru, self.head_en),
            body: Localized::new(self.body_ru, self.body_en),
            position,
            parent: Some(self.parent).filter(|parent| !parent.is_empty()),
            is_open: !self.open.is_empty(),
        })
    }
}

/// Begins a topic, as a draft.
#[derive(Deserialize)]
pub struct CreateTopic {
    key: String,
    #[serde(flatten)]
    text: TextFields,
}

impl Form for CreateTopic {
    const NAME: &'static str = "text.create";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let text = self.text.read(Kind::Topic)?;
        let code = texts::create_topic(&cx.db, cx.staff()?, &self.key, &text).await?;
        Ok(Next::to(format!("{HERE}/topic/{code}?done=created")))
    }
}

/// Writes the draft of the text at hand. `seen` is when the draft that was shown was changed; empty: there was none.
#[derive(Deserialize)]
pub struct DraftText {
    seen: String,
    #[serde(flatten)]
    text: TextFields,
}

impl Form for DraftText {
    const NAME: &'static str = "text.draft";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (kind, code): (Kind, String) = (cx.param("kind")?, cx.param("code")?);
        let seen = match self.seen.as_str() {
            "" => None,
            micros => Some(versions::seen(micros.parse().map_err(|_| AppError::Refused)?)?),
        };
        let text = self.text.read(kind)?;
        texts::draft(&cx.db, cx.staff()?, kind, &code, seen, &text).await?;
        Ok(Next::to(format!("{}?done=drafted#draft", cx.path)))
    }
}

/// Throws the draft of the text at hand away.
#[derive(Deserialize)]
pub struct DiscardText {
    seen: i64,
}

impl Form for DiscardText {
    const NAME: &'static str = "text.discard";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (kind, code): (Kind, String) = (cx.param("kind")?, cx.param("code")?);
        let seen = versions::seen(self.seen)?;
        let is_there = texts::discard(&cx.db, cx.staff()?, kind, &code, seen).await?;
        Ok(Next::to(match is_there {
            true => format!("{}?done=discarded", cx.path),
            false => format!("{HERE}?kind={}&done=discarded", kind.as_str()),
        }))
    }
}

/// Publishes the draft of the text at hand as it was seen.
#[derive(Deserialize)]
pub struct PublishText {
    seen: i64,
}

impl Form for PublishText {
    const NAME: &'static str = "text.publish";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (kind, code): (Kind, String) = (cx.param("kind")?, cx.param("code")?);
        let fresh = cx.staff()?.fresh(&cx.db)?;
        texts::publish(&cx.db, &fresh, kind, &code, versions::seen(self.seen)?).await?;
        Ok(Next::to(format!("{}?done=published", cx.path)))
    }
}

/// What the texts of a kind are called, and what they are for.
fn words(cx: &Cx, kind: Kind) -> (&'static str, &'static str) {
    let t = &cx.t().admin_texts;
    match kind {
        Kind::Template => (t.templates, t.templates_hint),
        Kind::Consent => (t.consents, t.consents_hint),
        Kind::Topic => (t.topics, t.topics_hint),
        Kind::Command => (t.commands, t.commands_hint),
        Kind::Phrase => (t.phrases, t.phrases_hint),
    }
}

/// The texts of a kind.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_texts;
    let asked = cx.query("kind").and_then(|kind| kind.parse().ok());
    let kind = match cx.was_sent(CreateTopic::NAME) {
        true => Kind::Topic,
        false => asked.unwrap_or(Kind::Template),
    };
    let all = texts::list(&cx.db, cx.staff()?, kind).await?;
    let tabs: Vec<_> = Kind::ALL
        .into_iter()
        .map(|of| {
            let current = (of == kind).then_some("page");
            let href = format!("{HERE}?kind={}", of.as_str());
            view! { <a href=href aria-current=current>{words(&cx, of).0}</a> }
        })
        .collect();
    let rows: Vec<_> = all.iter().map(|entry| row(&cx, kind, entry)).collect();
    let heads = vec![Head::Words(t.text), Head::Words(t.code), Head::Words(t.state)];
    let add = (kind == Kind::Topic).then(|| add_topic(&cx, &all));
    let (name, hint) = words(&cx, kind);
    let view = view! {
        <h1>{t.title}</h1>
        <p class="lead">{t.lead}</p>
        <p class="actions">
            <a class="btn" href="/admin/scripts">{cx.t().admin_scripts.title}</a>
            <a class="btn" href="/admin/questionnaire">{cx.t().admin_questionnaire.title}</a>
            <a class="btn" href="/admin/dialogue">{cx.t().admin_dialogue.title}</a>
        </p>
        {flash(&cx, &[("discarded", cx.t().admin_rules.done_discarded)])}
        <nav class="tabs" aria-label=t.title>{tabs}</nav>
        <p class="hint">{hint}</p>
        <DataTable label=name heads=heads rows=rows.into_html()/>
        {add}
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

fn row(cx: &Cx, kind: Kind, entry: &Entry) -> Html {
    let t = &cx.t().admin_texts;
    let text = if kind.has_head() {
        &entry.text.head
    } else {
        &entry.text.body
    };
    let indent = entry.text.parent.is_some().then_some("— ");
    let state = match (entry.is_published, entry.text.is_open) {
        (false, _) => t.never,
        (true, false) => t.closed,
        (true, true) => "",
    };
    let draft = (entry.has_draft && entry.is_published)
        .then(|| view! { <span class="badge">{cx.t().admin_rules.with_draft}</span> });
    let href = format!("{HERE}/{}/{}", kind.as_str(), entry.code);
    view! {
        <tr>
            <td class="grow">{indent} <a href=href><bdi>{cx.pick(text)}</bdi></a></td>
            <td><code>{entry.code.clone()}</code></td>
            <td>{state} " " {draft}</td>
        </tr>
    }
    .into_html()
}

/// Asks for a new topic.
fn add_topic(cx: &Cx, all: &[Entry]) -> Html {
    let t = &cx.t().admin_texts;
    let mut labels = labels(cx, Kind::Topic);
    labels.insert(0, ("key".to_owned(), t.code.to_owned()));
    let above = all
        .iter()
        .filter(|entry| entry.is_published && entry.text.parent.is_none());
    let parents = above.map(|entry| (entry.code.clone(), cx.pick(&entry.text.head)));
    let parents = parents_of(cx, parents.collect());
    let last = all.iter().map(|entry| entry.text.position).max().unwrap_or_default();
    let held = Text {
        position: last + 1,
        is_open: true,
        ..Text::default()
    };
    let inside = cx.clone();
    view! {
        <AddBox<CreateTopic> title=t.new_topic labels=labels>
            <Field name="key" label=t.code hint=t.code_hint/>
            {fields(&inside, Kind::Topic, held, parents)}
            <button class="btn btn-primary">{t.save_draft}</button>
        </AddBox<CreateTopic>>
    }
    .into_html()
}

/// The topics that a topic may stand below, and none.
fn parents_of(cx: &Cx, topics: Vec<ChoiceOption>) -> Vec<ChoiceOption> {
    let none = (String::new(), cx.t().admin_texts.no_parent.to_owned());
    std::iter::once(none).chain(topics).collect()
}

/// What the parts of a kind are called: head and body, in Russian and in English.
fn parts(cx: &Cx, kind: Kind) -> [&'static str; 4] {
    let t = &cx.t().admin_texts;
    match kind {
        Kind::Template => [t.subject_ru, t.subject_en, t.body_ru, t.body_en],
        Kind::Consent => [t.title_ru, t.title_en, t.body_ru, t.body_en],
        Kind::Topic | Kind::Command => [t.name_ru, t.name_en, t.typed_ru, t.typed_en],
        Kind::Phrase => ["", "", t.body_ru, t.body_en],
    }
}

/// The labels of [`fields`].
fn labels(cx: &Cx, kind: Kind) -> Vec<(String, String)> {
    let t = &cx.t().admin_texts;
    let [head_ru, head_en, body_ru, body_en] = parts(cx, kind);
    pairs([
        ("head_ru", head_ru),
        ("head_en", head_en),
        ("body_ru", body_ru),
        ("body_en", body_en),
        ("position", t.place),
        ("parent", t.parent),
        ("open", t.open),
    ])
}

/// The fields of a text of a kind, the languages side by side.
fn fields(cx: &Cx, kind: Kind, held: Text, parents: Vec<ChoiceOption>) -> Html {
    let t = &cx.t().admin_texts;
    let [head_ru, head_en, body_ru, body_en] = parts(cx, kind);
    let (head, body) = (held.head, held.body);
    let rows = match kind {
        Kind::Template | Kind::Consent => 12,
        Kind::Topic | Kind::Command | Kind::Phrase => 3,
    };
    let head = kind.has_head().then(|| {
        view! { <Field name="head_ru" label=head_ru value=head.ru/> <Field name="head_en" label=head_en value=head.en/> }
    });
    let body = kind.has_body().then(|| {
        view! {
            <TextArea name="body_ru" label=body_ru value=body.ru rows=rows/>
            <TextArea name="body_en" label=body_en value=body.en rows=rows/>
        }
    });
    let place = kind.has_place().then(|| {
        let position = held.position.to_string();
        let open = if kind == Kind::Topic { t.open } else { t.offered };
        let parent = held.parent.unwrap_or_default();
        let below = (kind == Kind::Topic).then(|| {
            view! { <Select name="parent" label=t.parent hint=t.parent_hint options=parents value=parent optional=true/> }
        });
        view! {
            <Field name="position" label=t.place hint=t.place_hint value=position inputmode="numeric"/>
            {below}
            <Check name="open" checked=held.is_open>{open}</Check>
        }
    });
    view! {
        <div class="grid gap-3 sm:grid-cols-2">{head} {body}</div>
        {place}
    }
    .into_html()
}

/// What a version says line by line: in this form two versions are compared.
fn lines(cx: &Cx, kind: Kind, text: &Text) -> Vec<String> {
    let t = &cx.t().admin_texts;
    let mut lines = Vec::new();
    for lang in Lang::ALL {
        let texts = [&text.head, &text.body].map(|text| text.get(lang));
        let paragraphs = texts.into_iter().flat_map(|text| text.split('\n')).map(str::trim);
        lines.extend(paragraphs.filter(|line| !line.is_empty()).map(str::to_owned));
    }
    if kind.has_place() {
        lines.push(t.l_place(text.position));
        lines.extend(text.parent.as_ref().map(|parent| t.l_parent(parent)));
        lines.push(if text.is_open { t.l_open } else { t.l_closed }.to_owned());
    }
    lines
}

/// One text: what it says, what is being written, and what it said before.
pub async fn one(cx: Cx) -> Result<Body, AppError> {
    let (t, of_rules) = (&cx.t().admin_texts, &cx.t().admin_rules);
    let (kind, code): (Kind, String) = (cx.param("kind")?, cx.param("code")?);
    let Held {
        id,
        current,
        versions: mut all,
        agreed,
        above,
    } = texts::read(&cx.db, cx.staff()?, kind, &code).await?;
    let quicker = changes::quicker(&cx, Last::Of(id.map(|id| id.0).unwrap_or_default())).await?;
    // What nobody of the staff published came with the program.
    for version in all.iter_mut().filter(|version| version.published_at.is_some()) {
        version.published_by.get_or_insert_with(|| t.by_program.to_owned());
    }
    let found = Versions::at(&all, cx.db.now());
    let above = above.into_iter().map(|(code, name)| (code, cx.pick(&name)));
    let parents = parents_of(&cx, above.collect());
    let draft = found.draft;
    let latest = draft.and_then(|draft| draft.definition.as_ref()).or(current.as_ref());
    let held = latest.ok_or(AppError::NotFound)?.clone();
    let seen = draft.map(|draft| draft.changed_at.timestamp_micros().to_string());
    let title = match kind.has_head() {
        true => cx.pick(&held.head),
        false => code.clone(),
    };
    let done = [
        ("created", t.done_drafted),
        ("drafted", t.done_drafted),
        ("discarded", of_rules.done_discarded),
        ("published", t.done_published),
    ];
    let (name, _) = words(&cx, kind);
    let up = format!("{HERE}?kind={}", kind.as_str());
    let means = (kind == Kind::Consent).then(|| {
        view! { <p class="notice"><span>{t.consent_means} " " {t.agreed(format::integer(agreed))}</span></p> }
    });
    let now = current.as_ref().map(|text| {
        view! {
            <section class="section" aria-labelledby="now">
                <h2 id="now">{of_rules.now}</h2>
                {preview(&cx, kind, &code, text)}
            </section>
        }
    });
    let published = found.published.as_slice();
    let lines = |text: &Text| lines(&cx, kind, text);
    let (inside, was_sent) = (cx.clone(), cx.was_sent(DraftText::NAME));
    let view = view! {
        <a class="back" href=up>{icon(icons::ARROW_LEFT)} {name}</a>
        <h1><bdi>{title.clone()}</bdi></h1>
        {flash(&cx, &done)}
        {gone(&cx, draft.is_some())}
        {quicker}
        <p><code>{code.clone()}</code></p>
        {means}
        {now}
        <section class="section" aria-labelledby="edit">
            <h2 id="edit">{t.edit}</h2>
            {draft.and_then(|draft| drafted(&cx, kind, &code, draft, current.as_ref()))}
            <details class="fold" open=was_sent>
                <summary>{t.edit_text}</summary>
                {variables(&cx, kind, &code)}
                <FormBox<DraftText> labels=labels(&cx, kind) stale=t.stale>
                    <input type="hidden" name="seen" value=seen.unwrap_or_default()/>
                    {fields(&inside, kind, held, parents)}
                    <button class="btn btn-primary">{t.save_draft}</button>
                </FormBox<DraftText>>
            </details>
        </section>
        {versions::history(&cx, published, lines, "")}
    };
    Ok(Body::new(title, Frame::Admin, view))
}

/// Says that a colleague was quicker, where the form that was sent is no longer on the page.
fn gone(cx: &Cx, has_draft: bool) -> Option<Html> {
    let sent = cx.outcome.as_ref().filter(|sent| sent.error == AppError::Stale)?;
    let is_here = sent.form == DraftText::NAME || has_draft;
    let stale = cx.t().admin_texts.stale;
    (!is_here).then(|| view! { <p class="notice notice-warn" role="alert">{stale}</p> }.into_html())
}

/// The draft: what it changes, how it will look, and how it is published.
fn drafted(cx: &Cx, kind: Kind, code: &str, draft: &texts::Version, current: Option<&Text>) -> Option<Html> {
    let (t, of_rules) = (&cx.t().admin_texts, &cx.t().admin_rules);
    let text = draft.definition.as_ref()?;
    let seen = draft.changed_at.timestamp_micros();
    let publish = match fresh_first(cx) {
        Some(first) => first,
        None => view! {
            <FormBox<PublishText> labels=labels(cx, kind) stale=t.stale class="actions">
                <input type="hidden" name="seen" value=seen.to_string()/>
                <button class="btn btn-primary">{of_rules.publish}</button>
            </FormBox<PublishText>>
        }
        .into_html(),
    };
    let view = view! {
        <section class="panel" id="draft" aria-labelledby="draft-title">
            <h3 id="draft-title">{of_rules.draft}</h3>
            {changed(cx, draft.changed_at, draft.changed_by.as_deref())}
            {difference(cx, current, text, |text| lines(cx, kind, text))}
            <h3>{t.preview}</h3>
            {preview(cx, kind, code, text)}
            {publish}
            <FormBox<DiscardText> class="actions" stale=t.stale>
                <input type="hidden" name="seen" value=seen.to_string()/>
                <button class="btn btn-danger-quiet">{of_rules.discard}</button>
            </FormBox<DiscardText>>
        </section>
    };
    Some(view.into_html())
}

/// What a text may name between braces, each with what stands for it in the preview.
fn variables(cx: &Cx, kind: Kind, code: &str) -> Option<Html> {
    let t = &cx.t().admin_texts;
    let variables = Variables::of(kind, code);
    if variables.known.is_empty() {
        return None;
    }
    let samples = samples(cx.shop(), cx.lang);
    let shown = variables.known.iter().map(|name| {
        let sample = samples.iter().find(|(known, _)| known == name);
        let sample = sample.map(|(_, value)| value.clone()).unwrap_or_default();
        let needed = variables.needed.contains(name).then_some(t.needed);
        view! { <li><code>{format!("{{{name}}}")}</code> ": " <bdi>{sample}</bdi> " " {needed}</li> }
    });
    let shown: Vec<_> = shown.collect();
    let view = view! {
        <p class="hint">{t.variables}</p>
        <ul class="list-disc ps-5">{shown}</ul>
    };
    Some(view.into_html())
}

/// How a text looks in each language, with samples for what is filled in.
fn preview(cx: &Cx, kind: Kind, code: &str, text: &Text) -> Html {
    let t = &cx.t().admin_texts;
    let shown = Lang::ALL.map(|lang| {
        let samples = samples(cx.shop(), lang);
        let values: Vec<(&str, &str)> = samples.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let fill = |text: &Localized| render(text.get(lang), &values).unwrap_or_else(|name| t.no_sample(name));
        let (head, body) = (fill(&text.head), fill(&text.body));
        let by_sms = (kind == Kind::Template && !BY_EMAIL.contains(&code)).then(|| {
            let sms = sms(&body);
            let alphabet = if sms.is_gsm { t.gsm } else { t.ucs };
            let words = t.by_sms(alphabet, sms.parts, sms.units);
            view! { <p class="hint">{words}</p> }
        });
        let head = (!head.is_empty()).then(|| view! { <p><b>{head}</b></p> });
        let (name, code) = match lang {
            Lang::Ru => (t.in_russian, "ru"),
            Lang::En => (t.in_english, "en"),
        };
        view! {
            <div class="panel">
                <p class="muted">{name}</p>
                <div lang=code>{head} {paragraphs(&body)}</div>
                {by_sms}
            </div>
        }
    });
    view! { <div class="grid gap-3 sm:grid-cols-2">{Vec::from(shown)}</div> }.into_html()
}
