//! Which CPUs this process may run on, and keeping a thread on one.
#![expect(
    unsafe_code,
    reason = "nix's wrappers stop at 1024 CPUs, and fails on larger machines"
)]

/// The CPUs in this thread's affinity mask, which the job inherits, ascending; `None` when the kernel does not say.
pub(super) fn allowed() -> Option<Vec<u32>> {
    // The kernel wants room for every CPU that it could have (nr_cpu_ids) and says EINVAL below that, without telling how
    // much is enough (sched_getaffinity(2)).
    let mut words = 16; // 1024 CPUs
    while words <= 1024 {
        if let Some(mask) = mask(words) {
            return Some(numbers(&mask));
        }
        words *= 2;
    }
    None
}

/// The numbers of the bits that are set.
fn numbers(mask: &[u64]) -> Vec<u32> {
    let bits = |(at, word): (u32, &u64)| {
        let word = *word;
        (0..u64::BITS)
            .filter(move |bit| word >> bit & 1 == 1)
            .map(move |bit| at * u64::BITS + bit)
    };
    (0..).zip(mask).flat_map(bits).collect()
}

/// Keeps the calling thread on one CPU.
///
/// # Errors
/// When there is no such CPU, or this process may not use it.
pub fn pin(cpu: u32) -> std::io::Result<()> {
    let bits = u64::BITS as usize;
    let mut mask = vec![0_u64; (cpu as usize / bits + 1).max(16)];
    if let Some(word) = mask.get_mut(cpu as usize / bits) {
        *word = 1 << (cpu as usize % bits);
    }
    let size = std::mem::size_of_val(mask.as_slice());
    let pointer = mask.as_ptr().cast::<libc::cpu_set_t>();
    // SAFETY: `pointer` is valid for reads of `size` bytes, which is what the call is told; a CPU set is an array of
    // unsigned longs, so `u64` is aligned for it; 0 means the calling thread.
    let result = unsafe { libc::sched_setaffinity(0, size, pointer) };
    nix::errno::Errno::result(result)
        .map(drop)
        .map_err(std::io::Error::from)
}

fn mask(words: usize) -> Option<Vec<u64>> {
    let mut mask = vec![0_u64; words];
    let size = std::mem::size_of_val(mask.as_slice());
    let pointer = mask.as_mut_ptr().cast::<libc::cpu_set_t>();
    // SAFETY: `pointer` is valid for writes of `size` bytes, which is what the call is told; a CPU set is an array of
    // unsigned longs, so `u64` is aligned for it; 0 means the calling thread.
    let result = unsafe { libc::sched_getaffinity(0, size, pointer) };
    (result >= 0).then_some(mask)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_mask_agrees_with_proc() {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let list = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
            .unwrap();
        let by_proc = super::super::cpu_list::parse(list);
        assert_eq!(super::allowed(), by_proc);
    }

    #[test]
    fn bits_are_numbered_over_words() {
        assert_eq!(super::numbers(&[1 << 3 | 1, 0, 1 << 63]), [0, 3, 191]);
    }

    #[test]
    fn a_thread_that_is_pinned_may_run_on_that_cpu_alone() {
        let first = super::allowed().unwrap()[0];
        std::thread::spawn(move || {
            super::pin(first).unwrap();
            assert_eq!(super::allowed(), Some(vec![first]));
            assert!(super::pin(60_000).is_err());
        })
        .join()
        .unwrap();
    }

    #[test]
    fn too_little_room_is_no_answer() {
        assert_eq!(super::mask(0), None);
    }
}
