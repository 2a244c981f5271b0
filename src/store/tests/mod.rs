//! Tests of the rows and the writer from within: they need SQL, or a `record` of
//! their own. What can be tested from outside is in `tests/it/store.rs`.

mod plans;
mod replay;
mod round_trip;
mod slots;
mod values;
mod writer;

use rusqlite::Connection;

use super::schema::{self, MIGRATIONS};

/// A database in memory with the schema as it stands.
fn fresh() -> Connection {
    let mut db = Connection::open_in_memory().expect("memory is there");
    schema::prepare(&db).expect("the settings are known");
    schema::migrate(&mut db, ":memory:".as_ref(), 0, MIGRATIONS).expect("the migrations apply");
    db
}

#[test]
fn schema_sql_is_what_the_migrations_make() {
    let written = Connection::open_in_memory().expect("memory is there");
    written.execute_batch(include_str!("../../../schema.sql")).expect("schema.sql is valid");
    assert_eq!(objects(&fresh()), objects(&written));
}

/// The schema without comments and layout.
fn objects(db: &Connection) -> Vec<String> {
    let mut select = db
        .prepare(
            "SELECT type || ' ' || name || ': ' || coalesce(sql, '') FROM sqlite_schema ORDER BY 1",
        )
        .expect("the schema can be read");
    let texts = select.query_map([], |row| row.get::<_, String>(0)).expect("it can be read");
    texts
        .map(|text| {
            let text = text.expect("it is text");
            let lines = text.lines().map(|line| line.split("--").next().unwrap_or_default());
            lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
        })
        .collect()
}

#[test]
fn views_can_be_read_when_there_is_nothing() {
    let db = fresh();
    for view in ["board", "waiting", "turnaround"] {
        let rows: i64 = db
            .query_row(&format!("SELECT count(*) FROM {view}"), [], |row| row.get(0))
            .expect("the view is valid");
        assert_eq!(rows, 0, "{view}");
    }
}
