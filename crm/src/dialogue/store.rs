//! Conversations in the database, and what is done for them: by the functions that the pages call, with their limits.

use super::{
    Action, Catalogue, Channel, Choice, CommandRecord, Consent, Facts, Input, Link, Outcome, Reply, State, Turn,
    choices, greeting, settle, shown, step, wants_code,
};
use crate::consent::{AskedAt, store as consents};
use crate::contact::{self, show_phone};
use crate::db::{self, Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::flaw;
use crate::help::{store as help, suggest};
use crate::id::{ConversationId, CustomerId, UtteranceId};
use crate::lang::{Lang, Localized};
use crate::limits;
use crate::on;
use crate::points::store::{self as points, transfers};
use crate::points::written;
use crate::promotion::store::offers::{self, Stand};
use crate::purchase::{Kind, store as purchases};
use crate::request::{NewRequest, store as requests};
use crate::signin::attempts::Purpose;
use crate::signin::store::{self as signin, Details, Verified};
use crate::who::{self, Customer, Opened, Subject, System, Token, Visitor};
use chrono::{DateTime, Duration, Utc};
use sqlx::types::Json;

/// The longest message, in characters: that of a request.
pub const TEXT_MAX: usize = 4000;
/// Messages of one customer within an hour.
const MESSAGES_PER_CUSTOMER: u32 = 240;
/// Messages of those who are not known from one network within an hour: a shop's wireless network serves a queue, and to
/// register takes twenty.
const MESSAGES_PER_NETWORK: u32 = 1200;
/// So many articles may answer a message.
const ARTICLES: usize = 3;
/// How many messages a page of the conversation shows.
const SHOWN: usize = 100;

/// Who writes.
#[derive(Clone, Copy, Debug)]
pub struct Speaker<'a> {
    /// By what.
    pub channel: Channel,
    /// The customer, where they are known.
    pub customer: Option<&'a Customer>,
    /// The token of the conversation of somebody who is not. The channel keeps it.
    pub token: Option<&'a Token>,
    /// The token of their attempt to come in, which the channel keeps as well.
    pub attempt: Option<&'a Token>,
    /// The code of whoever invited them.
    pub invite: Option<&'a str>,
    /// The language they read.
    pub lang: Lang,
    /// Where they come from.
    pub visitor: &'a Visitor,
}

/// What the channel has to keep, or to forget, once a message was heard.
#[derive(Default)]
pub struct Heard {
    /// The conversation's token; of a new one.
    pub token: Option<Token>,
    /// The token of the attempt that was begun.
    pub attempt: Option<Token>,
    /// They came in: this is their session, and the tokens before are over.
    pub opened: Option<Opened>,
    /// They have registered, so the invitation was taken.
    pub is_registered: bool,
}

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Author {
    /// Whoever writes to the shop.
    Person,
    /// The shop.
    Shop,
}

/// What was said.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Said {
    /// When.
    pub at: DateTime<Utc>,
    /// By whom.
    pub author: Author,
    /// The words.
    pub body: String,
    /// Where they lead.
    #[sqlx(json(nullable))]
    pub link: Option<Link>,
}

/// A conversation as whoever writes sees it.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// What was said last, the oldest first.
    pub said: Vec<Said>,
    /// There was more before.
    pub has_earlier: bool,
    /// The answers that are offered.
    pub choices: Vec<Choice>,
    /// A code is asked for.
    pub wants_code: bool,
}

/// The records of the dialogue, each in the version that counts now.
pub async fn catalogue(conn: &mut Conn) -> Result<Catalogue, Error> {
    macro_rules! newest {
        ($columns:literal, $table:literal, $order:literal) => {
            concat!(
                "SELECT ",
                $columns,
                " FROM ",
                $table,
                " r WHERE r.version = (SELECT MAX(n.version) FROM ",
                $table,
                " n WHERE n.code = r.code AND n.published_at <= $1) ORDER BY ",
                $order
            )
        };
    }
    const COMMANDS: &str = newest!(
        "r.code, r.enabled, r.name, r.words",
        "dialogue_commands",
        "r.position, r.code"
    );
    const TEXTS: &str = newest!("r.code, r.body", "dialogue_texts", "r.code");
    const SETTINGS: &str = newest!("r.code, r.value", "dialogue_settings", "r.code");
    let now = conn.now();
    let commands: Vec<CommandRecord> = on!(conn, |c| sqlx::query_as(COMMANDS).bind(now).fetch_all(c).await)?;
    let texts: Vec<(String, Json<Localized>)> = on!(conn, |c| sqlx::query_as(TEXTS).bind(now).fetch_all(c).await)?;
    let settings: Vec<(String, i64)> = on!(conn, |c| sqlx::query_as(SETTINGS).bind(now).fetch_all(c).await)?;
    Ok(Catalogue {
        commands,
        texts: texts.into_iter().map(|(code, Json(body))| (code, body)).collect(),
        settings: settings.into_iter().collect(),
    })
}

/// What the database says that a step goes by.
async fn facts<'a>(
    conn: &mut Conn,
    catalogue: &'a Catalogue,
    by: &Speaker<'_>,
    db: &'a Db,
) -> Result<Facts<'a>, Error> {
    let topics = requests::topics(conn).await?.into_iter().map(|topic| Choice {
        words: topic.name.get(by.lang).to_owned(),
        code: topic.code,
    });
    let topics = topics.collect();
    let asked = consents::purposes(conn, AskedAt::Registration).await?;
    let asked = asked.into_iter().map(|purpose| Consent {
        title: purpose.title.get(by.lang).to_owned(),
        code: purpose.code,
        required: purpose.required,
    });
    let shop = db.shop();
    Ok(Facts {
        catalogue,
        lang: by.lang,
        is_member: by.customer.is_some(),
        topics,
        consents: asked.collect(),
        today: shop.day(db.now()),
        minimum_age: shop.minimum_age,
        country: &shop.country,
    })
}

struct Row {
    id: ConversationId,
    state: State,
    revision: i64,
}

/// A row as it is stored. A state that this program does not know, because another one wrote it, is no reason to fail.
type Stored = (ConversationId, Json<serde_json::Value>, i64, DateTime<Utc>);

/// The conversation of whoever writes: a customer's own, or that of a token while it counts. Nobody's else.
async fn row(conn: &mut Conn, by: &Speaker<'_>) -> Result<Option<Row>, Error> {
    const OF_CUSTOMER: &str =
        "SELECT id, state, revision, expires_at FROM conversations WHERE customer_id = $1 AND channel = $2";
    const OF_TOKEN: &str = "SELECT id, state, revision, expires_at FROM conversations WHERE token_hash = $1 AND channel = $2 \
                            AND customer_id IS NULL AND expires_at > $3";
    let now = conn.now();
    let found: Option<Stored> = match (by.customer, by.token) {
        (Some(customer), _) => on!(conn, |c| sqlx::query_as(OF_CUSTOMER)
            .bind(customer.id())
            .bind(by.channel)
            .fetch_optional(c)
            .await)?,
        (None, Some(token)) => on!(conn, |c| sqlx::query_as(OF_TOKEN)
            .bind(token.hash())
            .bind(by.channel)
            .bind(now)
            .fetch_optional(c)
            .await)?,
        (None, None) => None,
    };
    // What was begun too long ago is begun anew.
    Ok(found.map(|(id, Json(state), revision, expires_at)| Row {
        id,
        state: Some(state)
            .filter(|_| expires_at > now)
            .and_then(|state| serde_json::from_value(state).ok())
            .unwrap_or_default(),
        revision,
    }))
}

/// The conversation of whoever writes; before it begins, the greeting.
pub async fn conversation(db: &Db, by: &Speaker<'_>) -> Result<Conversation, Error> {
    const SQL: &str = "SELECT at, author, body, link FROM conversation_messages WHERE conversation_id = $1 \
                       ORDER BY at DESC, id DESC LIMIT $2";
    let mut conn = db.read().await?;
    let catalogue = catalogue(&mut conn).await?;
    let facts = facts(&mut conn, &catalogue, by, db).await?;
    let row = row(&mut conn, by).await?;
    let mut said: Vec<Said> = match &row {
        Some(row) => on!(conn, |c| sqlx::query_as(SQL)
            .bind(row.id)
            .bind(SHOWN as i64 + 1)
            .fetch_all(c)
            .await)?,
        None => Vec::new(),
    };
    drop(conn);
    let has_earlier = said.len() > SHOWN;
    said.truncate(SHOWN);
    said.reverse();
    if said.is_empty() {
        let (body, link) = in_words(&greeting(&facts), &facts);
        said.push(Said {
            at: db.now(),
            author: Author::Shop,
            body,
            link,
        });
    }
    let state = row.map(|row| row.state).unwrap_or_default();
    Ok(Conversation {
        said,
        has_earlier,
        choices: choices(&state, &facts),
        wants_code: wants_code(&state, &facts),
    })
}

/// A reply in the words of the records.
fn in_words(reply: &Reply, facts: &Facts<'_>) -> (String, Option<Link>) {
    let body = facts.catalogue.text(facts.lang, &reply.text, &reply.values);
    let link = reply.link.as_ref().map(|(words, path)| Link {
        words: facts.catalogue.text(facts.lang, words, &[]),
        path: path.clone(),
    });
    (body, link)
}

/// Takes a message, does what it asks for, and answers. Field: `text`. [`Error::Stale`] where the conversation went on
/// meanwhile, in another window; [`Error::TooMany`] for whoever writes one after another.
///
/// The message and where the conversation goes are written down before anything is done: of two at once only one does it.
pub async fn say(db: &Db, by: &Speaker<'_>, input: Input<'_>) -> Result<Heard, Error> {
    if let Input::Typed(text) = input {
        flaw::text(text, TEXT_MAX).map_err(|flaw| Error::field("text", flaw))?;
    }
    let mut conn = db.read().await?;
    let catalogue = catalogue(&mut conn).await?;
    let facts = facts(&mut conn, &catalogue, by, db).await?;
    let row = row(&mut conn, by).await?;
    drop(conn);
    let state = row.as_ref().map(|row| row.state.clone()).unwrap_or_default();
    let turn = step(&state, input, &facts);
    let mut heard = Heard::default();
    if row.is_none() && by.customer.is_none() {
        heard.token = Some(Token::random());
    }
    let said = (shown(&state, input, &facts), &turn);
    let (place, message) = &claim(db, by, row.as_ref(), heard.token.as_ref(), &facts, said).await?;
    let Some(action) = &turn.action else {
        return Ok(heard);
    };
    let outcome = act(db, by, action, *message, &facts, &mut heard).await?;
    let turn = settle(action, outcome, &facts);
    let told = finish(db, by, place, &facts, &turn, heard.opened.as_ref()).await;
    match told {
        // They are in, and whoever is in must not lose the session because the words about it were lost.
        Err(error) if heard.opened.is_some() => {
            tracing::warn!(%error, "what came of a message could not be written down");
            Ok(heard)
        }
        other => other.map(|()| heard),
    }
}

/// Where a conversation was when this message took its turn.
struct Place {
    id: ConversationId,
    revision: i64,
}

/// Writes the message down, with what is answered at once and where the conversation goes. Tells where it is now, and which message
/// that was.
async fn claim(
    db: &Db,
    by: &Speaker<'_>,
    row: Option<&Row>,
    token: Option<&Token>,
    facts: &Facts<'_>,
    (text, turn): (String, &Turn),
) -> Result<(Place, UtteranceId), Error> {
    const BEGIN: &str = "INSERT INTO conversations (id, channel, customer_id, token_hash, state, revision, created_at, \
                         updated_at, expires_at) VALUES ($1, $2, $3, $4, $5, 1, $6, $6, $7) ON CONFLICT DO NOTHING";
    let text = text.as_str();
    db.write(|tx| {
        scoped(async move {
            let (whose, most) = match by.customer {
                Some(customer) => (customer.id().to_string(), MESSAGES_PER_CUSTOMER),
                None => (by.visitor.network.clone(), MESSAGES_PER_NETWORK),
            };
            if !limits::take(tx, &format!("dialogue:{whose}"), most).await? {
                return Err(Error::TooMany { retry_after: 3600 });
            }
            let place = match row {
                Some(row) => Place {
                    id: row.id,
                    revision: row.revision + 1,
                },
                None => Place {
                    id: ConversationId::new(),
                    revision: 1,
                },
            };
            if row.is_some() {
                go(tx, &place, &turn.next, facts).await?;
            } else {
                let now = tx.now();
                let begun = on!(tx, |c| sqlx::query(BEGIN)
                    .bind(place.id)
                    .bind(by.channel)
                    .bind(by.customer.map(Customer::id))
                    .bind(token.map(Token::hash))
                    .bind(Json(&turn.next))
                    .bind(now)
                    .bind(now + life(facts))
                    .execute(c)
                    .await
                    .map(|done| done.rows_affected()))?;
                if begun == 0 {
                    return Err(Error::Stale);
                }
                tell(tx, place.id, &[greeting(facts)], facts).await?;
            }
            let message = put(tx, place.id, Author::Person, text, None).await?;
            tell(tx, place.id, &turn.replies, facts).await?;
            Ok((place, message))
        })
    })
    .await
}

/// How long a conversation waits where it is.
fn life(facts: &Facts<'_>) -> Duration {
    Duration::minutes(facts.catalogue.setting("state_minutes", 120).min(24 * 60))
}

/// Brings a conversation on to a revision; [`Error::Stale`] where it is not at the one before.
async fn go(tx: &mut Tx, place: &Place, next: &State, facts: &Facts<'_>) -> Result<(), Error> {
    const SQL: &str = "UPDATE conversations SET state = $3, revision = $2, updated_at = $4, expires_at = $5 \
                       WHERE id = $1 AND revision = $2 - 1";
    let now = tx.now();
    let rows = on!(tx, |c| sqlx::query(SQL)
        .bind(place.id)
        .bind(place.revision)
        .bind(Json(next))
        .bind(now)
        .bind(now + life(facts))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if rows == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// Writes replies down.
async fn tell(tx: &mut Tx, to: ConversationId, replies: &[Reply], facts: &Facts<'_>) -> Result<(), Error> {
    for reply in replies {
        let (body, link) = in_words(reply, facts);
        put(tx, to, Author::Shop, &body, link.as_ref()).await?;
    }
    Ok(())
}

async fn put(
    tx: &mut Tx,
    to: ConversationId,
    author: Author,
    body: &str,
    link: Option<&Link>,
) -> Result<UtteranceId, Error> {
    const SQL: &str = "INSERT INTO conversation_messages (id, conversation_id, at, author, body, link) \
                       VALUES ($1, $2, $3, $4, $5, $6)";
    let (id, now) = (UtteranceId::new(), tx.now());
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(to)
        .bind(now)
        .bind(author)
        .bind(body)
        .bind(link.map(Json))
        .execute(c)
        .await
        .map(drop))?;
    Ok(id)
}

/// Writes down what came of a message. The conversation of whoever came in by it becomes theirs.
async fn finish(
    db: &Db,
    by: &Speaker<'_>,
    place: &Place,
    facts: &Facts<'_>,
    turn: &Turn,
    opened: Option<&Opened>,
) -> Result<(), Error> {
    let customer = match opened {
        Some(opened) => who::customer(db, &opened.token, by.visitor)
            .await?
            .map(|customer| customer.id()),
        None => None,
    };
    db.write(|tx| {
        scoped(async move {
            let next = Place {
                id: place.id,
                revision: place.revision + 1,
            };
            go(tx, &next, &turn.next, facts).await?;
            tell(tx, place.id, &turn.replies, facts).await?;
            match customer {
                Some(customer) => hand_over(tx, place.id, customer, by.channel).await,
                None => Ok(()),
            }
        })
    })
    .await
}

/// Makes the conversation of a token a customer's: it goes on in the one that they have on this channel, if there is one.
async fn hand_over(tx: &mut Tx, id: ConversationId, to: CustomerId, channel: Channel) -> Result<(), Error> {
    const KNOWN: &str = "UPDATE conversations SET revision = revision + 1, state = $3, updated_at = $4 \
                         WHERE customer_id = $1 AND channel = $2 RETURNING id";
    const MOVE: &str = "UPDATE conversation_messages SET conversation_id = $2 WHERE conversation_id = $1";
    const GONE: &str = "DELETE FROM conversations WHERE id = $1";
    const GIVE: &str = "UPDATE conversations SET customer_id = $2, token_hash = NULL WHERE id = $1";
    let now = tx.now();
    let known: Option<ConversationId> = on!(tx, |c| sqlx::query_scalar(KNOWN)
        .bind(to)
        .bind(channel)
        .bind(Json(State::Ready))
        .bind(now)
        .fetch_optional(c)
        .await)?;
    let Some(known) = known else {
        on!(tx, |c| sqlx::query(GIVE).bind(id).bind(to).execute(c).await.map(drop))?;
        return Ok(());
    };
    on!(tx, |c| sqlx::query(MOVE)
        .bind(id)
        .bind(known)
        .execute(c)
        .await
        .map(drop))?;
    on!(tx, |c| sqlx::query(GONE).bind(id).execute(c).await.map(drop))?;
    Ok(())
}

/// Does what is to be done. What goes wrong in a way that people can do something about is an outcome.
async fn act(
    db: &Db,
    by: &Speaker<'_>,
    action: &Action,
    message: UtteranceId,
    facts: &Facts<'_>,
    heard: &mut Heard,
) -> Result<Outcome, Error> {
    match carry_out(db, by, action, message, facts, heard).await {
        Err(Error::Invalid(flaws)) => Ok(Outcome::Flawed(flaws)),
        Err(Error::TooMany { retry_after }) => Ok(Outcome::Wait(retry_after)),
        Err(Error::Stale) => Ok(Outcome::Over),
        other => other,
    }
}

async fn carry_out(
    db: &Db,
    by: &Speaker<'_>,
    action: &Action,
    message: UtteranceId,
    facts: &Facts<'_>,
    heard: &mut Heard,
) -> Result<Outcome, Error> {
    let attempt = || by.attempt.ok_or(Error::Stale);
    let customer = || by.customer.ok_or(Error::Stale);
    match action {
        Action::Start(phone) => {
            heard.attempt = Some(signin::start(db, phone, by.lang, by.visitor).await?);
            Ok(Outcome::Sent)
        }
        Action::Resend => {
            signin::resend(db, attempt()?, Purpose::SignIn, by.visitor).await?;
            Ok(Outcome::Sent)
        }
        Action::Verify(code) => Ok(match signin::verify(db, attempt()?, code, by.visitor).await? {
            Verified::SignedIn(opened) => {
                heard.opened = Some(opened);
                Outcome::SignedIn
            }
            Verified::SecondFactor => Outcome::SecondStep,
            Verified::Phone => Outcome::PhoneNext,
            Verified::Register => Outcome::NewPhone,
        }),
        Action::Save(draft) => {
            let details = Details {
                draft: draft.clone(),
                ..Details::default()
            };
            signin::save_draft(db, attempt()?, &details).await?;
            Ok(Outcome::Saved(draft.clone()))
        }
        Action::Register => {
            let opened = signin::register(db, attempt()?, by.lang, by.invite, by.visitor).await?;
            heard.opened = Some(opened);
            heard.is_registered = true;
            Ok(Outcome::Registered)
        }
        Action::Balance => Ok(Outcome::Told(balance(db, customer()?, facts).await?)),
        Action::Offers => Ok(Outcome::Told(running(db, customer()?, facts).await?)),
        Action::Purchases => Ok(Outcome::Told(latest(db, customer()?, facts).await?)),
        Action::Phone => Ok(Outcome::Told(number(db, customer()?).await?)),
        Action::Transfer => Ok(Outcome::Told(giving(db, customer()?, facts).await?)),
        Action::Suggest(text) => Ok(Outcome::Told(suggested(db, text, message, facts).await?)),
        Action::Ask { topic, text } => {
            let new = NewRequest {
                topic: topic.clone(),
                text: text.clone(),
                purchase: String::new(),
            };
            Ok(Outcome::Asked(requests::create(db, customer()?, &new, &[]).await?))
        }
    }
}

/// A day as the shop's calendar has it, in the words of the cabinet.
fn day(db: &Db, facts: &Facts<'_>, at: DateTime<Utc>) -> String {
    let shop = db.shop();
    facts.lang.day_in_words(shop.day(at), shop.day(db.now()))
}

async fn balance(db: &Db, by: &Customer, facts: &Facts<'_>) -> Result<Vec<Reply>, Error> {
    let balance = points::balance(&mut db.read().await?, by.me()).await?;
    let figure = |minor: i64| written(facts.lang, minor);
    let mut replies = vec![Reply::new("balance").with("points", figure(balance.active))];
    if balance.pending != 0 {
        replies.push(Reply::new("balance_pending").with("points", figure(balance.pending)));
    }
    if let Some(next) = &balance.next_expiry {
        let expires = Reply::new("balance_expires").with("points", figure(next.points));
        replies.push(expires.with("day", day(db, facts, next.at)));
    }
    Ok(leading(replies, "to_points", "/points"))
}

async fn running(db: &Db, by: &Customer, facts: &Facts<'_>) -> Result<Vec<Reply>, Error> {
    let most = usize::try_from(facts.catalogue.setting("offers_shown", 5)).unwrap_or(5);
    let all = offers::of(&mut db.read().await?, by.me()).await?;
    // Why another one is not for them, and how far they are, the page of offers says.
    let theirs = all
        .iter()
        .filter(|offer| matches!(offer.stand, Stand::Holds | Stand::Off));
    let replies = theirs.take(most).map(|offer| {
        let promotion = &offer.promotion;
        // The first moment after it is in the day after its last.
        let last = promotion.ends_at - Duration::seconds(1);
        Reply::new("offer")
            .with("title", promotion.title.get(facts.lang))
            .with("conditions", promotion.conditions.get(facts.lang))
            .with("day", day(db, facts, last))
    });
    let mut replies: Vec<Reply> = replies.collect();
    if replies.is_empty() {
        replies.push(Reply::new("offers_none"));
    }
    Ok(leading(replies, "to_offers", "/offers"))
}

async fn latest(db: &Db, by: &Customer, facts: &Facts<'_>) -> Result<Vec<Reply>, Error> {
    let most = facts.catalogue.setting("purchases_shown", 5).min(20);
    let all = purchases::latest(&mut db.read().await?, by.me(), most).await?;
    let replies = all.iter().map(|purchase| {
        let words = match purchase.kind {
            Kind::Sale => "purchase",
            Kind::Return => "purchase_return",
        };
        let sum = written(facts.lang, purchase.total.saturating_abs());
        let store = purchase
            .store
            .as_ref()
            .map(|store| format!(", {}", store.name.get(facts.lang)));
        Reply::new(words)
            .with("day", day(db, facts, purchase.at))
            .with("sum", format!("{sum}\u{a0}{}", db.shop().currency_sign()))
            .with("store", store.unwrap_or_default())
            .with("points", written(facts.lang, purchase.points))
    });
    let mut replies: Vec<Reply> = replies.collect();
    if replies.is_empty() {
        replies.push(Reply::new("purchases_none"));
    }
    Ok(leading(replies, "to_purchases", "/purchases"))
}

/// The number that would change, and how long that takes.
async fn number(db: &Db, by: &Customer) -> Result<Vec<Reply>, Error> {
    let contacts = contact::store::of(&mut db.read().await?, by.me()).await?;
    let main = contacts
        .iter()
        .find(|one| one.kind == contact::Kind::Phone && one.is_primary);
    let now = main.map(|main| Reply::new("phone_now").with("phone", show_phone(&main.value)));
    let hours = db.shop().number_change_hours;
    let wait = (hours > 0).then(|| Reply::new("phone_wait").with("hours", hours.to_string()));
    let replies = now.into_iter().chain(wait).chain([Reply::new("change_phone")]);
    Ok(leading(replies.collect(), "to_contacts", "/profile/contacts"))
}

/// How many points may be given today, or why none.
async fn giving(db: &Db, by: &Customer, facts: &Facts<'_>) -> Result<Vec<Reply>, Error> {
    let mut conn = db.read().await?;
    let balance = points::balance(&mut conn, by.me()).await?;
    let allowance = transfers::allowance(&mut conn, by.me()).await?;
    drop(conn);
    if allowance.per_day == 0 || allowance.per_month == 0 {
        return Ok(vec![Reply::new("transfer_off")]);
    }
    let may = match allowance.from {
        Some(from) => Reply::new("transfer_from").with("day", day(db, facts, from)),
        None => Reply::new("transfer_have")
            .with("points", written(facts.lang, balance.spendable().max(0)))
            .with("left", written(facts.lang, allowance.left())),
    };
    Ok(leading(
        vec![may, Reply::new("transfer")],
        "to_transfer",
        "/points/transfer",
    ))
}

/// What the help may say to a message that is no command, and the way to write this message to support.
async fn suggested(db: &Db, text: &str, message: UtteranceId, facts: &Facts<'_>) -> Result<Vec<Reply>, Error> {
    let shown = help::shown(&mut db.read().await?).await?;
    let articles = suggest(&shown, facts.lang, text).into_iter().take(ARTICLES);
    let articles = articles.map(|article| {
        Reply::new("article")
            .with("title", article.content.title.get(facts.lang))
            .with("summary", article.content.summary.get(facts.lang))
            .to("to_article", format!("/help/{}", article.code))
    });
    let articles: Vec<Reply> = articles.collect();
    // The message is named and not written out: addresses are kept in histories and logs.
    let write = format!("/support/new?said={message}");
    if articles.is_empty() {
        return Ok(vec![Reply::new("not_understood").to("to_write", write)]);
    }
    let last = Reply::new("not_answered").to("to_write", write);
    let replies = std::iter::once(Reply::new("perhaps")).chain(articles).chain([last]);
    Ok(replies.collect())
}

/// What a customer wrote in their conversation, to be written to support; none for what is not there any more.
pub async fn written_by(conn: &mut Conn, of: Subject, message: UtteranceId) -> Result<Option<String>, Error> {
    const SQL: &str = "SELECT m.body FROM conversation_messages m JOIN conversations v ON v.id = m.conversation_id \
                       WHERE m.id = $1 AND v.customer_id = $2 AND m.author = $3";
    Ok(on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(message)
        .bind(of.id())
        .bind(Author::Person)
        .fetch_optional(c)
        .await)?)
}

/// Replies of which the last leads to the page that tells more.
fn leading(mut replies: Vec<Reply>, words: &'static str, path: &'static str) -> Vec<Reply> {
    if let Some(last) = replies.pop() {
        replies.push(last.to(words, path));
    }
    replies
}

/// Forgets what was said long ago, and at once what somebody said who never came in and whose token is over.
pub async fn sweep(db: &Db, _by: &System) -> Result<(), Error> {
    const STRANGERS: &str = "DELETE FROM conversation_messages WHERE id IN (SELECT m.id FROM conversation_messages m \
                             JOIN conversations v ON v.id = m.conversation_id \
                             WHERE v.customer_id IS NULL AND v.expires_at < $1 LIMIT $2)";
    const OLD: &str = "DELETE FROM conversation_messages WHERE id IN \
                       (SELECT id FROM conversation_messages WHERE at < $1 LIMIT $2)";
    const EMPTY: &str = "DELETE FROM conversations WHERE id IN (SELECT v.id FROM conversations v WHERE v.expires_at < $1 \
                         AND NOT EXISTS (SELECT 1 FROM conversation_messages m WHERE m.conversation_id = v.id) LIMIT $2)";
    let now = db.now();
    let kept = catalogue(&mut db.read().await?).await?.setting("kept_days", 30).min(30);
    db::sweep(db, STRANGERS, now).await?;
    db::sweep(db, OLD, now - Duration::days(kept)).await?;
    db::sweep(db, EMPTY, now).await
}
