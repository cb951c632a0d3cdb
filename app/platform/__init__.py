"""The contract of the existing platform: how it is told what becomes of its jobs. Imported by `app.main` only."""
