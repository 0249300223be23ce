//! Texts that staff write in a small part of Markdown: paragraphs, headings, lists, emphasis, links. What is no part of it comes
//! out as the text that it is, HTML too.

use crate::ui::html::Html;
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// A text as a part of a page. Its headings stand below the page's own.
pub fn markdown(text: &str) -> Html {
    Html::new(to_html(text))
}

/// The same as HTML. Only the tags named here are ever written, and all else is escaped.
pub fn to_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    // How the links that are open end: one that may not lead where it leads is its words alone.
    let mut ends: Vec<&str> = Vec::new();
    for event in Parser::new_ext(text, Options::empty()) {
        match event {
            Event::Start(Tag::Link { dest_url, .. }) => {
                let may = may_lead(&dest_url);
                if may {
                    out.push_str("<a href=\"");
                    escape(&mut out, &dest_url);
                    out.push_str(if dest_url.starts_with('/') {
                        "\">"
                    } else {
                        "\" rel=\"noopener noreferrer\">"
                    });
                }
                ends.push(if may { "</a>" } else { "" });
            }
            Event::End(TagEnd::Link) => out.push_str(ends.pop().unwrap_or_default()),
            Event::Start(Tag::List(Some(first))) if first != 1 => out.push_str(&format!("<ol start=\"{first}\">")),
            Event::Start(tag) => out.push_str(start(&tag)),
            Event::End(tag) => out.push_str(end(&tag)),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => escape(&mut out, &text),
            Event::Code(text) => {
                out.push_str("<code>");
                escape(&mut out, &text);
                out.push_str("</code>");
            }
            Event::SoftBreak => out.push('\n'),
            Event::HardBreak => out.push_str("<br/>"),
            Event::Rule => out.push_str("<hr/>"),
            _ => {}
        }
    }
    out
}

fn start(tag: &Tag<'_>) -> &'static str {
    match tag {
        Tag::Paragraph | Tag::HtmlBlock => "<p>",
        Tag::Heading {
            level: HeadingLevel::H1 | HeadingLevel::H2,
            ..
        } => "<h2>",
        Tag::Heading { .. } => "<h3>",
        Tag::BlockQuote(_) => "<blockquote>",
        Tag::CodeBlock(_) => "<p><code>",
        Tag::List(None) => "<ul>",
        Tag::List(Some(_)) => "<ol>",
        Tag::Item => "<li>",
        Tag::Emphasis => "<em>",
        Tag::Strong => "<strong>",
        _ => "",
    }
}

fn end(tag: &TagEnd) -> &'static str {
    match tag {
        TagEnd::Paragraph | TagEnd::HtmlBlock => "</p>",
        TagEnd::Heading(HeadingLevel::H1 | HeadingLevel::H2) => "</h2>",
        TagEnd::Heading(_) => "</h3>",
        TagEnd::BlockQuote(_) => "</blockquote>",
        TagEnd::CodeBlock => "</code></p>",
        TagEnd::List(false) => "</ul>",
        TagEnd::List(true) => "</ol>",
        TagEnd::Item => "</li>",
        TagEnd::Emphasis => "</em>",
        TagEnd::Strong => "</strong>",
        _ => "",
    }
}

/// Whether a link may lead there: to a page of our own, to another site, or to somebody's mailbox. What a browser would drop
/// from an address or read as something else is in none.
fn may_lead(there: &str) -> bool {
    let is_odd = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
    let lower = there.to_ascii_lowercase();
    let is_ours = there.starts_with('/') && !there.starts_with("//");
    let is_other = ["https://", "http://", "mailto:"]
        .iter()
        .any(|scheme| lower.starts_with(scheme));
    (is_ours || is_other) && !there.contains(is_odd)
}

fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#x27;"),
            c => out.push(c),
        }
    }
}
