//! What was built from what, remembered from call to call, so that an unchanged step costs nothing.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The steps that were done, by name.
pub(crate) struct State {
    path: PathBuf,
    steps: BTreeMap<String, Done>,
}

/// One finished step.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Done {
    /// A hash of everything the step depends on.
    key: String,
    /// What the step made, by the part it plays (`js`, `css`), as paths below the site's folder.
    pub(crate) roles: BTreeMap<String, String>,
    /// Every file that the step wrote, compressed copies included, as paths below the site's folder.
    pub(crate) files: Vec<String>,
}

impl State {
    /// Reads what the last call left. A file that cannot be read means that nothing was done, never an error.
    pub(crate) fn load(path: PathBuf) -> Self {
        let steps = fs::read(&path)
            .ok()
            .and_then(|json| serde_json::from_slice(&json).ok())
            .unwrap_or_default();
        Self { path, steps }
    }

    /// Does the step, unless it was done with the same `key` and all its files are still in `site`.
    pub(crate) fn step(
        &mut self,
        name: &str,
        site: &Path,
        key: String,
        work: impl FnOnce(&mut Done) -> Result<()>,
    ) -> Result<Done> {
        if let Some(done) = self.steps.get(name)
            && done.key == key
            && done.files.iter().all(|file| site.join(file).is_file())
        {
            return Ok(done.clone());
        }
        // Forgotten before and remembered after, so that a step broken off in the middle is done again.
        self.steps.remove(name);
        self.save()?;
        let mut done = Done { key, ..Done::default() };
        work(&mut done)?;
        self.steps.insert(name.to_owned(), done.clone());
        self.save()?;
        Ok(done)
    }

    fn save(&self) -> Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&self.path, serde_json::to_vec_pretty(&self.steps)?)
            .with_context(|| format!("{} could not be written", self.path.display()))
    }
}

/// Collects what a step depends on.
#[derive(Clone, Default)]
pub(crate) struct Key(Sha256);

impl Key {
    /// Adds a value that decides about the result.
    pub(crate) fn add(&mut self, value: impl AsRef<[u8]>) {
        let value = value.as_ref();
        self.0.update((value.len() as u64).to_le_bytes());
        self.0.update(value);
    }

    /// Adds the names and the contents of files.
    pub(crate) fn add_files(&mut self, files: &[PathBuf]) -> Result<()> {
        for file in files {
            self.add(file.as_os_str().as_encoded_bytes());
            self.add(fs::read(file).with_context(|| format!("{} could not be read", file.display()))?);
        }
        Ok(())
    }

    /// The key: 64 hexadecimal digits.
    pub(crate) fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}

/// Ten hexadecimal digits of a file's content: short in every page, and long enough that two versions never share them.
pub(crate) fn name_hash(content: &[u8]) -> String {
    hex(&Sha256::digest(content)[..5])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_step_is_done_again_only_when_it_must_be() {
        let folder = std::env::temp_dir().join(format!("kabinet-xtask-state-{}", std::process::id()));
        let site = folder.join("site");
        fs::create_dir_all(&site).expect("a temporary folder");
        let times = Cell::new(0);
        let step = |key: &str| {
            // Loaded anew each time, as by the next call of the program.
            let mut state = State::load(folder.join("state.json"));
            let done = state.step("words", &site, key.to_owned(), |done| {
                times.set(times.get() + 1);
                fs::write(site.join("words.txt"), "words")?;
                done.files.push("words.txt".to_owned());
                Ok(())
            });
            assert_eq!(done.expect("the step works").files, ["words.txt"]);
        };

        step("one");
        step("one");
        assert_eq!(times.get(), 1, "the same key is not done twice");
        step("two");
        assert_eq!(times.get(), 2, "another key is");
        fs::remove_file(site.join("words.txt")).expect("the file is there");
        step("two");
        assert_eq!(times.get(), 3, "so is a step whose file is gone");

        let mut state = State::load(folder.join("state.json"));
        let failed = state.step("words", &site, "three".to_owned(), |_| anyhow::bail!("broken off"));
        assert!(failed.is_err());
        step("two");
        assert_eq!(times.get(), 4, "and one that was broken off in between");
        fs::remove_dir_all(&folder).expect("the temporary folder goes");
    }

    #[test]
    fn keys_keep_values_apart() {
        let key = |values: &[&str]| {
            let mut key = Key::default();
            values.iter().for_each(|value| key.add(value));
            key.finish()
        };
        assert_eq!(key(&["ab", "c"]), key(&["ab", "c"]));
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
    }
}
