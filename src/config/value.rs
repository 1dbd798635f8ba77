//! Reads one TOML value as what it is meant to be.
//!
//! Owns durations, sizes, ranges and choices, and says what is wrong with a value; refuses to know which key it belongs to.

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::suggest;
use crate::name::Name;

/// A value and where it stands.
pub(super) type Value<'a> = Spanned<DeValue<'a>>;

/// What a reader made of a value, or all that is wrong with it.
pub(super) type Read<T> = Result<T, Vec<Problem>>;

/// Something wrong with a value.
#[derive(Debug)]
pub(super) struct Problem {
    /// Where.
    pub(super) at: Range<usize>,
    /// Follows the key in the title: ` is not a duration`.
    pub(super) predicate: String,
    /// Stands beside the value.
    pub(super) label: String,
    /// What to do, where the label can't say it.
    pub(super) help: Option<String>,
}

impl Problem {
    pub(super) fn new(at: Range<usize>, predicate: impl Into<String>, label: impl Into<String>) -> Self {
        Self { at, predicate: predicate.into(), label: label.into(), help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// `value` is of another type than `expected`.
    pub(super) fn wrong_type(value: &Value<'_>, expected: &str, example: &str) -> Self {
        let found = kind(value.get_ref());
        Self::new(value.span(), format!(" must be {expected}, not {found}"), format!("for example `{example}`"))
    }
}

impl From<Problem> for Vec<Problem> {
    fn from(problem: Problem) -> Self {
        vec![problem]
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Any string.
pub(super) fn text(value: &Value<'_>) -> Read<String> {
    text_like("a string", "\"text\"")(value)
}

/// A string that is described and exemplified to whom it is missing.
pub(super) fn text_like(expected: &'static str, example: &'static str) -> impl Fn(&Value<'_>) -> Read<String> {
    move |value| match value.get_ref() {
        DeValue::String(text) => Ok(text.clone().into_owned()),
        _ => Err(Problem::wrong_type(value, expected, example).into()),
    }
}

/// `true` or `false`.
pub(super) fn flag(value: &Value<'_>) -> Read<bool> {
    value.get_ref().as_bool().ok_or_else(|| Problem::wrong_type(value, "`true` or `false`", "true").into())
}

/// A name of ours.
pub(super) fn name(value: &Value<'_>) -> Read<Name> {
    let text = text_like("a name", "\"dock-east\"")(value)?;
    Name::new(&text).map_err(|why| Problem::new(value.span(), " is not a name", why.to_string()).into())
}

/// A whole number within `range`.
pub(super) fn whole(range: RangeInclusive<u32>) -> impl Fn(&Value<'_>) -> Read<u32> {
    move |value| {
        let DeValue::Integer(number) = value.get_ref() else {
            return Err(Problem::wrong_type(value, "a whole number", &range.start().max(&1).to_string()).into());
        };
        let number = i64::from_str_radix(number.as_str(), number.radix()).ok().and_then(|n| u32::try_from(n).ok());
        number
            .filter(|n| range.contains(n))
            .ok_or_else(|| out_of_range(value, &range.start().to_string(), &range.end().to_string()))
    }
}

/// A number, whole or not, within `range`.
pub(super) fn number(range: RangeInclusive<f64>) -> impl Fn(&Value<'_>) -> Read<f32> {
    move |value| {
        let number = match value.get_ref() {
            DeValue::Float(number) => number.as_str().parse().ok(),
            DeValue::Integer(number) => {
                i64::from_str_radix(number.as_str(), number.radix()).ok().map(|whole| whole as f64)
            }
            _ => return Err(Problem::wrong_type(value, "a number", &format!("{:?}", range.end() * 0.8)).into()),
        };
        match number.filter(|n: &f64| range.contains(n)) {
            Some(number) => Ok(number as f32),
            None => Err(out_of_range(value, &range.start().to_string(), &range.end().to_string())),
        }
    }
}

fn out_of_range(value: &Value<'_>, lowest: &str, highest: &str) -> Vec<Problem> {
    Problem::new(value.span(), " is out of range", format!("must be between {lowest} and {highest}")).into()
}

/// Units of time with their length in milliseconds, largest first.
const TIME_UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// A string such as `"30s"`, within `range`.
pub(super) fn duration(range: RangeInclusive<Duration>) -> impl Fn(&Value<'_>) -> Read<Duration> {
    move |value| {
        let text = text_like("a duration", "\"30s\"")(value)?;
        let Some(length) = parse_duration(&text) else {
            let label = "a whole number and one of `ms`, `s`, `m`, `h`, `d`: for example `\"30s\"`";
            return Err(Problem::new(value.span(), " is not a duration", label).into());
        };
        if range.contains(&length) {
            return Ok(length);
        }
        Err(out_of_range(value, &format!("`{}`", shown(*range.start())), &format!("`{}`", shown(*range.end()))))
    }
}

/// A duration as it is written in the file: `30s`, `2h`. None for anything else.
pub fn parse_duration(text: &str) -> Option<Duration> {
    with_unit(text, &TIME_UNITS).map(Duration::from_millis)
}

/// A duration as it would be written in the file, in the largest unit that it is a multiple of.
pub(super) fn shown(length: Duration) -> String {
    let milliseconds = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    match TIME_UNITS.iter().find(|(_, unit)| milliseconds > 0 && milliseconds.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{}{name}", milliseconds / unit),
        None => "0s".to_owned(),
    }
}

/// Units of memory with their size in bytes, largest first.
const SIZE_UNITS: [(&str, u64); 5] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// A string such as `"512MiB"`, within `range` (bytes).
pub(super) fn size(range: RangeInclusive<u64>) -> impl Fn(&Value<'_>) -> Read<u64> {
    let shown = |bytes: u64| {
        let unit = SIZE_UNITS.iter().find(|(_, unit)| bytes.is_multiple_of(*unit));
        unit.map_or_else(String::new, |(name, unit)| format!("`{}{name}`", bytes / unit))
    };
    move |value| {
        let text = text_like("a size", "\"512MiB\"")(value)?;
        let Some(bytes) = with_unit(&text, &SIZE_UNITS) else {
            let label = "a whole number and one of `KiB`, `MiB`, `GiB`: for example `\"512MiB\"`";
            return Err(Problem::new(value.span(), " is not a size", label).into());
        };
        if range.contains(&bytes) {
            return Ok(bytes);
        }
        Err(out_of_range(value, &shown(*range.start()), &shown(*range.end())))
    }
}

/// Units of bandwidth with their size in bits per second.
const BANDWIDTH_UNITS: [(&str, u64); 3] = [("Gbit/s", 1_000_000_000), ("Mbit/s", 1_000_000), ("kbit/s", 1_000)];

/// `"1Mbit/s"` in bits per second; the empty string means that there is no limit.
pub(super) fn bandwidth(value: &Value<'_>) -> Read<Option<u64>> {
    let text = text_like("a bandwidth", "\"1Mbit/s\"")(value)?;
    if text.is_empty() {
        return Ok(None);
    }
    match with_unit(&text, &BANDWIDTH_UNITS) {
        Some(bits) if (64_000..=100_000_000_000).contains(&bits) => Ok(Some(bits)),
        Some(_) => Err(out_of_range(value, "`64kbit/s`", "`100Gbit/s`")),
        None => {
            let label = "a whole number and one of `kbit/s`, `Mbit/s`, `Gbit/s`: for example `\"1Mbit/s\"`";
            Err(Problem::new(value.span(), " is not a bandwidth", label).into())
        }
    }
}

/// `"30s"` in the smallest unit; None unless it is digits and one of `units`, and fits.
fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (_, unit) = units.iter().find(|(name, _)| *name == &text[digits..])?;
    text[..digits].parse::<u64>().ok()?.checked_mul(*unit)
}

/// One of a few words. Words in `later` are known, but not to this version.
pub(super) fn choice<T: Copy>(
    known: &'static [(&'static str, T)],
    later: &'static [&'static str],
) -> impl Fn(&Value<'_>) -> Read<T> {
    let words = || known.iter().map(|(word, _)| *word);
    move |value| {
        let example = known.first().map_or(String::new(), |(word, _)| format!("\"{word}\""));
        let DeValue::String(text) = value.get_ref() else {
            return Err(Problem::wrong_type(value, "a string", &example).into());
        };
        if let Some((_, chosen)) = known.iter().find(|(word, _)| word == text) {
            return Ok(*chosen);
        }
        if later.contains(&text.as_ref()) {
            return Err(not_yet(value, words()));
        }
        let label = match suggest::closest(text, words()) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("one of {}", suggest::quoted(words())),
        };
        Err(Problem::new(value.span(), format!(" can't be `{text}`"), label).into())
    }
}

/// The value is in the contract, but this version only knows `instead`.
pub(super) fn not_yet<'w>(value: &Value<'_>, instead: impl IntoIterator<Item = &'w str>) -> Vec<Problem> {
    let instead: Vec<_> = instead.into_iter().map(|word| format!("`\"{word}\"`")).collect();
    let predicate = match value.get_ref() {
        DeValue::String(text) => format!(": `{text}` is not implemented yet"),
        _ => ": this is not implemented yet".to_owned(),
    };
    Problem::new(value.span(), predicate, format!("use {}", instead.join(" or "))).into()
}

/// A list of what `read` reads. All its problems are told at once.
pub(super) fn list_of<T>(
    read: impl Fn(&Value<'_>) -> Read<T>,
    example: &'static str,
) -> impl Fn(&Value<'_>) -> Read<Vec<T>> {
    move |value| {
        let DeValue::Array(array) = value.get_ref() else {
            return Err(Problem::wrong_type(value, "a list", example).into());
        };
        let (mut items, mut problems) = (Vec::with_capacity(array.len()), Vec::new());
        for element in array.iter() {
            match read(element) {
                Ok(item) => items.push(item),
                Err(more) => problems.extend(more),
            }
        }
        if problems.is_empty() { Ok(items) } else { Err(problems) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T>(toml: &str, read: impl Fn(&Value<'_>) -> Read<T>) -> Result<T, String> {
        let value = DeValue::parse(toml).unwrap();
        read(&value).map_err(|problems| {
            problems.iter().map(|p| format!("key{} ({})", p.predicate, p.label)).collect::<Vec<_>>().join("; ")
        })
    }

    #[test]
    fn durations_have_one_unit() {
        let any = || duration(Duration::ZERO..=Duration::MAX);
        for (text, ms) in [("500ms", 500), ("30s", 30_000), ("10m", 600_000), ("2h", 7_200_000), ("7d", 604_800_000)] {
            let length = read(&format!("\"{text}\""), any()).unwrap();
            assert_eq!(length, Duration::from_millis(ms));
            assert_eq!(shown(length), text);
        }
        for bad in ["", "30", "s", "-1s", "1.5s", "1 s", "1S", "1h30m", "99999999999999999999s", "999999999999999999d"]
        {
            let label = "a whole number and one of `ms`, `s`, `m`, `h`, `d`: for example `\"30s\"`";
            assert_eq!(read(&format!("\"{bad}\""), any()), Err(format!("key is not a duration ({label})")), "{bad}");
        }
        let seconds = duration(Duration::from_secs(1)..=Duration::from_secs(90));
        assert_eq!(read("\"2m\"", seconds), Err("key is out of range (must be between `1s` and `90s`)".into()));
    }

    #[test]
    fn sizes_are_binary() {
        let any = || size(1024..=1 << 42);
        assert_eq!(read("\"512MiB\"", any()), Ok(512 << 20));
        assert_eq!(read("\"4GiB\"", any()), Ok(4 << 30));
        assert_eq!(read("\"1B\"", any()), Err("key is out of range (must be between `1KiB` and `4TiB`)".into()));
        assert!(read("\"4GB\"", any()).unwrap_err().starts_with("key is not a size (a whole number and"));
        assert_eq!(read("4", any()), Err("key must be a size, not an integer (for example `\"512MiB\"`)".into()));
    }

    #[test]
    fn numbers_stay_within_their_range() {
        assert_eq!(read("0x10", whole(1..=16)), Ok(16));
        assert_eq!(read("-1", whole(0..=16)), Err("key is out of range (must be between 0 and 16)".into()));
        assert_eq!(read("1", number(0.0..=1.0)), Ok(1.0));
        assert_eq!(read("nan", number(0.0..=1.0)), Err("key is out of range (must be between 0 and 1)".into()));
        assert_eq!(
            read("\"1\"", number(0.0..=1.0)),
            Err("key must be a number, not a string (for example `0.8`)".into())
        );
    }

    #[test]
    fn choices_know_what_comes_later() {
        let mode = || choice(&[("auto", 1), ("all", 2)], &["keyframes"]);
        assert_eq!(read("\"all\"", mode()), Ok(2));
        assert_eq!(
            read("\"keyframes\"", mode()),
            Err("key: `keyframes` is not implemented yet (use `\"auto\"` or `\"all\"`)".into())
        );
        assert_eq!(read("\"al\"", mode()), Err("key can't be `al` (did you mean `all`?)".into()));
        assert_eq!(read("\"nothing\"", mode()), Err("key can't be `nothing` (one of `auto`, `all`)".into()));
    }
}
