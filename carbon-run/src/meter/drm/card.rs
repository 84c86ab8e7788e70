//! The graphics cards of `/sys/class/drm`, and what their drivers say of them.

use super::file;
use crate::model::recording::GpuVendor;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// AMD's Instinct MI300A, a GPU and CPU cores in one socket, and the only such part that amdgpu shows no northbridge of
/// (`gc_ver == IP_VERSION(9, 4, 3)` in `hwmon_attributes_visible`, drivers/gpu/drm/amd/pm/amdgpu_pm.c).
const MI300A: &str = "1002:74A0";

/// Where Intel's integrated graphics are, on every processor that has them: bus 0, device 2, function 0 (Programmer's
/// Reference Manuals, "PCI device 2").
const INTEL_INTEGRATED: &str = "0000:00:02.0";

/// The drivers whose meters and users this module knows how to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Driver {
    Amdgpu,
    I915,
    Xe,
}

impl Driver {
    fn of(name: &str) -> Option<Self> {
        [Self::Amdgpu, Self::I915, Self::Xe]
            .into_iter()
            .find(|driver| driver.name() == name)
    }

    /// As the kernel names it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Amdgpu => "amdgpu",
            Self::I915 => "i915",
            Self::Xe => "xe",
        }
    }

    pub(super) const fn vendor(self) -> GpuVendor {
        match self {
            Self::Amdgpu => GpuVendor::Amd,
            Self::I915 | Self::Xe => GpuVendor::Intel,
        }
    }
}

/// A card.
#[derive(Debug, Clone)]
pub(super) struct Card {
    /// N of `/dev/dri/cardN`.
    pub(super) number: u32,
    /// N of `/dev/dri/renderDN`.
    pub(super) render: Option<u32>,
    pub(super) driver: Driver,
    /// `0000:03:00.0`.
    pub(super) pci: Option<String>,
    /// What the board says of itself, else its PCI numbers.
    pub(super) name: Option<String>,
    /// `GPU-` and the sixteen digits of amdgpu's `unique_id`, as ROCm's runtime names it; consumer cards have none.
    pub(super) uuid: Option<String>,
    /// `/sys/class/drm/cardN/device`.
    pub(super) dir: PathBuf,
    /// The device's own sensors; not those of a tile of it.
    pub(super) hwmon: Option<PathBuf>,
    /// Whether it is a part of a processor's package.
    pub(super) integrated: bool,
}

impl Card {
    /// Whether the kernel has put it to sleep (Documentation/ABI/testing/sysfs-devices-power, `runtime_status`). Most of
    /// its files would wake it up, which costs what would be measured.
    pub(super) fn sleeps(&self) -> bool {
        file::text(&self.dir.join("power/runtime_status")).is_ok_and(|status| status == "suspended")
    }
}

/// The cards of the three drivers, in the order of their PCI addresses.
///
/// # Errors
/// When the directory of cards is there and cannot be listed. That it is not there is no error: no cards.
pub(super) fn find(sysroot: &Path) -> Result<Vec<Card>, String> {
    let class = sysroot.join("sys/class/drm");
    match fs::read_dir(&class) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(file::failed(&class, &error)),
    }
    let mut cards: Vec<Card> = file::names(&class)
        .iter()
        .filter_map(|name| card(&class, name.strip_prefix("card")?.parse().ok()?))
        .collect();
    cards.sort_by(|one, other| (&one.pci, one.number).cmp(&(&other.pci, other.number)));
    Ok(cards)
}

/// `None` for a card of another driver.
fn card(class: &Path, number: u32) -> Option<Card> {
    let dir = class.join(format!("card{number}")).join("device");
    let uevent = file::text(&dir.join("uevent")).ok()?;
    let said = |key: &str| {
        let mut lines = uevent.lines().filter_map(|line| line.split_once('='));
        lines.find_map(|(name, value)| (name == key).then(|| value.to_owned()))
    };
    let driver = Driver::of(&said("DRIVER")?)?;
    let pci = said("PCI_SLOT_NAME");
    let numbers = said("PCI_ID");
    let hwmon = file::names(&dir.join("hwmon"))
        .into_iter()
        .map(|name| dir.join("hwmon").join(name))
        // i915 has more of them, `i915_gtN`, for the tiles of a card.
        .find(|hwmon| file::text(&hwmon.join("name")).is_ok_and(|name| name == driver.name()));
    let integrated = match driver {
        // "only APUs have vddnb", the voltage of the northbridge (`hwmon_attributes_visible`, amdgpu_pm.c).
        Driver::Amdgpu => {
            let northbridge = |hwmon: &PathBuf| file::text(&hwmon.join("in1_label")).is_ok();
            hwmon.as_ref().is_some_and(northbridge) || numbers.as_deref() == Some(MI300A)
        }
        Driver::I915 | Driver::Xe => pci.as_deref() == Some(INTEL_INTEGRATED),
    };
    let render = file::names(&dir.join("drm"))
        .iter()
        .find_map(|name| name.strip_prefix("renderD")?.parse().ok());
    let name = file::text(&dir.join("product_name"))
        .ok()
        .filter(|name| !name.is_empty())
        .or_else(|| numbers.map(|numbers| format!("PCI {}", numbers.to_lowercase())));
    let uuid = file::text(&dir.join("unique_id"))
        .ok()
        .filter(|id| !id.is_empty())
        .map(|id| format!("GPU-{id}"));
    Some(Card {
        number,
        render,
        uuid,
        driver,
        pci,
        name,
        dir,
        hwmon,
        integrated,
    })
}
