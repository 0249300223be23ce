// The build id: one name for "this source of the islands".
//
// The browser finds an island by an export of the WebAssembly module whose name is a hash of the island's source, and
// the server writes the same name into the page. Built from different sources the two do not meet, and the island stays
// dead without a word. So both carry this id, and the server refuses to start beside a site folder that has another.
//
// The file is compiled twice, into `xtask` and into the build script of `server`, and therefore needs sha2 and std only.

use sha2::{Digest, Sha256};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// What the id is made of, as paths from the workspace's root; folders count with everything in them.
pub(crate) const SOURCES: [&str; 6] = [
    "Cargo.lock",
    "crm/Cargo.toml",
    "crm/src",
    "frontend",
    "islands",
    "rotating",
];

/// The id of the sources below `root`: sixteen hexadecimal digits.
pub(crate) fn build_id(root: &Path) -> io::Result<String> {
    let mut files = Vec::new();
    for source in SOURCES {
        collect_files(&root.join(source), &mut files)?;
    }
    // By name and not as the file system lists them, so that two machines agree.
    files.sort();

    let mut hash = Sha256::new();
    for file in files {
        let content = fs::read(&file).map_err(|error| naming(&file, error))?;
        let name = file
            .strip_prefix(root)
            .unwrap_or(&file)
            .to_string_lossy()
            .replace('\\', "/");
        // The lengths keep "ab" + "c" apart from "a" + "bc".
        for part in [name.as_bytes(), &content] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    Ok(hash
        .finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

/// Adds every file at or below `path`; hidden files and editors' copies (`.x.swp`, `x~`) are nobody's source.
pub(crate) fn collect_files(path: &Path, into: &mut Vec<PathBuf>) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.starts_with('.') || name.ends_with('~') {
        return Ok(());
    }
    if fs::metadata(path).map_err(|error| naming(path, error))?.is_dir() {
        for entry in fs::read_dir(path).map_err(|error| naming(path, error))? {
            collect_files(&entry?.path(), into)?;
        }
    } else {
        into.push(path.to_owned());
    }
    Ok(())
}

/// `std` says "No such file or directory" and not which one.
fn naming(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with the least that has an id; gone when dropped.
    struct Sources(PathBuf);

    impl Sources {
        fn new(name: &str) -> Self {
            let root = std::env::temp_dir().join(format!("kabinet-build-id-{name}-{}", std::process::id()));
            for folder in ["crm/src", "frontend", "islands/src", "rotating"] {
                fs::create_dir_all(root.join(folder)).expect("a temporary folder");
            }
            let sources = Self(root);
            for file in ["Cargo.lock", "crm/Cargo.toml", "crm/src/lib.rs", "islands/src/lib.rs"] {
                sources.write(file, "// first");
            }
            sources
        }

        fn write(&self, file: &str, content: &str) {
            fs::write(self.0.join(file), content).expect("the folder is there");
        }

        fn id(&self) -> String {
            build_id(&self.0).expect("everything is readable")
        }
    }

    impl Drop for Sources {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_same_sources_have_the_same_id_wherever_they_lie() {
        assert_eq!(Sources::new("here").id(), Sources::new("there").id());
    }

    #[test]
    fn every_source_counts_and_nothing_else_does() {
        let sources = Sources::new("changes");
        let first = sources.id();
        assert_eq!(first.len(), 16);

        sources.write("islands/src/.lib.rs.swp", "an editor's");
        sources.write("islands/src/lib.rs~", "an editor's");
        sources.write("crm/README.md", "no source");
        assert_eq!(sources.id(), first);

        for file in [
            "Cargo.lock",
            "crm/Cargo.toml",
            "crm/src/lib.rs",
            "islands/src/lib.rs",
            "frontend/new.rs",
        ] {
            let before = sources.id();
            sources.write(file, "// second");
            assert_ne!(sources.id(), before, "{file}");
        }
    }

    #[test]
    fn a_missing_source_is_named() {
        let sources = Sources::new("missing");
        fs::remove_file(sources.0.join("Cargo.lock")).expect("it is there");
        let error = build_id(&sources.0).expect_err("Cargo.lock is gone").to_string();
        assert!(error.contains("Cargo.lock"), "{error}");
    }
}
