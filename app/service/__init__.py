"""What stands behind `app.service.supervisor`: the queue, attempts, recovery and upkeep."""
