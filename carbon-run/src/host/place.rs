//! Where this machine is, as far as it says so itself: which cloud, which region, and what its time zone suggests.

use serde::Deserialize;
use std::path::Path;

/// A cloud that this machine is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudHere {
    /// `aws`, `azure`, `gcp`.
    pub provider: &'static str,
    /// As the provider writes it, where the machine says.
    pub region: Option<String>,
    /// What says so.
    pub by: &'static str,
}

/// What cloud-init leaves for everybody to read (its documentation, "Instance metadata").
const CLOUD_INIT: &str = "run/cloud-init/instance-data.json";

/// The tag that every Azure machine has for a chassis (Microsoft, "Azure Instance Metadata Service").
const AZURE_TAG: &str = "7783-7084-3265-9085-8269-3286-77";

#[derive(Deserialize)]
struct InstanceData {
    v1: Standard,
}

#[derive(Deserialize)]
struct Standard {
    cloud_name: Option<String>,
    region: Option<String>,
    availability_zone: Option<String>,
}

/// The cloud that the files below `sysroot` tell of; no network is asked.
#[must_use]
pub fn cloud(sysroot: &Path) -> Option<CloudHere> {
    by_cloud_init(sysroot).or_else(|| by_firmware(sysroot))
}

fn by_cloud_init(sysroot: &Path) -> Option<CloudHere> {
    let text = std::fs::read_to_string(sysroot.join(CLOUD_INIT)).ok()?;
    let data: InstanceData = serde_json::from_str(&text).ok()?;
    let provider = match data.v1.cloud_name.as_deref()? {
        "aws" => "aws",
        "azure" => "azure",
        "gce" | "gcp" => "gcp",
        _ => return None,
    };
    let said = |word: Option<String>| word.filter(|word| !word.is_empty() && !word.contains("redacted"));
    Some(CloudHere {
        provider,
        region: said(data.v1.region).or_else(|| said(data.v1.availability_zone)),
        by: "cloud-init",
    })
}

fn by_firmware(sysroot: &Path) -> Option<CloudHere> {
    let read = |name: &str| {
        let text = std::fs::read_to_string(sysroot.join("sys/class/dmi/id").join(name));
        text.map(|text| text.trim().to_owned()).unwrap_or_default()
    };
    let provider =
        if read("sys_vendor") == "Amazon EC2" || read("bios_version").to_lowercase().contains("amazon") {
            "aws"
        } else if read("product_name") == "Google Compute Engine" {
            "gcp"
        } else if read("chassis_asset_tag") == AZURE_TAG {
            "azure"
        } else {
            return None;
        };
    Some(CloudHere {
        provider,
        region: None,
        by: "the firmware",
    })
}

/// The time zone and the ISO2 code of the one country that the zone's own table has it in; a hint, and no place. `root` has `etc` and
/// `usr/share/zoneinfo`, `variable` is `TZ`.
#[must_use]
pub fn time_zone_country(root: &Path, variable: Option<&str>) -> Option<(String, String)> {
    let zone = match variable
        .map(|zone| zone.trim_start_matches(':'))
        .filter(|zone| !zone.is_empty())
    {
        Some(zone) => zone.to_owned(),
        None => {
            let link = std::fs::read_link(root.join("etc/localtime")).ok()?;
            let link = link.to_str()?.to_owned();
            link.split_once("zoneinfo/")?.1.to_owned()
        }
    };
    // `Etc/UTC` and `CET-1CEST` are nowhere.
    if zone.starts_with("Etc/") || !zone.contains('/') {
        return None;
    }
    // Each zone of this table is in one country; zone1970.tab has several for some.
    let table = std::fs::read_to_string(root.join("usr/share/zoneinfo/zone.tab")).ok()?;
    let country = table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .find_map(|line| {
            let mut cells = line.split('\t');
            let country = cells.next()?;
            (cells.nth(1)? == zone).then(|| country.to_owned())
        })?;
    Some((zone, country))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn cloud_init_tells_cloud_and_region() {
        for (name, region, provider) in [
            ("aws", "eu-west-3", "aws"),
            ("azure", "westeurope", "azure"),
            ("gce", "europe-west9", "gcp"),
        ] {
            let text =
                format!(r#"{{"v1":{{"cloud_name":"{name}","region":"{region}","availability_zone":null}}}}"#);
            let root = root(&[(CLOUD_INIT, &text)]);
            let found = cloud(root.path()).unwrap();
            assert_eq!(
                (found.provider, found.region.as_deref()),
                (provider, Some(region))
            );
        }
        for text in [r#"{"v1":{"cloud_name":"nocloud","region":null}}"#, "{}", "x"] {
            assert_eq!(cloud(root(&[(CLOUD_INIT, text)]).path()), None, "{text}");
        }
    }

    #[test]
    fn firmware_tells_the_cloud_and_not_where() {
        for (file, text, provider) in [
            ("sys_vendor", "Amazon EC2\n", "aws"),
            ("bios_version", "4.11.amazon\n", "aws"),
            ("product_name", "Google Compute Engine\n", "gcp"),
            ("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77\n", "azure"),
        ] {
            let root = root(&[(&format!("sys/class/dmi/id/{file}"), text)]);
            let found = cloud(root.path()).unwrap();
            assert_eq!((found.provider, found.region), (provider, None));
        }
        assert_eq!(
            cloud(root(&[("sys/class/dmi/id/sys_vendor", "QEMU\n")]).path()),
            None
        );
    }

    #[test]
    fn a_time_zone_suggests_a_country() {
        let root = root(&[(
            "usr/share/zoneinfo/zone.tab",
            "# comment\nFR\t+4852+00220\tEurope/Paris\nDE\t+5230+01322\tEurope/Berlin\tmost of Germany\n",
        )]);
        fs::create_dir_all(root.path().join("etc")).unwrap();
        symlink(
            "/usr/share/zoneinfo/Europe/Paris",
            root.path().join("etc/localtime"),
        )
        .unwrap();
        let of = |variable| time_zone_country(root.path(), variable).map(|(_, country)| country);
        assert_eq!(of(None).as_deref(), Some("FR"));
        assert_eq!(of(Some(":Europe/Berlin")).as_deref(), Some("DE"));
        assert_eq!((of(Some("UTC")), of(Some("CET-1CEST"))), (None, None));
    }
}
