//! Counting a counter once that is listed several times, whichever way it is read.

use super::mirror;
use super::watch::Pair;
use super::whereabouts::Whereabouts;
use crate::model::recording::{CpuGroup, DomainKind, Note, Source, TickSize};
use std::time::{Duration, Instant};

/// How often several counters of one package are looked at, while finding out whether they are one. RAPL steps about
/// every 1 ms.
const LOOK_EVERY: Duration = Duration::from_micros(200);
/// When to give up. Reached only by counters that stand still.
const LOOK_FOR: Duration = Duration::from_millis(25);

/// A counter that may turn out to be another's copy.
pub(super) trait Listed {
    /// What it covers and where; `None` for one that is not summed anyway.
    fn summed(&self) -> Option<(DomainKind, Whereabouts)>;

    /// As the report shows it.
    fn name(&self) -> &str;

    /// What one of its ticks is worth.
    fn tick(&self) -> TickSize;

    /// The counter now; `None` where it cannot be read.
    fn look(&mut self) -> Option<u64>;

    /// From now on it is a copy, which is told and not summed.
    fn is_a_copy(&mut self);

    /// From now on it feeds these groups.
    fn feeds(&mut self, groups: Vec<usize>);
}

/// Finds the counters that are listed several times. A copy is no longer summed; its original feeds the whole package.
/// The pairs are those to be watched during the run.
pub(super) fn count_once<L: Listed>(
    listed: &mut [L],
    groups: &[CpuGroup],
    source: Source,
    notes: &mut Vec<Note>,
) -> Vec<Pair> {
    let mut pairs = Vec::new();
    let pair = |listed: &[L], one: usize, other: usize, copy: bool| {
        let tick = listed.get(one).map_or(TickSize::MICROJOULE, Listed::tick);
        let names = (name(listed, one), name(listed, other));
        Pair::new((one, other), names, copy, (source, tick))
    };
    for family in families(listed) {
        let until = Instant::now() + LOOK_FOR;
        let sorted = mirror::sort(
            family.len(),
            &mut |member| listed.get_mut(*family.get(member)?)?.look(),
            &mut || {
                std::thread::sleep(LOOK_EVERY);
                Instant::now() < until
            },
        );
        for &(one, other) in &sorted.unknown {
            if let (Some(&one), Some(&other)) = (family.get(one), family.get(other)) {
                notes.push(maybe_mirrored(source, &name(listed, one), &name(listed, other)));
            }
        }
        for (&other, original) in family.iter().zip(&sorted.copy_of) {
            let Some(one) = original.and_then(|member| family.get(member).copied()) else {
                let earlier = family
                    .iter()
                    .zip(&sorted.copy_of)
                    .take_while(|&(&member, _)| member != other);
                pairs.extend(
                    earlier
                        .filter(|(_, copy_of)| copy_of.is_none())
                        .map(|(&one, _)| pair(listed, one, other, false)),
                );
                continue;
            };
            notes.push(mirrored(source, &name(listed, other), &name(listed, one)));
            pairs.push(pair(listed, one, other, true));
            if let Some(copy) = listed.get_mut(other) {
                copy.is_a_copy();
            }
            if let Some(original) = listed.get_mut(one)
                && let Some((_, at)) = original.summed()
            {
                let whole = Whereabouts { die: None, ..at };
                original.feeds(whole.feeds(groups).unwrap_or_default());
            }
        }
    }
    pairs
}

fn name<L: Listed>(listed: &[L], at: usize) -> String {
    listed
        .get(at)
        .map(|one| one.name().to_owned())
        .unwrap_or_default()
}

/// The summed counters of the same kind and package, where there are several.
fn families<L: Listed>(listed: &[L]) -> Vec<Vec<usize>> {
    // In order of the first member, so that notes and pairs are in the order of the domains.
    let mut families: Vec<Vec<usize>> = Vec::new();
    let family = |at: usize| {
        let (kind, place) = listed.get(at)?.summed()?;
        Some((kind, place.package))
    };
    for at in (0..listed.len()).filter(|&at| family(at).is_some()) {
        let relatives =
            |members: &&mut Vec<usize>| members.first().is_some_and(|&first| family(first) == family(at));
        match families.iter_mut().find(relatives) {
            Some(members) => members.push(at),
            None => families.push(vec![at]),
        }
    }
    families.retain(|members| members.len() > 1);
    families
}

fn mirrored(source: Source, copy: &str, original: &str) -> Note {
    Note {
        code: format!("{}-mirrored", source.name()),
        message: format!(
            "`{copy}` shows the counter of `{original}` again: it is counted once, for the whole package"
        ),
        hint: None,
        degrades: false,
    }
}

fn maybe_mirrored(source: Source, one: &str, other: &str) -> Note {
    Note {
        code: format!("{}-mirror-unknown", source.name()),
        message: format!(
            "how `{one}` and `{other}` moved does not tell whether they are one counter: both are counted"
        ),
        hint: None,
        degrades: true,
    }
}
