"""GAN inversion: latent and camera of a picture, found together by descent through the frozen generator (paper section 5.4)."""
