"""What operators see: health, metrics, logs, alerts, and the checks at start."""
