//! The audience as staff look at it: narrowed down, page by page, by whom; groups of RFM and a segment out of one; the scores on a
//! customer's page.

use crate::common::{BY, TestApp};
use axum::http::StatusCode;

const HERE: &str = "/admin/audience";

#[tokio::test]
async fn staff_find_a_group_and_put_it_into_a_segment() {
    let (app, anna) = TestApp::with_a_purchase().await;
    let boris = app.customer("Борис").await;
    let mut lead = app.staff_as("lada", "lead").await;
    let mut mara = app.staff_as("mara", "marketer").await;
    let mut agent = app.staff_as("agent_alone", "agent").await;
    assert_eq!(agent.get(HERE).await.status, StatusCode::FORBIDDEN);
    assert!(!agent.get("/admin/customers").await.body.contains(HERE));
    let before = lead.get(HERE).await;
    before.assert_says("Пока не посчитано");
    assert!(before.text().contains("Борис"), "{}", before.text());
    assert!(
        crm::rfm::store::run_due(&app.world.db, &BY, || true)
            .await
            .expect("counted")
    );
    // Whoever buys alone is the last of all fifths.
    let page = lead.get(HERE).await;
    for words in ["2 покупателя", "Спят", "1 500,00 ₽"] {
        assert!(page.words().contains(words), "{words}: {}", page.text());
    }
    let group = format!("{HERE}?rfm=sleeping");
    assert!(
        page.body.contains(&format!("href=\"{group}\"")),
        "a group leads to who is in it"
    );
    let found = lead.get(&group).await;
    let card = format!("/admin/customers/{}", anna.id().await);
    assert!(
        found.body.contains(&card) && !found.text().contains("Борис"),
        "{}",
        found.text()
    );
    app.assert_row("audience.read").await;
    let log = app
        .staff_as("chief", "administrator")
        .await
        .get("/admin/audit")
        .await
        .text();
    assert!(
        log.contains("Просмотрена аудитория") && log.contains("RFM: Спят"),
        "{log}"
    );
    // What nobody can mean narrows nothing.
    let odd = lead.get(&format!("{HERE}?rfm=best&last=ever&segment=x&after=y")).await;
    assert!(odd.words().contains("2 покупателя"), "{}", odd.text());
    let both = lead.get(&format!("{HERE}?rfm=sleeping&last=before_30")).await;
    both.assert_says("Таких покупателей нет");
    // A marketer sees how many, and no more.
    let counted = mara.get(&group).await;
    assert!(counted.words().contains("1 покупатель"), "{}", counted.text());
    for name in ["Анна", "Лебедева", card.as_str()] {
        assert!(!counted.body.contains(name), "{name}: {}", counted.text());
    }
    let segment = app.some_segment().await;
    let form = mara.get(&group).await.form("audience.keep");
    let chosen = mara.submit(&group, &form).await;
    assert_eq!(chosen.message("audience.keep", "segment"), "Выберите из списка");
    let kept = form.with("segment", &segment.to_string());
    let kept = mara.submit(&group, &kept).await;
    kept.assert_leads_to(&format!("/admin/segments/{segment}?done=put&changed=1&missing=0"));
    let members =
        "SELECT COUNT(*) FROM segment_members m JOIN customers c ON c.id = m.customer_id WHERE c.name = 'Анна'";
    assert_eq!(app.count(members).await, 1);
    assert!(
        !lead.get(&group).await.body.contains("audience.keep"),
        "a lead writes no rules"
    );
    // On her page stand her scores, on his none.
    let page = lead.get(&card).await;
    for words in ["RFM: Спят", "1-1-1"] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    let his = lead.get(&format!("/admin/customers/{}", boris.id().await)).await;
    assert!(!his.text().contains("RFM:"), "{}", his.text());
}

/// What somebody looked for stands in the log as the page calls it, whatever it was.
#[tokio::test]
async fn the_log_tells_in_words_what_was_looked_for_in_the_audience() {
    let app = TestApp::new().await;
    let (segment, program, store) = (app.some_segment().await, app.club().await, app.some_store().await);
    let mut lead = app.staff_as("lada", "lead").await;
    let by_id = format!("{HERE}?segment={segment}&program={program}&store={store}");
    let by_code = format!("{HERE}?rfm=at_risk&last=before_90&channel=phone");
    for at in [by_id.as_str(), by_code.as_str()] {
        assert_eq!(lead.get(at).await.status, StatusCode::OK, "{at}");
    }
    let mut chief = app.staff_as("chief", "administrator").await;
    let log = chief.get("/admin/audit?action=audience.read").await.words();
    for words in [
        "показано 0 записей, Сегмент: Особые, Программа: Клуб соседей, Любимый магазин: Клин, Клин",
        "показано 0 записей, RFM: Уходят, Последняя покупка: раньше, чем за 90 дней, Согласен на предложения: по телефону",
    ] {
        assert!(log.contains(words), "{words}: {log}");
    }
    let ids = [segment.to_string(), program.to_string(), store.to_string()];
    for code in ids.iter().map(String::as_str).chain(["at_risk", "before_90"]) {
        assert!(!log.contains(code), "{code}: {log}");
    }
    chief.send("/admin/audit", "language", &[("language", "en")]).await;
    let log = chief.get("/admin/audit?action=audience.read").await.words();
    for words in [
        "Segment: Special, Program:",
        "RFM: At risk, Last purchase: more than 90 days ago, Agrees to offers: by phone",
    ] {
        assert!(log.contains(words), "{words}: {log}");
    }
    // What is there no more stays as the log has it.
    app.execute("DELETE FROM segments").await;
    let log = chief.get("/admin/audit?action=audience.read").await.words();
    assert!(log.contains(&format!("segment {segment}")), "{log}");
}
