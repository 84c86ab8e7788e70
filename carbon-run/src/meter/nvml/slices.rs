//! Partitions of a device (MIG).

use crate::model::recording::GpuSlice;
use nvml_wrapper::Device;

/// Mode 1 is `NVML_DEVICE_MIG_ENABLE`.
pub(super) fn is_partitioned(device: &Device<'_>) -> bool {
    device.mig_mode().is_ok_and(|mode| mode.current == 1)
}

/// The partitions, each with NVML's number of it. A device has as many slices as it can have partitions: of A100 and
/// H100 seven, of A30 four (NVIDIA MIG User Guide, supported profiles).
pub(super) fn each<'device>(device: &Device<'device>) -> Vec<Device<'device>> {
    if !is_partitioned(device) {
        return Vec::new();
    }
    let most = device.mig_device_count().unwrap_or(0);
    (0..most)
        .filter_map(|number| device.mig_device_by_index(number).ok())
        .collect()
}

/// What they are.
pub(super) fn find(device: &Device<'_>) -> Vec<GpuSlice> {
    let of = device.mig_device_count().unwrap_or(0);
    each(device)
        .iter()
        .map(|slice| GpuSlice {
            uuid: slice.uuid().ok(),
            slices: slice
                .attributes()
                .map_or(1, |attributes| attributes.compute_instance_slice_count)
                .max(1),
            of,
            allocated: false,
        })
        .collect()
}
