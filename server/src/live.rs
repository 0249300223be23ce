//! What comes while a page is looked at: streams of server-sent events (HTML, 9.2) that say that something changed of a
//! request or of the inbox of staff, and which colleagues have one open. What changed is read from the page itself, as ever; `live/page.js` does so.
//!
//! The database is the one truth. While somebody listens, one task of each node reads every second what came after the last
//! change that it knows, and hands it to the streams of this node; they keep nothing but a place in it.

use crate::router::{App, at_hand};
use app::admin;
use app::cx::Cx;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, post};
use crm::db::Db;
use crm::id::SessionId;
use crm::request::live::{self, Change, Listener};
use crm::who::{self, System};
use futures::{StreamExt as _, stream};
use islands::AppError;
use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex, broadcast};
use tokio::time::{Interval, MissedTickBehavior};

/// Where customers listen.
pub const CUSTOMERS: &str = "/live";
/// Where staff listen: for their bell, with `?queue=` before the queue as well, or with `?request=` before a request.
pub const STAFF: &str = "/admin/live";
/// Where staff say that they have a request open.
pub const PRESENCE: &str = "/admin/requests/{number}/presence";
/// What a page asks by itself carries this header: it keeps no session alive.
pub const BY_ITSELF: HeaderName = HeaderName::from_static("kabinet-live");

/// How often is looked for changes while somebody listens.
const EVERY: Duration = Duration::from_secs(1);
/// How often a stream says that it is there, for proxies that close what is silent, and looks whether its session and
/// the right last.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How many streams one session may have open. A page has one while it is looked at.
const PER_SESSION: usize = 6;
/// How many streams a node has open at most.
const MOST: usize = 2000;
/// How many changes wait for a stream that is slow; with more it reads them from the database.
const WAITING: usize = 256;
/// How many changes are read at once.
const BATCH: i64 = 500;
/// After how many milliseconds a browser comes again whose stream broke off, and over how many more they spread.
const RETRY: (u64, u64) = (2000, 6000);

const SYSTEM: System = System::at_the_command_line();

/// The routes.
pub fn routes(app: &App) -> Vec<(&'static str, MethodRouter)> {
    let hub = Arc::new(Hub {
        db: app.db.clone(),
        is_draining: app.is_draining.clone(),
        news: broadcast::Sender::new(WAITING),
        is_polling: Mutex::default(),
        open: std::sync::Mutex::default(),
    });
    let (customers, staff) = ((app.clone(), hub.clone()), (app.clone(), hub));
    let present = app.clone();
    vec![
        (
            CUSTOMERS,
            get(async move |request: Request| listen(&customers.0, &customers.1, Side::Customers, request).await),
        ),
        (
            STAFF,
            get(async move |request: Request| listen(&staff.0, &staff.1, Side::Staff, request).await),
        ),
        (
            PRESENCE,
            post(async move |request: Request| presence(&present, request).await),
        ),
    ]
}

#[derive(Clone, Copy)]
enum Side {
    Customers,
    Staff,
}

/// What a page has at hand that asks by itself.
async fn by_itself(app: &App, request: Request) -> Result<(Cx, HeaderMap), Response> {
    let mut parts = request.into_parts().0;
    parts.headers.insert(BY_ITSELF, HeaderValue::from_static("1"));
    let cx = at_hand(app, &mut parts).await?;
    Ok((cx, parts.headers))
}

/// A refusal. Never a page and never a redirect: nobody would see it, and a browser comes to no stream again that was refused.
fn refused(error: &AppError) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    status.into_response()
}

async fn listen(app: &App, hub: &Arc<Hub>, side: Side, request: Request) -> Response {
    let (cx, headers) = match by_itself(app, request).await {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    let begun = match hub.begin(&cx, side, &headers).await {
        Ok(begun) => begun,
        Err(error) => return refused(&error),
    };
    let events = stream::unfold(begun, Listening::next).map(Ok::<_, Infallible>);
    let mut response = Sse::new(events).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would keep what comes until it has a buffer full of it.
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}

/// Says that somebody of staff has a request open, and answers with who else has, as the page of the request tells it.
async fn presence(app: &App, request: Request) -> Response {
    let cx = match by_itself(app, request).await {
        Ok((cx, _)) => cx,
        Err(response) => return response,
    };
    match admin::request::be_here(&cx).await {
        Ok(html) => ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
        Err(error) => refused(&error),
    }
}

#[derive(Clone, Copy)]
enum News {
    Change(Change),
    /// The server is about to stop.
    End,
}

/// The streams of this node.
struct Hub {
    db: Db,
    is_draining: Arc<AtomicBool>,
    news: broadcast::Sender<News>,
    is_polling: Mutex<bool>,
    /// How many streams each session has.
    open: std::sync::Mutex<HashMap<SessionId, usize>>,
}

impl Hub {
    async fn begin(self: &Arc<Self>, cx: &Cx, side: Side, headers: &HeaderMap) -> Result<Listening, AppError> {
        if self.is_draining.load(Ordering::Relaxed) {
            return Err(AppError::Unavailable);
        }
        let (listener, session) = match side {
            Side::Customers => {
                let customer = cx.customer()?;
                (Listener::customer(customer), customer.session())
            }
            Side::Staff => {
                let staff = cx.staff()?;
                let listener = match (cx.query("request"), cx.query("queue")) {
                    (Some(number), _) => {
                        let number = number.parse().map_err(|_| AppError::NotFound)?;
                        Listener::request(&mut cx.db.read().await?, staff, number).await?
                    }
                    (None, Some(_)) => Listener::queue(staff)?,
                    (None, None) => Listener::bell(staff)?,
                };
                (listener, staff.session())
            }
        };
        let open = Open::of(self, session).ok_or(AppError::TooMany { retry_after: 0 })?;
        // First it is heard what comes from now on, then it is read what came before: so nothing lies between.
        let news = self.hear().await?;
        let mut conn = cx.db.read().await?;
        let last = live::last(&mut conn, &SYSTEM).await?;
        // A browser that comes again says what it had last; a page says what there was when it was made.
        let came: Option<i64> = headers
            .get("last-event-id")
            .and_then(|id| id.to_str().ok()?.parse().ok());
        let made: Option<i64> = cx.query("since").and_then(|since| since.parse().ok());
        let since = came.max(made).unwrap_or(last).min(last);
        let missed = listener.missed(&mut conn, since).await?;
        drop(conn);
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Listening {
            listener,
            last: since,
            waiting: missed.into(),
            news,
            heartbeat,
            has_begun: false,
            open,
        })
    }

    /// What comes from now on. Begins to look for it where nobody has listened before.
    async fn hear(self: &Arc<Self>) -> Result<broadcast::Receiver<News>, crm::Error> {
        let mut is_polling = self.is_polling.lock().await;
        let news = self.news.subscribe();
        if !*is_polling {
            let mut conn = self.db.read().await?;
            let last = live::last(&mut conn, &SYSTEM).await?;
            drop(conn);
            *is_polling = true;
            tokio::spawn(self.clone().poll(last));
        }
        Ok(news)
    }

    /// Looks for changes as long as somebody listens.
    async fn poll(self: Arc<Self>, mut last: i64) {
        let mut has_failed = false;
        loop {
            tokio::time::sleep(EVERY).await;
            let mut is_polling = self.is_polling.lock().await;
            let is_draining = self.is_draining.load(Ordering::Relaxed);
            if is_draining || self.news.receiver_count() == 0 {
                *is_polling = false;
                // Streams end, so that the server can: browsers come again, to another node where there is one.
                let _ = self.news.send(News::End);
                return;
            }
            drop(is_polling);
            match self.after(last).await {
                Ok(changes) => {
                    has_failed = false;
                    for change in changes {
                        last = change.id;
                        // When nobody listens any more, nobody is to be told.
                        let _ = self.news.send(News::Change(change));
                    }
                }
                // Said once, not every second.
                Err(error) if !has_failed => {
                    has_failed = true;
                    tracing::warn!(%error, "what changed of requests could not be read; it is tried again");
                }
                Err(_) => {}
            }
        }
    }

    async fn after(&self, last: i64) -> Result<Vec<Change>, crm::Error> {
        let mut conn = self.db.read().await?;
        live::after(&mut conn, &SYSTEM, last, BATCH).await
    }
}

/// Counts a stream among those of its session, for as long as it lives.
struct Open {
    hub: Arc<Hub>,
    session: SessionId,
}

impl Open {
    /// None where there are too many.
    fn of(hub: &Arc<Hub>, session: SessionId) -> Option<Self> {
        let mut open = hub.open.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = open.values().sum();
        let own = open.get(&session).copied().unwrap_or_default();
        if all >= MOST || own >= PER_SESSION {
            return None;
        }
        open.insert(session, own + 1);
        drop(open);
        metrics::gauge!("kabinet_live_streams").increment(1.0);
        Some(Self {
            hub: hub.clone(),
            session,
        })
    }

    /// Whether the session lasts, and who of staff listens still may. Where nobody can tell, the stream ends, and the browser asks
    /// again.
    async fn lasts(&self, listener: Listener) -> bool {
        who::lasts(&self.hub.db, self.session, listener.rights())
            .await
            .unwrap_or(false)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut open = self.hub.open.lock().unwrap_or_else(PoisonError::into_inner);
        match open.get_mut(&self.session) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                open.remove(&self.session);
            }
        }
        drop(open);
        metrics::gauge!("kabinet_live_streams").decrement(1.0);
    }
}

/// One stream.
struct Listening {
    listener: Listener,
    /// The number of the last change that was told.
    last: i64,
    waiting: VecDeque<Change>,
    news: broadcast::Receiver<News>,
    heartbeat: Interval,
    has_begun: bool,
    open: Open,
}

impl Listening {
    /// The next event; none where the stream ends.
    async fn next(mut self) -> Option<(Event, Self)> {
        if !self.has_begun {
            self.has_begun = true;
            // Not all at once after a restart.
            let wait = RETRY.0 + rand::random::<u64>() % RETRY.1;
            return Some((Event::default().retry(Duration::from_millis(wait)), self));
        }
        loop {
            if let Some(change) = self.waiting.pop_front() {
                self.last = change.id;
                if !self.open.lasts(self.listener).await {
                    return None;
                }
                let kind = change.staff.map_or(change.kind.as_str(), |_| "told");
                let said = format!("{kind} {}", change.number);
                return Some((Event::default().id(change.id.to_string()).data(said), self));
            }
            let news = tokio::select! {
                news = self.news.recv() => Some(news),
                _ = self.heartbeat.tick() => None,
            };
            match news {
                None if self.open.lasts(self.listener).await => return Some((Event::default().comment(""), self)),
                Some(Ok(News::Change(change))) => {
                    if change.id > self.last && self.listener.hears(&change) {
                        self.waiting.push_back(change);
                    }
                }
                Some(Err(broadcast::error::RecvError::Lagged(_))) => self.catch_up().await?,
                None | Some(Ok(News::End) | Err(broadcast::error::RecvError::Closed)) => return None,
            }
        }
    }

    /// Reads what went by.
    async fn catch_up(&mut self) -> Option<()> {
        let mut conn = self.open.hub.db.read().await.ok()?;
        self.waiting = self.listener.missed(&mut conn, self.last).await.ok()?.into();
        Some(())
    }
}
