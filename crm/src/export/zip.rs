//! An archive of files, as every system opens it (PKWARE APPNOTE 6.3.10, sections 4.3 and 4.4): deflated, with
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

/// An archive on its way: what is finished of it is taken out as it grows, so that it need not be in memory as a whole.
pub(super) struct Archive {
    /// When its files were made, by the clock of whoever will look.
    at: NaiveDateTime,
    /// What was not taken out yet.
    out: Vec<u8>,
    /// How much was.
    taken: usize,
    /// The list of all files, which stands at the end.
    entries: Vec<u8>,
    count: usize,
}

impl Archive {
    /// Nothing yet.
    pub(super) fn new(at: NaiveDateTime) -> Self {
        Self {
            at,
            out: Vec::new(),
            taken: 0,
            entries: Vec::new(),
            count: 0,
        }
    }

    /// Packs a file.
    pub(super) fn add(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes)?;
        let packed = encoder.finish()?;
        // What stands before the file and in the list of all files alike.
        let mut facts = Vec::new();
        put(&mut facts, &[VERSION, FLAGS, DEFLATED, time(self.at), date(self.at)]);
        let mut sum = Crc::new();
        sum.update(bytes);
        for number in [sum.sum(), size(packed.len())?, size(bytes.len())?] {
            facts.extend(number.to_le_bytes());
        }
        let length = u16::try_from(name.len()).map_err(io::Error::other)?;
        put(&mut facts, &[length, 0]);
        let offset = size(self.len())?;

        self.entries.extend(ENTRY.to_le_bytes());
        put(&mut self.entries, &[VERSION]);
        self.entries.extend(&facts);
        // No comment, the first disk, nothing known of the kind of text.
        put(&mut self.entries, &[0, 0, 0]);
        self.entries.extend(0_u32.to_le_bytes());
        self.entries.extend(offset.to_le_bytes());
        self.entries.extend(name.as_bytes());

        self.out.extend(FILE.to_le_bytes());
        self.out.extend(&facts);
        self.out.extend(name.as_bytes());
        self.out.extend(packed);
        self.count += 1;
        Ok(())
    }

    /// Adds the end; no file comes after it.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        let (count, start) = (u16::try_from(self.count).map_err(io::Error::other)?, size(self.len())?);
        let entries = std::mem::take(&mut self.entries);
        let length = size(entries.len())?;
        self.out.extend(entries);
        self.out.extend(END.to_le_bytes());
        put(&mut self.out, &[0, 0, count, count]);
        self.out.extend(length.to_le_bytes());
        self.out.extend(start.to_le_bytes());
        put(&mut self.out, &[0]);
        Ok(())
    }

    /// How large it is so far.
    pub(super) fn len(&self) -> usize {
        self.taken + self.out.len()
    }

    /// Takes out what is there in whole pieces of this size; what is left of the last one stays.
    pub(super) fn whole_pieces(&mut self, size: usize) -> Vec<u8> {
        let ready = self.out.len() - self.out.len() % size;
        let left = self.out.split_off(ready);
        self.taken += ready;
        std::mem::replace(&mut self.out, left)
    }

    /// Takes out all that is left.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        self.taken += self.out.len();
        std::mem::take(&mut self.out)
    }
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
        // In pieces, as it is kept.
        let (mut archive, mut packed) = (Archive::new(at.expect("a moment")), Vec::new());
        for (name, bytes) in files {
            archive.add(name, bytes).expect("packed");
            packed.extend(archive.whole_pieces(64));
            assert_eq!(packed.len() % 64, 0);
        }
        archive.finish().expect("packed");
        packed.extend(archive.rest());
        assert_eq!(packed.len(), archive.len());
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
