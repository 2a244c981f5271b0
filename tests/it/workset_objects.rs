//! Objects in S3 that a workset names: asked for once all else is there, before anything is
//! shipped; what is missing rejects the case, and what does not answer says nothing of it.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use daylily_lifecycle::case::{Case, ConditionName, State, StateName};
use daylily_lifecycle::ids::{Actor, ByteCount, FolderIdentity};
use daylily_lifecycle::observation::{Observation, Observed};
use daylily_lifecycle::outcome::{Fault, FaultClass};
use daylily_lifecycle::record::{Recorded, record};
use daylily_watch::adapters::host::Progress;
use daylily_watch::clock::{Clock, SystemClock};
use daylily_watch::config::{self, IntakeSettings, Settings};
use daylily_watch::intake::workset::heads::Head;
use daylily_watch::intake::workset::heads::fake::FakeHeads;
use daylily_watch::reconcile::here::disk::Disk;
use daylily_watch::reconcile::here::{Comparison, Here, Scan};
use tokio_util::sync::CancellationToken;

const SAMPLES: &str = "RUN_ID\tSAMPLE_ID\tEXPERIMENTID\tSAMPLE_TYPE\tLIB_PREP\tSEQ_VENDOR\t\
    SEQ_PLATFORM\tLANE\tSEQBC_ID\tPATH_TO_CONCORDANCE_DATA_DIR\tR1_FQ\tR2_FQ\n\
    R0\tHG002\tx4\tblood\tno\tILMN\tX\t0\tS1\ts3://b/giab/\ts3://b/R1.gz\ts3://b/R2.gz\n";

struct Scene {
    dir: tempfile::TempDir,
    settings: Settings,
    heads: Arc<FakeHeads>,
    disk: Disk,
    case: Case,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["new_cases/ws", "state"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        fs::write(
            dir.path().join("config.yaml"),
            "intakes: [{name: new_cases, path: ./new_cases, settle: {quiet: 0s}}]\n\
             headnodes: [{name: hpc, host: local, work_dir: ./work, \
             groups: [{name: default, slots: 1}]}]\n",
        )
        .unwrap();
        let settings = config::load(&dir.path().join("config.yaml")).unwrap();
        let heads = Arc::new(FakeHeads::default());
        for key in ["R1.gz", "R2.gz"] {
            heads.put(&format!("s3://b/{key}"), Head::Found { bytes: ByteCount(1) });
        }
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let disk = Disk::new(clock).asking(Some(heads.clone()));
        let folder = dir.path().join("new_cases/ws");
        let Observation::Appeared(mut appeared) = daylily_lifecycle::diagram::appeared(None) else {
            unreachable!()
        };
        appeared.path = folder.display().to_string();
        appeared.intake = settings.intakes[0].name.clone();
        appeared.folder = None::<FolderIdentity>;
        let Recorded::Changed(case) = record(None, &seen(Observation::Appeared(appeared))) else {
            unreachable!()
        };
        let scene = Self { dir, settings, heads, disk, case: *case };
        scene.write("daylily_work.yaml", "dy-r: x\n");
        scene.write("stage_samples.tsv", SAMPLES);
        scene
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("new_cases/ws")
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder().join(name), text).unwrap();
    }

    fn intake(&self) -> &IntakeSettings {
        &self.settings.intakes[0]
    }

    fn take_in(&mut self, what: Observation) {
        if let Recorded::Changed(case) = record(Some(&self.case), &seen(what)) {
            self.case = *case;
        }
    }

    async fn scan(&mut self) {
        let now = SystemClock.now();
        let scan = self.disk.scan(&self.case, self.intake(), &self.settings, now).await.unwrap();
        let Scan::Saw(scanned) = scan else { panic!("it is there") };
        self.take_in(Observation::Scanned(scanned));
    }

    async fn compare(&mut self) -> Result<(), Fault> {
        let (progress, stop) = (Arc::new(Progress::default()), CancellationToken::new());
        let compared = self.disk.compare(&self.case, self.intake(), &progress, &stop).await?;
        let Comparison::Done { manifest, problems } = compared else { panic!("{compared:?}") };
        let fingerprint = self.case.content.fingerprint.clone().unwrap();
        let compared = daylily_lifecycle::case::Compared { manifest, fingerprint, problems };
        self.take_in(Observation::Compared(compared));
        Ok(())
    }

    fn detail(&self, name: ConditionName) -> &str {
        &self.case.condition(name).unwrap().detail
    }
}

fn seen(what: Observation) -> Observed {
    Observed { at: SystemClock.now(), actor: Actor::new("test"), what }
}

fn with(test: impl AsyncFnOnce(Scene)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test(Scene::new()));
}

#[test]
fn objects_that_are_there_are_asked_for_once_and_the_case_is_ready() {
    with(async |mut scene| {
        scene.scan().await;
        assert_eq!(scene.case.state.name(), StateName::Arriving);
        let waiting = "the 2 objects in S3 are compared with what stage_samples.tsv says";
        assert_eq!(scene.detail(ConditionName::Checksums), waiting);
        assert!(
            scene.detail(ConditionName::Manifest).ends_with("; 1 place in S3 is not looked at")
        );
        scene.compare().await.unwrap();
        scene.scan().await;
        assert_eq!(scene.case.state.name(), StateName::Ready);
        let held = "the 2 objects in S3 are as stage_samples.tsv says";
        assert_eq!(scene.detail(ConditionName::Checksums), held);
        assert_eq!(scene.case.order.workset.as_ref().unwrap().command, "x");
        scene.scan().await;
        assert_eq!(scene.heads.asked().len(), 2);
    });
}

#[test]
fn objects_that_are_missing_or_refused_reject_it_until_the_folder_changes() {
    with(async |mut scene| {
        scene.heads.put("s3://b/R1.gz", Head::Missing);
        scene.heads.put("s3://b/R2.gz", Head::Forbidden);
        scene.scan().await;
        scene.compare().await.unwrap();
        scene.scan().await;
        let State::Rejected { problems, .. } = &scene.case.state else {
            panic!("{:?}", scene.case.state)
        };
        assert_eq!(problems.len(), 2);
        assert!(
            problems[0].starts_with("stage_samples.tsv:2:47: R1_FQ: `s3://b/R1.gz` is not there")
        );
        assert!(problems[1].contains("S3 refuses to tell of `s3://b/R2.gz`"), "{problems:?}");
        for key in ["R1.gz", "R2.gz"] {
            scene.heads.put(&format!("s3://b/{key}"), Head::Found { bytes: ByteCount(1) });
        }
        // As `touch` does.
        let file = fs::File::options().append(true).open(scene.folder().join("stage_samples.tsv"));
        let times = fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH);
        file.unwrap().set_times(times).unwrap();
        scene.scan().await;
        assert_eq!(scene.case.state.name(), StateName::Arriving);
        scene.compare().await.unwrap();
        scene.scan().await;
        assert_eq!(scene.case.state.name(), StateName::Ready);
    });
}

#[test]
fn an_s3_that_does_not_answer_is_a_step_that_is_tried_again() {
    with(async |mut scene| {
        let why = || "no answer for 10 s".to_owned();
        scene.heads.put("s3://b/R1.gz", Head::Missing);
        for (head, class) in [
            (Head::Throttled { why: why() }, FaultClass::Throttled),
            (Head::Unreachable { why: why() }, FaultClass::TransientStep),
        ] {
            scene.heads.put("s3://b/R2.gz", head);
            scene.scan().await;
            let fault = scene.compare().await.unwrap_err();
            assert_eq!(fault.class, class);
            assert!(
                fault.text.contains("`s3://b/R2.gz`: no answer for 10 s (1 of 2"),
                "{}",
                fault.text
            );
            scene.scan().await;
            assert_eq!(scene.case.state.name(), StateName::Arriving);
        }
    });
}

#[test]
fn a_list_of_checksums_counts_beside_the_tables() {
    with(async |mut scene| {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        scene.write("reads", "not empty");
        scene.write("SHA256SUMS", &format!("{empty}  reads\n"));
        scene.scan().await;
        let waiting = "its files and the 2 objects in S3 are compared with what \
                       stage_samples.tsv and SHA256SUMS say";
        assert_eq!(scene.detail(ConditionName::Checksums), waiting);
        scene.compare().await.unwrap();
        scene.scan().await;
        let State::Rejected { problems, .. } = &scene.case.state else {
            panic!("{:?}", scene.case.state)
        };
        assert!(problems[0].starts_with("reads is not what SHA256SUMS says"), "{problems:?}");
    });
}
