use super::*;
use crate::sink::small_disk::{on_a_small_disk, tells_of_it};
use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

const HEADER: [&str; 3] = ["run_id", "emissions", "command"];

fn row(id: &str) -> Vec<String> {
    vec![
        id.to_owned(),
        "0.5".to_owned(),
        "say \"hi\", twice\nor not".to_owned(),
    ]
}

fn cells(path: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_path(path)
        .unwrap();
    reader
        .records()
        .map(|record| record.unwrap().iter().map(str::to_owned).collect())
        .collect()
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

#[test]
fn eight_first_writers_at_once_lose_no_row_and_write_one_header() {
    const WRITERS: usize = 8;
    // Each opens the file for itself, and flock(2) is between open files: threads compete as processes do.
    for trial in 0..100 {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("emissions.csv");
        let start = Barrier::new(WRITERS);
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (path, start) = (&path, &start);
                scope.spawn(move || {
                    start.wait();
                    let appended = append_row(path, &HEADER, &row(&format!("{trial}-{writer}"))).unwrap();
                    assert_eq!(
                        appended,
                        Appended {
                            path: path.clone(),
                            notes: Vec::new()
                        }
                    );
                });
            }
        });
        let rows = cells(&path);
        assert_eq!(rows[0], HEADER);
        let ids: BTreeSet<String> = rows[1..].iter().map(|row| row[0].clone()).collect();
        let expected = (0..WRITERS).map(|writer| format!("{trial}-{writer}")).collect();
        assert_eq!((ids, rows.len()), (expected, WRITERS + 1));
    }
}

#[test]
fn writers_survive_a_file_that_is_moved_away_under_them() {
    const WRITERS: usize = 4;
    const MOVES: usize = 20;
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("emissions.csv");
    let moved_enough = AtomicBool::new(false);
    let written: usize = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (path, moved_enough) = (&path, &moved_enough);
                scope.spawn(move || {
                    let mut number = 0;
                    while !moved_enough.load(Ordering::Relaxed) {
                        append_row(path, &HEADER, &row(&format!("{writer}-{number}"))).unwrap();
                        number += 1;
                    }
                    number
                })
            })
            .collect();
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut moves = 0;
        while moves < MOVES && Instant::now() < deadline {
            if fs::rename(&path, home.path().join(format!("moved-{moves}.csv"))).is_ok() {
                moves += 1;
            }
            thread::yield_now();
        }
        moved_enough.store(true, Ordering::Relaxed);
        assert_eq!(moves, MOVES);
        writers.into_iter().map(|writer| writer.join().unwrap()).sum()
    });
    let mut ids = BTreeSet::new();
    for entry in fs::read_dir(home.path()).unwrap() {
        let rows = cells(&entry.unwrap().path());
        // A file that was moved before its first row is empty, and its writer went on to the next one.
        assert!(rows.first().is_none_or(|first| *first == HEADER));
        ids.extend(rows.iter().skip(1).map(|row| row[0].clone()));
    }
    assert_eq!(ids.len(), written);
}

#[test]
fn a_file_that_is_removed_while_a_writer_waits_for_it_is_made_anew() {
    let home = tempfile::tempdir().unwrap();
    let path = fs::canonicalize(home.path()).unwrap().join("emissions.csv");
    write(&path, "run_id,emissions,command\n");
    let holder = File::open(&path).unwrap();
    holder.lock().unwrap();
    let opened = || {
        let descriptors = fs::read_dir("/proc/self/fd").unwrap();
        descriptors
            .filter(|entry| fs::read_link(entry.as_ref().unwrap().path()).is_ok_and(|to| to == path))
            .count()
    };
    thread::scope(|scope| {
        let writer = scope.spawn(|| append_row(&path, &HEADER, &row("1")).unwrap());
        let deadline = Instant::now() + Duration::from_secs(60);
        while opened() < 2 {
            assert!(Instant::now() < deadline, "the writer has not opened the file");
            thread::yield_now();
        }
        fs::remove_file(&path).unwrap();
        holder.unlock().unwrap();
        assert_eq!(writer.join().unwrap().path, path);
    });
    assert_eq!(cells(&path).len(), 2);
}

#[test]
fn a_row_follows_the_order_of_the_file_and_the_ends_of_its_lines() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("emissions.csv");
    write(&path, "\u{feff}command,run_id,emissions\r\nx,old,1\r\n");
    let appended = append_row(&path, &HEADER, &["new".into(), "2".into(), "y".into()]).unwrap();
    assert_eq!(appended.notes, []);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text, "\u{feff}command,run_id,emissions\r\nx,old,1\r\ny,new,2\r\n");
}

#[test]
fn a_last_line_without_its_end_gets_one() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("emissions.csv");
    write(&path, "run_id,emissions,command\nold,1,x");
    append_row(&path, &HEADER, &row("new")).unwrap();
    let ids: Vec<String> = cells(&path).into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(ids, ["run_id", "old", "new"]);
}

#[test]
fn a_file_with_other_columns_is_left_alone_and_the_row_goes_beside_it() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("emissions.csv");
    let foreign = [
        "run_id,emissions\n1,2\n",
        "run_id,emissions,command,extra\n",
        "run_id,run_id,command\n",
        "run_id;emissions;command\n",
        "\0\u{1}\u{2}",
        "\n",
    ];
    for text in foreign {
        write(&path, text);
        let appended = append_row(&path, &HEADER, &row("1")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert_eq!(appended.path, home.path().join("emissions.carbon-run.csv"));
        let message = &appended.notes[0].message;
        assert!(message.contains("has other columns and was left as it is"));
        assert!(message.contains("emissions.carbon-run.csv`"), "{message}");
    }
    // Every one of them went to the same file, which has our columns.
    assert_eq!(
        cells(&home.path().join("emissions.carbon-run.csv")).len(),
        1 + foreign.len()
    );
    write(&home.path().join("emissions.carbon-run.csv"), "mine\n");
    let appended = append_row(&path, &HEADER, &row("1")).unwrap();
    assert_eq!(appended.path, home.path().join("emissions.carbon-run-2.csv"));
    assert_eq!(appended.notes.len(), 1);
    assert!(appended.notes[0].message.contains("emissions.carbon-run-2.csv`"));
}

#[test]
fn a_lock_that_stays_taken_sends_the_row_beside() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("emissions.csv");
    write(&path, "run_id,emissions,command\n");
    let holder = File::open(&path).unwrap();
    holder.lock().unwrap();
    let appended = append_row_within(&path, &HEADER, &row("1"), Duration::from_millis(100)).unwrap();
    assert_eq!(appended.path, home.path().join("emissions.carbon-run.csv"));
    assert!(
        appended.notes[0]
            .message
            .contains("stays locked by another process")
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "run_id,emissions,command\n");
}

#[test]
fn a_full_disk_leaves_whole_rows_only() {
    on_a_small_disk("sink::table::tests::a_full_disk_leaves_whole_rows_only", || {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("emissions.csv");
        let (kept, error) = (0..1000)
            .find_map(|number| {
                append_row(&path, &HEADER, &row(&format!("{number:040}")))
                    .err()
                    .map(|error| (number, error))
            })
            .unwrap();
        assert!(
            tells_of_it(&error.to_string()) && error.hint().is_some(),
            "{error}"
        );
        let rows = cells(&path);
        assert_eq!(
            rows.len(),
            1 + kept,
            "the header and every row that was said to be written"
        );
        assert!(fs::read_to_string(&path).unwrap().ends_with('\n'));
    });
}

#[test]
fn a_first_row_that_does_not_fit_leaves_no_file() {
    on_a_small_disk(
        "sink::table::tests::a_first_row_that_does_not_fit_leaves_no_file",
        || {
            let home = tempfile::tempdir().unwrap();
            let path = home.path().join("emissions.csv");
            append_row(&path, &HEADER, &row(&"x".repeat(4000))).unwrap_err();
            assert!(!path.exists());
        },
    );
}

#[test]
fn what_is_no_file_is_refused_by_its_name() {
    let home = tempfile::tempdir().unwrap();
    let refused = |path: &Path, said: &str| {
        let message = append_row(path, &HEADER, &row("1")).unwrap_err().to_string();
        assert!(
            message.starts_with("cannot append a row to `") && message.ends_with(said),
            "{message}"
        );
    };
    refused(home.path(), "it is a directory");
    refused(Path::new("/dev/full"), "it is a device");
    refused(
        &home.path().join("missing/emissions.csv"),
        "no such file or directory",
    );
    let pipe = home.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    refused(&pipe, "it is a pipe");
    let lost = home.path().join("lost");
    symlink(home.path().join("nowhere"), &lost).unwrap();
    refused(&lost, "it is a symbolic link to nothing");
    assert!(!home.path().join("nowhere").exists());
}

#[test]
fn a_link_to_a_table_leads_to_the_table() {
    let home = tempfile::tempdir().unwrap();
    let (real, link) = (home.path().join("real.csv"), home.path().join("emissions.csv"));
    write(&real, "");
    symlink(&real, &link).unwrap();
    append_row(&link, &HEADER, &row("1")).unwrap();
    assert_eq!(cells(&real).len(), 2);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[test]
fn a_row_of_another_length_never_reaches_the_file() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("emissions.csv");
    append_row(&path, &HEADER, &["1".to_owned()]).unwrap_err();
    assert!(!path.exists());
}
