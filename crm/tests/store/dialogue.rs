//! Conversations: what is said, whose it is, and what becomes of it.

use crate::common::people::{self, contact, one, sql};
use crate::common::{BY, customer, days, ready, sign_in, slip};
use crate::promotions::{promotion, put};
use crate::rules::{TENTH, publish, rule};
use chrono::Duration;
use crm::contact::{Kind, show_phone};
use crm::db::Db;
use crm::dialogue::settings;
use crm::dialogue::store::{self as dialogue, Author, Conversation, Heard, Speaker};
use crm::dialogue::{Channel, Input, MASKED};
use crm::error::Error;
use crm::flaw::Flaw;
use crm::lang::Lang;
use crm::outbox;
use crm::promotion::NewPromotion;
use crm::request::store as requests;
use crm::testing::{World, start};
use crm::who::{self, Customer, Token, Visitor};
use std::collections::BTreeMap;

const PHONE: &str = "+79005557788";

/// Somebody at a browser.
#[derive(Default)]
struct Person {
    visitor: Visitor,
    token: Option<Token>,
    attempt: Option<Token>,
    customer: Option<Customer>,
}

impl Person {
    fn speaker(&self) -> Speaker<'_> {
        Speaker {
            channel: Channel::Web,
            customer: self.customer.as_ref(),
            token: self.token.as_ref(),
            attempt: self.attempt.as_ref(),
            invite: None,
            lang: Lang::Ru,
            visitor: &self.visitor,
        }
    }

    async fn hear(&mut self, db: &Db, input: Input<'_>) -> Result<(), Error> {
        let Heard {
            token, attempt, opened, ..
        } = dialogue::say(db, &self.speaker(), input).await?;
        self.token = token.or(self.token.take());
        self.attempt = attempt.or(self.attempt.take());
        if let Some(opened) = opened {
            self.customer = who::customer(db, &opened.token, &self.visitor).await.expect("read");
            (self.token, self.attempt) = (None, None);
        }
        Ok(())
    }

    /// Says something; what is answered.
    async fn say(&mut self, db: &Db, text: &str) -> Vec<String> {
        self.hear(db, Input::Typed(text)).await.expect("heard");
        self.answers(db).await
    }

    async fn choose(&mut self, db: &Db, code: &str) -> Vec<String> {
        self.hear(db, Input::Chosen(code)).await.expect("heard");
        self.answers(db).await
    }

    async fn conversation(&self, db: &Db) -> Conversation {
        dialogue::conversation(db, &self.speaker()).await.expect("read")
    }

    /// What was answered to what was said last.
    async fn answers(&self, db: &Db) -> Vec<String> {
        let said = self.conversation(db).await.said;
        let mine = said.iter().rposition(|said| said.author == Author::Person);
        let answers = said.into_iter().skip(mine.map_or(0, |mine| mine + 1));
        answers.map(|said| said.body).collect()
    }
}

async fn code(db: &Db) -> String {
    let inbox = outbox::inbox(db, 1).await.expect("inbox");
    inbox[0].body.chars().filter(char::is_ascii_digit).take(6).collect()
}

/// Somebody registers; everything that the steps ask for.
async fn register(db: &Db, phone: &str) -> Person {
    let mut anna = Person::default();
    anna.say(db, phone).await;
    let digits = code(db).await;
    anna.say(db, &digits).await;
    for text in ["Аврора", "Незабудкина", "пропустить", "3.05.1990"] {
        anna.say(db, text).await;
    }
    for _ in 0..20 {
        if anna.customer.is_some() {
            return anna;
        }
        anna.choose(db, "yes").await;
    }
    panic!("nobody was registered");
}

crm::both_engines!(
    the_records_come_whole_and_a_newer_version_counts_from_its_day,
    async |world| {
        let db = ready(world).await;
        let mut conn = db.read().await.expect("a connection");
        let first = dialogue::catalogue(&mut conn).await.expect("read");
        drop(conn);
        assert_eq!(first.commands.len(), 9);
        assert_eq!(first.setting("purchases_shown", 1), 5);
        sql!(
            world,
            "INSERT INTO dialogue_texts (code, version, body, published_at) VALUES ('what_next', 2, $1, $2)",
            sqlx::types::Json(crate::common::people::text("Что ещё?")),
            start() + days(1),
        );
        ready(world).await;
        let text = async || {
            let mut conn = db.read().await.expect("a connection");
            let catalogue = dialogue::catalogue(&mut conn).await.expect("read");
            catalogue.text(Lang::En, "what_next", &[])
        };
        assert_eq!(text().await, first.text(Lang::En, "what_next", &[]));
        world.clock.set(start() + days(1));
        assert_eq!(text().await, "Что ещё?");
    }
);

crm::both_engines!(
    an_unknown_phone_registers_and_goes_on_in_the_same_conversation,
    async |world| {
        let db = ready(world).await;
        let mut anna = Person::default();
        assert_eq!(
            anna.say(db, "баланс").await[0],
            "Это откроется, когда у вас будет карта."
        );
        anna.say(db, PHONE).await;
        assert!(anna.conversation(db).await.wants_code);
        let digits = code(db).await;
        let wrong = if digits == "000000" { "000001" } else { "000000" };
        assert_eq!(anna.say(db, wrong).await, ["Код не подошёл. Осталось попыток: 4."]);
        assert_eq!(anna.say(db, &digits).await.len(), 2);
        for text in ["Аврора", "Незабудкина", "avrora@example.com", "3.05.1990"] {
            assert_eq!(anna.say(db, text).await.len(), 1, "{text}");
        }
        let purposes = one!(
            world,
            i64,
            "SELECT COUNT(*) FROM consent_purposes WHERE asked_at = 'registration' AND at_registration"
        );
        for _ in 0..purposes {
            anna.choose(db, "yes").await;
        }
        let review = anna.answers(db).await;
        assert!(
            review[0].contains("Незабудкина") && review[0].contains("3\u{a0}мая 1990"),
            "{review:?}"
        );
        assert_eq!(
            one!(world, i64, "SELECT COUNT(*) FROM customers"),
            0,
            "nothing is done before «Да»"
        );
        assert_eq!(anna.say(db, "Нет").await.len(), 2);
        assert_eq!(anna.answers(db).await[1], "Как вас зовут?");
        for text in ["Аврора", "Незабудкина", "пропустить", "3.05.1990"] {
            anna.say(db, text).await;
        }
        for _ in 0..purposes {
            anna.choose(db, "yes").await;
        }
        anna.say(db, "да").await;
        let me = anna.customer.clone().expect("signed in").me();
        let given = one!(
            world,
            i64,
            "SELECT COUNT(*) FROM consents WHERE customer_id = $1",
            me.id()
        );
        assert_eq!(given, purposes);
        let cards = one!(world, i64, "SELECT COUNT(*) FROM cards WHERE customer_id = $1", me.id());
        assert_eq!(cards, 1);
        let said = anna.conversation(db).await.said;
        assert!(said.iter().any(|said| said.body == PHONE), "the thread goes on");
        assert!(
            said.iter().all(|said| !said.body.contains(&digits)),
            "the code is not kept"
        );
        assert!(said.iter().any(|said| said.body == MASKED));
        assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM conversations"), 1);
        assert_eq!(anna.choose(db, "balance").await[0], "На карте баллов: 0.");
    }
);

crm::both_engines!(a_known_phone_is_signed_in_and_asks, async |world| {
    let db = ready(world).await;
    register(db, PHONE).await;
    world.clock.set(start() + Duration::minutes(1));
    let mut anna = Person::default();
    anna.say(db, PHONE).await;
    let digits = code(db).await;
    assert_eq!(anna.say(db, &digits).await, ["Вы вошли. Что вам рассказать?"]);
    let me = anna.customer.clone().expect("signed in").me();
    assert_eq!(
        one!(world, i64, "SELECT COUNT(*) FROM conversations"),
        1,
        "both are one now"
    );
    assert_eq!(anna.choose(db, "purchases").await, ["Покупок пока нет."]);
    for (n, document) in ["R-1", "R-2", "R-3", "R-4", "R-5", "R-6"].into_iter().enumerate() {
        let at = start() - days(i64::try_from(n).expect("few"));
        slip(document, me, at).line("чай", 1, 15_000).book(db).await;
    }
    let purchases = anna.choose(db, "purchases").await;
    assert_eq!(purchases.len(), 5, "the last five: {purchases:?}");
    assert!(purchases[0].contains("150\u{a0}₽"), "{purchases:?}");
    assert_eq!(anna.choose(db, "offers").await, ["Сейчас акций нет."]);
    anna.choose(db, "request").await;
    anna.choose(db, "card").await;
    anna.say(db, "Не читается карта").await;
    let sent = anna.choose(db, "yes").await;
    assert!(sent[0].starts_with("Обращение №"), "{sent:?}");
    let mut conn = db.read().await.expect("a connection");
    let mine = requests::list(&mut conn, me, None, 10).await.expect("read");
    drop(conn);
    assert_eq!(mine.len(), 1);
    anna.choose(db, "yes").await;
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM requests"), 1, "once is once");
});

crm::both_engines!(
    what_is_no_command_is_answered_by_the_help_and_can_be_written,
    async |world| {
        const LOST: &str = "Вчера потеряла карту на Тверской";
        let db = ready(world).await;
        let boris = customer(db).await;
        let mut anna = Person {
            customer: Some(sign_in(db, customer(db).await).await),
            ..Person::default()
        };
        let answers = anna.say(db, LOST).await;
        assert_eq!(answers.len(), 5, "a word before, three articles, a way on: {answers:?}");
        assert!(answers[1].starts_with("Карта потеряна"), "the best first: {answers:?}");
        let said = anna.conversation(db).await.said;
        let mut links = said.into_iter().filter_map(|said| said.link).map(|link| link.path);
        assert_eq!(links.next().as_deref(), Some("/help/lost-card"));
        let write = links.next_back().expect("a way to write it");
        let message = write.strip_prefix("/support/new?said=").expect("to support");
        let message = message.parse().expect("an id");
        let mut conn = db.read().await.expect("a connection");
        let me = anna.customer.as_ref().expect("signed in").me();
        for (who, text) in [(me, Some(LOST)), (boris, None)] {
            let written = dialogue::written_by(&mut conn, who, message).await.expect("read");
            assert_eq!(written.as_deref(), text, "what one wrote is one's own");
        }
        drop(conn);
        assert_eq!(
            anna.say(db, "Где мой попугай?").await,
            ["Такой команды мы не знаем. Нажмите кнопку или напишите «Что вы умеете?»."]
        );
        let last = anna.conversation(db).await.said.pop().expect("an answer");
        assert!(last.link.expect("a way on").path.starts_with("/support/new?said="));
    }
);

crm::both_engines!(before_the_page_it_is_told_what_would_change, async |world| {
    let db = ready(world).await;
    let mut anna = register(db, PHONE).await;
    let phone = anna.choose(db, "phone").await;
    assert_eq!(phone.len(), 3, "{phone:?}");
    assert!(phone[0].contains(&show_phone(PHONE)), "{phone:?}");
    assert!(phone[1].contains("через 24 ч"), "{phone:?}");
    let path = async |anna: &Person| {
        let last = anna.conversation(db).await.said.pop().expect("an answer");
        last.link.expect("a way on").path
    };
    assert_eq!(path(&anna).await, "/profile/contacts");
    // A month after the registration.
    let gift = anna.say(db, "Хочу подарить баллы").await;
    assert!(gift.len() == 2 && gift[0].contains("с 21\u{a0}декабря"), "{gift:?}");
    world.clock.set(start() + days(31));
    let gift = anna.choose(db, "transfer").await;
    let most = crm::points::written(Lang::Ru, 5_000_00);
    assert_eq!(
        gift[0],
        format!("Баллов, которые можно подарить: 0. Сегодня ещё можно: {most}.")
    );
    assert_eq!(path(&anna).await, "/points/transfer");
});

crm::both_engines!(offers_are_told_to_whom_they_hold_for, async |world| {
    let db = ready(world).await;
    let mut anna = Person {
        customer: Some(sign_in(db, customer(db).await).await),
        ..Person::default()
    };
    let friends = publish(db, &rule("Friends", r#""invited""#, TENTH, "")).await;
    let for_friends = NewPromotion {
        rules: vec![friends.id],
        ..promotion("friends", -1, 5)
    };
    put(world, &for_friends).await;
    assert_eq!(
        anna.choose(db, "offers").await,
        ["Сейчас акций нет."],
        "it is for others"
    );
    put(world, &promotion("all", -1, 5)).await;
    let offers = anna.choose(db, "offers").await;
    assert!(offers.len() == 1 && offers[0].starts_with("all"), "{offers:?}");
});

crm::both_engines!(nobody_reads_or_goes_on_with_what_is_somebody_elses, async |world| {
    let db = ready(world).await;
    let mut anna = register(db, PHONE).await;
    anna.choose(db, "request").await;
    let mut boris = Person {
        customer: Some(sign_in(db, customer(db).await).await),
        ..Person::default()
    };
    assert_eq!(boris.conversation(db).await.said.len(), 1, "the greeting alone");
    boris.choose(db, "card").await;
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM requests"), 0);
    // A stranger's conversation is led to by its own token, and by none that somebody made up.
    let mut stranger = Person::default();
    stranger.say(db, "+79005550011").await;
    let token = stranger.token.clone();
    for other in [None, Some(Token::random())] {
        let other = Person {
            token: other,
            ..Person::default()
        };
        assert_eq!(other.conversation(db).await.said.len(), 1);
    }
    // Who is signed in does not see what was said in the browser before.
    boris.token = token;
    let said = boris.conversation(db).await.said;
    assert!(said.iter().all(|said| said.body != "+79005550011"), "{said:?}");
    // And whoever stands in the middle of a registration is not there once somebody is signed in.
    stranger.customer = anna.customer.clone();
    assert!(!stranger.conversation(db).await.wants_code);
});

crm::both_engines!(what_is_written_badly_or_too_often_is_refused, async |world| {
    let db = ready(world).await;
    let mut anna = Person::default();
    for (text, flaw) in [("  ", Flaw::Missing), ("a\u{0}b", Flaw::ControlCharacters)] {
        match anna.hear(db, Input::Typed(text)).await {
            Err(Error::Invalid(flaws)) => assert_eq!(flaws, [("text".to_owned(), flaw)]),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM conversations"), 0);
    anna.say(db, PHONE).await;
    // The same limits as on the page: another code within half a minute is refused, in words.
    let wait = anna.choose(db, "resend").await;
    assert_eq!(wait, ["Слишком часто. Попробуйте ещё раз, подождав (минут: 1)."]);
    let mut boris = Person {
        customer: Some(sign_in(db, customer(db).await).await),
        ..Person::default()
    };
    for _ in 0..240 {
        boris.hear(db, Input::Typed("что?")).await.expect("heard");
    }
    let refused = boris.hear(db, Input::Typed("что?")).await;
    assert!(matches!(refused, Err(Error::TooMany { .. })), "{refused:?}");
});

crm::both_engines!(two_messages_at_once_are_not_both_done, async |world| {
    let db = ready(world).await;
    let mut anna = Person {
        customer: Some(sign_in(db, customer(db).await).await),
        ..Person::default()
    };
    anna.choose(db, "request").await;
    anna.choose(db, "card").await;
    anna.say(db, "Не читается карта").await;
    let speaker = anna.speaker();
    let yes = Input::Chosen("yes");
    let (one_tab, other_tab) = tokio::join!(dialogue::say(db, &speaker, yes), dialogue::say(db, &speaker, yes));
    for result in [one_tab, other_tab] {
        assert!(matches!(result, Ok(_) | Err(Error::Stale)));
    }
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM requests"), 1);
});

crm::both_engines!(
    a_conversation_is_begun_anew_after_a_while_and_forgotten_after_a_month,
    async |world| {
        let db = ready(world).await;
        let mut stranger = Person::default();
        stranger.say(db, "+79005550011").await;
        let mut anna = Person {
            customer: Some(sign_in(db, customer(db).await).await),
            ..Person::default()
        };
        anna.choose(db, "request").await;
        assert!(
            anna.conversation(db)
                .await
                .choices
                .iter()
                .any(|choice| choice.code == "points_missing")
        );
        world.clock.set(start() + Duration::minutes(119));
        dialogue::sweep(db, &BY).await.expect("swept");
        assert!(stranger.conversation(db).await.wants_code);
        world.clock.set(start() + Duration::minutes(121));
        assert!(!stranger.conversation(db).await.wants_code, "the token is over");
        let choices = anna.conversation(db).await.choices;
        assert!(choices.iter().any(|choice| choice.code == "balance"), "{choices:?}");
        assert!(
            anna.conversation(db).await.said.len() > 1,
            "what was said is still there"
        );
        dialogue::sweep(db, &BY).await.expect("swept");
        let strangers = "SELECT COUNT(*) FROM conversations WHERE customer_id IS NULL";
        assert_eq!(
            one!(world, i64, strangers),
            0,
            "of whoever never came in nothing is kept"
        );
        world.clock.set(start() + days(29));
        dialogue::sweep(db, &BY).await.expect("swept");
        assert!(one!(world, i64, "SELECT COUNT(*) FROM conversation_messages") > 0);
        world.clock.set(start() + days(30) + Duration::seconds(1));
        dialogue::sweep(db, &BY).await.expect("swept");
        assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM conversation_messages"), 0);
        assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM conversations"), 0);
    }
);

/// Says something as a customer: for the tests of what is taken home and of what is erased.
pub(crate) async fn say(world: &World, by: &Customer, text: &str) {
    let (visitor, db) = (Visitor::default(), &world.db);
    let speaker = Speaker {
        channel: Channel::Web,
        customer: Some(by),
        token: None,
        attempt: None,
        invite: None,
        lang: Lang::Ru,
        visitor: &visitor,
    };
    let heard = dialogue::say(db, &speaker, Input::Typed(text)).await;
    assert!(heard.is_ok(), "heard");
}

crm::both_engines!(it_is_taken_home, async |world| {
    let db = ready(world).await;
    let who = customer(db).await;
    contact(world, who.id(), Kind::Phone, PHONE).await;
    let anna = sign_in(db, who).await;
    say(world, &anna, "Где мой попугай?").await;
    crm::export::ask(db, &anna.fresh(db).expect("fresh"))
        .await
        .expect("asked");
    let made = crm::export::run_next(db, &BY, |data| {
        let section = data.sections.iter().find(|section| section.name == "conversation");
        let section = section.expect("the section is there");
        assert_eq!(section.rows.len(), 3, "a greeting, a question, an answer");
        assert!(format!("{section:?}").contains("попугай"));
        String::new()
    });
    assert!(made.await.expect("made"));
});

crm::both_engines!(staff_set_what_the_chat_goes_by, async |world| {
    let db = ready(world).await;
    let mara = people::marketer(world).await;
    let (held, seen) = settings::list(db, &mara).await.expect("read");
    let values = |changes: &[(&str, &str)]| -> BTreeMap<String, String> {
        let held = held.iter().map(|(code, value)| (code.clone(), value.to_string()));
        let changes = changes
            .iter()
            .map(|(code, value)| ((*code).to_owned(), (*value).to_owned()));
        held.chain(changes).collect()
    };
    let codes: Vec<_> = held.keys().map(String::as_str).collect();
    assert_eq!(codes, ["kept_days", "offers_shown", "purchases_shown", "state_minutes"]);
    let wrong = values(&[("kept_days", "31"), ("offers_shown", " "), ("purchases_shown", "x")]);
    let refused = settings::set(db, &mara, seen, &wrong).await;
    let Err(Error::Invalid(flaws)) = refused else {
        panic!("{refused:?}")
    };
    let expected = [
        ("kept_days", Flaw::OutOfRange { min: 1, max: 30 }),
        ("purchases_shown", Flaw::NotANumber),
        ("offers_shown", Flaw::Missing),
    ];
    assert_eq!(flaws, expected.map(|(field, flaw)| (field.to_owned(), flaw)));
    let mine = values(&[("offers_shown", "1")]);
    settings::set(db, &mara, seen, &mine).await.expect("set");
    let late = settings::set(db, &mara, seen, &mine).await;
    assert!(matches!(late, Err(Error::Stale)), "{late:?}");
    let (now, seen) = settings::list(db, &mara).await.expect("read");
    assert_eq!((now["offers_shown"], now["kept_days"]), (1, held["kept_days"]));
    settings::set(db, &mara, seen, &mine).await.expect("nothing to do");
    assert_eq!(settings::list(db, &mara).await.expect("read").1, seen);
    let said = "SELECT reason FROM audit WHERE action = 'dialogue.set'";
    assert_eq!(one!(world, String, said), "offers_shown 5 → 1");
    let agent = people::agent(world).await;
    let refused = settings::set(db, &agent, seen, &mine).await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    let refused = settings::list(db, &agent).await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
});
