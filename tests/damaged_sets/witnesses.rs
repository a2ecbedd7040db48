//! `CURRENT`, log and manifests against each other.
