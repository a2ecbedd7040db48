//! Reads two-dimensional f32 arrays as numpy writes them.

use std::io::Read;
use std::path::Path;

use fs_err as fs;

use crate::error::{Error, Result};

/// The longest header that is read, similar to numpy's own limit.
const LONGEST_HEADER: usize = 1 << 16;

/// Rows of numbers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NpyMatrix {
    /// `[rows, dim]`.
    pub data: Vec<f32>,
    /// Numbers in a row.
    pub dim: usize,
}

impl NpyMatrix {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.data.len().checked_div(self.dim).unwrap_or(0)
    }
}

/// Reads a `.npy` file of little-endian f32 `[rows, dim]` in C order.
///
/// # Errors
/// [`Error::Io`] when it cannot be read, [`Error::NotReadable`] when it is not such a file.
pub fn read_npy(path: impl AsRef<Path>) -> Result<NpyMatrix> {
    let path = path.as_ref();
    let refuse = |problem: String| Error::NotReadable {
        path: path.to_owned(),
        problem,
        advice: "save it with numpy.save(path, array.astype('<f4')), two dimensions",
    };
    let mut file = fs::File::open(path).map_err(Error::io(path, "opening"))?;
    let metadata = file
        .metadata()
        .map_err(Error::io(path, "reading its size"))?;
    // A folder can be opened as a file, and its reading fails with a message that confuses.
    if metadata.is_dir() {
        return Err(Error::NotAFile {
            path: path.to_owned(),
        });
    }
    let len = metadata.len();
    let mut start = [0; 12];
    file.read_exact(&mut start[..10])
        .map_err(|_| refuse(format!("expected a .npy header, found {len} bytes")))?;
    if &start[..6] != b"\x93NUMPY" {
        return Err(refuse("expected a .npy file, found another".to_owned()));
    }
    let mut header_start = 10;
    // Version 1 has a length of 16 bits, later ones of 32.
    let header_len = if start[6] == 1 {
        usize::from(u16::from_le_bytes([start[8], start[9]]))
    } else {
        file.read_exact(&mut start[10..])
            .map_err(Error::io(path, "reading"))?;
        header_start = 12;
        u32::from_le_bytes([start[8], start[9], start[10], start[11]]) as usize
    };
    // Checked before the allocation, since the length comes from the file.
    if header_len > LONGEST_HEADER {
        return Err(refuse(format!(
            "expected a header of a page, found {header_len} bytes"
        )));
    }
    let mut header = vec![0; header_len];
    file.read_exact(&mut header)
        .map_err(Error::io(path, "reading"))?;
    let header = String::from_utf8_lossy(&header).into_owned();
    let (rows, dim) = shape_of(&header).ok_or_else(|| {
        refuse(format!(
            "expected '<f4' in C order, [rows, dim], found {header}"
        ))
    })?;
    // Compared with the file's length before memory of that size is asked for.
    let bytes = rows.checked_mul(dim).and_then(|count| count.checked_mul(4));
    if bytes != Some(len - header_start - header_len as u64) {
        return Err(refuse(format!(
            "expected [{rows}, {dim}] numbers, found {len} bytes in all"
        )));
    }
    let mut data = vec![0f32; (rows * dim) as usize];
    file.read_exact(bytemuck::cast_slice_mut(&mut data))
        .map_err(Error::io(path, "reading"))?;
    Ok(NpyMatrix {
        data,
        dim: dim as usize,
    })
}

/// The shape in a header, if it is supported.
fn shape_of(header: &str) -> Option<(u64, u64)> {
    let plain: String = header.chars().filter(|c| !c.is_whitespace()).collect();
    if !plain.contains("'descr':'<f4'") || !plain.contains("'fortran_order':False") {
        // Fortran order would read rows as columns without an error.
        return None;
    }
    let shape = plain.split_once("'shape':(")?.1.split_once(')')?.0;
    let mut sizes = shape
        .split(',')
        .filter(|s| !s.is_empty())
        .map(str::parse::<u64>);
    let (rows, dim) = (sizes.next()?.ok()?, sizes.next()?.ok()?);
    (sizes.next().is_none() && dim > 0).then_some((rows, dim))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(header: &str, data: &[f32]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(bytemuck::cast_slice::<f32, u8>(data));
        bytes
    }

    #[test]
    fn a_matrix_comes_back_and_other_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.npy");
        let read = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            read_npy(&path)
        };
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n";
        let data = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let good = npy(header, &data);
        let matrix = read(&good).unwrap();
        assert_eq!(
            (matrix.rows(), matrix.dim, &matrix.data[..]),
            (2, 3, &data[..])
        );
        for len in 0..good.len() {
            assert!(read(&good[..len]).is_err(), "cut to {len}");
        }
        for (from, to) in [
            ("<f4", "<f8"),
            ("False", "True"),
            ("(2, 3)", "(6,)"),
            ("(2, 3)", "(2, 3, 1)"),
            ("(2, 3)", "(4294967296, 4294967296)"),
            ("(2, 3)", "(6, 0)"),
        ] {
            assert!(
                read(&npy(&header.replace(from, to), &data)).is_err(),
                "{to}"
            );
        }
        assert!(read_npy(folder.path()).is_err());
    }
}
