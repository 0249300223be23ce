//! Photos without what they say beside the picture: a phone writes into them where they were taken, when, and by which device.
//! The picture itself is not decoded, and stays as it was.

use super::attachment::Kind;
use std::borrow::Cow;

/// A file without what it says of place, time and device. A photo that cannot be walked through stays as it is.
pub(super) fn without_metadata(kind: Kind, bytes: &[u8]) -> Cow<'_, [u8]> {
    let kept = match kind {
        Kind::Jpeg => jpeg(bytes),
        Kind::Png => png(bytes),
        Kind::Webp => webp(bytes),
        Kind::Pdf => None,
    };
    kept.map_or(Cow::Borrowed(bytes), Cow::Owned)
}

/// JPEG: segments, then one scan or several up to the end of the picture (ITU-T T.81, B.1 and B.2). What a camera appends
/// after it is dropped as well.
fn jpeg(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut rest = bytes.strip_prefix(&[0xff, 0xd8])?;
    let mut kept = vec![0xff, 0xd8];
    while !rest.is_empty() {
        let [0xff, marker, after @ ..] = rest else {
            return None;
        };
        match *marker {
            // It may be filled up before a marker.
            0xff => rest = rest.get(1..)?,
            0xd9 => {
                kept.extend([0xff, 0xd9]);
                return Some(kept);
            }
            0x01 | 0xd0..=0xd7 => {
                kept.extend([0xff, *marker]);
                rest = after;
            }
            _ => {
                let length = u16::from_be_bytes(after.get(..2)?.try_into().ok()?);
                let (segment, next) = after.split_at_checked(usize::from(length))?;
                let body = segment.get(2..)?;
                rest = next;
                if is_of_the_picture(*marker, body) {
                    kept.extend([0xff, *marker]);
                    kept.extend_from_slice(segment);
                } else if let Some(turned) = orientation(body).filter(|_| *marker == 0xe1) {
                    kept.extend(UPRIGHT);
                    kept.extend([turned, 0, 0, 0, 0, 0, 0]);
                }
                if *marker == 0xda {
                    let (scan, next) = rest.split_at_checked(scan(rest))?;
                    kept.extend_from_slice(scan);
                    rest = next;
                }
            }
        }
    }
    // Cut off, and a picture as far as it goes.
    Some(kept)
}

/// How long the data of a scan are: up to a marker that is no restart.
fn scan(bytes: &[u8]) -> usize {
    let is_marker = |pair: &[u8]| matches!(pair, [0xff, next] if !matches!(next, 0x00 | 0xd0..=0xd7));
    bytes.windows(2).position(is_marker).unwrap_or(bytes.len())
}

/// Whether a segment is needed to show the picture. Of those that are for applications: what makes it JPEG (JFIF), its colours
/// (an ICC profile) and how they are coded (Adobe).
fn is_of_the_picture(marker: u8, body: &[u8]) -> bool {
    match marker {
        0xe0 => body.starts_with(b"JFIF\0"),
        0xe2 => body.starts_with(b"ICC_PROFILE\0"),
        0xee => body.starts_with(b"Adobe"),
        0xe1 | 0xe3..=0xed | 0xef | 0xfe => false,
        _ => true,
    }
}

/// A segment of Exif that says which side is up and nothing else, without the byte that says it and the six zeroes that follow.
const UPRIGHT: &[u8] =
    b"\xff\xe1\x00\x22Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00";

/// Which side of the picture is up, unless it is the upper one (Exif 2.32, 4.6.4): people hold their phones as they like.
fn orientation(body: &[u8]) -> Option<u8> {
    let tiff = body.strip_prefix(b"Exif\0\0")?;
    let is_little = match tiff.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let two = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if is_little {
            u16::from_le_bytes(two)
        } else {
            u16::from_be_bytes(two)
        })
    };
    let first = tiff.get(4..8)?.try_into().ok()?;
    let first = if is_little {
        u32::from_le_bytes(first)
    } else {
        u32::from_be_bytes(first)
    };
    let first = usize::try_from(first).ok()?;
    let found = (0..usize::from(short(first)?)).find_map(|nth| {
        let at = first.checked_add(2 + nth * 12)?;
        // The tag, and that it is one short number.
        (short(at)? == 0x0112 && short(at.checked_add(2)?)? == 3).then_some(at.checked_add(8)?)
    })?;
    let turned = u8::try_from(short(found)?).ok()?;
    (2..=8).contains(&turned).then_some(turned)
}

/// PNG: chunks up to the last one (W3C PNG, 5.3).
fn png(bytes: &[u8]) -> Option<Vec<u8>> {
    let (head, mut rest) = bytes.split_at_checked(8)?;
    let mut kept = head.to_vec();
    while !rest.is_empty() {
        let length = u32::from_be_bytes(rest.get(..4)?.try_into().ok()?);
        let name = rest.get(4..8)?;
        let whole = usize::try_from(length).ok()?.checked_add(12)?;
        let (chunk, next) = rest.split_at_checked(whole)?;
        rest = next;
        match name {
            b"eXIf" | b"tEXt" | b"zTXt" | b"iTXt" | b"tIME" => {}
            _ => kept.extend_from_slice(chunk),
        }
        if name == b"IEND" {
            break;
        }
    }
    Some(kept)
}

/// WebP: chunks within one of RIFF, the first of which may say what there is (RFC 9649, 2.3 to 2.7).
fn webp(bytes: &[u8]) -> Option<Vec<u8>> {
    let size = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?);
    let end = usize::try_from(size).ok()?.checked_add(8)?.min(bytes.len());
    let mut kept = bytes.get(..12)?.to_vec();
    let mut rest = bytes.get(12..end)?;
    while !rest.is_empty() {
        let name = rest.get(..4)?;
        let length = u32::from_le_bytes(rest.get(4..8)?.try_into().ok()?);
        let length = usize::try_from(length).ok()?;
        // A chunk of an odd length is filled up by a byte.
        let whole = length.checked_add(8 + length % 2)?;
        let (chunk, next) = rest.split_at_checked(whole)?;
        rest = next;
        let at = kept.len();
        match name {
            b"EXIF" | b"XMP " => {}
            _ => kept.extend_from_slice(chunk),
        }
        if name == b"VP8X" {
            // There is neither Exif nor XMP any more.
            *kept.get_mut(at + 8)? &= !0b0000_1100;
        }
    }
    let size = u32::try_from(kept.len() - 8).ok()?;
    kept.get_mut(4..8)?.copy_from_slice(&size.to_le_bytes());
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len() + 2).expect("short");
        [&[0xff, marker][..], &length.to_be_bytes(), body].concat()
    }

    /// Exif with which side is up, and a place after it.
    fn exif(turned: u8) -> Vec<u8> {
        let mut body = b"Exif\0\0II*\0\x08\0\0\0\x02\0".to_vec();
        body.extend(b"\x0f\x01\x02\0\x04\0\0\0GPS\0");
        body.extend([0x12, 0x01, 0x03, 0, 1, 0, 0, 0, turned, 0, 0, 0]);
        body.extend(b"\0\0\0\0GPS 56.3389 36.7286");
        body
    }

    const SCAN: &[u8] = b"\x12\xff\x00\x34\xff\xd0\x56";

    fn photo(turned: u8) -> Vec<u8> {
        [
            b"\xff\xd8".to_vec(),
            segment(0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
            segment(0xe1, &exif(turned)),
            segment(0xe1, b"http://ns.adobe.com/xap/1.0/\0GPS"),
            segment(0xe2, b"ICC_PROFILE\0colours"),
            segment(0xe2, b"MPF\0GPS"),
            segment(0xed, b"Photoshop 3.0\0GPS"),
            segment(0xfe, b"GPS"),
            segment(0xdb, b"table"),
            segment(0xda, b"one"),
            SCAN.to_vec(),
            segment(0xc4, b"another table"),
            segment(0xda, b"two"),
            SCAN.to_vec(),
            b"\xff\xd9 and a second photo with its GPS".to_vec(),
        ]
        .concat()
    }

    fn holds(bytes: &[u8], part: &[u8]) -> bool {
        bytes.windows(part.len()).any(|window| window == part)
    }

    #[test]
    fn a_photo_loses_its_place_and_keeps_its_picture() {
        for turned in [1, 6] {
            let photo = photo(turned);
            let kept = without_metadata(Kind::Jpeg, &photo);
            assert!(holds(&photo, b"GPS") && !holds(&kept, b"GPS"));
            let mut expected = [b"\xff\xd8".to_vec(), segment(0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0")].concat();
            if turned != 1 {
                let body = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
                expected.extend(segment(0xe1, body));
                assert_eq!(orientation(body), Some(6), "it still stands upright");
            }
            expected.extend(
                [
                    segment(0xe2, b"ICC_PROFILE\0colours"),
                    segment(0xdb, b"table"),
                    segment(0xda, b"one"),
                    SCAN.to_vec(),
                    segment(0xc4, b"another table"),
                    segment(0xda, b"two"),
                    SCAN.to_vec(),
                    b"\xff\xd9".to_vec(),
                ]
                .concat(),
            );
            assert_eq!(kept, expected);
            assert_eq!(without_metadata(Kind::Jpeg, &kept), kept, "once is enough");
        }
        // However far it came.
        let photo = photo(6);
        for end in 0..photo.len() {
            without_metadata(Kind::Jpeg, &photo[..end]);
        }
    }

    #[test]
    fn pictures_of_other_kinds_lose_it_too() {
        let chunk = |name: &[u8; 4], body: &[u8]| {
            let length = u32::try_from(body.len()).expect("short").to_be_bytes();
            [&length[..], name, body, b"CRC."].concat()
        };
        let head = b"\x89PNG\r\n\x1a\n".to_vec();
        let sent = [
            head.clone(),
            chunk(b"IHDR", b"size"),
            chunk(b"eXIf", b"GPS"),
            chunk(b"tEXt", b"Comment\0GPS"),
            chunk(b"IDAT", b"picture"),
            chunk(b"IEND", b""),
            b"GPS".to_vec(),
        ]
        .concat();
        let expected = [
            head,
            chunk(b"IHDR", b"size"),
            chunk(b"IDAT", b"picture"),
            chunk(b"IEND", b""),
        ]
        .concat();
        assert_eq!(without_metadata(Kind::Png, &sent), expected);

        let chunk = |name: &[u8; 4], body: &[u8]| {
            let length = u32::try_from(body.len()).expect("short").to_le_bytes();
            let fill: &[u8] = if body.len() % 2 == 1 { b"\0" } else { b"" };
            [&name[..], &length, body, fill].concat()
        };
        let riff = |chunks: Vec<u8>| {
            let size = u32::try_from(chunks.len() + 4).expect("short").to_le_bytes();
            [&b"RIFF"[..], &size, b"WEBP", &chunks].concat()
        };
        let sent = riff(
            [
                chunk(b"VP8X", b"\x3c\0\0\0\0\0\0\0\0\0"),
                chunk(b"VP8 ", b"picture"),
                chunk(b"EXIF", b"GPS"),
                chunk(b"XMP ", b"GPS!"),
            ]
            .concat(),
        );
        let expected = riff([chunk(b"VP8X", b"\x30\0\0\0\0\0\0\0\0\0"), chunk(b"VP8 ", b"picture")].concat());
        assert_eq!(without_metadata(Kind::Webp, &sent), expected);
        // What only looks like one stays what it is.
        for (kind, bytes) in [
            (Kind::Png, &b"\x89PNG\r\n\x1a\n and more"[..]),
            (Kind::Jpeg, &b"\xff\xd8\xff\xe0 and more"[..]),
            (Kind::Webp, &b"RIFF\x10\0\0\0WEBPVP8 "[..]),
            (Kind::Pdf, &b"%PDF-1.7\n"[..]),
        ] {
            assert_eq!(without_metadata(kind, bytes), bytes);
        }
    }
}
