//! One pass over the kernel's BTF for the few facts that are needed: the tracepoints' type ids and some members' offsets. Parsing all of its 130,000 types into memory takes some 25 ms of a start; this takes 2.
//!
//! Format: Documentation/bpf/btf.rst.

use std::collections::HashMap;

/// Where the kernel shows its own types (since Linux 5.4, CONFIG_DEBUG_INFO_BTF).
pub(super) const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

const MAGIC: u16 = 0xeb9f;
const KIND_INT: u32 = 1;
const KIND_ARRAY: u32 = 3;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
const KIND_ENUM: u32 = 6;
const KIND_TYPEDEF: u32 = 8;
const KIND_FUNC_PROTO: u32 = 13;
const KIND_VAR: u32 = 14;
const KIND_DATASEC: u32 = 15;
const KIND_DECL_TAG: u32 = 17;
const KIND_ENUM64: u32 = 19;

/// What was looked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct KernelTypes {
    /// Type id of `btf_trace_NAME`, by NAME.
    pub(super) tracepoints: HashMap<String, u32>,
    /// Byte offset of a member in its struct, by both names.
    pub(super) members: HashMap<(&'static str, &'static str), u32>,
}

/// BTF that is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed BTF at byte {at}")]
pub(super) struct MalformedBtf {
    at: usize,
}

/// Finds the type ids of `tracepoints` and the offsets of `members` (struct and member). What is not there is left out.
///
/// # Errors
/// When the bytes are no BTF of this machine's byte order.
pub(super) fn find(
    btf: &[u8],
    tracepoints: &[&str],
    members: &[(&'static str, &'static str)],
) -> Result<KernelTypes, MalformedBtf> {
    let blob = Blob(btf);
    if u16::from_ne_bytes(blob.array(0)?) != MAGIC {
        return Err(MalformedBtf { at: 0 });
    }
    let header = blob.word(4)? as usize;
    let types = header + blob.word(8)? as usize;
    let types_end = types + blob.word(12)? as usize;
    let strings = header + blob.word(16)? as usize;
    let strings_end = strings + blob.word(20)? as usize;
    let strings = btf
        .get(strings..strings_end)
        .ok_or(MalformedBtf { at: strings })?;

    let mut found = KernelTypes::default();
    let mut at = types;
    let mut id: u32 = 0;
    while at < types_end {
        id += 1;
        let name = blob.word(at)?;
        let info = blob.word(at + 4)?;
        let kind = (info >> 24) & 0x1f;
        let count = (info & 0xffff) as usize;
        let body = at + 12;
        if kind == KIND_TYPEDEF {
            for wanted in tracepoints {
                if string_is(strings, name, "btf_trace_", wanted) {
                    found.tracepoints.insert((*wanted).to_owned(), id);
                }
            }
        } else if kind == KIND_STRUCT {
            let wanted = members.iter().filter(|(of, _)| string_is(strings, name, "", of));
            for key @ (_, wanted) in wanted {
                let bitfields = info >> 31 == 1;
                for member in 0..count {
                    let at = body + member * 12;
                    if string_is(strings, blob.word(at)?, "", wanted) {
                        let bits = blob.word(at + 8)?;
                        let bits = if bitfields { bits & 0x00ff_ffff } else { bits };
                        found.members.insert(*key, bits / 8);
                    }
                }
            }
        }
        at = body
            + match kind {
                KIND_INT | KIND_VAR | KIND_DECL_TAG => 4,
                KIND_ARRAY => 12,
                KIND_STRUCT | KIND_UNION | KIND_DATASEC | KIND_ENUM64 => count * 12,
                KIND_ENUM | KIND_FUNC_PROTO => count * 8,
                _ => 0,
            };
    }
    Ok(found)
}

/// Whether the string at `offset` is `prefix` followed by `rest`.
fn string_is(strings: &[u8], offset: u32, prefix: &str, rest: &str) -> bool {
    strings
        .get(offset as usize..)
        .and_then(|bytes| bytes.strip_prefix(prefix.as_bytes()))
        .and_then(|bytes| bytes.strip_prefix(rest.as_bytes()))
        .is_some_and(|bytes| bytes.first() == Some(&0))
}

struct Blob<'a>(&'a [u8]);

impl Blob<'_> {
    fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], MalformedBtf> {
        self.0
            .get(at..at + N)
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(MalformedBtf { at })
    }

    fn word(&self, at: usize) -> Result<u32, MalformedBtf> {
        self.array(at).map(u32::from_ne_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes BTF by hand: a word list for the types and a string table.
    fn btf(types: &[u32], strings: &[u8]) -> Vec<u8> {
        let types: Vec<u8> = types.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let mut bytes = MAGIC.to_ne_bytes().to_vec();
        bytes.extend([1, 0]);
        for word in [
            24,
            0,
            types.len() as u32,
            types.len() as u32,
            strings.len() as u32,
        ] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend(types);
        bytes.extend(strings);
        bytes
    }

    #[test]
    fn finds_typedefs_behind_types_of_every_size_and_members_of_the_task() {
        let strings = b"\0task_struct\0flags\0pid\0btf_trace_sched_switch\0btf_trace_sched_switchy\0";
        let at = |what: &str| {
            strings
                .windows(what.len())
                .position(|w| w == what.as_bytes())
                .unwrap() as u32
        };
        let mut types = Vec::new();
        types.extend([0, KIND_INT << 24, 4, 32]); // 1
        types.extend([0, (KIND_ENUM << 24) | 2, 4, 0, 0, 0, 1]); // 2
        types.extend([0, KIND_ARRAY << 24, 0, 1, 1, 3]); // 3
        types.extend([0, (KIND_FUNC_PROTO << 24) | 1, 0, 0, 1]); // 4
        types.extend([0, (KIND_DATASEC << 24) | 1, 0, 1, 0, 4]); // 5
        types.extend([0, (KIND_ENUM64 << 24) | 1, 8, 0, 0, 0]); // 6
        types.extend([at("btf_trace_sched_switchy"), KIND_TYPEDEF << 24, 1]); // 7
        types.extend([at("btf_trace_sched_switch\0"), KIND_TYPEDEF << 24, 1]); // 8
        types.extend([at("task_struct"), (KIND_STRUCT << 24) | 2, 100]); // 9
        types.extend([at("flags"), 1, 44 * 8, at("pid"), 1, 1264 * 8]);
        let found = find(
            &btf(&types, strings),
            &["sched_switch"],
            &[
                ("task_struct", "flags"),
                ("task_struct", "pid"),
                ("task_struct", "gone"),
                ("gone", "pid"),
            ],
        )
        .unwrap();
        assert_eq!(found.tracepoints, HashMap::from([("sched_switch".to_owned(), 8)]));
        assert_eq!(
            found.members,
            HashMap::from([(("task_struct", "flags"), 44), (("task_struct", "pid"), 1264)])
        );
    }

    #[test]
    fn cut_off_or_foreign_bytes_are_an_error_not_a_panic() {
        let whole = btf(&[0, KIND_INT << 24, 4, 32], b"\0x\0");
        for end in 0..whole.len() {
            assert!(find(&whole[..end], &["a"], &[("b", "c")]).is_err(), "{end} bytes");
        }
        assert_eq!(find(&[0; 64], &["a"], &[("b", "c")]), Err(MalformedBtf { at: 0 }));
    }

    #[test]
    fn this_kernel_has_what_we_need() {
        let Ok(bytes) = std::fs::read(KERNEL_BTF) else {
            println!("not run: this kernel shows no BTF");
            return;
        };
        let found = find(&bytes, &["sched_switch", "task_newtask"], &super::super::MEMBERS).unwrap();
        assert_eq!(
            (found.tracepoints.len(), found.members.len()),
            (2, super::super::MEMBERS.len())
        );
    }
}
