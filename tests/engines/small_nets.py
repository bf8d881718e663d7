"""Small nets, and ``convnet compare`` over them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convnet_py.compare.command import run_compare

WEIGHTS = "epsW=0.1 epsB=0.2 momW=0.9 momB=0.8 wc=0.01"


def section(name: str, keys: str) -> str:
    """A section of a layer file from ``key=value`` separated by spaces."""
    return "\n".join([f"[{name}]", *keys.split(), "", ""])


@dataclass
class Net:
    """A net over ``dummy-lr-*`` data: layers ``img``, ``labels`` and ``gate``, and those that are added."""

    folder: Path
    definition: str = ""
    params: str = ""
    provider: str = "dummy-lr-192"

    def layer(self, name: str, keys: str, params: str | None = None) -> Net:
        self.definition += section(name, keys)
        if params is not None:
            self.params += section(name, params)
        return self

    def conv(self, name: str = "c", keys: str = "", params: str = WEIGHTS, gpu: int = 0) -> Net:
        """Over ``img``: 16 maps of 8 x 8, with values of either sign."""
        base = "type=conv inputs=img channels=3 filters=16 filterSize=3 padding=1 initW=0.3 initB=-0.1 partialSum=0"
        return self.layer(name, f"{base} gpu={gpu} {keys}", params)

    def fc(self, name: str, inputs: str, keys: str = "", params: str = WEIGHTS) -> Net:
        """10 values."""
        return self.layer(name, f"type=fc inputs={inputs} outputs=10 initW=0.05 gpu=0 {keys}", params)

    def logreg(self, below: str) -> Net:
        """fc, softmax and logreg over ``below``."""
        self.fc("top", below).layer("probs", "type=softmax inputs=top")
        return self.layer("cost", "type=cost.logreg inputs=labels,probs gpu=0", "coeff=1 topk=3")

    def files(self) -> list[str]:
        definition, params = self.folder / "layers.cfg", self.folder / "params.cfg"
        definition.write_text(self.definition)
        params.write_text(self.params)
        return [f"--layer-def={definition}", f"--layer-params={params}", f"--data-provider={self.provider}"]

    def compare(self, *arguments: str, engines: str = "rebuilt,torch") -> Report:
        output = self.folder / "report.json"
        common = [f"--engines={engines}", f"--json={output}", "--dummy-cases=12", "--mini=12", "--threads=1"]
        status = run_compare([*common, *self.files(), *arguments], lambda text: None)
        return Report(status, json.loads(output.read_text()))


@dataclass
class Report:
    """The exit status and the JSON report of a comparison."""

    status: int
    content: dict[str, Any]

    def all_rows(self, pair: int = 0) -> list[dict[str, Any]]:
        return self.content["pairs"][pair]["rows"]

    def rows(self, section: str, pair: int = 0) -> dict[str, dict[str, Any]]:
        return {row["name"]: row for row in self.all_rows(pair) if row["section"] == section}

    def failed(self) -> list[str]:
        return [f"{r['section']}: {r['name']}: {r['difference']}" for r in self.all_rows() if r["verdict"] == "FAILED"]

    def check(self, *with_gradient: str) -> None:
        """Fail unless all passed, and the named layers' gradients were really compared and are not 0."""
        assert self.status == 0, self.failed()
        gradients = self.rows("gradients")
        for name in with_gradient:
            assert gradients[name]["verdict"] == "ok", gradients[name]
