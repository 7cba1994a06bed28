"""The JSON text of exact values, as the core has it for everything that is kept as text."""

from ...core.exact_json import decode_list, encode, encode_list, exact

__all__ = ["decode_list", "encode", "encode_list", "exact"]
