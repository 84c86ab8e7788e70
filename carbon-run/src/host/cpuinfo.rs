//! What /proc/cpuinfo says of the first CPU.

use std::path::Path;

/// The first CPU's entry. Fields that the architecture does not have are `None`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct CpuInfo {
    pub(super) model_name: Option<String>,
    pub(super) vendor: Option<String>,
    /// `cpu family`, or Arm's implementer.
    pub(super) family: Option<u32>,
    /// `model`, or Arm's part.
    pub(super) model: Option<u32>,
    pub(super) stepping: Option<u32>,
    /// Whether there is a `flags` line, and with `hypervisor` in it. Only x86 has one (CPUID leaf 1, ECX bit 31).
    pub(super) hypervisor: Option<bool>,
    /// The numbers on all `processor` lines.
    pub(super) processors: Vec<u32>,
}

/// Reads SYSROOT/proc/cpuinfo; nothing is known where it cannot be read.
pub(super) fn read(sysroot: &Path) -> CpuInfo {
    // Names come from hypervisors and firmware: not always UTF-8.
    let bytes = std::fs::read(sysroot.join("proc/cpuinfo")).unwrap_or_default();
    parse(&String::from_utf8_lossy(&bytes))
}

fn parse(text: &str) -> CpuInfo {
    let mut info = CpuInfo::default();
    for line in text.lines() {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let (name, value) = (name.trim(), value.trim());
        // The first CPU's line is the one that counts.
        match name {
            "processor" => info.processors.extend(value.parse::<u32>()),
            "model name" => keep(
                &mut info.model_name,
                (!value.is_empty()).then(|| value.to_owned()),
            ),
            "vendor_id" => keep(&mut info.vendor, Some(value.to_owned())),
            "cpu family" | "CPU implementer" => keep(&mut info.family, number(value)),
            "model" | "CPU part" => keep(&mut info.model, number(value)),
            "stepping" => keep(&mut info.stepping, number(value)),
            "flags" => keep(
                &mut info.hypervisor,
                Some(value.split(' ').any(|flag| flag == "hypervisor")),
            ),
            _ => {}
        }
    }
    info
}

fn keep<T>(slot: &mut Option<T>, value: Option<T>) {
    if slot.is_none() {
        *slot = value;
    }
}

/// Decimal on x86, `0x41` on Arm.
fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_x86_entry_is_read() {
        let info = parse(
            "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n\
             stepping\t: 1\nflags\t\t: fpu hypervisor lm\n\nprocessor\t: 1\nvendor_id\t: Other\nmodel\t\t: 99\n",
        );
        assert_eq!(info.model_name.as_deref(), Some("AMD EPYC"));
        assert_eq!(info.vendor.as_deref(), Some("AuthenticAMD"));
        assert_eq!(
            (info.family, info.model, info.stepping),
            (Some(25), Some(17), Some(1))
        );
        assert_eq!(info.hypervisor, Some(true));
        assert_eq!(info.processors, [0, 1]);
    }

    #[test]
    fn an_arm_entry_is_read_by_implementer_and_part() {
        let info = parse(
            "processor\t: 0\nBogoMIPS\t: 243.75\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n\
             CPU architecture: 8\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\nCPU revision\t: 1\n",
        );
        assert_eq!((info.family, info.model), (Some(0x41), Some(0xd0c)));
        assert_eq!(
            (info.model_name, info.vendor, info.hypervisor),
            (None, None, None)
        );
    }

    #[test]
    fn garbage_is_nothing_known() {
        assert_eq!(
            parse("\u{0}\u{1}junk\nmodel : x\nprocessor : -\ncpu family : 0xzz\n"),
            CpuInfo::default()
        );
    }

    #[test]
    fn a_flag_that_only_contains_the_word_is_another_flag() {
        assert_eq!(
            parse("flags : nohypervisor hypervisor2\n").hypervisor,
            Some(false)
        );
    }
}
