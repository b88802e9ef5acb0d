"""What is wrong with a training table, said so that it can be put right."""

from pathlib import Path


class TrainingError(Exception):
    """A table that no reference can be built from: which file, what is wrong with it, and what to do about it."""

    def __init__(self, path: Path, problem: str, hint: str) -> None:
        super().__init__(f"{path}: {problem}; {hint}")
        self.path = path
        self.problem = problem
        self.hint = hint
