"""What MLX itself says of the device it works on, for the run's record. Only for a process that uses MLX already.

describe_device()       -> {"device": "Device(gpu, 0)", "name": "Apple M4 Max", "mlx": "0.32.4", ...}
"""

from __future__ import annotations

from importlib import metadata

import mlx.core as mx


def describe_device() -> dict[str, str | float]:
    """The default device, its names, the memory that MLX recommends to stay under (GB), and the versions.

    MLX has no such recommendation for a CPU; then it says so.
    """
    device = mx.default_device()
    info = mx.device_info(device)
    size = info.get("max_recommended_working_set_size")
    return {
        "device": str(device),
        "name": str(info.get("device_name", "not told")),
        "architecture": str(info.get("architecture", "not told")),
        "max_recommended_working_set_gb": round(float(size) / 1e9, 2) if size else "not told by MLX",
        "mlx": metadata.version("mlx"),
        "mlx-lm": metadata.version("mlx-lm"),
    }
