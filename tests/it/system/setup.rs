//! Owns what a configuration for a world looks like: short times, jobs that tell of
//! themselves, and whatever a test wants otherwise.

use std::path::Path;

/// What a test wants of its world. Text goes into the file as it is.
pub(crate) struct Setup {
    pub(crate) quiet: &'static str,
    pub(crate) rescan: &'static str,
    /// More keys of `settle`, each with a comma before it.
    pub(crate) settle: String,
    /// More lines of the intake.
    pub(crate) intake: Vec<String>,
    pub(crate) queue: &'static str,
    /// The list of groups.
    pub(crate) groups: String,
    /// More lines of the headnode.
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
    /// As whom the daemon runs; None: as the tests do.
    pub(crate) uid: Option<u32>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            quiet: "1s",
            rescan: "1m",
            settle: String::new(),
            intake: vec!["existing: process".to_owned()],
            queue: "direct",
            groups: "[{name: default, slots: 2}]".to_owned(),
            headnode: Vec::new(),
            job: "cp input out.txt".to_owned(),
            pipeline: Vec::new(),
            fetch: "[out.txt]",
            lost_after: "2m",
            retry: "{first: 500ms, most: 2s, for: 12h}",
            more: Vec::new(),
            uid: None,
        }
    }
}

/// A job that ends when the test says so.
pub(crate) const UNTIL_LET_GO: &str = "until [ -e \"$GO\" ]; do sleep 0.05; done; cp input out.txt";

impl Setup {
    pub(crate) fn job(job: &str) -> Self {
        Self { job: job.to_owned(), ..Self::default() }
    }

    pub(crate) fn slots(mut self, slots: usize) -> Self {
        self.groups = format!("[{{name: default, slots: {slots}}}]");
        self
    }

    pub(crate) fn yaml(&self, dir: &Path) -> String {
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
poll: {{min: 200ms, max: 2s}}
results: {{fetch: {fetch}}}
{more}intakes:
  - name: new_cases
    path: ./new_cases
    rescan: {rescan}
    settle: {{quiet: {quiet}{settle}}}
{intake}headnodes:
  - name: here
    host: local
    work_dir: ./work
    queue: {queue}
    groups: {groups}
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
            fetch = self.fetch,
            more = lines("", &self.more),
            rescan = self.rescan,
            quiet = self.quiet,
            settle = self.settle,
            intake = lines("    ", &self.intake),
            queue = self.queue,
            groups = self.groups,
            headnode = lines("    ", &self.headnode),
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
