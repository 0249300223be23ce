//! What of the queue is shown: which requests, in what order, from where on. All of it is part of the address, so a
//! view can be kept, and a request opened from it knows its neighbours; of what is looked for an id stands there.

use super::looked_for;
use crate::cx::Cx;
use crm::id::{QueueId, SearchId, TopicId};
use crm::request::desk::{self, Priority};
use crm::request::{Assignee, Cursor, Filter, Sort, Status, Topic, store as requests};
use islands::AppError;
use std::collections::BTreeMap;

/// Requests of which statuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// What there is to do.
    #[default]
    Unclosed,
    /// All of them.
    All,
    /// Of this one.
    Only(Status),
    /// What should have been done before now.
    Overdue,
}

impl Which {
    /// What addresses call each.
    pub const CODES: [(&str, Self); 7] = [
        ("", Self::Unclosed),
        ("new", Self::Only(Status::New)),
        ("open", Self::Only(Status::Open)),
        ("waiting", Self::Only(Status::Waiting)),
        ("closed", Self::Only(Status::Closed)),
        ("all", Self::All),
        ("overdue", Self::Overdue),
    ];

    /// What addresses call it.
    pub fn code(self) -> &'static str {
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
            Self::Overdue => Sort::Due,
        }
    }
}

/// What addresses call each order.
pub const SORTS: [(&str, Sort); 5] = [
    ("waiting", Sort::Waiting),
    ("newest", Sort::Newest),
    ("updated", Sort::Updated),
    ("due", Sort::Due),
    ("priority", Sort::Priority),
];

/// The topics that a list can be narrowed to: to those that are closed as well, after the others.
pub(super) async fn all_topics(cx: &Cx) -> Result<Vec<Topic>, AppError> {
    let mut conn = cx.db.read().await?;
    let mut all = requests::topics(&mut conn).await?;
    all.extend(requests::closed_topics(&mut conn, cx.staff()?).await?);
    Ok(all)
}

/// What is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Of which statuses.
    pub which: Which,
    /// Whose.
    pub assignee: Assignee,
    /// A topic's code; empty for all.
    pub topic: String,
    /// A queue; none for all.
    pub queue: Option<QueueId>,
    /// A tag; empty for all.
    pub tag: String,
    /// A priority; none for all.
    pub priority: Option<Priority>,
    /// By what is looked for is known.
    pub find: Option<SearchId>,
    /// What is looked for.
    pub text: String,
    /// The order.
    pub sort: Sort,
    /// From which place on.
    pub after: Option<Cursor>,
}

impl View {
    /// A view that is narrowed by nothing else.
    pub fn new(which: Which, assignee: Assignee) -> Self {
        Self {
            which,
            assignee,
            topic: String::new(),
            queue: None,
            tag: String::new(),
            priority: None,
            find: None,
            text: String::new(),
            sort: which.sort(),
            after: None,
        }
    }

    /// The view that an address tells of, without what is looked for. What cannot be read in it narrows nothing.
    pub fn of(cx: &Cx) -> Self {
        Self::read(|name| cx.query(name).map(str::to_owned))
    }

    /// The same with what is looked for.
    pub async fn whole(cx: &Cx) -> Result<Self, AppError> {
        let (find, text) = looked_for(cx).await?.unzip();
        Ok(Self {
            find,
            text: text.unwrap_or_default(),
            ..Self::of(cx)
        })
    }

    /// The view that a form or an address tells of.
    pub fn read(query: impl Fn(&str) -> Option<String>) -> Self {
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
            queue: query("queue").and_then(|id| id.parse().ok()),
            tag: query("tag").and_then(|tag| desk::tag(&tag).ok()).unwrap_or_default(),
            priority: query("priority").and_then(|code| Priority::from_code(&code)),
            find: query("find").and_then(|id| id.parse().ok()),
            text: String::new(),
            sort: sort.map_or(which.sort(), |(_, sort)| sort),
            after: query("after").and_then(|after| after.parse().ok()),
        }
    }

    /// What addresses call the assignee.
    pub fn assignee_code(&self) -> String {
        match self.assignee {
            Assignee::Anyone => String::new(),
            Assignee::Me => "me".into(),
            Assignee::Nobody => "nobody".into(),
            Assignee::Of(id) => id.to_string(),
        }
    }

    /// What addresses call the order; empty where it is the usual one.
    pub fn sort_code(&self) -> &'static str {
        let usual = self.sort == self.which.sort();
        SORTS
            .into_iter()
            .find(|(_, sort)| !usual && *sort == self.sort)
            .map_or("", |(code, _)| code)
    }

    /// True when the tab alone does not say what is shown.
    pub fn is_narrowed(&self) -> bool {
        let is_sorted_out = self.queue.is_some() || !self.tag.is_empty() || self.priority.is_some();
        is_sorted_out || !self.topic.is_empty() || self.find.is_some() || matches!(self.assignee, Assignee::Of(_))
    }

    /// True where a request that somebody has just written is among what is shown.
    pub fn has_new(&self) -> bool {
        let is_of_status = matches!(self.which, Which::Unclosed | Which::All | Which::Only(Status::New));
        let is_of_whom = matches!(self.assignee, Assignee::Anyone | Assignee::Nobody);
        is_of_status && is_of_whom && !self.is_narrowed()
    }

    /// The same from the start, in this order.
    pub fn sorted(&self, sort: Sort) -> Self {
        Self {
            sort,
            after: None,
            ..self.clone()
        }
    }

    /// The same from another place on.
    pub fn from(&self, after: Option<Cursor>) -> Self {
        Self { after, ..self.clone() }
    }

    /// The address of a page with this view, and what was just done there.
    pub fn address(&self, path: &str, done: Option<&str>) -> String {
        let after = self.after.map(|after| after.to_string()).unwrap_or_default();
        let find = self.find.map(|id| id.to_string()).unwrap_or_default();
        let mut query: BTreeMap<&str, &str> = BTreeMap::new();
        let assignee = self.assignee_code();
        let queue = self.queue.map(|id| id.to_string()).unwrap_or_default();
        for (name, value) in [
            ("status", self.which.code()),
            ("assignee", &assignee),
            ("topic", &self.topic),
            ("queue", &queue),
            ("tag", &self.tag),
            ("priority", self.priority.map_or("", Priority::code)),
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
    pub fn queue(&self) -> String {
        self.address("/admin/requests", None)
    }

    /// The address of a request that was opened from this view: at its last message.
    pub fn request(&self, number: i64) -> String {
        self.address(&format!("/admin/requests/{number}"), None) + "#last"
    }

    /// What the queue is asked for, by all topics that there are. About one that is not there nothing is.
    pub fn filter(&self, topics: &[Topic]) -> Filter {
        Filter {
            status: match self.which {
                Which::Only(status) => Some(status),
                Which::Unclosed | Which::All | Which::Overdue => None,
            },
            unclosed: matches!(self.which, Which::Unclosed | Which::Overdue),
            overdue: self.which == Which::Overdue,
            assignee: self.assignee,
            topic: (!self.topic.is_empty()).then(|| {
                let found = topics.iter().find(|topic| topic.code == self.topic);
                found.map_or(Topic::NONE, |topic| topic.id)
            }),
            queue: self.queue,
            tag: self.tag.clone(),
            priority: self.priority,
            text: self.text.clone(),
        }
    }

    /// The view of a filter that was kept.
    pub fn kept(filter: &Filter, topics: &[Topic]) -> Self {
        let which = match (filter.status, filter.overdue, filter.unclosed) {
            (Some(status), ..) => Which::Only(status),
            (None, true, _) => Which::Overdue,
            (None, false, true) => Which::Unclosed,
            (None, false, false) => Which::All,
        };
        let code = |id: TopicId| {
            let found = topics.iter().find(|topic| topic.id == id);
            found.map_or_else(|| id.to_string(), |topic| topic.code.clone())
        };
        Self {
            topic: filter.topic.map(code).unwrap_or_default(),
            queue: filter.queue,
            tag: filter.tag.clone(),
            priority: filter.priority,
            ..Self::new(which, filter.assignee)
        }
    }
}
