//! What a run of `cargo test` came to, read from what it prints.

use std::fmt;

/// How a test that cannot run here says so, on stdout or stderr.
const NOT_RUN: &str = "not run: ";

/// How many lines of what failed tests printed are told again at the end.
const COMPLAINTS: usize = 100;

/// Whether a line is worth showing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    Yes,
    /// What a test that passed has said.
    No,
}

/// Where in a test binary's stdout we are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Part {
    /// Verdicts, one a line.
    #[default]
    Verdicts,
    /// What passed tests printed.
    Successes,
    /// What failed tests printed.
    Failures,
}

/// The sums.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    part: Part,
    /// Whose output is being read.
    speaker: String,
    ok: u64,
    failed: u64,
    /// Those of `failed` that gave a verdict, by name.
    named: Vec<String>,
    /// Binaries that ended with a verdict of failure, and those that cargo says failed.
    failed_binaries: [u64; 2],
    /// Of `ok`, those that failed at first.
    unsteady: Vec<String>,
    /// Of `ok`, those that had nothing to say but that they could not run: libtest knows no third verdict.
    excused: u64,
    /// Test and reason.
    not_run: Vec<(String, String)>,
    /// What failed tests printed.
    complaints: Vec<String>,
}

impl Tally {
    /// Takes a line of the test binaries' stdout.
    pub(crate) fn stdout(&mut self, line: &str) -> Show {
        match line {
            "successes:" => self.part = Part::Successes,
            "failures:" => self.part = Part::Failures,
            _ if line.starts_with("test result: ") || line.starts_with("running ") => {
                self.part = Part::Verdicts;
                self.failed_binaries[0] += u64::from(line.starts_with("test result: FAILED"));
                return Show::Yes;
            }
            _ => {}
        }
        match self.part {
            Part::Verdicts => {
                self.verdict(line);
                Show::Yes
            }
            Part::Successes | Part::Failures => {
                if let Some(name) = line
                    .strip_prefix("---- ")
                    .and_then(|rest| rest.strip_suffix(" stdout ----"))
                {
                    name.clone_into(&mut self.speaker);
                }
                if self.part == Part::Failures {
                    self.complain(line);
                    return Show::Yes;
                }
                self.excuse(line);
                Show::No
            }
        }
    }

    /// Takes a line of stderr, where tests speak past libtest.
    pub(crate) fn stderr(&mut self, line: &str) -> Show {
        self.speaker.clear();
        self.excuse(line);
        let failed = ["error: test failed, ", "error: doctest failed, "];
        self.failed_binaries[1] += u64::from(failed.iter().any(|start| line.starts_with(start)));
        Show::Yes
    }

    /// A binary that died, or did not build, has printed no verdict for what it did not get to.
    pub(crate) fn end(&mut self, success: bool) {
        if !success && self.failed == 0 {
            self.failed = 1;
        }
    }

    /// The failed tests by name, where all that failed is a test with a name: not where a binary died or did not build.
    pub(crate) fn named_failures(&self) -> Option<&[String]> {
        let [by_verdict, by_cargo] = self.failed_binaries;
        let all_named = self.failed == self.named.len() as u64 && by_verdict == by_cargo;
        (all_named && self.failed > 0).then_some(&self.named)
    }

    /// Whether tests ran, and none failed.
    pub(crate) fn all_passed(&self) -> bool {
        self.failed == 0 && self.ok > 0
    }

    /// What failed once passed afterwards.
    pub(crate) fn acquit(&mut self) {
        self.ok += self.failed;
        self.failed = 0;
        self.unsteady.append(&mut self.named);
    }

    /// Tests that failed at first and passed when they were run again.
    pub(crate) fn unsteady(&self) -> &[String] {
        &self.unsteady
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failed
    }

    pub(crate) fn skipped(&self) -> usize {
        self.not_run.len()
    }

    /// What failed tests printed, the first [`COMPLAINTS`] lines of it. A log of thousands of lines is read from its end.
    pub(crate) fn complaints(&self) -> &[String] {
        &self.complaints
    }

    fn complain(&mut self, line: &str) {
        let said = line.trim();
        if said.is_empty() || said == "failures:" || self.complaints.len() >= COMPLAINTS {
            return;
        }
        self.complaints.push(said.to_owned());
    }

    /// What did not run, and why.
    pub(crate) fn not_run(&self) -> impl Iterator<Item = String> {
        self.not_run.iter().map(|(test, reason)| {
            if reason.is_empty() {
                test.clone()
            } else {
                format!("{test}: {reason}")
            }
        })
    }

    fn verdict(&mut self, line: &str) {
        let words = line
            .strip_prefix("test ")
            .and_then(|rest| rest.rsplit_once(" ... "));
        let Some((test, verdict)) = words else { return };
        let (verdict, reason) = verdict.split_once([',', ' ']).unwrap_or((verdict, ""));
        match verdict {
            "ok" => self.ok += 1,
            "FAILED" => {
                self.failed += 1;
                let name = test.strip_suffix(" - should panic").unwrap_or(test);
                self.named.push(name.to_owned());
            }
            "ignored" => self
                .not_run
                .push((test.to_owned(), reason.trim_start().to_owned())),
            _ => {}
        }
    }

    /// `not run: REASON` by the test that is speaking, or `not run: TEST: REASON`.
    fn excuse(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix(NOT_RUN) else {
            return;
        };
        let (test, reason) = match self.speaker.as_str() {
            "" => rest.split_once(": ").unwrap_or((rest, "")),
            speaker => (speaker, rest),
        };
        if self.not_run.iter().all(|(known, _)| known != test) {
            self.excused += 1;
            self.not_run.push((test.to_owned(), reason.to_owned()));
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let passed = self.ok.saturating_sub(self.excused);
        write!(
            f,
            "{passed} passed, {} failed, {} skipped",
            self.failed,
            self.skipped()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(stdout: &str, stderr: &str, success: bool) -> Tally {
        let mut tally = Tally::default();
        for line in stdout.lines() {
            tally.stdout(line);
        }
        for line in stderr.lines() {
            tally.stderr(line);
        }
        tally.end(success);
        tally
    }

    const TWO_BINARIES: &str = "
running 3 tests
test a ... ok
test needs::root ... ok
test slow ... ignored, takes an hour

successes:

---- needs::root stdout ----
not run: needs root
test nested ... ok

successes:
    a
    needs::root

test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s

running 2 tests
test b - should panic ... ok
test c ... FAILED

failures:

---- c stdout ----
not run: half of it

failures:
    c

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
test in_a_harness_of_its_own ... ok (exit status: 0)
";

    #[test]
    fn verdicts_of_all_binaries_are_summed_and_a_test_that_could_not_run_has_not_passed() {
        let tally = tally(TWO_BINARIES, "", false);
        assert_eq!(tally.to_string(), "3 passed, 1 failed, 2 skipped");
        let told: Vec<String> = tally.not_run().collect();
        assert_eq!(told, ["slow: takes an hour", "needs::root: needs root"]);
    }

    #[test]
    fn a_test_may_speak_past_libtest_on_stderr() {
        let tally = tally(
            "test a ... ok\ntest b ... ok\n",
            "not run: b: needs root\nnot run: b: again\n",
            true,
        );
        assert_eq!(tally.to_string(), "1 passed, 0 failed, 1 skipped");
        assert_eq!(tally.not_run().collect::<Vec<_>>(), ["b: needs root"]);
    }

    #[test]
    fn what_passed_tests_printed_is_not_shown_and_what_failed_ones_printed_is() {
        let mut tally = Tally::default();
        let shown: Vec<&str> = TWO_BINARIES
            .lines()
            .filter(|line| tally.stdout(line) == Show::Yes)
            .collect();
        assert!(!shown.contains(&"test nested ... ok"));
        assert!(shown.contains(&"not run: half of it"));
        assert!(shown.contains(&"test b - should panic ... ok"));
    }

    #[test]
    fn what_failed_tests_printed_is_told_again_at_the_end_under_their_names() {
        let tally = tally(TWO_BINARIES, "", false);
        assert_eq!(
            tally.complaints(),
            ["---- c stdout ----", "not run: half of it", "c"]
        );
    }

    const TOLD_BY_CARGO: &str = "error: test failed, to rerun pass `--test c`\n";

    #[test]
    fn failures_with_a_name_can_be_heard_again_and_are_told_apart_when_they_pass() {
        let mut tally = tally(TWO_BINARIES, TOLD_BY_CARGO, false);
        assert_eq!(tally.named_failures(), Some(&["c".to_owned()][..]));
        assert!(!tally.all_passed());
        tally.acquit();
        assert_eq!(tally.to_string(), "4 passed, 0 failed, 2 skipped");
        assert_eq!(tally.unsteady(), ["c"]);
        assert!(tally.all_passed() && tally.named_failures().is_none());
    }

    #[test]
    fn where_a_binary_died_beside_a_failed_test_there_is_nothing_to_hear() {
        let died = format!("{TOLD_BY_CARGO}error: test failed, to rerun pass `--test d`\n");
        assert_eq!(tally(TWO_BINARIES, &died, false).named_failures(), None);
        assert_eq!(
            tally("test a ... ok\n", TOLD_BY_CARGO, false).named_failures(),
            None
        );
        assert_eq!(tally("test a ... ok\n", "", true).named_failures(), None);
    }

    #[test]
    fn a_binary_that_died_without_a_verdict_is_a_failure() {
        assert_eq!(
            tally("test a ... ok\n", "", false).to_string(),
            "1 passed, 1 failed, 0 skipped"
        );
    }
}
