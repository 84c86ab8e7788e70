//! `carbon-run estimate`: emissions of hardware, hours and a place, without running anything.

use super::{Failure, Outcome, print};
use crate::cli::Estimate;
use crate::model::assemble::hypothetical::hypothetical;
use crate::model::recording::{Gpu, GpuIdlePower, GpuVendor, Host};
use crate::model::report::{Circumstances, Hardware};
use crate::model::tables::Tables;
use crate::model::units::{Share, Watts};
use crate::output::{Style, estimate_json, estimate_text};
use crate::session::beyond::beyond;
use crate::session::electricity::Words;
use crate::settings::{self, Surroundings};
use std::io::IsTerminal;
use std::time::Duration;

/// A century, beyond which nobody plans.
const MOST_HOURS: f64 = 876_600.0;

/// Estimates, on stdout.
///
/// # Errors
/// When no hardware is named, a name is unknown, or the place is.
pub fn estimate(flags: &Estimate) -> Result<Outcome, Failure> {
    let settings = settings::load(Vec::new(), flags.layer(), &Surroundings::here())
        .map_err(|error| Failure::own(&error, Some(error.hint())))?;
    let tables = Tables::embedded().map_err(|error| Failure::own(error, None))?;
    let words = Words::of(&settings.place);
    let electricity = words
        .electricity(tables)
        .map_err(|error| Failure::own(&error, Some(error.hint())))?;
    if flags.hours > MOST_HOURS {
        return Err(Failure::own(
            format!("{} hours are more than a century", flags.hours),
            Some("give `--hours` as hours, for example `72`".to_owned()),
        ));
    }
    let hardware = Hardware {
        gpus: flags.gpu.clone().map(|name| (name, flags.gpus.unwrap_or(1))),
        cpus: flags.cpu.clone().map(|name| (name, flags.sockets.unwrap_or(1))),
        memory_gib: flags.memory,
        other: flags.watts.map(Watts::clamped),
        utilisation: Share::clamped(flags.utilisation.unwrap_or(100.0) / 100.0),
    };
    let host = Host {
        memory_bytes: flags.memory.map(|gib| (gib * 1_073_741_824.0) as u64),
        ..Host::default()
    };
    let gpus = devices(&hardware);
    let circumstances = Circumstances {
        duration: Duration::from_secs_f64(flags.hours * 3600.0),
        pue: tables.overhead(settings.pue, &electricity.place),
        beyond: beyond(&settings.beyond, &electricity.place, &host, &gpus, tables),
        intensity: electricity.intensity,
    };
    let estimate = hypothetical(hardware, circumstances, tables)
        .map_err(|error| Failure::own(&error, Some(error.hint())))?;
    if flags.json {
        let bytes = estimate_json(&estimate).map_err(|error| Failure::own(error, None))?;
        return print(&bytes);
    }
    let color = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    print(estimate_text(&estimate, Style { color, width: 100 }).as_bytes())
}

/// For what making them emitted.
fn devices(hardware: &Hardware) -> Vec<Gpu> {
    let Some((name, count)) = &hardware.gpus else {
        return Vec::new();
    };
    // Data-centre parts without a form factor in their name are modules, as the table of their power has it.
    let name = match name.to_uppercase().as_str() {
        bare @ ("A100" | "H100" | "H200" | "B200" | "V100") => format!("{bare} SXM"),
        _ => name.clone(),
    };
    (0..*count)
        .map(|index| Gpu {
            domain: None,
            vendor: GpuVendor::Nvidia,
            index,
            minor: None,
            uuid: None,
            name: Some(name.clone()),
            pci: None,
            driver: None,
            slices: Vec::new(),
            allocated: None,
            idle: GpuIdlePower::default(),
        })
        .collect()
}
