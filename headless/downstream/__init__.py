"""Training and using networks that learn from data sets: plans, states, curves and pictures of images and clouds."""
