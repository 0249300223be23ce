//! Receipts of consents, to keep: what was agreed to or taken back, in a text for people and in JSON after the Consent Receipt
//! Specification 1.1 of Kantara.

use crate::router::{App, at_hand, lead};
use app::cabinet::consents::{JSON_FILE, TEXT_FILE, receipt};
use app::cx::Cx;
use app::render::elsewhere;
use app::route::Access;
use axum::extract::Request;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get};
use crm::consent::{Consent, store as consents};
use crm::id::ConsentId;
use islands::AppError;
use serde_json::{Value, json};

/// The one route.
pub fn routes(app: &App) -> Vec<(&'static str, MethodRouter)> {
    let app = app.clone();
    let handler = get(async move |request: Request| file(&app, request).await);
    vec![("/profile/consents/{id}/{file}", handler)]
}

async fn file(app: &App, request: Request) -> Response {
    let mut parts = request.into_parts().0;
    let cx = match at_hand(app, &mut parts).await {
        Ok(cx) => cx,
        Err(response) => return response,
    };
    if let Some(there) = elsewhere(&cx, Access::Customer) {
        return lead(app, &cx, Ok(there)).await;
    }
    match written(&cx).await {
        Ok(response) => response,
        Err(error) => lead(app, &cx, Err(error)).await,
    }
}

/// The file that is asked for. Somebody else's act is none.
async fn written(cx: &Cx) -> Result<Response, AppError> {
    let (id, file): (ConsentId, String) = (cx.param("id")?, cx.param("file")?);
    let customer = cx.customer()?;
    let mut conn = cx.db.read().await?;
    let consent = consents::act(&mut conn, customer.me(), id).await?;
    drop(conn);
    let (kind, text) = match file.as_str() {
        TEXT_FILE => ("text/plain; charset=utf-8", receipt(cx, customer.name(), &consent)),
        JSON_FILE => {
            let mut text = format!("{:#}", kantara(cx, &customer.id().to_string(), &consent));
            text.push('\n');
            ("application/json", text)
        }
        _ => return Err(AppError::NotFound),
    };
    let name = format!("attachment; filename=\"{file}\"");
    Ok((
        [
            (header::CONTENT_TYPE, kind.to_owned()),
            (header::CONTENT_DISPOSITION, name),
        ],
        text,
    )
        .into_response())
}

/// The receipt by the field names of the specification. What it has no name for stands under `kabinet`.
fn kantara(cx: &Cx, customer: &str, consent: &Consent) -> Value {
    let shop = cx.shop();
    let lang = consent.language;
    let title = consent.title.get(lang);
    json!({
        "version": "KI-CR-v1.1.0",
        "jurisdiction": shop.country,
        "consentTimestamp": consent.at.timestamp(),
        "collectionMethod": consent.source,
        "consentReceiptID": consent.id.to_string(),
        "language": lang.code(),
        "piiPrincipalId": customer,
        "piiControllers": [{ "piiController": shop.name, "piiControllerUrl": shop.url }],
        "policyUrl": format!("{}/consents/{}?version={}", shop.url, consent.code, consent.version),
        "services": [{
            "service": shop.name,
            "purposes": [{
                "purpose": title,
                "purposeCategory": [consent.aim.map_or(consent.code.as_str(), |aim| aim.as_str())],
                "consentType": "EXPLICIT",
                "primaryPurpose": consent.aim.is_none(),
                "termination": format!("{}/profile/consents", shop.url),
                "thirdPartyDisclosure": false,
            }],
        }],
        "sensitive": false,
        "spiCat": [],
        "kabinet": {
            "act": match consent.act {
                crm::consent::Act::Given => "given",
                crm::consent::Act::Withdrawn => "withdrawn",
            },
            "code": consent.code,
            "channel": consent.channel,
            "textVersion": consent.version,
            "text": consent.body.get(lang),
            "at": consent.at.to_rfc3339(),
        },
    })
}
