//! Owns what can be typed: the words of the command line as they are parsed. What they
//! mean with the configuration beside them is for each verb's file.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

const EXITS: &str = "Exit codes: 0 done, 1 the answer is no (a failed case, something unhealthy), \
2 the words or the configuration are wrong, 3 the daemon or a host cannot be reached.";

const CHECK: &str = "Findings are named configuration, state_dir, database, daemon, \
intake.NAME..., program.ssh, program.rsync, results and now; of a headnode headnode.NAME with \
.groups, .ssh, .login, .work_dir, .clock, .owner, .programs, .proofs, .rsync, .command, .pueue, \
.group.GROUP, .jobs and .probe. docs/operations.md says what each means and what to do.";

/// A case runs once; if we are unsure, we ask you; and at any moment one sentence says
/// where it is and why.
#[derive(Debug, Parser)]
#[command(name = "daylily-watch", version, max_term_width = 100, after_help = EXITS)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,

    /// Process what is there and exit when every case has ended or waits for a person: with 0
    /// if all went well, with 1 and a list if one failed in this run or waits for a person. A
    /// headnode that does not answer is waited for.
    #[arg(long)]
    pub run_once: bool,

    /// Show what would be done, and do nothing.
    #[arg(long, conflicts_with = "run_once")]
    pub dry_run: bool,

    #[command(subcommand)]
    pub verb: Option<Verb>,
}

#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The configuration. Without it: $DAYLILY_WATCH_CONFIG, ./config.yaml,
    /// ~/.config/daylily-watch/config.yaml, /etc/daylily-watch/config.yaml.
    #[arg(long, short, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// How much is logged.
    #[arg(long, global = true, value_name = "LEVEL",
          value_parser = ["error", "warn", "info", "debug", "trace"])]
    pub log_level: Option<String>,

    /// Where the log goes instead of stderr.
    #[arg(long, global = true, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run the daemon (as does `--config FILE` without a verb).
    Run(Run),
    /// All cases that have not ended, and the last that have.
    Status(Status),
    /// Everything about one case.
    Show(OneCase),
    /// Why a case is where it is: the sentence, its conditions, its changes.
    Why(OneCase),
    /// What happened, oldest first.
    History(History),
    /// The output of a case's job.
    Log(Log),
    /// The slots of every headnode and who has them.
    Slots(Reading),
    /// Whether everything that is needed is there and works, each failure with the line to
    /// paste. One job is run on each headnode the way cases are run, and removed again.
    #[command(after_help = CHECK)]
    Check(Reading),

    /// Go on with the step that failed.
    Retry(Change),
    /// Start again from the beginning, as a new attempt; the earlier result is kept.
    Rerun(Abandonable),
    /// End a case; a job that runs is ended, and that is waited for.
    Cancel(Cancel),
    /// Stop all actions on a case; what runs, runs on and is observed.
    Hold(Change),
    /// Release a held case, or lift a pause.
    Resume(Resume),
    /// Start a case without the condition that is missing.
    Accept(Change),
    /// Change a case's place in the order.
    Priority(Priority),
    /// Write a remark into a case's history.
    Note(Note),
    /// State that nothing of a case's job runs any more; its quarantined slot is freed.
    ConfirmDead(Change),
    /// Stop an intake, a headnode or everything from starting anything new.
    Pause(Pause),
    /// Let a headnode take nothing new; what has its place there ends as ever.
    Drain(Drain),
    /// Take over a headnode that another database owned, and what runs there; its cases
    /// then wait for you.
    Adopt(Adopt),
    /// Read the configuration anew, as a SIGHUP does, without a restart.
    Reload(Reload),
    /// Remove what finished cases have left on their headnodes, where the results are here.
    Clean(Clean),

    /// Copy the database into a file, also while the daemon runs.
    Backup(Backup),
    /// Put such a copy in the place of the database; no daemon may run.
    Restore(Restore),

    /// Tell everything that is wrong with a Daylily workset, before it is sent. Needs no
    /// configuration and no daemon; ends with 0 if it is valid and with 1 if it is not.
    Validate(Validate),
    /// Write an annotated configuration to begin with.
    Init(Init),
    /// Run a small sample case in a temporary folder and show every step.
    Demo(Demo),
    /// Prove on your own headnode, with toy cases, that nothing runs twice and nothing is
    /// lost: a daemon of its own is killed at each step of a case's life and started again.
    /// Takes some minutes and one place of the headnode's first group.
    Selftest(Selftest),
}

#[derive(Debug, Clone, Default, Args)]
pub struct Run {
    /// Process what is there and exit when every case has ended or waits for a person: with 0
    /// if all went well, with 1 and a list if one failed in this run or waits for a person. A
    /// headnode that does not answer is waited for.
    #[arg(long)]
    pub run_once: bool,

    /// Show what would be done, and do nothing.
    #[arg(long, conflicts_with = "run_once")]
    pub dry_run: bool,
}

#[derive(Debug, Clone, Args)]
pub struct Reading {
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Args)]
pub struct Status {
    /// How many of the cases that have ended are listed.
    #[arg(long, default_value_t = 10, value_name = "COUNT")]
    pub ended: u32,

    /// Only cases in this state: arriving, ready, shipping, staged, submitting, queued, running,
    /// returning, succeeded, failed, cancelled, cancelling or rejected, or as the table says it.
    #[arg(long)]
    pub state: Option<String>,

    /// Only cases of this intake.
    #[arg(long)]
    pub intake: Option<String>,

    /// Only cases that wait for a person.
    #[arg(long)]
    pub held: bool,

    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Args)]
pub struct OneCase {
    /// A name, an id, or the beginning of one.
    pub case: String,

    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Args)]
pub struct History {
    /// Only this case.
    pub case: Option<String>,

    /// Keep printing what happens.
    #[arg(long, short)]
    pub follow: bool,

    /// How many entries are shown.
    #[arg(long, default_value_t = 50, value_name = "COUNT")]
    pub last: u32,

    /// As JSON, one object a line.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Args)]
pub struct Log {
    /// A name, an id, or the beginning of one.
    pub case: String,

    /// Keep printing what the job prints, until it ends.
    #[arg(long, short)]
    pub follow: bool,

    /// Of which attempt, counted from 1. Without it: the last.
    #[arg(long, value_name = "NUMBER")]
    pub attempt: Option<u32>,

    /// How many lines of the end are shown; 0 shows all.
    #[arg(long, default_value_t = 100, value_name = "LINES")]
    pub lines: u32,

    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// Which cases are meant: named, or by what they have in common.
#[derive(Debug, Clone, Args)]
pub struct Selection {
    /// Names, ids, or beginnings of them.
    #[arg(required_unless_present_any = ["state", "intake", "held"])]
    pub cases: Vec<String>,

    /// All cases in this state: arriving, ready, shipping, staged, submitting, queued, running,
    /// returning, succeeded, failed, cancelled, cancelling or rejected, or as the table says it.
    #[arg(long, conflicts_with = "cases")]
    pub state: Option<String>,

    /// All cases of this intake that have not ended.
    #[arg(long, conflicts_with = "cases")]
    pub intake: Option<String>,

    /// All cases that wait for a person.
    #[arg(long, conflicts_with = "cases")]
    pub held: bool,
}

#[derive(Debug, Clone, Args)]
pub struct Change {
    #[command(flatten)]
    pub selection: Selection,

    /// Why; stored with who asked.
    #[arg(long, short = 'm')]
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct Abandonable {
    #[command(flatten)]
    pub change: Change,

    /// State that the earlier attempt is dead although its end was not observed.
    #[arg(long)]
    pub abandon: bool,
}

#[derive(Debug, Clone, Args)]
pub struct Cancel {
    /// Names, ids, or beginnings of them.
    #[arg(required_unless_present_any = ["state", "intake", "held", "all"])]
    pub cases: Vec<String>,

    /// All cases in this state: arriving, ready, shipping, staged, submitting, queued, running,
    /// returning, succeeded, failed, cancelled, cancelling or rejected, or as the table says it.
    #[arg(long, conflicts_with = "cases")]
    pub state: Option<String>,

    /// All cases of this intake that have not ended.
    #[arg(long, conflicts_with = "cases")]
    pub intake: Option<String>,

    /// All cases that wait for a person.
    #[arg(long, conflicts_with = "cases")]
    pub held: bool,

    /// Every case that has not ended; asks for their count to be typed.
    #[arg(long, conflicts_with_all = ["cases", "state", "intake", "held"])]
    pub all: bool,

    /// State that the attempt is dead although its end was not observed.
    #[arg(long)]
    pub abandon: bool,

    /// Why; stored with who asked.
    #[arg(long, short = 'm')]
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct Resume {
    /// Names, ids, or beginnings of them.
    #[arg(required_unless_present_any = ["state", "held", "intake", "headnode", "all"])]
    pub cases: Vec<String>,

    /// All held cases in this state: arriving, ready, shipping, staged, submitting, queued, running,
    /// returning, succeeded, failed, cancelled, cancelling or rejected, or as the table says it.
    #[arg(long, conflicts_with = "cases")]
    pub state: Option<String>,

    /// All held cases.
    #[arg(long, conflicts_with = "cases")]
    pub held: bool,

    #[command(flatten)]
    pub paused: Paused,

    /// Why; stored with who asked.
    #[arg(long, short = 'm')]
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct Pause {
    #[command(flatten)]
    pub paused: Paused,

    /// Why; shown wherever something waits because of it.
    #[arg(long, short = 'm')]
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Args)]
#[group(multiple = false)]
pub struct Paused {
    /// The intake of this name.
    #[arg(long, value_name = "NAME")]
    pub intake: Option<String>,

    /// The headnode of this name.
    #[arg(long, value_name = "NAME")]
    pub headnode: Option<String>,

    /// Everything: nothing new ships or starts, running jobs are not touched.
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Clone, Args)]
pub struct Drain {
    /// Its name.
    pub headnode: String,

    /// Return only when no case has a job or a place there any more.
    #[arg(long)]
    pub wait: bool,

    /// Why; stored with who asked.
    #[arg(long, short = 'm')]
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct Priority {
    /// Which.
    pub priority: Rank,

    #[command(flatten)]
    pub change: Change,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Rank {
    Urgent,
    Normal,
    Low,
}

#[derive(Debug, Clone, Args)]
pub struct Note {
    /// The remark.
    #[arg(long, short = 'm')]
    pub text: String,

    #[command(flatten)]
    pub selection: Selection,
}

#[derive(Debug, Clone, Args)]
pub struct Adopt {
    /// The headnode's name in the configuration.
    pub headnode: String,

    /// Why; stored with who asked.
    #[arg(long, short = 'm')]
    pub reason: String,
}

#[derive(Debug, Clone, Args)]
pub struct Reload {
    /// Only tell what would change, and from when on.
    #[arg(long)]
    pub dry_run: bool,

    /// Why; stored with who asked.
    #[arg(long, short = 'm')]
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct Clean {
    /// Names, ids, or beginnings of them. Without any: every case that has ended and whose
    /// results are on this machine.
    pub cases: Vec<String>,

    /// Only cases that ended longer ago than this, such as 30d or 12h.
    #[arg(long, value_name = "DURATION")]
    pub older_than: Option<String>,

    /// Only cases of this headnode.
    #[arg(long, value_name = "NAME")]
    pub headnode: Option<String>,

    /// Tell what would be removed and what is kept, and remove nothing.
    #[arg(long)]
    pub dry_run: bool,

    /// Why; stored with who asked. With it the named cases are removed also where what they
    /// made is nowhere else.
    #[arg(long, short = 'm')]
    pub reason: Option<String>,

    /// As JSON.
    #[arg(long, requires = "dry_run")]
    pub json: bool,
}

#[derive(Debug, Clone, Args)]
pub struct Backup {
    /// The file to write. It must not be there yet.
    pub file: PathBuf,
}

#[derive(Debug, Clone, Args)]
pub struct Restore {
    /// A file that `backup` wrote.
    pub file: PathBuf,

    /// Also have the next start take in, as `adopt` does, what is on every headnode: what
    /// was made since the backup then waits for you. Make sure that no other daemon works
    /// there.
    #[arg(long, requires = "reason")]
    pub adopt: bool,

    /// Why; stored with who asked.
    #[arg(long, short = 'm', requires = "adopt")]
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct Validate {
    /// The folder that daylily_work.yaml is in.
    #[arg(value_name = "DIR")]
    pub workset: String,

    /// Ask S3 for nothing: objects that the tables name are not looked at.
    #[arg(long)]
    pub no_head: bool,

    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Args)]
pub struct Init {
    /// Where to write it. Relative paths below start at its folder.
    #[arg(default_value = "config.yaml")]
    pub file: PathBuf,

    /// The folder that cases are copied into.
    #[arg(long, default_value = "./new_cases", value_name = "DIR")]
    pub intake: PathBuf,

    /// Where cases are run.
    #[arg(long, default_value = "./work", value_name = "DIR")]
    pub work_dir: PathBuf,

    /// Where results go.
    #[arg(long, default_value = "./results", value_name = "DIR")]
    pub results: PathBuf,

    /// What is run in each case's folder.
    #[arg(long, default_value = "dy-r", value_name = "COMMAND")]
    pub command: String,

    /// GPUs of this machine, one slot for each, such as 0,1.
    #[arg(long, value_delimiter = ',', value_name = "LIST", conflicts_with = "slots")]
    pub gpus: Vec<String>,

    /// How many cases run at the same time.
    #[arg(long, value_name = "COUNT")]
    pub slots: Option<u32>,

    /// Results to bring home, such as '*.vcf.gz'; several times for several.
    #[arg(long, value_name = "PATTERN")]
    pub fetch: Vec<String>,
}

#[derive(Debug, Clone, Args)]
pub struct Demo {
    /// Leave the folder, to play with.
    #[arg(long)]
    pub keep: bool,
}

#[derive(Debug, Clone, Args)]
pub struct Selftest {
    /// Kill the daemon at each step.
    #[arg(long)]
    pub chaos: bool,

    /// On which headnode. Without it: the first.
    #[arg(long, value_name = "NAME")]
    pub headnode: Option<String>,

    /// Leave database, results and log of the selftest, to look at.
    #[arg(long)]
    pub keep: bool,

    /// As JSON.
    #[arg(long)]
    pub json: bool,
}
