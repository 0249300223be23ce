//! Lists in parts. Where the next part begins is told as a cursor, which is a place in the order of the list and not a number
//! of rows: what is added meanwhile shifts nothing. Of what a cursor is made is nobody's affair.

use super::problem::Problem;
use axum::Json;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use crm::points::Before;
use serde::{Deserialize, Serialize};

/// The most records of a part.
const MOST: i64 = 500;
/// How many there are where nobody says how many.
const USUAL: i64 = 100;

/// Which part of a list.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    /// The cursor that the part before told.
    after: Option<String>,
    /// A number, read by hand so that a problem says where it is.
    limit: Option<String>,
}

impl Wanted {
    /// How many records.
    pub(super) fn limit(&self) -> Result<i64, Problem> {
        let limit = self.limit.as_deref().map_or(Some(USUAL), |text| text.parse().ok());
        limit
            .filter(|limit| (1..=MOST).contains(limit))
            .ok_or_else(|| Problem::invalid().at("/limit", "out_of_range", format!("It is a number from 1 to {MOST}")))
    }

    /// The place in a list after which the part begins; empty: at its beginning.
    pub(super) fn after(&self, list: &str) -> Result<String, Problem> {
        let Some(cursor) = &self.after else {
            return Ok(String::new());
        };
        let place = || {
            let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
            let (of, place) = text.split_once('\n')?;
            (of == list && !place.is_empty() && !place.contains('\0')).then(|| place.to_owned())
        };
        place().ok_or_else(not_a_cursor)
    }

    /// The same of a list in the order of time, the newest first.
    pub(super) fn before(&self, list: &str) -> Result<Option<Before>, Problem> {
        let place = self.after(list)?;
        if place.is_empty() {
            return Ok(None);
        }
        let before = place.split_once(' ').and_then(|(at, id)| {
            let at = DateTime::from_timestamp_micros(at.parse().ok()?)?;
            Some((at, id.parse().ok()?))
        });
        before.map(Some).ok_or_else(not_a_cursor)
    }
}

fn not_a_cursor() -> Problem {
    let detail = "Send the `next` of the part before, of this very list, as it was told";
    Problem::invalid().at("/after", "not_a_cursor", detail)
}

/// A place of a list in the order of time.
pub(super) fn place((at, id): Before) -> String {
    format!("{} {id}", at.timestamp_micros())
}

/// The cursor of a place in a list.
pub(super) fn cursor(list: &str, place: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{list}\n{place}"))
}

/// A part of a list as it is answered: the next one stands in its body and in its head as well (RFC 8288).
pub(super) struct Part<T> {
    /// What is answered, the cursor in it.
    pub(super) body: T,
    /// The address of the list, without the host.
    pub(super) path: String,
    /// The cursor of the next part, if there is one, and how many records it has at most.
    pub(super) next: (Option<String>, i64),
}

impl<T: Serialize> IntoResponse for Part<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.body).into_response();
        if let (Some(next), limit) = self.next
            && let Ok(link) =
                HeaderValue::from_str(&format!("<{}?after={next}&limit={limit}>; rel=\"next\"", self.path))
        {
            response.headers_mut().insert(header::LINK, link);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(after: &str, limit: &str) -> Wanted {
        Wanted {
            after: Some(after.into()),
            limit: Some(limit.into()),
        }
    }

    #[test]
    fn a_cursor_is_good_for_its_own_list() {
        let cursor = cursor("articles", "чай/7 &x");
        assert!(
            cursor
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'),
            "{cursor}"
        );
        let read = |list| wanted(&cursor, "1").after(list);
        assert_eq!(read("articles").expect("its own"), "чай/7 &x");
        let refused = read("stores").expect_err("another's");
        assert_eq!(refused.details().errors[0].code, "not_a_cursor");
        let (empty, nul) = (super::cursor("articles", ""), super::cursor("articles", "a\0"));
        for made_up in ["", "x", "articles", empty.as_str(), nul.as_str()] {
            assert!(wanted(made_up, "1").after("articles").is_err(), "{made_up}");
        }
        assert_eq!(Wanted::default().after("articles").expect("the beginning"), "");
    }

    #[test]
    fn a_place_in_time_is_read_back() {
        let before = (
            DateTime::from_timestamp_micros(1_795_262_400_000_001).expect("a moment"),
            uuid::Uuid::now_v7(),
        );
        let told = cursor("purchases", &place(before));
        assert_eq!(wanted(&told, "1").before("purchases").expect("read"), Some(before));
        assert_eq!(Wanted::default().before("purchases").expect("the beginning"), None);
        assert!(wanted(&cursor("purchases", "soon x"), "1").before("purchases").is_err());
    }

    #[test]
    fn a_part_has_1_to_500_records() {
        for (limit, number) in [
            ("1", Some(1)),
            ("500", Some(500)),
            ("0", None),
            ("501", None),
            ("-1", None),
            ("many", None),
            ("", None),
        ] {
            assert_eq!(wanted("", limit).limit().ok(), number, "{limit}");
        }
        assert_eq!(Wanted::default().limit().expect("the usual"), USUAL);
    }
}
