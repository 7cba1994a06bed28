"""Files in S3: ``<top>/<folder>/<name>`` in the analysis bucket.

Those of jobs are below ``jobs``, where the state machine reads manifests, those of the archive below ``archive``.
"""

from collections.abc import Sequence

from botocore.exceptions import ClientError

from .clients import Clients
from .errors import code_of, translated


class S3Files:
    """Plain objects: S3 replaces whole ones only, and whoever reads or lists after a write sees it."""

    def __init__(self, clients: Clients, bucket: str, top: str) -> None:
        self._clients, self._bucket, self._top = clients, bucket, top
        self._place = f"the {top} in bucket {bucket}"

    def write(self, folder: str, name: str, body: bytes) -> None:
        with translated(self._place):
            self._clients.get("s3").put_object(Bucket=self._bucket, Key=self._key(folder, name), Body=body)

    def read(self, folder: str, name: str) -> bytes | None:
        with translated(self._place):
            try:
                found = self._clients.get("s3").get_object(Bucket=self._bucket, Key=self._key(folder, name))
            except ClientError as error:
                if code_of(error) == "NoSuchKey":
                    return None
                raise
            body: bytes = found["Body"].read()
        return body

    def names(self, folder: str, prefix: str) -> Sequence[str]:
        names: list[str] = []
        after: dict[str, str] = {}
        while True:
            with translated(self._place):
                answer = self._clients.get("s3").list_objects_v2(
                    Bucket=self._bucket, Prefix=self._key(folder, prefix), **after
                )
            # S3 lists by the bytes of UTF-8, which is the order of code points, that of Python.
            names += [item["Key"].removeprefix(self._key(folder, "")) for item in answer.get("Contents", ())]
            if not answer.get("IsTruncated"):
                return names
            after = {"ContinuationToken": answer["NextContinuationToken"]}

    def _key(self, folder: str, name: str) -> str:
        return f"{self._top}/{folder}/{name}"
