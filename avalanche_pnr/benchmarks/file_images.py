"""Images in files."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from torch.utils.data import Dataset


class FileImages(Dataset[tuple[Image.Image, int]]):
    """Images in files as RGB PIL images, with labels; a file is read when asked for.

    Args:
        paths: Files of any format and mode that PIL reads, N of them.
        targets: Classes, N.
        domains: Domains, N, or none.

    Attributes:
        targets: Classes as a list, where Avalanche looks for them.
        domains: Domains as a list, empty if there are none.

    Raises:
        OSError: On access to an image whose file is missing or damaged.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        targets: Sequence[int],
        domains: Sequence[int] = (),
    ) -> None:
        self.paths = [str(path) for path in paths]
        self.targets = list(targets)
        self.domains = list(domains)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        path = self.paths[index]
        try:
            with Image.open(path) as file:
                image = file.convert("RGB")
        except Exception as error:  # PIL's decoders raise a dozen kinds
            raise OSError(
                f"{path} cannot be read as an image ({error}): unpack it again"
            ) from error
        return image, self.targets[index]
