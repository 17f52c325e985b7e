"""What runs beside the requests: the log, new models, and writing what was recommended."""
