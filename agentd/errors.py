"""Every error agentd raises, in families that tell the reader what to do.

AgentdError
├── OperatorError     mend a setting, a flow file or a command; raised at load, before a call can be hurt
├── PeerError         the carrier sent nonsense: close the socket with `close_code`, other calls go on
├── ProviderError     an engine failed: try again, or take the next one in the chain
├── ToolError         a tool failed: the caller is told the truth, the call goes on
│   ├── ToolRefused   a definite no: nothing was done
│   │   └── ToolGone  there is no such thing (any more): for an undo, that is as good as done
│   └── ToolNotSent   the request never left: it may be tried again without harm
├── LedgerDown        the ledger takes no writes now: nothing effectful runs, calls go on, the write is tried again
├── Fenced            another process has taken over these rows: whoever is told so must not act on them any more
└── InternalBug       agentd broke its own law: report it; the call ends, the daemon lives

Foreign errors are translated at the edge where they happen (a carrier, a provider, a tool) and nowhere else.
"""


class AgentdError(Exception):
    """Base of all; never raised itself."""


class OperatorError(AgentdError):
    """What the operator or the flow's author wrote cannot work.

    The text says what is wrong, where it stands and how to mend it, in one or two sentences.
    """

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.mend = what, where, mend

    def __str__(self) -> str:
        """`where: what. Mend: mend`, without the parts that are empty."""
        place = f"{self.where}: " if self.where else ""
        what = self.what if self.what.endswith((".", "!", "?")) else f"{self.what}."
        mend = f" Mend: {self.mend}" if self.mend else ""
        return f"{place}{what}{mend}"


class SettingsError(OperatorError):
    """A key of agentd.toml or of the environment."""


class FlowError(OperatorError):
    """A flow module: its states, transitions, slots or tools."""


class PeerError(AgentdError):
    """The other end of a media socket broke the protocol.

    `close_code` is the RFC 6455 code that the socket is closed with; `outcome` names the end in the call's record.
    """

    def __init__(self, what: str, *, close_code: int = 1002, outcome: str = "protocol_error") -> None:
        super().__init__(what)
        self.close_code, self.outcome = close_code, outcome


class ProviderError(AgentdError):
    """An engine (recognizer, thinker, voice) failed.

    `retryable`: the same request may succeed on a fresh session. `after_output`: it failed after it had given
    something, so that a retry may repeat what is already out.
    """

    def __init__(self, stage: str, what: str, *, retryable: bool = True, after_output: bool = False) -> None:
        super().__init__(f"{stage}: {what}")
        self.stage, self.retryable, self.after_output = stage, retryable, after_output


class EngineStalled(ProviderError):
    """An engine's thread did not come back in time; the thread was abandoned."""


class ToolError(AgentdError):
    """A tool could not do what it was asked; the text may be shown to the thinker, never to the caller.

    Raised by a tool that changes the world, this class itself says that the outcome is not known.
    """


class ToolRefused(ToolError):
    """The remote refused for good: what was asked for was not done, and will not be."""


class ToolGone(ToolRefused):
    """What was asked about is not there, or not there any more."""


class ToolNotSent(ToolError):
    """The request never left: nothing can have come of it."""


class LedgerDown(AgentdError):
    """The ledger could not be read or written: disk full, I/O error, locked or unreachable. It may work again later."""


class Fenced(AgentdError):
    """A write under a fence that is not the rows' any more: their owner was taken for dead."""


class InternalBug(AgentdError):
    """A law of agentd's own was broken; always worth a report."""
