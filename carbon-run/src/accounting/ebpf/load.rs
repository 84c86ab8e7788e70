//! From the embedded object to attached programs: maps made, globals filled in, addresses patched, verifier passed.
//!
//! aya-obj reads and relocates the object; the system calls are ours ([`super::bpf`]), because aya's loader parses the
//! whole kernel BTF first, ten times the cost of everything else here.

use super::bpf::{self, MapSpec, ProgramSpec};
use super::btf_file::BtfFile;
use super::kernel_btf::{self, KERNEL_BTF, KernelTypes};
use super::{EbpfError, MEMBERS, OPTIONAL_MEMBERS, TRACEPOINTS};
use aya_obj::generated::{bpf_attach_type, bpf_map_type, bpf_prog_type};
use carbon_common::{NOT_THERE, global, map, program};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// The kernel side, built by `cargo xtask build-ebpf` and committed; [`aya::include_bytes_aligned`] because an ELF
/// header is read in place.
pub(super) static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("CARBON_EBPF_OBJECT"));

/// `BPF_F_RDONLY_PROG`: programs cannot write it, so that the verifier may treat it as constant once frozen.
const RDONLY_PROG: u32 = 1 << 7;

/// Attached programs and the maps that they write.
pub(super) struct Loaded {
    maps: HashMap<String, OwnedFd>,
    /// `None` where they were loaded, attached and pinned by somebody before.
    fresh: Option<Fresh>,
    links: Vec<OwnedFd>,
    sees_stolen: bool,
}

/// Programs that were loaded just now.
struct Fresh {
    object: aya_obj::Object,
    seed: OwnedFd,
    programs: Vec<(&'static str, OwnedFd)>,
}

/// Tracepoints around interrupts, as [`super::bpf::attach_raw`] wants their names, and the programs for them. Not every kernel
/// has the second pair (x86 only), and none needs it that has none.
const INTERRUPTS: [(&str, &str, &str); 3] = [
    ("softirq", program::SOFTIRQ_BEGINS, program::SOFTIRQ_ENDS),
    ("irq_handler", program::INTERRUPT_BEGINS, program::INTERRUPT_ENDS),
    ("local_timer", program::INTERRUPT_BEGINS, program::INTERRUPT_ENDS),
];

/// How large the maps are to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// Possible CPUs.
    pub(super) cpus: u32,
    /// Rows of a CPU in TIMES.
    pub(super) owners: u32,
    /// Living processes of all jobs together that get an entry of their own.
    pub(super) processes: u32,
}

impl Loaded {
    /// Makes the maps and loads the programs. Nothing is attached yet.
    pub(super) fn load(sizes: Sizes) -> Result<Self, EbpfError> {
        let kernel = kernel_types()?;
        let mut object =
            aya_obj::Object::parse(OBJECT).map_err(|error| EbpfError::Object(error.to_string()))?;
        fill_in(&mut object, sizes, &kernel)?;
        let maps = create_maps(&object, sizes)?;
        relocate(&mut object, &maps)?;

        let mut programs = Vec::new();
        for name in TRACEPOINTS {
            let id = kernel
                .tracepoints
                .get(name)
                .copied()
                .ok_or(EbpfError::NoTracepoint(name))?;
            programs.push((name, load_program(&object, name, id)?));
        }
        let seed = load_program(&object, program::SEED, 0)?;
        Ok(Self {
            maps,
            fresh: Some(Fresh {
                object,
                seed,
                programs,
            }),
            links: Vec::new(),
            sees_stolen: sees_stolen(&kernel),
        })
    }

    /// Keeps maps and links under names in `place`, below `pins`, so that they outlive this process. All of it or nothing: it is
    /// made beside and renamed.
    ///
    /// # Errors
    /// When the directory is not in a BPF file system, or cannot be written.
    pub(super) fn pin(&self, pins: &Path, place: &Path) -> Result<(), EbpfError> {
        let failed = |source| EbpfError::Pin {
            path: pins.to_owned(),
            source,
        };
        let new = pins.join("new");
        std::fs::create_dir_all(&new).map_err(failed)?;
        for (name, map) in &self.maps {
            // The constants are in the programs; and a name with a dot is refused (kernel/bpf/inode.c, bpf_lookup).
            if !name.starts_with('.') {
                bpf::pin(map.as_fd(), &new.join(name)).map_err(failed)?;
            }
        }
        for (number, link) in self.links.iter().enumerate() {
            bpf::pin(link.as_fd(), &new.join(format!("link{number}"))).map_err(failed)?;
        }
        std::fs::rename(&new, place).map_err(failed)
    }

    /// What was pinned at `place`; `None` where there is nothing.
    ///
    /// # Errors
    /// When it is there and cannot be opened.
    pub(super) fn pinned(place: &Path) -> Result<Option<Self>, EbpfError> {
        let failed = |source| EbpfError::Pin {
            path: place.to_owned(),
            source,
        };
        let entries = match std::fs::read_dir(place) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mut found = Self {
            maps: HashMap::new(),
            fresh: None,
            links: Vec::new(),
            sees_stolen: sees_stolen(&kernel_types()?),
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let object = bpf::pinned(&entry.path()).map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("link") {
                found.links.push(object);
            } else {
                found.maps.insert(name, object);
            }
        }
        Ok(Some(found))
    }

    /// Whether more is attached than what every kernel needs: programs that time interrupts.
    pub(super) fn times_interrupts(&self) -> bool {
        self.links.len() > TRACEPOINTS.len()
    }

    /// Whether the kernel tells what a hypervisor keeps from a CPU.
    pub(super) fn sees_stolen(&self) -> bool {
        self.sees_stolen
    }

    /// A map's descriptor.
    pub(super) fn map(&self, name: &'static str) -> Result<BorrowedFd<'_>, EbpfError> {
        self.maps.get(name).map(AsFd::as_fd).ok_or(EbpfError::NoMap(name))
    }

    /// Starts accounting: membership first, so that no switch sees a member that it does not know.
    pub(super) fn attach(&mut self) -> Result<(), EbpfError> {
        for (name, program) in self.fresh.iter().flat_map(|fresh| &fresh.programs) {
            let link = bpf::attach_tracepoint(program.as_fd())
                .map_err(|source| EbpfError::Attach { name, source })?;
            self.links.push(link);
        }
        Ok(())
    }

    /// Starts timing interrupts. `false` where this kernel has no tracepoint for it.
    pub(super) fn attach_interrupts(&mut self) -> Result<bool, EbpfError> {
        let Some(fresh) = &self.fresh else {
            return Ok(self.times_interrupts());
        };
        let mut programs: HashMap<&str, OwnedFd> = HashMap::new();
        let mut any = false;
        for (tracepoint, begins, ends) in INTERRUPTS {
            for (name, edge) in [(ends, "exit"), (begins, "entry")] {
                let program = match programs.entry(name) {
                    Entry::Occupied(loaded) => loaded.into_mut(),
                    Entry::Vacant(missing) => missing.insert(load_program(&fresh.object, name, 0)?),
                };
                match bpf::attach_raw(program.as_fd(), &format!("{tracepoint}_{edge}")) {
                    Ok(link) => self.links.push(link),
                    // bpf_get_raw_tracepoint finds no such name.
                    Err(error) if error.raw_os_error() == Some(libc::ENOENT) => break,
                    Err(source) => return Err(EbpfError::Attach { name, source }),
                }
                any = true;
            }
        }
        Ok(any)
    }

    /// Enters who is on `cpu` now. An offline CPU is entered by its first switch.
    pub(super) fn seed(&self, cpu: u32) -> Result<(), EbpfError> {
        let Some(fresh) = &self.fresh else {
            return Ok(());
        };
        match bpf::run_on_cpu(fresh.seed.as_fd(), cpu) {
            Err(error) if error.raw_os_error() == Some(libc::ENXIO) => Ok(()),
            result => result.map_err(|source| EbpfError::Seed { cpu, source }),
        }
    }
}

fn sees_stolen(kernel: &KernelTypes) -> bool {
    let has = |key| kernel.members.contains_key(&key);
    OPTIONAL_MEMBERS.iter().take(3).copied().all(has)
}

fn kernel_types() -> Result<KernelTypes, EbpfError> {
    let bytes = BtfFile::open(Path::new(KERNEL_BTF)).map_err(EbpfError::NoBtf)?;
    let members: Vec<_> = MEMBERS.into_iter().chain(OPTIONAL_MEMBERS).collect();
    let found = kernel_btf::find(&bytes, &TRACEPOINTS, &members)
        .map_err(|error| EbpfError::Object(error.to_string()))?;
    Ok(found)
}

fn fill_in(object: &mut aya_obj::Object, sizes: Sizes, kernel: &KernelTypes) -> Result<(), EbpfError> {
    let offset = |of: &'static str, member: &'static str| {
        let known = kernel.members.get(&(of, member)).copied();
        known.ok_or(EbpfError::NoMember(of, member))
    };
    let entity = offset("task_struct", "se")?;
    let [cfs_rq, rq, steal, irq] = OPTIONAL_MEMBERS.map(|key| kernel.members.get(&key).copied());
    let numbers = [
        (
            global::TASK_CFS_RQ,
            cfs_rq.map_or(NOT_THERE, |offset| entity + offset),
        ),
        (global::CFS_RQ_RQ, rq.unwrap_or(NOT_THERE)),
        (global::RQ_STEAL, steal.unwrap_or(NOT_THERE)),
        (global::RQ_IRQ, irq.unwrap_or(NOT_THERE)),
        (global::OWNERS, sizes.owners),
        (global::TASK_FLAGS, offset("task_struct", "flags")?),
        (global::TASK_PID, offset("task_struct", "pid")?),
        (global::TASK_TGID, offset("task_struct", "tgid")?),
        (
            global::TASK_RAN,
            entity + offset("sched_entity", "sum_exec_runtime")?,
        ),
        (
            global::TASK_RAN_BEFORE,
            entity + offset("sched_entity", "prev_sum_exec_runtime")?,
        ),
    ]
    .map(|(name, number)| (name, number.to_ne_bytes()));
    let globals = numbers
        .iter()
        .map(|(name, bytes)| (*name, (bytes.as_slice(), true)))
        .collect();
    object
        .patch_map_data(globals)
        .map_err(|error| EbpfError::Object(error.to_string()))
}

fn create_maps(object: &aya_obj::Object, sizes: Sizes) -> Result<HashMap<String, OwnedFd>, EbpfError> {
    let mut made = HashMap::new();
    for (name, definition) in &object.maps {
        let failed = |source| EbpfError::CreateMap {
            name: name.clone(),
            source,
        };
        let storage = definition.map_type() == bpf_map_type::BPF_MAP_TYPE_TASK_STORAGE as u32;
        let types = if storage {
            Some(bpf::load_btf(&storage_types()).map_err(failed)?)
        } else {
            None
        };
        let constants = definition.section_kind() == aya_obj::EbpfSectionKind::Rodata;
        let spec = MapSpec {
            name,
            kind: definition.map_type(),
            key_size: definition.key_size(),
            value_size: definition.value_size(),
            max_entries: match name.as_str() {
                map::SLOTS => sizes.cpus,
                map::TIMES => sizes.cpus * sizes.owners,
                map::CENSUS => sizes.owners,
                map::PROCESSES => sizes.processes,
                _ => definition.max_entries(),
            },
            flags: definition.map_flags() | if constants { RDONLY_PROG } else { 0 },
            types: types.as_ref().map(|fd| (fd.as_fd(), STORAGE_KEY, STORAGE_VALUE)),
        };
        let fd = bpf::create_map(&spec).map_err(failed)?;
        if constants {
            bpf::update(fd.as_fd(), &0u32.to_ne_bytes(), definition.data()).map_err(failed)?;
            bpf::freeze(fd.as_fd()).map_err(failed)?;
        }
        made.insert(name.clone(), fd);
    }
    Ok(made)
}

const STORAGE_KEY: u32 = 1;
const STORAGE_VALUE: u32 = 3;

/// Task storage wants to know the types of its key (an `int`) and its value (two 64-bit words, [`carbon_common::TaskState`]).
/// Layout: Documentation/bpf/btf.rst.
fn storage_types() -> Vec<u8> {
    const INT: u32 = 1 << 24;
    const ARRAY: u32 = 3 << 24;
    const SIGNED: u32 = 1 << 24;
    let words = (size_of::<carbon_common::TaskState>() / 8) as u32;
    let strings = b"\0int\0u64\0";
    #[rustfmt::skip]
    let types: [u32; 14] = [
        1, INT, 4, SIGNED | 32,
        5, INT, 8, 64,
        0, ARRAY, 0, 2, 1, words,
    ];
    let mut btf = 0xeb9f_u16.to_ne_bytes().to_vec();
    btf.extend([1, 0]);
    let types_len = size_of_val(&types) as u32;
    for word in [24, 0, types_len, types_len, strings.len() as u32] {
        btf.extend(word.to_ne_bytes());
    }
    btf.extend(types.iter().flat_map(|word| word.to_ne_bytes()));
    btf.extend(strings);
    btf
}

fn relocate(object: &mut aya_obj::Object, maps: &HashMap<String, OwnedFd>) -> Result<(), EbpfError> {
    let text: HashSet<usize> = object.functions.keys().map(|(section, _)| *section).collect();
    let definitions = object.maps.clone();
    let by_name = definitions.iter().filter_map(|(name, definition)| {
        maps.get(name)
            .map(|fd| (name.as_str(), fd.as_raw_fd(), definition))
    });
    object
        .relocate_maps(by_name, &text)
        .map_err(|error| EbpfError::Object(error.to_string()))?;
    object
        .relocate_calls(&text)
        .map_err(|error| EbpfError::Object(error.to_string()))
}

fn load_program(
    object: &aya_obj::Object,
    name: &'static str,
    attach_btf_id: u32,
) -> Result<OwnedFd, EbpfError> {
    let program = object.programs.get(name).ok_or(EbpfError::NoProgram(name))?;
    let function = object
        .functions
        .get(&program.function_key())
        .ok_or(EbpfError::NoProgram(name))?;
    let instructions = instruction_bytes(&function.instructions);
    let tracing = attach_btf_id != 0;
    let spec = ProgramSpec {
        name,
        kind: if tracing {
            bpf_prog_type::BPF_PROG_TYPE_TRACING as u32
        } else {
            bpf_prog_type::BPF_PROG_TYPE_RAW_TRACEPOINT as u32
        },
        attach_type: if tracing {
            bpf_attach_type::BPF_TRACE_RAW_TP as u32
        } else {
            0
        },
        attach_btf_id,
        instructions: &instructions,
        licence: &program.license,
    };
    bpf::load_program(&spec, &mut []).map_err(|source| {
        // Only a refused program is worth the verifier's prose.
        let mut log = vec![0; 1 << 16];
        let retried = bpf::load_program(&spec, &mut log);
        let end = log.iter().position(|byte| *byte == 0).unwrap_or(log.len());
        let said = String::from_utf8_lossy(log.get(..end).unwrap_or_default()).into_owned();
        EbpfError::Program {
            name,
            source: retried.err().unwrap_or(source),
            log: said,
        }
    })
}

/// The instructions as the kernel wants them: opcode, both registers in one byte, offset, immediate.
fn instruction_bytes(instructions: &[aya_obj::generated::bpf_insn]) -> Vec<u8> {
    instructions
        .iter()
        .flat_map(|instruction| {
            let [off_low, off_high] = instruction.off.to_ne_bytes();
            let [i0, i1, i2, i3] = instruction.imm.to_ne_bytes();
            let registers = instruction.dst_reg() | (instruction.src_reg() << 4);
            [instruction.code, registers, off_low, off_high, i0, i1, i2, i3]
        })
        .collect()
}
