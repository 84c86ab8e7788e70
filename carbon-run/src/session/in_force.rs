//! The electricity under the settings in force: what the person says, what CodeCarbon's configuration says, what the machine says itself.

use super::electricity::{Electricity, ElectricityError, Words, read};
use super::whereabouts;
use crate::model::places::PlaceWords;
use crate::model::recording::Note;
use crate::model::tables::Tables;
use crate::settings::{Key, Origin, Settings};

/// What the settings mean. A place of CodeCarbon's configuration that is not in the tables costs no run: CodeCarbon takes the country
/// where it does not know the region, and the world where it does not know the country, and so do we, with a note.
///
/// # Errors
/// When words of the person's own mean nothing, two of them disagree, or the file is no time series.
pub(super) fn in_force(
    settings: &Settings,
    tables: &Tables,
) -> Result<(Electricity, Vec<Note>), ElectricityError> {
    let words = Words::of(&settings.place);
    if !words.any() && !settings.codecarbon_compatible {
        let (here, notes) = whereabouts::look(settings);
        return by_itself(here, notes, tables);
    }
    let (electricity, note) = as_said(settings, &words, tables)?;
    Ok((electricity, note.into_iter().collect()))
}

/// Where the machine says that it is. A region that the tables do not have is worth a word, and no more.
fn by_itself(
    here: Option<(String, String)>,
    mut notes: Vec<Note>,
    tables: &Tables,
) -> Result<(Electricity, Vec<Note>), ElectricityError> {
    let nowhere = Words {
        place: PlaceWords::default(),
        file: None,
    };
    let Some((provider, region)) = &here else {
        return Ok((nowhere.electricity(tables)?, notes));
    };
    let place = PlaceWords {
        cloud_provider: Some(provider),
        cloud_region: Some(region),
        ..PlaceWords::default()
    };
    match (Words { place, file: None }).electricity(tables) {
        Ok(electricity) => Ok((electricity, notes)),
        Err(error) => {
            notes.push(Note {
                code: "cloud-region-unknown".to_owned(),
                message: error.to_string(),
                hint: Some("give the country of the data centre with `--country`".to_owned()),
                degrades: true,
            });
            Ok((nowhere.electricity(tables)?, notes))
        }
    }
}

fn as_said(
    settings: &Settings,
    words: &Words<'_>,
    tables: &Tables,
) -> Result<(Electricity, Option<Note>), ElectricityError> {
    if settings.codecarbon_compatible && words.place.intensity.is_none() && words.place.energy_mix.is_none() {
        return compatible(words, tables);
    }
    let theirs = |key| matches!(settings.origin(key), Origin::CodeCarbon { .. });
    let any_of_theirs = [Key::Country, Key::Region, Key::CloudProvider, Key::CloudRegion].map(theirs);
    let wrong = match words.electricity(tables) {
        Err(ElectricityError::Place(wrong)) if any_of_theirs.contains(&true) => wrong,
        other => return Ok((other?, None)),
    };
    let whole = Words {
        place: PlaceWords {
            region: None,
            cloud_provider: None,
            cloud_region: None,
            ..words.place
        },
        ..*words
    };
    let by_country = words.place.country.and_then(|_| whole.electricity(tables).ok());
    let taken = if by_country.is_some() {
        "its country's"
    } else {
        "the world's"
    };
    let parts = [Key::CloudRegion, Key::CloudProvider, Key::Region];
    let part = parts.into_iter().find(|key| theirs(*key));
    let key = match (part, by_country.is_some() || !theirs(Key::Country)) {
        (Some(part), true) => part,
        _ => Key::Country,
    };
    let note = Note {
        code: "codecarbon-place".to_owned(),
        message: format!("{}: {wrong}; {taken} electricity is taken", settings.origin(key)),
        hint: Some(wrong.hint()),
        // CodeCarbon names a region wherever it runs, and most countries have no figures by region.
        degrades: by_country.is_none(),
    };
    let electricity = match by_country {
        Some(electricity) => electricity,
        None => Words {
            place: PlaceWords {
                country: None,
                ..whole.place
            },
            ..whole
        }
        .electricity(tables)?,
    };
    Ok((electricity, Some(note)))
}

/// By CodeCarbon's table and its rule that nothing is unknown; only, it is said.
fn compatible(words: &Words<'_>, tables: &Tables) -> Result<(Electricity, Option<Note>), ElectricityError> {
    let PlaceWords { country, region, .. } = words.place;
    let cloud = tables.country_of_cloud(&words.place)?;
    let place = tables.codecarbon_place(country.or(cloud), region);
    let intensity = tables.intensity(&place)?;
    let named = country.or(cloud).or(region);
    let note = named.filter(|_| intensity.assumed).map(|named| Note {
        code: "codecarbon-place".to_owned(),
        message: format!(
            "CodeCarbon knows no `{named}`; its world average of {} g/kWh is taken",
            intensity.value.value.get()
        ),
        hint: None,
        degrades: true,
    });
    let series = words.file.map(read).transpose()?;
    let electricity = Electricity {
        place,
        intensity,
        series,
    };
    Ok((electricity, note))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::recording::Place;
    use crate::settings::{Layer, resolve};

    fn place(words: &[(Key, &str)]) -> (Place, Option<Note>) {
        let mut layer = Layer::default();
        for (key, text) in words {
            let origin = Origin::CodeCarbon {
                name: key.name().to_owned(),
                place: "~/.codecarbon.config:2".to_owned(),
            };
            layer.say(*key, *text, origin);
        }
        let settings = resolve(Vec::new(), &[layer]).unwrap();
        let (electricity, notes) = in_force(&settings, Tables::embedded().unwrap()).unwrap();
        (electricity.place, notes.into_iter().next())
    }

    #[test]
    fn a_place_of_codecarbon_is_found_by_its_names() {
        for (country, region, found) in [
            ("CAN", "quebec", "CA-QC"),
            ("USA", "california", "US-CA"),
            ("CAN", "ontario", "CA-ON"),
        ] {
            let found = Place::Region(found.to_owned());
            assert_eq!(
                place(&[(Key::Country, country), (Key::Region, region)]),
                (found, None)
            );
        }
    }

    #[test]
    fn a_region_that_codecarbon_does_not_know_either_gives_way_to_its_country() {
        for (country, region) in [
            ("FRA", "ile-de-france"),
            ("USA", "nowhere"),
            ("SWE", "Stockholm County"),
        ] {
            let (place, note) = place(&[(Key::Country, country), (Key::Region, region)]);
            assert_eq!(place, Place::Country(country.to_owned()));
            assert!(!note.unwrap().degrades);
        }
    }

    #[test]
    fn a_cloud_region_that_nobody_knows_gives_way_to_its_country() {
        let words = |region| {
            [
                (Key::Country, "FRA"),
                (Key::CloudProvider, "aws"),
                (Key::CloudRegion, region),
            ]
        };
        let (known, note) = place(&words("eu-west-3"));
        assert!(matches!(known, Place::Cloud { .. }) && note.is_none());
        let (unknown, note) = place(&words("eu-moon-1"));
        assert_eq!(unknown, Place::Country("FRA".to_owned()));
        assert!(note.unwrap().message.contains("unknown region `eu-moon-1`"));
    }

    #[test]
    fn a_wrong_country_of_codecarbon_is_the_world_and_is_said() {
        let (place, note) = place(&[(Key::Country, "XYZ")]);
        let note = note.unwrap();
        assert_eq!(place, Place::World);
        assert!(note.degrades);
        assert_eq!(
            note.message,
            "~/.codecarbon.config:2: unknown country `XYZ`; the world's electricity is taken"
        );
    }
}
