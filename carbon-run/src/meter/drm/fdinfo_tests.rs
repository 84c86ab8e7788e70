use super::*;
use proptest::prelude::*;

const AMDGPU: &str = "pos:\t0\nflags:\t02100002\nmnt_id:\t25\nino:\t1203\npasid:\t32771\ndrm-driver:\tamdgpu\n\
    drm-client-id:\t16\ndrm-pdev:\t0000:03:00.0\ndrm-total-vram:\t2048 MiB\ndrm-resident-vram:\t1536 MiB\n\
    drm-memory-vram:\t1572864 KiB\ndrm-memory-gtt: \t4096 KiB\ndrm-memory-cpu: \t0 KiB\n\
    amd-requested-vram:\t2097152 KiB\ndrm-engine-gfx:\t5034567890 ns\ndrm-engine-compute:\t1200 ns\n";

const XE: &str = "drm-driver:\txe\ndrm-client-id:\t7\ndrm-pdev:\t0000:04:00.0\ndrm-total-vram0:\t23992 KiB\n\
    drm-resident-vram0:\t23992 KiB\ndrm-resident-gtt:\t192 KiB\ndrm-cycles-rcs:\t28257900\n\
    drm-total-cycles-rcs:\t7655183225\ndrm-cycles-vcs:\t0\ndrm-total-cycles-vcs:\t7655183225\n\
    drm-engine-capacity-vcs:\t2\ndrm-cycles-ccs:\t400\ndrm-total-cycles-ccs:\t7655183225\n\
    drm-engine-capacity-ccs:\t4\n";

fn time(ns: u64) -> Engine {
    Engine {
        busy: Busy::Time(ns),
        capacity: 1,
    }
}

#[test]
fn amdgpu_gives_time_and_the_memory_that_is_resident_on_the_card() {
    let client = parse(AMDGPU).unwrap();
    assert_eq!((client.driver.as_str(), client.id), ("amdgpu", Some(16)));
    assert_eq!(client.pdev.as_deref(), Some("0000:03:00.0"));
    assert_eq!(client.memory_bytes, Some(1536 << 20));
    let engines = [
        ("compute".to_owned(), time(1200)),
        ("gfx".to_owned(), time(5_034_567_890)),
    ];
    assert_eq!(client.engines, BTreeMap::from(engines));
}

#[test]
fn xe_gives_cycles_of_a_clock_and_the_number_of_engines() {
    let client = parse(XE).unwrap();
    assert_eq!(client.memory_bytes, Some(23_992 << 10));
    let cycles = |busy, capacity| Engine {
        busy: Busy::Cycles {
            busy,
            of: 7_655_183_225,
        },
        capacity,
    };
    assert_eq!(client.engines.get("rcs"), Some(&cycles(28_257_900, 1)));
    assert_eq!(client.engines.get("vcs"), Some(&cycles(0, 2)));
    assert_eq!(client.engines.get("ccs"), Some(&cycles(400, 4)));
}

#[test]
fn a_capacity_of_zero_is_one_and_cycles_without_their_clock_are_nothing() {
    let text = "drm-driver: i915\ndrm-engine-video: 8 ns\ndrm-engine-capacity-video: 0\ndrm-cycles-x: 5\n";
    let client = parse(text).unwrap();
    assert_eq!(client.engines, BTreeMap::from([("video".to_owned(), time(8))]));
    assert_eq!(client.id, None);
}

#[test]
fn other_descriptors_are_no_clients() {
    for text in [
        "",
        "pos:\t0\nflags:\t02\n",
        "eventfd-count: 1\n",
        "drm-driver:\n",
        "drm-client-id: 7\n",
    ] {
        assert_eq!(parse(text), None, "{text:?}");
    }
}

#[test]
fn lines_that_make_no_sense_are_left_out_and_the_others_stay() {
    let text = "drm-driver: amdgpu\ndrm-client-id: x\ndrm-engine-gfx: -5 ns\ndrm-engine-dma: 7\n\
                drm-engine-dec: 99999999999999999999 ns\ndrm-engine-enc: 9 ns\ndrm-memory-vram: 3 furlongs\n::\n";
    let client = parse(text).unwrap();
    assert_eq!((client.id, client.memory_bytes), (None, None));
    assert_eq!(client.engines, BTreeMap::from([("enc".to_owned(), time(9))]));
}

proptest! {
    #[test]
    fn whatever_a_driver_prints_is_taken_without_harm(text in "(drm-[a-z-]{1,24}: ?[0-9a-z:. ]{0,24}\n|.{0,40}\n){0,12}") {
        if let Some(client) = parse(&text) {
            prop_assert!(!client.driver.is_empty());
            prop_assert!(client.engines.values().all(|engine| engine.capacity >= 1));
        }
    }

    #[test]
    fn what_is_printed_in_the_documented_form_is_read_back(
        id in any::<u64>(),
        times in proptest::collection::btree_map("[a-z]{1,8}", any::<u64>(), 0..6),
        capacity in 1..64_u64,
    ) {
        let mut text = format!("drm-driver:\ti915\ndrm-pdev:\t0000:03:00.0\ndrm-client-id:\t{id}\n");
        for (name, ns) in &times {
            text += &format!("drm-engine-{name}:\t{ns} ns\ndrm-engine-capacity-{name}:\t{capacity}\n");
        }
        let client = parse(&text).unwrap();
        prop_assert_eq!(client.id, Some(id));
        let expected: BTreeMap<String, Engine> = times
            .into_iter()
            .map(|(name, ns)| (name, Engine { busy: Busy::Time(ns), capacity }))
            .collect();
        prop_assert_eq!(client.engines, expected);
    }

    #[test]
    fn a_torn_file_never_gives_more_than_the_whole(end in 0..AMDGPU.len()) {
        let whole = parse(AMDGPU).unwrap();
        if let Some(torn) = AMDGPU.get(..end).and_then(parse) {
            for (name, engine) in &torn.engines {
                let (Busy::Time(seen), Some(Engine { busy: Busy::Time(true_time), .. })) =
                    (engine.busy, whole.engines.get(name)) else { unreachable!() };
                prop_assert!(seen <= *true_time);
            }
        }
    }
}
