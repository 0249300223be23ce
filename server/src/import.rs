//! `kabinet import purchases`: progress while it runs, and at the end a summary that adds up.

use crm::db::Db;
use crm::points::store as points;
use crm::purchase::import::{self, Format, ImportError, Options, Progress, Sum, Summary};
use crm::who::System;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

/// What to import.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The file, plain or gzip.
    pub file: PathBuf,
    /// Its format: online-retail, cdnow or kabinet (docs/import.md).
    #[arg(long)]
    pub format: Format,
    /// The name of the source; a line is known by source, document and place. Default: the name of the format.
    #[arg(long)]
    pub source: Option<String>,
    /// The encoding of the file.
    #[arg(long, default_value = "utf-8")]
    pub encoding: String,
    /// Moves every time by this many days.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub shift_days: i64,
}

/// Imports a file and brings the points that it earned up to today.
pub async fn run(db: &Db, args: &Args) -> Result<(), ImportError> {
    let by = System::at_the_command_line();
    let mut options = Options::new(args.format);
    options.encoding = &args.encoding;
    options.shift_days = args.shift_days;
    options.language = db.shop().language;
    if let Some(source) = &args.source {
        options.source = source.clone();
    }
    let began = Instant::now();
    let mut bar = Bar::default();
    db.hold_more().await?;
    let summary = import::run(db, &by, &args.file, &options, |progress| bar.show(progress)).await;
    bar.0.finish_and_clear();
    let summary = summary?;
    let seconds = began.elapsed().as_secs_f64();
    let told = tell(&summary, &db.shop().currency, seconds);
    // A closed pipe is no reason to fail: everything is booked.
    let _ = std::io::stdout().lock().write_all(told.as_bytes());
    let due = points::run_due(db, &by).await?;
    let _ = writeln!(
        std::io::stdout().lock(),
        "points up to today: {} lots became active, {} expired",
        HumanCount(due.activated),
        HumanCount(due.expired)
    );
    Ok(())
}

/// The progress bar: reading, then booking.
struct Bar(ProgressBar, Option<&'static str>);

impl Default for Bar {
    fn default() -> Self {
        Self(ProgressBar::hidden(), None)
    }
}

impl Bar {
    fn show(&mut self, progress: Progress) {
        let (step, rows, position, of) = match progress {
            Progress::Reading { lines, bytes, size } => ("1/2 reading", lines, bytes, size),
            Progress::Booking { lines, of } => ("2/2 booking", lines, lines, of),
        };
        if self.1 != Some(step) {
            self.0.finish_and_clear();
            let style = ProgressStyle::with_template("{prefix} [{bar:30}] {percent}% {msg}, {eta} left")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            *self = Self(ProgressBar::new(of).with_prefix(step).with_style(style), Some(step));
        }
        self.0.set_length(of);
        self.0.set_position(position);
        let per_second = rows as f64 / self.0.elapsed().as_secs_f64().max(0.001);
        self.0.set_message(format!(
            "{} rows, {} rows/s",
            HumanCount(rows),
            HumanCount(per_second as u64)
        ));
    }
}

/// The summary in words.
fn tell(s: &Summary, currency: &str, seconds: f64) -> String {
    let line = |name: &str, sum: &Sum| {
        format!(
            "{name} {} lines, quantity {}, amount {} {currency}\n",
            HumanCount(sum.lines),
            number(sum.quantity),
            money(sum.amount)
        )
    };
    let mut told = format!(
        "read {} = taken {} + already there {} + rejected {}\n",
        HumanCount(s.read),
        HumanCount(s.taken),
        HumanCount(s.known),
        HumanCount(s.rejected)
    );
    told += &format!(
        "documents {}, customers {}\n",
        HumanCount(s.documents),
        HumanCount(s.customers)
    );
    told += &line("sold:    ", &s.sold);
    told += &line("returned:", &s.returned);
    told += &format!(
        "returned lines that found their sale: {}, that stand alone: {}\n",
        HumanCount(s.matched),
        HumanCount(s.unmatched)
    );
    if let Some(path) = &s.rejects {
        told += &format!("rejected lines with their reasons: {}\n", path.display());
    }
    told += &format!(
        "{seconds:.1} s, {} lines/s\n",
        HumanCount((s.read as f64 / seconds.max(0.001)) as u64)
    );
    told
}

/// A number with its thousands parted.
fn number(n: i64) -> String {
    format!("{}{}", if n < 0 { "-" } else { "" }, HumanCount(n.unsigned_abs()))
}

/// Minor units as an amount with two decimals.
fn money(minor: i64) -> String {
    let n = minor.unsigned_abs();
    format!(
        "{}{}.{:02}",
        if minor < 0 { "-" } else { "" },
        HumanCount(n / 100),
        n % 100
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_adds_up_in_words() {
        let summary = Summary {
            read: 30_000,
            taken: 29_000,
            known: 900,
            rejected: 100,
            documents: 12_392,
            customers: 3_569,
            sold: Sum {
                lines: 29_367,
                quantity: 345_530,
                amount: 60_192_564,
            },
            returned: Sum {
                lines: 633,
                quantity: -8_771,
                amount: -2_635_005,
            },
            matched: 52,
            unmatched: 581,
            rejects: Some("x.csv.rejected.csv".into()),
        };
        assert_eq!(
            tell(&summary, "RUB", 2.0),
            "read 30,000 = taken 29,000 + already there 900 + rejected 100\n\
             documents 12,392, customers 3,569\n\
             sold:     29,367 lines, quantity 345,530, amount 601,925.64 RUB\n\
             returned: 633 lines, quantity -8,771, amount -26,350.05 RUB\n\
             returned lines that found their sale: 52, that stand alone: 581\n\
             rejected lines with their reasons: x.csv.rejected.csv\n\
             2.0 s, 15,000 lines/s\n"
        );
        assert_eq!((money(-5), number(-0)), ("-0.05".into(), "0".into()));
    }
}
