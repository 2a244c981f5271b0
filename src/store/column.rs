//! Owns how times and lists stand in a column.

use std::fmt;

use jiff::Timestamp;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// An instant as UTC text with milliseconds. One that is finer (of a file, of a
/// job's record) keeps its nine digits: replaying the journal must give what is stored.
pub(super) struct Instant(pub(super) Timestamp);

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.0.subsec_nanosecond() % 1_000_000 == 0 { 3 } else { 9 };
        write!(f, "{:.digits$}", self.0)
    }
}

impl ToSql for Instant {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.to_string()))
    }
}

impl FromSql for Instant {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let text = value.as_str()?;
        match text.parse() {
            Ok(instant) => Ok(Self(instant)),
            Err(error) => Err(FromSqlError::other(error)),
        }
    }
}

/// A small list as JSON, readable by people and by `json_each`.
pub(super) struct List<T>(pub(super) T);

impl<T: Serialize> ToSql for List<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match serde_json::to_string(&self.0) {
            Ok(text) => Ok(ToSqlOutput::from(text)),
            Err(error) => Err(rusqlite::Error::ToSqlConversionFailure(Box::new(error))),
        }
    }
}

impl<T: DeserializeOwned> FromSql for List<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match serde_json::from_str(value.as_str()?) {
            Ok(list) => Ok(Self(list)),
            Err(error) => Err(FromSqlError::other(error)),
        }
    }
}

/// Writes an instant that may not have come yet.
pub(super) fn maybe(instant: Option<Timestamp>) -> Option<Instant> {
    instant.map(Instant)
}
