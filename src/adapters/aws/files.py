"""Files of jobs in S3: ``jobs/<job>/<name>`` in the analysis bucket, where the state machine reads manifests."""

from collections.abc import Sequence

from botocore.exceptions import ClientError

from .clients import Clients
from .errors import code_of, translated


class S3JobFiles:
    """Plain objects: S3 replaces whole ones only, and whoever reads or lists after a write sees it."""

    def __init__(self, clients: Clients, bucket: str) -> None:
        self._clients, self._bucket = clients, bucket
        self._place = f"the jobs in bucket {bucket}"

    def write(self, job: str, name: str, body: bytes) -> None:
        with translated(self._place):
            self._clients.get("s3").put_object(Bucket=self._bucket, Key=_key(job, name), Body=body)

    def read(self, job: str, name: str) -> bytes | None:
        with translated(self._place):
            try:
                found = self._clients.get("s3").get_object(Bucket=self._bucket, Key=_key(job, name))
            except ClientError as error:
                if code_of(error) == "NoSuchKey":
                    return None
                raise
            body: bytes = found["Body"].read()
        return body

    def names(self, job: str, prefix: str) -> Sequence[str]:
        names: list[str] = []
        after: dict[str, str] = {}
        while True:
            with translated(self._place):
                answer = self._clients.get("s3").list_objects_v2(Bucket=self._bucket, Prefix=_key(job, prefix), **after)
            # S3 lists by the bytes of UTF-8, which is the order of code points, that of Python.
            names += [item["Key"].removeprefix(_key(job, "")) for item in answer.get("Contents", ())]
            if not answer.get("IsTruncated"):
                return names
            after = {"ContinuationToken": answer["NextContinuationToken"]}


def _key(job: str, name: str) -> str:
    return f"jobs/{job}/{name}"
