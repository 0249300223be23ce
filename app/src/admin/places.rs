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
}

const fn place(path: &'static str, right: Right, name: fn(&'static Texts) -> &'static str) -> Place {
    Place { path, name, right }
}

/// All of them, in the order of the bar.
const PLACES: &[Place] = &[
    place("/admin/requests", Right::Requests, |t| t.frame.requests),
    place("/admin/customers", Right::Customers, |t| t.frame.customers),
    place("/admin/messages", Right::Messages, |t| t.frame.messages),
    place("/admin/approvals", Right::Points, |t| t.frame.approvals),
    place("/admin/rules", Right::Rules, |t| t.frame.staff_rules),
    place("/admin/programs", Right::Rules, |t| t.frame.programs),
    place("/admin/stores", Right::Shops, |t| t.stores.title),
    place("/admin/tills", Right::Tills, |t| t.frame.tills),
    place("/admin/webhooks", Right::Tills, |t| t.frame.webhooks),
];

/// Those that somebody has the right to.
pub fn of(staff: &Staff) -> impl Iterator<Item = &'static Place> {
    PLACES.iter().filter(|place| staff.has(place.right))
}

/// The first of them; without any, the page that every member of staff has.
pub fn first(staff: &Staff) -> &'static str {
    of(staff).next().map_or("/admin/security", |place| place.path)
}
