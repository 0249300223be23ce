//! The import of a large file into an empty database.

use crate::process::Process;
use crate::report::{Budget, Report};
use anyhow::{Context, Result};
use flate2::read::GzDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Repeats the receipts of `sample` under other numbers, by other customers and on other days, until the file has
/// that many lines. They come unsorted: one after another from each repetition.
fn write(sample: &Path, to: &Path, lines: usize) -> Result<()> {
    let reader = BufReader::new(GzDecoder::new(File::open(sample)?));
    let mut rows = reader.lines();
    let header = rows.next().context("the sample is empty")??;
    let rows: Vec<String> = rows.collect::<Result<_, _>>()?;
    let copies = lines.div_ceil(rows.len());
    let mut file = BufWriter::new(File::create(to)?);
    writeln!(file, "{header}")?;
    let mut written = 0;
    for row in &rows {
        for copy in 0..copies {
            if written == lines {
                break;
            }
            // Number, and at the end the customer: the two columns without quotation marks at the ends of a line.
            let (number, rest) = row.split_once(',').context("a line of one column")?;
            let customer = rest.rfind(',').context("a line of one column")? + 1;
            let (rest, customer) = rest.split_at(customer);
            if customer.is_empty() {
                writeln!(file, "{number}{copy:03},{rest}")?;
            } else {
                writeln!(
                    file,
                    "{number}{copy:03},{rest}{}{copy:03}",
                    customer.trim_end_matches(".0")
                )?;
            }
            written += 1;
        }
    }
    file.flush()?;
    Ok(())
}

/// Imports that many lines and says how fast, and how much memory it took.
pub fn measure(
    report: &mut Report,
    sample: &Path,
    folder: &Path,
    lines: usize,
    kabinet: &dyn Fn() -> Command,
) -> Result<()> {
    let file = folder.join("purchases.csv");
    write(sample, &file, lines)?;
    let mut peaks = Vec::new();
    report.section(&format!("Import of {lines} lines into an empty database"));
    let mut command = kabinet();
    command
        .args(["import", "purchases", "--format", "online-retail"])
        .arg(&file);
    command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let started = Instant::now();
    let process = Process::start(&mut command)?;
    while let Some(peak) = process.peak_memory() {
        peaks.push(peak);
        std::thread::sleep(Duration::from_millis(100));
    }
    process.wait()?;
    let seconds = started.elapsed().as_secs_f64();
    let rate = lines as f64 / seconds;
    report.line("lines a second", rate, "/s", Budget::None);
    report.line("a million lines at this speed", 1e6 / rate, "s", Budget::AtMost(60.0));
    let peak = |part: f64| {
        let at = (peaks.len() as f64 * part) as usize;
        peaks
            .get(at.min(peaks.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default() as f64
            / 1e6
    };
    report.line("peak memory up to a tenth of the time", peak(0.1), "MB", Budget::None);
    report.line("peak memory", peak(1.0), "MB", Budget::None);
    Ok(())
}
