//! Signals to carbon-run itself, once there is no command any more to pass them on to.

use super::signals::Signals;

/// What ends a program that does not mind it (signal(7)).
const ENDING: [i32; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];

/// Signals that come from now on; those that came before were about the command. They are held back as they were while it ran, so that
/// what is left to be done is finished, or broken off, in good order.
#[derive(Debug)]
pub struct Interruptions(Option<Signals>);

impl Interruptions {
    /// From now on.
    #[must_use]
    pub fn from_now_on() -> Self {
        let interruptions = Self(Signals::open().ok());
        interruptions.came();
        interruptions
    }

    /// Whether somebody asked carbon-run to end since the last look.
    #[must_use]
    pub fn any(&self) -> bool {
        self.came()
    }

    /// Reads all that there are: the descriptor does not block.
    fn came(&self) -> bool {
        let Some(signals) = &self.0 else { return false };
        let mut ending = false;
        while let Ok(received) = signals.read() {
            ending |= ENDING.contains(&received.signal);
        }
        ending
    }
}
