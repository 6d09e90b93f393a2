"""GNARF's family (Bergman et al., NeurIPS 2022): one canonical tri-plane, seen in any pose of a body rigged by linear blend skinning."""
