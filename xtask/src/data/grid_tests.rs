//! The merge of packages and typed figures, on packages of a few lines.

use super::*;

struct Inputs(tempfile::TempDir);

impl Inputs {
    fn new() -> Self {
        let inputs = Self(tempfile::tempdir().unwrap());
        inputs.file(
            "manual/iso3166.csv",
            "iso2,iso3,name\nZW,ZWE,Zimbabwe\nCF,CAF,Car\nFR,FRA,France\nMS,MSR,Montserrat\n",
        );
        inputs.file(
            "manual/ember_2026.csv",
            "# typed\niso3,g_per_kwh,year\nFRA,41.45,2025\nWORLD,458.49,2025\n",
        );
        inputs.file("manual/ember_2025_years.csv", "iso3,year\nMSR,2022\nZWE,2023\n");
        inputs.file(
            "manual/eccc_v4.csv",
            "code,name,g_per_kwh,year\nCA-QC,Quebec,2.6,2024\n",
        );
        inputs.file(
            "manual/nga_2026.csv",
            "code,name,g_per_kwh,year\nAU-NSW,New South Wales,600,2026\n",
        );
        inputs.snapshot(r#"{ "ASIA": 572.12, "G7": 343.3, "FRA": 44.18, "MSR": 1e3, "CAF": 0, "WORLD": 472.94, "ZWE": 298.44 }"#);
        let infra = "codecarbon/data/private_infra";
        inputs.file(
            &format!("{infra}/global_energy_mix.json"),
            r#"{ "FRA": { "total_TWh": 518.5 }, "MSR": { "total_TWh": 0.02 }, "ZWE": { "total_TWh": 9.5 } }"#,
        );
        inputs.file(
            &format!("{infra}/2023/usa_emissions.json"),
            r#"{ "_unit": { "emissions": "lbs/MWh" }, "california": { "emissions": 394.769, "regionCode": "CA" },
                 "usa": { "emissions": 770.884, "regionCode": "usa" } }"#,
        );
        inputs.file(
            &format!("{infra}/2023/china_provincial_emissions.json"),
            r#"{ "data": { "CN-BJ": { "emission_factor": 555.4, "unit": "gCO2/kWh", "description": "Beijing",
                 "year": 2023 } } }"#,
        );
        inputs
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn snapshot(&self, object: &str) {
        let text = format!("const data = {object};\nconst type = \"average\";\nexport {{ data }};\n");
        self.file("package/dist/esm/data/average-intensities.min.js", &text);
    }

    fn countries(&self) -> Result<(String, String)> {
        countries(self.path(), self.path(), self.path())
    }
}

fn rows(text: &str) -> Vec<&str> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .skip(1)
        .collect()
}

#[test]
fn the_newer_figure_wins_zero_is_missing_and_aggregates_are_no_countries() {
    let (country, world) = Inputs::new().countries().unwrap();
    assert_eq!(
        rows(&country),
        [
            "CAF,CF,Car,,,,,,,",
            "FRA,FR,France,41.45,2025,ember-2026,lifecycle,production,co2e,",
            "MSR,MS,Montserrat,1000,2022,ember-2025,lifecycle,production,co2e,500",
            "ZWE,ZW,Zimbabwe,298.44,2023,ember-2025,lifecycle,production,co2e,",
        ]
    );
    assert_eq!(
        rows(&world),
        ["WORLD,world average,458.49,2025,ember-2026,lifecycle,production,co2e"]
    );
}

#[test]
fn a_figure_without_a_year_stops_the_build() {
    let inputs = Inputs::new();
    inputs.snapshot(r#"{ "DEU": 342.06 }"#);
    let error = inputs.countries().unwrap_err().to_string();
    assert!(error.contains("`DEU`") && error.contains("no year"), "{error}");
}

#[test]
fn a_figure_of_no_country_stops_the_build() {
    let inputs = Inputs::new();
    inputs.file(
        "manual/ember_2026.csv",
        "iso3,g_per_kwh,year\nFRA,41.45,2025\nXYZ,1,2025\nWORLD,458.49,2025\n",
    );
    let error = inputs.countries().unwrap_err().to_string();
    assert!(error.contains("`XYZ`"), "{error}");
}

#[test]
fn a_package_of_another_shape_stops_the_build() {
    let inputs = Inputs::new();
    inputs.file(
        "package/dist/esm/data/average-intensities.min.js",
        "export default {};\n",
    );
    assert!(inputs.countries().unwrap_err().to_string().contains("const data"));
    inputs.file(
        "codecarbon/data/private_infra/2023/usa_emissions.json",
        r#"{ "_unit": { "emissions": "kg/MWh" }, "california": { "emissions": 1, "regionCode": "CA" } }"#,
    );
    assert!(
        regions(inputs.path(), inputs.path())
            .unwrap_err()
            .to_string()
            .contains("`lbs/MWh`")
    );
}

#[test]
fn regions_are_converted_once_sorted_and_labelled_each() {
    let inputs = Inputs::new();
    let text = regions(inputs.path(), inputs.path()).unwrap();
    assert_eq!(
        rows(&text),
        [
            "AU-NSW,New South Wales,600,2026,nga-2026,direct,consumption,co2e",
            "CA-QC,Quebec,2.6,2024,eccc-v4,direct,consumption,co2e",
            "CN-BJ,Beijing,555.4,2023,mee-2025-47,direct,consumption,co2",
            "US-CA,California,179.064,2023,egrid-2023,direct,production,co2e",
        ]
    );
    assert_eq!(text, regions(inputs.path(), inputs.path()).unwrap());
}

#[test]
fn a_tiny_grid_has_a_coarse_figure_and_a_large_one_has_not() {
    assert_eq!(rounding(1000.0, 0.02), Some(500.0));
    assert_eq!(rounding(41.45, 500.0), None);
    assert_eq!(rounding(500.0, 0.0), None);
}

#[test]
fn state_names_are_written_as_people_write_them() {
    assert_eq!(title("district of columbia"), "District of Columbia");
}
