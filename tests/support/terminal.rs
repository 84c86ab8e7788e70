//! A terminal of one's own: a pty whose other end this test holds.
#![expect(
    unsafe_code,
    reason = "a session with a controlling terminal is made between fork and exec"
)]

use super::deadline::until;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::{Winsize, grantpt, posix_openpt, ptsname_r, unlockpt};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// A terminal with a session leader on it.
pub(crate) struct Terminal {
    /// The session's leader.
    pub(crate) leader: Child,
    keyboard: Option<File>,
    shown: Arc<Mutex<Vec<u8>>>,
    over: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
    read_up_to: usize,
}

impl Terminal {
    /// Opens a terminal and starts `command` on it, as the leader of a new session.
    pub(crate) fn open(command: &mut Command) -> Self {
        // Not by openpty(3): tests run in parallel, and no other's child may inherit an end of this.
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname_r(&master).unwrap();
        let open = || {
            File::options()
                .read(true)
                .write(true)
                .custom_flags(libc::O_NOCTTY)
                .open(&name)
        };
        let other_end = open().unwrap();
        let keyboard = File::from(OwnedFd::from(master));
        let slave = || other_end.try_clone().unwrap();
        command.stdin(slave()).stdout(slave()).stderr(slave());
        let lead = || {
            nix::unistd::setsid()?;
            // SAFETY: standard input is the terminal; the request takes a plain number.
            match unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) } {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        };
        // SAFETY: `lead` makes two system calls and nothing else.
        unsafe { command.pre_exec(lead) };
        let leader = command.spawn().unwrap();
        // The `Command` keeps copies of the other end until they are replaced.
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        drop(other_end);
        fcntl(&keyboard, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        let shown = Arc::new(Mutex::new(Vec::new()));
        let over = Arc::new(AtomicBool::new(false));
        let screen = keyboard.try_clone().unwrap();
        let (filled, ended) = (Arc::clone(&shown), Arc::clone(&over));
        let reader = std::thread::spawn(move || show(screen, &filled, &ended));
        Self {
            leader,
            keyboard: Some(keyboard),
            shown,
            over,
            reader: Some(reader),
            read_up_to: 0,
        }
    }

    /// An interactive bash without anybody's start-up files, at its first prompt.
    pub(crate) fn bash(folder: &std::path::Path) -> Self {
        let mut command = Command::new("bash");
        command.args(["--norc", "--noprofile", "-i"]).current_dir(folder);
        command
            .env("PS1", "ready> ")
            .env("TERM", "dumb")
            .env("HISTFILE", "/dev/null")
            .env("LC_ALL", "C");
        let mut terminal = Self::open(&mut command);
        terminal.wait_for("ready> ");
        terminal
    }

    /// Types.
    pub(crate) fn type_in(&mut self, keys: &str) {
        self.keyboard
            .as_mut()
            .unwrap()
            .write_all(keys.as_bytes())
            .unwrap();
    }

    /// Waits until this is shown, after what was waited for before.
    pub(crate) fn wait_for(&mut self, text: &str) {
        let mut found = 0;
        let (shown, from) = (&self.shown, self.read_up_to);
        until(&format!("`{text}` on the terminal"), || {
            let shown = shown.lock().unwrap();
            let rest = String::from_utf8_lossy(&shown[from..]).into_owned();
            found = rest.find(text).map_or(0, |at| at + text.len());
            found > 0
        });
        self.read_up_to += found;
    }

    /// Takes the terminal away from everybody, as when a connection is lost.
    pub(crate) fn hang_up(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        // The last descriptor of this end.
        self.keyboard = None;
    }

    /// Changes the window's size.
    pub(crate) fn resize(&self, rows: u16) {
        let size = Winsize {
            ws_row: rows,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        // SAFETY: the request reads a `winsize`, which `size` is.
        let outcome = unsafe {
            libc::ioctl(
                self.keyboard.as_ref().unwrap().as_raw_fd(),
                libc::TIOCSWINSZ,
                &raw const size,
            )
        };
        assert_eq!(outcome, 0);
    }
}

/// Keeps what is written to the terminal, until there is nobody left to write.
fn show(mut screen: File, shown: &Mutex<Vec<u8>>, over: &AtomicBool) {
    let mut bytes = [0; 4096];
    while !over.load(Ordering::Relaxed) {
        match screen.read(&mut bytes) {
            Ok(count) => shown.lock().unwrap().extend_from_slice(&bytes[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                std::thread::sleep(Duration::from_millis(2))
            }
            Err(_) => return,
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.leader.kill().unwrap();
        self.leader.wait().unwrap();
    }
}
