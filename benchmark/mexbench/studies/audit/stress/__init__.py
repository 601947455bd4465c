"""``bench audit --stress``: what alterations of the test side's pictures cost a model that was trained without them."""
