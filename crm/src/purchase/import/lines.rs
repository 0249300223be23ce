//! A file line by line, plain or compressed, in bounded memory.

use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The longest line that is read, in bytes.
pub(super) const LINE_MAX: usize = 64 * 1024;

/// Counts what is read of the file itself, compressed or not.
struct Counted(File, Arc<AtomicU64>);

impl Read for Counted {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.0.read(buf)?;
        self.1.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// The lines of a file.
pub(super) struct Lines {
    input: Box<dyn BufRead + Send>,
    read: Arc<AtomicU64>,
    /// The number of the last line, from 1.
    pub(super) number: i64,
    /// The size of the file, in bytes.
    pub(super) size: u64,
}

/// What came next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A line, without its end.
    Line,
    /// A line longer than [`LINE_MAX`]; its beginning is there, the rest was skipped.
    TooLong,
    /// Nothing more.
    End,
}

impl Lines {
    /// Opens a file; gzip is known by its first two bytes (RFC 1952, 2.3.1).
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let read = Arc::new(AtomicU64::new(0));
        let mut plain = BufReader::with_capacity(LINE_MAX, Counted(file, read.clone()));
        let input: Box<dyn BufRead + Send> = if plain.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
            Box::new(BufReader::with_capacity(LINE_MAX, MultiGzDecoder::new(plain)))
        } else {
            Box::new(plain)
        };
        Ok(Self {
            input,
            read,
            number: 0,
            size,
        })
    }

    /// How many bytes of the file were read.
    pub(super) fn position(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// The next line.
    pub(super) fn next(&mut self, line: &mut Vec<u8>) -> io::Result<Next> {
        line.clear();
        let mut seen = 0;
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                break;
            }
            let end = buffer.iter().position(|b| *b == b'\n');
            let part = &buffer[..end.unwrap_or(buffer.len())];
            seen += part.len();
            line.extend_from_slice(&part[..part.len().min(LINE_MAX - line.len())]);
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                self.number += 1;
                return Ok(self.finish(line, seen));
            }
        }
        if seen == 0 {
            return Ok(Next::End);
        }
        self.number += 1;
        Ok(self.finish(line, seen))
    }

    fn finish(&self, line: &mut Vec<u8>, seen: usize) -> Next {
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if self.number == 1 && line.starts_with(b"\xef\xbb\xbf") {
            line.drain(..3);
        }
        if seen > LINE_MAX { Next::TooLong } else { Next::Line }
    }
}

/// Splits a line of CSV (RFC 4180) into its fields; none when a quotation mark is not closed. A mark within an unquoted
/// field is itself. A line is a line: none goes on in the next one, so one broken line spoils no other.
pub(crate) fn split<'a>(line: &str, separator: char, fields: &'a mut Vec<String>) -> Option<&'a [String]> {
    let mut count = 0;
    let mut rest = line;
    loop {
        if fields.len() == count {
            fields.push(String::new());
        }
        let field = &mut fields[count];
        field.clear();
        count += 1;
        if let Some(mut quoted) = rest.strip_prefix('"') {
            loop {
                let end = quoted.find('"')?;
                field.push_str(&quoted[..end]);
                quoted = &quoted[end + 1..];
                let Some(more) = quoted.strip_prefix('"') else { break };
                field.push('"');
                quoted = more;
            }
            rest = quoted;
            if rest.is_empty() {
                return Some(&fields[..count]);
            }
            rest = rest.strip_prefix(separator)?;
        } else {
            let Some((value, more)) = rest.split_once(separator) else {
                field.push_str(rest);
                return Some(&fields[..count]);
            };
            field.push_str(value);
            rest = more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_line() {
        let mut fields = Vec::new();
        assert_eq!(
            split("a,,c", ',', &mut fields),
            Some(&["a".into(), String::new(), "c".into()][..])
        );
        assert_eq!(
            split("\"a,\"\"b\"\"\",12\" box", ',', &mut fields),
            Some(&["a,\"b\"".into(), "12\" box".into()][..])
        );
        assert_eq!(split("\"open,b", ',', &mut fields), None);
        assert_eq!(split("\"a\"b,c", ',', &mut fields), None);
        assert_eq!(split("a,", ',', &mut fields), Some(&["a".into(), String::new()][..]));
    }

    #[test]
    fn an_endless_line_is_skipped_and_the_next_one_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("x");
        let long = "x".repeat(3 * LINE_MAX);
        std::fs::write(&path, format!("\u{feff}a\r\n{long}\n\nlast")).expect("written");
        let mut lines = Lines::open(&path).expect("opened");
        let mut line = Vec::new();
        let mut next = || lines.next(&mut line).map(|n| (n, line.clone())).expect("read");
        assert_eq!(next(), (Next::Line, b"a".to_vec()));
        assert_eq!(next().0, Next::TooLong);
        assert_eq!(next(), (Next::Line, Vec::new()));
        assert_eq!(next(), (Next::Line, b"last".to_vec()));
        assert_eq!(next().0, Next::End);
    }
}
