//! Owns how durations, data rates and modes are written in the configuration. A number
//! without its unit is never guessed.

use daylily_lifecycle::ids::ByteCount;
use daylily_lifecycle::policy::TransferHours;
use jiff::SignedDuration;

/// Ten years: nothing here waits longer, and no sum of two overflows.
pub(super) const LONGEST: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);

pub(super) const DURATION: &str = "a duration such as 500ms, 90s, 10m, 24h or 7d";
pub(super) const RATE: &str = "a rate such as 800KiB/s, 50MiB/s or 1GiB/s";

/// A whole number and one unit: `500ms`, `90s`, `10m`, `24h`, `7d`.
pub(super) fn duration(text: &str) -> Option<SignedDuration> {
    let (number, unit) = split(text)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let total = i64::try_from(number).ok()?.checked_mul(milliseconds)?;
    Some(SignedDuration::from_millis(total))
}

/// Bytes in a second: `50MiB/s`.
pub(super) fn rate(text: &str) -> Option<ByteCount> {
    let (number, unit) = split(text)?;
    let bytes: u64 = match unit {
        "B/s" => 1,
        "KiB/s" => 1 << 10,
        "MiB/s" => 1 << 20,
        "GiB/s" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(bytes).filter(|rate| *rate > 0).map(ByteCount)
}

/// Octal digits: `2770`, `0660`.
pub(super) fn mode(text: &str) -> Option<u32> {
    let octal = (3..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
    octal.then(|| u32::from_str_radix(text, 8).ok()).flatten()
}

/// Two times of a day: `20:00-06:00`.
pub(super) fn hours(text: &str) -> Option<TransferHours> {
    let time = |text: &str| {
        let (hour, minute) = text.split_once(':')?;
        let number = |digits: &str| {
            let two = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<i8>().ok().filter(|_| two)
        };
        jiff::civil::Time::new(number(hour)?, number(minute)?, 0, 0).ok()
    };
    let (from, to) = text.split_once('-')?;
    let (from, to) = (time(from)?, time(to)?);
    (from != to).then_some(TransferHours { from, to })
}

fn split(text: &str) -> Option<(u64, &str)> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    Some((number.parse().ok()?, unit))
}
