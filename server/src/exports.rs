//! What customers take home of their data: the job that packs it, and the route that hands it out.

use crate::router::{self, App};
use app::cx::Cx;
use app::download;
use app::render;
use app::route::{File, Route};
use axum::extract::{Request, State};
use axum::response::Response;
use crm::db::Db;
use crm::export;
use crm::who::System;
use islands::AppError;

/// The archive, which is in no table of pages: there is one only once the job has made it.
const ARCHIVE: Route = download!("/profile/data/{id}", Customer, archive);
/// Where it is downloaded.
pub const PATH: &str = ARCHIVE.path;

/// Packs what was asked for first; false where nobody has asked.
pub async fn run_next(db: &Db, system: &System) -> Result<bool, crm::Error> {
    export::run_next(db, system, app::export::document).await
}

/// Hands an archive to whose data it holds.
pub(crate) async fn hand_out(State(app): State<App>, request: Request) -> Response {
    let mut parts = request.into_parts().0;
    match router::at_hand(&app, &mut parts).await {
        Ok(cx) => router::html(&app, &cx, render::page(&cx, &ARCHIVE).await),
        Err(response) => response,
    }
}

/// Whoever proved long ago who they are proves it once more, and comes back here.
async fn archive(cx: Cx) -> Result<File, AppError> {
    let by = cx.customer()?.fresh(&cx.db)?;
    let bytes = export::archive(&cx.db, &by, cx.param("id")?).await?;
    Ok(File {
        name: format!("my-data-{}.zip", cx.today()),
        kind: "application/zip",
        bytes,
    })
}
