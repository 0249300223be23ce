//! What customers take home of their data, and what tables staff take away: the job that packs the one, and the routes that hand
//! out both.

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
use crm::extract;
use crm::id::{ExportId, ExtractId};
use crm::who::System;
use futures::stream;
use islands::AppError;

/// Where an archive is downloaded. It comes in pieces, and is in no table of pages: there is one only once the job has made it.
pub const PATH: &str = "/profile/data/{id}";
/// Where a table is downloaded by staff; likewise.
pub const STAFF_PATH: &str = "/admin/exports/{id}";

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
            let name = format!("my-data-{}.zip", cx.today());
            let parts = stream::try_unfold(download, |mut download: Download| async move {
                let part = download.part().await?;
                Ok::<_, crm::Error>(part.map(|part| (part, download)))
            });
            file("application/zip", &name, Body::from_stream(parts))
        }
        Err(error) => router::lead(&app, &cx, Err(error)).await,
    }
}

/// A file to be saved, under this name.
fn file(kind: &'static str, name: &str, body: Body) -> Response {
    let mut response = ([(header::CONTENT_TYPE, kind)], body).into_response();
    if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    response
}

/// Hands a table to the member of staff who asked for it. Whoever proved long ago who they are proves it once more, and comes back here.
pub(crate) async fn hand_to_staff(State(app): State<App>, request: Request) -> Response {
    let mut parts = request.into_parts().0;
    let cx = match router::at_hand(&app, &mut parts).await {
        Ok(cx) => cx,
        Err(response) => return response,
    };
    if let Some(there) = render::elsewhere(&cx, Access::Staff) {
        return router::lead(&app, &cx, Ok(there)).await;
    }
    match take_table(&cx).await {
        Ok(download) => {
            let (what, format) = (download.extract.kind.as_str(), download.extract.format);
            let name = format!("{what}-{}.{}", cx.today(), format.as_str());
            let parts = stream::try_unfold(download, |mut download: extract::Download| async move {
                let part = download.part().await?;
                Ok::<_, crm::Error>(part.map(|part| (part, download)))
            });
            file(format.media_type(), &name, Body::from_stream(parts))
        }
        Err(error) => router::lead(&app, &cx, Err(error)).await,
    }
}

async fn take_table(cx: &Cx) -> Result<extract::Download, AppError> {
    let id: ExtractId = cx.param("id")?;
    Ok(extract::download(&cx.db, &cx.staff()?.fresh(&cx.db)?, id).await?)
}

async fn take(cx: &Cx) -> Result<Download, AppError> {
    let id: ExportId = cx.param("id")?;
    Ok(export::archive(&cx.db, &cx.customer()?.fresh(&cx.db)?, id).await?)
}
