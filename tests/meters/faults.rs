//! Counters that wrap, are reset, fail, vanish and come back while they are read.

use crate::tree::{Copy, Run, codes, groups};
use carbon_run::meter::Meter as _;
use carbon_run::meter::powercap::Powercap;
use carbon_run::model::counter::{ResetReason, Step};
use std::fs;
use std::io;

/// Where the counters of `epyc` wrap.
const RANGE: u64 = 65_532_611_002;

fn run(tree: &Copy) -> io::Result<Run> {
    let opened = Powercap::open(tree.root(), &groups(&[(0, 0), (1, 0)]));
    Run::of(opened).ok_or_else(|| io::Error::other("no meter"))
}

/// What the next second gave one domain.
fn step(run: &mut Run, name: &str) -> Option<Step> {
    run.next()
        .into_iter()
        .find_map(|(domain, step)| (domain == name).then_some(step))
}

#[test]
fn a_counter_that_wraps_is_unwrapped() -> io::Result<()> {
    let tree = Copy::of("epyc")?;
    tree.set("intel-rapl:0", RANGE - 30_000_000)?;
    let mut run = run(&tree)?;
    assert_eq!(step(&mut run, "package-0"), Some(Step::First));
    tree.set("intel-rapl:0", 50_000_000)?;
    assert_eq!(run.gained("package-0"), Some((80_000_000, true)));
    tree.set("intel-rapl:0", 51_000_000)?;
    assert_eq!(run.gained("package-0"), Some((1_000_000, false)));
    Ok(())
}

#[test]
fn a_counter_that_is_reset_loses_one_interval_and_goes_on() -> io::Result<()> {
    let tree = Copy::of("epyc")?;
    let mut run = run(&tree)?;
    run.next();
    tree.set("intel-rapl:0", 17)?;
    let reason = step(&mut run, "package-0").map(|step| match step {
        Step::Reset { reason, .. } => Some(reason),
        Step::Energy { .. } | Step::First | Step::Slept | Step::Missing(_) => None,
    });
    assert_eq!(reason, Some(Some(ResetReason::Decreased)));
    tree.set("intel-rapl:0", 1_000_017)?;
    assert_eq!(run.gained("package-0"), Some((1_000_000, false)));
    Ok(())
}

#[test]
fn without_a_range_a_wrap_is_dropped_and_nothing_is_made_up() -> io::Result<()> {
    let tree = Copy::of("missing-range")?;
    let mut run = run(&tree)?;
    run.next();
    tree.set("intel-rapl:0", 5)?;
    assert!(matches!(
        step(&mut run, "package-0"),
        Some(Step::Reset {
            reason: ResetReason::UnknownRange,
            ..
        })
    ));
    Ok(())
}

#[test]
fn empty_and_garbled_counters_fail_with_the_file_and_what_it_held_and_the_others_go_on() -> io::Result<()> {
    for (text, told) in [
        ("", "is empty"),
        ("\n", "is empty"),
        ("12a\n", "holds `12a`"),
        ("-5\n", "holds `-5`"),
        ("1e9\n", "holds `1e9`"),
        ("99999999999999999999\n", "holds `99999999999999999999`"),
        ("\u{1b}[31m7\n", "holds `\\u{1b}[31m7`"),
        (&"7".repeat(500), "holds `7777"),
        (&"0".repeat(500), "holds `0000"),
    ] {
        let tree = Copy::of("epyc")?;
        let mut run = run(&tree)?;
        run.next();
        tree.write("intel-rapl:0", "energy_uj", text)?;
        tree.set("intel-rapl:1", 60_123_457_789)?;
        let steps = run.next();
        let of = |name: &str| {
            steps
                .iter()
                .find(|(domain, _)| domain == name)
                .map(|(_, step)| step.clone())
        };
        let Some(Step::Missing(reason)) = of("package-0") else {
            return Err(io::Error::other(format!("{text:?} gave {:?}", of("package-0"))));
        };
        assert!(
            reason.contains("intel-rapl:0/energy_uj`") && reason.contains(told),
            "{reason}"
        );
        assert!(
            matches!(of("package-1"), Some(Step::Energy { energy, .. }) if energy.0 == 1_000),
            "{text:?}"
        );
        tree.set("intel-rapl:0", 5_123_456_790)?;
        assert_eq!(run.gained("package-0"), Some((1, false)), "{text:?}");
    }
    Ok(())
}

#[test]
fn a_zone_that_vanishes_and_comes_back_is_read_again_and_no_energy_is_lost() -> io::Result<()> {
    let tree = Copy::of("epyc")?;
    let mut run = run(&tree)?;
    run.next();
    tree.remove("intel-rapl:0")?;
    for _ in 0..2 {
        let gone = step(&mut run, "package-0");
        assert!(
            matches!(&gone, Some(Step::Missing(reason)) if reason.contains("no such file")),
            "{gone:?}"
        );
    }
    tree.set("intel-rapl:1", 60_123_456_989)?;
    assert_eq!(run.gained("package-1"), Some((200, false)));
    tree.set("intel-rapl:0", 5_223_456_789)?;
    assert_eq!(run.gained("package-0"), Some((100_000_000, false)));
    Ok(())
}

#[test]
fn a_zone_whose_directory_is_replaced_is_read_from_the_new_one() -> io::Result<()> {
    let tree = Copy::of("client-mmio-only")?;
    let mut run = run(&tree)?;
    run.next();
    let file = tree.file("intel-rapl-mmio:0", "energy_uj");
    tree.remove("intel-rapl-mmio:0")?;
    fs::write(&file, "123456789000\n")?;
    assert_eq!(run.gained("package-0"), Some((1_000, false)));
    Ok(())
}

#[test]
fn a_package_that_cannot_be_read_at_the_start_is_left_out_and_the_other_measured() -> io::Result<()> {
    for text in ["", "nonsense\n"] {
        let tree = Copy::of("epyc")?;
        tree.write("intel-rapl:0", "energy_uj", text)?;
        let opened = Powercap::open(tree.root(), &groups(&[(0, 0), (1, 0)]));
        assert_eq!(codes(&opened.notes), ["powercap-failed!", "powercap-partial!"]);
        let names: Vec<String> = opened
            .meter
            .iter()
            .flat_map(Powercap::domains)
            .filter(|domain| domain.summed)
            .map(|domain| domain.name.clone())
            .collect();
        assert_eq!(names, ["package-1"]);
    }
    Ok(())
}

#[test]
fn dies_that_turn_out_to_be_copies_during_the_run_are_told_of() -> io::Result<()> {
    let tree = Copy::of("two-dies-a-package")?;
    let mut run = run(&tree)?;
    let mut told = Vec::new();
    for second in 1..=12 {
        for zone in ["intel-rapl:0", "intel-rapl:1"] {
            let start = if zone == "intel-rapl:0" {
                10_000_000_000
            } else {
                11_234_567_891
            };
            tree.set(zone, start + second * second * 1_234_567)?;
        }
        run.next();
        told.extend(run.meter.take_notes());
    }
    assert_eq!(codes(&told), ["powercap-mirror-late!"]);
    let message = told.first().map(|note| note.message.clone()).unwrap_or_default();
    assert!(
        message.contains("`package-0-die-0` and `package-0-die-1`"),
        "{message}"
    );
    Ok(())
}

#[test]
fn readings_are_stamped_one_by_one() -> io::Result<()> {
    let tree = Copy::of("epyc")?;
    let mut run = run(&tree)?;
    run.next();
    let ends: Vec<u64> = run
        .next()
        .iter()
        .filter_map(|(_, step)| match step {
            Step::Energy { to, .. } => Some(to.0),
            Step::First | Step::Reset { .. } | Step::Slept | Step::Missing(_) => None,
        })
        .collect();
    assert_eq!(ends, [2_000_001_000, 2_000_002_000, 2_000_003_000, 2_000_004_000]);
    Ok(())
}
