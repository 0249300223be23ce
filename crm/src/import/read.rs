//! A file as a table: its first line names the columns, and each line after it is a row of texts. Nothing that a file says of itself is
//! believed: what is packed is counted while it is unpacked, and rows, columns and texts end at a limit.

use super::{COLUMNS_MAX, LINES_MAX};
use crate::flaw::Flaw;
use crate::purchase::import::split;
use calamine::{DataRef, Reader as _, Xlsx};
use encoding_rs::{Encoding, UTF_8, WINDOWS_1251};
use flate2::bufread::DeflateDecoder;
use std::io::{self, Cursor, Read as _};

/// How much the sheets of a file may have, unpacked, in megabytes: they are read cell by cell.
const SHEETS_MB: usize = 300;
/// How much everything else may have: that is in memory as a whole.
const REST_MB: usize = 64;
/// How many texts cells may share: each takes more in memory than the five bytes that it may be in the file.
const SHARED_MAX: usize = 1_500_000;
/// The longest number that a list of shared texts may say of itself, in digits: room is made for so many before any is read.
const COUNT_MAX: usize = 7;
/// How much text all cells may have together: one long text may stand in a million of them.
const TEXTS_MB: usize = 64;
/// The longest line of a text file, and all texts in a row of a sheet, in bytes: one long text may stand in each of its cells.
const LINE_MAX: usize = 64 * 1024;
/// The longest name of a column that is kept, in characters.
const NAME_MAX: usize = 100;
const MB: usize = 1 << 20;

/// A table.
#[derive(Debug)]
pub(super) struct Sheet {
    /// The names of its columns.
    pub(super) columns: Vec<String>,
    /// What stands below them.
    pub(super) rows: Vec<Line>,
}

/// A line of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Its number in the file, from 1.
    pub(super) number: i64,
    /// Its cells, as JSON.
    pub(super) cells: String,
    /// Why the cells cannot be told apart.
    pub(super) flaw: Option<&'static str>,
}

/// Reads a file, of the kind that its name says.
pub(super) fn sheet(name: &str, bytes: &[u8]) -> Result<Sheet, Flaw> {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    let mut sheet = Building::default();
    match ending.as_deref() {
        Some("xlsx") => workbook(bytes, &mut sheet)?,
        Some("csv" | "txt" | "tsv") => text(bytes, &mut sheet)?,
        _ => return Err(Flaw::NotATable),
    }
    sheet.ended()
}

/// A table that grows line by line.
#[derive(Default)]
struct Building {
    columns: Option<Vec<String>>,
    rows: Vec<Line>,
    size: usize,
}

impl Building {
    fn add(&mut self, number: i64, mut cells: Vec<String>, flaw: Option<&'static str>) -> Result<(), Flaw> {
        while cells.last().is_some_and(|cell| cell.trim().is_empty()) {
            cells.pop();
        }
        if cells.is_empty() {
            return Ok(());
        }
        for cell in &mut cells {
            // PostgreSQL keeps no NUL, and nobody means one.
            if cell.contains('\0') {
                *cell = cell.replace('\0', "\u{fffd}");
            }
            // As the files that are taken away here have what a spreadsheet would reckon: a phone, a discount.
            if ["'=", "'+", "'-", "'@"].iter().any(|mark| cell.starts_with(mark)) {
                cell.remove(0);
            }
        }
        if self.columns.is_none() {
            if flaw.is_some() || cells.len() > COLUMNS_MAX {
                return Err(Flaw::NotATable);
            }
            let name = |cell: &String| cell.trim().chars().take(NAME_MAX).collect();
            self.columns = Some(cells.iter().map(name).collect());
            return Ok(());
        }
        if self.rows.len() >= LINES_MAX {
            return Err(Flaw::TooManyLines { max: LINES_MAX });
        }
        self.size += cells.iter().map(String::len).sum::<usize>();
        if self.size > TEXTS_MB * MB {
            return Err(too_large(TEXTS_MB));
        }
        let cells = serde_json::to_string(&cells).map_err(|_| Flaw::NotATable)?;
        self.rows.push(Line { number, cells, flaw });
        Ok(())
    }

    fn ended(self) -> Result<Sheet, Flaw> {
        let columns = self.columns.ok_or(Flaw::EmptyFile { file: 1 })?;
        if self.rows.is_empty() {
            return Err(Flaw::EmptyFile { file: 1 });
        }
        Ok(Sheet {
            columns,
            rows: self.rows,
        })
    }
}

fn too_large(max: usize) -> Flaw {
    Flaw::FileTooLarge { file: 1, max }
}

// --- Text -----------------------------------------------------------------------------------------------------

/// Text with a character between the fields. A line is a line, so one broken line spoils no other.
fn text(bytes: &[u8], sheet: &mut Building) -> Result<(), Flaw> {
    let (text, _, _) = encoding(bytes).decode(bytes);
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let separator = separator(first);
    let mut fields = Vec::new();
    for (number, line) in (1..).zip(text.split('\n')) {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let (cells, flaw) = if line.len() > LINE_MAX {
            (vec![line.chars().take(NAME_MAX).collect()], Some("too_long"))
        } else {
            match split(line, separator, &mut fields) {
                Some(found) => (found.to_vec(), None),
                None => (vec![line.to_owned()], Some("open_quote")),
            }
        };
        sheet.add(number, cells, flaw)?;
    }
    Ok(())
}

/// The encoding: the one whose mark the file begins with, UTF-8 where nearly all of it can be read so, and what Russian Windows
/// writes otherwise.
fn encoding(bytes: &[u8]) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return encoding;
    }
    let read = String::from_utf8_lossy(bytes);
    let others = read.chars().filter(|c| !c.is_ascii()).count();
    let broken = read.chars().filter(|c| *c == char::REPLACEMENT_CHARACTER).count();
    // One line that is broken makes no other encoding of a file.
    if broken * 10 > others { WINDOWS_1251 } else { UTF_8 }
}

/// What parts the fields of the first line: what parts it into most.
fn separator(first: &str) -> char {
    let mut fields = Vec::new();
    let mut parts = |separator: char| split(first, separator, &mut fields).map_or(0, <[String]>::len);
    let counts = [';', ',', '\t'].map(|separator| (parts(separator), separator));
    let most = counts.iter().map(|(count, _)| *count).max().unwrap_or_default();
    counts
        .into_iter()
        .find(|(count, _)| *count == most)
        .map_or(';', |(_, separator)| separator)
}

// --- Workbooks ------------------------------------------------------------------------------------------------

/// The first sheet of a workbook (ECMA-376).
fn workbook(bytes: &[u8], sheet: &mut Building) -> Result<(), Flaw> {
    check_size(bytes)?;
    let broken = |_| Flaw::NotATable;
    let mut book: Xlsx<Cursor<&[u8]>> = Xlsx::new(Cursor::new(bytes)).map_err(broken)?;
    let name = book.sheet_names().first().cloned().ok_or(Flaw::NotATable)?;
    let mut cells = book.worksheet_cells_reader(&name).map_err(broken)?;
    let mut row: Option<u32> = None;
    let (mut line, mut size): (Vec<String>, usize) = (Vec::new(), 0);
    let too_long = |size: usize| (size > LINE_MAX).then_some("too_long");
    while let Some(cell) = cells.next_cell().map_err(broken)? {
        let (at, column) = cell.get_position();
        if row != Some(at) {
            if let Some(row) = row {
                // Rows stand in their order, each once.
                if at < row {
                    return Err(Flaw::NotATable);
                }
                sheet.add(i64::from(row) + 1, std::mem::take(&mut line), too_long(size))?;
            }
            (row, size) = (Some(at), 0);
        }
        // The row is refused already, whatever else stands in it.
        if size > LINE_MAX {
            continue;
        }
        let mut shown = shown(cell.get_value());
        size += shown.len();
        if size > LINE_MAX {
            shown = shown.chars().take(NAME_MAX).collect();
        }
        let column = usize::try_from(column).unwrap_or(usize::MAX);
        if shown.is_empty() {
            continue;
        }
        if column >= COLUMNS_MAX {
            return Err(Flaw::NotATable);
        }
        if line.len() <= column {
            line.resize(column + 1, String::new());
        }
        if let Some(place) = line.get_mut(column) {
            *place = shown;
        }
    }
    match row {
        Some(row) => sheet.add(i64::from(row) + 1, line, too_long(size)),
        None => Ok(()),
    }
}

/// A cell as a text: days and times as ISO 8601 writes them, numbers without what binary fractions add to them. Of a text that is
/// longer than a line may be there is only as much as shows it.
fn shown(value: &DataRef<'_>) -> String {
    let text = |text: &str| text.chars().take(LINE_MAX + 1).collect();
    match value {
        DataRef::String(long) | DataRef::DateTimeIso(long) | DataRef::DurationIso(long) => text(long),
        DataRef::SharedString(long) => text(long),
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => figure(*number),
        DataRef::Bool(is_so) => i32::from(*is_so).to_string(),
        DataRef::DateTime(at) => match at.as_datetime() {
            Some(at) => at.format("%Y-%m-%d %H:%M:%S").to_string(),
            None => figure(at.as_f64()),
        },
        _ => String::new(),
    }
}

fn figure(number: f64) -> String {
    let text = format!("{number:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Fails where a packed file has more in it than is read: everything is unpacked once and counted, for what a file says of its own
/// size may be a lie.
fn check_size(bytes: &[u8]) -> Result<(), Flaw> {
    let (mut sheets, mut rest, mut shared) = (0, 0, 0);
    for entry in entries(bytes).ok_or(Flaw::NotATable)? {
        let (sum, max) = match entry.is_sheet {
            true => (&mut sheets, SHEETS_MB),
            false => (&mut rest, REST_MB),
        };
        let left = max * MB - *sum;
        let unpacked: Box<dyn io::Read + '_> = match entry.method {
            0 => Box::new(entry.packed),
            8 => Box::new(DeflateDecoder::new(entry.packed)),
            _ => return Err(Flaw::NotATable),
        };
        let mut unpacked = unpacked.take(u64::try_from(left).unwrap_or(u64::MAX).saturating_add(1));
        let mut whole = Vec::new();
        let size = match entry.is_sheet {
            true => io::copy(&mut unpacked, &mut io::sink()).map(|size| usize::try_from(size).unwrap_or(usize::MAX)),
            false => unpacked.read_to_end(&mut whole),
        };
        let size = size.map_err(|_| Flaw::NotATable)?;
        if size > left {
            return Err(too_large(max));
        }
        shared += shared_texts(&whole)?;
        if shared > SHARED_MAX {
            return Err(too_large(max));
        }
        *sum += size;
    }
    Ok(())
}

/// How many texts a file has that cells share, whatever it is called; fails where it says that there are more than any file has.
fn shared_texts(xml: &[u8]) -> Result<usize, Flaw> {
    let mut count = 0;
    for tag in xml.split(|byte| *byte == b'<').skip(1) {
        let is_end = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>');
        let name = tag.split(is_end).next().unwrap_or_default();
        // Whatever the prefix of its namespace.
        match name.rsplit(|byte| *byte == b':').next() {
            Some(b"si") => count += 1,
            Some(b"sst") => {
                let head = tag.split(|byte| *byte == b'>').next().unwrap_or_default();
                let mut numbers = head.split(|byte| !byte.is_ascii_digit());
                if numbers.any(|digits| digits.len() > COUNT_MAX) {
                    return Err(Flaw::NotATable);
                }
            }
            _ => {}
        }
    }
    Ok(count)
}

/// A file in an archive.
struct Entry<'a> {
    is_sheet: bool,
    method: usize,
    packed: &'a [u8],
}

/// A sheet by its name, as every program calls it. What is in memory as a whole is called otherwise, wherever it lies.
fn is_sheet(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let of = name
        .strip_prefix(b"xl/worksheets/sheet")
        .and_then(|rest| rest.strip_suffix(b".xml"));
    of.is_some_and(|of| of.iter().all(u8::is_ascii_alphanumeric))
}

/// The files of an archive (APPNOTE.TXT 6.3.10, 4.3); none where it cannot be read, needs sizes of 64 bits, or may be read in two
/// ways: what is counted here has to be what is unpacked later. Nor where files share what is packed: some megabytes that unpack
/// to nothing would be gone through as often as the directory names them.
fn entries(bytes: &[u8]) -> Option<Vec<Entry<'_>>> {
    const END: &[u8] = b"PK\x05\x06";
    const ENTRY: &[u8] = b"PK\x01\x02";
    const FILE: &[u8] = b"PK\x03\x04";
    let end = bytes.windows(END.len()).rposition(|four| four == END)?;
    let (count, size) = (number(bytes, end + 10, 2)?, number(bytes, end + 12, 4)?);
    let mut at = number(bytes, end + 16, 4)?;
    let is_last = end + 22 + number(bytes, end + 20, 2)? == bytes.len();
    if !is_last || at >= end || count == usize::from(u16::MAX) || size == 0xffff_ffff {
        return None;
    }
    let (mut found, mut together) = (Vec::new(), 0);
    for _ in 0..count {
        if bytes.get(at..at + 4)? != ENTRY {
            return None;
        }
        let method = number(bytes, at + 10, 2)?;
        let packed = number(bytes, at + 20, 4)?;
        together += packed;
        if together > bytes.len() {
            return None;
        }
        let [name, extra, comment] = [28, 30, 32].map(|offset| number(bytes, at + offset, 2));
        let (name, extra, comment) = (name?, extra?, comment?);
        let file = number(bytes, at + 42, 4)?;
        if bytes.get(file..file + 4)? != FILE {
            return None;
        }
        let begins = file + 30 + number(bytes, file + 26, 2)? + number(bytes, file + 28, 2)?;
        found.push(Entry {
            is_sheet: is_sheet(bytes.get(at + 46..at + 46 + name)?),
            method,
            packed: bytes.get(begins..begins.checked_add(packed)?)?,
        });
        at += 46 + name + extra + comment;
    }
    Some(found)
}

/// A number of so many bytes, the lowest first.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    let found = bytes.get(at..at.checked_add(length)?)?;
    Some(found.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_xlsxwriter::Workbook;
    use std::io::Write as _;

    fn read(name: &str, bytes: &[u8]) -> (Vec<String>, Vec<(i64, String)>) {
        let sheet = sheet(name, bytes).expect("a table");
        let rows = sheet.rows.into_iter().map(|row| (row.number, row.cells)).collect();
        (sheet.columns, rows)
    }

    #[test]
    fn text_in_each_encoding_and_with_each_separator() {
        let expected = (
            vec!["Имя".to_owned(), "Телефон".to_owned()],
            vec![(2, "[\"Анна; и Ко\",\"+7 912\"]".to_owned())],
        );
        let with = |separator: &str| format!("Имя{separator}Телефон\r\n\"Анна; и Ко\"{separator}+7 912\r\n\r\n");
        for separator in [";", ",", "\t"] {
            let text = with(separator);
            assert_eq!(read("a.csv", text.as_bytes()), expected, "{separator:?}");
            let (windows, _, _) = WINDOWS_1251.encode(&text);
            assert_eq!(read("a.CSV", &windows), expected, "{separator:?}");
            assert_eq!(
                read("a.txt", format!("\u{feff}{text}").as_bytes()),
                expected,
                "{separator:?}"
            );
        }
    }

    #[test]
    fn a_broken_line_spoils_no_other() {
        let mut bytes = "name;phone\nАнна;1\n".repeat(20).into_bytes();
        bytes.extend_from_slice(b"\xff\xfe;2\n\"open;3\nlast;4\n");
        let sheet = sheet("a.csv", &bytes).expect("a table");
        let last: Vec<_> = sheet.rows.iter().rev().take(3).collect();
        assert_eq!(last[0].cells, "[\"last\",\"4\"]");
        assert_eq!(
            (last[1].cells.as_str(), last[1].flaw),
            ("[\"\\\"open;3\"]", Some("open_quote"))
        );
        assert!(last[2].cells.contains('\u{fffd}'));
        assert!(sheet.rows[0].cells.contains("Анна"), "it is UTF-8 all the same");
    }

    #[test]
    fn a_sheet_with_numbers_and_days() {
        let mut book = Workbook::new();
        let page = book.add_worksheet();
        page.write_string(0, 0, "Телефон").expect("written");
        page.write_string(0, 1, "Цена").expect("written");
        page.write_number(2, 0, 79_121_234_567_f64).expect("written");
        page.write_number(2, 1, 4.15).expect("written");
        let bytes = book.save_to_buffer().expect("saved");
        let expected = (
            vec!["Телефон".to_owned(), "Цена".to_owned()],
            vec![(3, "[\"79121234567\",\"4.15\"]".to_owned())],
        );
        assert_eq!(read("a.xlsx", &bytes), expected);
    }

    #[test]
    fn a_row_that_is_too_long_is_known_by_its_beginning() {
        let mut book = Workbook::new();
        let page = book.add_worksheet();
        page.write_string(0, 0, "name").expect("written");
        for column in 0..20 {
            page.write_string(1, column, "x".repeat(30_000)).expect("written");
        }
        page.write_string(2, 0, "Анна").expect("written");
        let bytes = book.save_to_buffer().expect("saved");
        let sheet = sheet("a.xlsx", &bytes).expect("a table");
        let [long, next] = sheet.rows.as_slice() else {
            panic!("two rows: {}", sheet.rows.len())
        };
        assert_eq!((long.number, long.flaw), (2, Some("too_long")));
        assert!(long.cells.len() < 2 * LINE_MAX, "{}", long.cells.len());
        assert_eq!((next.cells.as_str(), next.flaw), ("[\"Анна\"]", None));
    }

    #[test]
    fn what_a_file_of_ours_keeps_from_being_reckoned_is_read_as_it_was() {
        let (_, rows) = read("a.csv", "phone;name\n'+79121234567;'тХоофт\n".as_bytes());
        assert_eq!(rows, [(2, "[\"+79121234567\",\"'тХоофт\"]".to_owned())]);
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let flaw = |name: &str, bytes: &[u8]| sheet(name, bytes).err();
        assert_eq!(flaw("a.exe", b"a;b\n1;2\n"), Some(Flaw::NotATable));
        assert_eq!(flaw("a.xlsx", b"a;b\n1;2\n"), Some(Flaw::NotATable));
        assert_eq!(flaw("a.csv", b"a;b\n"), Some(Flaw::EmptyFile { file: 1 }));
        assert_eq!(flaw("a.csv", b""), Some(Flaw::EmptyFile { file: 1 }));
        assert_eq!(
            flaw("a.csv", ";".repeat(200).replace(';', "a;").as_bytes()),
            Some(Flaw::NotATable)
        );
    }

    /// An archive with one file in it, of so many megabytes of zeros, which says of itself that it is small.
    fn bomb(name: &str, megabytes: usize) -> Vec<u8> {
        archive(name, &[0; MB], megabytes)
    }

    /// The same of some bytes so many times.
    fn archive(name: &str, part: &[u8], times: usize) -> Vec<u8> {
        let mut packed = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        for _ in 0..times {
            packed.write_all(part).expect("packed");
        }
        let packed = packed.finish().expect("packed");
        let four = |n: usize| u32::try_from(n).expect("small").to_le_bytes();
        let two = |n: usize| u16::try_from(n).expect("small").to_le_bytes();
        let sizes = [four(0), four(packed.len()), four(10)].concat();
        let mut bytes = [
            &b"PK\x03\x04"[..],
            &two(20),
            &two(0),
            &two(8),
            &four(0),
            &sizes,
            &two(name.len()),
            &two(0),
        ]
        .concat();
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(&packed);
        let directory = bytes.len();
        let head = [
            &b"PK\x01\x02"[..],
            &two(20),
            &two(20),
            &two(0),
            &two(8),
            &four(0),
            &sizes,
        ]
        .concat();
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(&[&two(name.len())[..], &[0; 16]].concat());
        bytes.extend_from_slice(name.as_bytes());
        let length = bytes.len() - directory;
        let end = [
            &b"PK\x05\x06"[..],
            &[0; 4],
            &two(1),
            &two(1),
            &four(length),
            &four(directory),
            &[0; 2],
        ]
        .concat();
        bytes.extend_from_slice(&end);
        bytes
    }

    #[test]
    fn what_unpacks_to_much_more_is_refused_before_it_is_read() {
        let flaw = |bytes: Vec<u8>| check_size(&bytes).err();
        assert_eq!(flaw(bomb("xl/sharedStrings.xml", REST_MB - 1)), None);
        assert_eq!(
            flaw(bomb("xl/sharedStrings.xml", REST_MB + 1)),
            Some(too_large(REST_MB))
        );
        assert_eq!(flaw(bomb("xl/worksheets/sheet1.xml", REST_MB + 1)), None);
        assert_eq!(
            flaw(bomb("xl/worksheets/sheet1.xml", SHEETS_MB + 1)),
            Some(too_large(SHEETS_MB))
        );
        // Whatever is in memory as a whole is counted so, wherever it lies.
        for hidden in ["xl/worksheets/sharedStrings.xml", "xl/worksheets/sheet1/strings.xml"] {
            assert_eq!(flaw(bomb(hidden, REST_MB + 1)), Some(too_large(REST_MB)), "{hidden}");
        }
        let whole = bomb("a", 1);
        for length in [0, 10, whole.len() / 2, whole.len() - 20] {
            assert_eq!(check_size(&whole[..length]).err(), Some(Flaw::NotATable), "{length}");
        }
        // Others look for another directory then: one that is told in 64 bits, or that of an archive before the last.
        let mut wide = whole.clone();
        let end = wide.len() - 22;
        wide[end + 12..end + 16].fill(0xff);
        let more = [whole.as_slice(), b"more"].concat();
        for bytes in [wide, more] {
            assert_eq!(flaw(bytes), Some(Flaw::NotATable));
        }
    }

    #[test]
    fn texts_that_cells_share_are_counted_before_there_is_room_for_them() {
        let flaw = |part: &[u8], times| check_size(&archive("xl/strings.xml", part, times)).err();
        let thousand = b"<si/>".repeat(1_000);
        assert_eq!(flaw(&thousand, SHARED_MAX / 1_000), None);
        assert_eq!(flaw(&thousand, SHARED_MAX / 1_000 + 1), Some(too_large(REST_MB)));
        assert_eq!(flaw(b"<sst count=\"9999999\" uniqueCount=\"20\"><si/>", 1), None);
        for lie in [
            "<sst uniqueCount=\"100000000000\">",
            "<x:sst\nuniqueCount = '10000000000'/>",
        ] {
            assert_eq!(flaw(lie.as_bytes(), 1), Some(Flaw::NotATable), "{lie}");
        }
        assert_eq!(shared_texts(b"<si><t>si</t></si><x:si /><sit/><a:si>< si>"), Ok(3));
    }

    #[test]
    fn files_that_share_what_is_packed_are_refused() {
        let one = bomb("a", 1);
        let at = |mark: &[u8]| one.windows(4).rposition(|four| four == mark).expect("it is there");
        let (directory, end) = (at(b"PK\x01\x02"), at(b"PK\x05\x06"));
        let times = 20_u16;
        let named = one[directory..end].repeat(usize::from(times));
        let mut all = [&one[..directory], &named, &one[end..]].concat();
        let count = all.len() - (one.len() - end) + 10;
        all[count..count + 2].copy_from_slice(&times.to_le_bytes());
        assert_eq!(check_size(&one).err(), None);
        assert_eq!(check_size(&all).err(), Some(Flaw::NotATable));
    }
}
