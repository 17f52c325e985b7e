"""The log of a feed as a folder of Parquet files: written by `data.export_log`, read by the commands of training."""
