//! What is known of a GPU besides its books. What could not be found out is left out, as of the host.

use crate::model::report::{GpuReport, RunReport};
use crate::output::wall_clock;
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Gpu<'a> {
    /// The name of its domain; `null` with a reason where it has no meter.
    domain: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain_reason: Option<&'static str>,
    vendor: &'static str,
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    uuid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pci: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    driver: Option<&'a str>,
    /// The part of it that is the job's by allocation.
    allocated: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allocated_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allocated_by: Option<&'a str>,
    idle_policy: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    deep_idle_watts: Option<f64>,
    /// How that is known: `given`, `calibrated`, or `seen` in this run.
    #[serde(skip_serializing_if = "Option::is_none")]
    deep_idle_basis: Option<&'static str>,
    /// Half-width in watts, where it was calibrated.
    #[serde(skip_serializing_if = "Option::is_none")]
    deep_idle_spread_watts: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deep_idle_as_of: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    slices: Vec<Slice<'a>>,
}

#[derive(Serialize)]
struct Slice<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    uuid: Option<&'a str>,
    slices: u32,
    of: u32,
    allocated: bool,
}

impl<'a> Gpu<'a> {
    pub(super) fn all(report: &'a RunReport) -> Vec<Self> {
        report.gpus.iter().map(|gpu| Self::of(gpu, report)).collect()
    }

    fn of(it: &'a GpuReport, report: &'a RunReport) -> Self {
        let domain = it.gpu.domain.and_then(|domain| report.domains.get(domain));
        let slices = it.gpu.slices.iter().map(|slice| Slice {
            uuid: slice.uuid.as_deref(),
            slices: slice.slices,
            of: slice.of,
            allocated: slice.allocated,
        });
        Self {
            domain: domain.map(|domain| domain.name.as_str()),
            domain_reason: domain
                .is_none()
                .then_some("it tells neither its energy nor its power"),
            vendor: it.gpu.vendor.name(),
            index: it.gpu.index,
            uuid: it.gpu.uuid.as_deref(),
            name: it.gpu.name.as_deref(),
            pci: it.gpu.pci.as_deref(),
            driver: it.gpu.driver.as_deref(),
            allocated: it.gpu.allocated.map(|share| share.get()),
            allocated_reason: it
                .gpu
                .allocated
                .is_none()
                .then_some("nothing says which GPUs are the job's"),
            allocated_by: it.allocated_by.as_deref(),
            idle_policy: it.idle_policy.name(),
            deep_idle_watts: it.deep_idle.map(|power| power.get()),
            deep_idle_basis: it.deep_idle.map(|power| match it.deep_found {
                Some(found) => found.basis.name(),
                None if it.gpu.idle.deep == Some(power) => "given",
                None => "seen",
            }),
            deep_idle_spread_watts: it.deep_found.map(|found| found.spread.get()),
            deep_idle_as_of: it.deep_found.map(|found| wall_clock::utc(found.as_of_unix_ns)),
            slices: slices.collect(),
        }
    }
}
