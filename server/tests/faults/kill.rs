//! `kill -9`.

use crate::load::{Customer, Sent, assert_kept, assert_memberships};
use crate::node::{Node, Place, times};
use crate::ports::free_address;
use std::io::Read as _;
use std::process::Stdio;
use std::time::Duration;

/// Customers at once.
const CUSTOMERS: usize = 8;

/// The server is killed while customers change things; what was acknowledged is there when it is back, and what was
/// not is done once when it is sent again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_kill_9_loses_nothing_that_was_acknowledged() {
    let rounds = times("KABINET_TEST_KILLS", 10);
    let place = Place::sqlite().await;
    let address = free_address();
    let mut node = Node::start_at(&place, address);
    let mut customers = Vec::new();
    for name in 0..CUSTOMERS {
        customers.push(Customer::new(address, name).await);
    }
    let (mut acknowledged, mut broken, mut resent) = (0, 0, 0);
    for round in 1..=rounds {
        let since: Vec<usize> = customers.iter().map(|customer| customer.acknowledged.len()).collect();
        let busy: Vec<_> = customers
            .into_iter()
            .map(|mut customer| {
                tokio::spawn(async move {
                    loop {
                        match customer.step().await {
                            Sent::Acknowledged => {}
                            Sent::Open => break customer,
                            Sent::Refused(status) => panic!("{status} for {:?}", customer.open),
                        }
                    }
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(rand::random_range(20..700))).await;
        node.kill_9();
        customers = Vec::new();
        for task in busy {
            customers.push(task.await.expect("a customer"));
        }
        broken += customers.iter().filter(|customer| customer.open.is_some()).count();
        // As the kill left it, before the server looks at it.
        if round % 10 == 0 || round == rounds {
            place.assert_sound().await;
        }
        node = Node::start_at(&place, address);
        acknowledged += assert_kept(&place, &customers, &since).await;
        let before: Vec<usize> = customers.iter().map(|customer| customer.acknowledged.len()).collect();
        for customer in &mut customers {
            if let Some(sent) = customer.settle().await {
                assert_eq!(
                    sent,
                    Sent::Acknowledged,
                    "sent again under its key: {:?}",
                    customer.open
                );
                resent += 1;
            }
        }
        assert_kept(&place, &customers, &before).await;
    }
    let everything = assert_kept(&place, &customers, &[0; CUSTOMERS]).await;
    assert_memberships(&mut customers).await;
    assert_eq!(node.terminate().code(), Some(0));
    place.assert_sound().await;
    assert!(
        everything > usize::try_from(rounds).expect("few"),
        "hardly anything was tried: {everything}"
    );
    eprintln!(
        "kill -9: {rounds} times; {acknowledged} changes acknowledged before a kill, {broken} cut off by one and \
         {resent} of them sent again under their keys; lost 0, done twice 0"
    );
}

/// An import is killed again and again and begun anew: in the end everything is there as if nothing had happened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_kill_9_during_an_import_and_begun_anew_books_everything_once() {
    const TOTALS: &str = "SELECT (SELECT COUNT(*) FROM purchases) || ' ' || (SELECT COUNT(*) FROM purchase_lines) || ' ' || \
        (SELECT COUNT(*) FROM customers) || ' ' || (SELECT SUM(total) FROM purchases) || ' ' || \
        (SELECT COUNT(*) FROM lots) || ' ' || (SELECT SUM(points) FROM lots) || ' ' || (SELECT SUM(remaining) FROM lots)";
    let kills = times("KABINET_TEST_KILLS", 10).div_ceil(4).min(100);
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/demo/online_retail_sample.csv.gz");
    let packed = std::fs::File::open(sample).expect("the sample");
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed)
        .read_to_string(&mut text)
        .expect("text");
    let part: String = text.lines().take(4001).map(|line| format!("{line}\n")).collect();

    let arguments = |place: &Place| {
        let file = place.dir.path().join("receipts.csv");
        std::fs::write(&file, &part).expect("written");
        [
            "import",
            "purchases",
            &file.to_string_lossy(),
            "--format",
            "online-retail",
            "--shift-days",
            "5400",
        ]
        .map(str::to_owned)
    };
    let whole = Place::empty_sqlite();
    let began = std::time::Instant::now();
    whole.run(&arguments(&whole).each_ref().map(String::as_str));
    let takes = began.elapsed();
    let expected = whole.texts(TOTALS).await;

    let place = Place::empty_sqlite();
    let arguments = arguments(&place);
    let (mut killed, mut finished) = (0, 0);
    while killed < kills {
        let child = place
            .command()
            .args(&arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let mut child = child.expect("it starts");
        let at = rand::random_range(0.05..1.0) * takes.as_secs_f64();
        tokio::time::sleep(Duration::from_secs_f64(at)).await;
        match child.try_wait().expect("its state") {
            Some(status) => {
                assert!(status.success(), "begun anew it failed: {status}");
                finished += 1;
                assert!(finished < 200, "it is too quick to be killed");
            }
            None => {
                child.kill().expect("killed");
                child.wait().expect("gone");
                killed += 1;
            }
        }
    }
    place.run(&arguments.each_ref().map(String::as_str));
    assert_eq!(place.texts(TOTALS).await, expected);
    place.assert_sound().await;
    eprintln!("kill -9 of an import: {killed} times, {finished} runs came to their end before; the same as without");
}
