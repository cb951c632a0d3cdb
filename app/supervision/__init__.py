"""What stands behind `app.supervisor`: the queue, the start and end of attempts, recovery, room and upkeep."""
