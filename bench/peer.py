"""One training step of the paper's network in PyTorch: eager, and with the time loop in TorchScript.

Prints one JSON line: wall and processor seconds of each repetition and the loss of the first step. The dense layers are
computed once an input. Usage: peer.py eager|script THREADS REPETITIONS INPUT.json
"""
import json
import math
import sys
import time

import torch
from torch import Tensor

mode, threads, repetitions, path = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
torch.set_num_threads(threads)
given = json.load(open(path))
STEPS = given["steps"]
PULSES = given["pulseSteps"]


def membrane_loss(drive: Tensor, labels: Tensor, steps: int, pulses: list[int]) -> Tensor:
    """SPICEprop's Eq. 3 by forward Euler in mV, mA, S; mean over time of the negative log-likelihood."""
    e1, e2, k, voff, von = 0.0, 50.0, 15.0, 5.0, 110.0
    roff, ron, tau, c = 1e5, 1e3, 100.0, 1e-4
    rest_v, rest_x1, rest_x2 = 18.314412227557118, 0.00752320071792661, 0.00008586301119076236
    a = torch.zeros_like(drive)
    i = torch.zeros_like(drive)
    v = torch.full_like(drive, rest_v)
    x1 = torch.full_like(drive, rest_x1)
    x2 = torch.full_like(drive, rest_x2)
    loss = torch.zeros(1)
    for t in range(steps):
        a = a - a / tau
        if t in pulses:
            a = a + drive
        g1 = x1 / ron + (1 - x1) / roff
        g2 = x2 / ron + (1 - x2) / roff
        new_v = v + (i - g1 * (v - e1) - g2 * (v - e2)) / c
        i = i + (a - i) / tau
        x1 = x1 + ((1 - x1) * torch.sigmoid((v - e1 - von) / k) - x1 * torch.sigmoid((voff - v + e1) / k)) / tau
        x2 = x2 + ((1 - x2) * torch.sigmoid((v - e2 - von) / k) - x2 * torch.sigmoid((voff - v + e2) / k)) / tau
        v = new_v
        loss = loss + torch.nn.functional.nll_loss(torch.log_softmax(v, dim=1), labels)
    return loss / steps


if mode == "script":
    membrane_loss = torch.jit.script(membrane_loss)

inputs = torch.tensor(given["inputs"]).reshape(given["batch"], -1)
labels = torch.tensor(given["labels"])
sizes = given["sizes"]
layers = []
for n_in, n_out, weight, bias in zip(sizes, sizes[1:], given["weights"], given["biases"]):
    layer = torch.nn.Linear(n_in, n_out)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight).reshape(n_out, n_in))
        layer.bias.copy_(torch.tensor(bias))
    layers += [layer, torch.nn.ReLU()]
network = torch.nn.Sequential(*layers[:-1])
adam = torch.optim.Adam(network.parameters(), lr=1e-3)
seconds, cpu = [], []
first = math.nan
for repetition in range(repetitions):
    begun, used = time.perf_counter(), time.process_time()
    adam.zero_grad()
    drive = network(inputs) * (given["driveScale"] * 1e3)
    loss = membrane_loss(drive, labels, STEPS, PULSES).sum()
    loss.backward()
    adam.step()
    seconds.append(time.perf_counter() - begun)
    cpu.append(time.process_time() - used)
    if repetition == 0:
        first = loss.item()
print(json.dumps({"seconds": seconds, "cpu": cpu, "loss": first, "version": torch.__version__}))
