//! Hardware by name: its power, for an estimate of what was not run.

use super::design_power;
use super::estimate::StatedModels;
use super::places::best;
use super::recording::{CpuPowerModel, Host, Ranged};
use super::tables::{GpuBoard, Tables};
use super::units::Watts;

/// What a GPU draws with nothing to do, of its board power: an A100 (400 W) some 55 W, an H100 (700 W) some 70 W without and 120 W with a
/// context, a T4 (70 W) some 10 W. A judgement over these.
const GPU_IDLE: Ranged<f64> = Ranged {
    low: 0.08,
    value: 0.14,
    high: 0.20,
};
/// What it draws when it is always busy: a kernel that waits for memory draws little over half of the board power, a dense one all of it.
const GPU_FULL: Ranged<f64> = Ranged {
    low: 0.55,
    value: 0.80,
    high: 1.0,
};
/// Makers and brands, which people write or leave out.
const BRANDS: [&str; 9] = [
    "nvidia", "amd", "intel", "tesla", "geforce", "instinct", "radeon", "quadro", "gpu",
];

/// A name that no table has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownHardware {
    /// No GPU.
    #[error("unknown GPU `{given}`")]
    Gpu {
        /// As given.
        given: String,
        /// The nearest names, nearest first.
        nearest: Vec<String>,
    },
    /// No CPU.
    #[error("unknown CPU `{given}`")]
    Cpu {
        /// As given.
        given: String,
    },
    /// Nothing was named at all.
    #[error("no hardware was named")]
    Nothing,
}

impl UnknownHardware {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Gpu { nearest, .. } if !nearest.is_empty() => {
                format!("did you mean {}?", nearest.join(", "))
            }
            Self::Gpu { .. } => "give its power with `--watts`".to_owned(),
            Self::Cpu { .. } => {
                "give the model as /proc/cpuinfo has it, as `AMD EPYC 7763`, or its power with `--watts`"
                    .to_owned()
            }
            Self::Nothing => "give `--gpu MODEL`, `--cpu MODEL`, `--memory GIB` or `--watts W`".to_owned(),
        }
    }
}

impl Tables {
    /// Watts of one GPU between idle and always busy, by a name as its driver or people write it.
    ///
    /// # Errors
    /// When no board has such a name.
    pub fn gpu_power(&self, given: &str) -> Result<CpuPowerModel, UnknownHardware> {
        let words = words_of(given);
        let fits = |row: &&GpuBoard| {
            row.key
                .split(' ')
                .all(|word| words.iter().any(|known| known == word))
        };
        let row = self
            .gpus
            .iter()
            .filter(fits)
            .max_by_key(|row| row.key.split(' ').count())
            .ok_or_else(|| UnknownHardware::Gpu {
                given: given.to_owned(),
                nearest: self.nearest_gpus(&words.join(" ")),
            })?;
        let watts = |share: Ranged<f64>| Ranged {
            low: Watts::clamped(share.low * row.tdp_w),
            value: Watts::clamped(share.value * row.tdp_w),
            high: Watts::clamped(share.high * row.tdp_w),
        };
        Ok(CpuPowerModel {
            idle: watts(GPU_IDLE),
            full: watts(GPU_FULL),
            basis: format!("{}, board power {} W", row.name, row.tdp_w),
        })
    }

    fn nearest_gpus(&self, wanted: &str) -> Vec<String> {
        let scored = self
            .gpus
            .iter()
            .map(|row| (strsim::jaro_winkler(wanted, &row.key), format!("`{}`", row.name)));
        best(scored.collect())
    }

    /// Watts of so many packages of a CPU between idle and fully busy, by its model name.
    ///
    /// # Errors
    /// When neither the model nor its series is listed.
    pub fn package_power(&self, given: &str, packages: u32) -> Result<CpuPowerModel, UnknownHardware> {
        if design_power::listed(given).is_none() && design_power::of_series(given).is_none() {
            return Err(UnknownHardware::Cpu {
                given: given.to_owned(),
            });
        }
        let host = Host {
            cpu_model: Some(given.to_owned()),
            ..Host::default()
        };
        Ok(self.cpu_power(&host, packages, &StatedModels::default()))
    }
}

/// Lower case, without brands: `NVIDIA A100-SXM4-80GB` as `a100`, `sxm4`, `80gb`.
fn words_of(name: &str) -> Vec<String> {
    let name = name.to_lowercase();
    name.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty() && !BRANDS.contains(word))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(given: &str) -> String {
        Tables::embedded().unwrap().gpu_power(given).unwrap().basis
    }

    #[test]
    fn a_gpu_is_found_under_the_names_that_drivers_and_people_use() {
        for (given, found) in [
            ("NVIDIA A100-SXM4-80GB", "NVIDIA A100 SXM4, board power 400 W"),
            ("A100", "NVIDIA A100 SXM4, board power 400 W"),
            ("a100-pcie-40gb", "NVIDIA A100 PCIe 40GB, board power 250 W"),
            ("NVIDIA H100 80GB HBM3", "NVIDIA H100 SXM5, board power 700 W"),
            ("H100 PCIe", "NVIDIA H100 PCIe, board power 350 W"),
            ("Tesla V100-SXM2-16GB", "NVIDIA V100 SXM2, board power 300 W"),
            (
                "NVIDIA GeForce RTX 4090",
                "NVIDIA GeForce RTX 4090, board power 450 W",
            ),
            ("AMD Instinct MI300X", "AMD Instinct MI300X, board power 750 W"),
        ] {
            assert_eq!(board(given), found, "{given}");
        }
    }

    #[test]
    fn every_board_is_found_by_its_own_name() {
        let tables = Tables::embedded().unwrap();
        for row in tables.gpus.iter() {
            let watts = format!("{}, board power {} W", row.name, row.tdp_w);
            assert_eq!(board(&row.name), watts);
        }
    }

    #[test]
    fn an_unknown_name_is_an_error_with_the_nearest() {
        let tables = Tables::embedded().unwrap();
        let error = tables.gpu_power("A1000000").unwrap_err();
        assert!(error.hint().contains("A100"), "{}", error.hint());
        let error = tables.package_power("Imaginary 9000", 1).unwrap_err();
        assert_eq!(error.to_string(), "unknown CPU `Imaginary 9000`");
        assert!(error.hint().contains("--watts"));
    }

    #[test]
    fn two_packages_draw_twice_what_one_does() {
        let tables = Tables::embedded().unwrap();
        let full = |packages| {
            let model = tables.package_power("AMD EPYC 7763", packages).unwrap();
            model.full.value.get()
        };
        assert!((full(2) - 2.0 * full(1)).abs() < 1e-9);
        assert!((full(1) - 0.75 * 280.0).abs() < 1e-9);
    }
}
