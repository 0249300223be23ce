//! Just enough of HTML to look at our own pages: they are rendered well-formed, with quoted attributes.

/// A start tag.
#[derive(Clone, Debug)]
pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
    /// What stands between this tag and the next.
    pub(crate) text: String,
}

impl Tag {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

/// A form as a browser would read it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form {
    /// What it does.
    pub(crate) name: String,
    /// Hidden fields, typed values and what is chosen.
    pub(crate) fields: Vec<(String, String)>,
    /// Buttons that send a value of their own.
    pub(crate) buttons: Vec<(String, String)>,
    /// Names of the hidden fields and of the buttons: what says about which thing it is.
    pub(crate) about: Vec<String>,
}

impl Form {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    /// With a field filled in, all of its former values gone.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(n, _)| n != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// Every tag of a page in order, closing tags by their name with a slash before it.
pub(crate) fn tags(html: &str) -> Vec<Tag> {
    let mut found: Vec<Tag> = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if rest.starts_with('!') {
            let end = if rest.starts_with("!--") { "-->" } else { ">" };
            rest = rest.split_once(end).map_or("", |(_, after)| after);
            // A marker of the framework's parts no text.
            if let Some(Tag { text, .. }) = found.last_mut() {
                text.push_str(&unescape(&rest[..rest.find('<').unwrap_or(rest.len())]));
            }
            continue;
        }
        let end = rest.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(rest.len());
        let name = rest[..end].trim_end_matches('/').to_owned();
        rest = &rest[end..];
        let mut attributes = Vec::new();
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
            if rest.is_empty() || rest.starts_with('>') {
                break;
            }
            let end = rest
                .find(|c: char| c.is_whitespace() || matches!(c, '=' | '>' | '/'))
                .unwrap_or(rest.len());
            let attribute = rest[..end].to_owned();
            rest = &rest[end..];
            let mut value = String::new();
            if let Some(after) = rest.strip_prefix("=\"") {
                let end = after.find('"').expect("an attribute's value ends");
                value = unescape(&after[..end]);
                rest = &after[end + 1..];
            }
            attributes.push((attribute, value));
        }
        rest = rest.strip_prefix('>').unwrap_or("");
        let text = unescape(&rest[..rest.find('<').unwrap_or(rest.len())]);
        found.push(Tag { name, attributes, text });
    }
    found
}

/// The text of a page without its tags.
pub(crate) fn text(html: &str) -> String {
    let words: Vec<String> = tags(html)
        .into_iter()
        .filter(|tag| !matches!(tag.name.as_str(), "script" | "style"))
        .map(|tag| tag.text)
        .collect();
    words.join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(crate) fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#x27;", "'")
        .replace("&amp;", "&")
}

/// The forms of a page that change something.
pub(crate) fn forms(html: &str) -> Vec<Form> {
    let mut found: Vec<Form> = Vec::new();
    let mut open: Option<Form> = None;
    let mut select: Option<(String, Option<String>, Option<String>)> = None;
    for tag in tags(html) {
        match (tag.name.as_str(), &mut open) {
            ("form", _) if tag.get("method") == Some("post") => open = Some(Form::default()),
            ("/form", form) => found.extend(form.take()),
            ("input", Some(form)) => {
                let Some(name) = tag.get("name").map(str::to_owned) else {
                    continue;
                };
                let value = tag.get("value").unwrap_or_default().to_owned();
                match tag.get("type").unwrap_or("text") {
                    "checkbox" | "radio" if !tag.has("checked") => {}
                    "hidden" if name == "_fn" => {
                        form.name.clone_from(&value);
                        form.fields.push((name, value));
                    }
                    "hidden" => {
                        if !name.starts_with('_') {
                            form.about.push(name.clone());
                        }
                        form.fields.push((name, value));
                    }
                    _ => form.fields.push((name, value)),
                }
            }
            ("textarea", Some(form)) => {
                let name = tag.get("name").unwrap_or_default().to_owned();
                form.fields
                    .push((name, tag.text.strip_prefix('\n').unwrap_or(&tag.text).to_owned()));
            }
            ("select", Some(_)) => select = Some((tag.get("name").unwrap_or_default().to_owned(), None, None)),
            ("option", Some(_)) => {
                if let Some((_, first, chosen)) = &mut select {
                    let value = tag
                        .get("value")
                        .map_or_else(|| tag.text.trim().to_owned(), str::to_owned);
                    if tag.has("selected") {
                        *chosen = Some(value.clone());
                    }
                    first.get_or_insert(value);
                }
            }
            ("/select", Some(form)) => {
                if let Some((name, first, chosen)) = select.take() {
                    form.fields.push((name, chosen.or(first).unwrap_or_default()));
                }
            }
            ("button", Some(form)) => {
                if let (Some(name), Some(value)) = (tag.get("name"), tag.get("value")) {
                    form.about.push(name.to_owned());
                    form.buttons.push((name.to_owned(), value.to_owned()));
                }
            }
            _ => {}
        }
    }
    found
}
