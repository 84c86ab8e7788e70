//! Whether this is a guest, and whose.

use super::cpuinfo::CpuInfo;
use std::path::Path;

const UNKNOWN: &str = "unknown";

/// `kvm`, `vmware`, `xen`, `hyperv`, `virtualbox`, `parallels`, or `unknown`; `None` on bare metal.
///
/// On x86 the CPU itself says whether there is a hypervisor. Elsewhere nothing does, and a name found is the sign: the
/// device tree's or the firmware's. (A clock source is no sign: Arm has none, and x86 does not need it.)
pub(super) fn name(sysroot: &Path, cpu: &CpuInfo) -> Option<String> {
    let named = by_sysfs(sysroot).or_else(|| by_firmware(sysroot));
    match cpu.hypervisor {
        Some(false) => None,
        Some(true) => Some(named.or_else(|| by_clock(sysroot)).unwrap_or(UNKNOWN).to_owned()),
        None => named.or_else(|| by_device_tree(sysroot)).map(str::to_owned),
    }
}

/// Xen names itself (Documentation/ABI/stable/sysfs-hypervisor-xen).
fn by_sysfs(sysroot: &Path) -> Option<&'static str> {
    let kind = read(sysroot, "sys/hypervisor/type")?;
    Some(if kind == "xen" { "xen" } else { UNKNOWN })
}

/// The maker of the virtual machine, as its firmware gives it.
fn by_firmware(sysroot: &Path) -> Option<&'static str> {
    let vendor = read(sysroot, "sys/class/dmi/id/sys_vendor").unwrap_or_default();
    let product = read(sysroot, "sys/class/dmi/id/product_name").unwrap_or_default();
    let both = format!("{vendor} {product}").to_lowercase();
    // Amazon and Google also rent whole machines, whose product says so: `m7g.metal`, `c4a-highmem-96-metal`.
    if both.contains("metal") {
        return None;
    }
    let makers = [
        ("vmware", "vmware"),
        ("virtualbox", "virtualbox"),
        ("innotek", "virtualbox"),
        ("parallels", "parallels"),
        ("microsoft corporation virtual machine", "hyperv"),
        ("xen", "xen"),
        ("qemu", "kvm"),
        ("kvm", "kvm"),
        ("amazon ec2", "kvm"),
        ("google compute engine", "kvm"),
        ("openstack", "kvm"),
        ("alibaba cloud", "kvm"),
        ("digitalocean", "kvm"),
        ("hetzner vserver", "kvm"),
    ];
    makers
        .iter()
        .find(|(sign, _)| both.contains(sign))
        .map(|(_, name)| *name)
}

/// Guests without firmware tables still get a paravirtual clock.
fn by_clock(sysroot: &Path) -> Option<&'static str> {
    let clocks = read(
        sysroot,
        "sys/devices/system/clocksource/clocksource0/available_clocksource",
    )?;
    let known = [("kvm-clock", "kvm"), ("hyperv", "hyperv"), ("xen", "xen")];
    known
        .iter()
        .find(|(sign, _)| clocks.contains(sign))
        .map(|(_, name)| *name)
}

/// Documentation/devicetree/bindings: `linux,kvm`, `xen,xen-4.17`.
fn by_device_tree(sysroot: &Path) -> Option<&'static str> {
    let compatible = read(sysroot, "proc/device-tree/hypervisor/compatible")?;
    Some(if compatible.contains("kvm") {
        "kvm"
    } else if compatible.contains("xen") {
        "xen"
    } else {
        UNKNOWN
    })
}

fn read(sysroot: &Path, name: &str) -> Option<String> {
    let bytes = std::fs::read(sysroot.join(name)).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_matches(|letter: char| letter.is_whitespace() || letter == '\0');
    (!text.is_empty()).then(|| text.to_owned())
}
