//! Lines with a figure, its budget, and whether it is met.

/// A budget: no more than, or no less than.
pub enum Budget {
    AtMost(f64),
    AtLeast(f64),
    /// A figure that is only shown.
    None,
}

/// What was measured, line by line.
#[derive(Default)]
pub struct Report {
    missed: Vec<String>,
}

impl Report {
    /// A heading.
    pub fn section(&self, title: &str) {
        println!("\n{title}");
    }

    /// Words without a figure: what was left out and why, what was measured on.
    pub fn note(&self, words: &str) {
        println!("  {words}");
    }

    /// One figure with its unit.
    pub fn line(&mut self, what: &str, figure: f64, unit: &str, budget: Budget) {
        let (budget, met) = match budget {
            Budget::AtMost(most) => (format!("≤ {most} {unit}"), Some(figure <= most)),
            Budget::AtLeast(least) => (format!("≥ {least} {unit}"), Some(figure >= least)),
            Budget::None => (String::new(), None),
        };
        let verdict = match met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "",
        };
        let figure = if figure >= 100.0 {
            format!("{figure:.0}")
        } else {
            format!("{figure:.2}")
        };
        println!("  {what:<52} {figure:>9} {unit:<9} {budget:<16} {verdict}");
        if met == Some(false) {
            self.missed.push(format!("{what}: {figure} {unit}, budget {budget}"));
        }
    }

    /// What is over budget, once more at the end.
    pub fn close(&self) {
        println!();
        if self.missed.is_empty() {
            println!("Every budget is met.");
        }
        for missed in &self.missed {
            println!("missed: {missed}");
        }
    }
}
