//! Finding and loading the library.

use super::privilege::is_privileged;
use crate::model::recording::Note;
use nvml_wrapper::Nvml as Library;
use nvml_wrapper::error::NvmlError as Refusal;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Where it is looked for, in order: by the loader's rules; where GKE's nodes, NixOS and WSL keep it.
const PLACES: [&str; 4] = [
    "libnvidia-ml.so.1",
    "/usr/local/nvidia/lib64/libnvidia-ml.so.1",
    "/run/opengl-driver/lib/libnvidia-ml.so.1",
    "/usr/lib/wsl/lib/libnvidia-ml.so.1",
];

/// What shows that there is a driver, below the system root: its /proc directory; its device, which containers have.
const SIGNS: [&str; 2] = ["proc/driver/nvidia", "dev/nvidiactl"];

/// Why NVIDIA's devices cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum NvmlError {
    /// There is a driver, but not its library.
    #[error("no NVIDIA driver library (`libnvidia-ml.so.1`)")]
    NoLibrary,
    /// A library that was named and cannot be loaded.
    #[error("cannot load `{}`: {reason}", path.display())]
    Stated {
        /// The library.
        path: PathBuf,
        /// What the loader says.
        reason: String,
    },
    /// carbon-run has rights that whoever started it has not, and would give them to the library.
    #[error("`--nvml-library` is not followed by a carbon-run with file capabilities or the set-user-ID bit")]
    Privileged,
    /// The driver refuses.
    #[error("{0}")]
    Refused(#[from] Refusal),
}

impl NvmlError {
    /// What to do about it, where something can be done.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::NoLibrary => Some(
                "install the driver's library (Debian: `libnvidia-ml1`); a container gets it from the NVIDIA \
                 container toolkit, with the driver capability `utility`",
            ),
            Self::Stated { .. } => Some("name the driver's `libnvidia-ml.so.1`, or nothing"),
            Self::Privileged => Some("run as root, or use a copy without capabilities"),
            Self::Refused(Refusal::DriverNotLoaded) => Some("load the kernel module: `modprobe nvidia`"),
            Self::Refused(Refusal::LibRmVersionMismatch) => {
                Some("the driver was updated under a loaded module: reboot, or reload the module")
            }
            Self::Refused(Refusal::NoPermission) => {
                Some("give this user access to `/dev/nvidiactl` and `/dev/nvidia*`")
            }
            Self::Refused(Refusal::FailedToLoadSymbol(_) | Refusal::FunctionNotFound) => {
                Some("the driver is too old: carbon-run needs one of 2013 or later (319)")
            }
            Self::Refused(_) => None,
        }
    }
}

/// That nothing of NVIDIA's is measured.
pub(super) fn unusable(error: &NvmlError) -> Note {
    Note {
        code: "nvml-unusable".to_owned(),
        message: format!("no GPU is measured: {error}"),
        hint: error.remedy().map(str::to_owned),
        degrades: true,
    }
}

/// The library, initialised; `None` where no driver shows itself.
pub(super) fn load(sysroot: &Path, stated: Option<&Path>) -> Result<Option<Library>, NvmlError> {
    if let Some(path) = stated {
        if is_privileged() {
            return Err(NvmlError::Privileged);
        }
        return match init(path.as_os_str()) {
            Err(NvmlError::Refused(Refusal::LibloadingError(error))) => Err(NvmlError::Stated {
                path: path.to_owned(),
                reason: error.to_string(),
            }),
            other => other.map(Some),
        };
    }
    if !SIGNS.iter().any(|sign| sysroot.join(sign).exists()) {
        return Ok(None);
    }
    for place in PLACES {
        match init(OsStr::new(place)) {
            Err(NvmlError::Refused(Refusal::LibloadingError(_))) => {}
            other => return other.map(Some),
        }
    }
    Err(NvmlError::NoLibrary)
}

fn init(path: &OsStr) -> Result<Library, NvmlError> {
    Ok(Library::builder().lib_path(path).init()?)
}
