//! Who uses a device: contexts that are held, and the driver's samples of their use.

use super::slices;
use crate::model::recording::{GpuLook, GpuSample, GpuUser, Whose};
use crate::model::units::Moment;
use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::error::NvmlError as Refusal;
use nvml_wrapper::struct_wrappers::device::{ProcessInfo, ProcessUtilizationSample};
use nvml_wrapper::{Device, Nvml as Library};
use std::collections::HashSet;

/// What the program that computes for others is called.
const SERVER: &str = "nvidia-cuda-mps-server";

/// Most letters of a process's name.
const NAME: usize = 256;

/// Follows the users of one device.
#[derive(Debug)]
pub(super) struct Users {
    index: u32,
    cursor: Cursor,
    /// Whether the device gives samples: not when it is partitioned, nor with an old driver.
    sampled: bool,
}

impl Users {
    /// What the driver has sampled before now is over.
    pub(super) fn new(device: &Device<'_>, index: u32) -> Self {
        let mut users = Self {
            index,
            cursor: Cursor::default(),
            sampled: true,
        };
        users.samples(device);
        users
    }

    /// Everybody who is there, and what they did since the last look.
    pub(super) fn look(&mut self, library: &Library, now: &mut dyn FnMut() -> Moment) -> GpuLook {
        let seen = library
            .device_by_index(self.index)
            .and_then(|device| self.seen(library, &device));
        let (busy_percent, users, failed) = match seen {
            Ok((busy, users)) => (busy, users, None),
            Err(error) => (None, Vec::new(), Some(error.to_string())),
        };
        GpuLook {
            at: now(),
            busy_percent,
            users,
            unseen: false,
            failed,
        }
    }

    fn seen(
        &mut self,
        library: &Library,
        device: &Device<'_>,
    ) -> Result<(Option<u32>, Vec<GpuUser>), Refusal> {
        // Samples first: who ends between the two has left one, and who comes has none yet.
        let samples = self.samples(device);
        let mut users = Vec::new();
        let parts = slices::each(device);
        if parts.is_empty() {
            hold(&mut users, None, &holders(device)?);
            let clients = device.mps_running_compute_processes().unwrap_or_default();
            serve(library, &mut users, &clients);
        }
        for (slice, part) in parts.iter().enumerate() {
            hold(&mut users, Some(slice), &holders(part)?);
        }
        for (pid, sample) in samples {
            match users.iter_mut().find(|user| user.pid == pid) {
                Some(user) => user.samples.push(sample),
                None => users.push(GpuUser {
                    samples: vec![sample],
                    ..nobody(pid, None)
                }),
            }
        }
        let busy = device.utilization_rates().ok().map(|rates| rates.gpu);
        Ok((busy.filter(|percent| *percent <= 100), users))
    }

    fn samples(&mut self, device: &Device<'_>) -> Vec<(u32, GpuSample)> {
        if !self.sampled {
            return Vec::new();
        }
        let mut asked = device.process_utilization_stats(self.cursor.newest);
        if matches!(asked, Err(Refusal::InsufficientSize(_))) {
            // There came one more between the question for their number and the one for themselves.
            asked = device.process_utilization_stats(self.cursor.newest);
        }
        match asked {
            Ok(samples) => self.cursor.take(&samples),
            Err(Refusal::NotSupported | Refusal::FailedToLoadSymbol(_) | Refusal::FunctionNotFound) => {
                self.sampled = false;
                Vec::new()
            }
            // `NotFound` means that nobody did anything since; whatever else it is, the next look asks again.
            Err(_) => Vec::new(),
        }
    }
}

/// Which samples have been seen. The driver keeps some seconds of them and gives them again and again; it also gives
/// entries that were never filled, and percents that are none (values above 100 right after a process began).
#[derive(Debug, Default)]
struct Cursor {
    newest: u64,
}

impl Cursor {
    fn take(&mut self, samples: &[ProcessUtilizationSample]) -> Vec<(u32, GpuSample)> {
        let mut seen = HashSet::new();
        let fresh: Vec<(u32, GpuSample)> = samples
            .iter()
            .filter(|sample| sample.pid != 0 && sample.sm_util <= 100 && sample.timestamp > self.newest)
            .filter(|sample| seen.insert((sample.pid, sample.timestamp)))
            .map(|sample| {
                let percent = sample.sm_util;
                let stamp_us = sample.timestamp;
                (sample.pid, GpuSample { stamp_us, percent })
            })
            .collect();
        let newest = fresh.iter().map(|(_, sample)| sample.stamp_us).max();
        self.newest = newest.unwrap_or(self.newest);
        fresh
    }
}

/// Processes with contexts of either kind.
fn holders(device: &Device<'_>) -> Result<Vec<ProcessInfo>, Refusal> {
    let mut all = match device.running_compute_processes() {
        Err(Refusal::FailedToLoadSymbol(_) | Refusal::FunctionNotFound) => {
            device.running_compute_processes_v2()
        }
        other => other,
    }?;
    let graphics = match device.running_graphics_processes() {
        Err(Refusal::FailedToLoadSymbol(_) | Refusal::FunctionNotFound) => {
            device.running_graphics_processes_v2()
        }
        other => other,
    };
    // A device that does no graphics says so.
    all.extend(graphics.unwrap_or_default());
    Ok(all)
}

/// Enters who holds contexts. A process may be in both lists.
fn hold(users: &mut Vec<GpuUser>, slice: Option<usize>, holders: &[ProcessInfo]) {
    for holder in holders.iter().filter(|holder| holder.pid != 0) {
        if users
            .iter()
            .any(|user| user.pid == holder.pid && user.slice == slice)
        {
            continue;
        }
        users.push(GpuUser {
            holds: true,
            memory_bytes: match holder.used_gpu_memory {
                UsedGpuMemory::Used(bytes) => Some(bytes),
                UsedGpuMemory::Unavailable => None,
            },
            ..nobody(holder.pid, slice)
        });
    }
}

/// Marks the clients of a server, and the server.
fn serve(library: &Library, users: &mut Vec<GpuUser>, clients: &[ProcessInfo]) {
    if clients.is_empty() {
        return;
    }
    hold(users, None, clients);
    for user in users {
        user.client = clients.iter().any(|client| client.pid == user.pid);
        user.serves = !user.client
            && library
                .sys_process_name(user.pid, NAME)
                .is_ok_and(|name| name.contains(SERVER));
    }
}

fn nobody(pid: u32, slice: Option<usize>) -> GpuUser {
    GpuUser {
        pid,
        whose: Whose::Unknown,
        slice,
        holds: false,
        memory_bytes: None,
        samples: Vec::new(),
        engine_ns: None,
        serves: false,
        client: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(pid: u32, timestamp: u64, sm_util: u32) -> ProcessUtilizationSample {
        ProcessUtilizationSample {
            pid,
            timestamp,
            sm_util,
            mem_util: 0,
            enc_util: 0,
            dec_util: 0,
        }
    }

    #[test]
    fn a_sample_counts_once_however_often_it_is_given() {
        let mut cursor = Cursor::default();
        let batch = [
            sample(7, 10, 50),
            sample(7, 10, 50),
            sample(8, 10, 20),
            sample(7, 20, 60),
        ];
        assert_eq!(cursor.take(&batch).len(), 3);
        assert!(cursor.take(&batch).is_empty());
        assert_eq!(cursor.take(&[sample(7, 20, 60), sample(7, 30, 1)]).len(), 1);
    }

    #[test]
    fn what_is_no_sample_neither_counts_nor_moves_the_cursor() {
        let mut cursor = Cursor::default();
        let garbage = [sample(7, u64::MAX, 4_000_000), sample(0, 99, 10)];
        assert!(cursor.take(&garbage).is_empty());
        assert_eq!(cursor.take(&[sample(7, 5, 100)]).len(), 1);
    }
}
