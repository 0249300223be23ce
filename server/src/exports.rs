//! What customers take home of their data: the job that packs it, and the route that hands it out.

use crate::router::{self, App};
use app::cx::Cx;
use app::render;
use app::route::Access;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use crm::db::Db;
use crm::export::{self, Download};
use crm::id::ExportId;
use crm::who::System;
use futures::stream;
use islands::AppError;

/// Where an archive is downloaded. It comes in pieces, and is in no table of pages: there is one only once the job has made it.
pub const PATH: &str = "/profile/data/{id}";

/// Packs what was asked for first; false where nobody has asked.
pub async fn run_next(db: &Db, system: &System) -> Result<bool, crm::Error> {
    export::run_next(db, system, app::export::document).await
}

/// Hands an archive to whose data it holds. Whoever proved long ago who they are proves it once more, and comes back here.
pub(crate) async fn hand_out(State(app): State<App>, request: Request) -> Response {
    let mut parts = request.into_parts().0;
    let cx = match router::at_hand(&app, &mut parts).await {
        Ok(cx) => cx,
        Err(response) => return response,
    };
    if let Some(there) = render::elsewhere(&cx, Access::Customer) {
        return router::lead(&app, &cx, Ok(there)).await;
    }
    match take(&cx).await {
        Ok(download) => {
            let name = format!("attachment; filename=\"my-data-{}.zip\"", cx.today());
            let parts = stream::try_unfold(download, |mut download: Download| async move {
                let part = download.part().await?;
                Ok::<_, crm::Error>(part.map(|part| (part, download)))
            });
            let mut response = ([(header::CONTENT_TYPE, "application/zip")], Body::from_stream(parts)).into_response();
            if let Ok(name) = HeaderValue::from_str(&name) {
                response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
            }
            response
        }
        Err(error) => router::lead(&app, &cx, Err(error)).await,
    }
}

async fn take(cx: &Cx) -> Result<Download, AppError> {
    let id: ExportId = cx.param("id")?;
    Ok(export::archive(&cx.db, &cx.customer()?.fresh(&cx.db)?, id).await?)
}
