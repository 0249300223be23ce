//! People who do not wait for the answer.

use crate::browser::{Browser, LONGEST, customer, read_reply};
use crate::node::{Node, Place, times};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const PAGES: [&str; 8] = [
    "/",
    "/card",
    "/purchases",
    "/points",
    "/offers",
    "/programs",
    "/support",
    "/profile",
];
/// Asked at once.
const PEOPLE: u64 = 16;
/// One in so many hangs up.
const HANGS_UP: u32 = 20;
/// How much more memory the server may hold at the end than after the first tenth: what an allocator keeps of its
/// peaks. A page that stayed in memory (10 kB and more) at each hang-up would be more than that in the long run.
const GROWTH: u64 = 48 * 1024 * 1024;

/// Hangs up somewhere: before all is sent, after it, or in the middle of the answer.
async fn hang_up(browser: &Browser, path: &str) -> std::io::Result<()> {
    let request = browser.request("GET", path, "");
    let mut stream = TcpStream::connect(browser.address).await?;
    // Half of them say goodbye by a reset, as a phone that lost its network.
    if rand::random() {
        stream.set_zero_linger()?;
    }
    match rand::random_range(0..3) {
        0 => stream.write_all(&request[..rand::random_range(0..request.len())]).await,
        1 => stream.write_all(&request).await,
        _ => {
            stream.write_all(&request).await?;
            let mut part = vec![0; rand::random_range(1..2000)];
            tokio::time::timeout(LONGEST, stream.read_exact(&mut part))
                .await?
                .map(drop)
        }
    }
}

/// Asks for so many pages.
async fn ask(browser: &Arc<Browser>, requests: u64, hung_up: &Arc<AtomicU64>) {
    let left = Arc::new(AtomicU64::new(requests));
    let people: Vec<_> = (0..PEOPLE)
        .map(|_| {
            let (browser, left, hung_up) = (browser.clone(), left.clone(), hung_up.clone());
            tokio::spawn(async move {
                let mut kept: Option<TcpStream> = None;
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                    .is_ok()
                {
                    let path = PAGES[rand::random_range(0..PAGES.len())];
                    if rand::random_ratio(1, HANGS_UP) {
                        hang_up(&browser, path).await.expect("as far as it went");
                        hung_up.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    let answered = async {
                        let mut stream = match kept.take() {
                            Some(stream) => stream,
                            None => TcpStream::connect(browser.address).await?,
                        };
                        stream.write_all(&browser.request("GET", path, "")).await?;
                        let (reply, stays) = read_reply(&mut stream).await?;
                        kept = stays.then_some(stream);
                        Ok::<_, std::io::Error>(reply)
                    };
                    let reply = tokio::time::timeout(LONGEST, answered)
                        .await
                        .unwrap_or_else(|_| panic!("{path} hangs"))
                        .expect("an answer");
                    assert_eq!(reply.status, 200, "{path}: {}", reply.body);
                }
            })
        })
        .collect();
    for person in people {
        person.await.expect("everybody got their pages");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_hang_ups_harm_nobody_and_leave_nothing_behind() {
    let requests = times("KABINET_TEST_HANG_UPS", 10_000);
    let place = Place::sqlite().await;
    let node = Node::start(&place);
    let anna = Arc::new(customer(node.address).await);
    let hung_up = Arc::new(AtomicU64::new(0));
    let settle = || tokio::time::sleep(Duration::from_secs(1));

    ask(&anna, requests / 10, &hung_up).await;
    settle().await;
    let (memory, files) = (node.memory(), node.open_files());
    ask(&anna, requests - requests / 10, &hung_up).await;
    settle().await;
    let (memory_then, files_then) = (node.memory(), node.open_files());

    let hung_up = hung_up.load(Ordering::Relaxed);
    let mib = |bytes: u64| bytes / 1024 / 1024;
    eprintln!(
        "hang-ups: {requests} requests, {hung_up} of them hung up, no error, no hang; memory {} MiB after a tenth and \
         {} MiB at the end, open files {files} and {files_then}",
        mib(memory),
        mib(memory_then)
    );
    assert!(hung_up * u64::from(HANGS_UP) > requests / 2, "hardly anybody hung up");
    assert!(
        memory_then < memory + GROWTH,
        "memory grew from {memory} to {memory_then}"
    );
    assert!(files_then <= files, "open files grew from {files} to {files_then}");
    assert!(!node.logged().contains("ERROR"), "{}", node.logged());
    assert_eq!(node.terminate().code(), Some(0));
}
