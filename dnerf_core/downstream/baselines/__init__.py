"""What a trained branch is compared with: frozen networks with a small head on the painted pictures, and DatasetGAN."""
