//! The driver's counters, read from outside of carbon-run.

use anyhow::{Context, Result};
use nvml_wrapper::Nvml;
use std::path::Path;
use std::time::Instant;

pub(super) struct Witness(Nvml);

/// What all devices together used meanwhile.
pub(super) struct Seen {
    pub(super) joules: f64,
    pub(super) seconds: f64,
}

impl Seen {
    pub(super) fn power(&self) -> f64 {
        self.joules / self.seconds
    }
}

impl Witness {
    /// The named library, or the driver's: by the loader's rules, else where GKE's nodes have it.
    pub(super) fn open(library: Option<&Path>) -> Result<Self> {
        let usual = ["libnvidia-ml.so.1", "/usr/local/nvidia/lib64/libnvidia-ml.so.1"].map(Path::new);
        let places = library.map_or_else(|| usual.to_vec(), |library| vec![library]);
        let init = |place: &&Path| Nvml::builder().lib_path(place.as_os_str()).init().ok();
        let nvml = places.iter().find_map(init);
        Ok(Self(nvml.context("cannot load NVIDIA's library")?))
    }

    pub(super) fn during(&self, work: impl FnOnce()) -> Result<Seen> {
        let (begin, before) = (Instant::now(), self.millijoules()?);
        work();
        let (seconds, after) = (begin.elapsed().as_secs_f64(), self.millijoules()?);
        Ok(Seen {
            joules: after.saturating_sub(before) as f64 / 1e3,
            seconds,
        })
    }

    fn millijoules(&self) -> Result<u64> {
        let count = self.0.device_count()?;
        let of = |index| -> Result<u64> { Ok(self.0.device_by_index(index)?.total_energy_consumption()?) };
        (0..count).map(of).sum()
    }
}
