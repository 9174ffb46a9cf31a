"""ReAlign: documents become gated alignment data, and models are aligned with a gate at every stage.

Start reading at `workflow.py`. Importing this package costs nothing and never imports mlx.
"""

__version__ = "0.1.0"
