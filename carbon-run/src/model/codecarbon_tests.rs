use super::*;
use crate::model::tables::Tables;

/// kWh, country, region, and the kg that CodeCarbon 3.3.2 says, computed by running it.
const EMISSIONS: [(f64, Option<&str>, Option<&str>, f64); 18] = [
    (1.0, Some("FRA"), None, 0.056_039),
    (1.0, Some("USA"), None, 0.369_473),
    (0.3, Some("USA"), None, 0.110_841_9),
    (1.0, Some("DEU"), None, 0.380_95),
    (1.0, Some("GBR"), None, 0.237_589),
    (1.0, Some("POL"), None, 0.661_926),
    (1.0, Some("IND"), None, 0.713_441),
    (1.0, Some("CHN"), None, 0.582_317),
    (3.0, Some("CAN"), None, 0.510_129),
    (3.0, Some("CAN"), Some("ontario"), 0.194_167),
    (0.3, Some("USA"), Some("Illinois"), 0.064_560),
    (1.0, Some("USA"), Some("nowhere"), 0.369_473),
    (2.5, Some("FIN"), Some("FI"), 0.18),
    (1.0, Some("SWE"), Some("Stockholm County"), 0.040_695),
    (1.0, Some("AAA"), None, 0.475),
    (1.0, None, None, 0.475),
    (1000.0, Some("UNK"), None, 475.0),
    (1.0, Some("fra"), None, 0.056_039),
];

#[test]
fn emissions_are_those_of_codecarbon() {
    let tables = Tables::embedded().unwrap();
    for (kwh, country, region, kg) in EMISSIONS {
        let place = tables.codecarbon_place(country, region);
        let intensity = tables.intensity(&place).unwrap();
        let found = kwh * intensity.value.value.get() / 1e3;
        assert!(
            (found - kg).abs() <= 1e-5 * kg,
            "{country:?} {region:?}: {found} kg, not {kg}"
        );
        assert_eq!(intensity.method, LABEL);
        assert!(
            intensity.value.low <= intensity.value.value && intensity.value.value <= intensity.value.high
        );
    }
}

#[test]
fn our_own_names_of_a_place_lead_to_its_row() {
    let tables = Tables::embedded().unwrap();
    let row = |country, region| tables.codecarbon_place(country, region);
    let place = |country: &str, region: Option<&str>| Place::CodeCarbon {
        country: country.to_owned(),
        region: region.map(str::to_owned),
    };
    assert_eq!(row(Some("France"), None), place("FRA", None));
    assert_eq!(row(None, Some("CA-QC")), place("CAN", Some("quebec")));
    assert_eq!(
        row(Some("US"), Some("california")),
        place("USA", Some("california"))
    );
    // A name without a country is nobody's: there is a Georgia in two places.
    assert_eq!(row(None, Some("georgia")), place("WORLD", None));
    assert_eq!(row(Some("FRA"), Some("california")), place("FRA", None));
}

#[test]
fn memory_draws_what_codecarbon_says() {
    for (gib, watts) in [
        (8.0, 10.0),
        (16.0, 10.0),
        (32.0, 20.0),
        (64.0, 20.0),
        (128.0, 38.0),
        (192.0, 54.0),
        (256.0, 38.0),
        (384.0, 54.0),
        (512.0, 38.0),
        (1024.0, 38.0),
        (2048.0, 70.0),
        (4096.0, 126.0),
    ] {
        let found = 5.0 * drawing_modules(gib);
        assert!((found - watts).abs() < 1e-9, "{gib} GiB: {found} W, not {watts}");
    }
    let guessed = [2.0, 16.0, 32.0, 96.0, 256.0, 2048.0, 8192.0].map(modules);
    assert_eq!(guessed, [1, 2, 4, 8, 8, 16, 32]);
}

#[test]
fn a_module_draws_less_on_arm() {
    let tables = Tables::embedded().unwrap();
    for (architecture, watts) in [("x86_64", 5.0), ("aarch64", 1.5)] {
        let host = Host {
            architecture: Some(architecture.to_owned()),
            ..Host::default()
        };
        let stated = crate::model::estimate::StatedModels {
            codecarbon: true,
            ..Default::default()
        };
        let model = tables.ram_power(&host, &stated);
        assert_eq!(model.per_module.map(Watts::get), Some(watts));
        assert!(model.basis.starts_with(LABEL));
    }
}

#[test]
fn a_cpu_is_a_straight_line_to_its_design_power() {
    let tables = Tables::embedded().unwrap();
    let model = |name: &str, packages| {
        let host = Host {
            cpu_model: Some(name.to_owned()),
            cpus: Some(64),
            ..Host::default()
        };
        let model = tables.codecarbon_cpu(&host, packages);
        assert!(model.basis.starts_with(LABEL), "{}", model.basis);
        (model.idle.value.get(), model.full.value.get())
    };
    assert_eq!(model("Intel(R) Core(TM) i7-8850H CPU @ 2.60GHz", 1), (0.0, 45.0));
    assert_eq!(model("AMD EPYC 7763 64-Core Processor", 1), (0.0, 280.0));
    assert_eq!(
        model("Intel(R) Xeon(R) Gold 6330N CPU @ 2.20GHz", 2),
        (0.0, 330.0)
    );
    // Its own mistake, by which two sockets of 64 threads are 512 W: each of them counts twice.
    assert_eq!(model("no CPU that anybody lists", 2), (0.0, 512.0));
}
