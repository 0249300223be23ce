//! SIGTERM loses no request, and does not wait for ever either.

use crate::common::Installation;
use futures::future::join_all;
use std::cell::Cell;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const CLIENTS: usize = 8;
const EACH: usize = 25;

#[tokio::test]
async fn two_hundred_requests_around_sigterm_are_all_answered() {
    let here = Installation::new().with("KABINET_DRAIN_SECONDS", "300");
    let mut server = here.serve().await;
    let answered = Cell::new(0);
    let client = async || {
        let client = crate::common::client();
        let mut asked_to_leave = 0;
        for _ in 0..EACH {
            let answer = client.get(server.url("/sign-in")).send().await;
            let answer = answer.expect("no request is lost");
            assert_eq!(answer.status(), 200);
            asked_to_leave += usize::from(answer.headers().get("connection").is_some_and(|v| v == "close"));
            let page = answer.text().await.expect("all of the page");
            assert!(page.ends_with("</html>"), "{page}");
            answered.set(answered.get() + 1);
            // In the middle of it all the server is asked to stop.
            if answered.get() == CLIENTS * EACH / 4 {
                server.terminate();
            }
        }
        asked_to_leave
    };
    // Within this task: a client that fails fails the test.
    let asked_to_leave = join_all((0..CLIENTS).map(|_| client())).await;
    let asked_to_leave: usize = asked_to_leave.into_iter().sum();
    assert_eq!(answered.get(), CLIENTS * EACH);
    // Connections are let go one by one, so that none is in use when the last are closed.
    assert!(asked_to_leave > 0);
    server.logged("not ready any more").await;
    let ready = server.get("/readyz").await.expect("still there");
    assert_eq!(ready.status(), 503);
    assert_eq!(ready.headers()["connection"], "close");
    // A second signal ends the wait.
    server.terminate();
    assert!(server.ended().await.success());
}

/// A form of which the second half has not been sent yet.
async fn half_a_request(address: std::net::SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let head = format!(
        "POST /sign-in HTTP/1.1\r\nhost: {address}\r\norigin: http://{address}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: 50\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream
        .write_all(b"_fn=theme&_key=01234567890123456")
        .await
        .expect("sent");
    stream
}

#[tokio::test]
async fn a_request_in_flight_is_finished_after_the_drain() {
    let here = Installation::new()
        .with("KABINET_DRAIN_SECONDS", "0")
        .with("KABINET_STOP_SECONDS", "300");
    let mut server = here.serve().await;
    let mut slow = half_a_request(server.address).await;
    // The request is there once another one has been answered after it.
    assert!(server.get("/healthz").await.is_some());
    server.terminate();
    server.logged("requests in flight are finished").await;
    slow.write_all(b"78&theme=dark&xxxx").await.expect("sent");
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.expect("answered");
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    assert!(server.ended().await.success());
    assert!(server.get("/healthz").await.is_none());
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_keep_the_server() {
    let here = Installation::new()
        .with("KABINET_DRAIN_SECONDS", "0")
        .with("KABINET_STOP_SECONDS", "1");
    let mut server = here.serve().await;
    let slow = half_a_request(server.address).await;
    assert!(server.get("/healthz").await.is_some());
    server.terminate();
    assert!(server.ended().await.success());
    server.logged("took too long").await;
    drop(slow);
}
