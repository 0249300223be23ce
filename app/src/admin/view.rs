//! What of the queue is shown: which requests, in what order, from where on. All of it is part of the address, so a
//! view can be kept, and a request opened from it knows its neighbours; of what is looked for an id stands there.

use super::looked_for;
use crate::cx::Cx;
use crm::id::SearchId;
use crm::request::{Assignee, Cursor, Filter, Sort, Status, Topic};
use islands::AppError;
use std::collections::BTreeMap;

/// Requests of which statuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Which {
    /// What there is to do.
    #[default]
    Unclosed,
    /// All of them.
    All,
    /// Of this one.
    Only(Status),
}

impl Which {
    /// What addresses call each.
    pub(super) const CODES: [(&str, Self); 6] = [
        ("", Self::Unclosed),
        ("new", Self::Only(Status::New)),
        ("open", Self::Only(Status::Open)),
        ("waiting", Self::Only(Status::Waiting)),
        ("closed", Self::Only(Status::Closed)),
        ("all", Self::All),
    ];

    pub(super) fn code(self) -> &'static str {
        Self::CODES
            .into_iter()
            .find(|(_, which)| *which == self)
            .map_or("", |(code, _)| code)
    }

    /// Where nobody waits, what happened last comes first.
    fn sort(self) -> Sort {
        match self {
            Self::Unclosed | Self::Only(Status::New | Status::Open) => Sort::Waiting,
            Self::All | Self::Only(Status::Waiting | Status::Closed) => Sort::Updated,
        }
    }
}

const SORTS: [(&str, Sort); 3] = [
    ("waiting", Sort::Waiting),
    ("newest", Sort::Newest),
    ("updated", Sort::Updated),
];

/// What is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View {
    pub(super) which: Which,
    pub(super) assignee: Assignee,
    /// A topic's code; empty for all.
    pub(super) topic: String,
    /// By what is looked for is known.
    pub(super) find: Option<SearchId>,
    /// What is looked for.
    pub(super) text: String,
    pub(super) sort: Sort,
    pub(super) after: Option<Cursor>,
}

impl View {
    /// A view that is narrowed by nothing else.
    pub(super) fn new(which: Which, assignee: Assignee) -> Self {
        Self {
            which,
            assignee,
            topic: String::new(),
            find: None,
            text: String::new(),
            sort: which.sort(),
            after: None,
        }
    }

    /// The view that an address tells of, without what is looked for. What cannot be read in it narrows nothing.
    pub(super) fn of(cx: &Cx) -> Self {
        Self::read(|name| cx.query(name).map(str::to_owned))
    }

    /// The same with what is looked for.
    pub(super) async fn whole(cx: &Cx) -> Result<Self, AppError> {
        let (find, text) = looked_for(cx).await?.unzip();
        Ok(Self {
            find,
            text: text.unwrap_or_default(),
            ..Self::of(cx)
        })
    }

    /// The view that a form or an address tells of.
    pub(super) fn read(query: impl Fn(&str) -> Option<String>) -> Self {
        let status = query("status").unwrap_or_default();
        let which = Which::CODES
            .into_iter()
            .find(|(code, _)| *code == status)
            .map(|(_, which)| which)
            .unwrap_or_default();
        let assignee = match query("assignee").as_deref() {
            Some("me") => Assignee::Me,
            Some("nobody") => Assignee::Nobody,
            Some(id) => id.parse().map_or(Assignee::Anyone, Assignee::Of),
            None => Assignee::Anyone,
        };
        let sort = query("sort").and_then(|code| SORTS.into_iter().find(|(c, _)| *c == code));
        Self {
            which,
            assignee,
            topic: query("topic").unwrap_or_default(),
            find: query("find").and_then(|id| id.parse().ok()),
            text: String::new(),
            sort: sort.map_or(which.sort(), |(_, sort)| sort),
            after: query("after").and_then(|after| after.parse().ok()),
        }
    }

    /// What addresses call the assignee.
    pub(super) fn assignee_code(&self) -> String {
        match self.assignee {
            Assignee::Anyone => String::new(),
            Assignee::Me => "me".into(),
            Assignee::Nobody => "nobody".into(),
            Assignee::Of(id) => id.to_string(),
        }
    }

    /// What addresses call the order; empty where it is the usual one.
    pub(super) fn sort_code(&self) -> &'static str {
        let usual = self.sort == self.which.sort();
        SORTS
            .into_iter()
            .find(|(_, sort)| !usual && *sort == self.sort)
            .map_or("", |(code, _)| code)
    }

    /// True when the tab alone does not say what is shown.
    pub(super) fn is_narrowed(&self) -> bool {
        !self.topic.is_empty() || self.find.is_some() || matches!(self.assignee, Assignee::Of(_))
    }

    /// The same from the start, in this order.
    pub(super) fn sorted(&self, sort: Sort) -> Self {
        Self {
            sort,
            after: None,
            ..self.clone()
        }
    }

    /// The same from another place on.
    pub(super) fn from(&self, after: Option<Cursor>) -> Self {
        Self { after, ..self.clone() }
    }

    /// The address of a page with this view, and what was just done there.
    pub(super) fn address(&self, path: &str, done: Option<&str>) -> String {
        let after = self.after.map(|after| after.to_string()).unwrap_or_default();
        let find = self.find.map(|id| id.to_string()).unwrap_or_default();
        let mut query: BTreeMap<&str, &str> = BTreeMap::new();
        let assignee = self.assignee_code();
        for (name, value) in [
            ("status", self.which.code()),
            ("assignee", &assignee),
            ("topic", &self.topic),
            ("find", &find),
            ("sort", self.sort_code()),
            ("after", &after),
            ("done", done.unwrap_or_default()),
        ] {
            if !value.is_empty() {
                query.insert(name, value);
            }
        }
        match serde_qs::to_string(&query) {
            Ok(query) if !query.is_empty() => format!("{path}?{query}"),
            _ => path.to_owned(),
        }
    }

    /// The address of the queue.
    pub(super) fn queue(&self) -> String {
        self.address("/admin/requests", None)
    }

    /// The address of a request that was opened from this view: at its last message.
    pub(super) fn request(&self, number: i64) -> String {
        self.address(&format!("/admin/requests/{number}"), None) + "#last"
    }

    /// What the queue is asked for.
    pub(super) fn filter(&self, topics: &[Topic]) -> Filter {
        Filter {
            status: match self.which {
                Which::Only(status) => Some(status),
                Which::Unclosed | Which::All => None,
            },
            unclosed: self.which == Which::Unclosed,
            assignee: self.assignee,
            topic: topics
                .iter()
                .find(|topic| topic.code == self.topic)
                .map(|topic| topic.id),
            text: self.text.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(address: &str) -> View {
        let query = address.split_once('?').map(|(_, query)| query).unwrap_or_default();
        let query: BTreeMap<String, String> = serde_qs::from_str(query).expect("an address of ours");
        View::read(|name| query.get(name).cloned())
    }

    #[test]
    fn a_view_survives_its_address() {
        let after = "1795262400000001_00000000-0000-0000-0000-000000000007".parse().ok();
        let staff = "00000000-0000-0000-0000-000000000009".parse().expect("an id");
        for (_, which) in Which::CODES {
            for assignee in [Assignee::Anyone, Assignee::Me, Assignee::Nobody, Assignee::Of(staff)] {
                for (_, sort) in SORTS {
                    let plain = View::new(which, assignee).sorted(sort);
                    let view = View {
                        topic: "card".into(),
                        find: "00000000-0000-0000-0000-00000000000b".parse().ok(),
                        ..plain.from(after)
                    };
                    assert_eq!(read(&plain.queue()), plain);
                    assert_eq!(read(&view.queue()), view);
                }
            }
        }
    }

    #[test]
    fn the_usual_view_has_the_shortest_address() {
        assert_eq!(View::new(Which::Unclosed, Assignee::Anyone).queue(), "/admin/requests");
        assert_eq!(
            View::new(Which::Only(Status::Closed), Assignee::Anyone).queue(),
            "/admin/requests?status=closed"
        );
        assert_eq!(
            View::new(Which::Unclosed, Assignee::Me).request(7),
            "/admin/requests/7?assignee=me#last"
        );
    }

    #[test]
    fn nonsense_narrows_nothing() {
        let usual = View::new(Which::Unclosed, Assignee::Anyone);
        assert_eq!(read("?status=x&assignee=y&sort=z&after=1"), usual);
    }
}
