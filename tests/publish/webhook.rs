//! Any address.

use crate::deadline::until;
use crate::receiver::{Answer, Receiver, nobody};
use crate::{Home, told};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::process::Stdio;
use std::time::{Duration, Instant};

const OK: Answer = Answer::Status(200, "");

#[test]
fn a_webhook_gets_the_json_report_with_a_token_that_is_nowhere_else() {
    let home = Home::new();
    let receiver = Receiver::start(|_| OK);
    let url = format!("{}/hooks/t0ken?key=s3cret", receiver.url);
    let output = home
        .carbon_run(&["--webhook", &url, "--json", "r.json", "--record", "r.jsonl", "-v"])
        .args(["sh", "-c", "echo out; exit 3"])
        .env("CARBON_RUN_WEBHOOK_TOKEN", "s3cret")
        .output()
        .unwrap();
    assert_eq!(
        (output.status.code(), output.stdout.as_slice()),
        (Some(3), &b"out\n"[..])
    );
    let asked = receiver.asked();
    assert_eq!(asked.len(), 1, "{}", told(&output));
    assert_eq!(
        (asked[0].method.as_str(), asked[0].path.as_str()),
        ("POST", "/hooks/t0ken?key=s3cret")
    );
    assert_eq!(asked[0].header("content-type"), Some("application/json"));
    assert_eq!(asked[0].header("authorization"), Some("Bearer s3cret"));
    let sent: Value = serde_json::from_slice(&asked[0].body).unwrap();
    let written: Value = serde_json::from_slice(&std::fs::read(home.path().join("r.json")).unwrap()).unwrap();
    assert_eq!(sent, written);
    assert_eq!(sent["schema"], "carbon-run/report/1");
    let recorded = std::fs::read_to_string(home.path().join("r.jsonl")).unwrap();
    for text in [&told(&output), &recorded, &written.to_string()] {
        assert!(!text.contains("s3cret"), "{text}");
    }
    assert!(home.kept().is_empty());
}

#[test]
fn whatever_a_receiver_does_the_job_ends_as_it_ended_and_the_report_is_kept() {
    for (answer, why) in [
        (
            Answer::Status(500, "out of order"),
            "it answered 500: out of order",
        ),
        (Answer::Status(401, ""), "it answered 401"),
        (Answer::Status(302, ""), "it answered 302"),
        (Answer::Garbage, "cannot reach"),
        (Answer::Nothing, "within"),
    ] {
        let home = Home::new();
        let receiver = Receiver::start(move |_| answer);
        let url = format!("{}/services/s3cret", receiver.url);
        let begun = Instant::now();
        let output = home
            .carbon_run(&["-q", "--webhook", &url, "--publish-timeout", "300ms"])
            .args(["sh", "-c", "echo out; exit 7"])
            .output()
            .unwrap();
        // Far more than the limit, and far less than for ever.
        assert!(begun.elapsed() < Duration::from_secs(60), "{answer:?}");
        assert_eq!(
            (output.status.code(), output.stdout.as_slice()),
            (Some(7), &b"out\n"[..])
        );
        let told = told(&output);
        assert!(
            told.contains(why) && told.contains("hint: "),
            "{answer:?}: {told}"
        );
        assert!(
            told.contains(&format!("the webhook at `{}/...` was not told", receiver.url)),
            "{told}"
        );
        assert!(!told.contains("s3cret"), "{told}");
        assert_eq!(home.kept().len(), 1, "{answer:?}");
    }
}

#[test]
fn a_job_that_a_signal_ends_ends_so_whatever_a_receiver_does() {
    use std::os::unix::process::ExitStatusExt;
    let home = Home::new();
    let output = home
        .carbon_run(&["-q", "--webhook", &nobody(), "sh", "-c", "kill -TERM $$"])
        .output()
        .unwrap();
    assert_eq!(output.status.signal(), Some(15));
    assert_eq!(home.kept().len(), 1);
    assert!(told(&output).contains("cannot reach"), "{}", told(&output));
}

#[test]
fn several_receivers_share_one_limit() {
    let home = Home::new();
    let slow = Receiver::start(|_| Answer::Nothing);
    let good = Receiver::start(|_| OK);
    let output = home
        .carbon_run(&["-q", "--webhook", &slow.url, "--prometheus-push", &good.url])
        .args([
            "--codecarbon-api",
            &slow.url,
            "--experiment-id",
            "e",
            "--publish-timeout",
            "2s",
        ])
        .args(["sleep", "1"])
        .output()
        .unwrap();
    assert!(output.status.success());
    // The limit is up for both at once: had one waited for the other, it would not have been asked at all.
    assert_eq!(slow.asked().len(), 2);
    assert_eq!(good.asked().len(), 1);
    assert_eq!(home.kept().len(), 2, "{}", told(&output));
}

#[test]
fn a_receiver_of_codecarbons_endpoint_gets_what_it_expects() {
    let home = Home::new();
    let receiver = Receiver::start(|_| Answer::Status(201, ""));
    let config = format!(
        "[codecarbon]\nemissions_endpoint = {}/emissions\nproject_name = digits\n",
        receiver.url
    );
    std::fs::write(home.path().join(".codecarbon.config"), config).unwrap();
    let output = home
        .carbon_run(&["-q", "--country", "FR", "true"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", told(&output));
    let asked = receiver.asked();
    assert_eq!(asked[0].path, "/emissions");
    let body: Value = serde_json::from_slice(&asked[0].body).unwrap();
    let body = body.as_object().unwrap();
    assert_eq!(body.len(), 39, "38 columns and the user");
    assert_eq!(
        (&body["project_name"], &body["country_iso_code"]),
        (&"digits".into(), &"FRA".into())
    );
    assert!(body["emissions"].is_f64() && body["user"].is_string(), "{body:?}");
}

#[test]
fn whoever_does_not_want_to_wait_breaks_it_off_and_the_status_stays() {
    use std::os::unix::process::ExitStatusExt;
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let home = Home::new();
        let silent = Receiver::start(|_| Answer::Nothing);
        let run = home
            .carbon_run(&[
                "-q",
                "--webhook",
                &silent.url,
                "--publish-timeout",
                "5m",
                "sh",
                "-c",
                "exit 3",
            ])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        until("the receiver is asked", || !silent.asked().is_empty());
        kill(Pid::from_raw(run.id().cast_signed()), signal).unwrap();
        let output = run.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.status.signal()), (Some(3), None));
        assert!(
            told(&output).contains("a signal broke it off"),
            "{}",
            told(&output)
        );
        assert_eq!(home.kept().len(), 1);
    }
}
