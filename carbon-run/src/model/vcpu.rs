//! Watts per hardware thread, by microarchitecture: for guests, and for CPUs whose design power is not known.

use super::cpu_series::{self, Kind, Series};
use super::recording::{Host, Ranged};
use serde::{Deserialize, Deserializer};

/// A row of hardware/vcpu_power.csv.
#[derive(Debug, Deserialize)]
pub(super) struct VcpuPower {
    vendor: String,
    family: u32,
    #[serde(deserialize_with = "ranges")]
    models: Ranges,
    #[serde(deserialize_with = "ranges")]
    steppings: Ranges,
    name: String,
    /// When servers with it first shipped.
    year: u16,
    min_w: f64,
    max_w: f64,
    /// The microarchitecture that the figures were derived for, where it is another.
    proxy: String,
}

/// Inclusive ranges; none: everything.
type Ranges = Vec<(u32, u32)>;

/// Watts of one hardware thread.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PerThread {
    /// With nothing to do.
    pub(super) idle: Ranged<f64>,
    /// Busy.
    pub(super) full: Ranged<f64>,
    /// For people: `AMD Zen 4`, `AMD Zen 5 by figures of AMD Zen 4`, `CPU not in the tables`.
    pub(super) name: String,
}

/// The coefficients are a whole server's wall power per hardware thread. The CPU alone is about half of that (memory,
/// fans and power supply are the rest); on the other side, a host that is older or less full than SPEC's test machines
/// draws more per thread. CCF's own values for one CPU differ by up to 10 % between providers.
const OWN: (f64, f64) = (0.5, 1.3);
/// Figures of another CPU. Arm's cores by those of Zen 2, at most 1.7 W: Ampere's list goes from 1.5 to 3.1 W of design
/// power per core (Altra Q64-24 to Q80-33), NVIDIA's Grace takes 3.5 W with its memory.
const BY_PROXY: (f64, f64) = (0.4, 2.0);

/// The figures are per thread of cores that have two. A core whose second thread is switched off has the power of both
/// with nothing to do, and busy 1 of the 2 * 0.575 that both draw together (HaPPy, METHOD.md).
const WHOLE_CORE_IDLE: f64 = 2.0;
const WHOLE_CORE_FULL: f64 = 1.0 / 0.575;

/// What the table calls Arm's licensees, whose kernels name no vendor.
const ARM: &str = "ARM";

/// How the microarchitecture is known, surest first.
enum Known<'a> {
    /// By the CPU's own numbers, or by its maker's model number.
    Exactly(&'a VcpuPower),
    /// By a hypervisor's name: that one, or one that came later.
    AtLeast(&'a VcpuPower),
    /// Only whose it is.
    Maker(&'a str),
    /// Not at all.
    Nothing,
}

/// The figures of the host's CPU; the less is known of it the wider, up to the range over all CPUs that have figures.
pub(super) fn per_thread(rows: &[VcpuPower], series: &[Series], host: &Host) -> PerThread {
    let known = known(rows, series, host);
    let arm = match &known {
        Known::Exactly(row) | Known::AtLeast(row) => row.vendor == ARM,
        Known::Maker(vendor) => *vendor == ARM,
        Known::Nothing => false,
    };
    let thread = match known {
        Known::Exactly(row) => PerThread {
            idle: row.around(row.min_w),
            full: row.around(row.max_w),
            name: row.titled(),
        },
        Known::AtLeast(row) => {
            let later = || {
                rows.iter()
                    .filter(|other| other.vendor == row.vendor && other.year >= row.year)
            };
            PerThread {
                idle: Ranged {
                    value: row.min_w,
                    ..over(later(), |row| row.min_w)
                },
                full: Ranged {
                    value: row.max_w,
                    ..over(later(), |row| row.max_w)
                },
                name: format!("{} or later", row.titled()),
            }
        }
        Known::Maker(vendor) => {
            let its = || rows.iter().filter(|row| row.vendor == vendor);
            PerThread {
                idle: over(its(), |row| row.min_w),
                full: over(its(), |row| row.max_w),
                name: format!("{vendor} CPU not in the tables"),
            }
        }
        Known::Nothing => PerThread {
            idle: over(rows.iter(), |row| row.min_w),
            full: over(rows.iter(), |row| row.max_w),
            name: "CPU not in the tables".to_owned(),
        },
    };
    // No Arm server has SMT, and a vCPU is a core in the figures' source as well.
    if arm { thread } else { of_whole_cores(thread, host) }
}

/// What the microarchitecture is called; `None` where it is not known for sure.
pub(super) fn microarchitecture<'a>(rows: &'a [VcpuPower], host: &Host) -> Option<&'a str> {
    rows.iter().find(|row| row.is(host)).map(|row| row.name.as_str())
}

fn known<'a>(rows: &'a [VcpuPower], series: &[Series], host: &Host) -> Known<'a> {
    let model = host.cpu_model.as_deref().unwrap_or_default();
    let of_name = |kind| {
        cpu_series::named(series, kind, model).and_then(|name| rows.iter().find(|row| row.name == name))
    };
    // A hypervisor that names a CPU model shows that model's numbers, too: they are no second witness.
    if let Some(row) = of_name(Kind::Guest) {
        return Known::AtLeast(row);
    }
    let by_number = rows.iter().find(|row| row.is(host));
    if let Some(row) = by_number.or_else(|| of_name(Kind::Part)) {
        return Known::Exactly(row);
    }
    let name = cpu_series::plain(model);
    // QEMU's own CPU may carry another maker's name than the host's.
    let made_up = ["qemu", "kvm", "virtual"].iter().any(|sign| name.contains(sign));
    let by_name = [
        ("intel", "GenuineIntel"),
        ("amd ", "AuthenticAMD"),
        ("hygon", "HygonGenuine"),
    ]
    .into_iter()
    .find(|(sign, _)| name.contains(sign))
    .map(|(_, vendor)| vendor);
    let vendor = vendor(host).or(by_name).filter(|_| !made_up);
    let listed = rows
        .iter()
        .find(|row| Some(row.vendor.as_str()) == vendor)
        .map(|row| row.vendor.as_str());
    listed.map_or(Known::Nothing, Known::Maker)
}

/// Arm kernels name no vendor; the implementer's code stands in the family.
fn vendor(host: &Host) -> Option<&str> {
    let arm = matches!(host.architecture.as_deref(), Some("aarch64" | "armv8l"));
    host.cpu_vendor.as_deref().or(arm.then_some(ARM))
}

/// Raises the figures where a CPU is, or may be, a whole core of those that have two threads.
fn of_whole_cores(thread: PerThread, host: &Host) -> PerThread {
    let raised = |range: Ranged<f64>, by: f64| match (host.threads_per_core, host.virtualization.is_some()) {
        (Some(2..), _) => range,
        (Some(_), false) => Ranged {
            low: range.low * by,
            value: range.value * by,
            high: range.high * by,
        },
        // A guest that is shown one thread to a core may have threads all the same.
        (Some(_), true) | (None, _) => Ranged {
            high: range.high * by,
            ..range
        },
    };
    PerThread {
        idle: raised(thread.idle, WHOLE_CORE_IDLE),
        full: raised(thread.full, WHOLE_CORE_FULL),
        ..thread
    }
}

/// By how much a guest's idle and full power may be above that of its hardware threads.
pub(super) fn maybe_whole_cores(host: &Host) -> (f64, f64) {
    match host.threads_per_core {
        Some(2..) => (1.0, 1.0),
        Some(_) | None => (WHOLE_CORE_IDLE, WHOLE_CORE_FULL),
    }
}

impl VcpuPower {
    fn is(&self, host: &Host) -> bool {
        let within = |ranges: &Ranges, number: Option<u32>| {
            ranges.is_empty()
                || number
                    .is_some_and(|number| ranges.iter().any(|(from, to)| (*from..=*to).contains(&number)))
        };
        vendor(host) == Some(self.vendor.as_str())
            && host.cpu_family == Some(self.family)
            && within(&self.models, host.cpu_model_number)
            && within(&self.steppings, host.cpu_stepping)
    }

    fn titled(&self) -> String {
        match self.proxy.as_str() {
            "" => self.name.clone(),
            proxy => format!("{} by figures of {proxy}", self.name),
        }
    }

    fn around(&self, watts: f64) -> Ranged<f64> {
        let (low, high) = if self.proxy.is_empty() { OWN } else { BY_PROXY };
        Ranged {
            low: watts * low,
            value: watts,
            high: watts * high,
        }
    }
}

/// The median of what was derived for its own CPU (guesses by proxy would count their model twice), between the ends of
/// the ranges of all; of guesses only, where there is nothing else.
fn over<'a>(rows: impl Iterator<Item = &'a VcpuPower>, watts: impl Fn(&VcpuPower) -> f64) -> Ranged<f64> {
    let rows: Vec<&VcpuPower> = rows.collect();
    let own: Vec<&VcpuPower> = rows.iter().copied().filter(|row| row.proxy.is_empty()).collect();
    let mut values: Vec<f64> = if own.is_empty() { &rows } else { &own }
        .iter()
        .map(|row| watts(row))
        .collect();
    values.sort_by(f64::total_cmp);
    let ranges = || rows.iter().map(|row| row.around(watts(row)));
    Ranged {
        low: ranges()
            .map(|range| range.low)
            .reduce(f64::min)
            .unwrap_or_default(),
        value: values.get(values.len() / 2).copied().unwrap_or_default(),
        high: ranges()
            .map(|range| range.high)
            .reduce(f64::max)
            .unwrap_or_default(),
    }
}

fn ranges<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Ranges, D::Error> {
    let text = String::deserialize(deserializer)?;
    let one = |range: &str| -> Option<(u32, u32)> {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        Some((from.parse().ok()?, to.parse().ok()?))
    };
    text.split_whitespace()
        .map(|range| {
            one(range).ok_or_else(|| serde::de::Error::custom(format!("`{range}` is no range of numbers")))
        })
        .collect()
}
