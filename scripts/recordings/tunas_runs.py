"""Records lesson 09's searches in a Transformer, and trains what they found and have to beat.

    OMP_NUM_THREADS=1 python -m scripts.recordings.tunas_runs record    a quarter of an hour of one core
    python -m scripts.recordings.tunas_runs merge               -> nas_lib/assets/tunas_runs.json

Each seed has a search and a random network of its own, the latter of the target's price; all that
is trained alone with a seed gets the same batches. Test images are looked at after training alone.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from nas_lib.one_shot import OnPath
from nas_lib.spaces import Arch
from nas_lib.tunas import MOMENTUM, RUNS_PATH, WARM_UP, TunasSearch, interleave
from nas_lib.vit import CONVOLUTION, VitImages, VitRecipe, accuracy, fit_vit, vit_images, vit_macs, vit_space
from scripts import recording
from scripts.recording import Recording, Row, Rows

SPACE = vit_space()
DEEPEST, MOST, WIDEST = (max(options) for options in SPACE.choices[:3])
NEAR = 0.05
"""How far from the target, relatively, the price of a random network may be."""


def uniform(depth: int, heads: int, ffn: int) -> Arch:
    """The network whose layers are all alike."""
    rest = [value for i in range(DEEPEST) for value in ((heads, ffn) if i < depth else (None, None))]
    return SPACE.from_index(SPACE.index((depth, *rest)))


FIXED = {
    "largest": uniform(DEEPEST, MOST, WIDEST),
    "smallest": uniform(min(SPACE.choices[0]), CONVOLUTION, min(SPACE.choices[2])),
    "by hand": uniform(DEEPEST, CONVOLUTION, 64),
}
"""Architectures that nothing searches: the ends of the space, and what somebody would draw at about the target."""
NAMES = ("found", "random", *FIXED)


@dataclass(frozen=True)
class TransformerSearches:
    """A search per seed, and the trainings beside it.

    Attributes:
        target, beta: of the reward, accuracy + beta·|macs / target − 1|.
        machine: whose seconds these are; whoever records on another one says which it is.
    """

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    recipe: VitRecipe = VitRecipe()
    target: float = 600_000.0
    beta: float = -10.0
    policy_rate: float = 0.008
    machine: str = "x86_64, one thread, torch 2.14.1+cu130"
    folder: Path = Path(__file__).with_suffix("")

    @cached_property
    def recording(self) -> Recording:
        """Of these settings."""
        jobs = {f"{name} {seed}": (name, seed) for seed in self.seeds for name in ("search", *NAMES)}
        return Recording(jobs, self.do, self.merge, self.settings, self.folder, RUNS_PATH)

    @property
    def settings(self) -> Row:
        """What all runs have in common."""
        return {
            "recipe": asdict(self.recipe),
            "target": self.target,
            "beta": self.beta,
            "policy_rate": self.policy_rate,
            "machine": self.machine,
        }

    @cached_property
    def images(self) -> VitImages:
        """Drawn when first needed."""
        return vit_images(self.recipe)

    def reward(self, accuracy: float, macs: float) -> float:
        """The absolute reward."""
        return accuracy + self.beta * abs(macs / self.target - 1)

    def do(self, name: str, seed: int) -> Row:
        """A search, or a training alone."""
        begin = time.process_time()
        if name == "search":
            said = self._search(seed)
        else:
            arch = self._arch(name, seed)
            network = fit_vit(arch, self.images, self.recipe, seed)
            valid, test = accuracy(network, self.images.valid), accuracy(network, self.images.test)
            said = {"arch": list(arch), "valid": round(valid, 3), "test": round(test, 3)}
        macs = vit_macs(said["arch"])
        return {
            "name": name,
            "seed": seed,
            "macs": macs,
            **said,
            "seconds": round(time.process_time() - begin, 2),
        }

    def _search(self, seed: int) -> Row:
        search = TunasSearch(SPACE, self.images, self.reward, self.recipe, seed, self.policy_rate)
        start = round(WARM_UP * self.recipe.steps)
        falling = partial(_falling, start)
        interleave(self.recipe.steps, falling, start, search, MOMENTUM, np.random.default_rng(seed))
        arch = search.policy.best()
        inherited = accuracy(OnPath(search.supernet, arch), self.images.valid)
        chances = [[round(one, 4) for one in row.tolist()] for row in search.policy.probabilities()]
        return {"arch": list(arch), "inherited": round(inherited, 3), "chances": chances}

    def _arch(self, name: str, seed: int) -> Arch:
        if name == "found":
            return self.recording.need(f"search {seed}")[0]["arch"]
        if name in FIXED:
            return FIXED[name]
        rng = np.random.default_rng(seed)
        while True:
            arch = SPACE.sample(rng)
            if abs(vit_macs(arch) / self.target - 1) <= NEAR:
                return arch

    def merge(self, rows: Rows, target: Path) -> None:
        """Settings, and a run per line."""
        lines = ",\n".join(json.dumps(row) for row in rows.values())
        recording.write_text(target, f'{json.dumps(self.settings)[:-1]}, "runs": [\n{lines}\n]}}\n')


def _falling(steps: int, step: int) -> float:
    return max(0.0, 1 - step / steps)


if __name__ == "__main__":
    recording.main(__doc__, TransformerSearches())
