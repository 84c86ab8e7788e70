//! What an amount of CO2eq is like, for people who have no feeling for grams.

use super::report::Equivalence;
use super::tables::Tables;
use super::units::Grams;

impl Tables {
    /// Everything that a mass is like, in the order of the table.
    #[must_use]
    pub fn equivalences(&self, mass: Grams) -> Vec<Equivalence> {
        self.equivalences
            .iter()
            .map(|row| {
                let amount = mass.get() / 1000.0 / row.kg_per_unit;
                let one = (0.95..1.05).contains(&amount);
                Equivalence {
                    key: row.key.clone(),
                    amount,
                    unit: if one { row.unit.clone() } else { row.units.clone() },
                    source: self
                        .source(&row.source)
                        .map_or_else(|| row.source.clone(), |source| source.publisher.clone()),
                    year: row.year,
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kilogram_is_four_kilometres_by_car_or_eighty_charges() {
        let like = Tables::embedded()
            .unwrap()
            .equivalences(Grams::new(1000.0).unwrap());
        let amount = |key: &str| like.iter().find(|one| one.key == key).unwrap().amount;
        assert!((amount("car") - 4.095).abs() < 0.001, "{}", amount("car"));
        assert!((amount("phone") - 80.65).abs() < 0.01, "{}", amount("phone"));
        assert!((amount("petrol") - 0.426).abs() < 0.001, "{}", amount("petrol"));
        assert!(like.iter().all(|one| one.source == "US EPA" && one.year == 2026));
    }
}
