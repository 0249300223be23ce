//! What a form does not ask for is not taken from it, and what a role may not see is not in any answer.

use crate::common::html::forms;
use crate::common::{Browser, Town};
use app::ROUTES;
use app::route::Access;
use axum::http::StatusCode;
use std::collections::BTreeSet;

/// Values that can be found again, for columns of every kind.
fn planted(column: &str, boris: &str) -> Vec<String> {
    let mut values = vec!["ПОДЛОЖЕНО".to_owned(), "987654321".to_owned()];
    match column {
        "customer_id" | "id" => values.push(boris.to_owned()),
        "role" => values.push("administrator".to_owned()),
        _ if column.ends_with("_at") => values.push("2001-02-03T04:05:06Z".to_owned()),
        _ => {}
    }
    values
}

/// Every form that Anna and the agent are offered, with every column of the database among its fields.
#[tokio::test]
async fn s18_no_column_of_the_database_can_be_sent_along() {
    let mut town = Town::new().await;
    let boris = town.boris.id().await.to_string();
    let boris_hex = boris.replace('-', "").to_uppercase();
    let columns: BTreeSet<String> = town
        .app
        .texts("SELECT DISTINCT c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'")
        .await
        .into_iter()
        .collect();
    for known in [
        "customer_id",
        "is_primary",
        "role",
        "verified_at",
        "balance",
        "password_hash",
        "internal",
        "status",
    ] {
        assert!(columns.contains(known), "{known}");
    }
    // That staff look at him, where they compare the two, is written down and changes nothing.
    let is_look = |row: &str| row.starts_with("audit") && row.contains("'customer.read'");
    let of_boris = |rows: BTreeSet<String>| {
        rows.into_iter()
            .filter(|row| row.contains(&boris_hex) && !is_look(row))
            .collect::<BTreeSet<_>>()
    };
    let before = of_boris(town.app.everything(&[]).await);
    let staff = town.app.texts("SELECT login || role || password_hash FROM staff").await;
    let (mut sent, mut taken) = (0, 0);
    for route in ROUTES
        .iter()
        .filter(|route| matches!(route.access, Access::Customer | Access::Staff))
    {
        let at = town.path(route.path).await.expect("a sample");
        let mut anna = town.anna.browser.clone();
        let who: &mut Browser = if route.access == Access::Staff {
            &mut town.agent
        } else {
            &mut anna
        };
        for form in forms(&who.get(&at).await.body) {
            if app::EVERYWHERE.iter().any(|every| every.name == form.name) || form.name == "device.end_others" {
                continue;
            }
            for nth in 0..3 {
                let mut form = form.clone();
                // One that only looks for answers takes nothing, and one that keeps a draft sends nothing.
                let is_aside = |name: &str, value: &str| name == "find" || (name, value) == ("act", "keep");
                let button = form.buttons.iter().find(|(name, value)| !is_aside(name, value));
                form.fields.extend(button.cloned());
                for (name, value) in &mut form.fields {
                    match name.as_str() {
                        "_key" => *value = crm::who::Token::random().secret().to_owned(),
                        "text" => *value = "Здравствуйте".into(),
                        "email" => *value = format!("new{nth}@example.com"),
                        "phone" => *value = format!("+7900555008{nth}"),
                        _ => {}
                    }
                }
                let own: BTreeSet<String> = form.fields.iter().map(|(name, _)| name.clone()).collect();
                for column in columns.iter().filter(|column| !own.contains(*column)) {
                    // What the form itself asks for, a browser would have sent: it is checked as any value is.
                    if let Some(value) = planted(column, &boris).get(nth) {
                        form.fields.push((column.clone(), value.clone()));
                    }
                }
                let reply = who.submit(&at, &form).await;
                assert!(
                    reply.status != StatusCode::INTERNAL_SERVER_ERROR,
                    "{} at {at}",
                    form.name
                );
                sent += 1;
                taken += usize::from(reply.status == StatusCode::SEE_OTHER);
                for row in town.app.everything(&[]).await {
                    let planted = ["ПОДЛОЖЕНО", "987654321", "2001-02-03"]
                        .iter()
                        .any(|mark| row.contains(mark));
                    assert!(!planted, "{} at {at} took what was sent along: {row}", form.name);
                }
            }
        }
    }
    assert!(sent > 40 && taken > 10, "{sent} sent, {taken} taken");
    assert_eq!(
        of_boris(town.app.everything(&[]).await),
        before,
        "nothing of Boris changed"
    );
    assert_eq!(
        town.app.texts("SELECT login || role || password_hash FROM staff").await,
        staff
    );
    let others = "SELECT COUNT(*) FROM contacts WHERE verified_at IS NOT NULL AND kind = 'email'";
    assert_eq!(
        town.app.count(others).await,
        0,
        "nobody has proved an address by saying so"
    );
}

/// Notes between staff, logins, networks and hashes: nowhere on a page of a customer; hashes and tokens on no page at all.
#[tokio::test]
async fn s18_no_page_shows_more_than_its_reader_may_know() {
    let mut town = Town::new().await;
    let at = town.path("/admin/requests/{number}").await.expect("a sample");
    let noted = town
        .agent
        .send(&at, "request.note", &[("text", "ЗАМЕТКА: проверить чек")])
        .await;
    assert_eq!(noted.status, StatusCode::SEE_OTHER, "{}", noted.text());
    assert!(town.agent.get(&at).await.body.contains("ЗАМЕТКА"), "staff see it");
    let agent_id = town.app.text("SELECT lower(hex(id)) FROM staff").await;
    let hashes = town.app.texts("SELECT password_hash FROM staff").await;
    let tokens: Vec<String> = [&town.anna.browser, &town.boris.browser, &town.agent]
        .iter()
        .flat_map(|who| who.cookies.values().cloned())
        .filter(|value| value.len() > 20)
        .collect();
    assert!(tokens.len() >= 3);
    let boris = [town.boris.phone.clone(), town.boris.id().await.to_string()];
    for route in ROUTES {
        let at = town.path(route.path).await.expect("a sample");
        for (who, is_staff) in [(&mut town.anna.browser, false), (&mut town.agent, true)] {
            let page = who.get(&at).await;
            for secret in hashes.iter().chain(&tokens).map(String::as_str).chain(["$argon2"]) {
                assert!(!page.body.contains(secret), "{at} shows {secret}");
            }
            if is_staff {
                continue;
            }
            let seen = page.body.replace('-', "");
            assert!(
                !page.body.contains("ЗАМЕТКА") && !seen.contains(&agent_id),
                "{at} shows what is of staff"
            );
            for other in &boris {
                assert!(!page.body.contains(other.as_str()), "{at} shows what is of Boris");
            }
        }
    }
}
