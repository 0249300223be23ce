//! The import of a large file into an empty database.

use crate::process::Process;
use crate::report::{Budget, Report};
use anyhow::{Context, Result};
use flate2::read::GzDecoder;
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Repeats the receipts of `sample` under other numbers and by other customers, until the file has
/// that many lines. They come as unsorted as the sample is.
fn write(sample: &Path, to: &Path, lines: usize) -> Result<()> {
    let mut reader = csv::Reader::from_reader(GzDecoder::new(File::open(sample)?));
    let mut writer = csv::Writer::from_path(to)?;
    let header = reader.headers()?.clone();
    writer.write_record(&header)?;
    let column = |name: &str| {
        header
            .iter()
            .position(|h| h == name)
            .with_context(|| format!("no column {name}"))
    };
    let (number, customer) = (column("InvoiceNo")?, column("CustomerID")?);
    let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>()?;
    let copies = lines.div_ceil(rows.len());
    let all = rows.iter().flat_map(|row| (0..copies).map(move |copy| (row, copy)));
    for (row, copy) in all.take(lines) {
        let fields = row.iter().enumerate().map(|(column, value)| match column {
            c if c == number => format!("{value}{copy:03}"),
            c if c == customer && !value.is_empty() => format!("{}{copy:03}", value.trim_end_matches(".0")),
            _ => value.to_owned(),
        });
        writer.write_record(fields)?;
    }
    writer.flush()?;
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
    let said = folder.join("import.txt");
    command.stdout(File::create(&said)?).stderr(std::process::Stdio::null());
    let started = Instant::now();
    let process = Process::start(&mut command)?;
    while let Some(peak) = process.peak_memory() {
        peaks.push(peak);
        std::thread::sleep(Duration::from_millis(100));
    }
    process.wait()?;
    let seconds = started.elapsed().as_secs_f64();
    // "66.0 s, 15,148 lines/s": reading and booking, without the days that points have lived through since.
    let said = std::fs::read_to_string(said)?;
    let own = said
        .lines()
        .find_map(|line| line.split_once(" s, ").filter(|(_, rest)| rest.ends_with("lines/s")));
    let booking: f64 = own
        .context("the import does not say how long it took")?
        .0
        .trim()
        .parse()?;
    report.line(
        "lines a second, read and booked",
        lines as f64 / booking,
        "/s",
        Budget::None,
    );
    report.line(
        "a million lines at this speed",
        booking * 1e6 / lines as f64,
        "s",
        Budget::AtMost(60.0),
    );
    report.line("and until the points are up to today", seconds, "s", Budget::None);
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
