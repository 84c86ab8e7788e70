//! A client that speaks the daemon's language by hand, as any user.
#![expect(
    unsafe_code,
    reason = "a system call that neither std nor nix has for one thread alone"
)]
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// A connection.
pub(crate) struct Raw {
    pub(crate) stream: BufReader<UnixStream>,
}

impl Raw {
    pub(crate) fn connect(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// Connected, and hello said.
    pub(crate) fn greeted(socket: &Path) -> Self {
        let mut raw = Self::connect(socket);
        let reply = raw.ask(&json!({"hello": {"version": 1}}));
        assert!(reply.get("machine").is_some(), "{reply}");
        raw
    }

    /// Sends bytes as they are; a daemon that has hung up is no failure here.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.get_mut().write_all(bytes).is_ok()
    }

    /// The next line; `None` when the daemon has hung up.
    pub(crate) fn line(&mut self) -> Option<Value> {
        let mut line = String::new();
        match self.stream.read_line(&mut line) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(serde_json::from_str(&line).unwrap()),
        }
    }

    pub(crate) fn ask(&mut self, request: &Value) -> Value {
        assert!(self.send(format!("{request}\n").as_bytes()), "{request}");
        self.line().unwrap()
    }

    /// Why a request was refused.
    pub(crate) fn refusal(&mut self, request: &Value) -> String {
        let reply = self.ask(request);
        reply["refused"]["refusal"]
            .as_str()
            .unwrap_or_else(|| panic!("{request}: {reply}"))
            .to_owned()
    }

    /// A job; the secret by which it can be resumed.
    pub(crate) fn open(&mut self) -> String {
        let reply = self.ask(&json!("open"));
        reply["opened"]["job"]
            .as_str()
            .unwrap_or_else(|| panic!("{reply}"))
            .to_owned()
    }

    /// One look, fresh where `now`.
    pub(crate) fn observe(&mut self, now: bool) -> Value {
        self.ask(&json!({"observe": {"now": now}}))["observed"].clone()
    }
}

/// Runs as another user: credentials are a thread's own to the kernel, and what is connected there is that user's.
pub(crate) fn as_user<T: Send>(uid: libc::uid_t, run: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: numbers only. The raw call, unlike the library's, changes this thread alone.
            let changed = unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) };
            assert_eq!(changed, 0);
            run()
        });
        match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
