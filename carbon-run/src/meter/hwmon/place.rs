//! Which sensors are domains, which of them are summed, and which CPUs each feeds.

use super::chip::{self, Part, Role};
use super::sensor::Sensor;
use crate::meter::whereabouts::Whereabouts;
use crate::model::recording::{CpuGroup, DomainKind};
use std::collections::BTreeSet;

/// A sensor that can become a domain.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) sensor: Sensor,
    pub(super) part: Part,
    pub(super) socket: u32,
}

/// A domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meant {
    pub(super) name: String,
    pub(super) kind: DomainKind,
    pub(super) groups: Vec<usize>,
    pub(super) summed: bool,
}

/// The sensors that measure a part of a socket. Where a driver numbers no sockets, its chips are the sockets in order.
pub(super) fn place(sensors: Vec<Sensor>) -> Vec<Placed> {
    let mut chips: Vec<(String, String)> = Vec::new();
    let mut placed = Vec::new();
    for sensor in sensors {
        let Role::Part { part, socket } = chip::role(&sensor.chip, sensor.label.as_deref()) else {
            continue;
        };
        let of = (sensor.chip.clone(), sensor.hwmon.clone());
        if !chips.contains(&of) {
            chips.push(of);
        }
        let nth = chips
            .iter()
            .filter(|(chip, _)| *chip == sensor.chip)
            .position(|(_, hwmon)| *hwmon == sensor.hwmon)
            .unwrap_or_default();
        placed.push(Placed {
            socket: socket.unwrap_or_else(|| u32::try_from(nth).unwrap_or(u32::MAX)),
            sensor,
            part,
        });
    }
    placed.sort_by_key(|placed| (placed.socket, placed.part as u8));
    placed
}

/// What each sensor that can be read means, in the order given; `None` for a socket without an online CPU.
pub(super) fn mean(readable: &[Placed], groups: &[CpuGroup]) -> Vec<Option<Meant>> {
    let sockets: BTreeSet<u32> = readable.iter().map(|placed| placed.socket).collect();
    readable
        .iter()
        .map(|placed| {
            let at = match placed.part {
                Part::Module => Whereabouts::PLATFORM,
                Part::SocketWithMemory | Part::Socket | Part::Cores | Part::Rest => {
                    Whereabouts::package(package(placed.socket, &sockets, groups)?)
                }
            };
            let is_whole = |part: Part| matches!(part, Part::SocketWithMemory | Part::Socket);
            let whole = readable
                .iter()
                .any(|other| other.socket == placed.socket && is_whole(other.part));
            // Two rails make the package where nothing shows it whole.
            let kind = match placed.part {
                Part::Cores | Part::Rest if !whole => DomainKind::Package,
                part @ (Part::SocketWithMemory | Part::Socket | Part::Cores | Part::Rest | Part::Module) => {
                    part.kind()
                }
            };
            let name = match (placed.part, kind) {
                (Part::Module, _) => format!("module-{}", placed.socket),
                (Part::Rest, DomainKind::Package) => at.name("io"),
                (_, DomainKind::Package) => at.name("package"),
                (Part::Cores, _) => at.name("core"),
                (Part::Rest, _) => at.name("uncore"),
                (Part::SocketWithMemory | Part::Socket, _) => at.name("socket"),
            };
            Some(Meant {
                name,
                kind,
                groups: at.feeds(groups)?,
                summed: kind == DomainKind::Package,
            })
        })
        .collect()
}

/// The package of a socket. Firmware counts sockets from 0; on Arm the kernel's number of a package can be anything that
/// firmware said of it (PPTT), and only their order is that of the sockets.
fn package(socket: u32, sockets: &BTreeSet<u32>, groups: &[CpuGroup]) -> Option<u32> {
    let packages: BTreeSet<u32> = groups.iter().map(|group| group.package).collect();
    if packages.is_empty() || sockets.is_subset(&packages) {
        return Some(socket);
    }
    let nth = sockets.iter().position(|&other| other == socket)?;
    packages.into_iter().nth(nth)
}
