//! Where the electricity comes from when nobody says: what the machine itself knows of its cloud, or nothing. A country is never guessed; the
//! time zone is a hint in the message, and no place.

use crate::grid::metadata;
use crate::host::{self, CloudHere};
use crate::launch::sheltered;
use crate::model::recording::Note;
use crate::settings::{Key, Origin, Settings};
use crate::sink::write_file;
use std::path::{Path, PathBuf};

/// What the machine says: provider and region, with a note that tells of it, or why there is nothing.
pub(super) fn look(settings: &Settings) -> (Option<(String, String)>, Vec<Note>) {
    let Some(here) = host::cloud(&settings.sysroot) else {
        return (None, time_zone(settings).into_iter().collect());
    };
    let CloudHere { provider, region, by } = here;
    if let Some(region) = region {
        let note = found(provider, &region, by);
        return (Some((provider.to_owned(), region)), vec![note]);
    }
    if !settings.cloud_metadata {
        let note = Note {
            code: "cloud-region-unknown".to_owned(),
            message: format!(
                "this machine is in the cloud `{provider}`, and nothing here says in which region"
            ),
            hint: Some(format!(
                "name it with `--cloud-provider {provider} --cloud-region REGION`, or let `--cloud-metadata` ask the cloud"
            )),
            // Nobody asked for it: it is as much worth telling as that no place was named.
            degrades: false,
        };
        return (None, vec![note]);
    }
    match asked(settings, provider) {
        Ok(region) => {
            let note = found(provider, &region, "its metadata service");
            (Some((provider.to_owned(), region)), vec![note])
        }
        Err(why) => {
            let note = Note {
                code: "cloud-region-unknown".to_owned(),
                message: format!(
                    "the metadata service of `{provider}` did not say in which region this is: {why}"
                ),
                hint: Some(format!(
                    "name it with `--cloud-provider {provider} --cloud-region REGION`"
                )),
                degrades: true,
            };
            (None, vec![note])
        }
    }
}

fn found(provider: &str, region: &str, by: &str) -> Note {
    Note {
        code: "place-found".to_owned(),
        message: format!("nobody named a place; by {by} this is `{region}` of `{provider}`"),
        hint: None,
        degrades: false,
    }
}

/// Once for as long as the machine runs: what has been said is kept with the number of the boot.
fn asked(settings: &Settings, provider: &str) -> Result<String, String> {
    let kept = kept_in(settings, provider);
    if let Some(region) = kept
        .as_deref()
        .and_then(|path| std::fs::read_to_string(path).ok())
    {
        return Ok(region.trim().to_owned());
    }
    let base = match provider {
        "aws" => std::env::var("AWS_EC2_METADATA_SERVICE_ENDPOINT").ok(),
        "gcp" => std::env::var("GCE_METADATA_HOST")
            .ok()
            .map(|host| format!("http://{host}")),
        _ => None,
    };
    let region = sheltered(|| metadata::region(provider, base.as_deref()))
        .map_err(|error| error.to_string())?
        .ok_or("there was no such answer")?;
    if let Some(path) = kept
        && let Err(error) = write_file(&path, region.as_bytes())
    {
        tracing::debug!(%error, "the region is not kept");
    }
    Ok(region)
}

fn kept_in(settings: &Settings, provider: &str) -> Option<PathBuf> {
    let named = settings.origin(Key::StateDir) != &Origin::Default;
    let directory = settings
        .state_dirs
        .first()
        .filter(|_| named || settings.sysroot == Path::new("/"))?;
    std::fs::create_dir_all(directory).ok()?;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(directory.join(format!("region-{provider}-{}", boot.trim())))
}

/// Below another root the time zone is another machine's.
fn time_zone(settings: &Settings) -> Option<Note> {
    if settings.sysroot != Path::new("/") {
        return None;
    }
    let variable = std::env::var("TZ").ok();
    let (zone, country) = host::time_zone_country(Path::new("/"), variable.as_deref())?;
    Some(Note {
        code: "time-zone".to_owned(),
        message: format!("the time zone, {zone}, suggests `--country {country}`"),
        hint: None,
        degrades: false,
    })
}
