"""
The platform's workers: `celery -A tests.django_project.celery worker`.

Whoever starts them sets DJANGO_SETTINGS_MODULE: a test that imports this package shall not set it for all of pytest.
"""

from __future__ import annotations

from celery import Celery

app = Celery("platform")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["tests.django_project.academics"], related_name="celery_tasks")
