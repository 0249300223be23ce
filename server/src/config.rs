//! Configuration: `kabinet.toml`, then `KABINET_*` variables, over the defaults. `kabinet.example.toml` explains every
//! key; a test holds that the two agree.

use crate::channels::sms::SmsConfig;
use crate::channels::smtp::MailConfig;
use crate::outside::config::{self as outside, Provider, Whom};
use crate::secret::Secret;
use crm::contact::{Email, Phone};
use crm::lang::Lang;
use crm::limits::Limits;
use crm::points::Policy;
use crm::shop::{Attachments, Messages, Reports, Shop};
use crm::webhook;
use figment::Figment;
use figment::providers::{Env, Format as _, Serialized, Toml};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// Everything that can be set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the server listens.
    pub listen: SocketAddr,
    /// The address that browsers see; `https` turns on what only https may have.
    pub public_url: String,
    /// `sqlite:path` or `postgres://…`; a secret, for there may be a password in it.
    #[serde(skip_serializing, default = "default_database_url")]
    pub database_url: Secret,
    /// The folder with what browsers download; empty looks beside the program, then in `target/site`.
    pub site_dir: PathBuf,
    /// Proxies whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<IpAddr>,
    /// A file of stolen passwords, one a line, none of which is taken; empty for none.
    pub password_list: PathBuf,
    /// For how many seconds after SIGTERM requests are still taken while `/readyz` says no.
    pub drain_seconds: u64,
    /// For how many seconds more requests in flight and jobs may take to finish after that.
    pub stop_seconds: u64,
    /// What is logged, as in `RUST_LOG`.
    pub log: String,
    /// How it is logged.
    pub log_format: LogFormat,
    /// Where metrics are served; empty is nowhere. See [`Config::metrics_address`].
    pub metrics_listen: String,
    /// Where copies of the database lie, for `kabinet doctor` to look at; empty is nowhere.
    pub backup_dir: PathBuf,
    /// Traces.
    pub telemetry: Telemetry,
    /// The shop's own settings.
    pub shop: ShopConfig,
    /// The relay that takes e-mails.
    pub mail: MailConfig,
    /// The gateway that takes text messages.
    pub sms: SmsConfig,
    /// How many text messages may go.
    pub limits: Limits,
    /// What is allowed with points.
    pub points: Policy,
    /// Where other systems may be told of what happened.
    pub webhooks: webhook::Policy,
    /// How long messages to people are kept.
    pub messages: Messages,
    /// What may go along with what is written to support.
    pub attachments: Attachments,
    /// What reports reckon with.
    pub reports: Reports,
    /// Who besides the shop itself says who somebody is.
    #[serde(default)]
    pub providers: Vec<Provider>,
}

/// Where traces go.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// A collector that takes OTLP over HTTP; empty is none.
    pub otlp_endpoint: String,
    /// What this program is called there.
    pub service_name: String,
    /// The share of requests that is traced, 0 to 1.
    pub sample: f64,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines, an object a line.
    Json,
}

/// The shop's own settings; see [`Shop`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShopConfig {
    /// Its name.
    pub name: String,
    /// Hue of the brand's colour, 0 to 360.
    pub hue: u16,
    /// `ru` or `en`.
    pub language: Lang,
    /// ISO 4217 code.
    pub currency: String,
    /// IANA time zone.
    pub time_zone: String,
    /// ISO 3166-1 alpha-2 code.
    pub country: String,
    /// Least age in years.
    pub minimum_age: u32,
    /// Days until a customer who wants it is erased.
    pub erasure_days: u32,
    /// Hours until another main phone number counts.
    pub number_change_hours: u32,
    /// First digits of card numbers.
    pub card_prefix: String,
    /// The phone at which customers reach the shop; empty: none is told.
    pub phone: String,
    /// The e-mail address, likewise.
    pub email: String,
}

fn default_database_url() -> Secret {
    Secret::Inline("sqlite:data/kabinet.db".into())
}

impl Default for Config {
    fn default() -> Self {
        let shop = Shop::default();
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 3000)),
            public_url: "http://localhost:3000".into(),
            database_url: default_database_url(),
            site_dir: PathBuf::new(),
            trusted_proxies: Vec::new(),
            password_list: PathBuf::new(),
            drain_seconds: 5,
            stop_seconds: 20,
            log: "info".into(),
            log_format: LogFormat::Text,
            metrics_listen: String::new(),
            backup_dir: PathBuf::new(),
            telemetry: Telemetry {
                otlp_endpoint: String::new(),
                service_name: "kabinet".into(),
                sample: 1.0,
            },
            shop: ShopConfig {
                name: shop.name,
                hue: shop.hue,
                language: shop.language,
                currency: shop.currency,
                time_zone: shop.time_zone,
                country: shop.country,
                minimum_age: shop.minimum_age,
                erasure_days: shop.erasure_days,
                number_change_hours: shop.number_change_hours,
                card_prefix: shop.card_prefix,
                phone: shop.phone,
                email: shop.email,
            },
            mail: MailConfig::default(),
            sms: SmsConfig::default(),
            limits: shop.limits,
            points: shop.points,
            webhooks: shop.webhooks,
            messages: shop.messages,
            attachments: shop.attachments,
            reports: shop.reports,
            providers: Vec::new(),
        }
    }
}

impl Config {
    /// Reads the configuration. The error holds every problem found, each with what to do about it.
    pub fn load(file: &Path) -> Result<Self, Vec<String>> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        // The usual file may be missing; one that was asked for by name has to be there.
        if file.exists() || file != Path::new("kabinet.toml") {
            figment = figment.merge(Toml::file_exact(file));
        }
        figment = figment
            // `KABINET_TEST_*` is for tests; a section is parted from its key by two underscores.
            .merge(
                Env::prefixed("KABINET_")
                    .filter(|key| !key.starts_with("test_") && key != "config" && key != "build_id")
                    .split("__"),
            );
        let config: Self = figment
            .extract()
            .map_err(|errors| errors.into_iter().map(|e| explain(&e)).collect::<Vec<_>>())?;
        let problems = config.problems();
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    /// What is wrong with values that can be read but cannot work.
    fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut check = |is_right: bool, text: String| {
            if !is_right {
                found.push(text);
            }
        };
        match self.database_url.reveal() {
            Ok(url) => check(
                ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)),
                "database_url: starts neither with sqlite: nor with postgres://; write for example sqlite:data/kabinet.db"
                    .into(),
            ),
            Err(why) => check(false, format!("database_url: {why}")),
        }
        check(
            self.metrics_listen.is_empty() || self.metrics_address().is_some(),
            format!(
                "metrics_listen: {:?} is not an address like 127.0.0.1:9464",
                self.metrics_listen
            ),
        );
        let endpoint = &self.telemetry.otlp_endpoint;
        check(
            endpoint.is_empty() || endpoint.starts_with("http://") || endpoint.starts_with("https://"),
            format!("telemetry.otlp_endpoint: {endpoint:?} is not an address like http://127.0.0.1:4318"),
        );
        check(
            (0.0..=1.0).contains(&self.telemetry.sample),
            format!("telemetry.sample: {} is not a share from 0 to 1", self.telemetry.sample),
        );
        let rest = self
            .public_url
            .strip_prefix("https://")
            .or_else(|| self.public_url.strip_prefix("http://"));
        check(
            rest.is_some_and(|host| !host.is_empty() && !host.contains('/')),
            format!(
                "public_url: {:?} is not an address like https://club.example.com, without a path or a slash at the end",
                self.public_url
            ),
        );
        let shop = &self.shop;
        check(
            !shop.name.trim().is_empty(),
            "shop.name: is empty; write what customers call the shop".into(),
        );
        check(
            shop.hue <= 360,
            format!("shop.hue: {} is not an angle from 0 to 360", shop.hue),
        );
        check(
            shop.currency.len() == 3 && shop.currency.bytes().all(|b| b.is_ascii_uppercase()),
            format!("shop.currency: {:?} is not an ISO 4217 code like RUB", shop.currency),
        );
        check(
            is_time_zone(&shop.time_zone),
            format!(
                "shop.time_zone: {:?} is not an IANA name like Europe/Moscow",
                shop.time_zone
            ),
        );
        check(
            shop.country.len() == 2 && shop.country.bytes().all(|b| b.is_ascii_uppercase()),
            format!("shop.country: {:?} is not an ISO 3166 code like RU", shop.country),
        );
        check(
            shop.minimum_age <= 100,
            format!("shop.minimum_age: {} years would admit nobody", shop.minimum_age),
        );
        check(
            (1..=30).contains(&shop.erasure_days),
            format!("shop.erasure_days: {} is not one of 1 to 30", shop.erasure_days),
        );
        check(
            shop.number_change_hours <= 720,
            format!(
                "shop.number_change_hours: {} is not one of 0 to 720",
                shop.number_change_hours
            ),
        );
        check(
            (2..=6).contains(&shop.card_prefix.len()) && shop.card_prefix.bytes().all(|b| b.is_ascii_digit()),
            format!(
                "shop.card_prefix: {:?} is not two to six digits like 290",
                shop.card_prefix
            ),
        );
        check(
            shop.phone.is_empty() || Phone::plausible(&shop.phone, &shop.country).is_ok(),
            format!("shop.phone: {:?} is not a phone like +7 495 123-45-67", shop.phone),
        );
        check(
            shop.email.is_empty() || Email::parse(&shop.email).is_ok(),
            format!("shop.email: {:?} is not an address like club@example.com", shop.email),
        );
        found.extend(self.mail.problems());
        found.extend(self.sms.problems());
        found.extend(self.limits.problems());
        found.extend(self.points.problems());
        found.extend(self.webhooks.problems());
        found.extend(self.messages.problems());
        found.extend(self.attachments.problems());
        found.extend(self.reports.problems());
        found.extend(outside::problems(&self.providers));
        found
    }

    /// Whether any message leaves the house; where none does, a demonstration shows them in its inbox.
    pub fn has_transport(&self) -> bool {
        self.mail.is_configured() || self.sms.is_configured()
    }

    /// The shop's settings as the CRM takes them.
    pub fn shop(&self) -> Shop {
        let ShopConfig {
            name,
            hue,
            language,
            currency,
            time_zone,
            country,
            minimum_age,
            erasure_days,
            number_change_hours,
            card_prefix,
            phone,
            email,
        } = self.shop.clone();
        // What cannot be read was refused when the configuration was.
        let phone = Phone::plausible(&phone, &country).map_or(phone, |parsed| parsed.as_str().to_owned());
        Shop {
            name,
            url: self.public_url.clone(),
            hue,
            language,
            currency,
            time_zone,
            country,
            minimum_age,
            erasure_days,
            number_change_hours,
            card_prefix,
            phone,
            email,
            limits: self.limits.clone(),
            points: self.points.clone(),
            webhooks: self.webhooks.clone(),
            messages: self.messages.clone(),
            attachments: self.attachments,
            reports: self.reports,
        }
    }

    /// The database's address, which nobody but the database may see.
    pub fn database(&self) -> Result<String, String> {
        self.database_url.reveal().map_err(|why| format!("database_url: {why}"))
    }

    /// Where metrics are served, if anywhere.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_listen.parse().ok()
    }

    /// The providers as pages offer them.
    pub fn offered(&self) -> Vec<app::cx::Provider> {
        let offered = |provider: &Provider| app::cx::Provider {
            id: provider.id.clone(),
            name: provider.name.localized(),
            is_for_staff: provider.whom == Whom::Staff,
            confirms: provider.confirms(),
        };
        self.providers.iter().map(offered).collect()
    }

    /// Whether browsers come by https.
    pub fn is_https(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// The folder with what browsers download.
    pub fn site_dir(&self) -> PathBuf {
        if !self.site_dir.as_os_str().is_empty() {
            return self.site_dir.clone();
        }
        let beside = std::env::current_exe()
            .ok()
            .and_then(|exe| Some(exe.parent()?.join("site")));
        beside
            .filter(|dir| dir.join("site.json").is_file())
            .unwrap_or_else(|| PathBuf::from("target/site"))
    }
}

fn is_time_zone(name: &str) -> bool {
    let shop = Shop {
        time_zone: name.to_owned(),
        ..Shop::default()
    };
    shop.zone().name() == name
}

/// One problem in words: the key, where it was set, what is wrong.
fn explain(e: &figment::Error) -> String {
    let key = e.path.join(".");
    let place = e
        .metadata
        .as_ref()
        .map(|m| format!(" (in {})", m.name))
        .unwrap_or_default();
    let what = match &e.kind {
        figment::error::Kind::UnknownField(name, known) => {
            format!("no such key {name:?}; there are {}", known.join(", "))
        }
        other => other.to_string(),
    };
    if key.is_empty() {
        format!("{what}{place}")
    } else {
        format!("{key}: {what}{place}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_names_every_key_with_its_default() {
        let example = include_str!("../../kabinet.example.toml");
        // Every key stands there as a comment with its default; without the comment signs it is the default.
        let bare: String = example
            .lines()
            .map(|line| {
                line.strip_prefix("#")
                    .filter(|rest| rest.contains(" = ") && !rest.starts_with(' '))
                    .unwrap_or(line)
            })
            .map(|line| format!("{line}\n"))
            .collect();
        let read: Config = Figment::from(Toml::string(&bare))
            .extract()
            .expect("the example can be read");
        assert_eq!(format!("{read:?}"), format!("{:?}", Config::default()));
        // A secret prints as dots, whatever it is.
        assert!(bare.contains("database_url = "));
        assert_eq!(read.database_url, default_database_url());
    }

    #[test]
    fn the_database_may_be_named_in_a_file_and_is_never_printed() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("kabinet.toml");
        let secret = dir.path().join("database");
        std::fs::write(&file, format!("database_url = {{ file = {secret:?} }}\n")).expect("written");
        let missing = Config::load(&file).expect_err("the file is not there");
        assert!(
            missing.len() == 1 && missing[0].starts_with("database_url: ") && missing[0].contains("database"),
            "{missing:?}"
        );
        std::fs::write(&secret, "postgres://kabinet:hunter2@db/kabinet\n").expect("written");
        let config = Config::load(&file).expect("it can be read");
        assert_eq!(
            config.database().as_deref(),
            Ok("postgres://kabinet:hunter2@db/kabinet")
        );
        let printed = format!("{config:?} {}", serde_json::to_string(&config).expect("it serializes"));
        assert!(!printed.contains("hunter2"), "{printed}");
        for wrong in ["mysql://kabinet:hunter2@db/kabinet", "hunter2"] {
            std::fs::write(&file, format!("database_url = {wrong:?}\n")).expect("written");
            let said = Config::load(&file).expect_err("no database of ours");
            assert!(said.iter().all(|line| !line.contains("hunter2")), "{said:?}");
        }
    }

    #[test]
    fn problems_name_the_key_and_what_to_do() {
        let dir = std::env::temp_dir().join(format!("kabinet-config-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory");
        let file = dir.join("kabinet.toml");
        std::fs::write(
            &file,
            "public_url = \"club.example.com/\"\n[shop]\ntime_zone = \"Moscow\"\ncard_prefix = \"x\"\n",
        )
        .expect("written");
        let problems = Config::load(&file).expect_err("three problems");
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(
            problems.iter().any(|p| p.starts_with("shop.time_zone: \"Moscow\"")),
            "{problems:?}"
        );
        std::fs::write(&file, "[shop]\nphone = \"12\"\nemail = \"club\"\n").expect("written");
        let problems = Config::load(&file).expect_err("two problems");
        assert!(
            problems.len() == 2 && problems[0].starts_with("shop.phone: ") && problems[1].starts_with("shop.email: "),
            "{problems:?}"
        );
        std::fs::write(&file, "[shop]\nphone = \"8 800 555-35-35\"\n").expect("written");
        let config = Config::load(&file).expect("it can be read");
        assert_eq!(config.shop().phone, "+78005553535");
        std::fs::write(&file, "lisen = \"0.0.0.0:80\"\n").expect("written");
        let problems = Config::load(&file).expect_err("a misspelt key");
        assert!(
            problems[0].contains("lisen") && problems[0].contains("listen"),
            "{problems:?}"
        );
        std::fs::remove_dir_all(&dir).expect("removed");
    }
}
