"""Placeholder: the manual of this room stands here."""
