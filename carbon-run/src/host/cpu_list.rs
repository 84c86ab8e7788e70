//! The kernel's way of writing sets of CPUs: `0-3,8` (Documentation/admin-guide/cputopology.rst).

/// Beyond any kernel (NR_CPUS ends at 8192 on x86, arch/x86/Kconfig); keeps garbage from filling memory.
const HIGHEST: u32 = 65_535;

/// The CPUs in ascending order, each once; `None` when the text is no such list. Empty text is the empty set.
pub(super) fn parse(text: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in text.trim().split(',').filter(|_| !text.trim().is_empty()) {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to): (u32, u32) = (from.parse().ok()?, to.parse().ok()?);
        if from > to || to > HIGHEST {
            return None;
        }
        cpus.extend(from..=to);
    }
    cpus.sort_unstable();
    cpus.dedup();
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn lists_and_ranges_are_read() {
        assert_eq!(parse("0-3,8\n"), Some(vec![0, 1, 2, 3, 8]));
        assert_eq!(parse("0\n"), Some(vec![0]));
        assert_eq!(parse("4,0-1"), Some(vec![0, 1, 4]));
        assert_eq!(parse("\n"), Some(vec![]));
    }

    #[test]
    fn garbage_is_no_list() {
        for garbage in ["x", "3-1", "1,,2", "-1", "0-", "0-4294967295", "1 2", "0x3"] {
            assert_eq!(parse(garbage), None, "{garbage}");
        }
    }
}
