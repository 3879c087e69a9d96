"""PCGS engine: posed photographs in, one progressive `.pcgs` file of Gaussian splats out.

The stages and their packages are listed in docs/design.md. Decoding needs numpy only.
"""

__all__ = ["__version__"]

__version__ = "1.0.0"
