class PerceptualLoss: pass
