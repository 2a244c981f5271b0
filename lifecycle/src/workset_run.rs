//! Owns what a workset says of how it is run, as far as an attempt is made of it. It holds
//! no rules, and no shell text but the one that a workset may say: its command.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How the pipeline of a workset is run, in place of a configured command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorksetRun {
    /// Arguments of `day-clone`, in which `{workset}` and `{workdir_name}` are put in; None:
    /// nothing is cloned.
    #[serde(default)]
    pub clone: Option<Vec<String>>,
    /// Of the first attempt; each later one that may meet what an earlier one left has its
    /// number behind it.
    pub workdir_name: String,
    /// Absolute on the headnode, or within the folder of the case; None is that folder.
    #[serde(default)]
    pub run_directory: Option<String>,
    /// What is copied into the pipeline's directory before it begins.
    #[serde(default)]
    pub tables: Vec<TableCopy>,
    pub dy_a_args: Vec<String>,
    /// What follows `dy-r`: shell text.
    pub command: String,
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableCopy {
    /// Relative to the folder of the case.
    pub from: String,
    /// Relative to the pipeline's directory.
    pub to: String,
}
