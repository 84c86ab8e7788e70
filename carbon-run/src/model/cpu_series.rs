//! What a model name says of the microarchitecture when no specification lists the model (data/hardware/cpu_series.csv):
//! the vendor's numbering, and the names that hypervisors make up.

use super::cpu_key::cpu_key;
use serde::Deserialize;

/// A row of hardware/cpu_series.csv.
#[derive(Debug, Deserialize)]
pub(super) struct Series {
    pattern: String,
    kind: Kind,
    /// Of a row in hardware/vcpu_power.csv.
    name: String,
}

/// Who wrote the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// The CPU's maker: it is of that microarchitecture.
    Part,
    /// A hypervisor: it is of that one or of a later one, for a guest may be shown less than its host has.
    Guest,
}

/// The microarchitecture that a name of that kind means, by the first pattern that fits.
pub(super) fn named<'a>(rows: &'a [Series], kind: Kind, model: &str) -> Option<&'a str> {
    let text = match kind {
        Kind::Part => cpu_key(model).unwrap_or_else(|| plain(model)),
        Kind::Guest => plain(model),
    };
    rows.iter()
        .find(|row| row.kind == kind && fits(row.pattern.as_bytes(), text.as_bytes()))
        .map(|row| row.name.as_str())
}

/// Lower case, without marks, single spaces: the whole of a name, for names that have no key.
pub(super) fn plain(model: &str) -> String {
    let mut text = model.to_lowercase();
    for mark in ["(r)", "(tm)", "®", "™"] {
        text = text.replace(mark, "");
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `?` is one byte, `*` any number.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            (0..=text.len()).any(|from| fits(rest, text.get(from..).unwrap_or_default()))
        }
        (Some((b'?', pattern)), Some((_, text))) => fits(pattern, text),
        (Some((wanted, pattern)), Some((found, text))) => wanted == found && fits(pattern, text),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_mark_is_one_character_and_a_star_is_any_number() {
        for (pattern, text, fit) in [
            ("epyc 7??3*", "epyc 7b13", true),
            ("epyc 7??3*", "epyc 7v73x", true),
            ("epyc 7??3*", "epyc 7b12", false),
            ("epyc 7??3*", "epyc 73", false),
            ("*(skylake*", "intel xeon processor (skylake, ibrs)", true),
            ("*grace*", "grace", true),
            ("ab", "abc", false),
            ("ab?", "ab", false),
            ("*", "", true),
        ] {
            assert_eq!(fits(pattern.as_bytes(), text.as_bytes()), fit, "{pattern} {text}");
        }
    }
}
