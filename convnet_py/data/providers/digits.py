"""Provider digits: scikit-learn's handwritten digits, without a folder (house plan)."""

from __future__ import annotations

import numpy as np

from convnet_py.data.digits import TEST_BATCH, TRAIN_BATCHES, load_digits
from convnet_py.data.providers.base import DataProvider, ProviderSettings, check_batches


class DigitsProvider(DataProvider):
    """scikit-learn's 1,797 handwritten digits, 8 x 8, one channel (the extra ``demo``). Data (64), labels (1).

    Every fifth image (index % 5 == 4) is in test batch 6; the other 1,438 are training batches 1 to 5.
    Pixels are scaled to 0..1 and the mean image of the training set is subtracted. In training, the cases
    of a batch are in a new order each time.
    """

    needs_path = False

    def __init__(self, settings: ProviderSettings):
        super().__init__(settings)
        digits = load_digits()
        option = "--test-range" if settings.test else "--train-range"
        check_batches(settings.batches, [*TRAIN_BATCHES, TEST_BATCH], "provider 'digits'", option)
        self._images, self._labels, self._cases = digits.images, digits.labels, digits.batches
        self._mean = digits.images[digits.training].mean(axis=0)
        self.data_dims = [64, 1]
        self.num_classes = 10
        self.batch_meta = {
            "num_vis": 64,
            "data_mean": self._mean.reshape(64, 1),
            "label_names": [str(digit) for digit in range(10)],
        }

    def get_batch(self, number: int) -> list[np.ndarray]:
        cases = self._cases[number]
        if not self.settings.test:
            cases = self.rng.permutation(cases)
        data = np.ascontiguousarray((self._images[cases] - self._mean).reshape(len(cases), 64).T)
        return [data, self._labels[cases].astype(np.float32).reshape(1, -1)]

    def get_plottable_data(self, data: np.ndarray) -> np.ndarray:
        images = data + self._mean.reshape(64, 1)
        return np.clip(images, 0, 1).T.reshape(-1, 8, 8, 1)
