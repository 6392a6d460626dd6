"""The table of `evaluate vqai`."""

from typing import TYPE_CHECKING, Any

from llmgen.cli.evaluate_files import number, share
from llmgen.cli.output import out

if TYPE_CHECKING:
    from llmgen.artifacts import Record

_WORDS = {
    "copied_input": "the input, copied",
    "input_round_trip": "the input, through the autoencoder",
    "target_round_trip": "the target, through the autoencoder",
    "target": "the target itself",
}


def show_vqai(records: "list[Record]", *, as_json: bool = False) -> None:
    """Figures by category and overall, the reference pictures under them, and how many samples are missing."""
    from llmgen.evaluate.vqai.table import vqai_table

    table = vqai_table(records)
    if as_json:
        out.json(table)
        return
    most = max((row["pictures"][1] for row in table["categories"].values()), default=1)
    rows = [
        [name, _cell(row["sim_avg"]), _cell(row["sim_best"]), number(row["auc_avg"]), number(row["auc_best"])]
        + [_cell(row["gain"]), str(row["n"]), str(row["missing"])]
        for name, row in table["categories"].items()
    ]
    columns = [
        "likeness to the target",
        "#Sim-Avg",
        f"#Sim-Best@{most}",
        "#AUC",
        "#AUC-Best",
        "#gain",
        "#n",
        "#missing",
    ]
    out.table("vqai: CLIP's cosine, mean [95 %]", columns, rows)
    judged = any("right" in row for row in table["categories"].values())
    if judged:
        rows = [
            [name, *(_cell(row.get(key)) for key in ("right", "right_best", "rest")), _db(row)]
            for name, row in table["categories"].items()
        ]
        columns = ["right answers", "#right", f"#right@{most}", "#rest stayed", "#kept, dB"]
        out.table("vqai by the judge, share [95 %]", columns, rows)
    rows = [
        [
            _WORDS[name],
            _cell(of.get("similarity")),
            *([_cell(of.get("right")), _cell(of.get("rest"))] if judged else []),
        ]
        for name, of in table["references"].items()
    ]
    columns = ["pictures that need no method", "#Sim-Avg", *(["#right", "#rest stayed"] if judged else [])]
    out.table("vqai: what to hold the figures against", columns, rows)
    if table["missing"]:
        shown = ", ".join(table["missing"][:10])
        more = f" and {len(table['missing']) - 10} more" if len(table["missing"]) > 10 else ""
        out.warn(f"{len(table['missing'])} samples have no score and are in no figure: {shown}{more}")


def _db(row: dict[str, Any]) -> str:
    return number(row["kept"]["value"]) if "kept" in row else "-"


def _cell(mean: dict[str, Any] | None) -> str:
    return "-" if mean is None else share({"accuracy": mean["value"], "ci95": mean["ci95"]})
