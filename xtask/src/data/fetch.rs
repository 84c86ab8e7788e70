//! Downloads the pinned packages with the registries' own clients, checks their bytes and unpacks them.

use super::sources::{self, Package, Registry};
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Unpacked packages by id, below `work`. What is there already with the right bytes is not downloaded again.
pub(crate) fn packages(data: &Path, work: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut unpacked = BTreeMap::new();
    for package in sources::read(data)?.package {
        let archive = work.join(&package.file);
        std::fs::create_dir_all(work).with_context(|| format!("cannot create `{}`", work.display()))?;
        if digest(&archive).ok().as_deref() != Some(&package.sha256) {
            download(&package, work)?;
            let found = digest(&archive)?;
            if found != package.sha256 {
                bail!(
                    "`{}` has sha256 {found}, not {} as pinned",
                    archive.display(),
                    package.sha256
                );
            }
        }
        let folder = work.join(&package.id);
        unpack(&package, &archive, &folder)?;
        unpacked.insert(package.id, folder);
    }
    Ok(unpacked)
}

fn download(package: &Package, work: &Path) -> Result<()> {
    let mut client = match package.registry {
        Registry::Pypi => {
            let mut pip = Command::new("pip");
            pip.args(["download", "--quiet", "--no-deps", "--dest", "."]);
            pip.arg(format!("{}=={}", package.name, package.version));
            pip
        }
        Registry::Npm => {
            let mut npm = Command::new("npm");
            npm.args(["pack", "--silent"])
                .arg(format!("{}@{}", package.name, package.version));
            npm
        }
    };
    finish(client.current_dir(work))
}

fn unpack(package: &Package, archive: &Path, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    match package.registry {
        // A wheel is a zip file, and where pip is, Python is.
        Registry::Pypi => finish(
            Command::new("python3")
                .args(["-m", "zipfile", "-e"])
                .arg(archive)
                .arg(folder),
        ),
        Registry::Npm => finish(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(folder)),
    }
}

fn finish(command: &mut Command) -> Result<()> {
    // npm says the file's name on stdout, which is for the diff.
    let status = command
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("cannot run {command:?}"))?;
    if !status.success() {
        bail!("{command:?} failed: {status}");
    }
    Ok(())
}

fn digest(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}
