"""The search space: from Hydra's grammar in a YAML file to settings, overrides and Optuna's parameters."""
