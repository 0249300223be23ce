//! Turns `locales/{ru,en}/*.json` into Rust: a struct for each file, a field or a method for each text. A text that is
//! missing in one language, or takes other values there, stops the build; a text that nobody wrote does not compile.
//! Values are taken in the alphabetical order of their names: `{points} … {day}` is `key(day, points)`.
//! Plurals are objects {"one", "few", "many"} and take the number `n`. Icons come from the package `lucide-static`,
//! the fonts of papers from `@expo-google-fonts/pt-sans`.

use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it"));
    println!("cargo::rerun-if-changed=locales");
    println!("cargo::rerun-if-changed=icons.txt");
    fs::write(out.join("texts.rs"), texts(&root.join("locales"))).expect("OUT_DIR can be written");
    fs::write(out.join("icons.rs"), icons(&root)).expect("OUT_DIR can be written");
    for (name, file) in [
        ("regular.ttf", "400Regular/PTSans_400Regular.ttf"),
        ("bold.ttf", "700Bold/PTSans_700Bold.ttf"),
    ] {
        let from = root.join("../node_modules/@expo-google-fonts/pt-sans").join(file);
        fs::copy(&from, out.join(name))
            .unwrap_or_else(|e| panic!("font {file}: {e}. `npm ci` brings the fonts; `make` runs it for you."));
    }
}

fn read(path: &Path) -> Map<String, Value> {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn placeholders(text: &str) -> BTreeSet<String> {
    text.split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// The values that a text takes, plural forms together.
fn values(value: &Value) -> BTreeSet<String> {
    match value {
        Value::String(text) => placeholders(text),
        Value::Object(forms) => {
            let mut all: BTreeSet<_> = forms
                .values()
                .filter_map(Value::as_str)
                .flat_map(placeholders)
                .collect();
            all.insert("n".into());
            all
        }
        _ => BTreeSet::new(),
    }
}

fn forms(value: &Value, file: &str, key: &str) -> [String; 3] {
    ["one", "few", "many"].map(|form| {
        let text = value.get(form).or_else(|| value.get("many")).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("{file}.{key}: a plural needs \"many\""))
            .to_owned()
    })
}

fn texts(dir: &Path) -> String {
    let mut files: Vec<_> = fs::read_dir(dir.join("ru"))
        .expect("locales/ru")
        .flatten()
        .map(|f| f.file_name())
        .collect();
    files.sort();
    let (mut structs, mut fields, mut statics) = (String::new(), String::new(), [String::new(), String::new()]);
    for name in &files {
        let name = name.to_string_lossy();
        let Some(file) = name.strip_suffix(".json") else {
            continue;
        };
        let languages = ["ru", "en"].map(|lang| read(&dir.join(lang).join(&*name)));
        let keys = languages
            .each_ref()
            .map(|map| map.keys().cloned().collect::<BTreeSet<_>>());
        assert!(
            keys[0] == keys[1],
            "{name}: the languages differ in {:?}",
            keys[0].symmetric_difference(&keys[1])
        );
        let type_name: String = file
            .split('_')
            .map(|part| format!("{}{}", part[..1].to_uppercase(), &part[1..]))
            .collect();
        let (mut members, mut methods) = (String::new(), String::new());
        let mut inits = [String::new(), String::new()];
        for key in &keys[0] {
            let pair = languages.each_ref().map(|map| &map[key]);
            let takes = values(pair[0]);
            assert!(
                takes == values(pair[1]),
                "{file}.{key}: the languages take different values"
            );
            let is_plural = pair[0].is_object();
            assert!(
                is_plural == pair[1].is_object(),
                "{file}.{key}: a plural in one language only"
            );
            let (visible, kind) = match (is_plural, takes.is_empty()) {
                (true, _) => ("", "[&'static str; 3]"),
                (false, true) => ("pub ", "&'static str"),
                (false, false) => ("", "&'static str"),
            };
            let doc = pair[1]
                .as_str()
                .map_or_else(|| forms(pair[1], file, key)[2].clone(), str::to_owned);
            let doc = doc.replace(['\n', '\\', '"', '[', ']', '<', '>'], " ");
            let member = if takes.is_empty() {
                key.clone()
            } else {
                format!("text_{key}")
            };
            writeln!(members, "    #[doc = \"{doc}\"]\n    {visible}{member}: {kind},").expect("a string grows");
            for (init, value) in inits.iter_mut().zip(pair) {
                let literal = if is_plural {
                    format!("{:?}", forms(value, file, key))
                } else {
                    format!(
                        "{:?}",
                        value.as_str().unwrap_or_else(|| panic!("{file}.{key}: not a text"))
                    )
                };
                write!(init, "{member}: {literal}, ").expect("a string grows");
            }
            if !takes.is_empty() {
                let arguments: String = takes
                    .iter()
                    .map(|v| {
                        if v == "n" && is_plural {
                            ", n: i64".to_owned()
                        } else {
                            format!(", {v}: impl std::fmt::Display")
                        }
                    })
                    .collect();
                let text = if is_plural {
                    format!("plural(self.lang, n, &self.{member})")
                } else {
                    format!("self.{member}")
                };
                let pairs: String = takes
                    .iter()
                    .map(|v| {
                        if v == "n" && is_plural {
                            "(\"n\", &crate::format::integer(n)), ".to_owned()
                        } else {
                            format!("(\"{v}\", &{v}), ")
                        }
                    })
                    .collect();
                writeln!(methods, "    #[doc = \"{doc}\"]\n    pub fn {key}(&self{arguments}) -> String {{ fill({text}, &[{pairs}]) }}")
                    .expect("a string grows");
            }
        }
        // An export calls its sections and columns as the database does, and the audit log has actions and codes: their words are
        // found by those names.
        if ["export", "admin_action", "admin_reason"].contains(&file) {
            let plain = keys[0].iter().filter(|key| values(&languages[0][*key]).is_empty());
            let arms: String = plain.map(|key| format!("{key:?} => self.{key}, ")).collect();
            writeln!(
                methods,
                "    /// The text of this key, where there is one that takes no values.\n    \
                 pub fn named(&self, key: &str) -> Option<&'static str> {{ Some(match key {{ {arms}_ => return None }}) }}"
            )
            .expect("a string grows");
        }
        writeln!(
            structs,
            "/// Texts of `{file}.json`.\n#[derive(Debug)]\npub struct {type_name} {{\n    #[allow(dead_code)]\n    lang: Lang,\n{members}}}\nimpl {type_name} {{\n{methods}}}"
        )
        .expect("a string grows");
        writeln!(fields, "    /// Texts of `{file}.json`.\n    pub {file}: {type_name},").expect("a string grows");
        for ((all, init), lang) in statics.iter_mut().zip(inits).zip(["Ru", "En"]) {
            writeln!(all, "    {file}: {type_name} {{ lang: Lang::{lang}, {init} }},").expect("a string grows");
        }
    }
    let [ru, en] = statics;
    format!(
        "{structs}/// Every text of the pages, in one language.\n#[derive(Debug)]\npub struct Texts {{\n{fields}}}\n\
         static RU: Texts = Texts {{\n{ru}}};\nstatic EN: Texts = Texts {{\n{en}}};\n"
    )
}

/// The icons named in `icons.txt`, as the inside of an SVG.
fn icons(root: &Path) -> String {
    let names = fs::read_to_string(root.join("icons.txt")).expect("icons.txt");
    let mut out = String::new();
    for name in names.lines().map(str::trim).filter(|n| !n.is_empty()) {
        let path = root
            .join("../node_modules/lucide-static/icons")
            .join(format!("{name}.svg"));
        let svg = fs::read_to_string(&path)
            .unwrap_or_else(|e| panic!("icon {name}: {e}. `npm ci` brings the icons; `make` runs it for you."));
        let inside = svg
            .split_once("<svg")
            .and_then(|(_, rest)| rest.split_once('>'))
            .and_then(|(_, rest)| rest.split_once("</svg>"));
        let inside = inside.unwrap_or_else(|| panic!("icon {name} is not an SVG")).0;
        let inside = inside.split_whitespace().collect::<Vec<_>>().join(" ");
        writeln!(
            out,
            "/// Icon `{name}`.\npub const {}: &str = {inside:?};",
            name.to_uppercase().replace('-', "_")
        )
        .expect("a string grows");
    }
    out
}
