"""Separation of any audio, in bounded memory."""
