"""Writes shd.h5: a small file in the layout of SHD (Cramer et al. 2020), six samples of two words. Needs h5py."""
import sys
import h5py
import numpy as np

rng = np.random.default_rng(1)
labels = np.array([0, 1, 0, 1, 0, 1])
with h5py.File(sys.argv[1], "w") as f:
    spikes = f.create_group("spikes")
    times = spikes.create_dataset("times", (6,), dtype=h5py.vlen_dtype(np.float16))
    units = spikes.create_dataset("units", (6,), dtype=h5py.vlen_dtype(np.uint16))
    for i, label in enumerate(labels):
        t = np.sort(rng.uniform(0, 0.5, 40))
        # Word 0 climbs the units, word 1 descends.
        u = 699 * (t / 0.5 if label == 0 else 1 - t / 0.5)
        times[i] = t.astype(np.float16)
        units[i] = np.round(u).astype(np.uint16)
    f["labels"] = labels.astype(np.uint16)
    extra = f.create_group("extra")
    extra["speaker"] = np.zeros(6, dtype=np.uint16)
    extra.create_dataset("keys", data=[b"up", b"down"])
