//! E-mail.

use crate::peers::{Smtpd, certificates, free_port, silent};
use crate::{carrier, kept, one, ready, round, wait, write};
use crm::consent::Aim;
use crm::db::scoped;
use crm::id::{ConsentId, ContactId, CustomerId};
use crm::lang::Localized;
use crm::outbox::{Channel, State, promotion};
use crm::testing::World;
use server::channels::smtp::TlsMode;
use server::config::Config;
use server::secret::Secret;

pub(crate) fn relay(port: u16) -> Config {
    let mut config = Config::default();
    config.mail.host = "127.0.0.1".into();
    config.mail.port = port;
    config.mail.tls = TlsMode::None;
    config.mail.from = "Сосна <club@example.com>".into();
    config.mail.timeout_seconds = 20;
    config
}

#[tokio::test]
async fn a_mail_arrives_with_its_headers_and_words() {
    let (world, smtpd) = (ready().await, Smtpd::start(&[]));
    write(&world, Channel::Email, "anna@example.com", "Анна «Ёж» О'Нил").await;
    let mut config = relay(smtpd.port);
    config.mail.reply_to = "help@example.com".into();
    assert_eq!(round(&world, &carrier(&config)).await, 1);
    let got = smtpd.received(1).await.remove(0);
    assert_eq!(
        (got["from"].as_str(), got["to"][0].as_str()),
        (Some("club@example.com"), Some("anna@example.com"))
    );
    let header = |name: &str| got["headers"][name].as_str().unwrap_or_default().to_owned();
    assert_eq!(header("from"), "Сосна <club@example.com>");
    assert_eq!(header("to"), "anna@example.com");
    assert_eq!(header("reply-to"), "help@example.com");
    assert_eq!(header("subject"), "Ответ на обращение №\u{a0}7");
    assert_eq!(header("date"), "Sat, 21 Nov 2026 12:00:00 +0000");
    assert_eq!(header("auto-submitted"), "auto-generated");
    assert_eq!(header("content-language"), "ru");
    assert_eq!(header("mime-version"), "1.0");
    assert_eq!(header("content-type"), "text/plain; charset=\"utf-8\"");
    let text = got["text"].as_str().expect("a text").replace("\r\n", "\n");
    assert!(
        text.starts_with("Здравствуйте, Анна «Ёж» О'Нил.\n\nМы ответили на ваше обращение №\u{a0}7."),
        "{text}"
    );
    assert_eq!(got["is_ascii"], true, "every relay takes it");
    let sent = one(&world).await;
    assert_eq!(
        (sent.state, sent.reference.clone()),
        (State::Sent, Some(header("message-id")))
    );
    assert_eq!(round(&world, &carrier(&config)).await, 0, "once");
}

/// Somebody who agrees to be written to of offers, with an e-mail address that is proved.
async fn who_agrees(world: &World) -> CustomerId {
    const CUSTOMER: &str = "INSERT INTO customers (id, name, surname, search, language, source, registered_at, updated_at) \
                            VALUES ($1, 'Анна', 'К', 'к анна', 'ru', 'web', $2, $2)";
    const EMAIL: &str = "INSERT INTO contacts (id, customer_id, kind, value, is_primary, verified_at, created_at) \
                         VALUES ($1, $2, 'email', 'anna@example.com', TRUE, $3, $3)";
    const CONSENT: &str = "INSERT INTO consents (id, customer_id, text_id, act, language, source, at) \
                           SELECT $1, $2, t.id, 'given', 'ru', 'web', $3 FROM consent_texts t \
                           JOIN consent_purposes p ON p.id = t.purpose_id WHERE p.code = 'marketing_email'";
    let (id, now) = (CustomerId::new(), world.db.now());
    let written = world.db.write(|tx| {
        scoped(async move {
            crm::on!(tx, |c| sqlx::query(CUSTOMER)
                .bind(id)
                .bind(now)
                .execute(c)
                .await
                .map(drop))?;
            for (sql, row) in [(EMAIL, ContactId::new().0), (CONSENT, ConsentId::new().0)] {
                crm::on!(tx, |c| sqlx::query(sql)
                    .bind(row)
                    .bind(id)
                    .bind(now)
                    .execute(c)
                    .await
                    .map(drop))?;
            }
            Ok::<_, crm::Error>(())
        })
    });
    written.await.expect("written");
    id
}

/// Writes to them of an offer.
async fn promote(world: &World, customer: CustomerId) {
    let text = &Localized::new("чай дешевле", "tea for less");
    let written = world.db.write(|tx| {
        scoped(async move { promotion::send(tx, customer, Aim::Marketing, "reward", &[("text", text)]).await })
    });
    written.await.expect("written").expect("they agree");
}

/// What a mail provider needs for its own button (RFC 8058, 3.1), and nobody else's mail has.
#[tokio::test]
async fn a_promotional_mail_says_how_to_unsubscribe_by_one_click() {
    let (world, smtpd) = (ready().await, Smtpd::start(&[]));
    let customer = who_agrees(&world).await;
    promote(&world, customer).await;
    write(&world, Channel::Email, "boris@example.com", "Борис").await;
    assert_eq!(round(&world, &carrier(&relay(smtpd.port))).await, 2);
    let all = smtpd.received(2).await;
    let to = |name: &str| {
        all.iter()
            .find(|got| got["to"][0] == format!("{name}@example.com"))
            .expect("it came")
    };
    let (hers, his) = (to("anna"), to("boris"));
    let link = hers["headers"]["list-unsubscribe"].as_str().expect("a header").trim();
    let link = link
        .strip_prefix('<')
        .and_then(|link| link.strip_suffix('>'))
        .expect("an address");
    let (begin, token) = link.rsplit_once('/').expect("a token");
    assert_eq!(begin, "http://localhost:3000/unsubscribe");
    assert_eq!(
        hers["headers"]["list-unsubscribe-post"].as_str().map(str::trim),
        Some("List-Unsubscribe=One-Click")
    );
    let text = hers["text"].as_str().expect("a text");
    assert!(text.contains(link), "{text}");
    let about = crm::consent::unsubscribe::about(&world.db, token).await.expect("ours");
    assert!(about.is_given);
    for header in ["list-unsubscribe", "list-unsubscribe-post"] {
        assert!(his["headers"][header].is_null(), "{header}");
    }
    // Taken back before it goes, nothing goes.
    promote(&world, customer).await;
    crm::consent::unsubscribe::withdraw(&world.db, token, &crm::who::Visitor::default())
        .await
        .expect("taken back");
    assert_eq!(round(&world, &carrier(&relay(smtpd.port))).await, 0);
}

#[tokio::test]
async fn a_relay_may_say_later_or_never() {
    let (world, smtpd) = (ready().await, Smtpd::start(&[]));
    for name in ["anna", "later", "nobody", "spam"] {
        write(&world, Channel::Email, &format!("{name}@example.com"), "Анна").await;
    }
    let mail = carrier(&relay(smtpd.port));
    assert_eq!(round(&world, &mail).await, 4);
    let states = |kept: &[crate::Kept]| kept.iter().map(|kept| kept.state).collect::<Vec<_>>();
    let first = kept(&world).await;
    assert_eq!(
        states(&first),
        [State::Sent, State::Queued, State::Failed, State::Failed]
    );
    let words = |i: usize| first[i].error.clone().unwrap_or_default();
    assert!(
        words(1).starts_with("refused: ") && words(1).contains("451") && words(1).contains("try again later"),
        "{}",
        words(1)
    );
    assert!(
        words(2).contains("550") && words(2).contains("no such mailbox"),
        "{}",
        words(2)
    );
    assert!(words(3).contains("554"), "{}", words(3));
    assert_eq!(round(&world, &mail).await, 0, "before its time");
    wait(&world).await;
    assert_eq!(round(&world, &mail).await, 1);
    let then = kept(&world).await;
    assert_eq!(states(&then), [State::Sent, State::Sent, State::Failed, State::Failed]);
    assert_eq!((then[1].tries, then[1].error.clone()), (2, None));
    let ids: Vec<_> = smtpd
        .received(2)
        .await
        .iter()
        .map(|got| got["headers"]["message-id"].clone())
        .collect();
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_relay_that_is_down_gets_the_mail_when_it_is_up() {
    let (world, port) = (ready().await, free_port());
    write(&world, Channel::Email, "anna@example.com", "Анна").await;
    let mail = carrier(&relay(port));
    round(&world, &mail).await;
    let waiting = one(&world).await;
    assert_eq!((waiting.state, waiting.tries), (State::Queued, 1));
    assert!(
        waiting
            .error
            .as_ref()
            .is_some_and(|words| words.starts_with("unreachable: ")),
        "{waiting:?}"
    );
    let smtpd = Smtpd::start(&["--port", &port.to_string()]);
    wait(&world).await;
    round(&world, &mail).await;
    assert_eq!(one(&world).await.state, State::Sent);
    assert_eq!(smtpd.received(1).await.len(), 1);
}

#[tokio::test]
async fn a_relay_that_says_nothing_holds_nobody_up() {
    let world = ready().await;
    for name in ["anna", "boris"] {
        write(&world, Channel::Email, &format!("{name}@example.com"), name).await;
    }
    let mut config = relay(silent());
    config.mail.timeout_seconds = 1;
    round(&world, &carrier(&config)).await;
    for waiting in kept(&world).await {
        assert_eq!((waiting.state, waiting.tries), (State::Queued, 1));
        assert!(waiting.error.is_some(), "{waiting:?}");
    }
    let smtpd = Smtpd::start(&[]);
    wait(&world).await;
    round(&world, &carrier(&relay(smtpd.port))).await;
    assert!(kept(&world).await.iter().all(|sent| sent.state == State::Sent));
}

#[tokio::test]
async fn the_way_to_a_relay_is_protected_and_signed_in() {
    let (world, certificates) = (ready().await, certificates());
    let [certificate, key, authority] =
        [&certificates.certificate, &certificates.key, &certificates.authority].map(|path| path.to_string_lossy());
    let smtpd = Smtpd::start(&[
        "--certificate",
        &certificate,
        "--key",
        &key,
        "--user",
        "kabinet",
        "--password",
        "секрет",
    ]);
    write(&world, Channel::Email, "anna@example.com", "Анна").await;
    let mut config = relay(smtpd.port);
    config.mail.host = "localhost".into();
    config.mail.tls = TlsMode::Starttls;
    config.mail.user = "kabinet".into();
    config.mail.password = Some(Secret::Inline("wrong-password".into()));

    // Nobody vouches for the certificate: not even the password is told.
    round(&world, &carrier(&config)).await;
    let refused = one(&world).await;
    assert_eq!(refused.state, State::Queued);
    assert!(
        refused
            .error
            .as_ref()
            .is_some_and(|words| words.starts_with("certificate: ")),
        "{refused:?}"
    );

    // A wrong password is ours to mend: the mail waits for that, and the password is not written down.
    config.mail.ca_file = authority.to_string().into();
    wait(&world).await;
    round(&world, &carrier(&config)).await;
    let refused = one(&world).await;
    assert_eq!(refused.state, State::Queued, "{refused:?}");
    let words = refused.error.unwrap_or_default();
    assert!(words.starts_with("sign_in: ") && words.contains("535"), "{words}");
    assert!(!words.contains("wrong-password"), "{words}");

    config.mail.password = Some(Secret::Inline("секрет".into()));
    wait(&world).await;
    round(&world, &carrier(&config)).await;
    assert_eq!(one(&world).await.state, State::Sent, "{:?}", one(&world).await.error);
    let got = smtpd.received(1).await.remove(0);
    assert_eq!((&got["is_tls"], &got["signed_in"]), (&true.into(), &true.into()));
}

#[tokio::test]
async fn the_relay_can_be_tried_before_anybody_needs_it() {
    use server::channels::smtp::Mailer;
    let smtpd = Smtpd::start(&[]);
    let mailer = Mailer::new(&relay(smtpd.port).mail).expect("it is configured");
    assert_eq!(mailer.check().await, Ok(()));
    assert_eq!(mailer.greet("anna@example.com", "Сосна").await, Ok(()));
    let got = smtpd.received(1).await.remove(0);
    assert_eq!(got["headers"]["subject"], "Сосна: Kabinet");
    assert!(
        mailer
            .greet("nowhere", "Сосна")
            .await
            .is_err_and(|e| e.starts_with("nowhere"))
    );
    let nobody = Mailer::new(&relay(free_port()).mail).expect("it is configured");
    assert!(nobody.check().await.is_err());
}
