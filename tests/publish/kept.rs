//! What could not be delivered, and `carbon-run publish`.

use crate::receiver::{Answer, Receiver, nobody};
use crate::{Home, told};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn what_is_kept_is_sent_later_and_once() {
    let home = Home::new();
    let open = Arc::new(AtomicBool::new(false));
    let is_open = Arc::clone(&open);
    let receiver = Receiver::start(move |path| match (is_open.load(Ordering::SeqCst), path) {
        // The run is taken and its emissions are not: the second try must not make a second run.
        (_, "/runs") => Answer::Status(201, r#"{"id": "7"}"#),
        (false, _) => Answer::Status(503, ""),
        (true, _) => Answer::Status(201, ""),
    });
    let output = home
        .carbon_run(&["-q", "--codecarbon-api", &receiver.url, "--experiment-id", "e"])
        .args([
            "--webhook",
            &receiver.url,
            "--prometheus-push",
            &receiver.url,
            "sleep",
            "1.1",
        ])
        .env("CARBON_RUN_CODECARBON_TOKEN", "s3cret")
        .output()
        .unwrap();
    assert!(output.status.success());
    assert_eq!(home.kept().len(), 3, "{}", told(&output));
    for name in home.kept() {
        let file = home.path().join("state/unsent").join(name);
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!std::fs::read_to_string(file).unwrap().contains("s3cret"));
    }

    let listed = home.carbon_run(&["publish", "--list"]).output().unwrap();
    assert_eq!(String::from_utf8(listed.stdout).unwrap().lines().count(), 3);
    let again = home.carbon_run(&["publish"]).output().unwrap();
    assert_eq!(
        (again.status.code(), again.stdout.as_slice()),
        (Some(1), &b"0 sent, 3 still kept\n"[..])
    );

    open.store(true, Ordering::SeqCst);
    let before = receiver.asked().len();
    let again = home.carbon_run(&["publish"]).output().unwrap();
    assert_eq!(
        (again.status.code(), again.stdout.as_slice()),
        (Some(0), &b"3 sent\n"[..]),
        "{}",
        told(&again)
    );
    assert!(home.kept().is_empty());
    let asked = receiver.asked();
    assert_eq!(asked.len(), before + 3);
    assert_eq!(asked.iter().filter(|asked| asked.path == "/runs").count(), 1);
    let emission = asked.iter().rfind(|asked| asked.path == "/emissions").unwrap();
    let emission: Value = serde_json::from_slice(&emission.body).unwrap();
    assert_eq!(emission["run_id"], "7");
    let nothing = home.carbon_run(&["publish"]).output().unwrap();
    assert_eq!(
        (nothing.status.code(), nothing.stdout.as_slice()),
        (Some(0), &b"there is nothing to send\n"[..])
    );
}

#[test]
fn a_recording_is_published_as_its_run_would_have_been() {
    let home = Home::new();
    let receiver = Receiver::start(|_| Answer::Status(200, ""));
    let run = [
        "-q",
        "--country",
        "FR",
        "--record",
        "r.jsonl",
        "--json",
        "r.json",
        "true",
    ];
    assert!(home.carbon_run(&run).status().unwrap().success());
    let output = home
        .carbon_run(&["publish", "--webhook", &receiver.url, "r.jsonl"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", told(&output));
    let sent: Value = serde_json::from_slice(&receiver.asked()[0].body).unwrap();
    let written: Value = serde_json::from_slice(&std::fs::read(home.path().join("r.json")).unwrap()).unwrap();
    assert_eq!(
        (&sent["run_id"], &sent["emissions_g"]),
        (&written["run_id"], &written["emissions_g"])
    );

    let unnamed = home.carbon_run(&["publish", "r.jsonl"]).output().unwrap();
    assert_eq!(unnamed.status.code(), Some(125));
    assert!(told(&unnamed).contains("--webhook"), "{}", told(&unnamed));
    let missing = home
        .carbon_run(&["publish", "--webhook", &receiver.url, "none"])
        .output()
        .unwrap();
    assert!(
        told(&missing).contains("`none`: No such file"),
        "{}",
        told(&missing)
    );
    let refused = home
        .carbon_run(&["publish", "--webhook", &nobody(), "r.jsonl"])
        .output()
        .unwrap();
    assert_eq!((refused.status.code(), home.kept().len()), (Some(1), 1));
}
