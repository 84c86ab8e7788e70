//! Columns, units, and what an empty cell means.

use super::*;
use crate::output::example;
use std::time::Duration;

#[test]
fn a_row_of_known_cells_has_all_columns_in_their_order() {
    let full = super::emissions_csv(&crate::output::example::measured()).unwrap();
    let known = super::row(&[("pue", "1.2".to_owned()), ("run_id", "7".to_owned())]);
    assert_eq!(known.header, full.header);
    let filled: Vec<_> = known
        .cells
        .iter()
        .enumerate()
        .filter(|(_, cell)| !cell.is_empty())
        .collect();
    assert_eq!(filled, [(2, &"7".to_owned()), (36, &"1.2".to_owned())]);
}

fn cell(report: &RunReport, name: &str) -> String {
    let row = emissions_csv(report).unwrap();
    let column = row.header.iter().position(|known| *known == name).unwrap();
    row.cells[column].clone()
}

fn amount(report: &RunReport, name: &str) -> f64 {
    cell(report, name).parse().unwrap()
}

#[test]
fn the_columns_are_codecarbons_in_their_order() {
    let row = emissions_csv(&example::measured()).unwrap();
    insta::assert_snapshot!(row.header.join(","));
    assert_eq!((row.header.len(), row.cells.len()), (38, 38));
}

#[test]
fn every_kind_of_report_has_its_row() {
    for (name, report) in example::all() {
        let Some(row) = emissions_csv(&report) else {
            continue;
        };
        let lines: Vec<String> = row
            .header
            .iter()
            .zip(&row.cells)
            .map(|(name, cell)| format!("{name}: {cell}"))
            .collect();
        insta::assert_snapshot!(name, lines.join("\n"));
    }
}

#[test]
fn units_are_kilowatt_hours_kilograms_and_watts_with_the_facilitys_overhead() {
    let report = example::measured();
    let close = |name: &str, expected: f64| {
        let found = amount(&report, name);
        assert!(
            (found / expected - 1.0).abs() < 1e-12,
            "{name}: {found}, not {expected}"
        );
    };
    close("energy_consumed", 1_232.0 * 1.2 / 3.6e6);
    close("cpu_energy", 1_034.0 * 1.2 / 3.6e6);
    close("cpu_power", 1_034.0 * 1.2 / 72.3);
    close("emissions", 0.017_37 / 1000.0);
    close("emissions_rate", 0.017_37 / 1000.0 / 72.3);
    close("duration", 72.3);
    close("ram_total_size", 64.0);
    close("cpu_utilization_percent", 100.0 * 144.2 / (8.0 * 72.3));
}

#[test]
fn what_is_absent_is_empty_and_not_zero() {
    let mut report = example::killed_early();
    report.host.cpus = None;
    for name in [
        "ram_energy",
        "ram_power",
        "gpu_energy",
        "gpu_power",
        "cpu_count",
        "cpu_utilization_percent",
    ] {
        assert_eq!(cell(&report, name), "", "{name}");
    }
    assert!(amount(&report, "energy_consumed") > 0.0);
}

#[test]
fn a_run_whose_energy_is_not_known_has_no_row() {
    assert_eq!(emissions_csv(&example::absent()), None);
}

#[test]
fn a_run_without_duration_has_no_power() {
    let report = RunReport {
        duration: Duration::ZERO,
        ..example::measured()
    };
    assert_eq!(cell(&report, "cpu_power"), "");
    assert_eq!(cell(&report, "emissions_rate"), "");
    assert_eq!(cell(&report, "duration"), "0");
}

#[test]
fn a_province_is_written_below_its_country() {
    let mut report = example::measured();
    report.intensity.place = "CA-QC".to_owned();
    report.intensity.name = "Quebec".to_owned();
    let cells = ["country_name", "country_iso_code", "region"].map(|name| cell(&report, name));
    assert_eq!(cells, ["Canada", "CAN", "quebec"]);
}

#[test]
fn a_cloud_region_is_named_beside_its_country() {
    let mut report = example::measured();
    report.intensity.cloud = Some(crate::model::report::CloudPlace {
        provider: "aws".to_owned(),
        region: "eu-west-3".to_owned(),
        location: "Paris".to_owned(),
    });
    let cells = ["country_iso_code", "cloud_provider", "cloud_region", "on_cloud"];
    assert_eq!(
        cells.map(|name| cell(&report, name)),
        ["FRA", "aws", "eu-west-3", "Y"]
    );
}

#[test]
fn readers_that_group_by_project_or_place_find_something() {
    for (name, report) in [
        ("measured", example::measured()),
        ("estimated", example::estimated()),
    ] {
        for column in [
            "project_name",
            "country_name",
            "country_iso_code",
            "on_cloud",
            "timestamp",
        ] {
            assert_ne!(cell(&report, column), "", "{column} of {name}");
        }
    }
}
