//! The customer's own pages.

pub mod card;
pub mod home;
pub mod points;
pub mod purchases;
pub mod receipt;

use chrono::{DateTime, Datelike, Utc};
use crm::points::Before;

/// A place in a list as an address carries it: `<microseconds>_<id>`.
fn show_place((at, id): Before) -> String {
    format!("{}_{id}", at.timestamp_micros())
}

/// The place in an address. What is none is the beginning: nobody's page breaks over an address cut short. Times
/// before 1970 and after 9999 are none either: the databases do not order them alike.
fn place(text: &str) -> Option<Before> {
    let (at, id) = text.split_once('_')?;
    let at =
        DateTime::<Utc>::from_timestamp_micros(at.parse().ok()?).filter(|at| (1970..=9999).contains(&at.year()))?;
    Some((at, id.parse::<crm::id::PurchaseId>().ok()?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_an_address() {
        let text = "1795262400000001_00000000-0000-0000-0000-000000000007";
        assert_eq!(place(text).map(show_place).as_deref(), Some(text));
        let id = "00000000-0000-0000-0000-000000000007";
        for bad in [
            "",
            "_",
            "1",
            "1_x",
            "x_1",
            &format!("-1_{id}"),
            &format!("999999999999999999_{id}"),
            &format!("99999999999999999999_{id}"),
        ] {
            assert_eq!(place(bad), None, "{bad}");
        }
    }
}
