//! Owns how each fault strikes a round, and how it is mended.

use nix::sys::signal::Signal;

use super::round::{Disks, GPUS, PLACES, Round, SEEN_LATER};
use super::schedule::{Fault, Step};
use super::victims;
use crate::system::world::now;

impl Round {
    /// False: there is nobody whom it could meet.
    pub(super) fn strike(&mut self, step: &Step) -> bool {
        let pick = |sides: usize| {
            let sides = u64::try_from(sides).expect("it is small");
            usize::try_from(step.victim % sides).expect("it is small")
        };
        match step.fault {
            Fault::DaemonKilled => self.world.kill(),
            Fault::DaemonFrozen => self.world.signal(Signal::SIGSTOP),
            Fault::MasterKilled => return one_dies(victims::masters(&self.world), pick),
            Fault::RsyncKilled => return one_dies(victims::rsyncs(&self.world), pick),
            Fault::SessionKilled => return one_dies(victims::sessions(&self.world), pick),
            Fault::MasterFrozen => {
                let masters = victims::masters(&self.world);
                if masters.is_empty() {
                    return false;
                }
                self.freeze(vec![masters[pick(masters.len())]]);
            }
            Fault::JobFrozen => {
                let mut jobs = victims::jobs(&self.world);
                if jobs.is_empty() {
                    return false;
                }
                let (attempt, pids) = jobs.swap_remove(pick(jobs.len()));
                self.evidence.stopped.insert(attempt);
                self.freeze(pids);
            }
            Fault::LinesCut => self.world.ground.sshd().cut(),
            Fault::SshdStopped => self.world.ground.sshd_mut().stop(),
            Fault::SshdFrozen => self.world.ground.sshd().freeze(),
            Fault::PueuedKilled => self.world.ground.pueued_mut().kill_9(),
            Fault::PueuedFrozen => self.world.ground.pueued().freeze(),
            Fault::PueuedEmptied => {
                self.world.ground.pueued_mut().kill_9();
                self.world.ground.pueued().empty_state();
            }
            Fault::JobKilled | Fault::CommandKilled => return self.kill_job(step, pick),
            Fault::Rebooted => self.power_fails(),
            Fault::StateFull => self.disks().state.fill(),
            Fault::ResultsFull => self.disks().results.fill(),
            Fault::WorkFull => self.disks().work.fill(),
        }
        self.broken.push((step.fault, self.begun.elapsed() + step.lasts));
        true
    }

    fn freeze(&mut self, pids: Vec<i32>) {
        pids.iter().for_each(|&pid| victims::signal(pid, Signal::SIGSTOP));
        self.frozen.extend(pids);
    }

    fn kill_job(&mut self, step: &Step, pick: impl Fn(usize) -> usize) -> bool {
        let mut jobs = victims::jobs(&self.world);
        let all = step.fault == Fault::JobKilled;
        let met = |pids: &[i32]| if all { pids.to_vec() } else { victims::command_of(pids) };
        // A job that is met before its command has begun is of interest too.
        let any = all && step.victim.is_multiple_of(3);
        let runs = self.world.runs();
        let executes = |id: &str| runs.iter().any(|r| r.attempt == id && r.ended_ns.is_none());
        jobs.retain(|(id, pids)| !met(pids).is_empty() && (any || executes(id)));
        if jobs.is_empty() {
            return false;
        }
        let (attempt, pids) = jobs.swap_remove(pick(jobs.len()));
        if all {
            victims::kill_all("the job is gone", || {
                let jobs = victims::jobs(&self.world).into_iter();
                jobs.filter(|(id, _)| *id == attempt).flat_map(|(_, pids)| pids).collect()
            });
        } else {
            met(&pids).into_iter().for_each(|pid| victims::signal(pid, Signal::SIGKILL));
        }
        self.evidence.killed.insert(attempt, now_ns());
        true
    }

    /// All that runs on the headnode is gone at once.
    fn power_fails(&mut self) {
        self.world.ground.sshd().freeze();
        let mut attempts: Vec<String> =
            victims::jobs(&self.world).into_iter().map(|(attempt, _)| attempt).collect();
        if self.world.ground.site().has_pueue() {
            self.world.ground.pueued_mut().kill_9();
        }
        self.world.ground.sshd_mut().stop();
        victims::kill_all("nothing runs on the headnode", || {
            attempts.extend(victims::jobs(&self.world).into_iter().map(|(attempt, _)| attempt));
            victims::on_the_headnode(&self.world)
        });
        let at = now_ns();
        self.evidence.killed.extend(attempts.into_iter().map(|attempt| (attempt, at)));
        let mut dice = self.dice.clone();
        self.disks().boot.change(&mut dice);
        self.dice = dice;
    }

    /// What was broken is whole again.
    pub(super) fn mend(&mut self, fault: Fault) {
        match fault {
            Fault::DaemonKilled => {
                if !self.world.is_started() {
                    self.world.spawn();
                }
            }
            Fault::DaemonFrozen => self.world.signal(Signal::SIGCONT),
            Fault::SshdStopped => self.world.ground.sshd_mut().start_again(),
            Fault::SshdFrozen => self.world.ground.sshd().thaw(),
            Fault::PueuedKilled | Fault::PueuedEmptied => self.pueued_starts(),
            Fault::PueuedFrozen => self.world.ground.pueued().thaw(),
            Fault::Rebooted => {
                self.world.ground.sshd_mut().start_again();
                if self.world.ground.site().has_pueue() {
                    self.pueued_starts();
                }
            }
            Fault::StateFull => {
                self.disks().state.empty();
                self.full_until = self.begun.elapsed() + SEEN_LATER;
            }
            Fault::ResultsFull => self.disks().results.empty(),
            Fault::WorkFull => self.disks().work.empty(),
            Fault::MasterFrozen | Fault::JobFrozen => {
                for pid in self.frozen.drain(..) {
                    victims::signal(pid, Signal::SIGCONT);
                }
            }
            Fault::MasterKilled
            | Fault::RsyncKilled
            | Fault::SessionKilled
            | Fault::LinesCut
            | Fault::JobKilled
            | Fault::CommandKilled => {}
        }
    }

    /// It may have lost its groups and their places, which a person makes anew.
    fn pueued_starts(&mut self) {
        self.world.ground.pueued_mut().start_again();
        let pueued = self.world.ground.pueued();
        let gpus = GPUS.to_string();
        pueued.cli(&["group", "add", "--parallel", &gpus, "gpu_a"]);
        pueued.must(&["parallel", "--group", "gpu_a", &gpus]);
        pueued.must(&["parallel", "--group", "default", &PLACES.to_string()]);
    }

    fn disks(&self) -> &Disks {
        self.disks.as_ref().expect("nothing of it is in the schedule without mounts")
    }
}

/// False: there is none.
fn one_dies(among: Vec<i32>, pick: impl Fn(usize) -> usize) -> bool {
    let Some(_) = among.first() else { return false };
    victims::signal(among[pick(among.len())], Signal::SIGKILL);
    true
}

/// Whether one cannot begin before the other is mended.
pub(super) fn clash(one: Fault, other: Fault) -> bool {
    let part = |fault: Fault| match fault {
        Fault::DaemonKilled | Fault::DaemonFrozen => 1_u8,
        Fault::LinesCut | Fault::SshdStopped | Fault::SshdFrozen | Fault::SessionKilled => 2,
        Fault::PueuedKilled | Fault::PueuedFrozen | Fault::PueuedEmptied => 4,
        Fault::Rebooted => 2 + 4,
        Fault::StateFull => 8,
        Fault::ResultsFull => 16,
        Fault::WorkFull => 32,
        Fault::MasterFrozen | Fault::JobFrozen => 64,
        Fault::MasterKilled | Fault::RsyncKilled | Fault::JobKilled | Fault::CommandKilled => 0,
    };
    part(one) & part(other) != 0
}

fn now_ns() -> u128 {
    u128::try_from(now().as_nanosecond()).expect("it is after 1970")
}
