//! Which machine this is, for what is kept of it in a directory that several may share.

use std::path::Path;

/// The host's name, and eight bytes that its machine-id leads to where it has one: `node7-5bd0...`. Clones of one image
/// share the id, and machines of one name share that; both together are one machine's. The id itself is to be kept from
/// others (machine-id(5)), and cannot be had back from half of its bits.
#[must_use]
pub fn identity() -> String {
    let name = nix::unistd::gethostname().unwrap_or_default();
    let id = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    of(&name.to_string_lossy(), id.trim())
}

fn of(name: &str, id: &str) -> String {
    let name: String = name
        .chars()
        .take(64)
        .map(|letter| {
            if letter.is_ascii_alphanumeric() {
                letter
            } else {
                '-'
            }
        })
        .collect();
    let name = if name.is_empty() {
        "localhost".to_owned()
    } else {
        name
    };
    if id.is_empty() {
        return name;
    }
    // FNV-1a, 64 bits (Fowler, Noll and Vo): any spreading will do.
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{name}-{hash:016x}")
}

/// The governor of the first CPU's clock rate (Documentation/admin-guide/pm/cpufreq.rst); `None` where there is none, as in
/// most guests.
pub(super) fn governor(sysroot: &Path) -> Option<String> {
    let file = sysroot.join("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    let text = std::fs::read_to_string(file).ok()?;
    Some(text.trim().to_owned()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_a_name_for_a_file_and_tells_clones_and_namesakes_apart() {
        let one = of("node7", "0123456789abcdef0123456789abcdef");
        assert_eq!(one.len(), "node7-".len() + 16);
        assert!(!one.contains("0123456789abcdef"));
        assert_ne!(one, of("node8", "0123456789abcdef0123456789abcdef"));
        assert_ne!(one, of("node7", "1123456789abcdef0123456789abcdef"));
        assert_eq!(of("", ""), "localhost");
        assert_eq!(of("../x", ""), "---x");
        assert_eq!(identity(), identity());
    }

    #[test]
    fn a_governor_is_what_its_file_says_if_it_says_anything() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(governor(root.path()), None);
        let dir = root.path().join("sys/devices/system/cpu/cpu0/cpufreq");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("scaling_governor"), "schedutil\n").unwrap();
        assert_eq!(governor(root.path()).as_deref(), Some("schedutil"));
    }
}
