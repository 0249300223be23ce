//! Consents by purpose and channel, their receipts, and taking all of them back at once.

use crate::common::{TestApp, Town};
use axum::http::StatusCode;
use serde_json::Value;

const PAGE: &str = "/profile/consents";

/// The address of the newest act's receipt.
fn newest(body: &str) -> String {
    let (_, rest) = body.split_once("href=\"/profile/consents/").expect("a receipt");
    let (id, _) = rest.split_once('/').expect("its id");
    format!("{PAGE}/{id}")
}

#[tokio::test]
async fn a_consent_is_given_by_channel_and_all_are_taken_back_at_once() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let page = anna.get(PAGE).await;
    let text = page.text();
    for words in ["Акции и подарки", "Опросы", "SMS", "Почта", "Звонок", "коды входа"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(
        !page.body.contains("consent.withdraw_all"),
        "there is nothing to take back"
    );
    for consent in ["marketing_phone", "surveys_sms"] {
        let fields = [("consent", consent), ("version", "1"), ("act", "give")];
        let reply = anna.send(PAGE, "consent.change", &fields).await;
        assert_eq!(reply.location(), "/profile/consents?done=given", "{}", reply.text());
    }
    let reply = anna.send(PAGE, "consent.withdraw_all", &[]).await;
    assert_eq!(reply.location(), "/profile/consents?done=all", "{}", reply.text());
    let page = anna.get("/profile/consents?done=all").await;
    assert!(page.text().contains("больше ничего не пришлём"), "{}", page.text());
    assert!(!page.body.contains("consent.withdraw_all"));
    let acts = "SELECT p.code || ' ' || c.act FROM consents c JOIN consent_texts t ON t.id = c.text_id \
                JOIN consent_purposes p ON p.id = t.purpose_id ORDER BY c.id DESC LIMIT 2";
    let mut withdrawn = app.texts(acts).await;
    withdrawn.sort();
    assert_eq!(withdrawn, ["marketing_phone withdrawn", "surveys_sms withdrawn"]);
    // What nobody has heard of is no consent, and what is no act does nothing.
    let before = app.count("SELECT COUNT(*) FROM consents").await;
    for fields in [
        [("consent", "marketing_fax"), ("version", "1"), ("act", "give")],
        [("consent", "surveys_sms"), ("version", "1"), ("act", "sell")],
        [("consent", "surveys_sms"), ("version", "2"), ("act", "give")],
    ] {
        let reply = anna.send(PAGE, "consent.change", &fields).await;
        assert!(reply.status.is_client_error(), "{fields:?}: {}", reply.status);
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM consents").await, before);
}

#[tokio::test]
async fn an_act_has_a_receipt_for_people_and_for_machines() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let fields = [("consent", "surveys_email"), ("version", "1"), ("act", "give")];
    anna.send(PAGE, "consent.change", &fields).await;
    let at = newest(&anna.get(PAGE).await.body);

    let text = anna.get(&format!("{at}/receipt.txt")).await;
    assert_eq!(text.status, StatusCode::OK);
    assert_eq!(text.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(
        text.header("content-disposition"),
        "attachment; filename=\"receipt.txt\""
    );
    assert_eq!(text.header("cache-control"), "no-store");
    for words in [
        "Кто: Анна\n",
        "Кому: Сосна\n",
        "Что сделано: Дано\n",
        "На что: Письма с опросами, версия 1\n",
        "Чем: Почта\n",
        "Когда: 21 ноября 2026, 15:00:00 (Europe/Moscow)\n",
        "Как: в личном кабинете\n",
        "Вы разрешаете магазинам «Сосна»",
    ] {
        let told = text.body.replace('\u{a0}', " ");
        assert!(told.contains(words), "{words}: {told}");
    }

    let reply = anna.get(&format!("{at}/receipt.json")).await;
    assert_eq!(reply.header("content-type"), "application/json");
    let json: Value = serde_json::from_str(&reply.body).expect("JSON");
    let expected = [
        ("/version", "KI-CR-v1.1.0"),
        ("/jurisdiction", "RU"),
        ("/collectionMethod", "web"),
        ("/language", "ru"),
        ("/piiControllers/0/piiController", "Сосна"),
        ("/services/0/purposes/0/purpose", "Письма с опросами"),
        ("/services/0/purposes/0/purposeCategory/0", "surveys"),
        ("/services/0/purposes/0/consentType", "EXPLICIT"),
        ("/kabinet/act", "given"),
        ("/kabinet/channel", "email"),
    ];
    for (pointer, value) in expected {
        assert_eq!(json.pointer(pointer).and_then(Value::as_str), Some(value), "{pointer}");
    }
    assert_eq!(json["consentTimestamp"], 1_795_262_400);
    assert_eq!(json["piiPrincipalId"], anna.id().await.to_string());
    assert_eq!(json["kabinet"]["textVersion"], 1);
}

#[tokio::test]
async fn s17_a_receipt_opens_to_whose_it_is() {
    let mut town = Town::new().await;
    let at = newest(&town.anna.get(PAGE).await.body);
    for file in ["receipt.txt", "receipt.json"] {
        let at = format!("{at}/{file}");
        assert_eq!(town.anna.get(&at).await.status, StatusCode::OK, "{at}");
        assert_eq!(town.boris.get(&at).await.status, StatusCode::NOT_FOUND, "{at}");
        for who in [&mut town.app.anybody(), &mut town.agent] {
            assert_eq!(who.get(&at).await.location(), format!("/sign-in?next={at}"), "{at}");
        }
    }
    for made_up in ["/profile/consents/x/receipt.txt", format!("{at}/receipt.pdf").as_str()] {
        assert_eq!(town.anna.get(made_up).await.status, StatusCode::NOT_FOUND, "{made_up}");
    }
}
