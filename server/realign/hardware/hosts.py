"""The host file: the machines that work together, in the JSON that `mlx.launch` reads, with what ReAlign needs besides.

    hosts = read_hosts(Path("hosts.json"))

    {"backend": "ring", "hosts": [
        {"ssh": "127.0.0.1", "ips": ["10.0.0.1"]},
        {"ssh": "studio.local", "ips": ["10.0.0.2"], "python": "/Users/me/realign/.venv/bin/python"}]}

A bare list of hosts works too. The first host is the coordinator: it is this machine, where the run's folder is.
Standard library only.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realign.errors import UsageError

LOCAL = "127.0.0.1"  # how mlx.launch knows this machine: it would go to any other name by ssh
BACKENDS = ("ring", "jaccl", "jaccl-ring")
FIELDS = ("ssh", "ips", "rdma", "python", "machine")


@dataclass(frozen=True, slots=True)
class Host:
    """One machine. ssh: its name for ssh, LOCAL for this one; ips: where others reach it; rdma: device(s) to each host.

    python: the interpreter there that has ReAlign, "" for the same path as here. machine: its name in the catalogue of
    machines, "" to ask the machine itself.
    """

    ssh: str
    ips: tuple[str, ...]
    rdma: tuple[str | tuple[str, ...] | None, ...] = ()
    python: str = ""
    machine: str = ""

    @property
    def local(self) -> bool:
        """True for this machine."""
        return self.ssh == LOCAL


@dataclass(frozen=True, slots=True)
class Hosts:
    """The machines in rank order, and the backend they talk over."""

    path: str
    backend: str
    hosts: tuple[Host, ...]


def read_hosts(path: Path) -> Hosts:
    """The hosts of a JSON file. Raises UsageError that names the row and the field that is wrong."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} is no host file ({error})", "JSON with a list of hosts", "see docs/hardware.md"
        ) from None
    rows = data.get("hosts") if isinstance(data, dict) else data
    if not isinstance(rows, list) or not rows:
        raise UsageError(f"{path} has no hosts", 'a list of {"ssh": name, "ips": [address]}', "see docs/hardware.md")
    backend = data.get("backend", "ring") if isinstance(data, dict) else "ring"
    if backend not in BACKENDS:
        raise UsageError(f"{path}: the backend is {backend!r}", f"one of {', '.join(BACKENDS)}")
    hosts = tuple(_host(row, f"{path}, host {number}") for number, row in enumerate(rows, 1))
    if not hosts[0].local:
        raise UsageError(
            f"{path}, host 1: ssh is {hosts[0].ssh!r}", f'"{LOCAL}": the first host is this machine', "put it first"
        )
    return Hosts(str(path), backend, hosts)


def _host(row: Any, where: str) -> Host:
    """One row. Raises UsageError for a field that is unknown, missing or of the wrong kind."""
    if not isinstance(row, dict):
        raise UsageError(f"{where}: {row!r}", 'an object with "ssh" and "ips"')
    if unknown := sorted(set(row) - set(FIELDS)):
        raise UsageError(f"{where}: unknown {', '.join(unknown)}", f"only {', '.join(FIELDS)}")
    for name in ("ssh", "python", "machine"):
        value = row.get(name, "")
        if not _is_name(value) or (name == "ssh" and not value):
            raise UsageError(f"{where}: {name} is {value!r}", "a name on one line")
    ips, rdma = row.get("ips"), row.get("rdma", [])
    if not isinstance(ips, list) or not ips or not all(_is_address(ip) for ip in ips):
        raise UsageError(f"{where}: ips is {ips!r}", 'a list of addresses such as ["10.0.0.2"]')
    if not isinstance(rdma, list) or not all(map(_is_device, rdma)):
        raise UsageError(
            f"{where}: rdma is {rdma!r}", 'a device for each host and null for itself, such as [null, "rdma_en2"]'
        )
    ssh = LOCAL if row["ssh"] in ("localhost", "::1") else row["ssh"]
    devices = tuple(tuple(device) if isinstance(device, list) else device for device in rdma)
    return Host(ssh, tuple(ips), devices, row.get("python", ""), row.get("machine", ""))


def _is_name(value: Any) -> bool:
    """One line of text. A name that begins with a dash would be an option of ssh's."""
    return isinstance(value, str) and value.isprintable() and not value.startswith("-")


def _is_device(value: Any) -> bool:
    """None for itself, a device, or several where more than one cable leads there."""
    return value is None or all(isinstance(name, str) for name in (value if isinstance(value, list) else [value]))


def _is_address(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(ipaddress.ip_address(value))
    except ValueError:
        return False
