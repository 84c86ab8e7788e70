//! One job, or some at once, under one tool: what was said beside what is true.

use super::cases::{Case, INNER, Job};
use super::tool::{Said, Tool};
use anyhow::{Context, Result, ensure};
use powercap_stand_in::{JobGroup, Spec, StandIn};
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Joins the job's group, then becomes what follows.
const JOIN: &str = r#"echo $$ > "$0" && exec "$@""#;

/// What was said of a job, and what it really used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trial {
    pub(super) said: Said,
    /// What it added to the machine's draw, in joules.
    pub(super) dynamic_j: f64,
    /// And its part of the idle machine by capacity.
    pub(super) truth_j: f64,
    /// Its CPU time in seconds.
    pub(super) cpu_s: f64,
}

impl Trial {
    /// In parts of the job's dynamic energy.
    pub(super) fn error(&self) -> f64 {
        (self.said.energy_j - self.truth_j) / self.dynamic_j
    }

    /// In parts of all that the job is held to have used.
    pub(super) fn error_of_all(&self) -> f64 {
        self.said.energy_j / self.truth_j - 1.0
    }

    pub(super) fn is_covered(&self) -> Option<bool> {
        let (low, high) = self.said.range_j?;
        Some(low <= self.truth_j && self.truth_j <= high)
    }

    pub(super) fn j_per_cpu_s(&self) -> f64 {
        self.said.energy_j / self.cpu_s
    }
}

/// Runs the jobs of the case; inner ones come after theirs.
pub(super) fn run(case: &Case, tool: &Tool) -> Result<Vec<(String, Trial)>> {
    let home = tempfile::tempdir()?;
    let sysroot = home.path().join("sysroot");
    fs::create_dir(&sysroot)?;
    let stand_in = StandIn::start(&sysroot, &case.spec)?;
    stand_in.keep_pace()?;
    let _neighbours: Vec<Loop> = case
        .neighbours
        .iter()
        .map(|(cpu, script)| Loop::start(*cpu, script))
        .collect::<Result<_>>()?;
    let follows = case.spec.packages.iter().any(|package| package.smt.is_some());
    let mut started = Vec::new();
    for (number, job) in case.jobs.iter().enumerate() {
        let one = Started::start(
            job,
            tool,
            &sysroot,
            &home.path().join(format!("job-{number}")),
            || {
                let group = JobGroup::create()?;
                if follows {
                    stand_in.follow(&group)?;
                }
                Ok(group)
            },
        )?;
        started.push((job, one));
    }
    let mut trials = Vec::new();
    for (job, mut one) in started {
        let status = one.child.wait()?;
        ensure!(
            status.success(),
            "the job of `{}` under {tool:?} ended with {status}",
            case.name
        );
        // What the kernel has not booked yet when the job ends is booked at the next step.
        std::thread::sleep(4 * case.spec.update_every);
        let followed = if follows { Some(stand_in.unfollow()?) } else { None };
        trials.push((job.name.to_owned(), one.outer.trial(tool, &case.spec, followed)?));
        if let Some(inner) = &one.inner {
            trials.push(("the inner one".to_owned(), inner.trial(tool, &case.spec, None)?));
        }
    }
    stand_in.stop()?;
    Ok(trials)
}

/// A job under way. Its groups go from the inside out.
struct Started {
    child: Child,
    inner: Option<Place>,
    outer: Place,
}

/// Where a job is accounted for, and where it is told what it used.
struct Place {
    directory: PathBuf,
    group: JobGroup,
}

impl Started {
    fn start(
        job: &Job,
        tool: &Tool,
        sysroot: &Path,
        directory: &Path,
        group: impl FnOnce() -> Result<JobGroup>,
    ) -> Result<Self> {
        fs::create_dir(directory)?;
        let outer = Place {
            directory: directory.to_owned(),
            group: group()?,
        };
        let mut script = job.script.clone();
        let mut inner = None;
        if let Some(inside) = &job.inner {
            let place = Place {
                directory: directory.join("inner"),
                group: outer.group.inner()?,
            };
            fs::create_dir(&place.directory)?;
            let words = place.words(tool, sysroot, inside);
            let quoted: Vec<String> = words.iter().map(|word| quoted(&word.to_string_lossy())).collect();
            let call = format!("(cd {} && {})", quoted_path(&place.directory), quoted.join(" "));
            script = script.replace(INNER, &call);
            inner = Some(place);
        }
        let mut words = outer.words(tool, sysroot, &script);
        if let Some(cpu) = job.cpu {
            let pinned = ["taskset", "-c", &cpu.to_string()].map(OsString::from);
            words.splice(0..0, pinned);
        }
        let (program, arguments) = words.split_first().context("no words")?;
        let child = Command::new(program)
            .args(arguments)
            .current_dir(directory)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", directory)
            .stdin(Stdio::null())
            .stdout(File::create(directory.join("stdout"))?)
            .stderr(File::create(directory.join("stderr"))?)
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        Ok(Self { child, inner, outer })
    }
}

impl Place {
    /// The tool around a shell script that joins the group.
    fn words(&self, tool: &Tool, sysroot: &Path, script: &str) -> Vec<OsString> {
        let mut words = tool.words(sysroot, &self.directory);
        words.extend(["sh", "-c", JOIN].map(OsString::from));
        words.push(self.group.procs().into());
        words.extend(["sh", "-c", script].map(OsString::from));
        words
    }

    /// `followed` has the dynamic energy where CPU time alone does not tell.
    fn trial(&self, tool: &Tool, spec: &Spec, followed: Option<Vec<u64>>) -> Result<Trial> {
        let busy_ns = self.group.busy_ns()?;
        let dynamic_uj: u64 = match followed {
            Some(energy) => energy.iter().sum(),
            None => spec.dynamic_uj(&busy_ns)?.iter().sum(),
        };
        let kept = 1.0 - tool.interrupted(&self.directory)?;
        let dynamic_j = dynamic_uj as f64 / 1e6 * kept;
        let seconds = |cpu: &u32| busy_ns.get(*cpu as usize).map_or(0.0, |ns| *ns as f64 / 1e9);
        let idle_j: f64 = spec
            .packages
            .iter()
            .map(|package| {
                let busy_s: f64 = package.cpus.iter().map(seconds).sum();
                package.idle_w * busy_s * kept / package.cpus.len() as f64
            })
            .sum();
        Ok(Trial {
            said: tool.said(&self.directory)?,
            dynamic_j,
            truth_j: dynamic_j + idle_j,
            cpu_s: busy_ns.iter().sum::<u64>() as f64 / 1e9,
        })
    }
}

/// As one word of a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn quoted_path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

/// A stranger's shell script, ended when dropped.
struct Loop(Child);

impl Loop {
    fn start(cpu: Option<u32>, script: &str) -> Result<Self> {
        let mut command = match cpu {
            Some(cpu) => {
                let mut command = Command::new("taskset");
                command.args(["-c", &cpu.to_string(), "sh"]);
                command
            }
            None => Command::new("sh"),
        };
        let child = command.args(["-c", script]).stdin(Stdio::null()).spawn();
        child.map(Self).context("cannot start a neighbour")
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        self.0.wait().map(drop).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_in_a_script_stays_one_word() {
        let inner = r#"echo 'a "b"' "$0" `c`"#;
        let output = Command::new("sh")
            .args(["-c", &format!("printf %s {}", quoted(inner))])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), inner);
    }

    #[test]
    fn an_error_is_in_parts_of_what_the_job_added() {
        let trial = Trial {
            said: Said {
                energy_j: 121.0,
                range_j: Some((119.0, 123.0)),
            },
            dynamic_j: 100.0,
            truth_j: 120.0,
            cpu_s: 2.0,
        };
        assert!((trial.error() - 0.01).abs() < 1e-12);
        assert!((trial.error_of_all() - 1.0 / 120.0).abs() < 1e-12);
        assert_eq!(trial.is_covered(), Some(true));
        let narrow = Said {
            range_j: Some((120.5, 121.5)),
            ..trial.said
        };
        assert_eq!(
            Trial {
                said: narrow,
                ..trial
            }
            .is_covered(),
            Some(false)
        );
    }
}
