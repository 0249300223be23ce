//! A browser over a plain TCP connection, so that a test can hang up wherever it likes and knows what has arrived.

use crm::who::Token;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// Nothing may take longer than the patience of the server for its database, twice (a connection, then a lock), and a
/// little for a busy machine.
pub const LONGEST: Duration = Duration::from_secs(25);

/// An answer that arrived as a whole.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn location(&self) -> &str {
        self.header("location").unwrap_or_default()
    }

    /// The page of an outage: 503 with words for people, when to come again, and the request's number.
    pub fn assert_unavailable(&self) {
        assert_eq!(self.status, 503, "{}", self.body);
        assert_eq!(self.header("retry-after"), Some("10"), "{}", self.body);
        assert!(
            self.header("content-type")
                .is_some_and(|kind| kind.starts_with("text/html"))
        );
        assert!(self.body.contains("Сайт ненадолго прервался"), "{}", self.body);
        assert!(self.body.contains("Номер запроса:"), "{}", self.body);
    }
}

static NETWORKS: AtomicU32 = AtomicU32::new(1);

/// Somebody with a browser, on a network of their own.
pub struct Browser {
    pub address: SocketAddr,
    /// Where its requests say that they come from; empty: from this machine.
    network: String,
    /// The address of this machine that it connects from; none: any.
    from: Option<Ipv4Addr>,
    /// The name that it asks for.
    host: String,
    /// Who shows it the inbox.
    inbox: SocketAddr,
    pub cookies: BTreeMap<String, String>,
    connection: Option<TcpStream>,
}

impl Browser {
    pub fn new(address: SocketAddr) -> Self {
        let [_, a, b, c] = NETWORKS.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        Self {
            address,
            network: format!("10.{a}.{b}.{c}"),
            from: None,
            host: address.to_string(),
            inbox: address,
            cookies: BTreeMap::new(),
            connection: None,
        }
    }

    /// The same on an address of their own, by a proxy that knows this name: what a request says of where it comes from must
    /// not count there. The inbox is shown by a node alone.
    pub fn by_proxy(proxy: SocketAddr, host: &str, node: SocketAddr) -> Self {
        let [_, a, b, c] = NETWORKS.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        Self {
            from: Some(Ipv4Addr::new(127, a | 128, b, c)),
            host: host.to_owned(),
            inbox: node,
            ..Self::new(proxy)
        }
    }

    /// The same person with the same cookies in another window.
    pub fn again(&self) -> Self {
        Self {
            address: self.address,
            network: self.network.clone(),
            from: self.from,
            host: self.host.clone(),
            inbox: self.inbox,
            cookies: self.cookies.clone(),
            connection: None,
        }
    }

    /// What is sent to ask for a page or to send a form.
    pub fn request(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let pairs: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\naccept-language: ru\r\n",
            self.host
        );
        if !self.network.is_empty() {
            head.push_str(&format!("x-forwarded-for: {}\r\n", self.network));
        }
        if !pairs.is_empty() {
            head.push_str(&format!("cookie: {}\r\n", pairs.join("; ")));
        }
        if method == "POST" {
            head.push_str(&format!(
                "content-type: application/x-www-form-urlencoded\r\nsec-fetch-site: same-origin\r\ncontent-length: {}\r\n",
                body.len()
            ));
        }
        head.push_str("\r\n");
        head.push_str(body);
        head.into_bytes()
    }

    pub async fn get(&mut self, path: &str) -> io::Result<Reply> {
        self.send("GET", path, "").await
    }

    /// Sends a form as one of our pages would.
    pub async fn post(&mut self, path: &str, form: &str, key: &str, fields: &[(&str, &str)]) -> io::Result<Reply> {
        let own = [("_fn", form), ("_key", key)];
        let mut body = form_urlencoded_pairs(&own);
        if !fields.is_empty() {
            body.push('&');
            body.push_str(&form_urlencoded_pairs(fields));
        }
        self.send("POST", path, &body).await
    }

    /// Sends any request.
    pub async fn send(&mut self, method: &str, path: &str, body: &str) -> io::Result<Reply> {
        let request = self.request(method, path, body);
        let exchange = async {
            let mut stream = match self.connection.take() {
                Some(stream) => stream,
                None => self.connect().await?,
            };
            stream.write_all(&request).await?;
            let (reply, stays) = read_reply(&mut stream).await?;
            Ok::<_, io::Error>((reply, stays.then_some(stream)))
        };
        let (reply, connection) = tokio::time::timeout(LONGEST, exchange)
            .await
            .unwrap_or_else(|_| panic!("{method} {path} hangs"))?;
        self.connection = connection;
        for (_, line) in reply
            .headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
        {
            let (name, rest) = line.split_once('=').expect("a cookie");
            match rest.split(';').next().unwrap_or_default() {
                "" => self.cookies.remove(name),
                value => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        Ok(reply)
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let Some(from) = self.from else {
            return TcpStream::connect(self.address).await;
        };
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((from, 0)))?;
        socket.connect(self.address).await
    }

    /// Lets go of the connection: the next request makes a new one.
    pub fn reconnect(&mut self) {
        self.connection = None;
    }
}

/// Reads one answer; tells whether the connection stays open. An answer that breaks off is an error.
pub async fn read_reply(stream: &mut TcpStream) -> io::Result<(Reply, bool)> {
    let cut = |what: &str| io::Error::new(io::ErrorKind::UnexpectedEof, what.to_owned());
    let mut bytes = Vec::with_capacity(16 * 1024);
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(cut("the head of an answer broke off"));
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|s| s.parse().ok());
    let status = status.ok_or_else(|| cut("no status"))?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut reply = Reply {
        status,
        headers,
        body: String::new(),
    };
    let mut body = bytes.split_off(end + 4);
    let length: Option<usize> = reply.header("content-length").and_then(|n| n.parse().ok());
    match length.or((status == 204 || status == 304).then_some(0)) {
        Some(length) => {
            while body.len() < length {
                if stream.read_buf(&mut body).await? == 0 {
                    return Err(cut("the body of an answer broke off"));
                }
            }
        }
        None => {
            stream.read_to_end(&mut body).await?;
        }
    }
    reply.body = String::from_utf8_lossy(&body).into_owned();
    let stays = length.is_some()
        && !reply
            .header("connection")
            .is_some_and(|c| c.eq_ignore_ascii_case("close"));
    Ok((reply, stays))
}

fn form_urlencoded_pairs(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

/// A new idempotency key.
pub fn key() -> String {
    Token::random().secret().to_owned()
}

/// A phone that nobody has.
pub fn free_phone() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(3_000_000);
    format!("+7900{:07}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A password that is good enough for everybody here.
pub const PASSWORD: &str = "пятьдесят лошадей у реки";

/// The codes that went to a phone, the newest first, as the development inbox shows them.
pub async fn codes(browser: &mut Browser, phone: &str) -> io::Result<Vec<String>> {
    // It is open to this machine alone.
    let mut at_home = Browser::new(browser.inbox);
    at_home.network.clear();
    let page = at_home.get("/inbox").await?.body;
    let shown = crm::contact::show_phone(phone);
    let digits = |text: &str| {
        let found = text.split(|c: char| !c.is_ascii_digit()).find(|part| part.len() == 6);
        found.map(str::to_owned)
    };
    // A message ends where the next one begins.
    let messages = page.split("class=\"panel message\"").skip(1);
    Ok(messages
        .filter(|message| message.contains(&shown))
        .filter_map(|message| digits(message.split_once(&shown).map_or("", |(_, rest)| text_of(rest))))
        .collect())
}

/// What follows the time of a message: its text.
fn text_of(rest: &str) -> &str {
    rest.split_once("</time>").map_or(rest, |(_, text)| text)
}

/// The steps of a registration, each under a key of its own.
pub async fn register(browser: &mut Browser, phone: &str, password: &str) -> io::Result<Reply> {
    let asked = browser
        .post("/sign-in", "sign_in.start", &key(), &[("phone", phone)])
        .await?;
    assert_eq!(asked.location(), "/sign-in/code", "{} {}", asked.status, asked.body);
    let code = codes(browser, phone)
        .await?
        .into_iter()
        .next()
        .expect("a code was sent");
    let verified = browser
        .post("/sign-in/code", "sign_in.verify", &key(), &[("code", &code)])
        .await?;
    assert_eq!(
        verified.location(),
        "/sign-in/details",
        "{} {}",
        verified.status,
        verified.body
    );
    let fields = [
        ("name", "Анна"),
        ("surname", "Лебедева"),
        ("day", "3"),
        ("month", "5"),
        ("year", "1990"),
        ("email", ""),
        ("password", password),
        ("consents[]", "personal_data"),
        ("consents[]", "loyalty_rules"),
    ];
    let details = browser
        .post("/sign-in/details", "sign_in.details", &key(), &fields)
        .await?;
    assert_eq!(
        details.location(),
        "/sign-in/review",
        "{} {}",
        details.status,
        details.body
    );
    let registered = browser.post("/sign-in/review", "sign_in.register", &key(), &[]).await?;
    assert_eq!(
        registered.location(),
        "/welcome?done=registered",
        "{} {}",
        registered.status,
        registered.body
    );
    Ok(registered)
}

/// A customer who has just registered without a password.
pub async fn customer(address: SocketAddr) -> Browser {
    let mut browser = Browser::new(address);
    register(&mut browser, &free_phone(), "").await.expect("registered");
    browser
}
