//! GPUs of AMD and Intel: energy or power by hwmon, and who used them by `/proc/PID/fdinfo`.
//!
//! An integrated GPU draws its power inside the CPU's package: it is told and never added. What amdgpu shows for one is
//! the power of the whole socket.

mod card;
mod clients;
mod fdinfo;
mod file;
mod kfd;
mod notes;
mod processes;
mod sensor;
mod survey;

pub use survey::{Device, survey};

use super::Meter;
use crate::model::counter::UNKNOWN_CEILING_UW;
use crate::model::recording::{
    Domain, DomainKind, DomainSource, GPU_IN_PACKAGE, Gpu, GpuIdlePower, GpuLook, NO_GPU, Note, Origin,
    Reading, Source,
};
use crate::model::units::Moment;
use card::{Card, Driver};
use clients::{Clients, Seen};
use kfd::Kfd;
use processes::Processes;
use sensor::{Quantity, Sensor};
use std::path::Path;
use std::time::Duration;

/// Intel's register of energy has 32 bits of 2^-14 J, and the driver notices that it went round only when it is read
/// (`hwm_energy`, drivers/gpu/drm/i915/i915_hwmon.c).
const REGISTER_J: f64 = (1_u64 << 18) as f64;

/// How often a meter of power is read. The firmware renews its figure about as often; nowhere is it documented.
const POWER_EVERY: Duration = Duration::from_millis(100);

/// What [`Drm::open`] found.
#[derive(Debug)]
pub struct Opened {
    /// The meter; `None` where there is no card of these drivers.
    pub meter: Option<Drm>,
    /// Why none of them is measured; `None` where one is.
    pub absent: Option<String>,
    /// What is not measured, and why.
    pub notes: Vec<Note>,
}

/// The cards of this machine.
#[derive(Debug)]
pub struct Drm {
    cards: Vec<Card>,
    gpus: Vec<Gpu>,
    domains: Vec<Domain>,
    sensors: Vec<Sensor>,
    processes: Processes,
    clients: Clients,
    kfd: Kfd,
    notes: Vec<Note>,
    told_unseen: bool,
}

impl Drm {
    /// Opens the cards under `sysroot` (`/` for this machine). Takes a few system calls a card.
    #[must_use]
    pub fn open(sysroot: &Path) -> Opened {
        let cards = match card::find(sysroot) {
            Ok(cards) => cards,
            Err(error) => {
                return Opened {
                    meter: None,
                    absent: Some(error.clone()),
                    notes: vec![notes::unlistable(&error)],
                };
            }
        };
        let mut notes = Vec::new();
        let (mut gpus, mut domains, mut sensors) = (Vec::<Gpu>::new(), Vec::new(), Vec::new());
        for card in &cards {
            let vendor = card.driver.vendor();
            let index =
                u32::try_from(gpus.iter().filter(|gpu| gpu.vendor == vendor).count()).unwrap_or(u32::MAX);
            let sensor = Sensor::of(card);
            if card.integrated {
                notes.push(notes::integrated(card));
            }
            let domain = match sensor {
                Ok(sensor) => {
                    if sensor.package_only {
                        notes.push(notes::package_only(card));
                    }
                    domains.push(Domain {
                        name: format!("gpu-{}-{index}", vendor.name()),
                        kind: DomainKind::Gpu,
                        origin: Origin::Measured(Source::Hwmon),
                        groups: Vec::new(),
                        summed: !card.integrated,
                        source: sensor.source(),
                    });
                    sensors.push(sensor);
                    Some(domains.len() - 1)
                }
                Err(_) if card.integrated => None,
                Err(why) => {
                    notes.push(notes::unmeasured(card, &why));
                    None
                }
            };
            gpus.push(Gpu {
                domain,
                vendor,
                index,
                minor: Some(card.number),
                uuid: card.uuid.clone(),
                name: card.name.clone(),
                pci: card.pci.clone(),
                driver: Some(card.driver.name().to_owned()),
                slices: Vec::new(),
                allocated: None,
                idle: GpuIdlePower::default(),
            });
        }
        let meter = (!cards.is_empty()).then(|| Self {
            kfd: Kfd::of(sysroot, &cards),
            cards,
            gpus,
            domains,
            sensors,
            processes: Processes::under(sysroot),
            clients: Clients::default(),
            notes: Vec::new(),
            told_unseen: false,
        });
        let absent = match &meter {
            None => Some(NO_GPU.to_owned()),
            Some(drm) if drm.domains.iter().any(|domain| domain.summed) => None,
            Some(_) => {
                let trouble = notes.iter().find(|note| note.degrades);
                Some(trouble.map_or(GPU_IN_PACKAGE.to_owned(), |note| note.message.clone()))
            }
        };
        Opened { meter, absent, notes }
    }

    /// The card that a descriptor leads to: by what the driver says, else by the file's number.
    fn card(&self, client: &fdinfo::Client, minor: Option<u32>) -> Option<usize> {
        let says = |card: &Card| match &client.pdev {
            Some(pdev) => card.pci.as_ref() == Some(pdev),
            None => minor.is_some() && (minor == card.render || minor == Some(card.number)),
        };
        self.cards
            .iter()
            .position(|card| card.driver.name() == client.driver && says(card))
    }

    fn seen(&mut self, now: &mut dyn FnMut() -> Moment) -> Result<(Vec<Seen>, bool), String> {
        let found = self.processes.look(now)?;
        let by_host = self.processes.are_numbered_by_host();
        let seen = found.held.into_iter().filter_map(|held| {
            let card = self.card(&held.client, held.minor)?;
            let queues = || !by_host || self.kfd.uses(held.pid, card).unwrap_or(true);
            Some(Seen {
                pid: held.pid,
                card,
                queues: held.kfd && queues(),
                client: held.client,
                at: held.at,
                fresh: held.fresh,
            })
        });
        Ok((seen.collect(), found.unseen))
    }
}

impl Meter for Drm {
    fn domains(&self) -> &[Domain] {
        &self.domains
    }

    /// Two files a card. One that fails is tried again at the next call. A card that sleeps is not woken.
    fn read(&mut self, now: &mut dyn FnMut() -> Moment) -> Vec<Reading> {
        self.sensors
            .iter_mut()
            .map(|sensor| match (sensor.read(), sensor.quantity) {
                (Ok(ticks), Quantity::Energy) => Reading::Ticks { ticks, at: now() },
                (Ok(microwatts), Quantity::Power) => Reading::Power {
                    microwatts,
                    at: now(),
                },
                (Err(error), _) => Reading::Failed(error),
            })
            .collect()
    }

    fn gpus(&self) -> &[Gpu] {
        &self.gpus
    }

    fn look(&mut self, now: &mut dyn FnMut() -> Moment) -> Vec<GpuLook> {
        // Without anything to share out nobody's descriptors are looked at.
        let looked = if self.domains.is_empty() {
            Ok((Vec::new(), false))
        } else {
            self.seen(now)
        };
        let (seen, unseen, failed) = match looked {
            Ok((seen, unseen)) => (seen, unseen, None),
            Err(error) => (Vec::new(), true, Some(error)),
        };
        if unseen && self.domains.iter().any(|domain| domain.summed) && !self.told_unseen {
            self.told_unseen = true;
            self.notes.push(notes::unseen());
        }
        let drivers: Vec<Driver> = self.cards.iter().map(|card| card.driver).collect();
        let users = self.clients.take(&seen, &drivers);
        let at = now();
        users
            .into_iter()
            .zip(&self.cards)
            .map(|(users, card)| GpuLook {
                at,
                busy_percent: busy_percent(card),
                users,
                unseen,
                failed: failed.clone(),
            })
            .collect()
    }

    /// What amdgpu shows is power, which may change between two readings.
    fn longest_pause(&self) -> Option<Duration> {
        let summed = self.domains.iter().filter(|domain| domain.summed);
        let mut powers = summed.filter(|domain| matches!(domain.source, DomainSource::Power { .. }));
        powers.next().map(|_| POWER_EVERY)
    }

    fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// Of the register below the counter, at one and a half times the stated maximum power (1.2 kW where none is stated).
    fn shortest_wrap(&self) -> Option<Duration> {
        let wraps = self.domains.iter().filter_map(|domain| match &domain.source {
            DomainSource::Counter { max_power, .. } => {
                let watts = max_power.map_or(UNKNOWN_CEILING_UW as f64 / 1e6, |max| max.get() * 1.5);
                Duration::try_from_secs_f64(REGISTER_J / watts).ok()
            }
            DomainSource::Power { .. } | DomainSource::CpuModel(_) | DomainSource::RamModel(_) => None,
        });
        wraps.min()
    }
}

/// amdgpu's percentage of load; the other drivers have none.
fn busy_percent(card: &Card) -> Option<u32> {
    if card.driver != Driver::Amdgpu || card.sleeps() {
        return None;
    }
    let percent = file::number(&card.dir.join("gpu_busy_percent")).ok()?;
    u32::try_from(percent).ok().filter(|&percent| percent <= 100)
}
