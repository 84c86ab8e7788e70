//! Two hardware threads of one core, which together draw less than two cores.
//!
//! The kernel adds a running task's time at the scheduler's tick, so that a thread that never pauses seems to pause between
//! two ticks and to be busy twice over afterwards. What it has too much of at one step therefore waits for the next one: a
//! thread that stays busy is busy all the time once it has a tick's time waiting, and what waits when it stops is spent
//! right after. Busy times are shifted by a tick by that, and none is lost.

/// A core.
#[derive(Debug)]
pub(crate) struct Core {
    cpus: [usize; 2],
    threads: [Thread; 2],
    both_busy_permille: u64,
    /// Thousandths of nanoseconds of one thread alone.
    weight: u128,
    /// The followed job's part of that.
    job_weight: u128,
}

#[derive(Debug, Default, Clone, Copy)]
struct Thread {
    seen_ns: u64,
    seen_job_ns: u64,
    waiting_ns: u64,
    /// The followed job's part of that.
    waiting_job_ns: u64,
}

/// What a thread did in a step.
#[derive(Debug, Clone, Copy)]
struct Spent {
    ns: u64,
    job_ns: u64,
}

impl Core {
    pub(crate) fn new([one, other]: [u32; 2], both_busy_permille: u64) -> Self {
        Self {
            cpus: [one as usize, other as usize],
            threads: [Thread::default(); 2],
            both_busy_permille,
            weight: 0,
            job_weight: 0,
        }
    }

    /// A step of that length has ended; busy times are since the start, the job's since it is followed, by CPU number.
    pub(crate) fn step(&mut self, step_ns: u64, busy_ns: &[u64], job_ns: &[u64]) {
        let at = |times: &[u64], cpu: usize| times.get(cpu).copied().unwrap_or(0);
        let [one, other] = self.cpus;
        let [first, second] = &mut self.threads;
        let one = first.spend(step_ns, at(busy_ns, one), at(job_ns, one));
        let other = second.spend(step_ns, at(busy_ns, other), at(job_ns, other));
        // Who was busy all the time was so beside the other. Two that were busy in part are taken to have been so together: in a
        // step of milliseconds the rest is mostly what a hypervisor kept.
        let both = one.ns.min(other.ns);
        let sum = u128::from(one.ns) + u128::from(other.ns);
        self.weight += 1000 * sum - u128::from(both) * u128::from(2000 - self.both_busy_permille);
        for thread in [one, other] {
            let beside = part(both, thread.job_ns, thread.ns);
            self.job_weight += 1000 * u128::from(thread.job_ns)
                - u128::from(beside) * u128::from(1000 - self.both_busy_permille / 2);
        }
    }

    /// A job is followed from now on, or none.
    pub(crate) fn forget_job(&mut self) {
        self.job_weight = 0;
        for thread in &mut self.threads {
            (thread.seen_job_ns, thread.waiting_job_ns) = (0, 0);
        }
    }

    /// Nanoseconds of one thread alone that draw as much: the core's, and the followed job's part.
    pub(crate) fn busy_ns(&self) -> [u64; 2] {
        [self.weight, self.job_weight].map(|weight| u64::try_from(weight / 1000).unwrap_or(u64::MAX))
    }
}

impl Thread {
    fn spend(&mut self, step_ns: u64, busy_ns: u64, job_ns: u64) -> Spent {
        self.waiting_ns += busy_ns.saturating_sub(self.seen_ns);
        self.waiting_job_ns += job_ns.saturating_sub(self.seen_job_ns);
        (self.seen_ns, self.seen_job_ns) = (busy_ns, job_ns);
        let ns = self.waiting_ns.min(step_ns);
        // The two books are read one after the other; what the job has too early waits for the machine's.
        let job_ns = part(ns, self.waiting_job_ns.min(self.waiting_ns), self.waiting_ns);
        self.waiting_ns -= ns;
        self.waiting_job_ns -= job_ns;
        Spent { ns, job_ns }
    }
}

/// `whole * of / all`, for `of <= all`; nothing of nothing.
fn part(whole: u64, of: u64, all: u64) -> u64 {
    let part = u128::from(whole) * u128::from(of) / u128::from(all.max(1));
    u64::try_from(part).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// Nanoseconds of one thread for the core and the job, after 10,000 steps of 5 ms in which the job, CPU 0, is busy all the
    /// time and a neighbour, CPU 1, for a second of every two; both are booked at ticks of 4 ms.
    fn pulsing(both_busy_permille: u64) -> [u64; 2] {
        let mut core = Core::new([0, 1], both_busy_permille);
        let booked = |ns: u64| ns / (4 * MS) * 4 * MS;
        for step in 1..=10_000_u64 {
            let now = step * 5 * MS;
            let neighbour = now / (2000 * MS) * 1000 * MS + (now % (2000 * MS)).min(1000 * MS);
            core.step(5 * MS, &[booked(now), booked(neighbour)], &[booked(now)]);
        }
        core.busy_ns()
    }

    #[test]
    fn two_busy_threads_draw_less_than_two_cores_and_each_half_of_it() {
        for (both, core, job) in [(2000, 75.0, 50.0), (1150, 53.75, 39.375)] {
            let [all_ns, job_ns] = pulsing(both).map(|ns| ns as f64 / 1e9);
            assert!((all_ns / core - 1.0).abs() < 0.002, "{all_ns} s, {core} s");
            assert!((job_ns / job - 1.0).abs() < 0.002, "{job_ns} s, {job} s");
        }
    }

    #[test]
    fn a_job_that_is_no_longer_followed_leaves_nothing_behind() {
        let mut core = Core::new([0, 1], 1150);
        core.step(5 * MS, &[5 * MS, 0], &[5 * MS, 0]);
        core.forget_job();
        core.step(5 * MS, &[5 * MS, 5 * MS], &[]);
        assert_eq!(core.busy_ns(), [10 * MS, 0]);
    }
}
