//! What a stored idle power is worth in other circumstances, and how many windows become one figure.

use super::recording::{Conditions, Learned, LearnedDomain};
use super::report::QuietPower;

/// Load below which next to nothing runs, as a part of the CPUs...
const QUIET_LOAD: f64 = 0.05;
/// ...and in CPUs, of which one in twenty can be several.
const QUIET_CPUS: f64 = 0.25;

/// A lowest power that nothing has come near for so long gives way to a higher one: dust, a bulb more, a new disk. 90 days.
const FORGOTTEN_NS: i64 = 90 * 86_400_000_000_000;
/// What is lower by less than this part is no news, and not worth a write.
const NEWS: f64 = 0.01;
/// Domains that are kept; the largest machines have some tens.
const MOST: usize = 512;

/// How many of `cpus` CPUs may be busy while a machine is called quiet; busier ones are not.
#[must_use]
pub fn quiet_below(cpus: f64) -> f64 {
    (cpus * QUIET_LOAD).min(QUIET_CPUS)
}

/// What becomes of the stored lowest powers when a run has seen some; `None` when nothing changes. What was seen in other
/// circumstances is forgotten.
#[must_use]
pub fn learn(
    old: Option<Learned>,
    now: &Conditions,
    seen: &[(String, QuietPower)],
    at_unix_ns: i64,
) -> Option<Learned> {
    let mut learned = old
        .filter(|old| fit(&old.conditions, now) == Fit::Same)
        .unwrap_or_default();
    let mut news = false;
    for (name, quiet) in seen {
        let one = LearnedDomain {
            name: name.clone(),
            power: quiet.power,
            busy_cpus: quiet.busy_cpus,
            at_unix_ns,
        };
        let full = learned.domains.len() >= MOST;
        match learned.domains.iter_mut().find(|known| known.name == *name) {
            Some(known) => {
                let lower = quiet.power.get() < known.power.get() * (1.0 - NEWS);
                if lower || at_unix_ns.saturating_sub(known.at_unix_ns) > FORGOTTEN_NS {
                    (*known, news) = (one, true);
                }
            }
            None if full => {}
            None => {
                learned.domains.push(one);
                news = true;
            }
        }
    }
    learned.conditions = now.clone();
    news.then_some(learned)
}

/// Whether what was measured then holds now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// As far as anybody can tell.
    Same,
    /// Something changed that moves idle power by some: "another kernel (6.1)". It is worth something still.
    Changed(String),
    /// Another machine: "on another CPU (`...`)". It is worth nothing.
    Other(String),
}

/// Holds circumstances against those of now.
#[must_use]
pub fn fit(then: &Conditions, now: &Conditions) -> Fit {
    let said = |value: &Option<String>| value.as_deref().unwrap_or("unknown").to_owned();
    if then.cpu_model != now.cpu_model {
        return Fit::Other(format!("on another CPU (`{}`)", said(&then.cpu_model)));
    }
    if then.sysroot != now.sysroot {
        let root = then.sysroot.as_deref().unwrap_or("/");
        return Fit::Other(format!("below another `--sysroot` (`{root}`)"));
    }
    if then.cpus != now.cpus {
        let cpus = then
            .cpus
            .map_or_else(|| "an unknown number of".to_owned(), |cpus| cpus.to_string());
        return Fit::Other(format!("with {cpus} CPUs online"));
    }
    let mut changed = Vec::new();
    if series(then.kernel.as_deref()) != series(now.kernel.as_deref()) {
        changed.push(format!("another kernel ({})", said(&then.kernel)));
    }
    if then.governor != now.governor {
        changed.push(format!("another governor ({})", said(&then.governor)));
    }
    if changed.is_empty() {
        Fit::Same
    } else {
        Fit::Changed(changed.join(" and "))
    }
}

/// `6.12` of `6.12.48-1-amd64`: a security update is no other kernel.
pub(super) fn series(release: Option<&str>) -> Option<String> {
    let mut numbers = release?.split(['.', '-']);
    Some(format!("{}.{}", numbers.next()?, numbers.next().unwrap_or("0")))
}

/// The middle of several figures, and the half-width around it in which nineteen of twenty lie: 1.96 standard deviations
/// of a normal distribution whose median absolute deviation is theirs (1.4826 of it; Rousseeuw and Croux, JASA 1993).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Middle {
    /// The median.
    pub value: f64,
    /// The half-width.
    pub spread: f64,
}

impl Middle {
    /// `None` of nothing.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let value = median(values)?;
        let off: Vec<f64> = values.iter().map(|one| (one - value).abs()).collect();
        Some(Self {
            value,
            spread: 1.96 * 1.4826 * median(&off)?,
        })
    }
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get((sorted.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Conditions {
        Conditions {
            kernel: Some("6.12.48-1-amd64".to_owned()),
            governor: Some("schedutil".to_owned()),
            cpu_model: Some("EPYC".to_owned()),
            cpus: Some(64),
            sysroot: None,
        }
    }

    #[test]
    fn what_changed_decides_what_is_left_of_a_calibration() {
        assert_eq!(fit(&here(), &here()), Fit::Same);
        let patched = Conditions {
            kernel: Some("6.12.63+deb13".to_owned()),
            ..here()
        };
        assert_eq!(fit(&patched, &here()), Fit::Same);
        let upgraded = Conditions {
            kernel: Some("6.1.0-9".to_owned()),
            governor: None,
            ..here()
        };
        assert_eq!(
            fit(&upgraded, &here()),
            Fit::Changed("another kernel (6.1.0-9) and another governor (unknown)".to_owned())
        );
        for other in [
            Conditions {
                cpu_model: Some("Xeon".to_owned()),
                ..here()
            },
            Conditions {
                cpus: Some(32),
                ..here()
            },
            Conditions {
                sysroot: Some("/host".to_owned()),
                ..here()
            },
        ] {
            assert!(matches!(fit(&other, &here()), Fit::Other(_)), "{other:?}");
        }
    }

    fn seen(name: &str, watts: f64) -> (String, QuietPower) {
        let quiet = QuietPower {
            power: crate::model::units::Watts::new(watts).unwrap(),
            busy_cpus: 0.1,
        };
        (name.to_owned(), quiet)
    }

    #[test]
    fn a_lowest_power_only_falls_until_it_is_forgotten() {
        let day = 86_400_000_000_000_i64;
        let powers = |learned: &Learned| -> Vec<(String, f64)> {
            let domains = learned.domains.iter();
            domains.map(|one| (one.name.clone(), one.power.get())).collect()
        };
        let kept = |watts: f64| vec![("package-0".to_owned(), watts)];
        let first = learn(None, &here(), &[seen("package-0", 20.0)], 0).unwrap();
        assert_eq!(powers(&first), kept(20.0));
        let again = |watts, at| learn(Some(first.clone()), &here(), &[seen("package-0", watts)], at);
        assert_eq!(again(25.0, day), None);
        assert_eq!(again(19.9, day), None, "no news");
        assert_eq!(powers(&again(19.0, day).unwrap()), kept(19.0));
        assert_eq!(powers(&again(25.0, 91 * day).unwrap()), kept(25.0));
        let elsewhere = Conditions {
            governor: None,
            ..here()
        };
        let moved = learn(Some(first.clone()), &elsewhere, &[seen("dram-0", 3.0)], day).unwrap();
        assert_eq!(powers(&moved), [("dram-0".to_owned(), 3.0)]);
        assert_eq!(moved.conditions, elsewhere);
        assert_eq!(learn(Some(first), &here(), &[], 91 * day), None);
    }

    #[test]
    fn the_store_does_not_grow_without_end() {
        let many: Vec<_> = (0..2000)
            .map(|number| seen(&format!("zone-{number}"), 1.0))
            .collect();
        assert_eq!(learn(None, &here(), &many, 0).unwrap().domains.len(), MOST);
    }

    #[test]
    fn a_large_machine_may_not_be_busier_than_a_quarter_of_a_cpu() {
        assert!((quiet_below(2.0) - 0.1).abs() < 1e-12);
        assert!((quiet_below(128.0) - 0.25).abs() < 1e-12);
    }

    #[test]
    fn one_wild_window_moves_neither_the_middle_nor_the_spread() {
        let calm = Middle::of(&[20.0, 20.1, 19.9, 20.2, 19.8]).unwrap();
        let wild = Middle::of(&[20.0, 20.1, 19.9, 20.2, 90.0]).unwrap();
        assert!((calm.value - 20.0).abs() < 1e-9 && (wild.value - 20.1).abs() < 1e-9);
        assert!(wild.spread < 0.5, "{wild:?}");
        assert_eq!(Middle::of(&[]), None);
        assert_eq!(
            Middle::of(&[7.0, 8.0]),
            Some(Middle {
                value: 7.5,
                spread: 1.96 * 1.4826 * 0.5
            })
        );
    }
}
