//! What `carbon-run calibrate` tells.

use crate::model::recording::{CalibratedGpu, Calibration, Note};
use std::path::PathBuf;

/// What was calibrated, and where it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibrated {
    /// What was measured.
    pub calibration: Calibration,
    /// What became of each GPU that has a meter.
    pub gpus: Vec<GpuOutcome>,
    /// GPUs that have none, and why.
    pub notes: Vec<Note>,
    /// The file.
    pub path: PathBuf,
}

/// What became of a device in a calibration.
#[derive(Debug, Clone, PartialEq)]
pub struct GpuOutcome {
    /// Its domain: `gpu-0`.
    pub name: String,
    /// What is known of it now: what was measured, and what was kept from before.
    pub gpu: CalibratedGpu,
    /// Why its power without a context was not measured this time.
    pub deep_reason: Option<String>,
    /// Why its power with an idle context was not measured this time.
    pub resident_reason: Option<String>,
    /// Why nothing of it was measured this time.
    pub left_out: Option<String>,
}
