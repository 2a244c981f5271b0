//! Owns how a whole row is written: inserted, or put in the place of the row with
//! the same key. The parameters name the columns, so each is listed once.

use rusqlite::{Connection, ToSql};

/// A row as `(":column", value)` pairs.
pub(super) type Row<'a> = [(&'a str, &'a dyn ToSql)];

/// Writes a row. A column in `kept` is not overwritten by NULL.
pub(super) fn upsert(
    db: &Connection,
    table: &str,
    key: &[&str],
    kept: &[&str],
    row: &Row<'_>,
) -> rusqlite::Result<()> {
    let mut columns = String::new();
    let mut values = String::new();
    let mut updates = String::new();
    for &(value, _) in row {
        let column = value.trim_start_matches(':');
        push_with_comma(&mut columns, column);
        push_with_comma(&mut values, value);
        if kept.contains(&column) {
            let kept = format!("{column} = coalesce(excluded.{column}, {table}.{column})");
            push_with_comma(&mut updates, &kept);
        } else if !key.contains(&column) {
            push_with_comma(&mut updates, &format!("{column} = excluded.{column}"));
        }
    }
    let sql = format!(
        "INSERT INTO {table} ({columns}) VALUES ({values}) \
         ON CONFLICT ({}) DO UPDATE SET {updates}",
        key.join(", ")
    );
    db.prepare_cached(&sql)?.execute(row)?;
    Ok(())
}

fn push_with_comma(text: &mut String, part: &str) {
    if !text.is_empty() {
        text.push_str(", ");
    }
    text.push_str(part);
}
