use app::admin::view::*;
use crm::request::desk::Priority;
use crm::request::{Assignee, Status, Topic};
use std::collections::BTreeMap;

fn read(address: &str) -> View {
    let query = address.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let query: BTreeMap<String, String> = serde_qs::from_str(query).expect("an address of ours");
    View::read(|name| query.get(name).cloned())
}

#[test]
fn a_view_survives_its_address() {
    let after = "1795262400000001_00000000-0000-0000-0000-000000000007".parse().ok();
    let staff = "00000000-0000-0000-0000-000000000009".parse().expect("an id");
    for (_, which) in Which::CODES {
        for assignee in [Assignee::Anyone, Assignee::Me, Assignee::Nobody, Assignee::Of(staff)] {
            for (_, sort) in SORTS {
                let plain = View::new(which, assignee).sorted(sort);
                let view = View {
                    topic: "card".into(),
                    queue: "00000000-0000-0000-0000-00000000000d".parse().ok(),
                    tag: "доставка завтра".into(),
                    priority: Some(Priority::High),
                    find: "00000000-0000-0000-0000-00000000000b".parse().ok(),
                    ..plain.from(after)
                };
                assert_eq!(read(&plain.queue()), plain);
                assert_eq!(read(&view.queue()), view);
            }
        }
    }
}

#[test]
fn the_usual_view_has_the_shortest_address() {
    assert_eq!(View::new(Which::Unclosed, Assignee::Anyone).queue(), "/admin/requests");
    assert_eq!(
        View::new(Which::Only(Status::Closed), Assignee::Anyone).queue(),
        "/admin/requests?status=closed"
    );
    assert_eq!(
        View::new(Which::Unclosed, Assignee::Me).request(7),
        "/admin/requests/7?assignee=me#last"
    );
}

#[test]
fn nonsense_narrows_nothing() {
    let usual = View::new(Which::Unclosed, Assignee::Anyone);
    assert_eq!(
        read("?status=x&assignee=y&sort=z&after=1&queue=q&tag=%20&priority=p"),
        usual
    );
}

#[test]
fn a_view_survives_being_kept() {
    let topics = [Topic {
        id: "00000000-0000-0000-0000-000000000003".parse().expect("an id"),
        code: "card".into(),
        name: crm::lang::Localized::new("Карта", "Card"),
    }];
    for (_, which) in Which::CODES {
        let view = View {
            topic: "card".into(),
            queue: "00000000-0000-0000-0000-00000000000d".parse().ok(),
            tag: "vip".into(),
            priority: Some(Priority::Urgent),
            ..View::new(which, Assignee::Me)
        };
        assert_eq!(View::kept(&view.filter(&topics), &topics), view);
    }
}

#[test]
fn a_topic_that_is_not_there_is_not_all_of_them() {
    let gone = read("?topic=gone").filter(&[]);
    assert_eq!(gone.topic, Some(Topic::NONE));
    assert_eq!(read("").filter(&[]).topic, None);
    assert_eq!(View::kept(&gone, &[]).filter(&[]), gone, "nor once it is kept");
}
