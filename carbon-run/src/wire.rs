//! What the daemon and its clients say to each other: types and codec, nothing else.
//!
//! Each message is one line of JSON, UTF-8. A client asks, the daemon answers each request with one reply, in order. Fields
//! are added, never renamed or moved; what a side does not know it leaves out of account. Who a client is, the kernel says
//! (`SO_PEERCRED`), and no message.

use crate::model::recording::{Closing, CpuGroup, CpuUsage, Domain, Note, Reading, UsageAfter, Whose};
use crate::model::units::Moment;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The version of this language. A daemon refuses a client of another one.
pub const VERSION: u32 = 1;

/// A request's line is at most so many bytes long, its end included.
pub const REQUEST_BYTES: usize = 64 * 1024;

/// A reply's line is at most so many bytes long, its end included.
pub const REPLY_BYTES: usize = 16 * 1024 * 1024;

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// The first one.
    Hello {
        /// [`VERSION`].
        version: u32,
    },
    /// A job for the process at this end of the connection. A connection has at most one.
    Open,
    /// The job that this process had when the connection, or the daemon, went away.
    Resume {
        /// As [`Reply::Opened`] told it.
        job: String,
    },
    /// From here on, processes that my main thread makes are the job's.
    Arm,
    /// The job's first process has been made.
    Disarm,
    /// What runs now in this control group, a path below `/sys/fs/cgroup`, and in those below it, is the job's, too.
    Adopt {
        /// The path.
        cgroup: String,
    },
    /// The job's time, everybody else's, and the meters.
    Observe {
        /// Whether it has to be of now: at a job's start and end.
        now: bool,
    },
    /// The numbers of the job's living processes, as I see them in my PID namespace.
    Members,
    /// Whose these processes are.
    Whose {
        /// As a driver numbers them.
        pids: Vec<u32>,
    },
    /// How many of the job's tasks live.
    Living,
    /// What can be said of the job at its end.
    Close {
        /// The command's process, which is no survivor.
        child: u32,
    },
}

/// What the daemon answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To [`Request::Hello`].
    Machine(Box<Machine>),
    /// To [`Request::Open`] and [`Request::Resume`].
    Opened {
        /// A secret by which the job can be resumed: 32 hexadecimal digits.
        job: String,
    },
    /// It is done.
    Done,
    /// To [`Request::Observe`].
    Observed(Box<Observed>),
    /// To [`Request::Members`].
    Members(Vec<u32>),
    /// To [`Request::Whose`], in its order.
    Whose(Vec<Whose>),
    /// To [`Request::Living`].
    Living(u64),
    /// To [`Request::Close`]; survivors by their numbers in the client's PID namespace, other processes in the initial one.
    Closed(Box<Closing>),
    /// It is not done.
    Refused {
        /// Why, in one word.
        refusal: Refusal,
        /// Why, for people: lower case, without a full stop.
        message: String,
    },
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// It makes no sense, or not now.
    Wrong,
    /// There are too many of something.
    Full,
    /// Not for this user.
    NotYours,
    /// The daemon speaks another version.
    Version,
    /// It failed.
    Failed,
}

/// The machine, as the daemon measures it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// [`VERSION`].
    pub version: u32,
    /// Of the daemon's program.
    pub carbon_run_version: String,
    /// The CPUs; [`Observed::usage`] has one row for each of these groups.
    pub groups: Vec<CpuGroup>,
    /// What is metered; [`Observed::readings`] has one for each.
    pub domains: Vec<Domain>,
    /// What is not metered, and why.
    pub notes: Vec<Note>,
    /// Whether a package's figure has its memory in it.
    pub memory_inside: bool,
    /// The shortest time in which a counter can go round, in nanoseconds.
    pub shortest_wrap_ns: Option<u64>,
    /// To how many microjoules readings are rounded for this client; `None`: they are as the meter gives them.
    pub coarse_uj: Option<u64>,
    /// Whether counting goes on when the daemon is started anew.
    pub survives_restart: bool,
}

/// One look at everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// When the CPU time was read: nanoseconds of the initial time namespace's `CLOCK_MONOTONIC`, as all moments here.
    pub at: Moment,
    /// By group. To a job, all other jobs are others.
    pub usage: Vec<CpuUsage>,
    /// By domain.
    pub readings: Vec<Reading>,
    /// CPU time once more, where reading the meters took long.
    pub after: Option<UsageAfter>,
    /// What the meters have shown to be other than it was taken for.
    pub notes: Vec<Note>,
}

/// A line that is no message.
#[derive(Debug, thiserror::Error)]
#[error("not a message: {0}")]
pub struct NoMessage(#[from] serde_json::Error);

/// A message as its line, with the end of it. JSON has no raw line break inside.
///
/// # Errors
/// Never for the types here: their maps have strings for keys.
pub fn encode(message: &impl Serialize) -> Result<Vec<u8>, NoMessage> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// A line, with or without the end of it, as the message that it is.
///
/// # Errors
/// When it is none.
pub fn decode<T: DeserializeOwned>(line: &[u8]) -> Result<T, NoMessage> {
    Ok(serde_json::from_slice(line)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn requests_are_written_as_the_manual_says() {
        let written = |request: &Request| String::from_utf8(encode(request).unwrap()).unwrap();
        assert_eq!(written(&Request::Open), "\"open\"\n");
        assert_eq!(
            written(&Request::Hello { version: 1 }),
            "{\"hello\":{\"version\":1}}\n"
        );
        assert_eq!(
            written(&Request::Observe { now: true }),
            "{\"observe\":{\"now\":true}}\n"
        );
    }

    #[test]
    fn what_a_newer_client_adds_is_left_out_of_account() {
        let request: Request = decode(b"{\"observe\":{\"now\":false,\"colour\":\"red\"}}").unwrap();
        assert_eq!(request, Request::Observe { now: false });
        assert!(decode::<Request>(b"\"dance\"").is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_are_more_than_a_refused_line(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(request) = decode::<Request>(&bytes) {
                let again: Request = decode(&encode(&request).unwrap()).unwrap();
                prop_assert_eq!(again, request);
            }
        }

        #[test]
        fn a_message_is_one_line_whatever_is_in_it(job in ".{0,60}", pids in proptest::collection::vec(any::<u32>(), 0..9)) {
            for request in [Request::Resume { job: job.clone() }, Request::Whose { pids: pids.clone() }] {
                let line = encode(&request).unwrap();
                prop_assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
                prop_assert_eq!(decode::<Request>(&line).unwrap(), request);
            }
        }
    }
}
