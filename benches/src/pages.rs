//! Answers beside the same answers from `bare`: first shown to be equal, then timed in turns.

use crate::load::{Target, run};
use crate::process::Process;
use crate::report::{Budget, Report};
use anyhow::{Result, bail, ensure};
use regex_lite::Regex;
use std::time::Duration;

/// Turns that each side has; the figure is the median.
pub const ROUNDS: usize = 5;
pub const WARM_UP: Duration = Duration::from_secs(1);

/// A server with the address of its pages.
pub struct Side<'a> {
    pub process: &'a Process,
    pub target: &'a dyn Fn(&str) -> Target,
}

/// What is asked for, and its budgets.
pub struct Asked<'a> {
    pub name: &'a str,
    pub path: &'a str,
    /// The least ratio of requests a second to those by hand.
    pub ratio: f64,
    /// The most milliseconds of p99 at 70 % of the peak; none: it is only shown.
    pub p99: Option<f64>,
}

/// Compares and times one answer.
pub async fn measure(
    report: &mut Report,
    asked: &Asked<'_>,
    [ours, bare]: [&Side<'_>; 2],
    turn: Duration,
) -> Result<()> {
    let Asked { name, path, ratio, p99 } = asked;
    let (our_page, bare_page) = ((ours.target)(path), (bare.target)(path));
    equal(path, &our_page, &bare_page).await?;

    let mut sums: [Vec<(f64, f64)>; 2] = [Vec::new(), Vec::new()];
    for (side, page) in [(ours, &our_page), (bare, &bare_page)] {
        run(page, WARM_UP, None).await?;
        side.process.cpu()?;
    }
    for _ in 0..ROUNDS {
        for (n, (side, page)) in [(ours, &our_page), (bare, &bare_page)].into_iter().enumerate() {
            let before = side.process.cpu()?;
            let run = run(page, turn, None).await?;
            let cpu = (side.process.cpu()? - before).as_secs_f64() * 1e6 / run.requests as f64;
            sums[n].push((run.per_second(), cpu));
        }
    }
    let [our, their] = sums.map(|runs| {
        let (rates, cpus): (Vec<f64>, Vec<f64>) = runs.into_iter().unzip();
        (median(rates), median(cpus))
    });
    report.section(&format!("{name} ({path}), the same answer from both"));
    report.line("requests a second", our.0, "/s", Budget::None);
    report.line("requests a second, by hand", their.0, "/s", Budget::None);
    report.line("ratio", our.0 / their.0, "×", Budget::AtLeast(*ratio));
    report.line("processor time of a request", our.1, "µs", Budget::None);
    report.line("processor time of a request, by hand", their.1, "µs", Budget::None);
    report.line(
        "ratio of processor time, by hand to ours",
        their.1 / our.1,
        "×",
        Budget::None,
    );
    let calm = run(&our_page, turn * 2, Some(our.0 * 0.7)).await?;
    report.line("p50 at 70 % of the peak", calm.quantile(0.5), "ms", Budget::None);
    report.line(
        "p99 at 70 % of the peak",
        calm.quantile(0.99),
        "ms",
        p99.map_or(Budget::None, Budget::AtMost),
    );
    let calm = run(&bare_page, turn * 2, Some(their.0 * 0.7)).await?;
    report.line(
        "p99 at 70 % of its peak, by hand",
        calm.quantile(0.99),
        "ms",
        Budget::None,
    );
    Ok(())
}

pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Both answer 200 with the same body, but for what is made anew for each answer.
async fn equal(path: &str, ours: &Target, bare: &Target) -> Result<()> {
    let mut pages = Vec::new();
    for target in [ours, bare] {
        let answer = target.ask("identity").await?;
        ensure!(answer.status == 200, "{path} answered {}", answer.status);
        pages.push(normal(&String::from_utf8(answer.body.to_vec())?)?);
    }
    let (ours, bare) = (&pages[0], &pages[1]);
    if ours == bare {
        return Ok(());
    }
    let same = ours.bytes().zip(bare.bytes()).take_while(|(a, b)| a == b).count();
    let near = |text: &str| {
        let from = text.floor_char_boundary(same.saturating_sub(120));
        let to = text.floor_char_boundary((same + 120).min(text.len()));
        text[from..to].to_owned()
    };
    bail!(
        "{path} differs from byte {same} on:\n  ours:    {}\n  by hand: {}",
        near(ours),
        near(bare)
    );
}

/// Without the idempotency keys of forms, which are random, and the mark of who is signed in.
fn normal(html: &str) -> Result<String> {
    let keys = Regex::new(r#"(name="_key" value="|data-worker=")[^"]*"#)?;
    // A marker between a text and what follows it is nothing that is shown.
    Ok(keys.replace_all(html, "${1}…").replace("<!>", ""))
}
