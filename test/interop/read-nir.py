"""Reads a NIR file by h5py alone, as the Python package nir lays it out: prints nodes, edges and metadata as JSON."""
import json
import sys

import h5py

# The parameters that each node has; the package refuses a node that lacks one or has another.
FIELDS = {
    "Input": {"shape"},
    "Output": {"shape"},
    "Affine": {"weight", "bias"},
    "Conv2d": {"input_shape", "weight", "bias", "stride", "padding", "dilation", "groups"},
    "AvgPool2d": {"kernel_size", "stride", "padding"},
    "Flatten": {"start_dim", "end_dim", "input_type"},
    "IF": {"r", "v_threshold", "v_reset"},
    "CubaLIF": {"tau_syn", "tau_mem", "r", "v_leak", "v_threshold", "v_reset", "w_in"},
}


def text(value):
    return value.decode("utf8") if isinstance(value, bytes) else value


def node(group):
    kind = text(group["type"][()])
    if set(group) - {"type", "metadata"} != FIELDS[kind]:
        raise SystemExit(f"{kind} has the fields {sorted(group)}")
    values = {name: group[name][()] for name in FIELDS[kind]}
    neurons = [values[name].shape for name in FIELDS[kind] if kind in ("IF", "CubaLIF")]
    if len(set(neurons)) > 1:
        raise SystemExit(f"{kind} has parameters of different shapes")
    return {"type": kind, **{name: value.tolist() for name, value in values.items()}}


with h5py.File(sys.argv[1], "r") as file:
    graph = file["node"]
    if text(graph["type"][()]) != "NIRGraph":
        raise SystemExit("not a graph")
    found = {
        "version": text(file["version"][()]),
        "nodes": {name: node(group) for name, group in graph["nodes"].items()},
        "edges": [[text(a), text(b)] for a, b in graph["edges"][()]],
        "metadata": {key: text(value[()]) for key, value in graph.get("metadata", {}).items()},
    }

try:
    import nir

    found["package"] = {name: type(one).__name__ for name, one in nir.read(sys.argv[1]).nodes.items()}
except ImportError:
    pass
print(json.dumps(found))
