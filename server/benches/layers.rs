//! What the layers before every route cost: one page through the whole router and through the routes alone, in turns,
//! in one process and without a network.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use app::cx::Site;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use crm::limits::Limits;
use crm::shop::Shop;
use crm::who::System;
use server::config::Config;
use server::router::{self, App};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tower::ServiceExt as _;

/// Turns that each side has; the figure is the median.
const ROUNDS: usize = 15;
const REQUESTS: u32 = 400;
/// How much longer a page may take because of them.
const BUDGET: f64 = 1.1;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    // Pages are counted, and there are never too many.
    let limits = Limits {
        pages_per_session: u32::MAX,
        pages_per_network: u32::MAX,
        ..Limits::default()
    };
    let world = crm::testing::sqlite_of(Shop {
        limits,
        ..Shop::default()
    })
    .await;
    let by = System::at_the_command_line();
    crm::content::load(&world.db, &by).await.expect("content loads");
    let app = App {
        db: world.db.clone(),
        config: Arc::new(Config {
            public_url: "https://club.example.com".into(),
            ..Config::default()
        }),
        site: Arc::new(Site {
            theme: "/theme.css".into(),
            ..Site::default()
        }),
        is_demonstration: false,
        is_draining: Arc::default(),
        pace: Arc::default(),
    };
    let sides = [router::build(&app), router::bare(&app, router::others(&app))];
    println!("\nThe layers before every route, in one process");
    for path in ["/sign-in", "/consents/personal_data", "/healthz"] {
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (side, times) in sides.iter().zip(&mut times) {
                times.push(turn(side, path).await);
            }
        }
        let [with, without] = times.map(|mut times| {
            times.sort();
            times[times.len() / 2].as_secs_f64() * 1e6 / f64::from(REQUESTS)
        });
        println!(
            "  {path:<28} with {with:>8.1} µs   without {without:>8.1} µs   {:>6.1} µs more",
            with - without
        );
        // A route that does nothing shows what they cost by themselves; a ratio to nothing says nothing.
        if path != "/healthz" {
            let ratio = with / without;
            let verdict = if ratio <= BUDGET { "met" } else { "MISSED" };
            println!("  {path:<28} ratio {ratio:.3} ×   ≤ {BUDGET} ×   {verdict}");
        }
    }
}

/// So many requests one after the other.
async fn turn(router: &Router, path: &str) -> Duration {
    let started = Instant::now();
    for _ in 0..REQUESTS {
        let request = Request::get(path)
            .header("accept-language", "ru")
            .body(Body::empty())
            .expect("a request");
        let response = router.clone().oneshot(request).await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    }
    started.elapsed()
}
