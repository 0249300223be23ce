//! Compression ahead of time: done once here and not at every request.

use anyhow::Result;
use flate2::{Compression, write::GzEncoder};
use std::{io::Write, path::Path};

/// How hard to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Effort {
    /// A fraction of a second, for the development loop.
    Light,
    /// The smallest result, for everything that is shipped.
    Best,
}

/// The endings of the files beside the original, with their contents; empty where compression does not help.
pub(crate) fn variants(name: &Path, content: &[u8], effort: Effort) -> Result<Vec<(&'static str, Vec<u8>)>> {
    if !is_compressible(name) {
        return Ok(Vec::new());
    }
    let mut variants = vec![("br", brotli(content, effort)?), ("gz", gzip(content, effort)?)];
    variants.retain(|(_, compressed)| compressed.len() < content.len());
    Ok(variants)
}

/// Images, fonts and archives are compressed by their own formats.
fn is_compressible(name: &Path) -> bool {
    const TEXT_LIKE: [&str; 11] = [
        "css",
        "html",
        "ico",
        "js",
        "json",
        "map",
        "svg",
        "txt",
        "wasm",
        "webmanifest",
        "xml",
    ];
    name.extension()
        .is_some_and(|extension| TEXT_LIKE.iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

fn brotli(content: &[u8], effort: Effort) -> Result<Vec<u8>> {
    let params = brotli::enc::BrotliEncoderParams {
        quality: match effort {
            Effort::Light => 2,
            Effort::Best => 11,
        },
        // The largest window that every browser accepts.
        lgwin: 24,
        size_hint: content.len(),
        ..Default::default()
    };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &content[..], &mut compressed, &params)?;
    Ok(compressed)
}

fn gzip(content: &[u8], effort: Effort) -> Result<Vec<u8>> {
    let level = match effort {
        Effort::Light => Compression::fast(),
        Effort::Best => Compression::best(),
    };
    let mut encoder = GzEncoder::new(Vec::new(), level);
    encoder.write_all(content)?;
    Ok(encoder.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn what_was_compressed_comes_back() {
        let content = b"the same words, ".repeat(50);
        for effort in [Effort::Light, Effort::Best] {
            let variants = variants(Path::new("words.txt"), &content, effort).expect("compresses");
            let [("br", br), ("gz", gz)] = variants.as_slice() else {
                panic!("both variants, not {variants:?}")
            };

            let mut from_br = Vec::new();
            brotli::BrotliDecompress(&mut br.as_slice(), &mut from_br).expect("is Brotli");
            assert_eq!(from_br, content);

            let mut from_gz = Vec::new();
            flate2::read::GzDecoder::new(gz.as_slice())
                .read_to_end(&mut from_gz)
                .expect("is gzip");
            assert_eq!(from_gz, content);
        }
    }

    #[test]
    fn nothing_is_written_where_it_does_not_help() {
        let names = ["photo.png", "font.woff2", "no-ending"];
        for name in names {
            assert!(
                variants(Path::new(name), &[b'a'; 500], Effort::Best)
                    .expect("compresses")
                    .is_empty(),
                "{name}"
            );
        }
        assert!(
            variants(Path::new("tiny.txt"), b"a", Effort::Best)
                .expect("compresses")
                .is_empty()
        );
    }
}
