"""Sizes that the layers of a network and the checks of its input share."""

#: Of VGG-16's last features, (7, 7, 512), which hybrid_micronet and hybrid_micronet_au read.
VGG16_CHANNELS = 512

#: CausalNet: maps of a clip, tokens that each becomes, and attention heads of a token.
CAUSALNET_MAPS, CAUSALNET_TOKENS, CAUSALNET_HEADS = 4, 4, 8
