//! CPUs that are kept busy.

use super::NotCalibrated;
use crate::host::{self, Topology};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;

/// Threads that do nothing useful, until dropped.
pub(super) struct Spinning {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Spinning {
    /// One on each of these CPUs. All run when this returns.
    pub(super) fn on(cpus: &[u32]) -> Result<Self, NotCalibrated> {
        let mut spinning = Self {
            stop: Arc::new(AtomicBool::new(false)),
            threads: Vec::new(),
        };
        for &cpu in cpus {
            spinning
                .add(cpu)
                .map_err(|source| NotCalibrated::Spin { cpu, source })?;
        }
        Ok(spinning)
    }

    fn add(&mut self, cpu: u32) -> std::io::Result<()> {
        let stop = Arc::clone(&self.stop);
        let (say, pinned) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("calibrate".to_owned())
            .spawn(move || {
                let done = host::pin(cpu);
                let go = done.is_ok();
                // Who asked may be gone, and then so is the reason to spin.
                if say.send(done).is_ok() && go {
                    spin(&stop);
                }
            })?;
        self.threads.push(thread);
        pinned
            .recv()
            .unwrap_or_else(|_| Err(std::io::Error::other("its thread ended")))
    }
}

/// Integer and floating-point work out of registers: neither the least nor the most that a core can draw.
fn spin(stop: &AtomicBool) {
    let (mut whole, mut real) = (1_u64, 1.0_f64);
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..10_000 {
            whole = black_box(whole.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
            real = black_box(real.mul_add(0.999, 0.001));
        }
    }
}

impl Drop for Spinning {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().unwrap_or_default();
        }
    }
}

/// For each package its CPUs in the order in which they are to be kept busy: a thread of every core first, then their
/// siblings, as the kernel's own balancing does.
pub(super) fn orders(topology: &Topology) -> Vec<Vec<u32>> {
    let mut packages: Vec<(u32, Vec<u32>)> = Vec::new();
    for group in &topology.groups {
        match packages.iter_mut().find(|(package, _)| *package == group.package) {
            Some((_, cpus)) => cpus.extend(&group.cpus),
            None => packages.push((group.package, group.cpus.clone())),
        }
    }
    packages
        .into_iter()
        .map(|(_, cpus)| {
            let (mut first, mut rest): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
            for cpu in cpus {
                let sibling = topology.siblings.get(cpu as usize).copied().flatten();
                if sibling.is_some_and(|sibling| first.contains(&sibling)) {
                    rest.push(cpu);
                } else {
                    first.push(cpu);
                }
            }
            first.extend(rest);
            first
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::recording::CpuGroup;

    #[test]
    fn cores_come_before_siblings_and_packages_one_by_one() {
        let group = |package, die, cpus: &[u32]| CpuGroup {
            package,
            die,
            cpus: cpus.to_vec(),
            capacity_permille: None,
        };
        let topology = Topology {
            groups: vec![group(0, 0, &[0, 1]), group(0, 1, &[4, 5]), group(1, 0, &[2, 3])],
            siblings: vec![Some(1), Some(0), None, None, Some(5), Some(4)],
            possible: 6,
            notes: Vec::new(),
        };
        assert_eq!(orders(&topology), [vec![0, 4, 1, 5], vec![2, 3]]);
    }

    #[test]
    fn a_cpu_that_is_not_there_is_refused_and_the_others_stop() {
        let first = host::allowed_cpus().unwrap()[0];
        let error = Spinning::on(&[first, 60_000]).err().unwrap();
        assert!(
            error.to_string().starts_with("CPU 60000 cannot be kept busy: "),
            "{error}"
        );
        drop(Spinning::on(&[first]).unwrap());
    }
}
