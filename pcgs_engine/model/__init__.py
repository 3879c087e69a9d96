"""The trainable model (torch): anchors, attribute head, hash grid, context network, masks."""

__all__: list[str] = []
