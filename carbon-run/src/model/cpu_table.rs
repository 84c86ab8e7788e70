//! A person's own table of CPU power (`--cpu-table FILE`), for machines that the built-in tables do not know or know badly.
//!
//! CSV with a header; `#` begins a comment. Columns, in any order:
//!
//! | column | is |
//! |---|---|
//! | `model` | the name in /proc/cpuinfo, the vendor's name of the part, or a microarchitecture as `doctor` prints it (`Arm Neoverse N1`) |
//! | `tdp_w` | design power of a package in watts; in a virtual machine, of all the CPUs that it sees; up to 2000 |
//! | `idle_w` | optional: watts with nothing to do, not above `tdp_w` |
//! | `threads` | optional: how many hardware threads `tdp_w` is for; the CPUs that are seen count by their number |
//! | `source` | where the figures come from; it goes into the report |

use super::cpu_key::cpu_key;
use super::cpu_series::plain;
use super::csv_lines::line_at;
use csv::StringRecord;

/// More than any package draws.
const HIGHEST_W: f64 = 2000.0;
const COLUMNS: [&str; 5] = ["model", "tdp_w", "idle_w", "threads", "source"];
const OPTIONAL: [&str; 2] = ["idle_w", "threads"];

/// The table, validated.
#[derive(Debug, Clone, PartialEq)]
pub struct CpuTable {
    /// What the file is called, for the report.
    file: String,
    rows: Vec<StatedCpu>,
}

/// A row of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StatedCpu {
    pub(super) model: String,
    key: Option<String>,
    plain: String,
    /// Above 0.
    pub(super) tdp_w: f64,
    /// From 0 to `tdp_w`.
    pub(super) idle_w: Option<f64>,
    /// At least 1.
    pub(super) threads: Option<u32>,
    pub(super) source: String,
}

/// A table that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub struct CpuTableError {
    /// As it was named.
    file: String,
    /// From 1.
    line: u64,
    problem: String,
}

impl CpuTableError {
    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        "the table is CSV with the columns `model,tdp_w,source` and, if you like, `idle_w` and `threads`"
    }
}

impl CpuTable {
    /// A file's text; `file` is what it is called.
    ///
    /// # Errors
    /// The first line that is no row, with what is wrong with it.
    pub fn parse(file: &str, text: &[u8]) -> Result<Self, CpuTableError> {
        let wrong = |line: u64, problem: String| CpuTableError {
            file: file.to_owned(),
            line,
            problem,
        };
        let broken = |error: &csv::Error| {
            let line = line_at(text, error.position());
            let problem = if let csv::ErrorKind::Utf8 { .. } = error.kind() {
                "the text is not UTF-8".to_owned()
            } else if let csv::ErrorKind::UnequalLengths {
                expected_len, len, ..
            } = error.kind()
            {
                format!("the row has {len} cells, not {expected_len} as the header has")
            } else {
                "the text is not CSV".to_owned()
            };
            wrong(line, problem)
        };
        let mut reader = csv::ReaderBuilder::new()
            .comment(Some(b'#'))
            .trim(csv::Trim::All)
            .from_reader(text);
        let header = reader.headers().map_err(|error| broken(&error))?.clone();
        let header_line = line_at(text, header.position());
        if let Some(unknown) = header.iter().find(|name| !COLUMNS.contains(name)) {
            return Err(wrong(header_line, format!("unknown column `{unknown}`")));
        }
        for name in COLUMNS {
            let times = header.iter().filter(|found| *found == name).count();
            if times > 1 {
                return Err(wrong(header_line, format!("the column `{name}` is there twice")));
            }
            if times == 0 && !OPTIONAL.contains(&name) {
                return Err(wrong(header_line, format!("the column `{name}` is missing")));
            }
        }
        let mut rows: Vec<StatedCpu> = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| broken(&error))?;
            let line = line_at(text, record.position());
            let row = row(&header, &record).map_err(|problem| wrong(line, problem))?;
            if rows.iter().any(|other| other.plain == row.plain) {
                return Err(wrong(line, format!("`{}` is there twice", row.model)));
            }
            rows.push(row);
        }
        if rows.is_empty() {
            return Err(wrong(header_line, "the table has no rows".to_owned()));
        }
        Ok(Self {
            file: file.to_owned(),
            rows,
        })
    }

    /// What the file is called.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The row of a CPU, by the first of its names that has one: literally, or by the same model number.
    pub(super) fn row<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Option<&StatedCpu> {
        names.into_iter().find_map(|name| {
            let (whole, key) = (plain(name), cpu_key(name));
            let literally = self.rows.iter().find(|row| row.plain == whole);
            literally.or_else(|| self.rows.iter().find(|row| key.is_some() && row.key == key))
        })
    }
}

fn row(header: &StringRecord, record: &StringRecord) -> Result<StatedCpu, String> {
    let cell = |name: &str| {
        let at = header.iter().position(|found| found == name);
        at.and_then(|at| record.get(at)).unwrap_or_default()
    };
    let text = |name: &str| match cell(name) {
        "" => Err(format!("`{name}` is empty")),
        text => Ok(text.to_owned()),
    };
    let watts = |name: &str, highest: f64| {
        let cell = cell(name);
        let number = cell.parse::<f64>().ok();
        number
            .filter(|watts| (0.0..=highest).contains(watts))
            .ok_or_else(|| {
                format!("`{name}` is `{cell}`, which is not a number of watts from 0 to {highest}")
            })
    };
    let model = text("model")?;
    let tdp_w = watts("tdp_w", HIGHEST_W)?;
    if tdp_w <= 0.0 {
        return Err("`tdp_w` is `0`, and no CPU draws nothing".to_owned());
    }
    let idle_w = match cell("idle_w") {
        "" => None,
        _ => Some(watts("idle_w", tdp_w)?),
    };
    let threads = match cell("threads") {
        "" => None,
        number => Some(
            number
                .parse::<u32>()
                .ok()
                .filter(|threads| *threads > 0)
                .ok_or_else(|| format!("`threads` is `{number}`, which is not a number of at least 1"))?,
        ),
    };
    Ok(StatedCpu {
        key: cpu_key(&model),
        plain: plain(&model),
        model,
        tdp_w,
        idle_w,
        threads,
        source: text("source")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<CpuTable, CpuTableError> {
        CpuTable::parse("my.csv", text.as_bytes())
    }

    #[track_caller]
    fn refused(text: &str, told: &str) {
        assert_eq!(table(text).unwrap_err().to_string(), told);
    }

    #[test]
    fn a_row_is_found_by_the_kernels_name_by_the_vendors_and_by_one_without_a_number() {
        let table = table(
            "# mine\nsource,model,tdp_w,idle_w,threads\nplug,AMD EPYC 9R14,400,90,192\n\
             plug, Intel(R) Xeon(R) Processor @ 2.90GHz ,12,,\nplug,arm neoverse n1,180,,\n",
        )
        .unwrap();
        let found = |name: &str| table.row([name]).map(|row| row.tdp_w);
        assert_eq!(found("AMD EPYC 9R14 Processor"), Some(400.0));
        assert_eq!(found("Intel(R) Xeon(R) Processor @ 2.90GHz"), Some(12.0));
        assert_eq!(found("Intel(R) Xeon(R) Processor @ 2.30GHz"), None);
        assert_eq!(
            table.row(["", "Arm Neoverse N1"]).map(|row| row.tdp_w),
            Some(180.0)
        );
        assert_eq!(found(""), None);
    }

    #[test]
    fn a_literal_name_goes_before_the_same_model_number() {
        let table =
            table("model,tdp_w,source\nXeon E5-2670,115,a\nIntel(R) Xeon(R) CPU E5-2670 0 @ 2.60GHz,100,b\n")
                .unwrap();
        let found = table.row(["Intel(R) Xeon(R) CPU E5-2670 0 @ 2.60GHz"]);
        assert_eq!(found.map(|row| row.tdp_w), Some(100.0));
    }

    #[test]
    fn what_is_wrong_is_told_with_file_and_line() {
        refused("model,tdp_w\nx,1\n", "my.csv:1: the column `source` is missing");
        refused(
            "model,tdp_w,source,color\nx,1,s,red\n",
            "my.csv:1: unknown column `color`",
        );
        refused(
            "model,model,tdp_w,source\n",
            "my.csv:1: the column `model` is there twice",
        );
        refused("# only\nmodel,tdp_w,source\n", "my.csv:2: the table has no rows");
        refused(
            "model,tdp_w,source\n# a\nx 1,5,s\ny 1,-5,s\n",
            "my.csv:4: `tdp_w` is `-5`, which is not a number of watts from 0 to 2000",
        );
        refused(
            "model,tdp_w,source\nx 1,inf,s\n",
            "my.csv:2: `tdp_w` is `inf`, which is not a number of watts from 0 to 2000",
        );
        refused(
            "model,tdp_w,source\nx 1,0,s\n",
            "my.csv:2: `tdp_w` is `0`, and no CPU draws nothing",
        );
        refused(
            "model,tdp_w,idle_w,source\nx 1,5,6,s\n",
            "my.csv:2: `idle_w` is `6`, which is not a number of watts from 0 to 5",
        );
        refused(
            "model,tdp_w,threads,source\nx 1,5,0,s\n",
            "my.csv:2: `threads` is `0`, which is not a number of at least 1",
        );
        refused("model,tdp_w,source\nx 1,5,\n", "my.csv:2: `source` is empty");
        refused("model,tdp_w,source\n,5,s\n", "my.csv:2: `model` is empty");
        refused(
            "model,tdp_w,source\nx 1,5\n",
            "my.csv:2: the row has 2 cells, not 3 as the header has",
        );
        refused(
            "model,tdp_w,source\nx 1,5,s\nX  1,6,s\n",
            "my.csv:3: `X  1` is there twice",
        );
        let error = CpuTable::parse("my.csv", b"model,tdp_w,source\n\xff 1,5,s\n").unwrap_err();
        assert_eq!(error.to_string(), "my.csv:2: the text is not UTF-8");
    }

    #[test]
    fn an_empty_file_has_no_columns() {
        refused("", "my.csv:1: the column `model` is missing");
    }
}
