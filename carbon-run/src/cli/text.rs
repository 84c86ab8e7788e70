//! The prose of the help: what the flags' own lines do not say.

pub(super) const ABOUT: &str =
    "Runs a command exactly as the shell would, and says how much energy and CO2eq that job used";

pub(super) const LONG_ABOUT: &str = "\
Runs a command exactly as the shell would, and says how much energy and CO2eq that job used.

The command keeps its terminal, streams, signals and exit status. Its energy is its own, also on a machine that others use \
at the same time. The summary goes to stderr, and a row is added to emissions.csv.";

pub(super) const USAGE: &str = "\
carbon-run [OPTIONS] [--] COMMAND [ARG]...
       carbon-run VERB ...";

pub(super) const AFTER_SHORT_HELP: &str = "`--help` says more, with examples.";

/// Each heading of it is a section of the man page.
pub(super) const AFTER_LONG_HELP: &str = "\
Examples:
  Measure a training run in France:
    carbon-run --country FR python train.py
  Options after the command's name belong to the command:
    carbon-run make -j8 --quiet
  Keep stdout for the job, and the figures in a file:
    carbon-run -q --no-csv --json report.json ./simulate > result.txt
  Record once, then ask what the same run would have been elsewhere:
    carbon-run --record run.jsonl cargo build
    carbon-run replay run.jsonl --region CA-QC --pue 1.2
  Run a program that has the name of a verb:
    carbon-run -- doctor
  See what this machine can measure, and how to get the rest:
    carbon-run doctor

Settings:
  Each option has a key of its name in a config file, and a variable in the environment:
    --output-dir runs    output-dir = \"runs\"    CARBON_RUN_OUTPUT_DIR=runs
  A later one of these wins over an earlier one:
    /etc/carbon-run.toml
    ~/.config/carbon-run/config.toml ($XDG_CONFIG_HOME)
    ./carbon-run.toml
    CARBON_RUN_*
    options
  A switch is `true` or `false` there; --no-csv is `csv = false`. Relative paths are relative to
  the working directory. A mistake in one of these is an error before the command starts.

Exit status:
  That of the command; a command that a signal ended ends carbon-run by the same signal.
  125  carbon-run itself failed, before the command started
  126  the command cannot be executed
  127  the command was not found";
