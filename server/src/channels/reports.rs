//! Delivery reports: what the gateway of text messages tells later, by a request to an address of ours
//! ([`crate::callbacks`]). Some send forms, some JSON, one report at a time or many, so where things stand in a report is
//! described in the configuration. A form is read as an object of JSON, so that one way to say where serves both.

use super::sms::at;
use crate::secret::Secret;
use axum::http::HeaderName;
use crm::outbox::delivery::Report;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The least length of a secret: 128 bits in hexadecimal digits.
pub const LEAST: usize = 32;

/// How the gateway tells what became of messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reports {
    /// What proves that it is the gateway; without it nobody is listened to.
    #[serde(default, skip_serializing)]
    pub secret: Option<Secret>,
    /// The header in which the gateway sends the secret; empty: the address ends in it.
    pub header: String,
    /// Where the list of reports stands (RFC 6901); empty: the body is one report or a list of them.
    pub each: String,
    /// Where in a report it says which message it is about.
    pub id: String,
    /// Where it says how that is.
    pub status: String,
    /// What it says there of a message that has arrived.
    pub delivered: Vec<String>,
    /// What it says there of one that will not arrive.
    pub failed: Vec<String>,
    /// Where it says why not; empty: nowhere.
    pub error: String,
    /// What the gateway wants to read in answer; empty: the status is enough.
    pub answer: String,
}

/// What one report came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A message has arrived, or will not.
    News(Report),
    /// It is on its way, or whatever else a gateway finds worth telling.
    Other,
    /// It does not say of which message it is, or how that is.
    Unreadable,
}

impl Reports {
    /// What is wrong with values that cannot work, each with its key and what to do. `is_known_there` says whether a
    /// message has a name that both sides know.
    pub fn problems(&self, is_known_there: bool) -> Vec<String> {
        let mut found = Vec::new();
        let mut check = |is_right: bool, text: String| {
            if !is_right {
                found.push(text);
            }
        };
        let Some(secret) = &self.secret else {
            check(
                *self == Self::default(),
                "sms.reports.secret: is missing while other keys of [sms.reports] are set".to_owned(),
            );
            return found;
        };
        match secret.reveal() {
            Err(words) => check(false, format!("sms.reports.secret: {words}")),
            Ok(secret) => {
                check(
                    secret.len() >= LEAST,
                    format!("sms.reports.secret: is shorter than {LEAST} characters; `openssl rand -hex 16` makes one"),
                );
                let is_plain = secret
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b));
                check(
                    is_plain || !self.header.is_empty(),
                    "sms.reports.secret: the address ends in it, so it may hold letters, digits and -_.~ alone"
                        .to_owned(),
                );
            }
        }
        check(
            self.header.is_empty() || HeaderName::try_from(&self.header).is_ok(),
            format!("sms.reports.header: {:?} is no name of a header", self.header),
        );
        for (key, pointer, is_needed) in [
            ("each", &self.each, false),
            ("id", &self.id, true),
            ("status", &self.status, true),
            ("error", &self.error, false),
        ] {
            check(
                pointer.starts_with('/') || (pointer.is_empty() && !is_needed),
                format!("sms.reports.{key}: {pointer:?} is not a JSON pointer like /id; of a form /id is the field id"),
            );
        }
        check(
            !self.delivered.is_empty(),
            "sms.reports.delivered: is empty; name what the gateway says of a message that has arrived".to_owned(),
        );
        for both in self.delivered.iter().filter(|status| self.failed.contains(status)) {
            check(
                false,
                format!("sms.reports.failed: {both:?} stands in delivered as well"),
            );
        }
        check(
            is_known_there,
            "sms.reports: no report could be matched; set sms.reference_pointer, or send {id} along for the gateway to repeat"
                .to_owned(),
        );
        found
    }

    /// What a body tells.
    pub fn read(&self, body: &[u8]) -> Vec<Told> {
        let whole = match serde_json::from_slice(body) {
            Ok(json @ (Value::Object(_) | Value::Array(_))) => json,
            _ => fields(body),
        };
        match whole.pointer(&self.each) {
            Some(Value::Array(reports)) => reports.iter().map(|report| self.one(report)).collect(),
            Some(report) => vec![self.one(report)],
            None => vec![Told::Unreadable],
        }
    }

    fn one(&self, report: &Value) -> Told {
        let lines;
        let report = match report {
            // Some put a report into one field, a line for each thing that it says.
            Value::String(text) => {
                lines = text.lines().map(Value::from).collect::<Value>();
                &lines
            }
            other => other,
        };
        let text = |pointer: &str| at(report, pointer).filter(|text| !text.is_empty());
        let (Some(reference), Some(status)) = (text(&self.id), text(&self.status)) else {
            return Told::Unreadable;
        };
        let failure = if self.delivered.contains(&status) {
            None
        } else if self.failed.contains(&status) {
            Some(match text(&self.error) {
                Some(why) => format!("{status}: {why}"),
                None => status,
            })
        } else {
            return Told::Other;
        };
        Told::News(Report { reference, failure })
    }
}

/// A form as an object. Fields that are called `a[]` or `a[0]` are the list `a`.
fn fields(body: &[u8]) -> Value {
    let mut all = Map::new();
    for (name, value) in form_urlencoded::parse(body) {
        match name.split_once('[') {
            Some((list, _)) => {
                let list = all.entry(list).or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(items) = list {
                    items.push(value.into());
                }
            }
            None => {
                all.insert(name.to_string(), value.into());
            }
        }
    }
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reports(each: &str, id: &str, status: &str, error: &str) -> Reports {
        let words = |all: &[&str]| all.iter().map(|word| (*word).to_owned()).collect();
        Reports {
            secret: Some(Secret::Inline("0123456789abcdef0123456789abcdef".into())),
            each: each.into(),
            id: id.into(),
            status: status.into(),
            delivered: words(&["1", "delivered", "DELIVERED", "103"]),
            failed: words(&["20", "undelivered", "UNDELIVERABLE", "105"]),
            error: error.into(),
            ..Reports::default()
        }
    }

    fn news(reference: &str, failure: Option<&str>) -> Told {
        Told::News(Report {
            reference: reference.into(),
            failure: failure.map(str::to_owned),
        })
    }

    #[test]
    fn reports_are_read_as_gateways_send_them() {
        let form = reports("", "/id", "/status", "/err");
        assert_eq!(form.read(b"id=7&phone=79000000001&status=1&err=0"), [news("7", None)]);
        assert_eq!(form.read(b"id=7&status=20&err=255"), [news("7", Some("20: 255"))]);
        assert_eq!(form.read(b"id=7&status=20"), [news("7", Some("20"))]);
        assert_eq!(form.read(b"id=7&status=0"), [Told::Other]);

        // A line for each thing, and a field for each report.
        let lines = reports("/data", "/1", "/2", "");
        let body = "data[0]=sms_status%0A000-1%0A103%0A1700000000&data[1]=sms_status%0D%0A000-2%0D%0A105&\
                    data[2]=callcheck_status%0A1&hash=x";
        let told = [news("000-1", None), news("000-2", Some("105")), Told::Unreadable];
        assert_eq!(lines.read(body.as_bytes()), told);

        let json = reports("/results", "/messageId", "/status/groupName", "/error/description");
        let body = r#"{"results": [
            {"messageId": "a", "status": {"groupName": "DELIVERED"}, "error": {"description": "No Error"}},
            {"messageId": "b", "status": {"groupName": "UNDELIVERABLE"}, "error": {"description": "Absent"}},
            {"messageId": 3, "status": {"groupName": "PENDING"}},
            {"status": {"groupName": "DELIVERED"}},
            7
        ]}"#;
        let told = [
            news("a", None),
            news("b", Some("UNDELIVERABLE: Absent")),
            Told::Other,
            Told::Unreadable,
            Told::Unreadable,
        ];
        assert_eq!(json.read(body.as_bytes()), told);
        // One alone, or a list at the top.
        let flat = reports("", "/id", "/status", "");
        assert_eq!(flat.read(br#"{"id": 7, "status": "delivered"}"#), [news("7", None)]);
        assert_eq!(flat.read(br#"[{"id": "7", "status": 20}]"#), [news("7", Some("20"))]);
    }

    #[test]
    fn what_is_no_report_is_none() {
        let bodies: [&[u8]; 7] = [
            b"",
            b"{",
            b"null",
            b"id=&status=1",
            b"id=7&status",
            b"\xff\xfe\x00",
            br#"{"id": null, "status": "1"}"#,
        ];
        for body in bodies {
            let text = String::from_utf8_lossy(body);
            for each in ["", "/results"] {
                let told = reports(each, "/id", "/status", "").read(body);
                assert_eq!(told, [Told::Unreadable], "{text}");
            }
        }
        assert_eq!(reports("", "/id", "/status", "").read(b"[]"), []);
        let deep = "[".repeat(60_000);
        assert_eq!(
            reports("", "/id", "/status", "").read(deep.as_bytes()),
            [Told::Unreadable]
        );
    }

    #[test]
    fn problems_name_the_key() {
        assert_eq!(Reports::default().problems(false), Vec::<String>::new());
        let right = reports("", "/id", "/status", "");
        assert_eq!(right.problems(true), Vec::<String>::new());
        type Spoil = fn(&mut Reports);
        let wrong: [(&str, Spoil); 10] = [
            ("sms.reports.secret", |r| r.secret = None),
            ("sms.reports.secret", |r| {
                r.secret = Some(Secret::Inline("short".into()))
            }),
            ("sms.reports.secret", |r| {
                r.secret = Some(Secret::Inline("/".repeat(LEAST)))
            }),
            ("sms.reports.secret", |r| {
                r.secret = Some(Secret::File {
                    file: "/nowhere/secret".into(),
                });
            }),
            ("sms.reports.header", |r| r.header = "bad name".into()),
            ("sms.reports.each", |r| r.each = "results".into()),
            ("sms.reports.id", |r| r.id = String::new()),
            ("sms.reports.status", |r| r.status = "status".into()),
            ("sms.reports.delivered", |r| r.delivered.clear()),
            ("sms.reports.failed", |r| r.failed.push("1".into())),
        ];
        for (key, change) in wrong {
            let mut reports = right.clone();
            change(&mut reports);
            let found = reports.problems(true);
            assert!(found.len() == 1 && found[0].starts_with(key), "{key}: {found:?}");
        }
        let found = right.problems(false);
        assert!(found.len() == 1 && found[0].starts_with("sms.reports: "), "{found:?}");
        // In a header anything may stand that a header may.
        let mut reports = right;
        reports.header = "Authorization".into();
        reports.secret = Some(Secret::Inline("Bearer 0123456789abcdef0123456789".into()));
        assert_eq!(reports.problems(true), Vec::<String>::new());
    }
}
