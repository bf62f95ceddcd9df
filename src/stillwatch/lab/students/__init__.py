"""Small students that learn from harvested answers, to measure what a countermeasure takes from them."""
