//! Why the eBPF rung does not hold, and what to do about it.

use std::io;
use std::path::PathBuf;

/// The kernel said no, or has not what we need.
#[derive(Debug, thiserror::Error)]
pub enum EbpfError {
    /// The kernel does not let this user load programs.
    #[error("the kernel does not let this user load an eBPF program")]
    Denied,
    /// No type information of the running kernel.
    #[error("cannot read the kernel's type information `/sys/kernel/btf/vmlinux`: {0}")]
    NoBtf(#[source] io::Error),
    /// The kernel has no such tracepoint.
    #[error("this kernel has no tracepoint `{0}`")]
    NoTracepoint(&'static str),
    /// A struct has no such member.
    #[error("this kernel's `{0}` has no `{1}`")]
    NoMember(&'static str, &'static str),
    /// The embedded object cannot be used.
    #[error("the embedded eBPF object is unusable: {0}")]
    Object(String),
    /// The embedded object lacks a map.
    #[error("the embedded eBPF object has no map `{0}`")]
    NoMap(&'static str),
    /// The embedded object lacks a program.
    #[error("the embedded eBPF object has no program `{0}`")]
    NoProgram(&'static str),
    /// A map cannot be used.
    #[error("cannot use the eBPF map `{name}`: {reason}")]
    Map {
        /// Which.
        name: &'static str,
        /// Why not.
        reason: String,
    },
    /// A map cannot be made.
    #[error("cannot create the eBPF map `{name}`: {source}")]
    CreateMap {
        /// Which.
        name: String,
        /// Why not.
        source: io::Error,
    },
    /// There are as many jobs as there is room for.
    #[error("the eBPF program has no room for another job")]
    NoRoom,
    /// A program was refused.
    #[error("the kernel refused the eBPF program `{name}`: {source}")]
    Program {
        /// Which.
        name: &'static str,
        /// Why.
        source: io::Error,
        /// What the verifier said.
        log: String,
    },
    /// A program cannot be attached.
    #[error("cannot attach the eBPF program `{name}`: {source}")]
    Attach {
        /// Which.
        name: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// A CPU cannot be asked who is on it.
    #[error("cannot run the eBPF program `seed` on CPU {cpu}: {source}")]
    Seed {
        /// Which.
        cpu: u32,
        /// Why not.
        source: io::Error,
    },
    /// Nothing can be kept in, or had back from, a BPF file system.
    #[error("cannot keep the eBPF program in `{path}`: {source}")]
    Pin {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A control group cannot be read.
    #[error("cannot read the control group `{path}`: {source}")]
    Group {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// carbon-run cannot enter itself as a member.
    #[error("cannot mark carbon-run in task storage: {0}")]
    Arm(#[source] io::Error),
}

impl EbpfError {
    /// `self`, or the plainer [`Self::Denied`] where the reason is a missing right.
    #[must_use]
    pub fn plain(self) -> Self {
        let denied = std::error::Error::source(&self)
            .and_then(|source| source.downcast_ref::<io::Error>())
            .is_some_and(|error| matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES)));
        if denied { Self::Denied } else { self }
    }

    /// What to do about it, where something can be done.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Denied => Some(
                "have `carbon-run daemon` run on this machine, which serves every user; or run it as root",
            ),
            Self::NoBtf(_) => {
                Some("needs a kernel built with CONFIG_DEBUG_INFO_BTF (most distributions since 2020)")
            }
            Self::NoTracepoint(_) | Self::NoMember(..) | Self::CreateMap { .. } | Self::Program { .. } => {
                Some("needs Linux 5.15 or later")
            }
            Self::Pin { .. } => {
                Some("needs a BPF file system: `mount -t bpf bpf /sys/fs/bpf`, which systemd does by itself")
            }
            Self::Object(_)
            | Self::NoMap(_)
            | Self::NoRoom
            | Self::NoProgram(_)
            | Self::Map { .. }
            | Self::Attach { .. }
            | Self::Seed { .. }
            | Self::Group { .. }
            | Self::Arm(_) => None,
        }
    }
}
