"""Traces for X-Ray, by Powertools, of the invocations that X-Ray samples; others do not even import it."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import TypeVar

from aws_lambda_powertools.tracing import Tracer

T = TypeVar("T")


def traced(function: str, call: Callable[[], T], annotations: Mapping[str, str]) -> T:
    """Make the call in a subsegment, and what it calls of botocore in subsegments of that.

    ``annotations`` are read when it is done. Neither what it returns nor what it was given is kept.
    """
    with _tracer(function).provider.in_subsegment(name=f"## {function}") as subsegment:
        try:
            return call()
        finally:
            for name, text in annotations.items():
                subsegment.put_annotation(key=name, value=text)


@cache
def _tracer(function: str) -> Tracer:
    return Tracer(service=function, patch_modules=["botocore"])
