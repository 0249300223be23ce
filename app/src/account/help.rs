//! The help, to be read by everybody: what is answered before anybody has to be asked.

use super::questions;
use crate::cabinet::{back, welcome};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next, Place};
use crate::ui::frame::ways_to_reach;
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use crate::ui::markdown::markdown;
use crate::ui::{FormBox, PrintButton, TextArea, pairs};
use crm::help::store::{self as help, Reader};
use crm::help::{Content, SEARCH_MAX, Shown, search, suggest};
use crm::question::store as asked;
use crm::request::Topic;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Where it is.
pub(crate) const HERE: &str = "/help";
/// How many articles a search shows at once; the rest is folded away.
const FOUND: usize = 20;
/// How many articles of one kind stand beside something else.
const FEW: usize = 6;

/// Says whether the article of the page was of use.
#[derive(Deserialize)]
pub struct Vote {
    useful: bool,
}

impl Form for Vote {
    const NAME: &'static str = "help.vote";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let code: String = cx.param("code")?;
        help::vote(&cx.db, reader(cx), &code, self.useful).await?;
        let done = if self.useful { "useful" } else { "useless" };
        Ok(Next::to(format!("{HERE}/{code}?done={done}#useful")))
    }
}

/// Says what was missing in the article of the page.
#[derive(Deserialize)]
pub struct TellMissing {
    missing: String,
}

impl Form for TellMissing {
    const NAME: &'static str = "help.missing";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let code: String = cx.param("code")?;
        help::tell_missing(&cx.db, reader(cx), &code, &self.missing).await?;
        Ok(Next::to(format!("{HERE}/{code}?done=told#useful")))
    }
}

/// Who reads.
pub(super) fn reader(cx: &Cx) -> Reader<'_> {
    Reader {
        customer: cx.customer.as_ref(),
        visitor: &cx.visitor,
        lang: cx.lang,
    }
}

/// Who is signed in stays in the cabinet.
pub(super) fn frame(cx: &Cx) -> Frame {
    match cx.customer {
        Some(_) => Frame::Cabinet(Place::Support),
        None => Frame::Plain,
    }
}

/// The way back to where customers ask; whoever is not signed in has no such page.
pub(super) fn to_support(cx: &Cx) -> Option<impl IntoView + use<>> {
    let title = cx.t().support.title;
    cx.customer.as_ref().map(|_| back("/support", title))
}

/// The parts of the help with their articles, or what was found.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().help;
    let mut conn = cx.db.read().await?;
    let categories = help::categories(&mut conn).await?;
    let shown = help::shown(&mut conn).await?;
    drop(conn);
    let text: Option<String> = cx.query("q").map(|text| text.chars().take(SEARCH_MAX).collect());
    let inside = match &text {
        Some(text) => {
            let found = search(&shown, cx.lang, text);
            if cx.is_visit {
                help::note_search(&cx.db, reader(&cx), text, found.len()).await;
            }
            results(&cx, &found)
        }
        None => {
            let parts: Vec<_> = categories
                .iter()
                .filter_map(|part| {
                    let within: Vec<_> = shown.iter().filter(|one| one.content.category == part.code).collect();
                    let id = format!("part-{}", part.code);
                    (!within.is_empty()).then(|| {
                        view! {
                            <section class="section" aria-labelledby=id>
                                <h2 id=id.clone()>{cx.pick(&part.name)}</h2>
                                {list(&cx, &within, None)}
                            </section>
                        }
                    })
                })
                .collect();
            view! { <div class="stack">{parts}</div> }.into_html()
        }
    };
    let first_steps = cx
        .customer
        .as_ref()
        .map(|_| view! { <p class="ways"><a href=welcome::HERE>{t.first_steps}</a></p> });
    let view = view! {
        {to_support(&cx)}
        <h1>{t.title}</h1>
        <p class="lead">{t.lead}</p>
        {search_box(&cx, text.unwrap_or_default())}
        {inside}
        {first_steps}
        {ask(&cx, "/support/new".to_owned())}
        {ways_to_reach(&cx)}
    };
    Ok(Body::new(t.title, frame(&cx), view))
}

/// What was found, the best first.
fn results(cx: &Cx, found: &[&Shown]) -> Html {
    let t = &cx.t().help;
    if found.is_empty() {
        return view! {
            <div class="empty">
                <p role="status">{t.nothing}</p>
                <a class="btn" href=HERE>{t.all}</a>
            </div>
        }
        .into_html();
    }
    let words = t.found(i64::try_from(found.len()).unwrap_or_default());
    let (first, rest) = found.split_at(found.len().min(FOUND));
    let rest = (!rest.is_empty()).then(|| {
        view! {
            <details class="fold">
                <summary>{t.more(i64::try_from(rest.len()).unwrap_or_default())}</summary>
                {list(cx, rest, None)}
            </details>
        }
    });
    view! {
        <section class="section" aria-labelledby="found">
            <h2 id="found">{words}</h2>
            {list(cx, first, None)}
            {rest}
            <p class="ways"><a href=HERE>{t.all}</a></p>
        </section>
    }
    .into_html()
}

/// Articles one below the other; `target` opens them elsewhere.
fn list(cx: &Cx, articles: &[&Shown], target: Option<&'static str>) -> Html {
    let rows: Vec<_> = articles
        .iter()
        .map(|article| {
            view! {
                <li>
                    <a class="row" href=format!("{HERE}/{}", article.code) target=target>
                        <span class="row-main">
                            <b>{cx.pick(&article.content.title)}</b>
                            <small>{cx.pick(&article.content.summary)}</small>
                        </span>
                        <span class="row-go">{icon(icons::CHEVRON_RIGHT)}</span>
                    </a>
                </li>
            }
        })
        .collect();
    view! { <div class="panel panel-flush"><ul class="rows">{rows}</ul></div> }.into_html()
}

/// The search, with what was looked for.
fn search_box(cx: &Cx, text: String) -> Html {
    let t = &cx.t().help;
    view! {
        <form class="filters no-print" action=HERE role="search" aria-label=t.title>
            <label class="grow basis-40">
                {t.search}
                <input class="input" type="search" name="q" value=text maxlength=SEARCH_MAX.to_string() dir="auto"
                    autocomplete="off" enterkeyhint="search"/>
            </label>
            <button class="btn">{icon(icons::SEARCH)} {t.find}</button>
        </form>
    }
    .into_html()
}

/// The way to support.
fn ask(cx: &Cx, href: String) -> Html {
    let t = &cx.t().help;
    view! {
        <p class="actions no-print">
            <a class="btn" href=href>{icon(icons::MESSAGE_CIRCLE)} {t.ask}</a>
            <a class="btn" href=super::chat::HERE>{cx.t().chat.link}</a>
            <a class="btn" href=questions::HERE>{cx.t().questions.title}</a>
        </p>
    }
    .into_html()
}

/// One article.
pub async fn article(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().help;
    let code: String = cx.param("code")?;
    let mut conn = cx.db.read().await?;
    let shown = help::shown(&mut conn).await?;
    let article = shown.iter().find(|one| one.code == code).ok_or(AppError::NotFound)?;
    let asked = asked::about(&mut conn, &code, FEW as i64).await?;
    drop(conn);
    let related: Vec<_> = shown
        .iter()
        .filter(|one| one.content.category == article.content.category && one.id != article.id)
        .take(FEW)
        .collect();
    let related = (!related.is_empty()).then(|| {
        view! {
            <section class="section no-print" aria-labelledby="related">
                <h2 id="related">{t.related}</h2>
                {list(&cx, &related, None)}
            </section>
        }
    });
    let topic = article.content.topic.as_deref().unwrap_or_default();
    let write = format!("/support/new?topic={topic}&about=help/{}", article.code);
    let changed = cx.day(article.published_at);
    let title = cx.pick(&article.content.title);
    let view = view! {
        <a class="back" href=HERE>{icon(icons::ARROW_LEFT)} {t.title}</a>
        {text(&cx, &article.content)}
        <p class="hint">{t.changed(changed)}</p>
        <div class="actions"><PrintButton/></div>
        {was_useful(&cx)}
        {ask(&cx, write)}
        {questions::suggested(&cx, &asked)}
        {related}
    };
    Ok(Body::new(title, frame(&cx), view))
}

/// What an article says, as readers see it.
pub(crate) fn text(cx: &Cx, content: &Content) -> Html {
    view! {
        <article class="prose">
            <h1 dir="auto">{cx.pick(&content.title)}</h1>
            <p class="lead" dir="auto">{cx.pick(&content.summary)}</p>
            {markdown(content.body.get(cx.lang))}
        </article>
    }
    .into_html()
}

/// Asks whether the article was of use, and whom it was not what was missing.
fn was_useful(cx: &Cx) -> Html {
    let t = &cx.t().help;
    let has_failed = cx.was_sent(TellMissing::NAME);
    let inside = match cx.query("done").filter(|_| cx.outcome.is_none()) {
        Some("useful" | "told") => thanks(cx),
        done if done == Some("useless") || has_failed => {
            let labels = pairs([("missing", t.missing)]);
            view! {
                <p role="status">{t.noted}</p>
                <FormBox<TellMissing> labels=labels>
                    <TextArea name="missing" label=t.missing hint=t.missing_hint missing=t.missing_missing rows=3/>
                    <div class="actions"><button class="btn">{t.tell}</button></div>
                </FormBox<TellMissing>>
            }
            .into_html()
        }
        _ => vote::<Vote>(cx),
    };
    useful(cx, inside)
}

/// The section about whether something was of use.
pub(super) fn useful(cx: &Cx, inside: Html) -> Html {
    view! {
        <section class="section narrow no-print" id="useful" aria-labelledby="was-useful">
            <h2 id="was-useful">{cx.t().help.was_useful}</h2>
            {inside}
        </section>
    }
    .into_html()
}

/// What is said to whoever told.
pub(super) fn thanks(cx: &Cx) -> Html {
    view! { <p class="flash" role="status">{cx.t().help.thanks}</p> }.into_html()
}

/// The buttons by which one tells; `F` has the field `useful`.
pub(super) fn vote<F: Form + 'static>(cx: &Cx) -> Html {
    let t = &cx.t().help;
    view! {
        <FormBox<F> class="actions">
            <button class="btn" name="useful" value="true">{icon(icons::CHECK)} {t.yes}</button>
            <button class="btn btn-quiet" name="useful" value="false">{t.no}</button>
        </FormBox<F>>
    }
    .into_html()
}

/// What may answer somebody before they write: the articles about a topic. Of the addresses of topics the rest of what was asked
/// stays. `at` is the page that asks.
pub(crate) fn before_writing(cx: &Cx, shown: &[Shown], topics: &[Topic], topic: &str, at: &str) -> Html {
    let t = &cx.t().help;
    let chips: Vec<_> = topics
        .iter()
        .map(|one| {
            let mut asked = form_urlencoded::Serializer::new(String::new());
            asked.append_pair("topic", &one.code);
            for name in ["receipt", "line", "about"] {
                if let Some(value) = cx.query(name) {
                    asked.append_pair(name, value);
                }
            }
            let current = (one.code == topic).then_some("true");
            let href = format!("{at}?{}", asked.finish());
            view! { <li><a class="chip" href=href aria-current=current>{cx.pick(&one.name)}</a></li> }
        })
        .collect();
    let about: Vec<_> = shown
        .iter()
        .filter(|article| is_about(article, topic))
        .take(FEW)
        .collect();
    let about = (!about.is_empty()).then(|| list(cx, &about, None));
    view! {
        <section class="section narrow" aria-labelledby="answers">
            <h2 id="answers">{t.before}</h2>
            <ul class="chips" aria-label=t.topics>{chips}</ul>
            {about}
        </section>
    }
    .into_html()
}

fn is_about(article: &Shown, topic: &str) -> bool {
    article.content.topic.as_deref() == Some(topic)
}

/// What may answer a request that is being written, where its form stands: what its message names, then what is about its topic.
/// Nothing of a message is noted, and answers open beside the form, so that it stays. `public/suggest.js` fills it while somebody
/// types, by what the button of the form does.
pub(crate) fn suggested(cx: &Cx, shown: &[Shown], written: Option<(&str, &str)>) -> Html {
    let t = &cx.t().help;
    let found = written.map(|(topic, message)| {
        let mut found = suggest(shown, cx.lang, message);
        let about = shown.iter().filter(|article| is_about(article, topic));
        let others: Vec<_> = about
            .filter(|article| found.iter().all(|one| one.id != article.id))
            .collect();
        found.extend(others);
        found.truncate(FEW);
        if found.is_empty() {
            view! { <p class="hint">{t.no_answer}</p> }.into_html()
        } else {
            view! { <p>{t.perhaps}</p> {list(cx, &found, Some("_blank"))} }.into_html()
        }
    });
    view! {
        <div class="stack" data-suggest="" aria-live="polite">{found}</div>
        <script type="module" src="/suggest.js"></script>
    }
    .into_html()
}
