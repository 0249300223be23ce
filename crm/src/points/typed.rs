//! Points as people write them: `150` or `150,50`.

use crate::flaw::Flaw;
use crate::lang::Lang;

/// The most whole digits: no balance is longer, and in hundredths it still fits many times.
const DIGITS: usize = 12;

/// Points as a person typed them, in hundredths: more than nothing, with a comma or a full stop before at most two decimals,
/// and spaces where people put them. Fails with [`Flaw::Missing`] or [`Flaw::NotPoints`].
pub fn typed(raw: &str) -> Result<i64, Flaw> {
    let text: String = raw.chars().filter(|c| !c.is_whitespace()).collect();
    if text.is_empty() {
        return Err(Flaw::Missing);
    }
    let (whole, part) = text.split_once([',', '.']).unwrap_or((&text, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(part) || whole.len() > DIGITS || part.len() > 2 {
        return Err(Flaw::NotPoints);
    }
    // One decimal is tenths.
    let minor: i64 = format!("{whole}{part:0<2}").parse().map_err(|_| Flaw::NotPoints)?;
    if minor > 0 { Ok(minor) } else { Err(Flaw::NotPoints) }
}

/// Hundredths of a point as people of a language write them, whole ones without decimals: `1500` or `36,75`.
pub fn written(lang: Lang, minor: i64) -> String {
    let sign = if minor < 0 { "−" } else { "" };
    let (whole, part) = (minor.unsigned_abs() / 100, minor.unsigned_abs() % 100);
    let mark = match lang {
        Lang::Ru => ',',
        Lang::En => '.',
    };
    match part {
        0 => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}{mark}{part:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_read_as_people_write_them() {
        for (raw, minor) in [
            ("150", 150_00),
            (" 150,50 ", 150_50),
            ("150.5", 150_50),
            ("0,01", 1),
            ("1 500", 1_500_00),
            ("1\u{a0}500,00", 1_500_00),
            ("007", 7_00),
        ] {
            assert_eq!(typed(raw), Ok(minor), "{raw}");
        }
        assert_eq!(typed(" \u{a0}"), Err(Flaw::Missing));
        // Three decimals are none, and more likely thousands: whoever meant them is asked again.
        for raw in [
            "0",
            "0,00",
            "-5",
            "+5",
            "5-",
            "1,000",
            "1.000,00",
            ",5",
            "5,",
            "сто",
            "1e3",
            "١٥",
            "9999999999999",
            "5\u{0}",
        ] {
            assert_eq!(typed(raw), Err(Flaw::NotPoints), "{raw:?}");
        }
    }

    #[test]
    fn points_are_written_as_people_read_them() {
        assert_eq!(written(Lang::Ru, 150_00), "150");
        assert_eq!(written(Lang::Ru, -36_05), "−36,05");
        assert_eq!(written(Lang::En, 36_75), "36.75");
        assert_eq!(written(Lang::En, i64::MIN), "−92233720368547758.08");
        for minor in [1, 10, 99, 100, 12_345] {
            assert_eq!(typed(&written(Lang::Ru, minor)), Ok(minor));
            assert_eq!(typed(&written(Lang::En, minor)), Ok(minor));
        }
    }
}
