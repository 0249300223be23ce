//! The places of the staff bar: which there are, who may go there, and where somebody lands who comes in.

use crate::texts::Texts;
use crm::staff::Right;
use crm::who::Staff;

use Group::{Club, Data, Shop, Support};

/// It leads staff to the first place that they have the right to.
pub const HOME: &str = "/admin";

/// What belongs together in the menu of the bar.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Who writes, and who is called back.
    Support,
    /// What customers get.
    Club,
    /// The shops, what they say, and who works there.
    Shop,
    /// What comes in, what goes out, and what it adds up to.
    Data,
}

impl Group {
    /// What it is called.
    pub fn name(self, t: &'static Texts) -> &'static str {
        match self {
            Group::Support => t.frame.group_support,
            Group::Club => t.frame.group_club,
            Group::Shop => t.frame.group_shop,
            Group::Data => t.frame.group_data,
        }
    }
}

/// A place of the staff bar.
pub struct Place {
    /// Its path.
    pub path: &'static str,
    /// What it is called.
    pub name: fn(&'static Texts) -> &'static str,
    /// The right that opens it.
    right: Right,
    /// Where it stands in the menu.
    group: Group,
}

impl Place {
    /// How many wait there for the consent of somebody; none where nothing ever does.
    pub fn waiting(&self, staff: &Staff) -> Option<i64> {
        match self.path {
            "/admin/approvals" => Some(staff.corrections_waiting()),
            "/admin/promotions" => Some(staff.promotions_waiting()),
            _ => None,
        }
    }

    /// Whether a path is its own, or one that is reached from there alone.
    pub fn holds(&self, path: &str) -> bool {
        let is_below = |top: &str| {
            path.strip_prefix(top)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let also = ALSO.iter().filter(|(place, _)| *place == self.path);
        is_below(self.path) || also.flat_map(|(_, paths)| paths.iter().copied()).any(is_below)
    }
}

const fn place(path: &'static str, right: Right, group: Group, name: fn(&'static Texts) -> &'static str) -> Place {
    Place {
        path,
        name,
        right,
        group,
    }
}

/// All of them: group by group, in each what is used most first.
const PLACES: &[Place] = &[
    place("/admin/requests", Right::Requests, Support, |t| t.frame.requests),
    place("/admin/customers", Right::Customers, Support, |t| t.frame.customers),
    place("/admin/tasks", Right::Customers, Support, |t| t.admin_tasks.title),
    place("/admin/questions", Right::Questions, Support, |t| {
        t.admin_questions.short
    }),
    place("/admin/messages", Right::Messages, Support, |t| t.frame.messages),
    place("/admin/macros", Right::Requests, Support, |t| t.admin_macros.short),
    place("/admin/levels", Right::Levels, Support, |t| t.admin_levels.title),
    place("/admin/rules", Right::Rules, Club, |t| t.frame.staff_rules),
    place("/admin/programs", Right::Rules, Club, |t| t.frame.programs),
    place("/admin/promotions", Right::Rules, Club, |t| t.admin_promotions.title),
    place("/admin/coupons", Right::Rules, Club, |t| t.admin_coupons.title),
    place("/admin/approvals", Right::Points, Club, |t| t.frame.approvals),
    place("/admin/fraud", Right::Fraud, Club, |t| t.admin_fraud.title),
    place("/admin/stores", Right::Shops, Shop, |t| t.stores.title),
    place("/admin/help", Right::Help, Shop, |t| t.admin_help.title),
    place("/admin/texts", Right::Texts, Shop, |t| t.admin_texts.title),
    place("/admin/partners", Right::Partners, Shop, |t| t.admin_partners.title),
    place("/admin/staff", Right::Staff, Shop, |t| t.admin_staff.title),
    place("/admin/audit", Right::Audit, Shop, |t| t.admin_audit.title),
    place("/admin/reports", Right::Reports, Data, |t| t.admin_reports.title),
    place("/admin/tills", Right::Tills, Data, |t| t.frame.tills),
    place("/admin/webhooks", Right::Tills, Data, |t| t.frame.webhooks),
    place("/admin/imports", Right::Import, Data, |t| t.admin_imports.title),
    place("/admin/exports", Right::Export, Data, |t| t.admin_extracts.title),
];

/// What stands beside a place and not below it.
const ALSO: &[(&str, &[&str])] = &[
    ("/admin/requests", &["/admin/queues", "/admin/tags"]),
    ("/admin/customers", &["/admin/audience", "/admin/duplicates"]),
    ("/admin/coupons", &["/admin/segments"]),
    ("/admin/stores", &["/admin/categories", "/admin/articles"]),
    ("/admin/help", &["/admin/help-parts"]),
    ("/admin/texts", &["/admin/scripts"]),
    ("/admin/staff", &["/admin/roles"]),
];

/// How many stand in the bar side by side, the menu among them: as many as fit beside the search, however many there are.
const SIDE_BY_SIDE: usize = 5;

/// What the bar shows to somebody.
#[derive(Default)]
pub struct InBar {
    /// What is at hand where there is room.
    pub at_hand: Vec<&'static Place>,
    /// All of them, by groups.
    pub menu: Vec<(Group, Vec<&'static Place>)>,
    /// Whether the menu has more than what is at hand.
    pub has_more: bool,
}

/// Those that somebody has the right to.
fn of(staff: &Staff) -> impl Iterator<Item = &'static Place> {
    PLACES.iter().filter(|place| staff.has(place.right))
}

/// Those that somebody has the right to, as the bar shows them.
pub fn in_bar(staff: &Staff) -> InBar {
    let all: Vec<_> = of(staff).collect();
    let has_more = all.len() > SIDE_BY_SIDE;
    let at_hand = if has_more { SIDE_BY_SIDE - 1 } else { SIDE_BY_SIDE };
    let menu = [Support, Club, Shop, Data].map(|group| {
        let places: Vec<_> = all.iter().copied().filter(|place| place.group == group).collect();
        (group, places)
    });
    InBar {
        at_hand: all.iter().copied().take(at_hand).collect(),
        menu: menu.into_iter().filter(|(_, places)| !places.is_empty()).collect(),
        has_more,
    }
}

/// The first of them; without any, the page that every member of staff has.
pub fn first(staff: &Staff) -> &'static str {
    of(staff).next().map_or("/admin/security", |place| place.path)
}
