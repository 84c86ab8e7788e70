//! What the daemon may do once everything is open.

use caps::{CapSet, Capability, CapsHashSet};
use std::io;

/// Gives up every right but that of using BPF maps (bpf(2): a look-up needs CAP_BPF where the kernel keeps BPF from the
/// unprivileged), and that of ever getting any back. Counters and maps stay open.
///
/// # Errors
/// When the kernel refuses, which it does not.
pub(super) fn drop_all_but_maps() -> io::Result<()> {
    let held = caps::read(None, CapSet::Permitted).map_err(io::Error::other)?;
    let left: CapsHashSet = held
        .into_iter()
        .filter(|capability| *capability == Capability::CAP_BPF)
        .collect();
    caps::set(None, CapSet::Inheritable, &CapsHashSet::new()).map_err(io::Error::other)?;
    caps::set(None, CapSet::Effective, &left).map_err(io::Error::other)?;
    caps::set(None, CapSet::Permitted, &left).map_err(io::Error::other)?;
    nix::sys::prctl::set_no_new_privs()?;
    Ok(())
}
