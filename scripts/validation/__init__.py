"""The long proofs, one module for each room; ``scripts/validate.py`` runs them."""
