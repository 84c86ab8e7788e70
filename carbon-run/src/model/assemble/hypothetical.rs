//! Energy and emissions of hardware that was not looked at: power by its name, times hours, at a place.
//!
//! `P = idle + utilisation * (full - idle)` of each part, `E = P * t`. Each part's range is that of its model; parts are independent of each
//! other, so their half-widths combine by quadrature.

use super::beyond::Known;
use super::totals;
use crate::model::estimate::StatedModels;
use crate::model::hardware::UnknownHardware;
use crate::model::recording::{
    Beyond, Choices, CpuPowerModel, EmbodiedMachine, Host, IdlePolicy, Origin, Place, Ranged,
};
use crate::model::report::{Circumstances, Figure, Hardware, Hypothetical, HypotheticalPart};
use crate::model::tables::Tables;
use crate::model::units::{Grams, Joules, Share, Watts};

/// Estimates.
///
/// # Errors
/// When nothing is named, or a name is in no table.
pub fn hypothetical(
    hardware: Hardware,
    circumstances: Circumstances,
    tables: &Tables,
) -> Result<Hypothetical, UnknownHardware> {
    let duration = circumstances.duration;
    let mut parts = Vec::new();
    let mut part = |kind, basis: String, power: Ranged<Watts>| {
        let energy = each(power, |watts| {
            Joules::clamped(watts.get() * duration.as_secs_f64())
        });
        parts.push(HypotheticalPart {
            kind,
            basis,
            power,
            energy,
        });
    };
    let busy = hardware.utilisation;
    if let Some((name, count)) = &hardware.gpus {
        let model = tables.gpu_power(name)?;
        let power = each(at(&model, busy), |watts| {
            Watts::clamped(watts.get() * f64::from(*count))
        });
        part("gpu", format!("{count} x {}", model.basis), power);
    }
    if let Some((name, count)) = &hardware.cpus {
        let model = tables.package_power(name, *count)?;
        part("cpu", model.basis.clone(), at(&model, busy));
    }
    if let Some(gib) = hardware.memory_gib {
        let model = tables.ram_power(&Host::default(), &StatedModels::default());
        let power = each(model.per_gib, |watts| Watts::clamped(watts.get() * gib));
        part("ram", format!("{gib} GiB, {}", model.basis), power);
    }
    if let Some(watts) = hardware.other {
        part("other", format!("{} W, as stated", watts.get()), each_of(watts));
    }
    if parts.is_empty() {
        return Err(UnknownHardware::Nothing);
    }
    let energy = Figure::Known {
        ranged: sum(&parts),
        origin: Origin::Estimated("hypothetical".to_owned()),
    };
    let (pue, pue_from) = circumstances.pue.clone();
    let emissions = totals::emissions(&energy, pue, &circumstances.intensity);
    let beyond = Known {
        choices: &Choices {
            idle_policy: IdlePolicy::All,
            idle_power: Vec::new(),
            smt_weight_permille: 1000,
            pue,
            pue_from,
            place: Place::World,
            intensity_series: None,
            live: None,
            allocated: None,
            allocated_cpus: None,
            allocated_among: None,
            beyond: Beyond {
                machine: circumstances.beyond.machine.clone().map(in_one),
                ..circumstances.beyond.clone()
            },
        },
        host: &Host::default(),
        duration,
        cpu_time: None,
        energy: &energy,
        emissions: &emissions,
        gpus: &[],
        domains: &[],
    }
    .beyond();
    Ok(Hypothetical {
        data_version: Tables::version().to_owned(),
        hardware,
        circumstances,
        parts,
        energy,
        emissions,
        beyond,
    })
}

fn at(model: &CpuPowerModel, busy: Share) -> Ranged<Watts> {
    let between = |end: fn(&Ranged<Watts>) -> Watts| {
        let (idle, full) = (end(&model.idle).get(), end(&model.full).get());
        Watts::clamped(idle + busy.get() * (full - idle))
    };
    Ranged {
        low: between(|range| range.low),
        value: between(|range| range.value),
        high: between(|range| range.high),
    }
}

fn each<T: Copy, U>(range: Ranged<T>, make: impl Fn(T) -> U) -> Ranged<U> {
    Ranged {
        low: make(range.low),
        value: make(range.value),
        high: make(range.high),
    }
}

fn each_of(watts: Watts) -> Ranged<Watts> {
    Ranged {
        low: watts,
        value: watts,
        high: watts,
    }
}

fn sum(parts: &[HypotheticalPart]) -> Ranged<Joules> {
    let value: f64 = parts.iter().map(|part| part.energy.value.get()).sum();
    let side = |end: fn(&Ranged<Joules>) -> Joules| {
        let of = |part: &HypotheticalPart| end(&part.energy).get() - part.energy.value.get();
        parts.iter().map(of).fold(0.0, f64::hypot)
    };
    Ranged {
        low: Joules::clamped(value - side(|range| range.low)),
        value: Joules::clamped(value),
        high: Joules::clamped(value + side(|range| range.high)),
    }
}

/// All of it is the job's, so that the GPUs need not be told apart.
fn in_one(machine: EmbodiedMachine) -> EmbodiedMachine {
    let whole = |end: fn(&Ranged<Grams>) -> Grams| {
        machine
            .gpus
            .iter()
            .map(end)
            .fold(end(&machine.machine), |sum, one| sum + one)
    };
    EmbodiedMachine {
        machine: Ranged {
            low: whole(|range| range.low),
            value: whole(|range| range.value),
            high: whole(|range| range.high),
        },
        gpus: Vec::new(),
        ..machine.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::recording::FigureFrom;
    use std::time::Duration;

    fn circumstances(hours: u64) -> Circumstances {
        let tables = Tables::embedded().unwrap();
        Circumstances {
            duration: Duration::from_secs(hours * 3600),
            pue: (1.2, Some(FigureFrom::User)),
            intensity: tables.intensity(&Place::Given(100.0)).unwrap(),
            beyond: Beyond::default(),
        }
    }

    fn of(hardware: Hardware) -> Hypothetical {
        hypothetical(hardware, circumstances(100), Tables::embedded().unwrap()).unwrap()
    }

    fn close(found: f64, wanted: f64) {
        assert!(
            (found - wanted).abs() < wanted.abs() * 1e-9,
            "{found}, not {wanted}"
        );
    }

    #[test]
    fn stated_watts_times_hours_times_place_is_the_figure() {
        let found = of(Hardware {
            other: Some(Watts::clamped(500.0)),
            ..Hardware::default()
        });
        close(found.energy.value().unwrap().kwh(), 50.0);
        close(found.emissions.value().unwrap().get(), 50.0 * 1.2 * 100.0);
        let ranged = found.energy.ranged().unwrap();
        assert_eq!((ranged.low, ranged.high), (ranged.value, ranged.value));
    }

    #[test]
    fn eight_busy_gpus_draw_at_most_their_board_power_and_idle_ones_a_part_of_it() {
        let eight = |utilisation| {
            of(Hardware {
                gpus: Some(("A100".to_owned(), 8)),
                utilisation: Share::clamped(utilisation),
                ..Hardware::default()
            })
        };
        let (busy, idle) = (eight(1.0), eight(0.0));
        let watts = |found: &Hypothetical| found.parts[0].power;
        close(watts(&busy).high.get(), 3200.0);
        close(watts(&busy).value.get(), 0.8 * 3200.0);
        close(watts(&idle).value.get(), 0.14 * 3200.0);
        let half = eight(0.5);
        close(
            watts(&half).value.get(),
            f64::midpoint(watts(&busy).value.get(), watts(&idle).value.get()),
        );
    }

    #[test]
    fn parts_add_up_and_the_range_of_the_sum_is_narrower_than_the_sum_of_ranges() {
        let found = of(Hardware {
            gpus: Some(("H100".to_owned(), 4)),
            cpus: Some(("AMD EPYC 7763".to_owned(), 2)),
            memory_gib: Some(512.0),
            other: Some(Watts::clamped(50.0)),
            utilisation: Share::clamped(0.7),
        });
        assert_eq!(found.parts.len(), 4);
        let sum: f64 = found.parts.iter().map(|part| part.energy.value.get()).sum();
        let ranged = found.energy.ranged().unwrap();
        close(ranged.value.get(), sum);
        let highest: f64 = found.parts.iter().map(|part| part.energy.high.get()).sum();
        assert!(ranged.high.get() < highest && ranged.low < ranged.value);
    }

    #[test]
    fn all_of_the_machine_is_charged_for_the_hours() {
        let tables = Tables::embedded().unwrap();
        let circumstances = Circumstances {
            beyond: Beyond {
                machine: Some(Tables::stated_machine(1300.0, 4.0)),
                ..Beyond::default()
            },
            ..circumstances(8760)
        };
        let hardware = Hardware {
            other: Some(Watts::clamped(1.0)),
            ..Hardware::default()
        };
        let found = hypothetical(hardware, circumstances, tables).unwrap();
        close(
            found.beyond.embodied.unwrap().emissions.value().unwrap().get(),
            1_300_000.0 / 4.0,
        );
    }

    #[test]
    fn nothing_named_and_names_of_nothing_are_errors() {
        let tables = Tables::embedded().unwrap();
        let error = hypothetical(Hardware::default(), circumstances(1), tables).unwrap_err();
        assert_eq!(error, UnknownHardware::Nothing);
        let gpu = Hardware {
            gpus: Some(("abacus".to_owned(), 1)),
            ..Hardware::default()
        };
        assert!(hypothetical(gpu, circumstances(1), tables).is_err());
    }
}
