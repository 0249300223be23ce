//! A receipt that is added by a photo of its QR code: what is read, and what the form says of everything else.

use crate::api::till;
use crate::common::{Customer, PNG, Reply, TestApp};
use axum::http::StatusCode;
use crm::shop::{Attachments, MB};
use crm::till::Scope;
use image::{GrayImage, ImageFormat, Luma};
use qrcodegen::{QrCode, QrCodeEcc};
use serde_json::json;
use std::io::Cursor;

const QR: &str = "t=20261121T1500&s=500.00&fn=9960440300112233&i=12345&fp=987654321&n=1";

/// A photo of a QR code with this text.
fn photo(text: &str, format: ImageFormat) -> Vec<u8> {
    const MODULE: u32 = 6;
    let qr = QrCode::encode_text(text, QrCodeEcc::Medium).expect("it fits");
    let side = (u32::try_from(qr.size()).expect("small") + 8) * MODULE;
    let picture = GrayImage::from_fn(side, side, |x, y| {
        let at = |n: u32| i32::try_from(n / MODULE).expect("small") - 4;
        Luma([if qr.get_module(at(x), at(y)) { 20 } else { 235 }])
    });
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).expect("it can be written");
    bytes.into_inner()
}

async fn send(who: &mut Customer, code: &str, files: &[(&str, &[u8])]) -> Reply {
    who.browser
        .upload("/purchases/claim", "purchase.claim", &[("receipt", code)], files)
        .await
}

async fn shop() -> TestApp {
    let app = TestApp::build(false, |config| {
        config.attachments = Attachments {
            files: 3,
            file_mb: 1,
            day_mb: 1,
        };
    })
    .await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    let line = json!({"article": "tea", "name": "Чай", "quantity": 1, "price": 50_000});
    let sale = json!({"document": "S-1", "at": app.world.db.now(), "code": QR, "lines": [line]});
    assert_eq!(till.post("/purchases", &sale).await.status, StatusCode::CREATED);
    app
}

#[tokio::test]
async fn a_receipt_is_added_by_a_photo_of_its_qr_once() {
    for (name, format) in [
        ("чек.jpg", ImageFormat::Jpeg),
        ("чек.PNG", ImageFormat::Png),
        ("чек.webp", ImageFormat::WebP),
    ] {
        let app = shop().await;
        let (mut anna, mut boris) = (app.customer("Анна").await, app.customer("Борис").await);
        let bytes = photo(QR, format);
        let done = send(&mut anna, "", &[(name, &bytes)]).await;
        assert!(done.location().ends_with("?done=claimed"), "{name}: {}", done.text());
        app.assert_row("purchase.claim").await;
        let page = anna.get(done.location()).await;
        page.assert_says("Чек теперь ваш");
        let taken = send(&mut boris, " ", &[(name, &bytes)]).await;
        assert_eq!(taken.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            taken
                .message("purchase.claim", "receipt")
                .contains("уже в чьём-то кабинете"),
            "{}",
            taken.text()
        );
        assert_eq!(
            app.count("SELECT COUNT(*) FROM attachments").await,
            0,
            "no photo is kept"
        );
    }
}

#[tokio::test]
async fn s20_what_is_no_photo_of_a_receipt_is_told_at_the_field() {
    let app = shop().await;
    let mut anna = app.customer("Анна").await;
    let (jpeg, png) = (photo(QR, ImageFormat::Jpeg), photo(QR, ImageFormat::Png));
    let other = photo("https://example.com/sale", ImageFormat::Png);
    let mut large = png.clone();
    large.resize(MB + 1, 0);
    let none = "не нашёлся QR-код чека";
    for (name, bytes, words) in [
        ("чек.gif", &jpeg[..], none),
        ("чек.pdf", &b"%PDF-1.7\n"[..], none),
        ("чек.png", &jpeg[..], "Внутри файла № 1 не то"),
        ("чек.png", &b""[..], "Файл № 1 пустой"),
        ("чек.png", &large[..], "Файл № 1 слишком большой: можно до 1 МБ"),
        ("чек.png", PNG, none),
        ("чек.png", &png[..png.len() / 2], none),
        ("чек.svg", &b"<svg onload='alert(1)'/>"[..], none),
        ("../../чек.png", &png[..], "Переименуйте файл № 1"),
        ("..\\чек.png", &png[..], "Переименуйте файл № 1"),
        ("gnp.\u{202e}.png", &png[..], "Переименуйте файл № 1"),
        ("чек.png", &other[..], none),
    ] {
        let reply = send(&mut anna, "", &[(name, bytes)]).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{name} {words}");
        let message = reply.message("purchase.claim", "files");
        assert!(message.contains(words), "{name}: {message}");
    }
    for count in [2, 50] {
        let many = send(&mut anna, "", &vec![("a.png", PNG); count]).await;
        assert_eq!(many.status, StatusCode::UNPROCESSABLE_ENTITY, "{count}");
        assert!(
            many.message("purchase.claim", "files").contains("не больше 1 файла"),
            "one receipt at a time: {count}"
        );
    }
    let owned = "SELECT COUNT(*) FROM purchases WHERE customer_id IS NOT NULL";
    assert_eq!(app.count(owned).await, 0);

    // What was typed counts before a photo, and stays; the photo is to be chosen again.
    let typed = send(&mut anna, "NOSUCHCODE1", &[("чек.png", &png)]).await;
    assert!(
        typed.message("purchase.claim", "receipt").contains("Такого чека нет"),
        "{}",
        typed.text()
    );
    assert_eq!(typed.form("purchase.claim").get("receipt"), Some("NOSUCHCODE1"));
    typed.assert_says("выберите их ещё раз");
}

#[tokio::test]
async fn photos_are_counted_as_tries_before_they_are_read() {
    let app = shop().await;
    let mut anna = app.customer("Анна").await;
    let (other, right) = (
        photo("https://example.com/sale", ImageFormat::Png),
        photo(QR, ImageFormat::Png),
    );
    for _ in 0..10 {
        let reply = send(&mut anna, "", &[("чек.png", &other)]).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let over = send(&mut anna, "", &[("чек.png", &right)]).await;
    assert_eq!(over.status, StatusCode::TOO_MANY_REQUESTS, "{}", over.text());
}
