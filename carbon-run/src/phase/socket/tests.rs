use super::*;
use crate::phase::send;

fn clocks() -> impl FnMut() -> (Moment, i64) {
    || {
        let now = |clock| {
            let now = nix::time::clock_gettime(clock).unwrap();
            now.tv_sec() * 1_000_000_000 + now.tv_nsec()
        };
        let monotonic = now(nix::time::ClockId::CLOCK_MONOTONIC);
        (Moment(monotonic as u64), now(nix::time::ClockId::CLOCK_REALTIME))
    }
}

/// With a socket in a directory of its own.
fn with(test: impl FnOnce(&mut PhaseSocket, &Path)) {
    let home = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let _inside = runtime.enter();
    let mut socket = PhaseSocket::open(Some(home.path().as_os_str()), Path::new("/tmp"), "7f0a").unwrap();
    let path = socket.path().to_owned();
    test(&mut socket, &path);
    drop(socket);
    assert!(
        !path.exists() && !path.parent().unwrap().exists(),
        "nothing is left"
    );
}

fn say(path: &Path, datagram: &[u8]) {
    UnixDatagram::unbound().unwrap().send_to(datagram, path).unwrap();
}

#[test]
fn a_mark_has_the_moment_at_which_it_was_sent() {
    with(|socket, path| {
        let mut clocks = clocks();
        let (before, _) = clocks();
        send(path, &PhaseStep::Start("train".to_owned())).unwrap();
        let (after, _) = clocks();
        std::thread::sleep(Duration::from_millis(50));
        let (marks, more) = socket.take(8, &mut clocks);
        assert!(!more);
        let [mark] = marks.as_slice() else {
            std::panic::panic_any(marks)
        };
        assert_eq!(mark.mark, PhaseStep::Start("train".to_owned()));
        // Two clocks cannot be read at once: a thread that loses the CPU in between is that much off.
        let slack = 10_000_000;
        assert!(
            before.0 <= mark.at.0 + slack && mark.at.0 <= after.0 + slack,
            "{before:?} {mark:?} {after:?}"
        );
    });
}

#[test]
fn what_is_no_mark_is_counted_and_what_follows_is_read() {
    with(|socket, path| {
        for datagram in [&b"nonsense"[..], b"", b"start \xff", &[b'x'; 4000]] {
            say(path, datagram);
        }
        say(path, format!("start {}", "y".repeat(3000)).as_bytes());
        say(path, b"start good");
        let (marks, _) = socket.take(64, &mut clocks());
        assert_eq!(marks.len(), 1);
        let refused = socket.refused();
        assert_eq!(
            (refused.malformed, refused.first, refused.strangers),
            (5, Some(NoMark::Verb), 0)
        );
    });
}

#[test]
fn a_full_socket_holds_nobody_up_for_long_and_a_turn_takes_so_many() {
    with(|socket, path| {
        let sender = UnixDatagram::unbound().unwrap();
        sender.set_nonblocking(true).unwrap();
        let sent = (0..100_000)
            .take_while(|_| sender.send_to(b"stop", path).is_ok())
            .count();
        assert!(sent < 100_000);
        assert!(matches!(
            send(path, &PhaseStep::Stop(None)),
            Err(crate::phase::NotSent::Full)
        ));
        let (marks, more) = socket.take(4, &mut clocks());
        assert!(marks.len() == 4 && more);
        assert!(send(path, &PhaseStep::Stop(None)).is_ok());
    });
}

#[test]
fn nobody_there_is_said() {
    let gone = send(Path::new("/no/such/socket"), &PhaseStep::Stop(None));
    assert!(matches!(gone, Err(crate::phase::NotSent::Gone)));
}

#[test]
fn a_stamp_that_cannot_be_is_now() {
    let now = Moment(1_000_000_000_000);
    let wall = 5_000_000_000_000;
    for (stamp, wanted) in [
        (Some(wall), now.0),
        (Some(wall - 7_000), now.0 - 7_000),
        // The wall clock was set back, or forward, meanwhile.
        (Some(wall + 1), now.0),
        (Some(wall - 3_600_000_000_000), now.0),
        (Some(i64::MIN), now.0),
        (None, now.0),
    ] {
        assert_eq!(sent(now, wall, stamp), Moment(wanted), "{stamp:?}");
    }
}
