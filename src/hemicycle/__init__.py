"""Hemicycle: from declared sources to a served, documented, verifiable open language model."""

__version__ = "0.1.0"
