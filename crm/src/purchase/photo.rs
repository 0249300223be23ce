//! The code of a receipt out of a photo of it. Whoever is signed in may send one, so what it takes to read it is bounded: its
//! bytes, the memory of its pixels, the size at which it is looked at, and how many are read at once.

use super::code::receipt_code;
use crate::error::Error;
use crate::flaw::Flaw;
use crate::request::Upload;
use crate::request::attachment::{self, Kind};
use crate::shop::Attachments;
use image::{GrayImage, ImageFormat, ImageReader, Limits, imageops};
use std::io::Cursor;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How much memory the pixels may take: 40 million of them in colour.
const MEMORY: u64 = 128 * 1024 * 1024;
/// At how many pixels of the longer side it is looked at: quickly first, and without the grain of a large photo.
const SIDES: [u32; 2] = [1200, 2400];
/// Photos that are read at once, and how long one waits for its turn.
static TURNS: Semaphore = Semaphore::const_new(2);
const PATIENCE: Duration = Duration::from_secs(5);

/// A photo that may be read.
pub(super) struct Photo {
    format: ImageFormat,
    bytes: Vec<u8>,
}

impl Photo {
    /// The one that was sent. What is wrong with it stands at `files`.
    pub(super) fn check(files: &[Upload], allowed: Attachments) -> Result<Self, Error> {
        let allowed = Attachments { files: 1, ..allowed };
        let no = |flaw: Flaw| match flaw {
            Flaw::FileKind { .. } => Error::field("files", Flaw::NoQr),
            other => Error::field("files", other),
        };
        let checked = attachment::check(files, &allowed).map_err(no)?;
        let photo = checked.first().ok_or_else(|| no(Flaw::Missing))?;
        let format = match photo.kind {
            Kind::Jpeg => ImageFormat::Jpeg,
            Kind::Png => ImageFormat::Png,
            Kind::Webp => ImageFormat::WebP,
            Kind::Pdf => return Err(no(Flaw::NoQr)),
        };
        Ok(Self {
            format,
            bytes: photo.bytes.to_vec(),
        })
    }

    /// The code that its QR holds, or [`Flaw::NoQr`] at `files`.
    pub(super) async fn code(self) -> Result<String, Error> {
        let turn = tokio::time::timeout(PATIENCE, TURNS.acquire()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Error::Busy);
        };
        // The turn moves along: a caller that hangs up does not end it early.
        let read = tokio::task::spawn_blocking(move || {
            let _held = turn;
            code(self.format, &self.bytes, MEMORY)
        });
        // What a reader stumbles over is no receipt of ours either.
        let found = read.await.ok().flatten();
        found.ok_or_else(|| Error::field("files", Flaw::NoQr))
    }
}

fn code(format: ImageFormat, bytes: &[u8], memory: u64) -> Option<String> {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(memory);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let photo = reader.decode().ok()?.into_luma8();
    let longer = photo.width().max(photo.height());
    let mut sides = SIDES.map(|side| side.min(longer)).to_vec();
    sides.dedup();
    sides.into_iter().find_map(|side| {
        let scaled = |n: u32| u32::try_from(u64::from(n) * u64::from(side) / u64::from(longer)).map_or(1, |n| n.max(1));
        find(&imageops::thumbnail(
            &photo,
            scaled(photo.width()),
            scaled(photo.height()),
        ))
    })
}

/// The first QR of a receipt: there may be others on the paper.
fn find(picture: &GrayImage) -> Option<String> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let mut reader = quircs::Quirc::default();
    let found = reader.identify(width, height, &black_and_white(picture));
    found
        .filter_map(|code| code.ok()?.decode().ok())
        .find_map(|data| receipt_code(std::str::from_utf8(&data.payload).ok()?))
}

/// Black is what is darker than its surroundings, for half of a receipt may lie in the shadow (D. Bradley and G. Roth, Adaptive
/// Thresholding Using the Integral Image, 2007).
fn black_and_white(picture: &GrayImage) -> Vec<u8> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    // The sum of all pixels above and to the left, with a border of zeros.
    let row = width + 1;
    let mut sums = vec![0_u32; row * (height + 1)];
    for (y, line) in picture.as_raw().chunks_exact(width.max(1)).enumerate() {
        let mut along = 0;
        for (x, pixel) in line.iter().enumerate() {
            along += u32::from(*pixel);
            sums[(y + 1) * row + x + 1] = sums[y * row + x + 1] + along;
        }
    }
    let reach = width.max(height) / 16;
    let mut out = Vec::with_capacity(width * height);
    for (y, line) in picture.as_raw().chunks_exact(width.max(1)).enumerate() {
        let (top, bottom) = (y.saturating_sub(reach), (y + reach + 1).min(height));
        for (x, pixel) in line.iter().enumerate() {
            let (left, right) = (x.saturating_sub(reach), (x + reach + 1).min(width));
            let around = sums[bottom * row + right] + sums[top * row + left]
                - sums[top * row + right]
                - sums[bottom * row + left];
            let count = ((bottom - top) * (right - left)) as u64;
            let is_black = u64::from(*pixel) * count * 100 <= u64::from(around) * 85;
            out.push(if is_black { 0 } else { 255 });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Luma;
    use qrcodegen::{QrCode, QrCodeEcc};

    const QR: &str = "t=20261121T1230&s=1234.50&fn=9960440300112233&i=12345&fp=987654321&n=1";
    const CODE: &str = "RU-9960440300112233-12345-987654321";

    /// A QR on white paper, so many pixels to a module.
    fn drawn(text: &str, module: u32) -> GrayImage {
        let qr = QrCode::encode_text(text, QrCodeEcc::Medium).expect("it fits");
        let side = u32::try_from(qr.size()).expect("small") + 8;
        GrayImage::from_fn(side * module, side * module, |x, y| {
            let at = |n: u32| i32::try_from(n / module).expect("small") - 4;
            Luma([if qr.get_module(at(x), at(y)) { 20 } else { 235 }])
        })
    }

    fn encoded(picture: &GrayImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).expect("it can be written");
        bytes.into_inner()
    }

    #[test]
    fn a_receipt_is_read_from_each_kind_of_picture() {
        for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
            let bytes = encoded(&drawn(QR, 6), format);
            assert_eq!(code(format, &bytes, MEMORY).as_deref(), Some(CODE), "{format:?}");
        }
        let turned = encoded(&imageops::rotate90(&drawn(QR, 6)), ImageFormat::Png);
        assert_eq!(code(ImageFormat::Png, &turned, MEMORY).as_deref(), Some(CODE));
    }

    #[test]
    fn half_in_the_shadow_and_small_on_a_large_photo_it_is_read_too() {
        let mut shaded = drawn(QR, 8);
        let width = shaded.width();
        for (x, _, pixel) in shaded.enumerate_pixels_mut() {
            let light = 100 - 75 * x / width;
            pixel.0[0] = u8::try_from(u32::from(pixel.0[0]) * light / 100).expect("darker");
        }
        let bytes = encoded(&shaded, ImageFormat::Jpeg);
        assert_eq!(code(ImageFormat::Jpeg, &bytes, MEMORY).as_deref(), Some(CODE));
        let mut table = GrayImage::from_pixel(3000, 2000, Luma([120]));
        imageops::overlay(&mut table, &drawn(QR, 9), 1700, 300);
        let bytes = encoded(&table, ImageFormat::Jpeg);
        assert_eq!(code(ImageFormat::Jpeg, &bytes, MEMORY).as_deref(), Some(CODE));
    }

    #[test]
    fn other_codes_are_passed_over() {
        let (advertisement, receipt) = (drawn("https://example.com/sale", 6), drawn(QR, 6));
        let mut paper = GrayImage::from_pixel(
            advertisement.width() + receipt.width(),
            receipt.height() + 40,
            Luma([235]),
        );
        imageops::overlay(&mut paper, &advertisement, 0, 0);
        imageops::overlay(&mut paper, &receipt, i64::from(advertisement.width()), 20);
        let bytes = encoded(&paper, ImageFormat::Png);
        assert_eq!(code(ImageFormat::Png, &bytes, MEMORY).as_deref(), Some(CODE));
        let alone = encoded(&advertisement, ImageFormat::Png);
        assert_eq!(code(ImageFormat::Png, &alone, MEMORY), None);
    }

    #[test]
    fn what_holds_no_code_or_takes_too_much_is_none() {
        let bytes = encoded(&drawn(QR, 6), ImageFormat::Png);
        assert_eq!(code(ImageFormat::Png, &bytes, 10_000), None, "more pixels than may be");
        assert_eq!(code(ImageFormat::Png, &bytes[..bytes.len() / 2], MEMORY), None);
        assert_eq!(code(ImageFormat::Jpeg, &bytes, MEMORY), None);
        let blank = encoded(&GrayImage::from_pixel(300, 1, Luma([255])), ImageFormat::Png);
        assert_eq!(code(ImageFormat::Png, &blank, MEMORY), None);
    }
}
