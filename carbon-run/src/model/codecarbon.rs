//! What CodeCarbon 3.3.2 would have reckoned with, for those who go on with its figures (`--codecarbon-compatible`): its intensities
//! and its models of CPU and memory, on the job's own CPU time and memory. Whatever comes of it is labelled with [`LABEL`].
//! METHOD.md, "CodeCarbon's constants", says what is the same and what is not.

use super::design_power;
use super::recording::{CpuPowerModel, Host, Place, RamPowerModel, Ranged};
use super::tables::{CompatibleIntensity, Tables};
use super::units::Watts;

/// The name of the model, in reports.
pub const LABEL: &str = "codecarbon-3.3.2";

/// The row that stands in for what CodeCarbon does not know.
pub(super) const WORLD: &str = "WORLD";

/// A CPU that CodeCarbon has no design power for: watts per hardware thread.
const WATTS_PER_THREAD: f64 = 4.0;

impl Tables {
    /// The place that CodeCarbon would take: a region where it knows that region of that country, else the country, else the world.
    /// `country` and `region` are as for [`Tables::resolve_place`]; nothing is an error.
    #[must_use]
    pub fn codecarbon_place(&self, country: Option<&str>, region: Option<&str>) -> Place {
        let named = country.map(|given| match self.country(given) {
            Ok(country) => country.iso3.clone(),
            Err(_) => given.trim().to_ascii_uppercase(),
        });
        let region = region.map(|region| region.trim().to_lowercase());
        let is_region = |row: &&CompatibleIntensity| {
            let Some(wanted) = region.as_deref() else {
                return false;
            };
            let in_country = named.as_ref().is_none_or(|country| *country == row.country);
            let by_name = named.is_some() && row.region == wanted;
            let by_code = !row.code.is_empty() && row.code.to_lowercase() == wanted;
            !row.region.is_empty() && in_country && (by_name || by_code)
        };
        let is_country = |row: &&CompatibleIntensity| {
            row.region.is_empty() && named.as_ref().is_some_and(|country| *country == row.country)
        };
        let rows = &self.compatible;
        let found = rows
            .iter()
            .find(is_region)
            .or_else(|| rows.iter().find(is_country));
        Place::CodeCarbon {
            country: found.map_or(WORLD, |row| &row.country).to_owned(),
            region: found
                .map(|row| row.region.clone())
                .filter(|region| !region.is_empty()),
        }
    }

    /// All of the host's CPUs: a straight line from nothing to the design power, as CodeCarbon has it of a process.
    #[must_use]
    pub(super) fn codecarbon_cpu(&self, host: &Host, packages: u32) -> CpuPowerModel {
        let packages = f64::from(packages.max(1));
        let name = host.cpu_model.as_deref().unwrap_or("unknown CPU");
        let cpus = f64::from(host.cpus.unwrap_or(1).max(1));
        // Without a match it multiplies by the sockets again, and so do we: it is what its figures are.
        let (full, basis) = match design_power::listed(name) {
            Some(tdp) => (
                tdp * packages,
                format!("{LABEL}: {name}, TDP {} W", tdp * packages),
            ),
            None => {
                let full = WATTS_PER_THREAD * cpus * packages;
                (full, format!("{LABEL}: {name} not listed, {full} W"))
            }
        };
        let at = |share: f64| Watts::clamped(share * full);
        CpuPowerModel {
            // The range is that of a model by design power: CodeCarbon states none.
            idle: Ranged {
                low: Watts::ZERO,
                value: Watts::ZERO,
                high: at(0.3),
            },
            full: Ranged {
                low: at(0.5),
                value: at(1.0),
                high: at(1.0),
            },
            basis,
        }
    }
}

/// Memory by guessed modules: 5 W each, 1.5 W on Arm, instead of `by_size`, whose range stays.
pub(super) fn memory(host: &Host, by_size: RamPowerModel) -> RamPowerModel {
    let arm = matches!(host.architecture.as_deref(), Some("aarch64" | "arm"));
    let watts = if arm { 1.5 } else { 5.0 };
    RamPowerModel {
        per_module: Some(Watts::clamped(watts)),
        basis: format!("{LABEL}: guessed modules of {watts} W, two at least"),
        ..by_size
    }
}

/// How many modules CodeCarbon guesses for so many GiB.
#[must_use]
fn modules(gib: f64) -> u32 {
    for (most, modules) in [(2.0, 1), (16.0, 2), (64.0, 4), (128.0, 8)] {
        if gib <= most {
            return modules;
        }
    }
    let largest = [128.0, 64.0, 32.0, 16.0, 8.0]
        .into_iter()
        .find(|size| *size <= gib / 8.0);
    let modules = (gib / largest.unwrap_or(4.0)).ceil();
    modules.clamp(1.0, 32.0) as u32
}

/// What these draw, in modules of full power: the fifth to eighth 90 %, to the sixteenth 80 %, beyond that 70 %; two at least.
#[must_use]
pub(super) fn drawing_modules(gib: f64) -> f64 {
    let modules = f64::from(modules(gib));
    let beyond = |from: f64, to: f64| (modules.min(to) - from).max(0.0);
    let drawing =
        modules.min(4.0) + 0.9 * beyond(4.0, 8.0) + 0.8 * beyond(8.0, 16.0) + 0.7 * beyond(16.0, 32.0);
    drawing.max(2.0)
}

#[cfg(test)]
#[path = "codecarbon_tests.rs"]
mod tests;
