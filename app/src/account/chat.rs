//! The conversation with the shop: the commands of the dialogue, for whoever is signed in and for whoever is not yet.

use super::help::{frame, to_support};
use super::sign_in::set_attempt;
use crate::cx::{Cx, cookie};
use crate::route::{Body, Form, Next};
use crate::ui::html::IntoHtml;
use crate::ui::{ErrorSummary, Field, FormBox, Moment, TextArea, pairs, paragraphs};
use chrono::Duration;
use crm::dialogue::store::{self as dialogue, Author, Said, Speaker};
use crm::dialogue::{Channel, Input};
use crm::who::Token;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Where it is.
pub(crate) const HERE: &str = "/chat";
/// How long a browser keeps the token of a conversation; how long that counts is in the records.
const KEPT: Duration = Duration::days(1);

/// Says something.
#[derive(Deserialize)]
pub struct Say {
    text: String,
}

impl Form for Say {
    const NAME: &'static str = "chat.say";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        Ok(hear(cx, Input::Typed(&self.text)).await?)
    }
}

/// Says a code: a form of its own, for what is typed there is never shown again.
#[derive(Deserialize)]
pub struct Code {
    code: String,
}

impl Form for Code {
    const NAME: &'static str = "chat.code";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        Ok(hear(cx, Input::Typed(&self.code)).await.map_err(|error| match error {
            crm::Error::Invalid(flaws) => {
                crm::Error::Invalid(flaws.into_iter().map(|(_, flaw)| ("code".to_owned(), flaw)).collect())
            }
            other => other,
        })?)
    }
}

/// Chooses one of the answers that are offered.
#[derive(Deserialize)]
pub struct Choose {
    choice: String,
}

impl Form for Choose {
    const NAME: &'static str = "chat.choose";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        Ok(hear(cx, Input::Chosen(&self.choice)).await?)
    }
}

fn speaker(cx: &Cx) -> Speaker<'_> {
    Speaker {
        channel: Channel::Web,
        customer: cx.customer.as_ref(),
        token: cx.token(cookie::CHAT),
        attempt: cx.token(cookie::ATTEMPT),
        invite: cx.token(cookie::INVITE).map(Token::secret),
        lang: cx.lang,
        visitor: &cx.visitor,
    }
}

/// Has a message heard, and keeps what the browser is to keep.
async fn hear(cx: &Cx, input: Input<'_>) -> Result<Next, crm::Error> {
    let heard = dialogue::say(&cx.db, &speaker(cx), input).await?;
    if let Some(token) = &heard.attempt {
        set_attempt(cx, cookie::ATTEMPT, token);
    }
    if let Some(opened) = &heard.opened {
        cx.set_session(cookie::SESSION, opened);
        cx.set_cookie(cookie::ATTEMPT, None, None);
        cx.set_cookie(cookie::CHAT, None, None);
        if heard.is_registered && cx.token(cookie::INVITE).is_some() {
            cx.set_cookie(cookie::INVITE, None, None);
        }
    } else if cx.customer.is_none()
        && let Some(token) = heard.token.as_ref().or(cx.token(cookie::CHAT))
    {
        let until = cx.db.now() + KEPT;
        cx.set_cookie(cookie::CHAT, Some(token.secret().to_owned()), Some(until));
    }
    Ok(Next::to(format!("{HERE}#newest")))
}

/// Leaves what was said before somebody came in or went: it is not to be there for whoever comes after.
pub(super) fn leave(cx: &Cx) {
    if cx.token(cookie::CHAT).is_some() {
        cx.set_cookie(cookie::CHAT, None, None);
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().chat;
    let conversation = dialogue::conversation(&cx.db, &speaker(&cx)).await?;
    let earlier = conversation.has_earlier.then(|| {
        let n = i64::try_from(conversation.said.len()).unwrap_or_default();
        let archive = cx
            .customer
            .as_ref()
            .map(|_| view! { " " <a href="/profile/data">{t.earlier_link}</a> });
        view! { <p class="hint">{t.earlier(n)} {archive}</p> }
    });
    // Reading goes on at the first answer to what was said last.
    let last = conversation.said.len().saturating_sub(1);
    let mine = conversation.said.iter().rposition(|said| said.author == Author::Person);
    let newest = mine.map_or(last, |mine| (mine + 1).min(last));
    let said: Vec<_> = conversation
        .said
        .iter()
        .enumerate()
        .map(|(i, said)| message(&cx, said, i == newest))
        .collect();
    let choices: Vec<_> = conversation
        .choices
        .into_iter()
        .map(|choice| view! { <button class="btn" name="choice" value=choice.code>{choice.words}</button> })
        .collect();
    let choices = (!choices.is_empty()).then(|| {
        view! {
            <FormBox<Choose> class="stack">
                <div class="actions" role="group" aria-label=t.choices>{choices}</div>
            </FormBox<Choose>>
        }
    });
    // Where the conversation went on in another window, the form that was sent may not be there any more.
    let absent = if conversation.wants_code { Say::NAME } else { Code::NAME };
    let missed = cx
        .outcome
        .as_ref()
        .filter(|outcome| outcome.form == absent)
        .map(|outcome| {
            let (error, form) = (outcome.error.clone(), absent.replace('.', "-"));
            view! { <ErrorSummary error=error form=form labels=Vec::new() stale=cx.t().form.stale/> }
        });
    let field = if conversation.wants_code {
        let labels = pairs([("code", t.code)]);
        view! {
            <FormBox<Code> class="reply" labels=labels>
                <Field name="code" label=t.code missing=t.code_missing autocomplete="one-time-code" class="input-code"
                    inputmode="numeric" enterkeyhint="send"/>
                <div class="actions"><button class="btn btn-primary">{t.send}</button></div>
            </FormBox<Code>>
        }
        .into_html()
    } else {
        let labels = pairs([("text", t.message)]);
        view! {
            <FormBox<Say> class="reply" labels=labels>
                <TextArea name="text" label=t.message missing=t.message_missing rows=2/>
                <div class="actions"><button class="btn btn-primary">{t.send}</button></div>
            </FormBox<Say>>
        }
        .into_html()
    };
    let view = view! {
        {to_support(&cx)}
        <div>
            <h1>{t.title}</h1>
            <p class="lead">{t.lead}</p>
        </div>
        {missed}
        {earlier}
        <div role="log" aria-label=t.messages>
            <ol class="thread">{said}</ol>
        </div>
        <div class="narrow stack">{choices} {field}</div>
    };
    Ok(Body::new(t.title, frame(&cx), view))
}

/// One message. The newest answer is where reading goes on.
fn message(cx: &Cx, said: &Said, is_newest: bool) -> impl IntoView + use<> {
    let t = &cx.t().chat;
    let (class, author) = match said.author {
        Author::Person => ("say say-me", t.you.to_owned()),
        Author::Shop => ("say", cx.shop().name.clone()),
    };
    let link = said.link.clone().map(|link| {
        view! { <p><a class="attached" href=link.path>{link.words}</a></p> }
    });
    view! {
        <li class=class id=is_newest.then_some("newest") tabindex=is_newest.then_some("-1")>
            <header><b>{author}</b> <Moment at=said.at shown=cx.moment(said.at)/></header>
            {paragraphs(&said.body)}
            {link}
        </li>
    }
}
