//! The places of the staff bar: which there are, who may go there, and where somebody lands who comes in.

use crate::texts::Texts;
use crm::staff::Right;
use crm::who::Staff;

/// It leads staff to the first place that they have the right to.
pub const HOME: &str = "/admin";

/// A place of the staff bar.
pub struct Place {
    /// Its path.
    pub path: &'static str,
    /// What it is called.
    pub name: fn(&'static Texts) -> &'static str,
    /// The right that opens it.
    right: Right,
    /// It is set up now and then, and not what the day is spent with.
    is_setup: bool,
}

const fn place(path: &'static str, right: Right, name: fn(&'static Texts) -> &'static str) -> Place {
    Place {
        path,
        name,
        right,
        is_setup: false,
    }
}

const fn setup(path: &'static str, right: Right, name: fn(&'static Texts) -> &'static str) -> Place {
    Place {
        is_setup: true,
        ..place(path, right, name)
    }
}

/// All of them, in the order of the bar.
const PLACES: &[Place] = &[
    place("/admin/requests", Right::Requests, |t| t.frame.requests),
    place("/admin/customers", Right::Customers, |t| t.frame.customers),
    place("/admin/tasks", Right::Customers, |t| t.admin_tasks.title),
    place("/admin/questions", Right::Questions, |t| t.admin_questions.short),
    place("/admin/messages", Right::Messages, |t| t.frame.messages),
    place("/admin/approvals", Right::Points, |t| t.frame.approvals),
    setup("/admin/fraud", Right::Fraud, |t| t.admin_fraud.title),
    setup("/admin/macros", Right::Requests, |t| t.admin_macros.short),
    setup("/admin/rules", Right::Rules, |t| t.frame.staff_rules),
    setup("/admin/programs", Right::Rules, |t| t.frame.programs),
    setup("/admin/promotions", Right::Rules, |t| t.admin_promotions.title),
    setup("/admin/coupons", Right::Rules, |t| t.admin_coupons.title),
    setup("/admin/stores", Right::Shops, |t| t.stores.title),
    setup("/admin/help", Right::Help, |t| t.admin_help.title),
    setup("/admin/texts", Right::Texts, |t| t.admin_texts.title),
    setup("/admin/levels", Right::Levels, |t| t.admin_levels.title),
    setup("/admin/tills", Right::Tills, |t| t.frame.tills),
    setup("/admin/webhooks", Right::Tills, |t| t.frame.webhooks),
    setup("/admin/partners", Right::Partners, |t| t.admin_partners.title),
    setup("/admin/reports", Right::Reports, |t| t.admin_reports.title),
    setup("/admin/imports", Right::Import, |t| t.admin_imports.title),
    setup("/admin/exports", Right::Export, |t| t.admin_extracts.title),
    setup("/admin/staff", Right::Staff, |t| t.admin_staff.title),
    setup("/admin/audit", Right::Audit, |t| t.admin_audit.title),
];

/// The most that stand in the bar side by side.
const SIDE_BY_SIDE: usize = 6;

/// Those that somebody has the right to.
fn of(staff: &Staff) -> impl Iterator<Item = &'static Place> {
    PLACES.iter().filter(|place| staff.has(place.right))
}

/// Those that somebody has the right to: in the bar itself, and in its menu where all of them would be too many.
pub fn in_bar(staff: &Staff) -> (Vec<&'static Place>, Vec<&'static Place>) {
    let all: Vec<_> = of(staff).collect();
    if all.len() <= SIDE_BY_SIDE {
        return (all, Vec::new());
    }
    let (mut bar, mut menu): (Vec<_>, Vec<_>) = all.into_iter().partition(|place| !place.is_setup);
    // Whose day is spent with setting things up has the first of them at hand.
    if bar.is_empty() {
        bar = menu.drain(..SIDE_BY_SIDE - 1).collect();
    }
    (bar, menu)
}

/// The first of them; without any, the page that every member of staff has.
pub fn first(staff: &Staff) -> &'static str {
    of(staff).next().map_or("/admin/security", |place| place.path)
}
