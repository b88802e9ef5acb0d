"""`python -m tests.deploy.update`: the golden renders anew, to be looked at in the diff before they are committed."""

from tests.deploy.manifests import GOLDEN, VALUES, golden
from tests.services.go_tools import Helm, built

if __name__ == "__main__":
    for values in VALUES:
        (GOLDEN / f"{values.stem.removesuffix('-values')}.yaml").write_text(golden(Helm(built("helm")), values))
