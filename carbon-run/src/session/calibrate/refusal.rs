//! Why nothing was calibrated, and what to do about it.

use crate::host::HostError;
use crate::host::activity::{ActivityError, Busy};
use crate::model::report::GpuOutcome;
use crate::sink::SinkError;

/// Why nothing was measured. Nothing was kept, either.
#[derive(Debug, thiserror::Error)]
pub enum NotCalibrated {
    /// No meter can be read.
    #[error("there is no energy meter to calibrate: {reason}")]
    NoMeter {
        /// Why.
        reason: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// Somebody is at work.
    #[error(
        "the machine is not quiet: {busy:.2} CPUs are busy, at most {allowed:.2} may be{}",
        names(processes)
    )]
    Busy {
        /// Busy CPUs, without our own.
        busy: f64,
        /// How many may be.
        allowed: f64,
        /// By whom, where a process can be named.
        processes: Vec<Busy>,
    },
    /// A domain could not be read.
    #[error("`{domain}` could not be read while the machine was quiet")]
    Unread {
        /// Its name.
        domain: String,
    },
    /// There are GPUs alone, and none of them could be seen idle.
    #[error("no GPU could be calibrated: {}", reasons(gpus))]
    NoIdleGpu {
        /// Each with its reason.
        gpus: Vec<GpuOutcome>,
    },
    /// A CPU could not be kept busy.
    #[error("CPU {cpu} cannot be kept busy: {source}")]
    Spin {
        /// Its number.
        cpu: u32,
        /// Why.
        source: std::io::Error,
    },
    /// The CPUs cannot be told.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Nobody says how busy they are.
    #[error(transparent)]
    Activity(#[from] ActivityError),
    /// There is no place for it.
    #[error(transparent)]
    Sink(#[from] SinkError),
}

fn names(processes: &[Busy]) -> String {
    let named: Vec<String> = processes
        .iter()
        .map(|one| format!("`{}` ({}) used {:.2} s", one.name, one.pid, one.seconds))
        .collect();
    if named.is_empty() {
        String::new()
    } else {
        format!("; {}", named.join(", "))
    }
}

fn reasons(gpus: &[GpuOutcome]) -> String {
    let reasons = gpus
        .iter()
        .filter_map(|gpu| Some(format!("`{}`: {}", gpu.name, gpu.left_out.as_ref()?)));
    reasons.collect::<Vec<_>>().join("; ")
}

impl NotCalibrated {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoMeter { hint, .. } => hint.clone(),
            Self::Busy { processes, .. } if processes.is_empty() => {
                Some("wait until nothing runs; it may be the kernel, or many short processes".to_owned())
            }
            Self::Busy { .. } => Some("stop them, or try again when they have ended".to_owned()),
            Self::NoIdleGpu { .. } => Some(
                "wait until nobody works on them; a context that does nothing may be held meanwhile"
                    .to_owned(),
            ),
            Self::Unread { .. } => Some("`carbon-run doctor` looks at each counter".to_owned()),
            Self::Spin { .. } => {
                Some("calibrate where every CPU may be used, outside of any cpuset".to_owned())
            }
            Self::Sink(error) => error
                .hint()
                .or_else(|| Some("name a directory with `--state-dir`".to_owned())),
            Self::Host(_) | Self::Activity(_) => None,
        }
    }

    /// Whether it is nobody's fault and may go well another time.
    #[must_use]
    pub const fn is_busy(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::NoIdleGpu { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_busy_is_named_and_a_refusal_without_a_name_has_its_remedy_too() {
        let refusal = |processes| NotCalibrated::Busy {
            busy: 1.5,
            allowed: 0.1,
            processes,
        };
        let named = refusal(vec![Busy {
            pid: 42,
            name: "rustc".to_owned(),
            seconds: 3.25,
        }]);
        assert_eq!(
            named.to_string(),
            "the machine is not quiet: 1.50 CPUs are busy, at most 0.10 may be; `rustc` (42) used 3.25 s"
        );
        assert!(named.hint().is_some() && named.is_busy());
        assert!(!refusal(Vec::new()).to_string().contains(';'));
        assert!(
            refusal(Vec::new())
                .hint()
                .is_some_and(|hint| hint.contains("kernel"))
        );
    }
}
