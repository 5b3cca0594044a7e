"""To be called where ``avalanche/checkpointing/checkpoint_internals.py`` ends.

``bind_submodules`` goes into the same file.
"""

import torch.optim

from avalanche_pnr.training.avalanche_workarounds import bind_submodules

bind_submodules(torch.optim)
