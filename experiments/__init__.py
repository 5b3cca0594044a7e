"""The main job of this repository; not part of the installed package."""

import warnings

from experiments.address_space import check_address_space

# Avalanche imports the solver of its GEM plugin, which is not used here.
warnings.filterwarnings("ignore", message="no QP solver found")

# Before anything heavy is imported, whichever of the commands it is.
check_address_space()
