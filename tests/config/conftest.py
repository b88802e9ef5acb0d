import pytest

from tests.config.folder import Folder


@pytest.fixture(scope="session")  # hypothesis, too, may use it: nothing but the last file stays
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("configuration"))
