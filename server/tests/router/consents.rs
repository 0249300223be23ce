//! Consents by purpose, channel and partner, their receipts, and taking all of them back at once.

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
        reply.assert_leads_to("/profile/consents?done=given");
    }
    let reply = anna.send(PAGE, "consent.withdraw_all", &[]).await;
    reply.assert_leads_to("/profile/consents?done=all");
    let page = anna.get("/profile/consents?done=all").await;
    page.assert_says("больше ничего не пришлём");
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

const PARTNER: [(&str, &str); 5] = [
    ("key", "plantain"),
    ("name_ru", "Аптеки «Подорожник»"),
    ("name_en", "Plantain Pharmacies"),
    ("text_ru", "Узнают номер карты.\n\nЧтобы она работала и там."),
    (
        "text_en",
        "They learn the number of the card.\n\nSo that it works there too.",
    ),
];

/// The same with another value, as whoever has seen the first version sends it.
fn changed(name: &'static str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    let other = |(n, v): &(&'static str, &'static str)| (*n, if *n == name { value } else { *v });
    let words = PARTNER.iter().skip(1).map(other);
    words.chain([("seen", "1")]).collect()
}

#[tokio::test]
async fn a_partner_is_agreed_to_by_itself_and_stands_in_the_receipt() {
    let app = TestApp::new().await;
    let (mut anna, mut agent) = (app.customer("Анна").await, app.staff("agent").await);
    let without = anna.get(PAGE).await.text();
    assert!(!without.contains("Партнёры"), "there are none: {without}");
    let mut pavel = app.staff_as("pavel", "partner_manager").await;
    assert!(pavel.get("/admin/partners").await.text().contains("Партнёров пока нет"));
    let mut half = PARTNER;
    half[4].1 = " ";
    let wrong = pavel.send("/admin/partners", "partner.add", &half).await;
    assert_eq!(wrong.message("partner.add", "text_en"), "Заполните это поле");
    let added = pavel.send("/admin/partners", "partner.add", &PARTNER).await;
    let at = added
        .location()
        .strip_suffix("?done=added")
        .expect("a partner")
        .to_owned();
    let again = pavel.send("/admin/partners", "partner.add", &PARTNER).await;
    assert!(!again.message("partner.add", "key").is_empty(), "the code is taken");

    let shown = anna.get(PAGE).await.text();
    for words in [
        "Партнёры",
        "Аптеки «Подорожник»",
        "Узнают номер карты.",
        "Чтобы она работала и там.",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let give = [("consent", "partner_plantain"), ("version", "1"), ("act", "give")];
    let given = anna.send(PAGE, "consent.change", &give).await;
    given.assert_leads_to("/profile/consents?done=given");
    let receipt = newest(&anna.get(PAGE).await.body);

    // Whatever the partner is called later, the receipt says what was agreed to.
    let renamed = pavel
        .send(&at, "partner.change", &changed("name_ru", "Аптеки «Ромашка»"))
        .await;
    renamed.assert_leads_to(&format!("{at}?done=changed"));
    let late = pavel
        .send(&at, "partner.change", &changed("name_ru", "Аптеки «Лютик»"))
        .await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY, "somebody was quicker");
    let text = anna.get(&format!("{receipt}/receipt.txt")).await.body;
    let text = text.replace('\u{a0}', " ");
    for words in [
        "На что: Передача данных: Аптеки «Подорожник», версия 1\n",
        "Кому передаются данные: Аптеки «Подорожник»\n",
        "Узнают номер карты.",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let json = anna.get(&format!("{receipt}/receipt.json")).await.body;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let purpose = &json["services"][0]["purposes"][0];
    assert_eq!(purpose["thirdPartyDisclosure"], true, "{json}");
    assert_eq!(purpose["thirdPartyName"], "Аптеки «Подорожник»", "{json}");
    let page = anna.get(PAGE).await.text();
    assert!(
        page.contains("Аптеки «Ромашка»") && page.contains("сейчас версия 2"),
        "{page}"
    );
    // Staff see it on the card as the customer does.
    let card = format!("/admin/customers/{}", anna.id().await);
    let card = agent.get(&card).await.text();
    assert!(card.contains("Передача данных: Аптеки «Подорожник»"), "{card}");
}

#[tokio::test]
async fn nobody_agrees_to_a_partner_who_was_switched_off_and_who_did_takes_it_back() {
    let mut town = Town::new().await;
    let at = format!("/admin/partners/{}", town.app.some_partner().await);
    let act = |act: &'static str| [("consent", "partner_plantain"), ("version", "1"), ("act", act)];
    town.anna.send(PAGE, "consent.change", &act("give")).await;
    let off = town.agent.send(&at, "partner.switch", &[("active", "no")]).await;
    off.assert_leads_to(&format!("{at}?done=stopped"));
    let boris = town.boris.get(PAGE).await.text();
    assert!(!boris.contains("Подорожник"), "{boris}");
    let refused = town.boris.send(PAGE, "consent.change", &act("give")).await;
    assert!(refused.status.is_client_error(), "{}", refused.text());
    let anna = town.anna.get(PAGE).await.text();
    assert!(anna.contains("больше не передаёт данные этому партнёру"), "{anna}");
    let back = town.anna.send(PAGE, "consent.change", &act("withdraw")).await;
    back.assert_leads_to("/profile/consents?done=withdrawn");
    let anna = town.anna.get(PAGE).await.text();
    assert!(!anna.contains("больше не передаёт данные"), "{anna}");
    let on = town.agent.send(&at, "partner.switch", &[("active", "yes")]).await;
    on.assert_leads_to(&format!("{at}?done=started"));
    assert!(town.boris.get(PAGE).await.text().contains("Подорожник"));
}

#[tokio::test]
async fn s15_partners_are_kept_by_whoever_has_the_right() {
    let town = Town::new().await;
    let at = format!("/admin/partners/{}", town.app.some_partner().await);
    let mut agent = town.app.staff_as("only_agent", "agent").await;
    let before = town.app.everything(&["sessions", "audit", "idempotency_keys"]).await;
    for page in ["/admin/partners", &at] {
        assert_eq!(agent.get(page).await.status, StatusCode::FORBIDDEN, "{page}");
    }
    for (page, form, fields) in [
        ("/admin/partners", "partner.add", PARTNER.to_vec()),
        (at.as_str(), "partner.change", changed("name_en", "Camomile")),
        (at.as_str(), "partner.switch", vec![("active", "no")]),
    ] {
        let refused = agent.send(page, form, &fields).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{form}");
    }
    let after = town.app.everything(&["sessions", "audit", "idempotency_keys"]).await;
    assert_eq!(before, after);
    // A text of a partner is its own page's, and no text of the shop.
    let mut mara = town.app.staff_as("mara", "marketer").await;
    let texts = mara.get("/admin/texts/consent/partner_plantain").await;
    assert_eq!(texts.status, StatusCode::NOT_FOUND);
    assert_eq!(
        mara.get("/admin/texts/consent/marketing_sms").await.status,
        StatusCode::OK
    );
}

/// Whoever does not agree any more to what a card needs is led to where they leave, by the page and by the texts themselves.
#[tokio::test]
async fn a_consent_that_a_card_needs_is_taken_back_by_leaving() {
    let app = TestApp::new().await;
    let page = app.customer("Анна").await.get(PAGE).await;
    let ways = page.body.matches("href=\"/profile/erase\"").count();
    assert_eq!(ways, 2, "one at each that is required: {}", page.body);
    let mut anybody = app.anybody();
    for code in ["personal_data", "loyalty_rules"] {
        let text = anybody.get(&format!("/consents/{code}")).await.text();
        assert!(
            text.contains("в личном кабинете страницу «Удалить мои данные»"),
            "{text}"
        );
    }
}
