"""Writes vectors of chords, heard and written: sounds as spectra, scores as the notes that are struck.

    python chords.py FOLDER

`sounds.npy` and `scores.npy` are 3,000 pairs; `new_sounds.npy` are recordings of 60 other chords, and
`new_scores.npy` their scores. Only NumPy is needed. See ../vectors.md.
"""
import pathlib
import sys

import numpy as np

KEYS = 24
RATE, SECONDS = 8000, 0.25
PAIRS, ASKED = 3000, 60


def chord(random):
    """Two to four of the keys, each with its loudness."""
    keys = random.choice(KEYS, size=random.integers(2, 5), replace=False)
    loudness = np.zeros(KEYS)
    loudness[keys] = random.uniform(0.6, 1.0, len(keys))
    return loudness


def sound(loudness, random):
    """The log spectrum of the chord on an instrument that is never quite in tune, in noise."""
    time = np.arange(int(RATE * SECONDS)) / RATE
    wave = 0.05 * random.standard_normal(len(time))
    for key in np.flatnonzero(loudness):
        base = 220 * 2 ** (key / 12) * random.normal(1, 0.001)
        for overtone in (1, 2, 3):
            phase = random.uniform(0, 2 * np.pi)
            wave += loudness[key] / overtone**1.5 * np.sin(2 * np.pi * base * overtone * time + phase)
    return np.log1p(np.abs(np.fft.rfft(wave * np.hanning(len(wave)))))[:512]


def score(loudness):
    """Which keys are struck, and which of the twelve notes of the octave they are."""
    struck = (loudness > 0).astype(float)
    return np.concatenate([struck, struck[:12] + struck[12:]])


def main(folder):
    random = np.random.default_rng(5)
    folder.mkdir(parents=True, exist_ok=True)
    for prefix, count in (("", PAIRS), ("new_", ASKED)):
        chords = [chord(random) for _ in range(count)]
        np.save(folder / f"{prefix}sounds.npy", np.array([sound(c, random) for c in chords], dtype="f4"))
        np.save(folder / f"{prefix}scores.npy", np.array([score(c) for c in chords], dtype="f4"))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
