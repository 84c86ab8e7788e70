//! Who uses the cards of AMD and Intel: clients that many descriptors lead to, processes that come and go, and those that
//! may not be looked at.

use crate::cards::device;
use crate::tree::{Copy, codes};
use carbon_run::meter::Meter as _;
use carbon_run::meter::drm::Drm;
use carbon_run::model::recording::{GpuLook, Whose};
use carbon_run::model::units::Moment;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

/// A meter whose clock the test moves.
struct Watched {
    tree: Copy,
    drm: Drm,
    nanoseconds: u64,
}

impl Watched {
    fn of(name: &str) -> io::Result<Self> {
        Self::on(Copy::of(name)?)
    }

    fn on(tree: Copy) -> io::Result<Self> {
        let drm = Drm::open(tree.root()).meter;
        let drm = drm.ok_or_else(|| io::Error::other("no meter"))?;
        Ok(Self {
            tree,
            drm,
            nanoseconds: 0,
        })
    }

    /// A look a second after the last one.
    fn looks(&mut self) -> Vec<GpuLook> {
        self.nanoseconds += 1_000_000_000;
        let mut now = self.nanoseconds;
        let looks = self.drm.look(&mut || {
            now += 1;
            Moment(now)
        });
        assert_eq!(looks.len(), self.drm.gpus().len());
        looks
    }

    /// Process and engine time of the users of one card.
    fn used(&mut self, card: usize) -> Vec<(u32, Option<u64>)> {
        let looks = self.looks();
        let users = looks
            .get(card)
            .map(|look| look.users.as_slice())
            .unwrap_or_default();
        assert!(
            users
                .iter()
                .all(|user| user.holds && user.whose == Whose::Unknown)
        );
        users.iter().map(|user| (user.pid, user.engine_ns)).collect()
    }

    fn process(&self, pid: u32) -> PathBuf {
        self.tree.root().join(format!("proc/{pid}"))
    }

    /// Changes a descriptor's file.
    fn change(&self, pid: u32, descriptor: u32, from: &str, to: &str) -> io::Result<()> {
        let path = self.process(pid).join(format!("fdinfo/{descriptor}"));
        let text = fs::read_to_string(&path)?;
        assert!(text.contains(from), "{text}");
        fs::write(path, text.replace(from, to))
    }

    /// Opens a card in a process, which need not be there yet.
    fn open(&self, pid: u32, descriptor: u32, target: &str, info: &str) -> io::Result<()> {
        let process = self.process(pid);
        fs::create_dir_all(process.join("fd"))?;
        fs::create_dir_all(process.join("fdinfo"))?;
        symlink(target, process.join(format!("fd/{descriptor}")))?;
        fs::write(process.join(format!("fdinfo/{descriptor}")), info)
    }
}

fn amdgpu(client: u64, gfx_ns: u64) -> String {
    format!(
        "drm-driver:\tamdgpu\ndrm-client-id:\t{client}\ndrm-pdev:\t0000:03:00.0\ndrm-engine-gfx:\t{gfx_ns} ns\n"
    )
}

#[test]
fn a_client_counts_once_for_the_process_that_had_it_first() -> io::Result<()> {
    let mut radeon = Watched::of("radeon-rx-7900")?;
    let nobody_yet = [(100, Some(0)), (200, Some(0)), (201, Some(0))];
    assert_eq!(
        radeon.used(0),
        nobody_yet,
        "what was before the first look is nobody's"
    );
    for (pid, descriptor) in [(200, 31), (200, 32), (201, 31)] {
        radeon.change(pid, descriptor, "5000000000 ns", "5700000000 ns")?;
    }
    radeon.change(100, 14, "90000000000 ns", "90200000000 ns")?;
    assert_eq!(
        radeon.used(0),
        [(100, Some(200_000_000)), (200, Some(700_000_000)), (201, Some(0))]
    );
    // The parent ends and its child goes on.
    fs::remove_dir_all(radeon.process(200))?;
    radeon.change(201, 31, "5700000000 ns", "5800000000 ns")?;
    assert_eq!(
        radeon.used(0),
        [(100, Some(200_000_000)), (201, Some(100_000_000))]
    );
    Ok(())
}

#[test]
fn memory_counts_once_and_the_device_says_how_busy_it_is() -> io::Result<()> {
    let mut radeon = Watched::of("radeon-rx-7900")?;
    let looks = radeon.looks();
    let look = looks.first().ok_or_else(|| io::Error::other("no look"))?;
    let memory: Vec<_> = look
        .users
        .iter()
        .map(|user| (user.pid, user.memory_bytes))
        .collect();
    let kib = |kib: u64| Some(kib << 10);
    assert_eq!(
        memory,
        [(100, kib(310_240 + 2_048)), (200, kib(1_048_576)), (201, None)]
    );
    assert_eq!(
        (look.busy_percent, look.unseen, &look.failed),
        (Some(7), false, &None)
    );
    Ok(())
}

#[test]
fn who_comes_after_the_first_look_counts_from_nothing() -> io::Result<()> {
    let mut radeon = Watched::of("radeon-rx-7900")?;
    radeon.used(0);
    radeon.open(700, 3, "/dev/dri/renderD128", &amdgpu(20, 30_000_000))?;
    // One that was there and opens a card later, too.
    radeon.open(150, 7, "/dev/dri/renderD128", &amdgpu(21, 5_000_000))?;
    let used = radeon.used(0);
    assert!(used.contains(&(700, Some(30_000_000))), "{used:?}");
    assert!(used.contains(&(150, Some(5_000_000))), "{used:?}");
    fs::remove_dir_all(radeon.process(700))?;
    assert!(radeon.used(0).iter().all(|(pid, _)| *pid != 700));
    Ok(())
}

#[test]
fn a_descriptor_that_leads_to_something_else_by_now_is_let_go() -> io::Result<()> {
    let mut radeon = Watched::of("radeon-rx-7900")?;
    assert_eq!(radeon.used(0).len(), 3);
    let garbage = radeon.process(201).join("fdinfo/31");
    fs::write(&garbage, "pos:\t0\nflags:\t02\ninotify wd:1\n\u{fffd}\n")?;
    assert_eq!(radeon.used(0).len(), 2);
    Ok(())
}

#[test]
fn rocm_computes_by_queues_that_nobody_counts_where_it_has_any() -> io::Result<()> {
    let mut instinct = Watched::of("instinct-mi210")?;
    let looks = instinct.looks();
    let used: Vec<Vec<_>> = looks
        .iter()
        .map(|look| look.users.iter().map(|user| (user.pid, user.engine_ns)).collect())
        .collect();
    assert_eq!(
        used,
        [[(300, None), (400, Some(0))], [(300, Some(0)), (400, None)]]
    );
    // Where its sysfs does not say on which card, it is taken to compute on every card that it has opened.
    fs::remove_dir_all(instinct.tree.root().join("sys/class/kfd"))?;
    let tree = std::mem::replace(&mut instinct.tree, Copy::of("epyc")?);
    let mut blind = Watched::on(tree)?;
    assert_eq!(blind.used(0), [(300, None), (400, None)]);
    Ok(())
}

#[test]
fn i915_counts_each_engine_by_how_many_there_are_of_it() -> io::Result<()> {
    let mut arc = Watched::of("arc-a770")?;
    assert_eq!(arc.used(1), [(100, Some(0)), (500, Some(0))]);
    arc.change(500, 5, "video:\t2000000000 ns", "video:\t3000000000 ns")?;
    arc.change(100, 8, "render:\t5000000 ns", "render:\t9000000 ns")?;
    // 1 s on one of two engines; what Xorg did on the processor's own graphics is another card's.
    assert_eq!(arc.used(1), [(100, Some(0)), (500, Some(500_000_000))]);
    Ok(())
}

#[test]
fn xe_counts_cycles_which_become_time_by_its_own_clock() -> io::Result<()> {
    let mut arc = Watched::of("arc-b580")?;
    assert_eq!(arc.used(0), [(100, Some(0)), (600, Some(0))]);
    // 19.2 million cycles in the second between the two looks, a quarter of which is the job's.
    for pid in [100, 600] {
        let descriptor = if pid == 100 { 12 } else { 7 };
        arc.change(pid, descriptor, "7655183225", "7674383225")?;
    }
    arc.change(600, 7, "cycles-ccs:\t100000\n", "cycles-ccs:\t4900000\n")?;
    let used = arc.used(0);
    let of = |pid: u32| used.iter().find(|(user, _)| *user == pid).and_then(|(_, ns)| *ns);
    assert_eq!(of(100), Some(0));
    let ns = of(600).ok_or_else(|| io::Error::other("600 is not counted"))?;
    assert!(ns.abs_diff(250_000_000) < 1_000, "{ns}");
    Ok(())
}

#[test]
fn a_process_that_may_not_be_looked_at_is_not_nobody() -> io::Result<()> {
    // A directory that cannot be listed, whoever runs the test: a file.
    let refuse = |tree: &Copy, pid: u32| {
        let descriptors = tree.root().join(format!("proc/{pid}/fd"));
        fs::remove_dir_all(&descriptors)?;
        fs::write(descriptors, "")
    };
    let tree = Copy::of("radeon-rx-7900")?;
    refuse(&tree, 17)?;
    let mut radeon = Watched::on(tree)?;
    assert!(
        radeon.looks().iter().all(|look| !look.unseen),
        "kernel threads hold nothing"
    );
    assert_eq!(codes(&radeon.drm.take_notes()), [""; 0]);

    let tree = Copy::of("radeon-rx-7900")?;
    refuse(&tree, 100)?;
    let mut radeon = Watched::on(tree)?;
    for _ in 0..3 {
        let looks = radeon.looks();
        assert!(
            looks.iter().all(|look| look.unseen && look.users.len() == 2),
            "{looks:?}"
        );
    }
    assert_eq!(codes(&radeon.drm.take_notes()), ["gpu-users-unseen"], "once");
    Ok(())
}

#[test]
fn behind_a_namespace_or_hidepid_there_may_be_others() -> io::Result<()> {
    for gone in ["proc/self/ns", "proc/1"] {
        let tree = Copy::of("radeon-rx-7900")?;
        fs::remove_dir_all(tree.root().join(gone))?;
        let mut radeon = Watched::on(tree)?;
        assert!(radeon.looks().iter().all(|look| look.unseen), "{gone}");
    }
    Ok(())
}

#[test]
fn a_proc_that_cannot_be_listed_fails_the_look_and_says_so() -> io::Result<()> {
    let mut radeon = Watched::of("radeon-rx-7900")?;
    fs::remove_dir_all(radeon.tree.root().join("proc"))?;
    let looks = radeon.looks();
    let failed: Vec<_> = looks.iter().filter_map(|look| look.failed.clone()).collect();
    assert!(
        matches!(&failed[..], [reason] if reason.contains("no such file")),
        "{failed:?}"
    );
    Ok(())
}

#[test]
fn a_driver_that_lists_no_engine_counts_nothing() -> io::Result<()> {
    let mut arc = Watched::of("arc-b580")?;
    arc.change(100, 12, "drm-cycles", "x-cycles")?;
    assert_eq!(arc.used(0), [(100, None), (600, Some(0))]);
    Ok(())
}

#[test]
fn graphics_of_a_processor_alone_are_not_worth_a_search() -> io::Result<()> {
    let tree = Copy::of("arc-a770")?;
    fs::remove_dir_all(device(&tree, 1).join("hwmon"))?;
    let mut arc = Watched::on(tree)?;
    assert!(
        arc.looks()
            .iter()
            .all(|look| look.users.is_empty() && !look.unseen)
    );
    Ok(())
}
