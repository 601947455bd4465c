"""How far two computations of "the same" optical flow lie apart."""
