"""Solves the networks of bench/wires.ts with scipy's sparse LU: JSON lines in, JSON lines out."""
import json
import sys
import time

import numpy
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import splu


def solve(problem):
    rows, columns, wire = problem["rows"], problem["columns"], 1 / problem["segment"]
    count = rows * columns
    g = numpy.array(problem["switches"])
    cells = numpy.arange(count).reshape(rows, columns)
    nodes, others = cells, cells + count
    branches = [
        (nodes.ravel(), others.ravel(), g),
        (nodes[:, :-1].ravel(), nodes[:, 1:].ravel(), numpy.full(rows * (columns - 1), wire)),
        (others[:-1].ravel(), others[1:].ravel(), numpy.full((rows - 1) * columns, wire)),
    ]
    i, j, values = [], [], []
    for a, b, siemens in branches:
        i += [a, b, a, b]
        j += [a, b, b, a]
        values += [siemens, siemens, -siemens, -siemens]
    into = numpy.zeros(2 * count)
    ends = [(nodes[r, 0], end) for r, end in enumerate(problem["rowEnds"])]
    ends += [(others[-1, c], end) for c, end in enumerate(problem["columnEnds"])]
    for node, (volts, ohms) in ends:
        if ohms is None:
            continue
        siemens = 1 / (problem["segment"] + ohms)
        i.append(numpy.array([node]))
        j.append(numpy.array([node]))
        values.append(numpy.array([siemens]))
        into[node] += siemens * volts
    matrix = coo_matrix(
        (numpy.concatenate(values), (numpy.concatenate(i), numpy.concatenate(j)))
    ).tocsc()
    start = time.process_time()
    factors = splu(matrix)
    factored = time.process_time()
    v = factors.solve(into)
    solved = time.process_time()
    # Once more for what the factors lost.
    v += factors.solve(into - matrix @ v)
    across = (v[:count] - v[count:]).reshape(rows, columns)
    return {
        "currents": (across * g.reshape(rows, columns)).sum(axis=0).tolist(),
        "voltages": across.ravel().tolist() if problem["wanted"] else [],
        "factor": factored - start,
        "solve": solved - factored,
    }


for line in sys.stdin:
    print(json.dumps(solve(json.loads(line))), flush=True)
