"""The results of a campaign: one entry for each fault of an application, and its verdict."""

from dataclasses import dataclass, field

LEFT = ("leases_left", "waiting_left", "attempts_left")
MOST = ("max_over_budget", "over_budget_admissions")

Row = dict[str, object]


@dataclass
class Ran:
    """The reports of one application, and the findings after its end."""

    results: list[Row] = field(default_factory=list)
    crashes: int = 0
    complaints: list[str] = field(default_factory=list)


def entries(ran: Ran) -> list[Row]:
    """The results of each fault, merged: leftovers are summed, and the greatest maximum counts."""
    found: dict[str, Row] = {}
    for result in ran.results:
        if result["fault"] == "end":
            continue
        entry = found.setdefault(str(result["fault"]), {
            "fault": result["fault"], "seed": result["seed"], "master": result["master"], "runs": 0, "digests_equal": True,
            **dict.fromkeys((*LEFT, *MOST), 0), "crashes": ran.crashes, "error": None, "observed": {},
        })
        entry["runs"] += 1
        if "error" in result:
            entry |= {"digests_equal": False, "error": result["error"]}
            continue
        entry["digests_equal"] &= result["digests_equal"]
        entry |= {name: entry[name] + result[name] for name in LEFT}
        entry |= {name: max(entry[name], result[name]) for name in MOST}
        entry["observed"] = {key: value for key, value in result.items() if key not in entry and key != "spark"}
    return list(found.values())


def holds(entry: Row) -> bool:
    """Whether the results are right, nothing is left, no process crashed, and no bytes exceeded the budget uncounted."""
    counted = entry["max_over_budget"] == 0 or entry["over_budget_admissions"] > 0
    return bool(entry["digests_equal"]) and counted and all(entry[name] == 0 for name in (*LEFT, "crashes"))


def complaints(ran: Ran) -> list[str]:
    """The complaints that follow from the application's reports."""
    wrong = [f"{result['fault']}: {result['error']}" for result in ran.results if "error" in result]
    ends = [result for result in ran.results if result["fault"] == "end"]
    return wrong + [f"after the catalogs were closed: {end}" for end in ends if end["resident_after_close"] or end["reserved_after_close"]]
