//! The start: everything is made ready, the command is forked off and gets back all that the shell had meant for it.
#![expect(
    unsafe_code,
    reason = "what the command inherits is put back between fork and exec; its environment grows in place"
)]

use super::before;
use super::failure::SpawnError;
use super::inherited::{self, Inherited};
use super::mask::Mask;
use super::running::{Children, Running};
use super::signals::Signals;
use super::timers::Timers;
use nix::unistd;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A command that is about to be started.
#[derive(Debug)]
pub struct Launch {
    program: OsString,
    args: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    adopting: bool,
    entrance: Option<OwnedFd>,
}

impl Launch {
    /// Prepares `program` (looked up in `PATH` as execvp(3) does) with its arguments, byte for byte.
    #[must_use]
    pub fn new(program: &OsStr, args: &[OsString]) -> Self {
        Self {
            program: program.to_owned(),
            args: args.to_vec(),
            variables: Vec::new(),
            adopting: false,
            entrance: None,
        }
    }

    /// Adds a variable to the environment, or replaces it. The rest of the environment stays as it is, order included.
    #[must_use]
    pub fn variable(mut self, name: &OsStr, value: &OsStr) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Descendants that lose their parent become ours (PR_SET_CHILD_SUBREAPER) instead of init's, so that their CPU
    /// time is told when they end, by [`super::Event::Reaped`]. Every accounting but eBPF's needs it; the command can see
    /// it, by its orphans' parent.
    #[must_use]
    pub fn adopting_orphans(mut self) -> Self {
        self.adopting = true;
        self
    }

    /// Before the forked-off process becomes the command it writes `0` into `entrance`, which stands for itself in a
    /// control group's `cgroup.procs`. That it may be refused does not keep the command from starting: who handed the
    /// file over has to look. The file must close on exec.
    #[must_use]
    pub fn through(mut self, entrance: OwnedFd) -> Self {
        self.entrance = Some(entrance);
        self
    }

    /// Starts the command: in this thread's process group and session, with all that this process was given.
    ///
    /// From here on every signal that can be blocked is, until [`super::end_as`]. A signal that arrived before is
    /// obeyed first, so this may end the process: there was no job yet.
    ///
    /// # Errors
    /// When the command could not be started, or when this is not the only thread of the process that a signal can reach
    /// ([`super::sheltered`]), or no tokio runtime (with I/O enabled) is running. Signals are then as they were before.
    pub fn spawn(self) -> Result<Running, SpawnError> {
        tokio::runtime::Handle::try_current().map_err(|_| SpawnError::NoRuntime)?;
        let others = before::other_threads(nix::unistd::gettid().as_raw());
        if others > 0 {
            return Err(SpawnError::Threads(others + 1));
        }
        for (name, value) in &self.variables {
            set_variable(name, value).map_err(|source| SpawnError::Variable {
                name: name.clone(),
                source,
            })?;
        }
        let readied = Readied::new(self.adopting).map_err(SpawnError::Preparation)?;
        readied.start(self)
    }
}

/// Everything that has to be undone if there is no command after all.
struct Readied {
    inherited: Inherited,
    mask: Mask,
    timers: Timers,
    signals: AsyncFd<Signals>,
    children: Children,
}

impl Readied {
    fn new(adopting: bool) -> io::Result<Self> {
        let inherited = Inherited::noted();
        let children = Children::found(adopting)?;
        // SAFETY: `Signals` owns its descriptor, keeps it open until it is dropped, and always names the same one.
        let signals = unsafe { AsyncFd::register_with_interest(Signals::open()?, Interest::READABLE) }?;
        // While SIGCHLD is ignored children vanish without a status (wait(2)).
        inherited::set_ignored(libc::SIGCHLD, false)?;
        let mask = block_when_none_waits()?;
        let timers = Timers::take().inspect_err(|_| drop(mask.install()))?;
        Ok(Self {
            inherited,
            mask,
            timers,
            signals,
            children,
        })
    }

    fn start(self, launch: Launch) -> Result<Running, SpawnError> {
        let Self {
            inherited,
            mask,
            timers,
            ..
        } = self;
        let mut command = Command::new(&launch.program);
        command.args(&launch.args);
        let entrance = launch.entrance;
        let put_back = move || {
            if let Some(entrance) = &entrance {
                // While all signals are still blocked, so that nothing can come in between.
                let _refused = unistd::write(entrance, b"0").is_err();
            }
            inherited.restore()?;
            timers.start()?;
            // Last: from here on a signal can end the command, as it should.
            mask.install()
        };
        // SAFETY: `put_back` makes nothing but system calls, on plain data and a descriptor that it owns.
        unsafe { command.pre_exec(put_back) };
        match command.spawn() {
            // The handle is dropped without a wait: `Running` waits by itself, for the CPU time.
            Ok(child) => Ok(Running::new(child.id(), self.signals, self.children)),
            Err(source) => {
                let error = SpawnError::from_spawn(&launch.program, source);
                self.undo().map_err(SpawnError::Preparation)?;
                Err(error)
            }
        }
    }

    fn undo(self) -> io::Result<()> {
        self.children.forget()?;
        self.timers.start()?;
        inherited::set_ignored(libc::SIGCHLD, self.inherited.child_ignored())?;
        self.mask.install()
    }
}

/// Blocks every signal, and gives the mask of before. A signal that waits at that moment was meant for a process
/// without a job: the mask is put back, which ends or stops the process or drops the signal, as its disposition says.
fn block_when_none_waits() -> io::Result<Mask> {
    loop {
        let before = Mask::ALL.block()?;
        if Mask::pending()?.without(before).is_empty() {
            return Ok(before);
        }
        before.install()?;
    }
}

/// Sets a variable in this process, from which the command inherits its environment. `Command::env` would sort the
/// environment, and drop what in it has no `=`.
fn set_variable(name: &OsStr, value: &OsStr) -> io::Result<()> {
    let name = CString::new(name.as_bytes())?;
    let value = CString::new(value.as_bytes())?;
    // SAFETY: both are C strings, and no other thread reads the environment: those of a sheltered library wait for events.
    let outcome = unsafe { libc::setenv(name.as_ptr(), value.as_ptr(), 1) };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
