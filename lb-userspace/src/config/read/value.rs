//! A value of the document, read as what it must be.

use std::{ops::RangeInclusive, time::Duration};

use humantime::format_duration;
use toml::{
    Spanned,
    de::{DeInteger, DeValue},
    value::{Datetime, Offset},
};

use crate::{
    config::{
        fault::{Fault, quote},
        names::{listed, nearest},
        report::{At, Report, Span},
    },
    model::Moment,
};

/// A value and the key that it belongs to.
#[derive(Clone)]
pub(super) struct Value<'a> {
    pub(super) key: &'a str,
    pub(super) span: Span,
    pub(super) inner: &'a DeValue<'a>,
    is_element: bool,
}

impl<'a> Value<'a> {
    pub(super) fn new(key: &'a str, value: &'a Spanned<DeValue<'a>>) -> Self {
        Self { key, span: value.span(), inner: value.get_ref(), is_element: false }
    }

    /// `value`, at this place.
    pub(super) fn at<T>(&self, value: T) -> At<T> {
        At { value, span: self.span.clone() }
    }

    /// The text of a string.
    pub(super) fn string(&self, report: &mut Report<'_>) -> Option<&'a str> {
        match self.inner {
            DeValue::String(text) => Some(text),
            _ => self.wrong_type("a string", "put it in double quotes", report),
        }
    }

    /// A string that `parse` understands.
    pub(super) fn parsed<T>(&self, parse: impl Fn(&str) -> Result<T, Fault>, report: &mut Report<'_>) -> Option<T> {
        parse(self.string(report)?).map_err(|fault| report.fault(&self.span, fault)).ok()
    }

    /// One of the given words.
    pub(super) fn one_of<T: Copy>(&self, words: &[(&str, T)], report: &mut Report<'_>) -> Option<T> {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        self.parsed(
            |text| {
                let found = words.iter().find(|(name, _)| *name == text).map(|&(_, value)| value);
                found.ok_or_else(|| {
                    let guess = nearest(text, names.iter().copied()).map(|word| format!("did you mean `{word}`? "));
                    let help = format!("{}`{}` is one of {}", guess.unwrap_or_default(), self.key, listed(&names));
                    Fault::new(format!("{} is not a value of `{}`", quote(text), self.key), help)
                })
            },
            report,
        )
    }

    /// A whole number.
    pub(super) fn integer<T: TryFrom<i64>>(&self, range: RangeInclusive<i64>, report: &mut Report<'_>) -> Option<T> {
        let DeValue::Integer(integer) = self.inner else {
            return self.wrong_type("an integer", "write a whole number without quotes", report);
        };
        match number(integer).filter(|number| range.contains(number)).and_then(|number| T::try_from(number).ok()) {
            Some(number) => Some(number),
            None => self.out_of_range(integer, range.start(), range.end(), report),
        }
    }

    /// Yes or no.
    pub(super) fn boolean(&self, report: &mut Report<'_>) -> Option<bool> {
        match self.inner {
            DeValue::Boolean(value) => Some(*value),
            _ => self.wrong_type("`true` or `false`", "write it without quotes", report),
        }
    }

    /// A number that may have a fraction.
    pub(super) fn fraction(&self, range: RangeInclusive<f64>, report: &mut Report<'_>) -> Option<f64> {
        let read = match self.inner {
            DeValue::Float(float) => float.as_str().parse().ok(),
            DeValue::Integer(integer) => number(integer).and_then(|number| i32::try_from(number).ok()).map(f64::from),
            _ => return self.wrong_type("a number", "write it without quotes, as in `0.1`", report),
        };
        match read.filter(|number| range.contains(number)) {
            Some(number) => Some(number),
            None => {
                let written = self.inner.as_float().map_or("this", |float| float.as_str());
                self.out_of_range(written, range.start(), range.end(), report)
            }
        }
    }

    /// A duration, like `"500ms"`.
    pub(super) fn duration(&self, range: RangeInclusive<Duration>, report: &mut Report<'_>) -> Option<Duration> {
        if let DeValue::Integer(integer) = self.inner {
            let help = format!("write the unit, in quotes: `{} = \"{integer}s\"`", self.key);
            return self.wrong_type("a duration", &help, report);
        }
        let read = self.parsed(
            |text| {
                let help = "write a number and its unit, like `\"500ms\"`, `\"2s\"` or `\"1m 30s\"`";
                humantime::parse_duration(text)
                    .map_err(|_| Fault::new(format!("{} is not a duration", quote(text)), help))
            },
            report,
        )?;
        if range.contains(&read) {
            return Some(read);
        }
        self.out_of_range(format_duration(read), format_duration(*range.start()), format_duration(*range.end()), report)
    }

    /// A date with a time of day and its offset from UTC.
    pub(super) fn moment(&self, report: &mut Report<'_>) -> Option<Moment> {
        const HELP: &str = "write it like `2026-12-31T18:00:00Z`, or with another offset, without quotes";
        let DeValue::Datetime(written) = self.inner else {
            return self.wrong_type("a date with a time", HELP, report);
        };
        let read = moment(written);
        if read.is_none() {
            let message = format!("`{}` is {written}, which does not say everything of when that is", self.key);
            report.error(&self.span, message, HELP);
        }
        read
    }

    /// The elements of an array.
    pub(super) fn elements(&self, report: &mut Report<'_>) -> Vec<Self> {
        let DeValue::Array(array) = self.inner else {
            let help = format!("put it in square brackets, as in `{} = [ … ]`", self.key);
            return self.wrong_type("an array", &help, report).unwrap_or_default();
        };
        array.iter().map(|element| Self { is_element: true, ..Self::new(self.key, element) }).collect()
    }

    /// Reports that the value has another type than the one wanted.
    pub(super) fn wrong_type<T>(&self, wanted: &str, help: &str, report: &mut Report<'_>) -> Option<T> {
        let subject = if self.is_element { "an element of " } else { "" };
        let message = format!("{subject}`{}` must be {wanted}, not {}", self.key, type_name(self.inner));
        report.error(&self.span, message, help);
        None
    }

    fn out_of_range<T>(
        &self,
        written: impl std::fmt::Display,
        from: impl std::fmt::Display,
        to: impl std::fmt::Display,
        report: &mut Report<'_>,
    ) -> Option<T> {
        let message = format!("`{}` cannot be {written}", self.key);
        report.error(&self.span, message, format!("it goes from {from} to {to}"));
        None
    }
}

fn number(integer: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// A date, time and offset in UTC.
fn moment(written: &Datetime) -> Option<Moment> {
    let offset_minutes = match written.offset? {
        Offset::Z => 0,
        Offset::Custom { minutes } => i64::from(minutes),
    };
    let there: Moment = format!("{}T{}Z", written.date?, written.time?).parse().ok()?;
    let seconds = i64::try_from(there.seconds()).ok()? - 60 * offset_minutes;
    Some(Moment::from_seconds(u64::try_from(seconds).ok()?))
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
