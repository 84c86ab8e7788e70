//! What a driver says of a client in `/proc/PID/fdinfo/FD` (Documentation/gpu/drm-usage-stats.rst).

use std::collections::BTreeMap;

/// A client: an open file of a card, however many descriptors lead to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Client {
    /// `amdgpu`.
    pub(super) driver: String,
    /// The device's PCI address.
    pub(super) pdev: Option<String>,
    /// Tells one client of a device from another; `None` on older kernels.
    pub(super) id: Option<u64>,
    /// By name. Only what runs, or has run, need be listed.
    pub(super) engines: BTreeMap<String, Engine>,
    /// What it has in the device's own memory.
    pub(super) memory_bytes: Option<u64>,
}

/// A client's use of a kind of engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Engine {
    pub(super) busy: Busy,
    /// How many there are of the kind. At least 1.
    pub(super) capacity: u64,
}

/// For how long it has been busy for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Busy {
    /// In nanoseconds.
    Time(u64),
    /// In cycles of a clock of the device that now stands at `of`.
    Cycles { busy: u64, of: u64 },
}

/// What the lines about one kind of engine say.
#[derive(Debug, Default)]
struct Said {
    time: Option<u64>,
    cycles: Option<u64>,
    total: Option<u64>,
    capacity: Option<u64>,
}

/// What the lines about one region of memory say, best first.
#[derive(Debug, Default)]
struct Memory {
    resident: Option<u64>,
    /// The older name of the same.
    memory: Option<u64>,
    total: Option<u64>,
}

/// `None` for a descriptor of something else. A line that makes no sense is as if it were not there.
pub(super) fn parse(text: &str) -> Option<Client> {
    let mut client = Client::default();
    let mut engines: BTreeMap<&str, Said> = BTreeMap::new();
    let mut regions: BTreeMap<&str, Memory> = BTreeMap::new();
    for (key, value) in text.lines().filter_map(|line| line.split_once(':')) {
        let Some(key) = key.trim().strip_prefix("drm-") else {
            continue;
        };
        let value = value.trim();
        let part = |prefix: &str| key.strip_prefix(prefix);
        match key {
            "driver" => value.clone_into(&mut client.driver),
            "pdev" => client.pdev = Some(value.to_owned()),
            "client-id" => client.id = value.parse().ok(),
            _ => {
                if let Some(engine) = part("engine-capacity-") {
                    engines.entry(engine).or_default().capacity = value.parse().ok();
                } else if let Some(engine) = part("engine-") {
                    engines.entry(engine).or_default().time = nanoseconds(value);
                } else if let Some(engine) = part("cycles-") {
                    engines.entry(engine).or_default().cycles = value.parse().ok();
                } else if let Some(engine) = part("total-cycles-") {
                    engines.entry(engine).or_default().total = value.parse().ok();
                } else if let Some(region) = part("resident-") {
                    regions.entry(region).or_default().resident = bytes(value);
                } else if let Some(region) = part("memory-") {
                    regions.entry(region).or_default().memory = bytes(value);
                } else if let Some(region) = part("total-") {
                    regions.entry(region).or_default().total = bytes(value);
                }
            }
        }
    }
    if client.driver.is_empty() {
        return None;
    }
    client.engines = engines
        .into_iter()
        .filter_map(|(name, said)| Some((name.to_owned(), engine(&said)?)))
        .collect();
    client.memory_bytes = regions
        .into_iter()
        // `vram` of amdgpu, `vram0` of xe, `local0` of i915; the rest is the machine's memory.
        .filter(|(name, _)| name.starts_with("vram") || name.starts_with("local"))
        .filter_map(|(_, region)| region.resident.or(region.memory).or(region.total))
        .reduce(u64::saturating_add);
    Some(client)
}

/// A driver may give both: xe's clock and i915's time. Time needs no conversion.
fn engine(said: &Said) -> Option<Engine> {
    let busy = match (said.time, said.cycles, said.total) {
        (Some(time), ..) => Busy::Time(time),
        (None, Some(busy), Some(of)) => Busy::Cycles { busy, of },
        (None, ..) => return None,
    };
    // "Zero capacity is not allowed", and absence means one.
    let capacity = said.capacity.unwrap_or(1).max(1);
    Some(Engine { busy, capacity })
}

/// `123 ns`; no other unit is specified.
fn nanoseconds(value: &str) -> Option<u64> {
    value.strip_suffix("ns")?.trim_end().parse().ok()
}

/// `12`, `12 KiB`, `12 MiB`, `12 GiB`.
fn bytes(value: &str) -> Option<u64> {
    let mut words = value.split_ascii_whitespace();
    let number: u64 = words.next()?.parse().ok()?;
    let unit = match words.next() {
        None => 1,
        Some("KiB") => 1 << 10,
        Some("MiB") => 1 << 20,
        Some("GiB") => 1 << 30,
        Some(_) => return None,
    };
    number.checked_mul(unit)
}

#[cfg(test)]
#[path = "fdinfo_tests.rs"]
mod tests;
