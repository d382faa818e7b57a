"""Freezing, thawing, and where frozen labs lie; no virtual machine runs here."""
