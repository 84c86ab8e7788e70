//! Where a run is when nobody says: by what the machine has in files, by the cloud's metadata service on the loopback interface, or nowhere.

#![expect(clippy::unwrap_used, reason = "the tests' helpers fail with their test")]

#[path = "support/receiver.rs"]
mod receiver;

use receiver::{Answer, Receiver, nobody};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A machine with two CPUs and these files.
fn machine(home: &Path, files: &[(&str, &str)]) -> PathBuf {
    let root = home.join("machine");
    let cpu = "sys/devices/system/cpu";
    let bare = [
        (format!("{cpu}/online"), "0-1\n"),
        (format!("{cpu}/possible"), "0-1\n"),
    ];
    let named = files.iter().map(|(name, text)| ((*name).to_owned(), *text));
    for (name, text) in bare.into_iter().chain(named) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fs::create_dir_all(root.join("proc")).unwrap();
    root
}

/// The JSON report and the summary of a run there.
fn run(home: &Path, root: &Path, flags: &[&str], variables: &[(&str, &str)]) -> (Value, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_carbon-run"))
        .current_dir(home)
        .env_clear()
        .env("HOME", home)
        .env("PATH", "/usr/bin:/bin")
        .env("CARBON_RUN_STATE_DIR", home.join("state"))
        .envs(variables.iter().copied())
        .args([
            "--accounting",
            "procfs",
            "--no-csv",
            "--json",
            "report.json",
            "--sysroot",
        ])
        .arg(root)
        .args(flags)
        .arg("true")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{told}");
    let report = serde_json::from_slice(&fs::read(home.join("report.json")).unwrap()).unwrap();
    (report, told)
}

const AWS: (&str, &str) = ("sys/class/dmi/id/sys_vendor", "Amazon EC2\n");
const GOOGLE: (&str, &str) = ("sys/class/dmi/id/product_name", "Google Compute Engine\n");
const CLOUD_INIT: (&str, &str) = (
    "run/cloud-init/instance-data.json",
    r#"{"v1":{"cloud_name":"aws","region":"eu-west-1","availability_zone":"eu-west-1b"}}"#,
);

#[test]
fn what_cloud_init_left_is_the_place_and_is_told() {
    let home = tempfile::tempdir().unwrap();
    let root = machine(home.path(), &[CLOUD_INIT]);
    let (report, told) = run(home.path(), &root, &[], &[]);
    assert_eq!(report["intensity"]["place"], "IRL");
    assert_eq!(report["intensity"]["cloud"]["region"], "eu-west-1");
    assert_eq!(
        (&report["pue"], &report["pue_source"]),
        (&1.11.into(), &"Amazon".into())
    );
    assert!(
        told.contains("by cloud-init this is `eu-west-1` of `aws`"),
        "{told}"
    );
}

#[test]
fn a_named_place_goes_before_everything_that_the_machine_says() {
    let home = tempfile::tempdir().unwrap();
    let root = machine(home.path(), &[CLOUD_INIT]);
    let (report, told) = run(home.path(), &root, &["--country", "FR"], &[]);
    assert_eq!(report["intensity"]["place"], "FRA");
    assert!(report["intensity"].get("cloud").is_none());
    assert!(!told.contains("cloud-init"), "{told}");
}

#[test]
fn a_cloud_is_asked_only_where_that_is_wished() {
    let home = tempfile::tempdir().unwrap();
    let root = machine(home.path(), &[AWS]);
    let server = Receiver::start(|_| Answer::Status(200, "eu-west-1"));
    let at = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url.as_str())];
    let (report, told) = run(home.path(), &root, &[], &at);
    assert_eq!(report["intensity"]["place"], "WORLD");
    assert!(told.contains("nothing here says in which region"), "{told}");
    assert_eq!(server.asked().len(), 0);
    // On a machine that is in no cloud, there is nobody to ask.
    let elsewhere = tempfile::tempdir().unwrap();
    let root = machine(elsewhere.path(), &[]);
    run(elsewhere.path(), &root, &["--cloud-metadata"], &at);
    assert_eq!(server.asked().len(), 0);
}

#[test]
fn the_metadata_service_is_asked_once_and_with_a_token() {
    let home = tempfile::tempdir().unwrap();
    let root = machine(home.path(), &[AWS]);
    let server = Receiver::start(|path| match path {
        "/latest/api/token" => Answer::Status(200, "t0ken"),
        _ => Answer::Status(200, "eu-west-1"),
    });
    let at = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url.as_str())];
    for _ in 0..2 {
        let (report, told) = run(home.path(), &root, &["--cloud-metadata"], &at);
        assert_eq!(report["intensity"]["cloud"]["region"], "eu-west-1", "{told}");
    }
    let asked = server.asked();
    assert_eq!(asked.len(), 2, "a token and a region, once");
    assert_eq!(
        (asked[0].method.as_str(), asked[0].path.as_str()),
        ("PUT", "/latest/api/token")
    );
    assert!(asked[0].body.is_empty());
    assert_eq!(asked[1].header("x-aws-ec2-metadata-token"), Some("t0ken"));
}

#[test]
fn google_says_its_zone_and_the_region_is_known_by_it() {
    let home = tempfile::tempdir().unwrap();
    let root = machine(home.path(), &[GOOGLE]);
    let server = Receiver::start(|_| Answer::Status(200, "projects/1/zones/europe-west9-b"));
    let host = server.url.strip_prefix("http://").unwrap();
    let (report, _) = run(
        home.path(),
        &root,
        &["--cloud-metadata"],
        &[("GCE_METADATA_HOST", host)],
    );
    assert_eq!(report["intensity"]["place"], "FRA");
    assert_eq!(server.asked()[0].header("metadata-flavor"), Some("Google"));
}

#[test]
fn a_metadata_service_that_says_nothing_costs_a_note() {
    for answer in [
        Answer::Nothing,
        Answer::Garbage,
        Answer::Status(401, ""),
        Answer::Status(200, "no region\u{7}"),
        Answer::Status(200, "moon-1"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let root = machine(home.path(), &[AWS]);
        let server = Receiver::start(move |_| answer);
        let at = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url.as_str())];
        let (report, _) = run(home.path(), &root, &["--cloud-metadata"], &at);
        assert_eq!(report["intensity"]["place"], "WORLD", "{answer:?}");
        let warnings = report["quality"]["warnings"].to_string();
        assert!(
            warnings.contains("cloud-region-unknown"),
            "{answer:?}: {warnings}"
        );
    }
    let home = tempfile::tempdir().unwrap();
    let root = machine(home.path(), &[AWS]);
    let at = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", &*nobody())];
    let (report, _) = run(home.path(), &root, &["--cloud-metadata"], &at);
    assert!(report["quality"]["warnings"].to_string().contains("cannot reach"));
}
