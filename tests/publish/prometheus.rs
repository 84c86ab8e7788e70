//! Metrics, in a file and at a Pushgateway.

use crate::receiver::{Answer, Receiver};
use crate::{Home, told};

#[test]
fn metrics_are_in_the_file_and_at_the_gateway() {
    let home = Home::new();
    let gateway = Receiver::start(|_| Answer::Status(202, ""));
    let output = home
        .carbon_run(&[
            "-q",
            "--country",
            "FR",
            "--project",
            "a/b",
            "--prometheus-file",
            "run.prom",
        ])
        .args([
            "--prometheus-push",
            &gateway.url,
            "--prometheus-user",
            "me",
            "true",
        ])
        .env("CARBON_RUN_PROMETHEUS_PASSWORD", "s3cret")
        .output()
        .unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        told(&output)
    );
    let text = std::fs::read(home.path().join("run.prom")).unwrap();
    let asked = gateway.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].method, "PUT");
    assert!(
        asked[0].path.starts_with("/metrics/job/carbon-run/instance/"),
        "{}",
        asked[0].path
    );
    assert!(
        asked[0].path.ends_with("/project@base64/YS9i"),
        "{}",
        asked[0].path
    );
    // me:s3cret
    assert_eq!(asked[0].header("authorization"), Some("Basic bWU6czNjcmV0"));
    assert_eq!(asked[0].body, text);
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.contains("carbon_run_duration_seconds{project=\"a/b\"} "),
        "{text}"
    );
}
