//! Bounds of a range, moved onto the grid of exact numbers so that comparing them is exact.

/// The bound as an integer of `10^-scale`, rounded towards the inside of the range: up for a lower
/// bound, down for an upper one. A bound beyond 128 bits becomes the outermost value.
pub(crate) fn on_grid(bound: f64, scale: i8, round_up: bool) -> i128 {
    let outermost = if bound < 0.0 { i128::MIN } else { i128::MAX };
    // `Display` writes the shortest decimal that reads back as this number: the contract's own.
    let text = bound.abs().to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let kept = usize::try_from(scale).unwrap_or(0).min(fraction.len());
    let zeros = usize::try_from(scale).unwrap_or(0) - kept;
    let digits = format!("{whole}{}{}", &fraction[..kept], "0".repeat(zeros));
    let Ok(magnitude) = digits.parse::<i128>() else { return outermost };
    let exact = fraction[kept..].bytes().all(|b| b == b'0');
    let truncated = if bound < 0.0 { -magnitude } else { magnitude };
    match (exact, round_up, bound < 0.0) {
        (false, true, false) => truncated.saturating_add(1),
        (false, false, true) => truncated.saturating_sub(1),
        _ => truncated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_rounded_towards_the_inside_of_the_range() {
        let cases = [
            (0.0, 0, true, 0),
            (10.0, 2, true, 1000),
            (0.05, 2, true, 5),
            (0.055, 2, true, 6),
            (0.055, 2, false, 5),
            (-0.055, 2, true, -5),
            (-0.055, 2, false, -6),
            (2.5, 0, true, 3),
            (2.5, 0, false, 2),
            (1e30, 0, false, 1_000_000_000_000_000_000_000_000_000_000),
            (1e300, 0, false, i128::MAX),
            (f64::NEG_INFINITY, 2, true, i128::MIN),
        ];
        for (bound, scale, up, expected) in cases {
            assert_eq!(on_grid(bound, scale, up), expected, "{bound} {scale} {up}");
        }
    }
}
