"""The main job of this repository; not part of the installed package."""

import warnings

# Avalanche imports the solver of its GEM plugin, which is not used here.
warnings.filterwarnings("ignore", message="no QP solver found")
