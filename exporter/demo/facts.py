"""What the prepared flights are like, measured: what the demo's drift is to be judged against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from exporter.demo.model import Scored


def facts(scored: Scored) -> dict[str, Any]:
    """Counts, delays of the labels in hours, and shares, accuracy and AUC of the training rows and each month."""
    stream = scored.stream
    arrived = stream[stream.arrival.notna()]
    hours = (arrived.arrival - arrived.departure).dt.total_seconds() / 3600
    months = {f"2013-{month:02}": rows for month, rows in stream.groupby("month")}
    return {
        "training_rows": len(scored.training),
        "predictions": len(stream),
        "labels": len(arrived),
        "label_delay_hours": {
            "least": round(float(hours.min()), 2),
            "median": round(float(hours.median()), 2),
            "greatest": round(float(hours.max()), 2),
        },
        "months": {name: _quality(rows) for name, rows in {"training": scored.training, **months}.items()},
    }


def _quality(rows: pd.DataFrame) -> dict[str, float]:
    from sklearn.metrics import roc_auc_score

    known = rows[rows.arrival.notna()].astype({"label": int})
    shares = {
        "labelled": len(known) / len(rows),
        "late": known.label.mean(),
        "called_late": rows.prediction.mean(),
        "accuracy": (known.label == known.prediction).mean(),
        "roc_auc": roc_auc_score(known.label, known.score),
    }
    return {"rows": len(rows)} | {name: round(float(share), 4) for name, share in shares.items()}
