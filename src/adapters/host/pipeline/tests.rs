//! The command of a workset, run by the shells of this machine with stubs of what it calls.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use daylily_lifecycle::workset_run::{TableCopy, WorksetRun};

use super::{WorksetPlace, put_in, workset_command};

/// Each would leave a file `pwned` where it is run.
const HOSTILE: [&str; 9] = [
    "$(touch pwned)",
    "`touch pwned`",
    "'; touch pwned; '",
    "\"; touch pwned; \"",
    "a b  c ",
    "-rf",
    "two\nlines; touch pwned",
    "\\'; touch pwned #",
    "*?[x] {a,b} ~ !!",
];

struct Scene {
    dir: tempfile::TempDir,
}

impl Scene {
    /// A case in `case`, an attempt directory in `attempt`, and a `day-clone` that makes and
    /// names `clones/<its second argument>`.
    fn new() -> Self {
        let scene = Self { dir: tempfile::tempdir().unwrap() };
        for folder in ["case", "attempt", "clones", "bin"] {
            fs::create_dir(scene.path(folder)).unwrap();
        }
        scene.write("case/s.tsv", "samples\n");
        scene.program(
            "day-clone",
            "printf '%s\\0' \"$@\" >\"$OUT/clone.args\"; pwd >\"$OUT/clone.pwd\"\n\
             mkdir \"$OUT/clones/$2\" || exit 1\n\
             cp \"$OUT/dyoainit\" \"$OUT/clones/$2/\"\n\
             echo Locations are many\necho 'Great success'\n\
             printf 'LOCATION  : %s \\r\\n' \"$OUT/clones/$2\"\necho location of nothing >&2\n",
        );
        // As in the field: what follows is aliases, which a line knows only once they are there.
        scene.write(
            "dyoainit",
            "printf '%s\\n' \"$#\" >\"$OUT/init.args\"\nalias dy-a='activate given'\n\
             alias dy-r=\"$OUT/bin/run\"\n\
             activate() { printf '%s\\0' \"$@\" >\"$OUT/a.args\"; pwd >\"$OUT/a.pwd\"; ACTIVE=yes; export ACTIVE; }\n",
        );
        scene.program(
            "run",
            "printf '%s\\0' \"$@\" >\"$OUT/r.args\"; env -0 >\"$OUT/r.env\"\n\
             cp config/samples.tsv \"$OUT/r.samples\"\n[ -z \"$LEAVES\" ] || touch \"$LEAVES\"\nexit \"${CODE:-0}\"\n",
        );
        scene
    }

    fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    fn write(&self, below: &str, text: &str) {
        fs::write(self.path(below), text).unwrap();
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.path("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn run(&self, shell: &str, run: &WorksetRun, workset: &str, workdir_name: &str) -> Output {
        let (dir, attempt_dir) = (self.path("case"), self.path("attempt"));
        let place = WorksetPlace {
            dir: dir.to_str().unwrap(),
            attempt_dir: attempt_dir.to_str().unwrap(),
            workset,
            workdir_name,
        };
        #[allow(clippy::disallowed_methods, reason = "what a job would run")]
        let mut command = Command::new(shell);
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", self.path("bin").display());
        command.arg("-c").arg(workset_command(run, &place).unwrap()).env_clear();
        command.env("PATH", path).env("OUT", self.dir.path()).env("DAYLILY_ATTEMPT", "dw-1");
        command.current_dir(dir).stdin(Stdio::null()).output().unwrap()
    }

    /// What a stub was given.
    fn args(&self, stub: &str) -> Vec<String> {
        let bytes = fs::read(self.path(&format!("{stub}.args"))).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let mut args: Vec<String> = text.split('\0').map(str::to_owned).collect();
        args.pop();
        args
    }

    fn next_attempt(&self) {
        fs::remove_dir_all(self.path("attempt")).unwrap();
        fs::create_dir(self.path("attempt")).unwrap();
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn plain(command: &str) -> WorksetRun {
    WorksetRun {
        clone: Some(words(&["-d", "{workdir_name}", "-t", "main"])),
        workdir_name: "x".to_owned(),
        run_directory: None,
        tables: vec![TableCopy { from: "s.tsv".to_owned(), to: "config/samples.tsv".to_owned() }],
        dy_a_args: words(&["slurm", "hg38"]),
        command: command.to_owned(),
        environment: BTreeMap::new(),
    }
}

fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[track_caller]
fn nothing_was_run(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        assert_ne!(entry.file_name(), "pwned", "{}", entry.path().display());
        if entry.file_type().unwrap().is_dir() {
            nothing_was_run(&entry.path());
        }
    }
}

#[test]
fn everything_is_called_in_the_clone_with_its_own_words() {
    for shell in ["sh", "bash", "dash"] {
        let scene = Scene::new();
        let mut run =
            plain("produce -p --config aligners=[\"sent\",\"bwa2a\"] 'a b' \"$ACTIVE\" $A");
        run.environment.insert("A".to_owned(), "from the workset".to_owned());
        let output = scene.run(shell, &run, "ws", "ws");
        assert_eq!(said(&output), (Some(0), "location of nothing\n".to_owned()), "{shell}");
        assert_eq!(scene.args("clone"), ["-d", "ws", "-t", "main"]);
        assert_eq!(scene.args("a"), ["given", "slurm", "hg38"]);
        // Shell text: quotes go, variables come.
        let expected = [
            "produce",
            "-p",
            "--config",
            "aligners=[sent,bwa2a]",
            "a b",
            "yes",
            "from",
            "the",
            "workset",
        ];
        assert_eq!(scene.args("r"), expected, "{shell}");
        let text = |name: &str| fs::read_to_string(scene.path(name)).unwrap();
        assert_eq!(text("init.args"), "0\n");
        assert_eq!(text("clone.pwd").trim(), scene.path("case").to_str().unwrap());
        assert_eq!(text("a.pwd").trim(), scene.path("clones/ws").to_str().unwrap());
        assert_eq!(text("r.samples"), "samples\n");
        assert_eq!(fs::read_link(scene.path("attempt/pipeline")).unwrap(), scene.path("clones/ws"));
        assert!(String::from_utf8_lossy(&output.stdout).contains("Great success"));
    }
}

#[test]
fn hostile_values_in_every_field_reach_no_shell() {
    for (shell, value) in ["sh", "bash"].iter().flat_map(|shell| HOSTILE.map(|v| (shell, v))) {
        let scene = Scene::new();
        let table = value.replace('/', "_");
        scene.write(&format!("case/{table}"), "samples\n");
        let mut run = plain("x");
        run.clone = Some(words(&["-d", "clone", value, "{workset}{workdir_name}"]));
        run.dy_a_args = words(&[value]);
        run.environment.insert("A".to_owned(), value.to_owned());
        run.tables = vec![
            TableCopy { from: table.clone(), to: "config/samples.tsv".to_owned() },
            TableCopy { from: "s.tsv".to_owned(), to: format!("{table}/{table}") },
        ];
        fs::create_dir_all(scene.path("case").join(format!("in {table}"))).unwrap();
        run.run_directory = Some(format!("in {table}"));
        let output = scene.run(shell, &run, value, "{workset}");
        assert_eq!(said(&output).0, Some(0), "{value}: {:?}", said(&output));
        let both = format!("{value}{{workset}}");
        assert_eq!(scene.args("clone"), ["-d", "clone", value, both.as_str()]);
        assert_eq!(scene.args("a"), ["given", value]);
        let env = fs::read(scene.path("r.env")).unwrap();
        let wanted = format!("A={value}");
        assert!(env.split(|&b| b == 0).any(|variable| variable == wanted.as_bytes()), "{value}");
        assert!(scene.path("clones/clone").join(&table).join(&table).is_file(), "{value}");
        nothing_was_run(scene.dir.path());
    }
}

#[test]
fn evidence_of_the_pipeline_counts_beside_the_exit_code() {
    for (leaves, code, expected, words) in [
        ("daylily.successful_run", 0, 0, ""),
        ("", 0, 0, ""),
        ("daylily.failed_run", 0, 94, "daylily.failed_run is there"),
        ("daylily.failed_run", 7, 7, ""),
        ("daylily.successful_run", 7, 7, "daylily.successful_run is there"),
    ] {
        let scene = Scene::new();
        let mut run = plain("x");
        run.environment.insert("LEAVES".to_owned(), leaves.to_owned());
        run.environment.insert("CODE".to_owned(), code.to_string());
        let (code, told) = said(&scene.run("sh", &run, "ws", "ws"));
        assert_eq!(code, Some(expected), "{leaves} {told}");
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn what_an_earlier_run_left_is_no_evidence_and_is_kept() {
    let scene = Scene::new();
    let run = WorksetRun { clone: None, ..plain("x") };
    scene.write("case/daylily.failed_run", "old");
    fs::copy(scene.path("dyoainit"), scene.path("case/dyoainit")).unwrap();
    assert_eq!(said(&scene.run("sh", &run, "ws", "ws")), (Some(0), String::new()));
    let kept = fs::read_to_string(scene.path("case/daylily.failed_run.before-dw-1"));
    assert_eq!(kept.unwrap(), "old");
    assert!(!scene.path("clone.args").exists_or_panic());
}

#[test]
fn a_clone_is_of_one_attempt() {
    let scene = Scene::new();
    assert_eq!(said(&scene.run("sh", &plain("x"), "ws", "ws")).0, Some(0));
    // day-clone itself refuses where it finds the directory.
    scene.next_attempt();
    let (code, told) = said(&scene.run("sh", &plain("x"), "ws", "ws"));
    assert!((code == Some(93)) && told.contains("day-clone ended with exit code 1"), "{told}");
    // One that does not is stopped all the same, and nothing of the pipeline is run.
    scene.next_attempt();
    fs::remove_file(scene.path("r.args")).unwrap();
    scene.program("day-clone", "echo location \"$OUT/clones/ws\"\n");
    let (code, told) = said(&scene.run("sh", &plain("x"), "ws", "ws"));
    assert_eq!(code, Some(93));
    assert!(told.contains("is no fresh clone: dw-1 was there before"), "{told}");
    assert!(!scene.path("r.args").exists_or_panic());
    scene.next_attempt();
    fs::remove_file(scene.path("clones/ws/.daylily-attempt")).unwrap();
    assert_eq!(said(&scene.run("sh", &plain("x"), "ws", "ws")).0, Some(0));
}

#[test]
fn what_cannot_be_begun_is_told_and_runs_nothing() {
    let check = |change: &dyn Fn(&Scene, &mut WorksetRun), words: &str| {
        for shell in ["sh", "bash"] {
            let scene = Scene::new();
            let mut run = plain("x");
            change(&scene, &mut run);
            let (code, told) = said(&scene.run(shell, &run, "ws", "ws"));
            assert_eq!(code, Some(93), "{words}: {told}");
            assert!(told.contains(words), "{words}: {told}");
            assert!(!scene.path("r.args").exists_or_panic(), "{words}");
        }
    };
    check(&|_, run| run.run_directory = Some("/nowhere".to_owned()), "/nowhere cannot be entered");
    check(&|scene, _| scene.program("day-clone", "exit 5\n"), "day-clone ended with exit code 5");
    check(&|scene, _| scene.program("day-clone", "echo done\n"), "named no directory");
    check(&|scene, _| scene.program("day-clone", "echo location: /nowhere\n"), "cannot be entered");
    check(&|_, run| run.tables[0].from = "gone".to_owned(), "could not be copied");
    check(&|scene, _| scene.write("dyoainit", "exit 0\n"), "dy-r was not run");
}

#[test]
fn what_ends_badly_before_dy_r_is_how_it_ends() {
    let scene = Scene::new();
    scene.write("dyoainit", "return 3\n");
    assert_eq!(said(&scene.run("sh", &plain("x"), "ws", "ws")).0, Some(3));
    assert!(!scene.path("r.args").exists_or_panic());
}

#[test]
fn what_is_put_in_is_not_looked_at_again() {
    let place =
        WorksetPlace { dir: "", attempt_dir: "", workset: "{workdir_name}", workdir_name: "w" };
    assert_eq!(put_in("{a}{workset}-{workdir_name}{", &place), "{a}{workdir_name}-w{");
}

trait ExistsOrPanic {
    fn exists_or_panic(&self) -> bool;
}

impl ExistsOrPanic for PathBuf {
    fn exists_or_panic(&self) -> bool {
        self.try_exists().unwrap()
    }
}

#[test]
fn the_longest_command_that_is_taken_is_one_argument_that_linux_takes() {
    let scene = Scene::new();
    // Together 96 KiB, quoted: each counts 4, 13 and 4 times.
    let quotes = "'".repeat((96 << 10) / 21);
    let mut run = plain(": \"$A\"");
    run.command = format!(": \"{quotes}\"");
    run.dy_a_args = words(&[&quotes]);
    run.environment.insert("A".to_owned(), quotes.clone());
    let (code, told) = said(&scene.run("sh", &run, "ws", "ws"));
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(scene.args("a"), ["given", quotes.as_str()]);
}
