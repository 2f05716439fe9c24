"""Trains a linear model on scikit-learn's digits and writes it, with one of the pictures, for the README."""

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from cvserve_linear import dump

rows, classes = load_digits(return_X_y=True)
model = LogisticRegression(max_iter=200).fit(rows[1:] / 16, classes[1:])
dump(Path("digits.linear"), model.coef_.T, model.intercept_, "0123456789", (8, 8))
Image.fromarray((rows[0] * 255 / 16).astype(np.uint8).reshape(8, 8)).save("zero.png")
