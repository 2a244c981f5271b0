//! Owns what is drawn on a terminal while cases go on: one line for each, drawn over,
//! and lines above them that stay. It draws on stderr and nowhere else.

use std::io::IsTerminal;

use daylily_lifecycle::case::{StateName, StepName};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::store::error::StoreError;
use crate::store::read::Reader;
use crate::store::read::board::BoardRow;
use crate::telemetry::Undisturbed;

/// More would push what stays off the screen.
const MOST: usize = 10;

#[derive(Clone)]
pub(super) struct Bars {
    all: MultiProgress,
    lines: Vec<ProgressBar>,
}

impl Bars {
    /// None: nobody looks at stderr.
    pub(super) fn new() -> Option<Self> {
        std::io::stderr()
            .is_terminal()
            .then(|| Self { all: MultiProgress::new(), lines: Vec::new() })
    }

    /// For the log, whose lines are not to be torn.
    pub(super) fn undisturbed(&self) -> Undisturbed {
        let all = self.all.clone();
        std::sync::Arc::new(move |write| all.suspend(write))
    }

    /// A line that stays.
    pub(super) fn say(&self, text: &str) -> std::io::Result<()> {
        self.all.println(text)
    }

    /// Draws the cases that have not ended: first those that something happens to.
    pub(super) fn draw(&mut self, reader: &Reader, live: &[BoardRow]) -> Result<(), StoreError> {
        let mut rows: Vec<&BoardRow> = live.iter().collect();
        rows.sort_by_key(|row| (row.hold.is_some(), calmness(row.state)));
        let mut texts = Vec::new();
        for row in rows.iter().take(MOST) {
            texts.push(line(reader, row)?);
        }
        if rows.len() > MOST {
            texts.push(format!("... and {} more cases", rows.len() - MOST));
        }
        while self.lines.len() > texts.len() {
            if let Some(bar) = self.lines.pop() {
                bar.finish_and_clear();
                self.all.remove(&bar);
            }
        }
        while self.lines.len() < texts.len() {
            let bar = self.all.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                bar.set_style(style);
            }
            self.lines.push(bar);
        }
        for (bar, text) in self.lines.iter().zip(texts) {
            bar.set_message(text);
            bar.tick();
        }
        Ok(())
    }

    pub(super) fn clear(&mut self) -> std::io::Result<()> {
        self.lines.clear();
        self.all.clear()
    }
}

/// What moves is shown before what waits.
fn calmness(state: StateName) -> u8 {
    match state {
        StateName::Shipping | StateName::Returning | StateName::Cancelling => 0,
        StateName::Submitting | StateName::Queued | StateName::Running => 1,
        StateName::Arriving => 2,
        StateName::Ready | StateName::Staged => 3,
        StateName::Rejected | StateName::Succeeded | StateName::Failed | StateName::Cancelled => 4,
    }
}

fn line(reader: &Reader, row: &BoardRow) -> Result<String, StoreError> {
    let words = row.state.in_plain_words();
    // Most sentences begin with their state.
    let told =
        row.because.get(..words.len()).is_some_and(|start| start.eq_ignore_ascii_case(words));
    let mut text = row.name.to_string();
    if !told {
        text.push_str(&format!(": {words}"));
    }
    let step = match row.state {
        StateName::Shipping => Some(StepName::Ship),
        StateName::Returning => Some(StepName::Return),
        StateName::Arriving
        | StateName::Ready
        | StateName::Staged
        | StateName::Submitting
        | StateName::Queued
        | StateName::Running
        | StateName::Succeeded
        | StateName::Failed
        | StateName::Cancelled
        | StateName::Cancelling
        | StateName::Rejected => None,
    };
    if let Some(step) = step {
        let told = reader.progress(&row.case)?;
        if let Some(told) = told.into_iter().find(|told| told.progress.step == step) {
            let going = told.progress;
            let (done, total) = (going.bytes_done, going.bytes_total);
            text.push_str(&format!(", {done}"));
            if step == StepName::Ship && total.0 > 0 {
                let percent = u128::from(done.0) * 100 / u128::from(total.0);
                text.push_str(&format!(" of {total} ({} %)", percent.min(100)));
            }
            text.push_str(&format!(", {}/s", going.rate));
        }
    }
    Ok(format!("{text}: {}", row.because))
}
