//! The help: what readers see of it, what staff write, and what readers leave behind.

use crate::common::people::{self, SYSTEM, marketer, one};
use crate::common::ready;
use chrono::{Duration, NaiveDate};
use crm::audit::{self, Object};
use crm::error::Error;
use crm::flaw::Flaw;
use crm::help::store::managing::{self, Article, State};
use crm::help::store::parts::{self, Part};
use crm::help::store::{self as help, Reader};
use crm::help::{Content, Shown, search};
use crm::lang::{Lang, Localized};
use crm::request::store as requests;
use crm::testing::{World, start};
use crm::who::{Staff, Visitor};

fn both(text: &str) -> Localized {
    Localized {
        ru: text.into(),
        en: format!("{text} (en)"),
    }
}

fn content(title: &str) -> Content {
    Content {
        category: "card".into(),
        topic: Some("card".into()),
        title: both(title),
        summary: both("Коротко"),
        keywords: Localized::default(),
        body: both("Подробно"),
        expires_on: None,
    }
}

async fn shown(world: &World) -> Vec<Shown> {
    let mut conn = world.db.read().await.expect("a connection");
    help::shown(&mut conn).await.expect("read")
}

/// The title of an article as readers see it, in Russian.
async fn title(world: &World, code: &str) -> Option<String> {
    let all = shown(world).await;
    all.into_iter()
        .find(|article| article.code == code)
        .map(|article| article.content.title.ru)
}

async fn read(world: &World, by: &Staff, code: &str) -> Article {
    managing::read(&world.db, by, code).await.expect("an article")
}

async fn state(world: &World, by: &Staff, code: &str) -> State {
    let all = managing::list(&world.db, by).await.expect("listed");
    all.into_iter()
        .find(|entry| entry.code == code)
        .expect("it is there")
        .state
}

/// Writes a draft over whatever there is.
async fn draft(world: &World, by: &Staff, code: &str, content: &Content) {
    let seen = read(world, by, code).await.draft.map(|draft| draft.changed_at);
    managing::write(&world.db, by, code, seen, content)
        .await
        .expect("written");
}

async fn publish(world: &World, by: &Staff, code: &str, wait: Option<Duration>) -> Result<i64, Error> {
    let seen = read(world, by, code).await.draft.expect("a draft").changed_at;
    let from = wait.map(|wait| world.db.now() + wait);
    managing::publish(&world.db, by, code, seen, from).await
}

crm::both_engines!(the_help_comes_whole_and_only_once, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let all = shown(world).await;
    assert!(all.len() >= 24, "{}", all.len());
    let mut conn = db.read().await.expect("a connection");
    let categories = help::categories(&mut conn).await.expect("read");
    let topics = requests::topics(&mut conn).await.expect("read");
    drop(conn);
    let today = NaiveDate::from_ymd_opt(2026, 11, 21).expect("a day");
    for article in &all {
        let Shown { code, content, .. } = article;
        assert_eq!(content.lacks(today), [], "{code}");
        assert!(categories.iter().any(|part| part.code == content.category), "{code}");
        let topic = content.topic.as_ref().expect("a topic");
        assert!(topics.iter().any(|one| one.code == *topic), "{code}");
    }
    for part in &categories {
        assert!(all.iter().any(|one| one.content.category == part.code), "{}", part.code);
    }
    for (lang, text, first) in [
        (Lang::Ru, "когда сгорят баллы", "when-points-expire"),
        (Lang::Ru, "потеряла карту", "lost-card"),
        (Lang::Ru, "не приходит код", "code-does-not-come"),
        (Lang::En, "lost card", "lost-card"),
        (Lang::En, "invite friends", "invite-a-friend"),
    ] {
        let found = search(&all, lang, text);
        let codes: Vec<_> = found.iter().map(|article| &article.code).collect();
        assert!(codes.first().is_some_and(|code| **code == first), "{text}: {codes:?}");
    }
    // What staff withdrew does not come back with the next start.
    managing::withdraw(db, &mara, "lost-card").await.expect("withdrawn");
    ready(world).await;
    assert_eq!(shown(world).await.len(), all.len() - 1);
});

crm::both_engines!(an_article_is_shown_from_its_moment_until_its_last_day, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let code = managing::create(db, &mara, " New-Card ", &content("Первая"))
        .await
        .expect("begun");
    assert_eq!(code, "new-card");
    assert_eq!(title(world, &code).await, None, "a draft is nobody's yet");
    assert_eq!(state(world, &mara, &code).await, State::Draft);

    // Ahead, and taken back.
    publish(world, &mara, &code, Some(Duration::hours(1)))
        .await
        .expect("ahead");
    assert_eq!(title(world, &code).await, None, "not yet");
    assert_eq!(state(world, &mara, &code).await, State::Ahead);
    draft(world, &mara, &code, &content("Другая")).await;
    let twice = publish(world, &mara, &code, None).await;
    assert!(matches!(twice, Err(Error::Stale)), "one lies ahead already: {twice:?}");
    managing::discard(db, &mara, &code, db.now()).await.expect("discarded");
    managing::cancel(db, &mara, &code).await.expect("taken back");
    let late = managing::cancel(db, &mara, &code).await;
    assert!(matches!(late, Err(Error::Stale)), "{late:?}");
    world.clock.set(start() + Duration::hours(2));
    assert_eq!(title(world, &code).await, None, "it was taken back");
    let past = publish(world, &mara, &code, Some(Duration::seconds(-1))).await;
    assert!(
        matches!(&past, Err(Error::Invalid(flaws)) if flaws == &[("from".to_owned(), Flaw::TooLate)]),
        "{past:?}"
    );
    assert_eq!(publish(world, &mara, &code, None).await.expect("published"), 1);
    assert_eq!(title(world, &code).await.as_deref(), Some("Первая"));

    // The next version, until the end of its last day by the clock of the shop.
    let mut next = content("Вторая");
    next.expires_on = NaiveDate::from_ymd_opt(2026, 11, 22);
    draft(world, &mara, &code, &next).await;
    assert_eq!(
        title(world, &code).await.as_deref(),
        Some("Первая"),
        "a draft changes nothing"
    );
    let ahead = publish(world, &mara, &code, Some(Duration::hours(1))).await;
    assert_eq!(ahead.expect("ahead"), 2);
    assert_eq!(title(world, &code).await.as_deref(), Some("Первая"), "not yet");
    world.clock.set(start() + Duration::hours(3));
    assert_eq!(title(world, &code).await.as_deref(), Some("Вторая"));
    let midnight = start() + Duration::hours(33);
    world.clock.set(midnight - Duration::seconds(1));
    assert_eq!(title(world, &code).await.as_deref(), Some("Вторая"));
    world.clock.set(midnight);
    assert_eq!(title(world, &code).await, None);
    assert_eq!(state(world, &mara, &code).await, State::Expired);

    // Withdrawn, and shown again by a new version.
    draft(world, &mara, &code, &content("Третья")).await;
    publish(world, &mara, &code, None).await.expect("published");
    managing::withdraw(db, &mara, &code).await.expect("withdrawn");
    assert_eq!(title(world, &code).await, None, "nor is an earlier version shown");
    assert_eq!(state(world, &mara, &code).await, State::Withdrawn);
    let twice = managing::withdraw(db, &mara, &code).await;
    assert!(matches!(twice, Err(Error::Stale)), "{twice:?}");
    draft(world, &mara, &code, &content("Четвёртая")).await;
    publish(world, &mara, &code, None).await.expect("published");
    assert_eq!(title(world, &code).await.as_deref(), Some("Четвёртая"));

    let article = read(world, &mara, &code).await;
    let told: Vec<_> = article
        .versions
        .iter()
        .map(|one| (one.version, one.published_by.as_deref()))
        .collect();
    assert_eq!(told, [4_i64, 3, 2, 1].map(|version| (version, Some("Мара"))));
    let mut conn = db.read().await.expect("a connection");
    let acts = audit::of_object(&mut conn, &mara, Object::HelpArticle(article.id), 50)
        .await
        .expect("read");
    let actions: Vec<_> = acts.iter().rev().map(|act| act.action.as_str()).collect();
    assert_eq!(
        actions,
        [
            "help.create",
            "help.publish",
            "help.draft",
            "help.discard",
            "help.cancel",
            "help.publish",
            "help.draft",
            "help.publish",
            "help.draft",
            "help.publish",
            "help.withdraw",
            "help.draft",
            "help.publish",
        ]
    );
});

crm::both_engines!(drafts_are_written_by_one_at_a_time_and_published_whole, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let flaws = |result: Result<String, Error>| match result {
        Err(Error::Invalid(flaws)) => flaws,
        other => panic!("{other:?}"),
    };
    let mut wrong = content("");
    wrong.title.en = "x".repeat(121);
    wrong.category = "nowhere".into();
    wrong.topic = Some("nothing".into());
    wrong.body.ru = "\u{7}".into();
    let told = flaws(managing::create(db, &mara, "карта", &wrong).await);
    let at: Vec<_> = told.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(at, ["key", "title_ru", "title_en", "body_ru", "category", "topic"]);
    let told = flaws(managing::create(db, &mara, "lost-card", &content("Ещё одна")).await);
    assert_eq!(told, [("key".to_owned(), Flaw::Taken)]);

    // A draft may lack something, what is published may not.
    let mut unfinished = content("Черновик");
    unfinished.topic = None;
    unfinished.body.en = String::new();
    unfinished.expires_on = NaiveDate::from_ymd_opt(2026, 11, 20);
    managing::create(db, &mara, "unfinished", &unfinished)
        .await
        .expect("begun");
    let refused = publish(world, &mara, "unfinished", None).await;
    let missing = [
        ("body_en".to_owned(), Flaw::Missing),
        ("expires".to_owned(), Flaw::InThePast),
    ];
    assert!(
        matches!(&refused, Err(Error::Invalid(flaws)) if *flaws == missing),
        "{refused:?}"
    );
    assert_eq!(title(world, "unfinished").await, None);

    // Whoever is quicker wins.
    let seen = read(world, &mara, "unfinished")
        .await
        .draft
        .map(|draft| draft.changed_at);
    world.clock.set(start() + Duration::seconds(1));
    managing::write(db, &mara, "unfinished", seen, &content("Быстрее"))
        .await
        .expect("written");
    for late in [None, seen] {
        let stale = managing::write(db, &mara, "unfinished", late, &content("Медленнее")).await;
        assert!(matches!(stale, Err(Error::Stale)), "{stale:?}");
    }
    let stale = managing::publish(db, &mara, "unfinished", seen.expect("a draft"), None).await;
    assert!(matches!(stale, Err(Error::Stale)), "{stale:?}");

    let stale = managing::discard(db, &mara, "unfinished", seen.expect("a draft")).await;
    assert!(matches!(stale, Err(Error::Stale)), "{stale:?}");

    // What was never published goes with its draft, and what was stays.
    let gone = managing::discard(db, &mara, "unfinished", db.now()).await;
    assert!(!gone.expect("discarded"));
    let gone = managing::read(db, &mara, "unfinished").await;
    assert!(matches!(gone, Err(Error::NotFound)), "{gone:?}");
    draft(world, &mara, "lost-card", &content("Иначе")).await;
    let stays = managing::discard(db, &mara, "lost-card", db.now()).await;
    assert!(stays.expect("discarded"));
    let nothing = managing::discard(db, &mara, "lost-card", db.now()).await;
    assert!(matches!(nothing, Err(Error::Stale)), "{nothing:?}");
});

/// Somebody who is not signed in.
fn nobody(visitor: &Visitor) -> Reader<'_> {
    Reader {
        customer: None,
        visitor,
        lang: Lang::Ru,
    }
}

crm::both_engines!(each_reader_has_one_vote_a_day_and_is_not_known_by_it, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let anna = people::customer(world, "Anna", "K").await;
    let browser = |network: &str, device: &str| Visitor {
        network: network.into(),
        device: device.into(),
        ..Visitor::default()
    };
    let [firefox, safari] = ["Firefox", "Safari"].map(|device| browser("192.0.2.1", device));
    let signed_in = Reader {
        customer: Some(&anna),
        ..nobody(&firefox)
    };
    let votes = async || {
        let all = managing::list(db, &mara).await.expect("listed");
        let entry = all
            .into_iter()
            .find(|entry| entry.code == "tiers")
            .expect("it is there");
        (entry.useful, entry.useless)
    };
    for (by, is_useful, expected) in [
        (nobody(&firefox), true, (1, 0)),
        (nobody(&firefox), true, (1, 0)),
        (nobody(&firefox), false, (0, 1)),
        (nobody(&safari), true, (1, 1)),
        (signed_in, false, (1, 2)),
    ] {
        help::vote(db, by, "tiers", is_useful).await.expect("taken");
        assert_eq!(votes().await, expected);
    }
    for wrong in [" ", "\u{0}"] {
        let refused = help::tell_missing(db, signed_in, "tiers", wrong).await;
        assert!(
            matches!(&refused, Err(Error::Invalid(flaws)) if flaws[0].0 == "missing"),
            "{refused:?}"
        );
    }
    help::tell_missing(db, signed_in, "tiers", " Примера ")
        .await
        .expect("taken");
    help::vote(db, signed_in, "tiers", false).await.expect("taken");
    assert_eq!(votes().await, (1, 2), "still one vote");
    let missing = async || managing::gaps(db, &mara).await.expect("read").1;
    let told = missing().await;
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].code.as_str(), told[0].missing.as_str(), told[0].language),
        ("tiers", "Примера", Lang::Ru)
    );
    help::vote(db, signed_in, "tiers", true).await.expect("taken");
    assert_eq!(missing().await, [], "they found it after all");

    // The next day they vote anew, and nothing tells that it is the same reader.
    world.clock.set(start() + Duration::days(1));
    help::vote(db, signed_in, "tiers", true).await.expect("taken");
    assert_eq!(votes().await, (3, 1));
    let voters = one!(world, i64, "SELECT COUNT(DISTINCT voter) FROM help_votes");
    assert_eq!(voters, 4);

    // Another version begins anew.
    draft(world, &mara, "tiers", &content("Уровни")).await;
    publish(world, &mara, "tiers", None).await.expect("published");
    assert_eq!(votes().await, (0, 0));
    let versions = read(world, &mara, "tiers").await.versions;
    let told: Vec<_> = versions.iter().map(|one| (one.useful, one.useless)).collect();
    assert_eq!(told, [(0, 0), (3, 1)]);

    managing::withdraw(db, &mara, "lost-card").await.expect("withdrawn");
    for code in ["lost-card", "nothing", "\u{0}", "' OR 1=1"] {
        let refused = help::vote(db, signed_in, code, true).await;
        assert!(matches!(refused, Err(Error::NotFound)), "{code:?}: {refused:?}");
    }
    // A network votes so often an hour, whatever its browsers call themselves.
    let mut refused = 0;
    for n in 0..70 {
        let visitor = browser("198.51.100.1", &n.to_string());
        match help::vote(db, nobody(&visitor), "offers", true).await {
            Ok(()) => {}
            Err(Error::TooMany { .. }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(refused, 10);
});

crm::both_engines!(what_is_looked_for_in_vain_is_counted_and_forgotten, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let visitor = Visitor::default();
    let by = |lang| Reader {
        customer: None,
        visitor: &visitor,
        lang,
    };
    let gaps = async || {
        let (gaps, _) = managing::gaps(db, &mara).await.expect("read");
        gaps.into_iter()
            .map(|gap| (gap.language, gap.text, gap.times))
            .collect::<Vec<_>>()
    };
    for (lang, text, hits) in [
        (Lang::Ru, "Вертолёт", 0),
        (Lang::En, "helicopter", 0),
        (Lang::Ru, " вертолет! ", 0),
        (Lang::Ru, "карта", 3),
        (Lang::Ru, "+7 900 123-45-67", 0),
    ] {
        help::note_search(db, by(lang), text, hits).await;
    }
    let two = (Lang::Ru, "вертолет".to_owned(), 2);
    let one = (Lang::En, "helicopter".to_owned(), 1);
    assert_eq!(gaps().await, [two, one]);
    world.clock.set(start() + Duration::days(1));
    help::note_search(db, by(Lang::En), "helicopter", 1).await;
    help::note_search(db, by(Lang::Ru), "вертолёт", 0).await;
    world.clock.set(start() + Duration::days(30));
    assert_eq!(
        gaps().await,
        [(Lang::Ru, "вертолет".to_owned(), 1)],
        "of the last thirty days"
    );
    help::sweep(db, &SYSTEM).await.expect("swept");
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM help_searches"), 5);
    world.clock.set(start() + Duration::days(90) + Duration::hours(1));
    help::sweep(db, &SYSTEM).await.expect("swept");
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM help_searches"), 2);
});

fn part() -> Part {
    Part {
        code: "gifts".into(),
        name: both("Подарки"),
        position: 8,
        is_closed: false,
    }
}

crm::both_engines!(parts_are_added_named_and_put_in_order, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let codes = async || {
        let mut conn = db.read().await.expect("a connection");
        let all = help::categories(&mut conn).await.expect("read");
        all.into_iter().map(|part| part.code).collect::<Vec<_>>()
    };
    let before = codes().await;
    parts::add(db, &mara, " Gifts ", &both("Подарки")).await.expect("added");
    assert_eq!(codes().await, [&before[..], &["gifts".to_owned()]].concat());
    let taken = parts::add(db, &mara, "gifts", &both("Подарки")).await;
    assert!(
        matches!(&taken, Err(Error::Invalid(flaws)) if flaws == &[("key".to_owned(), Flaw::Taken)]),
        "{taken:?}"
    );
    let mut nameless = both("Дары");
    nameless.en = " ".into();
    let wrong = parts::change(db, &mara, &part(), &nameless, 0).await;
    let Err(Error::Invalid(flaws)) = wrong else {
        panic!("{wrong:?}")
    };
    let at: Vec<_> = flaws.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(at, ["en", "position"]);
    // Of two with one place the code decides: before `points`, behind `card`.
    parts::change(db, &mara, &part(), &both("Дары"), 2)
        .await
        .expect("changed");
    assert_eq!(codes().await[..3], ["card", "gifts", "points"].map(str::to_owned));
    let late = parts::change(db, &mara, &part(), &both("Иначе"), 2).await;
    assert!(matches!(late, Err(Error::Stale)), "{late:?}");
    let mut other = part();
    other.code = "nothing".into();
    let nothing = parts::change(db, &mara, &other, &both("Иначе"), 2).await;
    assert!(matches!(nothing, Err(Error::NotFound)), "{nothing:?}");
    let written = one!(
        world,
        String,
        "SELECT reason FROM audit WHERE action = 'help.part_change'"
    );
    assert!(written.contains("position: 8 → 2"), "{written}");
});

crm::both_engines!(a_closed_part_keeps_its_articles_and_an_empty_one_goes, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    parts::add(db, &mara, "gifts", &both("Подарки")).await.expect("added");
    let within = async |part: &str| {
        let mut conn = db.read().await.expect("a connection");
        let all = parts::uses(&mut conn, &mara).await.expect("read");
        let all = all.into_iter().filter(|one| one.part == part);
        all.map(|one| one.article).collect::<Vec<_>>()
    };
    assert_eq!(within("gifts").await, [""; 0]);
    // What lies ahead stands in both, until it counts.
    let mut moved = read(world, &mara, "lost-card").await.versions.swap_remove(0).content;
    moved.category = "gifts".into();
    draft(world, &mara, "lost-card", &moved).await;
    assert_eq!(within("gifts").await, ["lost-card"]);
    let used = parts::remove(db, &mara, "gifts").await;
    assert!(matches!(used, Err(Error::Stale)), "{used:?}");
    publish(world, &mara, "lost-card", Some(Duration::days(1)))
        .await
        .expect("it lies ahead");
    assert_eq!(within("gifts").await, ["lost-card"]);
    assert!(within("card").await.contains(&"lost-card".to_owned()));
    world.clock.set(world.db.now() + Duration::days(2));
    assert!(!within("card").await.contains(&"lost-card".to_owned()));

    parts::set_open(db, &mara, "gifts", false).await.expect("closed");
    draft(world, &mara, "lost-card", &moved).await;
    let new = managing::create(db, &mara, "gift-card", &moved).await;
    let flaw = ("category".to_owned(), Flaw::NotAChoice);
    assert!(
        matches!(&new, Err(Error::Invalid(flaws)) if *flaws == [flaw.clone()]),
        "{new:?}"
    );
    moved.category = "card".into();
    draft(world, &mara, "lost-card", &moved).await;
    publish(world, &mara, "lost-card", None).await.expect("published");
    parts::remove(db, &mara, "gifts").await.expect("removed");
    for gone in [
        parts::remove(db, &mara, "gifts").await,
        parts::set_open(db, &mara, "gifts", true).await,
    ] {
        assert!(matches!(gone, Err(Error::NotFound)), "{gone:?}");
    }
});

crm::both_engines!(only_whoever_has_the_right_writes_the_help, async |world| {
    let db = ready(world).await;
    let agent = people::agent(world).await;
    let id = crm::id::HelpArticleId::new();
    let mut conn = db.read().await.expect("a connection");
    let refused = [
        managing::list(db, &agent).await.err(),
        managing::read(db, &agent, "tiers").await.err(),
        parts::list(db, &agent).await.err(),
        parts::add(db, &agent, "mine", &both("Моё")).await.err(),
        parts::change(db, &agent, &part(), &both("Моё"), 1).await.err(),
        managing::create(db, &agent, "mine", &content("Моя")).await.err(),
        managing::write(db, &agent, "tiers", None, &content("Моя")).await.err(),
        managing::discard(db, &agent, "tiers", start()).await.err(),
        managing::publish(db, &agent, "tiers", start(), None).await.err(),
        managing::cancel(db, &agent, "tiers").await.err(),
        managing::withdraw(db, &agent, "tiers").await.err(),
        managing::gaps(db, &agent).await.err(),
        audit::of_object(&mut conn, &agent, Object::HelpArticle(id), 1)
            .await
            .err(),
    ];
    for (n, error) in refused.iter().enumerate() {
        assert!(matches!(error, Some(Error::Forbidden)), "{n}: {error:?}");
    }
});
