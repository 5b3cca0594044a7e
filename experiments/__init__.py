"""The main job of this repository; not part of the installed package."""
