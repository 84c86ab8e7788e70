//! A sound copy of data/, one fault at a time: the checker must name it.

use super::*;
use std::path::PathBuf;

const YEAR: u16 = 2026;

struct Copy {
    folder: tempfile::TempDir,
}

impl Copy {
    fn sound() -> Self {
        let from = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../data");
        let folder = tempfile::tempdir().unwrap();
        for sub in ["cloud", "codecarbon", "grid", "hardware"] {
            std::fs::create_dir(folder.path().join(sub)).unwrap();
        }
        let others = ["sources.toml", "SOURCES.md", "VERSION"];
        for name in TABLES.iter().map(|(name, _)| *name).chain(others) {
            std::fs::copy(from.join(name), folder.path().join(name)).unwrap();
        }
        Self { folder }
    }

    /// Replaces the first `old` in a file, which must be there, and returns the problems.
    fn with(name: &str, old: &str, new: &str) -> Vec<Problem> {
        let copy = Self::sound();
        let path = copy.folder.path().join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(old), "{name} has no {old:?}");
        std::fs::write(&path, text.replacen(old, new, 1)).unwrap();
        all(copy.folder.path(), YEAR).unwrap()
    }
}

#[track_caller]
fn told(problems: &[Problem], start: &str, what: &str) {
    assert!(
        problems
            .iter()
            .any(|problem| problem.starts_with(start) && problem.contains(what)),
        "no `{start} ... {what}` in {problems:#?}"
    );
}

#[test]
fn the_committed_tables_are_in_order() {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../data");
    assert_eq!(all(&data, this_year().unwrap()).unwrap(), Vec::<Problem>::new());
}

#[test]
fn a_figure_that_is_really_a_year_is_refused() {
    let problems = Copy::with("grid/country.csv", ",France,41.45,", ",France,2024,");
    told(&problems, "grid/country.csv: FRA", "has 2024 g/kWh");
}

#[test]
fn a_missing_figure_written_as_zero_is_refused() {
    told(
        &Copy::with("grid/country.csv", ",France,41.45,", ",France,0,"),
        "grid/country.csv: FRA",
        "has 0 g/kWh",
    );
    told(
        &Copy::with("grid/region.csv", "Quebec,2.6,", "Quebec,0,"),
        "grid/region.csv: CA-QC",
        "has 0 g/kWh",
    );
}

#[test]
fn a_figure_without_its_year_is_refused() {
    let problems = Copy::with("grid/country.csv", ",France,41.45,2025,", ",France,41.45,,");
    told(&problems, "grid/country.csv: FRA", "without a year");
}

#[test]
fn a_year_to_come_is_refused() {
    let problems = Copy::with("grid/country.csv", ",France,41.45,2025,", ",France,41.45,2027,");
    told(&problems, "grid/country.csv: FRA", "is of the year 2027");
}

#[test]
fn a_row_of_no_known_source_is_refused() {
    let problems = Copy::with("grid/country.csv", "41.45,2025,ember-2026", "41.45,2025,hearsay");
    told(&problems, "grid/country.csv: FRA", "`hearsay`");
    let problems = Copy::with(
        "hardware/vcpu_power.csv",
        "AMD Zen 4,2022,0.739,2.282,,ccf-b0032d9",
        "AMD Zen 4,2022,0.739,2.282,,me",
    );
    told(&problems, "hardware/vcpu_power.csv: AMD Zen 4", "`me`");
}

#[test]
fn a_label_that_nobody_knows_is_refused() {
    let problems = Copy::with("grid/region.csv", ",direct,", ",marginal,");
    told(&problems, "grid/region.csv", "has the labels `marginal`");
}

#[test]
fn rows_out_of_order_and_twice_are_refused() {
    told(
        &Copy::with("grid/country.csv", "\nFRA,", "\nABC,"),
        "grid/country.csv: ABC",
        "out of order",
    );
    told(
        &Copy::with("grid/region.csv", "\nCA-QC,", "\nCA-PE,"),
        "grid/region.csv: CA-PE",
        "is there twice",
    );
    told(
        &Copy::with("grid/country.csv", ",FR,France,", ",DE,France,"),
        "grid/country.csv: DE",
        "repeated iso2",
    );
}

#[test]
fn a_region_of_no_country_is_refused() {
    told(
        &Copy::with("grid/region.csv", "\nCA-QC,", "\nCA-QUEBEC,"),
        "grid/region.csv: CA-QUEBEC",
        "ISO 3166-2",
    );
    told(
        &Copy::with("grid/region.csv", "\nAU-ACT,", "\nAA-ACT,"),
        "grid/region.csv: AA-ACT",
        "ISO 3166-2",
    );
}

#[test]
fn an_alias_that_is_a_code_or_means_nothing_is_refused() {
    told(
        &Copy::with("grid/country_alias.csv", "\nuae,ARE", "\nua,ARE"),
        "grid/country_alias.csv: ua",
        "code",
    );
    told(
        &Copy::with("grid/country_alias.csv", "\nuae,ARE", "\nuae,XXX"),
        "grid/country_alias.csv: uae",
        "`XXX`",
    );
    told(
        &Copy::with("grid/country_alias.csv", "\nuae,", "\nU.A.E.,"),
        "grid/country_alias.csv: U.A.E.",
        "folded",
    );
}

#[test]
fn a_changed_header_and_a_windows_line_end_are_refused() {
    let problems = Copy::with("grid/region.csv", "code,name,g_per_kwh", "code,name,kg_per_kwh");
    told(&problems, "grid/region.csv: -", "has the header");
    told(&problems, "grid/region.csv: -", "missing field `g_per_kwh`");
    told(
        &Copy::with("grid/region.csv", "\n", "\r\n"),
        "grid/region.csv: -",
        "CR",
    );
}

#[test]
fn a_cpu_key_that_the_look_up_would_never_ask_for_is_refused() {
    let problems = Copy::with("hardware/cpu_tdp.csv", "\nepyc 7742,", "\nAMD EPYC 7742,");
    told(&problems, "hardware/cpu_tdp.csv: AMD EPYC 7742", "epyc 7742");
}

#[test]
fn an_impossible_power_is_refused() {
    let problems = Copy::with("hardware/cpu_tdp.csv", "\nepyc 7742,225,", "\nepyc 7742,22500,");
    told(&problems, "hardware/cpu_tdp.csv: epyc 7742", "22500 W");
    let problems = Copy::with(
        "hardware/vcpu_power.csv",
        "AMD Zen 4,2022,0.739,2.282",
        "AMD Zen 4,2022,2.282,0.739",
    );
    told(&problems, "hardware/vcpu_power.csv: AMD Zen 4", "2.282 to 0.739");
}

#[test]
fn two_rows_that_claim_one_cpu_are_refused() {
    let problems = Copy::with("hardware/vcpu_power.csv", ",85,5-7,", ",85,4-7,");
    told(
        &problems,
        "hardware/vcpu_power.csv: Intel Cascade Lake",
        "`Intel Skylake`",
    );
}

#[test]
fn a_microarchitecture_of_a_year_to_come_is_refused() {
    let problems = Copy::with("hardware/vcpu_power.csv", "AMD Zen 4,2022,", "AMD Zen 4,2027,");
    told(&problems, "hardware/vcpu_power.csv: AMD Zen 4", "shipped in 2027");
}

#[test]
fn a_series_that_means_nothing_or_takes_everything_is_refused() {
    let name = "hardware/cpu_series.csv";
    let start = "hardware/cpu_series.csv: epyc 7??3*";
    let with = |new| Copy::with(name, "epyc 7??3*,part,AMD Zen 3,", new);
    told(&with("epyc 7??3*,part,AMD Zen 33,"), start, "`AMD Zen 33`");
    told(&with("epyc 7??3*,sort,AMD Zen 3,"), start, "kind `sort`");
    told(
        &with("epyc 7??2*,part,AMD Zen 3,"),
        "hardware/cpu_series.csv: epyc 7??2*",
        "twice",
    );
    told(
        &with("*,part,AMD Zen 3,"),
        "hardware/cpu_series.csv: *",
        "four letters",
    );
    told(
        &with("EPYC 7??3*,part,AMD Zen 3,"),
        "hardware/cpu_series.csv: EPYC 7??3*",
        "capitals",
    );
}

#[test]
fn a_source_that_no_table_uses_any_more_is_refused() {
    let problems = Copy::with(
        "sources.toml",
        "tables = [\"grid/region.csv\"]",
        "tables = [\"grid/world.csv\"]",
    );
    told(&problems, "sources.toml: egrid-2023", "disagree");
    told(&problems, "SOURCES.md", "differs");
}

#[test]
fn a_cloud_region_in_no_country_or_in_another_ones_part_is_refused() {
    let problems = Copy::with("cloud/region.csv", "Paris,FRA,,FR", "Paris,FRX,,FR");
    told(&problems, "cloud/region.csv: aws eu-west-3", "in no country");
    let problems = Copy::with("cloud/region.csv", ",CAN,CA-QC,", ",CAN,US-CA,");
    told(&problems, "cloud/region.csv: aws ca-central-1", "subdivision");
}

#[test]
fn a_facility_that_makes_energy_and_one_of_no_year_are_refused() {
    let problems = Copy::with("cloud/region.csv", ",1.11,2024,", ",0.11,2024,");
    told(&problems, "cloud/region.csv: aws eu-west-1", "PUE of 0.11");
    let problems = Copy::with("cloud/provider.csv", ",1.14,2025,", ",1.14,2035,");
    told(&problems, "cloud/provider.csv: aws", "of the year 2035");
}

#[test]
fn figures_outside_their_ranges_are_refused() {
    let problems = Copy::with("grid/energy_source.csv", "coal,coal,820,", "coal,coal,82,");
    told(&problems, "grid/energy_source.csv: coal", "outside its range");
    let problems = Copy::with("hardware/embodied.csv", "each,1216,", "each,121600,");
    told(&problems, "hardware/embodied.csv: server", "outside its range");
    let problems = Copy::with(
        "hardware/gpu_tdp.csv",
        "h100,NVIDIA H100 SXM5,700",
        "h100,NVIDIA H100 SXM5,7",
    );
    told(&problems, "hardware/gpu_tdp.csv: h100", "no board");
    let problems = Copy::with("equivalence.csv", ",0.2442,2026,", ",0,2026,");
    told(&problems, "equivalence.csv: car", "like nothing");
}

#[test]
fn a_table_that_was_changed_by_hand_is_told() {
    let problems = Copy::with("grid/world.csv", "458.49", "458.5");
    told(&problems, "VERSION: -", "not that of the tables");
}

#[test]
fn a_compatible_table_without_its_stand_in_or_with_a_place_twice_is_refused() {
    let table = "codecarbon/intensity.csv";
    told(
        &Copy::with(table, "WORLD,,WORLD,", "WORLE,,WORLD,"),
        "codecarbon/intensity.csv: WORLD",
        "is missing",
    );
    told(
        &Copy::with(table, "CAN,quebec,CA-QC,", "CAN,ontario,CA-QC,"),
        "codecarbon/intensity.csv: CAN ontario",
        "out of order",
    );
}
