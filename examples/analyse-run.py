#!/usr/bin/env python3
"""Read a run folder without memloop: the journal and the weights, in plain Python with NumPy.

    python3 examples/analyse-run.py RUN [NETWORK.safetensors]

Prints the accuracies and the training curve, the conductances of each array as last read, the pulses, and the weights of
each layer. NETWORK is by default the first of finetuned.safetensors and software.safetensors that is in RUN.
"""

import json
import sys
from pathlib import Path

import numpy as np


def events(run):
    """The journal, one dict per event. A last line cut off by a kill is left out."""
    for line in (run / "events.ndjson").read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            return


def tensors(path):
    """Name → float32 array, and the metadata, of a safetensors file: length, JSON header, bytes."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    metadata = header.pop("__metadata__", {})
    arrays = {}
    for name, entry in header.items():
        first, end = entry["data_offsets"]
        assert entry["dtype"] == "F32", f"{name} is {entry['dtype']}"
        arrays[name] = np.frombuffer(data[start + first : start + end], "<f4").reshape(entry["shape"])
    return arrays, metadata


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    run = Path(sys.argv[1])
    for name in ("run.json", "events.ndjson"):
        if not (run / name).is_file():
            sys.exit(f"{run} is not a run folder (no {name}): give one that memloop has made with --run")
    known = [run / "finetuned.safetensors", run / "software.safetensors"]
    network = Path(sys.argv[2]) if len(sys.argv) == 3 else next((p for p in known if p.exists()), None)

    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    print(f"{record['command']} of {record['started']}, seed {record.get('seed', 'not given')}")

    conductance = {}
    pulses = {"applied": 0, "refused": 0, "unknown": 0}
    for event in events(run):
        kind = event["type"]
        if kind == "accuracy":
            print(f"accuracy {event['stage']}: {100 * event['accuracy']:.2f} % of {event['samples']}")
        elif kind == "training" and "validationAccuracy" in event:
            print(
                f"  {event['phase']} epoch {event['epoch']:.2f}: loss {event['loss']:.4f}, "
                f"validation {100 * event['validationAccuracy']:.2f} %"
            )
        elif kind == "conductance":
            # null: the cell was not read
            conductance[event["array"]] = np.array(event["conductance"], dtype=float)
        elif kind == "pulses":
            pulses[event["status"]] += len(event["pulses"])

    for array, g in sorted(conductance.items()):
        g = 1e6 * g[np.isfinite(g)]
        low, median, high = np.percentile(g, [5, 50, 95]) if g.size else [np.nan] * 3
        print(f"array {array}: {g.size} cells read, median {median:.2f} µS, 90 % within {low:.2f} to {high:.2f} µS")
    print("pulses: " + ", ".join(f"{count} {status}" for status, count in pulses.items()))

    if network:
        arrays, metadata = tensors(network)
        print(f"{network.name}: trained on {metadata.get('memloop.dataset', 'an unnamed dataset')}")
        for name, values in arrays.items():
            shape = " × ".join(map(str, values.shape))
            print(f"  {name} [{shape}]: mean {values.mean():.4f}, s.d. {values.std():.4f}, largest {np.abs(values).max():.4f}")


if __name__ == "__main__":
    main()
