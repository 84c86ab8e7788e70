//! Rows of JSON: an array of objects, an object with one such array in it (as Electricity Maps answers), or an object a line.

use super::columns::{Boundary, Columns};
use super::{Rows, Wrong, grams};
use serde_json::{Map, Value};

type Object = Map<String, Value>;

/// The rows of a text. Rows of an array are told apart by their number, and their line is the one in which it begins.
pub(super) fn rows(text: &[u8]) -> Result<Rows, Wrong> {
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<Value>();
    let mut lines = Lines::of(text);
    let mut objects: Vec<(u64, String, Object)> = Vec::new();
    loop {
        let line = lines.of_next(values.byte_offset());
        match values.next() {
            None => break,
            Some(Ok(Value::Object(object))) => match inner(&object) {
                Some(array) => objects.extend(numbered(line, array)?),
                None => objects.push((line, String::new(), object)),
            },
            Some(Ok(Value::Array(array))) => objects.extend(numbered(line, &array)?),
            Some(Ok(_)) => return Err((line, "there is no object".to_owned())),
            Some(Err(error)) => {
                let line = u64::try_from(error.line()).unwrap_or(u64::MAX);
                return Err((line, "the text is not JSON".to_owned()));
            }
        }
    }
    let mut rows: Option<Rows> = None;
    for (line, place, object) in &objects {
        let said = |problem: String| (*line, format!("{place}{problem}"));
        let names: Vec<&str> = object.keys().map(String::as_str).collect();
        let columns = Columns::among(&names).map_err(|problem| said(problem.replace("column", "member")))?;
        let member = |at: usize| names.get(at).and_then(|name| object.get(*name));
        let value = member(columns.intensity).unwrap_or(&Value::Null);
        let value = grams(value.as_f64().unwrap_or(f64::NAN), &value.to_string()).map_err(said)?;
        let time = member(columns.time).and_then(Value::as_str);
        let time = time.ok_or_else(|| said("the time is not text".to_owned()))?;
        let rows = rows.get_or_insert_with(|| Rows::new(boundary(&columns, object), columns.utc));
        if rows.boundary != boundary(&columns, object) || rows.utc != columns.utc {
            return Err(said("the object has other members than the first".to_owned()));
        }
        rows.enter(*line, time.trim(), value)
            .map_err(|(_, problem)| said(problem))?;
    }
    rows.ok_or_else(|| (1, "there is no object".to_owned()))
}

/// What the member's name says, else what Electricity Maps' API says beside it.
fn boundary(columns: &Columns, object: &Object) -> Boundary {
    let beside = object.get("emissionFactorType").and_then(Value::as_str);
    match (columns.boundary, beside) {
        (Boundary::Unstated, Some("lifecycle")) => Boundary::Lifecycle,
        (Boundary::Unstated, Some("direct")) => Boundary::Direct,
        (named, _) => named,
    }
}

/// The one array of objects among an object's members.
fn inner(object: &Object) -> Option<&[Value]> {
    let mut arrays = object
        .values()
        .filter_map(Value::as_array)
        .filter(|array| array.iter().any(Value::is_object));
    let array = arrays.next()?;
    arrays.next().is_none().then_some(array.as_slice())
}

fn numbered(line: u64, array: &[Value]) -> Result<Vec<(u64, String, Object)>, Wrong> {
    let numbered = array.iter().zip(1_u64..).map(|(value, number)| {
        let place = format!("entry {number}: ");
        match value.as_object() {
            Some(object) => Ok((line, place, object.clone())),
            None => Err((line, format!("{place}there is no object"))),
        }
    });
    numbered.collect()
}

/// Counts lines on the way through a text.
struct Lines<'a> {
    text: &'a [u8],
    offset: usize,
    /// Line ends before it.
    ended: u64,
}

impl<'a> Lines<'a> {
    const fn of(text: &'a [u8]) -> Self {
        Self {
            text,
            offset: 0,
            ended: 0,
        }
    }

    /// The line, from 1, of what comes first at `offset` or after it, which is not before the last one.
    fn of_next(&mut self, offset: usize) -> u64 {
        let rest = self.text.get(offset..).unwrap_or_default();
        let first = offset + rest.len() - rest.trim_ascii_start().len();
        let passed = self.text.get(self.offset..first).unwrap_or_default();
        self.ended += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.offset = first.max(self.offset);
        1 + self.ended
    }
}
