//! What is known before a run of the facility's water and of the making of the machine.

use crate::model::embodied::LIFETIME_YEARS;
use crate::model::recording::{Beyond, EmbodiedMachine, FigureFrom, Gpu, Host, Place, WaterUse};
use crate::model::tables::Tables;
use crate::settings::{BeyondSettings, Embodied};

/// For a run: what the person says, and what is published of the place.
#[must_use]
pub fn beyond(said: &BeyondSettings, place: &Place, host: &Host, gpus: &[Gpu], tables: &Tables) -> Beyond {
    Beyond {
        water: said.wue.map(stated).or_else(|| published(place, tables)),
        machine: machine(said, host, gpus, tables),
        unit: said.unit.clone(),
    }
}

/// For a replay: what the person says takes the place of what was recorded, and another `place` has other water.
pub fn replace(
    recorded: &mut Beyond,
    said: &BeyondSettings,
    place: Option<&Place>,
    host: &Host,
    gpus: &[Gpu],
    tables: &Tables,
) {
    let of_the_facility = !matches!(&recorded.water, Some(water) if water.from == FigureFrom::User);
    if let Some(place) = place.filter(|_| of_the_facility) {
        recorded.water = published(place, tables);
    }
    if let Some(wue) = said.wue {
        recorded.water = Some(stated(wue));
    }
    let keeps = said.embodied.is_none() && said.lifetime_years.is_none() && recorded.machine.is_some();
    if !keeps && let Some(machine) = machine(said, host, gpus, tables) {
        recorded.machine = Some(machine);
    }
    if let Some(unit) = &said.unit {
        recorded.unit = Some(unit.clone());
    }
}

fn stated(l_per_kwh: f64) -> WaterUse {
    WaterUse {
        l_per_kwh,
        from: FigureFrom::User,
    }
}

fn published(place: &Place, tables: &Tables) -> Option<WaterUse> {
    let (l_per_kwh, from) = tables.facility(place)?.wue?;
    Some(WaterUse { l_per_kwh, from })
}

/// An intensity per unit has the making of the machine in it (ISO/IEC 21031), so that whoever asks for one asks for that.
fn machine(said: &BeyondSettings, host: &Host, gpus: &[Gpu], tables: &Tables) -> Option<EmbodiedMachine> {
    let years = said.lifetime_years.unwrap_or(LIFETIME_YEARS);
    match said.embodied {
        Some(Embodied::Kilograms(kg)) => Some(Tables::stated_machine(kg, years)),
        Some(Embodied::Auto) => Some(tables.typical_machine(host, gpus, years)),
        None if said.unit.is_some() || said.lifetime_years.is_some() => {
            Some(tables.typical_machine(host, gpus, years))
        }
        None => None,
    }
}
