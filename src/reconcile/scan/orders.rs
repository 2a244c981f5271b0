//! Owns what the configuration and its own `case.yaml` make a case ask for: by its
//! intake, by the first rule that one of its files matches, by what its sender says.

use std::path::Path;

use daylily_lifecycle::case::{Order, Priority};
use daylily_lifecycle::ids::{GroupName, HeadnodeName, PipelineName};
use daylily_lifecycle::outcome::{Fault, FaultClass};

use crate::config::case_file::{self, CaseFile};
use crate::config::{IntakeSettings, RuleSettings, Settings};
use crate::intake::directory::small_file::{self, SmallFile};
use crate::tree::{Names, shown};

/// What a case runs where nothing else is said.
const DEFAULT: &str = "default";

/// What cases of one intake may ask for.
#[derive(Debug, Clone)]
pub struct Orders {
    pipeline: Option<PipelineName>,
    priority: Priority,
    headnode: HeadnodeName,
    group: Option<GroupName>,
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    settings: RuleSettings,
    pattern: Names,
}

impl Orders {
    pub fn of(settings: &Settings, intake: &IntakeSettings) -> Result<Self, Fault> {
        let rule = |settings: &RuleSettings| {
            let pattern = Names::new(std::slice::from_ref(&settings.files))
                .map_err(|error| Fault::new(FaultClass::FatalCase, error.to_string()))?;
            Ok(Rule { settings: settings.clone(), pattern })
        };
        Ok(Self {
            rules: settings.rules.iter().map(rule).collect::<Result<_, _>>()?,
            ..Self::without_rules(intake)
        })
    }

    fn without_rules(intake: &IntakeSettings) -> Self {
        Self {
            pipeline: intake.pipeline.clone(),
            priority: intake.priority,
            headnode: intake.headnode.clone(),
            group: intake.group.clone(),
            rules: Vec::new(),
        }
    }

    /// Before anything is known of its files.
    pub fn at_first_sight(intake: &IntakeSettings) -> Order {
        Self::without_rules(intake).order(Matching::default(), CaseFile::default())
    }

    pub fn order(&self, matching: Matching, said: CaseFile) -> Order {
        let matched = matching.first.and_then(|(index, file)| {
            let rule = &self.rules.get(index)?.settings;
            Some((rule, format!("rules[{index}]: {} matches {}", shown(file.as_ref()), rule.files)))
        });
        let (rule, because) = matched.unzip();
        Order {
            pipeline: self
                .pipeline
                .clone()
                .or_else(|| rule?.pipeline.clone())
                .unwrap_or_else(|| PipelineName::new(DEFAULT)),
            priority: said.priority.or_else(|| rule?.priority).unwrap_or(self.priority),
            headnode: self.headnode.clone(),
            group: said.group.or_else(|| rule?.group.clone()).or_else(|| self.group.clone()),
            gpus: said.gpus.unwrap_or(0),
            params: said.params,
            notify: said.notify,
            rule: because,
            priority_by: None,
            workset: None,
        }
    }
}

/// Which rule the files of a case match, as they are told of.
#[derive(Debug, Default)]
pub struct Matching {
    first: Option<(usize, String)>,
}

impl Matching {
    pub fn saw(&mut self, orders: &Orders, path: &str) {
        // Only a rule before the one that matches already can change anything.
        let before = self.first.as_ref().map_or(orders.rules.len(), |(index, _)| *index);
        let matches = |rule: &Rule| {
            let name = path.rsplit('/').next().unwrap_or(path);
            rule.pattern.matches(if rule.settings.files.contains('/') { path } else { name })
        };
        if let Some(index) = orders.rules[..before].iter().position(matches) {
            self.first = Some((index, path.to_owned()));
        }
    }
}

/// Reads the `case.yaml` of a case. Its mistakes are problems of the case.
pub fn read_case_file(folder: &Path) -> std::io::Result<Result<CaseFile, Vec<String>>> {
    Ok(match small_file::read(folder, case_file::NAME, case_file::MOST_BYTES)? {
        SmallFile::Missing => Ok(CaseFile::default()),
        SmallFile::Odd(why) => Err(vec![why]),
        SmallFile::Text(text) => case_file::read(&text),
    })
}

#[cfg(test)]
mod tests;
