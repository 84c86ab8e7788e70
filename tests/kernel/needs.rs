//! What these tests need of the machine. Nothing is skipped silently: without it a test says `not run: ...`, and where
//! the environment has `CI` it fails.

use crate::group;
use std::error::Error;
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A test's end.
pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// Most tests can run beside others: accounts of CPU time do not mind. Some want fewer neighbours, or are themselves
/// neighbours that others should not have: a microsecond of every switch is prev's in one account and next's in another.
static MACHINE: RwLock<()> = RwLock::new(());

/// A place on the machine for the length of a test.
pub(crate) enum Turn {
    /// Beside others.
    Shared { _guard: RwLockReadGuard<'static, ()> },
    /// Without the other tests of this file.
    Alone { _guard: RwLockWriteGuard<'static, ()> },
}

/// What is missing for eBPF beside a reference, if anything.
fn missing() -> Option<&'static str> {
    if !nix::unistd::geteuid().is_root() {
        return Some("needs root, to load eBPF programs and to make control groups");
    }
    if !std::path::Path::new("/sys/kernel/btf/vmlinux").exists() {
        return Some("needs a kernel with CONFIG_DEBUG_INFO_BTF");
    }
    group::mount()
        .is_none()
        .then_some("needs a mounted cgroup2 hierarchy, the reference for CPU time")
}

#[expect(clippy::print_stderr, reason = "a test that is not run has to say so")]
pub(crate) fn not_run(why: &str) -> Outcome {
    if std::env::var_os("CI").is_some() {
        return Err(format!("not run: {why}").into());
    }
    eprintln!("not run: {why}");
    Ok(())
}

/// Beside other tests; `None` when something is missing, which has been said.
pub(crate) fn a_kernel() -> Result<Option<Turn>, Box<dyn Error>> {
    if let Some(why) = missing() {
        return not_run(why).map(|()| None);
    }
    let guard = MACHINE.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(Some(Turn::Shared { _guard: guard }))
}

/// As [`a_kernel`], where a user without rights may count the time of own tasks.
pub(crate) fn a_kernel_open_to_perf() -> Result<Option<Turn>, Box<dyn Error>> {
    let paranoid = std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid");
    let level = paranoid.ok().and_then(|text| text.trim().parse::<i32>().ok());
    if level.is_none_or(|level| level > 2) {
        return not_run("needs perf events, with kernel.perf_event_paranoid at most 2").map(|()| None);
    }
    a_kernel()
}

/// Without the other tests of this file.
pub(crate) fn a_kernel_alone() -> Result<Option<Turn>, Box<dyn Error>> {
    if let Some(why) = missing() {
        return not_run(why).map(|()| None);
    }
    let guard = MACHINE.write().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(Some(Turn::Alone { _guard: guard }))
}

/// As [`a_kernel_alone`], with CPUs 0 and 1 to use.
pub(crate) fn two_cpus_alone() -> Result<Option<Turn>, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/stat")?;
    if !["cpu0 ", "cpu1 "]
        .iter()
        .all(|cpu| text.lines().any(|line| line.starts_with(cpu)))
    {
        return not_run("needs CPUs 0 and 1").map(|()| None);
    }
    a_kernel_alone()
}

/// As [`two_cpus_alone`], where CPU 1 can be taken offline. Everybody else on the machine then has one CPU less, so it is only
/// done where somebody asks for it.
pub(crate) fn a_removable_cpu() -> Result<Option<Turn>, Box<dyn Error>> {
    if std::env::var_os("CARBON_RUN_TEST_HOTPLUG").is_none() {
        return not_run("needs CARBON_RUN_TEST_HOTPLUG=1, for it takes CPU 1 offline for a while")
            .map(|()| None);
    }
    if !std::path::Path::new("/sys/devices/system/cpu/cpu1/online").exists() {
        return not_run("needs a CPU 1 that can be taken offline").map(|()| None);
    }
    two_cpus_alone()
}
