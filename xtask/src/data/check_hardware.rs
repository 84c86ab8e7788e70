//! What must be true of the tables under data/hardware.

use super::check::Checker;
use super::cpu_key::cpu_key;
use serde::Deserialize;
use std::collections::BTreeSet;

/// From a Quark to the largest server package announced.
const TDP_RANGE_W: std::ops::RangeInclusive<f64> = 0.5..=1000.0;
/// Beyond this, a coefficient per hardware thread rests on too few results (EPYC 5th Gen: 3.7 and 9.0).
const HIGHEST_VCPU_W: f64 = 9.0;
/// Servers of the oldest microarchitecture that has coefficients.
const OLDEST_CPU: u16 = 2010;
/// Fewer parts than this is a parse error, not an edition.
const FEWEST_PARTS: usize = 3000;

#[derive(Deserialize)]
struct Tdp {
    key: String,
    tdp_w: f64,
    source: String,
}

#[derive(Deserialize)]
struct Vcpu {
    vendor: String,
    family: u32,
    models: String,
    steppings: String,
    name: String,
    year: u16,
    min_w: f64,
    max_w: f64,
    proxy: String,
    source: String,
}

#[derive(Deserialize)]
struct Series {
    pattern: String,
    kind: String,
    name: String,
    source: String,
}

/// hardware/cpu_tdp.csv
pub(super) fn tdp(checker: &mut Checker<'_>, text: &str) {
    let name = "hardware/cpu_tdp.csv";
    let rows: Vec<Tdp> = checker.rows(name, text);
    checker.ordered(name, rows.iter().map(|row| row.key.as_str()));
    checker.require(
        rows.len() >= FEWEST_PARTS,
        name,
        "-",
        &format!("has only {} rows", rows.len()),
    );
    // The look-up compares lines, it does not parse: a quoted cell would never match.
    checker.require(!text.contains('"'), name, "-", "has a quoted cell");
    for row in &rows {
        let own = cpu_key(&row.key);
        checker.require(
            own.as_deref() == Some(&row.key),
            name,
            &row.key,
            &format!("has the key {own:?}"),
        );
        let possible = TDP_RANGE_W.contains(&row.tdp_w);
        checker.require(possible, name, &row.key, &format!("has {} W", row.tdp_w));
        checker.source(name, &row.key, &row.source);
    }
}

/// hardware/vcpu_power.csv; returns the names of its rows.
pub(super) fn vcpu(checker: &mut Checker<'_>, text: &str) -> BTreeSet<String> {
    let name = "hardware/vcpu_power.csv";
    let rows: Vec<Vcpu> = checker.rows(name, text);
    let mut seen: Vec<(&Vcpu, Ranges, Ranges)> = Vec::new();
    for row in &rows {
        let sane = row.min_w > 0.0 && row.min_w < row.max_w && row.max_w <= HIGHEST_VCPU_W;
        checker.require(
            sane,
            name,
            &row.name,
            &format!("goes from {} to {} W", row.min_w, row.max_w),
        );
        checker.source(name, &row.name, &row.source);
        let possible = (OLDEST_CPU..=checker.this_year()).contains(&row.year);
        checker.require(possible, name, &row.name, &format!("shipped in {}", row.year));
        let known = row.proxy.is_empty() || rows.iter().any(|other| other.name == row.proxy);
        checker.require(
            known,
            name,
            &row.name,
            &format!("has the proxy `{}`, which has no row", row.proxy),
        );
        let (Some(models), Some(steppings)) = (ranges(&row.models), ranges(&row.steppings)) else {
            checker.problem(name, &row.name, "has a range of models or steppings that is none");
            continue;
        };
        for (other, other_models, other_steppings) in &seen {
            let same = other.vendor == row.vendor
                && other.family == row.family
                && overlap(other_models, &models)
                && overlap(other_steppings, &steppings);
            checker.require(
                !same,
                name,
                &row.name,
                &format!("claims CPUs that `{}` has", other.name),
            );
        }
        seen.push((row, models, steppings));
    }
    rows.iter().map(|row| row.name.clone()).collect()
}

/// hardware/cpu_series.csv. The first pattern that fits counts, so that the order is the table's own.
pub(super) fn series(checker: &mut Checker<'_>, text: &str, microarchitectures: &BTreeSet<String>) {
    let name = "hardware/cpu_series.csv";
    let rows: Vec<Series> = checker.rows(name, text);
    checker.require(!rows.is_empty(), name, "-", "has no rows");
    let mut seen = BTreeSet::new();
    for row in &rows {
        let pattern = row.pattern.as_str();
        checker.require(seen.insert(pattern), name, pattern, "is there twice");
        // A pattern of wildcards alone would take every name.
        let says_something = pattern.bytes().filter(u8::is_ascii_alphabetic).count() >= 4;
        checker.require(
            says_something && pattern == pattern.to_lowercase(),
            name,
            pattern,
            "has fewer than four letters, or capitals, which no key has",
        );
        let kind = matches!(row.kind.as_str(), "part" | "guest");
        checker.require(kind, name, pattern, &format!("is of the kind `{}`", row.kind));
        checker.require(
            microarchitectures.contains(&row.name),
            name,
            pattern,
            &format!("means `{}`, which has no row in vcpu_power.csv", row.name),
        );
        checker.source(name, pattern, &row.source);
    }
}

/// Inclusive.
type Ranges = Vec<(u32, u32)>;

/// `0-47 80-95` as pairs; empty is everything; `None` for garbage and for a range that runs backwards.
fn ranges(text: &str) -> Option<Ranges> {
    if text.is_empty() {
        return Some(vec![(0, u32::MAX)]);
    }
    let one = |range: &str| {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        let (from, to) = (from.parse().ok()?, to.parse().ok()?);
        (from <= to).then_some((from, to))
    };
    text.split(' ').map(one).collect()
}

fn overlap(a: &[(u32, u32)], b: &[(u32, u32)]) -> bool {
    a.iter().any(|a| b.iter().any(|b| a.0 <= b.1 && b.0 <= a.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_garbage_is_not() {
        assert_eq!(ranges("0-4 85"), Some(vec![(0, 4), (85, 85)]));
        assert_eq!(ranges(""), Some(vec![(0, u32::MAX)]));
        for garbage in ["x", "4-0", "1,2", "1-", " "] {
            assert_eq!(ranges(garbage), None, "{garbage}");
        }
    }
}
