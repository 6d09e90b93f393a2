"""An attribute that is made on first need and then stays, whichever thread needs it first."""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class MadeOnce(Generic[T]):
    """Decorates a method without arguments: its result becomes the attribute.

    Threads that need it while it is being made wait for it. The lock is the instance's `_making` (`functools.cached_property` has one
    for all instances up to Python 3.11, and none from 3.12 on).
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._name = make.__name__
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> MadeOnce[T]: ...

    @overload
    def __get__(self, instance: Making, owner: type) -> T: ...

    def __get__(self, instance: Making | None, owner: type) -> T | MadeOnce[T]:
        if instance is None:
            return self
        held = instance.__dict__
        if self._name not in held:
            with instance._making:
                if self._name not in held:
                    held[self._name] = self._make(instance)
        value: T = held[self._name]  # from the second time on the instance's own attribute is found first
        return value


class Making:
    """What a class with `MadeOnce` attributes derives from."""

    def __init__(self) -> None:
        self._making = RLock()


class Once(Making, Generic[T]):
    """A value that is made when it is first asked for."""

    def __init__(self, make: Callable[[], T]) -> None:
        super().__init__()
        self._make = make

    @MadeOnce
    def value(self) -> T:
        """What `make` gave."""
        return self._make()
