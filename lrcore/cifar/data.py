"""The CIFAR-10 images, read safely: checked before use, and never by pickle.

The official binary archive holds six files of 10,000 records. A record is one label byte (0 to 9)
and 3,072 pixel bytes: the red, green and blue planes of a 32 x 32 picture.
Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

import hashlib
import tarfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

CLASSES = "airplane automobile bird cat deer dog frog horse ship truck".split()
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
ARCHIVE = "cifar-10-binary.tar.gz"
SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
FOLDER = "cifar-10-batches-bin"
TRAIN_FILES = [f"data_batch_{i}.bin" for i in range(1, 6)]
TEST_FILE = "test_batch.bin"
RECORD = 1 + 3 * 32 * 32
RECORDS_PER_FILE = 10_000
OFFICIAL = "CIFAR-10"
JPEG = "CIFAR-10, JPEG-75"
# the fingerprints of data whose origin is known; the official archive is known by its sha256
KNOWN = {"f92f7dac137a6595509ca53c72ccc15c9e37ad618fca469e205b031cdb1cbb2b": JPEG}
SAMPLE = Path(__file__).with_name("sample.jpg")


class Images(NamedTuple):
    """Pictures, uint8 of shape (N, 3, 32, 32), and their labels, int64 of shape (N,)."""

    images: torch.Tensor
    labels: torch.Tensor

    def to(self, device):
        return Images(self.images.to(device), self.labels.to(device))


class Data(NamedTuple):
    """Three sets of images. `name` says what they are, `fingerprint` is the sha256 of the bytes."""

    name: str
    fingerprint: str
    train: Images
    validation: Images
    test: Images

    def to(self, device):
        """The same data on `device`, where all of the training happens."""
        sets = [images.to(device) for images in self[2:]]
        return Data(self.name, self.fingerprint, *sets)


def load(folder=None):
    """CIFAR-10 on the CPU: 45,000 training, 5,000 validation and 10,000 test images.

    Every tenth training image is for validation, in every run.

    Args:
        folder: a folder that holds the official archive, or its `.bin` files, or a folder
            `cifar-10-batches-bin` of them; it is only read. None downloads the archive (170 MB,
            with progress) into the user's cache folder, once. The word "sample" stands for the
            6,000 images that come with lrcore, a tenth of all: enough to try things, too few to
            compare.

    Returns:
        A `Data` with its name, the sha256 of its bytes, and the three sets `train`, `validation`
        and `test`: images, uint8 of shape (N, 3, 32, 32), and labels, int64 of shape (N,).

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is not what it should be.
        ConnectionError: the download fails. Nothing of it is kept.
        Each names the file, and the first two say what was expected.

    Source:
        Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.

    Example:
        >>> data = load("sample")
        >>> [len(images.labels) for images in (data.train, data.validation, data.test)]
        [4500, 500, 1000]
    """
    if folder == "sample":
        return _data("CIFAR-10 sample", *_read_sample())
    if folder is None:
        return _data(OFFICIAL, *_read_archive(_download()))
    folder = Path(folder)
    if (folder / ARCHIVE).is_file():
        return _data(OFFICIAL, *_read_archive(folder / ARCHIVE))
    inner = folder / FOLDER
    return _data(None, *_read_files(inner if inner.is_dir() else folder))


def _download():
    import pooch  # only a download needs these two
    import requests  # pooch downloads with it

    # pooch writes to a temporary file and gives it its name only once the hash is right
    cache = pooch.os_cache("lrcore")
    try:
        return Path(pooch.retrieve(URL, "sha256:" + SHA256, ARCHIVE, cache, progressbar=True))
    except requests.RequestException as error:
        raise ConnectionError(
            f"{URL} could not be downloaded ({error}). Try again, or get {ARCHIVE} another way and "
            "name the folder that it is in"
        ) from error


def _read_archive(path):
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise ValueError(
            f"{path} is not the official CIFAR-10 archive, or not all of it: "
            f"its sha256 is {found}, expected {SHA256}"
        )
    with tarfile.open(path) as archive:
        # read by name, in memory: nothing that the archive holds becomes a path on this machine
        parts = [
            _records(archive.extractfile(f"{FOLDER}/{name}").read(), f"{name} in {path}")
            for name in [*TRAIN_FILES, TEST_FILE]
        ]
    return np.concatenate(parts[:-1]), parts[-1]


def _read_files(folder):
    missing = [name for name in [*TRAIN_FILES, TEST_FILE] if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{folder} has no {', '.join(missing)}: expected {ARCHIVE}, or a folder {FOLDER}, "
            f"or the files {TRAIN_FILES[0]} to {TRAIN_FILES[-1]} and {TEST_FILE}"
        )
    parts = [
        _records((folder / name).read_bytes(), folder / name) for name in [*TRAIN_FILES, TEST_FILE]
    ]
    return np.concatenate(parts[:-1]), parts[-1]


def _records(content, file):
    """The bytes of one file as records, uint8 of shape (N, 3073)."""
    expected = RECORDS_PER_FILE * RECORD
    if len(content) != expected:
        raise ValueError(
            f"{file} has {len(content):,} bytes: expected {expected:,} "
            f"({RECORDS_PER_FILE:,} records of {RECORD:,})"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    wrong = np.flatnonzero(records[:, 0] >= len(CLASSES))
    if len(wrong):
        raise ValueError(
            f"record {wrong[0]} of {file} has the label {records[wrong[0], 0]}: expected 0 to 9"
        )
    return records


def _read_sample():
    """The mosaic of 600 pictures a class, class by class; the last 100 of each are the test."""
    from PIL import Image  # only the sample is a picture

    mosaic = np.asarray(Image.open(SAMPLE).convert("RGB"))
    rows, columns = mosaic.shape[0] // 32, mosaic.shape[1] // 32
    tiles = mosaic.reshape(rows, 32, columns, 32, 3).transpose(0, 2, 4, 1, 3)
    tiles = tiles.reshape(len(CLASSES), -1, RECORD - 1)
    labels = np.arange(len(CLASSES), dtype=np.uint8)[:, None, None].repeat(tiles.shape[1], 1)
    records = np.concatenate([labels, tiles], axis=2)
    return records[:, :500].reshape(-1, RECORD), records[:, 500:].reshape(-1, RECORD)


def _data(name, train, test):
    digest = hashlib.sha256()
    digest.update(train)
    digest.update(test)
    fingerprint = digest.hexdigest()
    if name is None:
        name = KNOWN.get(fingerprint, "CIFAR-10 layout, origin unknown")
    held_out = np.arange(len(train)) % 10 == 9
    sets = [_images(records) for records in (train[~held_out], train[held_out], test)]
    return Data(name, fingerprint, *sets)


def _images(records):
    labels = torch.from_numpy(records[:, 0].astype(np.int64))
    images = torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32).copy())
    return Images(images, labels)
