"""What stands behind `app.service.supervisor`: the queue, the start and end of attempts, recovery, room and upkeep."""
