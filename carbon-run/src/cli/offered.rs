//! Values that the help lists and the completions offer.

use crate::model::recording::{Backend, IdlePolicy};
use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command};
use std::ffi::{OsStr, OsString};

/// Offers values to the help and to the completions and lets every value pass: the settings refuse a wrong one in the
/// same words whichever layer it comes from.
#[derive(Clone)]
pub(super) struct Offered(pub(super) fn() -> Vec<PossibleValue>);

impl TypedValueParser for Offered {
    type Value = OsString;

    fn parse_ref(&self, _: &Command, _: Option<&Arg>, value: &OsStr) -> Result<OsString, clap::Error> {
        Ok(value.to_owned())
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new((self.0)().into_iter()))
    }
}

pub(super) fn idle_policies() -> Vec<PossibleValue> {
    let policies = IdlePolicy::ALL.into_iter();
    policies
        .map(|policy| {
            PossibleValue::new(policy.name()).help(match policy {
                IdlePolicy::None => "nobody: the job gets only what it added",
                IdlePolicy::Capacity => "the job, by the part of the machine's CPU time that it used",
                IdlePolicy::Allocated => "the job, by the part of the CPUs that are allocated to it",
                IdlePolicy::Busy => "the job, by its part of the busy time; moves with the neighbours",
                IdlePolicy::All => "the job: the machine is its own",
            })
        })
        .collect()
}

pub(super) fn webhook_formats() -> Vec<PossibleValue> {
    vec![
        PossibleValue::new("report").help("the JSON report"),
        PossibleValue::new("codecarbon")
            .help("the cells of emissions.csv and the user's name, as CodeCarbon sends them"),
    ]
}

pub(super) fn backends() -> Vec<PossibleValue> {
    vec![
        PossibleValue::new("auto").help("the best that this machine and your rights allow"),
        PossibleValue::new(Backend::Daemon.name())
            .help("the daemon's eBPF program and meters; needs no rights"),
        PossibleValue::new(Backend::Ebpf.name())
            .help("an eBPF program on the scheduler; needs CAP_BPF and CAP_PERFMON"),
        PossibleValue::new(Backend::Perf.name())
            .help("the kernel's task clock; needs no rights where perf_event_paranoid is 2 or less"),
        PossibleValue::new(Backend::Cgroup.name())
            .help("a control group for the job; needs root, or a group that is delegated to you"),
        PossibleValue::new(Backend::Procfs.name())
            .help("/proc and what ended processes used; needs no rights"),
    ]
}

pub(super) fn live_providers() -> Vec<PossibleValue> {
    vec![
        PossibleValue::new("electricity-maps").help("by zone, with a token; lifecycle, average"),
        PossibleValue::new("uk").help("Great Britain and its regions, without a token; direct, average"),
        PossibleValue::new("watttime").help("by region, with USER:PASSWORD for a token; marginal"),
        PossibleValue::new("generic").help("any address that answers with JSON"),
        PossibleValue::new("off").help("nobody, whatever a config file says"),
    ]
}
