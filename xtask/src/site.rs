//! `cargo xtask site`: everything a browser downloads, in one folder that the server serves as it is.

use crate::{
    build_id::{build_id, collect_files},
    compress::{self, Effort},
    state::{Done, Key, State, name_hash},
    wasm,
};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    str::FromStr,
    time::Instant,
};

/// The service worker's name in the folder. Its address stays, for browsers ask there whether there is a new one.
const WORKER: &str = "sw.js";

/// The scripts of pages: what each is called in the folder, and where it lies.
const SCRIPTS: [(&str, &str); 3] = [
    // By it pages speak to the service worker.
    ("offline", "offline/page.js"),
    // It brings what comes while a page is looked at.
    ("live", "live/page.js"),
    // It reads codes by the camera.
    ("scan", "camera/scan.js"),
];

/// For whom the site is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// The development loop: quick to build.
    Dev,
    /// `make run`: what a customer would download.
    Demo,
    /// What is shipped.
    Release,
}

impl FromStr for Profile {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "dev" => Ok(Self::Dev),
            "demo" => Ok(Self::Demo),
            "release" => Ok(Self::Release),
            _ => bail!("there is no profile `{name}`: it is dev, demo or release"),
        }
    }
}

impl Profile {
    fn is_small(self) -> bool {
        self != Self::Dev
    }

    fn cargo_profile(self) -> &'static str {
        if self.is_small() { "wasm" } else { "dev" }
    }

    fn effort(self) -> Effort {
        if self.is_small() { Effort::Best } else { Effort::Light }
    }
}

/// Names and paths, from `[workspace.metadata.leptos]`.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Names {
    output_name: String,
    site_root: PathBuf,
    site_pkg_dir: String,
    style_file: PathBuf,
    assets_dir: PathBuf,
}

impl Names {
    fn read(root: &Path) -> Result<Self> {
        let manifest = fs::read_to_string(root.join("Cargo.toml")).context("Cargo.toml could not be read")?;
        let manifest: toml::Table = toml::from_str(&manifest).context("Cargo.toml is not TOML")?;
        let names = manifest
            .get("workspace")
            .and_then(|workspace| workspace.get("metadata")?.get("leptos"))
            .context("Cargo.toml has no [workspace.metadata.leptos]")?;
        names
            .clone()
            .try_into()
            .context("[workspace.metadata.leptos] in Cargo.toml")
    }
}

/// What the server must know of the site: `site.json`.
#[derive(Serialize)]
struct Site {
    build: String,
    css: String,
    islands: Module,
    rotating: Module,
    offline: String,
    live: String,
    scan: Scan,
}

/// What reads codes by the camera: the script of the page, and the library that it fetches where the browser has none.
#[derive(Serialize)]
struct Scan {
    js: String,
    decoder: String,
}

/// A module of WebAssembly as a page loads it: the script that the page names, and what that script fetches.
#[derive(Serialize)]
struct Module {
    loader: String,
    js: String,
    wasm: String,
}

/// Builds the site, or what of it is out of date.
pub(crate) fn build(root: &Path, profile: Profile) -> Result<()> {
    let started = Instant::now();
    let names = Names::read(root)?;
    let folder = Folder {
        path: root.join(&names.site_root),
        effort: profile.effort(),
    };
    // Beside the site and not inside: all that is in the site is served.
    let cache = folder.path.with_extension("cache");
    let mut state = State::load(cache.join("state.json"));
    let key = common_key(root, profile)?;

    // Taken before anything is compiled: a file saved meanwhile makes the ids differ, and the next call builds again.
    let build = build_id(root).context("the sources of the islands")?;
    let [islands, rotating] = wasm::compile(root, ["frontend", "rotating"], profile.cargo_profile())?;
    let islands = Compiled {
        path: islands,
        name: &names.output_name,
        loader: wasm::loader,
    };
    let rotating = Compiled {
        path: rotating,
        name: "rotating",
        loader: wasm::starter,
    };
    let islands = module(root, &islands, &names, &folder, &cache, &mut state, key.clone())?;
    let rotating = module(root, &rotating, &names, &folder, &cache, &mut state, key.clone())?;
    let style = style(root, &names, &folder, &cache, &mut state, key.clone())?;
    let scripts = scripts(root, &names, &folder, &mut state, key.clone())?;
    let assets = assets(root, &names, &folder, &mut state, key)?;

    let role = |done: &Done, role: &str| format!("/{}", done.roles[role]);
    let roles = |done: &Done| Module {
        loader: role(done, "loader"),
        js: role(done, "js"),
        wasm: role(done, "wasm"),
    };
    let site = Site {
        build,
        css: role(&style, "css"),
        islands: roles(&islands),
        rotating: roles(&rotating),
        offline: role(&scripts, "offline"),
        live: role(&scripts, "live"),
        scan: Scan {
            js: role(&scripts, "scan"),
            decoder: role(&scripts, "decoder"),
        },
    };
    let json = serde_json::to_string_pretty(&site)? + "\n";
    let json_path = folder.path.join("site.json");
    if fs::read_to_string(&json_path).ok().as_ref() != Some(&json) {
        fs::write(&json_path, json)?;
    }

    // Only now, when site.json names the new files, may the old ones go.
    let mut kept: BTreeSet<PathBuf> = BTreeSet::from([json_path]);
    for done in [&islands, &rotating, &style, &scripts, &assets] {
        kept.extend(done.files.iter().map(|file| folder.path.join(file)));
    }
    remove_all_but(&kept, &folder.path)?;

    report(&folder.path, &site)?;
    eprintln!(
        "site: {} in {:.1} s",
        folder.path.display(),
        started.elapsed().as_secs_f32()
    );
    Ok(())
}

/// What every step depends on: how hard to try, the versions of the tools from npm, and this program itself.
fn common_key(root: &Path, profile: Profile) -> Result<Key> {
    let mut key = Key::default();
    key.add(format!("{:?}", profile.effort()));
    key.add_files(&[root.join("package-lock.json")])?;
    let program = fs::metadata(env::current_exe()?)?;
    key.add(format!("{} {:?}", program.len(), program.modified()?));
    Ok(key)
}

/// A module as the compiler leaves it.
struct Compiled<'a> {
    path: PathBuf,
    /// What its files are called.
    name: &'a str,
    /// Makes its loader from the addresses of the JavaScript and the WebAssembly.
    loader: fn(&str, &str) -> String,
}

/// A WebAssembly module, its JavaScript and the loader.
fn module(
    root: &Path,
    compiled: &Compiled<'_>,
    names: &Names,
    folder: &Folder,
    cache: &Path,
    state: &mut State,
    mut key: Key,
) -> Result<Done> {
    let Compiled { path, name, loader } = compiled;
    let bindings = cache.join("wasm-bindgen").join(name);
    // The content and not the file's time: cargo may compile again and arrive at the same module.
    key.add(fs::read(path).with_context(|| format!("{} could not be read", path.display()))?);
    state.step(name, &folder.path, key.finish(), |done| {
        let bound = wasm::bind(path, name, &bindings)?;
        let module = if folder.effort == Effort::Best {
            wasm::optimise(root, &bound.wasm)?
        } else {
            bound.wasm.clone()
        };

        let pkg = &names.site_pkg_dir;
        let base = format!("{pkg}/{name}");
        let wasm = folder.write_hashed(done, "wasm", &base, "wasm", &fs::read(&module)?)?;
        let js = folder.write_hashed(done, "js", &base, "js", &bound.js)?;
        let loader = loader(&format!("/{js}"), &format!("/{wasm}"));
        folder.write_hashed(done, "loader", &format!("{base}-loader"), "js", loader.as_bytes())?;
        for snippet in &bound.snippets {
            let below = snippet.strip_prefix(&bindings)?;
            folder.write(done, &format!("{pkg}/{}", below.display()), &fs::read(snippet)?)?;
        }
        Ok(())
    })
}

/// The style sheet, with the utility classes that the pages and islands use.
fn style(root: &Path, names: &Names, folder: &Folder, cache: &Path, state: &mut State, mut key: Key) -> Result<Done> {
    let source = root.join(&names.style_file);
    if !source.is_file() {
        bail!(
            "{} is missing: it is the style sheet's source, as `style-file` in Cargo.toml says",
            names.style_file.display()
        );
    }
    let mut inputs = Vec::new();
    for path in style_inputs(&source)? {
        collect_files(&path, &mut inputs)?;
    }
    inputs.sort();
    key.add_files(&inputs)?;
    state.step("style", &folder.path, key.finish(), |done| {
        let output = cache.join("style.css");
        let mut command = Command::new(node_tool(root, "tailwindcss")?);
        command
            .current_dir(root)
            .arg("--minify")
            .arg("--input")
            .arg(&source)
            .arg("--output")
            .arg(&output);
        let result = command.output().context("tailwindcss could not be started")?;
        if !result.status.success() {
            bail!("tailwindcss failed:\n{}", String::from_utf8_lossy(&result.stderr));
        }
        let base = format!("{}/{}", names.site_pkg_dir, names.output_name);
        folder.write_hashed(done, "css", &base, "css", &fs::read(&output)?)?;
        Ok(())
    })
}

/// The folder of the style sheet's source, and what that source names by `@source` as places where classes are used.
fn style_inputs(source: &Path) -> Result<Vec<PathBuf>> {
    let folder = source.parent().context("the style sheet's source lies in no folder")?;
    let css = fs::read_to_string(source).with_context(|| format!("{} could not be read", source.display()))?;
    let used = css
        .lines()
        .filter_map(|line| line.trim().strip_prefix("@source \"")?.split('"').next());
    let mut inputs = vec![folder.to_owned()];
    inputs.extend(used.map(|path| folder.join(path)));
    Ok(inputs)
}

/// The service worker, under the name that browsers know it by, the scripts of pages, and the library by which codes are read
/// where the browser cannot.
fn scripts(root: &Path, names: &Names, folder: &Folder, state: &mut State, mut key: Key) -> Result<Done> {
    let ours = SCRIPTS.map(|(role, path)| (role, root.join(path)));
    let worker = root.join("offline").join(WORKER);
    let library = root.join("node_modules/jsqr/dist/jsQR.js");
    if !library.exists() {
        bail!("node_modules has no `jsqr`: run `npm ci`, or start this through `make`");
    }
    key.add_files(&ours.each_ref().map(|(_, path)| path.clone()))?;
    key.add_files(&[worker.clone(), library.clone()])?;
    state.step("scripts", &folder.path, key.finish(), |done| {
        let pkg = &names.site_pkg_dir;
        let short = |path: &Path| fs::read_to_string(path).map(|script| without_comments(&script));
        folder.write(done, WORKER, short(&worker)?.as_bytes())?;
        for (role, path) in &ours {
            folder.write_hashed(done, role, &format!("{pkg}/{role}"), "js", short(path)?.as_bytes())?;
        }
        let library = format!(
            "// jsQR, Apache-2.0: https://github.com/cozmo/jsQR\n{}",
            fs::read_to_string(&library)?
        );
        folder.write_hashed(done, "decoder", &format!("{pkg}/jsqr"), "js", library.as_bytes())?;
        Ok(())
    })
}

/// A script of ours without the lines that are comments, and without indents: no text of ours goes over several lines.
fn without_comments(script: &str) -> String {
    let lines = script.lines().map(str::trim);
    let kept = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
    kept.flat_map(|line| [line, "\n"]).collect()
}

/// The files of `public/`, under their own names: icons and what robots read.
fn assets(root: &Path, names: &Names, folder: &Folder, state: &mut State, mut key: Key) -> Result<Done> {
    let source = root.join(&names.assets_dir);
    let mut files = Vec::new();
    if source.exists() {
        collect_files(&source, &mut files)?;
    }
    files.sort();
    key.add_files(&files)?;
    state.step("assets", &folder.path, key.finish(), |done| {
        for file in &files {
            let name = file.strip_prefix(&source)?.display().to_string();
            if name == "site.json" || name == WORKER || name.starts_with(&format!("{}/", names.site_pkg_dir)) {
                bail!("{} would be overwritten: choose another name", file.display());
            }
            folder.write(done, &name, &fs::read(file)?)?;
        }
        Ok(())
    })
}

/// A program that `npm ci` installs.
pub(crate) fn node_tool(root: &Path, name: &str) -> Result<PathBuf> {
    let path = root.join("node_modules/.bin").join(name);
    if !path.exists() {
        bail!("node_modules has no `{name}`: run `npm ci`, or start this through `make`");
    }
    Ok(path)
}

/// The folder that is served.
struct Folder {
    path: PathBuf,
    effort: Effort,
}

impl Folder {
    /// Writes a file whose name says its content, so that browsers may keep it for ever; returns that name.
    fn write_hashed(&self, done: &mut Done, role: &str, base: &str, ending: &str, content: &[u8]) -> Result<String> {
        let name = format!("{base}.{}.{ending}", name_hash(content));
        self.write(done, &name, content)?;
        done.roles.insert(role.to_owned(), name.clone());
        Ok(name)
    }

    /// Writes a file and its compressed copies.
    fn write(&self, done: &mut Done, name: &str, content: &[u8]) -> Result<()> {
        self.write_one(done, name.to_owned(), content)?;
        for (ending, compressed) in compress::variants(Path::new(name), content, self.effort)? {
            self.write_one(done, format!("{name}.{ending}"), &compressed)?;
        }
        Ok(())
    }

    fn write_one(&self, done: &mut Done, name: String, content: &[u8]) -> Result<()> {
        let path = self.path.join(&name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, content).with_context(|| format!("{} could not be written", path.display()))?;
        done.files.push(name);
        Ok(())
    }
}

fn remove_all_but(kept: &BTreeSet<PathBuf>, folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_all_but(kept, &path)?;
            // Fails for a folder that still holds something, which is meant.
            let _ = fs::remove_dir(&path);
        } else if !kept.contains(&path) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Prints what a browser downloads.
fn report(folder: &Path, site: &Site) -> Result<()> {
    let size = |path: &Path| fs::metadata(path).map(|file| file.len());
    let modules = [&site.islands, &site.rotating].map(|module| [&module.wasm, &module.js, &module.loader]);
    let worker = format!("/{WORKER}");
    let others = [
        &site.css,
        &site.offline,
        &site.live,
        &worker,
        &site.scan.js,
        &site.scan.decoder,
    ];
    for url in modules.into_iter().flatten().chain(others) {
        let plain = folder.join(url.trim_start_matches('/'));
        let raw = size(&plain)?;
        let sent = size(&PathBuf::from(format!("{}.br", plain.display()))).unwrap_or(raw);
        eprintln!("  {url:<32} {sent:>8} bytes in Brotli, {raw:>8} without");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn scripts_lose_their_comments_and_nothing_else() {
        let script = "// What it is.\n\nconst path = \"/a//b\"; // kept\n  // Why.\n  go(path);\n";
        assert_eq!(
            super::without_comments(script),
            "const path = \"/a//b\"; // kept\ngo(path);\n"
        );
    }
}
