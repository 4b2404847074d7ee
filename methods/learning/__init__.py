"""What network methods are made of: preparation, augmentation, backbone, losses, recipes and the training loop."""
