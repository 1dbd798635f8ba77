//! The `zone` of a monitor: a polygon in the picture.
//!
//! Owns what is a polygon; refuses to know what counts as inside.

use toml::de::DeValue;

use super::value::{self, Problem, Read, Value};

const EXAMPLE: &str = "[[0.1, 0.2], [0.9, 0.2], [0.5, 0.9]]";

/// Normalised points, none or at least three, with an area.
pub(super) fn read(value: &Value<'_>) -> Read<Vec<[f32; 2]>> {
    let points = value::list_of(point, EXAMPLE)(value)?;
    match points.len() {
        0 => Ok(points),
        1 | 2 => {
            Err(Problem::new(value.span(), " needs at least three points", format!("for example `{EXAMPLE}`")).into())
        }
        1001.. => Err(Problem::new(value.span(), " has too many points", "at most 1000").into()),
        _ if area(&points) < 1e-6 => {
            Err(Problem::new(value.span(), " has no area", "its points lie on a line, or its sides cross").into())
        }
        _ => Ok(points),
    }
}

fn point(value: &Value<'_>) -> Read<[f32; 2]> {
    let DeValue::Array(pair) = value.get_ref() else {
        return Err(Problem::wrong_type(value, "a list of points", EXAMPLE).into());
    };
    let coordinates = value::list_of(coordinate, "[0.1, 0.2]")(value)?;
    <[f32; 2]>::try_from(coordinates).map_err(|_| {
        let predicate = format!(" has a point with {} coordinates", pair.len());
        Problem::new(value.span(), predicate, "a point is `[x, y]`").into()
    })
}

fn coordinate(value: &Value<'_>) -> Read<f32> {
    value::number(0.0..=1.0)(value).map_err(|mut problems| {
        for problem in problems.iter_mut().filter(|problem| problem.predicate == " is out of range") {
            problem.label = "points are normalised: 0 is left or top, 1 is right or bottom".to_owned();
        }
        problems
    })
}

/// The shoelace formula.
fn area(points: &[[f32; 2]]) -> f32 {
    let next = points.iter().cycle().skip(1);
    points.iter().zip(next).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum::<f32>().abs() / 2.0
}
