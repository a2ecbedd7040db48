//! Vectors in a file, searched in place.
