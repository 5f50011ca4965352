"""Mono or interleaved stereo? Told from how fast bytes arrive, since nothing on the wire says it.

Theory of operation. A switch sends audio in real time, so that mono comes at `rate * 2` bytes a second and stereo at twice
that. What disturbs the count: audio that was queued before we were there comes as one burst, and a stall (the switch's, the
network's, ours) ends in another. So messages that arrive together are one point on the curve of bytes over time, and the
speed is the median of the slopes between all pairs of points (the Theil–Sen estimator), which neither burst can move. The
newest point does not count yet: more of its burst may be on its way.

The decision comes early where nothing contradicts it: every slope says the same, and so does the size of the messages (a
switch sends one frame of 20 ms at a time). Otherwise the median decides when `limits.CHANNEL_DETECT_S` is over. A stream that
then still came slower than mono has only shown that it was stalled; it gets that time once more and is mono after it.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from statistics import median

from agentd import limits

TOGETHER_S = 0.005
"""Messages closer than this came out of one buffer."""

BASELINE_S = 0.08
"""Points closer than four frames say more about jitter than about speed."""

EARLY_S = 0.2
EARLY_POINTS = 8
"""Ten frames without a contradiction: enough to decide on."""


class LayoutGuess:
    """Counts bytes of one stream until its number of channels is known."""

    def __init__(self, rate: int) -> None:
        self._mono = rate * 2.0
        self._began: float | None = None
        self._points: list[tuple[float, int]] = []
        self._sizes: Counter[int] = Counter()

    def add(self, size: int, at: float) -> int | None:
        """Count a message of `size` bytes that arrived at `at` (seconds); 1 or 2 channels, or None: not known yet."""
        total = size
        if self._points:
            total += self._points[-1][1]
            if at - self._points[-1][0] < TOGETHER_S:
                self._points.pop()
        self._points.append((at, total))
        self._sizes[size] += 1
        if self._began is None:
            self._began = at
        elapsed = at - self._began
        return self._decide(elapsed) if elapsed >= EARLY_S else None

    def now(self) -> int:
        """The likelier number of channels from what was counted so far: for a stream that ends before it is known."""
        slopes = self._slopes()
        return 2 if slopes and median(slopes) >= 1.5 else 1

    def _decide(self, elapsed: float) -> int | None:
        slopes = self._slopes()
        if elapsed < limits.CHANNEL_DETECT_S:
            return self._unanimous(slopes)
        if elapsed < 2 * limits.CHANNEL_DETECT_S and (not slopes or median(slopes) < 0.7):
            return None
        return self.now()

    def _unanimous(self, slopes: list[float]) -> int | None:
        if len(self._points) <= EARLY_POINTS or not slopes:
            return None
        usual = self._sizes.most_common(1)[0][0]
        for channels in (1, 2):
            one_frame = usual == round(self._mono * limits.FRAME_S) * channels
            if one_frame and 0.7 * channels <= min(slopes) and max(slopes) <= 1.3 * channels:
                return channels
        return None

    def _slopes(self) -> list[float]:
        """The stream's speed between any two points, in units of mono."""
        return [
            (bytes_2 - bytes_1) / (at_2 - at_1) / self._mono
            for (at_1, bytes_1), (at_2, bytes_2) in combinations(self._points[:-1], 2)
            if at_2 - at_1 >= BASELINE_S
        ]
