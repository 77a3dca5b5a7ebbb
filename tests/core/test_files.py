"""Files are written whole or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from epi.errors import StorageError
from epi.files import atomic_path, digest_text, dump_json, write_json, write_text


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "results.json"
    write_text(target, "old")
    with pytest.raises(RuntimeError, match="killed"), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError("killed")
    assert target.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]


@pytest.mark.parametrize(
    ("code", "words"), [(errno.ENOSPC, "the disk is full"), (errno.EACCES, "could not be written")]
)
def test_a_full_disk_is_a_sentence_with_its_exit_code(tmp_path, monkeypatch, code, words):
    def refuse(*_args, **_options):
        raise OSError(code, "refused")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(StorageError, match=words) as caught:
        write_json(tmp_path / "x.json", {"a": 1})
    assert caught.value.exit_code == 9
    assert list(tmp_path.iterdir()) == []


def test_json_is_canonical_and_refuses_nan():
    assert dump_json({"b": 1, "a": [1.5, None]}) == dump_json({"a": [1.5, None], "b": 1})
    with pytest.raises(ValueError, match="Out of range"):
        dump_json({"a": float("nan")})


def test_digest_keeps_boundaries():
    assert digest_text("ab", "c") != digest_text("a", "bc")
