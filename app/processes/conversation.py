"""
How a child talks: the solving thread leaves news in an `Mailbox`, the main thread sends them at a measured pace.

Nothing here ever makes the solving thread wait. After a stop request, and at the end, everything that is left goes out
at once, because the next thing to come may be SIGKILL, and an incumbent that has been sent is never lost.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections import deque
from collections.abc import Callable

from app.domain.jobs import RUNG_ORDER
from app.domain.messages import (
    Frame,
    FrameReader,
    IncumbentFrame,
    OfferFrame,
    ProgressFrame,
    ResultFrame,
    SetAsideFrame,
    Start,
    StopFrame,
    encode,
    pack,
)
from app.processes.offers import Offers
from app.system.failpoints import failpoint
from solver.control import Control, Progress, Stage
from solver.formats.native import dump_timetable
from solver.model import Timetable
from solver.result import RungId
from solver.rules import Score

PROGRESS_EVERY_SECONDS = 0.2
INCUMBENT_EVERY_SECONDS = 0.5
MAX_TEXT = 2000
RECEIVE_BYTES = 1 << 18


class Mailbox:
    """
    What the solving thread leaves for the talking thread: only the newest progress and the newest incumbent.

    A deque of one takes and gives atomically, so the solving thread never waits here and nothing new is lost.
    `on_stage` is called in that thread with every stage it comes to. `set_aside` says why the timetable that the
    attempt was to begin with is not used.
    """

    def __init__(self, on_stage: Callable[[Stage], None] = lambda stage: None) -> None:
        self.on_stage = on_stage
        self.stage: Stage | None = None
        self.progress: deque[Progress] = deque(maxlen=1)
        self.incumbent: deque[tuple[Timetable, Score]] = deque(maxlen=1)
        self.set_aside: deque[str] = deque(maxlen=1)
        self.last: Frame | None = None
        self.rung: RungId | None = None

    def keep_progress(self, progress: Progress) -> None:
        """Keeps the newest word on progress for the talking thread; a new stage is told to `on_stage`."""
        if progress.rung in RUNG_ORDER:
            self.rung = progress.rung
        self.progress.append(progress)
        if progress.stage != self.stage:
            self.stage = progress.stage
            self.on_stage(progress.stage)

    def keep_incumbent(self, timetable: Timetable, score: Score) -> None:
        """Keeps the newest timetable; one that waits to be sent is dropped for it."""
        self.incumbent.append((timetable, score))


class Conversation:
    """The main thread: frames out at a measured pace, frames in as they come, until the last word is said."""

    def __init__(self, channel: socket.socket, control: Control, mailbox: Mailbox, offers: Offers) -> None:
        self.channel, self.control, self.mailbox, self.offers = channel, control, mailbox, offers
        self.reader = FrameReader()
        self.seed: IncumbentFrame | None = None
        self._incumbent_sent_at = 0.0

    def send(self, frame: Frame) -> None:
        """Sends a whole frame; blocks while the pipe is full."""
        self.channel.sendall(encode(frame))

    def receive(self) -> list[Frame]:
        """What the supervisor said; ends the process when the supervisor is gone."""
        data = self.channel.recv(RECEIVE_BYTES)
        if not data:
            os._exit(0)
        return list(self.reader.feed(data))

    def wait_for_start(self) -> Start:
        """The first word of the service; an incumbent may come before it."""
        while True:
            for frame in self.receive():
                if isinstance(frame, IncumbentFrame):
                    self.seed = frame
                elif isinstance(frame, Start):
                    return frame

    def until_done(self, done: socket.socket) -> None:
        """Talks until the solving thread closes its end of `done`."""
        solving = True
        while solving:
            ready, _, _ = select.select([self.channel, done], [], [], PROGRESS_EVERY_SECONDS)
            solving = done not in ready
            asked = False
            if self.channel in ready:
                for frame in self.receive():
                    if isinstance(frame, StopFrame):
                        self.control.request_stop(frame.value)
                        asked = True
                    elif isinstance(frame, OfferFrame):
                        self.offers.put(frame)
            self.flush(everything=asked or not solving)
        if self.mailbox.last is not None:
            self._send_last(self.mailbox.last)

    def _send_last(self, frame: Frame) -> None:
        handing_over = isinstance(frame, ResultFrame)
        if handing_over:
            failpoint("result.before_send")
        self.send(frame)
        if handing_over:
            failpoint("result.after_send")

    def flush(self, *, everything: bool) -> None:
        """Sends the newest of what there is; after a stop and at the end without holding anything back."""
        now = time.monotonic()
        pause_over = now - self._incumbent_sent_at >= INCUMBENT_EVERY_SECONDS
        found = self.mailbox.incumbent.popleft() if self.mailbox.incumbent and (everything or pause_over) else None
        if self.mailbox.set_aside:  # looked for after we took what was found without it, and told before that
            self.send(SetAsideFrame(message=self.mailbox.set_aside.popleft()[:MAX_TEXT]))
        if found is not None:
            timetable, score = found
            self._incumbent_sent_at = now
            body, finder = pack(dump_timetable(timetable)), self.offers.finder_of(timetable)
            self.send(IncumbentFrame(score=score.numbers, rung=self.mailbox.rung, found_by=finder, body=body))
        if self.mailbox.progress:
            self.send(progress_frame(self.mailbox.progress.popleft(), self.mailbox.rung))


def progress_frame(progress: Progress, rung: RungId | None) -> ProgressFrame:
    """Without the score: a cost is told only together with its timetable, or a kill could lose what was shown."""
    return ProgressFrame(
        stage=progress.stage,
        share=min(1.0, max(0.0, float(progress.share))),
        message=progress.message[:MAX_TEXT],
        rung=rung,
        bound=None if progress.bound is None else int(progress.bound),
        placed=progress.placed,
        total=progress.total,
    )
