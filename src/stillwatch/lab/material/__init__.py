"""What traffic is made of besides words: networks, clients, rhythms, lengths, mail domains; our own, or published."""

from stillwatch.lab.material.choice import OWN, Material, material_of, settled_name

__all__ = ["OWN", "Material", "material_of", "settled_name"]
