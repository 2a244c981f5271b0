//! Owns the question whether a copied file has the time it was given. Not every file
//! system can keep a time as it is.

/// Whether a file that was given the modification time `given` may show `kept`, both
/// in nanoseconds since 1970. Some file systems keep only units of 100 ns (SMB),
/// microseconds, milliseconds, or one or two seconds (NFS 2, FAT).
pub fn kept_as(given: i128, kept: i128) -> bool {
    const UNITS: [i128; 6] = [1, 100, 1_000, 1_000_000, 1_000_000_000, 2_000_000_000];
    UNITS.iter().any(|unit| given - given.rem_euclid(*unit) == kept)
}

#[cfg(test)]
mod tests;
