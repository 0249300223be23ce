//! From a crate to the two files a browser runs.

use anyhow::{Context, Result, bail};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Compiles crates for the browser and says where cargo put each. Cargo decides what must be compiled.
pub(crate) fn compile<const N: usize>(root: &Path, crates: [&str; N], cargo_profile: &str) -> Result<[PathBuf; N]> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(root)
        .args([
            "build",
            "--target",
            "wasm32-unknown-unknown",
            "--profile",
            cargo_profile,
        ])
        .args(crates.iter().flat_map(|name| ["--package", name]))
        // Errors still go to the terminal as usual; this is how cargo tells the path, wherever the target folder is.
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()
        .context("cargo could not be started")?;
    if !output.status.success() {
        bail!(
            "{crates:?} do not compile for wasm32-unknown-unknown. If the compiler misses `core` or `std`, \
             start this through `make`, which finds or installs the target (tools/toolchain.sh)"
        );
    }
    let messages: Vec<serde_json::Value> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    let module = |name: &str| {
        messages
            .iter()
            .filter(|message| message["target"]["name"] == name)
            .filter_map(|message| message["filenames"].as_array())
            .flatten()
            .filter_map(|file| file.as_str().map(PathBuf::from))
            .find(|path| path.extension().is_some_and(|extension| extension == "wasm"))
            .with_context(|| format!("cargo named no .wasm file: is `{name}` still a cdylib?"))
    };
    let mut paths = crates.map(|_| PathBuf::new());
    for (path, name) in paths.iter_mut().zip(crates) {
        *path = module(name)?;
    }
    Ok(paths)
}

/// What wasm-bindgen made of the module.
pub(crate) struct Bound {
    pub(crate) js: Vec<u8>,
    pub(crate) wasm: PathBuf,
    /// JavaScript that crates bring along; the module imports it by these very paths, so they cannot be renamed.
    pub(crate) snippets: Vec<PathBuf>,
}

/// Runs wasm-bindgen as a library: installing its program would take five minutes.
pub(crate) fn bind(compiled: &Path, name: &str, folder: &Path) -> Result<Bound> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    wasm_bindgen_cli_support::Bindgen::new()
        .input_path(compiled)
        .web(true)?
        .typescript(false)
        // The loader always says where the module is; a default would name a file that does not exist.
        .omit_default_module_path(true)
        .out_name(name)
        .generate(folder)
        .context("wasm-bindgen refused the module")?;
    let js = folder.join(format!("{name}.js"));
    let mut snippets = Vec::new();
    let snippets_folder = folder.join("snippets");
    if snippets_folder.exists() {
        crate::build_id::collect_files(&snippets_folder, &mut snippets)?;
    }
    Ok(Bound {
        js: fs::read(&js).with_context(|| format!("{} could not be read", js.display()))?,
        wasm: folder.join(format!("{name}_bg.wasm")),
        snippets,
    })
}

/// Makes the module as small as binaryen can.
pub(crate) fn optimise(root: &Path, wasm: &Path) -> Result<PathBuf> {
    let optimised = wasm.with_extension("opt.wasm");
    let mut command = Command::new(crate::site::node_tool(root, "wasm-opt")?);
    command.arg(wasm).arg("-o").arg(&optimised).args([
        "-Oz",
        "--strip-debug",
        "--strip-producers",
        "--strip-target-features",
    ]);
    // What every browser of the last years understands, and what the compiler uses already.
    command.args(
        [
            "bulk-memory",
            "bulk-memory-opt",
            "call-indirect-overlong",
            "multivalue",
            "mutable-globals",
        ]
        .map(|feature| format!("--enable-{feature}")),
    );
    command
        .args(["nontrapping-float-to-int", "reference-types", "sign-ext"].map(|feature| format!("--enable-{feature}")));
    if !command.status().context("wasm-opt could not be started")?.success() {
        bail!("wasm-opt failed: {command:?}");
    }
    Ok(optimised)
}

/// The script of the card's page, whose module needs nothing but to be started. Where it cannot be, the room that the page
/// keeps for it is given back.
pub(crate) fn starter(js: &str, wasm: &str) -> String {
    format!(
        "import s from\"{js}\";\
         s({{module_or_path:\"{wasm}\"}}).catch(()=>document.querySelector(\"[data-rotating]\")?.remove())"
    )
}

/// The script of a page with islands: starts the module and hydrates them.
///
/// It does, in an external file that the content security policy allows, what Leptos would do in inline scripts:
/// 1. The three arrays in which a streamed page would hand over resources; ours hands over none, but Leptos reads them.
/// 2. Fetches and starts the module, once the browser has told its first paint (Paint Timing, buffered if that was
///    before): on a slow network text and style come first, and a form works without the module. The `load` event would
///    be too early: it often comes before the paint. After four seconds it waits no longer: a browser may tell no paint.
/// 3. Each island in document order, so that an outer one comes before those among its children, by the export that
///    the page names. Before an inner one, its outer one's context is restored by the function which that left at its
///    `<leptos-children>`; before any other, `hydrate()` of the crate `frontend` makes a fresh one. (Leptos's script
///    makes one for the whole page, and an island then finds the context of another that merely stands before it.)
///
/// Whoever puts new HTML with islands into a page must do step 3 for it.
pub(crate) fn loader(js: &str, wasm: &str) -> String {
    format!(
        "await new Promise(r=>{{setTimeout(r,4e3);new PerformanceObserver(r).observe({{type:\"paint\",buffered:!0}})}});\
         const w=fetch(\"{wasm}\"),m=await import(\"{js}\");\
         self.__RESOLVED_RESOURCES=self.__SERIALIZED_ERRORS=self.__INCOMPLETE_CHUNKS=[];\
         await m.default({{module_or_path:w}});\
         for(const i of document.querySelectorAll(\"leptos-island\"))\
         (i.closest(\"leptos-children\")?.$$on_hydrate??m.hydrate)(),\
         m[i.dataset.component](i)"
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_loader_stays_small() {
        let loader = super::loader("/pkg/kabinet.0123456789.js", "/pkg/kabinet.0123456789.wasm");
        assert!(loader.len() <= 470, "{} bytes: {loader}", loader.len());
    }
}
