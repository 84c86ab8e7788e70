//! What becomes of a signal that the launcher got, and of a stop of the command. Pure: looks at nothing but its input.
//!
//! The question is always the same: has the command got it already? A terminal signals the whole foreground group, and
//! the command is in it; `kill` with the launcher's pid reaches the launcher alone. `si_code` tells the two apart
//! (sigaction(2)).

/// A signal that came, as signalfd(2) describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Its number, 1 to 64.
    pub signal: i32,
    /// Its `si_code`: where it came from.
    pub code: i32,
    /// The sender's process id; 0 where there is none, or none in this PID namespace.
    pub sender: u32,
    /// The value that came with it, where it was queued (sigqueue(3)).
    pub value: u64,
}

/// What the sender of a signal is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// This very process.
    Ourselves,
    /// The command or something that it started.
    Job,
    /// Anybody else, or nobody.
    Outsider,
}

/// What is known about the command when a signal comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Situation {
    /// The launcher leads its session, as under `ssh -t` or `xterm -e`.
    pub session_leader: bool,
    /// The command is stopped now.
    pub stopped: bool,
    /// That was not yet so when the signal was read.
    pub just_stopped: bool,
    /// The command was stopped, and somebody else continued it.
    pub resumed: bool,
    /// Who sent the signal.
    pub sender: Sender,
}

/// What to do with a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Send it to the command.
    Forward,
    /// Send it to the command, with its value.
    Queue,
    /// The command has it, or should not have it.
    Drop,
}

/// Decides about one signal.
#[must_use]
pub fn decide(received: &Received, situation: &Situation) -> Decision {
    match received.code {
        libc::SI_KERNEL => from_the_kernel(received.signal, situation),
        libc::SI_USER | libc::SI_TKILL | libc::SI_QUEUE => sent(received, situation),
        // Positive codes of SIGCHLD tell of children (CLD_EXITED and so on), which are the launcher's.
        _ if received.signal == libc::SIGCHLD => Decision::Drop,
        // Timers, message queues and asynchronous I/O that were set up for this process id, before it became carbon-run.
        _ => Decision::Forward,
    }
}

fn from_the_kernel(signal: i32, situation: &Situation) -> Decision {
    match signal {
        // Our own doing or our own limits.
        libc::SIGCHLD | libc::SIGPIPE | libc::SIGXCPU | libc::SIGXFSZ => Decision::Drop,
        // What a terminal sends to the foreground group.
        libc::SIGINT | libc::SIGQUIT | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU | libc::SIGWINCH => {
            Decision::Drop
        }
        // A hangup goes to the session's leader alone (`tty_signal_session_leader`, drivers/tty/tty_jobctrl.c), followed
        // by SIGCONT. Without carbon-run the leader would have been the command.
        libc::SIGHUP | libc::SIGCONT => {
            if situation.session_leader {
                Decision::Forward
            } else {
                Decision::Drop
            }
        }
        // SIGALRM of a timer and the like: meant for this process id alone.
        _ => Decision::Forward,
    }
}

fn sent(received: &Received, situation: &Situation) -> Decision {
    match situation.sender {
        // What a write of ours to a closed pipe or beyond the file size limit leads to. Other signals of our process id are
        // from its life before carbon-run.
        Sender::Ourselves if [libc::SIGPIPE, libc::SIGXFSZ].contains(&received.signal) => {
            return Decision::Drop;
        }
        // `kill 0` in a script reaches the whole group: the script too. If it meant its parent, then that would have been
        // the shell and not the command.
        Sender::Job => return Decision::Drop,
        Sender::Ourselves | Sender::Outsider => {}
    }
    match received.signal {
        // `fg` continues the whole group, in which the command comes before us (newest first): it runs again by now.
        // `kill -CONT` of the launcher leaves it stopped.
        libc::SIGCONT if situation.resumed && !situation.stopped => Decision::Drop,
        // A stop discards a continue that came before it (signal(7)).
        libc::SIGCONT if situation.just_stopped => Decision::Drop,
        // It is what it should become.
        libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU if situation.stopped => Decision::Drop,
        _ if received.code == libc::SI_QUEUE => Decision::Queue,
        _ => Decision::Forward,
    }
}

/// The signal by which the launcher stops itself, so that the shell sees the job stop; `None`: it stays awake.
///
/// `asked`: a terminal or a person has asked for a stop (SIGTSTP) just before.
///
/// A stop by SIGSTOP alone is no job control (`cpulimit` does it all the time, and would continue the command only). But
/// programs that tidy up the screen on SIGTSTP and then stop by SIGSTOP (`top`) are.
#[must_use]
pub fn mirrored(stopped_by: i32, asked: bool) -> Option<i32> {
    match stopped_by {
        libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU => Some(stopped_by),
        // Not by SIGSTOP, which would stop us even where nobody is there to continue us (an orphaned process group).
        libc::SIGSTOP if asked => Some(libc::SIGTSTP),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: Situation = Situation {
        session_leader: false,
        stopped: false,
        just_stopped: false,
        resumed: false,
        sender: Sender::Outsider,
    };

    fn decided(signal: i32, code: i32, situation: Situation) -> Decision {
        let received = Received {
            signal,
            code,
            sender: 1,
            value: 0,
        };
        decide(&received, &situation)
    }

    #[test]
    fn every_signal_that_somebody_sends_is_forwarded() {
        for signal in 1..=64 {
            for code in [libc::SI_USER, libc::SI_TKILL] {
                assert_eq!(decided(signal, code, CALM), Decision::Forward, "{signal}");
            }
            assert_eq!(decided(signal, libc::SI_QUEUE, CALM), Decision::Queue, "{signal}");
        }
    }

    #[test]
    fn what_the_terminal_sends_the_command_has_got() {
        for signal in [
            libc::SIGINT,
            libc::SIGQUIT,
            libc::SIGTSTP,
            libc::SIGTTIN,
            libc::SIGTTOU,
            libc::SIGWINCH,
            libc::SIGHUP,
            libc::SIGCONT,
        ] {
            assert_eq!(decided(signal, libc::SI_KERNEL, CALM), Decision::Drop, "{signal}");
        }
    }

    #[test]
    fn a_hangup_reaches_the_command_of_a_session_leader() {
        let leader = Situation {
            session_leader: true,
            ..CALM
        };
        assert_eq!(decided(libc::SIGHUP, libc::SI_KERNEL, leader), Decision::Forward);
        assert_eq!(decided(libc::SIGCONT, libc::SI_KERNEL, leader), Decision::Forward);
        assert_eq!(decided(libc::SIGINT, libc::SI_KERNEL, leader), Decision::Drop);
    }

    #[test]
    fn what_the_kernel_tells_the_launcher_about_itself_stays_with_it() {
        const CLD_EXITED: i32 = 1;
        assert_eq!(decided(libc::SIGCHLD, CLD_EXITED, CALM), Decision::Drop);
        for signal in [libc::SIGXCPU, libc::SIGXFSZ, libc::SIGPIPE] {
            assert_eq!(decided(signal, libc::SI_KERNEL, CALM), Decision::Drop, "{signal}");
        }
        let ours = Situation {
            sender: Sender::Ourselves,
            ..CALM
        };
        assert_eq!(decided(libc::SIGPIPE, libc::SI_USER, ours), Decision::Drop);
        assert_eq!(decided(libc::SIGUSR1, libc::SI_USER, ours), Decision::Forward);
    }

    #[test]
    fn an_alarm_or_an_io_signal_set_up_for_this_process_is_the_commands() {
        const POLL_IN: i32 = 1;
        assert_eq!(decided(libc::SIGALRM, libc::SI_KERNEL, CALM), Decision::Forward);
        assert_eq!(decided(libc::SIGIO, POLL_IN, CALM), Decision::Forward);
        assert_eq!(decided(40, libc::SI_TIMER, CALM), Decision::Forward);
    }

    #[test]
    fn what_the_job_sends_to_its_group_is_not_sent_again() {
        let job = Situation {
            sender: Sender::Job,
            ..CALM
        };
        for signal in 1..=64 {
            assert_eq!(decided(signal, libc::SI_USER, job), Decision::Drop, "{signal}");
        }
    }

    #[test]
    fn a_continue_is_forwarded_unless_the_command_was_continued_by_it_already() {
        let table = [
            // stopped, resumed
            (true, false, Decision::Forward),
            (true, true, Decision::Forward),
            (false, true, Decision::Drop),
            (false, false, Decision::Forward),
        ];
        for (stopped, resumed, expected) in table {
            let situation = Situation {
                stopped,
                resumed,
                ..CALM
            };
            assert_eq!(decided(libc::SIGCONT, libc::SI_USER, situation), expected);
        }
    }

    #[test]
    fn a_continue_from_before_a_stop_does_not_undo_it() {
        let situation = Situation {
            stopped: true,
            just_stopped: true,
            ..CALM
        };
        assert_eq!(decided(libc::SIGCONT, libc::SI_USER, situation), Decision::Drop);
    }

    #[test]
    fn a_stopped_command_is_not_asked_to_stop() {
        let stopped = Situation {
            stopped: true,
            ..CALM
        };
        assert_eq!(decided(libc::SIGTSTP, libc::SI_USER, stopped), Decision::Drop);
        assert_eq!(decided(libc::SIGTERM, libc::SI_USER, stopped), Decision::Forward);
    }

    #[test]
    fn only_stops_of_job_control_stop_the_launcher() {
        assert_eq!(mirrored(libc::SIGTSTP, false), Some(libc::SIGTSTP));
        assert_eq!(mirrored(libc::SIGTTIN, false), Some(libc::SIGTTIN));
        assert_eq!(mirrored(libc::SIGTTOU, false), Some(libc::SIGTTOU));
        assert_eq!(mirrored(libc::SIGSTOP, false), None);
        assert_eq!(mirrored(libc::SIGSTOP, true), Some(libc::SIGTSTP));
    }
}
