//! A few fragments as they are sent, to be read when they change: `INSTA_UPDATE=always cargo test -p server fragments`
//! writes them anew.

use crate::common::{Reply, TestApp, Town};

/// What stands in `<main>`, a tag a line, without what is new each time it is rendered.
fn fragment(reply: &Reply) -> String {
    let main = reply.body.find("<main").map_or("", |at| &reply.body[at..]);
    let main = main.find("</main>").map_or(main, |end| &main[..end]);
    let mut lines = String::new();
    for part in main.split_inclusive('>') {
        let part = part.trim();
        if !part.is_empty() && part != "<!>" {
            lines.push_str(&anonymous(part));
            lines.push('\n');
        }
    }
    lines
}

/// With ids and keys blotted out.
fn anonymous(part: &str) -> String {
    let is_secret = |word: &str| {
        let is_id = word.parse::<uuid::Uuid>().is_ok();
        is_id
            || word.len() == 43
                && word
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    part.split_inclusive(['"', '/', '<', '>', '?', '=', '&'])
        .map(|word| {
            let bare = word.trim_end_matches(['"', '/', '<', '>', '?', '=', '&']);
            if is_secret(bare) {
                word.replace(bare, "…")
            } else {
                word.to_owned()
            }
        })
        .collect()
}

#[tokio::test]
async fn a_form_that_came_back() {
    let app = TestApp::new().await;
    let page = app
        .anybody()
        .send(
            "/sign-in?by=password",
            "sign_in.password",
            &[("phone", "12\""), ("password", "x")],
        )
        .await;
    let main = fragment(&page);
    // What the island needs to know is data of its own.
    let form = main.find("<form").map_or(main.as_str(), |at| &main[at..]);
    insta::assert_snapshot!(form);
}

#[tokio::test]
async fn a_page_that_does_not_exist() {
    let app = TestApp::new().await;
    insta::assert_snapshot!(fragment(&app.anybody().get("/nowhere").await));
}

#[tokio::test]
async fn a_receipt() {
    let mut town = Town::new().await;
    let at = format!("/purchases/{}", town.purchase);
    insta::assert_snapshot!(fragment(&town.anna.get(&at).await));
}
