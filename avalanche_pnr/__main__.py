"""``python -m avalanche_pnr`` is the command ``avalanche-pnr``."""

from avalanche_pnr.learner.command import main

if __name__ == "__main__":
    main()
