//! Checks of pueue on a headnode: whether it can be asked, and whether its groups are as
//! the configuration has them.

use std::collections::BTreeMap;

use daylily_lifecycle::ids::GroupName;

use super::Report;
use crate::adapters::host::shell::Shell;
use crate::adapters::queue::GroupLook;
use crate::adapters::queue::pueue::PueueSettings;
use crate::adapters::queue::pueue::inspect::inspect;
use crate::config::{GroupSettings, HeadnodeSettings};

pub(super) async fn pueue(
    report: &mut Report,
    check: &str,
    headnode: &HeadnodeSettings,
    settings: &PueueSettings,
    shell: &impl Shell,
) {
    let inspected = match inspect(shell, settings).await {
        Ok(inspected) => inspected,
        Err(fault) => {
            let (text, hint) = fault.text.split_once("\nhint: ").unwrap_or((&fault.text, ""));
            let hint = if hint.is_empty() { "run `pueue status` there" } else { hint };
            return report.fail(check, text, hint);
        }
    };
    let entries = inspected.look.entries;
    let many = if entries == 1 { "y" } else { "ies" };
    let text = format!("pueue {} answers, with {entries} entr{many}", inspected.version);
    report.ok(check, text);
    let Some(groups) = inspected.look.groups else {
        let text = "what pueue tells of its groups cannot be understood";
        return report.warn(&format!("{check}.groups"), text, "use pueue 3.4 or 4 there");
    };
    for group in &headnode.groups {
        let check = format!("{check}.groups.{}", group.name);
        one(report, &check, group, headnode.pueue.create_groups, &groups);
    }
}

fn one(
    report: &mut Report,
    check: &str,
    group: &GroupSettings,
    create: bool,
    groups: &BTreeMap<GroupName, GroupLook>,
) {
    let (name, wanted) = (&group.name, group.slots.len());
    match groups.get(name) {
        None if create => report.ok(check, format!("{name} is made at the first contact")),
        None => report.fail(
            check,
            format!("pueue has no group {name}"),
            format!("pueue group add {name} --parallel {wanted}, or pueue.create_groups: true"),
        ),
        Some(GroupLook { paused: true, .. }) => report.warn(
            check,
            format!("the group {name} is paused: what is added there waits"),
            format!("pueue start --group {name}"),
        ),
        // More than we ever add does no harm.
        Some(GroupLook { places, .. })
            if *places != 0 && usize::try_from(*places).is_ok_and(|places| places < wanted) =>
        {
            report.warn(
                check,
                format!("the group {name} runs {places} at a time, and we have {wanted} places"),
                format!("pueue parallel --group {name} {wanted}"),
            );
        }
        Some(GroupLook { .. }) => report.ok(check, format!("the group {name} is there")),
    }
}
