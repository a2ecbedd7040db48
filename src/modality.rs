//! The two modalities of a pair: image and text.

use std::ops::{Index, IndexMut};

use serde::{Deserialize, Serialize};

/// What an encoder reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Modality {
    /// Pictures: JPEG, PNG, WebP, GIF or BMP bytes.
    Image,
    /// Text: UTF-8 strings.
    Text,
}

impl Modality {
    /// Both, in the order of files and lists.
    pub const BOTH: [Self; 2] = [Self::Image, Self::Text];

    /// Its name, in files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Text => "text",
        }
    }

    /// The other modality.
    pub fn other(self) -> Self {
        match self {
            Self::Image => Self::Text,
            Self::Text => Self::Image,
        }
    }
}

impl std::fmt::Display for Modality {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// One value per modality, such as the mean of the image vectors and the mean of the text vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerModality<T> {
    /// The value for images.
    pub image: T,
    /// The value for texts.
    pub text: T,
}

impl<T> PerModality<T> {
    /// Calls `make` for each modality, images first.
    pub fn of(mut make: impl FnMut(Modality) -> T) -> Self {
        Self {
            image: make(Modality::Image),
            text: make(Modality::Text),
        }
    }

    /// As [`of`](Self::of), with a fallible function.
    ///
    /// # Errors
    /// The first error of `make`.
    pub fn try_of<E>(mut make: impl FnMut(Modality) -> Result<T, E>) -> Result<Self, E> {
        Ok(Self {
            image: make(Modality::Image)?,
            text: make(Modality::Text)?,
        })
    }

    /// Maps each value.
    pub fn map<U>(self, mut turn: impl FnMut(T) -> U) -> PerModality<U> {
        PerModality {
            image: turn(self.image),
            text: turn(self.text),
        }
    }

    /// As [`map`](Self::map), with a fallible function.
    ///
    /// # Errors
    /// The first error of `turn`.
    pub fn try_map<U, E>(
        self,
        mut turn: impl FnMut(T) -> Result<U, E>,
    ) -> Result<PerModality<U>, E> {
        Ok(PerModality {
            image: turn(self.image)?,
            text: turn(self.text)?,
        })
    }

    /// Pairs each value with that of `other`.
    pub fn zip<U>(self, other: PerModality<U>) -> PerModality<(T, U)> {
        PerModality {
            image: (self.image, other.image),
            text: (self.text, other.text),
        }
    }

    /// References to both.
    pub fn as_ref(&self) -> PerModality<&T> {
        PerModality {
            image: &self.image,
            text: &self.text,
        }
    }

    /// Mutable references to both.
    pub fn as_mut(&mut self) -> PerModality<&mut T> {
        PerModality {
            image: &mut self.image,
            text: &mut self.text,
        }
    }

    /// Both, images first.
    pub fn iter(&self) -> std::array::IntoIter<&T, 2> {
        self.as_ref().into_iter()
    }
}

impl<T: Serialize> Serialize for PerModality<T> {
    /// As a list, images first.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        [&self.image, &self.text].serialize(serializer)
    }
}

impl<T> IntoIterator for PerModality<T> {
    type Item = T;
    type IntoIter = std::array::IntoIter<T, 2>;

    fn into_iter(self) -> Self::IntoIter {
        [self.image, self.text].into_iter()
    }
}

impl<T> Index<Modality> for PerModality<T> {
    type Output = T;

    fn index(&self, modality: Modality) -> &T {
        match modality {
            Modality::Image => &self.image,
            Modality::Text => &self.text,
        }
    }
}

impl<T> IndexMut<Modality> for PerModality<T> {
    fn index_mut(&mut self, modality: Modality) -> &mut T {
        match modality {
            Modality::Image => &mut self.image,
            Modality::Text => &mut self.text,
        }
    }
}
