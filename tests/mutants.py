"""Faults planted in the kernels, one at a time: the tests must catch every one. Run by ``make mutants``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
KERNELS = ROOT / "src" / "biaochi" / "kernels"
TESTS = [
    "tests/golden/test_references_cells.py",
    "tests/golden/test_references_weights.py",
    "tests/golden/test_references_aggregates.py",
    "tests/golden/test_coinr.py",
    "tests/golden/test_coinr_data.py",
    "tests/golden/test_tai.py",
    "tests/golden/test_frontier.py",
    "tests/golden/test_coherence.py",
    "tests/golden/test_trends.py",
    "tests/engine/test_traits.py",
]

WHAT_IFS = ["tests/golden/test_robustness.py", "tests/engine/test_whatif.py", "tests/engine/test_robustness.py", "tests/engine/test_drivers.py"]
"""What faults in the loops of what-ifs are put to."""
DOUBTS = ["tests/engine/test_doubts.py"]
OTHERS = {"whatif": WHAT_IFS, "sobol": WHAT_IFS, "summary": ["tests/engine/test_parts.py"],
          "shapley": ["tests/engine/test_shapley.py"], "forecast": ["tests/engine/test_outlook.py"], "digits": DOUBTS, "unlike": DOUBTS}  # fmt: skip
"""Tests for the faults of some files, by how their names begin; `TESTS` for all others."""

FAULTS = [
    ("impute/column.py", "out[..., here, :] = fill(x[..., here, :], counts=inside)", "out[..., here, :] = fill(x, counts=counts)[..., here, :]", "a group takes the mean of all"),
    ("impute/time.py", "age <= limit", "age < limit", "an observation is too old one period early"),
    ("impute/time.py", "(y - effect)[there]) + effect", "(y - effect)[there])", "the season is taken out and not put back"),
    ("impute/others.py", "1.0 - row, row)", "row, row)", "the branch's mean is not turned back for lower-is-better"),
    ("impute/others.py", "extra[np.ix_(holes, holes)] += len(rows) * rest", "pass", "EM forgets the variance of what it filled"),
    ("impute/others.py", "np.divide(squares, n,", "np.divide(squares, np.ones(len(n)),", "units with less in common are nearer"),
    ("treat/pull.py", "moved[np.where(s >= 0, 0, 1), active] = at_top.sum(axis=0)", "moved[np.where(s >= 0, 0, 1), active] += 1", "ties count once"),
    ("treat/pull.py", "q3 + reach * (q3 - q2)", "q3 + reach * (q2 - q1)", "the upper fence leans the wrong way"),
    ("treat/transform.py", "0.01 * (high - low)", "0.1 * (high - low)", "another shift before the logarithm"),
    ("treat/transform.py", "total(logs) - number(inside) / 2.0", "total(logs) - number(inside)", "a wrong likelihood"),
    ("treat/scheme.py", "once if combine else x", "x if combine else once", "the second treatment takes the wrong input"),
    ("moments.py", "n - np.asarray(ddof, float)", "number(x)", "n in place of n - 1"),
    ("moments.py", "low + (high - low) * (at - below)", "low", "another type of quantile"),
    ("normalise/scale.py", "return ratio(x - average(ref), deviation(ref, ddof), spend=True) * sd + mean", "return ratio(x - average(x), deviation(ref, ddof)) * sd + mean", "the values centre themselves"),
    ("normalise/ratio.py", "return np.where(np.asarray(signs) > 0, up, down)", "return up", "COINr's fraction of the maximum"),
    ("normalise/order.py", 'side="right"', 'side="left"', "a class begins one step late"),
    ("normalise/time.py", '"symmetric": (v + b) / 2', '"symmetric": v + b', "growth bounded by 100"),
    ("normalise/efficacy.py", "ratio(x - low, high - low) * span + floor", "np.clip(ratio(x - low, high - low), 0, 1) * span + floor", "efficacy is clipped"),
    ("weigh/spread.py", "1.0 - r).sum", "r).sum", "CRITIC rewards agreement"),
    ("weigh/spread.py", "np.sqrt(goal / goal.sum())", "(goal / goal.sum())", "influence of the wrong power"),
    ("weigh/stated.py", "shares.mean(axis=0)", "shares[0]", "one expert decides"),
    ("weigh/stated.py", "np.diag(n - said.sum(axis=1))", "np.eye(n)", "missing comparisons count as nothing"),
    ("structure/components.py", "across = 2.0 * (u @ v) - 2.0 * u.sum() * v.sum() / n", "across = 2.0 * (u @ v)", "quartimax in place of varimax"),
    ("aggregate/mean.py", "m - off if penalty", "m + off if penalty", "imbalance is rewarded"),
    ("aggregate/mean.py", "2.0 * below + share - 1.0", "2.0 * below + share", "a wrong capacity"),
    ("aggregate/ideal.py", "return ratio(down, up + down)", "return ratio(up, up + down)", "closeness to the worst"),
    ("aggregate/outrank.py", "out[i + 1 :] -= verdict", "out[i + 1 :] += verdict", "a duel has two winners"),
    ("aggregate/outrank.py", "(n_part - n_full) * (c - q)", "(n_part - n_full) * c", "the ramp starts at 0"),
    ("aggregate/outrank.py", "both = (~np.isnan(a) & ~np.isnan(b)) @ w", "both = np.ones(a.shape) @ w", "a gap is weighed as if compared"),
    ("aggregate/kemeny.py", "if cost < best[s] - 1e-15", "if cost > best[s] or best[s] == np.inf", "the worst order"),
    ("frontier/active.py", "self.slack -= step[:, None] * rate", "self.slack -= 0.5 * step[:, None] * rate", "rows are passed on the way"),
    ("frontier/active.py", "gain = np.where(self.active < 0, np.inf, multiplier / length)", "gain = np.where(self.active < 0, np.inf, -multiplier / length)", "vertices get worse"),
    ("frontier/forms.py", "parts = np.diff((np.arange(n + 1) / n) ** size)", "parts = np.full(n, 1 / n)", "order-m forgets the best of the draw"),
    ("structure/association.py", "df = n - 2.0", "df = n - 1.0", "one degree of freedom too many"),
    ("structure/reliability.py", "(total - np.trace(c)) / (k * (k - 1))", "(total - np.trace(c)) / k**2", "alpha of a wrong mean"),
    ("structure/reliability.py", "(1.0 - loadings**2).sum()", "(loadings**2).sum()", "omega counts the common part twice"),
    ("structure/components.py", "partial = inverse / np.outer(d, d)", "partial = inverse", "partial correlations are not scaled"),
    ("structure/components.py", "(n - 1 - (2 * m + 5) / 6)", "(n - 1)", "Bartlett without his correction"),
    ("trend.py", "1.0 / np.where(years > 0, years, np.nan)", "1.0 / np.where(years > 0, years + 1.0, np.nan)", "growth over one year too many"),
    ("trend.py", "at_start = start + slope * t[first]", "at_start = y[first, k]", "change on the first value, not on the line"),
    ("sobol.py", "shift = mean if centred else np.zeros_like(mean)", "shift = np.zeros_like(mean)", "outputs are not centred"),
    ("sobol.py", "/ (2 * v)\n    second", "/ v\n    second", "total order is doubled"),
    ("whatif/plain.py", "packed[:, 1:] - packed[:, :-1] > 1", "packed[:, 1:] - packed[:, :-1] > 0", "ties fall apart at the edge of a step"),
    ("whatif/plain.py", "other = buffer[u + 1 + d]", "other = buffer[u + d]", "each unit is compared with itself"),
    ("whatif/plain.py", "np.abs(at - nominal)", "at - nominal", "shifts up and down cancel"),
    ("whatif/score.py", "above * share[path[k - 1]]", "share[path[k - 1]]", "weights forget the upper levels"),
    ("whatif/score.py", "there[parent] &= ~short[parent]", "pass", "a parent with too few children has a score"),
    ("whatif/score.py", "g[~v.own.any(axis=1)] = 1.0", "pass", "a branch without weight takes the score away"),
    ("whatif/score.py", "refused |= low.any(axis=1) & (w > 0)", "pass", "replicates that must be refused are counted"),
    ("summary.py", "off *= off", "pass", "squares are no squares where data are in parts"),
    ("summary.py", "np.fmax.reduce([p[\"high\"] for p in parts])", "parts[0][\"high\"]", "the first part alone sets the top of the scale"),
    ("summary.py", "upper += told.astype(np.int64)", "upper = told.astype(np.int64)", "the last block alone is added up"),
    ("shapley.py", "leggauss((degree + 1) // 2)", "leggauss(max((degree + 1) // 2 - 1, 1))", "a point too few for the polynomial"),
    ("shapley.py", "slope[:, p] = e[0] - e[1]", "slope[:, p] = e[0]", "a product forgets where a leaf comes from"),
    ("forecast.py", "for f, k in zip(filled, there, strict=True)", "for f, k in zip(0 * filled, 0 * there, strict=True)", "errors are measured in what they are part of"),
    ("forecast.py", "asked += pace * (level - float(inside[known].mean()))", "asked -= pace * (level - float(inside[known].mean()))", "the level moves the wrong way"),
    ("forecast.py", "self.x[t] + d * mean", "self.x[t] - d * mean", "the drift runs backwards"),
    ("digits.py", "binom.sf(k - 1, n, base)", "binom.sf(k, n, base)", "one multiple more is needed"),
    ("digits.py", "log.sum(axis=1) / np", "-log.sum(axis=1) / np", "likely digits are doubted"),
    ("unlike.py", "others = rest[inside[inside != u]]", "others = rest[inside]", "a unit is its own neighbour"),
    ("unlike.py", "+ noise[:, j] ** 2)", ")", "small counts surprise as large ones do"),
    ("aggregate/electre.py", "strong = d > c", "strong = d > 1.0", "no veto"),
]  # fmt: skip


def survives(name: str, before: str, after: str) -> bool:
    """Whether the tests pass with one fault planted in a copy of the package."""
    with tempfile.TemporaryDirectory() as room:
        shutil.copytree(ROOT / "src" / "biaochi", Path(room) / "biaochi")
        path = Path(room) / "biaochi" / "kernels" / name
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(before, after), encoding="utf-8")
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([room, str(ROOT)]), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *next((t for n, t in OTHERS.items() if name.startswith(n)), TESTS)]
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        if done.returncode and " failed" not in done.stdout and " error" not in done.stdout:
            raise SystemExit(done.stdout + done.stderr)
        return done.returncode == 0


def main() -> int:
    absent = [f for f in FAULTS if (KERNELS / f[0]).read_text(encoding="utf-8").count(f[1]) == 0]
    for name, before, _, what in absent:
        print(f"not found any more: {name}: {before} ({what})")
    left = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        alive_all = list(pool.map(lambda f: f not in absent and survives(*f[:3]), FAULTS))
    for (name, _, _, what), alive in zip(FAULTS, alive_all, strict=True):
        print(f"{'SURVIVED' if alive else 'caught'}: {name}: {what}")
        left += [what] if alive else []
    print(f"{len(FAULTS) - len(left) - len(absent)} of {len(FAULTS)} faults caught")
    return 1 if left or absent else 0


if __name__ == "__main__":
    sys.exit(main())
