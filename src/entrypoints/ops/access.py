"""How to get at a stack's API: with its key, or with signed requests."""

from ...adapters.aws.clients import Clients
from ...adapters.aws.requests import RequestSigner
from .endpoint import Endpoint
from .stack import Stack


def endpoint_of(stack: Stack) -> Endpoint:
    """The stack's API, with its first key, or with signed requests where it wants those."""
    url, key = stack.outputs["ApiUrl"], stack.outputs.get("ApiKeyId")
    if not key:
        return Endpoint(url, sign=RequestSigner(stack.account.clients).headers)
    return Endpoint(url, key=stack.ask("apigateway", "get_api_key", apiKey=key, includeValue=True)["value"])


def signed_endpoint(url: str) -> Endpoint:
    """An API that wants requests to be signed (IAM)."""
    return Endpoint(url, sign=RequestSigner(Clients()).headers)
