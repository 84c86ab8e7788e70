//! Who is asked for the electricity's carbon intensity while a run goes on.

use super::value::{BadValue, Reading};
use super::{Chosen, Key};
use crate::model::recording::LiveProvider;

/// `--live` and what belongs to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LiveSettings {
    /// Who is asked; `None`: nobody.
    pub provider: Option<LiveProvider>,
    /// As the provider names it; `None`: what the place says.
    pub zone: Option<String>,
    /// In place of the provider's own address.
    pub url: Option<String>,
    /// Where the value is in a generic answer.
    pub value: Option<String>,
    /// Where its time is.
    pub time: Option<String>,
}

impl LiveSettings {
    pub(super) fn from(chosen: &Chosen<'_>) -> Result<Self, BadValue> {
        Ok(Self {
            provider: chosen.read(Key::Live, provider)?.flatten(),
            zone: chosen.read(Key::LiveZone, |value| value.text())?,
            url: chosen
                .read(Key::LiveUrl, |value| value.address())?
                .map(|url| url.trim_end_matches('/').to_owned()),
            value: chosen.read(Key::LiveValue, |value| value.parsed(pointer))?,
            time: chosen.read(Key::LiveTime, |value| value.parsed(pointer))?,
        })
    }

    /// A setting as it is shown; of an address only the host, for there may be a key behind it.
    pub(super) fn written(&self, key: Key) -> Option<String> {
        let shown = [
            (
                Key::Live,
                self.provider.map(|provider| provider.name().to_owned()),
            ),
            (Key::LiveZone, self.zone.clone()),
            (Key::LiveUrl, self.url.as_deref().map(super::publishing::bare)),
            (Key::LiveValue, self.value.clone()),
            (Key::LiveTime, self.time.clone()),
        ];
        shown.into_iter().find(|(shown, _)| *shown == key)?.1
    }
}

/// `off` takes back what a lower layer says.
fn provider(value: Reading<'_>) -> Result<Option<LiveProvider>, BadValue> {
    value.parsed(|text| {
        let all = LiveProvider::ALL.into_iter().map(Some).chain([None]);
        let name = |provider: &Option<LiveProvider>| provider.map_or("off", LiveProvider::name);
        all.into_iter().find(|provider| name(provider) == text)
    })
}

fn pointer(text: &str) -> Option<String> {
    text.starts_with('/').then(|| text.to_owned())
}
