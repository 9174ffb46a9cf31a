"""The system calls that a room is refused, as a BPF program for seccomp(2): bytes that bubblewrap loads.

New processes and threads, signals, tracing, sockets, namespaces, mounts, keys, memory and queues that no limit counts,
and the doors through which kernels were broken. Another architecture's calls kill. The program is empty on a machine
whose numbers this table lacks: what namespaces and limits do not hold there, the probe finds, and no code runs.
"""

from __future__ import annotations

import platform
import struct
import sys

ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
# Name: numbers on x86_64 and on aarch64, -1 where there is none.
REFUSED = {
    "clone": (56, 220), "clone3": (435, 435), "fork": (57, -1), "vfork": (58, -1), "kill": (62, 129),
    "tkill": (200, 130), "tgkill": (234, 131), "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "socket": (41, 198),
    "socketpair": (53, 199), "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "pivot_root": (155, 41),
    "chroot": (161, 51), "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "memfd_create": (319, 279), "shmget": (29, 194), "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "kexec_load": (246, 104), "open_by_handle_at": (304, 265),
}  # fmt: skip
LOAD, EQUAL, AT_LEAST, GIVE = 0x20, 0x15, 0x35, 0x06
KILL, EPERM, ALLOW = 0x80000000, 0x00050001, 0x7FFF0000
X32 = 0x40000000  # numbers from here on are x86_64's other table


def program() -> bytes:
    """The filter for this machine, or nothing."""
    if sys.platform != "linux" or platform.machine() not in ARCHITECTURES:
        return b""
    column, architecture = ARCHITECTURES[platform.machine()]
    numbers = [pair[column] for pair in REFUSED.values() if pair[column] >= 0]
    steps = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, architecture), (GIVE, 0, 0, KILL), (LOAD, 0, 0, 0)]
    steps += [(AT_LEAST, len(numbers) + 1, 0, X32)]
    steps += [(EQUAL, len(numbers) - place, 0, number) for place, number in enumerate(numbers)]
    steps += [(GIVE, 0, 0, ALLOW), (GIVE, 0, 0, EPERM)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
