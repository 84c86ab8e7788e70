//! Power where there is no meter: models of the CPU and of memory, each with its range and its basis.
//!
//! # CPU on bare metal, design power known
//! Watts between idle and full load, as fractions of the thermal design power of all packages. The fractions come from
//! the package power that CodeCarbon measured by RAPL at stepped loads (its published load curves):
//!
//! | machine | TDP | at 10 % | at 50 % | at 100 % | full/TDP | 10 %/TDP | line through 10 % and 50 %, at 0 |
//! |---|---|---|---|---|---|---|---|
//! | EPYC 8024P | 90 W | 18.6 W | 43 W | 46 to 51 W | 0.54 | 0.21 | 12.5 W, 0.14 |
//! | Threadripper 1950X | 180 W | 43 W | 128 W | 167 W | 0.93 | 0.24 | 21.8 W, 0.12 |
//! | 2 x E5-2620 v3 | 170 W | 16 W | 62 W | 117 W | 0.69 | 0.09 | 4.5 W, 0.03 |
//!
//! Full load: mean 0.72, taken as 0.75, range 0.5 to 1.0 (a part may sit at its limit, hardly above it for long). Idle
//! lies between the line's end and the reading at 10 %: means 0.10 and 0.18, taken as 0.15. The range runs from 0.05 (the
//! middle of the E5's two) to 0.30 (a quarter above the worst reading: parts with a large uncore). Three machines are
//! few: this is judgement, and the range is meant.
//!
//! A client part that no list has takes the lowest, middle and highest design power of its series: the makers sell a
//! power class by generation and suffix.
//!
//! # CPU in a virtual machine, and other CPUs whose design power is not known
//! Watts per hardware thread by microarchitecture ([Cloud Carbon Footprint](https://www.cloudcarbonfootprint.org),
//! data/hardware/vcpu_power.csv), times the CPUs that this kernel sees: [`super::vcpu`]. Design power is per package, and a
//! guest does not see how large its slice of a package is; the model name is often the hypervisor's invention besides.
//! Where the name tells a listed model and how many cores it has (AMD's does), the guest takes its part of that package;
//! where it tells the model only, a guest never draws more than the package.
//!
//! # Memory
//! 0.284 W/GB (Boavizta, `BoaviztAPI` RAM model) to 0.392 W/GB (Cloud Carbon Footprint, after Micron's and Crucial's
//! data sheets), GB of 10^9 bytes; the middle of the two. It is power per byte that the job holds, with no share for
//! traffic. Watts per GiB that a person states take its place, 20 % up and down for the traffic.

use super::codecarbon;
use super::cpu_table::{CpuTable, StatedCpu};
use super::design_power;
use super::recording::{CpuPowerModel, Host, RamPowerModel, Ranged};
use super::tables::Tables;
use super::units::Watts;
use super::vcpu;

const IDLE_SHARE: Ranged<f64> = Ranged {
    low: 0.05,
    value: 0.15,
    high: 0.30,
};
const FULL_SHARE: Ranged<f64> = Ranged {
    low: 0.5,
    value: 0.75,
    high: 1.0,
};
/// A stated idle power of a whole package: temperature and C-states move it by about this much (METHOD.md).
const STATED_IDLE: Ranged<f64> = Ranged {
    low: 0.9,
    value: 1.0,
    high: 1.1,
};
/// Stated watts per GiB: what traffic adds or leaves out.
const STATED_RAM: Ranged<f64> = Ranged {
    low: 0.8,
    value: 1.0,
    high: 1.2,
};
const RAM_LOW_W_PER_GB: f64 = 0.284;
const RAM_HIGH_W_PER_GB: f64 = 0.392;
/// 2^30 bytes in GB of 10^9 bytes.
const GB_PER_GIB: f64 = 1.073_741_824;

/// What a person knows better than the tables.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StatedModels {
    /// `--cpu-table`: goes before the built-in tables where it has the CPU.
    pub cpus: Option<CpuTable>,
    /// `--ram-power`: per GiB of memory.
    pub ram_per_gib: Option<Watts>,
    /// `--codecarbon-compatible`: CodeCarbon's models in the place of the tables'.
    pub codecarbon: bool,
}

impl Tables {
    /// Watts of all of the host's CPUs together, idle and fully busy. `packages` counts physical packages; at least 1 is
    /// taken. It matters only on bare metal: a guest is modelled by the CPUs that it sees.
    #[must_use]
    pub fn cpu_power(&self, host: &Host, packages: u32, stated: &StatedModels) -> CpuPowerModel {
        let packages = packages.max(1);
        if let Some((table, row)) = self.stated_row(host, stated) {
            return by_statement(host, packages, row, table.file());
        }
        if stated.codecarbon {
            return self.codecarbon_cpu(host, packages);
        }
        let model = host.cpu_model.as_deref().unwrap_or_default();
        let (listed, metal) = (design_power::listed(model), host.virtualization.is_none());
        let of_package = listed.zip(design_power::threads_by_name(model));
        match (listed, design_power::of_series(model), of_package) {
            (Some(tdp), _, _) if metal => by_design_power(host, packages, tdp),
            (None, Some(series), _) if metal => by_series(host, packages, series),
            (_, _, Some((tdp, threads))) => by_part_of_package(host, tdp, threads),
            (listed, series, _) => {
                let most = listed.or(series.map(|watts| watts.high)).filter(|_| !metal);
                at_most(self.by_thread(host), most.map(|tdp| tdp * f64::from(packages)))
            }
        }
    }

    /// Thermal design power of one package in watts, by exact match of the model name; `None` when the tables do not have
    /// it and for names that a hypervisor made up.
    #[must_use]
    pub fn cpu_tdp(&self, host: &Host) -> Option<Watts> {
        Watts::new(design_power::listed(host.cpu_model.as_deref()?)?).ok()
    }

    /// Whether a person's table has this CPU; `None` without a table.
    #[must_use]
    pub fn is_stated(&self, host: &Host, stated: &StatedModels) -> Option<bool> {
        stated
            .cpus
            .is_some()
            .then(|| self.stated_row(host, stated).is_some())
    }

    /// Names in the order of how much they say: the model's, then the microarchitecture's (Arm kernels know no model).
    fn stated_row<'s>(&self, host: &Host, stated: &'s StatedModels) -> Option<(&'s CpuTable, &'s StatedCpu)> {
        let table = stated.cpus.as_ref()?;
        let names = [
            host.cpu_model.as_deref(),
            vcpu::microarchitecture(&self.vcpus, host),
        ];
        Some((table, table.row(names.into_iter().flatten())?))
    }

    /// Watts per GiB of resident memory.
    #[must_use]
    pub fn ram_power(&self, host: &Host, stated: &StatedModels) -> RamPowerModel {
        if let Some(watts) = stated.ram_per_gib {
            return RamPowerModel {
                per_gib: scaled(STATED_RAM, watts.get()),
                per_module: None,
                basis: format!("{} W/GiB, as stated", watts.get()),
            };
        }
        let watts = |per_gb: f64| Watts::clamped(per_gb * GB_PER_GIB);
        let by_size = RamPowerModel {
            per_gib: Ranged {
                low: watts(RAM_LOW_W_PER_GB),
                value: watts(f64::midpoint(RAM_LOW_W_PER_GB, RAM_HIGH_W_PER_GB)),
                high: watts(RAM_HIGH_W_PER_GB),
            },
            per_module: None,
            basis: "0.284 W/GB (Boavizta) to 0.392 W/GB (Cloud Carbon Footprint)".to_owned(),
        };
        if stated.codecarbon {
            codecarbon::memory(host, by_size)
        } else {
            by_size
        }
    }

    fn by_thread(&self, host: &Host) -> CpuPowerModel {
        let cpus = host.cpus.unwrap_or(1).max(1);
        let thread = vcpu::per_thread(&self.vcpus, &self.series, host);
        let what = if host.virtualization.is_some() {
            "vCPU"
        } else {
            "hardware thread"
        };
        CpuPowerModel {
            idle: scaled(thread.idle, f64::from(cpus)),
            full: scaled(thread.full, f64::from(cpus)),
            basis: format!(
                "{}, {cpus} x {:.2} to {:.2} W per {what} (Cloud Carbon Footprint)",
                thread.name, thread.idle.value, thread.full.value
            ),
        }
    }
}

fn by_design_power(host: &Host, packages: u32, tdp: f64) -> CpuPowerModel {
    let model = model_name(host);
    let total = tdp * f64::from(packages);
    CpuPowerModel {
        idle: scaled(IDLE_SHARE, total),
        full: scaled(FULL_SHARE, total),
        basis: match packages {
            1 => format!("{model}, TDP {tdp} W"),
            more => format!("{more} x {model}, TDP {tdp} W each"),
        },
    }
}

/// Each end of the range with its own end of the series.
fn by_series(host: &Host, packages: u32, tdp: Ranged<f64>) -> CpuPowerModel {
    let of = |share: Ranged<f64>| {
        let by = Ranged {
            low: share.low * tdp.low,
            value: share.value * tdp.value,
            high: share.high * tdp.high,
        };
        scaled(by, f64::from(packages))
    };
    CpuPowerModel {
        idle: of(IDLE_SHARE),
        full: of(FULL_SHARE),
        basis: format!(
            "{}, not listed; its series has a TDP of {} to {} W",
            model_name(host),
            tdp.low,
            tdp.high
        ),
    }
}

/// A guest's part of a package whose hardware threads are known. A guest may have whole cores.
fn by_part_of_package(host: &Host, tdp: f64, threads: u32) -> CpuPowerModel {
    let cpus = host.cpus.unwrap_or(1).max(1);
    let part = tdp * f64::from(cpus) / f64::from(threads);
    let (idle, full) = vcpu::maybe_whole_cores(host);
    let raised = |share: Ranged<f64>, by: f64| Ranged {
        high: share.high * by,
        ..share
    };
    CpuPowerModel {
        idle: scaled(raised(IDLE_SHARE, idle), part),
        full: scaled(raised(FULL_SHARE, full), part),
        basis: format!(
            "{}, TDP {tdp} W, {cpus} vCPUs of {threads} hardware threads",
            model_name(host)
        ),
    }
}

fn by_statement(host: &Host, packages: u32, row: &StatedCpu, file: &str) -> CpuPowerModel {
    let cpus = f64::from(host.cpus.unwrap_or(1).max(1));
    let times = match (row.threads, host.virtualization.is_some()) {
        (Some(threads), _) => cpus / f64::from(threads),
        (None, false) => f64::from(packages),
        // Packages in a guest are the hypervisor's invention.
        (None, true) => 1.0,
    };
    let idle = match row.idle_w {
        Some(idle) => scaled(STATED_IDLE, idle * times),
        None => scaled(IDLE_SHARE, row.tdp_w * times),
    };
    let each = match times {
        1.0 => String::new(),
        times => format!("{} x ", (times * 1000.0).round() / 1000.0),
    };
    // A machine that is never loaded may be stated with an idle power near its design power.
    let full = scaled(FULL_SHARE, row.tdp_w * times);
    let at_least = |full: Watts, idle: Watts| if full < idle { idle } else { full };
    CpuPowerModel {
        full: Ranged {
            low: at_least(full.low, idle.low),
            value: at_least(full.value, idle.value),
            high: at_least(full.high, idle.high),
        },
        idle,
        basis: format!(
            "{each}{}, TDP {} W (`{file}`: {})",
            row.model, row.tdp_w, row.source
        ),
    }
}

/// No more than the package that a guest is on.
fn at_most(model: CpuPowerModel, watts: Option<f64>) -> CpuPowerModel {
    let Some(most) = watts.map(Watts::clamped).filter(|most| *most < model.full.high) else {
        return model;
    };
    let cut = |range: Ranged<Watts>| {
        let cut = |watts: Watts| if watts > most { most } else { watts };
        Ranged {
            low: cut(range.low),
            value: cut(range.value),
            high: cut(range.high),
        }
    };
    CpuPowerModel {
        idle: cut(model.idle),
        full: cut(model.full),
        basis: format!("{}, at most the {} W of its package", model.basis, most.get()),
    }
}

fn model_name(host: &Host) -> String {
    let model = host.cpu_model.as_deref().unwrap_or_default();
    model.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn scaled(range: Ranged<f64>, by: f64) -> Ranged<Watts> {
    Ranged {
        low: Watts::clamped(range.low * by),
        value: Watts::clamped(range.value * by),
        high: Watts::clamped(range.high * by),
    }
}

#[cfg(test)]
#[path = "estimate_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod verdicts;
