"""A tree in memory, and the eight leaves that other implementations of RFC 6962 publish their hashes of."""

from __future__ import annotations

from collections.abc import Iterable

from stillwatch.store.ledger import tree

LEAVES = [
    bytes.fromhex(each)
    for each in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    6: "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


class Grown:
    """Complete nodes, added to leaf by leaf as the database does."""

    def __init__(self, entries: Iterable[bytes]) -> None:
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.size = 0
        for entry in entries:
            self.add(entry)

    def add(self, entry: bytes) -> None:
        for level, place, hashed in list(tree.grow(self.size, tree.leaf_hash(entry), self.read)):
            self.nodes[level, place] = hashed
        self.size += 1

    def read(self, level: int, place: int) -> bytes:
        return self.nodes[level, place]

    def root(self, size: int | None = None) -> bytes:
        return tree.root(self.size if size is None else size, self.read)
