"""``python -m tests.simulation SCHEDULES``: run schedules, count what was put in, name the seeds that broke a law."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable

from .sabotage import SABOTAGES
from .schedule import Setting, run
from .world import LocalWorld, World


def _on_aws(seed: int) -> World:
    from .aws import AwsWorld  # what it imports takes longer than many a schedule

    return AwsWorld(seed)


WORLDS: dict[str, Callable[[int], World]] = {"memory": World, "local": LocalWorld, "aws": _on_aws}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("schedules", type=int, nargs="?", default=1000)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--adapter", choices=sorted(WORLDS), default="memory")
    parser.add_argument("--sabotage", choices=sorted(SABOTAGES), help="break a mechanism, to see that it is noticed")
    options = parser.parse_args()
    setting = SABOTAGES[options.sabotage].setting if options.sabotage else Setting(WORLDS[options.adapter])
    faults, done = Counter[str](), Counter[str]()
    receipts = calls = broken = 0
    began = time.perf_counter()
    for seed in range(options.first_seed, options.first_seed + options.schedules):
        report = run(seed, setting)
        faults += report.faults
        receipts, calls = receipts + report.receipts, calls + report.calls
        done += report.done
        if report.broken is not None:
            broken += 1
            print(f"seed {seed}: {type(report.broken).__name__}: {report.broken}"[:1000])
    seconds = time.perf_counter() - began
    pace = f"{seconds:.1f} s, {options.schedules / seconds:.0f} a second"
    print(f"{options.schedules} schedules ({options.adapter}) in {pace}")
    print(", ".join([f"{receipts} receipts accepted", *(f"{number} {what}" for what, number in sorted(done.items()))]))
    print(f"{calls} port calls, {faults.total()} faults:")
    for fault, number in sorted(faults.items()):
        print(f"  {fault:14} {number}")
    print(f"{broken} broken")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
