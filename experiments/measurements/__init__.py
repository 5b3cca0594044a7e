"""Measurements that prove what the documentation claims; no part of a comparison."""
