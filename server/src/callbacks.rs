//! Requests that others send of their own accord: the delivery reports of the gateway of text messages.
//!
//! The gateway proves by a secret who it is, at the end of the address or in a header, whichever it can; to everybody else
//! there is nothing here. Reports of messages that nobody knows are answered like all others.

use crate::channels::reports::{self, Told};
use crate::router::App;
use axum::body::to_bytes;
use axum::extract::{Path, Request};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, post};
use crm::outbox::Channel;
use crm::outbox::delivery::{self, Report};
use crm::who::System;
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq as _;

/// Where the paths begin.
pub const PREFIX: &str = "/callbacks/";

/// When a report of an unknown message is looked at once more: it may have overtaken the answer that names the message.
const LATER: Duration = Duration::from_secs(5);
/// When the gateway may come again after 503, in seconds.
const RETRY_AFTER: &str = "10";

/// Both ways in, of which one is open.
pub fn routes(app: &App) -> Vec<(&'static str, MethodRouter)> {
    let reports = &app.config.sms.reports;
    // What is wrong with a secret has been said when the configuration was read.
    let secret = reports.secret.as_ref().and_then(|secret| secret.reveal().ok());
    let by_address = Arc::new(Desk {
        app: app.clone(),
        secret: secret.filter(|secret| secret.len() >= reports::LEAST),
    });
    let by_header = by_address.clone();
    vec![
        (
            "/callbacks/sms",
            post(async move |request: Request| by_header.by_header(request).await),
        ),
        (
            "/callbacks/sms/{secret}",
            post(async move |Path(secret): Path<String>, request: Request| {
                by_address.by_address(&secret, request).await
            }),
        ),
    ]
}

/// A body that is longer than any that is taken.
pub fn too_large() -> Response {
    (StatusCode::PAYLOAD_TOO_LARGE, "Payload Too Large\n").into_response()
}

/// Who takes the reports.
struct Desk {
    app: App,
    secret: Option<String>,
}

impl Desk {
    async fn by_address(&self, given: &str, request: Request) -> Response {
        if self.app.config.sms.reports.header.is_empty() && self.is_secret(given.as_bytes()) {
            self.take(request).await
        } else {
            nothing()
        }
    }

    async fn by_header(&self, request: Request) -> Response {
        // No header has an empty name.
        let given = request.headers().get(&self.app.config.sms.reports.header);
        if given.is_some_and(|given| self.is_secret(given.as_bytes())) {
            self.take(request).await
        } else {
            nothing()
        }
    }

    fn is_secret(&self, given: &[u8]) -> bool {
        let is_same = |secret: &String| bool::from(secret.as_bytes().ct_eq(given));
        self.secret.as_ref().is_some_and(is_same)
    }

    /// Takes the reports of a gateway that has proved who it is.
    async fn take(&self, request: Request) -> Response {
        let (db, config) = (&self.app.db, &self.app.config.sms.reports);
        let limit = db.shop().limits.requests_per_gateway;
        let left = self.app.pace.take("reports", Channel::Sms.as_str(), db.now(), limit);
        if left.refused {
            let after = [(header::RETRY_AFTER, left.seconds.to_string())];
            return (StatusCode::TOO_MANY_REQUESTS, after, "Too Many Requests\n").into_response();
        }
        // The layer before us lets only so much through.
        let Ok(body) = to_bytes(request.into_body(), usize::MAX).await else {
            return too_large();
        };
        let mut news = Vec::new();
        for told in config.read(&body) {
            match told {
                Told::News(report) => news.push(report),
                Told::Other => count("other", 1),
                Told::Unreadable => count("unreadable", 1),
            }
        }
        if let Err(e) = self.write_down(news).await {
            tracing::error!(error = %e, "delivery reports were not written down; the gateway has to send them again");
            let after = [(header::RETRY_AFTER, RETRY_AFTER)];
            return (StatusCode::SERVICE_UNAVAILABLE, after, "Service Unavailable\n").into_response();
        }
        (StatusCode::OK, config.answer.clone()).into_response()
    }

    async fn write_down(&self, news: Vec<Report>) -> Result<(), crm::Error> {
        let by = System::at_the_command_line();
        let db = self.app.db.clone();
        let unknown = delivery::reported(&db, &by, Channel::Sms, &news).await?;
        count("known", news.len() - unknown.len());
        if !unknown.is_empty() {
            tokio::spawn(async move {
                tokio::time::sleep(LATER).await;
                match delivery::reported(&db, &by, Channel::Sms, &unknown).await {
                    Ok(strange) => {
                        count("known", unknown.len() - strange.len());
                        count("unknown", strange.len());
                    }
                    Err(e) => tracing::warn!(error = %e, "delivery reports that came early were not written down"),
                }
            });
        }
        Ok(())
    }
}

/// To who proves nothing there is nothing here.
fn nothing() -> Response {
    (StatusCode::NOT_FOUND, "Not Found\n").into_response()
}

/// Counts reports by what they came to.
fn count(what: &'static str, reports: usize) {
    metrics::counter!("kabinet_sms_reports_total", "result" => what).increment(reports as u64);
}
