//! What making a machine emitted, where its maker's own figure is not given: a rule of thumb.
//!
//! A rack server with two sockets and some 64 GiB, what its memory is beyond that, and each accelerator (data/hardware/embodied.csv). Makers'
//! footprints of servers differ by a factor of five, so the range is most of what there is to say; a laptop's is less than its lower end.

use super::recording::{EmbodiedMachine, Gpu, Host, Ranged};
use super::tables::Tables;
use super::units::Grams;

/// Memory that is in the figure of a server.
const INCLUDED_GIB: f64 = 64.0;
const GIB: f64 = 1_073_741_824.0;
/// Hardware threads of a two-socket server of these years, of which a guest has its CPUs: 2 x 16 to 2 x 64 cores with two threads each.
const SERVER_THREADS: Ranged<f64> = Ranged {
    low: 64.0,
    value: 128.0,
    high: 256.0,
};
/// What NVIDIA and AMD call their accelerators that are modules, and what they call cards of the same name.
const MODULES: [&str; 10] = [
    "SXM", "HBM", "OAM", "MI250X", "MI300", "MI325", "GH200", "H200", "B200", "GB200",
];
const CARDS: [&str; 2] = ["PCIE", "NVL"];
/// Years for which a server is used, where nobody says: Cloud Carbon Footprint's, and that of Boavizta's servers (35,040 h).
pub const LIFETIME_YEARS: f64 = 4.0;

impl Tables {
    /// A machine that the person states: kilograms for all of it.
    #[must_use]
    pub fn stated_machine(kg: f64, lifetime_years: f64) -> EmbodiedMachine {
        let mass = Grams::clamped(kg * 1000.0);
        EmbodiedMachine {
            machine: Ranged {
                low: mass,
                value: mass,
                high: mass,
            },
            gpus: Vec::new(),
            lifetime_years,
            basis: format!("{kg} kg, as stated"),
            stated: true,
        }
    }

    /// The rule of thumb for a machine with these GPUs.
    #[must_use]
    pub fn typical_machine(&self, host: &Host, gpus: &[Gpu], lifetime_years: f64) -> EmbodiedMachine {
        let gib = host.memory_bytes.map_or(0.0, |bytes| bytes as f64 / GIB);
        let beyond = (gib - INCLUDED_GIB).max(0.0);
        let (server, memory) = (self.making("server", 1.0), self.making("memory", beyond));
        let machine = Ranged {
            low: server.low + memory.low,
            value: server.value + memory.value,
            high: server.high + memory.high,
        };
        let (machine, basis) = match (&host.virtualization, host.cpus) {
            (Some(_), Some(cpus)) => (
                guests_part(self.making("server", 1.0), f64::from(cpus)),
                "a guest's part of a server, ",
            ),
            _ => (machine, "a server of "),
        };
        let cards: Vec<Ranged<Grams>> = gpus
            .iter()
            .map(|gpu| self.making(kind(gpu.name.as_deref().unwrap_or_default()), 1.0))
            .collect();
        let mut basis = format!("{basis}{:.0} kg", machine.value.get() / 1000.0);
        if !cards.is_empty() {
            let all: Grams = cards.iter().map(|card| card.value).sum();
            let count = match cards.len() {
                1 => "a GPU".to_owned(),
                several => format!("{several} GPUs"),
            };
            basis.push_str(&format!(" and {count} of {:.0} kg", all.get() / 1000.0));
        }
        basis.push_str(", rule of thumb");
        EmbodiedMachine {
            machine,
            gpus: cards,
            lifetime_years,
            basis,
            stated: false,
        }
    }

    /// Of so much of a part; nothing of one that is in no row, which `cargo xtask data check` refuses.
    fn making(&self, part: &str, amount: f64) -> Ranged<Grams> {
        let row = self.embodied.iter().find(|row| row.part == part);
        let mass = |kg: f64| Grams::clamped(kg * 1000.0 * amount);
        row.map_or(
            Ranged {
                low: Grams::ZERO,
                value: Grams::ZERO,
                high: Grams::ZERO,
            },
            |row| Ranged {
                low: mass(row.low),
                value: mass(row.kg),
                high: mass(row.high),
            },
        )
    }
}

/// A server by the CPUs that a guest has of it, never more than all of it. The more threads a server has, the less of it is the guest's.
fn guests_part(server: Ranged<Grams>, cpus: f64) -> Ranged<Grams> {
    let part = |mass: Grams, threads: f64| Grams::clamped(mass.get() * (cpus / threads).min(1.0));
    Ranged {
        low: part(server.low, SERVER_THREADS.high),
        value: part(server.value, SERVER_THREADS.value),
        high: part(server.high, SERVER_THREADS.low),
    }
}

fn kind(name: &str) -> &'static str {
    let name = name.to_uppercase();
    let has = |marks: &[&str]| marks.iter().any(|mark| name.contains(mark));
    if has(&MODULES) && !has(&CARDS) {
        "gpu-module"
    } else {
        "gpu-card"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_its_memory_more_and_a_module_is_no_card() {
        let tables = Tables::embedded().unwrap();
        let host = |gib: u64| Host {
            memory_bytes: Some(gib << 30),
            ..Host::default()
        };
        let kilograms = |host: &Host| tables.typical_machine(host, &[], 4.0).machine.value.get() / 1000.0;
        assert!((kilograms(&host(32)) - 1216.0).abs() < 1e-9);
        assert!((kilograms(&host(384)) - (1216.0 + 1.39 * 320.0)).abs() < 1e-9);
        assert_eq!(kind("NVIDIA H100 80GB HBM3"), "gpu-module");
        assert_eq!(kind("NVIDIA A100-SXM4-40GB"), "gpu-module");
        assert_eq!(kind("NVIDIA H200"), "gpu-module");
        for card in ["NVIDIA GeForce RTX 4090", "NVIDIA H200 NVL", "NVIDIA H100 PCIe"] {
            assert_eq!(kind(card), "gpu-card", "{card}");
        }
    }

    #[test]
    fn a_guest_has_its_cpus_part_of_a_server() {
        let guest = Host {
            virtualization: Some("kvm".to_owned()),
            cpus: Some(16),
            ..Host::default()
        };
        let machine = Tables::embedded().unwrap().typical_machine(&guest, &[], 4.0);
        assert!((machine.machine.value.get() - 1_216_000.0 / 8.0).abs() < 1e-6);
        assert!(machine.machine.low < machine.machine.value && machine.machine.value < machine.machine.high);
        assert_eq!(machine.basis, "a guest's part of a server, 152 kg, rule of thumb");
    }

    #[test]
    fn what_is_stated_has_no_range() {
        let machine = Tables::stated_machine(1300.0, 5.0);
        assert_eq!(machine.machine.low, machine.machine.high);
        assert_eq!(
            (machine.basis.as_str(), machine.stated),
            ("1300 kg, as stated", true)
        );
    }
}
