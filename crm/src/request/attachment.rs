//! Files that go along with a message. What is taken is looked at twice: the end of its name says what it is to be, and its
//! first bytes have to agree. A file is kept under an id of ours, in pieces; its own name is shown and does nothing else.

use super::{Upload, photo};
use crate::flaw::{Flaw, is_invisible};
use crate::id::{AttachmentId, MessageId};
use crate::shop::{Attachments, MB};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What a browser offers to choose from.
pub const ACCEPT: &str = "image/jpeg,image/png,image/webp,application/pdf,.jpg,.jpeg,.png,.webp,.pdf";

/// The same where only a photo is of use.
pub const PHOTOS: &str = "image/jpeg,image/png,image/webp,.jpg,.jpeg,.png,.webp";

/// The longest name, in characters; file systems end at 255 bytes.
const NAME_MAX: usize = 120;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A photo.
    Jpeg,
    /// A picture of a screen.
    Png,
    /// A picture of the web.
    Webp,
    /// A document.
    Pdf,
}

impl Kind {
    /// What the end of a name says.
    fn named(name: &str) -> Option<Self> {
        let (_, ending) = name.rsplit_once('.')?;
        Some(match ending.to_ascii_lowercase().as_str() {
            "jpg" | "jpeg" => Self::Jpeg,
            "png" => Self::Png,
            "webp" => Self::Webp,
            "pdf" => Self::Pdf,
            _ => return None,
        })
    }

    /// What the first bytes say: JPEG (ITU-T T.81, B.1.1.3), PNG (W3C, 5.2), WebP (RFC 9649, 2.4), PDF (ISO 32000-1, 7.5.2).
    fn sniffed(bytes: &[u8]) -> Option<Self> {
        Some(match bytes {
            [0xff, 0xd8, 0xff, ..] => Self::Jpeg,
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Self::Png,
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Self::Webp,
            [b'%', b'P', b'D', b'F', b'-', ..] => Self::Pdf,
            _ => return None,
        })
    }

    /// As `Content-Type` says it.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
            Self::Pdf => "application/pdf",
        }
    }

    /// The end of the name under which it is saved.
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::Webp => "webp",
            Self::Pdf => "pdf",
        }
    }
}

/// What is known of a file without reading it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Attachment {
    /// Its id.
    pub id: AttachmentId,
    /// The message that it goes along with.
    pub message_id: MessageId,
    /// What its owner calls it.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// How large it is, in bytes.
    pub size: i64,
}

/// A file that may be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked<'a> {
    /// What its owner calls it.
    pub name: &'a str,
    /// What it is.
    pub kind: Kind,
    /// What is in it; of a photo without its place, time and device.
    pub bytes: Cow<'a, [u8]>,
}

/// The files as they may be kept, or what is wrong with the first that may not.
pub fn check<'a>(files: &'a [Upload], allowed: &Attachments) -> Result<Vec<Checked<'a>>, Flaw> {
    if files.len() > allowed.files {
        return Err(Flaw::TooManyFiles { max: allowed.files });
    }
    (1..).zip(files).map(|(nth, file)| one(nth, file, allowed)).collect()
}

fn one<'a>(nth: usize, file: &'a Upload, allowed: &Attachments) -> Result<Checked<'a>, Flaw> {
    let name = file.name.as_str();
    let is_odd = |c: char| c.is_control() || is_invisible(c) || matches!(c, '/' | '\\');
    if name.trim().is_empty() || name.chars().count() > NAME_MAX || name.chars().any(is_odd) {
        return Err(Flaw::FileName { file: nth });
    }
    let kind = Kind::named(name).ok_or(Flaw::FileKind { file: nth })?;
    if file.bytes.is_empty() {
        return Err(Flaw::EmptyFile { file: nth });
    }
    if file.bytes.len() > allowed.file_mb * MB {
        return Err(Flaw::FileTooLarge {
            file: nth,
            max: allowed.file_mb,
        });
    }
    if Kind::sniffed(&file.bytes) != Some(kind) {
        return Err(Flaw::FileLies { file: nth });
    }
    let bytes = photo::without_metadata(kind, &file.bytes);
    Ok(Checked { name, kind, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n...";
    const JPEG: &[u8] = b"\xff\xd8\xff\xe0...";
    const WEBP: &[u8] = b"RIFF\x10\0\0\0WEBPVP8 ";
    const PDF: &[u8] = b"%PDF-1.7\n";

    fn flaw(name: &str, bytes: &[u8]) -> Option<Flaw> {
        let file = Upload {
            name: name.to_owned(),
            bytes: bytes.to_vec(),
        };
        check(&[file], &Attachments::default()).err()
    }

    #[test]
    fn a_file_is_what_its_name_and_its_first_bytes_say() {
        for (name, bytes) in [
            ("чек.jpg", JPEG),
            ("IMG_1.JPEG", JPEG),
            ("a.b.png", PNG),
            ("x.webp", WEBP),
            ("чек № 1.pdf", PDF),
        ] {
            assert_eq!(flaw(name, bytes), None, "{name}");
        }
        let file = 1;
        for (name, bytes, expected) in [
            ("a.png", JPEG, Flaw::FileLies { file }),
            ("a.jpg", &b"<html>"[..], Flaw::FileLies { file }),
            ("a.jpg", &b"\xff\xd8"[..], Flaw::FileLies { file }),
            ("a.webp", &b"RIFF\x10\0\0\0WAVEfmt "[..], Flaw::FileLies { file }),
            ("a.svg", &b"<svg/>"[..], Flaw::FileKind { file }),
            ("a.pdf.exe", PDF, Flaw::FileKind { file }),
            ("pdf", PDF, Flaw::FileKind { file }),
            ("a.png", &b""[..], Flaw::EmptyFile { file }),
            ("../../a.png", PNG, Flaw::FileName { file }),
            ("c:\\a.png", PNG, Flaw::FileName { file }),
            ("a\0.png", PNG, Flaw::FileName { file }),
            ("gnp\u{202e}.png", PNG, Flaw::FileName { file }),
            (" ", PNG, Flaw::FileName { file }),
        ] {
            assert_eq!(flaw(name, bytes), Some(expected), "{name:?}");
        }
        assert_eq!(
            flaw(&format!("{}.png", "я".repeat(117)), PNG),
            Some(Flaw::FileName { file })
        );
    }

    #[test]
    fn a_file_ends_at_its_limit_and_a_message_at_its_number() {
        let allowed = Attachments::default();
        let of = |size: usize| {
            let mut bytes = PNG.to_vec();
            bytes.resize(size, 0);
            Upload {
                name: "a.png".into(),
                bytes,
            }
        };
        let most = allowed.file_mb * MB;
        assert!(check(&[of(most)], &allowed).is_ok());
        assert_eq!(
            check(&[of(100), of(most + 1)], &allowed),
            Err(Flaw::FileTooLarge { file: 2, max: 5 })
        );
        assert!(check(&vec![of(10); 5], &allowed).is_ok());
        assert_eq!(check(&vec![of(10); 6], &allowed), Err(Flaw::TooManyFiles { max: 5 }));
        assert_eq!(check(&[], &allowed), Ok(Vec::new()));
    }
}
