//! What the sensors of a chip mean: one rule for each driver that is known to measure processors.
//!
//! A sensor that nobody knows here is told by `doctor` and never read: what is not known to lie outside of what is
//! counted already may be counted twice.

use crate::model::recording::DomainKind;

/// What a sensor is to the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A part of a socket (or module), as the driver numbers them; `None` where each chip is a socket of its own.
    Part { part: Part, socket: Option<u32> },
    /// Not read, and why.
    Unused(&'static str),
}

/// Parts of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All of the socket, its memory too (NVIDIA Grace).
    SocketWithMemory,
    /// All of the socket, without memory.
    Socket,
    /// The rail of the cores; inside the socket where there is a sensor for that.
    Cores,
    /// The rail of everything else on the chip; likewise.
    Rest,
    /// A module of socket, memory, GPU and their regulators.
    Module,
}

impl Part {
    /// What it covers, beside a sensor of the whole socket.
    pub(super) const fn kind(self) -> DomainKind {
        match self {
            Self::SocketWithMemory | Self::Socket => DomainKind::Package,
            Self::Cores => DomainKind::Core,
            Self::Rest => DomainKind::Uncore,
            Self::Module => DomainKind::Psys,
        }
    }
}

/// Chips that measure GPUs, which are not this meter's.
const GPUS: [&str; 5] = ["amdgpu", "radeon", "nouveau", "i915", "xe"];

/// The meaning of the sensor with that label on a chip of that name (`name` of the hwmon device).
pub(super) fn role(chip: &str, label: Option<&str>) -> Role {
    match chip {
        "power_meter" => acpi(label),
        // APM X-Gene and Ampere Altra (Documentation/hwmon/xgene-hwmon.rst): two rails, and no sensor of both.
        "apm_xgene" => match label {
            Some("CPU power") => part(Part::Cores, None),
            Some("IO power") => part(Part::Rest, None),
            _ => Role::Unused("not known what it covers"),
        },
        // AMD's own driver (in Linux 5.8 to 5.12, and outside the kernel): counters, `Esocket0` and `Ecore000`.
        "amd_energy" => match label.and_then(|label| number_after(label, "Esocket")) {
            Some(socket) => part(Part::Socket, Some(socket)),
            None => Role::Unused("inside its socket"),
        },
        gpu if GPUS.contains(&gpu) => Role::Unused("a GPU's, which this meter leaves out"),
        _ => Role::Unused("not known what it covers"),
    }
}

/// ACPI's power meters name what they measure in `oem_info`, if at all. NVIDIA Grace (Grace Performance Tuning Guide, "Power
/// Telemetry"): `Grace Power Socket N` is the whole socket with its LPDDR5X, of which `CPU Power Socket N` and `SysIO
/// Power Socket N` are two rails; `Module Power Socket N` is all that is on the module, GPU and HBM too.
fn acpi(label: Option<&str>) -> Role {
    let parts = [
        ("Grace Power Socket ", Part::SocketWithMemory),
        ("CPU Power Socket ", Part::Cores),
        ("SysIO Power Socket ", Part::Rest),
        ("Module Power Socket ", Part::Module),
    ];
    parts
        .into_iter()
        .find_map(|(words, part)| Some((part, number_after(label?, words)?)))
        .map_or(
            Role::Unused("the whole machine or an unnamed part of it, and often slow to read"),
            |(known, socket)| part(known, Some(socket)),
        )
}

const fn part(part: Part, socket: Option<u32>) -> Role {
    Role::Part { part, socket }
}

/// The decimal number that follows the words, and nothing after it.
fn number_after(label: &str, words: &str) -> Option<u32> {
    let digits = label.strip_prefix(words)?;
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grace_socket_is_a_package_with_its_memory_and_its_rails_lie_inside() {
        let of = |label| role("power_meter", Some(label));
        assert_eq!(of("Grace Power Socket 1"), part(Part::SocketWithMemory, Some(1)));
        assert_eq!(of("CPU Power Socket 0"), part(Part::Cores, Some(0)));
        assert_eq!(of("SysIO Power Socket 12"), part(Part::Rest, Some(12)));
        assert_eq!(of("Module Power Socket 0"), part(Part::Module, Some(0)));
    }

    #[test]
    fn sensors_of_gpus_of_machines_and_of_strangers_are_not_used() {
        for (chip, label) in [
            ("power_meter", None),
            ("power_meter", Some("Total Power")),
            ("power_meter", Some("Grace Power Socket")),
            ("power_meter", Some("Grace Power Socket 0b")),
            ("amdgpu", Some("PPT")),
            ("i915", None),
            ("xe", Some("pkg")),
            ("ina3221", Some("CPU power")),
            ("corsairpsu", Some("power total")),
            ("amd_energy", Some("Ecore017")),
        ] {
            assert!(matches!(role(chip, label), Role::Unused(_)), "{chip} {label:?}");
        }
    }
}
