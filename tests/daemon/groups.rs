//! What runs already, by its control group: as a container runtime starts it.

use crate::deadline::until;
use crate::raw::{Raw, as_user};
use crate::rights;
use crate::service::{NOBODY, Service, WORK};
use serde_json::json;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A group of cgroup2, removed in the end.
struct Group {
    path: PathBuf,
    inside: Vec<Child>,
}

impl Group {
    /// `None`, and said so, without a hierarchy of version 2.
    fn create(test: &str, name: &str) -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let mut fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let Some(mount) = fields.find(|fields| fields.get(2) == Some(&"cgroup2")) else {
            rights::not_run(test, "a mounted cgroup2 hierarchy");
            return None;
        };
        let path = Path::new(mount[1]).join(format!("carbon-run-test-{}-{name}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Some(Self {
            path,
            inside: Vec::new(),
        })
    }

    fn procs(&self) -> PathBuf {
        self.path.join("cgroup.procs")
    }

    /// Runs a script in it, in this test's name and not below any carbon-run.
    fn run(&mut self, script: &str) {
        let child = Command::new("sh")
            .args(["-c", "echo $$ >\"$0\" && exec sh -c \"$1\""])
            .arg(self.procs())
            .arg(script)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let pid = child.id().to_string();
        let procs = self.procs();
        until("the process to be in its group", || {
            fs::read_to_string(&procs)
                .unwrap()
                .lines()
                .any(|line| line == pid)
        });
        self.inside.push(child);
    }

    fn named(&self) -> String {
        self.path
            .strip_prefix("/sys/fs/cgroup")
            .unwrap()
            .display()
            .to_string()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for mut child in self.inside.drain(..) {
            child.kill().unwrap_or_default();
            child.wait().map(drop).unwrap_or_default();
        }
        let procs = self.procs();
        until("the group to be empty", || {
            fs::read_to_string(&procs).is_ok_and(|procs| procs.is_empty())
        });
        fs::remove_dir(&self.path).unwrap_or_default();
    }
}

/// Two seconds of a CPU, then nothing for ever.
fn worker() -> String {
    format!("{WORK}{WORK}touch \"$DONE\"; exec sleep 300")
}

#[test]
fn what_runs_in_a_named_group_is_counted_from_then_on_by_the_daemon_and_without_it() {
    let test = "what_runs_in_a_named_group_is_counted_from_then_on_by_the_daemon_and_without_it";
    if !rights::root(test) {
        return;
    }
    let service = Service::start(&[]);
    for accounting in ["daemon", "ebpf"] {
        let Some(mut group) = Group::create(test, accounting) else {
            return;
        };
        let done = service.home().join(format!("done-{accounting}"));
        let script = format!("DONE={}; {}", done.display(), worker());
        // A thread of many, started long before, must not bring its past with it.
        group.run(&format!(
            "{WORK}touch {0}.first; while [ ! -e {0}.go ]; do sleep 0.01; done; {script}",
            done.display()
        ));
        let first = PathBuf::from(format!("{}.first", done.display()));
        until("its past", || first.exists());
        let job = format!(
            "touch {0}.go; while [ ! -e {0} ]; do sleep 0.01; done",
            done.display()
        );
        let flags = ["--accounting", accounting, "--cgroup", &group.named()];
        let ended = service.job_with(&[], accounting, &flags, &job).end();
        assert_eq!(ended.backend(), accounting);
        assert_eq!(ended.report["accounting"]["lost"], 0);
        let stat = fs::read_to_string(format!("/proc/{}/stat", group.inside[0].id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let all = (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0;
        // Two thirds of its life's work, and the waiting loops of both.
        assert!(
            (0.55 * all..0.85 * all + 0.5).contains(&ended.cpu_s()),
            "{} of {all} s by {accounting}",
            ended.cpu_s()
        );
        assert!(!ended.codes().contains(&"cgroup-not-counted"));
    }
}

#[test]
fn a_group_that_is_not_there_or_is_not_yours_is_named_and_the_job_runs() {
    let test = "a_group_that_is_not_there_or_is_not_yours_is_named_and_the_job_runs";
    if !rights::root(test) {
        return;
    }
    let service = Service::start(&[]);
    let Some(mut group) = Group::create(test, "other") else {
        return;
    };
    group.run("exec sleep 300");
    for (wrapper, named, why) in [
        (&[][..], "no/such/group", "No such file"),
        (&NOBODY[..], &*group.named(), "not delegated to you"),
        (&[][..], "../../../etc", "not below"),
    ] {
        let ended = service
            .job_with(wrapper, "job", &["--cgroup", named], "true")
            .end();
        let warnings = ended.report["quality"]["warnings"].to_string();
        assert!(ended.codes().contains(&"cgroup-not-counted"), "{warnings}");
        assert!(warnings.contains(why), "{warnings}");
    }
    let ended = service
        .job_with(
            &[],
            "job",
            &["--accounting", "procfs", "--cgroup", &group.named()],
            "true",
        )
        .end();
    assert!(ended.codes().contains(&"cgroup-not-counted"));
}

#[test]
fn a_user_may_give_away_a_delegated_group_and_no_link_to_another() {
    const MALLORY: libc::uid_t = 4711;
    let test = "a_user_may_give_away_a_delegated_group_and_no_link_to_another";
    if !rights::root(test) {
        return;
    }
    let service = Service::start(&[]);
    let socket = service.socket();
    let (Some(mut own), Some(mut other)) = (Group::create(test, "own"), Group::create(test, "others")) else {
        return;
    };
    for path in [&own.path, &own.procs()] {
        chown(path, Some(MALLORY), None).unwrap();
    }
    own.run("exec sleep 300");
    other.run("exec sleep 300");
    as_user(MALLORY, || {
        let mut raw = Raw::greeted(&socket);
        raw.open();
        assert_eq!(
            raw.refusal(&json!({"adopt": {"cgroup": other.named()}})),
            "failed"
        );
        let around = format!("{}/../{}", own.named(), other.path.file_name().unwrap().display());
        assert_eq!(raw.refusal(&json!({"adopt": {"cgroup": around}})), "failed");
        assert_eq!(raw.ask(&json!("living")), json!({"living": 0}));
        assert_eq!(raw.ask(&json!({"adopt": {"cgroup": own.named()}})), json!("done"));
        assert_eq!(raw.ask(&json!("living")), json!({"living": 1}));
        // Twice is once.
        raw.ask(&json!({"adopt": {"cgroup": own.named()}}));
        assert_eq!(raw.ask(&json!("living")), json!({"living": 1}));
        // Nor can another job have it.
        let mut second = Raw::greeted(&socket);
        second.open();
        second.ask(&json!({"adopt": {"cgroup": own.named()}}));
        assert_eq!(second.ask(&json!("living")), json!({"living": 0}));
    });
}
