"""Print one table of all benchmarks: CPU time on one thread, medians of runs that take turns."""

from . import chain, gaussian, integrators, interactions, jumps, noise, observers, planar, rotor

LINE = "{:<27} {:>10} {:>9} {:>14}  {:<34} {:>10} {:>8} {:>8}  {}"


def main() -> None:
    """Run everything, a line at a time."""
    print(LINE.format("kernel", "size", "ours/ns", "per", "rival", "rival/ns", "ratio", "target", "met"))
    for module in (chain, rotor, planar, observers, gaussian, noise, jumps, integrators, interactions):
        for row in module.comparisons():
            target = "" if row.target is None else f"{row.target:.2f}"
            met = "" if row.target is None else "yes" if row.ratio >= row.target else "NO"
            numbers = (f"{row.ours:.3f}", row.unit, row.rival, f"{row.theirs:.3f}", f"{row.ratio:.2f}")
            print(LINE.format(row.kernel, row.size, *numbers, target, met), flush=True)


if __name__ == "__main__":
    main()
