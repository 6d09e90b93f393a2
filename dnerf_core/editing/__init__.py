"""3D-aware semantic editing: a subject follows its repainted mask (paper section 5.4, figure 8)."""
