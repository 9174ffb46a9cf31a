"""The host file: what is read from it, and each thing that can be wrong with it, said by row and field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from realign import cli
from realign.errors import UsageError
from realign.hardware.hosts import LOCAL, Host, read_hosts
from realign.intake.alignment import settle
from realign.intake.request import Request

HERE: dict[str, Any] = {"ssh": LOCAL, "ips": ["10.0.0.1"]}
STUDIO: dict[str, Any] = {"ssh": "me@studio.local", "ips": ["10.0.0.2"], "python": "/opt/my venv/bin/python"}


def written(folder: Path, content: Any) -> Path:
    path = folder / "hosts.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_hosts_come_in_rank_order_with_their_interpreters(tmp_path: Path) -> None:
    found = read_hosts(written(tmp_path, {"backend": "jaccl", "hosts": [HERE, STUDIO]}))
    assert (found.backend, [host.ssh for host in found.hosts]) == ("jaccl", [LOCAL, "me@studio.local"])
    assert found.hosts[1] == Host("me@studio.local", ("10.0.0.2",), python="/opt/my venv/bin/python")
    assert found.hosts[0].local and not found.hosts[1].local


def test_a_bare_list_means_ring_and_localhost_means_this_machine(tmp_path: Path) -> None:
    found = read_hosts(written(tmp_path, [{"ssh": "localhost", "ips": ["::1"]}]))
    assert (found.backend, found.hosts[0].local) == ("ring", True)


def test_the_variables_that_mlx_keeps_in_its_host_files_are_no_obstacle(tmp_path: Path) -> None:
    envs = ["MLX_METAL_FAST_SYNCH=1"]
    assert read_hosts(written(tmp_path, {"envs": envs, "hosts": [HERE]})).hosts[0].local


def test_two_cables_to_a_machine_are_two_devices(tmp_path: Path) -> None:
    row = {**HERE, "rdma": [None, "rdma_en2", ["rdma_en3", "rdma_en4"]]}
    assert read_hosts(written(tmp_path, [row])).hosts[0].rdma == (None, "rdma_en2", ("rdma_en3", "rdma_en4"))


WRONG = {
    "no JSON": ("{", "is no host file"),
    "no hosts": ({"hosts": []}, "has no hosts"),
    "hosts that are no list": ({"hosts": {"ssh": LOCAL}}, "has no hosts"),
    "a number": (7, "has no hosts"),
    "an unknown backend": ({"backend": "mpi", "hosts": [HERE]}, "the backend is 'mpi'"),
    "a backend that is no word": ({"backend": ["ring"], "hosts": [HERE]}, "the backend is"),
    "another machine first": ([STUDIO, HERE], "the first host is this machine"),
    "a row that is no object": ([HERE, "studio"], "host 2: 'studio'"),
    "an unknown field": ([HERE, {**STUDIO, "port": 22}], "host 2: unknown port"),
    "no name": ([HERE, {"ips": ["10.0.0.2"]}], "host 2: ssh"),
    "an empty name": ([HERE, {**STUDIO, "ssh": ""}], "host 2: ssh is ''"),
    "a name that ssh takes for an option": ([HERE, {**STUDIO, "ssh": "-oProxyCommand=x"}], "host 2: ssh is"),
    "a user that ssh takes for an option": ([HERE, {**STUDIO, "ssh": "-l@studio"}], "host 2: ssh is"),
    "a name of two lines": ([HERE, {**STUDIO, "ssh": "studio\nreboot"}], "host 2: ssh is"),
    "an interpreter that is no text": ([HERE, {**STUDIO, "python": 3}], "host 2: python is 3"),
    "an interpreter with a null byte": ([HERE, {**STUDIO, "python": "/opt/\0"}], "host 2: python is"),
    "no address": ([HERE, {**STUDIO, "ips": []}], "host 2: ips is []"),
    "a name for an address": ([HERE, {**STUDIO, "ips": ["studio"]}], "host 2: ips is ['studio']"),
    "devices that are no words": ([HERE, {**STUDIO, "rdma": [1]}], "host 2: rdma is [1]"),
}


@pytest.mark.parametrize(("content", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_bad_host_file_is_refused_by_row_and_field(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_hosts(written(tmp_path, content))
    assert said in str(caught.value)


@pytest.mark.parametrize("name", [".", "absent.json", "a\0b"])
def test_a_host_file_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is no host file"):
        read_hosts(tmp_path / name)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "hosts.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="is no host file"):
        read_hosts(tmp_path / "hosts.json")


def test_an_alignment_takes_a_host_file_and_refuses_a_bad_one_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REALIGN_HOME", str(tmp_path / "home"))
    (tmp_path / "pairs.jsonl").write_text(json.dumps({"prompt": "a?", "chosen": "b", "rejected": "c"}) + "\n")
    words = ["align", "--data", str(tmp_path / "pairs.jsonl"), "-o", str(tmp_path), "--quiet"]
    assert cli.main([*words, "--hosts", str(written(tmp_path, []))]) == 2
    assert "hosts.json has no hosts" in capsys.readouterr().err
    hosts = str(written(tmp_path, [HERE, STUDIO]))
    assert cli.main([*words, "--hosts", hosts, "--set", "hardware.sharded=true"]) == 2
    assert "training does not do that" in capsys.readouterr().err
    found = settle(Request((), "dpo", settings={"hardware": {"hosts": hosts}}, workflow="align"))
    assert found.hardware.hosts == hosts
