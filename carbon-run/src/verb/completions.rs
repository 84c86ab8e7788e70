//! `carbon-run completions SHELL`: from the definition of the command line.

use crate::cli;
use clap_complete::Shell;

/// The completions for `shell`, to be printed.
#[must_use]
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "carbon-run", &mut bytes);
    if shell == Shell::Bash {
        with_reachable_verbs(&bytes)
    } else {
        bytes
    }
}

/// The generator for bash (clap_complete 4.6.11) names the state of a verb in one way where it enters the state and, as our
/// name has a hyphen, in another where it looks it up: no verb would ever complete its options.
fn with_reachable_verbs(script: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(script)
        .replace("carbon__subcmd__run", "carbon__run")
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_that_bash_enters_is_one_that_it_knows() {
        let script = String::from_utf8(completions(Shell::Bash)).unwrap();
        let entered: Vec<_> = script
            .lines()
            .filter_map(|line| line.trim().strip_prefix("cmd=\"")?.strip_suffix('"'))
            .filter(|state| !state.is_empty())
            .collect();
        assert_eq!(
            entered.len(),
            1 + cli::command().get_subcommands().count(),
            "{entered:?}"
        );
        for state in entered {
            let known = format!("{state})");
            assert!(script.lines().any(|line| line.trim() == known), "{state}");
        }
    }
}
