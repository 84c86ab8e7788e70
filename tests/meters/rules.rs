//! Each rule of METHOD.md, "Counters", and the test that fails without it.

use crate::scenario::{Gain, record_paced, refused};
use std::error::Error;
use std::fs;
use std::path::Path;

/// What is summed, what a difference of two readings is worth, and when there are readings: rule, file, test.
const RULES: &[(&str, &str, &str)] = &[
    (
        "each package is summed, and feeds its own CPUs",
        "tests/meters/machines.rs",
        "eleven_packages_each_feed_their_own_cpus",
    ),
    (
        "each die with a counter of its own is summed",
        "tests/meters/machines.rs",
        "dies_with_counters_of_their_own_are_packages_of_their_own",
    ),
    (
        "dies that show one counter are counted once",
        "tests/meters/machines.rs",
        "a_threadripper_with_mirrored_dies_is_counted_once",
    ),
    (
        "the same, counted by perf",
        "tests/meters/perf.rs",
        "dies_that_count_the_same_register_are_counted_once_for_the_package",
    ),
    (
        "two sockets are never taken for one",
        "tests/meters/layouts.rs",
        "two_sockets_with_the_same_counter_are_two_sockets",
    ),
    (
        "dram lies outside the package and is summed; core lies inside and is not",
        "tests/meters/machines.rs",
        "a_two_socket_xeon_has_its_package_and_its_dram",
    ),
    (
        "psys contains everything and is never summed; the memory-mapped zone is the same counter again",
        "tests/meters/machines.rs",
        "a_client_is_its_package_alone_and_not_psys_nor_the_mmio_copy",
    ),
    (
        "the memory-mapped zone is used where it is the only one",
        "tests/meters/layouts.rs",
        "the_mmio_zone_is_used_where_it_is_the_only_one",
    ),
    (
        "without a dram zone memory is a model, and called an estimate",
        "carbon-run/src/model/assemble/tests/sums.rs",
        "a_sum_with_an_estimate_in_it_is_an_estimate_that_names_its_parts_once",
    ),
    (
        "what is only told is never added",
        "carbon-run/src/model/assemble/tests/sums.rs",
        "what_lies_inside_a_package_or_contains_it_is_never_added",
    ),
    (
        "perf is preferred, and no package is summed twice",
        "tests/meters/perf.rs",
        "perf_is_preferred_to_powercap_and_no_package_is_summed_by_both",
    ),
    (
        "perf and powercap must agree on the domains",
        "tests/meters/perf.rs",
        "powercap_is_used_where_perf_counts_less_and_that_is_said",
    ),
    (
        "perf and powercap must agree on the energy",
        "carbon-run/src/meter/witness.rs",
        "meters_that_part_by_more_than_five_percent_are_told_of_once",
    ),
    (
        "perf's unit is exact",
        "carbon-run/src/meter/perf/scale.rs",
        "the_kernels_unit_is_two_to_the_minus_32_joules_exactly",
    ),
    (
        "then hwmon, of whose sensors none is counted twice",
        "tests/meters/machines.rs",
        "a_grace_is_its_sockets_sensor_with_its_memory_inside",
    ),
    (
        "hwmon is left alone where there is RAPL",
        "tests/meters/hwmon.rs",
        "hwmon_is_not_read_where_rapl_has_the_packages",
    ),
    (
        "a power is integrated",
        "carbon-run/src/model/integral.rs",
        "a_ramp_is_its_mean_power_times_the_time",
    ),
    (
        "then a model of the CPU, always labelled",
        "tests/meters/machines.rs",
        "a_virtual_machine_is_its_model_and_called_an_estimate",
    ),
    (
        "a counter goes round one unit of the hardware after its largest value",
        "carbon-run/src/meter/powercap/limits.rs",
        "the_modulus_is_one_unit_of_the_hardware_above_the_largest_value",
    ),
    (
        "a decrease of plausible power is a wrap",
        "tests/meters/faults.rs",
        "a_counter_that_wraps_is_unwrapped",
    ),
    (
        "another decrease is a reset: dropped and flagged",
        "tests/meters/faults.rs",
        "a_counter_that_is_reset_loses_one_interval_and_goes_on",
    ),
    (
        "plausible is up to twice the stated maximum",
        "carbon-run/src/model/counter/tests.rs",
        "the_ceiling_is_twice_the_stated_maximum_and_1200_watts_where_none_is_stated",
    ),
    (
        "without a range nothing is unwrapped",
        "tests/meters/faults.rs",
        "without_a_range_a_wrap_is_dropped_and_nothing_is_made_up",
    ),
    (
        "sleep is dropped and flagged",
        "carbon-run/src/model/assemble/tests/gaps.rs",
        "what_a_sleeping_machine_drew_is_nobodys",
    ),
    (
        "a zone that goes away leaves the others, and coverage says so",
        "carbon-run/src/model/assemble/tests/gaps.rs",
        "a_domain_that_vanishes_leaves_the_others_and_shows_in_the_coverage",
    ),
    (
        "a zone that comes back has lost nothing",
        "tests/meters/faults.rs",
        "a_zone_that_vanishes_and_comes_back_is_read_again_and_no_energy_is_lost",
    ),
    (
        "a young run is looked at more often",
        "carbon-run/src/session/cadence.rs",
        "a_young_run_is_looked_at_more_often",
    ),
    (
        "always below half of the shortest wrap time",
        "carbon-run/src/session/cadence.rs",
        "a_counter_that_wraps_soon_is_read_at_least_twice_in_between",
    ),
    (
        "readings are forced at the start and at the end",
        "tests/meters/software_pmu.rs",
        "a_run_far_shorter_than_the_interval_is_read_at_its_start_and_its_end",
    ),
    (
        "a run of five milliseconds is more doubt than figure",
        "tests/meters/rules.rs",
        "a_run_of_five_milliseconds_has_a_range_wider_than_its_figure",
    ),
];

#[test]
fn every_rule_has_a_test_of_that_name_in_that_file() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (rule, file, test) in RULES {
        let text = fs::read_to_string(root.join(file))?;
        let named = format!("#[test]\nfn {test}()");
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert!(
            lines.join("\n").contains(&named),
            "{rule}: no test `{test}` in {file}"
        );
    }
    Ok(())
}

/// 100 W, 40 of them idle, for 5 ms on 4 CPUs: 40 W and 0.2 J. RAPL's steps at both ends alone are 0.2 J.
#[test]
fn a_run_of_five_milliseconds_has_a_range_wider_than_its_figure() -> Result<(), Box<dyn Error>> {
    let gains = [
        Gain::Zone("intel-rapl:0", 31_415_926_535, 125_000),
        Gain::Zone("intel-rapl:1", 62_831_853_070, 75_000),
    ];
    let report = record_paced(
        "two-socket-xeon",
        &[40.0, 40.0],
        &gains,
        &mut refused(),
        1_250_000,
    )?;
    let carbon_run::model::report::Figure::Known { ranged, .. } = &report.energy.cpu else {
        return Err("no figure".into());
    };
    assert!((ranged.value.get() - 0.2).abs() < 1e-6, "{ranged:?}");
    assert!(ranged.high.get() > 2.0 * ranged.value.get(), "{ranged:?}");
    Ok(())
}
