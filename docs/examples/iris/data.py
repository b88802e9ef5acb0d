"""Writes reference.csv and production.jsonl from the iris data that comes with scikit-learn.

The first 100 flowers (setosa and versicolor) are what the model was made for, the last 50 (virginica) what came, one
a minute. What the flower is stands in for what a model says.
"""

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sklearn.datasets import load_iris

HERE = Path(__file__).parent
START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def main() -> None:
    """Both files, beside this one."""
    iris = load_iris()
    names = [name.removesuffix(" (cm)").replace(" ", "_") for name in iris.feature_names]
    rows = [
        dict(zip(names, row, strict=True)) | {"prediction": str(iris.target_names[target])}
        for row, target in zip(iris.data.tolist(), iris.target.tolist(), strict=True)
    ]
    with (HERE / "reference.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0], lineterminator="\n")
        table.writeheader()
        table.writerows(rows[:100])
    with (HERE / "production.jsonl").open("w") as file:
        for minute, row in enumerate(rows[100:]):
            time = (START + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")
            said = row.pop("prediction")
            file.write(json.dumps({"timestamp": time, "model": "iris", "features": row, "prediction": said}) + "\n")


if __name__ == "__main__":
    main()
