"""What a sweep leaves in wandb and in optuna-dashboard: the controller's run, pictures, views."""
