"""scikit-learn's MLPClassifier on the folds that bench/tables.ts wrote: one accuracy a line."""

import json
import sys
import warnings

import numpy as np
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

warnings.filterwarnings("ignore")
for fold in json.load(open(f"{sys.argv[1]}/folds.json")):

    def part(name):
        x = np.fromfile(f"{sys.argv[1]}/{fold['name']}.{name}.x", np.float32).reshape(-1, fold["features"])
        return x, np.fromfile(f"{sys.argv[1]}/{fold['name']}.{name}.y", np.uint8)

    (x, y), (test_x, test_y) = part("train"), part("test")
    scaler = StandardScaler().fit(x)
    peer = MLPClassifier((fold["hidden"],), max_iter=1000, random_state=fold["seed"]).fit(scaler.transform(x), y)
    print(peer.score(scaler.transform(test_x), test_y), flush=True)
