//! A file that staff bring in, as text and as a workbook: a table within its limits, or none, whatever it says of itself.
#![no_main]

use crm::import::{COLUMNS_MAX, LINES_MAX, read_table};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for name in ["a.csv", "a.xlsx"] {
        let Some((columns, rows)) = read_table(name, data) else {
            continue;
        };
        assert!((1..=COLUMNS_MAX).contains(&columns), "{columns} columns");
        assert!((1..=LINES_MAX).contains(&rows.len()), "{} rows", rows.len());
        // A line that is kept has a number, to tell what is wrong with it by, and cells.
        assert!(rows.iter().all(|(number, cells)| *number > 0 && *cells > 0), "{rows:?}");
    }
});
