//! Down the ladder to the first rung that holds.

use super::{Accounting, AccountingError, cgroup, daemon, ebpf, perf, procfs};
use crate::model::recording::{AccountingFacts, Backend, CpuGroup, Declined};

/// An opened rung, and the facts for the recording.
pub struct Opened {
    /// The rung.
    pub accounting: Box<dyn Accounting>,
    /// Which it is, and why no better one is.
    pub facts: AccountingFacts,
}

/// Climbs down the ladder to the first rung that holds; `wanted` names the only one to try.
///
/// Where there are several groups of CPUs, a rung that counts the job only as a whole is passed over for a lower one
/// that counts it in each: whose energy the job is charged with matters more than its last percent.
///
/// `siblings` has, by CPU number, the other hardware thread of its core.
///
/// # Errors
/// When the wanted rung, or the last one, does not work.
pub fn open(
    wanted: Option<Backend>,
    groups: &[CpuGroup],
    siblings: &[Option<u32>],
) -> Result<Opened, AccountingError> {
    climb(wanted, |backend| open_rung(backend, groups, siblings))
}

type Rung = Result<Box<dyn Accounting>, AccountingError>;

fn open_rung(backend: Backend, groups: &[CpuGroup], siblings: &[Option<u32>]) -> Rung {
    Ok(match backend {
        // Its meters are the daemon's, too, so it is opened before anything else: by the session.
        Backend::Daemon => return Err(daemon::DaemonError::Refused("it was not asked".to_owned()).into()),
        Backend::Ebpf => Box::new(ebpf::Ebpf::open(groups, siblings)?),
        Backend::Perf => Box::new(perf::Perf::open(groups)?),
        Backend::Cgroup => Box::new(cgroup::Cgroup::open(groups)?),
        Backend::Procfs => Box::new(procfs::Procfs::open(groups)?),
    })
}

fn climb(
    wanted: Option<Backend>,
    mut open_rung: impl FnMut(Backend) -> Rung,
) -> Result<Opened, AccountingError> {
    let mut declined = Vec::new();
    if let Some(backend) = wanted {
        return open_rung(backend).map(|accounting| opened(accounting, declined));
    }
    // The first that works, but counts the job as a whole; with what had been declined by then.
    let mut whole = None;
    for backend in [Backend::Ebpf, Backend::Perf, Backend::Cgroup] {
        match open_rung(backend) {
            Ok(accounting) if accounting.tells_groups_apart() => return Ok(opened(accounting, declined)),
            Ok(accounting) => {
                whole.get_or_insert_with(|| (accounting, declined.clone()));
                declined.push(Declined {
                    backend,
                    reason: "here it cannot tell the job's time on one package from that on another"
                        .to_owned(),
                    remedy: None,
                });
            }
            Err(error) => declined.push(Declined {
                backend,
                reason: error.to_string(),
                remedy: error.remedy(),
            }),
        }
    }
    match whole {
        Some((accounting, declined)) => Ok(opened(accounting, declined)),
        None => open_rung(Backend::Procfs).map(|accounting| opened(accounting, declined)),
    }
}

impl Opened {
    /// The best rung, with which none is declined.
    #[must_use]
    pub fn of(accounting: Box<dyn Accounting>) -> Self {
        opened(accounting, Vec::new())
    }

    /// With a better one that could not be used.
    #[must_use]
    pub fn declining(mut self, better: Option<Declined>) -> Self {
        self.facts.declined.splice(0..0, better);
        self
    }
}

fn opened(accounting: Box<dyn Accounting>, declined: Vec<Declined>) -> Opened {
    let facts = AccountingFacts {
        backend: accounting.backend(),
        declined,
    };
    Opened { accounting, facts }
}

#[cfg(test)]
mod tests {
    use super::super::machine::MachineError;
    use super::super::{Closing, Sample};
    use super::*;

    /// A rung of which only the name and one property matter.
    struct Fake {
        backend: Backend,
        apart: bool,
    }

    impl Accounting for Fake {
        fn backend(&self) -> Backend {
            self.backend
        }
        fn tells_groups_apart(&self) -> bool {
            self.apart
        }
        fn arm(&mut self) -> Result<(), AccountingError> {
            Err(broken())
        }
        fn disarm(&mut self, _child: u32) -> Result<(), AccountingError> {
            Err(broken())
        }
        fn sample(&mut self) -> Result<Sample, AccountingError> {
            Err(broken())
        }
        fn members(&mut self) -> Vec<u32> {
            Vec::new()
        }
        fn living(&mut self) -> u64 {
            0
        }
        fn close(&mut self, _child: u32) -> Closing {
            Closing::default()
        }
    }

    fn broken() -> AccountingError {
        MachineError::Stat(std::io::Error::other("not here")).into()
    }

    /// Climbs where each rung either does not work (`None`) or tells groups apart or not. Which rung it was, and what
    /// was declined.
    fn climbed(rungs: [Option<bool>; 4]) -> Option<(Backend, Vec<Backend>)> {
        let by_backend = |backend| {
            let ladder = [Backend::Ebpf, Backend::Perf, Backend::Cgroup, Backend::Procfs];
            ladder.iter().position(|one| *one == backend).unwrap()
        };
        let opened = climb(None, |backend| match rungs[by_backend(backend)] {
            Some(apart) => Ok(Box::new(Fake { backend, apart })),
            None => Err(broken()),
        })
        .ok()?;
        let declined = opened.facts.declined.iter().map(|declined| declined.backend);
        Some((opened.facts.backend, declined.collect()))
    }

    #[test]
    fn the_first_rung_that_holds_is_taken_and_the_better_ones_are_named() {
        use Backend::{Cgroup, Ebpf, Perf, Procfs};
        let works = Some(true);
        assert_eq!(climbed([works; 4]), Some((Ebpf, vec![])));
        assert_eq!(climbed([None, works, works, works]), Some((Perf, vec![Ebpf])));
        assert_eq!(
            climbed([None, None, works, works]),
            Some((Cgroup, vec![Ebpf, Perf]))
        );
        assert_eq!(
            climbed([None, None, None, works]),
            Some((Procfs, vec![Ebpf, Perf, Cgroup]))
        );
        assert_eq!(climbed([None; 4]), None);
    }

    #[test]
    fn a_rung_that_tells_packages_apart_is_preferred_to_a_better_one_that_does_not() {
        use Backend::{Cgroup, Ebpf, Perf, Procfs};
        let (apart, whole) = (Some(true), Some(false));
        assert_eq!(
            climbed([None, whole, apart, whole]),
            Some((Cgroup, vec![Ebpf, Perf]))
        );
        assert_eq!(climbed([None, whole, whole, whole]), Some((Perf, vec![Ebpf])));
        assert_eq!(climbed([None, whole, None, whole]), Some((Perf, vec![Ebpf])));
        assert_eq!(
            climbed([None, None, whole, whole]),
            Some((Cgroup, vec![Ebpf, Perf]))
        );
        assert_eq!(
            climbed([None, None, None, whole]),
            Some((Procfs, vec![Ebpf, Perf, Cgroup]))
        );
    }

    #[test]
    fn a_wanted_rung_is_the_only_one_that_is_tried() {
        let mut tried = Vec::new();
        let outcome = climb(Some(Backend::Cgroup), |backend| {
            tried.push(backend);
            Err(broken())
        });
        assert!(outcome.is_err());
        assert_eq!(tried, [Backend::Cgroup]);
    }
}
