//! Where our own control group is, in the hierarchies that count CPU time (cgroups(7)).

use super::CgroupError;
use std::path::{Path, PathBuf};

/// The two versions, which count in different files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// The controller `cpuacct`: nanoseconds, per CPU.
    One,
    /// `cpu.stat`, there with any controller or none: microseconds, all CPUs together.
    Two,
}

/// A hierarchy and our own group in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hierarchy {
    pub(super) version: Version,
    /// The directory of the group that carbon-run is in.
    pub(super) own: PathBuf,
}

/// What may share a hierarchy with `cpuacct` when the job gets a group of its own in it: in a group below ours all limits
/// of `cpu` still hold. Others would be inherited in other ways, or not at all.
const HARMLESS: [&str; 2] = ["cpu", "cpuacct"];

/// A line of /proc/PID/mountinfo (proc(5)).
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    /// The group that appears at `point`.
    root: PathBuf,
    point: PathBuf,
    version: Version,
    /// Version 1: its controllers, and other options.
    options: Vec<String>,
}

/// The hierarchies that count, best first.
pub(super) fn find(root: &Path) -> Vec<Result<Hierarchy, CgroupError>> {
    let read =
        |name: &str| std::fs::read(root.join(name)).map(|text| String::from_utf8_lossy(&text).into_owned());
    let (Ok(mounts), Ok(memberships)) = (read("proc/self/mountinfo"), read("proc/self/cgroup")) else {
        return Vec::new();
    };
    among(&mounts, &memberships)
}

fn among(mounts: &str, memberships: &str) -> Vec<Result<Hierarchy, CgroupError>> {
    let mounts: Vec<Mount> = mounts.lines().filter_map(mount).collect();
    let mut found: Vec<Result<Hierarchy, CgroupError>> = memberships
        .lines()
        .filter_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
            let controllers: Vec<&str> = controllers.split(',').collect();
            let (version, mount) = if controllers == [""] {
                let mount = mounts.iter().find(|mount| mount.version == Version::Two)?;
                (Version::Two, mount)
            } else if controllers.contains(&"cpuacct") {
                let counts = |mount: &&Mount| {
                    mount.version == Version::One && mount.options.iter().any(|option| option == "cpuacct")
                };
                (Version::One, mounts.iter().find(counts)?)
            } else {
                return None;
            };
            let harmful = controllers
                .iter()
                .find(|controller| version == Version::One && !HARMLESS.contains(controller));
            if let Some(harmful) = harmful {
                return Some(Err(CgroupError::Together((*harmful).to_owned())));
            }
            // In a control group namespace both begin at its root; elsewhere `root` may be a part of the path.
            let Ok(below) = Path::new(path).strip_prefix(&mount.root) else {
                return Some(Err(CgroupError::Elsewhere(PathBuf::from(path))));
            };
            Some(Ok(Hierarchy {
                version,
                own: mount.point.join(below),
            }))
        })
        .collect();
    found.sort_by_key(|found| !matches!(found, Ok(found) if found.version == Version::One));
    found
}

fn mount(line: &str) -> Option<Mount> {
    let (place, filesystem) = line.split_once(" - ")?;
    let mut place = place.split(' ').skip(3);
    let (root, point) = (unescaped(place.next()?), unescaped(place.next()?));
    let mut filesystem = filesystem.split(' ');
    let version = match filesystem.next()? {
        "cgroup" => Version::One,
        "cgroup2" => Version::Two,
        _ => return None,
    };
    let options = filesystem.nth(1).unwrap_or_default();
    Some(Mount {
        root,
        point,
        version,
        options: options.split(',').map(str::to_owned).collect(),
    })
}

/// Blanks and the like stand as octal numbers in mountinfo.
fn unescaped(text: &str) -> PathBuf {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let code = after.get(..3).and_then(|code| u8::from_str_radix(code, 8).ok());
        rest = match code {
            Some(code) => {
                plain.push(char::from(code));
                after.get(3..).unwrap_or_default()
            }
            None => after,
        };
    }
    plain.push_str(rest);
    PathBuf::from(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const V2: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";

    fn one(mounts: &str, memberships: &str) -> Result<Hierarchy, String> {
        let mut found = among(mounts, memberships);
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0).map_err(|error| error.to_string())
    }

    #[test]
    fn version_2_is_found_where_systemd_mounts_it() {
        let membership = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/a.scope";
        let found = one(V2, membership).unwrap();
        assert_eq!(found.version, Version::Two);
        assert_eq!(
            found.own,
            Path::new("/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/a.scope")
        );
    }

    #[test]
    fn the_version_that_counts_per_cpu_comes_first_of_two() {
        let mounts = "30 23 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n\
                      31 23 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
                      32 23 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory";
        let found = among(mounts, "4:memory:/m\n3:cpu,cpuacct:/a b\n0::/x");
        let owns: Vec<_> = found.into_iter().map(|found| found.unwrap().own).collect();
        assert_eq!(
            owns,
            [
                Path::new("/sys/fs/cgroup/cpu,cpuacct/a b"),
                Path::new("/sys/fs/cgroup/unified/x")
            ]
        );
    }

    #[test]
    fn a_container_that_sees_a_part_of_the_hierarchy_finds_itself_in_it() {
        let mounts = "31 23 0:27 /docker/f00 /sys/fs/cgroup/cpu\\040acct rw - cgroup cgroup rw,cpuacct";
        let found = one(mounts, "3:cpuacct:/docker/f00/inner").unwrap();
        assert_eq!(found.own, Path::new("/sys/fs/cgroup/cpu acct/inner"));
    }

    #[test]
    fn a_group_outside_of_what_is_mounted_is_not_guessed_at() {
        let outside = "31 23 0:27 /docker/f00 /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpuacct";
        let error = one(outside, "3:cpuacct:/elsewhere").unwrap_err();
        assert!(error.contains("/elsewhere"), "{error}");
        let namespaced = "30 23 0:26 /../.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw";
        assert!(one(namespaced, "0::/").is_err());
    }

    #[test]
    fn a_hierarchy_that_also_limits_memory_is_left_alone() {
        let mounts = "31 23 0:27 / /cgroup rw - cgroup cgroup rw,cpuacct,memory";
        let error = one(mounts, "3:cpuacct,memory:/").unwrap_err();
        assert!(error.contains("memory"), "{error}");
    }

    #[test]
    fn garbage_and_nothing_are_no_hierarchy() {
        assert_eq!(among("", "").len(), 0);
        assert_eq!(among("x - y\n31 23 - cgroup\n", "3:cpuacct\n::\n0::/").len(), 0);
        assert_eq!(among(V2, "5:name=systemd:/").len(), 0);
    }
}
