//! One client's connection: its lines, in bounds of size, time and number. Whatever a client does costs it its connection, and
//! nobody else anything.

use super::budget::{Budget, Rate};
use super::peer::Peer;
use super::service::{Client, Service};
use crate::model::units::Moment;
use crate::wire::{self, REQUEST_BYTES, Refusal, Reply, Request};
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::{sleep, timeout};

/// Who has no job has to ask for something within so long.
const IDLE: Duration = Duration::from_secs(10);

/// A reply has to be taken within so long.
const SLOW: Duration = Duration::from_secs(5);

/// How much of a CPU the requests of one user other than root may take, in nanoseconds; who asks for more waits, for a second at most.
/// A sample takes a tenth of a millisecond of it, so that some thousand jobs of one user fit in.
pub(super) const WORK: Rate = Rate {
    burst: 250_000_000,
    per_second: 250_000_000,
};

/// What all connections share.
pub(super) struct Shared {
    pub(super) service: RefCell<Service>,
    pub(super) work: RefCell<Budget>,
    pub(super) clock: fn() -> Moment,
}

/// Serves a client until it goes, or has to.
pub(super) async fn serve(shared: Rc<Shared>, stream: UnixStream, peer: Peer) {
    let (uid, pid) = (peer.uid, peer.pid);
    let mut client = Client::new(peer);
    tracing::debug!(uid, pid, "a client has come");
    if let Err(error) = converse(&shared, stream, &mut client).await {
        tracing::debug!(uid, pid, %error, "a client was sent away");
    }
    let now = (shared.clock)();
    shared.service.borrow_mut().gone(&client, now);
}

async fn converse(shared: &Shared, stream: UnixStream, client: &mut Client) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = u64::try_from(REQUEST_BYTES).unwrap_or(u64::MAX);
        let mut bounded = (&mut stream).take(limit);
        let reading = bounded.read_until(b'\n', &mut line);
        let read = if client.has_job() {
            reading.await?
        } else {
            timeout(IDLE, reading)
                .await
                .map_err(|_| io::ErrorKind::TimedOut)??
        };
        if read == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') {
            let reply = refusal(Refusal::Wrong, "a request is one line of at most 64 KiB");
            return send(&mut stream, &reply).await;
        }
        let Ok(request) = wire::decode::<Request>(&line) else {
            let reply = refusal(Refusal::Wrong, "not a request");
            return send(&mut stream, &reply).await;
        };
        let begun = (shared.clock)();
        let reply = shared.service.borrow_mut().answer(client, &request, begun);
        let over = matches!(
            reply,
            Reply::Refused {
                refusal: Refusal::Version,
                ..
            }
        );
        send(&mut stream, &reply).await?;
        if over {
            return Ok(());
        }
        let now = (shared.clock)();
        let took = u64::try_from(now.since(begun).as_nanos()).unwrap_or(u64::MAX);
        if client.peer.uid == 0 {
            continue;
        }
        let wait = shared.work.borrow_mut().spend(client.peer.uid, took, now);
        if !wait.is_zero() {
            sleep(wait).await;
        }
    }
}

async fn send(stream: &mut BufReader<UnixStream>, reply: &Reply) -> io::Result<()> {
    let line = wire::encode(reply).map_err(io::Error::other)?;
    let sending = stream.get_mut().write_all(&line);
    timeout(SLOW, sending)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

fn refusal(refusal: Refusal, message: &str) -> Reply {
    Reply::Refused {
        refusal,
        message: message.to_owned(),
    }
}
