//! Meters, on trees of several machines (`tests/sysroots`) and on trees that misbehave while they are read.

#[path = "meters/card_runs.rs"]
mod card_runs;
#[path = "meters/card_totals.rs"]
mod card_totals;
#[path = "meters/card_users.rs"]
mod card_users;
#[path = "meters/cards.rs"]
mod cards;
#[path = "meters/faults.rs"]
mod faults;
#[path = "meters/hwmon.rs"]
mod hwmon;
#[path = "meters/layouts.rs"]
mod layouts;
#[path = "meters/machines.rs"]
mod machines;
#[path = "meters/perf.rs"]
mod perf;
#[path = "meters/real_use.rs"]
mod real_use;
#[path = "meters/rights.rs"]
mod rights;
#[path = "meters/rules.rs"]
mod rules;
#[path = "meters/scenario.rs"]
mod scenario;
#[path = "meters/software_pmu.rs"]
mod software_pmu;
#[path = "meters/tree.rs"]
mod tree;
