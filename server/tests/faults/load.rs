//! Customers who change things, and what was acknowledged to them.

use crate::browser::{Browser, free_phone, key, register};
use crate::node::Place;
use std::collections::HashMap;

/// A change as it was sent: the same again is the same change.
#[derive(Clone, Debug)]
pub struct Change {
    pub path: String,
    pub form: &'static str,
    pub key: String,
    pub fields: Vec<(&'static str, String)>,
    pub effect: Effect,
}

/// What has to be in the database once a change was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A message with this text, once.
    Request(String),
    /// This e-mail address, once.
    Email(String),
    /// Being a member or not.
    Member(bool),
}

/// A customer with what was acknowledged and what is not known.
pub struct Customer {
    pub browser: Browser,
    name: usize,
    emails: usize,
    is_member: bool,
    /// Acknowledged, in order.
    pub acknowledged: Vec<Effect>,
    /// Sent, and no answer arrived.
    pub open: Option<Change>,
}

/// What came of a change.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    Acknowledged,
    /// The connection broke: nobody knows.
    Open,
    /// Another answer.
    Refused(u16),
}

impl Customer {
    pub async fn new(address: std::net::SocketAddr, name: usize) -> Self {
        Self::with(Browser::new(address), name).await
    }

    /// The same with a browser of the caller's.
    pub async fn with(mut browser: Browser, name: usize) -> Self {
        register(&mut browser, &free_phone(), "").await.expect("registered");
        Self {
            browser,
            name,
            emails: 0,
            is_member: false,
            acknowledged: Vec::new(),
            open: None,
        }
    }

    /// A new request mostly; now and then an address, or joining and leaving a program.
    fn next(&mut self) -> Change {
        let change = |path: &str, form, fields: Vec<(&'static str, String)>, effect| Change {
            path: path.to_owned(),
            form,
            key: key(),
            fields,
            effect,
        };
        match rand::random_range(0..10) {
            0 | 1 if !self.is_member => {
                let fields = vec![("terms", "1".to_owned())];
                change("/programs/family", "program.join", fields, Effect::Member(true))
            }
            0 | 1 => change("/programs/family/leave", "program.leave", vec![], Effect::Member(false)),
            2 if self.emails < 5 => {
                self.emails += 1;
                let email = format!("c{}-{}@example.com", self.name, self.emails);
                let fields = vec![("email", email.clone())];
                change("/profile/contacts", "contact.add_email", fields, Effect::Email(email))
            }
            _ => {
                let text = format!("Вопрос {}", uuid::Uuid::now_v7());
                let fields = vec![
                    ("topic", "other".to_owned()),
                    ("text", text.clone()),
                    ("purchase", String::new()),
                ];
                change("/support/new", "request.create", fields, Effect::Request(text))
            }
        }
    }

    /// Sends the next change.
    pub async fn step(&mut self) -> Sent {
        let change = self.next();
        self.send(change).await
    }

    /// Sends what is open once more, under its own key, as a browser does that never got its answer.
    pub async fn settle(&mut self) -> Option<Sent> {
        let change = self.open.take()?;
        self.browser.reconnect();
        Some(self.send(change).await)
    }

    pub async fn send(&mut self, change: Change) -> Sent {
        let fields: Vec<(&str, &str)> = change
            .fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        match self.browser.post(&change.path, change.form, &change.key, &fields).await {
            Ok(reply) if reply.status == 303 => {
                assert!(!reply.location().starts_with("/sign-in"), "signed out while {change:?}");
                if let Effect::Member(is_member) = change.effect {
                    self.is_member = is_member;
                }
                self.acknowledged.push(change.effect);
                Sent::Acknowledged
            }
            // A proxy that got no answer says so, and knows no more.
            Ok(reply) if matches!(reply.status, 502 | 504) => {
                self.open = Some(change);
                Sent::Open
            }
            Ok(reply) => {
                self.open = Some(change);
                Sent::Refused(reply.status)
            }
            Err(_) => {
                self.browser.reconnect();
                self.open = Some(change);
                Sent::Open
            }
        }
    }
}

/// Everything that was acknowledged is there, each change once. `since` are the numbers of changes that were looked at
/// before. Tells how many were looked at.
pub async fn assert_kept(place: &Place, customers: &[Customer], since: &[usize]) -> usize {
    let count = |texts: Vec<String>| {
        texts
            .into_iter()
            .fold(HashMap::new(), |mut counts: HashMap<String, u32>, text| {
                *counts.entry(text).or_default() += 1;
                counts
            })
    };
    let messages = count(
        place
            .texts("SELECT body FROM messages WHERE body LIKE 'Вопрос %'")
            .await,
    );
    let emails = count(place.texts("SELECT value FROM contacts WHERE kind = 'email'").await);
    let mut looked_at = 0;
    for (customer, since) in customers.iter().zip(since) {
        for effect in customer.acknowledged.iter().skip(*since) {
            looked_at += 1;
            let (found, what) = match effect {
                Effect::Request(text) => (messages.get(text), text),
                Effect::Email(email) => (emails.get(email), email),
                Effect::Member(_) => continue,
            };
            assert_eq!(found, Some(&1), "acknowledged: {what}");
        }
    }
    looked_at
}

/// Whether each customer is a member of the program, as their own page says, is what was acknowledged last.
pub async fn assert_memberships(customers: &mut [Customer]) {
    for customer in customers {
        let last = customer.acknowledged.iter().rev().find_map(|effect| match effect {
            Effect::Member(is_member) => Some(*is_member),
            _ => None,
        });
        let page = customer.browser.get("/programs/family").await.expect("the page");
        assert_eq!(page.status, 200, "{}", page.body);
        let is_member = page.body.contains("/programs/family/leave");
        assert_eq!(
            is_member,
            last.unwrap_or(false),
            "membership of customer {}",
            customer.name
        );
    }
}
