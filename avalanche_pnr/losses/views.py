"""Between the two layouts of a batch of views: (N, V, D) and (V * N, D)."""

from torch import Tensor


def views_to_rows(embeddings: Tensor) -> Tensor:
    """Stack the views of a batch, [z_A; z_B]: (N, V, D) to (V * N, D)."""
    return embeddings.transpose(0, 1).flatten(0, 1)


def mean_over_views(row_values: Tensor, views: int) -> Tensor:
    """Average the values of an image's views: (V * N,) to (N,)."""
    return row_values.reshape(views, -1).mean(dim=0)
