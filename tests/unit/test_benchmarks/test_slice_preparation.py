"""The slice of a day of an export has the neighbours that its dataset has."""

from benchmarks import slice_preparation
from benchmarks.archive_export import ArchiveSize, write_archive
from benchmarks.slice_preparation import Catalogue, find_locally, find_on_cluster
from tests.support.sliced_engine import MemoryCluster


def test_a_cluster_finds_the_neighbours_that_one_process_finds(tmp_path, monkeypatch):
    monkeypatch.setattr(slice_preparation, "_BLOCK", 64)
    write_archive(tmp_path / "export", ArchiveSize(12_000, users=300, posts=100, events_per_day=2000))
    catalogue = Catalogue.read(tmp_path / "export")
    users = catalogue.sampled_users(40)

    found = find_on_cluster(catalogue, users, MemoryCluster(2), n_parts=5)
    expected = find_locally(catalogue, users)

    assert expected["users with neighbours"] > 20
    for name in ("users with neighbours", "neighbours", "similarities"):
        assert found[name] == expected[name]
    assert found["events of the slice"] < 12_000
