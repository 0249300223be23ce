//! What customers tell of themselves: the questionnaire, what they like in their own words, and a birthday that is not changed at
//! will, on both engines.

use crate::common::people::{self, one, sql, staff_token};
use crate::common::{BY, assert_books_agree, balance, customer, join, program, ready, sign_in};
use crate::rules::{fixed, publish, rule};
use chrono::NaiveDate;
use crm::customer::store::{self as customers, Preferences};
use crm::customer::{PersonForm, Wishes};
use crm::db::Db;
use crm::flaw::Flaw;
use crm::questionnaire::managing::{self, NewQuestion};
use crm::questionnaire::{Answer, store as questionnaire};
use crm::rule::Occasion;
use crm::rule::store::days;
use crm::testing::{World, start};
use crm::who::{self, Customer, Staff, Subject, Visitor};
use crm::{Error, both_engines};
use std::collections::BTreeMap;

fn chosen(answers: &[(&str, &str)]) -> BTreeMap<String, String> {
    let answers = answers
        .iter()
        .map(|(question, choice)| ((*question).to_owned(), (*choice).to_owned()));
    answers.collect()
}

async fn tell(db: &Db, by: &Customer, answers: &[(&str, &str)]) -> Result<(), Error> {
    questionnaire::tell(db, by, &chosen(answers)).await
}

fn codes(answers: &[Answer]) -> Vec<(&str, &str)> {
    let codes = answers
        .iter()
        .map(|answer| (answer.question.as_str(), answer.choice.as_str()));
    codes.collect()
}

async fn told(db: &Db, by: &Customer) -> Vec<Answer> {
    let mut conn = db.read().await.expect("a connection");
    questionnaire::told(&mut conn, by).await.expect("read")
}

async fn open(db: &Db, of: Subject) -> Vec<Answer> {
    let mut conn = db.read().await.expect("a connection");
    questionnaire::open(&mut conn, of).await.expect("read")
}

/// Somebody without the right to incomes, and the same person with it.
async fn staff(world: &World) -> (Staff, Staff) {
    let (agent, token) = staff_token(world, "petrov").await;
    sql!(world, "UPDATE staff SET role = 'administrator'");
    let chief = who::staff(&world.db, &token, &Visitor::default()).await;
    (agent, chief.expect("no error").expect("signed in"))
}

both_engines!(staff_note_what_they_were_told_and_no_log_says_what, async |world| {
    let db = ready(world).await;
    let who = customer(db).await;
    let anna = sign_in(db, who).await;
    let (agent, chief) = staff(world).await;
    let shown = async || {
        let mut conn = db.read().await.expect("a connection");
        questionnaire::chosen(&mut conn, who).await.expect("read")
    };
    let seen = shown().await;
    assert!(seen.contains_key("sex") && !seen.contains_key("income"), "{seen:?}");
    let mut told_to_staff = seen.clone();
    told_to_staff.insert("sex".into(), "female".into());
    // What is guarded is nobody's to note.
    told_to_staff.insert("income".into(), "any".into());
    let refused = questionnaire::note(db, &agent, who.id(), &seen, &told_to_staff, "нет права").await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    let made_up = chosen(&[("sex", "nobody")]);
    let flawed = questionnaire::note(db, &chief, who.id(), &seen, &made_up, "").await;
    assert!(
        matches!(&flawed, Err(Error::Invalid(flaws)) if flaws.len() == 2),
        "{flawed:?}"
    );
    questionnaire::note(db, &chief, who.id(), &seen, &told_to_staff, "По телефону")
        .await
        .expect("noted");
    assert_eq!(codes(&told(db, &anna).await), [("sex", "female")]);
    let late = questionnaire::note(db, &chief, who.id(), &seen, &seen, "Передумала").await;
    assert!(matches!(late, Err(Error::Stale)), "{late:?}");
    let written = one!(
        world,
        String,
        "SELECT reason FROM audit WHERE action = 'questionnaire.note'"
    );
    assert_eq!(written, "По телефону");
});

both_engines!(
    answers_are_told_changed_and_taken_back_and_incomes_are_guarded,
    async |world| {
        let db = ready(world).await;
        let who = customer(db).await;
        let anna = sign_in(db, who).await;
        let mut conn = db.read().await.expect("a connection");
        let questions = questionnaire::questions(&mut conn).await.expect("read");
        drop(conn);
        let asked: Vec<_> = questions
            .iter()
            .map(|one| (one.code.as_str(), one.is_guarded))
            .collect();
        assert_eq!(
            asked,
            [
                ("sex", false),
                ("occupation", false),
                ("household", false),
                ("income", true)
            ]
        );
        assert!(
            questions
                .iter()
                .all(|one| one.choices.len() > 1 && !one.why.ru.is_empty())
        );

        tell(
            db,
            &anna,
            &[
                ("sex", "female"),
                ("income", "from_60"),
                ("household", ""),
                ("shoes", "38"),
            ],
        )
        .await
        .expect("told");
        let all = told(db, &anna).await;
        assert_eq!(codes(&all), [("sex", "female"), ("income", "from_60")]);
        assert_eq!(all[1].name.en, "60,000–100,000 ₽");
        // What is none of the choices is refused, with everything that was sent along.
        let wrong = tell(db, &anna, &[("sex", "male"), ("income", "much")]).await;
        assert!(
            matches!(&wrong, Err(Error::Invalid(flaws)) if *flaws == [("income".to_owned(), Flaw::NotAChoice)]),
            "{wrong:?}"
        );
        assert_eq!(codes(&told(db, &anna).await)[0], ("sex", "female"));

        // Staff see what is not guarded; the rest by their right, each time written down.
        let (agent, chief) = staff(world).await;
        assert_eq!(codes(&open(db, who).await), [("sex", "female")]);
        let reads = "SELECT COUNT(*) FROM audit WHERE action = 'customer.read' AND reason = 'income'";
        assert!(matches!(
            questionnaire::guarded(db, &agent, who.id()).await,
            Err(Error::Forbidden)
        ));
        assert_eq!(one!(world, i64, reads), 0);
        let income = questionnaire::guarded(db, &chief, who.id()).await.expect("read");
        assert_eq!(codes(&income), [("income", "from_60")]);
        assert_eq!(one!(world, i64, reads), 1);

        // One answer is taken back, then all of them.
        tell(db, &anna, &[("sex", "male")]).await.expect("told");
        assert_eq!(codes(&told(db, &anna).await), [("sex", "male")]);
        let other = sign_in(db, customer(db).await).await;
        tell(db, &other, &[("sex", "male")]).await.expect("told");
        questionnaire::withdraw(db, &anna).await.expect("withdrawn");
        assert_eq!(told(db, &anna).await, []);
        assert_eq!(told(db, &other).await.len(), 1, "somebody else's stay");
        // The log says that they answered, and not what.
        let log = "SELECT COUNT(*) FROM audit WHERE action LIKE 'questionnaire.%' AND reason = ''";
        assert_eq!(one!(world, i64, log), 4);
    }
);

both_engines!(a_question_counts_in_its_newest_version_that_has_begun, async |world| {
    let db = ready(world).await;
    let anna = sign_in(db, customer(db).await).await;
    tell(db, &anna, &[("sex", "female")]).await.expect("told");
    let (now, soon) = (start(), start() + chrono::Duration::days(1));
    for (version, enabled, at) in [(2_i64, true, now), (3, false, soon)] {
        sql!(
            world,
            "INSERT INTO questionnaire_questions (code, version, position, enabled, is_guarded, title, why, published_at) \
             SELECT code, $1, position, $2, is_guarded, title, why, $3 FROM questionnaire_questions WHERE code = 'sex' AND version = 1",
            version,
            enabled,
            at,
        );
    }
    sql!(
        world,
        "INSERT INTO questionnaire_choices (question, version, code, position, name) \
         SELECT question, 2, 'other', 9, name FROM questionnaire_choices WHERE question = 'sex' AND code = 'male'",
    );
    let asked = async || {
        let mut conn = db.read().await.expect("a connection");
        let all = questionnaire::questions(&mut conn).await.expect("read");
        let sex = all.into_iter().find(|one| one.code == "sex");
        sex.map(|one| (one.version, one.choices.len()))
    };
    assert_eq!(asked().await, Some((2, 1)));
    assert_eq!(
        codes(&told(db, &anna).await),
        [("sex", "female")],
        "an answer is kept as it was asked"
    );
    let old = tell(db, &anna, &[("sex", "female")]).await;
    assert!(matches!(old, Err(Error::Invalid(_))), "{old:?}");
    tell(db, &anna, &[("sex", "other")]).await.expect("told");
    world.clock.set(soon);
    assert_eq!(asked().await, None, "it is asked no more");
    // A newer program brings nothing twice.
    crm::content::load(db, &BY).await.expect("once more");
    let versions = "SELECT COUNT(*) FROM questionnaire_questions WHERE code = 'sex'";
    assert_eq!(one!(world, i64, versions), 3);
});

both_engines!(the_answers_are_rewarded_once_and_without_an_income, async |world| {
    let db = ready(world).await;
    let club = program(db, "club").await;
    let who = customer(db).await;
    join(db, who, "club", start() - chrono::Duration::days(9)).await;
    let anna = sign_in(db, who).await;
    let gives = async || {
        let mut conn = db.read().await.expect("a connection");
        let gives = customers::gives_for(&mut conn, who, Occasion::Questionnaire).await;
        gives.expect("read").len()
    };
    assert_eq!(gives().await, 0, "no rule gives anything");
    publish(
        db,
        &rule("Told", "", &fixed(club, 50_00), r#", "occasion": "questionnaire""#),
    )
    .await;
    // Another occasion has nothing to do with it.
    publish(db, &rule("Whole", "", &fixed(club, 7_00), r#", "occasion": "profile""#)).await;
    assert_eq!(gives().await, 1);
    let points = async || {
        let balance = balance(db, who).await;
        balance.active + balance.pending
    };
    let most = [("sex", "female"), ("occupation", "study")];
    tell(db, &anna, &most).await.expect("told");
    assert_eq!(points().await, 0, "one is missing");
    let all = [most[0], most[1], ("household", "alone")];
    tell(db, &anna, &all).await.expect("told");
    assert_eq!(points().await, 50_00, "nobody has to tell their income");
    assert_eq!(gives().await, 0);
    questionnaire::withdraw(db, &anna).await.expect("withdrawn");
    assert_eq!(points().await, 50_00, "what was given stays");
    tell(db, &anna, &all).await.expect("told again");
    assert_eq!(points().await, 50_00, "once");
    let rewards = "SELECT COUNT(*) FROM rewards WHERE occasion = 'questionnaire' AND period = 'questionnaire'";
    assert_eq!(one!(world, i64, rewards), 1);
    assert_books_agree(db).await;
});

both_engines!(
    whoever_had_answered_before_a_rule_began_is_rewarded_by_the_daily_work,
    async |world| {
        let db = ready(world).await;
        let club = program(db, "club").await;
        let (mut all, answers) = (
            Vec::new(),
            [("sex", "female"), ("occupation", "study"), ("household", "alone")],
        );
        // Of the second one an answer is missing, though they told what nobody has to; the third one's is offered no more.
        let told = [
            answers.to_vec(),
            vec![answers[0], answers[1], ("income", "from_60")],
            vec![("sex", "male"), answers[1], answers[2]],
        ];
        for answers in &told {
            let who = customer(db).await;
            join(db, who, "club", start() - chrono::Duration::days(9)).await;
            tell(db, &sign_in(db, who).await, answers).await.expect("told");
            all.push(who);
        }
        sql!(
            world,
            "INSERT INTO questionnaire_questions (code, version, position, enabled, is_guarded, title, why, published_at) \
             SELECT code, 2, position, enabled, is_guarded, title, why, published_at FROM questionnaire_questions \
             WHERE code = 'sex' AND version = 1"
        );
        sql!(
            world,
            "INSERT INTO questionnaire_choices (question, version, code, position, name) \
             SELECT question, 2, code, position, name FROM questionnaire_choices WHERE question = 'sex' AND code = 'female'"
        );
        publish(
            db,
            &rule("Told", "", &fixed(club, 50_00), r#", "occasion": "questionnaire""#),
        )
        .await;
        assert_eq!(days::run_due(db, &BY).await.expect("done"), 1);
        let points = async |who| {
            let balance = balance(db, who).await;
            balance.active + balance.pending
        };
        assert_eq!(points(all[0]).await, 50_00);
        assert_eq!((points(all[1]).await, points(all[2]).await), (0, 0));
        assert_eq!(days::run_due(db, &BY).await.expect("done"), 0, "once");
        assert_books_agree(db).await;
    }
);

both_engines!(where_nothing_is_asked_nothing_is_rewarded, async |world| {
    let db = ready(world).await;
    let club = program(db, "club").await;
    let who = customer(db).await;
    join(db, who, "club", start() - chrono::Duration::days(9)).await;
    let anna = sign_in(db, who).await;
    publish(
        db,
        &rule("Told", "", &fixed(club, 50_00), r#", "occasion": "questionnaire""#),
    )
    .await;
    // Only the income is asked, which nobody has to tell.
    sql!(
        world,
        "UPDATE questionnaire_questions SET enabled = FALSE WHERE NOT is_guarded"
    );
    tell(db, &anna, &[]).await.expect("taken");
    assert_eq!(days::run_due(db, &BY).await.expect("done"), 0);
    let balance = balance(db, who).await;
    assert_eq!((balance.active, balance.pending), (0, 0));
});

both_engines!(a_birthday_is_changed_twice_and_then_by_request, async |world| {
    let db = ready(world).await;
    let who = customer(db).await;
    let (anna, other) = (sign_in(db, who).await, sign_in(db, customer(db).await).await);
    let change = async |by: &Customer, day: &str, address: &str| {
        let form = PersonForm {
            name: "Анна".into(),
            surname: "К".into(),
            day: day.into(),
            month: "5".into(),
            year: "1990".into(),
        };
        customers::change_person(db, by, &form, address).await
    };
    let now = async || {
        let mut conn = db.read().await.expect("a connection");
        let person = customers::person(&mut conn, who).await.expect("there");
        (person.birthday, person.address)
    };
    let day = |day| NaiveDate::from_ymd_opt(1990, 5, day);
    // To tell it is no change, nor is to send it once more.
    for (typed, address) in [("1", ""), ("1", " Тверь, Садовая, 1 "), ("2", ""), ("3", "Тверь")] {
        change(&anna, typed, address).await.expect("changed");
    }
    assert_eq!(now().await, (day(3), Some("Тверь".into())));
    let refused = change(&anna, "4", "Ржев").await;
    assert!(
        matches!(&refused, Err(Error::Invalid(flaws)) if *flaws == [("birthday".to_owned(), Flaw::ByRequest)]),
        "{refused:?}"
    );
    assert_eq!(
        now().await,
        (day(3), Some("Тверь".into())),
        "nothing else of it is done"
    );
    change(&anna, "3", "Ржев").await.expect("the rest may be changed");
    let long = change(&anna, "3", &"я".repeat(301)).await;
    assert!(
        matches!(&long, Err(Error::Invalid(flaws)) if *flaws == [("address".to_owned(), Flaw::TooLong { max: 300 })]),
        "{long:?}"
    );

    let (agent, _) = staff(world).await;
    let silent = customers::allow_birthday(db, &agent, who.id(), " ").await;
    assert!(matches!(silent, Err(Error::Invalid(_))), "{silent:?}");
    customers::allow_birthday(db, &agent, who.id(), "показала паспорт")
        .await
        .expect("allowed");
    let twice = customers::allow_birthday(db, &agent, who.id(), "ещё раз").await;
    assert!(matches!(twice, Err(Error::Stale)), "{twice:?}");
    change(&anna, "4", "").await.expect("changed");
    assert_eq!(now().await, (day(4), None));
    assert!(change(&anna, "5", "").await.is_err(), "once");
    change(&other, "5", "").await.expect("somebody else's is their own");
});

both_engines!(what_a_customer_likes_is_kept_in_their_words, async |world| {
    let db = ready(world).await;
    let who = customer(db).await;
    let anna = sign_in(db, who).await;
    let wishes = |brands: &str, wishes: &str| Preferences {
        wishes: Wishes {
            brands: brands.into(),
            wishes: wishes.into(),
            ..Wishes::default()
        },
        ..Preferences::default()
    };
    let kept = async || {
        let mut conn = db.read().await.expect("a connection");
        customers::profile(&mut conn, who).await.expect("there").wishes
    };
    assert_eq!(kept().await, Wishes::default());
    customers::change_preferences(db, &anna, &wishes(" Заря, Луч ", "Больше\r\nчая"))
        .await
        .expect("kept");
    let now = kept().await;
    assert_eq!((now.brands.as_str(), now.wishes.as_str()), ("Заря, Луч", "Больше\nчая"));
    let wrong = customers::change_preferences(db, &anna, &wishes(&"я".repeat(201), "a\u{7}")).await;
    let Err(Error::Invalid(flaws)) = wrong else {
        panic!("{wrong:?}");
    };
    assert_eq!(
        flaws,
        [
            ("brands".to_owned(), Flaw::TooLong { max: 200 }),
            ("wishes".to_owned(), Flaw::ControlCharacters)
        ]
    );
    assert_eq!(kept().await, now);
    customers::change_preferences(db, &anna, &Preferences::default())
        .await
        .expect("taken back");
    assert_eq!(kept().await, Wishes::default());
});

/// The codes of what is asked now, in its order.
async fn asked(db: &Db) -> Vec<String> {
    let mut conn = db.read().await.expect("a connection");
    let questions = questionnaire::questions(&mut conn).await.expect("read");
    questions.into_iter().map(|question| question.code).collect()
}

both_engines!(
    staff_write_questions_and_answers_keep_what_they_answered,
    async |world| {
        let db = ready(world).await;
        let mara = people::marketer(world).await;
        let who = customer(db).await;
        let anna = sign_in(db, who).await;
        let new = NewQuestion {
            key: " Pets ".into(),
            position: "2".into(),
            asked: true,
            guarded: true,
            title: people::text("Pets"),
            why: people::text("For their food"),
            choices: vec![
                ("cat".into(), people::text("A cat")),
                ("dog".into(), people::text("A dog")),
            ],
        };
        let mut wrong = new.clone();
        // What the adapter of forms reads is no question.
        wrong.key = "_fn".into();
        wrong.position = "0".into();
        wrong.choices[1] = ("cat".into(), people::text("A lion"));
        let refused = managing::create(db, &mara, &wrong).await;
        let Err(Error::Invalid(flaws)) = refused else {
            panic!("{refused:?}")
        };
        let expected = [
            ("key", Flaw::NotACode),
            ("position", Flaw::OutOfRange { min: 1, max: 100 }),
            ("choices", Flaw::Unreadable { line: 2 }),
        ];
        assert_eq!(flaws, expected.map(|(field, flaw)| (field.to_owned(), flaw)));
        assert_eq!(managing::create(db, &mara, &new).await.expect("added"), "pets");
        let twice = managing::create(db, &mara, &new).await;
        assert!(
            matches!(&twice, Err(Error::Invalid(flaws)) if flaws == &[("key".to_owned(), Flaw::Taken)]),
            "{twice:?}"
        );
        assert_eq!(asked(db).await, ["sex", "occupation", "pets", "household", "income"]);
        tell(db, &anna, &[("sex", "female"), ("pets", "cat")])
            .await
            .expect("told");

        // Without cats, and as if it were no longer guarded: who answered was promised that it is.
        let next = NewQuestion {
            key: "pets".into(),
            guarded: false,
            title: people::text("Animals"),
            choices: vec![("dog".into(), people::text("A dog"))],
            ..new
        };
        managing::change(db, &mara, 1, &next).await.expect("changed");
        let late = managing::change(db, &mara, 1, &next).await;
        assert!(matches!(late, Err(Error::Stale)), "{late:?}");
        let all = told(db, &anna).await;
        assert_eq!(codes(&all), [("sex", "female"), ("pets", "cat")]);
        assert_eq!((all[1].title.en.as_str(), all[1].name.en.as_str()), ("Pets", "A cat"));
        let lost = tell(db, &anna, &[("pets", "cat")]).await;
        assert!(matches!(lost, Err(Error::Invalid(_))), "{lost:?}");
        tell(db, &anna, &[("pets", "dog")]).await.expect("told");
        assert_eq!(
            codes(&open(db, who).await),
            [("", ""); 0],
            "staff do not read it like that"
        );

        // What is not asked any more is kept, until it is taken back with everything.
        let hidden = NewQuestion { asked: false, ..next };
        managing::change(db, &mara, 2, &hidden).await.expect("changed");
        managing::change(db, &mara, 3, &hidden).await.expect("nothing to do");
        assert_eq!(asked(db).await, ["sex", "occupation", "household", "income"]);
        tell(db, &anna, &[("sex", "female")]).await.expect("told");
        assert_eq!(codes(&told(db, &anna).await), [("sex", "female"), ("pets", "dog")]);
        questionnaire::withdraw(db, &anna).await.expect("taken back");
        assert!(told(db, &anna).await.is_empty());

        let versions = managing::versions(db, &mara, "pets").await.expect("read");
        let known: Vec<_> = versions
            .iter()
            .map(|one| {
                (
                    one.record.question.version,
                    one.record.is_asked,
                    one.published_by.as_deref(),
                )
            })
            .collect();
        assert_eq!(
            known,
            [
                (3, false, Some("Мара")),
                (2, true, Some("Мара")),
                (1, true, Some("Мара"))
            ]
        );
        assert!(versions.iter().all(|one| one.record.question.is_guarded));
        let list = managing::list(db, &mara).await.expect("read");
        let newest: Vec<_> = list
            .iter()
            .map(|one| (one.record.question.code.as_str(), one.record.question.version))
            .collect();
        let order = [
            ("sex", 1),
            ("occupation", 1),
            ("pets", 3),
            ("household", 1),
            ("income", 1),
        ];
        assert_eq!(newest, order);
        let none = managing::versions(db, &mara, "nothing").await;
        assert!(matches!(none, Err(Error::NotFound)), "{none:?}");

        let agent = people::agent(world).await;
        let refused = [
            managing::create(db, &agent, &hidden).await.err(),
            managing::change(db, &agent, 3, &hidden).await.err(),
            managing::list(db, &agent).await.err(),
            managing::versions(db, &agent, "pets").await.err(),
        ];
        for error in refused {
            assert!(matches!(error, Some(Error::Forbidden)), "{error:?}");
        }
    }
);
