//! The bpf(2) system call, as far as it is needed: one function per command, attributes as laid out in
//! include/uapi/linux/bpf.h (`union bpf_attr`). The kernel takes an attribute shorter than its own as if the rest were 0.
#![expect(
    unsafe_code,
    reason = "system calls that no crate wraps without parsing the whole kernel BTF first"
)]

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const BPF_MAP_CREATE: i64 = 0;
const BPF_MAP_LOOKUP_ELEM: i64 = 1;
const BPF_MAP_UPDATE_ELEM: i64 = 2;
const BPF_PROG_LOAD: i64 = 5;
const BPF_OBJ_PIN: i64 = 6;
const BPF_OBJ_GET: i64 = 7;
const BPF_PROG_TEST_RUN: i64 = 10;
const BPF_RAW_TRACEPOINT_OPEN: i64 = 17;
const BPF_BTF_LOAD: i64 = 18;
const BPF_MAP_FREEZE: i64 = 22;
const BPF_MAP_LOOKUP_BATCH: i64 = 24;

/// `BPF_F_TEST_RUN_ON_CPU`.
const TEST_RUN_ON_CPU: u32 = 1;

/// A map to be made.
#[derive(Debug, Clone, Copy)]
pub(super) struct MapSpec<'a> {
    pub(super) name: &'a str,
    pub(super) kind: u32,
    pub(super) key_size: u32,
    pub(super) value_size: u32,
    pub(super) max_entries: u32,
    pub(super) flags: u32,
    /// BTF of key and value, which task storage demands: descriptor, key's type, value's type.
    pub(super) types: Option<(BorrowedFd<'a>, u32, u32)>,
}

/// A program to be loaded.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProgramSpec<'a> {
    pub(super) name: &'a str,
    pub(super) kind: u32,
    /// `expected_attach_type`.
    pub(super) attach_type: u32,
    /// The tracepoint's type in the kernel's BTF; 0 for a program that is not attached by BTF.
    pub(super) attach_btf_id: u32,
    /// Instructions of 8 bytes each.
    pub(super) instructions: &'a [u8],
    pub(super) licence: &'a CStr,
}

#[repr(C)]
#[derive(Default)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    inner_map_fd: u32,
    numa_node: u32,
    map_name: [u8; 16],
    map_ifindex: u32,
    btf_fd: u32,
    btf_key_type_id: u32,
    btf_value_type_id: u32,
}

#[repr(C)]
#[derive(Default)]
struct MapElement {
    map_fd: u32,
    pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
#[derive(Default)]
struct MapBatch {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

#[repr(C)]
#[derive(Default)]
struct Object {
    pathname: u64,
    bpf_fd: u32,
    file_flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct ProgLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
    prog_btf_fd: u32,
    func_info_rec_size: u32,
    func_info: u64,
    func_info_cnt: u32,
    line_info_rec_size: u32,
    line_info: u64,
    line_info_cnt: u32,
    attach_btf_id: u32,
}

#[repr(C)]
#[derive(Default)]
struct TestRun {
    prog_fd: u32,
    retval: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    ctx_size_in: u32,
    ctx_size_out: u32,
    ctx_in: u64,
    ctx_out: u64,
    flags: u32,
    cpu: u32,
}

#[repr(C)]
#[derive(Default)]
struct RawTracepoint {
    name: u64,
    prog_fd: u32,
    pad: u32,
}

#[repr(C)]
#[derive(Default)]
struct BtfLoad {
    btf: u64,
    btf_log_buf: u64,
    btf_size: u32,
    btf_log_size: u32,
    btf_log_level: u32,
    pad: u32,
}

/// Makes a map.
pub(super) fn create_map(spec: &MapSpec<'_>) -> io::Result<OwnedFd> {
    let mut attr = MapCreate {
        map_type: spec.kind,
        key_size: spec.key_size,
        value_size: spec.value_size,
        max_entries: spec.max_entries,
        map_flags: spec.flags,
        map_name: object_name(spec.name),
        ..MapCreate::default()
    };
    if let Some((btf, key, value)) = spec.types {
        attr.btf_fd = raw(btf);
        attr.btf_key_type_id = key;
        attr.btf_value_type_id = value;
    }
    descriptor(call(BPF_MAP_CREATE, &mut attr)?)
}

/// Sets an element. Sizes must be those of the map.
pub(super) fn update(map: BorrowedFd<'_>, key: &[u8], value: &[u8]) -> io::Result<()> {
    let mut attr = MapElement {
        map_fd: raw(map),
        key: key.as_ptr() as u64,
        value: value.as_ptr() as u64,
        ..MapElement::default()
    };
    call(BPF_MAP_UPDATE_ELEM, &mut attr).map(drop)
}

/// Reads an element into `value`; sizes must be those of the map. `ENOENT` when there is no such element.
pub(super) fn look_up(map: BorrowedFd<'_>, key: &[u8], value: &mut [u8]) -> io::Result<()> {
    let mut attr = MapElement {
        map_fd: raw(map),
        key: key.as_ptr() as u64,
        value: value.as_mut_ptr() as u64,
        ..MapElement::default()
    };
    call(BPF_MAP_LOOKUP_ELEM, &mut attr).map(drop)
}

/// How many elements [`all_values`] asks for at a time; a bucket of a hash has to fit in.
const BATCH: usize = 1024;

/// The values of all elements of a hash with keys of 8 bytes: one system call per thousand of them (Linux 5.6).
pub(super) fn all_values<const WORDS: usize>(map: BorrowedFd<'_>) -> io::Result<Vec<(u64, [u64; WORDS])>> {
    let mut all = Vec::new();
    let mut keys = vec![0_u64; BATCH];
    let mut values = vec![[0_u64; WORDS]; BATCH];
    let (mut position, mut next) = (0_u32, 0_u32);
    let mut first = true;
    loop {
        let mut attr = MapBatch {
            in_batch: if first { 0 } else { (&raw const position) as u64 },
            out_batch: (&raw mut next) as u64,
            keys: keys.as_mut_ptr() as u64,
            values: values.as_mut_ptr() as u64,
            count: u32::try_from(BATCH).unwrap_or(u32::MAX),
            map_fd: raw(map),
            ..MapBatch::default()
        };
        let asked = call(BPF_MAP_LOOKUP_BATCH, &mut attr);
        let found = attr.count as usize;
        // ENOENT: these were the last.
        let last = match asked {
            Ok(_) => false,
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => true,
            Err(error) => return Err(error),
        };
        all.extend(keys.iter().copied().zip(values.iter().copied()).take(found));
        if last {
            return Ok(all);
        }
        position = next;
        first = false;
    }
}

/// Gives a map, program or link a name in a BPF file system, under which it outlives this process.
pub(super) fn pin(object: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    let mut attr = Object {
        pathname: name.as_ptr() as u64,
        bpf_fd: raw(object),
        ..Object::default()
    };
    call(BPF_OBJ_PIN, &mut attr).map(drop)
}

/// What has that name in a BPF file system.
pub(super) fn pinned(path: &Path) -> io::Result<OwnedFd> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    let mut attr = Object {
        pathname: name.as_ptr() as u64,
        ..Object::default()
    };
    descriptor(call(BPF_OBJ_GET, &mut attr)?)
}

/// Makes a map's contents constants to the verifier.
pub(super) fn freeze(map: BorrowedFd<'_>) -> io::Result<()> {
    let mut attr = MapElement {
        map_fd: raw(map),
        ..MapElement::default()
    };
    call(BPF_MAP_FREEZE, &mut attr).map(drop)
}

/// Loads type information.
pub(super) fn load_btf(btf: &[u8]) -> io::Result<OwnedFd> {
    let size = u32::try_from(btf.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut attr = BtfLoad {
        btf: btf.as_ptr() as u64,
        btf_size: size,
        ..BtfLoad::default()
    };
    descriptor(call(BPF_BTF_LOAD, &mut attr)?)
}

/// Loads a program; `log` receives what the verifier says, when it is not empty.
pub(super) fn load_program(spec: &ProgramSpec<'_>, log: &mut [u8]) -> io::Result<OwnedFd> {
    let count = u32::try_from(spec.instructions.len() / 8)
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut attr = ProgLoad {
        prog_type: spec.kind,
        insn_cnt: count,
        insns: spec.instructions.as_ptr() as u64,
        license: spec.licence.as_ptr() as u64,
        prog_name: object_name(spec.name),
        expected_attach_type: spec.attach_type,
        attach_btf_id: spec.attach_btf_id,
        ..ProgLoad::default()
    };
    if !log.is_empty() {
        attr.log_level = 1;
        attr.log_size = u32::try_from(log.len()).unwrap_or(u32::MAX);
        attr.log_buf = log.as_mut_ptr() as u64;
    }
    descriptor(call(BPF_PROG_LOAD, &mut attr)?)
}

/// Attaches a loaded BTF tracepoint program; dropping the link detaches it, also when the process is killed.
pub(super) fn attach_tracepoint(program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut attr = RawTracepoint {
        prog_fd: raw(program),
        ..RawTracepoint::default()
    };
    descriptor(call(BPF_RAW_TRACEPOINT_OPEN, &mut attr)?)
}

/// Attaches a raw-tracepoint program to the tracepoint of that name. The returned descriptor holds the link.
pub(super) fn attach_raw(program: BorrowedFd<'_>, tracepoint: &str) -> io::Result<OwnedFd> {
    let name = CString::new(tracepoint)?;
    let mut attr = RawTracepoint {
        name: name.as_ptr() as u64,
        prog_fd: raw(program),
        ..RawTracepoint::default()
    };
    descriptor(call(BPF_RAW_TRACEPOINT_OPEN, &mut attr)?)
}

/// Runs a raw-tracepoint program once on the given CPU. `ENXIO` when that CPU is offline.
pub(super) fn run_on_cpu(program: BorrowedFd<'_>, cpu: u32) -> io::Result<()> {
    let mut attr = TestRun {
        prog_fd: raw(program),
        flags: TEST_RUN_ON_CPU,
        cpu,
        ..TestRun::default()
    };
    call(BPF_PROG_TEST_RUN, &mut attr).map(drop)
}

/// A name that the kernel accepts: at most 15 bytes, NUL-terminated.
fn object_name(name: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().take(15).zip(name.bytes()) {
        *to = if from.is_ascii_alphanumeric() || from == b'_' || from == b'.' {
            from
        } else {
            b'_'
        };
    }
    bytes
}

fn raw(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().unsigned_abs()
}

fn descriptor(result: i64) -> io::Result<OwnedFd> {
    let fd = i32::try_from(result).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    // SAFETY: the kernel has just opened this descriptor for us (with O_CLOEXEC), and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn call<T>(command: i64, attr: &mut T) -> io::Result<i64> {
    // The verifier returns EAGAIN when a signal interrupts it (kernel/bpf/verifier.c, `signal_pending`).
    for _ in 0..5 {
        // SAFETY: `attr` is a live, fully initialised attribute of the stated size, and every pointer in it points into
        // a slice that outlives the call.
        let result =
            unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attr), size_of::<T>()) };
        if result >= 0 {
            return Ok(result);
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::EAGAIN) {
            return Err(error);
        }
    }
    Err(io::Error::from_raw_os_error(libc::EAGAIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_names_are_cut_and_cleaned() {
        assert_eq!(&object_name(".rodata"), b".rodata\0\0\0\0\0\0\0\0\0");
        assert_eq!(&object_name("sched_process_exec"), b"sched_process_e\0");
        assert_eq!(&object_name("a-b"), b"a_b\0\0\0\0\0\0\0\0\0\0\0\0\0");
    }
}
