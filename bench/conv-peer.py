"""The network of conv.ts in PyTorch, with ordinary output units: epochs of training and their seconds, as JSON."""
import json
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

threads, epochs, folder, count, batch = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
torch.set_num_threads(threads)
torch.manual_seed(1)

images = np.fromfile(f"{folder}/images.f32", dtype=np.float32).reshape(-1, 1, 28, 28)
labels = np.fromfile(f"{folder}/labels.u8", dtype=np.uint8).astype(np.int64)
x, y = torch.from_numpy(images), torch.from_numpy(labels)

model = torch.nn.Sequential(
    torch.nn.Conv2d(1, 8, 5, stride=2),
    torch.nn.ReLU(),
    torch.nn.Conv2d(8, 24, 5, stride=2),
    torch.nn.ReLU(),
    torch.nn.Flatten(),
    torch.nn.Linear(384, 10),
)
adam = torch.optim.Adam(model.parameters(), lr=3e-3)


def affine(images):
    """As memloop's: angle, scales, shear and shift drawn for each image, bilinear."""
    n = len(images)
    u = lambda limit: (2 * torch.rand(n) - 1) * limit
    angle, sx, sy, shear = u(0.2), 1 + u(0.12), 1 + u(0.12), u(0.2)
    cos, sin = torch.cos(angle), torch.sin(angle)
    theta = torch.stack(
        [
            torch.stack([cos / sx, (sin + shear * cos) / sx, u(1.5) / 13.5], 1),
            torch.stack([-sin / sy, (cos - shear * sin) / sy, u(1.5) / 13.5], 1),
        ],
        1,
    )
    grid = F.affine_grid(theta, images.shape, align_corners=True)
    return F.grid_sample(images, grid, mode="bilinear", align_corners=True)


seconds, cpu = [], []
for epoch in range(epochs):
    begun, used = time.perf_counter(), time.process_time()
    order = torch.randperm(count)
    for b in range(0, count, batch):
        pick = order[b : b + batch]
        adam.zero_grad()
        loss = F.cross_entropy(model(affine(x[pick])), y[pick])
        loss.backward()
        adam.step()
    seconds.append(time.perf_counter() - begun)
    cpu.append(time.process_time() - used)
print(json.dumps({"seconds": seconds, "cpu": cpu, "version": torch.__version__, "loss": loss.item()}))
