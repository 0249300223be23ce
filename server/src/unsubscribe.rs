//! One-click unsubscribing (RFC 8058): a link of a promotional e-mail is opened by a person, or sent a form to by their mail
//! provider, which has no page of ours to come from. The link is signed and is the proof; cookies do not reach it.

use crate::router::{App, at_hand, html};
use app::account::unsubscribe::{ONE_CLICK, PAGE};
use app::cx::Cx;
use app::render;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use crm::consent::unsubscribe;
use islands::AppError;

/// Where the path begins.
pub const PREFIX: &str = "/unsubscribe/";

/// The one route.
pub fn routes(app: &App) -> Vec<(&'static str, MethodRouter)> {
    let (shown, sent) = (app.clone(), app.clone());
    let handler = get(async move |request: Request| show(&shown, request).await)
        .post(async move |request: Request| take(&sent, request).await);
    vec![(PAGE.path, handler)]
}

async fn show(app: &App, request: Request) -> Response {
    let mut parts = request.into_parts().0;
    match at_hand(app, &mut parts).await {
        Ok(cx) => html(app, &cx, render::page(&cx, &PAGE).await),
        Err(response) => response,
    }
}

/// Takes the consent back and shows that it is so. Whoever sends it twice is told the same twice.
async fn take(app: &App, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let cx = match at_hand(app, &mut parts).await {
        Ok(cx) => cx,
        Err(response) => return response,
    };
    // The layer before us lets only so much through.
    let done = match to_bytes(body, usize::MAX).await {
        Ok(body) => withdraw(&cx, &body).await,
        Err(_) => Err(AppError::TooLarge),
    };
    match done {
        Ok(()) => html(app, &cx, render::page(&cx, &PAGE).await),
        Err(error) => html(app, &cx, render::error(&cx, &error).await),
    }
}

async fn withdraw(cx: &Cx, body: &[u8]) -> Result<(), AppError> {
    let token: String = cx.param("secret")?;
    // Whether it is a link of ours comes first: to who has none there is nothing here.
    unsubscribe::about(&cx.db, &token).await?;
    if !is_one_click(body) {
        return Err(AppError::Refused);
    }
    unsubscribe::withdraw(&cx.db, &token, &cx.visitor).await?;
    Ok(())
}

/// Providers may send the field as a form of either kind (RFC 8058, 3.2).
fn is_one_click(body: &[u8]) -> bool {
    let (name, value) = ONE_CLICK;
    let body = String::from_utf8_lossy(body);
    let Some((_, after)) = body.split_once(name) else {
        return false;
    };
    after.starts_with(&format!("={value}")) || after.starts_with('"') && after.contains(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_kind_of_form_is_read() {
        let multipart =
            "--x\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--x--\r\n";
        for body in [
            "List-Unsubscribe=One-Click",
            "a=b&List-Unsubscribe=One-Click",
            multipart,
        ] {
            assert!(is_one_click(body.as_bytes()), "{body}");
        }
        for body in [
            "",
            "One-Click",
            "List-Unsubscribe=",
            "List-Unsubscribe=Two",
            "_fn=theme",
            "List-Unsubscribe",
        ] {
            assert!(!is_one_click(body.as_bytes()), "{body}");
        }
    }
}
