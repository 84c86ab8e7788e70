//! Clients that mean no good, or know no better.

use crate::deadline::until;
use crate::raw::{Raw, as_user};
use crate::rights;
use crate::service::{NOBODY, Service, WORK};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const MALLORY: libc::uid_t = 4711;
const EVE: libc::uid_t = 4712;

#[test]
fn what_is_no_request_costs_its_sender_the_connection_and_nobody_else_anything() {
    if !rights::root("what_is_no_request_costs_its_sender_the_connection_and_nobody_else_anything") {
        return;
    }
    let service = Service::start(&[]);
    let socket = service.socket();
    let job = service.job(&NOBODY, "job", WORK);
    let mut silent = Raw::connect(&socket);
    let long = vec![b'x'; 70_000];
    let bombs: [&[u8]; 7] = [
        b"\n",
        b"GET / HTTP/1.1\r\n",
        b"{\"observe\":{\"now\":tr\n",
        b"\xff\xfe\x00\n",
        &[b'['; 20_000],
        &long,
        b"{\"whose\":{\"pids\":[-1]}}\n",
    ];
    for bomb in bombs {
        let mut mallory = Raw::connect(&socket);
        mallory.send(bomb);
        mallory.send(b"\n");
        while let Some(reply) = mallory.line() {
            assert!(reply.get("refused").is_some(), "{reply}");
        }
    }
    let ended = job.end();
    assert_eq!(ended.backend(), "daemon");
    ended.assert_all_counted();
    // Who says nothing is sent away in the end.
    assert!(silent.line().is_none());
}

#[test]
fn requests_out_of_order_are_refused_and_the_connection_goes_on() {
    if !rights::root("requests_out_of_order_are_refused_and_the_connection_goes_on") {
        return;
    }
    let service = Service::start(&[]);
    let mut raw = Raw::connect(&service.socket());
    assert_eq!(raw.refusal(&json!("open")), "wrong");
    assert!(
        raw.ask(&json!({"hello": {"version": 1}}))
            .get("machine")
            .is_some()
    );
    for early in [
        json!("arm"),
        json!("living"),
        json!({"observe": {"now": true}}),
        json!({"close": {"child": 1}}),
    ] {
        assert_eq!(raw.refusal(&early), "wrong", "{early}");
    }
    raw.open();
    assert_eq!(raw.refusal(&json!("open")), "wrong");
    assert_eq!(raw.refusal(&json!({"whose": {"pids": vec![1; 5_000]}})), "full");
    assert_eq!(raw.ask(&json!("living")), json!({"living": 0}));
    assert!(raw.ask(&json!({"close": {"child": 1}})).get("closed").is_some());
    assert_eq!(raw.refusal(&json!("living")), "wrong");
    let mut other = Raw::connect(&service.socket());
    assert_eq!(other.refusal(&json!({"hello": {"version": 2}})), "version");
    assert!(other.line().is_none(), "nothing more can be said to it");
}

#[test]
fn another_users_job_is_not_to_be_had_even_with_its_secret() {
    if !rights::root("another_users_job_is_not_to_be_had_even_with_its_secret") {
        return;
    }
    let service = Service::start(&[]);
    let socket = service.socket();
    let secret = as_user(MALLORY, || Raw::greeted(&socket).open());
    let resume = json!({"resume": {"job": secret}});
    as_user(EVE, || {
        assert_eq!(Raw::greeted(&socket).refusal(&resume), "not_yours");
    });
    as_user(MALLORY, || {
        assert_eq!(
            Raw::greeted(&socket).refusal(&json!({"resume": {"job": ""}})),
            "not_yours"
        );
        assert_eq!(
            Raw::greeted(&socket).refusal(&json!({"resume": {"job": "0".repeat(32)}})),
            "not_yours"
        );
        assert_eq!(
            Raw::greeted(&socket).ask(&resume),
            json!({"opened": {"job": secret}})
        );
    });
}

#[test]
fn who_stays_armed_gives_no_children_to_the_next_job_of_that_number() {
    if !rights::root("who_stays_armed_gives_no_children_to_the_next_job_of_that_number") {
        return;
    }
    // One number only.
    let service = Service::start(&["--max-jobs", "1", "--max-jobs-per-user", "1"]);
    let socket = service.socket();
    // A main thread that is armed, and never disarms: the daemon knows processes by those.
    let script = "import json,os,socket,sys,time\n\
        s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); f = s.makefile('rw')\n\
        def ask(x): f.write(json.dumps(x) + '\\n'); f.flush(); return json.loads(f.readline())\n\
        ask({'hello': {'version': 1}}); ask('open'); ask('arm'); ask({'close': {'child': 0}}); s.close(); f.close()\n\
        print('gone', flush=True)\n\
        while not os.path.exists(sys.argv[2]):\n    os.waitpid(os.fork() or os._exit(0), 0)\n";
    let stop = service.home().join("stop");
    let mallory = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(&socket)
        .arg(&stop)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let Ok(mut mallory) = mallory else {
        rights::not_run(
            "who_stays_armed_gives_no_children_to_the_next_job_of_that_number",
            "python3",
        );
        return;
    };
    let mut said = [0; 5];
    std::io::Read::read_exact(mallory.stdout.as_mut().unwrap(), &mut said).unwrap();
    let mut victim = Raw::greeted(&socket);
    until("the number to be free", || {
        victim.ask(&json!("open")).get("opened").is_some()
    });
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(500) {
        victim.observe(true);
    }
    std::fs::write(&stop, "").unwrap();
    mallory.wait().unwrap();
    let closed = victim.ask(&json!({"close": {"child": 0}}));
    assert_eq!(closed["closed"]["process_count"], 0, "{closed}");
}

#[test]
fn one_user_cannot_take_all_jobs_nor_all_connections() {
    if !rights::root("one_user_cannot_take_all_jobs_nor_all_connections") {
        return;
    }
    let service = Service::start(&["--max-jobs", "6", "--max-jobs-per-user", "3"]);
    let socket = service.socket();
    let mut held = as_user(MALLORY, || {
        let mut held: Vec<Raw> = (0..3).map(|_| Raw::greeted(&socket)).collect();
        held.iter_mut().for_each(|raw| drop(raw.open()));
        assert_eq!(Raw::greeted(&socket).refusal(&json!("open")), "full");
        // More connections than there are jobs and spares for.
        let more: Vec<Raw> = (0..80).map(|_| Raw::connect(&socket)).collect();
        held.extend(more);
        held
    });
    as_user(EVE, || drop(Raw::greeted(&socket).open()));
    let job = service.job(&NOBODY, "job", WORK).end();
    assert_eq!(job.backend(), "daemon");
    let sent_away = held.iter_mut().skip(3).filter_map(Raw::line).count();
    assert_eq!(sent_away, 0);
}

/// Microjoules, as far as all that is told is counters of one microjoule.
fn ticks(observed: &Value) -> Vec<u64> {
    let readings = observed["readings"].as_array().unwrap();
    readings
        .iter()
        .map(|reading| reading["ticks"]["ticks"].as_u64().unwrap())
        .collect()
}

/// A tree with one counter, which the test moves.
fn counter(service: &tempfile::TempDir) -> std::path::PathBuf {
    let root = service.path().join("root");
    let zone = root.join("sys/class/powercap/intel-rapl:0");
    std::fs::create_dir_all(&zone).unwrap();
    for (file, text) in [
        ("name", "package-0"),
        ("energy_uj", "123456789"),
        ("max_energy_range_uj", "262143328850"),
    ] {
        std::fs::write(zone.join(file), format!("{text}\n")).unwrap();
    }
    let cpu = root.join("sys/devices/system/cpu");
    for number in 0..std::thread::available_parallelism().unwrap().get() {
        let topology = cpu.join(format!("cpu{number}/topology"));
        std::fs::create_dir_all(&topology).unwrap();
        std::fs::write(topology.join("physical_package_id"), "0\n").unwrap();
        std::fs::write(topology.join("core_id"), format!("{number}\n")).unwrap();
        std::fs::write(topology.join("thread_siblings_list"), format!("{number}\n")).unwrap();
    }
    let last = std::thread::available_parallelism().unwrap().get() - 1;
    for list in ["online", "possible", "present"] {
        std::fs::write(cpu.join(list), format!("0-{last}\n")).unwrap();
    }
    root
}

#[test]
fn a_user_learns_the_counters_in_millijoules_and_seldom_and_root_as_they_are() {
    if !rights::root("a_user_learns_the_counters_in_millijoules_and_seldom_and_root_as_they_are") {
        return;
    }
    let tree = tempfile::tempdir().unwrap();
    let root = counter(&tree);
    let energy = root.join("sys/class/powercap/intel-rapl:0/energy_uj");
    let service = Service::start(&["--sysroot", root.to_str().unwrap()]);
    let socket = service.socket();
    let mut own = Raw::greeted(&socket);
    own.open();
    assert_eq!(ticks(&own.observe(true)), [123_456_789]);

    let stop = std::sync::atomic::AtomicBool::new(false);
    let (learnt, elapsed) = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut value = 200_000_000_u64;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                value += 5_001;
                // In place: a reader must never find it empty.
                let text = format!("{value:012}\n");
                let file = std::fs::OpenOptions::new().write(true).open(&energy).unwrap();
                std::os::unix::fs::FileExt::write_all_at(&file, text.as_bytes(), 0).unwrap();
            }
        });
        let learnt = as_user(MALLORY, || {
            // Several connections do not help: the user is one.
            let mut raws: Vec<Raw> = (0..4).map(|_| Raw::greeted(&socket)).collect();
            raws.iter_mut().for_each(|raw| drop(raw.open()));
            let (mut learnt, start) = (BTreeSet::new(), Instant::now());
            while start.elapsed() < Duration::from_secs(3) {
                for raw in &mut raws {
                    for now in [true, false] {
                        learnt.extend(ticks(&raw.observe(now)));
                    }
                }
            }
            (learnt, start.elapsed())
        });
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        learnt
    });
    assert!(learnt.iter().all(|ticks| ticks % 1_000 == 0), "{learnt:?}");
    // A burst, what comes back, and a look every 50 ms for whoever asks for nothing special.
    let most = 40.0 + 30.0 * elapsed.as_secs_f64() + 5.0;
    assert!(
        (learnt.len() as f64) < most,
        "{} values in {elapsed:?}",
        learnt.len()
    );
    assert!(learnt.len() > 3, "the counter did move");
}

#[test]
fn a_flood_of_requests_slows_its_sender_and_leaves_the_others_their_figures() {
    if !rights::root("a_flood_of_requests_slows_its_sender_and_leaves_the_others_their_figures") {
        return;
    }
    let service = Service::start(&[]);
    let socket = service.socket();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let before = cpu_s(&service);
    let start = Instant::now();
    let ended = std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                as_user(MALLORY, || {
                    let mut raw = Raw::greeted(&socket);
                    raw.open();
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        raw.ask(&json!({"observe": {"now": true}}));
                        raw.ask(&json!({"whose": {"pids": vec![7; 4_000]}}));
                    }
                });
            });
        }
        let ended = service.job(&NOBODY, "job", &WORK.repeat(3)).end();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        ended
    });
    assert_eq!(ended.backend(), "daemon");
    ended.assert_all_counted();
    // A quarter of a second at once and a quarter of a CPU after that; the kernel's work for the connections is not in that budget.
    let used = cpu_s(&service) - before;
    let allowed = 0.25 + 0.25 * start.elapsed().as_secs_f64();
    assert!(
        used < 2.0 * allowed + 0.5,
        "{used} s of CPU time, {allowed} s were allowed"
    );
}

fn cpu_s(service: &Service) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", service.pid())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

#[test]
fn a_stuck_client_that_takes_no_replies_holds_nobody_up() {
    if !rights::root("a_stuck_client_that_takes_no_replies_holds_nobody_up") {
        return;
    }
    let service = Service::start(&[]);
    let mut stuck = Raw::greeted(&service.socket());
    stuck.open();
    stuck.stream.get_mut().set_nonblocking(true).unwrap();
    // Until both buffers are full.
    until("the buffers to fill", || {
        !stuck.send(b"{\"whose\":{\"pids\":[1,2,3,4,5,6,7,8]}}\n")
    });
    let ended = service.job(&NOBODY, "job", WORK).end();
    assert_eq!(ended.backend(), "daemon");
    ended.assert_all_counted();
}
