"""Background workers: follow the log, load new models, save recommendations."""
