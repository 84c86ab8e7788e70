//! The pure part: from a [`recording::Recording`] to a [`report::RunReport`], with no look at the machine.

#![deny(clippy::disallowed_methods)]

pub mod assemble;
pub mod attribution;
pub mod calibration;
pub mod checkpoint;
pub mod checkup;
pub mod clouds;
pub mod codecarbon;
pub mod counter;
pub mod cpu_key;
pub mod cpu_series;
pub mod cpu_table;
mod csv_lines;
pub mod design_power;
pub mod embodied;
pub mod energy_mix;
pub mod equivalence;
pub mod estimate;
pub mod gpu_allocation;
pub mod gpu_calibration;
pub mod gpu_share;
pub mod hardware;
pub mod integral;
pub mod intensity;
pub mod intensity_file;
pub mod intensity_series;
pub mod journal;
pub mod live_series;
pub mod merge;
pub mod places;
pub mod power_curve;
pub mod recording;
pub mod report;
pub mod slurm;
pub mod tables;
pub mod units;
pub mod usage;
pub mod vcpu;
