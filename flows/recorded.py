"""A flow and its tasks with an engine that records them, or the same without one.

There is one body. With an engine it runs inside Prefect's flow and its steps are Prefect's task
runs; without one, or once the engine is lost, the same functions run by themselves. What a body or
a step came to is kept here, so that an engine that fails afterwards takes nothing of it away.
"""

import functools
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from inspect import signature
from threading import Thread
from typing import Any, TypeVar

from prefect import Flow, Task, task, unmapped
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.exceptions import TerminationSignal
from prefect.flow_engine import run_flow
from prefect.logging.handlers import APILogHandler
from prefect.states import Cancelled, Crashed, Failed
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import exponential_backoff

from nocturna.observer import Observer
from nocturna.tasks.addresses import without_secrets
from nocturna.tasks.control import control, stop_on_signals
from nocturna.tasks.errors import STOPPED, NocturnaError, RunLocked, Stopped
from nocturna.tasks.leaving import parting_word
from nocturna.tasks.step import AGAIN, Step, passes
from nocturna.terminal import also_said_to

T = TypeVar("T")

RETRY_SECONDS: Any = exponential_backoff(backoff_factor=2)


@dataclass
class _Outcome:
    """What a body came to: whether it was begun, and its value or its error."""

    observer: Observer
    begun: bool = False
    ended: bool = False
    flow_run: Any = None
    steps: int = 0
    value: Any = None
    error: BaseException | None = None

    def result(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.value


_current: ContextVar[_Outcome | None] = ContextVar("nocturna_outcome", default=None)


def body(function: Callable[..., T]) -> Callable[..., T]:
    """Marks the function of a flow: what it comes to is kept, whatever the engine makes of it.

    To the engine a failure is a state with its one line; to the caller of `observed` it is the
    exception itself.
    """

    @functools.wraps(function)
    def kept(*args: Any, **kwargs: Any) -> Any:
        outcome = _current.get()
        if outcome is None or outcome.begun:
            return function(*args, **kwargs)
        outcome.begun = True
        within = FlowRunContext.get()
        outcome.flow_run = within.flow_run.id if within and within.flow_run else None
        try:
            outcome.value = function(*args, **kwargs)
        except BaseException as error:
            outcome.error = error
            if not outcome.observer.records:
                raise
            log(_line(error), logging.ERROR)
            return _state_of(error)
        finally:
            outcome.ended = True
        return outcome.value

    return kept


def observed(
    flow: Flow[..., Any],
    observer: Observer,
    known: Callable[[], Any] | None = None,
    **parameters: Any,
) -> Any:
    """Runs a flow, recorded as far as its engine takes part.

    Args:
        flow: its function is a `body`.
        known: finds the flow run under which the engine knows it already, if it does.

    Raises:
        whatever the body raises; nothing that the engine raises.
    """
    outcome = _Outcome(observer)
    with stop_on_signals(), _kept_as(outcome):
        with (
            observer.watching(),
            also_said_to(log),
            parting_word(lambda: _say_stopped(outcome)),
        ):
            if observer.records:
                try:
                    run = known() if known else None
                    run_flow(flow, flow_run=run, parameters=parameters, return_type="state")
                except (KeyboardInterrupt, SystemExit, TerminationSignal):
                    if not outcome.ended:
                        raise Stopped(STOPPED) from None
                except BaseException as error:
                    if outcome.begun and not outcome.ended:
                        raise
                    observer.lose(f"the engine failed ({_line(error)})")
            if observer.records and outcome.flow_run is not None:
                _flush(outcome)
            if not outcome.begun:
                if observer.records:
                    observer.lose("the engine did not let the run begin")
                flow.fn(**parameters)
        return outcome.result()


def _flush(outcome: _Outcome) -> None:
    try:
        outcome.observer.flush(outcome.flow_run, outcome.steps)
    except Exception as error:
        outcome.observer.lose(f"the engine failed ({_line(error)})")


def _say_stopped(outcome: _Outcome) -> None:
    """Tells the engine that the batch in hand was not waited for."""
    if outcome.observer.records and outcome.flow_run is not None:
        with outcome.observer.client(), get_client(sync_client=True) as client:
            client.set_flow_run_state(outcome.flow_run, Crashed(message=STOPPED), force=True)


@contextmanager
def _kept_as(outcome: _Outcome) -> Iterator[None]:
    token = _current.set(outcome)
    try:
        yield
    finally:
        _current.reset(token)


def log(line: str, level: int = logging.INFO) -> None:
    """A line for the engine's page of the run; nothing where it is not recorded."""
    outcome = _current.get()
    if outcome is None or not outcome.observer.records or FlowRunContext.get() is None:
        return
    record = logging.LogRecord("nocturna", level, __file__, 0, line, None, None)
    APILogHandler().emit(record)


def do(step: Step[..., T], *args: Any) -> T:
    """One step: a task run where it is recorded, the plain function otherwise."""
    begun = control().ahead.pop(step.name, None)
    if is_recorded():
        _count(1)
        run: Any = _task_of(step, begun)
        return run(*args)
    return step(*args) if begun is None else begun.result()


def ahead(
    steps: Sequence[Step[..., Any]], *args: Any, then: Callable[[Any], object] = lambda value: None
) -> None:
    """Begins steps before their turn, one after the other; `do` then takes up what came of each.

    Args:
        args: given to each of them, before what came of the one before it.
        then: called with what came of the last, where none failed; whether this fails is not told.
    """
    begun: list[Future[Any]] = [Future() for _ in steps]

    def work() -> None:
        found: tuple[Any, ...] = ()
        for number, step in enumerate(steps):
            try:
                found = (step(*args, *found),)
            except BaseException as error:
                for future in begun[number:]:
                    future.set_exception(error)
                return
            begun[number].set_result(found[0])
        with suppress(Exception):
            then(*found)

    control().ahead.update({step.name: one for step, one in zip(steps, begun, strict=True)})
    Thread(target=copy_context().run, args=[work], daemon=True).start()


def _task_of(step: Step[..., Any], begun: "Future[Any] | None" = None) -> Task[..., Any]:
    """The task run of a step, or of work on it that goes on already."""

    @functools.wraps(step.function)
    def work(*args: Any, **kwargs: Any) -> Any:
        return step.function(*args, **kwargs) if begun is None else begun.result()

    return task(
        name=step.name,
        task_run_name=step.run_name,
        retries=AGAIN if begun is None else 0,
        retry_delay_seconds=RETRY_SECONDS,
        retry_jitter_factor=0.5,
        retry_condition_fn=_may_pass,
        cache_policy=NO_CACHE,
        persist_result=False,
    )(work)


def _may_pass(task: Any, task_run: Any, state: Any) -> bool:
    return passes(state.result(raise_on_failure=False))


def _count(steps: int) -> None:
    outcome = _current.get()
    if outcome is not None:
        outcome.steps += steps


def each(step: Step[..., T], items: Iterable[Any], *args: Any, threads: int) -> list[Any]:
    """A step for each item, side by side.

    Args:
        args: given to each of them, before the item.
        threads: how many are done at once.

    Returns:
        the result of each, in order; its exception where one failed.
    """
    if is_recorded():
        items = list(items)
        _count(len(items))
        names = signature(step.function).parameters
        given = dict(zip(names, [*map(unmapped, args), items], strict=True))
        side_by_side: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(max_workers=threads)
        with side_by_side:
            futures = side_by_side.map(_task_of(step), given)
            return [future.result(raise_on_failure=False) for future in futures]

    return unrecorded(step, items, *args, threads=threads)


def unrecorded(step: Step[..., T], items: Iterable[Any], *args: Any, threads: int) -> list[Any]:
    """As `each`, of which no engine hears."""

    def alone(item: Any) -> Any:
        try:
            return step(*args, item)
        except Exception as error:
            return error

    with ThreadPoolExecutor(threads) as pool:
        started = [pool.submit(copy_context().run, alone, item) for item in items]
        return [future.result() for future in started]


def is_recorded() -> bool:
    """Whether an engine follows the run that this thread belongs to."""
    outcome = _current.get()
    return outcome is None or outcome.observer.records


def why_unrecorded() -> str | None:
    """Why no engine follows the run that this thread belongs to; None if one does."""
    outcome = _current.get()
    return None if outcome is None else outcome.observer.reason


def _state_of(error: BaseException) -> Any:
    """How the engine shows a failure: a state with one line."""
    message = _line(error)
    if isinstance(error, Stopped | RunLocked):
        return Cancelled(message=message)
    if isinstance(error, NocturnaError) or os.environ.get("NOCTURNA_DEBUG") is None:
        return Failed(message=message)
    raise error


def _line(error: BaseException) -> str:
    said = without_secrets(str(error)).strip() or type(error).__name__
    line = said.splitlines()[0]
    return line if isinstance(error, NocturnaError) else f"{type(error).__name__}: {line}"
