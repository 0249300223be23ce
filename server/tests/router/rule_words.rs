//! Rules in words: whatever differs is told to differ, what is opened and saved stays what it was, and what cannot work is said
//! before it is published.

use crate::common::{BY, Browser, TestApp};
use crate::rules::put;
use axum::http::StatusCode;
use crm::db::scoped;
use crm::id::{ProgramId, TierId};
use crm::lang::Localized;
use crm::rule::store::{self as rules, Names};
use crm::rule::tier::{Downgrade, Measure, Tier, Tiers, store as tiers};
use crm::rule::{Rule, Window};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn name(text: &str) -> Localized {
    Localized {
        ru: text.into(),
        en: format!("en {text}"),
    }
}

/// What rules point to in a shop that has two of each.
struct Shop {
    articles: Vec<String>,
    categories: Vec<String>,
    stores: Vec<String>,
    programs: Vec<String>,
    tiers: Vec<String>,
    promotion: String,
}

impl Shop {
    async fn of(app: &TestApp) -> Self {
        let db = &app.world.db;
        let promotion = app.some_promotion().await.to_string();
        let first = app.some_store().await;
        db.write(|tx| {
            scoped(async move {
                for (code, words) in [("tea", "Чай"), ("dishes", "Посуда")] {
                    crm::stores::store::put_category(tx, &BY, code, &name(words), 1).await?;
                }
                let second = crm::stores::NewStore {
                    code: "tver".into(),
                    name: name("На Советской"),
                    town: name("Тверь"),
                    address: name("Советская, 1"),
                    latitude: None,
                    longitude: None,
                    hours: crm::stores::Hours::try_from([None; 7]).expect("possible hours"),
                    phone: None,
                    region: Some("tver".into()),
                    time_zone: None,
                    exceptions: None,
                };
                crm::stores::store::put(tx, &BY, &second).await?;
                let articles = BTreeMap::from([("cup", Some("Чашка")), ("pot", Some("Чайник"))]);
                crm::article::store::ensure(tx, &BY, &articles).await?;
                Ok::<_, crm::Error>(())
            })
        })
        .await
        .expect("written");
        let is = Tiers {
            measure: Measure::Sum,
            window: Window::Year,
            downgrade: Downgrade::Never,
            grace: None,
            tiers: (1..=2)
                .map(|n: u8| Tier {
                    id: TierId::new(),
                    name: name(if n == 1 { "Серебро" } else { "Золото" }),
                    threshold: i64::from(n) * 1_000_00,
                })
                .collect(),
        };
        let programs: Vec<ProgramId> = Self::names(app).await.programs.iter().map(|(id, _)| *id).collect();
        tiers::publish_by_system(db, &BY, programs[0], &is, None)
            .await
            .expect("published");
        let names = Self::names(app).await;
        let mut stores: Vec<String> = names.stores.iter().map(|(id, ..)| id.to_string()).collect();
        stores.sort_by_key(|id| *id != first.to_string());
        let mut conn = db.read().await.expect("a connection");
        let known = crm::article::store::by_codes(&mut conn, &["cup", "pot"].into()).await;
        let known = known.expect("read");
        Self {
            articles: ["cup", "pot"].map(|code| known[code].0.to_string()).to_vec(),
            categories: names.categories.iter().map(|(id, _)| id.to_string()).collect(),
            stores,
            programs: programs.iter().map(ToString::to_string).collect(),
            tiers: names.tiers.iter().map(|tier| tier.id.to_string()).collect(),
            promotion,
        }
    }

    async fn names(app: &TestApp) -> Names {
        let mut conn = app.world.db.read().await.expect("a connection");
        rules::names(&mut conn, &[]).await.expect("read")
    }

    /// A rule with something of every kind.
    fn whole(&self) -> Value {
        let (article, category, store) = (&self.articles[0], &self.categories[0], &self.stores[0]);
        let (program, tier) = (&self.programs[0], &self.tiers[0]);
        json!({
            "name": {"ru": "Всё", "en": "All"}, "priority": 5, "group": "чай", "alone": true, "funded_by": "kofe-1",
            "valid": {"from": "2026-12-01T00:00:00Z", "until": "2027-12-01T00:00:00Z"},
            "conditions": [
                {"article": [article, self.articles[1]]}, {"category": [category, self.categories[1]]}, {"brand": ["Сосна", "Ель"]},
                {"price": {"at_least": 100, "at_most": 900}}, {"quantity": {"at_least": 2, "at_most": 9}},
                {"line_sum": {"at_least": 100, "at_most": 900}}, {"basket_sum": {"at_least": 100, "at_most": 900}},
                {"contains": {"lines": [{"article": [article]}, {"price": {"at_least": 7}}], "quantity": {"at_least": 2}, "sum": {"at_least": 3}}},
                {"store": [store, self.stores[1]]}, {"region": ["tver", "klin"]}, {"weekday": ["Mon", "Sat"]},
                {"hours": {"from": 540, "to": 720, "days": ["Mon", "Sat"]}},
                {"period": {"from": "2026-12-01", "to": "2026-12-31"}},
                {"birthday": {"of": "child", "before": 3, "after": 1}},
                {"tier": {"program": program, "tiers": [tier, self.tiers[1]]}},
                {"member": [program]}, {"activated": [self.promotion]}, {"tenure": {"at_least": 30, "at_most": 40}},
                {"purchase_count": {"window": {"last": {"days": 5}}, "count": {"at_least": 1, "at_most": 4}}},
                {"purchase_sum": {"window": {"between": {"from": "2026-01-01", "to": "2026-06-30"}}, "sum": {"at_least": 1, "at_most": 4}}},
                {"segment": ["vip", "new"]}, {"payment": ["cash", "card"]}, {"channel": ["till", "app"]}, {"coupon": ["a", "b"]},
                {"any": [{"brand": ["Сосна"]}, {"all": [{"price": {"at_least": 1}}, "invited"]}]}, {"not": {"store": [store]}},
                "first_purchase"
            ],
            "effects": [
                {"percent_off": {"share": 500, "each": "line"}}, {"amount_off": {"amount": 10000, "each": "unit"}},
                {"cheapest_free": {"of": 3}}, {"points_share": {"program": program, "share": 500}},
                {"points_per": {"program": program, "points": 100, "per": 10000}},
                {"points_times": {"program": program, "factor": 20000}},
                {"points_fixed": {"program": program, "points": 5000, "each": "line"}},
                {"gift": {"article": article, "quantity": 1}}, {"coupon": {"series": "a"}},
                {"message": {"to": "kiosk", "text": {"ru": "Ура", "en": "Hooray"}}}
            ],
            "caps": {
                "line": 100, "purchase": 200, "day": {"value": 300, "times": 3}, "customer": {"value": 400, "times": 4},
                "budget": {"value": 500, "times": 5}
            }
        })
    }

    /// What may stand for a word of a rule.
    fn words(&self) -> Vec<String> {
        let ids = [
            &self.articles,
            &self.categories,
            &self.stores,
            &self.programs,
            &self.tiers,
        ];
        let words = [
            "purchase",
            "line",
            "unit",
            "customer",
            "child",
            "cash",
            "transfer",
            "online",
            "Tue",
            "receipt",
            "cashier",
            "2026-12-02",
            "2026-12-02T10:00:00Z",
            "2026-06-29",
            "another",
        ];
        ids.into_iter()
            .flatten()
            .cloned()
            .chain(words.map(str::to_owned))
            .collect()
    }
}

/// Every place of a JSON value, with what stands there.
fn places(value: &Value, pointer: &str, found: &mut Vec<(String, Value)>) {
    found.push((pointer.to_owned(), value.clone()));
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                places(inner, &format!("{pointer}/{name}"), found);
            }
        }
        Value::Array(list) => {
            for (i, inner) in list.iter().enumerate() {
                places(inner, &format!("{pointer}/{i}"), found);
            }
        }
        _ => {}
    }
}

/// Rules that differ from one in a single place.
fn different(whole: &Value, words: &[String]) -> Vec<Value> {
    let mut all = Vec::new();
    places(whole, "", &mut all);
    let mut found = Vec::new();
    for (pointer, value) in all {
        let others: Vec<Value> = match &value {
            Value::Number(n) => vec![json!(n.as_i64().expect("whole numbers") + 1)],
            Value::Bool(is) => vec![json!(!is)],
            Value::String(_) => words.iter().map(|word| json!(word)).collect(),
            Value::Array(list) => {
                let without = |i: usize| {
                    let mut list = list.clone();
                    list.remove(i);
                    json!(list)
                };
                let mut turned = list.clone();
                turned.swap(0, 1.min(list.len() - 1));
                (0..list.len()).map(without).chain([json!(turned)]).collect()
            }
            Value::Object(fields) => {
                let without = |name: &String| {
                    let mut fields = fields.clone();
                    fields.remove(name);
                    json!(fields)
                };
                fields.keys().map(without).collect()
            }
            Value::Null => Vec::new(),
        };
        for other in others {
            let mut one = whole.clone();
            *one.pointer_mut(&pointer).expect("its place") = other;
            found.push(one);
        }
    }
    found
}

/// A new rule that says this, as a draft.
async fn draft(staff: &mut Browser, says: &Value) -> String {
    let made = staff
        .send("/admin/rules", "rule.create", &[("ru", "Всё"), ("en", "All")])
        .await;
    let at = made.location().split('?').next().unwrap_or_default().to_owned();
    let sent = put(staff, &at, "rule.json", &[("json", &says.to_string())]).await;
    sent.assert_leads_to(&format!("{at}?done=saved#draft"));
    at
}

/// What the draft says.
async fn kept(staff: &mut Browser, at: &str) -> Value {
    let page = staff.get(at).await;
    let form = page.form("rule.json");
    serde_json::from_str(form.get("json").expect("the rule")).expect("JSON")
}

#[tokio::test]
async fn any_two_different_rules_have_different_words() {
    let app = TestApp::new().await;
    let shop = Shop::of(&app).await;
    let whole = shop.whole();
    let read = |json: &Value| serde_json::from_value::<Rule>(json.clone()).ok();
    let first = read(&whole).expect("a rule");
    let (db, mut count) = (&app.world.db, 0);
    let published = rules::publish_by_system(db, &BY, None, &first, None).await;
    let id = published.expect("a rule without faults").id;
    for other in different(&whole, &shop.words()) {
        let Some(other) = read(&other).filter(|other| *other != first) else {
            continue;
        };
        // Days of the week have an order of their own, in whatever order they were written.
        let sorted = |rule: &Rule| {
            serde_json::to_string(rule)
                .expect("JSON")
                .replace(r#""Sat","Mon""#, r#""Mon","Sat""#)
        };
        if sorted(&other) == sorted(&first) {
            continue;
        }
        if rules::publish_by_system(db, &BY, Some(id), &other, None).await.is_ok() {
            count += 1;
            let back = rules::publish_by_system(db, &BY, Some(id), &first, None).await;
            back.expect("published");
        }
    }
    assert!(count > 300, "{count} rules");
    let mut staff = app.staff("mara").await;
    for lang in ["ru", "en"] {
        staff.send("/admin/rules", "language", &[("language", lang)]).await;
        let page = staff.get(&format!("/admin/rules/{id}")).await;
        let versions = page.body.matches("<li class=\"panel\">").count();
        assert_eq!(versions, 2 * count + 1);
        for version in page.body.split("<li class=\"panel\">").skip(1).take(2 * count) {
            assert!(
                version.contains("<ins>") || version.contains("<del>"),
                "nothing is told: {version}"
            );
        }
        for told_apart_by_json in ["<del><code>", "<ins><code>"] {
            let at = page.body.find(told_apart_by_json);
            let near = at.map(|at| page.body[at..].chars().take(300).collect::<String>());
            assert_eq!(near, None, "the words are the same");
        }
        let same = ["Ничего не изменилось", "Nothing changed"].map(|words| page.body.matches(words).count());
        assert_eq!(same, [0, 0]);
    }
}

#[tokio::test]
async fn what_has_the_same_words_is_shown_as_it_is_kept() {
    let app = TestApp::new().await;
    let rule = |days: &str| -> Rule {
        let json = json!({
            "name": {"ru": "Чай", "en": "Tea"}, "conditions": [{"weekday": days.split(' ').collect::<Vec<_>>()}],
            "effects": [{"percent_off": {"share": 500, "each": "line"}}]
        });
        serde_json::from_value(json).expect("a rule")
    };
    let db = &app.world.db;
    let first = rules::publish_by_system(db, &BY, None, &rule("Mon Sat"), None).await;
    let id = first.expect("published").id;
    let second = rules::publish_by_system(db, &BY, Some(id), &rule("Sat Mon"), None).await;
    second.expect("published");
    let mut staff = app.staff("mara").await;
    let page = staff.get(&format!("/admin/rules/{id}")).await;
    assert!(page.body.contains("<ins><code>"), "{}", page.text());
    let third = rules::publish_by_system(db, &BY, Some(id), &rule("Sat Mon"), None).await;
    third.expect("published");
    let page = staff.get(&format!("/admin/rules/{id}")).await.text();
    assert!(page.contains("Ничего не изменилось"), "{page}");
}

#[tokio::test]
async fn what_is_opened_and_saved_stays_what_it_was() {
    let app = TestApp::new().await;
    let shop = Shop::of(&app).await;
    let mut whole = shop.whole();
    for condition in [
        json!({"contains": {"lines": [{"category": [shop.categories[1]]}], "quantity": {"at_least": 2}}}),
        json!({"contains": {"lines": [{"article": shop.articles}], "quantity": {"at_least": 2, "at_most": 5}}}),
        json!({"not": {"tier": {"program": shop.programs[0], "tiers": [shop.tiers[1]]}}}),
    ] {
        whole["conditions"].as_array_mut().expect("a list").push(condition);
    }
    for effect in [
        json!({"percent_off": {"share": 750, "each": "purchase"}}),
        json!({"points_times": {"program": shop.programs[0], "factor": 12_525}}),
    ] {
        whole["effects"].as_array_mut().expect("a list").push(effect);
    }
    let mut staff = app.staff("mara").await;
    let at = draft(&mut staff, &whole).await;
    let before = kept(&mut staff, &at).await;
    let mut saved = BTreeMap::new();
    for (part, list, form) in [
        ("condition", "conditions", "rule.condition"),
        ("effect", "effects", "rule.effect"),
    ] {
        for i in 0..before[list].as_array().expect("a list").len() {
            let address = format!("{at}?{part}={i}");
            let page = staff.get(&address).await;
            if !page.body.contains(&format!("id=\"edit-{part}\"")) {
                continue;
            }
            let opened = page.form(form).fields.clone();
            let sent: Vec<(&str, &str)> = opened
                .iter()
                .filter(|(name, _)| !name.starts_with('_'))
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            let reply = staff.send(&address, form, &sent).await;
            assert_eq!(reply.status, StatusCode::SEE_OTHER, "{address}: {}", reply.text());
            *saved.entry(part).or_insert(0) += 1;
            assert_eq!(kept(&mut staff, &at).await, before, "{address}: {}", before[list][i]);
        }
    }
    // Written as JSON: several lines of a basket, sums of a period that is given, conditions within others; and of effects a
    // multiple that no field shows.
    assert_eq!(saved, BTreeMap::from([("condition", 27), ("effect", 11)]));
}

#[tokio::test]
async fn tiers_are_chosen_by_name() {
    let app = TestApp::new().await;
    let shop = Shop::of(&app).await;
    let mut staff = app.staff("mara").await;
    let at = draft(&mut staff, &json!({"name": {"ru": "Чай", "en": "Tea"}, "effects": []})).await;
    let open = format!("{at}?condition=new&kind=tier");
    assert!(
        staff.get(&open).await.text().contains(": Золото"),
        "by program and name"
    );
    let nothing = put(&mut staff, &open, "rule.condition", &[]).await;
    assert_eq!(nothing.status, StatusCode::UNPROCESSABLE_ENTITY);
    let nobodys = uuid::Uuid::nil().to_string();
    let nobodys = put(&mut staff, &open, "rule.condition", &[("choice[]", &nobodys)]).await;
    assert_eq!(nobodys.status, StatusCode::UNPROCESSABLE_ENTITY);
    let both = [
        ("choice[]", shop.tiers[0].as_str()),
        ("choice[]", shop.tiers[1].as_str()),
    ];
    put(&mut staff, &open, "rule.condition", &both).await;
    let kept = kept(&mut staff, &at).await;
    assert_eq!(
        kept["conditions"],
        json!([{"tier": {"program": shop.programs[0], "tiers": shop.tiers}}])
    );
    let page = staff.get(&at).await.text();
    assert!(page.contains("Серебро, Золото"), "{page}");

    // Those of another program are asked about in another condition.
    let only = Tiers {
        measure: Measure::Count,
        window: Window::Year,
        downgrade: Downgrade::Never,
        grace: None,
        tiers: vec![Tier {
            id: TierId::new(),
            name: name("Друг"),
            threshold: 1,
        }],
    };
    let other = shop.programs[1].parse().expect("an id");
    tiers::publish_by_system(&app.world.db, &BY, other, &only, None)
        .await
        .expect("published");
    let friend = only.tiers[0].id.to_string();
    let mixed = [("choice[]", shop.tiers[0].as_str()), ("choice[]", friend.as_str())];
    let mixed = put(&mut staff, &open, "rule.condition", &mixed).await;
    mixed.assert_says("Выберите уровни одной программы");
}

#[tokio::test]
async fn what_the_shop_does_not_have_is_not_published() {
    let app = TestApp::new().await;
    let shop = Shop::of(&app).await;
    let mut staff = app.staff("mara").await;
    let at = draft(
        &mut staff,
        &json!({
            "name": {"ru": "Чай", "en": "Tea"}, "conditions": [{"segment": ["vip"]}, "first_purchase"],
            "effects": [{"percent_off": {"share": 500, "each": "line"}}]
        }),
    )
    .await;
    let page = staff.get(&at).await;
    for words in ["Проверьте перед публикацией", "Условие 1: такого в магазине нет"]
    {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    assert!(
        page.body.contains("rule.publish"),
        "a warning keeps nobody from publishing"
    );

    let nobodys = uuid::Uuid::nil();
    for (wrong, place) in [
        (
            json!({"conditions": [{"article": [shop.articles[0], nobodys]}]}),
            "Условие 1",
        ),
        (json!({"conditions": [{"not": {"category": [nobodys]}}]}), "Условие 1"),
        (
            json!({"conditions": ["invited", {"any": [{"store": [nobodys]}]}]}),
            "Условие 2",
        ),
        (json!({"conditions": [{"member": [nobodys]}]}), "Условие 1"),
        (json!({"conditions": [{"activated": [nobodys]}]}), "Условие 1"),
        (
            json!({"conditions": [{"tier": {"program": shop.programs[1], "tiers": [shop.tiers[0]]}}]}),
            "Условие 1",
        ),
        (
            json!({"effects": [{"points_share": {"program": nobodys, "share": 100}}]}),
            "Что даёт, пункт 1",
        ),
        (
            json!({"effects": [{"gift": {"article": nobodys, "quantity": 1}}]}),
            "Что даёт, пункт 1",
        ),
    ] {
        let mut rule = json!({
            "name": {"ru": "Чай", "en": "Tea"}, "conditions": [],
            "effects": [{"percent_off": {"share": 500, "each": "line"}}]
        });
        rule.as_object_mut()
            .expect("fields")
            .extend(wrong.as_object().expect("fields").clone());
        let at = draft(&mut staff, &rule).await;
        let page = staff.get(&at).await;
        let fault = format!("{place}: такого в магазине нет");
        assert!(page.text().contains(&fault), "{fault}: {}", page.text());
        assert!(!page.body.contains("rule.publish"), "{wrong}");
        // Whoever sends the form all the same publishes nothing.
        let form = page.form("rule.caps");
        let seen = form.get("seen").expect("a draft");
        let sent = staff.send(&at, "rule.publish", &[("seen", seen), ("from", "")]).await;
        assert_eq!(
            sent.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{wrong}: {}",
            sent.text()
        );
    }
    assert_eq!(
        app.texts("SELECT state FROM rule_versions WHERE state = 'published'")
            .await,
        Vec::<String>::new()
    );
}
