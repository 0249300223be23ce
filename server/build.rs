//! Bakes the build id into the program, which compares it with `site.json` when it starts.

#[path = "../xtask/src/build_id.rs"]
mod build_id;

use std::{env, path::PathBuf};

fn main() {
    let manifest_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    let root = manifest_dir.parent().expect("the server crate lies in the workspace");
    for source in build_id::SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    let id = build_id::build_id(root).expect("the sources of the islands must be readable");
    println!("cargo::rustc-env=KABINET_BUILD_ID={id}");
}
