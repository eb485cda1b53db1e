"""Arithmetic: what a model costs, by counting alone: its weights, its operations a token, its memory."""
