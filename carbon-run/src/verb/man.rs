//! `carbon-run man`: one page, from the definition of the command line.

use crate::cli;
use clap_mangen::Man;
use std::io::{self, Write};

/// The manual page in roff, to be printed.
///
/// # Errors
/// Never in practice: memory takes every write.
pub fn man() -> io::Result<Vec<u8>> {
    let mut command = cli::command();
    command.build();
    let mut page = Vec::new();
    let man = Man::new(command.clone()).manual("User Commands");
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;

    // The generator refers to a page of each verb's own; a program with one page has to say it here.
    writeln!(page, ".SH VERBS")?;
    for verb in command.get_subcommands() {
        write_verb(&mut page, verb)?;
    }
    let prose = command
        .get_after_long_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    write_prose(&mut page, &prose)?;
    Ok(page)
}

/// A verb: a heading, what it does, and its options below headings of a lower rank.
fn write_verb(page: &mut Vec<u8>, verb: &clap::Command) -> io::Result<()> {
    let positionals = verb
        .get_positionals()
        .map(|argument| format!(" {}", argument.get_id().as_str().to_uppercase()));
    let usage: String = std::iter::once(verb.get_name().to_owned())
        .chain(positionals)
        .collect();
    writeln!(page, ".SS carbon-run {usage}")?;
    let about = verb
        .get_long_about()
        .or_else(|| verb.get_about())
        .map(ToString::to_string)
        .unwrap_or_default();
    for paragraph in about.split("\n\n") {
        writeln!(page, "{}\n.PP", escaped(paragraph))?;
    }
    let mut options = Vec::new();
    Man::new(verb.clone()).render_options_section(&mut options)?;
    for line in String::from_utf8_lossy(&options)
        .lines()
        .filter(|line| !line.starts_with(".SH"))
    {
        writeln!(page, "{line}")?;
    }
    Ok(())
}

/// A line that ends with a colon and is not indented is a heading; what is indented keeps its lines.
fn write_prose(page: &mut Vec<u8>, prose: &str) -> io::Result<()> {
    let mut inside = false;
    for line in prose.lines() {
        match line.strip_suffix(':').filter(|heading| !heading.starts_with(' ')) {
            Some(heading) => {
                if inside {
                    writeln!(page, ".fi")?;
                }
                writeln!(page, ".SH {}\n.nf", heading.to_uppercase())?;
                inside = true;
            }
            None => writeln!(page, "{}", escaped(line.strip_prefix("  ").unwrap_or(line)))?,
        }
    }
    if inside {
        writeln!(page, ".fi")?;
    }
    Ok(())
}

/// Text that roff takes for text: backslashes and hyphens as themselves, no line that begins like a request.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) {
        format!("\\&{text}")
    } else {
        text
    }
}
