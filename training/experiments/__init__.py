"""What experiments show: the statistics of what their users did."""
