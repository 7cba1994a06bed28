"""The two branches of errors: what can never succeed, and what may succeed when tried again."""


class MillraceError(Exception):
    """Base of every error that Millrace raises on purpose."""


class PermanentError(MillraceError):
    """Trying again cannot help: the input, the catalog or the store is at fault."""


class TransientError(MillraceError):
    """The surroundings failed (throttling, a time-out, a lost connection): the same call may succeed later."""


class CatalogError(PermanentError):
    """A catalog contradicts itself. The message names the declaration and its place in the source."""


class StoreError(PermanentError):
    """A store cannot be used: another format version, a second writer, a damaged file."""


class ReceiptConflict(PermanentError):
    """A receipt id is taken by other bytes; the raw log never overwrites."""


class UnknownReceipt(PermanentError):
    """The raw log holds no receipt of that id."""


class OtherCatalog(PermanentError):
    """A receipt was accepted under another catalog, which would make other events of it."""


class UnknownJob(PermanentError):
    """The orchestrator knows no job of that name."""


class JobConflict(PermanentError):
    """A job's name is taken by a job that is to do something else."""


class DataQualityError(PermanentError):
    """More of a job's events would be rejected than it allows; nothing was written."""


class JobMismatch(PermanentError):
    """What a job loaded does not add up with the ledger."""


class Unstorable(PermanentError):
    """A store cannot hold one record of a batch.

    Raised before any record of the batch is written, so that the caller may take that record out and send the
    others again. ``position`` is its place in the batch.
    """

    def __init__(self, position: int, message: str) -> None:
        super().__init__(message)
        self.position = position


def described(error: BaseException) -> str:
    """The class and message of whatever user code raised, as at most 500 characters that UTF-8 can hold."""
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:  # a message that cannot be made is user code that fails, too
        text = type(error).__name__
    return text[:500].encode(errors="backslashreplace").decode()


class BodyError(PermanentError):
    """A request body, or one document of it, is not what its form requires.

    ``pointer`` is a JSON pointer (RFC 6901) to the place, relative to the document; ``code`` is one word a program
    can switch on; ``reason`` is the dead-letter reason that fits.
    """

    def __init__(self, message: str, *, pointer: str = "", code: str = "malformed", reason: str = "malformed") -> None:
        super().__init__(message)
        self.message = message
        self.pointer = pointer
        self.code = code
        self.reason = reason
