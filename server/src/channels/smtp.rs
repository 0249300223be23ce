//! E-mail, handed to a relay by SMTP (RFC 5321). Signing (DKIM) is the relay's business.

use super::{Refusal, chain, without_trust};
use crate::secret::Secret;
use crm::outbox::delivery::{Claimed, Trouble};
use lettre::address::{Address, Envelope};
use lettre::message::header::{ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// Answers that are about how we come, not about the message: what they refuse goes as soon as that is mended.
/// Bad sequence and parameters, sign-in needed, too weak or refused (RFC 5321, 4.2.3; RFC 4954, 6).
const ABOUT_US: [u16; 7] = [502, 503, 504, 530, 534, 535, 538];

/// Those of them that are about signing in.
const SIGN_IN: [u16; 4] = [530, 534, 535, 538];

/// The relay.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailConfig {
    /// Its name; empty where there is none.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the way there is protected.
    pub tls: TlsMode,
    /// A certificate that vouches for it beside the system's, in PEM; empty for none.
    pub ca_file: PathBuf,
    /// Whom to sign in as; empty: nobody.
    pub user: String,
    /// The password to that.
    #[serde(default, skip_serializing)]
    pub password: Option<Secret>,
    /// Who writes.
    pub from: String,
    /// Where answers go; empty: to who writes.
    pub reply_to: String,
    /// How long handing over a message may take.
    pub timeout_seconds: u64,
}

/// How the way to the relay is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// By TLS that begins after a greeting (port 587).
    Starttls,
    /// By TLS from the first byte (port 465).
    Tls,
    /// Not at all: for a relay on the same machine.
    None,
}

impl Default for MailConfig {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 587,
            tls: TlsMode::Starttls,
            ca_file: PathBuf::new(),
            user: String::new(),
            password: None,
            from: String::new(),
            reply_to: String::new(),
            timeout_seconds: 30,
        }
    }
}

impl MailConfig {
    /// Whether e-mail is to be sent at all.
    pub fn is_configured(&self) -> bool {
        !self.host.is_empty()
    }

    /// What is wrong with values that cannot work, each with its key and what to do.
    pub fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        if !self.is_configured() {
            if !self.from.is_empty() || !self.user.is_empty() || self.password.is_some() {
                found.push("mail.host: is empty while other keys of [mail] are set; name the relay".to_owned());
            }
            return found;
        }
        let mut check = |is_right: bool, text: String| {
            if !is_right {
                found.push(text);
            }
        };
        let mailbox = |text: &str| text.parse::<Mailbox>().is_ok();
        check(
            mailbox(&self.from),
            format!(
                "mail.from: {:?} is not an address like club@example.com or Club <club@example.com>",
                self.from
            ),
        );
        check(
            self.reply_to.is_empty() || mailbox(&self.reply_to),
            format!(
                "mail.reply_to: {:?} is not an address like help@example.com",
                self.reply_to
            ),
        );
        check(
            self.user.is_empty() == self.password.is_none(),
            "mail.user, mail.password: set both or neither".to_owned(),
        );
        if let Some(Err(words)) = self.password.as_ref().map(Secret::reveal) {
            check(false, format!("mail.password: {words}"));
        }
        let is_here = matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "::1");
        check(
            self.password.is_none() || self.tls != TlsMode::None || is_here,
            "mail.tls: \"none\" would send the password in the clear; use \"starttls\" or \"tls\"".to_owned(),
        );
        check(
            (1..=300).contains(&self.timeout_seconds),
            format!("mail.timeout_seconds: {} is not 1 to 300", self.timeout_seconds),
        );
        if let Err(words) = self.certificate() {
            check(false, words);
        }
        found
    }

    fn certificate(&self) -> Result<Option<Certificate>, String> {
        if self.ca_file.as_os_str().is_empty() {
            return Ok(None);
        }
        let file = self.ca_file.display();
        let pem = std::fs::read(&self.ca_file).map_err(|e| format!("mail.ca_file: {file} cannot be read: {e}"))?;
        let read = Certificate::from_pem(&pem).map_err(|_| format!("mail.ca_file: {file} is no certificate in PEM"))?;
        Ok(Some(read))
    }
}

/// Hands e-mails to the relay.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    reply_to: Option<Mailbox>,
    timeout: Duration,
}

impl Mailer {
    /// A mailer as configured. Fails with words that name the key.
    pub fn new(config: &MailConfig) -> Result<Self, String> {
        super::install_cryptography();
        let mailbox = |key: &str, text: &str| text.parse::<Mailbox>().map_err(|e| format!("mail.{key}: {e}"));
        let timeout = Duration::from_secs(config.timeout_seconds);
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)
            .port(config.port)
            .tls(tls(config)?)
            .timeout(Some(timeout));
        if let Some(password) = &config.password {
            let password = password.reveal().map_err(|words| format!("mail.password: {words}"))?;
            builder = builder.credentials(Credentials::new(config.user.clone(), password));
        }
        Ok(Self {
            transport: builder.build(),
            from: mailbox("from", &config.from)?,
            reply_to: match config.reply_to.as_str() {
                "" => None,
                text => Some(mailbox("reply_to", text)?),
            },
            timeout,
        })
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Whether the relay takes our sign-in: connects, greets, encrypts, signs in. Fails in words.
    pub async fn check(&self) -> Result<(), String> {
        match self.transport.test_connection().await {
            Ok(true) => Ok(()),
            Ok(false) => Err("the relay hangs up after the greeting".into()),
            Err(e) => Err(chain(&e)),
        }
    }

    /// Sends a word of greeting, to see that messages arrive. Fails in words.
    pub async fn greet(&self, address: &str, shop: &str) -> Result<(), String> {
        let to: Mailbox = address.parse().map_err(|e| format!("{address}: {e}"))?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(format!("{shop}: Kabinet"))
            .header(MIME_VERSION_1_0)
            .body("Kabinet's doctor sends this: mail works.".to_owned())
            .map_err(|e| e.to_string())?;
        self.transport.send(message).await.map(drop).map_err(|e| chain(&e))
    }

    pub(super) async fn send(&self, message: &Claimed) -> Result<Option<String>, Refusal> {
        let (envelope, bytes) = self.write(message)?;
        match self.transport.send_raw(&envelope, &bytes).await {
            Ok(_) => Ok(Some(self.id(message))),
            Err(e) => Err(Refusal {
                is_permanent: e.is_permanent() && e.status().is_none_or(|code| !ABOUT_US.contains(&u16::from(code))),
                trouble: trouble(&e),
                words: chain(&e),
            }),
        }
    }

    /// The same at every try, so that a mailbox can tell doubles.
    fn id(&self, message: &Claimed) -> String {
        format!("<{}@{}>", message.id, self.from.email.domain())
    }

    /// The message as it goes over the line.
    fn write(&self, message: &Claimed) -> Result<(Envelope, Vec<u8>), Refusal> {
        let never = |words: String| Refusal {
            is_permanent: true,
            trouble: Trouble::Refused,
            words,
        };
        let to: Address = message
            .address
            .parse()
            .map_err(|e| never(format!("the address cannot be read: {e}")))?;
        let header = |name, value: &str| HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned());
        let mut builder = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to.clone()))
            .subject(message.subject.clone())
            .date(SystemTime::from(message.created_at))
            .message_id(Some(self.id(message)))
            // The library says it of mails with parts only, and without it the encoding means nothing (RFC 2045, 4).
            .header(MIME_VERSION_1_0)
            .header(ContentType::TEXT_PLAIN)
            // Nobody's holiday notice should answer it (RFC 3834).
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .raw_header(header("Content-Language", message.language.code()));
        if let Some(link) = &message.unsubscribe {
            builder = builder
                .raw_header(header("List-Unsubscribe", &format!("<{link}>")))
                .raw_header(header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"));
        }
        if let Some(reply_to) = &self.reply_to {
            builder = builder.reply_to(reply_to.clone());
        }
        let written = builder
            .body(message.body.clone())
            .map_err(|e| never(format!("it cannot be written: {e}")))?;
        let envelope = Envelope::new(Some(self.from.email.clone()), vec![to]).map_err(|e| never(e.to_string()))?;
        Ok((envelope, written.formatted()))
    }
}

/// What is wrong, as far as the library tells.
fn trouble(e: &lettre::transport::smtp::Error) -> Trouble {
    match e.status().map(u16::from) {
        Some(code) if SIGN_IN.contains(&code) => Trouble::SignIn,
        Some(_) => Trouble::Refused,
        None if e.is_timeout() => Trouble::TimedOut,
        None => without_trust(&chain(e)).unwrap_or(Trouble::Unreachable),
    }
}

fn tls(config: &MailConfig) -> Result<Tls, String> {
    if config.tls == TlsMode::None {
        return Ok(Tls::None);
    }
    let mut parameters = TlsParameters::builder(config.host.clone());
    if let Some(certificate) = config.certificate()? {
        parameters = parameters.add_root_certificate(certificate);
    }
    let parameters = parameters.build().map_err(|e| format!("mail.tls: {}", chain(&e)))?;
    Ok(match config.tls {
        TlsMode::Tls => Tls::Wrapper(parameters),
        _ => Tls::Required(parameters),
    })
}
