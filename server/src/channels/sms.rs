//! Text messages, handed to a gateway by HTTP. Every provider has its own request and its own way to say no, so both are
//! described in the configuration.

use super::reports::Reports;
use super::{Refusal, chain, without_trust};
use crate::secret::Secret;
use crm::outbox::delivery::{Claimed, Trouble};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Url};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// How much of an answer is read.
const ANSWER_LIMIT: usize = 64 * 1024;
/// How much of what a gateway says is quoted.
const QUOTE: usize = 200;

/// The gateway.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmsConfig {
    /// Where requests go; empty where there is no gateway.
    pub url: String,
    /// How they are sent.
    pub method: Method,
    /// How the body is written, and what the values in it are escaped for.
    pub encoding: Encoding,
    /// The body.
    pub body: String,
    /// What `{secret}` stands for in address and body.
    #[serde(default, skip_serializing)]
    pub secret: Option<Secret>,
    /// The statuses that mean yes; empty: every 2xx.
    pub success_statuses: Vec<u16>,
    /// Where in a JSON answer it says whether the message was taken (RFC 6901, and `*` for a member whose name is not
    /// known beforehand); empty: the status is enough.
    pub success_pointer: String,
    /// What it says there then; empty: anything.
    pub success_value: String,
    /// Where it says what the gateway calls the message; empty: nowhere.
    pub reference_pointer: String,
    /// Statuses after which trying again is of no use.
    pub permanent_statuses: Vec<u16>,
    /// Where it says why a message was not taken; empty: nowhere.
    pub error_pointer: String,
    /// Reasons after which trying again is of no use.
    pub permanent_errors: Vec<String>,
    /// How long a request may take.
    pub timeout_seconds: u64,
    /// Headers of a request.
    #[serde(default, skip_serializing)]
    pub headers: BTreeMap<String, Secret>,
    /// How it tells later what became of messages.
    pub reports: Reports,
}

/// How a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// With a body.
    Post,
    /// With everything in the address.
    Get,
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// As forms are sent.
    Form,
    /// As JSON; values stand between quotation marks.
    Json,
}

impl Default for SmsConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            method: Method::Post,
            encoding: Encoding::Form,
            body: "phone={phone}&text={text}&id={id}".into(),
            secret: None,
            success_statuses: Vec::new(),
            success_pointer: String::new(),
            success_value: String::new(),
            reference_pointer: String::new(),
            permanent_statuses: vec![400, 422],
            error_pointer: String::new(),
            permanent_errors: Vec::new(),
            timeout_seconds: 20,
            headers: BTreeMap::new(),
            reports: Reports::default(),
        }
    }
}

impl SmsConfig {
    /// Whether text messages are to be sent at all.
    pub fn is_configured(&self) -> bool {
        !self.url.is_empty()
    }

    /// What is wrong with values that cannot work, each with its key and what to do.
    pub fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut check = |is_right: bool, text: String| {
            if !is_right {
                found.push(text);
            }
        };
        for (key, pointer) in [
            ("success_pointer", &self.success_pointer),
            ("reference_pointer", &self.reference_pointer),
            ("error_pointer", &self.error_pointer),
        ] {
            check(
                pointer.is_empty() || pointer.starts_with('/'),
                format!("sms.{key}: {pointer:?} is not a JSON pointer like /result/id"),
            );
        }
        check(
            self.success_value.is_empty() || !self.success_pointer.is_empty(),
            "sms.success_value: says nothing without success_pointer".to_owned(),
        );
        check(
            self.permanent_errors.is_empty() || !self.error_pointer.is_empty(),
            "sms.permanent_errors: say nothing without error_pointer".to_owned(),
        );
        check(
            (1..=300).contains(&self.timeout_seconds),
            format!("sms.timeout_seconds: {} is not 1 to 300", self.timeout_seconds),
        );
        if !self.is_configured() {
            let is_begun = self.secret.is_some() || !self.headers.is_empty() || self.reports != Reports::default();
            check(
                !is_begun,
                "sms.url: is empty while other keys of [sms] are set; name the gateway".to_owned(),
            );
            return found;
        }
        // What can be wrong with a request shows when one is written.
        if let Err(words) = Request::read(self).and_then(|request| {
            let sample = request.fill("+79000000001", "\"x\" & y\n", "0");
            let body = &sample.1;
            if self.method == Method::Post && self.encoding == Encoding::Json {
                serde_json::from_str::<Value>(body)
                    .map_err(|e| format!("sms.body: is no JSON once it is filled: {e}"))?;
            }
            Ok(())
        }) {
            check(false, words);
        }
        let all = format!("{} {}", self.url, self.body_of_method());
        for name in ["phone", "text"] {
            check(
                all.contains(&format!("{{{name}}}")),
                format!("sms.body: {{{name}}} stands neither there nor in sms.url"),
            );
        }
        check(
            all.contains("{secret}") == self.secret.is_some(),
            "sms.secret: set it and write {secret} where it belongs, in sms.body or sms.url".to_owned(),
        );
        let is_known_there = !self.reference_pointer.is_empty() || all.contains("{id}");
        found.extend(self.reports.problems(is_known_there));
        found
    }

    fn body_of_method(&self) -> &str {
        match self.method {
            Method::Post => &self.body,
            Method::Get => "",
        }
    }
}

/// A request with holes for a message.
struct Request {
    method: Method,
    encoding: Encoding,
    url: String,
    body: String,
    secret: String,
    headers: HeaderMap,
}

impl Request {
    /// The request as configured. Fails with words that name the key.
    fn read(config: &SmsConfig) -> Result<Self, String> {
        let secret = match &config.secret {
            Some(secret) => secret.reveal().map_err(|words| format!("sms.secret: {words}"))?,
            None => String::new(),
        };
        let mut headers = HeaderMap::new();
        for (name, value) in &config.headers {
            let value = value.reveal().map_err(|words| format!("sms.headers.{name}: {words}"))?;
            let name =
                HeaderName::try_from(name).map_err(|_| format!("sms.headers: {name:?} is no name of a header"))?;
            let mut value =
                HeaderValue::try_from(value).map_err(|_| format!("sms.headers.{name}: cannot stand in a header"))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        if config.method == Method::Post && !headers.contains_key(CONTENT_TYPE) {
            let kind = match config.encoding {
                Encoding::Form => "application/x-www-form-urlencoded; charset=utf-8",
                Encoding::Json => "application/json",
            };
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        let request = Self {
            method: config.method,
            encoding: config.encoding,
            url: config.url.clone(),
            body: config.body_of_method().to_owned(),
            secret,
            headers,
        };
        let is_right = |url: Url| {
            let host = url.host_str().unwrap_or_default();
            let is_here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
            url.scheme() == "https" || (url.scheme() == "http" && is_here)
        };
        let url = Url::parse(&request.fill("+7", "x", "0").0);
        if url.is_ok_and(is_right) {
            Ok(request)
        } else {
            Err("sms.url: is not an address like https://sms.example.com/send; http alone would show the codes on the way"
                .to_owned())
        }
    }

    /// Address and body of the request for one message.
    fn fill(&self, phone: &str, text: &str, id: &str) -> (String, String) {
        let values = [("phone", phone), ("text", text), ("id", id), ("secret", &self.secret)];
        let in_body = match self.encoding {
            Encoding::Form => form,
            Encoding::Json => json,
        };
        (fill(&self.url, &values, form), fill(&self.body, &values, in_body))
    }
}

/// Fills each known `{name}` once. Other braces are the template's own, as JSON has them.
fn fill(template: &str, values: &[(&str, &str)], escape: fn(&str) -> String) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let known = values.iter().find_map(|(name, value)| {
            let after = after.strip_prefix(name)?.strip_prefix('}')?;
            Some((value, after))
        });
        match known {
            Some((value, after)) => {
                filled.push_str(&escape(value));
                rest = after;
            }
            None => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled
}

fn form(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

/// The inside of a JSON string.
fn json(value: &str) -> String {
    let quoted = Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// The text at a JSON pointer; an empty pointer leads nowhere. `*` stands for the first member: some gateways answer under
/// the phone that they were given.
pub(super) fn at(value: &Value, pointer: &str) -> Option<String> {
    if pointer.is_empty() {
        return None;
    }
    match find(value, pointer)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn find<'a>(value: &'a Value, pointer: &str) -> Option<&'a Value> {
    let Some((before, after)) = pointer.split_once("/*") else {
        return value.pointer(pointer);
    };
    let first = match value.pointer(before)? {
        Value::Array(items) => items.first(),
        Value::Object(members) => members.values().next(),
        _ => None,
    };
    find(first?, after)
}

/// What an answer came to.
fn judge(config: &SmsConfig, status: u16, body: &str) -> Result<Option<String>, Refusal> {
    let answer: Value = serde_json::from_str(body).unwrap_or_default();
    let at = |pointer: &str| at(&answer, pointer);
    let is_status = match config.success_statuses.as_slice() {
        [] => (200..300).contains(&status),
        some => some.contains(&status),
    };
    let said = at(&config.success_pointer);
    let is_said = match (config.success_pointer.is_empty(), config.success_value.is_empty()) {
        (true, _) => true,
        (false, true) => said.is_some(),
        (false, false) => said.as_deref() == Some(config.success_value.as_str()),
    };
    if is_status && is_said {
        return Ok(at(&config.reference_pointer));
    }
    let error = at(&config.error_pointer);
    let is_permanent = config.permanent_statuses.contains(&status)
        || error
            .as_ref()
            .is_some_and(|error| config.permanent_errors.contains(error));
    let mut words = format!("the gateway answered {status}");
    if (300..400).contains(&status) {
        words.push_str(" with a redirect, which is not followed: set sms.url to the new address");
    }
    if let Some(said) = error.or(said) {
        words = format!("{words}: {}", said.chars().take(QUOTE).collect::<String>());
    }
    Err(Refusal {
        is_permanent,
        trouble: Trouble::Refused,
        words,
    })
}

/// Hands text messages to the gateway.
pub struct Gateway {
    config: SmsConfig,
    request: Request,
    client: Client,
}

impl Gateway {
    /// A gateway as configured. Fails with words that name the key.
    pub fn new(config: &SmsConfig, client: Client) -> Result<Self, String> {
        Ok(Self {
            config: config.clone(),
            request: Request::read(config)?,
            client,
        })
    }

    pub(super) fn timeout(&self) -> Duration {
        Duration::from_secs(self.config.timeout_seconds)
    }

    /// Whether the gateway's host answers on its port; which it is. Nothing is sent. Fails in words.
    pub async fn check(&self) -> Result<String, String> {
        let (url, _) = self.request.fill("", "", "");
        let url = reqwest::Url::parse(&url).map_err(|e| format!("sms.url: {e}"))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let port = url.port_or_known_default().unwrap_or(443);
        let reached = tokio::net::TcpStream::connect((host.trim_matches(['[', ']']), port));
        match tokio::time::timeout(self.timeout(), reached).await {
            Ok(Ok(_)) => Ok(host),
            Ok(Err(e)) => Err(format!("{host}: {e}")),
            Err(_) => Err(format!("{host}: no answer in {} s", self.config.timeout_seconds)),
        }
    }

    pub(super) async fn send(&self, message: &Claimed) -> Result<Option<String>, Refusal> {
        let (url, body) = self
            .request
            .fill(&message.address, &message.body, &message.id.to_string());
        let request = match self.request.method {
            Method::Post => self.client.post(url).body(body),
            Method::Get => self.client.get(url),
        };
        // The address may hold a secret, so an error is told without it.
        let told = |e: reqwest::Error| {
            let e = e.without_url();
            let (trouble, words) = if e.is_timeout() {
                (Trouble::TimedOut, "the gateway did not answer in time")
            } else if e.is_connect() {
                (Trouble::Unreachable, "the gateway cannot be reached")
            } else {
                (Trouble::Unreachable, "the gateway broke off")
            };
            let words = match std::error::Error::source(&e) {
                Some(cause) => format!("{words}: {}", chain(cause)),
                None => words.to_owned(),
            };
            Refusal::for_now(without_trust(&words).unwrap_or(trouble), words)
        };
        let mut response = request
            .headers(self.request.headers.clone())
            .send()
            .await
            .map_err(told)?;
        let status = response.status().as_u16();
        let mut answer = Vec::new();
        while let Some(part) = response.chunk().await.map_err(told)? {
            let room = ANSWER_LIMIT - answer.len();
            answer.extend_from_slice(&part[..part.len().min(room)]);
            if answer.len() == ANSWER_LIMIT {
                break;
            }
        }
        judge(&self.config, status, &String::from_utf8_lossy(&answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gateway() -> SmsConfig {
        SmsConfig {
            url: "https://sms.example.com/send".into(),
            ..SmsConfig::default()
        }
    }

    #[test]
    fn values_break_nothing_around_them() {
        let nasty = "\"};drop\\ {id}\n&text=x 100%+ Ёж";
        let mut config = gateway();
        config.encoding = Encoding::Json;
        config.body = r#"{"to": "{phone}", "messages": [{"text": "{text}", "own": {"id": "{id}"}}]}"#.into();
        config.url = "https://sms.example.com/send?text={text}".into();
        let (url, body) = Request::read(&config).expect("a request").fill("+79", nasty, "7");
        let read: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(read["messages"][0]["text"], nasty);
        assert_eq!(read["messages"][0]["own"]["id"], "7");
        let query: Vec<_> = Url::parse(&url)
            .expect("an address")
            .query_pairs()
            .into_owned()
            .collect();
        assert_eq!(query, [("text".to_owned(), nasty.to_owned())]);
        let (_, body) = Request::read(&gateway()).expect("a request").fill("+79", nasty, "7");
        let sent: Vec<_> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(sent, [pair("phone", "+79"), pair("text", nasty), pair("id", "7")]);
    }

    #[test]
    fn an_answer_is_read_as_configured() {
        let mut config = gateway();
        assert_eq!(judge(&config, 204, ""), Ok(None));
        let refused = judge(&config, 500, "oops").expect_err("refused");
        assert_eq!(
            (refused.is_permanent, refused.words.as_str()),
            (false, "the gateway answered 500")
        );
        assert!(judge(&config, 422, "").expect_err("refused").is_permanent);
        assert!(judge(&config, 302, "").expect_err("refused").words.contains("redirect"));
        config.success_pointer = "/ok".into();
        config.success_value = "true".into();
        config.error_pointer = "/error/code".into();
        config.permanent_errors = vec!["7".into()];
        config.reference_pointer = "/ids/0".into();
        assert_eq!(
            judge(&config, 200, r#"{"ok": true, "ids": [42]}"#),
            Ok(Some("42".into()))
        );
        for (body, is_permanent) in [
            (r#"{"ok": false, "error": {"code": 7}}"#, true),
            (r#"{"ok": false, "error": {"code": 9}}"#, false),
            (r#"{"ok": "no"}"#, false),
            ("<html>", false),
            ("", false),
        ] {
            assert_eq!(
                judge(&config, 200, body).expect_err("refused").is_permanent,
                is_permanent,
                "{body}"
            );
        }
        config.success_pointer = "/sms/*/status".into();
        config.success_value = "OK".into();
        config.reference_pointer = "/sms/*/sms_id".into();
        let taken = r#"{"status": "OK", "sms": {"79000000001": {"status": "OK", "sms_id": "000000-1"}}}"#;
        assert_eq!(judge(&config, 200, taken), Ok(Some("000000-1".into())));
        for refused in [
            taken.replace("\"OK\", \"sms_id", "\"ERROR\", \"sms_id"),
            r#"{"sms": {}}"#.into(),
        ] {
            assert!(judge(&config, 200, &refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn problems_name_the_key() {
        assert_eq!(gateway().problems(), Vec::<String>::new());
        assert_eq!(SmsConfig::default().problems(), Vec::<String>::new());
        let with = |change: fn(&mut SmsConfig)| {
            let mut config = gateway();
            change(&mut config);
            config.problems()
        };
        type Spoil = fn(&mut SmsConfig);
        let wrong: [(&str, Spoil); 10] = [
            ("sms.url", |c| c.url = "http://sms.example.com/send".into()),
            ("sms.url", |c| c.url = "sms.example.com".into()),
            ("sms.body", |c| c.body = "phone={phone}".into()),
            ("sms.body", |c| c.encoding = Encoding::Json),
            ("sms.secret", |c| c.body.push_str("&key={secret}")),
            ("sms.success_pointer", |c| c.success_pointer = "ok".into()),
            ("sms.success_value", |c| c.success_value = "1".into()),
            ("sms.reports.secret", |c| c.reports.id = "/id".into()),
            ("sms.reports: ", |c| {
                c.body = "phone={phone}&text={text}".into();
                c.reports = Reports {
                    secret: Some(Secret::Inline("x".repeat(40))),
                    id: "/id".into(),
                    status: "/status".into(),
                    delivered: vec!["1".into()],
                    ..Reports::default()
                };
            }),
            ("sms.headers", |c| {
                c.headers.insert("bad name".into(), Secret::Inline("x".into()));
            }),
        ];
        for (key, change) in wrong {
            let found = with(change);
            assert!(found.len() == 1 && found[0].starts_with(key), "{key}: {found:?}");
        }
    }
}
