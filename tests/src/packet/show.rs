//! Frames for human eyes.

use std::fmt::Write;

/// Two frames side by side, sixteen bytes a line; lines that differ are marked.
pub fn difference(expected: &[u8], found: &[u8]) -> String {
    let mut text =
        format!("      {:<48}  found ({} bytes)\n", format!("expected ({} bytes)", expected.len()), found.len());
    for offset in (0..expected.len().max(found.len())).step_by(16) {
        let (left, right) = (line(expected, offset), line(found, offset));
        let mark = if left == right { ' ' } else { '!' };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{mark}{offset:04x} {left:<48}  {right}");
    }
    text
}

fn line(frame: &[u8], offset: usize) -> String {
    let bytes = frame.iter().skip(offset).take(16);
    bytes.map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}
