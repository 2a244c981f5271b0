//! Owns what is told of cases while they go on: which have news, and of what kind. It
//! only reads, and says nothing of a case before its sentence speaks of it as it is.

use std::collections::{BTreeMap, BTreeSet};

use daylily_lifecycle::case::StateName;
use daylily_lifecycle::ids::CaseId;
use jiff::Timestamp;

use crate::store::error::StoreError;
use crate::store::read::Reader;
use crate::store::read::board::BoardRow;

/// How many changed rows are read at a time.
const AT_ONCE: u32 = 500;

pub(super) struct Follower {
    reader: Reader,
    /// What was told last of each case that has not ended.
    told: BTreeMap<CaseId, Told>,
    /// Rows up to here were seen: those of cases that ended between two looks are not
    /// among those that go on.
    seen: (Timestamp, CaseId),
}

#[derive(PartialEq, Eq)]
struct Told {
    state: StateName,
    held: bool,
    because: String,
}

/// One case with something new to say.
pub(super) struct News {
    pub(super) row: BoardRow,
    /// Another state or another kind of reason, not only other words.
    pub(super) turned: bool,
}

/// What one look found.
pub(super) struct Look {
    /// Every case that has not ended.
    pub(super) live: Vec<BoardRow>,
    pub(super) news: Vec<News>,
}

impl Follower {
    /// Follows from `since` on; what goes on at that time is news once.
    pub(super) fn new(reader: Reader, since: Timestamp) -> Self {
        Self { reader, told: BTreeMap::new(), seen: (since, CaseId::new("")) }
    }

    pub(super) fn reader(&self) -> &Reader {
        &self.reader
    }

    pub(super) fn look(&mut self) -> Result<Look, StoreError> {
        let live = self.reader.board(0)?;
        let mut news: Vec<News> = live.iter().filter_map(|row| self.news_of(row)).collect();
        for row in self.ended(&live)? {
            news.extend(self.news_of(&row));
            self.told.remove(&row.case);
        }
        Ok(Look { live, news })
    }

    fn news_of(&mut self, row: &BoardRow) -> Option<News> {
        if !row.planned {
            return None;
        }
        let now = Told { state: row.state, held: row.hold.is_some(), because: row.because.clone() };
        let known = self.told.get(&row.case);
        if known == Some(&now) {
            return None;
        }
        let turned = known.is_none_or(|known| {
            known.state != now.state
                || known.held != now.held
                || kind(&known.because) != kind(&now.because)
        });
        self.told.insert(row.case.clone(), now);
        Some(News { row: row.clone(), turned })
    }

    /// Cases that have ended since the last look.
    fn ended(&mut self, live: &[BoardRow]) -> Result<Vec<BoardRow>, StoreError> {
        let mut ended = BTreeMap::new();
        loop {
            let changed = self.reader.changed_after(self.seen.0, &self.seen.1, AT_ONCE)?;
            // A row without its sentence is read again with the next look.
            let whole = changed.iter().take_while(|row| row.planned).count();
            let all = whole == changed.len();
            for row in changed.into_iter().take(whole) {
                self.seen = (row.updated_at, row.case.clone());
                if row.state.is_terminal() {
                    ended.insert(row.case.clone(), row);
                }
            }
            if !all || whole < usize::try_from(AT_ONCE).unwrap_or(usize::MAX) {
                break;
            }
        }
        let live: BTreeSet<&CaseId> = live.iter().map(|row| &row.case).collect();
        let missing: Vec<CaseId> =
            self.told.keys().filter(|id| !live.contains(id)).cloned().collect();
        for id in missing {
            match self.reader.board_row(&id)? {
                // Its end may carry an earlier time than another's that was seen before.
                Some(row) if row.planned && row.state.is_terminal() => {
                    ended.insert(id, row);
                }
                Some(_) => {}
                // Its folder went before it was complete, and the case with it.
                None => {
                    self.told.remove(&id);
                }
            }
        }
        Ok(ended.into_values().collect())
    }
}

/// The words by which a sentence begins, up to what differs from case to case.
fn kind(because: &str) -> &str {
    let end = because.find(|c: char| matches!(c, ':' | ';') || c.is_ascii_digit());
    &because[..end.unwrap_or(because.len())]
}
