"""Requests of signed sources: none is answered further whose signature is not that of its body."""

from http import HTTPStatus

from ...core.decoding.foreign import Source
from ...core.decoding.signatures import SignatureError
from ..secrets import MissingSecrets, secrets_of
from .messages import Request
from .problems import RETRY_SECONDS, Problem


def require_signature(source: Source, request: Request, now: int) -> None:
    """Raise ``Problem`` unless the source is not signed, or the request is: 401; 503 where there are no secrets."""
    signature = source.signature
    if signature is None:
        return
    try:
        signature.verify(request.headers, request.body, secrets_of(signature.secrets), now)
    except MissingSecrets as error:
        detail = f"The signatures of this source cannot be checked here: {error}"
        headers = {"retry-after": str(RETRY_SECONDS)}
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "secrets", detail, headers=headers) from None
    except SignatureError as error:
        headers = {"www-authenticate": f'HMAC-SHA256 header="{signature.header}"'}
        raise Problem(HTTPStatus.UNAUTHORIZED, "signature", str(error), headers=headers) from None
