//! data/SOURCES.md, from data/sources.toml: the notice that travels with the figures.

use super::sources::Sources;

const HEAD: &str = "\
# Where the figures come from

Written by `cargo xtask data refresh` from sources.toml. Every row of every table names its source in its `source` column.
";

const TAIL: &str = "
## Notices

`hardware/cpu_tdp.csv` and parts of `grid/region.csv` and `grid/country.csv` are taken from CodeCarbon, under the MIT licence:

> Copyright (c) 2019 Mila, BCG Gamma, CometML, Haverford College
> Copyright (c) 2023 Code Carbon NGO
>
> Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
> files (the \"Software\"), to deal in the Software without restriction, including without limitation the rights to use, copy,
> modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the
> Software is furnished to do so, subject to the following conditions:
>
> The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
> Software.
>
> THE SOFTWARE IS PROVIDED \"AS IS\", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
> WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
> COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE,
> ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.

The snapshot of Ember's 2025 release in `grid/country.csv` is read from @tgwf/co2, Copyright 2020 The Green Web Foundation,
Apache-2.0. `hardware/vcpu_power.csv` holds Cloud Carbon Footprint's coefficients, Apache-2.0, rounded.

`grid/country_alias.csv` and `manual/iso3166.csv` are lists of names, typed by hand; they carry no figures.
";

/// The file's text.
pub(crate) fn text(sources: &Sources) -> String {
    let mut out = HEAD.to_owned();
    for source in &sources.source {
        let licence = source.licence.as_deref().unwrap_or("none needed");
        out += &format!(
            "\n## {id}\n\n{publisher}, {title}\n\n- year: {year}\n- address: <{url}>\n- licence: {licence} ({terms})\n- \
             attribution: {attribution}\n- how it got here: {from}\n- tables: {tables}\n",
            id = source.id,
            publisher = source.publisher,
            title = source.title,
            year = source.year,
            url = source.url,
            terms = source.terms,
            attribution = source.attribution,
            from = source.from,
            tables = source.tables.join(", "),
        );
    }
    for package in &sources.package {
        out += &format!(
            "\n## Package {name} {version}\n\n- file: {file}\n- sha256: {sha256}\n",
            name = package.name,
            version = package.version,
            file = package.file,
            sha256 = package.sha256,
        );
    }
    out + TAIL
}
