//! Secrets of the configuration: written where it is read, or in a file that only the server may read.

use serde::{Deserialize, Serialize, Serializer};
use std::path::PathBuf;

/// A password or key, given as a text or as `{ file = "/run/secrets/smtp" }`. It prints and serializes as dots, so that
/// neither a log nor a dump of the configuration tells it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Secret {
    /// The secret itself.
    Inline(String),
    /// Where it is kept: the first line of the file counts.
    File {
        /// The file.
        file: PathBuf,
    },
}

impl Secret {
    /// The secret. Fails with words that name the file, never what is in it.
    pub fn reveal(&self) -> Result<String, String> {
        match self {
            Self::Inline(text) => Ok(text.clone()),
            Self::File { file } => match std::fs::read_to_string(file) {
                Ok(text) => Ok(text.lines().next().unwrap_or_default().to_owned()),
                Err(e) => Err(format!("the secret in {} cannot be read: {e}", file.display())),
            },
        }
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_comes_from_a_text_or_a_file_and_is_never_printed() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("smtp");
        std::fs::write(&file, "from a file\nnot this\n").expect("written");
        let toml = format!("a = \"inline\"\nb = {{ file = {file:?} }}\n");
        let read: std::collections::BTreeMap<String, Secret> = toml::from_str(&toml).expect("both forms");
        assert_eq!(read["a"].reveal().as_deref(), Ok("inline"));
        assert_eq!(read["b"].reveal().as_deref(), Ok("from a file"));
        let printed = format!("{read:?} {}", serde_json::to_string(&read).expect("it serializes"));
        assert!(
            !printed.contains("inline") && !printed.contains("from a file"),
            "{printed}"
        );
        std::fs::remove_file(&file).expect("removed");
        assert!(read["b"].reveal().is_err_and(|e| e.contains("smtp")));
    }
}
