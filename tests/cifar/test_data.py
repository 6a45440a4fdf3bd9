"""The CIFAR-10 data: what is read is what is there, and what is not as it should be is refused.

Small files of the official layout stand for the real ones: 20 records each instead of 10,000.
"""

import hashlib
import http.server
import io
import runpy
import sys
import tarfile
import threading

import numpy as np
import pooch
import pytest
import torch

from lrcore.cifar import data
from lrcore.cifar.data import ARCHIVE, FOLDER, RECORD, TEST_FILE, TRAIN_FILES, load

FILES = [*TRAIN_FILES, TEST_FILE]
N = 20  # records in a file


@pytest.fixture(autouse=True)
def small_files(monkeypatch):
    monkeypatch.setattr(data, "RECORDS_PER_FILE", N)


@pytest.fixture
def records():
    """The records of the six files, by name: random pixels, labels 0 to 9."""
    random = np.random.default_rng(0)
    made = {name: random.integers(0, 256, (N, RECORD), np.uint8) for name in FILES}
    for part in made.values():
        part[:, 0] = random.integers(0, 10, N)
    return made


def write_files(folder, records):
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in records.items():
        (folder / name).write_bytes(part.tobytes())


def archive_of(members):
    """The bytes of a .tar.gz with these members: {name: content}."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def make_official(content, monkeypatch):
    """Let these bytes pass for the official archive."""
    monkeypatch.setattr(data, "SHA256", hashlib.sha256(content).hexdigest())


@pytest.fixture
def archive(records, monkeypatch):
    """The bytes of an archive that passes for the official one."""
    content = archive_of({f"{FOLDER}/{name}": part.tobytes() for name, part in records.items()})
    make_official(content, monkeypatch)
    return content


def assert_holds(loaded, records):
    """Every tenth training record is for validation, and all else is where it was."""
    train = np.concatenate([records[name] for name in TRAIN_FILES])
    wanted = {
        "train": [record for i, record in enumerate(train) if i % 10 != 9],
        "validation": [record for i, record in enumerate(train) if i % 10 == 9],
        "test": records[TEST_FILE],
    }
    for name, part in wanted.items():
        images, labels = getattr(loaded, name)
        assert images.dtype == torch.uint8 and labels.dtype == torch.int64
        assert images.shape == (len(part), 3, 32, 32) and labels.shape == (len(part),)
        assert labels.tolist() == [record[0] for record in part]
        for image, record in zip(images, part, strict=True):
            red, green, blue = np.split(record[1:], 3)
            assert image[0].tolist() == red.reshape(32, 32).tolist()
            assert image[1].tolist() == green.reshape(32, 32).tolist()
            assert image[2].tolist() == blue.reshape(32, 32).tolist()


# ---------------------------------------------------------------------- what is read


def test_the_archive_is_read(tmp_path, archive, records):
    (tmp_path / ARCHIVE).write_bytes(archive)
    loaded = load(tmp_path)
    assert loaded.name == "CIFAR-10"
    assert_holds(loaded, records)
    assert [path.name for path in tmp_path.iterdir()] == [ARCHIVE]


@pytest.mark.parametrize("inner", [".", FOLDER])
def test_a_folder_of_the_files_is_read(tmp_path, records, inner):
    write_files(tmp_path / inner, records)
    loaded = load(str(tmp_path))
    assert loaded.name == "CIFAR-10 layout, origin unknown"
    assert_holds(loaded, records)


def test_nothing_in_an_archive_becomes_a_file(tmp_path, records, monkeypatch):
    members = {f"{FOLDER}/{name}": part.tobytes() for name, part in records.items()}
    members |= {"../outside.txt": b"x", str(tmp_path / "absolute.txt"): b"x", "plain.txt": b"x"}
    content = archive_of(members)
    make_official(content, monkeypatch)
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / ARCHIVE).write_bytes(content)
    monkeypatch.chdir(folder)
    assert_holds(load(folder), records)
    assert sorted(path.name for path in tmp_path.rglob("*")) == [ARCHIVE, "data"]


def test_the_fingerprint_is_the_sha256_of_the_records(tmp_path, records, monkeypatch):
    write_files(tmp_path, records)
    wanted = hashlib.sha256(b"".join(records[name].tobytes() for name in FILES)).hexdigest()
    assert load(tmp_path).fingerprint == wanted
    monkeypatch.setitem(data.KNOWN, wanted, "known data")
    assert load(tmp_path).name == "known data"
    records["data_batch_3.bin"][7, 1234] ^= 1
    write_files(tmp_path, records)
    assert load(tmp_path).fingerprint != wanted


def test_archive_and_files_have_the_same_fingerprint(tmp_path, archive, records):
    (tmp_path / ARCHIVE).write_bytes(archive)
    write_files(tmp_path / "files", records)
    assert load(tmp_path).fingerprint == load(tmp_path / "files").fingerprint


def test_the_official_numbers_of_images(monkeypatch):
    monkeypatch.setattr(data, "_images", len)  # the pictures themselves are not needed
    loaded = data._data("zeros", *(np.zeros((n, RECORD), np.uint8) for n in (50_000, 10_000)))
    assert loaded[2:] == (45_000, 5_000, 10_000)


def test_to_moves_all_of_it(tmp_path, records):
    write_files(tmp_path, records)
    moved = load(tmp_path).to("meta")
    assert {tensor.device.type for part in moved[2:] for tensor in part} == {"meta"}


def test_the_sample_has_as_many_of_each_class():
    sample = load("sample")
    for part, count in zip(sample[2:], (450, 50, 100), strict=True):
        assert part.labels.bincount().tolist() == [count] * 10
    # pictures, not noise: neighbouring pixels are alike; and no picture is there twice
    images = sample.train.images.float()
    assert (images[..., 1:] - images[..., :-1]).abs().mean() < 15 < images.std()
    assert len({image.numpy().tobytes() for part in sample[2:] for image in part.images}) == 6000
    assert sample.name == "CIFAR-10 sample"


def test_files_are_read_without_the_packages_of_the_download_and_the_sample(
    tmp_path, records, monkeypatch
):
    for name in ("pooch", "requests", "PIL"):
        monkeypatch.setitem(sys.modules, name, None)  # to import it is an error now
    runpy.run_path(data.__file__)
    write_files(tmp_path, records)
    assert_holds(load(tmp_path), records)


# ---------------------------------------------------------------------- what is refused


def assert_refused(folder, error, *words):
    """load(folder) raises the error, and its message has all the words."""
    with pytest.raises(error) as caught:
        load(folder)
    missing = [word for word in words if str(word) not in str(caught.value)]
    assert not missing, f"not in the message: {missing}: {caught.value}"


@pytest.mark.parametrize("change", ["truncated", "one byte", "foreign"])
def test_another_archive_is_refused(tmp_path, archive, change):
    wrong = {
        "truncated": archive[: len(archive) // 2],
        "one byte": archive[:5000] + bytes([archive[5000] ^ 1]) + archive[5001:],
        "foreign": archive_of({"cifar-10-batches-py/data_batch_1": b"pickle"}),
    }[change]
    (tmp_path / ARCHIVE).write_bytes(wrong)
    found = hashlib.sha256(wrong).hexdigest()
    assert_refused(tmp_path, ValueError, tmp_path / ARCHIVE, data.SHA256, found)


@pytest.mark.parametrize("length", [0, 1, N * RECORD - 1, N * RECORD + 1])
@pytest.mark.parametrize("name", ["data_batch_4.bin", TEST_FILE])
def test_a_file_of_another_length_is_refused(tmp_path, records, name, length):
    write_files(tmp_path, records)
    (tmp_path / name).write_bytes(bytes(length))
    assert_refused(tmp_path, ValueError, tmp_path / name, f"{length:,} bytes", f"{N * RECORD:,}")


def test_a_label_that_no_class_has_is_refused(tmp_path, records):
    records["data_batch_2.bin"][13, 0] = 10
    write_files(tmp_path, records)
    words = ("record 13", tmp_path / "data_batch_2.bin", "label 10", "0 to 9")
    assert_refused(tmp_path, ValueError, *words)


@pytest.mark.parametrize("inner", [".", FOLDER])
def test_a_missing_file_is_named(tmp_path, records, inner):
    del records["data_batch_2.bin"], records[TEST_FILE]
    write_files(tmp_path / inner, records)
    words = ("no data_batch_2.bin, test_batch.bin:", tmp_path / inner, ARCHIVE)
    assert_refused(tmp_path, FileNotFoundError, *words)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    assert_refused(tmp_path / "none", FileNotFoundError, tmp_path / "none", ARCHIVE)


# ---------------------------------------------------------------------- the download


@pytest.fixture
def download(tmp_path, archive, monkeypatch):
    """A server that stands for the official one: `content` and `length` are what it sends.

    `requests` counts what it was asked; `cache` is the user's cache folder.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            server.requests += 1
            self.send_response(200)
            self.send_header("Content-Length", str(server.length))
            self.end_headers()
            self.wfile.write(server.content)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.content, server.length, server.requests = archive, len(archive), 0
        server.cache = tmp_path / "cache"
        monkeypatch.setattr(data, "URL", f"http://127.0.0.1:{server.server_port}/{ARCHIVE}")
        monkeypatch.setattr(pooch, "os_cache", lambda name: server.cache)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        # the last thing that may fail: a server that nobody shuts down would wait for ever
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_download_happens_once_and_shows_its_progress(download, records, capsys):
    assert_holds(load(), records)
    assert "100%" in capsys.readouterr().err
    assert [path.name for path in download.cache.iterdir()] == [ARCHIVE]
    assert_holds(load(), records)
    assert download.requests == 1
    assert "%" not in capsys.readouterr().err


def test_a_download_with_another_hash_is_refused(download, archive, records):
    download.content = archive[:-1] + bytes([archive[-1] ^ 1])
    assert_refused(None, ValueError, data.SHA256)
    assert list(download.cache.iterdir()) == []
    download.content = archive
    assert_holds(load(), records)
    assert download.requests == 2


def test_a_broken_connection_leaves_nothing(download, archive, records):
    download.content = archive[: len(archive) // 2]
    assert_refused(None, ConnectionError, data.URL, ARCHIVE, "folder")
    assert list(download.cache.iterdir()) == []
    download.content = archive
    assert_holds(load(), records)


def test_a_damaged_file_in_the_cache_is_replaced(download, archive, records):
    load()
    (download.cache / ARCHIVE).write_bytes(archive[:1000])
    assert_holds(load(), records)
    assert download.requests == 2


def test_without_a_network_the_error_says_what_else_there_is(download, monkeypatch):
    with http.server.HTTPServer(("127.0.0.1", 0), None) as closed:
        port = closed.server_port
    monkeypatch.setattr(data, "URL", f"http://127.0.0.1:{port}/{ARCHIVE}")
    assert_refused(None, ConnectionError, data.URL, ARCHIVE, "folder")
