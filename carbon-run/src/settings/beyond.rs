//! What is wanted beyond the emissions of the electricity, the same for a run and for a replay.

use super::value::{BadValue, Reading};
use super::{Chosen, Key};
use crate::model::recording::FunctionalUnit;
use std::str::FromStr;

/// `--wue`, `--embodied`, `--lifetime`, `--functional-unit`; `None` where nobody said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BeyondSettings {
    /// Litres of water per kWh of the computers, finite and at least 0.
    pub wue: Option<f64>,
    /// What making the machine emitted.
    pub embodied: Option<Embodied>,
    /// Years for which the machine is used, finite and more than 0.
    pub lifetime_years: Option<f64>,
    /// What the run makes.
    pub unit: Option<FunctionalUnit>,
}

/// What making the machine emitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Embodied {
    /// By the rule of thumb.
    Auto,
    /// Kilograms, finite and at least 0.
    Kilograms(f64),
}

impl BeyondSettings {
    pub(super) fn from(chosen: &Chosen<'_>) -> Result<Self, BadValue> {
        Ok(Self {
            wue: chosen.read(Key::Wue, |value| value.number(0.0))?,
            embodied: chosen.read(Key::Embodied, embodied)?,
            lifetime_years: chosen.read(Key::Lifetime, |value| value.parsed(more_than_nothing))?,
            unit: chosen.read(Key::FunctionalUnit, |value| value.parsed(unit))?,
        })
    }

    /// `--embodied` as it would be written in a config file.
    pub(super) fn embodied_written(&self) -> Option<String> {
        self.embodied.map(|embodied| match embodied {
            Embodied::Auto => "auto".to_owned(),
            Embodied::Kilograms(kg) => kg.to_string(),
        })
    }

    /// `--functional-unit` as it would be written in a config file.
    pub(super) fn unit_written(&self) -> Option<String> {
        let unit = self.unit.as_ref()?;
        Some(format!("{} {}", unit.amount, unit.name))
    }
}

fn embodied(value: Reading<'_>) -> Result<Embodied, BadValue> {
    if value.text()?.eq_ignore_ascii_case("auto") {
        return Ok(Embodied::Auto);
    }
    value.number(0.0).map(Embodied::Kilograms)
}

fn more_than_nothing(text: &str) -> Option<f64> {
    f64::from_str(text)
        .ok()
        .filter(|number| number.is_finite() && *number > 0.0)
}

/// `60000 images`: a number, and behind it of what.
fn unit(text: &str) -> Option<FunctionalUnit> {
    let (amount, name) = text.split_once(char::is_whitespace)?;
    let name = name.trim();
    let amount = more_than_nothing(amount)?;
    (!name.is_empty()).then(|| FunctionalUnit {
        amount,
        name: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Layer, Origin, resolve};

    fn said(key: Key, text: &str) -> Result<BeyondSettings, BadValue> {
        let mut layer = Layer::default();
        layer.say(key, text, Origin::Flag);
        resolve(Vec::new(), &[layer]).map(|settings| settings.beyond)
    }

    #[test]
    fn a_functional_unit_is_a_number_and_of_what() {
        let unit = |text| said(Key::FunctionalUnit, text).ok().and_then(|said| said.unit);
        let some = |amount, name: &str| {
            Some(FunctionalUnit {
                amount,
                name: name.to_owned(),
            })
        };
        assert_eq!(unit("60000 images"), some(60_000.0, "images"));
        assert_eq!(unit("1.5 training epochs"), some(1.5, "training epochs"));
        for text in ["images", "0 images", "-1 x", "60000", "nan x", "inf x", "1 "] {
            assert_eq!(unit(text), None, "{text}");
        }
    }

    #[test]
    fn a_machine_is_kilograms_or_a_rule_of_thumb_and_lives_for_some_time() {
        let machine = |text| said(Key::Embodied, text).ok().and_then(|said| said.embodied);
        assert_eq!(machine("auto"), Some(Embodied::Auto));
        assert_eq!(machine("1300"), Some(Embodied::Kilograms(1300.0)));
        assert_eq!((machine("-1"), machine("heavy")), (None, None));
        let years = |text| {
            said(Key::Lifetime, text)
                .ok()
                .and_then(|said| said.lifetime_years)
        };
        assert_eq!(years("4"), Some(4.0));
        assert_eq!((years("0"), years("-4"), years("inf")), (None, None, None));
        assert!(said(Key::Wue, "0").is_ok() && said(Key::Wue, "-0.1").is_err());
    }
}
