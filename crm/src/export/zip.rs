//! An archive of a few files in memory, as every system opens it (PKWARE APPNOTE 6.3.10, sections 4.3 and 4.4): deflated, with
//! names in UTF-8, each file and the whole below four gigabytes.

use chrono::{Datelike as _, NaiveDateTime, Timelike as _};
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use std::io::{self, Write as _};

const FILE: u32 = 0x0403_4b50;
const ENTRY: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
/// The version that knows how to deflate.
const VERSION: u16 = 20;
/// Names are in UTF-8.
const FLAGS: u16 = 1 << 11;
const DEFLATED: u16 = 8;

/// Packs files, each with its name. `at` is when they were made, by the clock of whoever will look.
pub(super) fn archive(files: &[(&str, &[u8])], at: NaiveDateTime) -> io::Result<Vec<u8>> {
    let (mut out, mut entries) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes)?;
        let packed = encoder.finish()?;
        // What stands before the file and in the list of all files alike.
        let mut facts = Vec::new();
        put(&mut facts, &[VERSION, FLAGS, DEFLATED, time(at), date(at)]);
        let mut sum = Crc::new();
        sum.update(bytes);
        for number in [sum.sum(), size(packed.len())?, size(bytes.len())?] {
            facts.extend(number.to_le_bytes());
        }
        let length = u16::try_from(name.len()).map_err(io::Error::other)?;
        put(&mut facts, &[length, 0]);
        let offset = size(out.len())?;

        entries.extend(ENTRY.to_le_bytes());
        put(&mut entries, &[VERSION]);
        entries.extend(&facts);
        // No comment, the first disk, nothing known of the kind of text.
        put(&mut entries, &[0, 0, 0]);
        entries.extend(0_u32.to_le_bytes());
        entries.extend(offset.to_le_bytes());
        entries.extend(name.as_bytes());

        out.extend(FILE.to_le_bytes());
        out.extend(&facts);
        out.extend(name.as_bytes());
        out.extend(packed);
    }
    let (count, start) = (u16::try_from(files.len()).map_err(io::Error::other)?, size(out.len())?);
    let length = size(entries.len())?;
    out.extend(entries);
    out.extend(END.to_le_bytes());
    put(&mut out, &[0, 0, count, count]);
    out.extend(length.to_le_bytes());
    out.extend(start.to_le_bytes());
    put(&mut out, &[0]);
    Ok(out)
}

fn put(out: &mut Vec<u8>, numbers: &[u16]) {
    for number in numbers {
        out.extend(number.to_le_bytes());
    }
}

fn size(bytes: usize) -> io::Result<u32> {
    u32::try_from(bytes).map_err(io::Error::other)
}

/// The time of day in steps of two seconds, as DOS kept it.
fn time(at: NaiveDateTime) -> u16 {
    ((at.hour() << 11) | (at.minute() << 5) | (at.second() / 2)) as u16
}

/// The day; the years begin with 1980 and have seven bits.
fn date(at: NaiveDateTime) -> u16 {
    let year = (at.year() - 1980).clamp(0, 127) as u32;
    ((year << 9) | (at.month() << 5) | at.day()) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;
    use std::process::{Command, Stdio};

    /// Somebody else's reader has to agree: Python's checks lengths, sums and names.
    #[test]
    fn python_opens_it() {
        const READ: &str = "import io, sys, zipfile\n\
            z = zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read()))\n\
            assert z.testzip() is None\n\
            for i in z.infolist(): print(ascii(i.filename), i.date_time, i.file_size, z.read(i)[:6])";
        let at = NaiveDate::from_ymd_opt(2026, 11, 21).and_then(|day| day.and_hms_opt(15, 4, 58));
        let long = "баллы ".repeat(10_000);
        let files: [(&str, &[u8]); 3] = [("a.json", b"{}"), ("чек.html", long.as_bytes()), ("empty", b"")];
        let packed = archive(&files, at.expect("a moment")).expect("packed");
        assert!(packed.len() < 1_000, "{}", packed.len());
        let mut python = Command::new("python3")
            .args(["-c", READ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        python
            .stdin
            .take()
            .expect("its input")
            .write_all(&packed)
            .expect("written");
        let read = python.wait_with_output().expect("it ends");
        let told = String::from_utf8(read.stdout).expect("text");
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(
            lines,
            [
                "'a.json' (2026, 11, 21, 15, 4, 58) 2 b'{}'",
                r"'\u0447\u0435\u043a.html' (2026, 11, 21, 15, 4, 58) 110000 b'\xd0\xb1\xd0\xb0\xd0\xbb'",
                "'empty' (2026, 11, 21, 15, 4, 58) 0 b''",
            ]
        );
    }
}
