"""What must be true of everything that was ever accepted. Pure: evidence in, verdict out."""
from dataclasses import dataclass, field

TERMINAL = {"delivered", "dead", "expired", "dropped_quota", "skipped_gone"}


@dataclass(frozen=True)
class Row:
    """A delivery as the journal has it in the end."""

    state: str
    sequence: int
    # POSTs that the journal knows to have ended without a status: what they brought may come again, by no fault of a kill's.
    without_status: int


@dataclass
class Evidence:
    """Of one run, from its first start to its orderly end."""

    # Ids of events that the daemon said to be accepted: in its log after the commit, or by listing them.
    accepted: set
    # By endpoint and event.
    journal: dict
    # By endpoint and event: receiver.Arrivals.
    arrivals: dict
    endpoints: tuple
    kills: int
    concurrency: int
    # What `PRAGMA integrity_check` said.
    integrity: str = "ok"


@dataclass
class Verdict:
    """Deliveries of which something untrue was found. Everything but `duplicates` must be empty."""

    # Accepted, but it neither arrived nor ended as the journal knows.
    lost: list = field(default_factory=list)
    # Delivered as the journal says, but the receiver never said yes.
    claimed: list = field(default_factory=list)
    # Arrived, but was never accepted.
    spurious: list = field(default_factory=list)
    # Arrived with different bytes, or under different sequence numbers.
    altered: list = field(default_factory=list)
    # Endpoints whose sequence has a gap or says something twice.
    gaps: list = field(default_factory=list)
    # Arrived again after a yes that no kill explains: more than what was in flight and one, per kill.
    too_many: int = 0
    # Ended otherwise than delivered, as the journal knows: after three kills on the way, for instance.
    dead: int = 0
    duplicates: int = 0
    accepted: int = 0
    corrupt: int = 0

    def is_clean(self):
        return not (self.lost or self.claimed or self.spurious or self.altered or self.gaps or self.too_many or self.corrupt)

    def figures(self):
        return {"accepted": self.accepted, "lost": len(self.lost), "corrupt": self.corrupt, "altered": len(self.altered),
                "spurious": len(self.spurious), "claimed": len(self.claimed), "gaps": len(self.gaps),
                "duplicates": self.duplicates, "unexplained_duplicates": self.too_many, "dead": self.dead}


def judge(evidence):
    verdict = Verdict(accepted=len(evidence.accepted), corrupt=int(evidence.integrity != "ok"))
    owed = {(endpoint, event) for event in evidence.accepted for endpoint in evidence.endpoints}
    for key in sorted(owed):
        arrived, row = evidence.arrivals.get(key), evidence.journal.get(key)
        if not (arrived and arrived.taken) and not (row and row.state in TERMINAL - {"delivered"}):
            verdict.lost.append(key)
    verdict.dead = sum(row.state in TERMINAL - {"delivered"} for row in evidence.journal.values())
    for key, row in evidence.journal.items():
        if row.state == "delivered" and not (key in evidence.arrivals and evidence.arrivals[key].taken):
            verdict.claimed.append(key)
    for key, arrived in evidence.arrivals.items():
        row = evidence.journal.get(key)
        if key not in owed and row is None:
            verdict.spurious.append(key)
        if len(arrived.digests) > 1 or len(arrived.sequences) > 1 or (row and arrived.sequences != {row.sequence}):
            verdict.altered.append(key)
        excused = max(0, row.without_status - arrived.unanswered) if row else 0
        verdict.duplicates += max(0, arrived.again - excused)
    for endpoint in evidence.endpoints:
        sequences = sorted(row.sequence for (of, _), row in evidence.journal.items() if of == endpoint)
        if sequences != list(range(1, len(sequences) + 1)):
            verdict.gaps.append(endpoint)
    explained = evidence.kills * len(evidence.endpoints) * (evidence.concurrency + 1)
    verdict.too_many = max(0, verdict.duplicates - explained)
    return verdict
