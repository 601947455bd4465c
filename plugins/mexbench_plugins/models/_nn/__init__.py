"""Networks in JAX: layers, losses, training, checkpoints."""
