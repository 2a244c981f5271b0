//! Owns a scene for the command line: a configuration, a database with cases that were
//! recorded by hand, a clock that stands still, and what a verb printed.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use daylily_lifecycle::action::Wake;
use daylily_lifecycle::diagram::{self, at, seen};
use daylily_lifecycle::ids::{
    AttemptId, CaseId, CaseName, FolderIdentity, GroupName, HeadnodeName, IntakeName,
};
use daylily_lifecycle::observation::{AttemptSeed, Observation, Observed};
use daylily_lifecycle::plan::plan;
use daylily_lifecycle::record::Recorded;
use daylily_watch::app::VERSION;
use daylily_watch::cli::desk::Desk;
use daylily_watch::cli::printer::Printer;
use daylily_watch::cli::{Exit, Outcome};
use daylily_watch::clock::FakeClock;
use daylily_watch::config;
use daylily_watch::reconcile::surroundings::{Surroundings, policy};
use daylily_watch::store::{Planned, Store};
use jiff::Timestamp;
use tempfile::TempDir;

const CONFIG: &str = r#"
timezone: Europe/Berlin
intakes:
  - {name: new, path: ./new_cases}
  - {name: other, path: ./other_cases}
headnodes:
  - name: hpc
    host: local
    work_dir: ./work
    groups:
      - {name: gpu_a, gpus: [0, 1]}
      - {name: default, slots: 1}
"#;

/// 14:03:20 CET, the moment at which all verbs of a scene look.
pub(crate) fn now() -> Timestamp {
    at(200)
}

pub(crate) struct Scene {
    dir: TempDir,
    pub(crate) store: Store,
    pub(crate) clock: Arc<FakeClock>,
}

/// What a verb said and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) talk: String,
    pub(crate) exit: Exit,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(dir.path().join("config.yaml"), CONFIG).expect("it can be written");
        let (store, _) = Store::open(&dir.path().join("state"), at(0), VERSION).expect("it opens");
        let scene = Self { dir, store, clock: Arc::new(FakeClock::new(now())) };
        let gpus = vec![Some("0".to_owned()), Some("1".to_owned())];
        let groups = vec![(GroupName::new("gpu_a"), gpus), (GroupName::new("default"), vec![None])];
        let store = &scene.store;
        let intakes = vec![IntakeName::new("new"), IntakeName::new("other")];
        store.sync_intakes(intakes).await.expect("it is stored");
        store.sync_headnodes(vec![hpc()]).await.expect("it is stored");
        store.sync_slots(hpc(), groups).await.expect("it is stored");
        scene
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.path("state")
    }

    /// Records a case of this name and all that happened to it, a second apart.
    pub(crate) async fn case(&self, name: &str, happened: Vec<Observation>) -> CaseId {
        let id = id_of(name);
        let Observation::Appeared(mut appeared) = diagram::appeared(None) else {
            panic!("it is an appearance");
        };
        appeared.case = id.clone();
        appeared.name = CaseName::new(name);
        appeared.path = format!("/srv/new/{name}");
        appeared.folder = Some(FolderIdentity::new(name));
        self.record(&id, seen(0, Observation::Appeared(appeared))).await;
        for (second, what) in (1_i64..).zip(happened) {
            self.record(&id, seen(second, what)).await;
        }
        id
    }

    pub(crate) async fn record(&self, id: &CaseId, observed: Observed) {
        let told = format!("{observed:?}");
        let recorded = self.store.record(id.clone(), observed).await.expect("it is stored");
        assert!(matches!(recorded, Recorded::Changed(_)), "{recorded:?} of {told}");
    }

    /// Gives every case its sentence, as the daemon does.
    pub(crate) async fn plan(&self) {
        let reader = self.store.reader().expect("it opens");
        let settings = config::load(&self.path("config.yaml")).expect("it is valid");
        let around = Surroundings::read(&reader, &self.state_dir()).expect("it can be read");
        let plans = reader.live_cases().expect("it can be read").into_iter().map(|case| {
            let made = plan(&case, &around.of(&case), &policy(&settings, &case), now());
            let wake_at = match made.wake {
                Wake::At(at) => Some(at),
                Wake::Poll(_) | Wake::Slot(_) | Wake::Person | Wake::Never => None,
            };
            Planned { case: case.id, version: case.version, because: made.because, wake_at }
        });
        self.store.planned(plans.collect()).await.expect("it is stored");
    }

    /// A daemon seems to run.
    pub(crate) fn alive(&self) {
        let text = format!(
            r#"{{"pid": 4711, "version": "1.2.3", "started_at": "{}", "at": "{}", "loops": {{}}}}"#,
            at(0),
            now()
        );
        std::fs::write(self.state_dir().join("alive.json"), text).expect("it can be written");
    }

    pub(crate) fn desk(&self) -> Desk {
        let settings = config::load(&self.path("config.yaml")).expect("it is valid");
        Desk::new(settings, self.clock.clone()).expect("the database is there")
    }

    pub(crate) fn say(&self, verb: impl FnOnce(&Desk, &mut Printer) -> Outcome) -> Said {
        say(&self.desk(), self.dir.path(), verb)
    }
}

/// Lets a verb speak at a desk; `dir` is hidden in what it said.
pub(crate) fn say(
    desk: &Desk,
    dir: &Path,
    verb: impl FnOnce(&Desk, &mut Printer) -> Outcome,
) -> Said {
    let (out, talk) = (Page::default(), Page::default());
    let mut printer = Printer::new(Box::new(out.clone()), Box::new(talk.clone()));
    let exit = verb(desk, &mut printer).expect("it works");
    let hide = |page: &Page| page.text().replace(&*dir.to_string_lossy(), "/here");
    Said { out: hide(&out), talk: hide(&talk), exit }
}

#[derive(Debug, Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8(bytes.clone()).expect("verbs print UTF-8")
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub(crate) fn hpc() -> HeadnodeName {
    HeadnodeName::new("hpc")
}

pub(crate) fn id_of(name: &str) -> CaseId {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    CaseId::new(format!("01JD{letters:0>22}").to_ascii_uppercase())
}

/// The first attempt of the case of this name.
pub(crate) fn attempt_of(name: &str) -> AttemptId {
    AttemptId::new(format!("dw-{}", id_of(name)))
}

pub(crate) fn seed(name: &str, work_dir: &Path) -> AttemptSeed {
    let mut seed = diagram::seed(1);
    let work_dir = work_dir.to_string_lossy();
    seed.id = attempt_of(name);
    seed.place.work_dir = work_dir.to_string();
    seed.place.remote_dir = format!("{work_dir}/new/{name}");
    seed.place.attempt_dir = format!("{work_dir}/.daylily-watch/{}", seed.id);
    seed
}
