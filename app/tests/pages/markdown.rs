use app::ui::markdown::to_html;

#[test]
fn what_staff_write_becomes_paragraphs_lists_and_links() {
    let text = "Сначала **главное**.\nС той же строки\n\n## Дальше\n\n1. Раз: [карта](/card)\n2. Два: `код`\n\n- *так*\n- [иначе](https://example.com/?a=1&b=2)\n\n7. Семь";
    assert_eq!(
        to_html(text),
        "<p>Сначала <strong>главное</strong>.\nС той же строки</p><h2>Дальше</h2>\
         <ol><li>Раз: <a href=\"/card\">карта</a></li><li>Два: <code>код</code></li></ol>\
         <ul><li><em>так</em></li><li><a href=\"https://example.com/?a=1&amp;b=2\" rel=\"noopener noreferrer\">иначе</a></li></ul>\
         <ol start=\"7\"><li>Семь</li></ol>"
    );
    assert_eq!(to_html("# Над всеми\n\n### Ниже"), "<h2>Над всеми</h2><h3>Ниже</h3>");
}

/// Of what is shown to everybody nothing runs, and nothing leads where a browser would run it.
#[test]
fn html_and_links_that_run_something_are_only_words() {
    for text in [
        "<script>alert(1)</script>",
        "a <img src=x onerror=alert(1)> b",
        "<b>жирный</b>",
        "<a href=\"javascript:alert(1)\">x</a>",
        "\"><svg onload=alert(1)>",
    ] {
        let html = to_html(text);
        let tags = html
            .split('<')
            .skip(1)
            .map(|tag| tag.split('>').next().unwrap_or_default());
        assert!(tags.clone().all(|tag| ["p", "/p"].contains(&tag)), "{text}: {html}");
    }
    for there in [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "/\\evil.example",
        "/&#9;/evil.example",
        "card",
        "vbscript:x",
        "#here",
        "",
    ] {
        let html = to_html(&format!("[слово](<{there}>)"));
        assert_eq!(html, "<p>слово</p>", "{there}");
    }
    for there in [
        "/card",
        "/support/new?topic=card",
        "https://example.com",
        "HTTP://example.com",
        "mailto:a@example.com",
    ] {
        let html = to_html(&format!("[слово]({there})"));
        assert!(html.starts_with(&format!("<p><a href=\"{there}\"")), "{there}: {html}");
    }
    assert_eq!(to_html("![картинка](https://example.com/a.png)"), "<p>картинка</p>");
    assert_eq!(to_html("[a](</x\"y>)"), "<p><a href=\"/x&quot;y\">a</a></p>");
}
