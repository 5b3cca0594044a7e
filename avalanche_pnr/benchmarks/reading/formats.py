"""Image formats: those that Pillow reads here, by its own registry."""

import os
from contextlib import suppress
from functools import cache

from PIL import Image, features

with suppress(ImportError):
    from pillow_heif import register_heif_opener

    register_heif_opener()

UNDECODED = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}
"""Formats that Pillow knows and leaves to other programs; EPS is one itself."""
BUILT_IN = {"AVIF": "avif", "JPEG2000": "jpg_2000", "WEBP": "webp"}
"""Formats that Pillow may have been built without."""
PACKAGES = {
    ".avif": "pillow-avif-plugin",
    ".heic": "pillow-heif",
    ".heif": "pillow-heif",
    ".hif": "pillow-heif",
}
"""Packages that read formats which Pillow alone may not."""


@cache
def image_suffixes() -> frozenset[str]:
    """List the endings of the image files that Pillow reads here, in lower case.

    HEIC is among them where pillow-heif is installed (the extra heif).
    """
    suffixes = Image.registered_extensions()  # which registers all of its plugins
    readable = {*Image.OPEN, "MPO"} - UNDECODED  # JPEG's plugin reads MPO
    for kind, feature in BUILT_IN.items():
        if kind in readable and not features.check(feature):
            readable.discard(kind)
    return frozenset(suffix for suffix, kind in suffixes.items() if kind in readable)


def is_image(name: str) -> bool:
    """Return whether a file's name is that of an image that Pillow reads here."""
    return os.path.splitext(name)[1].lower() in image_suffixes()


def kind_of(name: str) -> str:
    """Name the kind of a file that is not read, with the package that would read it."""
    suffix = os.path.splitext(name)[1].lower()
    package = PACKAGES.get(suffix)
    needs = f" (install {package} to read them)" if package else ""
    return f"{suffix or 'without an ending'}{needs}"
