//! Which domains each machine has: golden lists of name, `summed` or only told, CPU groups, range and power.

use crate::tree::{Copy, codes, groups, line, lines, original};
use carbon_run::meter::Meter as _;
use carbon_run::meter::powercap::{Opened, Powercap, survey};
use std::fs;
use std::io;
use std::time::Duration;

fn open(name: &str, packages_and_dies: &[(u32, u32)]) -> Opened {
    Powercap::open(&original(name), &groups(packages_and_dies))
}

#[test]
fn a_two_socket_server_sums_packages_and_dram_and_each_feeds_its_own_cpus() {
    let opened = open("two-socket-xeon", &[(0, 0), (1, 0)]);
    assert_eq!(
        lines(&opened),
        [
            "package-0 summed [0] 262143328911 413 W",
            "core-0 told [0] 262143328911 ?",
            "uncore-0 told [0] 262143328911 ?",
            "dram-0 summed [0] 65712999628 41.25 W",
            "package-1 summed [1] 262143328911 413 W",
            "core-1 told [1] 262143328911 ?",
            "uncore-1 told [1] 262143328911 ?",
            "dram-1 summed [1] 65712999628 41.25 W",
        ]
    );
    assert_eq!(codes(&opened.notes), [""; 0]);
}

#[test]
fn a_client_has_psys_which_is_told_and_its_mmio_copy_is_left_out() {
    let opened = open("client", &[(0, 0)]);
    assert_eq!(
        lines(&opened),
        [
            // 15 W of base power, 64 W allowed for half a minute, 105 W of peak limit.
            "package-0 summed [0] 262143328911 105 W",
            "core-0 told [0] 262143328911 ?",
            "uncore-0 told [0] 262143328911 ?",
            "psys told [] 262143328911 ?",
        ]
    );
    assert_eq!(codes(&opened.notes), [""; 0]);
}

#[test]
fn the_mmio_zone_is_used_where_it_is_the_only_one() {
    // The limit of 4095 W is no limit and says nothing about power.
    let opened = open("client-mmio-only", &[(0, 0)]);
    assert_eq!(lines(&opened), ["package-0 summed [0] 262143328911 15 W"]);
    assert_eq!(codes(&opened.notes), [""; 0]);
}

#[test]
fn the_mmio_zone_stands_in_for_one_that_cannot_be_read() -> io::Result<()> {
    let tree = Copy::of("client")?;
    tree.write("intel-rapl:0", "energy_uj", "garbage\n")?;
    let opened = Powercap::open(tree.root(), &groups(&[(0, 0)]));
    let packages: Vec<String> = lines(&opened)
        .into_iter()
        .filter(|line| line.starts_with("package"))
        .collect();
    assert_eq!(packages, ["package-0 summed [0] 262143328911 15 W"]);
    assert_eq!(codes(&opened.notes), [""; 0]);
    Ok(())
}

#[test]
fn an_epyc_feeds_the_groups_of_all_its_dies_and_has_no_dram() {
    let opened = open("epyc", &[(0, 0), (0, 1), (1, 0), (1, 1)]);
    assert_eq!(
        lines(&opened),
        [
            "package-0 summed [0, 1] 65532611002 ?",
            "core-0 told [0, 1] 65532611002 ?",
            "package-1 summed [2, 3] 65532611002 ?",
            "core-1 told [2, 3] 65532611002 ?",
        ]
    );
    assert_eq!(codes(&opened.notes), [""; 0]);
}

#[test]
fn dies_that_mirror_one_counter_are_counted_once_and_feed_the_whole_package() {
    let opened = open("threadripper-mirrored-dies", &[(0, 0), (0, 1)]);
    assert_eq!(
        lines(&opened),
        [
            "package-0-die-0 summed [0, 1] 65532611002 ?",
            "core-0-die-0 told [0] 65532611002 ?",
            "package-0-die-1 told [1] 65532611002 ?",
            "core-0-die-1 told [1] 65532611002 ?",
        ]
    );
    assert_eq!(codes(&opened.notes), ["powercap-mirrored"]);
}

#[test]
fn two_sockets_with_the_same_counter_are_two_sockets() -> io::Result<()> {
    let tree = Copy::of("epyc")?;
    tree.set("intel-rapl:0", 7_777_777)?;
    tree.set("intel-rapl:1", 7_777_777)?;
    let opened = Powercap::open(tree.root(), &groups(&[(0, 0), (1, 0)]));
    let summed: Vec<String> = lines(&opened)
        .into_iter()
        .filter(|line| line.contains(" summed "))
        .collect();
    assert_eq!(
        summed,
        [
            "package-0 summed [0] 65532611002 ?",
            "package-1 summed [1] 65532611002 ?"
        ]
    );
    assert_eq!(codes(&opened.notes), [""; 0]);
    Ok(())
}

#[test]
fn dies_with_counters_of_their_own_are_summed_each_for_its_own_cpus() {
    let opened = open("two-dies-a-package", &[(0, 0), (0, 1), (1, 0), (1, 1)]);
    assert_eq!(
        lines(&opened),
        [
            "package-0-die-0 summed [0] 262143328911 400 W",
            "dram-0-die-0 summed [0] 65712999628 35 W",
            "package-0-die-1 summed [1] 262143328911 400 W",
            "dram-0-die-1 summed [1] 65712999628 35 W",
            "package-1-die-0 summed [2] 262143328911 400 W",
            "dram-1-die-0 summed [2] 65712999628 35 W",
            "package-1-die-1 summed [3] 262143328911 400 W",
            "dram-1-die-1 summed [3] 65712999628 35 W",
        ]
    );
    // The files of this tree do not move, so that it cannot be told whether they are copies, and that is said.
    assert_eq!(codes(&opened.notes), ["powercap-mirror-unknown!"; 4]);
}

#[test]
fn dies_that_the_topology_does_not_tell_apart_feed_their_package() {
    let opened = open("two-dies-a-package", &[(0, 0), (1, 0)]);
    let feeds: Vec<Vec<usize>> = opened
        .meter
        .iter()
        .flat_map(Powercap::domains)
        .map(|domain| domain.groups.clone())
        .collect();
    assert_eq!(
        feeds,
        [[0]; 4]
            .into_iter()
            .chain([[1]; 4])
            .map(Vec::from)
            .collect::<Vec<_>>()
    );
}

#[test]
fn packages_are_in_the_order_of_their_numbers_with_any_number_of_digits() {
    let sockets: Vec<(u32, u32)> = (0..11).map(|package| (package, 0)).collect();
    let opened = open("eleven-packages", &sockets);
    let expected: Vec<String> = (0..11)
        .map(|package| format!("package-{package} summed [{package}] 262143328911 350 W"))
        .collect();
    assert_eq!(lines(&opened), expected);
}

#[test]
fn without_topology_every_domain_feeds_all_cpus() {
    let opened = open("epyc", &[]);
    let domains: Vec<_> = opened.meter.iter().flat_map(Powercap::domains).collect();
    assert_eq!(domains.len(), 4);
    assert!(domains.iter().all(|domain| domain.groups.is_empty()));
}

#[test]
fn a_package_without_online_cpus_is_left_out_and_named() {
    let opened = open("epyc", &[(0, 0)]);
    assert_eq!(
        lines(&opened),
        [
            "package-0 summed [0] 65532611002 ?",
            "core-0 told [0] 65532611002 ?"
        ]
    );
    assert_eq!(codes(&opened.notes), ["powercap-unmapped!"; 2]);
}

#[test]
fn a_package_with_cpus_and_no_counter_is_missed() {
    let opened = open("client", &[(0, 0), (1, 0)]);
    assert_eq!(codes(&opened.notes), ["powercap-partial!"]);
    let message = &opened
        .notes
        .first()
        .map(|note| note.message.clone())
        .unwrap_or_default();
    assert!(
        message.contains("1 of 2") && message.contains("`package-1`"),
        "{message}"
    );
}

#[test]
fn a_machine_without_counters_has_no_meter_and_says_so() -> io::Result<()> {
    let empty = tempfile::tempdir()?;
    for root in [original("virtual-machine"), empty.path().to_owned()] {
        let opened = Powercap::open(&root, &groups(&[(0, 0)]));
        assert!(opened.meter.is_none());
        assert_eq!(codes(&opened.notes), ["powercap-absent"]);
        assert_eq!(survey(&root).map_err(io::Error::other)?, []);
    }
    Ok(())
}

#[test]
fn a_range_that_is_missing_or_nonsense_is_unknown_and_the_zone_still_counts() {
    let opened = open("missing-range", &[(0, 0), (1, 0)]);
    assert_eq!(
        lines(&opened),
        [
            "package-0 summed [0] ? 125 W",
            "package-1 summed [1] ? ?",
            "dram-1 summed [1] ? ?"
        ]
    );
    assert_eq!(codes(&opened.notes), ["powercap-range-unknown"; 3]);
    assert_eq!(opened.meter.and_then(|meter| meter.shortest_wrap()), None);
}

#[test]
fn the_shortest_wrap_is_at_one_and_a_half_times_the_stated_power() {
    let wrap = |name| open(name, &[]).meter.and_then(|meter| meter.shortest_wrap());
    // The uncore of 262 kJ at an assumed 1.2 kW is the first of the Xeon; the EPYC's 65 kJ the first of all.
    assert_eq!(wrap("two-socket-xeon").map(|time| time.as_secs()), Some(218));
    assert_eq!(wrap("epyc").map(|time| time.as_millis()), Some(54_610));
    assert_eq!(
        wrap("eleven-packages"),
        Duration::try_from_secs_f64(262_143.328_911 / 525.0).ok()
    );
}

#[test]
fn zones_with_names_of_another_time_are_named_and_the_others_counted() -> io::Result<()> {
    let tree = Copy::of("epyc")?;
    tree.write("intel-rapl:0", "name", "chiplet-0\n")?;
    fs::remove_file(tree.file("intel-rapl:1:0", "name"))?;
    let opened = Powercap::open(tree.root(), &groups(&[(0, 0), (1, 0)]));
    assert_eq!(lines(&opened), ["package-1 summed [1] 65532611002 ?"]);
    assert_eq!(
        codes(&opened.notes),
        [
            "powercap-unknown-zone",
            "powercap-unknown-zone",
            "powercap-unknown-zone!",
            "powercap-partial!"
        ]
    );
    Ok(())
}

#[test]
fn two_zones_of_one_name_are_told_apart() -> io::Result<()> {
    let tree = Copy::of("epyc")?;
    tree.write("intel-rapl:1", "name", "package-0\n")?;
    let opened = Powercap::open(tree.root(), &groups(&[(0, 0)]));
    let names: Vec<&str> = opened
        .meter
        .iter()
        .flat_map(Powercap::domains)
        .map(|domain| domain.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "package-0",
            "core-0",
            "package-0 (intel-rapl:1)",
            "core-0 (intel-rapl:1:0)"
        ]
    );
    Ok(())
}

#[test]
fn a_survey_lists_every_zone_once() -> io::Result<()> {
    let zones = survey(&original("client")).map_err(io::Error::other)?;
    let seen: Vec<String> = zones
        .iter()
        .map(|zone| {
            format!(
                "{} {} {:?}",
                zone.id,
                zone.name.as_deref().unwrap_or("?"),
                zone.failure
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            "intel-rapl:0 package-0 None",
            "intel-rapl:0:0 core-0 None",
            "intel-rapl:0:1 uncore-0 None",
            "intel-rapl:1 psys None",
            "intel-rapl-mmio:0 package-0 None",
        ]
    );
    assert_eq!(
        survey(&original("two-socket-xeon"))
            .map_err(io::Error::other)?
            .len(),
        8
    );
    Ok(())
}

#[test]
fn every_domain_is_measured_by_powercap() {
    let opened = open("two-socket-xeon", &[(0, 0), (1, 0)]);
    for domain in opened.meter.iter().flat_map(Powercap::domains) {
        let origin = serde_json::to_value(&domain.origin).unwrap_or_default();
        assert_eq!(
            origin,
            serde_json::json!({ "measured": "powercap" }),
            "{}",
            line(domain)
        );
    }
}
