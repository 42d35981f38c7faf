"""Receives uploads: a request that is larger than any file may be is read through and thrown away, never stored."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler, SkipFile

#: What the other fields of a form may take beside the file.
_SLACK: Final = 1024 * 1024


class BoundedUpload(FileUploadHandler):
    """First of the upload handlers; those behind it keep small files in memory and stream others to the disk.

    It leaves `request.is_upload_too_large` for the page, which says so.
    """

    def handle_raw_input(
        self,
        input_data: Any,
        META: Any,  # noqa: N803 - as Django calls it
        content_length: int,
        boundary: Any,
        encoding: str | None = None,
    ) -> None:
        """Know the size before the first byte is read."""
        self.is_too_large = content_length > settings.IMPORT_MAX_BYTES + _SLACK
        if self.request is not None:
            self.request.is_upload_too_large = self.is_too_large  # type: ignore[attr-defined]  # read by the upload page

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Pass over the files of a request that is too large."""
        super().new_file(*args, **kwargs)
        if self.is_too_large:
            raise SkipFile

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        """On to the handlers behind."""
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """The handlers behind have the file."""
        return
