//! GPUs, on a stand-in for NVIDIA's library (`tests/support/nvml.c`) that carbon-run loads as it loads the real one. What
//! happens on a real device is for `cargo xtask bench gpu`: no test can rely on having one.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

#[path = "gpu/calibrate.rs"]
mod calibrate;
#[path = "support/deadline.rs"]
mod deadline;
#[path = "gpu/devices.rs"]
mod devices;
#[path = "gpu/driver.rs"]
mod driver;
#[path = "calibrate/machine.rs"]
#[expect(dead_code, reason = "what is played for the CPUs alone is not asked for here")]
mod machine;
#[path = "gpu/namespaces.rs"]
mod namespaces;
#[path = "gpu/outputs.rs"]
mod outputs;
#[path = "support/rights.rs"]
mod rights;
#[path = "gpu/sharing.rs"]
mod sharing;
#[path = "gpu/stage.rs"]
mod stage;
