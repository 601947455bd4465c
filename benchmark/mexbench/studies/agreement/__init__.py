"""How far two models agree."""
