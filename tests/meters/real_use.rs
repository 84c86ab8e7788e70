//! The meter on the powercap stand-in, whose counters follow this machine's real CPU use by a known model.

use crate::tree::{codes, groups};
use carbon_run::meter::Meter as _;
use carbon_run::meter::powercap::Powercap;
use carbon_run::model::counter::{Counter, Step};
use carbon_run::model::recording::{DomainKind, Reading};
use carbon_run::model::units::Moment;
use powercap_stand_in::{DramSpec, Fault, PackageSpec, Spec, StandIn};
use std::error::Error;
use std::time::{Duration, Instant};

/// All online CPUs in one package of 500 J a turn, of which 15 are left.
fn machine() -> Result<Spec, Box<dyn Error>> {
    let online = std::fs::read_to_string("/sys/devices/system/cpu/online")?;
    let mut cpus = Vec::new();
    for part in online.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        cpus.extend(first.parse::<u32>()?..=last.parse()?);
    }
    // At most 80 W, so that no wrap is taken for a reset however many CPUs there are.
    let per_cpu = 20.0 / cpus.len() as f64;
    let mut package = PackageSpec::new(cpus, 60.0, per_cpu);
    package.range_uj = Some(499_999_999);
    package.start_uj = 485_000_000;
    package.max_power_w = Some(200.0);
    package.dram = Some(DramSpec {
        idle_w: 45.0,
        watts_per_busy_cpu: per_cpu / 2.0,
    });
    Ok(Spec::new(vec![package]))
}

#[test]
fn what_the_meter_sums_is_what_was_drawn_to_the_microjoule_across_wraps_and_a_gap()
-> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let spec = machine()?;
    let start_uj = spec.packages.first().map_or(0, |package| package.start_uj);
    let stand_in = StandIn::start(dir.path(), &spec)?;
    let opened = Powercap::open(dir.path(), &groups(&[(0, 0)]));
    assert_eq!(codes(&opened.notes), [""; 0]);
    let mut meter = opened.meter.ok_or("no meter")?;
    let kinds: Vec<DomainKind> = meter.domains().iter().map(|domain| domain.kind).collect();
    assert_eq!(kinds, [DomainKind::Package, DomainKind::Dram]);
    let mut counters: Vec<Counter> = meter
        .domains()
        .iter()
        .filter_map(|domain| Counter::of(&domain.source))
        .collect();

    let begin = Instant::now();
    let mut now = || Moment(u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX));
    let (mut sums, mut wraps, mut gaps) = ([0, 0], [0, 0], 0);
    let mut take = |readings: &[Reading]| {
        let books = counters
            .iter_mut()
            .zip(readings)
            .zip(sums.iter_mut().zip(&mut wraps));
        for ((counter, reading), (sum, wraps)) in books {
            match counter.step(reading, false) {
                Step::First => {
                    // Drawn before the first reading, and so not the meter's to tell: added for the comparison.
                    if let Reading::Ticks { ticks, .. } = reading {
                        *sum += (ticks + 500_000_000 - start_uj) % 500_000_000;
                    }
                }
                Step::Energy { energy, wrapped, .. } => {
                    *sum += energy.0;
                    *wraps += u32::from(wrapped);
                }
                Step::Missing(_) => gaps += 1,
                other @ (Step::Reset { .. } | Step::Slept) => panic!("{other:?}"),
            }
        }
    };
    take(&meter.read(&mut now));
    for round in 0..20 {
        match round {
            8 => stand_in.fault("intel-rapl:0", Fault::Vanish)?,
            12 => stand_in.heal("intel-rapl:0")?,
            _ => {}
        }
        std::thread::sleep(Duration::from_millis(30));
        take(&meter.read(&mut now));
    }
    let truth = stand_in.stop()?;
    take(&meter.read(&mut now));
    assert_eq!(Some(sums[0]), truth.energy_uj.first().copied());
    assert_eq!(Some(sums[1]), truth.dram_uj.first().copied().flatten());
    assert!(wraps.iter().all(|&wraps| wraps >= 1), "{wraps:?}");
    assert_eq!(gaps, 4);
    assert_eq!(codes(&meter.take_notes()), [""; 0]);
    Ok(())
}
