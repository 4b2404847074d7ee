"""The residual backbone with an encoder of few layers and channels, which costs a test milliseconds and not seconds."""

from monai.networks.blocks import BaseEncoder
from monai.networks.nets.flexible_unet import FLEXUNET_BACKBONE
from monai.networks.nets.resnet import ResNet, ResNetFeatures

from raterbench.methods.backbones.resnet34_unet import ResNet34UNet

INPLANES = [4, 4, 8, 8]


class NarrowEncoder(ResNetFeatures, BaseEncoder):
    """MONAI's encoder of FlexibleUNet with one block a level."""

    def __init__(self, model_name, pretrained, spatial_dims, in_channels):
        del model_name, pretrained
        options = {"conv1_t_stride": 2, "shortcut_type": "A", "feed_forward": False}
        ResNet.__init__(self, "basic", [1, 1, 1, 1], INPLANES, spatial_dims, in_channels, **options)

    @classmethod
    def get_encoder_parameters(cls):
        return [{"model_name": "narrow", "pretrained": False, "spatial_dims": 2, "in_channels": 1}]

    @classmethod
    def num_channels_per_output(cls):
        return [(INPLANES[0], *INPLANES)]

    @classmethod
    def num_outputs(cls):
        return [5]

    @classmethod
    def get_encoder_names(cls):
        return ["narrow"]


FLEXUNET_BACKBONE.register_class(NarrowEncoder)


class NarrowResNetUNet(ResNet34UNet):
    """As ``resnet34-unet``, but for the number of layers and channels."""

    name = "narrow-resnet-unet"
    encoder_name = "narrow"
