"""Lockstep beside the official Python SDK's own authorization server. See ``bench/README.md``."""
