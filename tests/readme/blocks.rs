//! Commands and what stands below them, in the `console` blocks of a document.

/// A command, and what is expected of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) command: String,
    /// `? 3` below the command; else 0.
    pub(crate) status: i32,
    /// The lines of its output that are shown.
    pub(crate) shown: Vec<String>,
}

/// Every command of every `console` block.
pub(crate) fn steps(document: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in document.lines() {
        if let Some(language) = line.strip_prefix("```") {
            inside = !inside && language == "console";
        } else if inside && let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step {
                command: command.to_owned(),
                status: 0,
                shown: Vec::new(),
            });
        } else if inside && let Some(step) = steps.last_mut() {
            match line.strip_prefix("? ") {
                Some(status) => step.status = status.parse().unwrap(),
                None if line.is_empty() => {}
                None => step.shown.push(line.to_owned()),
            }
        }
    }
    steps
}

impl Step {
    /// Whether the shown lines stand in the output, in their order. Figures differ from run to run and from machine to
    /// machine, and the width of columns with them: of a line with digits only the indentation and the first word are held
    /// to, of any other the words.
    ///
    /// # Errors
    /// The first line that is missing.
    pub(crate) fn check(&self, output: &str) -> Result<(), String> {
        let mut lines = output.lines();
        for shown in &self.shown {
            if !lines.any(|line| alike(shown, line)) {
                return Err(shown.clone());
            }
        }
        Ok(())
    }
}

fn alike(shown: &str, line: &str) -> bool {
    let same_words = shown.split_whitespace().eq(line.split_whitespace());
    let has_figures = shown.contains(|c: char| c.is_ascii_digit());
    indent(shown) == indent(line) && (same_words || (has_figures && first_word(shown) == first_word(line)))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn first_word(line: &str) -> Option<&str> {
    line.split_whitespace().next()
}

#[test]
fn commands_are_found_with_their_status_and_their_output() {
    let found = steps("a\n```sh\n$ no\n```\n```console\n$ x -y\none\n\n$ z\n? 3\n```\n$ no\n");
    let step = |command: &str, status, shown: &[&str]| Step {
        command: command.to_owned(),
        status,
        shown: shown.iter().map(|&line| line.to_owned()).collect(),
    };
    assert_eq!(found, [step("x -y", 0, &["one"]), step("z", 3, &[])]);
}

#[test]
fn words_must_be_the_same_and_figures_may_differ() {
    let step = |shown: &str| Step {
        command: String::new(),
        status: 0,
        shown: shown.lines().map(ToOwned::to_owned).collect(),
    };
    let output = "hello\n  energy  4 J\n  time    2 s\n";
    assert_eq!(step("hello\n  energy  9.1 kJ  +- 3 %").check(output), Ok(()));
    assert_eq!(step("hell").check(output), Err("hell".to_owned()));
    assert_eq!(step("energy 4 J").check(output), Err("energy 4 J".to_owned()));
    assert_eq!(step("  gpu  none").check("  gpu      none\n"), Ok(()));
    assert_eq!(
        step("  time 1 s\n  energy 1 J").check(output),
        Err("  energy 1 J".to_owned())
    );
}
