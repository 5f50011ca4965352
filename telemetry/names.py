"""Every name that telemetry gives away, in one table: spans, span events, attributes and metrics, each with its meaning.

Names of the OpenTelemetry semantic conventions are used where they apply (`gen_ai.*`, `error.type`); all others are ours
and begin with `agentd`. `README.md` beside this file shows the same table, and a test holds the two together.
"""

from __future__ import annotations

from typing import Final, Literal

Kind = Literal["span", "event", "attribute", "words", "counter", "gauge", "histogram"]

TABLE: Final[dict[str, tuple[Kind, str]]] = {}
"""Name → its kind and meaning. `words` are attributes that hold what was said: they exist only with `content` on."""


def _name(kind: Kind, name: str, meaning: str) -> str:
    TABLE[name] = (kind, meaning)
    return name


# ── Spans ────────────────────────────────────────────────────────────────────────────────────────────────────────────

CALL: Final = _name("span", "call", "The whole call: root of its trace, exported when the call ends.")
TURN: Final = _name("span", "turn", "One turn, from the caller's first sample to the end of the reply; exported as it ends.")
SPEECH: Final = _name("span", "caller.speech", "The caller's speech, or keys: first to last voiced sample.")
ENDPOINTING: Final = _name("span", "endpointing", "From the last voiced sample to the decision that the caller has finished.")
RECOGNIZE: Final = _name("span", "recognize", "From that decision to the recognizer's final words.")
THINK: Final = _name("span", "think", "One round of the thinker.")
TOOL: Final = _name("span", "tool", "One tool's run; it may outlast its turn.")
VOICE: Final = _name("span", "voice", "From a text being ready to its first audio.")
PLAYBACK: Final = _name(
    "span", "playback", "Agent audio on the wire: from the first sample to heard, run dry, held or stopped."
)

# ── Span events, on the turn ─────────────────────────────────────────────────────────────────────────────────────────

SUSPECTED: Final = _name("event", "barge_in.suspected", "A voice while the agent is audible: sending stops.")
CONFIRMED: Final = _name("event", "barge_in.confirmed", "The suspicion was true: the reply is dropped.")
REJECTED: Final = _name("event", "barge_in.rejected", "The noise ended and was no barge-in.")
RESUMED: Final = _name("event", "barge_in.resumed", "The reply goes on from the word that was cut.")
LAPSED: Final = _name(
    "event", "barge_in.lapsed", "The suspicion lost its object before it was decided: the reply or the call ended."
)
EPOCH_RAISED: Final = _name("event", "epoch.raised", "A reply attempt was dropped, before it was heard to its end.")
REOPENED: Final = _name("event", "reopened", "The caller went on before anything of the reply was heard.")
RESTARTED: Final = _name("event", "actor.restarted", "An actor failed and runs again.")
DOWN: Final = _name("event", "actor.down", "An actor failed for good.")
EFFECT: Final = _name("event", "agentd.effect", "A row of the ledger has new columns.")
RELEASED: Final = _name("event", "telling.released", "That an effect is told is on record, and the caller begins to hear it.")
TOLD: Final = _name("event", "telling.played", "The telling's last value was played: the caller knows.")
CUT: Final = _name("event", "telling.cut", "The telling was stopped, or lost, before that.")
REFUSED: Final = _name(
    "event", "telling.refused", "The telling was not played: it is not so any more, or could not be recorded."
)
CLAIM: Final = _name("event", "claim.stopped", "The thinker claimed what the ledger does not hold; the caller heard the truth.")
LEDGER_DOWN: Final = _name("event", "ledger.down", "The ledger takes no writes from here on: nothing effectful runs.")

# ── Attributes of the call ───────────────────────────────────────────────────────────────────────────────────────────

CALL_ID: Final = _name("attribute", "agentd.call.id", "The call's id: its folder's name.")
CALL_FLOW: Final = _name("attribute", "agentd.call.flow", "The flow's module.")
CALL_CARRIER: Final = _name("attribute", "agentd.call.carrier", "The carrier.")
CALL_OUTCOME: Final = _name("attribute", "agentd.call.outcome", "How the call ended.")
CALL_TURNS: Final = _name("attribute", "agentd.call.turns", "How many turns it had.")
PROVIDER: Final = _name("attribute", "gen_ai.provider.name", "The model's vendor, where the thinker is a model.")
MODEL: Final = _name("attribute", "gen_ai.request.model", "The model that is asked, where the thinker is a model.")

# ── Attributes of the turn ───────────────────────────────────────────────────────────────────────────────────────────

TURN_NUMBER: Final = _name("attribute", "agentd.turn.number", "The turn's number within the call, from 1.")
TURN_WHY: Final = _name(
    "attribute", "agentd.turn.why", "What the reply answers: opening, reply, silence, misheard, or a last line's name."
)
TURN_STATE: Final = _name("attribute", "agentd.turn.state", "The turn machine's state when the turn was over.")
TURN_FLOW: Final = _name("attribute", "agentd.turn.flow_state", "The flow's state when the turn was over.")
TURN_PROMPT: Final = _name("attribute", "agentd.turn.prompt", "Which silence prompt this is, from 1.")
TURN_ATTEMPTS: Final = _name("attribute", "agentd.turn.attempts", "Reply attempts (epochs) that the turn used.")
TURN_RESTARTS: Final = _name("attribute", "agentd.turn.restarts", "Actors that were restarted in this turn.")
GAP: Final = _name(
    "attribute", "agentd.turn.gap", "Seconds from the caller's last voiced sample to the first agent audio on the wire."
)
GAP_FILLER: Final = _name("attribute", "agentd.turn.gap.filler", "True where that first audio was a filler.")
GAP_ANSWER: Final = _name(
    "attribute", "agentd.turn.gap.answer", "Seconds to the first audio that was no filler, where a filler came first."
)
GAP_ENDPOINTING: Final = _name(
    "attribute", "agentd.turn.gap.endpointing", "Of the gap: last voiced sample to the endpointing decision."
)
GAP_RECOGNIZER: Final = _name("attribute", "agentd.turn.gap.recognizer", "Of the gap: decision to final words.")
GAP_THINK: Final = _name(
    "attribute", "agentd.turn.gap.think", "Of the gap: final words to the first text for the voice, tools included."
)
GAP_VOICE: Final = _name("attribute", "agentd.turn.gap.voice", "Of the gap: that text to its first audio.")
GAP_WIRE: Final = _name("attribute", "agentd.turn.gap.wire", "Of the gap: that audio to its first sample on the wire.")
STAGES: Final = {
    "endpointing": GAP_ENDPOINTING,
    "recognizer": GAP_RECOGNIZER,
    "think": GAP_THINK,
    "voice": GAP_VOICE,
    "wire": GAP_WIRE,
}
"""The gap's stages, in order, and the attribute of each."""

REPLY_HEARD: Final = _name("attribute", "agentd.reply.heard", "How much of the reply the caller heard: whole, cut or none.")
REPLY_CHARS: Final = _name("attribute", "agentd.reply.heard_chars", "Characters that entered the conversation as heard.")
REPLY_VERDICT: Final = _name(
    "attribute", "agentd.reply.verdict", "keep: the last attempt was heard to its end; drop: it was not."
)

# ── Attributes of a turn's children ──────────────────────────────────────────────────────────────────────────────────

DELAY: Final = _name("attribute", "agentd.endpointing.delay", "The endpointing delay that applied, in seconds.")
DELAY_WHY: Final = _name(
    "attribute", "agentd.endpointing.why", "Its name: complete, unsure, closed, dictation, vendor, forced, keys."
)
VOICED: Final = _name("attribute", "agentd.speech.voiced", "Seconds of voice in the speech.")
SURE: Final = _name("attribute", "agentd.speech.sure", "Whether the recognizer vouches for the words.")
EPOCH: Final = _name("attribute", "agentd.epoch", "The reply attempt that this belongs to.")
ROUND: Final = _name("attribute", "agentd.think.round", "The round within the reply, from 0.")
THINK_STATUS: Final = _name("attribute", "agentd.think.status", "done, failed or dropped.")
PROPOSALS: Final = _name(
    "attribute", "agentd.think.proposals", "What the round asked the flow for: slots, transitions and tools, counted."
)
UNDERSTOOD: Final = _name("attribute", "agentd.think.understood", "False where all it said is that the words made no sense.")
TOOL_STATUS: Final = _name(
    "attribute",
    "agentd.tool.status",
    "done, waiting (for the caller), refused, failed, timeout, unknown, or unfinished when the call ended first.",
)
PLAYBACK_END: Final = _name(
    "attribute", "agentd.playback.end", "heard, dry (more was to come), held (barge-in suspected), stopped or hung up."
)
PLAYBACK_FILLER: Final = _name("attribute", "agentd.playback.filler", "True where nothing but a filler was played.")
ERROR: Final = _name("attribute", "error.type", "What failed: an error's class, a tool's status, or _OTHER.")
OPERATION: Final = _name("attribute", "gen_ai.operation.name", "chat on a model's round, execute_tool on a tool.")
FIRST_CHUNK: Final = _name(
    "attribute", "gen_ai.response.time_to_first_chunk", "Seconds from a round's start to its first text."
)
TOOL_NAME: Final = _name("attribute", "gen_ai.tool.name", "The tool.")
TOOL_ID: Final = _name("attribute", "gen_ai.tool.call.id", "The tool call's id, unique within the call.")

# ── The columns of a row: on its events, and on the tool that opened it ──────────────────────────────────────────────

EFFECT_ID: Final = _name("attribute", "agentd.effect.id", "The effect: its row in the ledger, for `agentd effects show`.")
EFFECT_KIND: Final = _name(
    "attribute", "agentd.effect.kind", "compensable, held, deferred, pivot, take_back, notice or webhook."
)
EFFECT_FACT: Final = _name(
    "attribute", "agentd.effect.fact", "What the world has: unsent, sent, there, confirming, confirmed, undoing or absent."
)
EFFECT_VERDICT: Final = _name("attribute", "agentd.effect.verdict", "open, keep or drop.")
EFFECT_TOLD: Final = _name("attribute", "agentd.effect.told", "How far the caller knows: no, asked, telling or told.")
EFFECT_STUCK: Final = _name("attribute", "agentd.effect.stuck", "True where nobody knows the outcome: a human must look.")
EFFECT_CAUSE: Final = _name("attribute", "agentd.effect.cause", "What gave the verdict, in a word; empty while it is open.")

# ── Attributes of events ─────────────────────────────────────────────────────────────────────────────────────────────

CAUSE: Final = _name(
    "attribute",
    "agentd.cause",
    "Barge-in: words, answer, long_speech, key, patience, failure. Epoch: caller, key, patience, failure, drain, limit, end.",
)
LAST_SAMPLE: Final = _name(
    "attribute",
    "agentd.barge_in.last_sample",
    "Seconds from the first voiced sample of the barge-in to our last sample on the wire.",
)
ACTOR: Final = _name("attribute", "agentd.actor", "The actor.")
ACTOR_PROVIDER: Final = _name("attribute", "agentd.actor.provider", "The place in its chain of providers that runs now.")

TELLING_MODE: Final = _name(
    "attribute",
    "agentd.telling.mode",
    "tell, ask (for the yes), check (whether to keep it), untell (that it is not so) or risk (whether the old one may go).",
)
TELLING_AGAIN: Final = _name("attribute", "agentd.telling.again", "True where the caller had begun to hear it before.")
TELLING_LOST: Final = _name(
    "attribute", "agentd.telling.lost", "True where the carrier never said what became of it; else it was cleared."
)

# ── Words: only with content on, and redacted ────────────────────────────────────────────────────────────────────────

SPEECH_TEXT: Final = _name("words", "agentd.speech.text", "What the caller said.")
REPLY_TEXT: Final = _name("words", "agentd.reply.text", "What the caller heard.")
THINK_TEXT: Final = _name("words", "agentd.think.text", "What the thinker has said so far in this reply.")
TOOL_ARGUMENTS: Final = _name("words", "gen_ai.tool.call.arguments", "The tool's arguments.")
TOOL_RESULT: Final = _name("words", "gen_ai.tool.call.result", "The tool's result.")
TELLING_TEXT: Final = _name("words", "agentd.telling.text", "The sentence that tells an effect.")
CLAIM_TEXT: Final = _name("words", "agentd.claim.text", "The sentence that was stopped.")
ERROR_TEXT: Final = _name("words", "agentd.error", "Why something failed, in the failing part's own words.")

# ── Metrics ──────────────────────────────────────────────────────────────────────────────────────────────────────────

M_GAP: Final = _name("histogram", "agentd_gap_seconds", "The caller stopped → first agent audio on the wire.")
M_STAGE: Final = _name(
    "histogram", "agentd_gap_stage_seconds", "The gap's stages: endpointing, recognizer, think, voice, wire."
)
M_LIVE: Final = _name("gauge", "agentd_calls_live", "Calls that are going on.")
M_CALLS: Final = _name("counter", "agentd_calls_total", "Calls that ended, by outcome.")
M_TURNS: Final = _name("counter", "agentd_turns_total", "Turns that are over, by what was answered.")
M_BARGE_INS: Final = _name("counter", "agentd_barge_ins_total", "Suspected barge-ins, by verdict: confirmed, rejected, lapsed.")
M_RESTARTS: Final = _name("counter", "agentd_actor_restarts_total", "Restarts, by actor.")
M_LATE: Final = _name("histogram", "agentd_frame_late_seconds", "How late outbound audio was sent.")
M_FRAMES: Final = _name("counter", "agentd_frames_total", "Media frames, by direction: in, out.")
M_RING: Final = _name("counter", "agentd_ring_dropped_total", "Frames of caller audio that the ring dropped.")
M_HOLES: Final = _name("counter", "agentd_holes_total", "Times that agent audio ran dry in the middle of a segment.")
M_OPEN: Final = _name("gauge", "agentd_effects_open", "Effects without a verdict, in the whole ledger.")
M_UNSETTLED: Final = _name(
    "gauge", "agentd_effects_unsettled", "Effects whose verdict the world does not agree with yet, the open ones among them."
)
M_STUCK: Final = _name("gauge", "agentd_effects_stuck", "Effects of unknown outcome: a human must look.")
M_STUCK_AGE: Final = _name("gauge", "agentd_effects_stuck_seconds", "How long the oldest of these has been so.")
M_OWED: Final = _name("gauge", "agentd_notices_owed", "Notices to callers that are not sent yet.")
M_OWED_AGE: Final = _name("gauge", "agentd_notices_owed_seconds", "How long the oldest of these has been owed.")
M_ROLLED_BACK: Final = _name(
    "counter", "agentd_effects_rolled_back_total", "Effects that were let go and that the world does not have, by cause."
)
M_AVERTED: Final = _name(
    "counter",
    "agentd_false_rollbacks_averted_total",
    "Effects that outlived the cutting of their telling: told_again, or kept without that.",
)
M_TELLINGS: Final = _name(
    "histogram", "agentd_effect_tellings", "How often the caller was told of an effect, or asked about it."
)
M_DOUBTED: Final = _name(
    "counter",
    "agentd_effects_doubted_total",
    "Tellings of which nobody knows whether they were heard: they were cleared, lost, or ended with the call.",
)
M_TOMBSTONES: Final = _name("counter", "agentd_tombstones_total", "Requests of unknown outcome that were undone to make sure.")
M_CLAIMS: Final = _name(
    "counter", "agentd_claims_stopped_total", "Sentences that claimed an effect which the ledger does not hold."
)
M_LOST: Final = _name(
    "counter",
    "agentd_telemetry_lost_total",
    "Telemetry that was lost: spans that no collector took, entries that could not be read.",
)
