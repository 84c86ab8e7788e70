use super::*;
use crate::sink::small_disk::{on_a_small_disk, tells_of_it};
use std::fs::Permissions;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::thread;

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_replaced_file_keeps_its_mode_and_leaves_nothing_beside_it() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("run.json");
    fs::write(&path, "old and longer").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    write_file(&path, b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
    assert_eq!(names(home.path()), ["run.json"]);
}

#[test]
fn a_new_file_has_the_mode_that_any_program_would_give_it() {
    let home = tempfile::tempdir().unwrap();
    let (ours, usual) = (home.path().join("ours"), home.path().join("usual"));
    write_file(&ours, b"x").unwrap();
    fs::write(&usual, "x").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&ours), mode(&usual));
}

#[test]
fn a_symbolic_link_stays_one_and_its_file_is_replaced() {
    let home = tempfile::tempdir().unwrap();
    let (real, link) = (home.path().join("real"), home.path().join("link"));
    fs::write(&real, "old").unwrap();
    symlink("real", &link).unwrap();
    write_file(&link, b"new").unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(&real).unwrap(), b"new");
}

#[test]
fn a_disk_that_is_full_leaves_the_old_file_and_nothing_else() {
    on_a_small_disk(
        "sink::whole_file::tests::a_disk_that_is_full_leaves_the_old_file_and_nothing_else",
        || {
            let home = tempfile::tempdir().unwrap();
            let path = home.path().join("run.json");
            fs::write(&path, "precious").unwrap();
            let error = write_file(&path, &[b'x'; 1_000_000]).unwrap_err();
            assert!(tells_of_it(&error.to_string()), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
            assert_eq!(names(home.path()), ["run.json"]);
        },
    );
}

#[test]
fn a_device_without_room_is_an_error_with_its_remedy() {
    let error = write_file(Path::new("/dev/full"), b"{}").unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot write `/dev/full`: no space left on device"
    );
    assert!(error.hint().is_some());
}

#[test]
fn a_pipe_gets_the_bytes_when_its_reader_comes_late() {
    let home = tempfile::tempdir().unwrap();
    let pipe = home.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    // More than a pipe holds (64 KiB, pipe(7)), so that the reader must empty it.
    let bytes = vec![b'x'; 300_000];
    let reader = thread::spawn({
        let pipe = pipe.clone();
        move || {
            let mut read = Vec::new();
            File::open(pipe).unwrap().read_to_end(&mut read).unwrap();
            read
        }
    });
    write_file(&pipe, &bytes).unwrap();
    assert!(reader.join().unwrap() == bytes);
}

#[test]
fn an_inherited_descriptor_is_written_where_it_stands() {
    use std::io::Write;
    use std::os::fd::AsRawFd;
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("log");
    let mut log = File::create(&path).unwrap();
    log.write_all(b"before ").unwrap();
    write_file(Path::new(&format!("/dev/fd/{}", log.as_raw_fd())), b"report ").unwrap();
    log.write_all(b"after").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "before report after");
}

#[test]
fn a_missing_directory_is_named_with_its_remedy() {
    let home = tempfile::tempdir().unwrap();
    let error = write_file(&home.path().join("missing/run.json"), b"{}").unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("missing/run.json`: no such file or directory"),
        "{error}"
    );
    assert!(
        error.hint().is_some_and(|hint| hint.ends_with("/missing`")),
        "{:?}",
        error.hint()
    );
}

#[test]
fn a_file_of_ours_in_a_directory_that_admits_no_other_is_written_all_the_same() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("run.json");
    fs::write(&path, "old and longer").unwrap();
    fs::set_permissions(home.path(), Permissions::from_mode(0o555)).unwrap();
    // Root may write to the directory nevertheless; the outcome is the same.
    let written = write_file(&path, b"new");
    fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
    written.unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(names(home.path()), ["run.json"]);
}

#[test]
fn where_no_second_file_is_admitted_the_first_is_overwritten() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("run.json");
    fs::write(&path, "old and longer").unwrap();
    in_place(&path, b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert!(is_the_directorys_fault(&Errno::EBUSY.into()));
    assert!(!is_the_directorys_fault(&Errno::ENOSPC.into()));
}
