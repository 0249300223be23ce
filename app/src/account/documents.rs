//! The texts that people agree to, to be read by everybody.

use crate::cabinet::back;
use crate::cx::Cx;
use crate::route::{Body, Frame};
use crate::ui::paragraphs;
use crm::consent::store as consents;
use islands::AppError;
use leptos::prelude::*;

/// One consent's newest text, or the one of a version that is asked for.
pub async fn consent(cx: Cx) -> Result<Body, AppError> {
    let code: String = cx.param("code")?;
    let mut conn = cx.db.read().await?;
    let newest = consents::purpose(&mut conn, &code).await?;
    let purpose = match cx.query("version") {
        Some(version) => {
            let version = version.parse().map_err(|_| AppError::NotFound)?;
            consents::purpose_of_version(&mut conn, &code, version).await?
        }
        None => newest.clone(),
    };
    drop(conn);
    let replaced = (purpose.version != newest.version).then(|| {
        let href = format!("/consents/{code}");
        view! { <p><a href=href>{cx.t().consents.replaced(newest.version)}</a></p> }
    });
    let title = cx.pick(&purpose.title);
    let to_consents = cx
        .customer
        .is_some()
        .then(|| back("/profile/consents", cx.t().consents.title));
    let view = view! {
        {to_consents}
        <article class="prose">
            <h1>{title.clone()}</h1>
            <p class="hint">{cx.t().sign_in.version(purpose.version)}</p>
            {replaced}
            {paragraphs(purpose.body.get(cx.lang))}
        </article>
    };
    Ok(Body::new(title, Frame::Plain, view))
}
