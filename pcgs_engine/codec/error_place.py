"""Says in an error which chunk it is about: readers of streams do not know where they are."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import BitstreamError

__all__ = ["named_place"]


@contextmanager
def named_place(place: Callable[[], str]) -> Iterator[None]:
    """Put `place()`, as it is when the error comes, before the message of a BitstreamError.

    Messages that name it already stay as they are.
    """
    try:
        yield
    except BitstreamError as error:
        where = place()
        if where in str(error):
            raise
        raise type(error)(f"{where}: {error}") from error
