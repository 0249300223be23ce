//! `[[providers]]` of the configuration: who is asked, how, and what of the answer means what.

use crate::secret::Secret;
use crm::lang::Localized;
use oauth2::url::Url;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A provider, and what is taken from it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Its name in addresses.
    pub id: String,
    /// What people call it.
    pub name: Name,
    /// How it is spoken to.
    pub kind: Kind,
    /// Whom it lets in.
    #[serde(rename = "for", default)]
    pub whom: Whom,
    /// What it knows this shop by.
    pub client_id: String,
    /// What this shop proves itself by; a public client has none.
    #[serde(default)]
    pub client_secret: Option<Secret>,
    /// Who vouches for its accounts. With OpenID Connect the rest is discovered from here.
    #[serde(default)]
    pub issuer: Option<String>,
    /// Where browsers are sent.
    #[serde(default)]
    pub authorize_url: Option<String>,
    /// Where codes become tokens.
    #[serde(default)]
    pub token_url: Option<String>,
    /// Where the account is described.
    #[serde(default)]
    pub userinfo_url: Option<String>,
    /// What is asked for; by default what suits the kind.
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
    /// Where in the answer what stands; by default as suits the kind.
    #[serde(default)]
    pub profile: Profile,
    /// For how many seconds it is waited for.
    #[serde(default = "timeout_seconds")]
    pub timeout_seconds: u64,
    /// Which claim gives members of staff which role.
    #[serde(default)]
    pub roles: Option<Roles>,
    /// Members of staff who are not known here yet are entered.
    #[serde(default)]
    pub create: bool,
    /// Whose second factor members of staff give.
    #[serde(default)]
    pub second_factor: SecondFactor,
    /// Values of the claims `amr` and `acr` that say that a second factor was given there (RFC 8176).
    #[serde(default = "second_factor_values")]
    pub second_factor_values: Vec<String>,
}

const fn timeout_seconds() -> u64 {
    5
}

fn second_factor_values() -> Vec<String> {
    vec!["mfa".into()]
}

/// A name in both languages, or one for both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Name {
    /// The same in both.
    One(String),
    /// One in each.
    Each(Localized),
}

impl Name {
    /// In both languages.
    pub fn localized(&self) -> Localized {
        match self {
            Self::One(name) => Localized::new(name.clone(), name.clone()),
            Self::Each(names) => names.clone(),
        }
    }
}

/// How a provider is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// OpenID Connect, discovered from the issuer.
    Oidc,
    /// OAuth 2.0 with addresses of its own.
    Oauth2,
    /// Yandex ID: <https://yandex.ru/dev/id/doc/ru/codes/code-url>, <https://yandex.ru/dev/id/doc/ru/user-information>.
    Yandex,
    /// VK ID: <https://id.vk.ru/about/business/go/docs/ru/vkid/latest/vk-id/connection/api-integration/api-description>.
    Vk,
}

/// Whom a provider lets in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whom {
    /// Customers.
    #[default]
    Customers,
    /// Members of staff.
    Staff,
}

/// Whose second factor members of staff give.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondFactor {
    /// Ours.
    #[default]
    Ours,
    /// The provider's where the ID token says that it was given, else ours.
    Provider,
}

/// Which claim gives which role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// Where the claim stands (a JSON pointer, RFC 6901): a text or a list of texts.
    pub claim: String,
    /// Values of the claim with the codes of roles here. The first that somebody has is theirs.
    pub map: Vec<(String, String)>,
}

/// Where in what the provider says of an account what stands, as JSON pointers (RFC 6901).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// What the account is known by and will never change.
    pub subject: Option<String>,
    /// The given name.
    pub name: Option<String>,
    /// The family name.
    pub surname: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
    /// The birthday.
    pub birthday: Option<String>,
    /// What its owner knows the account by.
    pub shown: Option<String>,
    /// What a member of staff signs in as.
    pub login: Option<String>,
}

/// A provider's addresses that are known without asking.
pub struct Addresses<'a> {
    /// Where browsers are sent.
    pub authorize: &'a str,
    /// Where codes become tokens.
    pub token: &'a str,
    /// Where the account is described.
    pub userinfo: &'a str,
}

impl Provider {
    /// Who vouches for its accounts.
    pub fn issuer(&self) -> &str {
        let usual = match self.kind {
            Kind::Yandex => "https://oauth.yandex.ru",
            Kind::Vk => "https://id.vk.ru",
            Kind::Oidc | Kind::Oauth2 => "",
        };
        self.issuer.as_deref().unwrap_or(usual)
    }

    /// Whether it can prove anew who somebody is: an ID token says when they were asked, and of staff that they gave their
    /// second factor.
    pub fn confirms(&self) -> bool {
        let is_enough = self.whom == Whom::Customers || self.second_factor == SecondFactor::Provider;
        self.kind == Kind::Oidc && is_enough
    }

    /// Its addresses, unless they are discovered.
    pub fn addresses(&self) -> Option<Addresses<'_>> {
        let [authorize, token, userinfo] = match self.kind {
            Kind::Oidc => return None,
            Kind::Oauth2 => [""; 3],
            Kind::Yandex => [
                "https://oauth.yandex.ru/authorize",
                "https://oauth.yandex.ru/token",
                "https://login.yandex.ru/info",
            ],
            Kind::Vk => [
                "https://id.vk.ru/authorize",
                "https://id.vk.ru/oauth2/auth",
                "https://id.vk.ru/oauth2/user_info",
            ],
        };
        Some(Addresses {
            authorize: self.authorize_url.as_deref().unwrap_or(authorize),
            token: self.token_url.as_deref().unwrap_or(token),
            userinfo: self.userinfo_url.as_deref().unwrap_or(userinfo),
        })
    }

    /// What is asked for. Yandex ID gives what the application was registered with where nothing is asked for.
    pub fn scopes(&self) -> Vec<String> {
        let usual: &[&str] = match self.kind {
            Kind::Oidc => &["openid", "profile", "email"],
            Kind::Vk => &["vkid.personal_info", "email"],
            Kind::Oauth2 | Kind::Yandex => &[],
        };
        let own = || usual.iter().map(|scope| (*scope).to_owned()).collect();
        self.scopes.clone().unwrap_or_else(own)
    }

    /// Where in the answer what stands.
    pub fn profile(&self) -> Profile {
        let usual: [&str; 7] = match self.kind {
            Kind::Oidc => [
                "/sub",
                "/given_name",
                "/family_name",
                "/email",
                "/birthdate",
                "/email",
                "/preferred_username",
            ],
            Kind::Oauth2 => [""; 7],
            Kind::Yandex => [
                "/id",
                "/first_name",
                "/last_name",
                "/default_email",
                "/birthday",
                "/default_email",
                "/login",
            ],
            Kind::Vk => [
                "/user/user_id",
                "/user/first_name",
                "/user/last_name",
                "/user/email",
                "/user/birthday",
                "/user/email",
                "",
            ],
        };
        let own = self.profile.clone();
        let [subject, name, surname, email, birthday, shown, login] = usual;
        let or = |own: Option<String>, usual: &str| own.or_else(|| Some(usual.to_owned()).filter(|p| !p.is_empty()));
        Profile {
            subject: or(own.subject, subject),
            name: or(own.name, name),
            surname: or(own.surname, surname),
            email: or(own.email, email),
            birthday: or(own.birthday, birthday),
            shown: or(own.shown, shown),
            login: or(own.login, login),
        }
    }

    /// What is wrong with it by itself.
    fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut check = |is_right: bool, text: String| {
            if !is_right {
                found.push(text);
            }
        };
        let is_id = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        check(
            (1..=32).contains(&self.id.len()) && self.id.bytes().all(is_id),
            format!(
                "id: {:?} is not 1 to 32 small letters, digits and hyphens like yandex",
                self.id
            ),
        );
        let name = self.name.localized();
        check(
            !name.ru.trim().is_empty() && !name.en.trim().is_empty(),
            "name: is empty; write what people call the provider".into(),
        );
        check(
            !self.client_id.trim().is_empty(),
            "client_id: is empty; the provider gives it when the shop is registered there".into(),
        );
        if let Some(Err(e)) = self.client_secret.as_ref().map(Secret::reveal) {
            check(false, format!("client_secret: {e}"));
        }
        check(
            (1..=60).contains(&self.timeout_seconds),
            format!("timeout_seconds: {} is not 1 to 60", self.timeout_seconds),
        );
        let urls = [
            ("issuer", &self.issuer),
            ("authorize_url", &self.authorize_url),
            ("token_url", &self.token_url),
            ("userinfo_url", &self.userinfo_url),
        ];
        for (key, url) in urls {
            match url {
                Some(url) => check(
                    is_safe(url),
                    format!("{key}: {url:?} is no address that begins with https://; http is for this machine alone"),
                ),
                None => check(
                    !(self.kind == Kind::Oauth2 || self.kind == Kind::Oidc && key == "issuer"),
                    format!("{key}: is missing"),
                ),
            }
            check(
                self.kind != Kind::Oidc || key == "issuer" || url.is_none(),
                format!("{key}: is discovered from the issuer; take it away"),
            );
        }
        check(
            self.kind != Kind::Oidc || self.scopes().iter().any(|scope| scope == "openid"),
            "scopes: lack \"openid\", without which there is no ID token".into(),
        );
        check(
            self.kind != Kind::Oauth2 || self.profile.subject.is_some(),
            "profile.subject: is missing; write where the account's number stands, like /id".into(),
        );
        check(
            self.kind != Kind::Oidc || self.profile.subject.is_none(),
            "profile.subject: is always the claim sub; take it away".into(),
        );
        let own = &self.profile;
        for (key, pointer) in [
            ("subject", &own.subject),
            ("name", &own.name),
            ("surname", &own.surname),
            ("email", &own.email),
            ("birthday", &own.birthday),
            ("shown", &own.shown),
            ("login", &own.login),
        ] {
            check(
                pointer.as_ref().is_none_or(|p| p.starts_with('/')),
                format!("profile.{key}: is no JSON pointer like /default_email"),
            );
        }
        let is_staff = self.whom == Whom::Staff;
        match &self.roles {
            Some(roles) => {
                check(
                    is_staff,
                    "roles: are for providers with for = \"staff\"; take them away".into(),
                );
                check(
                    roles.claim.starts_with('/'),
                    "roles.claim: is no JSON pointer like /realm_access/roles".into(),
                );
                check(
                    !roles.map.is_empty()
                        && roles
                            .map
                            .iter()
                            .all(|(value, role)| !value.is_empty() && !role.is_empty()),
                    "roles.map: needs pairs like [\"kabinet-agent\", \"agent\"]".into(),
                );
            }
            None => check(
                !is_staff,
                "roles: are missing; write which claim gives members of staff which role".into(),
            ),
        }
        check(
            is_staff || !self.create,
            "create: is for providers with for = \"staff\"; customers always register".into(),
        );
        check(
            self.second_factor == SecondFactor::Ours || is_staff && self.kind == Kind::Oidc,
            "second_factor: only an ID token for staff can say that a second factor was given".into(),
        );
        found
    }
}

/// An address that tokens and codes may travel to.
pub(super) fn is_safe(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    match url.scheme() {
        "https" => url.has_host(),
        "http" => matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")),
        _ => false,
    }
}

/// What is wrong with the list.
pub fn problems(providers: &[Provider]) -> Vec<String> {
    let mut known = BTreeSet::new();
    let mut found = Vec::new();
    for (n, provider) in providers.iter().enumerate() {
        let place = format!("providers[{n}] ({})", provider.id);
        found.extend(provider.problems().iter().map(|problem| format!("{place}.{problem}")));
        if !known.insert(&provider.id) {
            found.push(format!("{place}.id: is another provider's too"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str) -> Vec<Provider> {
        #[derive(Deserialize)]
        struct File {
            providers: Vec<Provider>,
        }
        toml::from_str::<File>(toml).expect("it can be read").providers
    }

    #[test]
    fn a_preset_needs_an_id_and_little_else() {
        let providers = read(
            "[[providers]]\nid = \"yandex\"\nname = { ru = \"Яндекс\", en = \"Yandex\" }\nkind = \"yandex\"\n\
             client_id = \"1\"\nclient_secret = \"2\"\n\
             [[providers]]\nid = \"vk\"\nname = \"VK ID\"\nkind = \"vk\"\nclient_id = \"1\"\n",
        );
        assert_eq!(problems(&providers), Vec::<String>::new());
        assert_eq!(providers[0].name.localized().en, "Yandex");
        assert_eq!(providers[1].profile().subject.as_deref(), Some("/user/user_id"));
        assert_eq!(providers[1].scopes(), ["vkid.personal_info", "email"]);
    }

    #[test]
    fn problems_name_the_provider_and_the_key() {
        let providers = read(
            "[[providers]]\nid = \"Ä\"\nname = \" \"\nkind = \"oidc\"\nclient_id = \"\"\nissuer = \"http://sso.example.com\"\n\
             token_url = \"https://sso.example.com/token\"\nscopes = [\"email\"]\ncreate = true\nsecond_factor = \"provider\"\n\
             [[providers]]\nid = \"sso\"\nname = \"SSO\"\nkind = \"oauth2\"\nfor = \"staff\"\nclient_id = \"1\"\n\
             client_secret = { file = \"/nowhere/secret\" }\nprofile = { email = \"email\" }\n\
             [[providers]]\nid = \"sso\"\nname = \"SSO\"\nkind = \"yandex\"\nclient_id = \"1\"\n\
             roles = { claim = \"x\", map = [] }\n",
        );
        let found = problems(&providers).join("\n");
        for expected in [
            "providers[0] (Ä).id:",
            "providers[0] (Ä).name:",
            "providers[0] (Ä).client_id:",
            "providers[0] (Ä).issuer: \"http://sso.example.com\"",
            "providers[0] (Ä).token_url: is discovered",
            "providers[0] (Ä).scopes:",
            "providers[0] (Ä).create:",
            "providers[0] (Ä).second_factor:",
            "providers[1] (sso).client_secret: the secret in /nowhere/secret",
            "providers[1] (sso).issuer: is missing",
            "providers[1] (sso).userinfo_url: is missing",
            "providers[1] (sso).profile.subject: is missing",
            "providers[1] (sso).profile.email: is no JSON pointer",
            "providers[1] (sso).roles: are missing",
            "providers[2] (sso).id: is another provider's too",
            "providers[2] (sso).roles.claim:",
            "providers[2] (sso).roles.map:",
            "providers[2] (sso).roles: are for providers",
        ] {
            assert!(found.contains(expected), "{expected}\n{found}");
        }
        assert_eq!(found.lines().count(), 20, "{found}");
    }

    #[test]
    fn codes_and_tokens_travel_by_https_except_within_this_machine() {
        for url in [
            "https://sso.example.com/realms/shop",
            "http://localhost:9000",
            "http://[::1]:1/x",
        ] {
            assert!(is_safe(url), "{url}");
        }
        for url in [
            "http://sso.example.com",
            "http://localhost.example.com",
            "ftp://x",
            "x",
            "https:",
        ] {
            assert!(!is_safe(url), "{url}");
        }
    }
}
