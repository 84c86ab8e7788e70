//! The one spelling of a CPU's model name.
//!
//! A vendor's list says `Intel Xeon E5-2670`, the kernel says `Intel(R) Xeon(R) CPU E5-2670 0 @ 2.60GHz`. Both become
//! `xeon e5-2670` here, and only equal keys match: there is no scoring, so there is no near miss that looks like a hit
//! (a 9654 is not a 9654P, an 8480C is not an 8480+).
//!
//! This file has no dependencies, because `cargo xtask data` includes it too: the table must be keyed by the function
//! that looks it up, and xtask must build where carbon-run does not.

/// Words that say nothing about the model.
const NOISE: [&str; 6] = ["processor", "cpu", "apu", "genuine", "intel", "amd"];

/// Signs of a CPU that a hypervisor made up. QEMU's and KVM's names carry these or parentheses.
const VIRTUAL: [&str; 6] = ["qemu", "kvm", "virtual", "ibrs", "ibpb", "("];

/// The key of a CPU model name, from /proc/cpuinfo or from a vendor's list; `None` for a name that a hypervisor made up
/// and for one without any model number. A key is its own key.
#[must_use]
pub fn cpu_key(name: &str) -> Option<String> {
    let mut text = name.to_lowercase();
    for mark in ["(r)", "(tm)", "(c)", "®", "™", "©"] {
        text = text.replace(mark, "");
    }
    if VIRTUAL.iter().any(|sign| text.contains(sign)) {
        return None;
    }
    let text = text.split(['@', ',']).next().unwrap_or_default();
    let words = joined(model_words(text));
    let key = words.join(" ");
    // A core count alone (`core 2 duo`) is no model number, but no table has it either; no digit at all is `xeon`.
    let numbered = key.bytes().any(|byte| byte.is_ascii_digit());
    (numbered && !key.starts_with("epyc-")).then_some(key)
}

/// The words that tell the model: without brand noise, generation, core count and graphics.
fn model_words(text: &str) -> Vec<&str> {
    let all: Vec<&str> = text.split_whitespace().collect();
    let mut kept = Vec::new();
    let mut skip = false;
    for (at, &word) in all.iter().enumerate() {
        let next = all.get(at + 1).copied().unwrap_or_default();
        if skip {
            skip = false;
            continue;
        }
        // The rest of the name is about the graphics part: `w/ Radeon 780M Graphics`, `with Radeon Graphics`.
        if matches!(word, "w/" | "with" | "radeon") && !kept.is_empty() {
            break;
        }
        // `12th Gen Intel Core`, `Dual Core AMD Opteron`
        if (is_ordinal(word) && next == "gen") || (is_core_count(word) && next == "core") {
            skip = true;
            continue;
        }
        if NOISE.contains(&word) || is_cores_word(word) || is_graphics_class(word) {
            continue;
        }
        // `Core(TM)2 Duo` in the kernel, `Core 2 Duo` in Intel's list
        if word == "core2" {
            kept.extend(["core", "2"]);
            continue;
        }
        kept.push(word);
    }
    kept
}

/// Model numbers that the kernel writes in several words, as the one word of the vendor's list.
fn joined(words: Vec<&str>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut rest = words.into_iter().peekable();
    while let Some(word) = rest.next() {
        let next = rest.peek().copied().unwrap_or_default();
        let numeric = next.starts_with(|first: char| first.is_ascii_digit());
        match word {
            // `i7 920` is i7-920, `FX 6100` is FX-6100.
            "i3" | "i5" | "i7" | "fx" if numeric => {
                out.push(format!("{word}-{next}"));
                rest.next();
            }
            // First-generation mobile parts: `i7 Q 720` is i7-720QM, `i5 M 520` is i5-520M.
            "i3" | "i5" | "i7" if matches!(next, "m" | "q" | "x" | "l" | "u") => {
                rest.next();
                let number = rest.next().unwrap_or_default();
                let suffix = if next == "m" { "" } else { next };
                out.push(format!("{word}-{number}{suffix}m"));
            }
            // `E5-2670 0`: the 0 is the first edition, where later ones say v2.
            "0" if out.last().is_some_and(|last| is_xeon_e(last)) => {}
            _ => out.push(word.to_owned()),
        }
    }
    out
}

/// `12th`
fn is_ordinal(word: &str) -> bool {
    ["st", "nd", "rd", "th"].iter().any(|ending| {
        word.strip_suffix(ending)
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

/// `quad`, as in `Quad Core AMD Opteron`
fn is_core_count(word: &str) -> bool {
    matches!(word, "dual" | "triple" | "quad" | "six" | "eight")
}

/// `64-core`, `64-cores`, `eight-core`
fn is_cores_word(word: &str) -> bool {
    word.strip_suffix("-core")
        .or_else(|| word.strip_suffix("-cores"))
        .is_some_and(|count| !count.is_empty())
}

/// `r7`, the graphics class in `PRO A10-9700 R7`
fn is_graphics_class(word: &str) -> bool {
    matches!(word.as_bytes(), [b'r', b'2'..=b'9'])
}

/// `e5-2670`
fn is_xeon_e(word: &str) -> bool {
    ["e3-", "e5-", "e7-"]
        .iter()
        .any(|family| word.starts_with(family))
}
