//! Recipes as one line of text.

use std::fmt;

use super::{Calibration, Hubness, Part, Recipe, WeightedPart};

impl fmt::Display for Recipe {
    /// One line: `1 asif (k 200, p 4, centred, clamp) + ... | calibrated on 1000, best 100`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, WeightedPart { weight, part }) in self.parts.iter().enumerate() {
            let joint = if i == 0 { "" } else { " + " };
            write!(f, "{joint}{weight} {part}")?;
        }
        match self.calibration {
            Some(calibration) => write!(f, " | {calibration}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Calibration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cohort, top, .. } = self;
        match self.hubness {
            Hubness::SNorm => write!(f, "calibrated on {cohort} anchors, best {top}"),
            Hubness::Csls => write!(f, "CSLS on {cohort} anchors, best {top}"),
            Hubness::Nnn { alpha } => {
                write!(f, "NNN on {cohort} anchors, best {top}, alpha {alpha}")
            }
            Hubness::None => write!(f, "one scale from {cohort} anchors, hubs left as they are"),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        let mut said = Vec::new();
        match self {
            Self::Canonical(c) | Self::AsifCanonical { canonical: c, .. } => {
                said.push(format!("dims {}, shrinkage {}", c.dims, c.shrinkage));
                said.push(format!("exponent {}", c.exponent));
            }
            Self::Ridge { shrinkage } | Self::Whitened { shrinkage, .. } => {
                said.push(format!("shrinkage {shrinkage}"));
            }
            Self::Asif(_) | Self::Procrustes => {}
        }
        if let Some(rows) = self.rows() {
            said.push(format!("k {}, p {}", rows.k, rows.p));
            if matches!(self, Self::Asif(_)) {
                said.push(
                    if rows.center {
                        "centred"
                    } else {
                        "not centred"
                    }
                    .to_owned(),
                );
            }
            said.push(format!("negatives {:?}", rows.negatives).to_lowercase());
        }
        if said.is_empty() {
            return Ok(());
        }
        write!(f, " ({})", said.join(", "))
    }
}
