//! Owns asking pueue without a work_dir, for whoever wants to know whether it could be
//! used. It changes nothing and keeps nothing.

use daylily_lifecycle::outcome::{Fault, FaultClass};

use super::{Doing, GRACE, Missed, PueueSettings, asked, listed, trouble, version_in};
use crate::adapters::host::shell::{Answer, Ask, Ran, Shell};
use crate::adapters::queue::QueueLook;

const LOOK: &str =
    concat!(include_str!("scripts/client.sh"), "\n", include_str!("scripts/look.sh"));
const VERSION: &str =
    concat!(include_str!("scripts/client.sh"), "\n", include_str!("scripts/version.sh"));

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// Of the client.
    pub version: String,
    pub look: QueueLook,
}

/// One look, with the faults that a [`Queue`](crate::adapters::queue::Queue) would have.
pub async fn inspect(shell: &impl Shell, settings: &PueueSettings) -> Result<Inspected, Fault> {
    let version = version_in(settings, &ask(shell, settings, VERSION, 4096).await?)?;
    let answer = ask(shell, settings, LOOK, settings.list_max).await?;
    let headnode = &settings.headnode;
    let odd = |why: &str| {
        let text = format!(
            "the list of pueue on {headnode} cannot be understood: {why}\n\
             hint: use pueue 3.4 or 4 there"
        );
        Fault::new(FaultClass::FatalHost, text)
    };
    match listed(settings, &answer) {
        Ok(look) => Ok(Inspected { version, look }),
        Err(Missed::Fault(fault)) => Err(fault),
        Err(Missed::HungUp(around, said)) => {
            Err(trouble::wrong_secret(asked(settings, Doing::Looking, &around), &said))
        }
        Err(Missed::Odd(why, _)) => Err(odd(&why.to_string())),
        Err(Missed::TooLong(_)) => {
            Err(odd(&format!("it has more than {} bytes", settings.list_max)))
        }
    }
}

async fn ask(
    shell: &impl Shell,
    settings: &PueueSettings,
    script: &'static str,
    keep: usize,
) -> Result<Answer, Fault> {
    let args = vec![settings.command.clone(), settings.patience.as_secs_f64().to_string()];
    let limit = settings.patience + GRACE;
    match shell.run(Ask { script, args, stdin: &[], limit, keep }).await? {
        Ran::Ended(answer) => Ok(answer),
        Ran::TimedOut => {
            let text = format!("{} has not answered for {} s", settings.headnode, limit.as_secs());
            Err(Fault::new(FaultClass::TransientHost, text))
        }
    }
}
