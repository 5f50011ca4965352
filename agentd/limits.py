"""Every size, rate, time and count that agentd bounds, each with its reason. Settings may lower some; nothing raises them."""

from typing import Final

# ── Media ────────────────────────────────────────────────────────────────────────────────────────────────────────────
FRAME_S: Final = 0.02
"""One frame: what carriers send and expect (RFC 3551's default packet time)."""

CALLER_RING_S: Final = 5.0
"""Caller audio kept for a recognizer that starts again: a long sentence, and no more than one can answer late."""

AGENT_AUDIO_S: Final = 8.0
"""Agent audio made ahead of its playing: a few sentences, so that a slow voice is hidden and little is thrown away."""

LEAD_S: Final = 0.1
"""How far ahead of real time we send at least: covers the loop's and the network's jitter; all of it survives a barge-in."""

TAIL_PAD_S: Final = 0.1
"""Silence behind a reply: a switch holds back audio below its prebuffer threshold (drachtio: 80 ms after the first)."""

CHANNEL_DETECT_S: Final = 0.5
"""Within this time the carrier's stream is known to be mono or stereo; until then its audio is held back."""

MEDIA_START_S: Final = 5.0
"""A socket that shows a token but sends no audio for this long is closed: a switch starts within a second."""

MEDIA_STALL_S: Final = 10.0
"""No frames for this long ends the call: switches send silence too, so that a gap means a dead peer."""

MAX_MEDIA_MESSAGE: Final = 256 * 1024
"""A message on the media socket: 2 s of the fattest audio (64 kHz stereo); drachtio's buffer holds no more."""

MEDIA_QUEUE: Final = 64
"""Messages that the socket's reader holds: 1.3 s of frames, so that pings are answered while we are busy."""

WRITE_DEADLINE_S: Final = 5.0
"""A peer that takes no bytes for this long is dead; a blocked write would hold the call for ever."""

CLOSE_S: Final = 1.0
"""Wait for the peer's Close frame; trio-websocket itself would wait for ever."""

PING_S: Final = 20.0
"""Keeps load balancers' idle timers quiet and finds dead peers; switches answer pings but send none."""

# ── Actors ───────────────────────────────────────────────────────────────────────────────────────────────────────────
MAILBOX: Final = 256
"""Messages waiting for one actor. Control traffic is some ten a second: a full box means that its owner is stuck."""

RESTARTS: Final = 3
RESTART_WINDOW_S: Final = 30.0
"""An actor may fail so often in so long before the next provider takes over: more would be heard as a stutter."""

SHUTDOWN_S: Final = 2.0
"""An actor has this long to end once told: it flushes a file or closes a socket, nothing that takes longer."""

THREADS_ABANDONED: Final = 8
"""Threads of stalled engines that may be left behind in a process: more than these, and it must be restarted."""

# ── Turns ────────────────────────────────────────────────────────────────────────────────────────────────────────────
ROUNDS: Final = 6
"""Rounds of thinking and tools in one reply: a model that wants more is going in circles."""

PROPOSALS: Final = 16
"""Proposals in one round; the rest is refused."""

SEGMENTS: Final = 24
"""Segments in one reply: a minute and a half of speech, which nobody hears to its end."""

SEGMENT_CHARS: Final = 400
"""Characters of one segment: one breath. A longer one is cut at a clause."""

THINK_S: Final = 15.0
"""The thinker's patience for one round: beyond it the caller has hung up."""

TOOL_S: Final = 10.0
"""A tool's default timeout."""

TOOL_ARGS_BYTES: Final = 16 * 1024
"""A tool's arguments as JSON: they are what a caller said, and are kept in the ledger."""

TOOL_ANSWER_BYTES: Final = 1024 * 1024
"""What a tool's endpoint may answer: more than a conversation can use of it."""

TOOL_CONNECT_S: Final = 3.0
"""Time to reach a tool's endpoint; below the tool's own time, so that what was never sent is told from what has no answer."""

HOLD_TTL_S: Final = 45.0
"""The shortest promise a hold may give: less than a question, its answer and a confirmation take."""

CALL_S: Final = 3600.0
"""The longest call: beyond an hour it is a forgotten handset."""

OBJECTION_S: Final = 3.0
"""The line is gone in the middle of the caller's words; so long we wait to know them, since they may take something back."""

SETTLE_S: Final = 2.0
"""When a call is over its effects have this long to be settled at once; the janitor settles what is left."""

LINK_S: Final = 0.2
"""From the caller's mouth to us, by network and jitter buffer. What was told is kept this and an onset after it was played."""

EFFECTS: Final = 64
"""Effects of one call: whoever wants more is confused, or hostile."""

CONVERSATION: Final = 400
"""Lines of conversation kept in memory: an hour of talk."""

# ── HTTP ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
HEAD_BYTES: Final = 16 * 1024
"""A request's head (h11's own default)."""

HEAD_S: Final = 5.0
"""Time for a request's head and body: webhooks come in one piece; a slower sender is a slowloris."""

BODY_BYTES: Final = 64 * 1024
"""A webhook's body: carriers send some hundred bytes."""

FORM_FIELDS: Final = 100
"""Fields of a form: carriers send some twenty."""

IDLE_S: Final = 30.0
"""A keep-alive connection without a request."""

CONNECTIONS: Final = 4096
"""Open connections: two descriptors a call, and some for webhooks, below the usual limit of 65,536 files."""

TOKEN_S: Final = 60.0
"""A media token's life: a switch opens its stream within seconds of the webhook's answer."""

REPLAY_S: Final = 300.0
"""A webhook signature's age: the usual window (Stripe's default)."""

DECISIONS_S: Final = 3600.0
"""How long a call's decision is kept for a carrier that asks what comes after the stream."""
