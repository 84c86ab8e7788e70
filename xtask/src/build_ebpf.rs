//! Builds the eBPF object that carbon-run embeds, and says whether the committed one is that of the committed sources.

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What `build-ebpf` can be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only check that the committed object was built from the committed sources; needs no toolchain
    #[arg(long)]
    check: bool,
    /// Leave the committed object alone and write the new one here
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    out: Option<PathBuf>,
}

const OBJECT: &str = "carbon-ebpf/prebuilt/carbon-ebpf.o";
const DIGEST: &str = "carbon-ebpf/prebuilt/SOURCES.sha256";
const TARGET: &str = "bpfel-unknown-none";

/// What the object is built from.
const SOURCES: [&str; 5] = [
    "carbon-ebpf/Cargo.toml",
    "carbon-ebpf/Cargo.lock",
    "carbon-ebpf/src",
    "carbon-common/Cargo.toml",
    "carbon-common/src",
];

/// Builds, or checks.
pub(crate) fn run(options: &Options) -> Result<()> {
    if options.check {
        return check();
    }
    let root = root()?;
    let digest = digest(&root)?;
    let built = build(&root)?;
    let object =
        strip(&std::fs::read(&built).with_context(|| format!("cannot read `{}`", built.display()))?)?;
    match &options.out {
        Some(out) => {
            std::fs::write(out, object).with_context(|| format!("cannot write `{}`", out.display()))?
        }
        None => {
            std::fs::write(root.join(OBJECT), object).with_context(|| format!("cannot write `{OBJECT}`"))?;
            std::fs::write(root.join(DIGEST), format!("{digest}\n"))
                .with_context(|| format!("cannot write `{DIGEST}`"))?;
        }
    }
    Ok(())
}

/// Whether the committed object was built from the committed sources.
pub(crate) fn check() -> Result<()> {
    let root = root()?;
    let committed =
        std::fs::read_to_string(root.join(DIGEST)).with_context(|| format!("cannot read `{DIGEST}`"))?;
    ensure!(
        committed.trim() == digest(&root)?,
        "`{OBJECT}` was built from other sources than these: run `cargo xtask build-ebpf` and commit what it writes"
    );
    Ok(())
}

/// The repository that this xtask was built from.
pub(crate) fn root() -> Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest
        .parent()
        .map(Path::to_owned)
        .context("xtask lies in no workspace")
}

/// SHA-256 over every source file's path and contents, in order of path.
fn digest(root: &Path) -> Result<String> {
    let mut files = Vec::new();
    for source in SOURCES {
        collect(&root.join(source), &mut files)?;
    }
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        let name = file.strip_prefix(root)?.to_string_lossy().into_owned();
        let contents = std::fs::read(&file).with_context(|| format!("cannot read `{name}`"))?;
        hash.update(name.as_bytes());
        hash.update([0]);
        hash.update((contents.len() as u64).to_le_bytes());
        hash.update(contents);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).with_context(|| format!("cannot list `{}`", path.display()))? {
            collect(&entry?.path(), files)?;
        }
    } else {
        files.push(path.to_owned());
    }
    Ok(())
}

/// A way to build for the BPF target, which needs `core` built from source.
struct Toolchain {
    cargo: Command,
    sysroot: PathBuf,
}

/// What to do where the BPF target cannot be compiled for.
pub(crate) const NO_TOOLCHAIN: &str = "no toolchain for the BPF target: install rustup's nightly with the component \
     rust-src, or Debian's rustc-web, cargo-web and rust-web-src (CONTRIBUTING.md, \"Building the eBPF object\")";

fn build(root: &Path) -> Result<PathBuf> {
    ensure!(
        Command::new("bpf-linker")
            .arg("--version")
            .output()
            .is_ok_and(|out| out.status.success()),
        "`bpf-linker` is missing: see CONTRIBUTING.md, \"Building the eBPF object\""
    );
    let mut cargo = cargo_for_ebpf(root, "build")?.context(NO_TOOLCHAIN)?;
    let status = cargo.status().context("cannot run cargo")?;
    ensure!(status.success(), "building carbon-ebpf failed");
    Ok(target_dir(root).join(TARGET).join("release/carbon-ebpf"))
}

fn target_dir(root: &Path) -> PathBuf {
    root.join("target/ebpf")
}

/// `cargo VERB` of carbon-ebpf for the BPF target; `None` where no toolchain can compile for it.
pub(crate) fn cargo_for_ebpf(root: &Path, verb: &str) -> Result<Option<Command>> {
    let Some(Toolchain { mut cargo, sysroot }) = rustup_nightly().or_else(debian) else {
        return Ok(None);
    };
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    // The object is committed: nothing of the building machine may be in it.
    let mut flags = vec![
        OsString::from("-Cdebuginfo=2"),
        OsString::from("-Clink-arg=--btf"),
    ];
    if verb == "check" {
        flags.push(OsString::from("-Dwarnings"));
    }
    let mut remap = |from: &Path, to: &str| {
        let mut flag = OsString::from("--remap-path-prefix=");
        flag.push(from);
        flag.push("=");
        flag.push(to);
        flags.push(flag);
    };
    remap(&sysroot, "rust");
    if let Some(registry) = home.as_deref().map(|home| home.join("registry/src")) {
        for index in std::fs::read_dir(&registry).into_iter().flatten().flatten() {
            remap(&index.path(), "registry");
        }
    }
    remap(root, "carbon-run");
    cargo
        .current_dir(root.join("carbon-ebpf"))
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join(&OsString::from("\u{1f}")))
        .env("CARGO_TARGET_DIR", target_dir(root))
        .arg(verb)
        .args([
            "--release",
            "--locked",
            "-Z",
            "build-std=core",
            "--target",
            TARGET,
        ]);
    Ok(Some(cargo))
}

fn rustup_nightly() -> Option<Toolchain> {
    let out = Command::new("rustup")
        .args(["run", "nightly", "rustc", "--print", "sysroot"])
        .output()
        .ok()?;
    let sysroot = PathBuf::from(String::from_utf8(out.stdout).ok()?.trim());
    if !out.status.success() || !sysroot.join("lib/rustlib/src/rust/library/core").is_dir() {
        return None;
    }
    let mut cargo = Command::new("rustup");
    cargo.args(["run", "nightly", "cargo"]);
    // What runs us is another toolchain's cargo, whose settings must not reach this one.
    cargo.env_remove("RUSTC").env_remove("RUSTUP_TOOLCHAIN");
    Some(Toolchain { cargo, sysroot })
}

/// Debian's own matched packages. A stable compiler takes nightly flags when told to (RUSTC_BOOTSTRAP).
fn debian() -> Option<Toolchain> {
    let sysroot = PathBuf::from("/usr");
    if !sysroot.join("lib/rustlib/src/rust/library/core").is_dir() || !sysroot.join("bin/cargo").is_file() {
        return None;
    }
    let mut cargo = Command::new("/usr/bin/cargo");
    cargo
        .env("RUSTC", "/usr/bin/rustc")
        .env("RUSTC_BOOTSTRAP", "1")
        .env_remove("RUSTUP_TOOLCHAIN");
    Some(Toolchain { cargo, sysroot })
}

/// Leaves out DWARF and line information: five sixths of the object, read by nobody.
fn strip(object: &[u8]) -> Result<Vec<u8>> {
    let mut builder = object::build::elf::Builder::read(object).context("the built object is no ELF file")?;
    for section in &mut builder.sections {
        let name = section.name.to_string();
        if [".debug", ".rel.debug", ".BTF.ext", ".rel.BTF"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
        {
            section.delete = true;
        }
    }
    // LLVM keeps the names of sections and of symbols in one table; the writer wants one each.
    let names = builder.sections.add();
    names.name = b".shstrtab".as_slice().into();
    names.sh_type = object::elf::SHT_STRTAB;
    names.sh_addralign = 1;
    names.data = object::build::elf::SectionData::SectionString;
    let mut stripped = Vec::new();
    builder
        .write(&mut stripped)
        .context("cannot write the stripped object")?;
    if let Some(leak) = machine_path(&stripped) {
        bail!("the object names a path of this machine: `{leak}`");
    }
    Ok(stripped)
}

/// A string in the object that starts like this machine's home or working directory.
fn machine_path(object: &[u8]) -> Option<String> {
    let places = [std::env::home_dir(), root().ok()];
    let places: Vec<String> = places
        .into_iter()
        .flatten()
        .map(|place| place.to_string_lossy().into_owned())
        .collect();
    object
        .split(|byte| !(0x20..0x7f).contains(byte))
        .filter_map(|text| std::str::from_utf8(text).ok())
        .find(|text| {
            places
                .iter()
                .any(|place| place.len() > 1 && text.contains(place.as_str()))
        })
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_object_is_that_of_the_committed_sources() {
        run(&Options {
            check: true,
            out: None,
        })
        .unwrap();
    }

    #[test]
    fn any_change_of_a_source_changes_the_digest() {
        let root = tempfile::tempdir().unwrap();
        for source in SOURCES {
            let path = root.path().join(source);
            let file = if source.contains(".") {
                path
            } else {
                path.join("main.rs")
            };
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, "one").unwrap();
        }
        let before = digest(root.path()).unwrap();
        std::fs::write(root.path().join("carbon-common/src/main.rs"), "two").unwrap();
        assert_ne!(digest(root.path()).unwrap(), before);
    }

    #[test]
    fn the_committed_object_names_no_machine() {
        let object = std::fs::read(root().unwrap().join(OBJECT)).unwrap();
        assert_eq!(machine_path(&object), None);
    }
}
