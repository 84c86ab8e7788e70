use super::*;
use crate::sink::small_disk::{on_a_small_disk, tells_of_it};
use std::os::unix::fs::OpenOptionsExt;

#[test]
fn lines_are_on_the_disk_as_soon_as_they_are_written() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("run.jsonl");
    let mut lines = LineWriter::create(&path).unwrap();
    lines.append(b"{\"head\":{}}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"head\":{}}\n");
    lines.append(b"{\"tail\":{}}");
    assert_eq!(lines.finish(), None);
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "{\"head\":{}}\n{\"tail\":{}}\n"
    );
}

#[test]
fn an_earlier_recording_is_kept_until_the_run_really_starts() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("run.jsonl");
    fs::write(&path, "an earlier and longer recording\n").unwrap();
    drop(LineWriter::create(&path).unwrap());
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "an earlier and longer recording\n"
    );
    let mut lines = LineWriter::create(&path).unwrap();
    lines.append(b"new");
    drop(lines);
    assert_eq!(fs::read_to_string(&path).unwrap(), "new\n");
}

#[test]
fn a_run_that_never_starts_leaves_no_file() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("run.jsonl");
    drop(LineWriter::create(&path).unwrap());
    assert!(!path.exists());
}

#[test]
fn two_runs_cannot_record_to_one_file() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("run.jsonl");
    let mut first = LineWriter::create(&path).unwrap();
    first.append(b"first");
    let error = LineWriter::create(&path).unwrap_err();
    assert!(
        error.to_string().ends_with("another process is writing to it"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "first\n");
}

#[test]
fn the_first_trouble_ends_the_recording_and_is_told_once() {
    let mut lines = LineWriter::create(Path::new("/dev/full")).unwrap();
    lines.append(b"one");
    lines.append(b"two");
    let note = lines.take_trouble().unwrap();
    assert_eq!(
        note.message,
        "cannot record to `/dev/full`: no space left on device; what was recorded so far is kept"
    );
    assert!(note.hint.is_some());
    lines.append(b"three");
    assert_eq!(lines.take_trouble(), None);
    assert_eq!(lines.finish(), None);
}

#[test]
fn a_full_disk_leaves_whole_lines_only() {
    on_a_small_disk(
        "sink::line_file::tests::a_full_disk_leaves_whole_lines_only",
        || {
            let home = tempfile::tempdir().unwrap();
            let path = home.path().join("run.jsonl");
            let mut lines = LineWriter::create(&path).unwrap();
            let line = [b'x'; 99];
            for _ in 0..1000 {
                lines.append(&line);
            }
            assert!(lines.finish().is_some_and(|note| tells_of_it(&note.message)));
            let text = fs::read_to_string(&path).unwrap();
            assert!(!text.is_empty() && text.lines().all(|kept| kept.as_bytes() == line));
            assert!(text.ends_with('\n'));
        },
    );
}

#[test]
fn a_pipe_that_nobody_reads_is_refused_before_the_run_and_does_not_hold_it_up() {
    let home = tempfile::tempdir().unwrap();
    let pipe = home.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let error = LineWriter::create(&pipe).unwrap_err();
    assert_eq!(
        error.hint().as_deref(),
        Some("start the reader of the pipe first")
    );

    // A reader that never reads: the pipe fills up, and the recording ends instead of waiting.
    let _reader = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(&pipe)
        .unwrap();
    let mut lines = LineWriter::create(&pipe).unwrap();
    let line = vec![b'x'; 50_000];
    for _ in 0..10 {
        lines.append(&line);
    }
    assert!(lines.take_trouble().is_some());
}
