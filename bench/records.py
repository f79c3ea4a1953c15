"""What bench/compare writes and bench/publish reads: one JSON line a measurement, appended to one
file, so that a long comparison can be made in pieces. "kind" says what a line holds:

  machine  processor, instruction sets, cores, memory, versions; the last one counts
  run      one process: workload, threads, who ("glia", "peer"), setting (of the peer), pair (a
           run of glia and the peer's run after it share a number), and its figures
  check    did both compute the same? by workload and threads
  target   workload, and the ratio that is wanted with 1 and with 2 threads
  limits   what the machine can do at best, by threads: gflops, gb_s (bench_roofline); the most
           counts, since neighbours only take away
  roofline one workload's share of these: of_arithmetic, of_roofline
  cost     an overhead: name, value, unit, target
  curve    one training run: task, who, seed, and curve, accuracy and loss behind each epoch
"""
import json
import pathlib
import statistics

DISTURBED = 0.15  # other processes kept this share of a core busy while it was measured


def read(path):
    path = pathlib.Path(path)
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def append(path, record):
    with open(path, "a", encoding="utf-8") as f:
        f.write(json.dumps(record) + "\n")


def quiet(runs):
    """Those that nobody disturbed; all, where there are none."""
    return [r for r in runs if r.get("other_cpu", 0) <= DISTURBED] or runs


def last(records, **wanted):
    """The last record that has these values, or {}."""
    found = [r for r in records if all(r.get(k) == v for k, v in wanted.items())]
    return found[-1] if found else {}


def best_settings(records, workload, threads):
    """The peer's settings, the fastest first."""
    runs = [r for r in records if r["kind"] == "run" and r["who"] == "peer" and
            (r["workload"], r["threads"]) == (workload, threads)]
    by = {}
    for r in quiet(runs):
        by.setdefault(r["setting"], []).append(r["median_step_ms"])
    return sorted(by, key=lambda s: min(by[s]))


def limit(records, threads, what="gflops"):
    """The most that the machine gave with so many threads, or None."""
    return max((r[what] for r in records if r["kind"] == "limits" and r["threads"] == threads and what in r),
               default=None)


def summary(records, workload, threads):
    """One workload: medians of both, the ratio of neighbouring runs with its spread, memory."""
    runs = [r for r in records if r["kind"] == "run" and
            (r["workload"], r["threads"]) == (workload, threads)]
    mine = quiet([r for r in runs if r["who"] == "glia"])
    if not mine:
        return {}
    out = {"workload": workload, "threads": threads, "runs": len(mine),
           "ms": statistics.median(r["median_step_ms"] for r in mine),
           "rss_mb": max(r["peak_rss_mb"] for r in mine),
           "disturbed": mine[0].get("other_cpu", 0) > DISTURBED}
    for field in ("planned_mb", "process_mb", "gflop", "gflops", "loss"):
        if field in mine[0]:
            out[field] = statistics.median(r[field] for r in mine)
    most = limit(records, threads)
    if most and out.get("gflop", 0) > 0.001:
        out["of_limit"] = out["gflop"] / out["ms"] * 1e3 / most
    share = last(records, kind="roofline", workload=workload, threads=threads)
    if share and out.get("gflop", 0) > 0.001:
        out["of_roofline"] = share["of_roofline"]
    check = last(records, kind="check", workload=workload, threads=threads)
    if check:
        out["check"] = {k: v for k, v in check.items() if k not in ("kind", "workload", "threads")}
    settings = best_settings(records, workload, threads)
    if not settings:
        return out
    peers = [r for r in runs if r["who"] == "peer" and r["setting"] == settings[0]]
    pairs = {r["pair"]: r for r in mine}
    ratios = [r["median_step_ms"] / pairs[r["pair"]]["median_step_ms"]
              for r in quiet(peers) if r["pair"] in pairs]
    out |= {"peer_ms": statistics.median(r["median_step_ms"] for r in quiet(peers)),
            "peer_rss_mb": min(r["peak_rss_mb"] for r in peers), "peer_setting": settings[0],
            "settings_tried": len(settings)}
    if ratios:
        out |= {"ratio": statistics.median(ratios), "ratio_least": min(ratios),
                "ratio_most": max(ratios), "pairs": len(ratios)}
    return out
