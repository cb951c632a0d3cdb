"""
A small platform of our own, written from the contract alone: what calls us, and what hears of the end.

No test imports it: it runs in processes of its own, see `tests.platform.rig`.
"""

from tests.django_project.celery import app as celery_app

__all__ = ("celery_app",)
