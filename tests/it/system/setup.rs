//! Owns what a configuration for a world looks like: short times, jobs that tell of
//! themselves, and whatever a test wants otherwise.

use std::path::Path;

use super::site::Site;
use super::world::HEADNODE;
use crate::servers::sshd::Login;

/// A job that ends when the test says so.
pub(crate) const UNTIL_LET_GO: &str = "until [ -e \"$GO\" ]; do sleep 0.05; done; cp input out.txt";

/// What a test wants of its world. Text goes into the file as it is.
pub(crate) struct Setup {
    pub(crate) site: Site,
    pub(crate) quiet: &'static str,
    pub(crate) rescan: &'static str,
    /// More keys of `settle`, each with a comma before it.
    pub(crate) settle: String,
    /// More lines of the intake.
    pub(crate) intake: Vec<String>,
    /// The list of groups.
    pub(crate) groups: String,
    /// More lines of the headnode; `{dir}` is the folder of the world.
    pub(crate) headnode: Vec<String>,
    /// What a job does between its two records.
    pub(crate) job: String,
    /// More lines of the pipeline.
    pub(crate) pipeline: Vec<String>,
    pub(crate) fetch: &'static str,
    pub(crate) lost_after: &'static str,
    pub(crate) retry: &'static str,
    /// More lines at the top.
    pub(crate) more: Vec<String>,
    /// What meets commands behind sshd.
    pub(crate) login: Login,
    /// More keys of `ssh`, each with a comma before it.
    pub(crate) ssh: String,
    pub(crate) poll: &'static str,
    /// Whether what goes to sshd is counted.
    pub(crate) metered: bool,
    /// No pueue lies where the headnode looks for it.
    pub(crate) no_pueue: bool,
    /// Nobody has made the groups in pueue.
    pub(crate) no_groups: bool,
    /// As whom the daemon runs; None: as the tests do.
    pub(crate) uid: Option<u32>,
}

impl Setup {
    /// Nothing special.
    pub(crate) fn at(site: Site) -> Self {
        Self {
            site,
            quiet: "1s",
            rescan: "1m",
            settle: String::new(),
            intake: vec!["existing: process".to_owned()],
            groups: "[{name: default, slots: 2}]".to_owned(),
            headnode: Vec::new(),
            job: "cp input out.txt".to_owned(),
            pipeline: Vec::new(),
            fetch: "[out.txt]",
            lost_after: "2m",
            retry: "{first: 500ms, most: 2s, for: 12h}",
            more: Vec::new(),
            login: Login::Plain,
            ssh: String::new(),
            poll: "{min: 200ms, max: 2s}",
            metered: false,
            no_pueue: false,
            no_groups: false,
            uid: None,
        }
    }

    pub(crate) fn job(site: Site, job: &str) -> Self {
        Self { job: job.to_owned(), ..Self::at(site) }
    }

    pub(crate) fn slots(mut self, slots: usize) -> Self {
        self.groups = format!("[{{name: default, slots: {slots}}}]");
        self
    }

    /// `ground` are the lines of the headnode that say where it is.
    pub(crate) fn yaml(&self, dir: &Path, ground: &[String]) -> String {
        let lines = |indent: &str, lines: &[String]| -> String {
            lines.iter().map(|line| format!("{indent}{line}\n")).collect()
        };
        let record = |what: &str| {
            format!(
                "printf '{what}\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\n' \"$DAYLILY_ATTEMPT\" \"$$\" \
                 \"$(date +%s%N)\" \"$DAYLILY_CASE\" \"$DAYLILY_SLOT\" \
                 \"${{CUDA_VISIBLE_DEVICES-none}}\" >>\"$RUNS\""
            )
        };
        format!(
            "timezone: UTC
lost_after: {lost_after}
retry: {retry}
poll: {poll}
results: {{fetch: {fetch}}}
{more}intakes:
  - name: new_cases
    path: ./new_cases
    rescan: {rescan}
    settle: {{quiet: {quiet}{settle}}}
{intake}headnodes:
  - name: {HEADNODE}
{ground}    groups: {groups}
{headnode}pipelines:
  default:
    env: {{RUNS: \"{runs}\", GO: \"{go}\", ELSEWHERE: \"{elsewhere}\"}}
    command: |
      {start}
      ({job})
      status=$?
      {end}
      exit $status
{pipeline}",
            lost_after = self.lost_after,
            retry = self.retry,
            poll = self.poll,
            ground = lines("    ", ground),
            fetch = self.fetch,
            more = lines("", &self.more),
            rescan = self.rescan,
            quiet = self.quiet,
            settle = self.settle,
            intake = lines("    ", &self.intake),
            groups = self.groups,
            headnode = lines("    ", &self.headnode).replace("{dir}", &dir.to_string_lossy()),
            runs = dir.join("elsewhere/runs").display(),
            go = dir.join("elsewhere/go").display(),
            elsewhere = dir.join("elsewhere").display(),
            start = record("start"),
            job = self.job.replace('\n', "\n      "),
            end = record("end"),
            pipeline = lines("    ", &self.pipeline),
        )
    }
}

/// What is said of a headnode where a small copy is to take its time. On this machine a
/// large one does.
pub(crate) fn slowly(site: Site, rate: &str) -> Vec<String> {
    if site.is_far() { vec![format!("bandwidth: {rate}")] } else { Vec::new() }
}
